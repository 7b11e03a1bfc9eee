"""The figures of chapters 12 and 13 in Chromium: their numbers are the package's, and the reader works them by keys."""

import re
import unicodedata

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.decode.bleu import clipped_counts, sentence_bleu
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
