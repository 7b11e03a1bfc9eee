"""t-SNE's long computations: how wide every neighbourhood is, what pushes all points apart, what pulls neighbours.

**Perplexity search**, :eq:`tsne-perplexity`. A program holds the k squared distances of a few points in registers and
bisects their precisions beta. Torch passes over all N x k distances several times for each of the 50 steps; here they
are read once, and P is written once. Three things make it safe in float32:

- The row's smallest distance is subtracted: p does not change, and the nearest neighbour keeps exp(0) = 1.
- What is left is divided by its mean. Whatever the unit of the data, beta is then sought around 1, and few steps go
  into finding its size.
- Every beta on the way is finite. Where more neighbours share the smallest distance than the perplexity asks for, no
  beta can tell them apart: they share the row evenly, and nothing becomes NaN.

A thread owns up to 64 distances of one row, so that most of a sum needs no other thread. Two powers of two hold
k, 90 <= 64 + 32, because every place costs an exponential, needed or not.

**Repulsion**, :eq:`tsne-gradient`. For the points y_1 .. y_N of the drawing::

    w_ij = 1 / (1 + |y_i - y_j|^2)      force_i = sum_j w_ij^2 (y_i - y_j)      Z = sum_{i != j} w_ij

A program owns ROWS points and walks over all others, COLS at a time; no N x N matrix is ever stored. In the plane,
compiled for Hopper, a pair takes 10 instructions, and one more its share of the loop: r = 1 / sqrt(1 + d^2) is a single
one, and w = r * r needs no division. Two tiles are looked at pair by pair, the one that holds the pairs of a
point with itself and the last, which may stick out; all others run without a mask.

**Attraction**, :eq:`tsne-gradient`. P is a sparse matrix; a program owns a point and walks over its neighbours::

    force_i = sum_j p_ij w_ij (y_i - y_j)       cross = -sum_ij p_ij log w_ij

With Z, `cross` gives the divergence :eq:`tsne-kl`, sum p log p + cross + log Z sum p.

Nothing is added by atomics and no tile is tuned: the same points give the same bits at every run.
"""

import seqlab.kernels  # noqa: F401  chooses Triton's mode, so it comes before triton

# isort: split
import math

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting as interpreting
from seqlab.kernels import pick_backend
from seqlab.shapes import check_shape
from seqlab.tsne.cost import STEPS

FAR = 2.0**60  # stands for no neighbour: exp2(-beta FAR) is 0 for every beta on the way, and beta FAR is finite
HELD = 2048  # distances that a warp holds, 64 a thread
ROWS, COLS, WARPS = 16, 128, 4  # the repulsion's tile: 16 pairs a thread, whose sums stay in 96 registers
WALK = 64  # neighbours at a time in the attraction
TYPES = {torch.float32: tl.float32, torch.float64: tl.float64}


@triton.jit
def _search(
    squared_ptr,  # (N, K): squared distances
    p_ptr,  # (N, K): takes the probabilities
    beta_ptr,  # (N,): takes the precisions
    N,
    K: tl.constexpr,
    HEAD: tl.constexpr,  # the largest power of two in K
    REST: tl.constexpr,  # what K is longer, rounded up to a power of two, or 0
    ROWS: tl.constexpr,
    STEPS: tl.constexpr,
    FAR: tl.constexpr,
    GOAL: tl.constexpr,  # log2 of the perplexity; as an argument of the launch it would have 32 bits
    ACC: tl.constexpr,
):
    # The places are counted backwards. Forwards, the compiler would see that they are neighbours in memory and
    # spread a row over 32 threads, which then spend the time on adding up each other's sums.
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[None, :]
    here = row * K + (HEAD - 1 - tl.arange(0, HEAD))[:, None]
    x = tl.load(squared_ptr + here, mask=row < N, other=0.0).to(ACC)
    nearest = tl.min(x, axis=0)
    if REST:
        k = HEAD + REST - 1 - tl.arange(0, REST)[:, None]
        there = row * K + k
        more = tl.load(squared_ptr + there, mask=(row < N) & (k < K), other=float("inf")).to(ACC)
        nearest = tl.minimum(nearest, tl.min(more, axis=0))
    x -= nearest[None, :]
    unit = tl.sum(tl.where(x < float("inf"), x / K, 0.0), axis=0)
    if REST:
        more -= nearest[None, :]
        unit += tl.sum(tl.where(more < float("inf"), more / K, 0.0), axis=0)
    unit = tl.where(unit > 0, unit, 1.0)  # all neighbours are as near
    x = -_at_most(x / unit[None, :], FAR)
    if REST:
        more = -_at_most(more / unit[None, :], FAR)
    beta, low, high = tl.full([ROWS], 1.0, ACC), tl.zeros([ROWS], ACC), tl.full([ROWS], float("inf"), ACC)
    goal = tl.full([ROWS], GOAL, ACC)
    for _ in range(STEPS):
        e = tl.exp2(beta[None, :] * x)
        total, moment = tl.sum(e, axis=0), tl.sum(e * x, axis=0)
        if REST:
            e = tl.exp2(beta[None, :] * more)
            total, moment = total + tl.sum(e, axis=0), moment + tl.sum(e * more, axis=0)
        wide = tl.log2(total) - beta * (moment / total) > goal  # the entropy in bits
        low, high = tl.where(wide, beta, low), tl.where(wide, high, beta)
        beta = tl.where(high == float("inf"), 2 * beta, 0.5 * (low + high))
    e = tl.exp2(beta[None, :] * x)
    total = tl.sum(e, axis=0)
    if REST:
        e_more = tl.exp2(beta[None, :] * more)
        total += tl.sum(e_more, axis=0)
        tl.store(p_ptr + there, e_more / total[None, :], mask=(row < N) & (k < K))
    tl.store(p_ptr + here, e / total[None, :], mask=row < N)
    beta = tl.where(total == total, beta * 0.6931471805599453 / unit, total)  # exp2 took it in bits and units
    tl.store(beta_ptr + row, beta[None, :], mask=row < N)


