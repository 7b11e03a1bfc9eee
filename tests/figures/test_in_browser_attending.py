"""The figure of attention lines in Chromium: its lines are the model's weights, chosen by mouse, finger and keys."""

from itertools import pairwise

import numpy as np
import pytest

import seqlab.figures as figures
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press

pytestmark = pytest.mark.site
THICK, LEAST = 9, 0.02


def lines(page, selector=".attention .line"):
    """Width of each line that is drawn, by (written, read)."""
    found = page.locator(selector).evaluate_all(
        "all => all.map((one) => [+one.dataset.t, +one.dataset.s, +one.getAttribute('stroke-width')])"
    )
    return {(t, s): width for t, s, width in found}


def option(page, t):
    return page.locator(".attention [role=option]").nth(t)


def chosen(page):
    return page.locator("[role=option][aria-selected=true]").count()


def test_a_line_is_as_thick_as_its_weight_in_every_example(shown):
    figure = figures.AttentionLines()
    with shown(figure) as page:
        for n, example in enumerate(figure.state["examples"]):
            page.get_by_role("combobox", name="Text").select_option(example["name"])
            weights = np.array(example["weights"])
            drawn = lines(page)
            assert set(drawn) == {(t, s) for t, s in np.argwhere(weights >= LEAST).tolist()}
            for (t, s), width in drawn.items():
                assert width == pytest.approx(THICK * weights[t, s])
            assert page.locator(".attention [role=option]").count() == len(example["written"])
            whole = "".join(example["written"])
            assert page.locator(".spoken b").inner_text() == whole
            assert page.locator(".spoken bdi").inner_text() == "".join(example["read"])
            told = page.locator(".says").inner_text()
            assert ("which is right" in told) == (whole == "1994-09-27"), n
            assert ("the day meant is 1994-09-27" in told) == (whole != "1994-09-27")
        assert page.problems == []


def check_chosen(page, example, t):
    """The lines of one written symbol stand out, and its weights are told and listed."""
    weights = np.array(example["weights"][t])
    order = np.argsort(-weights, kind="stable")
    assert set(lines(page, ".line.on")) == {(t, s) for s in np.flatnonzero(weights >= LEAST).tolist()}
    assert len(lines(page, ".line.off")) + len(lines(page, ".line.on")) == len(lines(page))
    seen = page.locator(".seen").evaluate_all("all => all.map((one) => +one.getAttribute('fill-opacity'))")
    np.testing.assert_allclose(seen, 0.75 * weights)
    np.testing.assert_allclose(numbers(page, ".says"), weights[order[:2]])
    top = [s for s in order if weights[s] >= LEAST][:6]
    listed = numbers(page, ".neighbours")
    np.testing.assert_allclose(listed[: len(top)], weights[top])
    assert sum(listed) == pytest.approx(weights.sum())
    places = page.locator(".neighbours tbody td:nth-child(2)").all_inner_texts()
    assert [int(place) for place in places if place] == [s + 1 for s in top]
    names = [example["read"][s].replace(" ", "space") for s in top]
    assert page.locator(".neighbours tbody th").all_inner_texts()[: len(top)] == names


def test_the_reader_walks_along_what_was_written(shown):
    figure = figures.AttentionLines()
    example = figure.state["examples"][1]
    with shown(figure, width=PHONE) as page:
        page.get_by_role("combobox", name="Text").select_option("Korean")
        assert page.locator(".line.on, .line.off").count() == 0
        assert button(page, "All lines").is_disabled()
        page.locator("[role=option][tabindex='0']").focus()
        for t in range(len(example["written"])):
            check_chosen(page, example, t)
            assert option(page, t).get_attribute("aria-selected") == "true"
            assert chosen(page) == 1
            assert f"symbol {t + 1} of {len(example['written'])}" in page.locator(".says").inner_text()
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Home")
        check_chosen(page, example, 0)
        page.keyboard.press("Escape")
        assert chosen(page) == page.locator(".line.on").count() == 0
        assert not page.locator(".neighbours").is_visible()
        option(page, 3).click()
        check_chosen(page, example, 3)
        press(button(page, "All lines"), "Enter")
        assert chosen(page) == page.locator(".line.off").count() == 0
        option(page, 3).click()
        page.get_by_role("combobox", name="Text").select_option("Arabic")  # another text starts with all lines
        assert chosen(page) == page.locator(".line.on").count() == 0
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_the_pointer_shows_a_symbol_s_lines_and_leaves_the_choice(shown):
    figure = figures.AttentionLines(chosen=2, at=1)
    example = figure.state["examples"][2]
    with shown(figure) as page:
        check_chosen(page, example, 1)
        option(page, 6).hover()
        check_chosen(page, example, 6)
        assert option(page, 1).get_attribute("aria-selected") == "true"
        page.mouse.move(0, 0)
        check_chosen(page, example, 1)


