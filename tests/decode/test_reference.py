"""The searches in NumPy against the truth of tiny trees, where every output can be looked at."""

import numpy as np
import pytest

from seqlab.decode import reference
from tests.decode.tiny import BOS, EOS, GNMT, PENALTIES, POWER, in_numpy, tree

V, T = 3, 4


def probability(distribution, tokens):
    """Of an output, straight from the tree."""
    return np.prod([distribution(tuple(tokens[:t]))[word] for t, word in enumerate(tokens)])


@pytest.mark.parametrize("seed", range(5))
def test_the_probabilities_of_all_outputs_sum_to_one(seed):
    found = reference.exhaustive(*in_numpy(tree(seed, V)), BOS, EOS, T)
    assert len({h.tokens for h in found}) == len(found)
    assert len(found) == sum((V - 1) ** n for n in range(T)) + (V - 1) ** T
    assert sum(np.exp(h.log_prob) for h in found) == pytest.approx(1)
    for h in found:
        assert h.finished == (h.tokens[-1] == EOS)
        assert np.exp(h.log_prob) == pytest.approx(probability(tree(seed, V), h.tokens))
    ended = [h.finished for h in found]
    assert ended == sorted(ended, reverse=True)


@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_wide_enough_finds_what_exhaustive_search_finds(seed, alpha, penalty):
    model = in_numpy(tree(seed, V))
    want = reference.exhaustive(*model, BOS, EOS, T, alpha, penalty=penalty)
    have = reference.beam_search(*model, BOS, EOS, V**T, T, alpha, penalty=penalty, n_best=len(want))
    assert [h.tokens for h in have] == [h.tokens for h in want]
    assert [h.score for h in have] == pytest.approx([h.score for h in want])
    assert reference.beam_search(*model, BOS, EOS, V**T, T, alpha, penalty=penalty) == have[:1]


@pytest.mark.parametrize("seed", range(20))
def test_width_one_is_greedy(seed):
    model = in_numpy(tree(seed, V))
    assert reference.beam_search(*model, BOS, EOS, 1, T) == [reference.greedy(*model, BOS, EOS, T)]


@pytest.mark.parametrize("seed", range(20))
def test_greedy_takes_the_likeliest_word_of_every_step(seed):
    distribution = tree(seed, V)
    found = reference.greedy(*in_numpy(distribution), BOS, EOS, T)
    for t, word in enumerate(found.tokens):
        assert word == distribution(found.tokens[:t]).argmax()
        assert found.log_probs[t] == pytest.approx(np.log(distribution(found.tokens[:t])[word]))
    assert found.finished or found.length == T


def test_greedy_may_miss_the_best_translation_and_two_beams_find_it():
    """The first word that looks best leads where no continuation is good."""

    def distribution(prefix):
        if prefix == ():
            return np.array([0, 0.6, 0.4])
        return np.array([0.4, 0.3, 0.3]) if prefix[0] == 1 else np.array([0.9, 0.05, 0.05])

    model = in_numpy(distribution)
    assert np.exp(reference.greedy(*model, BOS, EOS, T).log_prob) == pytest.approx(0.24)
    best = reference.beam_search(*model, BOS, EOS, 2, T)[0]
    assert best.tokens == (2, 0) == reference.exhaustive(*model, BOS, EOS, T)[0].tokens
    assert np.exp(best.log_prob) == pytest.approx(0.36)


def test_length_penalties_are_the_formulas():
    n = np.array([1, 2, 7])
    assert reference.length_penalty(n, 0.7) == pytest.approx(n**0.7)
    assert reference.length_penalty(n, 0.7, GNMT) == pytest.approx([1, (7 / 6) ** 0.7, 2**0.7])
    for form in (POWER, GNMT):
        assert reference.length_penalty(5, 0.0, form) == 1
        assert reference.length_penalty(1, 3.0, form) == 1


def test_coverage_asks_every_source_word_for_a_whole_attention():
    even = np.full((4, 2), 0.5)
    assert reference.coverage_penalty(even, 0.3) == 0
    leaning = np.array([[0.9, 0.1], [0.7, 0.3]])
    assert reference.coverage_penalty(leaning, 0.3) == pytest.approx(0.3 * np.log(0.4))
    assert reference.coverage_penalty(np.array([[1.0, 0.0]]), 0.3) == -np.inf
    assert reference.coverage_penalty(np.array([[1.0, 0.0]]), 0.0) == 0


