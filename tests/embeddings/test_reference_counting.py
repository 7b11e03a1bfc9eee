"""Counts against counting by hand, PMI against its definition, the SVD against another library."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from seqlab.embeddings import reference
from seqlab.embeddings.reference.counting import SMALL

SENTENCES = st.lists(st.lists(st.integers(0, 4), max_size=9), max_size=4)
TABLES = arrays(np.int64, (4, 4), elements=st.integers(0, 6)).filter(lambda X: X.any()).map(lambda X: X.astype(float))


def counted_by_hand(sentences, size, window, weighting):
    """Every word looks at every other word of its sentence."""
    X = np.zeros((size, size))
    for sentence in sentences:
        for i, word in enumerate(sentence):
            for j, other in enumerate(sentence):
                if i != j and abs(i - j) <= window:
                    X[word, other] += 1 if weighting == "flat" else 1 / abs(i - j)
    return X


def zipf(N, V, seed=0):
    return np.random.default_rng(seed).zipf(1.3, size=N) % V


def test_the_reference_needs_no_torch():
    code = "import sys, seqlab.embeddings.reference\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@given(SENTENCES, st.integers(1, 10), st.sampled_from(["flat", "harmonic"]))
def test_counts_are_those_made_by_hand_and_symmetric(sentences, window, weighting):
    X = reference.cooccurrence(sentences, 5, window, weighting)
    assert isinstance(X, sparse.csr_array)
    np.testing.assert_allclose(X.toarray(), counted_by_hand(sentences, 5, window, weighting), atol=1e-12)
    np.testing.assert_array_equal(X.toarray(), X.toarray().T)


@given(SENTENCES, st.integers(1, 4))
def test_a_wall_is_the_end_of_a_sentence(sentences, window):
    walled = [word for sentence in sentences for word in [*sentence, -1, -1]]
    want = reference.cooccurrence([np.array(sentence, dtype=int) for sentence in sentences], 5, window)
    np.testing.assert_array_equal(reference.cooccurrence(walled, 5, window).toarray(), want.toarray())


def test_one_text_is_one_sentence():
    text = zipf(60, 5)
    want = counted_by_hand([text], 5, 3, "flat")
    np.testing.assert_array_equal(reference.cooccurrence(text, 5, 3).toarray(), want)
    np.testing.assert_array_equal(reference.cooccurrence(text.tolist(), 5, 3).toarray(), want)
    assert reference.cooccurrence(text[:1], 5).nnz == reference.cooccurrence(text[:0], 5).nnz == 0


def test_a_long_text_of_many_words_is_counted_whole():
    text = zipf(200_000, 10_000)
    X = reference.cooccurrence(text, 10_000, 4)
    assert X.sum() == 2 * sum(len(text) - d for d in range(1, 5))
    word = 17
    at = np.flatnonzero(text == word)
    near = np.concatenate([text[at[(at + d >= 0) & (at + d < len(text))] + d] for d in (-4, -3, -2, -1, 1, 2, 3, 4)])
    np.testing.assert_array_equal(X[[word]].toarray()[0], np.bincount(near, minlength=10_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": [0, 5]}, "ids holds ids from 0 to 5; allowed are 0 to 4, and -1 for no word"),
        ({"ids": [0, -2]}, "ids holds ids from -2 to 0"),
        ({"ids": [0.0, 1.0]}, "ids holds float64; ids are whole numbers"),
        ({"window": 0}, "window is 0; it must be a whole number, at least 1"),
        ({"weighting": "round"}, "weighting is 'round'; it must be 'flat' or 'harmonic'"),
    ],
)
def test_what_cannot_be_counted_is_said(change, message):
    with pytest.raises(ValueError, match=message):
        reference.cooccurrence(**({"ids": [0, 1], "size": 5} | change))


def test_keep_probability_is_the_formula_of_word2vecs_program():
    counts = np.array([500, 20, 3, 0])
    ran = 1e-3 * counts.sum()  # the program's words: (sqrt(cn / (sample * all)) + 1) * (sample * all) / cn
    want = [(np.sqrt(cn / ran) + 1) * ran / cn for cn in counts[:3]]
    keep = reference.keep_probability(counts)
    np.testing.assert_allclose(keep[:3], np.minimum(want, 1), rtol=1e-12)
    assert keep[0] < keep[1] < 1
    assert keep[3] == 1


@given(arrays(np.int64, 6, elements=st.integers(0, 1000)).filter(any), st.floats(1e-6, 1.0))
def test_frequent_words_are_thinned_out_more_and_rare_ones_never(counts, t):
    keep = reference.keep_probability(counts, t)
    assert np.all((keep > 0) & (keep <= 1))
    assert np.all(np.diff(keep[np.argsort(counts)]) <= 1e-15)
    assert np.all(keep[counts <= t * counts.sum()] == 1)


def test_subsampling_keeps_the_share_that_was_asked_for_and_the_order():
    rng = np.random.default_rng(0)
    ids, keep = rng.integers(3, size=30_000), np.array([0.1, 1.0, 0.0])
    kept = reference.subsample(ids, keep, rng)
    share = np.bincount(kept, minlength=3) / np.bincount(ids)
    assert abs(share[0] - 0.1) < 4 * np.sqrt(0.1 * 0.9 / 10_000)
    np.testing.assert_array_equal(share[1:], [1, 0])
    order = reference.subsample(np.arange(1000), np.full(1000, 0.5), rng)
    assert 400 < len(order) < 600
    assert np.all(np.diff(order) > 0)


def test_subsampling_leaves_sentences_apart():
    rng = np.random.default_rng(0)
    kept = reference.subsample([np.array([0, 1]), np.array([1, 1, 0])], np.array([0.0, 1.0]), rng)
    assert [sentence.tolist() for sentence in kept] == [[1], [1, 1]]
    assert reference.subsample([0, -1, 1], np.array([1.0, 0.0]), rng).tolist() == [0, -1]


@given(TABLES)
def test_pmi_is_the_logarithm_of_the_ratio_to_chance(X):
    p = X / X.sum()
    for table in (X, sparse.csr_array(X)):
        M = reference.pmi(table)
        for i, j in np.ndindex(X.shape):
            if X[i, j] == 0:
                assert M[i, j] == -np.inf
            else:
                assert M[i, j] == pytest.approx(np.log(p[i, j] / (p[i].sum() * p[:, j].sum())), abs=1e-12)


@given(TABLES, st.sampled_from([0.0, 0.7, np.log(5)]))
def test_ppmi_is_the_positive_part_of_shifted_pmi(X, shift):
    want = np.maximum(reference.pmi(X) - shift, 0)
    np.testing.assert_allclose(reference.ppmi(X, shift), want, atol=1e-12)
    M = reference.ppmi(sparse.csr_array(X), shift)
    assert isinstance(M, sparse.csr_array)
    assert np.all(M.data > 0)
    np.testing.assert_allclose(M.toarray(), want, atol=1e-12)


def test_smoothed_contexts_have_smoothed_probabilities():
    X = np.array([[4.0, 1.0, 0.0], [3.0, 0.0, 1.0]])
    q = np.array([7.0, 1.0, 1.0]) ** 0.75
    q /= q.sum()
    want = np.zeros((2, 3))
    for i, j in [(0, 0), (0, 1), (1, 0), (1, 2)]:
        want[i, j] = max(0, np.log(X[i, j] / 9 / (X[i].sum() / 9 * q[j])))
    np.testing.assert_allclose(reference.ppmi(X, power=0.75), want, atol=1e-12)
    assert reference.ppmi(X, power=0.75)[1, 2] < reference.ppmi(X)[1, 2]  # a rare context stands out less


def test_words_that_meet_by_chance_alone_have_no_mutual_information():
    X = np.outer([1.0, 5.0, 2.0], [3.0, 1.0, 4.0])
    np.testing.assert_allclose(reference.pmi(X), 0, atol=1e-12)
    np.testing.assert_allclose(reference.ppmi(X), 0, atol=1e-12)


@pytest.mark.parametrize("function", [reference.pmi, reference.ppmi])
@pytest.mark.parametrize("X", [np.zeros((2, 2)), np.array([[1.0, -1.0]]), np.array([[np.nan, 1.0]])])
def test_a_table_that_holds_no_counts_is_refused(function, X):
    with pytest.raises(ValueError, match="X must hold finite counts, 0 or more, and at least one of them above 0"):
        function(X)
    with pytest.raises(ValueError, match=r"X has shape \(2,\); it must have shape \(V, C\)"):
        function(np.ones(2))


def some_table(V, seed=0):
    rng = np.random.default_rng(seed)
    return reference.ppmi(reference.cooccurrence(zipf(20 * V, V, seed), V)) + sparse.csr_array(np.diag(rng.random(V)))


@pytest.mark.parametrize("V", [30, SMALL + 37])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_svd_vectors_are_those_of_the_whole_decomposition(V, power):
    M, dim = some_table(V), 7
    U, s, _ = scipy.linalg.svd(M.toarray())
    want = U[:, :dim] * s[:dim] ** power
    got = reference.svd_vectors(M, dim, power)
    np.testing.assert_allclose(np.abs(np.sum(got * want, axis=0)), s[:dim] ** (2 * power), rtol=1e-6)
    np.testing.assert_allclose(got @ got.T, want @ want.T, atol=1e-6 * s[0])
    assert np.all(got[np.abs(got).argmax(axis=0), np.arange(dim)] > 0)
    np.testing.assert_array_equal(reference.svd_vectors(M, dim, power), got)


@pytest.mark.parametrize("shape", [(SMALL + 30, SMALL + 100), (SMALL + 100, SMALL + 30)])
def test_singular_values_that_lie_close_together_are_found_all_the_same(shape):
    M = sparse.random_array(shape, density=0.05, rng=np.random.default_rng(0))
    got = reference.svd_vectors(M, 3, power=1.0)
    np.testing.assert_allclose(np.linalg.norm(got, axis=0), np.linalg.svd(M.toarray())[1][:3], rtol=1e-9)


def test_all_dimensions_give_the_table_back():
    M = some_table(20).toarray()
    vectors = reference.svd_vectors(M, 20, power=1.0)
    np.testing.assert_allclose(vectors @ vectors.T, M @ M.T, atol=1e-10)


def test_a_table_of_low_rank_has_no_further_directions():
    for V in (20, SMALL + 20):
        rng = np.random.default_rng(0)
        M = rng.normal(size=(V, 2)) @ rng.normal(size=(2, V))
        vectors = reference.svd_vectors(M, 5, power=0.0)
        np.testing.assert_array_equal(vectors[:, 2:], 0)
        np.testing.assert_allclose(vectors[:, :2].T @ vectors[:, :2], np.eye(2), atol=1e-8)


def test_a_table_of_zeros_has_no_direction_and_infinities_are_refused():
    for V in (10, SMALL + 1):
        np.testing.assert_array_equal(reference.svd_vectors(sparse.csr_array((V, V)), 3), 0)
    with pytest.raises(ValueError, match="M holds numbers that are not finite; take ppmi"):
        reference.svd_vectors(reference.pmi(np.eye(3)), 2)


def test_equal_singular_values_have_a_basis_all_the_same():
    for V in (20, SMALL + 1):
        vectors = reference.svd_vectors(sparse.eye_array(V), 5)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-10)


def test_the_tables_stay_as_they_were():
    for X in (np.eye(4), sparse.csr_array(np.eye(4)), sparse.coo_array(np.eye(4))):
        reference.pmi(X), reference.ppmi(X, shift=0.1), reference.svd_vectors(X, 2)
        np.testing.assert_array_equal(X if isinstance(X, np.ndarray) else X.toarray(), np.eye(4))


@pytest.mark.parametrize("dim", [0, 4])
def test_a_number_of_dimensions_that_cannot_be_is_refused(dim):
    with pytest.raises(ValueError, match=rf"M has shape \(3, 3\) and dim is {dim}; dim must be from 1"):
        reference.svd_vectors(np.eye(3), dim)
