"""Multi-head attention in NumPy, float64, forward and backward. Vaswani et al. (2017).

Weights are stored as `torch.nn.MultiheadAttention` stores them: W_in (3E, E) holds the rows that make queries, keys and
values, one below the other; a head owns E / heads neighbouring rows of each.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.attention.reference.checks import check_mask
from seqlab.attention.reference.scores import scaled_dot_score, scaled_dot_score_backward
from seqlab.attention.reference.weighting import attention_backward, attention_forward


def split_heads(x, heads):
    """Cut every vector into one part for each head, and lay the heads side by side with the sequences.

    Parameters
    ----------
    x : (B, T, E), E a multiple of heads.
    heads : how many.

    Returns
    -------
    parts : (B * heads, T, E / heads).

    Raises
    ------
    ValueError
        when the shape does not fit or E is no multiple of heads.
    """
    B, T, E = check_floats("x", x, ("B", "T", "E")).values()
    if heads < 1 or E % heads:
        raise ValueError(f"x has shape {x.shape} and heads is {heads}; its last size must be a multiple of heads")
    return x.reshape(B, T, heads, -1).swapaxes(1, 2).reshape(B * heads, T, -1)


def join_heads(parts, heads):
    """Undo `split_heads`: (B * heads, T, E / heads) to (B, T, E).

    Parameters
    ----------
    parts : (B * heads, T, E / heads).
    heads : how many.

    Returns
    -------
    x : (B, T, E).

    Raises
    ------
    ValueError
        when the shape does not fit or the first size is no multiple of heads.
    """
    rows, T, _ = check_floats("parts", parts, ("B * heads", "T", "D")).values()
    if heads < 1 or rows % heads:
        raise ValueError(f"parts has shape {parts.shape} and heads is {heads}; its first size must be a multiple of it")
    return parts.reshape(rows // heads, heads, T, -1).swapaxes(1, 2).reshape(rows // heads, T, -1)


def multihead_forward(query, key, value, W_in, b_in, W_out, b_out, heads, mask=None):
    """Attend several times side by side, each head in a space of its own, :eq:`multi-head`.

    With the same x for query, key and value it is self-attention, :eq:`self-attention`.

    Parameters
    ----------
    query : (B, Tq, E).
    key, value : (B, Tk, E).
    W_in, b_in : (3E, E) and (3E,).
    W_out, b_out : (E, E) and (E,).
    heads : how many; E must be a multiple of it.
    mask : bool (B, Tk) or (B, Tq, Tk), True where attention may go; or None.

    Returns
    -------
    output : (B, Tq, E).
    weights : (B, heads, Tq, Tk).
    cache : what `multihead_backward` needs.

    Raises
    ------
    ValueError
        when a shape does not fit or an array holds another type.
    """
    B, Tq, E = check_floats("query", query, ("B", "Tq", "E")).values()
    Tk = check_floats("key", key, (B, "Tk", E))["Tk"]
    check_floats("value", value, (B, Tk, E))
    for name, array, shape in (("W_in", W_in, (3 * E, E)), ("b_in", b_in, (3 * E,))):
        check_floats(name, array, shape)
    for name, array, shape in (("W_out", W_out, (E, E)), ("b_out", b_out, (E,))):
        check_floats(name, array, shape)
    if mask is not None:
        mask = mask[:, None] if mask.ndim == 2 else mask
        check_mask(mask, (B, Tq, Tk))
        mask = np.repeat(mask, heads, axis=0)
    inputs = (query, key, value)
    projected = (x @ W.T + b for x, W, b in zip(inputs, np.split(W_in, 3), np.split(b_in, 3), strict=True))
    q, k, v = (split_heads(x, heads) for x in projected)
    context, weights = attention_forward(scaled_dot_score(q, k), v, mask)
    joined = join_heads(context, heads)
    cache = (inputs, q, k, v, weights, joined, W_in, W_out, heads)
    return joined @ W_out.T + b_out, weights.reshape(B, heads, Tq, Tk), cache


def multihead_backward(doutput, cache):
    """Send the gradient of the output back through all heads, :eq:`multi-head`.

    Parameters
    ----------
    doutput : (B, Tq, E) gradient of the output.
    cache : the third value of `multihead_forward`.

    Returns
    -------
    gradients : dict with the keys "query", "key", "value", "W_in", "b_in", "W_out" and "b_out" and the shapes of those
        arguments. In self-attention the gradient of x is the sum of the first three.

    Raises
    ------
    ValueError
        when doutput has another shape than the output or does not hold floats.
    """
    inputs, q, k, v, weights, joined, W_in, W_out, heads = cache
    check_floats("doutput", doutput, joined.shape)
    back = attention_backward(split_heads(doutput @ W_out, heads), v, weights)
    of_heads = scaled_dot_score_backward(back["scores"], q, k) | {"v": back["value"]}
    projected = [join_heads(of_heads[name], heads) for name in "qkv"]
    of_inputs = [d @ W for d, W in zip(projected, np.split(W_in, 3), strict=True)]
    return dict(zip(("query", "key", "value"), of_inputs, strict=True)) | {
        "W_in": np.concatenate([np.einsum("bte,btd->ed", d, x) for d, x in zip(projected, inputs, strict=True)]),
        "b_in": np.concatenate([d.sum(axis=(0, 1)) for d in projected]),
        "W_out": np.einsum("bte,btd->ed", doutput, joined),
        "b_out": doutput.sum(axis=(0, 1)),
    }
