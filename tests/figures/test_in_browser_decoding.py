"""The figures of chapters 12 and 13 in Chromium: their numbers are the package's, and the reader works them by keys."""

import re
import unicodedata

import numpy as np
import pytest
import torch

import seqlab.figures as figures
from seqlab import data, decode
from seqlab.decode import reference
from seqlab.decode.bleu import clipped_counts, sentence_bleu
from seqlab.figures.decoding import dense, grow
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider

pytestmark = pytest.mark.site

SMOOTHINGS = ("none", "floor", "add-k", "exp")


def counted(hypothesis, references, N, smoothing):
    """What the figure must show: the package's BLEU of a sentence, Papineni's own where nothing smooths."""
    return sentence_bleu(hypothesis, references, N, smoothing, effective_order=smoothing != "none")


def split(text, how="spaces"):
    """Words as the figure splits them, by the character tables of Python."""
    text = unicodedata.normalize("NFC", text)
    if how == "spaces":
        return text.split()
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else f" {c} " for c in text.lower())
    return kept.split()


def combobox(page, name):
    return page.get_by_role("combobox", name=name, exact=True)


# ---- BLEU counted


def test_the_counts_and_scores_of_random_sentences_are_the_package_s(shown):
    figure, rng = figures.BleuCounter(), np.random.default_rng(0)

    def sentence(most):
        return [str(word) for word in rng.choice(list("abcde"), size=rng.integers(0, most))]

    with shown(figure) as page:
        cases = [(sentence(9), [sentence(9) for _ in range(rng.integers(1, 4))]) for _ in range(30)]
        cases += [([], [[]]), (["a"], [["a"]]), (["a", "b"], [["a", "b"]]), (list("abcd"), [list("dcba"), []])]
        for hypothesis, references in cases:
            for n in (1, 2, 3):
                got = call(page, figure, "clipped", hypothesis, references, n)
                want = clipped_counts(hypothesis, references, n)
                assert {tuple(one["ngram"].split()): (one["count"], one["clip"]) for one in got} == want
            for N in (1, 2, 4):
                for smoothing in SMOOTHINGS:
                    got = call(page, figure, "bleu", hypothesis, references, N, smoothing)
                    want = counted(hypothesis, references, N, smoothing)
                    assert got["score"] == pytest.approx(want.score, abs=1e-9)
                    np.testing.assert_allclose(got["precisions"], want.precisions, atol=1e-9)
                    assert (got["matches"], got["totals"]) == (list(want.matches), list(want.totals))
                    assert got["penalty"] == pytest.approx(want.brevity_penalty, abs=1e-9)
                    assert (got["c"], got["r"]) == (want.hypothesis_length, want.reference_length)


def test_words_are_split_as_the_reader_chose(shown):
    figure = figures.BleuCounter()
    texts = [
        "",
        "  ",
        "The cat\tsat.",
        "L’été, c'est fini!",
        "나는 학교에 간다.",
        "私は 学校へ",
        "ﬁ Straße x²",
        "e\u0301 \u00e9",
        "a-b 1,5",
    ]
    with shown(figure) as page:
        for text in texts:
            for how in ("spaces", "marks"):
                assert call(page, figure, "words", text, how) == split(text, how)


def test_the_first_comers_count_and_the_rest_are_clipped(shown):
    figure, references = figures.BleuCounter(), [["the", "cat", "is", "on", "the", "mat"]]
    with shown(figure) as page:
        got = call(page, figure, "marks", ["the", "the", "dog", "the", "mat"], references, 1)
        assert got == ["matched", "matched", "", "clipped", "matched"]
        got = call(page, figure, "marks", ["the", "cat", "the", "cat", "x"], references, 2)
        assert got == ["matched", "matched", "clipped", "clipped", ""]
        assert call(page, figure, "marks", [], references, 2) == []


