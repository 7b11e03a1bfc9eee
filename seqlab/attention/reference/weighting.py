"""From scores to weights to a context in NumPy, float64, forward and backward: masks, the notes' layers, local weights.

A mask is True where attention may go. A query that may attend to nothing has weights, context and gradients of zero.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.attention.reference.checks import check_mask
from seqlab.shapes import check_shape


def masked_softmax(scores, mask=None):
    """Turn scores into weights over what may be attended, :eq:`attention-weights`.

    Parameters
    ----------
    scores : (..., Tk). A score of minus infinity is masked as well.
    mask : bool, a shape that broadcasts to that of the scores, True where attention may go; or None.

    Returns
    -------
    weights : (..., Tk) rows that sum to one, or are all zeros where a row has nothing to attend to.

    Raises
    ------
    ValueError
        when a shape does not fit or an array holds another type.
    """
    check_floats("scores", scores)
    check_mask(mask, scores.shape)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(top == -np.inf, 0, top))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def masked_softmax_backward(dweights, weights):
    """Send the gradient of the weights back to the scores, :eq:`attention-gradient`.

    What was masked has weight 0, and so gets 0.

    Parameters
    ----------
    dweights : (..., Tk) gradient of the weights.
    weights : (..., Tk) what `masked_softmax` gave.

    Returns
    -------
    dscores : (..., Tk).

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    check_floats("weights", weights)
    check_floats("dweights", dweights, weights.shape)
    mean = (weights * dweights).sum(axis=-1, keepdims=True)
    return weights * (dweights - mean)


def attention_forward(scores, value, mask=None):
    """Attend: weights from scores, and with them the weighted sum of the values.

    Parameters
    ----------
    scores : (B, Tq, Tk), of any of the scores.
    value : (B, Tk, Dv).
    mask : bool that broadcasts to (B, Tq, Tk), True where attention may go, ``mask[:, None]`` for one of keys; or None.

    Returns
    -------
    context : (B, Tq, Dv), :eq:`context-vector`.
    weights : (B, Tq, Tk), :eq:`attention-weights`.

    Raises
    ------
    ValueError
        when a shape does not fit or an array holds another type.
    """
    B, _, Tk = check_floats("scores", scores, ("B", "Tq", "Tk")).values()
    check_floats("value", value, (B, Tk, "Dv"))
    weights = masked_softmax(scores, mask)
    return np.einsum("bij,bjd->bid", weights, value), weights


def attention_backward(dcontext, value, weights, dweights=None):
    """Send the gradient of a context back to the scores and the values, :eq:`attention-gradient`.

    Parameters
    ----------
    dcontext : (B, Tq, Dv) gradient of the context.
    value, weights : (B, Tk, Dv) and (B, Tq, Tk), of `attention_forward`.
    dweights : (B, Tq, Tk) gradient that reaches the weights from elsewhere; None for none.

    Returns
    -------
    gradients : dict with the keys "scores" and "value" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    B, Tq, Tk = check_floats("weights", weights, ("B", "Tq", "Tk")).values()
    Dv = check_floats("value", value, (B, Tk, "Dv"))["Dv"]
    check_floats("dcontext", dcontext, (B, Tq, Dv))
    through_sum = np.einsum("bid,bjd->bij", dcontext, value)
    total = through_sum if dweights is None else through_sum + dweights
    return {
        "scores": masked_softmax_backward(total, weights),
        "value": np.einsum("bij,bid->bjd", weights, dcontext),
    }


def attention_weight(hs, h, mask=None):
    """Compare a decoder's state with every encoder's state: the notes' layer "attention weight".

    :eq:`dot-score`, then :eq:`attention-weights`.

    Parameters
    ----------
    hs : (B, T, H) states of the encoder.
    h : (B, H) one state of the decoder.
    mask : bool (B, T), True = real; or None.

    Returns
    -------
    a : (B, T) weights.

    Raises
    ------
    ValueError
        when a shape does not fit or an array holds another type.
    """
    B, _, H = check_floats("hs", hs, ("B", "T", "H")).values()
    check_floats("h", h, (B, H))
    return masked_softmax((hs * h[:, None]).sum(axis=2), mask)


def attention_weight_backward(da, hs, h, a):
    """Send the gradient of the weights back to both states, :eq:`attention-gradient`.

    Parameters
    ----------
    da : (B, T) gradient of the weights.
    hs, h : as in `attention_weight`.
    a : (B, T) what it gave.

    Returns
    -------
    gradients : dict with the keys "hs" and "h" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    B, T, H = check_floats("hs", hs, ("B", "T", "H")).values()
    check_floats("h", h, (B, H))
    check_floats("a", a, (B, T))
    ds = masked_softmax_backward(da, a)[:, :, None]
    return {"hs": ds * h[:, None], "h": (ds * hs).sum(axis=1)}


