"""Every loss against torch written with nothing of ours, every gradient against autograd and finite differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from seqlab.embeddings import reference

V, D, B, C, K = 9, 4, 6, 5, 3
LOSSES = [
    "skipgram_softmax_loss",
    "skipgram_negative_loss",
    "skipgram_hierarchical_loss",
    "cbow_softmax_loss",
    "cbow_negative_loss",
    "cbow_hierarchical_loss",
]


def arguments(name, seed=0, scale=1.0):
    """Random ones with what is awkward: repeated words, a negative twice, one that is the true word, empty places."""
    rng = np.random.default_rng(seed)
    target = rng.integers(V, size=B)
    values = {"E": rng.normal(size=(V, D)) * scale}
    values["N" if "hierarchical" in name else "O"] = rng.normal(size=(V - ("hierarchical" in name), D)) * scale
    if name.startswith("cbow"):
        contexts = rng.integers(-1, V, size=(B, C))
        contexts[0], contexts[1, :3], contexts[2] = [-1] * C, 4, [-1, 2, -1, -1, 2]
        values |= {"contexts": contexts, "target": target}
    else:
        centre = rng.integers(V, size=B)
        centre[0], target[0] = centre[1], target[1]
        values |= {"centre": centre, "context": target}
    if "negative" in name:
        negatives = rng.integers(V, size=(B, K))
        negatives[0, 0], negatives[1, 0] = target[0], negatives[1, 1]
        values["negatives"] = negatives
    if "hierarchical" in name:
        values["tree"] = reference.huffman(rng.integers(1, 20, size=V))
    return values


def tables(values):
    return [key for key in ("E", "O", "N") if key in values]


def autograd(name, values):
    """The same loss, pair by pair, in torch."""
    leaves = {key: torch.tensor(values[key], requires_grad=True) for key in tables(values)}
    losses = []
    for i in range(B):
        if name.startswith("cbow"):
            context = [j for j in values["contexts"][i].tolist() if j >= 0]
            h, y = (
                leaves["E"][context].mean(dim=0) if context else torch.zeros(D, dtype=torch.float64),
                values["target"][i],
            )
        else:
            h, y = leaves["E"][values["centre"][i]], values["context"][i]
        if "softmax" in name:
            losses.append(F.cross_entropy((leaves["O"] @ h)[None], torch.tensor([y])))
        elif "negative" in name:
            ids = [y, *values["negatives"][i]]
            labels = torch.tensor([1.0] + [0.0] * K, dtype=torch.float64)
            losses.append(F.binary_cross_entropy_with_logits(leaves["O"][ids] @ h, labels, reduction="sum"))
        else:
            tree = values["tree"]
            log_p = torch.zeros((), dtype=torch.float64)
            for node, bit in zip(tree.nodes[y], tree.bits[y], strict=True):
                if node >= 0:
                    log_p = log_p + F.logsigmoid((-1 if bit else 1) * (leaves["N"][node] @ h))
            losses.append(-log_p)
    losses = torch.stack(losses)
    losses.sum().backward()
    return losses.detach().numpy(), {key: leaf.grad.numpy() for key, leaf in leaves.items()}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_losses_and_gradients_agree_with_autograd(name, seed):
    values = arguments(name, seed)
    loss, gradients = getattr(reference, name)(**values)
    want_loss, want = autograd(name, values)
    np.testing.assert_allclose(loss, want_loss, atol=1e-10, rtol=0)
    assert list(gradients) == tables(values)
    for key, gradient in want.items():
        np.testing.assert_allclose(gradients[key], gradient, atol=1e-10, rtol=0, err_msg=key)


@pytest.mark.parametrize("name", LOSSES)
def test_a_finite_difference_agrees_with_each_gradient(name):
    values = arguments(name, seed=7)
    loss = getattr(reference, name)
    gradients = loss(**values)[1]
    for key in tables(values):
        for place in np.ndindex(values[key].shape):
            sums = []
            for step in (1e-6, -1e-6):
                moved = values[key].copy()
                moved[place] += step
                sums.append(loss(**(values | {key: moved}))[0].sum())
            assert (sums[0] - sums[1]) / 2e-6 == pytest.approx(gradients[key][place], abs=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_large_scores_overflow_nowhere_and_the_arguments_stay_as_they_were(name):
    values = arguments(name, scale=100.0)
    before = {key: np.copy(values[key]) for key in values if key != "tree"}
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, gradients = getattr(reference, name)(**values)
    assert np.isfinite(loss).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    for key, array in before.items():
        np.testing.assert_array_equal(values[key], array, err_msg=key)


@pytest.mark.parametrize("name", LOSSES)
def test_no_pair_at_all_costs_nothing(name):
    values = arguments(name)
    for key in set(values) - {"E", "O", "N", "tree"}:
        values[key] = values[key][:0]
    loss, gradients = getattr(reference, name)(**values)
    assert loss.shape == (0,)
    assert not any(gradient.any() for gradient in gradients.values())


def test_every_way_through_the_tree_together_has_probability_one():
    values = arguments("skipgram_hierarchical_loss")
    values |= {"centre": np.zeros(V, int), "context": np.arange(V)}
    assert np.exp(-reference.skipgram_hierarchical_loss(**values)[0]).sum() == pytest.approx(1, abs=1e-12)


def test_every_word_together_has_probability_one():
    values = arguments("skipgram_softmax_loss")
    values |= {"centre": np.zeros(V, int), "context": np.arange(V)}
    assert np.exp(-reference.skipgram_softmax_loss(**values)[0]).sum() == pytest.approx(1, abs=1e-12)


def test_vectors_of_zeros_know_nothing():
    E, N = np.zeros((V, D)), np.zeros((V - 1, D))
    ids, tree = np.array([3]), reference.huffman(np.arange(1, V + 1))
    assert reference.skipgram_softmax_loss(E, E, ids, ids)[0] == pytest.approx(np.log(V))
    assert reference.skipgram_negative_loss(E, E, ids, ids, np.array([[1, 2]]))[0] == pytest.approx(3 * np.log(2))
    assert reference.skipgram_hierarchical_loss(E, N, ids, ids, tree)[0] == pytest.approx(tree.lengths[3] * np.log(2))


def test_a_negative_that_comes_twice_counts_twice():
    E, O = np.random.default_rng(0).normal(size=(2, V, D))
    pair = np.array([2]), np.array([5])
    none = reference.skipgram_negative_loss(E, O, *pair, np.zeros((1, 0), int))
    once = reference.skipgram_negative_loss(E, O, *pair, np.array([[7]]))
    twice = reference.skipgram_negative_loss(E, O, *pair, np.array([[7, 7]]))
    assert twice[0] - once[0] == pytest.approx(once[0] - none[0], abs=1e-12)
    for key in ("E", "O"):
        np.testing.assert_allclose(twice[1][key] - once[1][key], once[1][key] - none[1][key], atol=1e-12)
    np.testing.assert_allclose(twice[1]["O"][7], 2 * once[1]["O"][7], atol=1e-12)


def test_a_negative_that_is_the_true_word_is_not_skipped():
    E, O = np.random.default_rng(0).normal(size=(2, V, D))
    loss, gradients = reference.skipgram_negative_loss(E, O, np.array([2]), np.array([5]), np.array([[5]]))
    s = 1 / (1 + np.exp(-E[2] @ O[5]))
    assert loss[0] == pytest.approx(-np.log(s) - np.log(1 - s))
    np.testing.assert_allclose(gradients["O"][5], (2 * s - 1) * E[2], atol=1e-12)


def test_a_window_of_one_word_is_skip_gram():
    E, O = np.random.default_rng(0).normal(size=(2, V, D))
    inputs, target, negatives = np.array([4, 0]), np.array([1, 1]), np.array([[2, 3], [8, 8]])
    padded = np.stack([inputs, [-1, -1]], axis=1)
    one = reference.cbow_negative_loss(E, O, padded, target, negatives)
    other = reference.skipgram_negative_loss(E, O, inputs, target, negatives)
    np.testing.assert_allclose(one[0], other[0], atol=1e-14)
    for key in ("E", "O"):
        np.testing.assert_allclose(one[1][key], other[1][key], atol=1e-14)


def test_an_empty_place_never_touches_a_vector():
    E, O = np.random.default_rng(0).normal(size=(2, V, D))
    E[-1] = np.nan  # what -1 would read
    loss, gradients = reference.cbow_softmax_loss(E, O, np.array([[0, -1], [-1, -1]]), np.array([1, 2]))
    assert np.isfinite(loss).all()
    assert loss[1] == pytest.approx(np.log(V))
    assert not gradients["E"][1:].any()


@given(st.lists(st.integers(0, V - 1), max_size=12))
def test_a_lookup_is_the_product_with_one_hot_vectors_and_its_backward_the_transpose(ids):
    ids = np.array(ids, dtype=int)
    rng = np.random.default_rng(0)
    E, d, one_hot = rng.normal(size=(V, D)), rng.normal(size=(len(ids), D)), np.eye(V)[ids].reshape(-1, V)
    np.testing.assert_allclose(reference.embedding_forward(E, ids), one_hot @ E, atol=1e-12)
    np.testing.assert_allclose(reference.embedding_backward(d, ids, V), one_hot.T @ d, atol=1e-12)


def test_the_lookup_is_that_of_torch():
    rng = np.random.default_rng(0)
    E, ids, d = rng.normal(size=(V, D)), rng.integers(V, size=(3, 7)), rng.normal(size=(3, 7, D))
    leaf = torch.tensor(E, requires_grad=True)
    out = F.embedding(torch.tensor(ids), leaf)
    out.backward(torch.tensor(d))
    np.testing.assert_array_equal(reference.embedding_forward(E, ids), out.detach().numpy())
    np.testing.assert_allclose(reference.embedding_backward(d, ids, V), leaf.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "skipgram_softmax_loss",
            {"centre": np.full(B, V)},
            f"centre holds ids from {V} to {V}; allowed are 0 to {V - 1}",
        ),
        ("skipgram_softmax_loss", {"context": np.zeros(B + 1, int)}, rf"context has shape \({B + 1},\)"),
        ("skipgram_softmax_loss", {"O": np.zeros((V, D + 1))}, rf"O has shape \({V}, {D + 1}\); .* \(V, {D}\)"),
        ("skipgram_negative_loss", {"negatives": np.full((B, 2), -1)}, "negatives holds ids from -1 to -1"),
        ("skipgram_negative_loss", {"negatives": np.zeros(B, int)}, rf"negatives has shape \({B},\)"),
        ("skipgram_hierarchical_loss", {"N": np.zeros((V, D))}, rf"N has shape \({V}, {D}\); .* \({V - 1}, {D}\)"),
        ("skipgram_hierarchical_loss", {"tree": reference.huffman([1] * 20)}, rf"N has .* \(19, {D}\)"),
        ("cbow_softmax_loss", {"contexts": np.full((B, 2), -2)}, "contexts holds ids from -2 to -2; .* -1 for no word"),
        ("cbow_softmax_loss", {"target": np.full(B, -1)}, "target holds ids from -1 to -1"),
        ("cbow_negative_loss", {"E": np.zeros((V, D), int)}, "E holds int64; it must hold floats"),
    ],
)
def test_what_does_not_fit_is_named(name, change, message):
    with pytest.raises(ValueError, match=message):
        getattr(reference, name)(**(arguments(name) | change))