def test_a_line_joins_the_two_symbols_that_it_is_of(shown):
    """In French from left to right, in Arabic from right to left with its numbers from left to right."""
    figure = figures.AttentionLines()
    with shown(figure) as page:
        for name in ("French", "Arabic"):
            n = [example["name"] for example in figure.state["examples"]].index(name)
            example = figure.state["examples"][n]
            page.get_by_role("combobox", name="Text").select_option(name)
            middles = page.locator(".attention g[aria-hidden] text").evaluate_all(
                "all => all.map((one) => +one.getAttribute('x'))"
            )
            ends = page.locator(".attention [role=option] text").evaluate_all(
                "all => all.map((one) => +one.getAttribute('x'))"
            )
            assert np.argsort(middles).tolist() == np.argsort(example["places"][0]).tolist()
            assert ends == sorted(ends)
            paths = page.locator(".line").evaluate_all(
                "all => all.map((one) => [+one.dataset.t, +one.dataset.s, one.getAttribute('d')])"
            )
            for t, s, d in paths:
                points = [float(x) for x in d.replace("M", "").replace("C", " ").split()]
                assert points[0] == pytest.approx(middles[s])
                assert points[-2] == pytest.approx(ends[t])
            text = "".join(example["read"])
            first, last = text.index("27" if name == "French" else "٢٧"), len(text) - 1
            assert middles[first] < middles[first + 1]  # 2 before 7 in both
            assert (middles[first] < middles[last]) == (name == "French")  # the year ends the line, on its own side


def test_all_symbols_fit_beside_each_other_on_a_phone(shown):
    figure = figures.AttentionLines()
    with shown(figure, width=PHONE) as page:
        for example in figure.state["examples"]:
            page.get_by_role("combobox", name="Text").select_option(example["name"])
            frame = page.locator(".attention").bounding_box()
            boxes = [box.bounding_box() for box in page.locator(".attention .seen").all()]
            assert all(box["width"] >= 9 for box in boxes)
            assert min(box["x"] for box in boxes) >= frame["x"]
            assert max(box["x"] + box["width"] for box in boxes) <= frame["x"] + frame["width"] + 0.5
            assert overflow(page) == 0


def test_words_get_the_room_that_they_need(shown):
    read = ["jane", "visite", "l'", "afrique", "en", "septembre"]
    written = ["jane", "is", "visiting", "africa", "every", "single", "september"]
    weights = np.full((7, 6), 0.02) + 0.88 * np.eye(7, 6)
    weights[6] = 1 / 6
    figure = figures.AttentionLines([("words", read, written, weights)], at=2)
    with shown(figure, width=PHONE) as page:
        check_chosen(page, figure.state["examples"][0], 2)
        assert page.locator(".spoken").inner_text() == "jane visite l' afrique en septembre → " + " ".join(written)
        texts = [one.bounding_box() for one in page.locator(".attention g[aria-hidden] text").all()]
        for left, right in pairwise(texts):
            assert left["x"] + left["width"] <= right["x"] + 1
        assert overflow(page) == 0


def test_equal_weights_keep_the_order_of_the_text(shown):
    figure = figures.AttentionLines([("made", "abcd", "x", [[0.25, 0.25, 0.3, 0.2]])])
    with shown(figure) as page:
        assert call(page, figure, "strongest", [0.25, 0.25, 0.3, 0.2]) == [2, 0, 1, 3]
        assert "made: 4 symbols were read, x was written. Choose a symbol" in page.locator(".says").inner_text()
        assert page.get_by_role("listbox", name="What was written").count() == 1


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_accessible_light_and_dark(shown, dark):
    with shown(figures.AttentionLines(at=3), width=PHONE, dark=dark) as page:
        assert axe(page) == []
        assert overflow(page) == 0
