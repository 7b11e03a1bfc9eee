"""French travel plans and all their right translations into English, each with its exact probability.

A translator of these sentences can be judged without doubt: the grammar knows every right answer and how probable it
is. One trap is built in. After "jane is" the word "going" is more probable than "visiting", because three wordings
share it, and yet the single most probable sentence goes on with "visiting".
"""

from bisect import bisect_right
from functools import cache
from itertools import accumulate, product
from math import prod

import numpy as np

# French: who. English: the ways to say it with their shares. Which form of the French verb; the English "be".
WHO = [
    ("jane", {"jane": 1.0}, "singular", "is"),
    ("paul", {"paul": 1.0}, "singular", "is"),
    ("marie", {"marie": 1.0}, "singular", "is"),
    ("ma soeur", {"my sister": 1.0}, "singular", "is"),
    ("le professeur", {"the teacher": 0.7, "the professor": 0.3}, "singular", "is"),
    ("nous", {"we": 1.0}, "we", "are"),
    ("mes parents", {"my parents": 1.0}, "plural", "are"),
    ("les enfants", {"the children": 0.8, "the kids": 0.2}, "plural", "are"),
]
# French forms; English: base, -s, -ing, and another verb that is right as well.
VERBS = [
    ({"singular": "visite", "we": "visitons", "plural": "visitent"}, "visit", "visits", "visiting", "see"),
    ({"singular": "quitte", "we": "quittons", "plural": "quittent"}, "leave", "leaves", "leaving", "depart from"),
    ({"singular": "traverse", "we": "traversons", "plural": "traversent"}, "cross", "crosses", "crossing", "go across"),
    (
        {"singular": "découvre", "we": "découvrons", "plural": "découvrent"},
        "discover",
        "discovers",
        "discovering",
        "explore",
    ),
]
WHERE = {
    "l' afrique": {"africa": 1.0},
    "l' inde": {"india": 1.0},
    "la corée": {"korea": 1.0},
    "la france": {"france": 1.0},
    "le japon": {"japan": 1.0},
    "le canada": {"canada": 1.0},
    "paris": {"paris": 1.0},
    "séoul": {"seoul": 1.0},
    "la ville": {"the city": 0.6, "the town": 0.4},
    "la mer": {"the sea": 0.7, "the ocean": 0.3},
}
WITH = {"": {"": 1.0}, "avec des amis": {"with friends": 0.7, "with some friends": 0.3}, "avec lui": {"with him": 1.0}}
MONTHS = {
    "janvier": "january",
    "mars": "march",
    "avril": "april",
    "mai": "may",
    "juillet": "july",
    "septembre": "september",
    "octobre": "october",
    "décembre": "december",
}
WHEN = {
    "": {"": 1.0},
    **{f"en {french}": {f"in {english}": 1.0} for french, english in MONTHS.items()},
    "en hiver": {"in winter": 0.7, "in the winter": 0.3},
    "demain": {"tomorrow": 1.0},
    "cette semaine": {"this week": 1.0},
}
# the wordings of a plan; {be}, {base}, {ing}, {other} are filled in
PLANS = {
    "{be} {ing}": 0.38,
    "{be} going to {base}": 0.20,
    "{be} going to be {ing}": 0.18,
    "{be} going to {other}": 0.12,
    "will {base}": 0.12,
}
HABITS = {"{now}": 0.6, "{be} {ing}": 0.4}  # where the French names no time
IN_FRONT = {"back": 0.2, "front": 0.5}  # how often English begins with the time, by where French has it
SHARE_IN_FRONT = 0.3  # of the French sentences with a time


@cache
def _sentences():
    """Every French sentence: dict from the sentence to (its probability, what it says)."""
    found = {}
    for who, verb, where, company, when in product(WHO, VERBS, WHERE, WITH, WHEN):
        middle = f"{who[0]} {verb[0][who[2]]} {where} {company}".strip()
        even = 1 / (len(WHO) * len(VERBS) * len(WHERE) * len(WITH) * len(WHEN))
        says = who, verb, where, company, when
        if not when:
            found[middle] = (even, says, "back")
            continue
        found[f"{middle} {when}"] = (even * (1 - SHARE_IN_FRONT), says, "back")
        found[f"{when} , {middle}"] = (even * SHARE_IN_FRONT, says, "front")
    return found


def phrasebook_sources():
    """Every French sentence of the phrase book.

    Returns
    -------
    sources : list of lists of words, all different, in a fixed order.
    """
    return [sentence.split() for sentence in _sentences()]


def phrasebook_references(source):
    """Every right English translation of a sentence, and how probable each is.

    Parameters
    ----------
    source : list of French words, one of `phrasebook_sources()`.

    Returns
    -------
    references : list of (words, probability), the most probable first, ties in alphabetical order. The probabilities
        sum to one.

    Raises
    ------
    ValueError
        when the sentence is not one of the phrase book.
    """
    sentence = " ".join(source)
    if sentence not in _sentences():
        raise ValueError(f"{sentence!r} is no sentence of the phrase book; phrasebook_sources() lists them all")
    _, (who, verb, where, company, when), place = _sentences()[sentence]
    _, base, now, ing, other = verb
    fill = {"be": who[3], "base": base, "ing": ing, "other": other, "now": now if who[3] == "is" else base}
    wordings = {form.format(**fill): share for form, share in (PLANS if when else HABITS).items()}
    found = {}
    for parts in product(who[1].items(), wordings.items(), WHERE[where].items(), WITH[company].items()):
        middle = " ".join(text for text, _ in parts if text)
        share = prod(share for _, share in parts)
        for time, of_time in WHEN[when].items():
            if not time:
                found[middle] = share
                continue
            found[f"{middle} {time}"] = share * of_time * (1 - IN_FRONT[place])
            found[f"{time} {middle}"] = share * of_time * IN_FRONT[place]
    ordered = sorted(found.items(), key=lambda item: (-round(item[1], 12), item[0]))
    return [(english.split(), share) for english, share in ordered]


def phrasebook(n, seed=0):
    """Draw n pairs of a French sentence and one of its right translations, as probable as each is.

    Made here, so free of any licence but the book's. "jane visite l' afrique en septembre" may come with "jane is
    visiting africa in september" or with "in september jane is going to be visiting africa".

    Parameters
    ----------
    n : number of pairs, at least 1.
    seed : the same seed gives the same pairs, and fewer of them are the beginning of more.

    Returns
    -------
    pairs : list of n (French words, English words), all in small letters.

    Raises
    ------
    ValueError
        when n is below 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}; it must be at least 1")
    sources, probabilities = phrasebook_sources(), np.array([share for share, *_ in _sentences().values()])
    drawn = np.random.default_rng(seed).random((n, 2))
    sums = np.cumsum(probabilities)
    chosen = np.minimum(np.searchsorted(sums, drawn[:, 0] * sums[-1], side="right"), len(sources) - 1)
    return [
        (sources[i], _drawn(phrasebook_references(sources[i]), u)) for i, u in zip(chosen, drawn[:, 1], strict=True)
    ]


def _drawn(references, u):
    sums = list(accumulate(share for _, share in references))
    return references[min(bisect_right(sums, u * sums[-1]), len(references) - 1)][0]
