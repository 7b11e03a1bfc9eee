"""What the losses must pay on a GPU, whoever programs them. Needs no Triton, so it works everywhere."""

from seqlab.kernels import Cost

ID, LOSS = 8, 4  # bytes of a true word's id and of a row's loss
EAGER_COPIES = 3  # of the scores, that torch's eager cross-entropy holds at its peak


def softmax_cost(B, V, itemsize, backward=False):
    """Count what any implementation of softmax must pay, :eq:`softmax`.

    Parameters
    ----------
    B, V : rows of scores, scores of a row.
    itemsize : bytes of a score, and of a probability.
    backward : count the gradient of the scores *instead*: it reads the probabilities and their gradient, and writes.

    Returns
    -------
    cost : Cost
    """
    if backward:  # a product and its sum, a difference, a product
        return Cost(3 * B * V * itemsize, 4 * B * V)
    # the maximum, the difference, the exponential, the sum, the quotient
    return Cost(2 * B * V * itemsize, 5 * B * V)


def softmax_bytes(B, V, itemsize, way="passes"):
    """Count the bytes that one of the ways of `seqlab.lm.kernels` to a softmax moves, pass by pass.

    Parameters
    ----------
    B, V : rows of scores, scores of a row.
    itemsize : bytes of a score, of an exponential, and of a probability.
    way : "passes" (`softmax_passes`, a kernel for each step), "online" (`softmax_online`) or "row" (`softmax_row`).

    Returns
    -------
    passes : dict from what a pass does to its bytes.

    Raises
    ------
    ValueError
        when the way is unknown.
    """
    scores, numbers = B * V * itemsize, B * max(itemsize, 4)  # a row's maximum and its sum are at least float32
    if way == "row":
        return {"softmax_row reads the scores": scores, "softmax_row writes the probabilities": scores}
    if way == "online":
        return {
            "softmax_online reads the scores": scores,
            "softmax_online reads the scores again": scores,
            "softmax_online writes the probabilities": scores,
        }
    if way != "passes":
        raise ValueError(f"way is {way!r}; it must be 'passes', 'online' or 'row'")
    return {
        "row_max reads the scores": scores,
        "row_max writes a maximum for each row": numbers,
        "exponentials reads the scores": scores,
        "exponentials reads the maxima": numbers,
        "exponentials writes the exponentials": scores,
        "row_sum reads the exponentials": scores,
        "row_sum writes a sum for each row": numbers,
        "quotient reads the exponentials": scores,
        "quotient reads the sums": numbers,
        "quotient writes the probabilities": scores,
    }


def cost(B, V, itemsize, backward=False):
    """Count what any implementation of cross-entropy must pay.

    Parameters
    ----------
    B, V : rows of scores, words.
    itemsize : bytes of a score.
    backward : count what the gradient costs *on top* of the loss: one write, since the scores were just read.

    Returns
    -------
    cost : Cost
    """
    if backward:  # a product and, for the true word, a difference
        return Cost(B * V * itemsize, B * (V + 1))
    # the maximum, the difference, the exponential, the sum
    return Cost(B * V * itemsize + B * (ID + LOSS), 4 * B * V)


def eager_bytes(B, V, itemsize):
    """Count the bytes that torch's eager cross-entropy moves, forward and backward, pass by pass.

    Returns
    -------
    passes : dict from what a pass does to its bytes.
    """
    scores = B * V * itemsize
    return {
        "log_softmax reads the scores": scores,
        "log_softmax writes the log-probabilities": scores,
        "nll_loss's gradient is zeros, and -1 for the true words": scores,
        "log_softmax's gradient reads that": scores,
        "log_softmax's gradient reads the log-probabilities": scores,
        "log_softmax's gradient is written": scores,
    }


def linear_cost(M, D, V, itemsize, backward=False, bias=False):
    """Count what any implementation of a linear layer with cross-entropy must pay; the scores need not be stored.

    Parameters
    ----------
    M, D, V : rows, features, words.
    itemsize : bytes of a number.
    backward : count the gradients of rows, weights and bias instead of the loss.
    bias : there is one, V numbers.

    Returns
    -------
    cost : Cost
    """
    dtype = "float32" if itemsize >= 4 else "bfloat16"
    numbers = M * D + V * D + bias * V
    if backward:  # reads rows and weights again, writes their gradients; two products
        return Cost((2 * numbers) * itemsize, 4 * M * D * V + 2 * M * V, dtype=dtype)
    return Cost(numbers * itemsize + M * (ID + LOSS), 2 * M * D * V + 4 * M * V, dtype=dtype)


def chunk_rows(M, D, V, on_gpu, copies=1):
    """Choose how many rows `linear_cross_entropy` takes at a time.

    Few chunks are better: larger products, and in 16 bits the gradient of the weights is rounded once a chunk. So the
    rule takes an eighth of the rows, or as many as keep the peak memory, gradients included, at an eighth of the eager
    way's. But never fewer than 384 on a GPU, 64 on a CPU: each chunk reads and writes the V * D numbers of the weights'
    gradient for 2 * rows * V * D operations, and with fewer than 2 * 790 / 4.3 = 367 rows an H200 waits for its memory
    in 16 bits. A CPU, whose arithmetic is slow beside its memory, needs no more than a few dozen.

    Parameters
    ----------
    M, D, V : rows, features, words.
    on_gpu : where they are.
    copies : of a chunk's scores; 3 where they have 16 bits and are worked on in float32.

    Returns
    -------
    rows : at least 1, at most M where there is a row.
    """
    least = 384 if on_gpu else 64
    gradients = M * D + V * D + V
    rows = min(M // 8, int(EAGER_COPIES * M / 8 - gradients / V)) // copies
    return max(1, min(M, max(least, rows // 64 * 64)))


def linear_memory(M, D, V, itemsize, chunk=None, copies=1):
    """Predict the peak memory of loss and gradients, beyond the arguments.

    Parameters
    ----------
    M, D, V : rows, features, words.
    itemsize : bytes of a number.
    chunk : rows at a time, as in `linear_cross_entropy`. None stands for the eager way, which stores the scores whole:
        at its peak it holds the log-probabilities, their gradient and the gradient of the scores.
    copies : of a chunk's scores, as in `chunk_rows`.

    Returns
    -------
    bytes : the gradients of rows, weights and bias included.
    """
    gradients = (M * D + V * D + V) * itemsize
    scores = V * itemsize
    if chunk is None:
        return max(EAGER_COPIES * M * scores, M * scores + gradients)
    return copies * min(chunk, M) * scores + gradients + M * LOSS
