"""The three kernels of `seqlab.attention.kernels.flash`: forward, the queries' gradient, the keys' and values'.

A score x becomes a weight by powers of two: exp(s - top) = exp2(x * unit - shift), one fused product and sum and one
instruction of the special-function unit. A float mask is added first, in natural units, so `unit` is log2(e); without
one, `unit` is log2(e) times the scale. Where a tile may hold pairs that do not count, it is walked with EDGE.
"""

import triton
import triton.language as tl

from seqlab.kernels import tuned

NO_MASK, ALLOWED, ADDED = 0, 1, 2  # kinds of mask: none, bytes that say which pairs count, numbers that are added

# What is worth a try: queries and keys of a tile, warps, tiles on their way. A program of the first two kernels owns
# the queries and walks over the keys; one of the third owns the keys. For numbers of 2, 4 or 8 bytes, and up to so many
# of them in a row, these are the tiles whose sums fit the registers, as tests/attention/test_sm90.py compiles them; the
# last takes the fewest.
FORWARD = {
    (2, 64): [(128, 64, 4, 3), (128, 128, 8, 2), (128, 64, 8, 3)],
    (2, 128): [(128, 128, 8, 2), (128, 64, 8, 3)],
    (2, 256): [(128, 64, 8, 2), (128, 32, 8, 2)],
    (4, 64): [(64, 32, 4, 2), (32, 32, 4, 2)],
    (4, 128): [(16, 32, 4, 2)],
    (4, 256): [(16, 16, 8, 1)],
    (8, 256): [(16, 16, 8, 1)],
}
QUERIES = FORWARD | {
    (2, 64): [(128, 128, 8, 2), (64, 64, 4, 3), (128, 64, 8, 3)],
    (2, 128): [(64, 64, 4, 3), (128, 64, 8, 2)],
    (2, 256): [(128, 32, 8, 2)],
    (4, 64): [(32, 32, 8, 2), (16, 32, 4, 2)],
    (4, 128): [(16, 32, 4, 2), (16, 16, 4, 2)],
}
KEYS = QUERIES | {
    (2, 64): [(64, 128, 8, 2), (64, 128, 8, 3), (64, 64, 4, 2)],
    (2, 128): [(32, 128, 8, 3), (32, 128, 8, 2)],
    (2, 256): [(16, 64, 8, 2)],
    (4, 64): [(32, 32, 8, 2), (32, 16, 4, 2)],
    (4, 128): [(16, 16, 4, 2)],
}
INTERPRETED = (64, 64, 4, 2)


def _tuned(tiles):
    """Tune a kernel over the tiles of its table that are worth a try at a size."""
    every = dict.fromkeys([INTERPRETED, *(tile for some in tiles.values() for tile in some)])
    configs = [triton.Config({"ROWS": r, "KEYS": k}, num_warps=w, num_stages=s) for r, k, w, s in every]

    def worth_trying(configs, named_args, COLS, COLS_V, MASK, SAME, DOT, **others):
        size, wide, pairs = DOT.primitive_bitwidth // 8, max(COLS, COLS_V), MASK and not SAME
        at = (size, min(2 * wide, 256) if pairs else wide)  # a mask with a number for every pair takes registers too
        wanted = tiles[min(most for most in tiles if most >= at)]
        wanted = wanted[-1:] if pairs else wanted
        return [c for c in configs if (c.kwargs["ROWS"], c.kwargs["KEYS"], c.num_warps, c.num_stages) in wanted]

    return tuned(configs, key=["COLS", "COLS_V", "CAUSAL", "MASK", "SAME", "DOT", "PRECISION"], prune=worth_trying)


@triton.jit
def _tile(ptr, first, stride, T, D: tl.constexpr, COLS: tl.constexpr, ROWS: tl.constexpr, EDGE: tl.constexpr):
    """Load (ROWS, COLS) numbers from row `first` on; what lies beyond T or D is 0."""
    row, col = tl.arange(0, ROWS)[:, None], tl.arange(0, COLS)[None, :]
    at = ptr + tl.cast(first, tl.int64) * stride + (row * stride + col)
    if EDGE:
        inside = first + row < T
        if D < COLS:
            inside = inside & (col < D)
        return tl.load(at, mask=inside, other=0.0)
    elif D < COLS:
        return tl.load(at, mask=col < D, other=0.0)
    else:
        return tl.load(at)


