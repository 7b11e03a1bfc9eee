"""Gradient clipping in NumPy: the equations of chapter 3."""

import numpy as np

from seqlab.recurrent.reference.checks import check_limit


def clip_by_value(gradients, limit):
    """Cut every number to [-limit, limit], :eq:`clip-value`. This can bend the direction.

    Parameters
    ----------
    gradients : dict of arrays.
    limit : positive number.

    Returns
    -------
    clipped : dict of new arrays.

    Raises
    ------
    ValueError
        when the limit is not positive.
    """
    check_limit(limit)
    return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}


def clip_by_norm(gradients, limit):
    """Shrink all gradients by one factor until their joint norm is at most `limit`, :eq:`clip-norm`.

    Parameters
    ----------
    gradients : dict of arrays, taken together as one long vector.
    limit : positive number; Inf clips nothing and only measures.

    Returns
    -------
    clipped : dict of new arrays; the direction is kept.
    norm : the Euclidean norm before clipping. An Inf or a NaN in the gradients shows here.

    Raises
    ------
    ValueError
        when the limit is not positive.
    """
    check_limit(limit)
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
    scale = 1.0 if norm <= limit else limit / norm
    return {name: g * scale for name, g in gradients.items()}, norm
