"""The built site, served below /sub/ as on a project page, and what Chromium saw on each of its pages."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.browser import DESKTOP, PHONE, axe, chromium, overflow, serve, visit

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
MADE_BY_SPHINX = ("_modules/", "genindex", "py-modindex", "prf-prf", "search", "reports/")

LOOK = """() => {
  const shown = (element) => element.checkVisibility();
  const pictures = [...document.querySelectorAll("article img, article svg")].filter(shown);
  const named = (element) => element.getAttribute("alt") ?? element.getAttribute("aria-label")
    ?? element.querySelector(":scope > title")?.textContent ?? "";
  const hidden = (element) => element.closest("[aria-hidden='true'], .sd-octicon, mjx-container, button, summary");
  return {
    formulas: document.querySelectorAll("mjx-container").length,
    sources: document.querySelectorAll("article .math").length,
    broken: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map((e) => e.textContent),
    text: document.querySelector("article")?.innerText ?? "",
    nameless: pictures.filter((e) => !hidden(e) && !named(e).trim()).map((e) => e.outerHTML.slice(0, 80)),
    hashed: pictures.map(named).filter((name) => name.startsWith("_images/") || name.includes("_images/")),
    language: document.documentElement.lang,
    described: document.querySelector("meta[name=description]")?.content ?? "",
    theme: document.documentElement.dataset.theme,
  };
}"""

# Half of a chapter's elements are the coloured words of its code, nearly all of a package page's are the parts of its
# signatures, and axe looks behind each of them for minutes. A kind of word is judged in the first block that shows
# it; a block without a new kind becomes plain text of the same size.
PLAIN = """() => {
  const judged = new Set();
  for (const block of document.querySelectorAll(".highlight pre, dt.sig")) {
    const kinds = [...block.querySelectorAll("*")].map((e) => `${block.tagName} ${e.tagName} ${e.className}`);
    if (kinds.every((kind) => judged.has(kind))) block.textContent = block.textContent;
    kinds.forEach((kind) => judged.add(kind));
  }
}"""


@dataclass
class Visit:
    """What one visit to one page showed."""

    page: str
    width: int
    dark: bool
    problems: list = field(default_factory=list)
    violations: list = field(default_factory=list)
    wider: int = 0
    look: dict = field(default_factory=dict)

    def __str__(self):
        return f"{self.page} at {self.width} px, {'dark' if self.dark else 'light'}"


class Kinds(HTMLParser):
    """The kinds of elements on a page: names of tags with the classes that style them."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.found.add((tag, given.get("class"), given.get("role"), given.get("type")))


def showing_something_new(html, pages):
    """Those pages, in order, with a kind of element that no page before them has shown.

    Sphinx makes a page for every source file, from one mould. What it can do wrong it does on each page that shows
    the same kinds of elements.
    """
    seen, chosen = set(), []
    for page in pages:
        kinds = Kinds((html / page).read_text()).found
        if not kinds <= seen:
            chosen.append(page)
        seen |= kinds
    return chosen


def settled(page):
    """Wait until the mathematics is typeset, course.js has looked at what scrolls, and no colour is on its way."""
    page.evaluate(
        """async () => {
          const pause = (ms) => new Promise((done) => setTimeout(done, ms));
          await window.MathJax?.startup?.promise;
          await pause(150);
          const turning = document.getAnimations().filter((one) => one instanceof CSSTransition);
          await Promise.race([Promise.allSettled(turning.map((one) => one.finished)), pause(2000)]);
        }"""
    )


@pytest.fixture(scope="session")
def html():
    """The folder of the built site; built first where something changed."""
    if not os.environ.get("SEQLAB_SITE_AS_IT_IS"):
        built = subprocess.run([sys.executable, "book/build.py"], cwd=ROOT, capture_output=True, text=True)
        if built.returncode:
            pytest.fail(f"the site does not build:\n{built.stdout}{built.stderr}", pytrace=False)
    return HTML


@pytest.fixture(scope="session")
def pages(html):
    """The names of all pages of the site."""
    return sorted(path.relative_to(html).as_posix() for path in html.rglob("*.html") if "_static" not in path.parts)


@pytest.fixture(scope="session")
def written(pages):
    """The pages that somebody wrote: chapters, appendices, the package's pages."""
    return [page for page in pages if not page.startswith(MADE_BY_SPHINX)]


@pytest.fixture(scope="session")
def chapters(written):
    """The pages of the chapters."""
    return [page for page in written if "/" not in page and (ROOT / "book" / page).with_suffix(".ipynb").exists()]


@pytest.fixture(scope="session")
def site(html, tmp_path_factory):
    """The address of the site, which lies in a folder of its server."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "sub").symlink_to(html, target_is_directory=True)
    with serve(folder) as address:
        yield f"{address}/sub"


@pytest.fixture(scope="module")
def browser(html):
    """A Chromium that lives as long as the module's tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def visits(html, site, pages, written):
    """Every written page seen in light and in dark, on a phone and on a desk; of what Sphinx makes, each kind of page.

    Width decides what fits, light or dark what can be read. So two visits see both of both: light on the phone and
    dark on the desk for one page, the other way round for the next.
    """
    ways = [(width, dark) for width in (PHONE, DESKTOP) for dark in (False, True)]
    jobs = [(page, *way) for number, page in enumerate(written) for way in (ways[::3], ways[1:3])[number % 2]]
    made = showing_something_new(html, sorted(set(pages) - set(written)))
    jobs += [(page, *ways[number % 4]) for number, page in enumerate(made)]

    def look(share):
        seen = []
        with chromium() as browser:
            for name, width, dark in share:
                with visit(browser, f"{site}/{name}", width=width, dark=dark) as page:
                    settled(page)
                    # axe loads style sheets once more, from a wrong folder: the page's own problems are those before
                    one = Visit(name, width, dark, [*page.problems])
                    one.wider, one.look = overflow(page), page.evaluate(LOOK)
                    page.evaluate(PLAIN)
                    one.violations = axe(page)
                    seen.append(one)
        return seen

    with ThreadPoolExecutor(2) as threads:
        return [seen for share in threads.map(look, (jobs[::2], jobs[1::2])) for seen in share]
