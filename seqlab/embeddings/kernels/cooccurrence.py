"""Counting words that stand together, :eq:`cooccurrence`, into a dense (V, V) table.

A program owns BLOCK places of the text. It walks through the distances 1 to `window`, and stops a place where it meets
a wall, an id of -1. Every pair adds its weight once, in the upper half of the table, by an atomic addition; a second
kernel turns the upper half over into the lower one. So the table is symmetric to the last digit, and half of the
additions, which meet the table at random places, are saved for one ordered pass over it.

float32 counts whole numbers up to 2^24 exactly, whatever the order of the additions; harmonic weights are rounded, and
the last digits may differ from run to run.
"""

import torch
import triton
import triton.language as tl

from seqlab.embeddings.kernels import common
from seqlab.shapes import check_shape

BLOCK = 512  # places of the text a program
TILE = 64  # rows and columns of the table that a program turns over
WEIGHTINGS = ("flat", "harmonic")


@triton.jit
def _count(ids_ptr, X_ptr, N, V, window, HARMONIC: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    word = tl.load(ids_ptr + place, mask=place < N, other=-1).to(tl.int64)
    open = word >= 0
    for d in range(1, window + 1):
        near = tl.load(ids_ptr + place + d, mask=open & (place + d < N), other=-1).to(tl.int64)
        open &= near >= 0
        weight = 1.0
        if HARMONIC:
            weight = 1.0 / d
        at = tl.minimum(word, near) * V + tl.maximum(word, near)
        tl.atomic_add(X_ptr + at, tl.zeros([BLOCK], tl.float32) + weight, mask=open, sem="relaxed")


@triton.jit
def _turn_over(X_ptr, V, TILE: tl.constexpr):
    """X + X^T in place of X, whose lower half is 0, one pair of tiles a program."""
    down, right = tl.program_id(0), tl.program_id(1)
    if down <= right:
        row = down.to(tl.int64) * TILE + tl.arange(0, TILE)[:, None]
        col = right.to(tl.int64) * TILE + tl.arange(0, TILE)[None, :]
        X = tl.load(X_ptr + row * V + col, mask=(row < V) & (col < V), other=0.0)
        if tl.max(tl.max(X, axis=1), axis=0) > 0:
            turned = tl.trans(X)
            if down == right:
                turned += X
            row = right.to(tl.int64) * TILE + tl.arange(0, TILE)[:, None]
            col = down.to(tl.int64) * TILE + tl.arange(0, TILE)[None, :]
            tl.store(X_ptr + row * V + col, turned, mask=(row < V) & (col < V))


def count_into(X, ids, window, weighting):
    """Add to a (V, V) table of zeros, see `cooccurrence`."""
    V = len(X)
    with torch.cuda.device_of(ids):
        programs = (triton.cdiv(len(ids), BLOCK),)
        _count[programs](ids, X, len(ids), V, window, HARMONIC=weighting == "harmonic", BLOCK=BLOCK)
        tiles = triton.cdiv(V, TILE)
        _turn_over[(tiles, tiles)](X, V, TILE=TILE)


def cooccurrence(ids, size, window=5, weighting="flat"):
    """Count how often each word stands near each other word, :eq:`cooccurrence`.

    Parameters
    ----------
    ids : (N,) int64 or int32 ids of a text; -1 is a wall between sentences, over which no window reaches.
    size : V, the size of the vocabulary.
    window : how many words to each side are near.
    weighting : "flat", every near word counts 1; "harmonic", a word at distance d counts 1 / d.

    Returns
    -------
    X : (V, V) float32, symmetric; X[i, j] counts word j near word i.

    Raises
    ------
    ValueError
        when an id is outside the vocabulary, a shape, a data type or a device does not fit, or a number or a name is
        unknown.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    check_shape("ids", ids, ("N",))
    (ids,) = common.check_ids(ids=ids)
    common.check_placed(ids)
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting is {weighting!r}; it must be one of {', '.join(WEIGHTINGS)}")
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least 1")
    if len(ids) and (ids.min() < -1 or ids.max() >= size):
        raise ValueError(
            f"ids holds {ids.min()} to {ids.max()}; the vocabulary has ids 0 to {size - 1}, and -1 is a wall"
        )
    X = torch.zeros(size, size, dtype=torch.float32, device=ids.device)
    if len(ids) > 1 and size:
        count_into(X, ids, window, weighting)
    return X
