"""Softmax in tiles, in Chromium: every number on the way is that of the book's reference."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.attention.reference import online
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def reference(figure, query, size, tile, causal, offset):
    """The states (m, l, o) after each tile that a query's block meets, and the context of the whole row."""
    scores, values = np.array(figure.state["scores"])[query, :size] + offset, np.array(figure.state["values"])[:size]
    end = min(size, (query // tile + 1) * tile) if causal else size
    scores = np.where(np.arange(size) <= query, scores, -np.inf) if causal else scores
    context, _, steps = online.online_softmax(scores[None, :end], values[:end, None], tile)
    return [[part.item() for part in step] for step in steps], context.item()


@pytest.mark.parametrize("causal", [False, True])
def test_the_walk_is_that_of_the_reference(shown, causal):
    figure = figures.FlashTiles()
    with shown(figure) as page:
        for size, tile, query, offset in ((8, 2, 6, 0), (8, 1, 0, 10), (6, 4, 5, 1000), (6, 4, 1, 0), (4, 4, 2, 10000)):
            steps, context = reference(figure, query, size, tile, causal, offset)
            row = call(page, figure, "counting", figure.state["scores"][query], size, causal, query, offset)
            met = call(page, figure, "meets", size, tile, causal, query)
            states = call(page, figure, "walk", row, figure.state["values"], met)
            assert len(states) == len(steps) + 1
            for state, want in zip(states[1:], steps, strict=True):
                np.testing.assert_allclose([state[name] for name in "mlo"], want, rtol=1e-12)
            whole = call(page, figure, "whole", row, figure.state["values"])
            assert whole["context"] == pytest.approx(context, rel=1e-12)
            assert sum(whole["weights"]) == pytest.approx(1)
            assert states[-1]["o"] / states[-1]["l"] == pytest.approx(context, rel=1e-12)
        assert page.problems == []


def held(page):
    """The numbers of the program's table, a row a query: m, l, o, o / l, the whole row's."""
    return np.array(numbers(page, ".heldtiles")).reshape(-1, 5)


def bars(page):
    """The bars' heights by key."""
    return dict(
        page.locator("rect[data-key]").evaluate_all("all => all.map((r) => [+r.dataset.key, +r.dataset.height])")
    )


def test_the_reader_takes_tile_by_tile(shown):
    figure = figures.FlashTiles(query=7)
    row = np.array(figure.state["scores"][6])
    wants = [reference(figure, query, 8, 2, False, 0) for query in (6, 7)]
    with shown(figure, width=PHONE) as page:
        says = page.locator(".says")
        assert "owns queries 7 to 8" in says.inner_text()
        assert "will meet 4 tiles" in says.inner_text()
        assert bars(page) == {}
        for t in range(4):
            press(button(page, "Next tile"), "Enter")
            m, total, weighted = wants[0][0][t]
            told = says.inner_text()
            assert f"Tile {t + 1} of 4, keys {2 * t + 1} to {2 * t + 2}, for query 7" in told
            grows = t > 0 and m > wants[0][0][t - 1][0]
            assert ("it grows" in told) == grows
            shown_rows = held(page)
            for got, (steps, context) in zip(shown_rows, wants, strict=True):
                np.testing.assert_allclose(got, [*steps[t], steps[t][2] / steps[t][1], context], rtol=1e-12)
            said = numbers(page, ".says")
            for want in (m, total, weighted):
                assert np.isclose(said, want, rtol=1e-12).any()
            if grows:
                assert np.exp(wants[0][0][t - 1][0] - m) == pytest.approx(said[1], rel=1e-12)
            want = np.exp(row[: 2 * t + 2] - m)
            np.testing.assert_allclose([bars(page)[k + 1] for k in range(2 * t + 2)], want, rtol=1e-12)
            assert page.locator("td.tile").count() == 4
            assert page.locator("td.past").count() == 4 * t
        assert "All tiles are in" in says.inner_text()
        assert numbers(page, ".says")[-2] == pytest.approx(wants[0][1], rel=1e-12)
        assert button(page, "Next tile").is_disabled()
        assert overflow(page) == 0
        assert axe(page) == []
        press(button(page, "Back"), "Space")
        assert "Tile 3 of 4" in says.inner_text()
        press(button(page, "Start again"), "Enter")
        assert "It starts with m = −∞" in says.inner_text()
        assert page.problems == []


def test_ten_thousand_more_changes_no_sum(shown):
    with shown(figures.FlashTiles(step=4), width=PHONE, dark=True) as page:
        before, plain = held(page), page.locator("output.quiet")
        assert "float32 still holds it" in plain.inner_text()
        press(slider(page, "add to all"), "End")
        after = held(page)
        np.testing.assert_allclose(after[:, 0], before[:, 0] + 1e4, rtol=1e-12)
        np.testing.assert_allclose(after[:, 1:], before[:, 1:], rtol=1e-10)
        assert "= ∞ in float32" in plain.inner_text()
        assert "each + 10000" in page.locator(".tiles caption").inner_text()
        assert overflow(page) == 0
        assert axe(page) == []
        press(slider(page, "add to all"), "Home", "ArrowRight", "ArrowRight", "ArrowRight")
        np.testing.assert_allclose(held(page)[:, 0], before[:, 0] + 100, rtol=1e-12)
        assert "= ∞ in float32" in plain.inner_text()  # e^88 is where float32 ends
        press(slider(page, "add to all"), "ArrowLeft")
        assert "still holds it" in plain.inner_text()
        assert page.problems == []


def test_the_future_is_hidden_and_its_tiles_are_not_visited(shown):
    figure = figures.FlashTiles(query=3)
    with shown(figure, width=PHONE) as page:
        quiet = page.locator("output.quiet")
        assert "16 of 16" in quiet.inner_text()
        page.get_by_role("checkbox", name="causal").check()
        assert "10 of 16" in quiet.inner_text()
        assert page.locator("td.future").count() == 28
        for _ in range(2):
            press(button(page, "Next tile"), "Enter")
        assert button(page, "Next tile").is_disabled()
        assert "1 in the future, hidden" in page.locator(".says").inner_text()
        steps, context = reference(figure, 2, 8, 2, True, 0)
        np.testing.assert_allclose(held(page)[0], [*steps[-1], context, context], rtol=1e-12)
        page.get_by_role("combobox", name="Tile").select_option("4")
        assert "3 of 4" in quiet.inner_text()
        assert "will meet 1 tile." in page.locator(".says").inner_text()
        page.get_by_role("combobox", name="Keys").select_option("6")
        assert page.locator(".tiles td.square").count() == 36
        assert axe(page) == []
        assert page.problems == []


def test_a_query_is_chosen_by_arrow_keys_and_its_scores_can_be_changed(shown):
    figure = figures.FlashTiles(query=7, step=2)
    with shown(figure) as page:
        grid = page.locator(".tiles td.square")
        grid.nth(6 * 8).click()
        assert "for query 7" in page.locator(".says").inner_text()
        press(grid.nth(6 * 8), "ArrowDown")
        assert "Tile 2 of 4, keys 3 to 4, for query 8" in page.locator(".says").inner_text()  # of the same block
        press(grid.nth(7 * 8), "ArrowUp")
        press(grid.nth(6 * 8), "ArrowUp")
        assert "owns queries 5 to 6" in page.locator(".says").inner_text()  # another block starts anew
        page.get_by_text("Change the scores of query 6").click()
        page.get_by_role("spinbutton", name="k1").fill("7.5")
        press(button(page, "Next tile"), "Enter")
        row = np.array([7.5, figure.state["scores"][5][1]])
        np.testing.assert_allclose(held(page)[1][:2], [7.5, np.exp(row - 7.5).sum()], rtol=1e-12)
        assert page.problems == []


def test_other_numbers_are_other_and_the_same_for_everyone(shown):
    figure = figures.FlashTiles()
    with shown(figure) as page:
        first = [call(page, figure, "drawn", seed, 8) for seed in (1, 2, 1)]
        assert first[0] == first[2] != first[1]
        many = np.array([call(page, figure, "drawn", seed, 8)["scores"] for seed in range(1, 40)])
        assert abs(many.mean()) < 0.15
        assert many.std() == pytest.approx(1.6, rel=0.1)
        before = numbers(page, ".heldtiles")[3::4]  # the whole rows': there is no o / l yet
        press(button(page, "Other numbers"), "Enter")
        assert "It starts with m = −∞" in page.locator(".says").inner_text()
        assert not {*before} & {*numbers(page, ".heldtiles")[3::4]}
        np.testing.assert_allclose(
            [float(t.replace("−", "-")) for t in page.locator(".tiles td.square").all_inner_texts()],
            np.ravel(first[0]["scores"]),
            atol=0.05,
        )
        assert page.problems == []


def test_the_tiles_play_and_pause(shown):
    with shown(figures.FlashTiles(tile=4)) as page:
        says = page.locator(".says")
        press(button(page, "Play"), "Enter")  # the first tile at once
        press(button(page, "Pause"), "Enter")
        assert "Tile 1 of 2" in says.inner_text()
        press(button(page, "Play"), "Enter")
        assert "All tiles are in" in says.inner_text()
        assert button(page, "Play").is_visible()  # it stopped by itself
        assert page.problems == []
