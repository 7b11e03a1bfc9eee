"""What a reader does on the site: search, copy, unfold, download, move the figures by keyboard."""

import json

import pytest

from tests.browser import PHONE, visit
from tests.site.conftest import ROOT, settled

pytestmark = pytest.mark.site

CONTROLS = "button:enabled, input:enabled, select:enabled, summary, [tabindex='0']:not(.scroll)"
KEYS = {
    "range": ("ArrowRight", "ArrowLeft"),
    "number": ("ArrowUp", "ArrowDown"),
    "checkbox": ("Space",),
    "radio": ("ArrowDown",),
}

TRIES = 15

# Everything that a figure shows, except the control itself and the words of its own label
SHOWS = """([figure, own]) => {
  const live = figure.querySelector(".seqlab-live"), mine = own.closest("label") ?? own;
  const skip = (node) => node === own || (mine !== figure && mine.contains(node));
  const parts = [...live.querySelectorAll("*")].filter((node) => !skip(node)).map((node) => [
    [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data).join(""),
    node.value ?? "", node.checked ?? "", node.open ?? "",
    [...node.attributes].filter(({ name }) => !["tabindex", "class"].includes(name)).map(({ value }) => value).join(),
    node.classList.value,
  ].join("|"));
  return parts.join("\\n");
}"""


def operate(page, control):
    """Change a control by the keyboard as its kind asks for."""
    control.focus()
    kind = control.evaluate("e => e.tagName === 'INPUT' ? e.type : e.tagName.toLowerCase()")
    if kind in ("button", "summary"):
        page.keyboard.press("Enter")
    elif kind == "select":
        before = control.input_value()
        page.keyboard.press("ArrowDown")
        if control.input_value() == before:
            page.keyboard.press("ArrowUp")
    elif kind == "text":
        page.keyboard.press("End")
        page.keyboard.type(" hello")
        page.keyboard.press("Enter")
    elif kind in KEYS:
        before = control.evaluate("e => [e.value, e.checked].join()")
        for key in KEYS[kind]:
            page.keyboard.press(key)
            if control.evaluate("e => [e.value, e.checked].join()") != before:
                break
    else:
        page.keyboard.press("ArrowRight")


def idle(page, figure):
    """The names of a figure's controls, and of those that change nothing, however they are used."""
    moved, seen = set(), set()
    for what_is_drawn in (False, True):  # first how it is drawn, then also what: a letter that is gone moves nothing
        for _ in range(3):  # into the middle of what has a beginning and an end
            if main := figure.query_selector("button.main:enabled"):
                main.press("Enter")
        for control in figure.query_selector_all(f".seqlab-live :is({CONTROLS})"):
            if not control.evaluate("e => e.isConnected && e.checkVisibility() && !e.disabled"):
                continue
            name = control.evaluate(
                "e => [e.tagName, e.type ?? '', e.ariaLabel ?? e.closest('label')?.innerText ?? e.innerText].join(' ')"
            )
            name = name.partition(",")[0]  # "W_ih, row h2, column o": one number of a matrix speaks for all
            if name in moved or (not what_is_drawn and name.startswith(("SELECT", "INPUT text", "INPUT radio"))):
                continue
            seen.add(name)
            before = page.evaluate(SHOWS, [figure, control])
            for _ in range(TRIES if name.startswith("INPUT number") else 1):  # two digits do not show a small change
                label = control.inner_text() if name.endswith("Pause") else ""
                operate(page, control)
                if label and control.inner_text() != label:  # what stops shows it on its own button alone
                    moved.add(name)
                    break
                if not control.evaluate("e => e.isConnected") or page.evaluate(SHOWS, [figure, control]) != before:
                    moved.add(name)
                    break
    return seen, seen - moved


def test_every_figure_of_every_chapter_obeys_the_keyboard(browser, site, chapters):
    for chapter in chapters:
        with visit(browser, f"{site}/{chapter}") as page:
            settled(page)
            page.wait_for_function("!document.querySelector('.seqlab-figure:not([data-live])')", timeout=5000)
            figures = page.query_selector_all(".seqlab-figure")
            assert figures, f"{chapter} has no interactive figure"
            for number, figure in enumerate(figures, start=1):
                seen, still = idle(page, figure)
                label = figure.get_attribute("aria-label")
                assert seen, f"{chapter}, figure {number} ({label}) has no control"
                assert not still, f"{chapter}, figure {number} ({label}): nothing happens with {sorted(still)}"
            assert page.problems == []


def test_a_figure_without_scripts_stands_still_but_is_there(browser, site, chapters):
    with visit(browser, f"{site}/{chapters[1]}", javascript=False) as page:
        still = page.locator(".seqlab-figure > .seqlab-still")
        assert still.count() > 0
        assert still.first.inner_text().strip() or still.first.locator("svg, table").count()