@triton.jit
def _at_most(x, most):
    """Cut at `most`; what is no number stays none."""
    return tl.where(x > most, most, x)


@triton.jit
def _repulsion(
    y_ptr,  # (N, D): points
    force_ptr,  # (N, D)
    z_ptr,  # (programs,): each program's part of Z
    N,
    D: tl.constexpr,  # 1, 2 or 3
    ROWS: tl.constexpr,
    COLS: tl.constexpr,  # a multiple of ROWS
    ACC: tl.constexpr,
    BY_ROOT: tl.constexpr,
):
    first = tl.program_id(0) * ROWS
    i = first + tl.arange(0, ROWS)
    row, col = i[:, None], tl.arange(0, COLS)[None, :]
    a0, a1, a2 = _points(y_ptr, row, N, D, True)
    z, f0 = tl.zeros([ROWS, COLS], ACC), tl.zeros([ROWS, COLS], ACC)
    f1, f2 = tl.zeros([ROWS, COLS], ACC), tl.zeros([ROWS, COLS], ACC)
    own = first // COLS * COLS  # the tile that holds the pairs of a point with itself
    last = (N - 1) // COLS * COLS
    whole = last - tl.where(own < last, COLS, 0)
    for start in range(0, whole, COLS):
        b0, b1, b2 = _points(y_ptr, start + tl.where(start >= own, COLS, 0) + col, N, D, False)
        d0, d1, d2, w = _pair(a0, a1, a2, b0, b1, b2, D, BY_ROOT)
        z += w
        w *= w
        f0, f1, f2 = f0 + w * d0, f1 + w * d1, f2 + w * d2
    for start in range(own, N, tl.maximum(last - own, COLS)):  # its own tile and the last, which may be one
        j = start + col
        b0, b1, b2 = _points(y_ptr, j, N, D, True)
        d0, d1, d2, w = _pair(a0, a1, a2, b0, b1, b2, D, BY_ROOT)
        w = tl.where((j < N) & (j != row), w, 0.0)
        z += w
        w *= w
        f0, f1, f2 = f0 + w * d0, f1 + w * d1, f2 + w * d2
    tl.store(z_ptr + tl.program_id(0), tl.sum(tl.where(i < N, tl.sum(z, axis=1), 0.0), axis=0))
    _store(force_ptr + i * D, tl.sum(f0, axis=1), tl.sum(f1, axis=1), tl.sum(f2, axis=1), i < N, D)


