"""Counting words that stand together, and vectors made of the counts: the equations of chapter 7.

Letters: N words of running text, V words in the vocabulary, D dimensions.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from seqlab.embeddings.reference.checks import check_choice, check_counts, check_ids
from seqlab.shapes import check_shape, check_whole

WEIGHTINGS = ("flat", "harmonic")
SMALL = 500  # up to so many rows or columns the whole decomposition is as fast as a part of it, and more exact


def cooccurrence(ids, size, window=5, weighting="flat"):
    """Count how often each word stands near each other word, :eq:`cooccurrence`.

    Parameters
    ----------
    ids : (N,) ids of the words of a text, or a list of such arrays, one for each sentence. No window reaches over the
        end of a sentence. -1 inside an array is such an end too.
    size : V, the size of the vocabulary.
    window : how many words to each side are near.
    weighting : "flat", every near word counts 1; "harmonic", a word at distance d counts 1 / d (GloVe).

    Returns
    -------
    X : (V, V) sparse and symmetric; X[i, j] counts word j near word i. A word near another of its own kind is
        counted from both.

    Raises
    ------
    ValueError
        when an id is outside the vocabulary, the window is below 1, or the weighting is unknown.
    """
    check_whole("window", window)
    check_choice("weighting", weighting, WEIGHTINGS)
    ids = check_ids("ids", _walled(ids), size, ("N",), padded=True)
    sentence = np.cumsum(ids == -1)
    X = sparse.csr_array((size, size))
    for d in range(1, min(window, len(ids) - 1) + 1):
        near = (sentence[:-d] == sentence[d:]) & (ids[:-d] != -1)
        left, right = ids[:-d][near], ids[d:][near]
        weight = np.full(len(left), 1 / d if weighting == "harmonic" else 1.0)
        X += sparse.csr_array((weight, (left, right)), shape=(size, size))
    return (X + X.T).tocsr()


def keep_probability(counts, t=1e-3):
    """How likely each word is to stay in the text, :eq:`subsampling`: frequent words are thinned out.

    This is the formula of word2vec's program, (sqrt(f / t) + 1) t / f with f the word's share of the text; the
    paper prints another one, sqrt(t / f) (Mikolov et al. 2013).

    Parameters
    ----------
    counts : (V,) how often each word stands in the text.
    t : share of the text above which a word is thinned out; smaller thins out more.

    Returns
    -------
    keep : (V,) probabilities, at most 1.

    Raises
    ------
    ValueError
        when counts are no counts, or t is not above 0.
    """
    if not t > 0:
        raise ValueError(f"t is {t}; it must be above 0")
    counts = check_counts(counts)
    f = np.where(counts > 0, counts / counts.sum(), t)  # a word that never came stays
    return np.minimum((np.sqrt(f / t) + 1) * t / f, 1.0)


def subsample(ids, keep, rng):
    """Throw words of a text away at random, each word with its own probability, :eq:`subsampling`.

    Parameters
    ----------
    ids : (N,) ids of the words of a text, or a list of such arrays, one for each sentence; -1 always stays.
    keep : (V,) how likely each word is to stay, `keep_probability`.
    rng : `numpy.random.Generator`.

    Returns
    -------
    ids : those that stay, in their order; a list when a list came.

    Raises
    ------
    ValueError
        when an id is outside the vocabulary.
    """
    if isinstance(ids, list | tuple) and len(ids) and np.ndim(ids[0]):
        return [subsample(sentence, keep, rng) for sentence in ids]
    ids = check_ids("ids", ids, len(keep), ("N",), padded=True)
    return ids[(rng.random(len(ids)) < np.asarray(keep)[ids]) | (ids == -1)]


def pmi(X):
    """Pointwise mutual information: how much more often two words meet than by chance, in nats, :eq:`pmi`.

    Parameters
    ----------
    X : (V, V) counts, dense or sparse; rows are words, columns their contexts (C of them where they are others).

    Returns
    -------
    pmi : (V, V) dense; -Inf where two words never met.

    Raises
    ------
    ValueError
        when X has another number of axes, holds a negative count, or only zeros.
    """
    X = _check_table(X)
    X = X.toarray() if sparse.issparse(X) else X
    chance = np.outer(X.sum(axis=1), X.sum(axis=0)) / X.sum()
    ratio = np.divide(X, chance, out=np.zeros_like(X), where=X > 0)
    with np.errstate(divide="ignore"):
        return np.log(ratio)


def ppmi(X, shift=0.0, power=1.0):
    """The positive part of the pointwise mutual information, :eq:`ppmi`.

    Parameters
    ----------
    X : (V, V) counts, dense or sparse; rows are words, columns their contexts (C of them where they are others).
    shift : what is taken from every value before it is cut at 0; log k for k negative samples (Levy and Goldberg 2014).
    power : the contexts' counts are raised to this power; 0.75 keeps rare contexts from standing out (Levy, Goldberg
        and Dagan 2015).

    Returns
    -------
    ppmi : (V, V) not negative; sparse when X is.

    Raises
    ------
    ValueError
        when X has another number of axes, holds a negative count, or only zeros.
    """
    X = _check_table(X)
    M = sparse.coo_array(X)
    M.sum_duplicates()
    M.eliminate_zeros()
    row, column = M.sum(axis=1), M.sum(axis=0) ** power
    chance = row[M.row] / row.sum() * column[M.col] / column.sum()
    M.data = np.maximum(np.log(M.data / M.sum() / chance) - shift, 0.0)
    M.eliminate_zeros()
    return M.tocsr() if sparse.issparse(X) else M.toarray()


def svd_vectors(M, dim, power=0.5):
    """Short vectors for the rows of a large table: U Sigma^power of its truncated SVD, :eq:`truncated-svd`.

    Parameters
    ----------
    M : (V, V) table, dense or sparse; rows are words.
    dim : D, how many dimensions to keep, at most V.
    power : of the singular values; 1 keeps the rows' lengths, 0.5 and 0 weigh the later dimensions more.

    Returns
    -------
    vectors : (V, D), the largest singular value first; the same at every call, unless singular values of a table of
        more than 500 words are equal, where any basis is as good. In each column the largest entry is positive. A
        column whose singular value is 0 is 0.

    Raises
    ------
    ValueError
        when M has another number of axes or a number that is not finite (`pmi` has them, `ppmi` does not), or dim is
        below 1 or above V.
    """
    M = (sparse.csr_array(M) if sparse.issparse(M) else np.asarray(M)).astype(float)
    if not np.isfinite(M.data if sparse.issparse(M) else M).all():
        raise ValueError("M holds numbers that are not finite; take ppmi, which has no -Inf where pmi has")
    if len(M.shape) != 2 or not 1 <= dim <= min(M.shape):
        raise ValueError(f"M has shape {M.shape} and dim is {dim}; dim must be from 1 to the smaller of two sizes")
    U, s = _largest(M, dim)
    there = s > 1e-7 * s[0]
    return U * _signs(U) * np.where(there, s, 1.0) ** power * there


def _largest(M, dim):
    """The dim largest singular values, falling, and their left vectors."""
    if min(M.shape) <= SMALL or dim == min(M.shape):
        U, s, _ = np.linalg.svd(M.toarray() if sparse.issparse(M) else M, full_matrices=False)
        return U[:, :dim], s[:dim]
    if not abs(M).max() > 0:
        return np.zeros((M.shape[0], dim)), np.zeros(dim)
    start = np.random.default_rng(0).normal(size=min(M.shape))
    U, s, _ = svds(M, k=dim, v0=start, return_singular_vectors="u")
    order = np.argsort(-s, kind="stable")
    return U[:, order], s[order]


def _signs(U):
    """+1 or -1 for each column; of entries that are equally large to rounding the first decides."""
    size = np.abs(U)
    first = np.argmax(size >= size.max(axis=0) * (1 - 1e-6), axis=0)
    return np.where(U[first, np.arange(U.shape[1])] < 0, -1.0, 1.0)


def _walled(ids):
    """Sentences behind one another with -1 between them; one array as it is."""
    if not (isinstance(ids, list | tuple) and len(ids) and np.ndim(ids[0])):
        return ids
    wall = np.array([-1])
    return np.concatenate([part for sentence in ids for part in (np.asarray(sentence), wall) if len(part)])


def _check_table(X):
    X = (X if sparse.issparse(X) else np.asarray(X)).astype(float)
    check_shape("X", X, ("V", "C"))
    values = X.data if sparse.issparse(X) else X
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError("X must hold finite counts, 0 or more, and at least one of them above 0")
    return X
