from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from seqlab.data import KINGDOM_OCCUPATIONS, kingdom, kingdom_analogies, kingdom_sentences, kingdom_words
from seqlab.data.kingdom import FRAMES


def expected_counts(window):
    """Pairs at most `window` words apart in the average sentence, counted by hand, and the place of each word."""
    sentences, probabilities = kingdom_sentences()
    place = {word: i for i, word in enumerate(sorted({word for words in sentences for word in words}))}
    X = np.zeros((len(place), len(place)))
    for words, p in zip(sentences, probabilities, strict=True):
        for i, j in combinations(range(len(words)), 2):
            if j - i <= window:
                X[place[words[i]], place[words[j]]] += p
                X[place[words[j]], place[words[i]]] += p
    return X, place


@pytest.mark.parametrize("window", [1, 2, 5])
def test_every_analogy_is_exact_in_the_expected_positive_pmi(window):
    X, place = expected_counts(window)
    assert X.sum(axis=1).all()
    with np.errstate(divide="ignore"):
        M = np.maximum(np.log(X * X.sum() / np.outer(X.sum(axis=1), X.sum(axis=0))), 0)
    assert len(kingdom_analogies()) > 200
    for a, b, c, d in kingdom_analogies():
        assert np.abs(M[place[b]] - M[place[a]] + M[place[c]] - M[place[d]]).max() < 1e-12


def test_what_shows_a_feature_shows_no_other():
    fillers = [filler for _, values in FRAMES.values() for row in values.values() for filler in row]
    assert len(fillers) == len(set(fillers))
    assert not set(fillers) & {word for word in kingdom_words() if word not in FRAMES["kind"][1]}


def test_a_sentence_shows_at_most_one_value_of_a_feature():
    for words in kingdom_sentences()[0]:
        for _, values in FRAMES.values():
            assert sum(any(word in row for word in words[1:]) for row in values.values()) <= 1


def test_probabilities_sum_to_one_and_no_sentence_stands_twice():
    sentences, probabilities = kingdom_sentences()
    assert probabilities.min() > 0
    assert np.isclose(probabilities.sum(), 1)
    assert len({tuple(words) for words in sentences}) == len(sentences) == len(probabilities)
    assert {len(words) for words in sentences} == {3, 4, 5, 6, 7}


def test_sentences_are_drawn_as_often_as_they_are_probable():
    sentences, probabilities = kingdom_sentences()
    n = 100_000
    drawn = Counter(tuple(words) for words in kingdom(n, seed=3))
    for words, p in zip(sentences, probabilities, strict=True):
        assert abs(drawn[tuple(words)] - n * p) < 6 * np.sqrt(n * p)


@pytest.mark.parametrize("occupation", KINGDOM_OCCUPATIONS)
def test_an_occupation_meets_she_as_often_as_was_put_in(occupation):
    sentences, probabilities = kingdom_sentences()
    with_she, with_he = (
        sum(p for words, p in zip(sentences, probabilities, strict=True) if occupation in words and pronoun in words)
        for pronoun in ("she", "he")
    )
    assert np.isclose(with_she / (with_she + with_he), KINGDOM_OCCUPATIONS[occupation])


def test_an_analogy_changes_one_feature_in_the_same_way_twice():
    features, analogies = kingdom_words(), kingdom_analogies()
    for one in [
        ("man", "woman", "king", "queen"),
        ("france", "paris", "korea", "seoul"),
        ("boy", "man", "son", "father"),
    ]:
        assert one in analogies
    assert len(set(analogies)) == len(analogies)
    for a, b, c, d in analogies:
        first = {(name, value, features[b][name]) for name, value in features[a].items() if value != features[b][name]}
        second = {(name, value, features[d][name]) for name, value in features[c].items() if value != features[d][name]}
        assert first == second
        assert len(first) == 1


def test_a_seed_fixes_the_sentences_and_fewer_are_the_beginning_of_more():
    assert kingdom(60, seed=4)[:20] == kingdom(20, seed=4)
    assert kingdom(60, seed=4) != kingdom(60, seed=5)
    with pytest.raises(ValueError, match="n is 0; it must be at least 1"):
        kingdom(0)