@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
def test_no_continuation_scores_above_what_is_reachable(alpha, penalty):
    for seed in range(10):
        for h in reference.exhaustive(*in_numpy(tree(seed, V)), BOS, EOS, T, alpha, penalty=penalty):
            for n in range(1, h.length):
                assert reference.best_reachable(sum(h.log_probs[:n]), n, T, alpha, penalty) >= h.score - 1e-12
    assert reference.best_reachable(-1.0, T, T, alpha, penalty) == -np.inf


def test_the_person_is_better_so_the_search_is_to_blame():
    assert reference.blame(-3.0, -4.0) == "search"
    assert reference.blame(-4.0, -3.0) == "model"
    assert reference.blame(-3.0, -3.0) == "model"
    with pytest.raises(ValueError, match="NaN cannot be compared"):
        reference.blame(float("nan"), -3.0)


def test_log_softmax_survives_large_scores_and_rows_without_a_word():
    scores = np.array([[1e4, 1e4 + 1, -np.inf], [-np.inf] * 3])
    log_p = reference.log_softmax(scores)
    assert np.exp(log_p[0]) == pytest.approx([1 / (1 + np.e), np.e / (1 + np.e), 0])
    assert np.isneginf(log_p[1]).all()


def test_a_hypothesis_tells_its_length_with_and_its_words_without_the_end():
    ended = reference.judge(reference.Beam((4, 5, EOS), (-1.0, -2.0, -0.5)), EOS, 1.0)
    cut = reference.judge(reference.Beam((4, 5), (-1.0, -2.0)), EOS)
    assert (ended.length, ended.words, ended.finished) == (3, [4, 5], True)
    assert (cut.length, cut.words, cut.finished) == (2, [4, 5], False)
    assert ended.log_prob == -3.5
    assert ended.score == pytest.approx(-3.5 / 3)


def test_too_many_outputs_are_refused_before_they_are_tried():
    calls = []

    def distribution(prefix):
        calls.append(prefix)
        return np.full(10, 0.1)

    with pytest.raises(ValueError, match=r"10 words and 6 tokens make 10\^6 outputs, more than the limit of 200,000"):
        reference.exhaustive(*in_numpy(distribution), BOS, EOS, 6)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beam_width": 0}, "beam_width is 0; it must be a whole number, at least 1"),
        ({"max_len": 2.5}, "max_len is 2.5; it must be a whole number"),
        ({"n_best": 0}, "n_best is 0"),
        ({"alpha": -0.1}, "alpha is -0.1; it must be a number, at least 0"),
        ({"coverage": float("nan")}, "coverage is nan"),
        ({"penalty": "root"}, "penalty is 'root'; it must be 'power' or 'gnmt'"),
        ({"eos": 3}, "eos is 3; the step scores the ids 0 to 2"),
    ],
)
def test_what_no_search_can_use_is_refused(change, message):
    given = {"beam_width": 2, "max_len": T, "eos": EOS} | change
    with pytest.raises(ValueError, match=message):
        reference.beam_search(*in_numpy(tree(0, V)), BOS, **given)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.array([[0.0, np.nan]]), "scores with NaN or"),
        (np.array([[0.0, np.inf]]), "finite or -Inf"),
        (np.zeros(3), r"scores of shape \(3,\); for one token they must have shape \(1, V\)"),
    ],
)
def test_a_step_that_is_wrong_is_told(scores, message):
    with pytest.raises(ValueError, match=message):
        reference.greedy(lambda tokens, state: (scores, state), None, BOS, EOS, T)


def test_a_length_below_one_and_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="n is 0; it must be at least 1"):
        reference.length_penalty(0, 1.0)
    with pytest.raises(ValueError, match=r"weights has shape \(3,\); it must have shape \(Ty, Tx\)"):
        reference.coverage_penalty(np.ones(3), 0.1)
    with pytest.raises(ValueError, match="beta is -1"):
        reference.coverage_penalty(np.ones((1, 1)), -1)
