"""What the kernels of CTC share."""

import math

import torch

IDS = (torch.int64, torch.int32)


def in_steps(*sizes):
    """The largest power of two up to 16 that divides all sizes, and the sizes counted in it.

    A launch finds out by itself what is a multiple of 16. A row of 5000 scores is none, but its quarters are 16 bytes
    of float32, which a thread reads at once when the compiler knows.
    """
    each = math.gcd(16, *sizes)
    return each, *(size // each for size in sizes)
