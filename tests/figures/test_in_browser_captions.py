"""The figure of chapter 16 in Chromium: it draws what the model did, and the reader steps through it by keys."""

import numpy as np
import pytest

import seqlab.figures as figures
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press

pytestmark = pytest.mark.site


def test_the_picture_is_drawn_as_it_is(shown):
    figure = figures.CaptionLens()
    picture = figure.state["pictures"][0]
    with shown(figure) as page:
        got = call(page, figure, "runs", picture["pixels"], 32)
        drawn = [got["paper"]] * 1024
        for x, y, length, colour in got["found"]:
            drawn[y * 32 + x : y * 32 + x + length] = [colour] * length
        assert drawn == picture["pixels"]
        assert page.locator("svg rect.veil").count() == picture["side"] ** 2
        assert page.problems == []


def test_the_place_looked_at_is_found_and_put_in_words(shown):
    figure = figures.CaptionLens()
    with shown(figure) as page:
        flat = [0.0] * 64
        for place, words in ((0, "upper left"), (7, "upper right"), (3 * 8 + 4, "middle"), (63, "lower right")):
            weights = [*flat[:place], 1.0, *flat[place + 1 :]]
            got = call(page, figure, "centre", weights, 8)
            assert (got["row"], got["column"], got["words"]) == (place // 8 + 1, place % 8 + 1, words)
        assert call(page, figure, "spread", [1 / 64] * 64) == 52
        assert call(page, figure, "spread", [0.5, 0.25, 0.125, 0.125]) == 3


def test_the_reader_steps_through_the_words_and_the_veil_follows(shown):
    figure = figures.CaptionLens(word=0)
    picture = figure.state["pictures"][0]
    words = picture["captions"][0]["words"]
    with shown(figure, width=PHONE) as page:
        says, veils = page.locator(".says"), page.locator("svg rect.veil")
        assert button(page, "Back").is_disabled()
        for n, word in enumerate(words):
            assert page.locator(".lens [data-now]").inner_text() == word["word"]
            assert f"“{word['word']}”" in says.inner_text()
            weights = np.array(word["map"])
            opacity = veils.evaluate_all("all => all.map((one) => +one.getAttribute('fill-opacity'))")
            np.testing.assert_allclose(opacity, 0.85 * (1 - weights / weights.max()), atol=1e-9)
            if word["shape"] is None:
                want = [weights.max(), word["gate"]]
            else:
                want = [weights.max(), word["share"], picture["shapes"][word["shape"]]["chance"], word["gate"]]
            np.testing.assert_allclose(numbers(page, ".says"), want, atol=1e-9)
            np.testing.assert_allclose(numbers(page, "table"), [p for _, p in word["next"]], atol=1e-9)
            if n + 1 < len(words):
                press(button(page, "Next word"), "Enter")
        assert button(page, "Next word").is_disabled()
        press(button(page, "Back"), "Enter")
        assert page.locator(".lens [data-now]").inner_text() == words[-2]["word"]
        press(page.locator(".lens button").first, "Enter")
        assert page.locator(".lens [data-now]").inner_text() == words[0]["word"]
        press(page.get_by_role("checkbox", name="Veil"), "Space")
        assert set(veils.evaluate_all("all => all.map((one) => one.getAttribute('fill-opacity'))")) == {"0"}
        assert overflow(page) == 0
        assert page.problems == []


def test_the_reader_chooses_a_picture_and_the_other_caption(shown):
    figure = figures.CaptionLens()
    with shown(figure, width=PHONE, dark=True) as page:
        for n, picture in enumerate(figure.state["pictures"]):
            page.get_by_role("combobox", name="Picture").select_option(str(n))
            for caption, label in ((1, "another right caption"), (0, "what the model writes")):
                page.get_by_role("radio", name=label).press("Space")
                texts = page.locator(".lens button").all_inner_texts()
                assert texts == [word["word"] for word in picture["captions"][caption]["words"]]
                assert page.locator(".lens [data-now]").inner_text() == texts[0]
            verdict = "right" if picture["captions"][0]["right"] else "wrong"
            assert f"The whole caption is {verdict}." in page.locator(".says").inner_text()
            for shape in picture["shapes"]:
                assert f"a {shape['name']}" in page.locator("svg[role=img]").get_attribute("aria-label")
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []


def test_two_figures_on_a_page_do_not_share_their_choice(shown):
    with shown(figures.CaptionLens(), figures.CaptionLens()) as page:
        radios = page.get_by_role("radio", name="another right caption")
        radios.nth(1).press("Space")
        assert [radios.nth(i).is_checked() for i in (0, 1)] == [False, True]
        assert page.get_by_role("radio", name="what the model writes").nth(0).is_checked()
