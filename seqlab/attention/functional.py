"""Attention as torch functions: one masked softmax, and what additive, dot-product and scaled attention build on it.

A mask says what may be attended: True. A query that may attend to nothing has weights, context and gradients of zero.
"""

import math

import torch

from seqlab.kernels import pick_backend
from seqlab.kernels.gradients import narrowed
from seqlab.kernels.measured import fastest_backend
from seqlab.shapes import check_shape

WAYS = {  # of the benchmarks -> the backend that they stand for
    "additive": {"seqlab Triton": "triton", "eager": "torch"},
    "flash": {"seqlab Triton": "triton", "eager": "torch"},
}
KERNEL_FLOATS = (torch.float32, torch.float16, torch.bfloat16)
KERNEL_WIDTH = 256  # numbers of a query or a value that a program's registers hold


def masked_softmax(scores, mask=None):
    """Turn scores into weights over what may be attended, :eq:`attention-weights`.

    The mask works before the softmax: a masked score becomes minus infinity, and its weight an exact zero.

    Parameters
    ----------
    scores : (..., Tk) floats. A score of minus infinity is masked as well.
    mask : bool, any shape that broadcasts to that of the scores, True where attention may go; or None.

    Returns
    -------
    weights : (..., Tk), rows that sum to one; a row with nothing to attend to is all zeros and gives no gradient.

    Raises
    ------
    ValueError
        when the scores are no floats, or the mask is not bool or does not broadcast.
    """
    _check_float("scores", scores)
    if mask is not None:
        _check_bool("mask", mask)
        if not _fits(mask.shape, scores.shape):
            raise ValueError(
                f"mask has shape {tuple(mask.shape)}; it must broadcast to {tuple(scores.shape)}, the shape of scores"
            )
        scores = scores.masked_fill(~mask, -math.inf)
    if scores.shape[-1] == 0:
        return scores
    empty = scores.detach().amax(-1, keepdim=True) == -math.inf
    return scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)


def additive_attention(query, key, value, v, mask=None, *, backend="auto"):
    """Let every query look at every key through one hidden layer, :eq:`additive-score`; Bahdanau et al. (2015).

    The torch form stores tanh(query + key) of every pair, (B, Tq, Tk, D); the kernel never does.

    Parameters
    ----------
    query : (B, Tq, D) queries that were multiplied with W_q.
    key : (B, Tk, D) keys that were multiplied with W_k.
    value : (B, Tk, Dv) what is summed.
    v : (D,) weights from the hidden layer to the score.
    mask : bool (B, Tk) or (B, Tq, Tk), True where attention may go; or None.
    backend : "torch", "triton", or "auto": on CUDA what was fastest where it was measured, elsewhere Triton; torch on
        the CPU and in float64.

    Returns
    -------
    context : (B, Tq, Dv), :eq:`context-vector`.
    weights : (B, Tq, Tk), :eq:`attention-weights`. Both are zero for a query that may attend to nothing.

    Raises
    ------
    ValueError
        when a shape, a data type, a device or a name does not fit.
    RuntimeError
        when the kernel's gradient is to be differentiated again.
    """
    query, key, value, v = narrowed(query, key, value, v)
    _check_floats(query=query, key=key, value=value, v=v)
    B, Tq, D = check_shape("query", query, ("B", "Tq", "D")).values()
    Tk = check_shape("key", key, (B, "Tk", D))["Tk"]
    check_shape("value", value, (B, Tk, "Dv"))
    check_shape("v", v, (D,))
    mask = _pairs(mask, B, Tq, Tk)
    sizes = {"T": Tk, "D": D, "B": B}
    if _way("additive", backend, sizes, query, key, value, v, mask) == "triton":
        from seqlab.attention import kernels

        return kernels.additive_attention(query, key, value, v, mask)
    scores = torch.tanh(query[:, :, None] + key[:, None]) @ v
    weights = masked_softmax(scores, mask)
    return weights @ value, weights


