"""What t-SNE's kernels must pay on a GPU, whoever programs them, in float32. Needs no Triton: it works everywhere."""

from seqlab.kernels import Cost

STEPS = 50  # of the perplexity search: a few find the size of beta, 24 bits are all that float32 holds
NUMBER, INDEX = 4, 8  # bytes
# A device's speed counts a fused product and sum as two operations, and a sum alone takes as long as both.
FUSED = 2
# A multiprocessor of Hopper has 128 places for those and 16 for exponentials and inverse square roots.
SPECIAL = FUSED * 128 // 16


def repulsion_cost(N, d=2):
    """Count what the forces between all pairs must pay; nobody needs to store them.

    A pair needs d differences, d products for 1 + |y_i - y_j|^2 and d for the force; w = r r, its sum Z, and w w. These
    are 3 d + 3 instructions, beside which the inverse square root r is computed.

    Parameters
    ----------
    N, d : points, dimensions of the drawing.

    Returns
    -------
    cost : Cost, whose operations are those of the units that are busy longest.
    """
    return Cost((2 * N * d + 1) * NUMBER, N * (N - 1) * max(FUSED * (3 * d + 3), SPECIAL))


def search_cost(N, k, steps=STEPS):
    """Count what the perplexity search must pay: an exponential for every distance in every step.

    Parameters
    ----------
    N, k : points, neighbours of each.
    steps : of the bisection.

    Returns
    -------
    cost : Cost, whose operations are those of the units that are busy longest, which compute the exponentials.
    """
    return Cost((2 * N * k + N) * NUMBER, N * k * steps * SPECIAL)


def attraction_cost(N, entries, d=2):
    """Count what the forces between neighbours must pay.

    A pair needs the 3 d + 1 instructions of w and of the force, two for the cross-entropy, and two special ones.

    Parameters
    ----------
    N, entries, d : points, pairs of neighbours in the sparse P, dimensions of the drawing.

    Returns
    -------
    cost : Cost, in which every point is read once.
    """
    moved = entries * (NUMBER + INDEX) + (N + 1) * INDEX + (2 * N * d + 1) * NUMBER
    return Cost(moved, entries * max(FUSED * (3 * d + 3), 2 * SPECIAL))
