"""Which kernel a size gets, and with which constants: what the launch and the compile tests both read."""

import torch
import triton

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
# The largest H whose weights one multiprocessor of Hopper holds in 227 KB (float32 twice, in two parts of tf32) and
# whose step fits its registers: found by compiling, tests/recurrent/test_sm90.py.
RESIDENT = {
    "rnn": {torch.float64: 64, torch.float32: 128, torch.bfloat16: 256, torch.float16: 256},
    "gru": {torch.float64: 32, torch.float32: 64, torch.bfloat16: 128, torch.float16: 128},
    "lstm": {torch.float64: 32, torch.float32: 64, torch.bfloat16: 128, torch.float16: 128},
}


def is_resident(H, dtype, cell="rnn"):
    """Say whether W_hh of this size stays on one multiprocessor.

    Parameters
    ----------
    H : units.
    dtype : torch data type.
    cell : "rnn", "gru" or "lstm".
    """
    return RESIDENT[cell].get(dtype, 0) >= H


def width(H):
    """Round H up to what a kernel's tile can be: a power of two, and no smaller than a tensor core's tile."""
    return max(16, triton.next_power_of_2(H))


def choose(cell, shape, H, dtype, device):
    """Choose what backend="auto" computes with: what was fastest where it was measured, else by the size alone.

    Parameters
    ----------
    cell : "rnn", "gru" or "lstm".
    shape : (B, T) sequences and steps.
    H : units.
    dtype, device : of the tensors.

    Returns
    -------
    backend : "torch" or "triton".
    """
    if torch.device(device).type != "cuda":
        return "torch"
    return "triton" if dtype != torch.float64 and is_resident(H, dtype, cell) else "torch"
