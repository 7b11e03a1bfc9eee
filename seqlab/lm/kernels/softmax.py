"""Softmax of rows of scores, :eq:`softmax`, in three ways, and its gradient.

For a row of scores z, with its maximum m and the sum l of the exponentials below it::

    m = max_j z_j        l = sum_j exp(z_j - m)        p_j = exp(z_j - m) / l

and back, from the gradient dp of the probabilities to that of the scores::

    dz_j = p_j (dp_j - sum_i p_i dp_i)

- `softmax_row`: a program owns a row. It reads it once, whole, and keeps it in registers until it writes the result.
  Where a row fills the registers of a multiprocessor, a program may walk from row to row and load the next ones into
  shared memory while it works on this one; then there is one program for every multiprocessor.
- `softmax_online`: for a row that no program can hold. It passes by in blocks, with a running maximum m and a running
  sum l that shrinks whenever m grows (Milakov and Gimelshein, 2018); a second pass reads it again and writes.
- `softmax_passes`: a kernel for each step of the formula, so that everything between two steps goes through memory. It
  is there to be counted, not to be used.
- `softmax_backward` holds rows where it can, and reads them twice where it cannot.

The last block sticks out over the row; what lies outside is loaded as -Inf, so that it adds exp(-Inf) = 0. A row of
nothing but -Inf has no probabilities: it becomes NaN, as in torch.

What moves forward for 16384 rows of 32768 scores in bfloat16 (`seqlab.lm.cost` counts it):

=========================================  ========  =======
way                                        GB        seconds
=========================================  ========  =======
a kernel for each step, six passes         6.44      1.50e-3
online, two reads and one write            3.22      0.75e-3
a program owns a row, one read, one write  2.15      0.50e-3
=========================================  ========  =======

The seconds are a floor, what an H200 needs for the bytes alone at 4.3 TB/s. They are no measurement.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import pick_backend, tuned
from seqlab.kernels.numbers import TYPES
from seqlab.lm.kernels.common import SHARED, multiprocessors, sums
from seqlab.shapes import check_shape

HELD = 2**15  # numbers of 4 bytes that one program's registers hold, next to what it computes with
PASS_BLOCK = 4096  # scores that a program of `softmax_passes` reads at a time
WALKING = 16384  # a row as long as this leaves no room for a second program, so one may read ahead
# A row of 2**15 takes 64 registers of each of 1024 threads, or 128 of 512: either way one program fills a
# multiprocessor, and a row of 2**16 spills. Such a program waits for its row, unless it reads ahead. Its arithmetic
# takes less time than its memory, even with a division for every score; tests/lm/test_softmax_sm90.py counts.
HOLDS = [  # a whole row
    *(triton.Config({"STAGES": 1}, num_warps=warps) for warps in (4, 1, 2, 8, 16, 32)),
    *(triton.Config({"STAGES": stages}, num_warps=32) for stages in (2, 3)),
]
PARTS = [  # so many registers that several programs share a multiprocessor: one reads while another computes
    triton.Config({"BLOCK": block}, num_warps=warps) for block, warps in ((4096, 8), (2048, 4), (8192, 16))
]


def _worth_holding(arrays):
    """Give a thread 16 to 64 registers of what a program holds; read ahead where the row is long and memory allows."""

    def worth_trying(configs, named_args, BLOCK, ACC, **others):
        held = arrays * BLOCK * {tl.float32: 1, tl.float64: 2}[ACC]
        size = arrays * BLOCK * next(iter(named_args.values())).element_size()

        def worth(threads, STAGES):
            if STAGES > 1:
                return BLOCK >= WALKING and (STAGES - 1) * size <= SHARED - 4096  # and some for the sums
            return held <= 64 * threads and (threads == 32 or held >= 16 * threads)

        return [c for c in configs if worth(32 * c.num_warps, **c.kwargs)]

    return worth_trying


@tuned(HOLDS, key=["BLOCK"], prune=_worth_holding(1))
@triton.jit
def _softmax_row(
    z_ptr,  # (B, V): scores
    p_ptr,  # (B, V): takes the probabilities
    B,
    V,
    BLOCK: tl.constexpr,  # V rounded up to a power of two
    ACC: tl.constexpr,  # in which to compute
    STAGES: tl.constexpr,  # 1; or so many rows, less one, are on their way meanwhile
):
    # A program owns a row, and where there are fewer programs than rows, also the rows that many further on.
    col = tl.arange(0, BLOCK)
    for row in tl.range(tl.program_id(0), B, tl.num_programs(0), num_stages=STAGES):
        here = tl.cast(row, tl.int64) * V
        z = tl.load(z_ptr + here + col, mask=col < V, other=float("-inf")).to(ACC)
        m = tl.max(z, axis=0)
        e = tl.exp(z - m)
        l = tl.sum(e, axis=0)
        p = e / l
        tl.store(p_ptr + here + col, p.to(p_ptr.dtype.element_ty), mask=col < V)


@tuned(PARTS, key=["COLS"])
@triton.jit
def _softmax_online(
    z_ptr,  # (B, V): scores
    p_ptr,  # (B, V): takes the probabilities
    V,
    COLS: tl.constexpr,  # V rounded up to a power of two, for the tuner
    ACC: tl.constexpr,  # in which to compute
    BLOCK: tl.constexpr,  # scores that are read at a time
):
    # A program owns a row and passes over it twice, a block at a time.
    here = tl.program_id(0).to(tl.int64) * V
    col = tl.arange(0, BLOCK)
    m = tl.full([], float("-inf"), ACC)
    l = tl.zeros([BLOCK], ACC)  # every lane sums its own columns
    for start in range(0, V, BLOCK):
        at, inside = here + start + col, start + col < V
        z = tl.load(z_ptr + at, mask=inside, other=float("-inf"), eviction_policy="evict_last").to(ACC)
        m_new = tl.maximum(m, tl.max(z, axis=0))
        shift = tl.where(m_new == float("-inf"), 0.0, m_new)  # nothing but -Inf so far: no Inf - Inf
        l = l * tl.exp(m - shift) + tl.exp(z - shift)
        m = m_new
    l = tl.sum(l, axis=0)
    for start in range(0, V, BLOCK):
        at, inside = here + start + col, start + col < V
        z = tl.load(z_ptr + at, mask=inside, other=float("-inf"), eviction_policy="evict_first").to(ACC)
        p = tl.exp(z - m) / l
        tl.store(p_ptr + at, p.to(p_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _row_max(z_ptr, m_ptr, V, BLOCK: tl.constexpr, ACC: tl.constexpr):
    # In this kernel and the next three a program owns a row and walks over it, a block at a time.
    row, col = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    m = tl.full([], float("-inf"), ACC)
    for start in range(0, V, BLOCK):
        z = tl.load(z_ptr + row * V + start + col, mask=start + col < V, other=float("-inf")).to(ACC)
        m = tl.maximum(m, tl.max(z, axis=0))
    tl.store(m_ptr + row, m)


@triton.jit
def _exponentials(z_ptr, m_ptr, e_ptr, V, BLOCK: tl.constexpr, ACC: tl.constexpr):
    row, col = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    m = tl.load(m_ptr + row)
    for start in range(0, V, BLOCK):
        at, inside = row * V + start + col, start + col < V
        e = tl.exp(tl.load(z_ptr + at, mask=inside, other=float("-inf")).to(ACC) - m)
        tl.store(e_ptr + at, e.to(e_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _row_sum(e_ptr, l_ptr, V, BLOCK: tl.constexpr, ACC: tl.constexpr):
    row, col = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    l = tl.zeros([BLOCK], ACC)
    for start in range(0, V, BLOCK):
        l += tl.load(e_ptr + row * V + start + col, mask=start + col < V, other=0.0).to(ACC)
    tl.store(l_ptr + row, tl.sum(l, axis=0))


@triton.jit
def _quotient(e_ptr, l_ptr, p_ptr, V, BLOCK: tl.constexpr, ACC: tl.constexpr):
    row, col = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    l = tl.load(l_ptr + row)
    for start in range(0, V, BLOCK):
        at, inside = row * V + start + col, start + col < V
        p = tl.load(e_ptr + at, mask=inside, other=0.0).to(ACC) / l
        tl.store(p_ptr + at, p.to(p_ptr.dtype.element_ty), mask=inside)


@tuned(HOLDS, key=["BLOCK"], prune=_worth_holding(2))
@triton.jit
def _softmax_backward(
    p_ptr,  # (B, V): probabilities
    dp_ptr,  # (B, V): their gradient
    dz_ptr,  # (B, V): takes the gradient of the scores
    B,
    V,
    BLOCK: tl.constexpr,  # V rounded up to a power of two
    ACC: tl.constexpr,  # in which to compute
    STAGES: tl.constexpr,  # as in `_softmax_row`
):
    # A program owns a row, or several, as in `_softmax_row`.
    col = tl.arange(0, BLOCK)
    for row in tl.range(tl.program_id(0), B, tl.num_programs(0), num_stages=STAGES):
        here = tl.cast(row, tl.int64) * V
        p = tl.load(p_ptr + here + col, mask=col < V, other=0.0).to(ACC)
        dp = tl.load(dp_ptr + here + col, mask=col < V, other=0.0).to(ACC)
        mean = tl.sum(p * dp, axis=0)
        dz = p * (dp - mean)
        tl.store(dz_ptr + here + col, dz.to(dz_ptr.dtype.element_ty), mask=col < V)


@tuned(PARTS, key=["COLS"])
@triton.jit
def _softmax_backward_parts(
    p_ptr,  # (B, V): probabilities
    dp_ptr,  # (B, V): their gradient
    dz_ptr,  # (B, V): takes the gradient of the scores
    V,
    COLS: tl.constexpr,  # V rounded up to a power of two, for the tuner
    ACC: tl.constexpr,  # in which to compute
    BLOCK: tl.constexpr,  # numbers that are read at a time
):
    # A program owns a row and passes over it twice, a block at a time.
    here = tl.program_id(0).to(tl.int64) * V
    col = tl.arange(0, BLOCK)
    mean = tl.zeros([BLOCK], ACC)  # every lane sums its own columns
    for start in range(0, V, BLOCK):
        at, inside = here + start + col, start + col < V
        p = tl.load(p_ptr + at, mask=inside, other=0.0, eviction_policy="evict_last").to(ACC)
        dp = tl.load(dp_ptr + at, mask=inside, other=0.0, eviction_policy="evict_last").to(ACC)
        mean += p * dp
    mean = tl.sum(mean, axis=0)
    for start in range(0, V, BLOCK):
        at, inside = here + start + col, start + col < V
        p = tl.load(p_ptr + at, mask=inside, other=0.0, eviction_policy="evict_first").to(ACC)
        dp = tl.load(dp_ptr + at, mask=inside, other=0.0, eviction_policy="evict_first").to(ACC)
        dz = p * (dp - mean)
        tl.store(dz_ptr + at, dz.to(dz_ptr.dtype.element_ty), mask=inside)


def longest_row(dtype, arrays=1):
    """Say how many numbers a row may have that one program holds.

    Parameters
    ----------
    dtype : of torch, that of the scores.
    arrays : how many rows it holds at the same time: 1 forward, 2 (probabilities and their gradient) backward.

    Returns
    -------
    length : a power of two. A number takes 4 bytes of registers, whatever it takes in memory; float64 takes 8.
    """
    return HELD // arrays // (2 if dtype == torch.float64 else 1)


def plan(V, dtype, whole):
    """Choose the constants of a kernel that holds whole rows, or of one that does not.

    The compile tests read the same plan as the launch.
    """
    return {"BLOCK" if whole else "COLS": triton.next_power_of_2(V), "ACC": sums(dtype)}


def softmax_row(z):
    """Softmax of rows that one program can hold, :eq:`softmax`: one read of the scores, one write.

    Parameters
    ----------
    z : (B, V) scores; float32, bfloat16, float16 or float64. They are copied where rows do not lie side by side.

    Returns
    -------
    p : (B, V) probabilities in the type of z. This function has no gradient; `seqlab.lm.softmax` has one.

    Raises
    ------
    ValueError
        when the shape, the data type or the device does not fit, or a row is longer than `longest_row`.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    z, B, V = _scores("z", z)
    most = longest_row(z.dtype)
    if most < V:
        raise ValueError(f"z has shape {(B, V)}; a program holds at most {most} scores of a row: use softmax_online")
    p = torch.empty_like(z)
    _over_rows(_softmax_row, z, p, whole=True)
    return p


