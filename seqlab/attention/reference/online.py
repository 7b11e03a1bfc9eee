"""Softmax in one pass, and attention in tiles, in NumPy, float64: what the flash kernel does, loop by loop.

The axes before the last two (sequences, heads) ride along. Milakov and Gimelshein (2018), Dao et al. (2022).
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.attention.reference.checks import check_mask
from seqlab.shapes import check_whole


def online_softmax(scores, value, block=1):
    """Compute softmax(scores) @ value while the scores pass by in blocks, :eq:`online-softmax`.

    Parameters
    ----------
    scores : (..., Tq, Tk). Minus infinity is masked.
    value : (..., Tk, Dv).
    block : keys at a time.

    Returns
    -------
    context : (..., Tq, Dv); zeros where a row is masked whole.
    logsumexp : (..., Tq) log of the sum of exp(scores): minus infinity where a row is masked whole.
    steps : list with a triple for every block, as it stood after it: the largest score so far m (..., Tq), the sum l of
        exp(score - m) so far (..., Tq), and the sum of exp(score - m) value so far (..., Tq, Dv).

    Raises
    ------
    ValueError
        when a shape does not fit, an array does not hold floats, or block is below 1.
    """
    check_floats("scores", scores)
    check_floats("value", value)
    Tk = scores.shape[-1]
    if value.shape != (*scores.shape[:-2], Tk, *value.shape[-1:]):
        text = ", ".join(map(str, (*scores.shape[:-2], Tk, "Dv")))
        raise ValueError(f"value has shape {value.shape}; it must have shape ({text})")
    check_whole("block", block)
    state = _nothing_yet(scores.shape[:-1], value.shape[-1], np.result_type(scores, value))
    steps = []
    for start in range(0, Tk, block):
        here = slice(start, start + block)
        state = _absorb(state, scores[..., here], value[..., here, :])
        steps.append(state)
    return *_finish(state), steps


def flash_forward(q, k, v, block, causal=False, mask=None, scale=None):
    """Attend tile by tile: no array of scores is ever larger than a tile, :eq:`online-softmax`.

    Parameters
    ----------
    q : (..., Tq, D).
    k : (..., Tk, D).
    v : (..., Tk, Dv).
    block : rows and columns of a tile: one number, or a pair (queries, keys).
    causal : True lets query i see keys 0 to i, counted from the first for both.
    mask : bool that broadcasts to (..., Tq, Tk), True where attention may go; or None. It goes with `causal`.
    scale : None for 1 / sqrt(D), or the factor of the scores.

    Returns
    -------
    context : (..., Tq, Dv).
    logsumexp : (..., Tq) all that the backward pass needs of the softmax.

    Raises
    ------
    ValueError
        when a shape does not fit, an array holds another type, or a block is below 1.
    """
    scale, mask = _check(q, k, v, block, mask, scale)
    context = np.empty((*q.shape[:-1], v.shape[-1]), np.result_type(q, k, v))
    logsumexp = np.empty(q.shape[:-1], context.dtype)
    for rows, tiles in _tiles(q.shape[-2], k.shape[-2], block, causal):
        state = _nothing_yet(logsumexp[..., rows].shape, v.shape[-1], context.dtype)
        for columns in tiles:
            s = _tile_scores(q, k, rows, columns, causal, mask, scale)
            state = _absorb(state, s, v[..., columns, :])
        context[..., rows, :], logsumexp[..., rows] = _finish(state)
    return context, logsumexp


def flash_backward(dcontext, q, k, v, context, logsumexp, block, causal=False, mask=None, scale=None):
    """Send the gradient of a context back, tile by tile; the weights are computed again, :eq:`flash-backward`.

    Parameters
    ----------
    dcontext : (..., Tq, Dv) gradient of the context.
    q, k, v, block, causal, mask, scale : as in `flash_forward`.
    context, logsumexp : what it gave.

    Returns
    -------
    gradients : dict with the keys "q", "k" and "v" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when a shape does not fit, an array holds another type, or a block is below 1.
    """
    scale, mask = _check(q, k, v, block, mask, scale)
    check_floats("context", context, (*q.shape[:-1], v.shape[-1]))
    check_floats("dcontext", dcontext, context.shape)
    check_floats("logsumexp", logsumexp, q.shape[:-1])
    dq, dk, dv = (np.zeros(x.shape, np.result_type(q, k, v)) for x in (q, k, v))
    delta = (dcontext * context).sum(axis=-1)  # sum_j w_ij dw_ij, from what has no axis of keys
    for rows, tiles in _tiles(q.shape[-2], k.shape[-2], block, causal):
        top = logsumexp[..., rows, None]
        top = np.where(top == -np.inf, 0, top)  # a row without keys: every exp(-inf) is 0
        for columns in tiles:
            w = np.exp(_tile_scores(q, k, rows, columns, causal, mask, scale) - top)
            dw = dcontext[..., rows, :] @ v[..., columns, :].swapaxes(-1, -2)
            ds = w * (dw - delta[..., rows, None]) * scale
            dq[..., rows, :] += ds @ k[..., columns, :]
            dk[..., columns, :] += ds.swapaxes(-1, -2) @ q[..., rows, :]
            dv[..., columns, :] += w.swapaxes(-1, -2) @ dcontext[..., rows, :]
    return {"q": dq, "k": dk, "v": dv}


def _nothing_yet(rows, Dv, dtype):
    """The largest score, the sum and the weighted sum before the first key."""
    return np.full(rows, -np.inf, dtype), np.zeros(rows, dtype), np.zeros((*rows, Dv), dtype)


def _absorb(state, s, value):
    """Let a block of scores s (..., rows, columns) in: what was summed before shrinks when the maximum grows."""
    m, total, weighted = state
    higher = np.maximum(m, s.max(axis=-1))
    safe = np.where(higher == -np.inf, 0, higher)  # nothing but masked keys so far
    shrink = np.exp(m - safe)
    e = np.exp(s - safe[..., None])
    return higher, total * shrink + e.sum(axis=-1), weighted * shrink[..., None] + e @ value


def _finish(state):
    m, total, weighted = state
    alive = total > 0
    logsumexp = np.where(alive, m + np.log(np.where(alive, total, 1)), -np.inf)
    return weighted / np.where(alive, total, 1)[..., None], logsumexp


def _tiles(Tq, Tk, block, causal):
    """For each block of rows, the blocks of columns that it needs: under `causal` none that lies in its future."""
    rows_at_once, columns_at_once = _pair(block)
    for start in range(0, Tq, rows_at_once):
        rows = slice(start, min(start + rows_at_once, Tq))
        end = min(Tk, rows.stop) if causal else Tk
        yield rows, [slice(first, min(first + columns_at_once, Tk)) for first in range(0, end, columns_at_once)]


def _tile_scores(q, k, rows, columns, causal, mask, scale):
    s = (q[..., rows, :] * scale) @ k[..., columns, :].swapaxes(-1, -2)
    if causal:
        before = np.arange(columns.start, columns.stop) <= np.arange(rows.start, rows.stop)[:, None]
        s = np.where(before, s, -np.inf)
    return s if mask is None else np.where(mask[..., rows, columns], s, -np.inf)


def _check(q, k, v, block, mask, scale):
    for name, array in {"q": q, "k": k, "v": v}.items():
        check_floats(name, array)
        if array.ndim < 2:
            raise ValueError(f"{name} has shape {array.shape}; it must have shape (..., T, D)")
    Tq, D = q.shape[-2:]
    Tk = k.shape[-2]
    check_floats("k", k, (*q.shape[:-2], Tk, D))
    check_floats("v", v, (*q.shape[:-2], Tk, v.shape[-1]))
    whole = (*q.shape[:-2], Tq, Tk)
    check_mask(mask, whole)
    for name, size in zip(("block of queries", "block of keys"), _pair(block), strict=True):
        check_whole(name, size)
    return D**-0.5 if scale is None else scale, None if mask is None else np.broadcast_to(mask, whole)


def _pair(block):
    return block if isinstance(block, tuple) else (block, block)