def test_the_reader_types_and_every_number_follows(shown):
    figure = figures.BleuCounter()
    with shown(figure, width=PHONE) as page:
        typed, says = page.get_by_label("Translation"), page.locator("output.says")
        n, N = slider(page, "look at n ="), slider(page, "longest N =")

        def check(text, references, orders=4, n=1, smoothing="none", how="spaces"):
            hypothesis, kept = split(text, how), [split(one, how) for one in references]
            want = counted(hypothesis, kept, orders, smoothing)
            got = numbers(page, "output.says")
            np.testing.assert_allclose(got, [want.score, want.points], rtol=1e-9, atol=1e-12)
            longest = orders if smoothing == "none" or not sum(want.matches) else min(orders, len(hypothesis))
            if smoothing != "add-k":
                shown_p = numbers(page, ".sides > .stack table")
                np.testing.assert_allclose(shown_p, want.precisions[:longest], rtol=1e-9, atol=1e-12)
            penalty = numbers(page, ".sides .quiet")
            np.testing.assert_allclose(penalty, [want.brevity_penalty], rtol=1e-9)
            cells = page.locator(".grams tbody tr").evaluate_all(
                "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
            )
            counts = clipped_counts(hypothesis, kept, n)
            if counts:
                assert {row[0]: (int(row[1]), int(row[3])) for row in cells} == {
                    " ".join(ngram): pair for ngram, pair in counts.items()
                }
                kinds = {c: page.locator(f".grams .{c}").count() for c in ("matched", "clipped")}
                assert kinds["matched"] == sum(0 < clip == count for count, clip in counts.values())
                assert kinds["clipped"] == sum(0 < clip < count for count, clip in counts.values())
            else:
                assert [row[0] for row in cells] == ["none"]

        cats = figure.state["examples"][0]["references"]
        check(figure.state["text"], cats)
        assert "5 of 7 words count; 2 more would" in says.inner_text()
        for text in ("the the the the the the the", "the cat", "", "  ", "the cat is on the mat", "고양이 the 貓 on é"):
            typed.fill(text)
            check(text, cats)
        typed.fill("the cat is on the mat")
        assert numbers(page, "output.says") == [1, 100]
        assert page.locator(".clipped").count() == 1  # of the key alone

        typed.fill("cat the cat on a the mat mat")
        for key, place in (("End", 4), ("ArrowLeft", 3), ("Home", 1), ("ArrowRight", 2)):
            press(n, key)
            check("cat the cat on a the mat mat", cats, n=place)
        for key, orders in (("ArrowLeft", 3), ("Home", 1)):
            press(N, key)
            check("cat the cat on a the mat mat", cats, orders=orders, n=min(2, orders))
        assert n.input_value() == "1"
        press(n, "ArrowRight")
        assert N.input_value() == "2"  # who looks at pairs counts them
        press(N, "End")
        typed.fill("mat on the")
        for smoothing in (*SMOOTHINGS[1:], "none"):
            combobox(page, "Smoothing").select_option(smoothing)
            check("mat on the", cats, n=2, smoothing=smoothing)
        assert "One factor is 0" in page.locator(".sides").inner_text()

        boxes = page.get_by_role("checkbox")
        press(boxes.nth(0), "Space")
        check("mat on the", cats[1:], n=2)
        press(boxes.nth(1), "Space")
        assert "Tick a reference" in says.inner_text()
        press(boxes.nth(0), "Space")
        check("mat on the", cats[:1], n=2)
        press(button(page, "As it was"), "Enter")
        check(figure.state["text"], cats[:1], n=2)
        assert typed.input_value() == figure.state["text"]
        assert button(page, "As it was").is_disabled()
        assert page.problems == []


def test_other_examples_and_other_words_are_counted_too(shown):
    figure = figures.BleuCounter()
    with shown(figure) as page:
        assert [option.split()[0] for option in combobox(page, "Example").locator("option").all_inner_texts()] == [
            "the", "the", "learning"
        ]  # fmt: skip
        for i, example in enumerate(figure.state["examples"]):
            combobox(page, "Example").select_option(str(i))
            assert page.get_by_label("Translation").input_value() == example["hypothesis"]
            assert page.get_by_role("checkbox").count() == len(example["references"])
            for how in ("marks", "spaces"):
                combobox(page, "Words").select_option(how)
                want = counted(
                    split(example["hypothesis"], how), [split(r, how) for r in example["references"]], 4, "none"
                )
                np.testing.assert_allclose(numbers(page, "output.says"), [want.score, want.points], rtol=1e-9)
        combobox(page, "Example").select_option("1")
        combobox(page, "Words").select_option("marks")
        page.get_by_role("slider", name="look at n =").press("Home")
        assert "18 of 19 words count" in page.locator("output.says").inner_text()  # the paper's 17/18, and a full stop
        assert page.problems == []


def test_too_long_a_text_is_refused_and_the_last_stays(shown):
    with shown(figures.BleuCounter("a b c", ["a b c d"]), width=PHONE, dark=True) as page:
        assert combobox(page, "Example").count() == 0
        typed = page.get_by_label("Translation")
        typed.fill("a " * 41)
        assert "These are 41 words; the figure takes 40" in page.locator(".problem").inner_text()
        assert typed.get_attribute("aria-invalid") is not None
        assert "3 of 3 words count." in page.locator("output.says").inner_text()
        typed.fill("a " * 40)
        assert page.locator(".problem").inner_text() == ""
        assert "1 of 40 words counts; 39 more would" in page.locator("output.says").inner_text()
        assert axe(page) == []
        assert overflow(page) == 0
        assert page.problems == []


@pytest.mark.parametrize("dark", [False, True])
def test_bleu_counter_is_accessible_and_fits_a_phone(shown, dark):
    with shown(figures.BleuCounter(), width=PHONE, dark=dark) as page:
        for i in range(3):
            combobox(page, "Example").select_option(str(i))
            assert axe(page) == []
            assert overflow(page) == 0
        assert page.problems == []


