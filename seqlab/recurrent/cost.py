"""What a plain recurrent layer must pay on a GPU, whoever programs it. Needs no Triton, so it works everywhere."""

from seqlab.kernels import Cost

SHARED = 227 * 1024  # bytes of shared memory that a program can have on Hopper


def cost(B, T, D, H, itemsize, backward=False):
    """Count what any implementation of one layer must pay, the input product and the weight gradients included.

    Parameters
    ----------
    B, T, D, H : sequences, steps, features, units.
    itemsize : bytes of a number, 4 for float32 or 2 for 16 bits.
    backward : count the backward pass instead of the forward pass.

    Returns
    -------
    cost : Cost, whose steps stay in a block as long as W_hh fits the shared memory of one multiprocessor.
    """
    weights = H * D + H * H + 2 * H
    step = "in-cta" if H * H * itemsize <= SHARED else "cross-cta"
    dtype = "float32" if itemsize >= 4 else "bfloat16"
    forward_flops = 2 * B * T * H * (D + H)
    if backward:  # reads x, h, dh, h0 and the weights; writes dx, dh0 and the weight gradients
        numbers = 2 * B * T * D + 2 * B * T * H + 2 * B * H + 2 * weights
        return Cost(numbers * itemsize, 2 * forward_flops, T, dtype, step)
    return Cost((B * T * (D + H) + B * H + weights) * itemsize, forward_flops, T, dtype, step)
