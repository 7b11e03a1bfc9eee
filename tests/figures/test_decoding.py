"""What stands behind the figures of decoding: still pictures and refusals."""

import math
import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.decode import sentence_bleu
from seqlab.decode.reference import beam_search, prefix_step
from seqlab.figures.decoding import dense, grow


def cells(figure):
    """The cells of a still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_still_counts_are_those_of_the_notes():
    figure = figures.BleuCounter()
    assert [row[:3] for row in cells(figure)] == [["1", "5", "7"], ["2", "4", "6"], ["3", "2", "5"], ["4", "1", "4"]]
    example = figure.state["examples"][0]
    references = [text.split() for text in example["references"]]
    want = sentence_bleu(example["hypothesis"].split(), references, smoothing=None, effective_order=False)
    assert f"BLEU {want.score:.3f} = {want.points:.1f} points" in figure.still()


def test_a_reader_s_own_sentence_stands_still_too():
    figure = figures.BleuCounter("a b", ["a c d"], max_n=2)
    assert cells(figure) == [["1", "1", "2", "0.500"], ["2", "0", "1", "0.000"]]
    assert "against 1 reference: brevity penalty 0.607, BLEU 0.000" in figure.still()
    assert cells(figures.BleuCounter("", ["a"], max_n=1)) == [["1", "0", "0", "0"]]


# ---- the beam


def small():
    """A language of two words and an end, in which the greedy choice is not the best."""
    rows = {(): [0, 0.6, 0.4], (1,): [0.3, 0.35, 0.35], (2,): [0.9, 0.05, 0.05]}
    step = prefix_step(lambda path: np.array(rows.get(path, [1, 0, 0])))
    return grow(step, np.zeros((1, 0), int), -1, 0, ["<eos>", "a", "b"], 4, source="x")


def test_a_tree_holds_what_a_beam_needs_and_the_still_picture_searches_it():
    tree = small()
    assert [word for word, *_ in tree["next"]] == [1, 2]  # nothing ends at once with probability 0
    a, b = tree["next"]
    assert math.exp(a[1]) == pytest.approx(0.6)
    assert [word for word, *_ in b[2]] == [0, 1, 2]
    assert b[2][0][2] is None  # nothing follows the end
    found = {row[1]: row[2:] for row in cells(figures.BeamTree(tree))}
    assert found["1"] == ["a a", f"{math.log(0.6 * 0.35):.2f}", f"{math.log(0.6 * 0.35):.2f}"]
    assert found["3"] == found["6"] == ["b", f"{math.log(0.36):.2f}", f"{math.log(0.36):.2f}"]


def test_words_that_are_not_in_the_tree_share_what_is_left():
    V = 40
    p = np.r_[0.5, 0.3, np.full(V - 2, 0.2 / (V - 2))]
    tree = grow(prefix_step(lambda path: p), np.zeros((1, 0), int), -1, 0, [str(i) for i in range(V)], 3)
    assert len(tree["next"]) == 12
    step, state = dense(tree)
    (row,), _ = step(np.array([-1]), state)
    np.testing.assert_allclose(np.exp(row), p, rtol=1e-8)


def test_the_shipped_sentences_show_what_beam_search_is_for():
    tree = figures.BeamTree().state["tree"]
    best = {
        (i, width): beam_search(*dense(sentence), -1, sentence["eos"], width, sentence["max_len"])[0]
        for i, sentence in enumerate(tree)
        for width in (1, 6)
    }
    assert any(best[i, 6].log_prob > best[i, 1].log_prob + 0.1 for i in range(len(tree)))
    for i, sentence in enumerate(tree):
        assert " ".join(sentence["words"][id] for id in best[i, 6].words) in sentence["right"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.BleuCounter("a b"), "hypothesis and references come together"),
        (lambda: figures.BleuCounter(references=["a"]), "hypothesis and references come together"),
        (lambda: figures.BleuCounter("a", "a b"), "references is one string; it must be a list of sentences"),
        (lambda: figures.BleuCounter("a", []), "the number of references is 0"),
        (lambda: figures.BleuCounter("a", ["b"] * 7), "the number of references is 7"),
        (lambda: figures.BleuCounter(["a"], ["b"]), r"a sentence is \['a'\]; give it as a string"),
        (lambda: figures.BleuCounter("a", ["b " * 41]), "the number of words in 'b b b"),
        (lambda: figures.BeamTree([]), "the number of sentences in tree is 0"),
        (
            lambda: figures.BeamTree({"source": "a"}),
            "sentence 0 of tree is not what seqlab.figures.decoding.grow retur",
        ),
        (lambda: figures.BeamTree(small(), beam_width=7), "beam_width is 7; it must be a whole number from 1 to 6"),
        (lambda: figures.BeamTree(small(), alpha=2), "alpha is 2; it must be a number from 0 to 1.5"),
        (lambda: figures.BleuCounter(max_n=5), "max_n is 5; it must be a whole number from 1 to 4"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
