"""The figure of chapter 11 in Chromium: the reader steps through it, and it shows the model's own numbers."""

import pytest

import seqlab.figures as figures
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press

pytestmark = pytest.mark.site


def test_the_reader_steps_from_the_first_symbol_to_the_end(shown):
    figure = figures.ReadThenWrite()
    run = figure.state["runs"]["plain"][0]
    with shown(figure, width=PHONE) as page:
        forth, back, says = button(page, "Next step"), button(page, "Back"), page.locator(".says")
        assert back.is_disabled()
        for n, symbol in enumerate(run["read"], start=1):
            assert f"reads “{symbol}”" in says.inner_text() or n == len(run["read"])
            assert page.locator("svg g[transform]").count() == n
            press(forth, "Enter")
        for t, symbol in enumerate(run["written"]):
            assert f"to “{symbol}”" in says.inner_text()
            assert numbers(page, ".says") == [run["p"][t][0][1]]
            assert numbers(page, "table") == [share for _, share in run["p"][t]]
            assert page.locator("svg g[transform]").count() == len(run["read"]) + t + 1
            if t + 1 < len(run["written"]):
                press(forth, "Enter")
        assert forth.is_disabled()
        answer = "".join(run["written"]).replace("<eos>", "")
        assert f"The answer is {answer}" in says.inner_text()
        assert ("that is right" in says.inner_text()) == (answer == "91")
        press(back, "Enter")
        assert f"to “{run['written'][-2]}”" in says.inner_text()
        press(button(page, "Start again"), "Enter")
        assert back.is_disabled()
        assert page.problems == []


def test_another_model_or_question_shows_its_own_run(shown):
    figure = figures.ReadThenWrite()
    runs = figure.state["runs"]
    with shown(figure) as page:
        says = page.locator(".says")
        page.get_by_role("combobox", name="Reads").select_option("peeking")
        page.get_by_role("combobox", name="Question").select_option("1")
        press(button(page, "To the end"), "Enter")
        run = runs["peeking"][1]
        drawing = page.locator("svg[role=img]").get_attribute("aria-label")
        assert f"has read {' '.join(run['read'])}." in drawing
        assert f"has written {' '.join(run['written'])}." in drawing
        assert "and that is right" in says.inner_text()
        assert numbers(page, "table") == [share for _, share in run["p"][-1]]
        page.get_by_role("combobox", name="Reads").select_option("plain")
        assert f"has read {' '.join(runs['plain'][1]['read'])}." in page.locator("svg[role=img]").get_attribute(
            "aria-label"
        )
        assert page.problems == []


def test_what_is_spelled_leaves_out_the_end(shown):
    figure = figures.ReadThenWrite()
    with shown(figure) as page:
        run = {"written": ["9", "1", "<eos>"]}
        assert [call(page, figure, "spelled", run, n) for n in range(4)] == ["", "9", "91", "91"]


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_can_be_used_by_everybody(shown, dark):
    with shown(figures.ReadThenWrite(), width=PHONE, dark=dark) as page:
        press(button(page, "To the end"), "Enter")
        assert overflow(page) == 0
        assert axe(page) == []