def test_without_scripts_the_still_counts_stand_there(shown):
    with shown(figures.BleuCounter(), live=False, javascript=False) as page:
        still = page.locator(".seqlab-still")
        assert still.is_visible()
        assert re.search(r"brevity penalty 1.000, BLEU 0.467 = 46.7 points", still.inner_text())


# ---- the beam as a tree

WIDTHS, ALPHAS = range(1, 7), (0, 0.3, 0.7, 1, 1.5)


@pytest.fixture(scope="module")
def made():
    """Trees whose probabilities are drawn by chance: they end early and late, and beams of all widths differ."""
    words = ["<eos>", "één", "two", "셋", "四", "v", "six", "seven"]

    def tree(longest):
        rng, rows = np.random.default_rng(longest), {}

        def distribution(path):
            if path not in rows:
                p = rng.dirichlet(np.full(8, 0.4)) + 0.001
                p[0] = 0.1 * len(path) if path else 0
                rows[path] = p / p.sum()
            return rows[path]

        start = np.zeros((1, 0), int)
        return grow(reference.prefix_step(distribution), start, -1, 0, words, longest, source=f"up to {longest}")

    return [tree(longest) for longest in (4, 7, 9)]


def truth(sentence, width, alpha):
    """The package's own search over the tree."""
    return reference.beam_search(*dense(sentence), -1, sentence["eos"], width, sentence["max_len"], alpha)[0]


def test_the_search_on_the_page_is_the_package_s_for_every_width_and_exponent(shown, made):
    figure = figures.BeamTree(made)
    found = set()
    with shown(figure) as page:
        for sentence in (*made, *figures.BeamTree().state["tree"]):
            for width in WIDTHS:
                for alpha in ALPHAS:
                    got = call(page, figure, "search", sentence, width, alpha)["best"]
                    want = truth(sentence, width, alpha)
                    assert got["path"] == list(want.tokens)
                    np.testing.assert_allclose(got["logs"], want.log_probs, atol=1e-9)
                    assert got["total"] == pytest.approx(want.log_prob, abs=1e-9)
                    assert got["score"] == pytest.approx(want.score, abs=1e-9)
                    found.add((sentence["source"], want.tokens))
    assert len(found) > 3 * len(made)  # width and exponent matter


def test_the_tree_holds_all_that_the_batched_search_needs(made):
    for sentence in made:
        step, _ = dense(sentence)

        def torch_step(tokens, state, step=step):
            scores, state = step(tokens.numpy(), state.numpy())
            return torch.from_numpy(scores), torch.from_numpy(state)

        for width in WIDTHS:
            for alpha in ALPHAS:
                start = torch.zeros((1, 0), dtype=torch.int64)
                ends = sentence["eos"], width, sentence["max_len"], alpha
                (got, *_), *_ = decode.beam_search(torch_step, start, -1, *ends)
                want = truth(sentence, width, alpha)
                assert got.tokens == want.tokens
                assert got.score == pytest.approx(want.score, abs=1e-9)


def test_the_shipped_trees_are_the_translator_s_own_search():
    from seqlab.seq2seq import load_phrasebook

    translator = load_phrasebook()

    def step(tokens, state):
        return translator.step(torch.from_numpy(tokens), state)

    for sentence in figures.BeamTree().state["tree"]:
        state, ends = translator.start([sentence["source"]]), (translator.bos, translator.eos)
        for width in (1, 3, 6):
            for alpha in (0, 1):
                got = truth(sentence, width, alpha)
                want = reference.beam_search(step, state, *ends, width, sentence["max_len"], alpha)[0]
                assert got.tokens == want.tokens
                assert got.score == pytest.approx(want.score, abs=1e-9)
                (batched, *_), *_ = decode.beam_search(translator.step, state, *ends, width, sentence["max_len"], alpha)
                assert batched.score == pytest.approx(want.score, abs=1e-4)
        assert sentence["right"] == [" ".join(e) for e, _ in data.phrasebook_references(sentence["source"].split())]


def walk(sentence, width):
    """The beams after each step without any stopping, by plain loops: what the page must keep, drop and end."""
    step, state = dense(sentence)
    beams = [((), 0.0, state)]
    for _ in range(sentence["max_len"]):
        found = []
        for path, total, before in beams:
            scores, after = step(np.array([path[-1] if path else -1]), before)
            found += [((*path, word), total + score, after) for word, score in enumerate(scores[0])]
        found.sort(key=lambda one: -one[1])
        ended = [one for one in found[:width] if one[0][-1] == sentence["eos"]]
        beams = [one for one in found[: 2 * width] if one[0][-1] != sentence["eos"]][:width]
        yield beams, ended


