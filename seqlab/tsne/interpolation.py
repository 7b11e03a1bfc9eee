"""The repulsion of many points on a CPU, in time that grows with N instead of N^2 (Linderman et al., 2019).

Lay a regular grid over the map. Every point shares its charge among a few nodes near it, by Lagrange's polynomials;
between nodes the sum over all pairs is a convolution, for which there is the fast Fourier transform; and every point
collects from the same nodes what they feel. With K(r) = 1 / (1 + r^2)::

    Z = sum_i (K * 1)(y_i) - N        force_i = y_i (K^2 * 1)(y_i) - (K^2 * y)(y_i)

Letters: N points, d dimensions of the map (1 or 2), M nodes along each of them.
"""

from functools import lru_cache, reduce

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn
from scipy.sparse import csr_array

from seqlab.shapes import check_shape

NODES = 4  # that a point shares its charge with, along each dimension: cubic polynomials
SPACING = 1 / 3  # of the nodes, at most: K falls to a half within 1
FEWEST, MOST = 100, 1500  # nodes along each dimension, however small or large the map


def repulsion_by_interpolation(Y, workers=1):
    """Compute what `seqlab.tsne.repulsion` does, nearly, :eq:`tsne-gradient`.

    Parameters
    ----------
    Y : (N, d) points of the map, an array, d = 1 or 2.
    workers : threads of the Fourier transform.

    Returns
    -------
    force : (N, d) float64, sum_j w_ij^2 (y_i - y_j), off by about a hundredth; by more where the map is wider than 500,
        whose nodes are farther apart.
    Z : sum of w over all ordered pairs of two points, off by about a thousandth.

    Raises
    ------
    ValueError
        when Y has another shape or holds NaN or Inf.
    """
    N, d = check_shape("Y", Y, ("N", "d")).values()
    if N == 0 or d not in (1, 2):
        raise ValueError(f"Y has shape {Y.shape}; it must have shape (N, 1) or (N, 2), with at least one point")
    if not np.isfinite(Y).all():
        raise ValueError("Y holds NaN or Inf; look for the first step at which it did")
    Y = np.asarray(Y, dtype=np.float64) - Y.mean(axis=0, dtype=np.float64)
    low, high = Y.min(), Y.max()
    spacing = max(min(SPACING, max(high - low, 1e-9) / FEWEST), (high - low) / MOST)
    M = int((high - low) / spacing) + NODES + 1
    shares = _shares((Y - low) / spacing, M)
    size = next_fast_len(2 * M, real=True)  # twice: a convolution with no way around the back
    near, nearer = _spectra(size, d, spacing)
    charges = np.column_stack([np.ones(N), Y])
    axes = tuple(range(1, d + 1))
    grid = np.ascontiguousarray((shares.T @ charges).T).reshape(d + 1, *[M] * d)
    spectrum = rfftn(grid, s=[size] * d, axes=axes, workers=workers)
    spectrum = np.concatenate([spectrum[:1] * near, spectrum * nearer])
    felt = irfftn(spectrum, s=[size] * d, axes=axes, workers=workers)[(slice(None), *[slice(M)] * d)]
    felt = shares @ felt.reshape(d + 2, -1).T
    return Y * felt[:, 1:2] - felt[:, 2:], felt[:, 0].sum() - N


def _shares(places, M):
    """How much of every point belongs to every node, (N, M^d) sparse, NODES^d of them not 0; rows sum to one.

    `places` are coordinates in units of the spacing, from 0 on. Node 1 stands at place 0, so that each has neighbours.
    """
    first = np.floor(places).astype(np.int64)
    t = places - first + NODES // 2 - 1  # from the first of its nodes
    own = np.arange(NODES)
    weights, columns = [], []
    for a in range(places.shape[1]):
        factors = [reduce(np.multiply, [(t[:, a] - m) / (k - m) for m in own if m != k]) for k in own]
        weights.append(np.stack(factors, axis=1))
        columns.append(first[:, a, None] + own)
    N = len(places)
    weight = reduce(lambda x, y: (x[:, :, None] * y[:, None]).reshape(N, -1), weights)
    column = reduce(lambda x, y: (x[:, :, None] * M + y[:, None]).reshape(N, -1), columns)
    starts = np.arange(0, column.size + 1, column.shape[1])
    return csr_array((weight.ravel(), column.ravel(), starts), shape=(N, M ** places.shape[1]))


@lru_cache(maxsize=2)
def _spectra(size, d, spacing):
    """Fourier transforms of K and K^2 on a ring of `size` nodes in each dimension."""
    steps = np.minimum(np.arange(size), size - np.arange(size)) * spacing
    squared = reduce(np.add, np.meshgrid(*[steps**2] * d, indexing="ij", sparse=True))
    K = 1 / (1 + squared)
    return rfftn(K), rfftn(K**2)
