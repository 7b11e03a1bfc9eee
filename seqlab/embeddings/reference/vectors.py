"""Likeness of vectors, neighbours and analogies: the equations of chapter 7.

Letters: V words, D dimensions.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.embeddings.reference.checks import check_choice, check_ids
from seqlab.shapes import check_whole

METHODS = ("add", "multiply")
EPSILON = 1e-3  # keeps the product from dividing by 0


def unit(vectors):
    """Divide each vector by its length; a vector of zeros stays.

    Parameters
    ----------
    vectors : (..., D).

    Returns
    -------
    unit : (..., D) of length 1, or 0.
    """
    largest = np.abs(vectors).max(axis=-1, keepdims=True, initial=0)
    vectors = vectors / np.where(largest > 0, largest, 1)  # so that no square leaves the range of floats
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def cosine_similarity(u, v):
    """The cosine of the angle between vectors, :eq:`cosine`.

    Parameters
    ----------
    u, v : (..., D) vectors, or rows of vectors; the leading axes broadcast, so that one vector meets every row.

    Returns
    -------
    cosine : (...) from -1 to 1; 0 where a vector is 0.

    Raises
    ------
    ValueError
        when the last axes differ.
    """
    u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
    if u.ndim == 0 or v.ndim == 0 or u.shape[-1] != v.shape[-1]:
        raise ValueError(f"u has shape {u.shape} and v has shape {v.shape}; their last axes must be the same")
    return np.clip((unit(u) * unit(v)).sum(axis=-1), -1, 1)


def nearest(vectors, query, k=10, exclude=()):
    """The k words whose vectors point most nearly the query's way.

    Parameters
    ----------
    vectors : (V, D).
    query : (D,).
    k : how many words; fewer come back where there are fewer.
    exclude : ids that may not come back.

    Returns
    -------
    ids : (k,) the nearest first; of equally near ones the smaller id.
    cosines : (k,) :eq:`cosine`.

    Raises
    ------
    ValueError
        when a shape does not fit, k is below 1, or an excluded id is outside the vocabulary.
    """
    V, D = check_floats("vectors", vectors, ("V", "D")).values()
    check_floats("query", query, (D,))
    return _best(np.clip(unit(vectors) @ unit(query), -1, 1), k, check_ids("exclude", list(exclude), V))


def analogy(vectors, a, b, c, exclude=True, method="add", k=1):
    """Answer "a is to b as c is to ?", :eq:`analogy` and :eq:`analogy-multiply`.

    Parameters
    ----------
    vectors : (V, D); their lengths do not matter.
    a, b, c : ids.
    exclude : leave a, b and c out of the answers. Without it the answer is very often b or c itself.
    method : "add", the nearest to b - a + c (3CosAdd, Mikolov et al. 2013); "multiply", the largest
        cos(x, b) cos(x, c) / (cos(x, a) + 0.001) with cosines moved to [0, 1] (3CosMul, Levy and Goldberg 2014).
    k : how many answers.

    Returns
    -------
    ids : (k,) the best first; of equally good ones the smaller id.
    scores : (k,) cosines to b - a + c, or the quotients.

    Raises
    ------
    ValueError
        when a shape does not fit, an id is outside the vocabulary, k is below 1, or the method is unknown.
    """
    V, _ = check_floats("vectors", vectors, ("V", "D")).values()
    check_choice("method", method, METHODS)
    given = check_ids("a, b, c", [a, b, c], V, (3,))
    rows = unit(vectors)
    if method == "add":
        scores = np.clip(rows @ unit(rows[b] - rows[a] + rows[c]), -1, 1)
    else:
        to_a, to_b, to_c = (1 + rows @ rows[given].T).T / 2
        scores = to_b * to_c / (to_a + EPSILON)
    return _best(scores, k, given if exclude else [])


def _best(scores, k, exclude):
    check_whole("k", k)
    allowed = np.ones(len(scores), dtype=bool)
    allowed[exclude] = False
    ids = np.flatnonzero(allowed)
    ids = ids[np.argsort(-scores[ids], kind="stable")[:k]]
    return ids, scores[ids]