def test_the_search_page_finds_a_word(browser, site):
    with visit(browser, f"{site}/search.html?q=padding") as page:
        page.wait_for_selector("#search-results li", timeout=10_000)
        found = page.locator("#search-results li a").all_inner_texts()
        assert any("Sequences" in title for title in found), found
        assert page.problems == []


@pytest.mark.parametrize("word", ["순환", "マスク"])
def test_the_search_finds_korean_and_japanese(browser, site, word):
    with visit(browser, f"{site}/search.html?q={word}") as page:
        page.wait_for_selector("#search-results li a", timeout=10_000)
        assert page.problems == []


def test_the_search_dialog_opens_by_key_and_finds_as_you_type(browser, site):
    with visit(browser, f"{site}/index.html", width=PHONE) as page:
        page.keyboard.press("Control+k")
        page.keyboard.type("clipping")
        page.wait_for_selector("dialog[open] a[href]", timeout=10_000)
        assert page.problems == []


def test_code_has_a_button_that_copies_it(browser, site, chapters):
    with visit(browser, f"{site}/{chapters[0]}") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        box = page.locator(".cell_input:visible div.highlight").first
        box.hover()
        box.locator("button.copybtn").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.split() == box.locator("pre").inner_text().split()
        assert copied.strip()


def test_answers_are_folded_and_open_by_keyboard(browser, site, chapters):
    for chapter in chapters:
        with visit(browser, f"{site}/{chapter}") as page:
            settled(page)
            answers = page.locator("details.sd-dropdown")
            assert answers.count() > 0, f"{chapter} has no folded answer"
            assert page.locator("details.sd-dropdown[open]").count() == 0
            answers.first.locator("summary").first.press("Enter")
            assert answers.first.get_attribute("open") is not None
            solutions = page.locator("div.solution.dropdown, div.solution.toggle-hidden, div.admonition.solution")
            assert solutions.count() > 0, f"{chapter} has no solution"
            for solution in solutions.all():
                assert "toggle-hidden" in solution.get_attribute("class")
            button = solutions.first.locator("button.toggle-button")
            button.press("Enter")
            assert "toggle-hidden" not in solutions.first.get_attribute("class")


def test_the_download_is_the_committed_notebook(browser, site, chapters):
    for chapter in chapters:
        with visit(browser, f"{site}/{chapter}") as page:
            link = page.locator(".dropdown-download-buttons a[href$='.ipynb']").first
            address = link.evaluate("e => e.href")
            body = page.request.get(address).body()
            assert body == (ROOT / "book" / chapter).with_suffix(".ipynb").read_bytes()
            assert all(not cell.get("outputs") for cell in json.loads(body)["cells"])


def test_without_an_address_nothing_points_to_a_repository(browser, site, chapters):
    with visit(browser, f"{site}/{chapters[0]}") as page:
        assert (
            page.locator(".dropdown-launch-buttons, .dropdown-source-buttons, .btn-source-repository-button").count()
            == 0
        )
        assert "colab.research" not in page.content()


def test_the_theme_can_be_switched_and_is_remembered(browser, site):
    with visit(browser, f"{site}/index.html") as page:
        button = page.locator("button.theme-switch-button").first
        seen = set()
        for _ in range(3):
            button.press("Enter")
            seen.add(page.evaluate("document.documentElement.dataset.mode"))
        assert seen == {"light", "dark", "auto"}
        while page.evaluate("document.documentElement.dataset.mode") != "dark":
            button.press("Enter")
        page.goto(f"{site}/appendix/glossary.html")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_focus_is_seen(browser, site):
    with visit(browser, f"{site}/index.html") as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert style == ["solid", "3px"]


def test_a_wide_formula_scrolls_by_keyboard(browser, site, chapters):
    with visit(browser, f"{site}/index.html", width=PHONE) as page:
        settled(page)
        wide = page.locator("mjx-container[display='true'][tabindex='0']").first
        wide.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.activeElement.scrollLeft > 0", timeout=2000)


def test_the_four_forms_of_one_idea_stand_on_the_first_page(browser, site):
    with visit(browser, f"{site}/index.html") as page:
        forms = {"NumPy": "def rnn_step(", "PyTorch": "torch.addmm(", "GPU kernel": "tl.dot("}
        for name, text in forms.items():
            page.locator(".four-forms label", has_text=name).click()
            assert text in page.locator(".four-forms .sd-tab-content:visible").inner_text()


def test_korean_and_japanese_words_say_their_language(browser, site):
    with visit(browser, f"{site}/appendix/glossary.html") as page:
        term = page.locator("#term-padding + dd")
        assert term.locator("[lang=ko]").first.inner_text() == "패딩"
        assert term.locator("[lang=ja]").first.inner_text() == "パディング"
