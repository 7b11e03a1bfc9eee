"""Looking rows of a table up, and its gradient, which adds rows up, :eq:`lookup`::

    forward    e_b = E_{ids_b}              backward    dE_v = sum of the d_b whose ids_b = v

Forward, a program copies a few rows. Backward there are two ways:

- *At random*: a program adds its rows to the table with atomics, in whatever order programs come. Float sums depend on
  their order, so two runs differ in the last digits; and in a text, where one word in twenty is "the", its row is a
  place where all programs wait for each other.
- *In order*: the places are sorted by id, once, so that those of a word follow each other. A program walks through as
  many places as any other, whatever words they hold, and writes the sum of a word when the next one comes. A word that
  was not yet finished when the program's places ended, or had begun before, is left aside as a part; a second launch
  adds up the parts of each such word, in the order of the programs. Nobody waits for anybody, and the same ids give the
  same bits at every run.

Sums are kept in float32 (float64 for float64), so that a frequent word's gradient in 16 bits does not stand still.
"""

import functools

import torch
import triton
import triton.language as tl

from seqlab.kernels import pick_backend
from seqlab.kernels.measured import fastest
from seqlab.shapes import check_shape

IDS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
TYPES = {torch.float64: tl.float64, torch.float32: tl.float32, torch.bfloat16: tl.float32, torch.float16: tl.float32}
TILE = 2048  # numbers that a program copies
WIDE = 512  # bytes of a row that a warp reads at once
PROGRAMS = 4096  # that walk through the places in order, where there are enough: what a large GPU holds at a time
SHORTEST, LONGEST = 16, 256  # places of a program
PARTS = 64  # that are read at a time in the second launch
REPEATS = 8  # times that a word comes on average, from which on sorting pays: an estimate, until it is measured
WAYS = {"seqlab Triton, in order": True, "seqlab Triton, at random": False}  # of the benchmark -> in order?


@triton.jit
def _gather(
    ids_ptr,  # (B,)
    weight_ptr,  # (V, D)
    out_ptr,  # (B, D)
    B,
    V,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)[None, :]
    ids = tl.load(ids_ptr + b, mask=b < B, other=0).to(tl.int64)
    known = (ids >= 0) & (ids < V)
    rows = tl.load(weight_ptr + ids[:, None] * D + col, mask=known[:, None] & (col < D), other=float("nan"))
    # What is written is not read again here: it must not push the frequent rows out of the cache.
    at = out_ptr + b[:, None] * D + col
    tl.store(at, rows, mask=(b < B)[:, None] & (col < D), eviction_policy="evict_first")


@triton.jit
def _add_at_random(
    ids_ptr,  # (B,)
    d_ptr,  # (B, D)
    sums_ptr,  # (V, D): zeros at first
    B,
    V,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    ACC: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)[None, :]
    ids = tl.load(ids_ptr + b, mask=b < B, other=-1).to(tl.int64)
    known = ((ids >= 0) & (ids < V))[:, None] & (col < D)
    d = tl.load(d_ptr + b[:, None] * D + col, mask=known, other=0.0, eviction_policy="evict_first").to(ACC)
    tl.atomic_add(sums_ptr + ids[:, None] * D + col, d, mask=known, sem="relaxed")


@triton.jit
def _add_in_order(
    key_ptr,  # (B,): ids less `offset`, sorted
    place_ptr,  # (B,): where each stood
    d_ptr,  # (B, D)
    sums_ptr,  # (V, D): zeros at first
    parts_ptr,  # (2, programs, D): sums of words that began before a program's places; of words that do not end there
    B,
    V,
    offset,
    LONG,  # places of a program
    D: tl.constexpr,
    COLS: tl.constexpr,
    ACC: tl.constexpr,
):
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)
    start = tl.program_id(0).to(tl.int64) * LONG
    end = tl.minimum(start + LONG, B)
    head = parts_ptr + tl.program_id(0).to(tl.int64) * D + col
    tail = head + tl.num_programs(0).to(tl.int64) * D
    word = tl.load(key_ptr + start).to(tl.int64) + offset
    began = (start > 0) & (tl.load(key_ptr + start - 1, mask=start > 0, other=0).to(tl.int64) + offset == word)
    d = tl.load(d_ptr + tl.load(place_ptr + start) * D + col, mask=col < D, other=0.0)
    place = tl.load(place_ptr + start + 1, mask=start + 1 < B, other=0)
    total = tl.zeros([COLS], ACC)
    for i in range(start, end):
        # The next row and the place of the one after are on their way while this row is added.
        more = i + 1 < B
        next_word = tl.load(key_ptr + i + 1, mask=more, other=0).to(tl.int64) + offset
        next_d = tl.load(d_ptr + place * D + col, mask=(i + 1 < end) & (col < D), other=0.0)
        place = tl.load(place_ptr + i + 2, mask=i + 2 < B, other=0)
        total += d.to(ACC)
        done = (next_word != word) | (i + 1 == B)
        here = (col < D) & done & (word < V)
        tl.store(sums_ptr + word * D + col, total.to(sums_ptr.dtype.element_ty), mask=here & (began == 0))
        tl.store(head, total, mask=here & began)
        total = tl.where(done, 0.0, total)
        began = began & (done == 0)
        word, d = next_word, next_d
    # A word that goes on has left its sum so far; one that ended with the places has left 0, which nobody reads.
    tl.store(tl.where(began, head, tail), total, mask=(col < D) & (end < B))


