"""Every page of the built site, in a real browser with the network blocked."""

import re

import pytest

pytestmark = pytest.mark.site


def complaints(visits, what):
    """One line for each thing that `what(visit)` finds."""
    return [f"{visit}: {found}" for visit in visits for found in what(visit)]


def test_the_book_has_its_pages(written, chapters):
    assert "index.html" in written
    assert len(chapters) >= 3
    assert {"appendix/glossary.html", "appendix/concordance.html", "api/recurrent.html"} <= set(written)


def test_no_page_has_an_error_or_reaches_another_machine(visits):
    assert complaints(visits, lambda visit: visit.problems) == []


def test_axe_finds_nothing_in_light_and_dark_on_phone_and_desk(visits):
    assert {(visit.width, visit.dark) for visit in visits} == {(w, d) for w in (360, 1280) for d in (False, True)}
    assert complaints(visits, lambda visit: visit.violations) == []


def test_no_page_is_wider_than_its_window(visits):
    assert complaints(visits, lambda visit: [f"{visit.wider} px too wide"] if visit.wider > 0 else []) == []


def test_the_page_follows_the_systems_wish_for_dark(visits):
    assert (
        complaints(visits, lambda v: [v.look["theme"]] if v.look["theme"] != ("dark" if v.dark else "light") else [])
        == []
    )


def test_every_formula_is_typeset(visits):
    def unset(visit):
        if visit.look["formulas"] < visit.look["sources"]:
            yield f"{visit.look['formulas']} of {visit.look['sources']} formulas are typeset"
        yield from visit.look["broken"]
        yield from re.findall(r"\$\$|\\\[|\\\(|\\begin\{", visit.look["text"])

    shown = [visit for visit in visits if not visit.page.startswith("_modules/")]
    assert complaints(shown, unset) == []
    assert any(visit.look["formulas"] > 10 for visit in shown)


def test_every_chapter_shows_formulas(visits, chapters):
    assert {visit.page for visit in visits if visit.look["formulas"]} >= set(chapters)


def test_every_picture_has_words(visits):
    assert complaints(visits, lambda visit: visit.look["nameless"] + visit.look["hashed"]) == []


def test_every_page_says_its_language(visits):
    assert complaints(visits, lambda visit: [] if visit.look["language"] == "en" else [visit.look["language"]]) == []


def test_every_written_page_has_a_description_of_its_own(visits, written):
    described = {visit.page: visit.look["described"] for visit in visits if visit.page in written}
    assert [page for page, text in described.items() if not 40 <= len(text) <= 170] == []
    assert len(set(described.values())) == len(described)
