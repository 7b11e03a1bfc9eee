"""The losses and the sampling rules of chapter 4 in NumPy, float64, one function each.

Letters: B rows of scores, V words in the vocabulary. No row of scores holds a NaN.
"""

import numpy as np

from seqlab.shapes import check_shape


def softmax(z):
    """Turn scores into probabilities, :eq:`softmax`.

    Parameters
    ----------
    z : (B, V) scores.

    Returns
    -------
    p : (B, V) rows that sum to one.

    Raises
    ------
    ValueError
        when z has another number of axes, or rows of no score.

    Notes
    -----
    Subtracting the row's maximum changes nothing in exact arithmetic and keeps exp from overflowing.
    """
    _check_scores(z)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dp, p):
    """Send the gradient of probabilities back to the scores, :eq:`attention-gradient`.

    Parameters
    ----------
    dp : (B, V) gradient of the probabilities.
    p : (B, V) what `softmax` gave.

    Returns
    -------
    dz : (B, V); each row sums to zero, since a constant added to all scores of a row changes nothing.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    B, V = check_shape("p", p, ("B", "V")).values()
    check_shape("dp", dp, (B, V))
    return p * (dp - (p * dp).sum(axis=1, keepdims=True))


def cross_entropy(z, y):
    """Loss of the true words and its gradient, :eq:`cross-entropy`.

    Parameters
    ----------
    z : (B, V) scores.
    y : (B,) ids of the true words, 0 <= y < V.

    Returns
    -------
    loss : (B,) in nats.
    dz : (B, V) gradient of the *sum* of the losses.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    B, V = _check_scores(z)
    check_shape("y", y, (B,))
    if y.size and not (y.min() >= 0 and y.max() < V):
        raise ValueError(f"y holds ids from {y.min()} to {y.max()}; the vocabulary has ids 0 to {V - 1}")
    rows = np.arange(B)
    shifted = z - z.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1))
    loss = log_total - shifted[rows, y]
    dz = np.exp(shifted - log_total[:, None])
    dz[rows, y] -= 1
    return loss, dz


def perplexity(nll, tokens):
    """The number of equally likely words that would be as hard to guess, :eq:`perplexity`.

    Parameters
    ----------
    nll : summed negative log-likelihood in nats; Inf where the model ruled out what came.
    tokens : number of words that the sum runs over, at least 1.

    Returns
    -------
    perplexity : exp(nll / tokens), Inf where that is too large for a float.

    Raises
    ------
    ValueError
        when there is no token, or nll is NaN.
    """
    if not tokens >= 1:
        raise ValueError(f"tokens is {tokens}; a mean needs at least one token")
    if np.isnan(nll):
        raise ValueError("nll is NaN; look for the first loss that is not a number")
    with np.errstate(over="ignore"):
        return float(np.exp(nll / tokens))


def temperature(z, T):
    """Sharpen (T < 1) or flatten (T > 1) a distribution, :eq:`temperature`.

    Parameters
    ----------
    z : (B, V) scores.
    T : temperature, at least 0. At 0 the whole probability goes to the largest score, to the first of equals.

    Returns
    -------
    p : (B, V) probabilities.

    Raises
    ------
    ValueError
        when z has another number of axes, or T is negative.
    """
    _, V = _check_scores(z)
    if not T >= 0:
        raise ValueError(f"T is {T}; it must be 0 (greedy) or a positive number")
    if T == 0:
        return np.eye(V)[z.argmax(axis=1)]
    return softmax(z / T)


def top_k(p, k):
    """Keep the k most likely words and share their probability out again.

    Parameters
    ----------
    p : (B, V) probabilities.
    k : how many words to keep, at least 1; of equally likely words the first ones stay.

    Returns
    -------
    p : (B, V) probabilities, 0 for all other words.

    Raises
    ------
    ValueError
        when p has another number of axes, or k is below 1.
    """
    _, V = check_shape("p", p, ("B", "V")).values()
    if not k >= 1:
        raise ValueError(f"k is {k}; it must be at least 1, or nothing is left to draw")
    order = np.argsort(-p, axis=1, kind="stable")
    return _keep(p, order, np.broadcast_to(np.arange(V) < k, p.shape))


def nucleus(p, mass):
    """Keep the fewest most likely words whose probabilities reach `mass`, :eq:`nucleus`.

    Parameters
    ----------
    p : (B, V) probabilities.
    mass : probability to keep, above 0 and at most 1.

    Returns
    -------
    p : (B, V) probabilities, 0 for all other words.

    Raises
    ------
    ValueError
        when p has another number of axes, or the mass is outside (0, 1].
    """
    check_shape("p", p, ("B", "V"))
    if not 0 < mass <= 1:
        raise ValueError(f"mass is {mass}; it must be above 0 and at most 1")
    order = np.argsort(-p, axis=1, kind="stable")
    sorted_p = np.take_along_axis(p, order, axis=1)
    reached = sorted_p.cumsum(axis=1)
    before = np.pad(reached[:, :-1], ((0, 0), (1, 0)))  # a word stays as long as those before it do not suffice
    return _keep(p, order, before < mass)


def _keep(p, order, kept):
    """`kept` says of the words in `order` which stay; the others get probability 0."""
    stays = np.zeros(p.shape, dtype=bool)
    np.put_along_axis(stays, order, kept, axis=1)
    q = np.where(stays, p, 0.0)
    return q / q.sum(axis=1, keepdims=True)


def _check_scores(z):
    B, V = check_shape("z", z, ("B", "V")).values()
    if V == 0:
        raise ValueError(f"z has shape {z.shape}; every row needs at least one score")
    return B, V
