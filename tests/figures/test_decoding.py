"""What stands behind the figures of decoding: still pictures and refusals."""

import re

import pytest

import seqlab.figures as figures
from seqlab.decode import sentence_bleu


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
        (lambda: figures.BleuCounter(max_n=5), "max_n is 5; it must be a whole number from 1 to 4"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
