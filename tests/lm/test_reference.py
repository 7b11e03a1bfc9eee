"""Losses, perplexity and sampling rules against torch, finite differences and their definitions."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqlab.lm import reference

SCORES = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-50, 50))


def random_scores(B, V, scale=3.0):
    return np.random.default_rng(0).normal(size=(B, V)) * scale


def test_counting_and_the_reference_need_no_torch():
    code = "import sys, seqlab.lm\nseqlab.lm.perplexity, seqlab.lm.NGram\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(("B", "V"), [(1, 1), (3, 63), (2, 500)])
def test_softmax_is_that_of_torch(B, V):
    z = random_scores(B, V)
    np.testing.assert_allclose(reference.softmax(z), F.softmax(torch.tensor(z), dim=1).numpy(), atol=1e-15, rtol=1e-12)


@given(SCORES, st.floats(-1e4, 1e4))
def test_softmax_sums_to_one_and_ignores_a_constant(z, constant):
    p = reference.softmax(z)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(reference.softmax(z + constant), p, atol=1e-9)


def test_scores_beyond_the_range_of_exp_are_no_trouble():
    z = np.array([[1e4, 0.0, -1e4], [0.0, -np.inf, 0.0]])
    np.testing.assert_array_equal(reference.softmax(z), [[1, 0, 0], [0.5, 0, 0.5]])
    loss, dz = reference.cross_entropy(z[:1], np.array([2]))
    np.testing.assert_array_equal(loss, [2e4])
    np.testing.assert_array_equal(dz, [[1, 0, -1]])


@pytest.mark.parametrize(("B", "V"), [(1, 1), (3, 63), (2, 500)])
def test_cross_entropy_and_its_gradient_are_those_of_torch(B, V):
    z, y = random_scores(B, V, 5.0), np.random.default_rng(1).integers(V, size=B)
    leaf = torch.tensor(z, requires_grad=True)
    want = F.cross_entropy(leaf, torch.tensor(y), reduction="none")
    want.sum().backward()
    loss, dz = reference.cross_entropy(z, y)
    np.testing.assert_allclose(loss, want.detach().numpy(), atol=1e-13, rtol=1e-12)
    np.testing.assert_allclose(dz, leaf.grad.numpy(), atol=1e-14, rtol=1e-12)


def test_the_gradient_of_cross_entropy_is_its_slope():
    z, y = random_scores(2, 5), np.array([4, 0])
    _, dz = reference.cross_entropy(z, y)
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = 1e-6
        slope = (reference.cross_entropy(z + step, y)[0].sum() - reference.cross_entropy(z - step, y)[0].sum()) / 2e-6
        assert math.isclose(slope, dz[place], abs_tol=1e-8)


def test_the_arguments_stay_as_they_were():
    z, y = random_scores(3, 7), np.array([1, 2, 3])
    before = z.copy()
    p = reference.softmax(z)
    reference.cross_entropy(z, y)
    reference.temperature(z, 0.5)
    kept = p.copy()
    reference.top_k(p, 2)
    reference.nucleus(p, 0.5)
    np.testing.assert_array_equal(z, before)
    np.testing.assert_array_equal(p, kept)


@pytest.mark.parametrize("sides", [1, 2, 53])
def test_the_perplexity_of_a_fair_die_is_its_number_of_sides(sides):
    loss, _ = reference.cross_entropy(np.zeros((4, sides)), np.zeros(4, dtype=int))
    assert math.isclose(reference.perplexity(loss.sum(), 4), sides, rel_tol=1e-12)


def test_the_perplexity_of_the_impossible_is_infinite():
    assert reference.perplexity(math.inf, 3) == math.inf
    assert reference.perplexity(1e6, 1) == math.inf


def test_temperature_divides_the_scores():
    z = random_scores(2, 6)
    for T in (0.3, 1.0, 4.0):
        np.testing.assert_allclose(reference.temperature(z, T), F.softmax(torch.tensor(z) / T, dim=1), atol=1e-14)


@given(SCORES, st.floats(0.2, 5), st.floats(1.01, 3))
def test_a_higher_temperature_never_lowers_the_entropy(z, T, factor):
    def entropy(p):
        return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)

    assert (entropy(reference.temperature(z, T * factor)) >= entropy(reference.temperature(z, T)) - 1e-9).all()


def test_at_temperature_zero_the_first_of_the_largest_gets_everything():
    z = np.array([[1.0, 3.0, 3.0], [0.0, -1.0, -2.0]])
    np.testing.assert_array_equal(reference.temperature(z, 0), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(reference.temperature(z[1:], 1e-3), [[1, 0, 0]], atol=1e-12)


P = np.array([[0.1, 0.4, 0.2, 0.3], [0.25, 0.25, 0.25, 0.25]])


def test_top_k_keeps_the_likeliest_and_of_equals_the_first():
    np.testing.assert_allclose(reference.top_k(P, 2), [[0, 4 / 7, 0, 3 / 7], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(reference.top_k(P, 9), P)


@pytest.mark.parametrize(
    ("mass", "kept"), [(0.1, [1]), (0.4, [1]), (0.41, [1, 3]), (0.7, [1, 3]), (0.8, [1, 2, 3]), (1.0, [0, 1, 2, 3])]
)
def test_the_nucleus_is_the_smallest_set_that_reaches_the_mass(mass, kept):
    q = reference.nucleus(P[:1], mass)
    assert np.flatnonzero(q).tolist() == kept
    np.testing.assert_allclose(q[0, kept], P[0, kept] / P[0, kept].sum())


@given(SCORES, st.integers(1, 12), st.floats(0.01, 1))
def test_filters_give_distributions_and_keep_the_order(z, k, mass):
    p = reference.softmax(z)
    for q in (reference.top_k(p, k), reference.nucleus(p, mass)):
        np.testing.assert_allclose(q.sum(axis=1), 1, atol=1e-12)
        for row, filtered in zip(p, q, strict=True):
            kept = filtered > 0
            if kept.any() and not kept.all():
                assert row[kept].min() >= row[~kept].max()
    assert ((reference.top_k(p, k) > 0).sum(axis=1) == np.minimum((p > 0).sum(axis=1), k)).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reference.softmax(np.zeros(3)), r"z has shape \(3,\); it must have shape \(B, V\)"),
        (lambda: reference.softmax(np.zeros((2, 0))), "every row needs at least one score"),
        (
            lambda: reference.cross_entropy(np.zeros((1, 5)), np.array([5])),
            "from 5 to 5; the vocabulary has ids 0 to 4",
        ),
        (lambda: reference.cross_entropy(np.zeros((1, 5)), np.array([-1])), "from -1 to -1"),
        (lambda: reference.cross_entropy(np.zeros((1, 5)), np.array([1, 2])), r"y has shape \(2,\)"),
        (lambda: reference.perplexity(1.0, 0), "at least one token"),
        (lambda: reference.perplexity(math.nan, 1), "nll is NaN"),
        (lambda: reference.temperature(np.zeros((1, 2)), -1), "T is -1"),
        (lambda: reference.temperature(np.zeros((1, 2)), math.nan), "T is nan"),
        (lambda: reference.top_k(P, 0), "k is 0"),
        (lambda: reference.nucleus(P, 0), "mass is 0"),
        (lambda: reference.nucleus(P, 1.1), "mass is 1.1"),
        (lambda: reference.nucleus(P[0], 0.5), r"p has shape \(4,\)"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