def dot_attention(query, key, value, mask=None, scale=1.0):
    """Let every query look at every key by their dot product, :eq:`dot-score`; Luong et al. (2015).

    Parameters
    ----------
    query : (B, Tq, D) queries.
    key : (B, Tk, D) keys.
    value : (B, Tk, Dv) what is summed.
    mask : bool (B, Tk) or (B, Tq, Tk), True where attention may go; or None.
    scale : factor of the scores; D ** -0.5 makes them :eq:`scaled-dot-score`.

    Returns
    -------
    context : (B, Tq, Dv), :eq:`context-vector`.
    weights : (B, Tq, Tk), :eq:`attention-weights`. Both are zero for a query that may attend to nothing.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.

    Notes
    -----
    Where the weights are not needed, `scaled_dot_product_attention` computes the context without storing them.
    """
    query, key, value = narrowed(query, key, value)
    _check_floats(query=query, key=key, value=value)
    B, Tq, D = check_shape("query", query, ("B", "Tq", "D")).values()
    Tk = check_shape("key", key, (B, "Tk", D))["Tk"]
    check_shape("value", value, (B, Tk, "Dv"))
    mask = _pairs(mask, B, Tq, Tk)
    pick_backend("torch", query, key, value, mask)
    weights = masked_softmax((query * scale) @ key.mT, mask)
    return weights @ value, weights


def local_weights(scores, p, window, gaussian=True, mask=None):
    """Weigh only the keys near a place in the source, :eq:`local-attention`; Luong et al. (2015).

    Parameters
    ----------
    scores : (B, Tq, Tk), of any score.
    p : (B, Tq) the place in the source, counted from 0, around which each query looks.
    window : how far from there it looks, both ways, in source steps; Luong et al. write D.
    gaussian : True lets the weights fall off with the distance, with a deviation of window / 2, as in the form local-p;
        the rows then sum to less than one. False leaves them as they are, as in local-m.
    mask : bool (B, Tk) or (B, Tq, Tk), True where attention may go; or None.

    Returns
    -------
    weights : (B, Tq, Tk), zero outside the window. The gradient reaches p by the Gaussian alone: the window's edge
        jumps and sends none.

    Raises
    ------
    ValueError
        when a shape or a data type does not fit, or the window is not positive.
    """
    _check_floats(scores=scores, p=p)
    B, Tq, Tk = check_shape("scores", scores, ("B", "Tq", "Tk")).values()
    check_shape("p", p, (B, Tq))
    if not window > 0:
        raise ValueError(f"window is {window}; it must be a positive number of source steps")
    mask = _pairs(mask, B, Tq, Tk)
    distance = torch.arange(Tk, device=p.device, dtype=p.dtype) - p[:, :, None]
    near = distance.detach().abs() <= window
    weights = masked_softmax(scores, near if mask is None else near & mask)
    return weights * torch.exp(-(distance**2) / (2 * (window / 2) ** 2)) if gaussian else weights


