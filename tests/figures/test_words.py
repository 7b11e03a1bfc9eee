"""What stands behind the figures of words: their data come from the grammar and their numbers are the package's own."""

import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab import data
from seqlab.embeddings import reference as emb
from seqlab.figures import words as room


def cells(figure):
    """The cells of a still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


# ---- the window


def test_the_still_matrix_is_the_reference_s():
    sentences = [["a", "b", "a"], ["c", "b"]]
    flat = cells(figures.CooccurrenceWindow(sentences))
    assert flat == [["a", "2", "2", "0"], ["b", "2", "0", "1"], ["c", "0", "1", "0"]]
    near = cells(figures.CooccurrenceWindow(["a b a", "c b"], weighting="harmonic"))
    assert near[0] == ["a", "1", "2", "0"]  # a and a are two apart, counted from both
    X = np.array([[2, 2, 0], [2, 0, 1], [0, 1, 0]])
    for row, want in zip(cells(figures.CooccurrenceWindow(sentences, show="ppmi")), emb.ppmi(X), strict=True):
        np.testing.assert_allclose([float(x) for x in row[1:]], want, atol=0.005)


def test_words_that_stand_alike_have_equal_rows_in_the_default_text():
    rows = {row[0]: row[1:] for row in cells(figures.CooccurrenceWindow())}
    assert rows["king"] == rows["queen"]
    assert rows["king"] != rows["dog"]
    assert {row[0] for row in cells(figures.CooccurrenceWindow())} == set(" ".join(room.SENTENCES).split())


# ---- vectors of the grammar


def test_the_persons_are_those_of_the_grammar():
    features = data.kingdom_words()
    assert set(room.PERSONS) == {word for word in features if "gender" in features[word]}
    females = [features[word]["gender"] for word in room.PERSONS[::2]]
    assert females == ["female"] * 6  # the pairs of the gender direction are next to each other
    assert set(room.OCCUPATIONS) <= set(data.KINGDOM_OCCUPATIONS)


def test_the_expected_rows_are_those_of_very_many_sentences():
    words, exact = room.counted(drawn=False)
    ids = {word: i for i, word in enumerate(words)}
    sentences = [np.array([ids[word] for word in sentence]) for sentence in data.kingdom(60_000, seed=3)]
    drawn = emb.unit(emb.ppmi(emb.cooccurrence(sentences, len(words), 5)).toarray())
    own = [words.index(word) for word in room.PERSONS]
    assert emb.cosine_similarity(exact[own], drawn[own]).min() > 0.98
    few, rows = room.counted(drawn=True)
    assert set(few) == set(words)  # a thousand sentences hold every word, and chance shows in their counts
    order = [few.index(word) for word in words]
    assert emb.cosine_similarity(exact[own], rows[order][:, order][own]).min() < 0.95


def test_the_map_places_persons_by_gender_and_rank():
    state = figures.WordMap().state
    features = data.kingdom_words()
    for word, (x, y) in zip(state["words"], state["vectors"], strict=True):
        assert (x > 0) == (features[word]["gender"] == "female")
        rank = features[word]["rank"]
        assert (y > 0.1) == (rank == "royal")
        assert (y < -0.2) == (rank == "common")
    assert np.linalg.norm(state["vectors"], axis=1).max() < state["limit"]


def test_the_still_map_names_the_neighbours():
    figure = figures.WordMap(["a", "b", "c"], [[1, 0], [2, 0.1], [-1, 0]])
    assert cells(figure)[0] == ["a", "1.00", "0.00", "b 1.00", "c -1.00", ""]


def test_fewer_coordinates_keep_every_product():
    rng = np.random.default_rng(0)
    for V, D in ((3, 50), (20, 4), (5, 5)):
        vectors = rng.normal(size=(V, D))
        small = np.array(room.compact(vectors))
        assert small.shape == (V, min(V, D))
        np.testing.assert_allclose(small @ small.T, vectors @ vectors.T, atol=1e-4)


# ---- analogies


def right(vectors, exclude):
    """Share of the grammar's questions about persons that are answered with the true word, or with an input word."""
    asked = [[room.PERSONS.index(w) for w in q] for q in data.kingdom_analogies() if set(q) <= set(room.PERSONS)]
    given = [emb.analogy(vectors, a, b, c, exclude)[0][0] for a, b, c, _ in asked]
    true = np.mean([answer == d for answer, (*_, d) in zip(given, asked, strict=True)])
    return true, np.mean([answer in inputs for answer, (*inputs, _) in zip(given, asked, strict=True)])


def test_few_sentences_answer_most_questions_only_when_the_inputs_are_left_out():
    sets = figures.AnalogyArrow().state["sets"]
    drawn, expected = (np.array(sets[name]["vectors"]) for name in ("drawn", "expected"))
    assert right(drawn, exclude=True)[0] > 0.8
    true, inputs = right(drawn, exclude=False)
    assert true < 0.3
    assert inputs > 0.7
    assert right(expected, exclude=True)[0] == right(expected, exclude=False)[0] == 1  # what the grammar promises


def test_the_still_arrow_says_what_exclusion_does():
    rows = cells(figures.AnalogyArrow())
    assert [(row[0], row[1], row[2].split()[0]) for row in rows] == [
        ("add", "no", "queen"), ("add", "yes", "king"), ("multiply", "no", "queen"), ("multiply", "yes", "king")
    ]  # fmt: skip


# ---- bias


