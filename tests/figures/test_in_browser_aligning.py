"""The editor of alignments in Chromium: its numbers are the package's, and the reader works it by keys and by touch."""

import math
from itertools import pairwise

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.ctc import reference
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press

pytestmark = pytest.mark.site

SYMBOLS = "_ab c"


def ids(text, symbols=SYMBOLS):
    return [symbols.index(symbol) for symbol in text]


def said(path, symbols=SYMBOLS):
    return "".join(symbols[id] for id in reference.collapse(ids(path, symbols)))


def drawn(seed, T):
    return np.random.default_rng([seed, T]).dirichlet(np.full(len(SYMBOLS), 0.7), size=T)


def exact(p, text, symbols=SYMBOLS):
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array(p))
    return np.exp(reference.log_likelihood(reference.ctc_forward(log_probs, ids(text, symbols))))


def paths(seed, n, T):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(SYMBOLS), size=T)) for _ in range(n)]


def cell(page, frame):
    return page.get_by_role("gridcell").nth(frame - 1)


def shown_path(page):
    return "".join(page.get_by_role("gridcell").all_inner_texts()).replace("␣", " ")


def says(page):
    return page.locator("output.says").inner_text()


def check(page, figure, path, example=0):
    """All that the page shows of a path is what the package says of it."""
    one = figure.state["examples"][example]
    symbols, text = one["symbols"], said(path, one["symbols"])
    assert shown_path(page) == path
    merged = [symbol for t, symbol in enumerate(path) if t == 0 or symbol != path[t - 1]]
    steps = page.locator(".steps tbody tr td:last-child").all_inner_texts()
    assert [step.replace("␣", " ") for step in steps] == [path, "".join(merged), text]
    assert "".join(page.locator(".run").all_text_contents()).replace("␣", " ") == "".join(merged)
    assert "".join(page.locator(".kept").all_text_contents()).replace("␣", " ") == text
    p = np.array(one["p"])
    own = float(np.prod([row[id] for row, id in zip(p, ids(path, symbols), strict=True)]))
    all_paths = exact(p, text, symbols)
    want = [own, math.log(own), all_paths, math.log(all_paths)]
    np.testing.assert_allclose(numbers(page, ".sides .stack table"), want, rtol=1e-9)
    # as many as there are ways to choose, for a text of L letters of which R repeat the one before
    L, R = len(text), sum(a == b for a, b in pairwise(text))
    many = math.comb(len(path) + L - R, 2 * L)
    if many > 1:
        np.testing.assert_allclose(numbers(page, ".sides .stack > p"), [many, own / all_paths], rtol=1e-9)
    else:
        assert "It is the only path" in page.locator(".sides .stack > p").inner_text()
    lit = page.locator(".beliefs tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((one) => one.classList.contains('now')))"
    )
    assert np.array(lit).T.argmax(axis=1).tolist() == ids(path, symbols)
    assert np.sum(lit) == len(path)


def test_collapsing_on_the_page_is_the_package_s(shown):
    figure = figures.AlignmentEditor()
    with shown(figure) as page:
        for T in (1, 2, 5, 12):
            for path in paths(T, 12, T):
                assert call(page, figure, "collapse", path) == said(path)
                runs = call(page, figure, "runs", path)
                assert "".join(run["symbol"] * (run["last"] - run["first"] + 1) for run in runs) == path
                labels = [[SYMBOLS.index(run["symbol"]), run["first"], run["last"]] for run in runs]
                assert [tuple(one) for one in labels if one[0]] == reference.spans(ids(path))
        assert call(page, figure, "hasty", "hel_lo") == "helo"
        assert call(page, figure, "collapse", "") == ""


def test_the_recursion_on_the_page_is_the_package_s(shown):
    figure = figures.AlignmentEditor()
    with shown(figure) as page:
        for T in (1, 2, 4, 9, 30):
            p = drawn(0, T)
            for path in paths(T, 8, T):
                text = said(path)
                got = call(page, figure, "total", p.tolist(), SYMBOLS, text)
                np.testing.assert_allclose(got, exact(p, text), rtol=1e-9)
                own = call(page, figure, "along", p.tolist(), SYMBOLS, path)
                want = np.exp(reference.path_log_prob(np.log(p), ids(path)))
                np.testing.assert_allclose(own, want, rtol=1e-9)
                if T <= 4:
                    assert call(page, figure, "ways", text, T) == len(list(reference.paths_of(ids(text), T)))
        assert call(page, figure, "ways", "aa", 2) == 0
        assert call(page, figure, "total", drawn(0, 2).tolist(), SYMBOLS, "aa") == 0


MANY = """async ([code, ...given]) => {
    const { another } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    return [...Array(2000).keys()].map((seed) => another(...given, seed));
}"""


def test_drawn_paths_have_the_text_and_come_as_often_as_they_are_likely(shown):
    figure, path = figures.AlignmentEditor(), "a__b"
    p = drawn(3, 4)
    with shown(figure) as page:
        got = page.evaluate(MANY, [figure.code(), p.tolist(), SYMBOLS, path])
    assert {said(one) for one in got} == {"ab"}
    assert path not in got
    share = {
        "".join(SYMBOLS[id] for id in one): np.prod(p[range(4), list(one)]) for one in reference.paths_of(ids("ab"), 4)
    }
    del share[path]
    whole = sum(share.values())
    for one, weight in share.items():
        assert got.count(one) / len(got) == pytest.approx(weight / whole, abs=0.04)
    assert len(set(got)) > 3


