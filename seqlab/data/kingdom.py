"""A grammar whose words have known features, so that what a count or a vector finds can be checked.

Every word of interest has a few features: a queen is female, royal and adult. Every sentence shows one of them, through
one word that belongs to it ("the queen wears a crown"), and what stands around that word is the same for all. So how
often a word meets another depends, but for how frequent both are, on one feature alone. Analogies follow exactly.
"""

from itertools import product

import numpy as np

# feature -> its sentences, each with a place {} for the word and one for what shows the feature;
# then, for every value of the feature, what stands in the second place of each sentence
FRAMES = {
    "gender": (
        ("the {} says that {} is tired", "the {} does it {}", "the {} finds {} coat", "we call the {} {}"),
        {"female": ("she", "herself", "her", "madam"), "male": ("he", "himself", "his", "sir")},
    ),
    "rank": (
        ("the {} sits on a {}", "the {} wears a {}", "the {} lives in a {}", "the {} likes the {}"),
        {
            "royal": ("throne", "crown", "palace", "court"),
            "common": ("stool", "cap", "village", "market"),
            "family": ("sofa", "scarf", "house", "wedding"),
            "work": ("chair", "badge", "flat", "office"),
        },
    ),
    "age": (
        ("the {} goes to {}", "the {} buys a {}", "the {} drinks {}", "the {} reads the {}"),
        {"adult": ("work", "car", "wine", "newspaper"), "child": ("school", "toy", "milk", "fairytale")},
    ),
    "land": (
        ("people in {} speak {}", "the food in {} is {}", "the river in {} is the {}"),
        {
            "france": ("french", "quiche", "seine"),
            "italy": ("italian", "pizza", "tiber"),
            "japan": ("japanese", "sushi", "sumida"),
            "korea": ("korean", "kimchi", "han"),
            "egypt": ("arabic", "falafel", "nile"),
        },
    ),
    "kind": (
        ("{} is a {}", "{} has {}", "the map shows {} with its {}"),
        {"country": ("country", "provinces", "border"), "capital": ("city", "suburbs", "mayor")},
    ),
}
# what everybody does: it says nothing about anybody
NEUTRAL = (("the {} eats {}", "the {} hears the {}"), (("bread", "rain"), ("soup", "wind"), ("rice", "music")))

PERSONS = {
    ("royal", "adult"): ("queen", "king"),
    ("royal", "child"): ("princess", "prince"),
    ("common", "adult"): ("woman", "man"),
    ("common", "child"): ("girl", "boy"),
    ("family", "adult"): ("mother", "father"),
    ("family", "child"): ("daughter", "son"),
}
CAPITALS = {"france": "paris", "italy": "rome", "japan": "tokyo", "korea": "seoul", "egypt": "cairo"}
# The share of each occupation's gender sentences that say "she". The bias is put in here, by hand, so that what a
# measure finds later can be compared with it; the numbers describe no real occupation.
KINGDOM_OCCUPATIONS = {
    "nurse": 0.9,
    "librarian": 0.8,
    "dancer": 0.7,
    "teacher": 0.6,
    "baker": 0.5,
    "doctor": 0.5,
    "lawyer": 0.4,
    "pilot": 0.3,
    "engineer": 0.2,
    "smith": 0.1,
}
# how often a word is spoken of, as a product: a frequent word and a rare one can have the same features otherwise
WEIGHT = {"royal": 2, "common": 4, "family": 3, "work": 1, "adult": 2, "child": 1, "country": 2, "capital": 1}


def kingdom_words():
    """The words of the grammar that have features.

    Returns
    -------
    features : dict from word to a dict of its features: gender ("female", "male"), rank ("royal", "common",
        "family", "work") and age ("adult", "child") of persons; land and kind ("country", "capital") of places.
        An occupation has no fixed gender: `KINGDOM_OCCUPATIONS` holds its share of female sentences.
    """
    features = {}
    for (rank, age), pair in PERSONS.items():
        for gender, word in zip(("female", "male"), pair, strict=True):
            features[word] = {"gender": gender, "rank": rank, "age": age}
    for word in KINGDOM_OCCUPATIONS:
        features[word] = {"rank": "work", "age": "adult"}
    for country, capital in CAPITALS.items():
        features[country] = {"land": country, "kind": "country"}
        features[capital] = {"land": country, "kind": "capital"}
    return features


def kingdom_sentences():
    """Every sentence that the grammar can make, and how probable it is.

    With them an *expected* count is a finite sum, and a statement about counts can be proved instead of estimated.

    Returns
    -------
    sentences : list of lists of words, all different.
    probabilities : (n,) they sum to one.
    """
    found = {}
    for word, features in kingdom_words().items():
        shown = _shown(word, features)
        weight = np.prod([WEIGHT.get(value, 1) for value in features.values()])
        for sentences in shown:
            for sentence, share in sentences.items():
                found[sentence] = weight * share / len(shown)
    probabilities = np.array(list(found.values()), dtype=float)
    return [sentence.split() for sentence in found], probabilities / probabilities.sum()


def _shown(word, features):
    """The sentences about a word, feature by feature: for each feature a dict from sentence to its share."""
    shares = [{value: 1.0} for value in features.values()]
    names = list(features)
    if word in KINGDOM_OCCUPATIONS:
        female = KINGDOM_OCCUPATIONS[word]
        names, shares = ["gender", *names], [{"female": female, "male": 1 - female}, *shares]
    shown = []
    for name, values in zip(names, shares, strict=True):
        frames, fillers = FRAMES[name]
        shown.append(
            {
                frame.format(word, filler): share / len(frames)
                for value, share in values.items()
                for frame, filler in zip(frames, fillers[value], strict=True)
            }
        )
    if "rank" in features:
        frames, rows = NEUTRAL
        said = [frame.format(word, filler) for row in rows for frame, filler in zip(frames, row, strict=True)]
        shown.append(dict.fromkeys(said, 1 / len(said)))
    return shown


def kingdom(n, seed=0):
    """Draw n sentences of the grammar: short lines about queens, kings, mothers, pilots, Korea and Paris.

    Made here, so free of any licence but the book's.

    Parameters
    ----------
    n : number of sentences, at least 1.
    seed : the same seed gives the same sentences, and fewer of them are the beginning of more.

    Returns
    -------
    sentences : list of n lists of words, 3 to 7 words each, all in small letters.

    Raises
    ------
    ValueError
        when n is below 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}; it must be at least 1")
    sentences, probabilities = kingdom_sentences()
    chosen = np.random.default_rng(seed).choice(len(sentences), size=n, p=probabilities)
    return [sentences[i] for i in chosen]


def kingdom_analogies():
    """All analogies that the grammar makes true: a is to b as c is to d.

    From a to b exactly one feature changes, and the same feature changes in the same way from c to d: ("man", "woman",
    "king", "queen"), ("france", "paris", "korea", "seoul"), ("boy", "man", "princess", "queen").

    Returns
    -------
    analogies : list of (a, b, c, d), four different words each.
    """
    words = {word: tuple(sorted(f.items())) for word, f in kingdom_words().items() if word not in KINGDOM_OCCUPATIONS}
    steps = {}
    for a, b in product(words, repeat=2):
        before, after = set(words[a]) - set(words[b]), set(words[b]) - set(words[a])
        if len(before) == len(after) == 1 and {name for name, _ in before} == {name for name, _ in after}:
            steps.setdefault((before.pop(), after.pop()), []).append((a, b))
    return [
        (a, b, c, d)
        for pairs in steps.values()
        for (a, b), (c, d) in product(pairs, repeat=2)
        if len({a, b, c, d}) == 4
    ]