def softmax_online(z, block=None):
    """Softmax of rows of any length, :eq:`softmax`, with a running maximum: two reads of the scores, one write.

    Parameters
    ----------
    z : (B, V) scores, as in `softmax_row`.
    block : how many scores are read at a time, a power of two; None for what was fastest on this GPU.

    Returns
    -------
    p : (B, V) probabilities in the type of z. This function has no gradient; `seqlab.lm.softmax` has one.

    Raises
    ------
    ValueError
        when the shape, the data type or the device does not fit, or `block` is no power of two.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    z, *_ = _scores("z", z)
    if block is not None and not (isinstance(block, int) and block >= 1 and block & (block - 1) == 0):
        raise ValueError(f"block is {block!r}; it must be a power of two, or None for what was fastest")
    p = torch.empty_like(z)
    _over_rows(_softmax_online, z, p, whole=False, block=block)
    return p


def softmax_passes(z):
    """Softmax, :eq:`softmax`, a kernel for each step: maximum, exponentials, sum, quotient. Six passes over memory.

    Parameters
    ----------
    z : (B, V) scores, as in `softmax_row`.

    Returns
    -------
    p : (B, V) probabilities in the type of z, in which the exponentials are kept too.

    Raises
    ------
    ValueError
        when the shape, the data type or the device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    z, B, V = _scores("z", z)
    e, p = torch.empty_like(z), torch.empty_like(z)
    m = torch.empty(B, dtype=torch.float64 if z.dtype == torch.float64 else torch.float32, device=z.device)
    l = torch.empty_like(m)
    if B == 0:
        return p
    constants = {"BLOCK": min(PASS_BLOCK, triton.next_power_of_2(V)), "ACC": sums(z.dtype), "num_warps": 8}
    with torch.cuda.device_of(z):
        _row_max[(B,)](z, m, V, **constants)
        _exponentials[(B,)](z, m, e, V, **constants)
        _row_sum[(B,)](e, l, V, **constants)
        _quotient[(B,)](e, l, p, V, **constants)
    return p


