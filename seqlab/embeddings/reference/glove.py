"""GloVe: vectors whose products are the logarithms of counts, and AdaGrad: the equations of chapter 9.

Letters: V words, D dimensions, n counts that are not 0.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.embeddings.reference.checks import check_ids
from seqlab.embeddings.reference.losses import embedding_backward


def glove_weight(x, x_max=100, alpha=0.75):
    """How much a count matters, :eq:`glove-weight`: (x / x_max)^alpha up to x_max, then 1 (Pennington et al. 2014).

    Parameters
    ----------
    x : counts, any shape, 0 or more.
    x_max : count from which on all matter alike.
    alpha : how fast the weight grows before it.

    Returns
    -------
    f : weights of the same shape, 0 where the count is 0, at most 1.

    Raises
    ------
    ValueError
        when a count is negative, or x_max or alpha is not above 0.
    """
    x = np.asarray(x, dtype=float)
    if not (x >= 0).all():
        raise ValueError("x must hold counts, 0 or more")
    if not (x_max > 0 and alpha > 0):
        raise ValueError(f"x_max is {x_max} and alpha is {alpha}; both must be above 0")
    return np.minimum(x / x_max, 1.0) ** alpha


def glove_loss(W, U, b, c, rows, columns, x, x_max=100, alpha=0.75):
    """The weighted squared error of log counts, :eq:`glove`: f(x) (w . u + b + c - log x)^2.

    Parameters
    ----------
    W, U : (V, D) vectors of words and of contexts.
    b, c : (V,) biases of words and of contexts.
    rows, columns : (n,) ids of the word and of the context of each count.
    x : (n,) counts, above 0.
    x_max, alpha : as in `glove_weight`.

    Returns
    -------
    loss : (n,).
    gradients : of the sum of the losses, dict with the keys "W", "U", "b" and "c".

    Raises
    ------
    ValueError
        when a shape does not fit, an id is outside the vocabulary, or a count is not above 0.
    """
    V, D = check_floats("W", W, ("V", "D")).values()
    check_floats("U", U, ("V", D))
    check_floats("b", b, (V,))
    check_floats("c", c, (len(U),))
    n = check_floats("x", x, ("n",))["n"]
    rows, columns = check_ids("rows", rows, V, (n,)), check_ids("columns", columns, len(U), (n,))
    if not (x > 0).all():
        raise ValueError("x must hold counts above 0; a pair that never met has no logarithm and weighs nothing")
    f = glove_weight(x, x_max, alpha)
    w, u = W[rows], U[columns]
    difference = (w * u).sum(axis=1) + b[rows] + c[columns] - np.log(x)
    d = 2 * f * difference
    gradients = {
        "W": embedding_backward(d[:, None] * u, rows, V),
        "U": embedding_backward(d[:, None] * w, columns, len(U)),
        "b": np.bincount(rows, d, V),
        "c": np.bincount(columns, d, len(U)),
    }
    return f * difference**2, gradients


def adagrad_step(w, g, total, lr):
    """One step of AdaGrad, :eq:`adagrad`: what has moved much moves less (Duchi et al. 2011).

    The gradient's square is added first, then the step is divided by the root of the new total. GloVe's program
    starts every total at 1, so that the first steps are not of full size for every gradient, however small.

    Parameters
    ----------
    w : weights, any shape.
    g : their gradient.
    total : sum of the squares of all gradients so far; 1 at the start.
    lr : learning rate.

    Returns
    -------
    w, total : new arrays.
    """
    total = total + g**2
    return w - lr * g / np.sqrt(total), total
