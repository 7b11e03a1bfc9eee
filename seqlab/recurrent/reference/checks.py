"""What every function of the reference asks of its arguments."""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.recurrent import checks


def check_weights(gates, W_ih, W_hh, b_ih, b_hh, peepholes=None):
    """Give H and D of weights for so many gates; raise ValueError where one does not fit."""
    given = {"W_ih": W_ih, "W_hh": W_hh, "b_ih": b_ih, "b_hh": b_hh}
    for name, array in (given if peepholes is None else given | {"peepholes": peepholes}).items():
        check_floats(name, array)
    return checks.check_weights(gates, W_ih, W_hh, b_ih, b_hh, peepholes)


def check_steps(x, D):
    """Give B and T of (B, T, D) inputs; raise ValueError when there is no step."""
    check_floats("x", x)
    return checks.check_steps(x, D)


def check_truncate(truncate):
    """Raise ValueError when this is neither None nor a whole number of steps."""
    if truncate is not None and not (isinstance(truncate, int | np.integer) and truncate >= 1):
        raise ValueError(f"truncate is {truncate!r}; it must be None or a whole number of steps, at least 1")


def check_limit(limit):
    """Raise ValueError when a limit is not positive."""
    if not limit > 0:
        raise ValueError(f"limit is {limit}; it must be a positive number")
