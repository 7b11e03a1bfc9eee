"""What the figures of chapters 8 and 10 show without a browser: the package's own numbers, and clear refusals."""

import re
from collections import Counter

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab import data
from seqlab.embeddings.reference import huffman, noise_distribution
from seqlab.figures import learned


def cells(figure):
    """The cells of a still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


# ---- chapter 8


def test_the_noise_is_counted_on_the_grammar():
    state = figures.NoiseExponent().state
    found = Counter(word for sentence in data.kingdom(learned.SENTENCES) for word in sentence)
    assert dict(zip(state["words"], state["counts"], strict=True)) == found
    assert state["counts"] == sorted(state["counts"], reverse=True)
    assert set(state["window"]["sentence"]) <= set(state["words"])
    assert state["window"]["sentence"] in data.kingdom_sentences()[0]


def test_the_rows_run_from_the_most_frequent_word_to_the_rarest():
    state = figures.NoiseExponent().state
    shown = [state["counts"][i] for i in state["rows"]]
    assert len(set(state["rows"])) == learned.ROWS
    assert shown == sorted(shown, reverse=True)
    assert (shown[0], shown[-1]) == (max(state["counts"]), min(state["counts"]))
    assert learned.spaced(np.array([1, 5, 5, 2]), 12) == [1, 2, 3, 0]
    for V in (13, 14, 30, 1000):
        rows = learned.spaced(np.arange(V, 0, -1), 12)
        assert len(set(rows)) == 12
        assert (rows[0], rows[-1]) == (0, V - 1)


def test_the_still_noise_is_that_of_the_reference():
    counts = np.array([900, 90, 9, 1])
    rows = cells(figures.NoiseExponent("abcd", counts, power=0.5))
    for column, power in enumerate((0, 0.5, 0.75, 1), start=1):
        want = noise_distribution(counts, power)
        assert [row[column] for row in rows] == [f"{100 * p:.2f} %" for p in want]
    ratio = noise_distribution(counts, 0.5) / (counts / counts.sum())
    assert [row[-1] for row in rows] == [f"{x:.2f}" for x in ratio]


def test_the_still_tree_has_the_codes_of_the_reference_and_costs_between_the_entropy_and_one_bit_more():
    figure = figures.HuffmanSteps()
    words, counts = figure.state["words"], np.array(figure.state["counts"])
    tree = huffman(counts)
    for word, count, code, length in cells(figure):
        i = words.index(word)
        assert (int(count), int(length)) == (counts[i], tree.lengths[i])
        assert [int(bit) for bit in code] == tree.bits[i, : tree.lengths[i]].tolist()
    mean, entropy = map(
        float, re.findall(r"([\d.]+) bits on average, where the entropy is ([\d.]+)", figure.still())[0]
    )
    assert entropy <= mean < entropy + 1
    assert mean < np.log2(len(words))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.NoiseExponent(counts=[1, 2]), "counts came without words"),
        (lambda: figures.NoiseExponent(["a", "b"]), "words came without counts"),
        (lambda: figures.NoiseExponent("abc", [1, 2]), r"counts has shape \(2,\); with 3 words it must have \(3,\)"),
        (lambda: figures.NoiseExponent("ab", [1, 0]), "counts holds 0; each must be at least 1"),
        (lambda: figures.NoiseExponent("ab", [1, 0.5]), "not a whole number"),
        (lambda: figures.NoiseExponent("ab", [1, np.nan]), "not a whole number"),
        (lambda: figures.NoiseExponent("ab", ["x", "y"]), "not a whole number"),
        (lambda: figures.NoiseExponent("aa", [1, 2]), "words holds 'a' more than once"),
        (lambda: figures.NoiseExponent(power=1.5), "power is 1.5; it must be a number from 0 to 1"),
        (lambda: figures.NoiseExponent("ab", [1, 2], window="a b"), "window holds 2 words; it must hold 3, 5, 7 or 9"),
        (lambda: figures.NoiseExponent("ab", [1, 2], window="a b c"), "window holds 'c', which is not in the vocab"),
        (lambda: figures.HuffmanSteps(["a"], [1]), "words holds 1 words; the figure shows 2 to 16"),
        (lambda: figures.HuffmanSteps(map(str, range(17)), range(17)), "words holds 17 words"),
        (lambda: figures.HuffmanSteps("ab", [0, 1]), "counts holds 0; each must be at least 1"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
