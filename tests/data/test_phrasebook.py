from collections import Counter
from itertools import pairwise
from math import isclose

import pytest

from seqlab.data import phrasebook, phrasebook_references, phrasebook_sources

JANE = ["jane", "visite", "l'", "afrique", "en", "septembre"]


def following(references, prefix):
    """What comes after these words, as the grammar's exact probabilities."""
    share, n = Counter(), len(prefix)
    for words, p in references:
        if words[:n] == prefix and len(words) > n:
            share[words[n]] += p
    return share


def test_the_probabilities_of_the_right_translations_sum_to_one_and_fall():
    for source in phrasebook_sources()[::97]:
        references = phrasebook_references(source)
        assert isclose(sum(p for _, p in references), 1)
        assert all(before >= after - 1e-12 for (_, before), (_, after) in pairwise(references))
        assert len({" ".join(words) for words, _ in references}) == len(references)


def test_no_sentence_stands_twice():
    sources = [" ".join(source) for source in phrasebook_sources()]
    assert len(set(sources)) == len(sources) > 20_000


def test_the_step_by_step_choice_misses_the_best_sentence():
    references = phrasebook_references(JANE)
    assert " ".join(references[0][0]) == "jane is visiting africa in september"
    greedy = []
    while True:
        after = following(references, greedy)
        if not after:
            break
        greedy.append(max(after, key=after.get))
    assert " ".join(greedy) == "jane is going to visit africa in september"
    assert following(references, ["jane", "is"])["going"] > following(references, ["jane", "is"])["visiting"]
    assert dict((" ".join(words), p) for words, p in references)[" ".join(greedy)] < references[0][1] * 0.6


def test_the_drawn_pairs_are_as_frequent_as_the_grammar_says():
    pairs = phrasebook(6000, seed=1)
    about_time = [(s, t) for s, t in pairs if "en" in s or "demain" in s or "cette" in s]
    going = sum("going" in t for _, t in about_time) / len(about_time)
    assert abs(going - 0.5) < 0.03
    for source, target in pairs[:300]:
        assert target in [words for words, _ in phrasebook_references(source)]


def test_the_seed_decides_and_fewer_are_the_beginning_of_more():
    assert phrasebook(5, seed=3) == phrasebook(9, seed=3)[:5]
    assert phrasebook(20, seed=3) != phrasebook(20, seed=4)


def test_verbs_agree_with_who_travels():
    (first, _), *_ = phrasebook_references(["nous", "quittons", "paris"])
    assert first == ["we", "leave", "paris"]
    (first, _), *_ = phrasebook_references(["ma", "soeur", "quitte", "paris"])
    assert first == ["my", "sister", "leaves", "paris"]


def test_a_sentence_from_elsewhere_is_refused():
    with pytest.raises(ValueError, match="'jane visitons paris' is no sentence of the phrase book"):
        phrasebook_references(["jane", "visitons", "paris"])
    with pytest.raises(ValueError, match="n is 0; it must be at least 1"):
        phrasebook(0)
