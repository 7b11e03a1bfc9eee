"""Bias in word vectors: find it, measure it, take it out: the equations of chapter 9.

Letters: V words, D dimensions. The steps are those of Bolukbasi et al. 2016, the association test is that of Caliskan
et al. 2017.
"""

from itertools import combinations
from math import comb

import numpy as np

from seqlab.arrays import check_floats
from seqlab.embeddings.reference.checks import check_choice, check_ids
from seqlab.embeddings.reference.vectors import cosine_similarity, unit
from seqlab.shapes import check_whole

METHODS = ("pca", "difference")


def bias_direction(vectors, pairs, method="pca"):
    """The direction in which pairs of words differ, :eq:`bias-direction`.

    Parameters
    ----------
    vectors : (V, D); the paper takes unit vectors.
    pairs : (n, 2) ids, for example of ("she", "he").
    method : "pca", the first principal component of all words of pairs after each pair's mean was taken out;
        "difference", the mean of first - second.

    Returns
    -------
    direction : (D,) of length 1, pointing from the second words to the first ones.

    Raises
    ------
    ValueError
        when a shape does not fit, an id is outside the vocabulary, the method is unknown, or the pairs do not differ.
    """
    V, _ = check_floats("vectors", vectors, ("V", "D")).values()
    pairs = check_ids("pairs", pairs, V, ("n", 2))
    check_choice("method", method, METHODS)
    difference = vectors[pairs[:, 0]] - vectors[pairs[:, 1]]
    mean = difference.mean(axis=0) if len(pairs) else np.zeros(vectors.shape[1])
    if not mean.any():
        raise ValueError("pairs have no direction: there is none, or their differences add up to 0")
    if method == "difference":
        return unit(mean)
    # Each pair's mean taken out, its words lie at plus and minus half their difference.
    direction = np.linalg.svd(difference / 2, full_matrices=False)[2][0]
    return direction if direction @ mean >= 0 else -direction


def neutralize(v, direction):
    """Take a direction out of vectors, :eq:`neutralize`: what is left stands at a right angle to it.

    Parameters
    ----------
    v : (..., D) vectors of words that should not lean to either side.
    direction : (D,); its length does not matter.

    Returns
    -------
    v : (..., D), not lengthened again.

    Raises
    ------
    ValueError
        when a shape does not fit or the direction is 0.
    """
    g = _check_direction(direction)
    check_floats("v", v, (*np.shape(v)[:-1], len(g)))
    return v - (v @ g)[..., None] * g


def equalize(u, v, direction):
    """Move a pair of words so that they differ in the direction alone, by the same amount, :eq:`equalize`.

    Parameters
    ----------
    u, v : (D,) vectors of two words such as "grandmother" and "grandfather"; brought to length 1 first.
    direction : (D,); its length does not matter.

    Returns
    -------
    u, v : (D,) each of length 1.

    Raises
    ------
    ValueError
        when a shape does not fit, the direction is 0, or both words lean alike, so that none is on a side of its own.
    """
    g = _check_direction(direction)
    check_floats("u", u, (len(g),))
    check_floats("v", v, (len(g),))
    u, v = unit(u), unit(v)
    if np.isclose(u @ g, v @ g, rtol=0, atol=1e-12):
        raise ValueError("u and v lie equally far along the direction; equalize needs one on each side of their mean")
    common = neutralize((u + v) / 2, g)
    height = np.sqrt(max(0.0, 1 - common @ common)) * np.sign(u @ g - v @ g)
    return common + height * g, common - height * g


def direct_bias(vectors, direction, c=1.0):
    """How far words that should be neutral lean, :eq:`direct-bias`: the mean of ``|cos|^c``.

    Parameters
    ----------
    vectors : (n, D) of words that should not lean.
    direction : (D,); its length does not matter.
    c : strictness; 1 takes the cosine itself, 0 counts every word that leans at all.

    Returns
    -------
    bias : from 0 (none leans) to 1.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no vector, the direction is 0, or c is negative.
    """
    g = _check_direction(direction)
    n = check_floats("vectors", vectors, ("n", len(g)))["n"]
    if n == 0 or not c >= 0:
        raise ValueError(f"vectors has {n} rows and c is {c}; a mean needs a row, and c must be 0 or more")
    lean = np.abs(cosine_similarity(vectors, g))
    return float(np.where(lean > 1e-12, lean**c, 0.0).mean())  # rounding does not lean


def association(X, Y, A, B):
    """How much more X goes with A than with B, compared to Y, :eq:`association`: the effect size of WEAT.

    Parameters
    ----------
    X, Y : (n, D) and (m, D) vectors of two sets of target words, for example of sciences and of arts.
    A, B : (k, D) and (l, D) vectors of two sets of attributes, for example of male and of female words.

    Returns
    -------
    effect : difference of the mean associations in (population) standard deviations of all of them; positive when X
        goes with A. Between -2 and 2 where X and Y are of one size.

    Raises
    ------
    ValueError
        when a shape does not fit, a set is empty, or all words are associated alike.
    """
    x, y = _associations(X, Y, A, B)
    spread = np.concatenate([x, y]).std()
    if not spread > 0:
        raise ValueError("all words of X and Y are associated alike; there is no spread to measure an effect in")
    return float((x.mean() - y.mean()) / spread)


def association_p(X, Y, A, B, rng, samples=10_000):
    """How often words dealt at random into two sets would go with A and B as much as X and Y do, one-sided.

    Parameters
    ----------
    X, Y, A, B : as in `association`.
    rng : `numpy.random.Generator`.
    samples : how many deals to try. When there are no more deals than this, each is taken once and p is exact;
        otherwise the deal that was seen counts as one of the samples, so that p is never 0.

    Returns
    -------
    p : share of the deals whose difference of means is at least that of X and Y.

    Raises
    ------
    ValueError
        when a shape does not fit, a set is empty, or samples is below 1.
    """
    check_whole("samples", samples)
    x, y = _associations(X, Y, A, B)
    both, n = np.concatenate([x, y]), len(x)
    if comb(len(both), n) <= samples:
        deals = np.array(list(combinations(range(len(both)), n)))
    else:
        deals = np.concatenate([np.arange(n)[None], rng.permuted(_rows(samples, len(both)), axis=1)[:, :n]])
    # The sum over X decides alone: the sum over both sets is the same in every deal.
    sums = both[deals].sum(axis=1)
    return float(np.mean(sums >= x.sum() - 1e-12 * np.abs(both).sum()))


def _rows(samples, size):
    return np.tile(np.arange(size), (samples, 1))


def _associations(X, Y, A, B):
    """Mean cosine with A less mean cosine with B, for each word of X and of Y."""
    D = np.shape(X)[-1]
    for name, vectors in {"X": X, "Y": Y, "A": A, "B": B}.items():
        if check_floats(name, vectors, ("n", D))["n"] == 0:
            raise ValueError(f"{name} holds no vector; each of the four sets needs one")
    lean = unit(A).mean(axis=0) - unit(B).mean(axis=0)
    return unit(X) @ lean, unit(Y) @ lean


def _check_direction(direction):
    check_floats("direction", direction, ("D",))
    if not direction.any():
        raise ValueError("direction is 0; it points nowhere")
    return unit(direction)
