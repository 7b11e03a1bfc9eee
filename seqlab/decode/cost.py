"""What a step of beam search must pay on a GPU, whoever programs it. Needs no Triton, so it works everywhere."""

from seqlab.kernels import Cost

NUMBER, ID = 4, 8  # bytes of a total, and of a beam or a token
FUSED = 2  # operations that a device's speed counts for one instruction
# A multiprocessor of Hopper has 128 places for those and 16 for exponentials.
SPECIAL = FUSED * 128 // 16


def beam_step_cost(B, K, V, width, itemsize):
    """Count what any implementation of `beam_step` must pay.

    Every score is read once, and takes a comparison for the maximum, a difference, a sum and a comparison with the
    best so far; beside these runs its exponential. What is kept is too little to count beside that.

    Parameters
    ----------
    B, K, V : sentences, beams of each, tokens.
    width : pairs of a beam and a token that are kept for each sentence.
    itemsize : bytes of a score.

    Returns
    -------
    cost : Cost, whose operations are those of the units that are busy longest.
    """
    moved = B * K * (V * itemsize + NUMBER) + B * width * (NUMBER + 2 * ID)
    return Cost(moved, B * K * V * max(4 * FUSED, SPECIAL))


def beam_step_passes(B, K, V, width, itemsize, group):
    """Count the bytes that the kernel moves, launch by launch; `group` is how many tokens leave two numbers."""
    groups = B * K * -(-V // group) * 2 * NUMBER
    found = B * K * width * (NUMBER + NUMBER)
    return {
        "the scores, read once": B * K * V * itemsize,
        "the groups' largest and sums, written": groups,
        "read": groups,
        "the best groups, looked at again": B * K * width * group * itemsize,
        "the best of every beam, written": found,
        "read with the totals": found + B * K * NUMBER,
        "the best of every sentence, written": B * width * (NUMBER + 2 * ID),
    }


def eager_passes(B, K, V, itemsize):
    """Count the bytes that log_softmax, the sum with the totals and topk move, at the least.

    `topk` finds its threshold digit by digit and reads more often than once.
    """
    scores = B * K * V * itemsize
    return {
        "log_softmax reads the scores": scores,
        "log_softmax writes the log-probabilities": scores,
        "the sum reads them": scores,
        "the sum writes the totals": scores,
        "topk reads the totals": scores,
    }