@triton.jit
def _store(ptr, x, first, T, D: tl.constexpr, COLS: tl.constexpr, ROWS: tl.constexpr):
    """Write (ROWS, COLS) numbers into a contiguous (T, D) array, from row `first` on."""
    row, col = first + tl.arange(0, ROWS)[:, None], tl.arange(0, COLS)[None, :]
    at = ptr + row.to(tl.int64) * D + col
    tl.store(at, x.to(ptr.dtype.element_ty), mask=(row < T) & (col < D))


@triton.jit
def _head(ptr, head, H: tl.constexpr, GROUP: tl.constexpr, stride_b, stride_h):
    """Move to a head's first number; GROUP heads of the query share one of keys and values."""
    return ptr + (head // H).to(tl.int64) * stride_b + (head % H // GROUP).to(tl.int64) * stride_h


@triton.jit
def _counted(
    x,  # raw scores of a tile
    row,  # which query each belongs to, broadcasting against x
    key,  # which key
    mask_ptr,
    mask_q,
    mask_k,
    Tq,
    Tk,
    scale,
    CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
    SAME: tl.constexpr,  # the mask is the same for all queries
    EDGE: tl.constexpr,
):
    """Add a float mask, and put minus infinity where a pair does not count."""
    if MASK:
        at, inside = mask_ptr + key.to(tl.int64) * mask_k, key < Tk
        if SAME == 0:
            at, inside = at + row.to(tl.int64) * mask_q, inside & (row < Tq)
        if MASK == 1:
            x = tl.where(tl.load(at, mask=inside, other=0) != 0, x, float("-inf"))
        else:
            x = x * scale + tl.load(at, mask=inside, other=0.0).to(x.dtype)
    if EDGE:
        if CAUSAL:
            x = tl.where((key < Tk) & (key <= row), x, float("-inf"))
        else:
            x = tl.where(key < Tk, x, float("-inf"))
    return x


@triton.jit
def _first_edge(first, Tk, CAUSAL: tl.constexpr, KEYS: tl.constexpr):
    """Where the tiles of keys end in which every pair counts, for queries from `first` on."""
    whole = Tk
    if CAUSAL:
        whole = tl.minimum(first + 1, Tk)
    return whole // KEYS * KEYS


@_tuned(FORWARD)
@triton.jit
def forward(
    q_ptr,  # (B, heads, Tq, D): numbers of a row side by side, the rest by strides
    k_ptr,  # (B, heads / GROUP, Tk, D)
    v_ptr,  # (B, heads / GROUP, Tk, DV)
    mask_ptr,  # (B, heads, Tq, Tk) by strides, of which any may be 0
    out_ptr,  # (B, heads, Tq, DV), contiguous as all that is written
    shift_ptr,  # (B, heads, Tq): what was subtracted from the powers of two
    bits_ptr,  # (B, heads, Tq): log2 of their sum
    q_b,
    q_h,
    q_t,
    k_b,
    k_h,
    k_t,
    v_b,
    v_h,
    v_t,
    mask_b,
    mask_h,
    mask_q,
    mask_k,
    Tq,
    Tk,
    scale,
    H: tl.constexpr,  # heads
    GROUP: tl.constexpr,
    D: tl.constexpr,
    DV: tl.constexpr,
    COLS: tl.constexpr,  # D and DV rounded up to powers of two
    COLS_V: tl.constexpr,
    CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
    SAME: tl.constexpr,
    SPLIT: tl.constexpr,
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    blocks = tl.cdiv(Tq, ROWS)
    head = tl.program_id(0) // blocks
    first = (blocks - 1 - tl.program_id(0) % blocks) * ROWS  # of a causal head the longest rows come first
    q_ptr = _head(q_ptr, head, H, 1, q_b, q_h)
    k_ptr, v_ptr = _head(k_ptr, head, H, GROUP, k_b, k_h), _head(v_ptr, head, H, GROUP, v_b, v_h)
    if MASK:
        mask_ptr = _head(mask_ptr, head, H, 1, mask_b, mask_h)
    q = _tile(q_ptr, first, q_t, Tq, D, COLS, ROWS, True).to(DOT)
    m, l = tl.full([ROWS], float("-inf"), ACC), tl.zeros([ROWS], ACC)
    acc = tl.zeros([ROWS, COLS_V], ACC)
    edge = _first_edge(first, Tk, CAUSAL, KEYS)
    end = Tk
    if CAUSAL:
        end = tl.minimum(first + ROWS, Tk)
    m, l, acc = _forward_over(
        m, l, acc, q, k_ptr, v_ptr, mask_ptr, k_t, v_t, mask_q, mask_k, first, 0, edge, Tq, Tk, scale,
        D, DV, COLS, COLS_V, CAUSAL, MASK, SAME, SPLIT, DOT, ACC, PRECISION, ROWS, KEYS, False,
    )  # fmt: skip
    m, l, acc = _forward_over(
        m, l, acc, q, k_ptr, v_ptr, mask_ptr, k_t, v_t, mask_q, mask_k, first, edge, end, Tq, Tk, scale,
        D, DV, COLS, COLS_V, CAUSAL, MASK, SAME, SPLIT, DOT, ACC, PRECISION, ROWS, KEYS, True,
    )  # fmt: skip
    # A row in which nothing counts has the sum 0: its context is 0, and log2 = inf makes its weights 0 backward too.
    nothing = l == 0
    l = tl.where(nothing, 1.0, l)
    _store(out_ptr + head.to(tl.int64) * Tq * DV, acc / l[:, None], first, Tq, DV, COLS_V, ROWS)
    row = first + tl.arange(0, ROWS)
    at = head.to(tl.int64) * Tq + row
    shift, bits = tl.where(nothing, 0.0, m), tl.where(nothing, float("inf"), tl.log2(l))
    if SPLIT:
        tl.store(bits_ptr + at, bits, mask=row < Tq)
    else:
        shift += bits
    tl.store(shift_ptr + at, shift, mask=row < Tq)


@triton.jit
def _forward_over(
    m, l, acc, q, k_ptr, v_ptr, mask_ptr, k_t, v_t, mask_q, mask_k, first, start, end, Tq, Tk, scale,
    D: tl.constexpr, DV: tl.constexpr, COLS: tl.constexpr, COLS_V: tl.constexpr, CAUSAL: tl.constexpr,
    MASK: tl.constexpr, SAME: tl.constexpr, SPLIT: tl.constexpr, DOT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Take the keys from `start` to `end` in: the largest score so far, the sum of the powers, and of the values."""
    unit = _unit(scale, MASK, ACC)
    row = first + tl.arange(0, ROWS)[:, None]
    for here in range(start, end, KEYS):
        k = _tile(k_ptr, here, k_t, Tk, D, COLS, KEYS, EDGE).to(DOT)
        v = _tile(v_ptr, here, v_t, Tk, DV, COLS_V, KEYS, EDGE).to(DOT)
        key = here + tl.arange(0, KEYS)[None, :]
        x = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC)
        x = _counted(x, row, key, mask_ptr, mask_q, mask_k, Tq, Tk, scale, CAUSAL, MASK, SAME, EDGE)
        higher = tl.maximum(m, tl.max(x, axis=1) * unit)
        shift = higher
        if MASK:
            shift = tl.where(higher == float("-inf"), 0.0, higher)  # nothing counted so far: no Inf - Inf
        p = tl.exp2(tl.fma(x, unit, -shift[:, None]))
        old = tl.exp2(m - shift)
        l = l * old + tl.sum(p, axis=1)
        acc = tl.dot(p.to(DOT), v, acc * old[:, None], input_precision=PRECISION, out_dtype=ACC)
        m = higher
    return m, l, acc


@triton.jit
def _unit(scale, MASK: tl.constexpr, ACC: tl.constexpr):
    """Bits of a score: how many powers of two a score of 1 is worth."""
    bits = tl.full([], 1.4426950408889634, ACC)
    if MASK != 2:
        bits *= tl.cast(scale, ACC)
    return bits


@triton.jit
def _sums(shift_ptr, bits_ptr, inside, SPLIT: tl.constexpr):
    """Load what the forward pass kept of some queries; where there is no query, what makes all weights 0."""
    if SPLIT:
        shift = tl.load(shift_ptr, mask=inside, other=0.0)
        bits = tl.load(bits_ptr, mask=inside, other=float("inf"))
    else:
        shift = tl.load(shift_ptr, mask=inside, other=float("inf"))
        bits = shift
    return shift, bits


@triton.jit
def _weights(x, unit, shift, bits, SPLIT: tl.constexpr):
    """Compute weights again from their scores."""
    powers = tl.fma(x, unit, -shift)
    if SPLIT:
        powers -= bits
    return tl.exp2(powers)


@_tuned(QUERIES)
@triton.jit
def backward_queries(
    q_ptr,  # as above
    k_ptr,
    v_ptr,
    mask_ptr,
    do_ptr,  # (B, heads, Tq, DV) by strides: what arrives at the context
    out_ptr,  # (B, heads, Tq, DV)
    shift_ptr,
    bits_ptr,
    delta_ptr,  # (B, heads, Tq): takes the sum over a row of do * out, which the keys' kernel reads
    dq_ptr,  # (B, heads, Tq, D)
    q_b,
    q_h,
    q_t,
    k_b,
    k_h,
    k_t,
    v_b,
    v_h,
    v_t,
    mask_b,
    mask_h,
    mask_q,
    mask_k,
    do_b,
    do_h,
    do_t,
    Tq,
    Tk,
    scale,
    H: tl.constexpr,
    GROUP: tl.constexpr,
    D: tl.constexpr,
    DV: tl.constexpr,
    COLS: tl.constexpr,
    COLS_V: tl.constexpr,
    CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
    SAME: tl.constexpr,
    SPLIT: tl.constexpr,
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    blocks = tl.cdiv(Tq, ROWS)
    head = tl.program_id(0) // blocks
    first = (blocks - 1 - tl.program_id(0) % blocks) * ROWS
    q_ptr, do_ptr = _head(q_ptr, head, H, 1, q_b, q_h), _head(do_ptr, head, H, 1, do_b, do_h)
    k_ptr, v_ptr = _head(k_ptr, head, H, GROUP, k_b, k_h), _head(v_ptr, head, H, GROUP, v_b, v_h)
    if MASK:
        mask_ptr = _head(mask_ptr, head, H, 1, mask_b, mask_h)
    do = _tile(do_ptr, first, do_t, Tq, DV, COLS_V, ROWS, True).to(DOT)
    out = _tile(out_ptr + head.to(tl.int64) * Tq * DV, first, DV, Tq, DV, COLS_V, ROWS, True)
    delta = tl.sum(do.to(ACC) * out.to(ACC), axis=1)
    row = first + tl.arange(0, ROWS)
    at = head.to(tl.int64) * Tq + row
    tl.store(delta_ptr + at, delta, mask=row < Tq)
    shift, bits = _sums(shift_ptr + at, bits_ptr + at, row < Tq, SPLIT)
    q = _tile(q_ptr, first, q_t, Tq, D, COLS, ROWS, True).to(DOT)
    dq = tl.zeros([ROWS, COLS], ACC)
    edge = _first_edge(first, Tk, CAUSAL, KEYS)
    end = Tk
    if CAUSAL:
        end = tl.minimum(first + ROWS, Tk)
    dq = _queries_over(
        dq, q, do, delta, shift, bits, k_ptr, v_ptr, mask_ptr, k_t, v_t, mask_q, mask_k, first, 0, edge, Tq, Tk, scale,
        D, DV, COLS, COLS_V, CAUSAL, MASK, SAME, SPLIT, DOT, ACC, PRECISION, ROWS, KEYS, False,
    )  # fmt: skip
    dq = _queries_over(
        dq, q, do, delta, shift, bits, k_ptr, v_ptr, mask_ptr, k_t, v_t, mask_q, mask_k, first, edge, end, Tq, Tk,
        scale, D, DV, COLS, COLS_V, CAUSAL, MASK, SAME, SPLIT, DOT, ACC, PRECISION, ROWS, KEYS, True,
    )  # fmt: skip
    _store(dq_ptr + head.to(tl.int64) * Tq * D, dq * scale, first, Tq, D, COLS, ROWS)


@triton.jit
def _queries_over(
    dq, q, do, delta, shift, bits, k_ptr, v_ptr, mask_ptr, k_t, v_t, mask_q, mask_k, first, start, end, Tq, Tk, scale,
    D: tl.constexpr, DV: tl.constexpr, COLS: tl.constexpr, COLS_V: tl.constexpr, CAUSAL: tl.constexpr,
    MASK: tl.constexpr, SAME: tl.constexpr, SPLIT: tl.constexpr, DOT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Add what the keys from `start` to `end` give to the queries' gradient."""
    unit = _unit(scale, MASK, ACC)
    row = first + tl.arange(0, ROWS)[:, None]
    for here in range(start, end, KEYS):
        k = _tile(k_ptr, here, k_t, Tk, D, COLS, KEYS, EDGE).to(DOT)
        v = _tile(v_ptr, here, v_t, Tk, DV, COLS_V, KEYS, EDGE).to(DOT)
        key = here + tl.arange(0, KEYS)[None, :]
        x = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC)
        x = _counted(x, row, key, mask_ptr, mask_q, mask_k, Tq, Tk, scale, CAUSAL, MASK, SAME, EDGE)
        p = _weights(x, unit, shift[:, None], bits[:, None], SPLIT)
        dp = tl.dot(do, tl.trans(v), input_precision=PRECISION, out_dtype=ACC)
        ds = p * (dp - delta[:, None])
        dq = tl.dot(ds.to(DOT), k, dq, input_precision=PRECISION, out_dtype=ACC)
    return dq


@_tuned(KEYS)
@triton.jit
def backward_keys(
    q_ptr,  # as above
    k_ptr,
    v_ptr,
    mask_ptr,
    do_ptr,
    shift_ptr,
    bits_ptr,
    delta_ptr,
    dk_ptr,  # (B, heads / GROUP, Tk, D)
    dv_ptr,  # (B, heads / GROUP, Tk, DV)
    q_b,
    q_h,
    q_t,
    k_b,
    k_h,
    k_t,
    v_b,
    v_h,
    v_t,
    mask_b,
    mask_h,
    mask_q,
    mask_k,
    do_b,
    do_h,
    do_t,
    Tq,
    Tk,
    scale,
    H: tl.constexpr,
    GROUP: tl.constexpr,
    D: tl.constexpr,
    DV: tl.constexpr,
    COLS: tl.constexpr,
    COLS_V: tl.constexpr,
    CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
    SAME: tl.constexpr,
    SPLIT: tl.constexpr,
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    blocks = tl.cdiv(Tk, KEYS)
    shared = tl.program_id(0) // blocks  # which of the B * heads / GROUP keys and values
    first = tl.program_id(0) % blocks * KEYS  # of a causal head the first keys have the most queries
    k_ptr = _head(k_ptr, shared, H // GROUP, 1, k_b, k_h)
    v_ptr = _head(v_ptr, shared, H // GROUP, 1, v_b, v_h)
    k = _tile(k_ptr, first, k_t, Tk, D, COLS, KEYS, True).to(DOT)
    v = _tile(v_ptr, first, v_t, Tk, DV, COLS_V, KEYS, True).to(DOT)
    dk, dv = tl.zeros([KEYS, COLS], ACC), tl.zeros([KEYS, COLS_V], ACC)
    start, edge = 0, 0
    if CAUSAL:  # no query before the first key sees it; from the last key on, queries see all keys of the tile
        start = first // ROWS * ROWS
        edge = tl.cdiv(first + KEYS - 1, ROWS) * ROWS
    for n in range(GROUP):
        head = shared * GROUP + n
        q_n, do_n = _head(q_ptr, head, H, 1, q_b, q_h), _head(do_ptr, head, H, 1, do_b, do_h)
        mask_n = mask_ptr
        if MASK:
            mask_n = _head(mask_ptr, head, H, 1, mask_b, mask_h)
        rows = head.to(tl.int64) * Tq
        if CAUSAL:
            dk, dv = _keys_over(
                dk, dv, k, v, q_n, do_n, mask_n, shift_ptr + rows, bits_ptr + rows, delta_ptr + rows,
                q_t, do_t, mask_q, mask_k, first, start, tl.minimum(edge, Tq), Tq, Tk, scale,
                D, DV, COLS, COLS_V, CAUSAL, MASK, SAME, SPLIT, DOT, ACC, PRECISION, ROWS, KEYS, True,
            )  # fmt: skip
        dk, dv = _keys_over(
            dk, dv, k, v, q_n, do_n, mask_n, shift_ptr + rows, bits_ptr + rows, delta_ptr + rows,
            q_t, do_t, mask_q, mask_k, first, edge, Tq, Tq, Tk, scale,
            D, DV, COLS, COLS_V, CAUSAL, MASK, SAME, SPLIT, DOT, ACC, PRECISION, ROWS, KEYS, False,
        )  # fmt: skip
    _store(dk_ptr + shared.to(tl.int64) * Tk * D, dk * scale, first, Tk, D, COLS, KEYS)
    _store(dv_ptr + shared.to(tl.int64) * Tk * DV, dv, first, Tk, DV, COLS_V, KEYS)


@triton.jit
def _keys_over(
    dk, dv, k, v, q_ptr, do_ptr, mask_ptr, shift_ptr, bits_ptr, delta_ptr,
    q_t, do_t, mask_q, mask_k, first, start, end, Tq, Tk, scale,
    D: tl.constexpr, DV: tl.constexpr, COLS: tl.constexpr, COLS_V: tl.constexpr, CAUSAL: tl.constexpr,
    MASK: tl.constexpr, SAME: tl.constexpr, SPLIT: tl.constexpr, DOT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Add what the queries from `start` to `end` give to the gradients of keys and values.

    Scores are computed turned over, K Q^T, so that no result of a product has to be: on Hopper that has been compiled
    wrongly by some versions of Triton, and costs a way through shared memory by all.
    """
    unit = _unit(scale, MASK, ACC)
    key = first + tl.arange(0, KEYS)[:, None]
    for here in range(start, end, ROWS):
        row = here + tl.arange(0, ROWS)
        q = _tile(q_ptr, here, q_t, Tq, D, COLS, ROWS, True).to(DOT)
        do = _tile(do_ptr, here, do_t, Tq, DV, COLS_V, ROWS, True).to(DOT)
        shift, bits = _sums(shift_ptr + row, bits_ptr + row, row < Tq, SPLIT)
        delta = tl.load(delta_ptr + row, mask=row < Tq, other=0.0)
        x = tl.dot(k, tl.trans(q), input_precision=PRECISION, out_dtype=ACC)
        x = _counted(x, row[None, :], key, mask_ptr, mask_q, mask_k, Tq, Tk, scale, CAUSAL, MASK, SAME, EDGE)
        p = _weights(x, unit, shift[None, :], bits[None, :], SPLIT)
        dv = tl.dot(p.to(DOT), do, dv, input_precision=PRECISION, out_dtype=ACC)
        dp = tl.dot(v, tl.trans(do), input_precision=PRECISION, out_dtype=ACC)
        ds = p * (dp - delta[None, :])
        dk = tl.dot(ds.to(DOT), q, dk, input_precision=PRECISION, out_dtype=ACC)
    return dk, dv
