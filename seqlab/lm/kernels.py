"""Cross-entropy and its gradient in one read and one write of the scores.

For a row of scores z with the true word y, and a scale g that the gradient of this row is multiplied with::

    loss = log sum_j exp(z_j - top) - (z_y - top)        dz_j = g * (exp(z_j - top) / total - [j = y])

A program owns one row. There are two ways:

- `_whole`: the row fits one block. It is read once, stays in registers, and the gradient is written from there.
- `_tiles`, for larger vocabularies: the row is read in tiles that keep a running maximum and a running total, which
  shrinks whenever the maximum grows (Milakov and Gimelshein, 2018). A second pass over the tiles, which the L2 cache
  still holds, writes the gradient.

The last block sticks out over the row; what lies outside is loaded as -Inf, so that it adds exp(-Inf) = 0.

`rescale` multiplies a finished gradient with one number, and ends without touching it where that number is 1.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting, tuned
from seqlab.lm.cost import cost as cost  # it needs no Triton, so it has a file of its own

LARGEST_BLOCK = {torch.float64: 8192, torch.float32: 32768, torch.bfloat16: 32768, torch.float16: 32768}
RESCALE_BLOCK = 4096
_seen = set()  # constants for which a kernel was tuned


def _worth_trying(configs, named_args, BLOCK, **others):
    """Give a thread 8 to 64 scores: with more they overflow the registers."""
    return [c for c in configs if 8 * 32 * c.num_warps <= BLOCK <= 64 * 32 * c.num_warps] or configs[:1]


@tuned(
    [triton.Config({}, num_warps=warps) for warps in (1, 2, 4, 8, 16, 32)],
    key=["BLOCK", "GRADIENT"],
    prune=_worth_trying,
)
@triton.jit
def _whole(
    z_ptr,  # (B, V): scores
    y_ptr,  # (B,): ids of the true words
    scale_ptr,  # (B,), or (1,) when SAME: what the gradient of a row is multiplied with
    loss_ptr,  # (B,)
    dz_ptr,  # (B, V): z itself when the gradient may take its place
    V,
    ignore,
    BLOCK: tl.constexpr,  # V rounded up to a power of two
    GRADIENT: tl.constexpr,
    SAME: tl.constexpr,
    ACC: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    z_ptr += row * V
    dz_ptr += row * V
    col = tl.arange(0, BLOCK)
    y = tl.load(y_ptr + row)
    if y == ignore:  # its scores are not even read
        tl.store(loss_ptr + row, 0.0)
        if GRADIENT:
            tl.store(dz_ptr + col, tl.zeros([BLOCK], dz_ptr.dtype.element_ty), mask=col < V)
    else:
        known = (y >= 0) & (y < V)
        z_y = tl.load(z_ptr + y, mask=known, other=float("nan")).to(ACC)
        z = tl.load(z_ptr + col, mask=col < V, other=float("-inf")).to(ACC)
        top = tl.max(z, axis=0)
        e = tl.exp(z - top)
        total = tl.sum(e, axis=0)
        tl.store(loss_ptr + row, tl.log(total) - (z_y - top))
        if GRADIENT:
            scale = _scale(scale_ptr, row, known, SAME, ACC)
            dz = _minus_truth(e * (scale / total), col, y, scale)
            tl.store(dz_ptr + col, dz.to(dz_ptr.dtype.element_ty), mask=col < V)


@tuned(
    [triton.Config({"BLOCK": block}, num_warps=warps) for block, warps in ((4096, 8), (8192, 16), (16384, 32))],
    key=["GRADIENT", "ACC"],
)
@triton.jit
def _tiles(
    z_ptr,
    y_ptr,
    scale_ptr,
    loss_ptr,
    dz_ptr,
    V,
    ignore,
    BLOCK: tl.constexpr,  # scores of a tile
    GRADIENT: tl.constexpr,
    SAME: tl.constexpr,
    ACC: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    z_ptr += row * V
    dz_ptr += row * V
    y = tl.load(y_ptr + row)
    if y == ignore:
        tl.store(loss_ptr + row, 0.0)
        if GRADIENT:
            for start in range(0, V, BLOCK):
                col = start + tl.arange(0, BLOCK)
                tl.store(dz_ptr + col, tl.zeros([BLOCK], dz_ptr.dtype.element_ty), mask=col < V)
    else:
        known = (y >= 0) & (y < V)
        z_y = tl.load(z_ptr + y, mask=known, other=float("nan")).to(ACC)
        top = tl.full([], float("-inf"), ACC)
        totals = tl.zeros([BLOCK], ACC)  # each lane sums its own column of the tiles
        for start in range(0, V, BLOCK):
            col = start + tl.arange(0, BLOCK)
            z = tl.load(z_ptr + col, mask=col < V, other=float("-inf"), eviction_policy="evict_last").to(ACC)
            higher = tl.maximum(top, tl.max(z, axis=0))
            shift = tl.where(higher == float("-inf"), 0.0, higher)  # all scores so far are -Inf: no Inf - Inf
            totals = totals * tl.exp(top - shift) + tl.exp(z - shift)
            top = higher
        total = tl.sum(totals, axis=0)
        tl.store(loss_ptr + row, tl.log(total) - (z_y - top))
        if GRADIENT:
            scale = _scale(scale_ptr, row, known, SAME, ACC)
            for start in range(0, V, BLOCK):
                col = start + tl.arange(0, BLOCK)
                z = tl.load(z_ptr + col, mask=col < V, other=float("-inf"), eviction_policy="evict_first").to(ACC)
                dz = _minus_truth(tl.exp(z - top) * (scale / total), col, y, scale)
                tl.store(dz_ptr + col, dz.to(dz_ptr.dtype.element_ty), mask=col < V)


@triton.jit
def _scale(scale_ptr, row, known, SAME: tl.constexpr, ACC: tl.constexpr):
    """Load the scale of a row; a word that is not in the vocabulary makes the whole gradient NaN."""
    if SAME:
        scale = tl.load(scale_ptr)
    else:
        scale = tl.load(scale_ptr + row)
    return tl.where(known, scale.to(ACC), float("nan"))


@triton.jit
def _minus_truth(dz, col, y, scale):
    return tl.where(col == y, dz - scale, dz)


@triton.jit
def _rescale(x_ptr, scale_ptr, N, BLOCK: tl.constexpr, ACC: tl.constexpr):
    scale = tl.load(scale_ptr).to(ACC)
    if scale != 1:
        i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + i, mask=i < N, other=0.0)
        tl.store(x_ptr + i, (x.to(ACC) * scale).to(x_ptr.dtype.element_ty), mask=i < N)


def plan(V, dtype, gradient=True, same=True):
    """Choose the kernel for a vocabulary and its constants; the compile tests read the same plan as the launch."""
    constants = {"GRADIENT": gradient, "SAME": same, "ACC": tl.float64 if dtype == torch.float64 else tl.float32}
    if LARGEST_BLOCK[dtype] >= V:
        return _whole, constants | {"BLOCK": triton.next_power_of_2(V)}
    return _tiles, constants


def losses(z, y, ignore_index, scale=None, out=None):
    """Compute the loss of every row and, where there is a scale, the gradient of the scores.

    Parameters
    ----------
    z : (B, V) scores, contiguous. Sums are kept in float32, in float64 for float64.
    y : (B,) ids of the true words; one outside the vocabulary makes its loss and its gradient NaN.
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
    kernel, constants = plan(V, z.dtype, gradient, gradient and scale.numel() == 1)
    arguments = [z, y.contiguous(), scale.contiguous() if gradient else loss, loss]
    with torch.cuda.device_of(z):
        key = (kernel, z.dtype, *constants.values())
        if out is z and not interpreting() and key not in _seen:
            # To choose its fastest form a kernel is run many times; in place, it would read its own gradient.
            kernel[(B,)](*arguments, torch.empty_like(z), V, ignore_index, **constants)
        kernel[(B,)](*arguments, out if gradient else z, V, ignore_index, **constants)
        _seen.add(key)
    return loss


def rescale(x, scale):
    """Multiply a contiguous tensor in place with a tensor of one number; where that is 1, cost nothing."""
    if x.numel() == 0:
        return
    acc = tl.float64 if x.dtype == torch.float64 else tl.float32
    with torch.cuda.device_of(x):
        _rescale[(triton.cdiv(x.numel(), RESCALE_BLOCK),)](x, scale, x.numel(), BLOCK=RESCALE_BLOCK, ACC=acc)
