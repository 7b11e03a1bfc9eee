"""The files of the built site: links, weights, what must not be there."""

import json
import re
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from bs4 import BeautifulSoup

from tests.site.conftest import ROOT

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def soups(html, pages):
    """Every page, parsed."""
    return {page: BeautifulSoup((html / page).read_text(encoding="utf-8"), "html.parser") for page in pages}


def test_every_internal_link_and_anchor_resolves(html, soups):
    anchors = {
        page: {e.get(name) for e in soup.find_all(True) for name in ("id", "name") if e.get(name)}
        for page, soup in soups.items()
    }
    dead = []
    for page, soup in soups.items():
        links = [(e, e.get(name)) for name in ("href", "src") for e in soup.find_all(attrs={name: True})]
        for element, link in links:
            address = urlparse(link)
            if address.scheme or address.netloc or link.startswith("#!"):
                continue
            path, anchor = urldefrag(link)
            target = (html / page).parent / unquote(urlparse(path).path) if path else html / page
            if not target.resolve().is_relative_to(html.resolve()) or not target.is_file():
                dead.append(f"{page}: <{element.name}> {link}")
            elif anchor and target.suffix == ".html":
                name = target.resolve().relative_to(html.resolve()).as_posix()
                if unquote(anchor) not in anchors[name]:
                    dead.append(f"{page}: no anchor for {link}")
    assert dead == []


def test_no_page_names_a_script_a_sheet_or_a_font_elsewhere(html, soups):
    for page, soup in soups.items():
        outside = [
            e
            for e in soup.select("script[src], link[href]:not([rel~=canonical]), img[src], iframe[src]")
            if re.match(r"(https?:)?//", e.get("src") or e.get("href"))
        ]
        assert outside == [], page
        assert not soup.find("script", src=re.compile(r"require|thebe|fontawesome|embed-amd")), page
    for sheet in html.rglob("*.css"):
        assert not re.search(
            r"url\(\s*['\"]?(https?:)?//|@import\s+['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")
        ), sheet.name


def test_ids_are_unique_on_a_page(soups):
    for page, soup in soups.items():
        ids = [e["id"] for e in soup.find_all(id=True) if not e.find_parent("svg")]
        assert sorted({name for name in ids if ids.count(name) > 1}) == [], page


def test_no_page_shows_a_traceback_a_path_or_a_widget(html, soups):
    secret = [str(ROOT), "/home/", "/root/", "/Users/"]
    for page, soup in soups.items():
        text = soup.get_text()
        assert "Traceback (most recent call last)" not in text or page.startswith("_modules/"), page
        assert not any(path in text for path in secret), page
        assert "application/vnd.jupyter.widget" not in str(soup), page


def test_what_the_pages_leave_out_of_a_run_holds_no_warning(html, chapters):
    newest = max((ROOT / "_build").glob("outputs-*"), key=lambda folder: folder.stat().st_mtime)
    runs = list(newest.glob("executed/*/base.ipynb"))
    assert len(runs) >= len(chapters)
    for run in runs:
        for cell in json.loads(run.read_text(encoding="utf-8"))["cells"]:
            said = ["".join(out["text"]) for out in cell["outputs"] if out.get("name") == "stderr"]
            assert "Warning" not in "".join(said), said


def test_the_licence_stands_at_the_foot(soups, written):
    for page in written:
        foot = soups[page].select_one("footer.bd-footer-content").get_text()
        assert "MIT" in foot, page
        assert "CC BY 4.0" in foot, page


def test_a_chapter_is_light_enough_for_a_phone(html, chapters):
    for chapter in chapters:
        assert (html / chapter).stat().st_size < 1_500_000, f"{chapter} alone is over 1.5 MB"


def test_the_search_index_stays_small(html):
    assert (html / "searchindex.js").stat().st_size < 500_000
