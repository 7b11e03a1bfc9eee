"""t-SNE's long computations as torch functions: the width of every Gaussian, what pushes points apart, what pulls them.

Letters: N points, k neighbours of each, E entries of the sparse P, d dimensions of the map. No N x N array is ever
stored.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import torch

from seqlab.kernels import pick_backend
from seqlab.shapes import check_shape

STEPS = 64  # of a perplexity search, as in the reference
BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}  # pairs at a time: what stays in a core's cache, or fills a GPU
GROUPS = 32  # of blocks, whose sums are added in order: how many threads there are changes no bit
FLOATS = (torch.float32, torch.float64)


def perplexity_search(squared, perplexity, backend="auto", tolerance=1e-5):
    """Give every row the Gaussian whose perplexity is the wanted one, :eq:`tsne-conditional`, :eq:`tsne-perplexity`.

    Parameters
    ----------
    squared : (N, k) float32 or float64 squared distances from each point to others, in any order.
    perplexity : effective number of neighbours, 1 <= perplexity <= k.
    backend : "torch", "triton" (one launch: a row stays in registers through its whole search), or "auto": Triton on
        CUDA, else torch.
    tolerance : the largest difference of a row's entropy from log(perplexity) at which its search stops, in nats. The
        kernel has its own.

    Returns
    -------
    P : (N, k) p_{j|i}, rows that sum to one.
    beta : (N,) precisions, 1 / (2 sigma^2). Where more than `perplexity` points share the smallest distance
        (duplicates), no Gaussian is narrow enough: then beta is very large and the row is uniform over those points.

    Raises
    ------
    ValueError
        when a shape or data type does not fit, the perplexity is below 1 or above k, or a distance is negative, NaN or
        Inf.
    """
    _check_float("squared", squared)
    k = check_shape("squared", squared, ("N", "k"))["k"]
    if not 1 <= perplexity <= k:
        raise ValueError(f"perplexity is {perplexity}; with {k} neighbours it must be 1 to {k}")
    if not (squared.isfinite() & (squared >= 0)).all():
        raise ValueError("squared holds a negative number, NaN or Inf; it must hold squared distances")
    squared = squared.detach()
    if pick_backend(backend, squared) == "triton":
        from seqlab.tsne import kernels

        return kernels.perplexity_search(squared, perplexity)
    rows = max(1, BLOCK[squared.device.type] // k)
    found = [_search(part, math.log(perplexity), tolerance) for part in squared.split(rows)]
    P, beta = zip(*found, strict=True)
    return torch.cat(P), torch.cat(beta)


def _search(squared, target, tolerance):
    """Bisect all rows side by side; a row that has arrived keeps its beta."""
    shifted = squared - squared.amin(1, keepdim=True)
    mean = squared.mean(1)
    beta = 1 / torch.where(mean > 0, mean, 1)
    low, high = torch.zeros_like(beta), torch.full_like(beta, math.inf)
    for _ in range(STEPS):
        e = torch.exp(-beta[:, None] * shifted)
        total = e.sum(1)
        difference = total.log() + beta * (e * shifted).sum(1) / total - target  # entropy, by its definition
        moving = difference.abs() > tolerance
        if not moving.any():
            break
        low = torch.where(moving & (difference > 0), beta, low)
        high = torch.where(moving & (difference < 0), beta, high)
        middle = torch.where(high == math.inf, 2 * low, (low + high) / 2)
        beta = torch.where(moving, middle, beta)
    e = torch.exp(-beta[:, None] * shifted)
    return e / e.sum(1, keepdim=True), beta


def repulsion(Y, backend="auto"):
    """What pushes every point away from all others, and the sum that makes probabilities of w, :eq:`tsne-gradient`.

    Parameters
    ----------
    Y : (N, d) float32 or float64 points of the map.
    backend : "torch" (blocks of pairs, each pair once), "triton" (tiles; a program owns some rows and passes by all
        columns; d at most 3), or "auto": Triton on CUDA where it can, else torch.

    Returns
    -------
    force : (N, d) sum_j w_ij^2 (y_i - y_j), with w_ij = 1 / (1 + |y_i - y_j|^2).
    Z : the sum of w over all ordered pairs of two points, a 0-d tensor. 4 force / Z is what `kl_gradient` subtracts.

    Raises
    ------
    ValueError
        when the shape or data type does not fit.
    """
    if _way(Y, backend) == "triton":
        from seqlab.tsne import kernels

        return kernels.repulsion(Y.detach())
    return repulsion_in_blocks(Y.detach())


def repulsion_in_blocks(Y, run=map):
    """Walk over the pairs above the diagonal; a block of them serves its rows and, negated, its columns.

    Parameters
    ----------
    Y : (N, d) points.
    run : as `map`; of `side_by_side`, to share the blocks among threads.

    Returns
    -------
    force, Z : as `repulsion` does.
    """
    y = Y.T.contiguous()
    blocks = _blocks(len(Y), BLOCK[Y.device.type])
    groups = [blocks[first::GROUPS] for first in range(min(GROUPS, len(blocks)))]
    if not groups:
        return torch.zeros_like(Y), Y.new_zeros(())
    forces, sums = zip(*run(lambda group: _repulsion(y, group), groups), strict=True)
    return torch.stack(forces).sum(0).T.contiguous(), 2 * torch.stack(sums).sum()


def _blocks(N, pairs):
    """Cut the rows so that what is right of the diagonal's first point has about as many pairs in every block."""
    cuts = [0]
    while cuts[-1] < N:
        columns = N - cuts[-1]
        cuts.append(cuts[-1] + min(columns, max(1, pairs // columns)))
    return list(pairwise(cuts))


def _repulsion(y, blocks):
    """Forces (d, N) and half of Z from some of the blocks."""
    d, N = y.shape
    force, sums, one = torch.zeros_like(y), y.new_zeros(N), y.new_ones(())
    buffers = y.new_empty(d + 1, max((end - start) * (N - start) for start, end in blocks))
    for start, end in blocks:
        rows, columns = end - start, N - start
        w, *differences = (buffer[: rows * columns].view(rows, columns) for buffer in buffers)
        squared = one
        for a, difference in enumerate(differences):
            torch.sub(y[a, start:end, None], y[a, None, start:], out=difference)
            squared = torch.addcmul(squared, difference, difference, out=w)
        w.reciprocal_()
        w[:, :rows].triu_(1)  # a pair inside the block once, a point with itself never
        torch.sum(w, 1, out=sums[start:end])
        w.square_()
        for a, difference in enumerate(differences):
            difference.mul_(w)
            force[a, start:end] += difference.sum(1)
            force[a, start:] -= difference.sum(0)
    return force, sums.sum()


def attraction(Y, starts, columns, p, backend="auto"):
    """What pulls every point towards its neighbours, :eq:`tsne-gradient`, over a sparse P.

    Parameters
    ----------
    Y : (N, d) float32 or float64 points of the map.
    starts : (N + 1,) int64: the entries of row i are those from starts[i] to starts[i + 1] - 1 (`indptr` of SciPy).
    columns : (E,) int64 neighbours, 0 <= j < N.
    p : (E,) joint probabilities, of the type of Y.
    backend : "torch", "triton" (a program owns a point; d at most 3), or "auto": Triton on CUDA where it can, else
        torch.

    Returns
    -------
    force : (N, d) sum_j p_ij w_ij (y_i - y_j). 4 force is what `kl_gradient` adds.
    cross : -sum p_ij log w_ij, a 0-d tensor. The divergence :eq:`tsne-kl` is sum p log p + cross + log Z sum p.

    Raises
    ------
    ValueError
        when a shape or data type does not fit.
    """
    way = _way(Y, backend, starts, columns, p)
    check_shape("starts", starts, (len(Y) + 1,))
    check_shape("p", p, tuple(check_shape("columns", columns, ("E",)).values()))
    if p.dtype != Y.dtype:
        raise ValueError(f"p holds {p.dtype} and Y holds {Y.dtype}; convert one of them")
    if way == "triton":
        from seqlab.tsne import kernels

        return kernels.attraction(Y.detach(), starts, columns, p)
    return attraction_in_rows(Y.detach(), [Edges.of(starts, columns, p)])


class Edges(NamedTuple):
    """Entries of P of some consecutive rows, ready for the loop.

    Attributes
    ----------
    starts : (n + 1,) where the n rows start, from 0 on.
    rows, columns : (E,) the two points of every entry.
    p : (E,) how likely.
    """

    starts: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    p: torch.Tensor

    @classmethod
    def of(cls, starts, columns, p):
        """All rows at once, from the parts of a sparse matrix."""
        rows = torch.repeat_interleave(torch.arange(len(starts) - 1, device=starts.device), starts.diff())
        return cls(starts.long(), rows, columns.long(), p)

    def pieces(self, entries):
        """Cut into parts of whole rows, of about as many entries each."""
        N = len(self.starts) - 1
        count = max(1, min(N, len(self.p) // entries))
        cuts = torch.searchsorted(self.starts, torch.arange(count, device=self.starts.device) * (len(self.p) // count))
        cuts = [*cuts.tolist(), N]
        return [self._part(a, b) for a, b in pairwise(cuts) if a < b]

    def _part(self, first, last):
        here = slice(int(self.starts[first]), int(self.starts[last]))
        return Edges(self.starts[first : last + 1] - here.start, self.rows[here], self.columns[here], self.p[here])


def attraction_in_rows(Y, parts, run=map):
    """Add up the attraction row by row.

    Parameters
    ----------
    Y : (N, d) points.
    parts : `Edges` of consecutive rows, which together are all.
    run : as `map`; of `side_by_side`, to share the parts among threads.

    Returns
    -------
    force, cross : as `attraction` does.
    """
    y = Y.T.contiguous()
    forces, crosses = zip(*run(lambda part: _attraction(y, part), parts), strict=True)
    return torch.cat(forces, dim=1).T.contiguous(), torch.stack(crosses).sum()


def _attraction(y, edges):
    differences = [row.index_select(0, edges.rows).sub_(row.index_select(0, edges.columns)) for row in y]
    squared = torch.ones_like(edges.p)
    for difference in differences:
        squared.addcmul_(difference, difference)
    cross = torch.dot(edges.p, squared.log())
    weights = torch.div(edges.p, squared, out=squared)
    forces = [torch.segment_reduce(each.mul_(weights), "sum", offsets=edges.starts) for each in differences]
    return torch.stack(forces), cross


@contextmanager
def side_by_side():
    """Give a `map` that shares its calls among as many threads as torch may use, while torch itself uses one for each.

    Torch splits every operation among its threads and waits for the last of them, thousands of times a second. Where
    another program needs one of the cores, that wait is most of the time. Whole blocks side by side wait once.

    Yields
    ------
    run : as `map`. Its results come in order.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield map if threads == 1 else pool.map
    finally:
        torch.set_num_threads(threads)


def _way(Y, backend, *others):
    _check_float("Y", Y)
    d = check_shape("Y", Y, ("N", "d"))["d"]
    if d == 0:
        raise ValueError(f"Y has shape {tuple(Y.shape)}; the map needs at least one dimension")
    return pick_backend("torch" if backend == "auto" and d > 3 else backend, Y, *others)


def _check_float(name, tensor):
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}; it must be a torch tensor")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name} holds {tensor.dtype}; it must hold float32 or float64")
