"""Cosines, neighbours and analogies against scipy, brute force and gensim."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine

from seqlab.embeddings import reference

VECTORS = arrays(np.float64, (2, 3), elements=st.floats(-1e3, 1e3))


def random_vectors(V=40, D=6, seed=0):
    return np.random.default_rng(seed).normal(size=(V, D))


def test_cosines_are_those_of_scipy_and_broadcast():
    u, v = random_vectors(4, 5), random_vectors(4, 5, seed=1)
    want = [1 - cosine(a, b) for a, b in zip(u, v, strict=True)]
    np.testing.assert_allclose(reference.cosine_similarity(u, v), want, atol=1e-12)
    np.testing.assert_allclose(reference.cosine_similarity(u[0], v), [1 - cosine(u[0], b) for b in v], atol=1e-12)
    assert reference.cosine_similarity(u[0], v[0]).shape == ()
    assert reference.cosine_similarity(u[:, None], v[:3]).shape == (4, 3)


@given(VECTORS, st.floats(1e-150, 1e150))
def test_a_cosine_lies_between_minus_one_and_one_and_knows_no_length(pair, length):
    u, v = pair
    here = reference.cosine_similarity(u, v)
    assert -1 <= here <= 1
    assert here == reference.cosine_similarity(v, u)
    assert reference.cosine_similarity(u * length, v) == pytest.approx(here, abs=1e-9) or np.any(
        (u != 0) & (abs(u * length) < 1e-290)
    )
    assert reference.cosine_similarity(u, -v) == -here


def test_a_vector_of_zeros_is_like_nothing():
    assert reference.cosine_similarity(np.zeros(3), np.ones(3)) == 0
    assert reference.cosine_similarity(np.zeros(3), np.zeros(3)) == 0
    np.testing.assert_array_equal(reference.unit(np.array([[0.0, 0.0], [3.0, 4.0]])), [[0, 0], [0.6, 0.8]])


def test_vectors_of_different_length_are_refused():
    with pytest.raises(
        ValueError, match=r"u has shape \(3,\) and v has shape \(2, 4\); their last axes must be the same"
    ):
        reference.cosine_similarity(np.ones(3), np.ones((2, 4)))


def test_the_nearest_are_the_best_of_all():
    vectors, query = random_vectors(), random_vectors(1, 6, seed=2)[0]
    every = {i: 1 - cosine(row, query) for i, row in enumerate(vectors)}
    want = sorted(every, key=lambda i: -every[i])
    ids, cosines = reference.nearest(vectors, query, k=5)
    assert ids.tolist() == want[:5]
    np.testing.assert_allclose(cosines, [every[i] for i in want[:5]], atol=1e-12)
    ids, _ = reference.nearest(vectors, query, k=4, exclude=want[1:3])
    assert ids.tolist() == [want[0], *want[3:6]]


def test_of_equally_near_words_the_first_comes_first_and_no_more_come_than_are():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [4.0, 0.0]])
    ids, cosines = reference.nearest(vectors, np.array([3.0, 0.0]), k=9, exclude=[2])
    assert ids.tolist() == [0, 3, 1]
    np.testing.assert_array_equal(cosines, [1, 1, 0])


def test_a_parallelogram_is_completed():
    """rank and gender, added: queen = king - man + woman exactly."""
    man, woman, rank = np.array([1.0, 0.2, 0.0]), np.array([-1.0, 0.2, 0.0]), np.array([0.0, 0.3, 1.0])
    vectors = np.stack([man, woman, man + rank, woman + rank, np.ones(3), -np.ones(3)])
    for method in ("add", "multiply"):
        ids, _ = reference.analogy(reference.unit(vectors), 0, 1, 2, method=method)
        assert ids.tolist() == [3]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("exclude", [True, False])
def test_the_sum_is_the_best_of_all_words(seed, exclude):
    vectors = random_vectors(seed=seed)
    a, b, c = np.random.default_rng(seed).choice(40, size=3, replace=False)
    rows = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    query = rows[b] - rows[a] + rows[c]
    every = {x: rows[x] @ query / np.linalg.norm(query) for x in range(40) if not exclude or x not in (a, b, c)}
    want = sorted(every, key=lambda x: -every[x])[:3]
    ids, scores = reference.analogy(vectors, a, b, c, exclude=exclude, k=3)
    assert ids.tolist() == want
    np.testing.assert_allclose(scores, [every[x] for x in want], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_product_is_the_best_of_all_words(seed):
    vectors = random_vectors(seed=seed)
    a, b, c = np.random.default_rng(seed).choice(40, size=3, replace=False)
    moved = [[(2 - cosine(vectors[x], vectors[y])) / 2 for y in (a, b, c)] for x in range(40)]
    every = {x: to_b * to_c / (to_a + 0.001) for x, (to_a, to_b, to_c) in enumerate(moved) if x not in (a, b, c)}
    want = sorted(every, key=lambda x: -every[x])[:3]
    ids, scores = reference.analogy(vectors, a, b, c, method="multiply", k=3)
    assert ids.tolist() == want
    np.testing.assert_allclose(scores, [every[x] for x in want], rtol=1e-10)


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
def test_gensim_gives_the_same_answers():
    vectors = random_vectors(60, 8).astype(np.float32)
    peer = KeyedVectors(8)
    peer.add_vectors([str(i) for i in range(60)], vectors)
    for a, b, c in np.random.default_rng(3).integers(60, size=(20, 3)):
        if len({a, b, c}) < 3:
            continue
        ids, cosines = reference.analogy(vectors, a, b, c, k=4)
        want = peer.most_similar(positive=[str(b), str(c)], negative=[str(a)], topn=4)
        assert [str(i) for i in ids] == [word for word, _ in want]
        np.testing.assert_allclose(cosines, [score for _, score in want], atol=1e-5)
        ids, _ = reference.analogy(vectors, a, b, c, k=4, method="multiply")
        want = peer.most_similar_cosmul(positive=[str(b), str(c)], negative=[str(a)], topn=4)
        assert [str(i) for i in ids[:1]] == [word for word, _ in want[:1]]


def test_without_excluding_the_answer_is_often_a_word_of_the_question():
    """Nothing to be found here: the vectors are random, so whatever comes back with inputs allowed is b or c."""
    vectors = random_vectors(200, 50)
    given_back = 0
    for a, b, c in np.random.default_rng(0).integers(200, size=(50, 3)):
        given_back += reference.analogy(vectors, a, b, c, exclude=False)[0][0] in (b, c)
    assert given_back >= 45


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": 40}, "a, b, c holds ids from 1 to 40; allowed are 0 to 39"),
        ({"c": -1}, "a, b, c holds ids from -1 to 1"),
        ({"method": "divide"}, "method is 'divide'; it must be 'add' or 'multiply'"),
        ({"k": 0}, "k is 0; it must be a whole number, at least 1"),
        ({"vectors": np.zeros((3, 2), int)}, "vectors holds int64; it must hold floats"),
        ({"vectors": [[1.0]]}, "vectors is a list; it must be a NumPy array"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        reference.analogy(**({"vectors": random_vectors(), "a": 0, "b": 1, "c": 1} | arguments))
