"""t-SNE in NumPy, float64: the equations of chapter 10, one function each, every array of pairs stored whole.

Letters: N points, D dimensions of the data, d dimensions of the map (nearly always 2). The package's estimator
computes the same without ever storing an N x N array.
"""

import numpy as np

from seqlab.shapes import check_shape

STEPS = 64  # of a search; a bracket found in ten of them shrinks below a float's precision in the rest


def squared_distances(X):
    """Squared Euclidean distances between all pairs of points.

    Parameters
    ----------
    X : (N, D) points, one a row.

    Returns
    -------
    squared : (N, N), symmetric, with zeros on the diagonal.

    Raises
    ------
    ValueError
        when X has another number of axes, or holds NaN or Inf.

    Notes
    -----
    The differences are squared one by one: |x|^2 + |y|^2 - 2 x.y would lose the distance of two near points far from
    the origin.
    """
    X = _points("X", X)
    return np.stack([((X - x) ** 2).sum(axis=1) for x in X])


def gaussian_row(squared, beta):
    """How likely one point would pick each of the others as its neighbour, :eq:`tsne-conditional`.

    Parameters
    ----------
    squared : (k,) squared distances to the others.
    beta : precision of the Gaussian, 1 / (2 sigma^2), in 1 / the squares' unit.

    Returns
    -------
    p : (k,) probabilities that sum to one.

    Notes
    -----
    Subtracting the smallest distance changes nothing in exact arithmetic and keeps the sum from becoming zero.
    """
    e = np.exp(-beta * (squared - squared.min()))
    return e / e.sum()


def entropy(p):
    """Entropy of a distribution in nats; its exp is the perplexity, :eq:`tsne-perplexity`.

    Parameters
    ----------
    p : (k,) probabilities; 0 log 0 counts as 0.

    Returns
    -------
    H : between 0 (one certain neighbour) and log k (all alike).
    """
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def search_precision(squared, perplexity, tolerance=1e-5):
    """Find the width of one point's Gaussian that gives the wanted perplexity, :eq:`tsne-perplexity`, by bisection.

    A larger beta is a narrower Gaussian and a smaller entropy. Double beta until it is too large, then halve the
    bracket.

    Parameters
    ----------
    squared : (k,) squared distances to the others.
    perplexity : effective number of neighbours, 1 <= perplexity <= k.
    tolerance : the largest difference of the entropy from log(perplexity), in nats.

    Returns
    -------
    beta : the precision, 1 / (2 sigma^2). Where more than `perplexity` points share the smallest distance
        (duplicates), no Gaussian is narrow enough: then beta is very large and the row is uniform over those points.

    Raises
    ------
    ValueError
        when the perplexity is below 1 or above k.
    """
    if not 1 <= perplexity <= len(squared):
        raise ValueError(f"perplexity is {perplexity}; with {len(squared)} neighbours it must be 1 to {len(squared)}")
    low, high = 0.0, np.inf
    beta = 1 / (squared.mean() or 1.0)
    for _ in range(STEPS):
        difference = entropy(gaussian_row(squared, beta)) - np.log(perplexity)
        if abs(difference) <= tolerance:
            break
        if difference > 0:
            low = beta
        else:
            high = beta
        beta = 2 * low if high == np.inf else (low + high) / 2
    return beta


def conditional_probabilities(X, perplexity, tolerance=1e-5):
    """p_{j|i} of all pairs, every row with its own Gaussian, :eq:`tsne-conditional` (van der Maaten and Hinton, 2008).

    Parameters
    ----------
    X : (N, D) points.
    perplexity : effective number of neighbours of every point, 1 <= perplexity <= N - 1.
    tolerance : see `search_precision`.

    Returns
    -------
    P : (N, N), row i holds p_{j|i}: it sums to one, with p_{i|i} = 0.

    Raises
    ------
    ValueError
        when X has another number of axes, fewer than 2 points, or NaN or Inf, or the perplexity does not fit.
    """
    squared = squared_distances(X)
    N = len(squared)
    if N < 2:
        raise ValueError(f"X has {N} points; t-SNE compares points, so it must have at least 2")
    if not 1 <= perplexity <= N - 1:
        raise ValueError(f"perplexity is {perplexity}; with {N} points it must be 1 to {N - 1}")
    P = np.zeros((N, N))
    for i in range(N):
        others = np.arange(N) != i
        beta = search_precision(squared[i, others], perplexity, tolerance)
        P[i, others] = gaussian_row(squared[i, others], beta)
    return P


