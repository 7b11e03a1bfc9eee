"""What every function of the reference asks of its arguments."""

import numpy as np

from seqlab.shapes import check_shape


def check_ids(name, ids, size, expected=None, padded=False):
    """Give ids as an array; raise ValueError, naming it, where one is no row of a table with `size` rows.

    `expected` is the shape, None for any. `padded` allows -1, "no word here".
    """
    ids = np.asarray(ids)
    if ids.size == 0:
        ids = ids.astype(np.int64)
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"{name} holds {ids.dtype}; ids are whole numbers")
    if expected is not None:
        check_shape(name, ids, expected)
    if ids.size and not (ids.min() >= -int(padded) and ids.max() < size):
        allowed = f"0 to {size - 1}" + (", and -1 for no word" if padded else "")
        raise ValueError(f"{name} holds ids from {ids.min()} to {ids.max()}; allowed are {allowed}")
    return ids


def check_counts(counts):
    """Give (V,) counts as floats; raise ValueError when there is none, one is below 0, or all are 0."""
    counts = np.asarray(counts, dtype=float)
    check_shape("counts", counts, ("V",))
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
        raise ValueError("counts must be finite numbers, 0 or more, and at least one of them above 0")
    return counts


def check_choice(name, value, choices):
    """Raise ValueError when a named choice is unknown."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be {' or '.join(map(repr, choices))}")
