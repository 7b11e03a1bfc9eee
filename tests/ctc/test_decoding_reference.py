"""The decoders in NumPy against the truth of tiny cases, where every path can be walked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.ctc.reference import (
    beam_decode,
    brute_force,
    collapse,
    ctc_forward,
    greedy_decode,
    log_likelihood,
    path_log_prob,
)
from seqlab.lm import NGram

ALL = 10_000  # a beam that holds every prefix of the tiny cases
cases = st.builds(
    lambda seed, T, C, scale: drawn(seed, T, C, scale),
    st.integers(0, 10**6),
    st.integers(0, 5),
    st.integers(1, 4),
    st.sampled_from([0.3, 2.0, 6.0]),
)


def drawn(seed, T, C, scale=2.0):
    """Log-probabilities (T, C) of chance."""
    z = np.random.default_rng([seed, T, C]).normal(size=(T, C)) * scale
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def logs(*rows):
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows, dtype=float))


class Chances:
    """A language model that knows two labels back; its probabilities are drawn by chance."""

    def __init__(self, size):
        self.size = size

    def distribution(self, context):
        rng = np.random.default_rng([len(context), *context[-2:]])
        return rng.dirichlet(np.ones(self.size))

    def log_prob(self, text):
        return sum(np.log(self.distribution(text[:n])[c]) for n, c in enumerate(text))


# ---- greedy


@given(cases, st.integers(0, 3))
def test_greedy_is_the_collapsed_best_path(log_probs, blank):
    C = log_probs.shape[1]
    blank %= C
    labels, log_prob = greedy_decode(log_probs, blank)
    path = [max(range(C), key=lambda c, row=row: row[c]) for row in log_probs]
    assert labels == tuple(collapse(path, blank))
    assert log_prob == pytest.approx(path_log_prob(log_probs, path), abs=1e-12)
    assert log_prob <= brute_force(log_probs, blank)[labels] + 1e-12


def test_the_best_path_is_not_the_best_text():
    log_probs = logs([0.6, 0.4], [0.6, 0.4])
    labels, log_prob = greedy_decode(log_probs)
    assert labels == ()
    assert np.exp(log_prob) == pytest.approx(0.36)
    (found,) = beam_decode(log_probs, 2)
    assert found.labels == (1,)
    assert np.exp(found.log_prob) == pytest.approx(0.16 + 0.24 + 0.24)


def test_width_one_is_not_greedy():
    log_probs = logs([0, 1, 0], [0.3, 0.3, 0.4])
    assert greedy_decode(log_probs)[0] == (1, 2)
    (found,) = beam_decode(log_probs, 1)
    assert found.labels == (1,)  # two paths, 0.3 each, against one of 0.4
    assert np.exp(found.log_prob) == pytest.approx(0.6)


# ---- the beam


@given(cases, st.integers(0, 3))
@settings(max_examples=40)
def test_a_beam_that_drops_nothing_knows_every_text_exactly(log_probs, blank):
    blank %= log_probs.shape[1]
    truth = brute_force(log_probs, blank)
    found = beam_decode(log_probs, ALL, blank, n_best=ALL)
    assert {h.labels for h in found} == set(truth)
    assert [h.log_prob for h in found] == pytest.approx([truth[h.labels] for h in found], abs=1e-9)
    assert found[0].log_prob == pytest.approx(max(truth.values()), abs=1e-9)


@given(cases, st.integers(1, 6))
@settings(max_examples=60)
def test_a_beam_never_says_more_than_the_exact_probability(log_probs, width):
    truth = brute_force(log_probs)
    found = beam_decode(log_probs, width, n_best=width)
    assert all(h.log_prob <= truth[h.labels] + 1e-9 for h in found)
    assert len({h.labels for h in found}) == len(found) == min(width, len(truth))
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert all(h.score == h.log_prob for h in found)


def test_a_wider_beam_reaches_the_exact_probability_of_a_long_text():
    for seed in range(3):
        log_probs, gaps = drawn(seed, 20, 6, scale=8.0), []
        for width in (1, 4, 64, 128):
            (found,) = beam_decode(log_probs, width)
            exact = log_likelihood(ctc_forward(log_probs, found.labels))
            gaps.append(exact - found.log_prob)
        assert min(gaps) >= -1e-9
        assert gaps[-1] < gaps[0] / 10
        assert gaps[-1] < 3e-3


def test_a_double_letter_needs_a_blank_between():
    found = {h.labels: h.log_prob for h in beam_decode(logs([0, 1], [0.3, 0.7], [0, 1]), ALL, n_best=ALL)}
    assert found == pytest.approx({(1,): np.log(0.7), (1, 1): np.log(0.3)})


def test_equal_scores_keep_the_order_that_is_promised():
    found = beam_decode(logs([1 / 4] * 4), 4, n_best=4)
    assert [h.labels for h in found] == [(), (1,), (2,), (3,)]
    assert [h.labels for h in beam_decode(logs([1 / 4] * 4), 2, 3, n_best=2)] == [(), (0,)]
    sure = logs([0, 1 / 2, 1 / 2], [1, 0, 0], [0, 1 / 2, 1 / 2])
    assert [h.labels for h in beam_decode(sure, 4, n_best=4)] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_texts_without_any_probability_are_not_found():
    found = beam_decode(logs([0.5, 0.5, 0], [0, 1, 0]), 50, n_best=50)
    assert [h.labels for h in found] == [(1,)]
    assert found[0].log_prob == pytest.approx(0, abs=1e-12)


def test_no_frame_is_the_empty_text():
    assert greedy_decode(np.zeros((0, 3))) == ((), 0.0)
    (found,) = beam_decode(np.zeros((0, 3)), 3, n_best=3)
    assert (found.labels, found.log_prob, found.score) == ((), 0.0, 0.0)


@given(cases)
@settings(max_examples=30)
def test_top_is_exact_when_it_leaves_every_label_and_a_lower_bound_otherwise(log_probs):
    truth, C = brute_force(log_probs), log_probs.shape[1]
    assert beam_decode(log_probs, 5, n_best=5, top=C) == beam_decode(log_probs, 5, n_best=5)
    found = beam_decode(log_probs, ALL, n_best=ALL, top=1)
    assert all(h.log_prob <= truth[h.labels] + 1e-9 for h in found)
    (greedy, _) = greedy_decode(log_probs)
    assert greedy in {h.labels for h in found}


# ---- with a language model


@given(cases, st.integers(1, 5))
@settings(max_examples=30)
def test_a_language_model_of_weight_zero_changes_nothing(log_probs, width):
    want = beam_decode(log_probs, width, n_best=width)
    lm = Chances(log_probs.shape[1])
    assert beam_decode(log_probs, width, n_best=width, lm=lm, lm_weight=0.0, lm_end=0) == want


@given(cases, st.floats(-2, 2), st.floats(0, 2))
@settings(max_examples=30)
def test_of_a_uniform_language_model_only_a_bonus_is_left(log_probs, bonus, weight):
    """Its log C a label is a bonus too, a negative one."""
    C = log_probs.shape[1]

    class Uniform:
        def distribution(self, context):
            return np.full(C, 1 / C)

    got = beam_decode(log_probs, ALL, n_best=ALL, lm=Uniform(), lm_weight=weight, bonus=bonus + weight * np.log(C))
    want = beam_decode(log_probs, ALL, n_best=ALL, bonus=bonus)
    by_text = {h.labels: h for h in want}
    assert {h.labels for h in got} == set(by_text)
    for h in got:
        assert h.log_prob == pytest.approx(by_text[h.labels].log_prob)
        assert h.score == pytest.approx(h.log_prob + bonus * len(h.labels), abs=1e-9)


@given(cases, st.floats(0, 3), st.floats(-1, 3), st.booleans())
@settings(max_examples=40)
def test_the_best_text_is_that_of_the_combined_score_of_all(log_probs, weight, bonus, ends):
    lm = Chances(log_probs.shape[1])

    def score(text, log_prob):
        end = np.log(lm.distribution(text)[0]) if ends else 0.0  # the blank's id says that the text ends
        return log_prob + weight * (lm.log_prob(text) + end) + bonus * len(text)

    truth = {text: score(text, log_prob) for text, log_prob in brute_force(log_probs).items()}
    how = {"lm": lm, "lm_weight": weight, "bonus": bonus, "lm_end": 0 if ends else None}
    found = beam_decode(log_probs, ALL, n_best=ALL, **how)
    assert {h.labels: h.score for h in found} == pytest.approx(truth, abs=1e-9)
    assert found[0].score == pytest.approx(max(truth.values()), abs=1e-9)
    narrow = beam_decode(log_probs, 2, **how)[0]
    assert narrow.score <= truth[narrow.labels] + 1e-9


def test_an_ngram_rescues_a_letter_that_was_heard_wrongly():
    letters = "_thequick"
    words = ["the", "then", "he", "hit", "the", "chick", "quick", "quit", "the"]
    known = [[letters.index(c) for c in word if c in letters] for word in words]
    lm = NGram(3).fit([[*word, 0] for word in known], len(letters))
    heard = np.full((9, len(letters)), 0.01)
    for t, c in enumerate("ttt_h_eee"):
        heard[t, letters.index(c)] = 0.8
    heard[4, letters.index("q")] = 1.0  # more than the h
    log_probs = np.log(heard / heard.sum(1, keepdims=True))

    def read(**how):
        return "".join(letters[c] for c in beam_decode(log_probs, 8, **how)[0].labels)

    assert read() == "tqe" == "".join(letters[c] for c in greedy_decode(log_probs)[0])
    assert read(lm=lm, lm_weight=0.5) == "the"
    assert read(lm=lm, lm_weight=0.5, lm_end=0) == "the"
    assert read(lm=lm, lm_weight=0.0) == "tqe"


def test_a_text_that_the_language_model_rules_out_is_never_found():
    class No2:
        def distribution(self, context):
            return np.array([0.5, 0.5, 0.0])

    log_probs = drawn(1, 4, 3)
    found = beam_decode(log_probs, ALL, n_best=ALL, lm=No2())
    assert {h.labels for h in found} == {text for text in brute_force(log_probs) if 2 not in text}
    assert beam_decode(logs([0, 0, 1]), 3, lm=No2()) == []


# ---- what is refused

GOOD = logs([0.5, 0.5], [0.1, 0.9])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: greedy_decode(GOOD[0]), r"log_probs has shape \(2,\); it must have shape \(T, C\)"),
        (lambda: greedy_decode(GOOD.tolist()), "log_probs is a list; it must be a NumPy array"),
        (lambda: greedy_decode(GOOD, 2), "blank is 2; log_probs has the classes 0 to 1"),
        (lambda: greedy_decode(GOOD + 1), r"a frame whose probabilities sum to 2\.718"),
        (lambda: beam_decode(GOOD + 1000, 2), "give log-probabilities, log_softmax"),
        (lambda: beam_decode(GOOD * np.nan, 2), "give log-probabilities, log_softmax"),
        (lambda: beam_decode(GOOD, 0), "beam_width is 0; it must be a whole number, at least 1"),
        (lambda: beam_decode(GOOD, 2.5), "beam_width is 2.5; it must be a whole number, at least 1"),
        (lambda: beam_decode(GOOD, 2, n_best=3), "n_best is 3; a beam of width 2 holds no more than 2 texts"),
        (lambda: beam_decode(GOOD, 2, top=0), "top is 0; it must be a whole number, at least 1"),
        (lambda: beam_decode(GOOD, 2, lm_weight=-1), "lm_weight is -1; it must be at least 0"),
        (lambda: beam_decode(GOOD, 2, lm_end=-1), "lm_end is -1; it must be an id, at least 0"),
        (lambda: beam_decode(GOOD, 2, lm=Chances(1)), r"lm.distribution gave shape \(1,\); .* ids 0 to 1"),
        (lambda: beam_decode(GOOD, 2, lm=Chances(2), lm_end=2), r"lm.distribution gave shape \(2,\); .* ids 0 to 2"),
        (lambda: beam_decode(GOOD, 2, lm=Broken()), "lm.distribution gave a number that is NaN or below 0"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()


class Broken:
    def distribution(self, context):
        return np.array([0.5, np.nan])
