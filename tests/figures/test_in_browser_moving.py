"""Tiles between memory and chip, in Chromium: the page counts as the traffic counter does, step by step."""

import pytest

import seqlab.figures as figures
from seqlab.figures import moving
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def sofar(page):
    """Loaded, stored, together, needed, again, in between: so far, and in the end."""
    found = numbers(page, ".sofar")
    return found[::2], found[1::2]


def expected(kernel, steps=None):
    counts = moving.tally(moving.recordings()[kernel], steps)
    loaded, stored, *split = counts.values()
    return [loaded, stored, loaded + stored, *split]


def test_the_page_counts_as_the_package_does(shown):
    figure = figures.MovingTiles()
    with shown(figure) as page:
        for kernel, recording in figure.state["kernels"].items():
            for step in (0, 7, 1000):
                counts = call(page, figure, "tally", recording, step, 4)
                moved = counts.pop("moved")
                assert counts == moving.tally(recording, step), (kernel, step)
                assert 4 * sum(map(sum, moved)) == counts["loaded"] + counts["stored"]
        assert page.problems == []


def test_the_reader_goes_step_by_step(shown):
    with shown(figures.MovingTiles("softmax_online"), width=PHONE, dark=True) as page:
        says, on = page.locator(".says"), page.locator(".tensors .on")
        assert "Nothing has moved yet. One kernel, 4 programs, 24 loads and stores will follow" in says.inner_text()
        assert "empty" in page.locator(".tiles-held").inner_text()
        for step, words in enumerate(
            (
                "loads z: row 1, columns 1 to 4. 16 bytes, for the first time",
                "loads z: row 1, columns 5 to 8. 16 bytes, for the first time",
                "loads z: row 1, columns 1 to 4. 16 bytes; all of them move again",
                "stores p: row 1, columns 1 to 4. 16 bytes, for the first time",
            ),
            1,
        ):
            press(button(page, "Next"), "Enter")
            assert f"Step {step} of 24. softmax_online, program 1, {words}" in says.inner_text()
            assert on.count() == 4
            assert sofar(page) == (expected("softmax_online", step), expected("softmax_online"))
        held = page.locator(".tiles-held [role=img]").evaluate_all("all => all.map((one) => one.ariaLabel)")
        assert held == ["loaded, z: row 1, columns 1 to 4", "to be stored, p: row 1, columns 1 to 4"]
        assert page.locator(".tensors [role=img]").first.get_attribute("aria-label") == (
            "z, 4 by 8, given: 8 of 32 numbers have moved, at most 2 times"
        )
        assert overflow(page) == 0
        assert axe(page) == []
        press(button(page, "Back"), "Space")
        assert "Step 3 of 24" in says.inner_text()
        press(button(page, "Next program"), "Enter")
        assert "Step 6 of 24" in says.inner_text()
        press(button(page, "Next program"), "Enter")
        assert "Step 12 of 24" in says.inner_text()
        press(slider(page, "step"), "End")
        assert "Done: 384 bytes have moved; 256 had to." in says.inner_text()
        assert button(page, "Next").is_disabled()
        press(button(page, "Start again"), "Enter")
        assert on.count() == 0
        assert button(page, "Back").is_disabled()
        assert page.problems == []


def test_another_kernel_starts_anew_and_all_are_side_by_side(shown):
    with shown(figures.MovingTiles("softmax_row", step=8)) as page:
        assert sofar(page)[0] == expected("softmax_row")
        ends = numbers(page, ".ends")
        assert ends == [n for kernel in moving.TENSORS for n in expected(kernel)[2:]]
        page.get_by_role("combobox", name="Kernel").select_option("flash")
        assert "Nothing has moved yet" in page.locator(".says").inner_text()
        assert "never reach memory" in page.locator(".seqlab-live").inner_text()
        press(slider(page, "step"), "End")
        assert sofar(page)[0] == expected("flash")
        assert page.locator(".tensors .moved, .tensors .on").count() == 4 * 2 + 2 * 8 * 2 + 4 * 2 + 2 * 4
        page.get_by_role("combobox", name="Kernel").select_option("softmax_passes")
        press(slider(page, "step"), "End")
        assert "448" in page.locator(".ends tr[data-now]").inner_text()
        assert axe(page) == []
        assert page.problems == []


@pytest.mark.parametrize("calm", [True, False])
def test_a_tile_flies_unless_the_reader_wants_no_motion(shown, calm):
    with shown(figures.MovingTiles("softmax_row"), reduced_motion=calm) as page:
        press(button(page, "Next"), "Enter")
        assert page.evaluate("document.getAnimations().length") == (0 if calm else 8)
        assert page.locator(".tiles-held .on").count() == 8


def test_it_plays_and_pauses(shown):
    with shown(figures.MovingTiles("softmax_row", step=6)) as page:
        says = page.locator(".says")
        press(button(page, "Play"), "Enter")  # the first step at once
        press(button(page, "Pause"), "Enter")
        assert "Step 7 of 8" in says.inner_text()
        press(button(page, "Play"), "Enter")
        assert "Done" in says.inner_text()
        assert button(page, "Play").is_visible() or button(page, "Pause").is_visible()
        page.wait_for_timeout(1000)
        assert button(page, "Play").is_visible()  # it stopped by itself
        assert page.problems == []


def test_without_scripts_the_table_of_bytes_stands_there(shown):
    with shown(figures.MovingTiles(), live=False, javascript=False) as page:
        assert "832" in page.locator(".seqlab-still table").inner_text()