def joint_probabilities(P):
    """Make the neighbourhoods symmetric, p_ij = (p_{j|i} + p_{i|j}) / 2N, :eq:`tsne-joint`.

    Parameters
    ----------
    P : (N, N) conditional probabilities, rows that sum to one.

    Returns
    -------
    P : (N, N) symmetric; all of it sums to one, and every row to at least 1 / 2N, so that no point is left out.
    """
    _square("P", P)
    return (P + P.T) / (2 * len(P))


def student_affinities(Y):
    """How near the points of the map are, by Student's t with one degree of freedom, :eq:`tsne-student`.

    Parameters
    ----------
    Y : (N, d) points of the map.

    Returns
    -------
    Q : (N, N) w / sum of w, all of it sums to one.
    w : (N, N) 1 / (1 + |y_i - y_j|^2), with zeros on the diagonal.

    Raises
    ------
    ValueError
        when Y has another number of axes, or holds NaN or Inf.
    """
    w = 1 / (1 + squared_distances(_points("Y", Y)))
    np.fill_diagonal(w, 0)
    return w / w.sum(), w


def kl_divergence(P, Y):
    """What t-SNE makes small: the divergence of the map from the data, KL(P || Q) in nats, :eq:`tsne-kl`.

    Parameters
    ----------
    P : (N, N) joint probabilities.
    Y : (N, d) points of the map.

    Returns
    -------
    kl : at least 0; 0 when Q equals P. A pair with p = 0 counts nothing, however near its points are drawn.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    Q, _ = _both(P, Y)
    pairs = P > 0
    return (P[pairs] * np.log(P[pairs] / Q[pairs])).sum()


def kl_gradient(P, Y):
    """Gradient of `kl_divergence` with respect to the map, :eq:`tsne-gradient`.

    Parameters
    ----------
    P : (N, N) joint probabilities, symmetric.
    Y : (N, d) points of the map.

    Returns
    -------
    gradient : (N, d), 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j). Its rows sum to zero: nothing moves the map as a whole.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    Q, w = _both(P, Y)
    gradient = np.zeros_like(Y, dtype=np.float64)
    for i, y in enumerate(Y):
        gradient[i] = 4 * ((P[i] - Q[i]) * w[i]) @ (y - Y)
    return gradient


def update(Y, gradient, velocity, gains, lr, momentum):
    """One step downhill with momentum and a gain for every coordinate, :eq:`tsne-update` (Jacobs, 1988).

    A coordinate that keeps its direction gains speed, by adding 0.2; one whose gradient has turned against its velocity
    loses a fifth.

    Parameters
    ----------
    Y, gradient, velocity, gains : (N, d). The velocity starts at 0, the gains at 1.
    lr : learning rate.
    momentum : part of the velocity that is kept.

    Returns
    -------
    Y, velocity, gains : (N, d), new arrays.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    sizes = tuple(np.shape(Y))
    for name, array in {"gradient": gradient, "velocity": velocity, "gains": gains}.items():
        check_shape(name, array, sizes)
    onward = velocity * gradient < 0  # the velocity points downhill, against the gradient
    gains = np.maximum(np.where(onward, gains + 0.2, gains * 0.8), 0.01)
    velocity = momentum * velocity - lr * gains * gradient
    return Y + velocity, velocity, gains


def descend(P, Y, steps, lr, exaggerated=250, exaggeration=12.0):
    """The whole method from a start: first with P enlarged and little momentum, then as it is.

    Parameters
    ----------
    P : (N, N) joint probabilities.
    Y : (N, d) start; small numbers, such as 1e-4.
    steps : how many updates.
    lr : learning rate.
    exaggerated : how many of the updates are made with P times `exaggeration` and momentum 0.5; the rest has 0.8.
    exaggeration : a number above 1 draws groups together while there is room to pass.

    Returns
    -------
    Y : (N, d) map.
    history : (steps + 1,) KL divergence with the true P, before each update and at the end.
    """
    velocity, gains = np.zeros_like(Y), np.ones_like(Y)
    history = [kl_divergence(P, Y)]
    for step in range(steps):
        factor, momentum = (exaggeration, 0.5) if step < exaggerated else (1.0, 0.8)
        gradient = kl_gradient(factor * P, Y)
        Y, velocity, gains = update(Y, gradient, velocity, gains, lr, momentum)
        history.append(kl_divergence(P, Y))
    return Y, np.array(history)


def _points(name, X):
    X = np.asarray(X, dtype=np.float64)
    check_shape(name, X, ("N", "D"))
    if not np.isfinite(X).all():
        raise ValueError(f"{name} holds NaN or Inf; remove or fill those rows")
    return X


def _square(name, P):
    check_shape(name, P, ("N", "N"))


def _both(P, Y):
    """Check that both speak of the same points, and give Q and w."""
    _square("P", P)
    check_shape("Y", Y, (len(P), "d"))
    return student_affinities(Y)
