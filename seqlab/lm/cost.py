"""What the losses must pay on a GPU, whoever programs them. Needs no Triton, so it works everywhere."""

from seqlab.kernels import Cost

ID, LOSS = 8, 4  # bytes of a true word's id and of a row's loss


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


def linear_cost(M, D, V, itemsize, backward=False):
    """Count what any implementation of a linear layer with cross-entropy must pay; the scores need not be stored.

    Parameters
    ----------
    M, D, V : rows, features, words.
    itemsize : bytes of a number.
    backward : count the gradients of rows, weights and bias instead of the loss.

    Returns
    -------
    cost : Cost
    """
    dtype = "float32" if itemsize >= 4 else "bfloat16"
    numbers = M * D + V * D + V
    if backward:  # reads rows and weights again, writes their gradients; two products
        return Cost((2 * numbers) * itemsize, 4 * M * D * V + 2 * M * V, dtype=dtype)
    return Cost(numbers * itemsize + M * (ID + LOSS), 2 * M * D * V + 4 * M * V, dtype=dtype)


def chunk_rows(M, on_gpu):
    """Choose how many rows `linear_cross_entropy` takes at a time.

    A sixteenth of all rows: their scores are then a sixteenth of the memory, while the gradient of the weights, which
    every chunk reads and adds to, is rounded 16 times. But not below `least` rows. A chunk reads and writes V * D
    numbers of that gradient for 2 * rows * V * D operations, and on an H200 an operation in 16 bits costs 1/790 and a
    byte 1/4.3 of an unbelievably short time: with fewer than 370 rows the chunk would wait for memory. A CPU, whose
    memory is fast beside its arithmetic, needs no more than a few dozen.
    """
    least = 512 if on_gpu else 64
    return min(M, max(least, -(-M // (16 * 64)) * 64))


def linear_memory(M, D, V, itemsize, chunk=None, bias=True):
    """Predict the peak memory of loss and gradients, beyond the arguments.

    Parameters
    ----------
    M, D, V : rows, features, words.
    itemsize : bytes of a number.
    chunk : rows at a time, as in `linear_cross_entropy`; None for torch's eager way, which stores whole scores: at its
        peak the log-probabilities, the gradient of the picked ones and the gradient of the scores.
    bias : whether there is one.

    Returns
    -------
    bytes : peak, the gradients of rows, weights and bias included.
    """
    gradients = (M * D + V * D + V * bias) * itemsize
    if chunk is None:
        return max(3 * M * V * itemsize, 2 * M * V * itemsize + gradients)
    return min(chunk, M) * V * itemsize + gradients + M * LOSS
