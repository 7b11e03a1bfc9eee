import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.ctc import reference
from seqlab.ctc.reference import (
    brute_force,
    collapse,
    ctc_backward,
    ctc_forward,
    ctc_loss,
    extend,
    frames_needed,
    log_likelihood,
    occupancies,
    path_log_prob,
    paths_of,
    spans,
    viterbi,
)
from seqlab.ctc.reference.lattice import after, before

TARGETS = [[], [1], [2, 2], [1, 2], [1, 1, 2], [2, 1, 2, 2]]  # of classes 0 to 2 with the blank 0


def draw(T, C, seed=0, scale=2.0):
    scores = np.random.default_rng([seed, T, C]).normal(size=(T, C)) * scale
    return log_softmax(scores)


def log_softmax(scores):
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def ids(text, letters):
    return [letters.index(letter) for letter in text]


def with_another_blank(log_probs, target, blank):
    """The same case in classes that are turned around, so that class 0 becomes `blank`."""
    C = log_probs.shape[1]
    return np.roll(log_probs, blank, axis=1), [(k + blank) % C for k in target]


# --- collapse


def test_the_notes_path_collapses_to_their_words():
    letters = "_the q"
    path = ids("ttt_h_eee___ ___qqq__", letters)
    assert "".join(letters[k] for k in collapse(path)) == "the q"


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ([], []),
        ([0, 0], []),
        ([1, 1], [1]),
        ([1, 0, 1], [1, 1]),
        ([0, 1, 2, 2, 0, 2], [1, 2, 2]),
        ([2, 1, 2], [2, 1, 2]),
    ],
)
def test_repeats_merge_before_blanks_are_dropped(path, labels):
    assert collapse(path) == labels


def test_the_blank_may_be_any_class():
    assert collapse([0, 3, 0, 0, 3, 3], blank=3) == [0, 0]


@given(st.lists(st.integers(0, 3), max_size=12))
def test_spans_hold_the_text_where_the_path_shows_it(path):
    found = spans(path)
    assert [label for label, _, _ in found] == collapse(path)
    again = [0] * len(path)
    for label, first, last in found:
        again[first : last + 1] = [label] * (last + 1 - first)
    assert again == path


# --- the states


def test_states_are_the_labels_between_blanks():
    assert extend([5, 5, 2], blank=1).tolist() == [1, 5, 1, 5, 1, 2, 1]
    assert extend([]).tolist() == [0]


@pytest.mark.parametrize("target", TARGETS)
def test_frames_needed_is_the_length_of_the_shortest_path(target):
    shortest = next(T for T in range(9) if any(True for _ in paths_of(target, T)))
    assert frames_needed(target) == shortest


@pytest.mark.parametrize("T", range(6))
def test_the_paths_of_a_target_are_all_that_collapse_to_it(T):
    every = list(np.ndindex(*[3] * T))
    for target in TARGETS:
        paths = list(paths_of(target, T))
        assert len(set(paths)) == len(paths)
        assert set(paths) == {path for path in every if collapse(path) == target}


@pytest.mark.parametrize("target", TARGETS)
def test_before_and_after_are_the_same_moves(target):
    states = extend(target)
    S = len(states)
    moves = {(r, s) for s in range(S) for r in before(states, s)}
    assert moves == {(r, s) for r in range(S) for s in after(states, r)}
    for r, s in np.ndindex(S, S):
        jumps = s == r + 2 and states[r] != 0 != states[s] and states[r] != states[s]
        assert ((r, s) in moves) == (s in (r, r + 1) or jumps)


# --- the sum over paths


@pytest.mark.parametrize(("T", "C", "blank"), [(1, 2, 0), (4, 3, 0), (5, 3, 2), (6, 3, 1), (4, 4, 0)])
def test_the_lattice_is_brute_force_for_every_target(T, C, blank):
    log_probs = draw(T, C)
    texts = brute_force(log_probs, blank)
    assert math.isclose(sum(map(math.exp, texts.values())), 1.0, rel_tol=1e-12)
    for target, log_prob in texts.items():
        assert abs(log_likelihood(ctc_forward(log_probs, target, blank)) - log_prob) < 1e-12
        assert abs(ctc_loss(log_probs, target, blank)[0] + log_prob) < 1e-12


