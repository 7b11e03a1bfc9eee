"""What the figures of chapters 8 and 10 show without a browser: the package's own numbers, and clear refusals."""

import json
import re
from collections import Counter

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab import data
from seqlab.embeddings.reference import huffman, noise_distribution
from seqlab.figures import learned, tsne
from seqlab.figures.figure import _read
from seqlab.tsne.reference import squared_distances


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


# ---- chapter 10


def made(name):
    """A made set with its points as the page sees them."""
    one = tsne.packed(name)
    return one, tsne.from_bytes(one["points"], one["dims"])


def spread(X):
    return np.sqrt(((X - X.mean(axis=0)) ** 2).sum(axis=1).mean())


def test_points_survive_the_packing():
    rng = np.random.default_rng(0)
    for X in (rng.normal(size=(20, 3)), 1e-6 * rng.normal(size=(9, 1)), rng.integers(-127, 128, size=(7, 4))):
        packed = tsne.to_bytes(X)
        got = tsne.from_bytes(packed, X.shape[1])
        assert abs(got - X).max() <= (0 if X.dtype == int else 0.51 * packed["scale"])
    assert tsne.to_bytes(np.zeros((2, 2)))["scale"] == 1


@pytest.mark.parametrize("name", tsne.MADE)
def test_a_made_set_is_small_enough_and_says_what_to_watch(name):
    one, X = made(name)
    assert 30 <= len(X) <= 150
    given = tsne.MADE[name]()["points"]
    near = np.linalg.norm(X - given, axis=1) <= 0.51 * one["points"]["scale"] * np.sqrt(X.shape[1])
    assert near.all()
    for key in ("labels", "words"):
        assert one[key] is None or len(one[key]) == len(X)
    assert one["labels"] is None or set(one["labels"]) == set(range(len(one["classes"])))
    assert one["words"] or one["marks"] is None or len(set(one["marks"])) == len(one["classes"])  # colour is not alone
    assert one["watch"].endswith(".")
    assert one["beware"].endswith(".")


def test_the_plane_is_that_of_scikit_learn_s_pca():
    from sklearn.decomposition import PCA

    one, X = made("digits")
    pca = PCA(2)
    want, got = pca.fit_transform(X), tsne.from_bytes(one["plane"], 2)
    assert one["seen"] == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-4)
    for k in range(2):
        assert abs(np.corrcoef(want[:, k], got[:, k])[0, 1]) > 0.9999
    assert tsne.plane(np.arange(6.0)[:, None])[1] == 1  # one dimension: the plane's second coordinate is 0
    assert not tsne.from_bytes(tsne.plane(np.arange(6.0)[:, None])[0], 2)[:, 1].any()


def test_the_sets_are_what_their_words_say():
    one, X = made("two")
    A, B = X[:50], X[50:]
    assert spread(B) / spread(A) == pytest.approx(5, rel=0.15)

    one, X = made("three")
    A, B, C = (X[np.array(one["labels"]) == c].mean(axis=0) for c in range(3))
    assert np.linalg.norm(C - B) / np.linalg.norm(A - B) == pytest.approx(5, rel=0.1)

    _, X = made("noise")
    far = np.sqrt(squared_distances(X)[np.triu_indices(len(X), 1)])
    assert far.std() < 0.12 * far.mean()  # all about equally far

    one, X = made("rings")  # ring B goes through the disc in ring A once: they are linked
    ring = X[50:]
    through = [
        (p + (q - p) * p[2] / (p[2] - q[2]))[:2]
        for p, q in zip(ring, np.roll(ring, -1, axis=0), strict=True)
        if p[2] * q[2] < 0 or p[2] == 0
    ]
    assert sum(np.linalg.norm(point) < 0.9 for point in through) == 1

    _, X = made("line")
    assert np.linalg.norm(np.diff(X, axis=0), axis=1).max() < 0.3 * np.linalg.norm(X[-1] - X[0])


def test_the_pictures_of_the_digits_are_exact():
    from sklearn.datasets import load_digits

    one, X = made("digits")
    whole, y = load_digits(return_X_y=True)
    assert all((whole[y == label] == x).all(axis=1).any() for x, label in zip(X, one["labels"], strict=True))
    assert np.bincount(one["labels"]).tolist() == [12] * 10


def test_the_arrows_of_the_words_are_equal_steps_in_the_data():
    one, X = made("words")
    assert set(one["words"]) == set(data.kingdom_words())
    for first, second in (one["arrows"][:2], one["arrows"][2:]):
        steps = [X[b] - X[a] for a, b in (first, second)]
        np.testing.assert_allclose(*steps, atol=2 * one["points"]["scale"])
        assert np.linalg.norm(steps[0]) > 1


def test_own_points_come_first_with_marks_and_words():
    X = np.random.default_rng(0).normal(size=(12, 4))
    figure = figures.TsneLive(X, labels=["x", "y", "z"] * 4, words=list("abcdefghijkl"), sets=["noise"], perplexity=5)
    own, noise = figure.state["sets"]
    assert (own["labels"], own["classes"], own["marks"]) == ([0, 1, 2] * 4, ["x", "y", "z"], ["A", "B", "C"])
    assert own["words"] == list("abcdefghijkl")
    assert noise["title"] == tsne.packed("noise")["title"]
    assert figures.TsneLive(X, sets=()).state["sets"][0]["labels"] is None


def test_the_figure_s_own_share_of_a_page_is_below_60_kb():
    figure = figures.TsneLive()
    assert len(json.dumps(figure.state)) + len(_read(figure.module)) < 60_000


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
        (lambda: figures.TsneLive(sets=["circle"]), "sets holds 'circle'; it may hold two, three, noise"),
        (lambda: figures.TsneLive(sets=[]), "sets is empty and points is None"),
        (lambda: figures.TsneLive(perplexity=1), "perplexity is 1; it must be a whole number from 2 to 50"),
        (lambda: figures.TsneLive(seed=-1), "seed is -1"),
        (lambda: figures.TsneLive(labels=["a"]), "labels or words came without points"),
        (lambda: figures.TsneLive(np.zeros(5)), r"points has shape \(5,\); it must be \(N, D\) with 5 to 200 points"),
        (lambda: figures.TsneLive(np.zeros((201, 2))), r"points has shape \(201, 2\)"),
        (lambda: figures.TsneLive(np.ones((6, 2))), "the same point everywhere"),
        (lambda: figures.TsneLive([[np.nan]] * 5), "points holds a number that is not finite"),
        (lambda: figures.TsneLive(np.eye(5), labels=["a", "b"]), "labels holds 2 names; with 5 points it must hold 5"),
        (lambda: figures.TsneLive(np.eye(5), words="abcd"), "words holds 4 names"),
        (lambda: figures.TsneLive(np.eye(5), labels="aaaaa"), "labels holds 1 different names; the figure tells 2 to"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
