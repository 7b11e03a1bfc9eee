"""The figures of chapters 7 and 9 on words, in Chromium: the window counts, words are dragged, arrows carried, bias
removed, with the numbers of the book's reference."""

import re
from itertools import product

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.embeddings import reference as emb
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site


def combobox(page, name):
    return page.get_by_role("combobox", name=name)


def said(page):
    return page.locator(".says").inner_text().replace("\u00a0", " ")


# ---- the window


def ids_of(sentences):
    words = list(dict.fromkeys(word for sentence in sentences for word in sentence))
    return words, [np.array([words.index(word) for word in sentence]) for sentence in sentences]


def counted(sentences, window, weighting):
    words, ids = ids_of(sentences)
    return emb.cooccurrence(ids, len(words), window, weighting).toarray()


def met(sentences, window):
    """Every (centre, context) pair of words and their distance, in the order of the text."""
    return [
        (words[t], words[u], abs(u - t))
        for words in sentences
        for t in range(len(words))
        for u in range(len(words))
        if 0 < abs(u - t) <= window
    ]


def filled(sentences, window, weighting, step):
    """The matrix after the first `step` pairs."""
    words, _ = ids_of(sentences)
    X = np.zeros((len(words), len(words)))
    for centre, context, distance in met(sentences, window)[:step]:
        X[words.index(centre), words.index(context)] += 1 / distance if weighting == "harmonic" else 1
    return X


def matrix(page):
    """The numbers in the grid, an empty cell as 0."""
    rows = page.locator(".pairs tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((c) => +(c.querySelector('data')?.value ?? 0)))"
    )
    return np.array(rows)


