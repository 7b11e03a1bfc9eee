"""The browser helpers catch what they promise to catch."""

import pytest

from tests.browser import axe, chromium, overflow, serve, visit

pytestmark = pytest.mark.site

HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>t</title>'


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser, tmp_path):
    with serve(tmp_path) as site:

        def opened(body, **options):
            (tmp_path / "page.html").write_text(f"{HEAD}<main>{body}</main>", encoding="utf-8")
            return visit(browser, f"{site}/page.html", **options)

        yield opened


def test_a_clean_page_has_no_problem(open_page):
    with open_page("<h1>Title</h1><p>text</p>") as page:
        assert page.problems == []
        assert axe(page) == []
        assert overflow(page) == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<script>console.error('broken')</script>", "broken"),
        ("<script>throw new Error('thrown')</script>", "thrown"),
        ("<script src='missing.js'></script>", "404 for"),
        ("<img alt='a' src='https://example.org/a.png'>", "another machine: https://example.org/a.png"),
    ],
)
def test_what_goes_wrong_on_a_page_is_collected(open_page, body, said):
    with open_page(body) as page:
        assert any(said in problem for problem in page.problems)


def test_axe_names_the_rule_and_the_element(open_page):
    with open_page("<h1>t</h1><input id='nameless'>") as page:
        assert any(line.startswith("label: #nameless") for line in axe(page))


def test_a_wide_element_is_seen_as_overflow(open_page):
    with open_page("<div style='width:500px'>wide</div>", width=360) as page:
        assert overflow(page) > 100


def test_dark_mode_reaches_the_page(open_page):
    query = "matchMedia('(prefers-color-scheme: dark)').matches"
    with open_page("<h1>t</h1>", dark=True) as page:
        assert page.evaluate(query)
    with open_page("<h1>t</h1>") as page:
        assert not page.evaluate(query)
