"""The figure of the Turing machine in Chromium: its memory is the model's, and the reader steps through it by keys."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.figures.turing import misses, text
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, press, slider
from tests.figures.test_turing import replayed

pytestmark = pytest.mark.site


def boxes(page, selector):
    """The places of some elements, in the order of the page."""
    return page.locator(selector).evaluate_all("all => all.map((one) => one.getAttribute('width') * 1)")


def test_the_memory_computed_on_the_page_is_the_machine_s(shown):
    figure = figures.TuringHead(lengths=(4, 12), rows=8)
    with shown(figure) as page:
        for copy in figure.state["copies"]:
            memory = call(page, figure, "memories", copy, figure.state["width"], figure.state["blank"])
            want = replayed(copy, 8)[1].memory[0].numpy()
            np.testing.assert_allclose(memory, want, atol=0.01 * np.abs(want).max())
            assert np.abs(want).max() > 0.3
            for name in ("write", "read"):
                got = [call(page, figure, "place", w) for w in copy[name]]
                assert [one["row"] for one in got] == np.argmax(copy[name], axis=1).tolist()
                np.testing.assert_allclose([one["weight"] for one in got], np.max(copy[name], axis=1))
            L = len(copy["bits"])
            assert call(page, figure, "wrong", copy, 2 * L + 1) == misses(copy)
            assert call(page, figure, "wrong", copy, L + 1) == 0
            assert [call(page, figure, "heard", copy, t) for t in range(2 * L + 1)] == [
                *copy["bits"],
                "delimiter",
                *["silence"] * L,
            ]
        assert page.problems == []


def test_the_reader_steps_through_a_copy(shown):
    figure = figures.TuringHead(lengths=(3, 20), rows=8)
    copy = figure.state["copies"][0]
    with shown(figure, width=PHONE) as page:
        says, clock = page.locator(".says"), slider(page, "step")
        said = page.locator("g.bit[visibility=visible]")
        assert button(page, "Back").is_disabled()
        for t in range(7):
            told = says.inner_text()
            w, r = np.argmax(copy["write"][t]), np.argmax(copy["read"][t])
            assert f"write head is on row {w} (" in told
            assert f"read head on row {r} (" in told
            assert said.count() == 8 * max(0, t - 3)
            bars = boxes(page, "rect[fill='var(--plum)']"), boxes(page, "rect[fill='var(--brick)']")
            np.testing.assert_allclose(np.array(bars) / 70, [copy["write"][t], copy["read"][t]], atol=1e-6)
            if t < 3:
                assert text(copy["bits"][t]) in told
            elif t == 3:
                assert "now the machine must repeat" in told
            else:
                assert f"Said: {text(np.array(copy['said'][t - 4]) > 0.5)}" in told
            if t < 6:
                press(button(page, "Next step"), "Enter")
        assert button(page, "Next step").is_disabled()
        press(clock, "Home")
        assert "Vector 1 of 3" in says.inner_text()
        press(button(page, "To the delimiter"), "Enter")
        assert clock.input_value() == "4"
        press(button(page, "To the end"), "Enter")
        press(button(page, "Back"), "Space")
        assert clock.input_value() == "6"
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_the_memory_s_cells_are_painted_by_their_sign(shown):
    figure = figures.TuringHead(lengths=(3,), rows=5, step=4)
    with shown(figure) as page:
        copy = figure.state["copies"][0]
        memory = np.array(call(page, figure, "memories", copy, figure.state["width"], figure.state["blank"]))
        top = np.abs(memory).max()
        styles = page.locator("rect.cell").evaluate_all("all => all.map((one) => one.getAttribute('style'))")
        assert len(styles) == memory[3].size
        for x, style in zip(memory[3].ravel(), styles, strict=True):
            assert ("--orange" if x < 0 else "--blue") in style
            assert float(style.split(") ")[1].split("%")[0]) == pytest.approx(100 * abs(x) / top, abs=0.51)


def test_a_sequence_longer_than_the_memory_is_crossed_out(shown):
    figure = figures.TuringHead(lengths=(3, 20), rows=8)
    wrong = [misses(copy) for copy in figure.state["copies"]]
    with shown(figure, width=PHONE, dark=True) as page:
        chosen = page.get_by_role("combobox", name="Sequence")
        chosen.select_option("1")
        assert slider(page, "step").input_value() == "1"
        press(button(page, "To the end"), "Enter")
        assert page.locator("g.bit path").count() == wrong[1]
        assert f"{wrong[1]} of 160 bits wrong so far" in page.locator(".says").inner_text()
        assert "longer than the memory's 8 rows" in chosen.locator("option:checked").inner_text()
        assert overflow(page) == 0
        assert axe(page) == []
        chosen.select_option("0")
        assert page.locator("g.bit path").count() == wrong[0]
        assert page.problems == []


def test_the_copy_plays_and_pauses(shown):
    with shown(figures.TuringHead(lengths=(1,), rows=4)) as page:
        clock = slider(page, "step")
        press(button(page, "Play"), "Enter")  # the next step at once
        press(button(page, "Pause"), "Enter")
        assert clock.input_value() == "2"
        press(button(page, "Play"), "Enter")
        page.wait_for_function("document.querySelector('input[type=range]').value === '3'", timeout=5000)
        assert button(page, "Play").is_visible()  # it stopped by itself
        press(button(page, "Play"), "Enter")  # from the beginning again
        assert clock.input_value() == "1"
        assert page.problems == []