@triton.jit
def _attraction(
    y_ptr,  # (N, D): points
    start_ptr,  # (N + 1,): where the neighbours of each point start
    col_ptr,  # (E,): who they are
    p_ptr,  # (E,): how likely they are
    force_ptr,  # (N, D)
    cross_ptr,  # (N,): each point's part of the cross-entropy
    N,
    D: tl.constexpr,
    WALK: tl.constexpr,
    ACC: tl.constexpr,
    BY_ROOT: tl.constexpr,
):
    i = tl.program_id(0)
    a0, a1, a2 = _points(y_ptr, i, N, D, False)
    cross, f0 = tl.zeros([WALK], ACC), tl.zeros([WALK], ACC)
    f1, f2 = tl.zeros([WALK], ACC), tl.zeros([WALK], ACC)
    end = tl.load(start_ptr + i + 1)
    for start in range(tl.load(start_ptr + i), end, WALK):
        e = start + tl.arange(0, WALK)
        j = tl.load(col_ptr + e, mask=e < end, other=0)
        p = tl.load(p_ptr + e, mask=e < end, other=0.0)
        b0, b1, b2 = _points(y_ptr, j, N, D, False)
        d0, d1, d2, w = _pair(a0, a1, a2, b0, b1, b2, D, BY_ROOT)
        cross -= p * tl.log(w)
        w *= p
        f0, f1, f2 = f0 + w * d0, f1 + w * d1, f2 + w * d2
    tl.store(cross_ptr + i, tl.sum(cross, axis=0))
    _store(force_ptr + i * D, tl.sum(f0, axis=0), tl.sum(f1, axis=0), tl.sum(f2, axis=0), i < N, D)


@triton.jit
def _points(y_ptr, i, N, D: tl.constexpr, MASKED: tl.constexpr):
    """Load three coordinates of points; beyond the D there are, the last again, which nobody then uses."""
    at = y_ptr + i * D
    if MASKED:
        y0 = tl.load(at, mask=i < N, other=0.0)
        y1 = tl.load(at + (1 if D > 1 else 0), mask=i < N, other=0.0)
        y2 = tl.load(at + (2 if D > 2 else 0), mask=i < N, other=0.0)
    else:
        y0 = tl.load(at)
        y1 = tl.load(at + (1 if D > 1 else 0))
        y2 = tl.load(at + (2 if D > 2 else 0))
    return y0, y1, y2


@triton.jit
def _pair(a0, a1, a2, b0, b1, b2, D: tl.constexpr, BY_ROOT: tl.constexpr):
    """Differences of the coordinates, and w = 1 / (1 + |a - b|^2); float64 has no root that is one instruction."""
    d0, d1, d2 = a0 - b0, a1 - b1, a2 - b2
    square = 1.0 + d0 * d0
    if D > 1:
        square += d1 * d1
    if D > 2:
        square += d2 * d2
    if BY_ROOT:
        r = tl.rsqrt(square)
        return d0, d1, d2, r * r
    else:
        return d0, d1, d2, 1.0 / square


@triton.jit
def _store(at, f0, f1, f2, inside, D: tl.constexpr):
    tl.store(at, f0, mask=inside)
    if D > 1:
        tl.store(at + 1, f1, mask=inside)
    if D > 2:
        tl.store(at + 2, f2, mask=inside)


