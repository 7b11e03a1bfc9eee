"""Assignment 7's solutions against the package and autograd; its demonstrations show what the text says."""

import re

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from seqlab.tsne import functional, reference
from tests.assignments.test_sources import solved

SEVENTH = "07_t_sne"
ARRAYS = ("affinities-arrays", "joint-arrays", "kl-arrays", "gradient-arrays", "update-arrays", "misread-arrays")
DEMOS = ("gradient-demo", "map-demo", "claims-demo", "seeds-demo")


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(SEVENTH, *ARRAYS, "kernel-check-arrays")


@pytest.fixture
def X():
    return np.random.default_rng(4).normal(size=(14, 5))


def test_the_chances_agree_with_the_package_at_the_wanted_perplexity(space, X):
    squared = space["squared_distances"](X)
    np.testing.assert_allclose(squared, cdist(X, X, "sqeuclidean"), atol=1e-12)
    others = ~np.eye(len(X), dtype=bool)
    beta = np.array([space["find_beta"](row[keep], 5.0) for row, keep in zip(squared, others, strict=True)])
    P = space["conditional"](squared, beta)
    assert [space["perplexity"](row) for row in P] == pytest.approx([5.0] * len(X), rel=1e-8)
    np.testing.assert_allclose(P, reference.conditional_probabilities(X, 5.0, tolerance=1e-10), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(space["joint"](P), reference.joint_probabilities(P), rtol=1e-12)


@pytest.mark.parametrize(("N", "d", "exaggeration"), [(2, 1, 1), (9, 2, 1), (6, 3, 1), (9, 2, 12)])
def test_the_gradient_agrees_with_autograd(space, N, d, exaggeration):
    P, Y = space["random_map"](np.random.default_rng(N), N, d)
    y = torch.tensor(Y, requires_grad=True)
    # pdist and not cdist: the distance of a point to itself has no slope
    w = 1 / (1 + torch.pdist(y) ** 2)
    p = torch.tensor(exaggeration * P[np.triu_indices(N, 1)])
    loss = 2 * torch.sum(-p * torch.log(w)) + torch.log(2 * w.sum())
    loss.backward()
    np.testing.assert_allclose(space["gradient"](exaggeration * P, Y), y.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_the_rest_agrees_with_the_package(space):
    P, Y = space["random_map"](np.random.default_rng(1), 8)
    Q, w = space["student"](Y)
    theirs = reference.student_affinities(Y)
    np.testing.assert_allclose(Q, theirs[0], rtol=1e-12)
    np.testing.assert_allclose(w, theirs[1], rtol=1e-12)
    assert space["kl"](P, Q) == pytest.approx(reference.kl_divergence(P, Y), rel=1e-12)
    np.testing.assert_allclose(space["gradient"](P, Y), reference.kl_gradient(P, Y), rtol=1e-10, atol=1e-14)
    step = space["random_step"](np.random.default_rng(2))
    for mine, its in zip(space["update"](**step), reference.update(*step.values()), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-12)
    f, Z = space["repulsion"](Y, 3)
    force, total = functional.repulsion(torch.tensor(Y), backend="torch")
    np.testing.assert_allclose(f, force, rtol=1e-10, atol=1e-13)
    assert pytest.approx(float(total), rel=1e-12) == Z
    assert max(space["kernel_errors"](f, Z, Y).values()) < 1e-6


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(SEVENTH, *ARRAYS, *DEMOS)
    said = capsys.readouterr().out.splitlines()
    mine, numeric = (float(line.split()[-1]) for line in said if line.startswith(("mine  ", "finite")))
    assert mine == pytest.approx(numeric, rel=1e-4)
    in_data, on_map = ([float(n) for n in line.split()[2:]] for line in said if " widths " in line)
    assert in_data[1] > 5 * in_data[0]
    assert on_map[0] > 2 * on_map[1]
    first, second = ([float(n) for n in line.split()[-3:]] for line in said if line.startswith("seed"))
    assert max(abs(a - b) / a for a, b in zip(first, second, strict=True)) > 0.1
    first, second = ([float(n) for n in line.split()[-3:]] for line in said if "of width" in line)
    assert max(abs(a - b) / a for a, b in zip(first, second, strict=True)) < 0.1
    assert first.index(max(first)) == in_data.index(min(in_data)) == 0
    verdicts = [line for line in said if line.startswith("(")]
    assert len(verdicts) == 6
    misread = [line for line in verdicts if line.endswith("a misreading")]
    assert [re.match(r"\(.*\)", line)[0] for line in misread] == ["('wider', 0, 1)", "('nearer', 2, 0, 1)"]
    assert all(line.endswith("true in the data") for line in verdicts if line not in misread)


@pytest.mark.parametrize("shift", [1e-12, 1e-9])
def test_rounding_does_not_change_what_the_map_is_said_to_show(shift):
    space = solved(SEVENTH, *ARRAYS, "map-demo")
    X, labels = space["three_groups"]()
    X = X + shift * np.random.default_rng(5).normal(size=X.shape)
    Y, _ = space["draw_map"](X, wanted=10.0, seed=1)
    groups = [("wider", 0, 1), ("nearer", 0, 1, 2), ("nearer", 2, 0, 1)]
    for claim in [*groups, ("neighbour", 10, 49), ("neighbour", 68, 65), ("neighbour", 80, 83)]:
        assert space["holds"](claim, Y, labels), claim
