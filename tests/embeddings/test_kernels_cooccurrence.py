"""Counting against the reference and against a loop over all pairs."""

import sys

import numpy as np
import pytest
import torch

from seqlab.embeddings import kernels, reference
from tests.embeddings.launched import DEVICE, tensor

module = sys.modules[kernels.cooccurrence.__module__]  # whose name in the package is that of the function


@pytest.fixture(params=[(8, 2), (512, 64)], autouse=True)
def blocks(request, monkeypatch):
    """Many programs and tiles, or one of each."""
    monkeypatch.setattr(module, "BLOCK", request.param[0])
    monkeypatch.setattr(module, "TILE", request.param[1])


def text(N, V, seed=0, walls=0.1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < walls, -1, rng.integers(V, size=N))


def loop(ids, V, window, weighting):
    """Every pair of places, both ways, when no wall stands between."""
    X = np.zeros((V, V))
    for i in range(len(ids)):
        for j in range(i + 1, min(i + window, len(ids) - 1) + 1):
            if -1 not in ids[i : j + 1]:
                weight = 1 / (j - i) if weighting == "harmonic" else 1
                X[ids[i], ids[j]] += weight
                X[ids[j], ids[i]] += weight
    return X


@pytest.mark.parametrize("weighting", ["flat", "harmonic"])
@pytest.mark.parametrize(("N", "V", "window"), [(1, 1, 1), (2, 3, 5), (63, 5, 1), (60, 7, 4), (30, 2, 40)])
def test_counts_agree_with_a_loop_and_the_reference(N, V, window, weighting):
    ids = text(N, V)
    X = kernels.cooccurrence(tensor(ids), V, window, weighting)
    assert X.dtype == torch.float32
    want = loop(ids, V, window, weighting)
    assert np.linalg.norm(X.cpu().numpy() - want) <= 1e-6 * max(np.linalg.norm(want), 1)
    assert np.allclose(want, reference.cooccurrence(ids, V, window, weighting).toarray(), rtol=1e-12)
    assert torch.equal(X, X.T)
    assert weighting == "harmonic" or np.array_equal(X.cpu().numpy(), want)


def test_a_word_beside_itself_counts_from_both_sides():
    assert kernels.cooccurrence(tensor(np.array([0, 0])), 1).item() == 2


def test_the_defaults_are_those_of_the_reference():
    ids = text(50, 6)
    assert np.array_equal(kernels.cooccurrence(tensor(ids), 6).cpu().numpy(), reference.cooccurrence(ids, 6).toarray())


def test_ids_may_have_32_bits():
    ids = text(40, 6)
    have = kernels.cooccurrence(tensor(ids, torch.int32), 6, 3)
    assert torch.equal(have, kernels.cooccurrence(tensor(ids), 6, 3))


@pytest.mark.parametrize("ids", [[], [3], [-1, -1], [0, -1, 1]])
def test_words_that_never_meet_are_not_counted(ids):
    X = kernels.cooccurrence(tensor(np.array(ids, dtype=int)), 5)
    assert X.shape == (5, 5)
    assert not X.any()


def test_a_place_far_into_a_table_is_found(tmp_path):
    """More numbers than 32 bits can count; of the file behind them only the pages that are touched exist."""
    V, place = 46_400, 46_399  # V * V > 2**31
    if DEVICE == "cuda":
        X = torch.zeros(V, V, device=DEVICE)
    else:
        X = torch.from_file(str(tmp_path / "X"), shared=True, size=V * V).view(V, V)
    ids = tensor(np.array([place, place - 1, place, place]))
    module._count[(1,)](ids, X, 4, V, 1, HARMONIC=False, BLOCK=8)
    assert X[place - 1, place] == 2
    assert X[place, place] == 1
    assert X[0].sum() + X[place - 1].sum() + X[place].sum() == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([0, 5], 5), "ids holds 0 to 5; the vocabulary has ids 0 to 4, and -1 is a wall"),
        (([-2, 1], 5), "ids holds -2 to 1"),
        (([[0, 1]], 5), r"ids has shape \(1, 2\); it must have shape \(N,\)"),
        (([0.5], 5), "ids holds torch.float32; ids are integers, such as torch.int64"),
        (([0], 5, 0), "window is 0; it must be at least 1"),
        (([0], 5, 2, "linear"), "weighting is 'linear'; it must be one of flat, harmonic"),
    ],
)
def test_what_does_not_fit_is_named(arguments, sentence):
    ids, *rest = arguments
    with pytest.raises(ValueError, match=sentence):
        kernels.cooccurrence(tensor(np.array(ids)), *rest)