def search_plan(k, dtype):
    """Choose the constants of the search and its warps; the compile tests read the same plan as the launch."""
    head = 1 << (k.bit_length() - 1)
    rest = triton.next_power_of_2(k - head) if k > head else 0
    held = HELD * 4 // dtype.itemsize  # float64 takes two registers
    rows = max(1, min(32, held // (head + rest)))
    constants = {"K": k, "HEAD": head, "REST": rest, "ROWS": 1 << (rows.bit_length() - 1), "STEPS": STEPS, "FAR": FAR}
    warps = triton.next_power_of_2(triton.cdiv(head + rest, held))
    return constants | {"ACC": TYPES[dtype]}, warps


def perplexity_search(squared, perplexity):
    """Find for every point the precision at which its neighbours have the wanted perplexity, :eq:`tsne-perplexity`.

    Every row is searched alone, in float32 or float64 as the distances are. Where no precision gives the perplexity,
    because more neighbours than that share the smallest distance, they share the row evenly.

    Parameters
    ----------
    squared : (N, k) squared distances of N points to k others (a point itself is none of them); inf is no neighbour,
        NaN makes its row NaN.
    perplexity : how many neighbours count, 1 to k.

    Returns
    -------
    P : (N, k) conditional probabilities p_{j|i} of :eq:`tsne-conditional`, rows that sum to one.
    beta : (N,) precisions 1 / (2 sigma^2).

    Raises
    ------
    ValueError
        when the shape, the data type or the perplexity does not fit.
    RuntimeError
        when a gradient of the distances is wanted, or a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    N, k = check_shape("squared", squared, ("N", "k")).values()
    _check(squared=squared)
    if k == 0:
        raise ValueError(f"squared has shape {tuple(squared.shape)}; every point needs at least one neighbour")
    if not 1 <= perplexity <= k:
        raise ValueError(f"perplexity is {perplexity!r}; with k = {k} neighbours it must be from 1 to {k}")
    squared = squared.contiguous()
    P, beta = torch.empty_like(squared), squared.new_empty(N)
    if N:
        constants, warps = search_plan(k, squared.dtype)
        programs = (triton.cdiv(N, constants["ROWS"]),)
        with torch.cuda.device_of(squared):
            _search[programs](squared, P, beta, N, GOAL=math.log2(perplexity), **constants, num_warps=warps)
    return P, beta


def repulsion_plan(d, dtype):
    """Choose the constants of the repulsion and its warps; the compile tests read the same plan as the launch."""
    rows = ROWS * 4 // dtype.itemsize  # float64 takes two registers, and a third dimension another sum of a pair
    return {"ROWS": rows if d < 3 else rows // 2, "COLS": COLS, **pair_plan(d, dtype)}, WARPS


def pair_plan(d, dtype):
    """Choose the constants of everything that looks at pairs of points."""
    return {"D": d, "ACC": TYPES[dtype], "BY_ROOT": dtype == torch.float32}


def repulsion(Y):
    """What every point feels from all others, and the sum that makes probabilities of the w, :eq:`tsne-gradient`.

    Parameters
    ----------
    Y : (N, d) points of the drawing, d = 1, 2 or 3, float32 or float64.

    Returns
    -------
    force : (N, d) sum_j w_ij^2 (y_i - y_j), with w_ij = 1 / (1 + |y_i - y_j|^2).
    Z : a number, the sum of w_ij over all pairs i != j, each counted twice.

    Raises
    ------
    ValueError
        when the shape or the data type does not fit.
    RuntimeError
        when a gradient of the points is wanted, or a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    N, d = _check_points(Y)
    constants, warps = repulsion_plan(d, Y.dtype)
    Y = Y.contiguous()
    force, parts = torch.empty_like(Y), Y.new_empty(triton.cdiv(N, constants["ROWS"]))
    if N:
        with torch.cuda.device_of(Y):
            _repulsion[(len(parts),)](Y, force, parts, N, **constants, num_warps=warps)
    return force, parts.sum(dtype=torch.float64).to(Y.dtype)


def attraction(Y, starts, columns, p):
    """What pulls every point towards its neighbours, :eq:`tsne-gradient`, over a sparse P of N rows.

    Parameters
    ----------
    Y : (N, d) points of the drawing, d = 1, 2 or 3, float32 or float64.
    starts : (N + 1,) int64: the entries of row i are those from starts[i] to starts[i + 1] - 1 (`crow_indices` of a
        sparse tensor of torch, `indptr` of one of SciPy).
    columns : (E,) int64 neighbours, 0 <= j < N.
    p : (E,) joint probabilities, of the type of Y.

    Returns
    -------
    force : (N, d) sum_j p_ij w_ij (y_i - y_j), with w_ij = 1 / (1 + |y_i - y_j|^2).
    cross : a number, - sum_ij p_ij log w_ij.

    Raises
    ------
    ValueError
        when a shape or a data type does not fit.
    RuntimeError
        when a gradient is wanted, or a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    N, d = _check_points(Y)
    check_shape("starts", starts, (N + 1,))
    check_shape("p", p, tuple(check_shape("columns", columns, ("E",)).values()))
    _check(Y=Y, p=p)
    for name, tensor in {"starts": starts, "columns": columns}.items():
        if tensor.dtype not in (torch.int64, torch.int32):
            raise ValueError(f"{name} holds {tensor.dtype}; it must hold int64 or int32")
    pick_backend("triton", Y, starts, columns, p)
    if p.dtype != Y.dtype:
        raise ValueError(f"p holds {p.dtype} and Y holds {Y.dtype}; convert one of them")
    Y, force, cross = Y.contiguous(), torch.empty_like(Y, memory_format=torch.contiguous_format), Y.new_empty(N)
    given = [tensor.contiguous() for tensor in (starts, columns, p)]
    if N:
        with torch.cuda.device_of(Y):
            _attraction[(N,)](Y, *given, force, cross, N, WALK=WALK, **pair_plan(d, Y.dtype), num_warps=1)
    return force, cross.sum(dtype=torch.float64).to(Y.dtype)


def _check_points(Y):
    N, d = check_shape("Y", Y, ("N", "d")).values()
    if not 1 <= d <= 3:
        raise ValueError(f"Y has shape {tuple(Y.shape)}; the kernel draws in 1, 2 or 3 dimensions: use backend='torch'")
    _check(Y=Y)
    return N, d


def _check(**tensors):
    """Refuse what the kernels do not take: other numbers, other devices, a gradient, which would silently be lost."""
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES:
            raise ValueError(f"{name} holds {tensor.dtype}; it must hold float32 or float64")
        if torch.is_grad_enabled() and tensor.requires_grad:
            raise RuntimeError(f"the kernel's results cannot be differentiated: give {name}.detach()")
    pick_backend("triton", *tensors.values())
