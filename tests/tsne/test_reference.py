"""The equations of t-SNE against finite differences, torch's autograd and their own definitions."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.tsne import reference


def normal(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def joint(N, seed=0):
    """Some symmetric P that need not come from any data."""
    P = np.random.default_rng(seed).random((N, N))
    P = P + P.T
    np.fill_diagonal(P, 0)
    return P / P.sum()


def perplexities(P):
    """2 to the entropy in bits, row by row, as the definition has it."""
    return np.array([2 ** -sum(p * np.log2(p) for p in row if p > 0) for row in P])


def kl_by_torch(P, Y):
    """The loss written without the reference: softmax over all pairs of -log(1 + d^2)."""
    pairs = ~torch.eye(len(Y), dtype=torch.bool)
    difference = Y[:, None] - Y[None]
    log_w = -torch.log1p((difference**2).sum(-1))[pairs]
    p = torch.tensor(P)[pairs]
    return (torch.xlogy(p, p) - p * (log_w - log_w.logsumexp(0))).sum()


def test_the_reference_needs_no_torch():
    code = "import sys, seqlab.tsne\nseqlab.tsne.kl_gradient\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(("N", "D"), [(1, 3), (2, 1), (63, 5), (20, 500)])
def test_squared_distances_are_those_of_torch(N, D):
    X = normal(N, D)
    want = torch.cdist(torch.tensor(X), torch.tensor(X), compute_mode="donot_use_mm_for_euclid_dist") ** 2
    np.testing.assert_allclose(reference.squared_distances(X), want.numpy(), rtol=1e-12, atol=1e-13)


def test_near_points_far_from_the_origin_keep_their_distance():
    X = np.array([[1e8, 1.0], [1e8, 1.0 + 1e-6]])
    assert reference.squared_distances(X)[0, 1] == pytest.approx(1e-12, rel=1e-9)


@pytest.mark.parametrize("perplexity", [1.5, 5, 30, 61])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_every_row_has_the_wanted_perplexity(perplexity, scale):
    P = reference.conditional_probabilities(normal(63, 5, scale=scale), perplexity)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    assert not P.diagonal().any()
    np.testing.assert_allclose(perplexities(P), perplexity, rtol=1.01e-5)  # 1e-5 nats


def test_a_smaller_tolerance_comes_nearer():
    P = reference.conditional_probabilities(normal(40, 3), 7, tolerance=1e-12)
    np.testing.assert_allclose(perplexities(P), 7, rtol=1e-11)


def test_a_row_is_the_gaussian_of_its_precision():
    squared = normal(9) ** 2 * 10
    beta = reference.search_precision(squared, 4)
    want = np.exp(-beta * squared) / np.exp(-beta * squared).sum()
    np.testing.assert_allclose(reference.gaussian_row(squared, beta), want, rtol=1e-12)


def test_nearer_points_are_likelier_and_denser_ones_have_narrower_gaussians():
    X = np.vstack([normal(20, 2, scale=0.1), 50 + normal(20, 2, seed=1, scale=10.0)])
    squared, P = reference.squared_distances(X), reference.conditional_probabilities(X, 5)
    others = np.arange(1, 40)
    assert (np.diff(P[0, others[np.argsort(squared[0, others])]]) <= 0).all()
    precisions = [reference.search_precision(np.delete(row, i), 5) for i, row in enumerate(squared)]
    assert min(precisions[:20]) > max(precisions[20:])


def test_duplicates_beyond_the_perplexity_share_the_row():
    X = np.repeat(normal(3, 4), 10, axis=0)
    P = reference.conditional_probabilities(X, 4)
    np.testing.assert_allclose(P[0, 1:10], 1 / 9, rtol=1e-12)
    np.testing.assert_allclose(P[0, 10:], 0, atol=1e-12)


def test_equal_points_are_all_alike():
    P = reference.conditional_probabilities(np.ones((6, 2)), 3)
    np.testing.assert_allclose(P, (1 - np.eye(6)) / 5, rtol=1e-14)


def test_a_constant_column_and_a_shift_change_nothing():
    X = normal(15, 3)
    P = reference.conditional_probabilities(X, 5)
    np.testing.assert_allclose(
        reference.conditional_probabilities(np.c_[X, np.full(15, 7)], 5), P, rtol=1e-9, atol=1e-15
    )
    np.testing.assert_allclose(reference.conditional_probabilities(X + 100, 5), P, rtol=1e-9, atol=1e-15)


def test_joint_probabilities_are_symmetric_and_leave_no_point_out():
    X = np.vstack([normal(30, 4), [[1000.0] * 4]])
    P = reference.joint_probabilities(reference.conditional_probabilities(X, 5))
    np.testing.assert_array_equal(P, P.T)
    assert P.sum() == pytest.approx(1, rel=1e-12)
    assert P.sum(axis=1).min() >= 1 / (2 * 31)
    assert P.sum(axis=1).argmin() == 30


def test_student_affinities_sum_to_one_and_fall_with_distance():
    Q, w = reference.student_affinities(np.array([[0.0, 0], [1, 0], [0, 3]]))
    np.testing.assert_allclose(w, [[0, 1 / 2, 1 / 10], [1 / 2, 0, 1 / 11], [1 / 10, 1 / 11, 0]], rtol=1e-15)
    np.testing.assert_allclose(Q, w / w.sum(), rtol=1e-15)


@pytest.mark.parametrize(("N", "d"), [(2, 1), (3, 2), (17, 3), (63, 2)])
def test_divergence_and_gradient_are_those_of_autograd(N, d):
    P, Y = joint(N), normal(N, d, seed=1, scale=2)
    leaf = torch.tensor(Y, requires_grad=True)
    loss = kl_by_torch(P, leaf)
    loss.backward()
    assert reference.kl_divergence(P, Y) == pytest.approx(loss.item(), rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(reference.kl_gradient(P, Y), leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences():
    P, Y = joint(7), normal(7, 2, seed=1)
    gradient = reference.kl_gradient(P, Y)
    for i, a in np.ndindex(Y.shape):
        step = np.zeros_like(Y)
        step[i, a] = 1e-3
        value = [reference.kl_divergence(P, Y + m * step) for m in (-2, -1, 1, 2)]
        numeric = (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / 12e-3  # fourth order
        assert numeric == pytest.approx(gradient[i, a], rel=1e-7, abs=1e-10)


@given(st.integers(2, 12), st.integers(1, 3), st.integers(0, 99))
def test_forces_sum_to_zero_and_a_shift_of_the_map_changes_nothing(N, d, seed):
    P, Y = joint(N, seed), normal(N, d, seed=seed)
    gradient = reference.kl_gradient(P, Y)
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(reference.kl_gradient(P, Y + 10), gradient, atol=1e-12)
    assert reference.kl_divergence(P, Y) >= -1e-15


def test_the_divergence_is_zero_where_the_map_has_the_same_neighbourhoods():
    Y = normal(9, 2)
    Q, _ = reference.student_affinities(Y)
    assert reference.kl_divergence(Q, Y) == 0
    np.testing.assert_array_equal(reference.kl_gradient(Q, Y), 0)


def test_a_pair_that_is_no_neighbour_counts_nothing():
    P = np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])
    Y = np.array([[0.0], [1], [1]])
    assert reference.kl_divergence(P, Y) == pytest.approx(np.log(0.5 / (0.5 / (0.5 + 1 / 2 + 1) / 2)))


def test_update_is_what_a_person_computes():
    one = np.ones((1, 1))
    Y, velocity, gains = reference.update(3 * one, 2 * one, -1 * one, one, lr=0.5, momentum=0.8)  # still downhill
    assert (Y.item(), velocity.item(), gains.item()) == pytest.approx((1.0, -0.8 - 0.5 * 1.2 * 2, 1.2))
    Y, velocity, gains = reference.update(3 * one, 2 * one, 1 * one, one, lr=0.5, momentum=0.8)  # it has turned
    assert (Y.item(), velocity.item(), gains.item()) == pytest.approx((3.0, 0.8 - 0.5 * 0.8 * 2, 0.8))
    assert reference.update(one, one, one, 0.01 * one, 1, 0)[2].item() == 0.01  # a gain never vanishes
    assert reference.update(one, one, 0 * one, one, 1, 0)[2].item() == 0.8  # standing still is not going on


def test_the_descent_draws_groups_apart():
    X = np.vstack([normal(12, 5, seed=s) + 12 * s for s in range(3)])
    P = reference.joint_probabilities(reference.conditional_probabilities(X, 6))
    Y, history = reference.descend(P, normal(36, 2, scale=1e-4), 300, lr=20.0, exaggerated=80)
    assert len(history) == 301
    assert history[-1] == pytest.approx(reference.kl_divergence(P, Y))
    assert history[-1] < 0.2 * history[0]
    squared = reference.squared_distances(Y)
    np.fill_diagonal(squared, np.inf)
    np.testing.assert_array_equal(squared.argmin(axis=1) // 12, np.arange(36) // 12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: reference.squared_distances(np.zeros(3)), r"X has shape \(3,\); it must have shape \(N, D\)"),
        (lambda: reference.squared_distances([[np.nan]]), "X holds NaN or Inf"),
        (lambda: reference.conditional_probabilities(np.zeros((1, 2)), 1), "X has 1 points"),
        (lambda: reference.conditional_probabilities(normal(9, 2), 30), "perplexity is 30; with 9 points .* 1 to 8"),
        (lambda: reference.conditional_probabilities(normal(9, 2), 0.5), "perplexity is 0.5"),
        (lambda: reference.conditional_probabilities(normal(9, 2), np.nan), "perplexity is nan"),
        (lambda: reference.search_precision(np.ones(3), 4), "perplexity is 4; with 3 neighbours"),
        (lambda: reference.joint_probabilities(np.ones((2, 3))), r"P has shape \(2, 3\); it must have shape \(N, N\)"),
        (lambda: reference.kl_gradient(joint(3), normal(4, 2)), r"Y has shape \(4, 2\); it must have shape \(3, d\)"),
        (lambda: reference.kl_divergence(joint(2), np.array([[np.inf], [0]])), "Y holds NaN or Inf"),
        (lambda: reference.update(*[np.ones((2, 2))] * 3, np.ones(2), 1, 1), r"gains has shape \(2,\)"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
