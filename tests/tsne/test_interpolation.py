"""Repulsion on a grid against all pairs one by one."""

import numpy as np
import pytest
import torch

from seqlab.tsne import interpolation
from seqlab.tsne.functional import repulsion
from seqlab.tsne.interpolation import repulsion_by_interpolation


def points(N, d, scale, seed=0):
    return np.random.default_rng(seed).normal(size=(N, d)) * scale


def exact(Y):
    force, Z = repulsion(torch.tensor(Y), "torch")
    return force.numpy(), float(Z)


def relative(have, want):
    return np.linalg.norm(have - want) / np.linalg.norm(want)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(
    ("N", "scale", "near"), [(2, 1.0, 1e-4), (63, 1e-4, 1e-12), (500, 1.0, 1e-4), (1000, 3.0, 2e-3), (1000, 10.0, 2e-2)]
)
def test_it_is_near_the_sum_over_all_pairs(N, d, scale, near):
    Y = points(N, d, scale)
    (force, Z), (want, want_Z) = repulsion_by_interpolation(Y), exact(Y)
    assert relative(force, want) <= near
    assert pytest.approx(want_Z, rel=near) == Z


def test_nodes_nearer_to_each_other_come_nearer_to_the_truth(monkeypatch):
    Y = points(400, 2, 10.0)
    errors = []
    for spacing in (1 / 2, 1 / 4, 1 / 8):
        monkeypatch.setattr(interpolation, "SPACING", spacing)
        errors.append(relative(repulsion_by_interpolation(Y)[0], exact(Y)[0]))
    assert errors[1] < errors[0] / 6  # cubic polynomials: nearly a sixteenth each time
    assert errors[2] < errors[1] / 6


def test_every_point_shares_out_all_of_its_charge_and_keeps_its_place():
    places = np.random.default_rng(0).uniform(0, 9, size=(50, 2))
    shares = interpolation._shares(places, 14)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    nodes = np.stack(np.meshgrid(np.arange(14), np.arange(14), indexing="ij"), axis=-1).reshape(-1, 2) - 1
    np.testing.assert_allclose(shares @ nodes, places, atol=1e-12)
    np.testing.assert_allclose(shares @ nodes**3, places**3, atol=1e-9)  # as far as cubic polynomials reach


@pytest.mark.parametrize("d", [1, 2])
def test_points_on_one_spot_and_one_point_alone_do_not_move(d):
    for N in (1, 20):
        force, Z = repulsion_by_interpolation(np.full((N, d), 5.0))
        np.testing.assert_allclose(force, 0, atol=1e-9)
        assert pytest.approx(N * (N - 1), abs=1e-6) == Z


@pytest.mark.slow
def test_a_shift_changes_nothing_and_a_point_far_away_takes_no_memory():
    Y = points(200, 2, 5.0)
    (force, Z), (shifted, Z_shifted) = repulsion_by_interpolation(Y), repulsion_by_interpolation(Y + 1e3)
    assert relative(shifted, force) <= 1e-8
    assert pytest.approx(Z, rel=1e-10) == Z_shifted
    force, Z = repulsion_by_interpolation(np.vstack([Y, [[1e6, 1e6]]]))
    assert np.isfinite(force).all()
    assert np.isfinite(Z)


@pytest.mark.parametrize(
    ("Y", "says"),
    [
        (np.zeros((4, 3)), r"Y has shape \(4, 3\); it must have shape \(N, 1\) or \(N, 2\)"),
        (np.zeros((0, 2)), "at least one point"),
        (np.zeros(4), r"Y has shape \(4,\)"),
        (np.full((4, 2), np.nan), "Y holds NaN or Inf"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(Y, says):
    with pytest.raises(ValueError, match=says):
        repulsion_by_interpolation(Y)
