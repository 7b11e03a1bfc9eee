"""Cross-entropy and its gradient in one read and one write of the scores.

For a row of scores z with the true word y, and a scale g that the gradient of this row is multiplied with::

    loss = log sum_j exp(z_j - top) - (z_y - top)        dz_j = g * (exp(z_j - top) / total - [j = y])

A program owns whole rows. There are two ways, and where both are possible the tuner takes the faster:

- A row fits one block. It is read once, stays in registers, and its gradient is written from there. A program may walk
  from row to row and load the next ones into shared memory while it works on this one; then there is one program for
  every multiprocessor.
- A row is read in blocks that keep a running maximum and a running total, which shrinks whenever the maximum grows
  (Milakov and Gimelshein, 2018). A second pass over the blocks, which the caches still hold, writes the gradient.

Where V is a multiple of 16, a thread reads and writes 16 bytes at a time; elsewhere one number at a time.

The last block sticks out over the row; what lies outside is loaded as -Inf, so that it adds exp(-Inf) = 0.

What moves, forward and backward, for 16384 rows of 32768 scores in bfloat16 (`seqlab.lm.cost` counts it):

==================================  ========  =======
way                                 GB        seconds
==================================  ========  =======
torch's eager way, six passes       6.44      1.50e-3
this kernel, one read, one write    2.15      0.50e-3
==================================  ========  =======

The seconds are a floor, what an H200 needs for the bytes alone at 4.3 TB/s. They are no measurement.

`rescale` multiplies a finished gradient with one number, and ends without touching it where that number is 1.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting, tuned
from seqlab.lm.kernels.common import SHARED, multiprocessors, sums

LARGEST = 15  # 2**15 scores fit the registers of one program
RESCALE_BLOCK = 1024
RESCALE_PROGRAMS = 2048  # enough to fill a GPU, few enough to start and end at once when there is nothing to do
CONFIGS = [
    *(triton.Config({"BLOCK": n, "WHOLE": False, "STAGES": 1}, num_warps=n // 512) for n in (4096, 8192)),
    *(
        triton.Config({"BLOCK": 2**k, "WHOLE": True, "STAGES": 1}, num_warps=warps)
        for k in range(5, LARGEST + 1)
        for warps in (1, 2, 4, 8, 16, 32)
    ),
    *(triton.Config({"BLOCK": n, "WHOLE": True, "STAGES": 3}, num_warps=32) for n in (16384, 32768)),
]
_seen = set()  # constants for which the kernel was tuned


def _worth_trying(configs, named_args, COLS, ACC, **others):
    """Give a thread 16 to 64 registers of scores; try to read in parts, or ahead, where the row is long."""
    wide = {tl.float32: 1, tl.float64: 2}[ACC]  # registers a score
    size = named_args["z_ptr"].element_size()

    def worth(threads, BLOCK, WHOLE, STAGES):
        if not WHOLE:
            return COLS >= 16384
        if max(COLS, 32) != BLOCK:
            return False
        if STAGES > 1:
            return (STAGES - 1) * BLOCK * size <= SHARED
        if BLOCK == 32768 and threads == 1024:
            return False  # in float32 it needs a few registers more than the 64 that so many threads have
        return BLOCK * wide <= 64 * threads and (threads == 32 or BLOCK * wide >= 16 * threads)

    return [c for c in configs if worth(32 * c.num_warps, **c.kwargs)]


@tuned(CONFIGS, key=["COLS", "GRADIENT"], prune=_worth_trying)
@triton.jit
def _cross_entropy(
    z_ptr,  # (B, V): scores
    y_ptr,  # (B,): ids of the true words
    scale_ptr,  # (B,), or (1,) when SAME: what the gradient of a row is multiplied with
    loss_ptr,  # (B,)
    dz_ptr,  # (B, V): z itself when the gradient may take its place
    B,
    V,
    ignore,
    COLS: tl.constexpr,  # V rounded up to a power of two
    GRADIENT: tl.constexpr,
    SAME: tl.constexpr,
    ACC: tl.constexpr,
    BLOCK: tl.constexpr,
    WHOLE: tl.constexpr,  # BLOCK holds the whole row
    STAGES: tl.constexpr,  # 3: two more rows are on their way meanwhile; 1: none
):
    col = tl.arange(0, BLOCK)
    for row in tl.range(tl.program_id(0), B, tl.num_programs(0), num_stages=STAGES):
        here = tl.cast(row, tl.int64) * V
        y = tl.load(y_ptr + row)
        counts = y != ignore
        known = (y >= 0) & (y < V)
        z_y = tl.load(z_ptr + here + y, mask=known, other=float("nan")).to(ACC)
        if WHOLE:
            z = tl.load(z_ptr + here + col, mask=col < V, other=float("-inf")).to(ACC)
            top = tl.max(z, axis=0)
            e = tl.exp(z - top)
            total = tl.sum(e, axis=0)
        else:
            top = tl.full([], float("-inf"), ACC)
            totals = tl.zeros([BLOCK], ACC)  # each lane sums its own columns
            for start in range(0, V, BLOCK):
                at, inside = here + start + col, start + col < V
                z = tl.load(z_ptr + at, mask=inside, other=float("-inf"), eviction_policy="evict_last").to(ACC)
                higher = tl.maximum(top, tl.max(z, axis=0))
                shift = tl.where(higher == float("-inf"), 0.0, higher)  # nothing but -Inf so far: no Inf - Inf
                totals = totals * tl.exp(top - shift) + tl.exp(z - shift)
                top = higher
            total = tl.sum(totals, axis=0)
        tl.store(loss_ptr + row, tl.where(counts, tl.log(total) - (z_y - top), 0.0))
        if GRADIENT:
            if SAME:
                scale = tl.load(scale_ptr).to(ACC)
            else:
                scale = tl.load(scale_ptr + row).to(ACC)
            scale = tl.where(known, scale, float("nan"))
            if WHOLE:
                dz = e * (scale / total)
                dz = tl.where(counts, tl.where(col == y, dz - scale, dz), 0.0)
                tl.store(dz_ptr + here + col, dz.to(dz_ptr.dtype.element_ty), mask=col < V)
            else:
                for start in range(0, V, BLOCK):
                    at, inside = here + start + col, start + col < V
                    z = tl.load(z_ptr + at, mask=inside, other=0.0, eviction_policy="evict_first").to(ACC)
                    dz = tl.exp(z - top) * (scale / total)
                    dz = tl.where(counts, tl.where(start + col == y, dz - scale, dz), 0.0)
                    tl.store(dz_ptr + at, dz.to(dz_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _rescale(x_ptr, scale_ptr, N, rounds, BLOCK: tl.constexpr, ACC: tl.constexpr):
    scale = tl.load(scale_ptr).to(ACC)
    if scale != 1:
        i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        for _ in range(rounds):
            x = tl.load(x_ptr + i, mask=i < N, other=0.0).to(ACC) * scale
            tl.store(x_ptr + i, x.to(x_ptr.dtype.element_ty), mask=i < N)
            i += tl.num_programs(0) * BLOCK


def plan(V, dtype, gradient=True, same=True):
    """Choose the constants of the kernel; the compile tests read the same plan as the launch."""
    return {"COLS": triton.next_power_of_2(V), "GRADIENT": gradient, "SAME": same, "ACC": sums(dtype)}


def losses(z, y, ignore_index, scale=None, out=None):
    """Compute the loss of every row and, where there is a scale, the gradient of the scores.

    Parameters
    ----------
    z : (B, V) scores, contiguous. Sums are kept in float32, in float64 for float64.
    y : (B,) int64 ids of the true words, contiguous; one outside the vocabulary makes its loss and its gradient NaN.
    ignore_index : id of rows that do not count: their loss and gradient are 0, whatever their scores are.
    scale : None, or (1,) or (B,): what the gradient of every row, or of each, is multiplied with.
    out : (B, V) contiguous, takes the gradient; may be z.

    Returns
    -------
    losses : (B,) in nats, float32 (float64 for float64).
    """
    B, V = z.shape
    gradient = scale is not None
    loss = torch.empty(B, dtype=torch.float64 if z.dtype == torch.float64 else torch.float32, device=z.device)
    if B == 0:
        return loss
    constants = plan(V, z.dtype, gradient, gradient and scale.numel() == 1)

    def programs(config):
        return (min(B, multiprocessors(z)) if config["STAGES"] > 1 else B,)

    arguments = [z, y, scale.contiguous() if gradient else loss, loss]
    with torch.cuda.device_of(z):
        key = (z.dtype, *constants.values())
        if out is z and not interpreting() and key not in _seen:
            # To choose its fastest form the kernel is run many times; in place, it would read its own gradient.
            _cross_entropy[programs](*arguments, torch.empty_like(z), B, V, ignore_index, **constants)
        _cross_entropy[programs](*arguments, out if gradient else z, B, V, ignore_index, **constants)
        _seen.add(key)
    return loss


def rescale(x, scale):
    """Multiply a contiguous tensor in place with a tensor of one number; where that is 1, cost nothing."""
    if x.numel() == 0:
        return
    programs = min(triton.cdiv(x.numel(), RESCALE_BLOCK), RESCALE_PROGRAMS)
    rounds = triton.cdiv(x.numel(), programs * RESCALE_BLOCK)
    with torch.cuda.device_of(x):
        _rescale[(programs,)](x, scale, x.numel(), rounds, BLOCK=RESCALE_BLOCK, ACC=sums(x.dtype))
