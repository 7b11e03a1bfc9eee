"""Additive attention that never stores tanh(q_t + k_s) of all queries t and keys s, :eq:`additive-score`.

    score_ts = sum_d v_d tanh(q_td + k_sd)      weights = softmax_s(score)      context = weights value

**One exponential a number, not a pair.** Since e^(2(q + k)) = e^(2q) e^(2k), both factors are made once, before::

    x = e^(2 q_td) e^(2 k_sd)       r = 1 / (1 + x)       tanh(q_td + k_sd) = 1 - 2 r       its slope = 4 x r^2

What is left for every pair and dimension is one division. Two dimensions share it, v_1 / a + v_2 / b =
(v_1 b + v_2 a) / (a b), and 1 / p is the square of 1 / sqrt(p), a single instruction: 8 instructions for two
dimensions, one of them special, and half a sum to keep the running score centred. An exponential and a division for
each would be two special ones a dimension, and a multiprocessor has one place for those where it has eight for sums.

The factors must not overflow: up to |q|, |k| = 10.7 all products stay in range. A sentence that holds a larger number,
an infinite one or a NaN takes the exponential of the sum, pair by pair; its numbers are as good, only slower.

What 64 sentences of 256 queries and 256 keys with 512 hidden units cost forward (`seqlab.attention.cost` counts it):

================================================  =======
way                                               seconds
================================================  =======
memory, where torch stores tanh of all pairs      8.01e-3
arithmetic, an exponential and a division each    1.03e-3
arithmetic, this way                              0.26e-3
================================================  =======

These are floors, what an H200 needs at 4.3 TB/s and 4.2e12 special functions a second. They are no measurement.

tanh is so known to some 1e-7 of 1, not of itself; a score enters an exponential, where nothing else counts.

- `_exponentials` writes e^(2q) and e^(2k), for the forward pass turned over, so that neighbours in memory are
  neighbours in time, and finds out which sentences hold large numbers.
- `_scores`: a program owns a tile of queries x keys and walks over D. A tile with no pair to attend to is skipped.
- `_normalise` makes weights of scores; a query that may attend to nothing gets zeros.
- The context is an ordinary product of matrices, and so are two parts of the backward pass.
- `_score_gradient` takes the gradient through the softmax.
- `_gradient`: a program owns a tile of times x dimensions and walks over the other sequence, computing tanh anew. It
  runs twice, for the queries and for the keys; in the first run it also sums its part of the gradient of v.

Memory beyond arguments and results: copies as large as query and key, and two arrays of (B, Tq, Tk). Nothing is added
by atomics: the same numbers give the same bits at every run.
"""

import torch
import torch.nn.functional as F
import triton
import triton.language as tl

from seqlab.attention.kernels.common import check_numbers
from seqlab.kernels import interpreting as interpreting
from seqlab.kernels import pick_backend, tuned
from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.shapes import check_shape

BITS = tl.constexpr(2.8853900817779268)  # 2 / ln 2: e^(2 q) = 2^(BITS q)
LARGE = tl.constexpr(31.0)  # of these; then (1 + x) (1 + x') stays below 2^125
ROW = 2048  # weights of a query that a program holds at a time
TOGETHER = 2  # dimensions that share a division
PAD = 32  # rows that are read without a mask are as long as a multiple of this
TILES = ((8, 128), (16, 128), (8, 64), (16, 32), (1, 128), (1, 32))  # a warp each, so that a thread has many pairs
SCORES = [triton.Config({"QUERIES": queries, "KEYS": keys}, num_warps=1) for queries, keys in TILES]
GRADIENT = [triton.Config({"COLS": cols}, num_warps=warps) for cols, warps in ((64, 4), (32, 2), (32, 4))]


@triton.jit
def _inverse(p, BY_ROOT: tl.constexpr):
    """1 / p; float64 has no root that is one instruction."""
    if BY_ROOT:
        r = tl.rsqrt(p)
        return r * r
    else:
        return 1.0 / p


@triton.jit
def _power(a, b):
    """2^(a + b), cut where 1 + 2^(a + b) is 2^(a + b) anyway; NaN stays NaN."""
    sum_ = a + b
    return tl.exp2(tl.where(sum_ > 100.0, 100.0, sum_))


