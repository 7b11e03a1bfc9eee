"""Strips of handwritten digits to be read from left to right. The digits come with scikit-learn.

They are 1,797 of the "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine Learning
Repository, CC BY 4.0): 8 by 8 pixels each. The file holds fourteen filled-in forms of about 130 digits one after the
other, and digits of one form are more alike than digits of two. So there are two tests, and they ask two things: digits
that were held out, of hands that training has seen; and digits of strangers, hands that it has not. The second error is
a few times the first.
"""

from functools import cache

import numpy as np

from seqlab.data.made import _at_least

SPLITS = ("train", "test", "strangers")
FIRST_STRANGER = 1415  #: where the twelfth form begins: it and the two after it are the strangers'
HELD_OUT = 7  #: one digit in so many of the other forms is for the test
STRETCH = (1.0, 1.5)  # of a digit's width: some write broadly, as some speak slowly
SLANT = 0.1  # columns a row, to either side
INK = (0.8, 1.0)  # a pen's strength
GAPS = (-1, 0, 0, 1, 1, 1, 2, 2, 3, 4)  # columns between two digits; -1 lets them share a column
FAINT = 0.12  # a column with no more ink than this is margin


def digit_strips(n, seed=0, *, split="train", shortest=3, longest=8):
    """Make strips of handwritten digits: pictures without a mark where a digit ends and the next begins.

    Every digit is a handwritten one, stretched, slanted and inked a little differently each time; the gaps are
    drawn, and may be negative: then two digits share a column. No digit is in two splits.

    Parameters
    ----------
    n : number of strips, at least 1.
    seed : the same seed gives the same strips, and fewer of them are the beginning of more.
    split : "train"; "test", one digit in seven of the same eleven forms, held out; or "strangers", the digits of the
        last three forms, hands that are in neither of the others.
    shortest, longest : digits of a strip, 1 <= shortest <= longest; every length is as likely.

    Returns
    -------
    strips : list of n pairs (image, labels): image (8, width) float32 from 0 (paper) to 1 (ink), of any width; labels,
        the digits from left to right, a list of int from 0 to 9.

    Raises
    ------
    ValueError
        when an argument is out of range.
    """
    _at_least("n", n, 1)
    _at_least("shortest", shortest, 1)
    _at_least("longest", longest, shortest)
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be 'train', 'test' or 'strangers'")
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    by_class = _digits()[split]
    return [_strip(rng, by_class, rng.integers(shortest, longest + 1)) for _ in range(n)]


@cache
def _digits():
    """For each split a list of ten arrays (N, 8, 8): the digits of each class, from 0 to 1."""
    from sklearn.datasets import load_digits  # half a second: only for who asks

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    place = np.arange(len(labels))
    stranger, held_out = place >= FIRST_STRANGER, place % HELD_OUT == 0
    parts = dict(zip(SPLITS, (~stranger & ~held_out, ~stranger & held_out, stranger), strict=True))
    return {split: [images[part & (labels == digit)] for digit in range(10)] for split, part in parts.items()}


def _strip(rng, by_class, length):
    """A strip of `length` digits with its labels."""
    labels = rng.integers(10, size=length).tolist()
    pieces = [_written(rng, by_class[label]) for label in labels]
    gaps = [rng.integers(1, 4), *rng.choice(GAPS, size=length - 1)]
    ends = np.cumsum([gap + piece.shape[1] for gap, piece in zip(gaps, pieces, strict=True)])
    image = np.zeros((8, ends[-1] + rng.integers(1, 4)), dtype=np.float32)
    for piece, end in zip(pieces, ends, strict=True):
        place = image[:, end - piece.shape[1] : end]
        np.maximum(place, piece, out=place)
    return image, labels


def _written(rng, digits):
    """One of the digits (N, 8, 8) as it is written this time, (8, width), without its empty margins."""
    digit = np.pad(digits[rng.integers(len(digits))], ((0, 0), (3, 3)))
    stretch, slant, ink = rng.uniform(*STRETCH), rng.uniform(-SLANT, SLANT), rng.uniform(*INK)
    rows, columns = np.arange(8)[:, None], np.arange(round(10 * stretch) + 1)
    at = (columns - columns[-1] / 2) / stretch + slant * (rows - 3.5) + 6.5  # where in the picture a pixel looks
    left = np.clip(np.floor(at).astype(int), 0, digit.shape[1] - 2)
    right = np.clip(at - left, 0, 1)
    drawn = ink * ((1 - right) * digit[rows, left] + right * digit[rows, left + 1])
    inked = np.flatnonzero(drawn.max(axis=0) > FAINT)
    return drawn[:, inked[0] : inked[-1] + 1]