def test_the_direction_is_the_reference_s_and_finds_the_bias_that_was_put_in():
    state = figures.DebiasSteps().state
    words, vectors, g = state["words"], np.array(state["vectors"]), np.array(state["direction"])
    np.testing.assert_allclose(g, emb.bias_direction(vectors, np.array(state["pairs"])), atol=1e-12)
    other = np.array(figures.DebiasSteps(method="difference").state["direction"])
    np.testing.assert_allclose(other, emb.bias_direction(vectors, np.array(state["pairs"]), "difference"), atol=1e-12)
    lean = {word: float(vectors[words.index(word)] @ g) for word in room.OCCUPATIONS}
    for word, share in data.KINGDOM_OCCUPATIONS.items():
        if word in lean:
            assert (lean[word] > 0) == (share > 0.5)
    assert words[state["neutral"][state["word"]]] == max(lean, key=lambda word: abs(lean[word]))
    second = np.array(state["second"])
    assert second @ g == pytest.approx(0, abs=1e-9)
    assert second @ second == pytest.approx(1)


def test_the_still_steps_end_equally_far_from_the_pair():
    for row in cells(figures.DebiasSteps()):
        lean, *_, rest, first, second = map(float, row[1:])
        assert abs(lean) > 0.03
        assert rest == 0
        assert first == second


# ---- wrong arguments

PLANE = [[1, 0], [0, 1], [1, 1], [-1, 0], [0.5, 2]]
BIAS = {"words": "abcde", "vectors": PLANE, "pairs": ["ab"], "neutral": ["c"], "equal": [("a", "d")]}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.CooccurrenceWindow("one two"), "sentences is one string; it must be a list"),
        (lambda: figures.CooccurrenceWindow([]), "the number of sentences is 0"),
        (lambda: figures.CooccurrenceWindow(["one", "two"]), "no sentence has two words"),
        (lambda: figures.CooccurrenceWindow([[str(i) for i in range(17)]]), "holds 17 words, 17 of them different"),
        (lambda: figures.CooccurrenceWindow(["a b " * 31]), "holds 62 words, 2 of them different; the figure shows"),
        (lambda: figures.CooccurrenceWindow(window=7), "window is 7; it must be a whole number from 1 to 6"),
        (lambda: figures.CooccurrenceWindow(weighting="square"), "weighting is 'square'; it must be 'flat' or 'harm"),
        (lambda: figures.CooccurrenceWindow(show="pmi"), "show is 'pmi'; it must be 'counts' or 'ppmi'"),
        (lambda: figures.WordMap(vectors=PLANE), "words and vectors come together"),
        (lambda: figures.WordMap("abc"), "words and vectors come together"),
        (lambda: figures.WordMap("abc", PLANE), r"vectors has shape \(5, 2\); with 3 words it must be \(3, 2\)"),
        (lambda: figures.WordMap("abc", np.eye(3)), r"vectors has shape \(3, 3\); with 3 words it must be \(3, 2\)"),
        (lambda: figures.WordMap("abc", [[0, np.nan]] * 3), "vectors holds a number that is not finite"),
        (lambda: figures.WordMap("ab", PLANE[:2]), "words holds 2 words; the figure shows 3 to 24"),
        (lambda: figures.WordMap(chosen="cat"), "chosen holds 'cat', which is not among the words; they are queen"),
        (lambda: figures.AnalogyArrow("abcd"), "words and vectors come together"),
        (lambda: figures.AnalogyArrow("abcde", PLANE[:4]), r"shape \(4, 2\); with 5 words it must be \(5, D\)"),
        (lambda: figures.AnalogyArrow("abcd", [[1, 0], [0, 0], [1, 1], [2, 1]]), "the vector of 'b' is 0"),
        (lambda: figures.AnalogyArrow("abcc", PLANE[:4]), "words holds 'c' more than once"),
        (lambda: figures.AnalogyArrow(c="knight"), "the question holds 'knight', which is not among the words"),
        (lambda: figures.AnalogyArrow(method="divide"), "method is 'divide'; it must be 'add' or 'multiply'"),
        (lambda: figures.DebiasSteps("abcde", PLANE), "words, vectors, pairs, neutral and equal come together"),
        (lambda: figures.DebiasSteps(**BIAS | {"pairs": [("a",)]}), r"pairs holds \('a',\); each must be a pair"),
        (lambda: figures.DebiasSteps(**BIAS | {"equal": []}), "the number of pairs in equal is 0"),
        (lambda: figures.DebiasSteps(**BIAS | {"equal": ["az"]}), "equal holds 'z', which is not among the words"),
        (lambda: figures.DebiasSteps(**BIAS | {"neutral": "x"}), "neutral holds 'x', which is not among the words"),
        (lambda: figures.DebiasSteps(method="mean"), "method is 'mean'; it must be 'pca' or 'difference'"),
        (
            lambda: figures.DebiasSteps("abcde", [[1, 0], [-1, 0], [1, 2], [1, -2], [0, 1]], ["ab"], ["e"], ["cd"]),
            "'c' and 'd' lean alike; a pair to equalise must differ along the direction",
        ),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_vectors_of_any_number_of_dimensions_are_taken():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(7, 50))
    figure = figures.AnalogyArrow("abcdefg", vectors, b="g", exclude=False, method="multiply")
    assert [figure.state[name] for name in "abc"] == [0, 6, 2]
    best = emb.analogy(vectors, 0, 6, 2, False, "multiply")[0][0]
    assert cells(figure)[3][2].startswith("abcdefg"[best])
    state = figures.DebiasSteps("abcdefg", vectors, ["ab", "cd"], ["e", "f"], ["fg"]).state
    g = np.array(state["direction"])
    want = emb.unit(vectors) @ emb.bias_direction(emb.unit(vectors), np.array([[0, 1], [2, 3]]))
    np.testing.assert_allclose(np.array(state["vectors"]) @ g, want, atol=1e-5)