@triton.jit
def _exponentials(
    x_ptr,  # (B, T, D)
    e_ptr,  # (B, T, D), or with more than T times, or (B, D, times): takes e^(2 x)
    wide_ptr,  # (B, programs): takes 1 where a number is large
    T,
    times,  # T, or more: what is beyond takes 1
    D,
    by_time,  # steps from one time to the next in e, and from one dimension to the next
    by_dim,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    ACC: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64)
    t = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    wide = tl.zeros([ROWS, COLS], tl.int32)
    for start in range(0, D, COLS):
        d = start + tl.arange(0, COLS)[None, :]
        a = tl.load(x_ptr + (b * T + t) * D + d, mask=(t < T) & (d < D), other=0.0).to(ACC) * BITS
        wide = tl.where(tl.abs(a) <= LARGE, wide, 1)
        e = tl.exp2(tl.maximum(tl.minimum(a, LARGE), -LARGE))
        at = b * times * D + t.to(tl.int64) * by_time + d.to(tl.int64) * by_dim
        tl.store(e_ptr + at, e, mask=(t < times) & (d < D))
    tl.store(wide_ptr + b * tl.num_programs(1) + tl.program_id(1), tl.max(tl.max(wide, axis=1), axis=0))


def _worth_scoring(configs, named_args, MOST, ACC, **others):
    """Leave out tiles of more queries than there are, and such that overflow the registers in float64.

    Up to four queries, as a decoder has, have tiles of their own.
    """
    held = {tl.float64: 512}.get(ACC, 2048)

    def worth(queries, keys):
        return queries <= min(MOST, held // 64) and queries * keys <= held and (queries == 1) == (MOST <= 4)

    return [c for c in configs if worth(c.kwargs["QUERIES"], c.kwargs["KEYS"])]


@tuned(SCORES, key=["MOST", "D", "ACC"], prune=_worth_scoring)
@triton.jit
def _scores(
    q_ptr,  # (B, Tq, D)
    k_ptr,  # (B, Tk, D)
    eq_ptr,  # (B, D, queries): e^(2 q)
    ek_ptr,  # (B, D, keys)
    v_ptr,  # (D,)
    mask_ptr,  # (B, Tq, Tk) with the steps below, or anything
    wide_ptr,  # (B,): 1 for a sentence with large numbers
    score_ptr,  # (B, Tq, Tk)
    Tq,
    Tk,
    D,
    queries,  # Tq and Tk rounded up to multiples of PAD
    keys,
    mask_b,
    mask_q,
    mask_k,
    MOST: tl.constexpr,  # Tq rounded up to a power of two, at most 64
    MASKED: tl.constexpr,
    ACC: tl.constexpr,
    BY_ROOT: tl.constexpr,
    QUERIES: tl.constexpr,
    KEYS: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)[:, None]
    j = tl.program_id(2) * KEYS + tl.arange(0, KEYS)[None, :]
    inside = (i < Tq) & (j < Tk)
    may = inside
    if MASKED:
        at = b * mask_b + i.to(tl.int64) * mask_q + j.to(tl.int64) * mask_k
        may = may & (tl.load(mask_ptr + at, mask=inside, other=0) != 0)
    acc = tl.zeros([QUERIES, KEYS], ACC)  # sum of v_d (r_d - 1/2)
    if tl.max(tl.max(may.to(tl.int32), axis=1), axis=0) > 0:
        if tl.load(wide_ptr + b) == 0:
            eq, ek = eq_ptr + b * D * queries + i, ek_ptr + b * D * keys + j
            for d in range(0, D - 1, 2):  # TOGETHER
                v1, v2 = tl.load(v_ptr + d).to(ACC), tl.load(v_ptr + d + 1).to(ACC)
                q1, q2 = tl.load(eq), tl.load(eq + queries)
                k1, k2 = tl.load(ek, mask=j < keys, other=0.0), tl.load(ek + keys, mask=j < keys, other=0.0)
                p1, p2 = q1 * k1 + 1.0, q2 * k2 + 1.0
                acc = (acc - 0.5 * (v1 + v2)) + (v1 * p2 + v2 * p1) * _inverse(p1 * p2, BY_ROOT)
                eq += 2 * queries
                ek += 2 * keys
            if D % 2:
                v = tl.load(v_ptr + D - 1).to(ACC)
                p = tl.load(eq) * tl.load(ek, mask=j < keys, other=0.0) + 1.0
                acc = (acc - 0.5 * v) + v * _inverse(p, BY_ROOT)
        else:
            q, k = q_ptr + (b * Tq + tl.minimum(i, Tq - 1)) * D, k_ptr + (b * Tk + j) * D
            for d in range(D):
                v = tl.load(v_ptr + d).to(ACC)
                a = tl.load(q + d).to(ACC) * BITS
                x = _power(a, tl.load(k + d, mask=j < Tk, other=0.0).to(ACC) * BITS)
                acc = (acc - 0.5 * v) + v * _inverse(x + 1.0, BY_ROOT)
    score = tl.where(may, -2.0 * acc, float("-inf"))
    tl.store(score_ptr + (b * Tq + i) * Tk + j, score, mask=inside)


@triton.jit
def _normalise(
    score_ptr,  # (rows, Tk)
    weight_ptr,  # (rows, Tk); may be the scores
    Tk,
    BLOCK: tl.constexpr,
    ACC: tl.constexpr,
):
    here = tl.program_id(0).to(tl.int64) * Tk
    col = tl.arange(0, BLOCK)
    top = tl.full([], float("-inf"), ACC)
    total = tl.zeros([BLOCK], ACC)
    for start in range(0, Tk, BLOCK):
        s = tl.load(score_ptr + here + start + col, mask=start + col < Tk, other=float("-inf"))
        higher = tl.maximum(top, tl.max(s, axis=0))
        shift = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp(top - shift) + tl.exp(s - shift)
        top = higher
    shift = tl.where(top == float("-inf"), 0.0, top)
    whole = tl.sum(total, axis=0)
    whole = tl.where(whole == 0, 1.0, whole)  # nothing to attend to
    for start in range(0, Tk, BLOCK):
        s = tl.load(score_ptr + here + start + col, mask=start + col < Tk, other=float("-inf"))
        weight = tl.exp(s - shift) / whole
        tl.store(weight_ptr + here + start + col, weight.to(weight_ptr.dtype.element_ty), mask=start + col < Tk)


@triton.jit
def _score_gradient(
    weight_ptr,  # (rows, Tk)
    dw_ptr,  # (rows, Tk): gradient of the weights
    ds_ptr,  # (rows, keys): takes that of the scores, and zeros beyond Tk
    Tk,
    keys,
    BLOCK: tl.constexpr,
    ACC: tl.constexpr,
):
    here = tl.program_id(0).to(tl.int64) * Tk
    col = tl.arange(0, BLOCK)
    common = tl.zeros([BLOCK], ACC)
    for start in range(0, Tk, BLOCK):
        at, inside = here + start + col, start + col < Tk
        w = tl.load(weight_ptr + at, mask=inside, other=0.0).to(ACC)
        common += tl.where(w == 0, 0.0, w * tl.load(dw_ptr + at, mask=inside, other=0.0).to(ACC))
    mean = tl.sum(common, axis=0)
    there = tl.program_id(0).to(tl.int64) * keys
    for start in range(0, keys, BLOCK):
        at, inside = here + start + col, start + col < Tk
        w = tl.load(weight_ptr + at, mask=inside, other=0.0).to(ACC)
        dw = tl.load(dw_ptr + at, mask=inside, other=0.0).to(ACC)
        tl.store(ds_ptr + there + start + col, tl.where(w == 0, 0.0, w * (dw - mean)), mask=start + col < keys)


@tuned(GRADIENT, key=["ROWS", "D", "ACC", "OF_V"])
@triton.jit
def _gradient(
    x_ptr,  # (B, T, D): the sequence whose gradient is wanted
    y_ptr,  # (B, S, D): the other one
    ex_ptr,  # (B, T, D): e^(2 x)
    ey_ptr,  # (B, S, D)
    ds_ptr,  # (B, S, times): gradient of the scores, zeros beyond T
    v_ptr,  # (D,)
    wide_ptr,  # (B,)
    dx_ptr,  # (B, T, D)
    part_ptr,  # (B, ceil(T / ROWS), D), or anything: takes what each program adds to the gradient of v
    T,
    S,
    D,
    times,
    ROWS: tl.constexpr,
    OF_V: tl.constexpr,
    ACC: tl.constexpr,
    BY_ROOT: tl.constexpr,
    COLS: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64)
    t = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    d = tl.program_id(2) * COLS + tl.arange(0, COLS)[None, :]
    inside = (t < T) & (d < D)
    own = (b * T + t) * D + d
    total, slope = tl.zeros([ROWS, COLS], ACC), tl.zeros([ROWS, COLS], ACC)
    ds, y = ds_ptr + b * S * times + t, b * S * D + d
    if tl.load(wide_ptr + b) == 0:
        ex = tl.load(ex_ptr + own, mask=inside, other=0.0)
        for _ in range(S):
            g = tl.load(ds)
            x = ex * tl.load(ey_ptr + y, mask=d < D, other=0.0)
            r = _inverse(x + 1.0, BY_ROOT)
            total += g * (x * r * r)
            if OF_V:
                slope += g * (0.5 - r)
            ds += times
            y += D
    else:
        a = tl.load(x_ptr + own, mask=inside, other=0.0).to(ACC) * BITS
        for _ in range(S):
            g = tl.load(ds)
            x = _power(a, tl.load(y_ptr + y, mask=d < D, other=0.0).to(ACC) * BITS)
            x = tl.where(g == 0, 0.0, x)  # nobody attends to it, whatever it is
            r = _inverse(x + 1.0, BY_ROOT)
            total += g * (x * r * r)
            if OF_V:
                slope += g * (0.5 - r)
            ds += times
            y += D
    v = tl.load(v_ptr + d, mask=d < D, other=0.0).to(ACC)
    tl.store(dx_ptr + own, (4.0 * v * total).to(dx_ptr.dtype.element_ty), mask=inside)
    if OF_V:
        part = 2.0 * tl.sum(slope, axis=0)[None, :]
        tl.store(part_ptr + (b * tl.num_programs(1) + tl.program_id(1)) * D + d, part, mask=d < D)


def numbers(dtype):
    """Choose the type of sums, and how to invert; the compile tests read the same plan as the launch."""
    return {"ACC": tl.float64 if dtype == torch.float64 else tl.float32, "BY_ROOT": dtype != torch.float64}


def additive_attention(query, key, value, v, mask=None):
    """Attend by one hidden layer, :eq:`additive-score`; Bahdanau et al. (2015).

    Sums are in float32 (float64 for float64), whatever the type of the arguments.

    Parameters
    ----------
    query : (B, Tq, D) queries that were multiplied with W_q; float32, bfloat16, float16 or float64.
    key : (B, Tk, D) keys that were multiplied with W_k.
    value : (B, Tk, Dv) what is summed.
    v : (D,) weights from the hidden layer to the score.
    mask : bool (B, Tk), (B, 1, Tk) or (B, Tq, Tk), True where attention may go; or None.

    Returns
    -------
    context : (B, Tq, Dv).
    weights : (B, Tq, Tk). Both are zero for a query that may attend to nothing, and it sends no gradient. Gradients
        that come in for either are taken back.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when the gradient is to be differentiated again, or a kernel cannot run here, see
        `seqlab.kernels.require_triton`.
    """
    B, Tq, D = check_shape("query", query, ("B", "Tq", "D")).values()
    Tk = check_shape("key", key, (B, "Tk", D))["Tk"]
    check_shape("value", value, (B, Tk, "Dv"))
    check_shape("v", v, (D,))
    check_numbers(query=query, key=key, value=value, v=v)
    if mask is not None:
        mask = _pairs(mask, B, Tq, Tk)
        pick_backend("triton", query, mask)
    return _Additive.apply(query, key, value, v, mask)


def _pairs(mask, B, Tq, Tk):
    """A mask as one of pairs; of one row for all queries no copies are made."""
    if mask.dtype != torch.bool:
        raise ValueError(f"mask holds {mask.dtype}; it must hold bool, True where attention may go")
    shape = tuple(mask.shape)
    if shape == (B, Tk):
        mask = mask[:, None]
    elif shape not in ((B, 1, Tk), (B, Tq, Tk)):
        raise ValueError(f"mask has shape {shape}; it must have shape ({B}, {Tk}) or ({B}, {Tq}, {Tk})")
    return mask.expand(B, Tq, Tk)


class _Additive(torch.autograd.Function):
    """Scores and weights by kernels, the sum by torch."""

    @staticmethod
    def forward(ctx, query, key, value, v, mask):
        query, key, v = query.contiguous(), key.contiguous(), v.contiguous()
        weights = _weights(query, key, v, mask)
        ctx.save_for_backward(query, key, value, v, weights)
        ctx.set_materialize_grads(False)
        return weights @ value, weights

    @staticmethod
    def backward(ctx, d_context, d_weights):
        refuse_second_derivative()
        query, key, value, v, weights = ctx.saved_tensors
        if d_context is None and d_weights is None:
            return None, None, None, None, None
        d_value = None
        if d_context is not None:
            d_value = weights.mT @ d_context
            through = d_context @ value.mT
            d_weights = through if d_weights is None else through + d_weights
        d_query, d_key, d_v = _gradients(query, key, v, weights, d_weights.contiguous())
        return d_query, d_key, d_value, d_v, None


def _weights(query, key, v, mask):
    B, Tq, D = query.shape
    Tk = key.shape[1]
    constants = numbers(query.dtype)
    weights = torch.empty(B, Tq, Tk, dtype=query.dtype, device=query.device)
    if weights.numel() == 0:
        return weights
    wide_type = torch.promote_types(query.dtype, torch.float32)
    scores = weights if query.dtype == wide_type else torch.empty_like(weights, dtype=wide_type)
    steps = (0, 0, 0) if mask is None else mask.stride()
    most = min(64, triton.next_power_of_2(Tq))

    def tiles(config):
        return B, triton.cdiv(Tq, config["QUERIES"]), triton.cdiv(Tk, config["KEYS"])

    with torch.cuda.device_of(query):
        eq, ek, wide = _factors(query, key, wide_type, turned=True)
        given = query, key, eq, ek, v, query if mask is None else mask.view(torch.uint8), wide, scores
        _scores[tiles](
            *given, Tq, Tk, D, _padded(Tq), _padded(Tk), *steps, MOST=most, MASKED=mask is not None, **constants
        )
        _normalise[(B * Tq,)](scores, weights, Tk, ACC=constants["ACC"], **row_plan(Tk))
    return weights


def row_plan(Tk):
    """Choose how much of a row a program holds, and its warps."""
    block = min(ROW, triton.next_power_of_2(Tk))
    return {"BLOCK": block, "num_warps": max(1, min(4, block // 256))}


def _padded(T):
    return triton.cdiv(T, PAD) * PAD


def _factors(query, key, dtype, turned):
    """e^(2q), e^(2k), as they lie or turned over, with rows padded; and which sentences hold large numbers."""
    factors, wide = [], []
    for x in (query, key):
        B, T, D = x.shape
        times, programs = _padded(T) if turned else T, triton.cdiv(T, PAD)
        e = torch.empty((B, D, times) if turned else (B, T, D), dtype=dtype, device=x.device)
        large = torch.empty(B, programs, dtype=torch.int32, device=x.device)
        steps = (1, times) if turned else (D, 1)
        acc = numbers(x.dtype)["ACC"]
        _exponentials[(B, programs)](x, e, large, T, times, D, *steps, ROWS=PAD, COLS=32, ACC=acc)
        factors.append(e)
        wide.append(large)
    return *factors, torch.cat(wide, dim=1).amax(dim=1)


def _gradients(query, key, v, weights, d_weights):
    """Of query, key and v, from that of the weights."""
    B, Tq, D = query.shape
    Tk = key.shape[1]
    d_query, d_key = torch.empty_like(query), torch.empty_like(key)
    if weights.numel() == 0 or D == 0:
        return d_query.zero_(), d_key.zero_(), torch.zeros_like(v)
    constants = numbers(query.dtype)
    wide_type = torch.promote_types(query.dtype, torch.float32)
    ds = torch.empty(B, Tq, _padded(Tk), dtype=wide_type, device=query.device)
    with torch.cuda.device_of(query):
        _score_gradient[(B * Tq,)](weights, d_weights, ds, Tk, _padded(Tk), ACC=constants["ACC"], **row_plan(Tk))
        eq, ek, wide = _factors(query, key, wide_type, turned=False)
        by_key = F.pad(ds[..., :Tk].mT, (0, _padded(Tq) - Tq))
        d_v = _walk(query, key, eq, ek, by_key, v, wide, d_query, True, constants)
        _walk(key, query, ek, eq, ds, v, wide, d_key, False, constants)
    return d_query, d_key, d_v


def _walk(x, y, ex, ey, ds, v, wide, dx, of_v, constants):
    """Launch `_gradient`; give that of v where it is wanted."""
    B, T, D = x.shape
    rows = own_rows(T)
    part = torch.empty(B, triton.cdiv(T, rows), D, dtype=ds.dtype, device=x.device) if of_v else ds

    def tiles(config):
        return B, triton.cdiv(T, rows), triton.cdiv(D, config["COLS"])

    given = x, y, ex, ey, ds, v, wide, dx, part
    _gradient[tiles](*given, T, y.shape[1], D, ds.shape[2], ROWS=rows, OF_V=of_v, **constants)
    return part.sum(dim=(0, 1)).to(v.dtype) if of_v else None


def own_rows(T):
    """Choose how many times a program of `_gradient` owns: one where there are few, as in a decoder."""
    return 32 if T > 4 else 1
