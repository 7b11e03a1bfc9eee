"""The noise that negative samples are drawn from, and how to draw from it in no time: chapter 8."""

import numpy as np

from seqlab.embeddings.reference.checks import check_counts
from seqlab.shapes import check_shape


def noise_distribution(counts, power=0.75):
    """How likely each word is as a negative sample, :eq:`noise` (Mikolov et al. 2013).

    Parameters
    ----------
    counts : (V,) how often each word stands in the text.
    power : 1 draws words as often as they come, 0 draws all words that came alike; 0.75 lies between.

    Returns
    -------
    p : (V,) that sums to one; 0 for a word that never came.

    Raises
    ------
    ValueError
        when counts are no counts.
    """
    counts = check_counts(counts)
    p = np.where(counts > 0, (counts / counts.max()).clip(min=1e-300) ** power, 0.0)
    return p / p.sum()


def alias_table(p):
    """Cut a distribution into V equal columns of at most two words each (Walker 1977; Vose 1991).

    A draw then takes one column and one coin, however many words there are.

    Parameters
    ----------
    p : (V,) probabilities.

    Returns
    -------
    threshold : (V,) the share of column i that belongs to word i.
    alias : (V,) the word that has the rest of column i.

    Raises
    ------
    ValueError
        when p has another number of axes, a negative value, or does not sum to one.
    """
    p = np.asarray(p, dtype=float)
    V = check_shape("p", p, ("V",))["V"]
    if not ((p >= 0).all() and abs(p.sum() - 1) < 1e-6):
        raise ValueError(f"p sums to {p.sum()}; it must hold probabilities, 0 or more, that sum to 1")
    threshold, alias = p * (V / p.sum()), np.arange(V)
    poor = [i for i in range(V) if threshold[i] < 1]
    rich = [i for i in range(V) if threshold[i] >= 1]
    while poor and rich:
        i, j = poor.pop(), rich[-1]
        alias[i] = j
        threshold[j] -= 1 - threshold[i]
        if threshold[j] < 1:
            poor.append(rich.pop())
    threshold[poor + rich] = 1.0  # what is left is 1 to rounding
    return threshold, alias


def alias_draw(threshold, alias, shape, rng):
    """Draw words from an alias table: a column, then one of its two words.

    Parameters
    ----------
    threshold, alias : (V,) each, from `alias_table`.
    shape : of what is drawn, an int or a tuple.
    rng : `numpy.random.Generator`.

    Returns
    -------
    ids : of that shape.
    """
    column = rng.integers(len(alias), size=shape)
    return np.where(rng.random(shape) < threshold[column], column, alias[column])