def test_the_reader_grows_the_tree_and_every_step_is_told(shown, made):
    made = [one for one in made if truth(one, 2, 0.5).finished]
    figure = figures.BeamTree(made, beam_width=2, alpha=0.5)
    with shown(figure, width=PHONE) as page:
        forth, says, lists = button(page, "Next step"), page.locator("output.says"), page.locator(".beamlists > div")
        assert "Nothing is written yet. The model knows 8 words" in says.inner_text()
        assert button(page, "Back").is_disabled()
        assert page.locator("[data-branch]").count() == 0
        seen, sentence = 0, made[0]
        best = truth(sentence, 2, 0.5)
        for n, (beams, ended) in enumerate(walk(sentence, 2), start=1):
            if forth.is_disabled():
                break
            press(forth, "Enter")
            rows = (
                lists.nth(0)
                .locator("tbody tr")
                .evaluate_all(
                    "rows => rows.map((row) => [+row.querySelector('data').value, row.lastChild.textContent])"
                )
            )
            seen += len(ended)
            for fate, some in (("kept", beams), ("finished", ended)):
                got = sorted(total for total, its in rows if its == fate)
                np.testing.assert_allclose(got, sorted(one[1] for one in some), atol=1e-9)
            assert sum(its == "dropped" for _, its in rows) <= 2
            drawn = set(page.locator("[data-branch]").evaluate_all("all => all.map((one) => one.dataset.branch)"))
            for path, *_ in (*beams, *ended):
                assert " ".join(map(str, path)) in drawn
            if not forth.is_disabled():
                thick = set(page.locator(".branch.live").evaluate_all("all => all.map((one) => one.dataset.branch)"))
                assert {" ".join(map(str, path)) for path, *_ in beams} <= thick
                assert page.locator(".branch.won").count() == 0
            assert page.locator("[data-word]", has_text="■").count() >= seen
            assert lists.nth(1).locator("tbody tr").count() == (seen or 0)
            assert f"Step {n}:" in says.inner_text()
        won = page.locator(".branch.won").evaluate_all("all => all.map((one) => one.dataset.branch)")
        ways = [" ".join(map(str, best.tokens[: n + 1])) for n in range(best.length)]
        assert sorted(won, key=len) == ways
        told = numbers(page, ".seqlab-live > p")
        np.testing.assert_allclose(told, [best.log_prob, best.score], atol=1e-9)
        assert f"n = {best.length} words" in page.locator(".seqlab-live > p").inner_text()
        assert page.locator("[data-word].won", has_text="■").text_content() == f"■ {best.score:.3f}".replace("-", "−")
        press(button(page, "Back"), "Enter")
        assert page.locator(".branch.won").count() == 0
        press(button(page, "Start again"), "Enter")
        assert page.locator("[data-branch]").count() == 0
        assert page.problems == []


def test_width_and_exponent_move_a_search_that_is_over(shown, made):
    figure = figures.BeamTree(made)
    with shown(figure) as page:
        press(button(page, "To the end"), "Enter")
        width, alpha = slider(page, "beams B"), slider(page, "exponent α")

        def check(sentence, B, power):
            best = truth(sentence, B, power)
            np.testing.assert_allclose(
                numbers(page, ".seqlab-live > p"), [best.log_prob, best.score], rtol=1e-9, atol=1e-12
            )
            assert button(page, "Next step").is_disabled()

        check(made[0], 3, 0)
        press(width, "Home")
        assert width.get_attribute("aria-valuetext") == "greedy"
        greedy = reference.greedy(*dense(made[0]), -1, made[0]["eos"], made[0]["max_len"])
        np.testing.assert_allclose(numbers(page, ".seqlab-live > p"), [greedy.log_prob] * 2, rtol=1e-9)
        press(width, "End")
        check(made[0], 6, 0)
        press(alpha, "End")
        check(made[0], 6, 1.5)
        press(alpha, *["ArrowLeft"] * 5)
        check(made[0], 6, 1.0)
        combobox(page, "Translate").select_option("2")
        assert "Nothing is written yet" in page.locator("output.says").inner_text()
        press(button(page, "To the end"), "Enter")
        check(made[2], 6, 1.0)
        assert page.problems == []


@pytest.mark.parametrize("dark", [False, True])
def test_beam_tree_is_accessible_and_fits_a_phone(shown, dark):
    with shown(figures.BeamTree(beam_width=6, alpha=0.7), width=PHONE, dark=dark) as page:
        for i in range(3):
            combobox(page, "Translate").select_option(str(i))
            press(button(page, "Next step"), "Enter", "Enter")
            assert axe(page) == []
            press(button(page, "To the end"), "Enter")
            assert axe(page) == []
            assert overflow(page) == 0
            assert "right translation" in page.locator(".seqlab-live > p").inner_text()
        assert page.problems == []
