"""The figures of chapter 4 in Chromium: the die pays what the reference pays, the reader shapes and draws."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.lm import reference as lm
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def paid(rows, targets, steps):
    """Cost of each word, their mean and the perplexity, by the book's reference."""
    with np.errstate(divide="ignore"):
        losses, _ = lm.cross_entropy(np.log(np.array(rows)[:steps]), np.array(targets[:steps]))
    return losses, losses.mean(), lm.perplexity(losses.sum(), steps)


def test_the_die_agrees_with_the_reference_at_every_step(shown):
    figure = figures.PerplexityDie()
    targets, models = figure.state["targets"], figure.state["models"]
    with shown(figure, width=PHONE) as page:
        for name in ("bigram", "unigram", "uniform", "certain"):
            page.get_by_role("combobox", name="Model").select_option(name)
            press(button(page, "Start again"), "Enter")
            for step in range(1, len(targets) + 1):
                losses, mean, sides = paid(models[name]["rows"], targets, step)
                np.testing.assert_allclose(numbers(page, ".says"), [losses[-1], mean, sides], atol=1e-9)
                np.testing.assert_allclose(numbers(page, ".odds"), models[name]["rows"][step - 1], atol=1e-12)
                table = np.array(numbers(page, "table")).reshape(step, 2)
                np.testing.assert_allclose(table[:, 0], losses, atol=1e-9)
                if step < len(targets):
                    press(button(page, "Next word"), "Enter")
            assert button(page, "Next word").is_disabled()
        assert "one side is no riddle" in page.locator(".says").inner_text()
        assert page.problems == []


def test_the_reader_changes_what_is_expected_and_the_sum_stays_one(shown):
    figure = figures.PerplexityDie()
    words, targets, rows = (figure.state[name] for name in ("words", "targets", "rows"))
    with shown(figure) as page:
        film = slider(page, "film")
        press(film, "Home", *["ArrowRight"] * 5)  # 0.05
        shares = numbers(page, ".odds")
        assert shares[words.index("film")] == pytest.approx(0.05)
        assert sum(shares) == pytest.approx(1)
        others = np.delete(shares, words.index("film")) / np.delete(rows[1], words.index("film"))
        np.testing.assert_allclose(others, others[0])  # the others keep their ratios
        assert page.get_by_role("combobox", name="Model").input_value() == "edited"
        want = paid([rows[0], shares], targets, 2)
        np.testing.assert_allclose(numbers(page, ".says"), [want[0][-1], *want[1:]], atol=1e-9)

        press(film, "Home")  # the word that came is ruled out
        assert page.locator("svg text").first.text_content() == "∞"
        assert "ruled out what came" in page.locator(".says").inner_text()
        press(film, "End")
        shares = numbers(page, ".odds")
        assert sorted(shares)[-1] == 1
        press(film, "ArrowLeft")  # nothing was left to share by ratio: equal parts
        left = np.delete(numbers(page, ".odds"), words.index("film"))
        np.testing.assert_allclose(left, 0.01 / len(left), atol=1e-9)
        assert page.problems == []


