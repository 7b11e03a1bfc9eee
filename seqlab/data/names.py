"""Sentences with the names in them marked, made by a small grammar.

The running example of the book comes from it. So do its traps: "Teddy", "Rose", "May", "Will" and "Grace" begin a
name or do not, and only the next word tells.
"""

import numpy as np

RUNNING_EXAMPLE = (
    ["Harry", "Potter", "and", "Hermione", "Granger", "invented", "a", "new", "spell"],
    [1, 1, 0, 1, 1, 0, 0, 0, 0],
)
FIRST = [
    "Harry",
    "Hermione",
    "Ron",
    "Ginny",
    "Luna",
    "Neville",
    "Cho",
    "Cedric",
    "Teddy",
    "Rose",
    "May",
    "Will",
    "Grace",
]
LAST = ["Potter", "Granger", "Weasley", "Lovegood", "Longbottom", "Chang", "Diggory", "Roosevelt", "Turner", "Hopper"]
THING = ["spell", "potion", "broom", "torn map", "silver key", "new wand", "secret door", "book of riddles"]
PLACE = ["library", "castle", "forest", "great hall", "village", "small shop"]
DID = ["invented", "found", "lost", "hid", "wanted", "described", "sold"]
# the first word of each also stands in FIRST
NO_NAME = {
    "Teddy": ["bears are on sale", "bears sat in a row", "bears were a gift"],
    "Rose": ["petals fell on the table", "bushes grow near the castle", "tea is served at five"],
    "May": ["flowers come after rain", "mornings are cold", "rain woke the village"],
    "Will": ["power wins in the end", "writers charge a fee"],
    "Grace": ["notes are hard to play", "periods end on a Monday"],
}
BEFORE = ["he said", "she said", "they heard that", "yesterday we read that", ""]


def tagged_sentences(n, seed=0):
    """Make n sentences whose every word is labelled: 1 if it belongs to a person's name, else 0.

    The first is always the running example, "Harry Potter and Hermione Granger invented a new spell". About a third
    are traps: they begin, perhaps after "he said", with a word that is half of a name in one sentence and not in
    another ("Teddy Roosevelt was a president", "Teddy bears are on sale"). The labels of a sentence depend on its
    words alone. Made here, so free of any licence but the book's.

    Parameters
    ----------
    n : number of sentences, at least 1.
    seed : the same seed gives the same sentences, and fewer of them are the beginning of more.

    Returns
    -------
    sentences : list of n lists of words.
    labels : list of n lists of 0 and 1, as long as the sentences.

    Raises
    ------
    ValueError
        when n is below 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}; ask for at least 1 sentence")
    rng = np.random.default_rng(seed)
    made = [_sentence(rng) for _ in range(n - 1)]
    sentences, labels = zip((list(RUNNING_EXAMPLE[0]), list(RUNNING_EXAMPLE[1])), *made, strict=True)
    return list(sentences), list(labels)


def _sentence(rng):
    """One sentence as (words, labels)."""

    def pick(options):
        return options[rng.integers(len(options))]

    def full_name():
        return [(pick(FIRST), 1), (pick(LAST), 1)]

    def name():
        return full_name() if rng.random() < 0.6 else [(pick(FIRST), 1)]

    def plain(text):
        return [(word, 0) for word in text.split()]

    kind = rng.integers(6)
    if kind == 0:
        pairs = name() + plain("and") + name() + plain(f"{pick(DID)} a {pick(THING)}")
    elif kind == 1:
        pairs = plain(f"yesterday the {pick(THING)} of") + name() + plain(f"was in the {pick(PLACE)}")
    elif kind == 2:
        pairs = plain(f"in the {pick(PLACE)}") + name() + plain("met") + name()
    elif kind == 3:
        pairs = plain(f"a {pick(THING)} is in the {pick(PLACE)}")
    elif kind == 4:
        first = pick(list(NO_NAME))
        pairs = [*plain(pick(BEFORE)), (first, 0), *plain(pick(NO_NAME[first]))]
    else:
        first = pick(list(NO_NAME))
        told = pick(["was a great president", "was late", f"{pick(DID)} a {pick(THING)}"])
        pairs = [*plain(pick(BEFORE)), (first, 1), (pick(LAST), 1), *plain(told)]
    words, labels = zip(*pairs, strict=True)
    return list(words), list(labels)