def test_the_reader_types_a_path_and_it_collapses(shown):
    figure = figures.AlignmentEditor()
    with shown(figure) as page:
        path = figure.state["examples"][0]["path"]
        check(page, figure, path)
        assert "“the q”" in says(page)
        assert button(page, "As it was").is_disabled()
        assert button(page, "Likeliest path").is_disabled()

        cell(page, 1).focus()
        page.keyboard.press("_")
        check(page, figure, "_" + path[1:])
        assert "Frame 1 is now a blank, and falls away. The text stays." in says(page)
        page.keyboard.press("Q")  # large letters are taken as small ones
        page.keyboard.press("Space")
        path = "_q " + path[3:]
        check(page, figure, path)
        assert "Frame 3 is now ␣, by itself. The text was “qthe q”." in says(page)
        assert cell(page, 4).evaluate("e => e === document.activeElement")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Backspace")
        assert cell(page, 1).evaluate("e => e === document.activeElement")
        path = "__ " + path[3:]
        check(page, figure, path)
        page.keyboard.press("End")
        page.keyboard.press("q")
        path = path[:-1] + "q"
        check(page, figure, path)
        assert "Frame 21 is now q, by itself." in says(page)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("q")
        path = path[:-2] + "qq"
        check(page, figure, path)
        assert "joins the q on both sides" in says(page)
        page.keyboard.press("x")
        assert "The network knows only _ t h e ␣ q; “x” is none of them." in page.locator(".problem").inner_text()
        check(page, figure, path)
        page.keyboard.press("Home")
        assert page.locator(".problem").inner_text() == ""
        press(button(page, "As it was"), "Enter")
        check(page, figure, figure.state["examples"][0]["path"])
        assert page.problems == []


def test_the_blank_that_parts_a_double_letter(shown):
    figure = figures.AlignmentEditor()
    with shown(figure, width=PHONE) as page:
        page.get_by_role("combobox", name="Example").select_option("1")
        check(page, figure, "hheel_lloo_", 1)
        assert "Whoever drops the blanks first gets “helo”." in says(page)
        cell(page, 6).click()
        press(button(page, "l 26 %"), "Enter")
        check(page, figure, "hheelllloo_", 1)
        assert "joins the l on both sides. The text was “hello”." in says(page)
        assert "Whoever" not in says(page)
        cell(page, 7).click()
        page.keyboard.press("-")
        check(page, figure, "hheell_loo_", 1)
        assert "Frame 7 is now a blank: it keeps l and l apart. The text was “helo”." in says(page)
        assert page.problems == []


def test_a_finger_is_enough(shown):
    figure = figures.AlignmentEditor("aa_b")
    with shown(figure, width=PHONE, dark=True) as page:
        assert page.get_by_role("combobox").count() == 0
        symbols = page.get_by_role("group", name="Put a symbol into frame").get_by_role("button")
        assert symbols.count() == 3
        for path in ("ba_b", "bb_b", "bbbb"):
            symbols.nth(2).click()
            check(page, figure, path)
        assert symbols.nth(2).is_disabled()  # the last frame has it already, and there is no next one
        cell(page, 2).click()
        symbols.nth(0).click()
        check(page, figure, "b_bb")
        assert symbols.nth(2).get_attribute("aria-pressed") == "true"
        assert page.problems == []


def test_best_path_and_other_paths(shown):
    figure = figures.AlignmentEditor()
    with shown(figure) as page:
        page.get_by_role("combobox", name="Example").select_option("2")
        check(page, figure, "__", 2)
        assert "The path says nothing" in says(page)
        assert numbers(page, ".stack table")[2] == pytest.approx(0.36)
        assert button(page, "Another path, same text").is_disabled()
        assert button(page, "Likeliest path").is_disabled()
        cell(page, 1).focus()
        page.keyboard.press("a")
        check(page, figure, "a_", 2)
        assert numbers(page, ".stack table")[2] == pytest.approx(0.64)
        seen = set()
        for _ in range(12):
            press(button(page, "Another path, same text"), "Enter")
            path = shown_path(page)
            check(page, figure, path, 2)
            seen.add(path)
        assert seen == {"a_", "_a", "aa"}
        press(button(page, "Likeliest path"), "Enter")
        check(page, figure, "__", 2)
        assert "greedy decoding" in says(page)
        assert page.problems == []


def test_what_has_probability_zero_is_said_to_be_so(shown):
    with np.errstate(divide="ignore"):
        figure = figures.AlignmentEditor("ab", np.log([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]), "_ab")
    with shown(figure) as page:
        assert numbers(page, ".stack table") == [0, -math.inf, 0, -math.inf]
        assert "It is the only path" in page.locator(".stack > p").inner_text()
        cell(page, 2).focus()
        page.keyboard.press("a")
        press(button(page, "Another path, same text"), "Enter")
        assert shown_path(page) == "_a"
        assert page.problems == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_editor_is_accessible_and_fits_a_phone(shown, dark):
    with shown(figures.AlignmentEditor(), width=PHONE, dark=dark) as page:
        for i in range(3):
            page.get_by_role("combobox", name="Example").select_option(str(i))
            cell(page, 2).click()
            assert axe(page) == []
            assert overflow(page) == 0
        boxes = [box.bounding_box() for box in page.get_by_role("gridcell").all()]
        assert all(box["width"] >= 24 and box["height"] >= 24 for box in boxes)
        assert page.problems == []
