"""What CTC must pay on a GPU, whoever programs it. Needs no Triton, so it works everywhere."""

from seqlab.kernels import Cost

ID = 8  # bytes of a label or a length
STATE = 8  # bytes of a mantissa and an exponent
FUSED = 2  # operations that a device's speed counts for one instruction
# Between threads, in a frame of a beam search: the parents' masses, the best of a part, of all, and what these bring.
EXCHANGES = 4


def loss_cost(T, B, C, L, itemsize, backward=False):
    """Count what any implementation of the loss must pay, or with `backward` of the loss and its gradient.

    The loss reads log_probs at the blank and at the labels alone, a number for each. The gradient reads and writes a
    number for every class, and reads what arrives at every loss. A state takes up to three products, two sums and the
    product with y_t; the steps of both directions may run side by side.

    Parameters
    ----------
    T, B, C, L : frames, sequences, classes, labels of a target.
    itemsize : bytes of a number of log_probs.
    backward : count the gradient, too.

    Returns
    -------
    cost : Cost
    """
    states = 2 * L + 1
    given, losses = B * (L * ID + 2 * ID), B * max(4, itemsize)
    recursion = T * B * states * 6
    if not backward:
        return Cost(T * B * (L + 1) * itemsize + given + losses, recursion, T)
    collected = T * B * (states * 3 + C * 2)
    return Cost(2 * T * B * C * itemsize + given + 2 * losses, 2 * recursion + collected, T)


def loss_passes(T, B, C, L, itemsize):
    """Count the bytes of log_probs, of the states and of the gradient that the two kernels move, in order.

    Left out is what the caches hold: targets, lengths and links, which every frame reads again; and the places of the
    blank and of the labels in log_probs and in the gradient, which a frame reads and writes a second time.
    """
    read, states = T * B * (L + 1) * itemsize, T * B * (2 * L + 1) * STATE
    return {
        "alpha reads log_probs at its labels": read,
        "alpha writes its states": states,
        "beta reads log_probs at its labels": read,
        "beta writes its states": states,
        "the gradient reads both": 2 * states,
        "and log_probs": T * B * C * itemsize,
        "and is written": T * B * C * itemsize,
    }


def greedy_cost(T, B, C, itemsize):
    """Count what any greedy decoder must pay: it reads every score and compares it, and writes up to T labels."""
    return Cost(T * B * C * itemsize + B * T * ID + 2 * B * ID, T * B * C * FUSED)


def beam_cost(T, B, C, K, itemsize):
    """Count what any prefix beam search must pay.

    It reads every length once, and every log-probability, which it compares with the best so far: within a prefix the
    order of the labels is the frame's, so the K beams share the comparisons. Then each of K prefixes meets about K
    labels. A frame waits for the frame before, and in it threads wait for each other: `EXCHANGES` times. In the end K
    texts are written, with their lengths and log-probabilities.

    Parameters
    ----------
    T, B, C, K : frames, sequences, classes, beams of a sequence.
    itemsize : bytes of a number of log_probs; a text's log-probability has 8 where these have 8, else 4.

    Returns
    -------
    cost : Cost
    """
    written = B * K * (T * ID + ID + max(4, itemsize))
    return Cost(T * B * C * itemsize + B * ID + written, T * B * (C + K * K) * FUSED, T * EXCHANGES)


def beam_passes(T, B, C, K, itemsize):
    """Count the bytes that the two kernels move."""
    labels = T * B * (K + 1) * (4 + 4)
    return {
        "log_probs, read once": T * B * C * itemsize,
        "the likeliest labels of the frames, written": labels,
        "read by the search": labels,
        "log_probs of the blank and the last labels, read again": T * B * (K + 1) * itemsize,
        "the tree of the prefixes, written at the most": T * B * K * 8,
        "the texts, walked through and written": T * B * K * (8 + ID),
    }
