"""The figures of chapter 6 in Chromium: the curtain hides the future, the stack costs what the package says."""

from itertools import product

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.figures import deep
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def test_the_reader_moves_the_curtain_and_sees_what_each_reader_can_say(shown):
    figure = figures.BothWays()
    with shown(figure, width=PHONE) as page:

        def check(seen, words):
            said = deep.answers(deep.trained(), words)
            want = [(said["left"][t], said["right"][seen - 1][t], said["both"][seen - 1][t]) for t in range(seen)]
            np.testing.assert_allclose(numbers(page, ".curtain"), np.ravel(want), atol=1e-12)
            assert page.locator(".curtain tr.behind").count() == len(words) - seen
            assert slider(page, "words seen").input_value() == str(seen)

        words = ["Teddy", "bears", "are", "on", "sale"]
        says = page.locator(".says")
        check(1, words)
        assert button(page, "Hide a word").is_disabled()
        assert "“Teddy” has just been read" in says.inner_text()
        press(button(page, "Show the next word"), "Enter")
        check(2, words)
        assert "1 word later" in says.inner_text()
        press(slider(page, "words seen"), "End")
        check(5, words)
        assert "The curtain is open" in says.inner_text()
        press(button(page, "Hide a word"), "Space")
        check(4, words)
        page.locator(".curtain tbody tr").nth(2).click()
        check(3, words)

        page.get_by_role("combobox", name="Sentence").select_option("3")
        words = ["she", "said", "Rose", "Granger", "was", "late"]
        check(1, words)
        assert "“Rose” has not been read yet" in says.inner_text()
        press(slider(page, "words seen"), "ArrowRight", "ArrowRight")
        check(3, words)
        assert page.problems == []


def test_the_word_that_needs_the_future_is_the_one_spoken_of(shown):
    figure = figures.BothWays()
    with shown(figure) as page:
        for sentence, word in zip(figure.state["sentences"], ("Teddy", "Teddy", "Rose", "Rose"), strict=True):
            change = [abs(sentence["both"][-1][t] - sentence["both"][t][t]) for t in range(len(sentence["words"]))]
            key = call(page, figure, "latest", sentence)
            assert key == int(np.argmax(change))
            assert sentence["words"][key] == word


def test_a_sentence_of_the_chapter_has_no_truth_to_show(shown):
    with shown(figures.BothWays("Grace notes are hard to play")) as page:
        assert page.get_by_role("columnheader").all_inner_texts() == ["word", "left →", "← right", "both"]
        assert page.get_by_role("combobox").count() == 0
        assert page.problems == []


def test_the_bill_in_the_browser_is_the_one_that_the_modules_pay(shown):
    figure = figures.StackCost()
    with shown(figure) as page:
        for cell, layers, directions, T in product(deep.CELLS, (1, 3), (1, 2), (2, 9)):
            shape = {"cell": cell, "layers": layers, "directions": directions, "steps": T, "width": 48}
            shape |= {"inputs": 10, "batch": 4}
            assert call(page, figure, "bill", shape) == deep.bill(**shape)
            ticks = np.array(call(page, figure, "schedule", shape))
            assert ticks.shape == (layers, directions, T)
            for layer, back, t in np.ndindex(*ticks.shape):  # nothing runs before what it waits for
                before = t + 1 if back else t - 1
                waits = [ticks[layer, back, before]] if 0 <= before < T else []
                waits += list(ticks[layer - 1, :, t]) if layer else []
                assert ticks[layer, back, t] == 1 + max(waits, default=0)


def test_the_reader_builds_a_stack_and_runs_it_tick_by_tick(shown):
    figure = figures.StackCost(steps=5, layers=2)
    shape = {name: value for name, value in figure.state.items() if name != "tick"}
    with shown(figure, width=PHONE) as page:
        says, grid = page.locator(".says"), page.get_by_role("img")

        def check():
            bills = deep.bill(**shape), deep.bill(**shape | {"layers": 1, "directions": 1})
            want = [(a, b, a / b) for a, b in ((bills[0][key], bills[1][key]) for key in bills[0])]
            np.testing.assert_allclose(numbers(page, "table"), np.ravel(want))

        def running():
            return grid.locator("rect[fill='var(--orange)']").count()

        check()
        press(button(page, "Tick"), "Enter")
        assert running() == 1
        press(button(page, "Tick"), "Space")
        assert running() == 2
        press(button(page, "All"), "Enter")
        assert running() == 1
        assert button(page, "Tick").is_disabled()
        assert "6 ticks" in says.inner_text().replace("\u00a0", " ")
        press(button(page, "Back"), "Enter")
        assert running() == 2

        press(page.get_by_role("checkbox"), "Space")  # bidirectional: back to the start
        shape["directions"] = 2
        check()
        assert button(page, "Back").is_disabled()
        assert "T × L = 5 × 2 = 10 ticks" in says.inner_text().replace("\u00a0", " ")
        press(page.get_by_role("combobox", name="Cell"), "g")
        press(page.get_by_role("combobox", name="Width"), "ArrowDown")
        press(slider(page, "layers"), "End")
        press(slider(page, "steps"), "End")
        shape |= {"cell": "gru", "width": 256, "layers": 6, "steps": 40}
        check()
        assert grid.locator("rect").count() == 6 * 2 * 40
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []
