"""What the functions of every reference ask of their arguments: NumPy arrays of floats, of the right shape."""

import numpy as np

from seqlab.shapes import check_shape


def check_floats(name, array, expected=None):
    """Ask for a NumPy array of floats.

    Parameters
    ----------
    name : the argument's name, as its caller wrote it.
    array : what was given.
    expected : None for any shape, or a pattern as in `check_shape`.

    Returns
    -------
    sizes : dict from each letter of `expected` to its size.

    Raises
    ------
    ValueError
        when it is no NumPy array of floats, or has another shape.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is a {type(array).__name__}; it must be a NumPy array")
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} holds {array.dtype}; it must hold floats, {name}.astype(float)")
    return {} if expected is None else check_shape(name, array, expected)