def test_the_window_counts_what_the_reference_counts(shown):
    figure, rng = figures.CooccurrenceWindow(), np.random.default_rng(0)
    with shown(figure) as page:
        for V, lengths, window in ((2, (2,), 1), (5, (7, 1, 4), 2), (9, (12, 9), 6), (3, (1, 8), 3)):
            sentences = [[f"w{i}" for i in rng.integers(V, size=length)] for length in lengths]
            for weighting in ("flat", "harmonic"):
                want = counted(sentences, window, weighting)
                got = call(page, figure, "count", sentences, window, weighting, 10**6)
                assert got["words"] == ids_of(sentences)[0]
                np.testing.assert_allclose(got["X"], want, atol=1e-12)
                np.testing.assert_allclose(call(page, figure, "ppmi", got["X"]), emb.ppmi(want), atol=1e-12)
                for step in (1, len(met(sentences, window)) // 2):
                    part = np.array(call(page, figure, "count", sentences, window, weighting, step)["X"])
                    np.testing.assert_allclose(part, filled(sentences, window, weighting, step), atol=1e-12)
                    np.testing.assert_allclose(call(page, figure, "ppmi", part.tolist()), emb.ppmi(part), atol=1e-12)
                    i, j = np.argwhere(part)[0].tolist()
                    assert call(page, figure, "pmi", part.tolist(), i, j) == pytest.approx(emb.pmi(part)[i, j])
                best = call(page, figure, "alike", want.tolist())
                cosines = np.tril(emb.cosine_similarity(want[:, None], want[None]), -1)
                assert (best["cosine"] if best else 0) == pytest.approx(cosines.max())


def test_the_reader_steps_and_the_matrix_fills_cell_by_cell(shown):
    figure = figures.CooccurrenceWindow()
    sentences = figure.state["sentences"]
    pairs = met(sentences, 2)
    with shown(figure, width=PHONE) as page:
        assert not matrix(page).any()
        assert button(page, "Back").is_disabled()
        for step in range(1, 10):
            press(button(page, "Next pair"), "Enter")
            centre, context, _ = pairs[step - 1]
            assert (matrix(page) == filled(sentences, 2, "flat", step)).all()
            assert page.locator(".window mark").inner_text() == centre
            assert page.locator(".window .lit").inner_text() == context
            assert page.locator(".pairs td.now").count() == 1
            assert page.locator(".pairs td.now").get_attribute("aria-label").startswith(f"{centre}, {context}: ")
            assert f"“{centre}” is the centre; “{context}” stands" in said(page)
        press(button(page, "Back"), "Enter", "Enter")
        assert (matrix(page) == filled(sentences, 2, "flat", 7)).all()
        press(button(page, "Next word"), "Space")
        step = 9  # pairs 6 to 9 have "rules" as their centre
        assert [centre for centre, _, _ in pairs[:10]].count("rules") == 4
        assert (matrix(page) == filled(sentences, 2, "flat", step)).all()

        combobox(page, "Weight").select_option("harmonic")
        np.testing.assert_allclose(matrix(page), filled(sentences, 2, "harmonic", step), atol=1e-12)
        press(slider(page, "window"), "ArrowRight")  # the same word stays in the middle
        assert page.locator(".window mark").inner_text() == "rules"
        np.testing.assert_allclose(matrix(page), filled(sentences, 3, "harmonic", 11), atol=1e-12)

        press(button(page, "To the end"), "Enter")
        np.testing.assert_allclose(matrix(page), counted(sentences, 3, "harmonic"), atol=1e-12)
        press(slider(page, "window"), "ArrowLeft")  # all stays all
        np.testing.assert_allclose(matrix(page), counted(sentences, 2, "harmonic"), atol=1e-12)
        combobox(page, "Show").select_option("ppmi")
        np.testing.assert_allclose(matrix(page), emb.ppmi(counted(sentences, 2, "harmonic")), atol=1e-12)
        assert "“king” and “queen”, cosine 1.00" in page.locator(".stack p").last.inner_text()
        assert button(page, "Next pair").is_disabled()
        press(slider(page, "pairs counted"), "Home", "ArrowRight")
        assert not matrix(page).any()  # one pair alone: its PMI is ln 1
        press(button(page, "Start again"), "Enter")
        assert "Nothing is counted yet" in said(page)
        assert overflow(page) == 0
        assert page.problems == []


def test_a_cell_is_explained_where_the_arrow_keys_go(shown):
    figure = figures.CooccurrenceWindow()
    sentences = figure.state["sentences"]
    words, _ = ids_of(sentences)
    X = counted(sentences, 2, "flat")
    with shown(figure) as page:
        press(button(page, "To the end"), "Enter")
        page.locator("[role=grid] [tabindex='0']").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        i, j = words.index("king"), words.index("rules")
        shown_ = numbers(page, ".stack p:nth-of-type(1)")
        want = [X[i, j], X.sum(), X[i].sum(), X[:, j].sum(), emb.pmi(X)[i, j]]
        np.testing.assert_allclose(shown_, want, atol=1e-12)
        assert page.locator("td[aria-selected=true]").get_attribute("aria-label") == f"king, rules: {X[i, j]:.0f}"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert "nothing is counted" in page.locator(".stack p").first.inner_text()
        press(button(page, "Back"), "Enter")  # the explanation follows the steps again
        assert page.locator("td[aria-selected=true]").get_attribute("aria-label").startswith("house, ")


def test_the_reader_types_a_text_and_one_that_does_not_fit_loses_nothing(shown):
    figure = figures.CooccurrenceWindow()
    with shown(figure) as page:
        box = page.get_by_role("textbox", name="Your text")
        box.fill("A b a C! Über été, don't. 왕은 왕은")
        sentences = [["a", "b", "a", "c"], ["über", "été", "don't"], ["왕은", "왕은"]]
        assert call(page, figure, "split", box.input_value()) == sentences
        press(button(page, "To the end"), "Enter")
        want = counted(sentences, 2, "flat")
        assert (matrix(page) == want).all()
        assert page.locator(".pairs tbody th").all_inner_texts() == ids_of(sentences)[0]
        assert want[-1, -1] == 2  # a word beside itself is counted from both sides
        many = " ".join(f"w{i}" for i in range(17))
        few = "at least two words"
        for bad, why in (
            ("", few),
            ("one", few),
            ("... !", few),
            (many, "17 different words"),
            ("a b " * 31, "62 words"),
        ):
            box.fill(bad)
            assert why in page.locator(".problem").inner_text()
            assert box.get_attribute("aria-invalid") is not None
            assert (matrix(page) == want).all()
        box.fill("one two")
        assert page.locator(".problem").inner_text() == ""
        assert box.get_attribute("aria-invalid") is None
        assert "The window will meet 2 pairs" in said(page)
        assert page.problems == []
    given = ["<s> a, b", ["x y", "z"]]  # words as an author gives them, whatever is in them
    with shown(figures.CooccurrenceWindow(given, window=6)) as page:
        press(button(page, "To the end"), "Enter")
        assert page.locator(".pairs tbody th").all_inner_texts() == ["<s>", "a,", "b", "x y", "z"]
        assert (matrix(page) == counted([["<s>", "a,", "b"], ["x y", "z"]], 6, "flat")).all()


def test_it_plays_until_it_is_paused_and_not_for_who_asks_for_less_motion(shown):
    figure = figures.CooccurrenceWindow()
    with shown(figure) as page:
        press(button(page, "Play"), "Enter")
        assert matrix(page).sum() == 1  # the first pair at once
        page.wait_for_function("document.querySelectorAll('.pairs data').length >= 2")
        press(button(page, "Pause"), "Enter")
        step = slider(page, "pairs counted").input_value()
        assert int(step) >= 2
        page.wait_for_timeout(600)
        assert slider(page, "pairs counted").input_value() == step
        press(slider(page, "pairs counted"), "End", "ArrowLeft")
        press(button(page, "Play"), "Enter")
        page.wait_for_function("document.querySelector('.says').textContent.startsWith('“house”')")
        page.wait_for_function("[...document.querySelectorAll('button')].some((b) => b.textContent === 'Play')")
        assert "All 46 pairs" in said(page)  # at its end it stops by itself
    with shown(figure, reduced_motion=True) as page:
        assert button(page, "Play").count() == 0
        press(button(page, "Next pair"), "Enter")
        assert matrix(page).sum() == 1


def test_on_a_phone_a_large_matrix_scrolls_to_the_cell_that_is_filled(shown):
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    with shown(figures.CooccurrenceWindow([text], window=1), width=PHONE) as page:
        frame = page.get_by_role("group", name="The co-occurrence matrix", exact=True).bounding_box()
        for name in ("To the end", "Start again", "Next pair"):
            press(button(page, name), "Enter")
            if name != "Start again":
                cell = page.locator(".pairs td.now").bounding_box()
                assert frame["x"] <= cell["x"]
                assert cell["x"] + cell["width"] <= frame["x"] + frame["width"]
        assert overflow(page) == 0


# ---- words in the plane


def neighbours(page):
    """The rows of the list: word, cosine, angle, distance."""
    names = page.locator(".neighbours tbody th").all_inner_texts()
    return names, np.array(numbers(page, ".neighbours")).reshape(len(names), 3)


def check_neighbours(page, words, vectors, chosen):
    vectors, i = np.array(vectors), words.index(chosen)
    _, cosines = emb.nearest(vectors, vectors[i], k=8, exclude=[i])
    names, table = neighbours(page)
    np.testing.assert_allclose(table[:, 0], cosines, atol=1e-9)
    np.testing.assert_allclose(table[:, 1], np.degrees(np.arccos(cosines)), atol=1e-4)
    own = [words.index(name) for name in names]
    np.testing.assert_allclose(table[:, 2], np.linalg.norm(vectors[own] - vectors[i], axis=1), atol=1e-9)
    np.testing.assert_allclose(emb.cosine_similarity(vectors[own], vectors[i]), cosines, atol=1e-9)
    assert i not in own


def test_the_ranked_list_is_the_reference_s(shown):
    figure, rng = figures.WordMap(), np.random.default_rng(1)
    with shown(figure) as page:
        for V, scale in ((3, 1.0), (24, 50.0), (7, 1e-3)):
            vectors = rng.normal(size=(V, 2)) * scale
            for chosen in (0, V - 1):
                got = call(page, figure, "rank", vectors.tolist(), chosen)
                ids, cosines = emb.nearest(vectors, vectors[chosen], k=V, exclude=[chosen])
                assert [one["id"] for one in got] == ids.tolist()
                np.testing.assert_allclose([one["cosine"] for one in got], cosines, atol=1e-12)
        flat = call(page, figure, "rank", [[1, 0], [0, 0], [2, 0], [-1, 0]], 0)
        assert [(one["id"], one["cosine"]) for one in flat] == [(2, 1), (1, 0), (3, -1)]


def test_a_word_is_moved_by_keyboard_mouse_and_finger(shown):
    figure = figures.WordMap()
    words, start, limit = figure.state["words"], np.array(figure.state["start"]), figure.state["limit"]
    with shown(figure, width=PHONE) as page:
        check_neighbours(page, words, start, "queen")
        page.locator(".mapword[tabindex='0']").focus()
        vectors, step = start.copy(), limit / 20
        for key, move in (("ArrowLeft", (-step, 0)), ("ArrowDown", (0, -step)), ("Shift+ArrowUp", (0, step / 4))):
            page.keyboard.press(key)
            vectors[0] += move
            check_neighbours(page, words, vectors, "queen")
        page.keyboard.press("PageDown")
        assert combobox(page, "Word").input_value() == "1"
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("king at ")
        page.keyboard.press("ArrowRight")
        vectors[1] += (step, 0)
        check_neighbours(page, words, vectors, "king")
        page.keyboard.press("PageUp")
        page.keyboard.press("PageUp")
        assert combobox(page, "Word").input_value() == str(len(words) - 1)

        press(button(page, "Reset"), "Enter")
        check_neighbours(page, words, start, words[-1])
        plane = page.locator(".seqlab-live svg").bounding_box()

        def spot(x, y):
            half = plane["width"] / 2
            return plane["x"] + half + x / limit * half, plane["y"] + half - y / limit * half

        page.mouse.move(*spot(*start[words.index("girl")]))
        page.mouse.down()
        page.mouse.move(*spot(-0.2, 0.3), steps=4)
        page.mouse.up()
        vectors = start.copy()
        vectors[words.index("girl")] = (-0.2, 0.3)
        names, table = neighbours(page)
        assert combobox(page, "Word").input_value() == str(words.index("girl"))
        np.testing.assert_allclose(
            table[:, 0], emb.nearest(vectors, vectors[words.index("girl")], 8, [words.index("girl")])[1], atol=0.02
        )
        page.mouse.move(*spot(0.3, 0.3))  # let go: nothing follows any more
        assert neighbours(page)[0] == names
        page.evaluate(
            """([from, to]) => {
                const word = [...document.querySelectorAll(".mapword")].find((w) => w.textContent === "boy");
                const finger = { pointerId: 1, pointerType: "touch", isPrimary: true, bubbles: true, cancelable: true };
                const send = (type, [clientX, clientY]) =>
                    word.dispatchEvent(new PointerEvent(type, { ...finger, clientX, clientY }));
                word.setPointerCapture = () => {}; // a made event has no pointer to capture
                send("pointerdown", from); send("pointermove", to); send("pointerup", to);
            }""",
            [spot(*start[words.index("boy")]), spot(5 * limit, 0)],
        )
        at = page.locator(".mapword[tabindex='0']").get_attribute("aria-label")
        assert at == f"boy at {limit:.2f}, 0.00".replace("-0.00", "0.00")  # never out of the plane
        assert page.locator(".mapword").first.evaluate("w => getComputedStyle(w).touchAction") == "none"
        assert page.locator(".seqlab-live svg").evaluate("w => getComputedStyle(w).touchAction") == "auto"
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []


def test_a_length_changes_no_cosine(shown):
    figure = figures.WordMap()
    words, start = figure.state["words"], np.array(figure.state["start"])
    with shown(figure) as page:
        combobox(page, "Word").select_option("4")
        before, length = neighbours(page), slider(page, "its length")
        press(length, "ArrowLeft", *["PageDown"] * 3)
        after = neighbours(page)
        assert after[0] == before[0]
        np.testing.assert_allclose(after[1][:, :2], before[1][:, :2], atol=1e-4)
        assert (abs(after[1][:, 2] - before[1][:, 2]) > 1e-3).all()
        press(length, "Home")  # no length at all: no direction
        assert "points nowhere" in said(page)
        assert (neighbours(page)[1][:, 0] == 0).all()
        press(length, "ArrowRight", "PageUp")  # and it comes back where it pointed
        np.testing.assert_allclose(neighbours(page)[1][:, 0], before[1][:, 0], atol=1e-9)
        press(button(page, "Give all the same length"), "Enter")
        _, table = neighbours(page)
        np.testing.assert_allclose(table[:, 0], before[1][:, 0], atol=1e-9)
        same = 0.75 * figure.state["limit"]
        np.testing.assert_allclose(table[:, 2], 2 * same * np.sin(np.radians(table[:, 1] / 2)), atol=1e-6)
        assert "It is the nearest point as well" in said(page)  # at equal lengths near is near
        press(button(page, "Reset"), "Enter")
        check_neighbours(page, words, start, words[4])
        assert page.problems == []


# ---- analogies


def test_the_scores_are_the_reference_s(shown):
    figure, rng = figures.AnalogyArrow(), np.random.default_rng(2)
    with shown(figure) as page:
        for V, D in ((4, 2), (12, 5), (40, 9)):
            vectors = rng.normal(size=(V, D)) * rng.uniform(0.1, 9, size=(V, 1))
            for method, exclude, (a, b, c) in product(("add", "multiply"), (True, False), ((0, 1, 2), (3, 0, 0))):
                given = {"vectors": vectors.tolist(), "a": a, "b": b, "c": c, "method": method}
                got = call(page, figure, "analogy", given)
                ids, scores = emb.analogy(vectors, a, b, c, exclude, method, k=V)
                np.testing.assert_allclose(np.array(got["scores"])[ids], scores, atol=1e-12)
                left = [a, b, c] if exclude else []
                order = call(page, figure, "ranking", got["scores"], left)
                assert [i for i in order["order"] if i not in left] == ids.tolist()
                assert order["answer"] == ids[0]


def test_the_four_corners_lie_in_the_plane_undistorted(shown):
    figure, rng = figures.AnalogyArrow(), np.random.default_rng(3)
    with shown(figure) as page:
        points = rng.normal(size=(7, 6))
        tip = points[1] - points[0] + points[2]
        lie = call(page, figure, "inPlane", points.tolist(), 0, 1, 2, [tip.tolist()])
        at = np.array([one["at"] for one in lie])
        for i, j in ((0, 1), (0, 2), (1, 7), (2, 7), (0, 7), (1, 2)):
            real = np.linalg.norm(np.vstack([points, tip])[i] - np.vstack([points, tip])[j])
            assert np.linalg.norm(at[i] - at[j]) == pytest.approx(real)
        np.testing.assert_allclose([lie[i]["off"] for i in (0, 1, 2, 7)], 0, atol=1e-9)
        away = np.linalg.norm(points - points[0], axis=1) ** 2
        np.testing.assert_allclose((at[:7] ** 2).sum(axis=1) + [one["off"] ** 2 for one in lie[:7]], away, atol=1e-9)
        for a, b, c in ((0, 0, 1), (2, 1, 2), (3, 3, 3)):  # an arrow without length, or carried nowhere
            lie = call(page, figure, "inPlane", points.tolist(), a, b, c, [])
            assert np.isfinite([one["at"] for one in lie]).all()
            spread = np.array([one["at"] for one in lie])
            assert (np.ptp(spread, axis=0) > 0.1).all()  # the words do not fall onto one line


def answers(page):
    """The candidates of the list, marked with "left out" where they may not answer, and their scores."""
    rows = page.locator(".neighbours tbody th").all_inner_texts()
    return [re.sub(r" \([abc]\)", "", row) for row in rows], numbers(page, ".neighbours")


def test_the_reader_asks_and_the_input_words_answer_when_they_may(shown):
    figure = figures.AnalogyArrow()
    words, sets = figure.state["words"], figure.state["sets"]
    vectors = {name: np.array(one["vectors"]) for name, one in sets.items()}
    with shown(figure, width=PHONE) as page:

        def check(question, exclude, method, name="drawn"):
            asked = [words.index(word) for word in question]
            ids, scores = emb.analogy(vectors[name], *asked, False, method, k=8)
            got, numbers_ = answers(page)
            mark = [words[i] + (" left out" if exclude and i in asked else "") for i in ids]
            assert got == mark
            np.testing.assert_allclose(numbers_, scores, atol=1e-9)
            best = words[emb.analogy(vectors[name], *asked, exclude, method)[0][0]]
            assert page.locator(".says strong").inner_text() == best
            assert page.locator("tr.answer th").inner_text().startswith(best)
            return best

        question = ("man", "king", "woman")
        assert check(question, True, "add") == "queen"
        assert "“king”, which is b itself, scores higher" in said(page)
        press(page.get_by_role("checkbox"), "Space")
        assert check(question, False, "add") == "king"
        assert "no answer at all. “man” and “woman” differ too little" in said(page)
        combobox(page, "Score").select_option("multiply")
        check(question, False, "multiply")
        press(page.get_by_role("checkbox"), "Space")
        assert check(question, True, "multiply") == "queen"
        combobox(page, "Vectors").select_option("expected")
        combobox(page, "Score").select_option("add")
        assert check(question, True, "add", "expected") == "queen"
        assert "even if a, b and c could answer" in said(page)

        combobox(page, "a, the start").select_option(str(words.index("boy")))
        combobox(page, "is to b").select_option(str(words.index("girl")))
        combobox(page, "as c").select_option(str(words.index("prince")))
        assert check(("boy", "girl", "prince"), True, "add", "expected") == "princess"
        combobox(page, "is to b").select_option(str(words.index("boy")))
        check(("boy", "boy", "prince"), True, "add", "expected")
        assert "has no length" in said(page)
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []


def test_the_arrow_is_carried_by_slider_and_button(shown):
    figure = figures.AnalogyArrow()

    def lines(page):
        return page.locator(".seqlab-live svg .arrow line").evaluate_all(
            "all => all.map((l) => ['x1', 'y1', 'x2', 'y2'].map((k) => +l.getAttribute(k)))"
        )

    with shown(figure, reduced_motion=True) as page:
        drawn, carried = np.array(lines(page))
        np.testing.assert_allclose(drawn[2:] - drawn[:2], carried[2:] - carried[:2], atol=1e-6)
        press(slider(page, "carry it to c"), "Home")
        assert len(lines(page)) == 1  # only a -> b
        press(slider(page, "carry it to c"), *["ArrowRight"] * 10)
        half = np.array(lines(page))[1]
        np.testing.assert_allclose(half, (drawn + carried) / 2, atol=1e-6)
        press(button(page, "Carry the arrow"), "Enter")  # without motion: at once
        np.testing.assert_allclose(lines(page)[1], carried, atol=1e-6)
        assert page.locator("svg circle[stroke='var(--orange)']").count() == 1
        press(button(page, "Carry the arrow"), "Enter")
        assert slider(page, "carry it to c").input_value() == "0"
        assert page.locator("svg circle[stroke='var(--orange)']").count() == 0
    with shown(figure) as page:
        press(button(page, "Carry the arrow"), "Enter")
        assert float(slider(page, "carry it to c").input_value()) < 1
        page.wait_for_selector("svg circle[stroke='var(--orange)']")  # the answer is ringed at the end
        np.testing.assert_allclose(lines(page)[1], carried, atol=1e-6)
        assert page.problems == []


# ---- bias


def measured(vectors, g, word, p, q):
    w, u, v = vectors[word], vectors[p], vectors[q]
    return [w @ g, u @ g, v @ g, np.linalg.norm(w - u), np.linalg.norm(w - v)]


def stepwise(state, word, pair):
    """What the table must show before, after neutralising and after equalising, (5, 3)."""
    vectors, g = np.array(state["vectors"]), np.array(state["direction"])
    p, q = pair
    columns = [measured(vectors, g, word, p, q)]
    vectors[word] = emb.neutralize(vectors[word], g)
    columns.append(measured(vectors, g, word, p, q))
    vectors[p], vectors[q] = emb.equalize(vectors[p], vectors[q], g)
    columns.append(measured(vectors, g, word, p, q))
    return np.array(columns).T


def test_neutralise_and_equalise_are_the_reference_s(shown):
    figure, rng = figures.DebiasSteps(), np.random.default_rng(4)
    with shown(figure) as page:
        for D in (2, 3, 20):
            for _ in range(3):
                u, v, w, g = rng.normal(size=(4, D))
                g /= np.linalg.norm(g)
                np.testing.assert_allclose(
                    call(page, figure, "neutralize", w.tolist(), g.tolist()), emb.neutralize(w, g), atol=1e-12
                )
                got = call(page, figure, "equalize", u.tolist(), v.tolist(), g.tolist())
                np.testing.assert_allclose(got, emb.equalize(u, v, g), atol=1e-12)


def test_the_reader_walks_the_steps_and_the_word_ends_equally_far_from_both(shown):
    figure = figures.DebiasSteps()
    state = figure.state
    words = state["words"]
    with shown(figure, width=PHONE) as page:

        def check(step, word, pair):
            table = stepwise(state, words.index(word), [words.index(one) for one in pair])[:, : max(1, step)]
            np.testing.assert_allclose(numbers(page, ".neighbours"), table.ravel(), atol=1e-9)
            return table

        def place(word):
            node = page.locator(".slides", has_text=re.compile(f"^{word}$"))
            return [float(x) for x in re.findall(r"-?[\d.]+(?=px)", node.get_attribute("style"))]

        pair, word = ("mother", "father"), "librarian"
        lean = check(0, word, pair)[0, 0]
        leans = np.array(state["vectors"])[state["neutral"]] @ np.array(state["direction"])
        assert abs(lean) == pytest.approx(abs(leans).max())
        press(button(page, "Next step"), "Enter")
        check(1, word, pair)
        assert "to the side of “mother”" in said(page)
        start = {one: place(one) for one in words}
        press(button(page, "Next step"), "Enter")
        after = check(2, word, pair)
        assert after[0, 1] == pytest.approx(0, abs=1e-9)
        assert "still not the same" in said(page)
        axis = float(re.search(r"M([\d.]+) ", page.locator("svg .axis").get_attribute("d"))[1])
        assert place(word)[0] == pytest.approx(axis, abs=0.01)  # it stands on the dashed line
        assert place(word)[1] == pytest.approx(start[word][1], abs=0.01)  # and slid along g alone
        press(button(page, "Next step"), "Space")
        after = check(3, word, pair)
        assert after[3, 2] == pytest.approx(after[4, 2], abs=1e-9)
        assert after[1, 2] == pytest.approx(-after[2, 2], abs=1e-9)
        (x, y), (mirror, level) = place("mother"), place("father")
        assert x - axis == pytest.approx(axis - mirror, abs=0.02)
        assert y == pytest.approx(level, abs=0.02)
        assert all(place(one) == start[one] for one in words if one not in (word, *pair))
        assert button(page, "Next step").is_disabled()

        combobox(page, "Neutralise").select_option(str(state["neutral"].index(words.index("smith"))))
        check(3, "smith", pair)
        assert place(word) == start[word]
        combobox(page, "Equalise").select_option("1")
        check(3, "smith", ("queen", "king"))
        press(button(page, "Back"), "Enter", "Enter")
        check(1, "smith", ("queen", "king"))
        assert "to the side of “king”" in said(page)
        press(button(page, "Start again"), "Enter")
        check(0, "smith", ("queen", "king"))
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []


def test_a_word_slides_only_where_motion_is_welcome(shown):
    for calm, seconds in ((False, "0.8s"), (True, "0s")):
        with shown(figures.DebiasSteps(), reduced_motion=calm) as page:
            assert page.locator(".slides").first.evaluate("n => getComputedStyle(n).transitionDuration") == seconds


# ---- drawings


def test_names_in_a_drawing_do_not_hide_one_another(shown):
    overlaps = """() => [...document.querySelectorAll(".seqlab-live svg")].map((drawing) => {
        const boxes = [...drawing.querySelectorAll("text")].filter((t) => getComputedStyle(t).visibility === "visible")
            .map((t) => [t.textContent, t.getBoundingClientRect()]);
        return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) =>
            Math.min(a.right, b.right) - Math.max(a.left, b.left) > 4
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5).map(([other]) => `${one} ${other}`));
    }).flat()"""
    with shown(figures.WordMap(), figures.AnalogyArrow(), figures.DebiasSteps(), width=PHONE) as page:
        assert page.evaluate(overlaps) == []
        for _ in range(3):
            press(button(page, "Next step"), "Enter")
            page.wait_for_timeout(900)
            assert page.evaluate(overlaps) == []