def test_a_die_has_as_many_equal_sides_as_the_perplexity(shown):
    numbers_ = [str(n) for n in range(53)]
    figure = figures.PerplexityDie(numbers_, next_word=["7"])
    with shown(figure, width=PHONE, dark=True) as page:
        wheel = page.get_by_role("img")
        assert wheel.locator("path").count() == 53
        assert wheel.locator("text").first.text_content() == "53.0"
        assert wheel.locator("path[fill='var(--orange)']").count() == 1
        assert page.get_by_role("button").count() == 0  # one word: nowhere to step
        assert axe(page) == []
        assert overflow(page) == 0
        for sides in (1, 2, 2.65, 53, 99.5):
            paths = call(page, figure, "slices", sides, 96, 56)
            assert len(paths) == np.ceil(sides)
    rows = [[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]
    with shown(figures.PerplexityDie("abc", rows, ["b", "b"])) as page:
        press(button(page, "Back"), "Enter")
        assert page.get_by_role("img").locator("path").count() == 4  # perplexity 4 though the vocabulary has 3 words


def test_the_shaped_distribution_agrees_with_the_reference(shown):
    figure, rng = figures.TemperatureLab(), np.random.default_rng(0)
    with shown(figure) as page:
        for V, T, k, mass in (
            (2, 1, 2, 1),
            (12, 0.1, 5, 0.9),
            (7, 4, 7, 0.3),
            (30, 1.7, 1, 1),
            (5, 0, 5, 1),
            (9, 1, 4, 0.55),
        ):
            z = rng.normal(size=(1, V)) * 3
            got = call(page, figure, "shape", {"scores": z[0].tolist(), "T": T, "k": k, "mass": mass})
            warm = lm.temperature(z, T)
            np.testing.assert_allclose(got["before"], lm.softmax(z)[0], atol=1e-12)
            np.testing.assert_allclose(got["warm"], warm[0], atol=1e-12)
            np.testing.assert_allclose(got["after"], lm.nucleus(lm.top_k(warm, k), mass)[0], atol=1e-12)
        tied = [0.0, 1.0, 1.0, -1.0]  # of equals the first stays
        assert call(page, figure, "shape", {"scores": tied, "T": 0, "k": 4, "mass": 1})["after"] == [0, 1, 0, 0]
        assert call(page, figure, "shape", {"scores": tied, "T": 1, "k": 1, "mass": 1})["after"] == [0, 1, 0, 0]
        p = np.array([0.5, 0.0, 0.3, 0.2])
        counts = np.array(call(page, figure, "tally", p.tolist(), 20000, 7)["counts"])
        assert counts.sum() == 20000
        assert counts[1] == 0
        spread = np.sqrt(20000 * p * (1 - p))
        assert (abs(counts - 20000 * p) <= 4 * spread).all()
        assert call(page, figure, "tally", p.tolist(), 50, 1) != call(page, figure, "tally", p.tolist(), 50, 2)


def test_the_reader_moves_the_temperature_cuts_the_tail_and_draws(shown):
    figure = figures.TemperatureLab()
    words, z = figure.state["words"], np.array(figure.state["scores"])[None]
    with shown(figure, width=PHONE) as page:
        heat, k, mass, says = (
            slider(page, "temperature"), slider(page, "top-k"), slider(page, "nucleus"), page.locator(".says")
        )  # fmt: skip

        def check(p):
            after = [x for x in p if x > 0]
            shown_ = np.array(numbers(page, ".heat tbody td:nth-child(4)"))
            np.testing.assert_allclose(shown_, after, atol=1e-9)
            cut = page.locator(".heat tr.out th").all_inner_texts()
            assert cut == [word for word, x in zip(words, p, strict=True) if x == 0]
            h = [-(q[q > 0] * np.log(q[q > 0])).sum() for q in (lm.softmax(z)[0], p)]
            np.testing.assert_allclose(numbers(page, ".says"), [*h, np.exp(h[1])], atol=1e-9)

        check(lm.softmax(z)[0])
        assert "ratios stay" in says.inner_text()
        press(heat, *["ArrowLeft"] * 4)
        check(lm.temperature(z, 10**-0.2)[0])
        assert "likely words take" in says.inner_text()
        press(k, *["ArrowLeft"] * 5)
        press(mass, "ArrowLeft", "ArrowLeft")
        check(lm.nucleus(lm.top_k(lm.temperature(z, 10**-0.2), len(words) - 5), 0.9)[0])

        press(button(page, "Draw 100"), "Enter")
        press(button(page, "Draw a word"), "Space", "Space")
        counts = numbers(page, ".heat tbody td:nth-child(5)")
        assert sum(counts) == 102
        assert all(n == 0 for n, row in zip(counts, page.locator(".heat tbody tr").all(), strict=True)
                   if "out" in (row.get_attribute("class") or ""))  # fmt: skip
        page.get_by_label("seed").fill("3")
        other = numbers(page, ".heat tbody td:nth-child(5)")
        assert sum(other) == 102
        assert other != counts
        page.get_by_label("seed").fill("0")
        assert numbers(page, ".heat tbody td:nth-child(5)") == counts

        press(heat, "Home")  # a new distribution: the tally starts anew
        assert "greedy" in says.inner_text()
        assert numbers(page, ".heat tbody td:nth-child(5)") == []
        press(button(page, "Draw 100"), "Enter")
        assert numbers(page, ".heat tbody td:nth-child(5)")[0] == 100
        press(button(page, "Empty"), "Enter")
        assert button(page, "Empty").is_disabled()
        assert "Nothing drawn" in page.locator("output.quiet").inner_text()
        assert page.problems == []