def softmax_backward(dp, p):
    """Send the gradient of probabilities back to the scores, :eq:`attention-gradient`.

    Rows that a program can hold are read once and written once; longer ones are read twice.

    Parameters
    ----------
    dp : (B, V) gradient of the probabilities; float32, bfloat16, float16 or float64.
    p : (B, V) the probabilities, what a softmax gave, of the same type.

    Returns
    -------
    dz : (B, V) gradient of the scores, in the same type; each row sums to zero.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    p, B, V = _scores("p", p)
    check_shape("dp", dp, (B, V))
    if dp.dtype != p.dtype:
        raise ValueError(f"dp holds {dp.dtype} and p holds {p.dtype}; convert one of them")
    pick_backend("triton", p, dp)
    dp, dz = dp.detach().contiguous(), torch.empty_like(p)
    whole = longest_row(p.dtype, arrays=2) >= V
    _over_rows(_softmax_backward if whole else _softmax_backward_parts, p, dp, dz, whole=whole)
    return dz


def _scores(name, z):
    """Check rows of scores; give them without gaps, and how many there are of what length."""
    B, V = check_shape(name, z, ("B", "V")).values()
    if V == 0:
        raise ValueError(f"{name} has shape {(B, V)}; every row needs at least one score")
    if z.dtype not in TYPES:
        raise ValueError(f"{name} holds {z.dtype}; the kernel takes float32, bfloat16, float16 and float64")
    pick_backend("triton", z)
    return z.detach().contiguous(), B, V


def _over_rows(kernel, *arrays, whole, block=None):
    """Launch a kernel over (B, V) arrays, a program a row, or one a multiprocessor where programs walk."""
    B, V = arrays[0].shape
    if B == 0:
        return
    constants = plan(V, arrays[0].dtype, whole)
    with torch.cuda.device_of(arrays[0]):
        if block is not None:
            kernel.fn[(B,)](*arrays, V, **constants, BLOCK=block, num_warps=max(1, min(16, block // 512)))
        elif whole:
            kernel[lambda config: (_programs(config["STAGES"], arrays[0]),)](*arrays, B, V, **constants)
        else:
            kernel[(B,)](*arrays, V, **constants)


def _programs(stages, z):
    return min(len(z), multiprocessors(z)) if stages > 1 else len(z)
