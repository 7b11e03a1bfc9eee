from collections import Counter

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from seqlab.data import agreement, copy_task, reviews, tagged_sentences, visits
from seqlab.data.made import ANIMAL
from seqlab.data.names import FIRST, LAST, NO_NAME


def test_the_running_example_has_nine_words_and_nine_labels():
    sentences, labels = tagged_sentences(1)
    assert " ".join(sentences[0]) == "Harry Potter and Hermione Granger invented a new spell"
    assert labels[0] == [1, 1, 0, 1, 1, 0, 0, 0, 0]


def test_every_word_of_a_name_is_labelled_and_no_other():
    for words, marks in zip(*tagged_sentences(500, seed=1), strict=True):
        assert len(words) == len(marks)
        for t, (word, mark) in enumerate(zip(words, marks, strict=True)):
            after = words[t + 1] if t + 1 < len(words) else ""
            begins_no_name = any(after == text.split()[0] for text in NO_NAME.get(word, ()))
            assert mark == int((word in FIRST and not begins_no_name) or word in LAST)


def test_the_same_beginning_has_two_readings():
    """What stands before "Teddy" and the word itself do not decide; only what follows does."""
    first_of = {}
    for words, marks in zip(*tagged_sentences(1000), strict=True):
        for t, mark in enumerate(marks):
            first_of.setdefault(tuple(words[: t + 1]), set()).add(mark)
    for word in NO_NAME:
        assert first_of["he", "said", word] == {0, 1}


def test_the_same_sentence_always_has_the_same_labels():
    seen = {}
    for words, marks in zip(*tagged_sentences(1000), strict=True):
        assert seen.setdefault(tuple(words), marks) == marks


@pytest.mark.parametrize("make", [tagged_sentences, reviews])
def test_a_seed_fixes_the_sentences_and_fewer_are_the_beginning_of_more(make):
    few, many, other = make(20, seed=4), make(60, seed=4), make(60, seed=5)
    assert few[0] == many[0][:20]
    assert list(few[1]) == list(many[1][:20])
    assert many[0] != other[0]


def test_a_caller_may_change_what_it_got():
    tagged_sentences(1)[0][0].clear()
    assert len(tagged_sentences(1)[0][0]) == 9


@pytest.mark.parametrize("lag", [1, 2, 30])
def test_the_copy_task_asks_for_the_first_symbol_at_the_cue(lag):
    x, y = copy_task(200, lag, 8, seed=0)
    assert x.shape == y.shape == (200, lag + 1)
    assert (x[:, 0] == y[:, -1]).all()
    assert set(x[:, 0].tolist()) == set(range(1, 9))
    assert (x[:, 1:-1] == 0).all()
    assert (x[:, -1] == 9).all()
    assert (y[:, :-1] == 0).all()
    again = copy_task(200, lag, 8, seed=0)
    assert (again[0] == x).all()
    assert (copy_task(200, lag, 8, seed=1)[0] != x).any()


def test_stars_follow_the_last_opinion_and_not_turns_it():
    stars = {" ".join(text): star for text, star in zip(*reviews(4000), strict=True)}
    assert stars["the film was good"] == 4
    assert stars["the film was not good"] == 2
    assert stars["the film was not awful"] == 5
    assert stars["the story was ordinary"] == stars["the story was not ordinary"] == 3
    for text, star in stars.items():
        assert star == stars.get(text.split(" but ")[-1], star)
    assert sum(" but " in text for text in stars) > 1000


def test_the_same_words_in_another_order_can_have_other_stars():
    by_words = {}
    for text, star in zip(*reviews(4000), strict=True):
        by_words.setdefault(tuple(sorted(Counter(text).items())), set()).add(int(star))
    assert sum(len(stars) > 1 for stars in by_words.values()) > 100


def accuracy(features, risk):
    """Of a linear model with squares and products, on people it has not seen."""
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    i, j = np.triu_indices(features.shape[1])
    features = np.hstack([features, features[:, i] * features[:, j]])
    half = len(risk) // 2
    return LogisticRegression(max_iter=500).fit(features[:half], risk[:half]).score(features[half:], risk[half:])


def test_one_visit_does_not_show_the_risk_but_the_largest_change_does():
    x, risk = visits(4000, seed=0)
    assert x.shape == (4000, 8, 6)
    assert 0.45 < risk.mean() < 0.55
    for t in range(8):
        assert accuracy(x[:, t], risk) < 0.55
    assert accuracy(np.hstack([x[:, 0], x[:, -1]]), risk) < 0.55
    largest = np.abs(np.diff(x[:, :, 1], axis=1)).max(axis=1)
    assert ((largest > 4) == (risk == 1)).mean() > 0.99


def test_visits_hold_plausible_people_whose_height_and_blood_do_not_change():
    x, _ = visits(500, seed=3, T=5)
    assert x.shape == (500, 5, 6)
    assert (x[:, :, [0, 2, 3, 4, 5]] == x[:, :1, [0, 2, 3, 4, 5]]).all()
    assert (x[:, :, 2:].sum(axis=2) == 1).all()
    assert 1.2 < x[:, :, 0].min() < x[:, :, 0].max() < 2.2
    assert 15 < x[:, :, 1].min() < x[:, :, 1].max() < 150
    assert (visits(500, seed=3, T=5)[0] == x).all()
    assert (visits(500, seed=4, T=5)[0] != x).any()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tagged_sentences(0), "n is 0; ask for at least 1 sentence"),
        (lambda: copy_task(0, 1, 2), "n is 0; it must be at least 1"),
        (lambda: copy_task(1, 0, 2), "lag is 0; it must be at least 1"),
        (lambda: copy_task(1, 1, 1), "symbols is 1; it must be at least 2"),
        (lambda: reviews(0), "n is 0"),
        (lambda: visits(0), "n is 0"),
        (lambda: visits(1, T=3), "T is 3; it must be at least 4"),
    ],
)
def test_a_mistake_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_verb_agrees_with_the_first_noun_and_with_no_other():
    sentences, plural = agreement(500, seed=1)
    forms = {word: many for pair in ANIMAL.items() for many, word in enumerate(pair)}
    assert [forms[words[1]] for words in sentences] == plural.tolist()
    assert [("was", "were").index(words[-2]) for words in sentences] == plural.tolist()


def test_the_nouns_in_between_say_nothing_about_the_verb():
    sentences, plural = agreement(4000, seed=1, others=2)
    forms = {word: many for pair in ANIMAL.items() for many, word in enumerate(pair)}
    nearest = np.array([forms[words[-3]] for words in sentences])
    assert abs(np.mean(nearest == plural) - 0.5) < 0.03


def test_more_nouns_in_between_make_a_longer_sentence():
    lengths = [{len(words) for words in agreement(20, others=others)[0]} for others in range(4)]
    assert lengths == [{4}, {8}, {11}, {14}]


def test_fewer_sentences_are_the_beginning_of_more():
    few, many = agreement(5, seed=3), agreement(50, seed=3)
    assert few[0] == many[0][:5]
    assert few[1].tolist() == many[1][:5].tolist()


def test_agreement_refuses_what_it_cannot_make():
    with pytest.raises(ValueError, match="n is 0; it must be at least 1"):
        agreement(0)
    with pytest.raises(ValueError, match="others is -1; it must be at least 0"):
        agreement(3, others=-1)
