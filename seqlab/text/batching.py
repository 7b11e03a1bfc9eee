"""Sequences of different lengths share one array: padding, the mask that undoes it, mini-batches."""

import numpy as np

from seqlab.shapes import check_shape
from seqlab.text.vocabulary import _integers


def pad(sequences, value=0):
    """Put sequences of different lengths into one array, filled up at the end.

    Parameters
    ----------
    sequences : B sequences, each with at least one step; a step is a number or an array of one fixed shape.
    value : what fills the empty steps; 0 is the id of `<pad>`.

    Returns
    -------
    ids : (B, T, ...) with T the length of the longest sequence.
    lengths : (B,) the true lengths.

    Raises
    ------
    ValueError
        when there is no sequence, one is empty, the steps differ in shape or are no numbers, or the fill is no
        integer among integers.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    _check_sequences(arrays, value)
    lengths = np.array([len(array) for array in arrays])
    ids = np.full((len(arrays), lengths.max(), *arrays[0].shape[1:]), value, dtype=np.result_type(*arrays))
    for row, array in enumerate(arrays):
        ids[row, : len(array)] = array
    return ids, lengths


def _check_sequences(arrays, value):
    """Raise ValueError unless `pad` can put the arrays into one."""
    if not arrays:
        raise ValueError("the batch is empty; pad needs at least one sequence")
    for row, array in enumerate(arrays):
        if array.ndim == 0 or len(array) == 0:
            raise ValueError(f"sequence {row} of the batch has no steps; leave it out or end it with '<eos>'")
        if not np.issubdtype(array.dtype, np.number):
            raise ValueError(f"sequence {row} has dtype {array.dtype}; pad needs numbers, so encode words first")
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"a step of sequence {row} has shape {array.shape[1:]}; in sequence 0 it has {arrays[0].shape[1:]}"
            )
    if np.issubdtype(np.result_type(*arrays), np.integer) and value != np.floor(value):
        raise ValueError(f"the fill value is {value}; sequences of integers need an integer")


def mask(lengths, T):
    """Say which steps are real, :eq:`padding-mask`.

    Parameters
    ----------
    lengths : (B,) integers, 0 <= length <= T.
    T : number of steps in the padded array.

    Returns
    -------
    real : (B, T) bool, True where a step belongs to the sequence and False where it is padding.

    Raises
    ------
    ValueError
        when there is no sequence, a length is negative or past T, or lengths is not a list of integers.
    """
    lengths = _integers("lengths", lengths)
    _check_lengths(lengths, T)
    return np.arange(T) < lengths[:, None]


def _check_lengths(lengths, T):
    """Raise ValueError unless these are lengths of sequences with up to T steps."""
    check_shape("lengths", lengths, ("B",))
    if lengths.size == 0:
        raise ValueError("lengths is empty; mask needs at least one sequence")
    for row, length in enumerate(lengths):
        if not 0 <= length <= T:
            raise ValueError(f"sequence {row} has length {length}; with {T} steps a length lies between 0 and {T}")


def batches(sequences, batch_size, rng=None):
    """Walk once through all sequences in random order, some at a time, padded.

    Parameters
    ----------
    sequences : list of sequences, as `pad` takes them.
    batch_size : how many go together; the last batch may be smaller.
    rng : `numpy.random.Generator` that shuffles; None keeps the order.

    Yields
    ------
    ids : (B, T, ...) padded, T being the longest of this batch only.
    lengths : (B,)
    rows : (B,) which sequences these are, so that labels can follow: `pad([labels[i] for i in rows])`.

    Raises
    ------
    ValueError
        at once, when there are no sequences or batch_size is below 1.
    """
    if len(sequences) == 0:
        raise ValueError("there are no sequences; batches needs at least one")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    order = np.arange(len(sequences)) if rng is None else rng.permutation(len(sequences))
    groups = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return ((*pad([sequences[i] for i in rows]), rows) for rows in groups)