def scaled_dot_product_attention(
    query,
    key,
    value,
    attn_mask=None,
    dropout_p=0.0,
    is_causal=False,
    scale=None,
    enable_gqa=False,
    *,
    backend="auto",
):
    """Attend by scaled dot products, :eq:`scaled-dot-score`, as `torch.nn.functional.scaled_dot_product_attention`.

    Takes torch's arguments and gives its results; but a query that may attend to nothing gets a context of zeros and
    sends no gradient, whatever kind of mask said so. Vaswani et al. (2017); the kernel works in tiles,
    :eq:`online-softmax`.

    Parameters
    ----------
    query : (..., Tq, D), with the heads as the axis before Tq when there are heads.
    key : (..., Tk, D).
    value : (..., Tk, Dv).
    attn_mask : None; or bool that broadcasts to (..., Tq, Tk), True where attention may go; or floats that are added
        to the scores, minus infinity where it may not.
    dropout_p : probability with which each weight is dropped; as in torch, whether a module trains or not. It has no
        kernel.
    is_causal : True lets query i see keys 0 to i, counted from the first for both, also when Tq differs from Tk. It
        excludes `attn_mask`.
    scale : factor of the scores; None for D ** -0.5.
    enable_gqa : True lets key and value have fewer heads than the query: each of theirs serves the same number of
        query heads, side by side (Ainslie et al. 2023).
    backend : "torch", "triton" (tiles; no (Tq, Tk) array is stored), or "auto": on CUDA what was fastest where it was
        measured, elsewhere Triton; torch on the CPU, in float64, with dropout, and where the mask needs a gradient.

    Returns
    -------
    context : (..., Tq, Dv).

    Raises
    ------
    ValueError
        when a shape, a data type, a device or a name does not fit, `is_causal` comes with a mask, or Triton is asked
        for dropout or for the gradient of a mask.
    RuntimeError
        when the kernel's gradient is to be differentiated again.
    """
    query, key, value = narrowed(query, key, value)
    _check_floats(query=query, key=key, value=value)
    shared, shared_value = _shared_heads(query, key, value, enable_gqa)
    lead = _check_heads(query, shared, shared_value)
    Tq, Tk, D, Dv = query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1]
    _check_attn_mask(attn_mask, (*lead, Tq, Tk), is_causal)
    if not 0 <= dropout_p < 1:
        raise ValueError(f"dropout_p is {dropout_p}; it must be a probability, 0 <= dropout_p < 1")
    scale = (D**-0.5 if D else 1.0) if scale is None else scale
    heads = {"H": lead[-1] if lead else 1, "B": math.prod(lead[:-1])}
    sizes = {"T": Tk, "D": D, **heads, "pairs": "causal" if is_causal else "all"}
    refusal = _no_kernel(dropout_p, attn_mask, D, Dv)
    way = _way("flash", backend, sizes, query, key, value, attn_mask, refusal=refusal)
    if way == "triton":
        from seqlab.attention import kernels

        if not enable_gqa:  # it takes fewer heads of key and value, and nothing else that must broadcast
            query, key, value = (t.expand(*lead, *t.shape[-2:]) for t in (query, key, value))
        return kernels.scaled_dot_product_attention(query, key, value, attn_mask, is_causal, scale)
    if is_causal:
        attn_mask = torch.ones(Tq, Tk, dtype=torch.bool, device=query.device).tril()
    scores = (query * scale) @ shared.mT
    if attn_mask is not None and attn_mask.dtype != torch.bool:
        scores, attn_mask = scores + attn_mask.to(scores.dtype), None
    weights = masked_softmax(scores, attn_mask)
    return torch.dropout(weights, dropout_p, True) @ shared_value


def _no_kernel(dropout_p, attn_mask, D, Dv):
    """Say what of the arguments has no kernel; nothing where all have."""
    if dropout_p:
        return "dropout_p has no kernel"
    if attn_mask is not None and attn_mask.requires_grad and torch.is_grad_enabled():
        return "a mask that needs a gradient has no kernel"
    if not (1 <= D <= KERNEL_WIDTH and 1 <= Dv <= KERNEL_WIDTH):
        return f"rows of {D} and {Dv} numbers have no kernel; it takes 1 to {KERNEL_WIDTH}"
    return ""