def weighted_sum(hs, a):
    """Mix the encoder's states by their weights: the notes' layer "weighted sum", :eq:`context-vector`.

    Parameters
    ----------
    hs : (B, T, H) states of the encoder.
    a : (B, T) weights.

    Returns
    -------
    c : (B, H) context.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    B, T, _ = check_floats("hs", hs, ("B", "T", "H")).values()
    check_floats("a", a, (B, T))
    return (hs * a[:, :, None]).sum(axis=1)


def weighted_sum_backward(dc, hs, a):
    """Send the gradient of the context back to states and weights, :eq:`attention-gradient`.

    Parameters
    ----------
    dc : (B, H) gradient of the context.
    hs, a : as in `weighted_sum`.

    Returns
    -------
    gradients : dict with the keys "hs" and "a" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    check_floats("dc", dc, weighted_sum(hs, a).shape)
    return {"hs": a[:, :, None] * dc[:, None], "a": (hs * dc[:, None]).sum(axis=2)}


def local_centers(h, W_p, v_p, lengths):
    """Predict where in the source each query looks, :eq:`local-attention`; Luong et al. (2015), local-p.

    Parameters
    ----------
    h : (B, Tq, H) states of the decoder.
    W_p, v_p : (D, H) and (D,) weights.
    lengths : (B,) real steps S of each source.

    Returns
    -------
    p : (B, Tq) places, 0 < p < S, not whole numbers.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    return lengths[:, None] * _sigmoid(_hidden_of_center(h, W_p, v_p, lengths) @ v_p)


def local_centers_backward(dp, h, W_p, v_p, lengths):
    """Send the gradient of the places back to the states and weights, :eq:`local-attention`.

    Parameters
    ----------
    dp : (B, Tq) gradient of the places.
    h, W_p, v_p, lengths : as in `local_centers`.

    Returns
    -------
    gradients : dict with the keys "h", "W_p" and "v_p" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    hidden = _hidden_of_center(h, W_p, v_p, lengths)
    check_floats("dp", dp, h.shape[:2])
    y = _sigmoid(hidden @ v_p)
    da = dp * lengths[:, None] * y * (1 - y)  # before the sigmoid
    d_sum = da[..., None] * v_p * (1 - hidden**2)
    return {
        "h": d_sum @ W_p,
        "W_p": np.einsum("btd,bth->dh", d_sum, h),
        "v_p": np.einsum("bt,btd->d", da, hidden),
    }


def local_weights(scores, p, window, gaussian=True, mask=None):
    """Weigh only the keys near a place in the source, :eq:`local-attention`; Luong et al. (2015).

    Parameters
    ----------
    scores : (B, Tq, Tk), of any of the scores.
    p : (B, Tq) the place in the source, counted from 0, around which each query looks: of `local_centers` (the form
        local-p), or the step itself (the form local-m).
    window : how far from there it looks, both ways; Luong et al. write D.
    gaussian : True lets the weights fall off with the distance, with a deviation of window / 2, as in local-p; the
        rows then sum to less than one. False leaves them as they are, as in local-m.
    mask : bool that broadcasts to (B, Tq, Tk), True where attention may go; or None.

    Returns
    -------
    weights : (B, Tq, Tk), zero outside the window.

    Raises
    ------
    ValueError
        when a shape does not fit, an array holds another type, or the window is not positive.
    """
    weights, falloff, _ = _local(scores, p, window, gaussian, mask)
    return weights * falloff


def local_weights_backward(dweights, scores, p, window, gaussian=True, mask=None):
    """Send the gradient of local weights back to the scores and, by the Gaussian, to the places, :eq:`local-attention`.

    The edge of the window jumps and sends nothing.

    Parameters
    ----------
    dweights : (B, Tq, Tk) gradient of the weights.
    scores, p, window, gaussian, mask : as in `local_weights`.

    Returns
    -------
    gradients : dict with the keys "scores" and "p" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit, an array holds another type, or the window is not positive.
    """
    weights, falloff, distance = _local(scores, p, window, gaussian, mask)
    check_floats("dweights", dweights, scores.shape)
    dp = np.zeros_like(p)
    if gaussian:  # d falloff / d p = falloff * distance / sigma^2
        dp = (dweights * weights * falloff * distance).sum(axis=2) / (window / 2) ** 2
    return {"scores": masked_softmax_backward(dweights * falloff, weights), "p": dp}


def _local(scores, p, window, gaussian, mask):
    B, Tq, Tk = check_floats("scores", scores, ("B", "Tq", "Tk")).values()
    check_floats("p", p, (B, Tq))
    check_mask(mask, scores.shape)
    if not window > 0:
        raise ValueError(f"window is {window}; it must be a positive number of source steps")
    distance = np.arange(Tk) - p[:, :, None]
    near = np.abs(distance) <= window
    weights = masked_softmax(scores, near if mask is None else near & mask)
    falloff = np.exp(-(distance**2) / (2 * (window / 2) ** 2)) if gaussian else np.ones_like(scores)
    return weights, falloff, distance


def _hidden_of_center(h, W_p, v_p, lengths):
    B, _, H = check_floats("h", h, ("B", "Tq", "H")).values()
    D = check_floats("v_p", v_p, ("D",))["D"]
    check_floats("W_p", W_p, (D, H))
    check_shape("lengths", lengths, (B,))
    return np.tanh(h @ W_p.T)


def _sigmoid(a):
    """1 / (1 + exp(-a)), from exp(-|a|), which cannot overflow."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)