@triton.jit
def _add_parts(
    key_ptr,  # as above
    sums_ptr,
    parts_ptr,
    B,
    V,
    offset,
    LONG,
    D: tl.constexpr,
    COLS: tl.constexpr,
    PARTS: tl.constexpr,
):
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)
    p, programs = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    start, end = p * LONG, (p + 1) * LONG
    key = tl.load(key_ptr + end - 1, mask=end < B, other=0)
    word = key.to(tl.int64) + offset
    goes_on = (end < B) & (tl.load(key_ptr + end, mask=end < B, other=0) == key) & (word < V)
    earlier = (start > 0) & (tl.load(key_ptr + start - 1, mask=start > 0, other=0) == key)
    if goes_on & (earlier == 0):  # the word begins in this program's places and ends in another's
        total = tl.load(parts_ptr + (programs + p) * D + col, mask=col < D, other=0.0)
        first = p + 1
        while first < programs:
            q = first + tl.arange(0, PARTS)
            same = (q < programs) & (tl.load(key_ptr + q * LONG, mask=q < programs, other=0) == key)
            inside = same[:, None] & (col < D)[None, :]
            total += tl.sum(tl.load(parts_ptr + q[:, None] * D + col[None, :], mask=inside, other=0.0), axis=0)
            full = tl.sum(same.to(tl.int32), axis=0) == PARTS
            first = tl.where(full, first + PARTS, programs)
        tl.store(sums_ptr + word * D + col, total.to(sums_ptr.dtype.element_ty), mask=col < D)


