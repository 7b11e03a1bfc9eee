"""The nearest neighbours of every point and their symmetric probabilities: all that t-SNE needs to know of its data."""

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors

from seqlab.shapes import check_shape
from seqlab.tsne.functional import perplexity_search

REACH = 3  # neighbours for each unit of perplexity: beyond, a Gaussian of that width has next to nothing
AT_ONCE = 1 << 28  # numbers that a GPU holds at a time


def nearest_neighbours(X, k, device=None):
    """Squared distances to the k nearest other points: by scikit-learn on the CPU, by products of matrices on a GPU.

    Parameters
    ----------
    X : (N, D) points, centred: a GPU computes in float32.
    k : how many, 1 <= k <= N - 1.
    device : of torch; None for the CPU.

    Returns
    -------
    squared : (N, k) float64, rising along a row.
    ids : (N, k) rows of X; a point is not its own neighbour, its duplicate is.

    Raises
    ------
    ValueError
        when the shape or k does not fit, or X holds NaN or Inf.
    """
    N = check_shape("X", X, ("N", "D"))["N"]
    if not 1 <= k <= N - 1:
        raise ValueError(f"k is {k}; of {N} points, each has 1 to {N - 1} neighbours")
    if device is not None and torch.device(device).type != "cpu":
        return _by_products(X, k, device)
    distances, ids = NearestNeighbors(n_neighbors=k).fit(X).kneighbors()
    return distances.astype(np.float64) ** 2, ids


def sparse_joint_probabilities(X, perplexity, backend="auto", device=None):
    """p_ij of the pairs in which one is among the 3 * perplexity nearest of the other, :eq:`tsne-joint`.

    The same as `seqlab.tsne.reference.joint_probabilities`, except that farther pairs count as 0 (van der Maaten,
    2014). With 3 * perplexity >= N - 1 nothing is left out.

    Parameters
    ----------
    X : (N, D) points; see `centred`, of which t-SNE notices nothing.
    perplexity : effective number of neighbours, 1 <= perplexity <= N - 1.
    backend : of `seqlab.tsne.perplexity_search`.
    device : where the search runs; None for the CPU.

    Returns
    -------
    P : (N, N) scipy.sparse.csr_array, float64, symmetric, its entries sum to one and its columns rise along a row.

    Raises
    ------
    ValueError
        when there are fewer than 2 points, the perplexity does not fit, or X holds NaN or Inf.
    """
    N = check_shape("X", X, ("N", "D"))["N"]
    if N < 2:
        raise ValueError(f"X has {N} points; t-SNE compares points, so it must have at least 2")
    if not 1 <= perplexity <= N - 1:
        raise ValueError(f"perplexity is {perplexity}; with {N} points it must be 1 to {N - 1}")
    k = min(N - 1, int(REACH * perplexity))
    squared, ids = nearest_neighbours(centred(X), k, device)
    conditional, _ = perplexity_search(torch.from_numpy(squared).to(device or "cpu"), perplexity, backend)
    starts = np.arange(0, N * k + 1, k)
    P = csr_array((conditional.cpu().numpy().astype(np.float64).ravel(), ids.ravel(), starts), shape=(N, N))
    P = ((P + P.T) / (2 * N)).tocsr()
    P.eliminate_zeros()
    P.sort_indices()
    return P


def _by_products(X, k, device):
    """Rank by |x_j|^2 - 2 x_i.x_j, which is cheap, and square the differences of those that were chosen."""
    X = torch.as_tensor(X, dtype=torch.float32, device=device)
    if not X.isfinite().all():
        raise ValueError("X holds NaN or Inf; remove or fill those rows")
    N, D = X.shape
    norms = X.square().sum(1)
    rows = max(1, min(AT_ONCE // N, AT_ONCE // (k * max(1, D))))
    found = []
    for start, part in zip(range(0, N, rows), X.split(rows), strict=True):
        rank = torch.addmm(norms, part, X.T, alpha=-2)
        rank.diagonal(start).fill_(float("inf"))  # a point is not its own neighbour
        ids = rank.topk(k, largest=False).indices
        squared, order = (part[:, None] - X[ids]).square().sum(2).sort(dim=1)
        found.append((squared.double().cpu(), ids.gather(1, order).cpu()))
    return tuple(torch.cat(parts).numpy() for parts in zip(*found, strict=True))


def centred(X):
    """Move the mean to 0 and bring the largest coordinate to 1, so that no square overflows or drowns in an offset.

    Parameters
    ----------
    X : (N, D) points.

    Returns
    -------
    X : (N, D) float64; all zeros where all points are the same.
    """
    X = np.asarray(X, dtype=np.float64)
    X = X - X.mean(axis=0)
    return X / (np.abs(X).max() or 1.0)