def _shared_heads(query, key, value, enable_gqa):
    """Repeat the heads of key and value until they are as many as the query's."""
    if not enable_gqa:
        return key, value
    for name, tensor in {"query": query, "key": key, "value": value}.items():
        if tensor.ndim < 3:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; with enable_gqa it must be (..., heads, T, D)")
    heads = query.shape[-3]
    repeated = []
    for name, tensor in {"key": key, "value": value}.items():
        have = tensor.shape[-3]
        if have == 0 or heads % have:
            raise ValueError(f"{name} has {have} heads; the query's {heads} heads must be a multiple of that")
        repeated.append(tensor if have == heads else tensor.repeat_interleave(heads // have, dim=-3))
    return repeated


def _check_heads(query, key, value):
    """Give the leading axes of the result: those of the three, broadcast."""
    if query.ndim < 2:
        raise ValueError(f"query has shape {tuple(query.shape)}; it must have shape (..., Tq, D)")
    Tk, D = key.shape[-2] if key.ndim > 1 else "Tk", query.shape[-1]
    for name, tensor, last in (("key", key, ("Tk", D)), ("value", value, (Tk, "Dv"))):
        fits = tensor.ndim >= 2 and all(
            isinstance(w, str) or w == h for h, w in zip(tensor.shape[-2:], last, strict=False)
        )
        if not fits:
            text = ", ".join(map(str, last))
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; it must have shape (..., {text})")
    try:
        return torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"query, key and value have shapes {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}; "
            "their axes before the last two must be the same, or broadcast"
        ) from None


def _check_attn_mask(attn_mask, shape, is_causal):
    if attn_mask is None:
        return
    if is_causal:
        raise ValueError("attn_mask came with is_causal=True, which makes a mask of its own; leave one of them out")
    if not isinstance(attn_mask, torch.Tensor):
        raise ValueError(f"attn_mask is a {type(attn_mask).__name__}; it must be a torch tensor or None")
    if not (attn_mask.dtype == torch.bool or attn_mask.is_floating_point()):
        raise ValueError(f"attn_mask holds {attn_mask.dtype}; it must hold bool, True = attend, or floats to be added")
    if not _fits(attn_mask.shape, shape):
        raise ValueError(f"attn_mask has shape {tuple(attn_mask.shape)}; it must broadcast to {tuple(shape)}")


def _pairs(mask, B, Tq, Tk):
    """A mask of keys or of pairs, checked, as one of pairs: (B, 1, Tk) or (B, Tq, Tk)."""
    if mask is None:
        return None
    _check_bool("mask", mask)
    if tuple(mask.shape) == (B, Tk):
        return mask[:, None]
    if tuple(mask.shape) != (B, Tq, Tk):
        raise ValueError(f"mask has shape {tuple(mask.shape)}; it must have shape ({B}, {Tk}) or ({B}, {Tq}, {Tk})")
    return mask


def _fits(shape, whole):
    """Whether an array of `shape` broadcasts to `whole` without making it larger."""
    try:
        return torch.broadcast_shapes(shape, whole) == torch.Size(whole)
    except RuntimeError:
        return False


def _way(benchmark, backend, sizes, *tensors, refusal=""):
    """Choose "torch" or "triton"; `refusal` says what was asked for and has no kernel."""
    way = pick_backend(backend, *tensors)
    if backend == "triton" and refusal:
        raise ValueError(f"backend is 'triton', and {refusal}: use backend='torch' or 'auto'")
    if backend != "auto" or way == "torch":
        return way
    if refusal or tensors[0].dtype not in KERNEL_FLOATS:
        return "torch"
    wanted = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    return fastest_backend(benchmark, WAYS[benchmark], tensors[0], sizes, wanted) or way


def _check_float(name, tensor):
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}; it must be a torch tensor")
    if not tensor.is_floating_point():
        raise ValueError(f"{name} holds {tensor.dtype}; it must hold floats, {name}.float()")


def _check_floats(**tensors):
    first, like = next(iter(tensors.items()))
    for name, tensor in tensors.items():
        _check_float(name, tensor)
        if tensor.dtype != like.dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and {first} holds {like.dtype}; convert one of them")


def _check_bool(name, mask):
    if not isinstance(mask, torch.Tensor):
        raise ValueError(f"{name} is a {type(mask).__name__}; it must be a torch tensor or None")
    if mask.dtype != torch.bool:
        raise ValueError(f"{name} holds {mask.dtype}; it must hold bool, True where attention may go")
