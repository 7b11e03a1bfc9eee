"""The function that opens and shuts a gate."""

import numpy as np


def sigmoid(z):
    """Squash any number to one between 0 and 1: 1 / (1 + exp(-z)).

    Written with tanh, which is the same curve and does not overflow where -z is large.

    Parameters
    ----------
    z : array of floats.

    Returns
    -------
    s : array of the same shape.
    """
    return (1 + np.tanh(z / 2)) / 2
