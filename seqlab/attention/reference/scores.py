"""How well a query fits a key: four scores in NumPy, float64, each forward and backward.

Letters: B sequences, Tq queries, Tk keys, D numbers in each. A backward function takes the gradient of the loss with
respect to the scores, then the arguments of its forward function, and gives a dict of gradients named as those.
"""

import numpy as np

from seqlab.arrays import check_floats


def dot_score(q, k):
    """Score by the dot product: how long one lies along the other, :eq:`dot-score`. Luong et al. (2015).

    Parameters
    ----------
    q : (B, Tq, D) queries.
    k : (B, Tk, D) keys.

    Returns
    -------
    s : (B, Tq, Tk) scores.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    B, _, D = check_floats("q", q, ("B", "Tq", "D")).values()
    check_floats("k", k, (B, "Tk", D))
    return np.einsum("bid,bjd->bij", q, k)


def dot_score_backward(ds, q, k):
    """Send the gradient of the scores back to queries and keys, :eq:`attention-gradient`.

    Parameters
    ----------
    ds : (B, Tq, Tk) gradient of the scores.
    q, k : as in `dot_score`.

    Returns
    -------
    gradients : dict with the keys "q" and "k" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    check_floats("ds", ds, dot_score(q, k).shape)
    return {"q": np.einsum("bij,bjd->bid", ds, k), "k": np.einsum("bij,bid->bjd", ds, q)}


def scaled_dot_score(q, k, scale=None):
    """Score by the dot product divided by the square root of D, :eq:`scaled-dot-score`. Vaswani et al. (2017).

    Parameters
    ----------
    q, k : as in `dot_score`.
    scale : None for 1 / sqrt(D), or the factor.

    Returns
    -------
    s : (B, Tq, Tk) scores.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    s = dot_score(q, k)
    return s * (q.shape[-1] ** -0.5 if scale is None else scale)


def scaled_dot_score_backward(ds, q, k, scale=None):
    """Send the gradient of the scores back to queries and keys, :eq:`attention-gradient`.

    Parameters
    ----------
    ds : (B, Tq, Tk) gradient of the scores.
    q, k, scale : as in `scaled_dot_score`.

    Returns
    -------
    gradients : dict with the keys "q" and "k" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    check_floats("ds", ds, ("B", "Tq", "Tk"))
    return dot_score_backward(ds * (q.shape[-1] ** -0.5 if scale is None else scale), q, k)


def bilinear_score(q, k, W):
    """Score by a dot product through a matrix, so that both may have another size, :eq:`bilinear-score`.

    The form that Luong et al. (2015) call general.

    Parameters
    ----------
    q : (B, Tq, Dq) queries.
    k : (B, Tk, Dk) keys.
    W : (Dq, Dk) weights.

    Returns
    -------
    s : (B, Tq, Tk) scores.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    B, _, Dq = check_floats("q", q, ("B", "Tq", "Dq")).values()
    Dk = check_floats("k", k, (B, "Tk", "Dk"))["Dk"]
    check_floats("W", W, (Dq, Dk))
    return dot_score(q @ W, k)


def bilinear_score_backward(ds, q, k, W):
    """Send the gradient of the scores back to queries, keys and matrix, :eq:`attention-gradient`.

    Parameters
    ----------
    ds : (B, Tq, Tk) gradient of the scores.
    q, k, W : as in `bilinear_score`.

    Returns
    -------
    gradients : dict with the keys "q", "k" and "W" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    check_floats("ds", ds, bilinear_score(q, k, W).shape)
    through = dot_score_backward(ds, q @ W, k)
    return {"q": through["q"] @ W.T, "k": through["k"], "W": np.einsum("bie,bid->ed", q, through["q"])}


def additive_score(q, k, W_q, W_k, v):
    """Score by a hidden layer that sees query and key, :eq:`additive-score`. Bahdanau et al. (2015).

    Parameters
    ----------
    q : (B, Tq, Dq) queries.
    k : (B, Tk, Dk) keys.
    W_q, W_k : (D, Dq) and (D, Dk) weights into the hidden layer.
    v : (D,) weights from the hidden layer to the score.

    Returns
    -------
    s : (B, Tq, Tk) scores.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    hidden = _hidden(q, k, W_q, W_k, v)
    return hidden @ v


def additive_score_backward(ds, q, k, W_q, W_k, v):
    """Send the gradient of the scores back through the hidden layer, :eq:`attention-gradient`.

    Parameters
    ----------
    ds : (B, Tq, Tk) gradient of the scores.
    q, k, W_q, W_k, v : as in `additive_score`.

    Returns
    -------
    gradients : dict with the keys "q", "k", "W_q", "W_k" and "v" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    hidden = _hidden(q, k, W_q, W_k, v)  # (B, Tq, Tk, D)
    check_floats("ds", ds, hidden.shape[:3])
    d_sum = ds[..., None] * v * (1 - hidden**2)  # of W_q q + W_k k, a vector for each pair
    of_query, of_key = d_sum.sum(axis=2), d_sum.sum(axis=1)
    return {
        "q": of_query @ W_q,
        "k": of_key @ W_k,
        "W_q": np.einsum("bid,bie->de", of_query, q),
        "W_k": np.einsum("bjd,bje->de", of_key, k),
        "v": np.einsum("bij,bijd->d", ds, hidden),
    }


def _hidden(q, k, W_q, W_k, v):
    """tanh(W_q q + W_k k) of every pair, (B, Tq, Tk, D)."""
    D = check_floats("v", v, ("D",))["D"]
    B, _, Dq = check_floats("q", q, ("B", "Tq", "Dq")).values()
    Dk = check_floats("k", k, (B, "Tk", "Dk"))["Dk"]
    check_floats("W_q", W_q, (D, Dq))
    check_floats("W_k", W_k, (D, Dk))
    return np.tanh((q @ W_q.T)[:, :, None] + (k @ W_k.T)[:, None])
