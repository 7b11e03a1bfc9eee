"""Small made problems, each showing one thing that a sequence model must do. Made here: no licence but the book's."""

import numpy as np


def copy_task(n, lag, symbols, seed=0):
    """Say at the end what came first: one symbol to remember over `lag` steps.

    Every row of x reads symbol, blank, ..., blank, cue; the same row of y reads blank, ..., blank, symbol::

        x   3 0 0 0 9
        y   0 0 0 0 3        lag = 4, symbols = 8, so the cue is 9

    The memory is one symbol whatever the lag, so a model that fails past some lag fails because of distance alone.
    Chance is 1/symbols at the last step. After Hochreiter and Schmidhuber (1997), section 5.

    Parameters
    ----------
    n : number of rows.
    lag : steps from seeing the symbol to saying it, at least 1.
    symbols : how many different symbols, at least 2; their ids are 1 to symbols.
    seed : the same seed gives the same rows.

    Returns
    -------
    x : (n, T) ids from 0 to symbols + 1 with T = lag + 1; 0 is the blank and symbols + 1 the cue.
    y : (n, T) ids from 0 to symbols.

    Raises
    ------
    ValueError
        when n or lag is below 1 or symbols below 2.
    """
    _at_least("n", n, 1)
    _at_least("lag", lag, 1)
    _at_least("symbols", symbols, 2)
    chosen = np.random.default_rng(seed).integers(1, symbols + 1, size=n)
    x, y = np.zeros((2, n, lag + 1), dtype=np.int64)
    x[:, 0], x[:, -1], y[:, -1] = chosen, symbols + 1, chosen
    return x, y


OPINION = {"wonderful": 5, "good": 4, "ordinary": 3, "bad": 2, "awful": 1}
SUBJECT = ["the film", "the story", "the music", "the ending", "the first hour", "the main actor"]


def reviews(n, seed=0):
    """Make short reviews with stars in which the order of the words decides.

    - "the film was good" has 4 stars, "the film was not good" 2: `not` turns s stars into 6 - s.
    - "the film was bad but the story was good" has 4, "the film was good but the story was bad" 2: the same words,
      and what follows `but` counts. A model that only counts words cannot tell them apart.

    Parameters
    ----------
    n : number of reviews, at least 1.
    seed : the same seed gives the same reviews, and fewer of them are the beginning of more.

    Returns
    -------
    texts : list of n lists of words.
    stars : (n,) integers from 1 to 5.

    Raises
    ------
    ValueError
        when n is below 1.
    """
    _at_least("n", n, 1)
    rng = np.random.default_rng(seed)
    texts, stars = [], []
    for _ in range(n):
        one, other = rng.permutation(SUBJECT)[:2]
        words, value = _opinion(one, rng)
        if rng.random() < 0.5:
            more, value = _opinion(other, rng)
            words = [*words, "but", *more]
        texts.append(words)
        stars.append(value)
    return texts, np.array(stars)


def _opinion(subject, rng):
    """One clause about the subject, and its stars."""
    word, value = list(OPINION.items())[rng.integers(len(OPINION))]
    turned = rng.random() < 0.4
    return f"{subject} was {'not ' if turned else ''}{word}".split(), 6 - value if turned else value


BLOOD_TYPES = ("A", "B", "AB", "O")


def visits(n, seed=0, T=8):
    """Make n people's visits to a doctor: at risk is whose weight changed suddenly.

    Everybody's weight goes from a first to a last value 6 to 14 kg apart, up or down. In half of the people it
    drifts there evenly; in the other half it jumps between two visits, and those are at risk. Height and blood type
    say nothing. One visit looks the same in both halves, and so do the first and the last together: only the change
    from one visit to the next shows the risk. Numbers made for a lesson on memory, not medical knowledge.

    Parameters
    ----------
    n : number of people, at least 1.
    seed : the same seed gives the same people.
    T : number of visits, at least 4.

    Returns
    -------
    x : (n, T, 6) float64: height in m, weight in kg, then one-hot blood type in the order A, B, AB, O.
    risk : (n,) integers 0 or 1.

    Raises
    ------
    ValueError
        when n is below 1 or T below 4.
    """
    _at_least("n", n, 1)
    _at_least("T", T, 4)
    rng = np.random.default_rng(seed)
    risk = rng.integers(2, size=n)
    height = rng.normal(1.70, 0.09, size=n)
    first = 23 * height**2 + rng.normal(0, 9, size=n)
    change = rng.uniform(6, 14, size=n) * rng.choice([-1, 1], size=n)
    blood = rng.integers(len(BLOOD_TYPES), size=n)
    jump = rng.integers(1, T, size=n)
    step = np.arange(T)
    drifted, jumped = np.broadcast_to(step / (T - 1), (n, T)), step >= jump[:, None]
    share = np.where(risk[:, None] == 1, jumped, drifted)
    x = np.zeros((n, T, 2 + len(BLOOD_TYPES)))
    x[:, :, 0] = height[:, None]
    x[:, :, 1] = first[:, None] + change[:, None] * share + rng.normal(0, 0.3, size=(n, T))
    x[np.arange(n), :, 2 + blood] = 1
    return x, risk


ANIMAL = {"cat": "cats", "dog": "dogs", "bird": "birds", "horse": "horses", "fox": "foxes", "mouse": "mice"}
DEED = ["chased", "saw", "followed", "met", "heard", "liked"]
SPOT = ["near", "behind", "beside", "under"]
STATE = ["full", "tired", "happy", "hungry", "asleep"]
VERB = ("was", "were")


def agreement(n, seed=0, others=None):
    """Make sentences whose verb must agree with a subject that stands far back.

    "the cat which chased the dogs near the foxes was full": one subject, so *was*, whatever stands between. The nouns
    in between are singular or plural by chance, so the words just before the verb say nothing about it. Made here, so
    free of any licence but the book's.

    Parameters
    ----------
    n : number of sentences, at least 1.
    seed : the same seed gives the same sentences, and fewer of them are the beginning of more.
    others : how many nouns stand between subject and verb, at least 0; None draws 0 to 3 for each sentence.

    Returns
    -------
    sentences : list of n lists of words.
    plural : (n,) integers, 0 where the verb is "was" and 1 where it is "were".

    Raises
    ------
    ValueError
        when n is below 1 or others below 0.
    """
    _at_least("n", n, 1)
    if others is not None:
        _at_least("others", others, 0)
    rng = np.random.default_rng(seed)
    sentences, plural = [], []
    for _ in range(n):
        many = rng.integers(2)
        between = rng.integers(4) if others is None else others
        words = ["the", _animal(rng, many)]
        for place in range(between):
            words += ["which", rng.choice(DEED)] if place == 0 else [rng.choice(SPOT)]
            words += ["the", _animal(rng, rng.integers(2))]
        sentences.append([str(word) for word in (*words, VERB[many], rng.choice(STATE))])
        plural.append(many)
    return sentences, np.array(plural)


def _animal(rng, many):
    return list(ANIMAL.items())[rng.integers(len(ANIMAL))][many]


def _at_least(name, value, least):
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")
