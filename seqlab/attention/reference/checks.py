"""What every function of the reference asks of its arguments."""

import numpy as np


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
