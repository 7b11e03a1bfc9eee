"""The two halves of t-SNE as torch functions: the width of every Gaussian, and the forces between points of the map.

Letters: N points, k neighbours of each, d dimensions of the map. No N x N array is ever stored.
"""

import math

import torch

from seqlab.kernels import pick_backend
from seqlab.shapes import check_shape

STEPS = 64  # of a perplexity search, as in the reference
BLOCK = {"cpu": 1 << 17, "cuda": 1 << 24}  # pairs at a time: what stays in a core's cache, or fills a GPU
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

        return kernels.perplexity_search(squared.contiguous(), perplexity)
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
    """The half of the gradient by which all points push each other away, and the sum of w, :eq:`tsne-gradient`.

    Parameters
    ----------
    Y : (N, d) float32 or float64 points of the map.
    backend : "torch", "triton" (tiles; a program owns some rows and passes by all columns), or "auto": Triton on CUDA,
        else torch.

    Returns
    -------
    force : (N, d) sum_j w_ij^2 (y_i - y_j), with w_ij = 1 / (1 + |y_i - y_j|^2).
    Z : the sum of w over all ordered pairs of two points, a 0-d tensor. 4 force / Z is what `kl_gradient` subtracts.

    Raises
    ------
    ValueError
        when the shape or data type does not fit.
    """
    _check_float("Y", Y)
    check_shape("Y", Y, ("N", "d"))
    Y = Y.detach()
    if pick_backend(backend, Y) == "triton":
        from seqlab.tsne import kernels

        return kernels.repulsion(Y.contiguous())
    return _repulsion(Y)


def _repulsion(Y):
    """Walk over the pairs above the diagonal in blocks of rows; a block serves its rows and, negated, its columns."""
    N, d = Y.shape
    y = Y.T.contiguous()
    force, sums = torch.zeros_like(y), y.new_zeros(N)
    pairs = max(N, BLOCK[Y.device.type])
    buffers = y.new_empty(d + 1, pairs)
    one = y.new_ones(())
    start = 0
    while start < N:
        columns = N - start
        rows = min(columns, pairs // columns)
        end = start + rows
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
        start = end
    return force.T.contiguous(), 2 * sums.sum()


class Edges:
    """The pairs that attract each other, as t-SNE's loop wants them: the sparse P as flat tensors, row by row.

    Parameters
    ----------
    P : (N, N) symmetric `scipy.sparse.csr_array` of joint probabilities.
    dtype, device : of the tensors.
    """

    def __init__(self, P, dtype=torch.float32, device="cpu"):
        self.starts = torch.as_tensor(P.indptr, dtype=torch.int64, device=device)
        self.columns = torch.as_tensor(P.indices, dtype=torch.int64, device=device)
        self.rows = torch.repeat_interleave(torch.arange(P.shape[0], device=device), self.starts.diff())
        self.p = torch.as_tensor(P.data, dtype=dtype, device=device)
        self.negative_entropy = float((P.data[P.data > 0] * _log(P.data[P.data > 0])).sum())

    def _differences(self, Y):
        """y_i - y_j of every edge, one tensor for each dimension, and 1 + |y_i - y_j|^2."""
        differences = [y.index_select(0, self.rows).sub_(y.index_select(0, self.columns)) for y in Y.T.contiguous()]
        squared = torch.ones_like(self.p)
        for difference in differences:
            squared.addcmul_(difference, difference)
        return differences, squared

    def attraction(self, Y):
        """The half of the gradient that draws neighbours together, sum_j p_ij w_ij (y_i - y_j), :eq:`tsne-gradient`.

        Parameters
        ----------
        Y : (N, d) points of the map.

        Returns
        -------
        force : (N, d). 4 force is what `kl_gradient` adds.
        """
        differences, squared = self._differences(Y)
        weights = torch.div(self.p, squared, out=squared)
        forces = [torch.segment_reduce(d.mul_(weights), "sum", offsets=self.starts) for d in differences]
        return torch.stack(forces, dim=1)

    def kl_divergence(self, Y, Z):
        """KL(P || Q) in nats over the edges, :eq:`tsne-kl`: with log q = log w - log Z no pair beyond them is needed.

        Parameters
        ----------
        Y : (N, d) points of the map.
        Z : from `repulsion`.

        Returns
        -------
        kl : a float.
        """
        _, squared = self._differences(Y)
        cross = (self.p * squared.log()).sum(dtype=torch.float64) + self.p.sum(dtype=torch.float64) * Z.double().log()
        return self.negative_entropy + float(cross)


def _log(p):
    import numpy as np

    return np.log(p)


def _check_float(name, tensor):
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}; it must be a torch tensor")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name} holds {tensor.dtype}; it must hold float32 or float64")