def test_a_path_is_the_product_of_its_frames_and_a_text_the_sum_of_its_paths():
    log_probs = draw(5, 3)
    paths = list(paths_of([1, 1], 5))
    total = sum(math.exp(path_log_prob(log_probs, path)) for path in paths)
    assert math.isclose(total, math.exp(brute_force(log_probs)[1, 1]), rel_tol=1e-12)
    by_hand = math.prod(math.exp(log_probs[t, k]) for t, k in enumerate(paths[0]))
    assert math.isclose(math.exp(path_log_prob(log_probs, paths[0])), by_hand, rel_tol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_alpha_is_the_sum_over_beginnings(target):
    """Summed over paths, not over states: a beginning is a path of t + 1 frames that ends in state s."""
    log_probs, states = draw(5, 3), extend(target)
    log_alpha = ctc_forward(log_probs, target)
    for t in range(5):
        for s in range(len(states)):
            text = [int(k) for k in states[: s + 1] if k]
            begun = [p for p in np.ndindex(*[3] * (t + 1)) if collapse(p) == text and p[-1] == states[s]]
            want = sum(math.exp(path_log_prob(log_probs[: t + 1], p)) for p in begun)
            assert math.isclose(math.exp(log_alpha[t, s]), want, rel_tol=1e-12, abs_tol=1e-300)


@pytest.mark.parametrize("target", TARGETS)
def test_both_betas_give_the_likelihood_in_every_frame(target):
    log_probs, states = draw(7, 3), extend(target)
    log_alpha = ctc_forward(log_probs, target)
    with_y, without_y = (ctc_backward(log_probs, target, includes=includes) for includes in (True, False))
    assert np.allclose(with_y, without_y + log_probs[:, states], rtol=0, atol=1e-12)
    log_prob = log_likelihood(log_alpha)
    assert np.allclose(np.logaddexp.reduce(log_alpha + without_y, axis=1), log_prob, rtol=0, atol=1e-12)
    twice = log_alpha + with_y - log_probs[:, states]  # Graves et al. (2006) divide by y
    assert np.allclose(np.logaddexp.reduce(twice, axis=1), log_prob, rtol=0, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_occupancies_are_the_share_of_the_paths_through_a_class(target):
    log_probs = draw(6, 3, seed=1)
    gamma, per_class = occupancies(log_probs, target)
    assert np.allclose(gamma.sum(axis=1), 1, rtol=0, atol=1e-12)
    want = np.zeros((6, 3))
    for path in paths_of(target, 6):
        want[np.arange(6), path] += math.exp(path_log_prob(log_probs, path))
    assert np.allclose(per_class, want / want[0].sum(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("blank", [1, 2])
def test_the_number_of_the_blank_changes_nothing(blank):
    log_probs = draw(6, 3)
    turned, target = with_another_blank(log_probs, [1, 1, 2], blank)
    loss, dlogits = ctc_loss(log_probs, [1, 1, 2])
    moved_loss, moved = ctc_loss(turned, target, blank)
    assert loss == pytest.approx(moved_loss, abs=1e-12)
    assert np.allclose(np.roll(dlogits, blank, axis=1), moved, rtol=0, atol=1e-12)
    assert [(k + blank) % 3 for k in viterbi(log_probs, [1, 1, 2])[0]] == viterbi(turned, target, blank)[0].tolist()


# --- loss and gradient


@pytest.mark.parametrize("target", TARGETS)
def test_the_gradient_is_the_finite_difference_of_the_loss_through_log_softmax(target):
    scores = np.random.default_rng(3).normal(size=(6, 3))
    _, dlogits = ctc_loss(log_softmax(scores), target)
    for place in np.ndindex(*scores.shape):
        step = np.zeros_like(scores)
        step[place] = 1e-6
        up, down = (ctc_loss(log_softmax(scores + sign * step), target)[0] for sign in (1, -1))
        assert abs((up - down) / 2e-6 - dlogits[place]) < 1e-8


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(2, 5), st.lists(st.integers(1, 4), max_size=5), st.integers(0, 99))
def test_loss_and_gradient_are_those_of_torch(T, C, target, seed):
    target = [min(k, C - 1) for k in target]
    scores = torch.tensor(np.random.default_rng(seed).normal(size=(T, 1, C)) * 3, requires_grad=True)
    log_probs = scores.log_softmax(-1)
    theirs = F.ctc_loss(log_probs, torch.tensor([target], dtype=torch.long), (T,), (len(target),), reduction="none")
    loss, dlogits = ctc_loss(log_probs[:, 0].detach().numpy(), target)
    if frames_needed(target) > T:
        assert loss == theirs.item() == math.inf
        assert (dlogits == 0).all()
        return
    theirs.sum().backward()
    assert loss == pytest.approx(theirs.item(), abs=1e-10)
    assert np.allclose(dlogits, scores.grad[:, 0].numpy(), rtol=0, atol=1e-10)


def test_an_impossible_class_leaves_the_other_paths():
    log_probs = draw(5, 3)
    log_probs[2, 1] = -np.inf
    log_probs[3] = [-np.inf, 0.0, -np.inf]
    texts = brute_force(log_probs)
    for target in TARGETS:
        loss, dlogits = ctc_loss(log_probs, target)
        assert loss == pytest.approx(-texts.get(tuple(target), -math.inf), abs=1e-12)
        assert np.isfinite(dlogits).all()


def test_without_frames_only_the_empty_target_has_a_path():
    nothing = np.zeros((0, 3))
    assert brute_force(nothing) == {(): 0.0}
    assert ctc_loss(nothing, [])[0] == 0
    assert ctc_loss(nothing, [1])[0] == math.inf
    assert viterbi(nothing, [])[0].tolist() == []


def test_a_thousand_frames_do_not_underflow():
    log_probs = draw(1000, 4, scale=0.1)
    assert math.exp(-1000 * math.log(4)) == 0  # what the probability of one such path is without logarithms
    loss, dlogits = ctc_loss(log_probs, [1, 2, 3, 3])
    assert 1000 < loss < 1400
    assert np.isfinite(dlogits).all()


# --- the best path


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(4))
def test_viterbi_is_the_best_of_all_paths(target, seed):
    log_probs = draw(6, 3, seed)
    path, log_prob = viterbi(log_probs, target)
    best = max(paths_of(target, 6), key=lambda p: path_log_prob(log_probs, p))
    assert path.tolist() == list(best)
    assert log_prob == pytest.approx(path_log_prob(log_probs, best), abs=1e-12)
    assert log_prob <= -ctc_loss(log_probs, target)[0] + 1e-12


# --- what is refused


@pytest.mark.parametrize("function", [ctc_forward, ctc_backward, ctc_loss, occupancies, viterbi])
@pytest.mark.parametrize(
    ("log_probs", "target", "blank", "sentence"),
    [
        (np.zeros((2, 3, 1)), [1], 0, r"log_probs has shape \(2, 3, 1\); it must have shape \(T, C\)"),
        (np.full((2, 3), 0.3), [1], 0, "the probabilities of frame 0 sum to 4.05, above 1; give logarithms"),
        (np.full((2, 3), np.nan), [1], 0, "sum to nan"),
        (np.full((2, 3), -2), [1], 0, "log_probs holds int64; it must hold floats"),
        ([[-1.0, -1.0]], [1], 0, "log_probs is a list; it must be a NumPy array"),
        (np.full((2, 3), -2.0), [1, 3], 0, "target holds classes from 1 to 3; log_probs has classes 0 to 2"),
        (np.full((2, 3), -2.0), [1, 0], 0, "target holds 0, the blank, at place 1"),
        (np.full((2, 3), -2.0), [[1]], 0, r"target has shape \(1, 1\); it must be one row"),
        (np.full((2, 3), -2.0), [1.0], 0, "target holds float64; it must hold whole numbers"),
        (np.full((2, 3), -2.0), [1], 3, "blank is 3; log_probs has classes 0 to 2"),
    ],
)
def test_a_wrong_argument_is_named(function, log_probs, target, blank, sentence):
    with pytest.raises(ValueError, match=sentence):
        function(log_probs, target, blank)


@pytest.mark.parametrize("function", [occupancies, viterbi])
def test_a_target_that_does_not_fit_has_no_best_path_and_no_occupancies(function):
    with pytest.raises(ValueError, match=r"target has no path of 2 frames .* it needs 3 frames or more"):
        function(draw(2, 3), [1, 1])


def test_a_path_of_another_length_and_too_many_paths_are_refused():
    with pytest.raises(ValueError, match="path has 2 classes and log_probs 3 frames"):
        path_log_prob(draw(3, 3), [0, 1])
    with pytest.raises(ValueError, match=r"10\*\*9 paths; brute_force walks 2,000,000"):
        brute_force(draw(9, 10))
    with pytest.raises(ValueError, match="T is -1"):
        paths_of([1], -1)


def test_every_public_name_is_one_that_exists():
    assert all(callable(getattr(reference, name)) for name in reference.__all__)
