"""GloVe's weight against its formula, its loss against autograd and finite differences, AdaGrad against torch's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqlab.embeddings import reference

V, D, NAMES = 6, 3, ("W", "U", "b", "c")
ROWS, COLUMNS = np.array([0, 0, 3, 5, 0]), np.array([1, 1, 3, 2, 4])  # one pair twice, one word often
X = np.array([0.5, 7.0, 100.0, 250.0, 30.0])


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(V, D) if name in "WU" else V) for name in NAMES}


def test_the_weight_is_zero_at_zero_grows_and_stops_at_one():
    np.testing.assert_allclose(reference.glove_weight([0, 6.25, 100, 1e9]), [0, 0.125, 1, 1], rtol=1e-12)
    np.testing.assert_allclose(reference.glove_weight(4.0, x_max=16, alpha=0.5), 0.5)


@given(arrays(float, 5, elements=st.floats(0, 1e6)))
def test_a_larger_count_never_weighs_less(x):
    f = reference.glove_weight(np.sort(x))
    assert np.all((f >= 0) & (f <= 1))
    assert np.all(np.diff(f) >= 0)


def test_loss_and_gradients_agree_with_autograd():
    values = parameters()
    loss, gradients = reference.glove_loss(**values, rows=ROWS, columns=COLUMNS, x=X, x_max=50, alpha=0.6)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    want = []
    for i, j, x in zip(ROWS, COLUMNS, X, strict=True):
        f = (x / 50) ** 0.6 if x < 50 else 1.0
        error = torch.dot(leaves["W"][i], leaves["U"][j]) + leaves["b"][i] + leaves["c"][j] - float(np.log(x))
        want.append(f * error**2)
    want = torch.stack(want)
    want.sum().backward()
    np.testing.assert_allclose(loss, want.detach().numpy(), atol=1e-10, rtol=0)
    assert list(gradients) == list(NAMES)
    for name in NAMES:
        np.testing.assert_allclose(gradients[name], leaves[name].grad.numpy(), atol=1e-10, rtol=0, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_finite_difference_agrees_with_each_gradient(name):
    values = parameters(1)
    data = {"rows": ROWS, "columns": COLUMNS, "x": X}
    gradient = reference.glove_loss(**values, **data)[1][name]
    for place in np.ndindex(gradient.shape):
        sums = []
        for step in (1e-6, -1e-6):
            moved = values[name].copy()
            moved[place] += step
            sums.append(reference.glove_loss(**(values | {name: moved}), **data)[0].sum())
        assert (sums[0] - sums[1]) / 2e-6 == pytest.approx(gradient[place], abs=1e-7)


def test_words_and_contexts_can_change_places():
    """The loss is symmetric when the counts are: the two halves of the model play the same part."""
    values = parameters()
    loss, gradients = reference.glove_loss(**values, rows=ROWS, columns=COLUMNS, x=X)
    swapped = {"W": values["U"], "U": values["W"], "b": values["c"], "c": values["b"]}
    other, changed = reference.glove_loss(**swapped, rows=COLUMNS, columns=ROWS, x=X)
    np.testing.assert_allclose(loss, other, atol=1e-12)
    for name, twin in zip("WUbc", "UWcb", strict=True):
        np.testing.assert_allclose(gradients[name], changed[twin], atol=1e-12)


def test_vectors_that_give_the_logarithm_cost_nothing():
    values = parameters()
    x = np.exp((values["W"][ROWS] * values["U"][COLUMNS]).sum(axis=1) + values["b"][ROWS] + values["c"][COLUMNS])
    loss, gradients = reference.glove_loss(**values, rows=ROWS, columns=COLUMNS, x=x)
    np.testing.assert_allclose(loss, 0, atol=1e-25)
    assert all(np.abs(gradient).max() < 1e-12 for gradient in gradients.values())


def test_adagrad_takes_the_steps_of_torch():
    rng = np.random.default_rng(0)
    w, total = rng.normal(size=(4, 3)), np.ones((4, 3))
    leaf = torch.tensor(w, requires_grad=True)
    optimizer = torch.optim.Adagrad([leaf], lr=0.05, initial_accumulator_value=1.0, eps=0.0)
    before = w.copy(), total.copy()
    for _ in range(5):
        g = rng.normal(size=(4, 3))
        leaf.grad = torch.tensor(g)
        optimizer.step()
        w, total = reference.adagrad_step(w, g, total, 0.05)
        np.testing.assert_allclose(w, leaf.detach().numpy(), atol=1e-12)
    first, _ = reference.adagrad_step(*before[:1], np.ones((4, 3)), before[1], 0.05)
    assert not np.array_equal(first, before[0])  # new arrays: the old weights are as they were
    np.testing.assert_array_equal(before[1], 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros(5)}, "x must hold counts above 0"),
        ({"rows": np.full(5, V)}, f"rows holds ids from {V} to {V}"),
        ({"columns": np.zeros(4, int)}, r"columns has shape \(4,\); it must have shape \(5,\)"),
        ({"U": np.zeros((V, D + 1))}, "U has shape"),
        ({"b": np.zeros(V + 1)}, "b has shape"),
        ({"x_max": 0}, "x_max is 0 and alpha is 0.75; both must be above 0"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        reference.glove_loss(**(parameters() | {"rows": ROWS, "columns": COLUMNS, "x": X} | change))


def test_a_negative_count_has_no_weight():
    with pytest.raises(ValueError, match="x must hold counts, 0 or more"):
        reference.glove_weight([-1.0])
