"""Sums as text: a question of characters, an answer of characters. Made here: no licence but the book's."""

import numpy as np

CHUNK = 4096  # sums drawn at a time; fixed, so that fewer sums are the beginning of more


def addition(n, seed=0, digits=3):
    """Draw sums that all differ, such as ("16+75", "91").

    The length of each number is drawn first, 1 to `digits` digits, and then its digits, so that short numbers are as
    common as long ones. No sum comes twice, and neither does its mirror: where "16+75" is there, "75+16" is not. So
    whatever part is held out is new to a model that has seen the rest. The task is that of Zaremba and Sutskever
    (2014), "Learning to execute", in the small.

    Parameters
    ----------
    n : number of sums, at least 1 and at most the pairs of numbers that there are: 500,500 with 3 digits.
    seed : the same seed gives the same sums, and fewer of them are the beginning of more.
    digits : the most digits of a number, at least 1.

    Returns
    -------
    pairs : list of n pairs (question, answer) of str.

    Raises
    ------
    ValueError
        when n or digits is below 1, or there are not n different sums.
    """
    for name, number in {"n": n, "digits": digits}.items():
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    numbers = 10**digits
    there_are = numbers * (numbers + 1) // 2
    if n > there_are:
        raise ValueError(f"n is {n}; with {digits} digits there are {there_are} different sums")
    rng = np.random.default_rng(seed)
    seen, pairs = set(), []
    while len(pairs) < n:
        for a, b in _numbers(rng, digits).tolist():
            if (min(a, b), max(a, b)) in seen:
                continue
            seen.add((min(a, b), max(a, b)))
            pairs.append((f"{a}+{b}", f"{a + b}"))
    return pairs[:n]


def _numbers(rng, digits):
    """(CHUNK, 2) numbers, their lengths evenly spread."""
    length = rng.integers(1, digits + 1, size=(CHUNK, 2))
    least = np.where(length == 1, 0, 10 ** (length - 1))
    return rng.integers(least, 10**length)
