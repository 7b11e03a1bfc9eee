"""What a recurrent layer must pay on a GPU, whoever programs it. Needs no Triton, so it works everywhere."""

from seqlab.kernels import Cost

CELLS = {"rnn": (1, 1), "gru": (3, 1), "lstm": (4, 2)}  # matrices for each step, and states carried
SHARED = 227 * 1024  # bytes of shared memory that a program can have on Hopper


def cost(B, T, D, H, itemsize, backward=False, cell="rnn"):
    """Count what any implementation of one layer must pay, the input product and the weight gradients included.

    Parameters
    ----------
    B, T, D, H : sequences, steps, features, units.
    itemsize : bytes of a number, 4 for float32 or 2 for 16 bits.
    backward : count the backward pass instead of the forward pass.
    cell : "rnn", "gru" or "lstm".

    Returns
    -------
    cost : Cost, whose steps stay in a block as long as W_hh fits the shared memory of one multiprocessor.
        What is done unit by unit is left out: it is small beside the products.

    Raises
    ------
    ValueError
        when the cell is unknown.
    """
    if cell not in CELLS:
        raise ValueError(f"cell is {cell!r}; it must be one of {', '.join(CELLS)}")
    gates, states = CELLS[cell]
    weights = gates * (H * D + H * H + 2 * H)
    step = "in-cta" if gates * H * H * itemsize <= SHARED else "cross-cta"
    dtype = "float32" if itemsize >= 4 else "bfloat16"
    forward_flops = 2 * B * T * gates * H * (D + H)
    if backward:  # reads x, h, dh, the first states and the weights; writes dx and the other gradients
        numbers = 2 * B * T * D + 2 * B * T * H + 2 * states * B * H + 2 * weights
        return Cost(numbers * itemsize, 2 * forward_flops, T, dtype, step)
    last_cell = B * H if cell == "lstm" else 0  # the last state is among the h of all steps
    return Cost((B * T * (D + H) + states * B * H + last_cell + weights) * itemsize, forward_flops, T, dtype, step)
