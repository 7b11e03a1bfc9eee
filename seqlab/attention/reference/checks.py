"""What every function of the reference asks of its arguments."""

import numpy as np

from seqlab.shapes import check_shape


def check(name, array, expected):
    """Give the sizes of a NumPy array of floats; raise ValueError, naming it, when it is none or has another shape."""
    check_floats(name, array)
    return check_shape(name, array, expected)


def check_floats(name, array):
    """Raise ValueError, naming it, when something is no NumPy array of floats."""
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is a {type(array).__name__}; it must be a NumPy array")
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} holds {array.dtype}; it must hold floats, {name}.astype(float)")


def check_mask(mask, shape):
    """Raise ValueError when a mask is neither None nor a bool array that broadcasts to `shape`."""
    if mask is None:
        return
    if not (isinstance(mask, np.ndarray) and mask.dtype == bool):
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise ValueError(f"mask holds {kind}; it must be a NumPy array of bool, True where attention may go")
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"mask has shape {mask.shape}; it must broadcast to {tuple(shape)}")
