"""Assignment 9's solutions against the package, torch and autograd; its demonstrations show what the text says."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.attention import reference
from tests.assignments.test_sources import solved

NINTH = "09_attention"
GIVEN = ("gradient-arrays", "bahdanau-arrays", "heads-arrays", "kernel-check-arrays", "map-arrays")
DEMOS = ("gradient-demo", "tiles-demo", "map-demo")


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(NINTH, *GIVEN)


def test_the_masked_softmax_is_the_packages(space):
    rng = np.random.default_rng(0)
    scores, mask = rng.normal(size=(3, 4, 5)), rng.random((3, 4, 5)) < 0.5
    mask[0, 0] = False
    np.testing.assert_allclose(
        space["masked_softmax"](scores, mask), reference.masked_softmax(scores, mask), atol=1e-15
    )


def test_the_gradient_is_autograds(space):
    dc, hs, h, a = space["random_pass"](np.random.default_rng(1), 3, 6, 4)
    np.testing.assert_allclose(space["attention_weight"](hs, h), a, atol=1e-15)
    given = [torch.tensor(part, requires_grad=True) for part in (hs, h)]
    weights = torch.softmax((given[0] * given[1][:, None]).sum(2), 1)
    context = (weights[:, :, None] * given[0]).sum(1)
    np.testing.assert_allclose(space["weighted_sum"](hs, a), context.detach(), rtol=1e-12)
    context.backward(torch.tensor(dc))
    for mine, tensor in zip(space["attention_backward"](dc, hs, h, a), given, strict=True):
        np.testing.assert_allclose(mine, tensor.grad, rtol=1e-10, atol=1e-13)


def test_bahdanaus_attention_is_the_packages(space):
    s, hs, W_q, W_k, v, lengths = space["random_additive"](np.random.default_rng(2), 3, 4, 6)
    context, weights = space["additive_attention"](s, hs, W_q, W_k, v, lengths)
    scores = reference.additive_score(s, hs, W_q, W_k, v)
    theirs = reference.masked_softmax(scores, np.arange(6) < lengths[:, None, None])
    np.testing.assert_allclose(weights, theirs, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(context, theirs @ hs, rtol=1e-10)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("Tq", "Tk"), [(4, 4), (6, 3), (2, 5)])
def test_scaled_attention_is_torchs(space, Tq, Tk, causal):
    rng = np.random.default_rng(Tq)
    Q, K, V = (rng.normal(size=(2, 3, T, D)) for T, D in ((Tq, 5), (Tk, 5), (Tk, 2)))
    theirs = F.scaled_dot_product_attention(*map(torch.tensor, (Q, K, V)), is_causal=causal)
    np.testing.assert_allclose(space["scaled_attention"](Q, K, V, causal)[0], theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("heads", [1, 3])
def test_several_heads_are_torchs(space, heads):
    X, W_q, W_k, W_v, W_o = space["random_heads"](np.random.default_rng(3))
    module = torch.nn.MultiheadAttention(6, heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.tensor(np.concatenate([W_q, W_k, W_v])))
        module.out_proj.weight.copy_(torch.tensor(W_o))
        theirs = module(*[torch.tensor(X)] * 3)[0]
    np.testing.assert_allclose(space["self_attention"](X, W_q, W_k, W_v, W_o, heads), theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("tile", [1, 4, 100])
def test_the_tiles_give_what_the_whole_matrix_gives(space, tile):
    rng = np.random.default_rng(4)
    Q, K, V, mask = rng.normal(size=(3, 4)), rng.normal(size=(11, 4)), rng.normal(size=(11, 2)), rng.random(11) < 0.6
    context, lse = space["tiled_attention"](Q, K, V, mask, tile)
    weights = reference.masked_softmax(Q @ K.T, mask)
    np.testing.assert_allclose(context, weights @ V, rtol=1e-12)
    np.testing.assert_allclose(lse, np.log(np.exp(Q @ K.T)[:, mask].sum(1)), rtol=1e-12)


def test_the_kernel_agrees_with_the_loops(space):
    assert max(space["kernel_errors"](*space["attended"](np.random.default_rng(5), 2, 9, 8)).values()) < 1e-6


def test_the_map_is_read_as_the_text_says(space):
    weights = np.array([[0.1, 0.6, 0.3, 0.0], [0.0, 0.0, 0.5, 0.5], [0.0, 1.0, 0.0, 0.0]])
    assert space["looked_at"](weights, [0], 0.8) == [1, 2]
    assert space["looked_at"](weights, [0, 1], 0.65) == [1, 2]
    assert space["straight_on"](weights) == 0.5
    assert space["sharpness"](weights[1:]) == pytest.approx(1.5)


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(NINTH, *GIVEN, *DEMOS)
    said = capsys.readouterr().out
    mine, numeric = (float(line.split()[-1]) for line in said.splitlines() if line.startswith(("mine  ", "finite")))
    assert mine == pytest.approx(numeric, rel=1e-4)
    assert float(re.search(r"largest difference (\S+)", said)[1]) < 1e-12
    whole, tiles = map(float, re.search(r"memory (\S+) MB against (\S+) MB", said).groups())
    assert tiles < whole / 10
    assert said.count("-> 1994-09-27") == 2
    korean = said.split("1994년")[1]
    assert re.search(r"the month comes from:.*9", korean)