def copy_plan(D, itemsize):
    """Choose the constants of what goes through rows as they come; the compile tests read the same plan."""
    cols = min(triton.next_power_of_2(D), WIDE // itemsize)
    return {"D": D, "ROWS": TILE // cols, "COLS": cols}


def walk_plan(B, D, dtype):
    """Choose the constants of what goes through rows in order, and how many places a program has."""
    places = min(LONGEST, max(SHORTEST, triton.next_power_of_2(triton.cdiv(B, PROGRAMS))))
    cols = min(max(32, triton.next_power_of_2(D)), WIDE // dtype.itemsize)
    return {"D": D, "COLS": cols}, places


def _copy(ids, weight):
    (V, D), B = weight.shape, ids.numel()
    out = torch.empty(*ids.shape, D, dtype=weight.dtype, device=weight.device)
    if out.numel():
        constants = copy_plan(D, weight.dtype.itemsize)
        grid = (triton.cdiv(B, constants["ROWS"]), triton.cdiv(D, constants["COLS"]))
        with torch.cuda.device_of(weight):
            _gather[grid](ids.contiguous(), weight.contiguous(), out, B, V, **constants)
    return out


def add_at_random(d, ids, size):
    """(B, D) gradients, contiguous, and (B,) ids -> (size, D) sums, with atomics."""
    B, D = d.shape
    acc = torch.float64 if d.dtype == torch.float64 else torch.float32
    sums = torch.zeros(size, D, dtype=acc, device=d.device)
    constants = copy_plan(D, acc.itemsize) | {"ACC": TYPES[d.dtype]}
    grid = (triton.cdiv(B, constants["ROWS"]), triton.cdiv(D, constants["COLS"]))
    with torch.cuda.device_of(d):
        _add_at_random[grid](ids, d, sums, B, size, **constants)
    return sums.to(d.dtype)


def add_in_order(d, ids, size):
    """(B, D) gradients, contiguous, and (B,) ids -> (size, D) sums, in the order of the ids and then of the places."""
    B, D = d.shape
    key, place, offset = _sorted(ids, size)
    constants, places = walk_plan(B, D, d.dtype)
    programs = triton.cdiv(B, places)
    sums = torch.zeros(size, D, dtype=d.dtype, device=d.device)
    acc = torch.float64 if d.dtype == torch.float64 else torch.float32
    parts = torch.empty(2, programs, D, dtype=acc, device=d.device)
    grid = (programs, triton.cdiv(D, constants["COLS"]))
    with torch.cuda.device_of(d):
        arguments = (sums, parts, B, size, offset, places)
        _add_in_order[grid](key, place, d, *arguments, **constants, ACC=TYPES[d.dtype], num_warps=1)
        if programs > 1:
            _add_parts[grid](key, *arguments, **constants, PARTS=PARTS, num_warps=4)
    return sums


def _sorted(ids, size):
    """Sort ids, and say where each stood; those outside the table come last.

    A GPU sorts a few bits at a time: ids below 2^16 are moved to the 16 bits that int16 has, which halves the work.
    """
    ids = ids.to(torch.int64)
    ids = torch.where((ids >= 0) & (ids < size), ids, size)
    dtype, offset = torch.int64, 0
    if size < 2**16:
        dtype, offset = torch.int16, 2**15
    elif size < 2**31:
        dtype = torch.int32
    key, place = (ids - offset).to(dtype).sort(stable=True)
    return key, place, offset


def in_order_pays(B, V, D, dtype, device=None):
    """Say whether sorting first is faster: by what was measured on this device near this size, else by a rule.

    Parameters
    ----------
    B, V, D : gradients, words, dimensions.
    dtype : of the gradients.
    device : a CUDA device, or None.
    """
    name = torch.cuda.get_device_name(device) if device is not None and device.type == "cuda" else ""
    return _measured(name, B, V, D, str(dtype).removeprefix("torch."))


@functools.lru_cache(maxsize=1024)
def _measured(device, B, V, D, dtype):
    way = fastest("embedding", device, {"B": B, "V": V, "D": D, "dtype": dtype}, "backward", ways=tuple(WAYS))
    return WAYS[way] if way else B >= REPEATS * V


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, ids, deterministic):
        ctx.save_for_backward(ids)
        ctx.size, ctx.deterministic = len(weight), deterministic
        return _copy(ids, weight)

    @staticmethod
    def backward(ctx, d):
        return _ScatterAdd.apply(d, *ctx.saved_tensors, ctx.size, ctx.deterministic), None, None


class _ScatterAdd(torch.autograd.Function):
    @staticmethod
    def forward(ctx, d, ids, size, deterministic):
        ctx.save_for_backward(ids)
        ctx.deterministic = deterministic
        d, ids = d.reshape(ids.numel(), d.shape[-1]).contiguous(), ids.reshape(-1)
        if not d.numel():
            return d.new_zeros(size, d.shape[1])
        sure = deterministic or torch.are_deterministic_algorithms_enabled()
        ordered = sure or in_order_pays(len(ids), size, d.shape[1], d.dtype, d.device)
        return (add_in_order if ordered else add_at_random)(d, ids, size)

    @staticmethod
    def backward(ctx, dE):
        return _Gather.apply(dE, *ctx.saved_tensors, ctx.deterministic), None, None, None


def embedding(ids, weight, deterministic=False):
    """Look rows of a table up, :eq:`lookup`; the gradient adds up what came for each row.

    Its gradient can be differentiated as often as wanted, since both directions are linear: each is the other's
    gradient.

    Parameters
    ----------
    ids : (...) ids; one that is no row of the table gives NaN, reads nothing, and its gradient goes nowhere.
    weight : (V, D) float32, bfloat16, float16 or float64.
    deterministic : see `embedding_scatter_add`.

    Returns
    -------
    rows : (..., D).

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    check_shape("weight", weight, ("V", "D"))
    _check("weight", weight, ids)
    return _Gather.apply(weight, ids, bool(deterministic))


def embedding_gather(ids, weight):
    """Look rows of a table up, (...) ids and (V, D) weights -> (..., D), :eq:`lookup`; `embedding` says more."""
    return embedding(ids, weight)


def embedding_scatter_add(d, ids, size, deterministic=False):
    """Add every gradient to the row that was looked up, :eq:`lookup`; a row used twice gets both.

    Parameters
    ----------
    d : (..., D) gradients, float32, bfloat16, float16 or float64.
    ids : (...) which row each belongs to; one that is no row of the table counts nowhere.
    size : V.
    deterministic : add in a fixed order, so that the same arguments give the same bits at every run. False takes
        what is faster; so does torch's own switch, `torch.use_deterministic_algorithms`, when it is off.

    Returns
    -------
    dE : (V, D), of the type of d; 0 in the rows that nobody looked up.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    check_shape("d", d, (*ids.shape, "D"))
    _check("d", d, ids)
    if not (isinstance(size, int) and size >= 0):
        raise ValueError(f"size is {size!r}; it must be a whole number of rows, 0 or more")
    return _ScatterAdd.apply(d, ids, size, bool(deterministic))


def _check(name, tensor, ids):
    if tensor.dtype not in TYPES:
        raise ValueError(f"{name} holds {tensor.dtype}; the kernel takes float32, bfloat16, float16 and float64")
    if ids.dtype not in IDS:
        raise ValueError(f"ids holds {ids.dtype}; it must hold whole numbers, such as int64")
    pick_backend("triton", tensor, ids)
