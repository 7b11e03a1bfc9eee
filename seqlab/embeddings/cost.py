"""What steps of word vectors must pay on a GPU, whoever programs them. Needs no Triton, so it works everywhere.

Rows are counted once for each window that reads and changes them: nothing stays on the chip between windows. A cache
that holds the rows of the most frequent words makes it cheaper, which is the one way to be faster than these floors.
"""

from seqlab.kernels import Cost

NUMBER, ID, LOSS = 4, 8, 4  # bytes of a float32, of an id and of a window's loss
ROW_FLOPS = 6  # of each number of a row: in the product, in the gradient of what it meets, in its own change


def sgns_cost(W, C, K, D, shared=True):
    """Count what any implementation of a step of skip-gram with negative sampling must pay.

    Parameters
    ----------
    W, C, K, D : windows, contexts of a window (their mean), negatives, dimensions.
    shared : all pairs of a window have the same K negatives, and its centre is read once. False counts every pair with
        negatives of its own, read and changed apart.

    Returns
    -------
    cost : Cost
    """
    if not shared:
        return _step(W * C, 1, 1 + K, D, ids=2 + K)
    return _step(W, 1, C + K, D, ids=1 + C + K)


def cbow_cost(W, C, K, D):
    """Count what any implementation of a step of CBOW with negative sampling must pay; arguments as in `sgns_cost`."""
    return _step(W, C, 1 + K, D, ids=C + 1 + K)


def skipgram_hierarchical_cost(W, C, L, D):
    """Count what any implementation of a step of skip-gram with hierarchical softmax must pay.

    Parameters
    ----------
    W, C, L, D : windows, contexts of a window, nodes on the way to a context (both the mean), dimensions.

    Returns
    -------
    cost : Cost
    """
    return _step(W, 1, C * L, D, ids=1 + C + 2 * C * L)


def cbow_hierarchical_cost(W, C, L, D):
    """Count what any implementation of a step of CBOW with hierarchical softmax must pay.

    Parameters
    ----------
    W, C, L, D : windows, contexts of a window, nodes on the way to a target (both the mean), dimensions.

    Returns
    -------
    cost : Cost
    """
    return _step(W, C, L, D, ids=C + 1 + 2 * L)


def _step(W, inputs, outputs, D, ids):
    """W windows of which each reads and changes so many rows of two tables."""
    rows = inputs + outputs
    return Cost(W * (2 * rows * D * NUMBER + ids * ID + LOSS), W * (ROW_FLOPS * outputs + 2 * inputs) * D)


def glove_cost(n, D):
    """Count what any implementation of a step of GloVe with AdaGrad must pay.

    Parameters
    ----------
    n, D : counts, dimensions.

    Returns
    -------
    cost : Cost
    """
    numbers = 4 * (D + 1)  # a word's vector and bias, a context's, and the totals of all
    # the product; for each of two vectors its gradient, that squared, the total, its root, a quotient, the change
    return Cost(n * (2 * numbers * NUMBER + 2 * ID + NUMBER + LOSS), n * (2 * D + 2 * 7 * (D + 1)))


def cooccurrence_cost(N, V, window):
    """Count what any implementation of counting into a dense table must pay.

    The table is written once. That the additions meet it at random places costs more, which no floor can count that
    does not know the text.

    Parameters
    ----------
    N, V, window : words of the text, words of the vocabulary, words to each side that are near.

    Returns
    -------
    cost : Cost
    """
    return Cost(N * ID + V * V * NUMBER, 2 * N * window)


def gather_cost(B, rows, D, itemsize=4):
    """Count what any implementation of looking rows up must pay.

    Parameters
    ----------
    B, rows, D : ids, different ones among them, dimensions.
    itemsize : bytes of a number.

    Returns
    -------
    cost : Cost, in which a row that is looked up again is still on the chip.
    """
    return Cost((B + rows) * D * itemsize + B * ID, 0)


def scatter_add_cost(B, V, D, itemsize=4):
    """Count what any implementation of adding gradients to the rows that were looked up must pay.

    Parameters
    ----------
    B, V, D : ids, words, dimensions.
    itemsize : bytes of a number.

    Returns
    -------
    cost : Cost, in which every row of the table is written once; who fills it with zeros first pays more.
    """
    return Cost((B + V) * D * itemsize + B * ID, B * D)
