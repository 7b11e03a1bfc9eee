"""A browser for the figures' tests, and a page with the figures on it."""

from contextlib import contextmanager

import pytest

from tests.browser import chromium, serve, visit
from tests.figures.driving import CELL, PAGE


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def shown(browser, tmp_path):
    """A function that opens a page with the given figures."""
    with serve(tmp_path) as site:

        @contextmanager
        def opened(*things, live=True, **options):
            outputs = "".join(CELL.format(thing._repr_html_()) for thing in things)
            (tmp_path / "page.html").write_text(PAGE.format(outputs), encoding="utf-8")
            with visit(browser, f"{site}/page.html", **options) as page:
                if live:
                    page.wait_for_function(
                        "n => document.querySelectorAll('.seqlab-figure[data-live]').length === n", arg=len(things)
                    )
                yield page

        yield opened
