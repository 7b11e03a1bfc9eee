import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.recurrent import reference

NAMES = ("x", "h0", "W_ih", "W_hh", "b_ih", "b_hh")


def arguments(B, T, D, H, seed=0):
    rng = np.random.default_rng(seed)
    sizes = [(B, T, D), (B, H), (H, D), (H, H), (H,), (H,)]
    return {name: rng.normal(size=size) / np.sqrt(size[-1]) for name, size in zip(NAMES, sizes, strict=True)}


def autograd(values, dh, nonlinearity, truncate=None):
    """The same network written for torch with nothing of ours: one matrix [W_hh W_ih], one bias, `detach` to cut."""
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    W, b = torch.cat([leaves["W_hh"], leaves["W_ih"]], dim=1), leaves["b_ih"] + leaves["b_hh"]
    h, states = leaves["h0"], []
    for t in range(values["x"].shape[1]):
        if truncate and t and t % truncate == 0:
            h = h.detach()
        h = getattr(torch, nonlinearity)(torch.cat([h, leaves["x"][:, t]], dim=1) @ W.T + b)
        states.append(h)
    h = torch.stack(states, dim=1)
    h.backward(torch.tensor(dh))
    return h.detach().numpy(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 7, 2, 4), (2, 5, 63, 9)])
@pytest.mark.parametrize("truncate", [None, 1, 2, 3])
def test_states_and_gradients_agree_with_autograd(sizes, nonlinearity, truncate):
    values = arguments(*sizes)
    h, cache = reference.rnn_forward(*values.values(), nonlinearity)
    dh = np.random.default_rng(1).normal(size=h.shape)
    gradients = reference.rnn_backward(dh, cache, truncate=truncate)
    want_h, want = autograd(values, dh, nonlinearity, truncate)
    np.testing.assert_allclose(h, want_h, atol=1e-10, rtol=0)
    assert list(gradients) == list(NAMES)
    for name in NAMES:
        np.testing.assert_allclose(gradients[name], want[name], atol=1e-10, rtol=0, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_finite_difference_agrees_with_each_gradient(name):
    values = arguments(2, 4, 3, 5)
    h, cache = reference.rnn_forward(*values.values())
    dh = np.random.default_rng(1).normal(size=h.shape)
    gradient = reference.rnn_backward(dh, cache)[name]
    for index in np.ndindex(gradient.shape):
        loss = []
        for step in (1e-6, -1e-6):
            moved = {key: value.copy() for key, value in values.items()}
            moved[name][index] += step
            loss.append(np.sum(reference.rnn_forward(*moved.values())[0] * dh))
        assert (loss[0] - loss[1]) / 2e-6 == pytest.approx(gradient[index], abs=1e-8, rel=1e-6)


def test_a_step_is_what_the_forward_pass_repeats():
    values = arguments(3, 2, 4, 5)
    x, h0, *weights = values.values()
    h, _ = reference.rnn_forward(x, h0, *weights)
    first = reference.rnn_step(x[:, 0], h0, *weights)
    np.testing.assert_array_equal(h[:, 0], first)
    np.testing.assert_array_equal(h[:, 1], reference.rnn_step(x[:, 1], first, *weights))


def test_a_step_agrees_with_numbers_done_by_hand():
    one = np.ones((1, 1))
    h = reference.rnn_step(2 * one, 3 * one, 0.5 * one, -one, np.array([0.25]), np.array([1.0]))
    assert h[0, 0] == pytest.approx(np.tanh(0.5 * 2 - 3 + 0.25 + 1.0), abs=1e-15)


def test_the_output_is_linear_in_the_state():
    rng = np.random.default_rng(0)
    h, W, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 4)), rng.normal(size=5)
    y = reference.rnn_output(h, W, b)
    assert y.shape == (2, 3, 5)
    assert y[1, 2, 3] == pytest.approx(sum(W[3, i] * h[1, 2, i] for i in range(4)) + b[3])
    np.testing.assert_allclose(reference.rnn_output(h[:, 0], W, b), y[:, 0], rtol=1e-12)


def test_inputs_are_left_as_they_were():
    values = arguments(2, 3, 2, 3)
    before = {name: value.copy() for name, value in values.items()}
    h, cache = reference.rnn_forward(*values.values())
    dh = np.ones_like(h)
    gradients = reference.rnn_backward(dh, cache)
    gradients["b_ih"] += 1
    assert not np.array_equal(gradients["b_ih"], gradients["b_hh"])
    assert np.all(dh == 1)
    assert all(np.array_equal(values[name], before[name]) for name in NAMES)


def test_nan_stays_in_its_own_sequence_and_reaches_no_earlier_step():
    values = arguments(3, 4, 2, 3)
    values["x"][1, 2, 0] = np.nan
    h, _ = reference.rnn_forward(*values.values())
    assert np.isnan(h[1, 2:]).all()
    assert not np.isnan(h[1, :2]).any()
    assert not np.isnan(h[[0, 2]]).any()


sizes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5))
kinds = st.sampled_from(["tanh", "relu"])


@given(sizes, kinds, st.integers(0, 99))
@settings(max_examples=30)
def test_the_order_of_sequences_in_the_batch_does_not_matter(sizes, kind, seed):
    values = arguments(*sizes, seed=seed)
    order = np.random.default_rng(seed).permutation(sizes[0])
    shuffled = values | {"x": values["x"][order], "h0": values["h0"][order]}
    h, cache = reference.rnn_forward(*values.values(), kind)
    h_shuffled, cache_shuffled = reference.rnn_forward(*shuffled.values(), kind)
    np.testing.assert_allclose(h_shuffled, h[order], atol=1e-12)
    dh = np.random.default_rng(seed + 1).normal(size=h.shape)
    gradients, gradients_shuffled = reference.rnn_backward(dh, cache), reference.rnn_backward(dh[order], cache_shuffled)
    np.testing.assert_allclose(gradients_shuffled["x"], gradients["x"][order], atol=1e-10)
    np.testing.assert_allclose(gradients_shuffled["W_hh"], gradients["W_hh"], atol=1e-10)


@given(sizes, kinds, st.integers(0, 99), st.integers(1, 5))
@settings(max_examples=30)
def test_a_sequence_cut_in_two_with_the_state_carried_over_gives_the_same(sizes, kind, seed, cut):
    values = arguments(*sizes, seed=seed)
    x, h0, *weights = values.values()
    cut = min(cut, sizes[1])
    h, cache = reference.rnn_forward(*values.values(), kind)
    first, first_cache = reference.rnn_forward(x[:, :cut], h0, *weights, kind)
    np.testing.assert_allclose(first, h[:, :cut], atol=1e-12)
    if cut == sizes[1]:
        return
    second, second_cache = reference.rnn_forward(x[:, cut:], first[:, -1], *weights, kind)
    np.testing.assert_allclose(second, h[:, cut:], atol=1e-12)
    dh = np.random.default_rng(seed).normal(size=h.shape)
    whole = reference.rnn_backward(dh, cache)
    later = reference.rnn_backward(dh[:, cut:], second_cache)
    dh_first = dh[:, :cut].copy()
    dh_first[:, -1] += later["h0"]
    earlier = reference.rnn_backward(dh_first, first_cache)
    for name in NAMES[1:]:
        total = earlier[name] + (later[name] if name != "h0" else 0)
        np.testing.assert_allclose(total, whole[name], atol=1e-9, err_msg=name)


@given(sizes, st.integers(0, 5))
@settings(max_examples=30)
def test_truncation_longer_than_the_sequence_changes_nothing(sizes, extra):
    values = arguments(*sizes)
    h, cache = reference.rnn_forward(*values.values())
    dh = np.random.default_rng(1).normal(size=h.shape)
    full, cut = reference.rnn_backward(dh, cache), reference.rnn_backward(dh, cache, truncate=sizes[1] + extra)
    for name in NAMES:
        np.testing.assert_array_equal(full[name], cut[name])


def test_truncation_at_every_step_leaves_only_the_own_step():
    values = arguments(2, 5, 3, 4)
    h, cache = reference.rnn_forward(*values.values())
    dh = np.zeros_like(h)
    dh[:, 3] = 1
    gradients = reference.rnn_backward(dh, cache, truncate=1)
    assert np.all(gradients["x"][:, [0, 1, 2, 4]] == 0)
    assert np.any(gradients["x"][:, 3] != 0)
    assert np.all(gradients["h0"] == 0)


gradient_dicts = st.lists(
    st.lists(st.floats(-1e6, 1e6).filter(lambda g: g == 0 or abs(g) > 1e-6), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
).map(lambda lists: {f"g{i}": np.array(values) for i, values in enumerate(lists)})


@given(gradient_dicts, st.floats(1e-3, 1e3))
def test_clipping_by_norm_never_grows_the_norm_and_keeps_the_direction(gradients, limit):
    clipped, norm = reference.clip_by_norm(gradients, limit)
    before, after = np.concatenate(list(gradients.values())), np.concatenate(list(clipped.values()))
    assert norm == pytest.approx(np.linalg.norm(before))
    assert np.linalg.norm(after) <= min(norm, limit) * (1 + 1e-12)
    np.testing.assert_allclose(after * norm, before * np.linalg.norm(after), rtol=1e-9, atol=1e-12)
    if norm <= limit:
        np.testing.assert_array_equal(after, before)


@given(gradient_dicts, st.floats(1e-3, 1e3))
def test_clipping_by_value_moves_each_number_to_the_nearest_allowed_one(gradients, limit):
    clipped = reference.clip_by_value(gradients, limit)
    for name, g in gradients.items():
        assert clipped[name] is not g
        for had, has in zip(g, clipped[name], strict=True):
            assert has == (had if abs(had) <= limit else limit if had > 0 else -limit)


def test_an_infinite_limit_clips_nothing():
    clipped, norm = reference.clip_by_norm({"g": np.array([3.0, 4.0])}, np.inf)
    assert clipped["g"].tolist() == [3.0, 4.0]
    assert norm == 5.0


def test_clipping_shows_inf_and_nan_in_the_norm():
    with np.errstate(invalid="ignore"):
        assert reference.clip_by_norm({"g": np.array([1.0, np.inf])}, 1.0)[1] == np.inf
        assert np.isnan(reference.clip_by_norm({"g": np.array([1.0, np.nan])}, 1.0)[1])


WRONG = [
    ({"x": np.zeros((2, 0, 3))}, r"x has shape \(2, 0, 3\), so it has no step; a sequence needs at least one"),
    ({"x": np.zeros((2, 5, 4))}, r"x has shape \(2, 5, 4\); it must have shape \(B, T, 3\)"),
    ({"x": np.zeros((5, 3))}, r"x has shape \(5, 3\); it must have shape \(B, T, 3\)"),
    ({"x": np.zeros((2, 5, 3), int)}, r"x holds int64; it must hold floats, x.astype\(float\)"),
    ({"x": np.zeros((2, 5, 3), bool)}, "x holds bool; it must hold floats"),
    ({"x": [[[0.0]]]}, "x is a list; it must be a NumPy array"),
    ({"x": torch.zeros(2, 5, 3)}, "x is a Tensor; it must be a NumPy array"),
    ({"h0": np.zeros((3, 4))}, r"h0 has shape \(3, 4\); it must have shape \(2, 4\)"),
    ({"h0": np.zeros((1, 2, 4))}, r"h0 has shape \(1, 2, 4\); it must have shape \(2, 4\)"),
    ({"W_ih": np.zeros(4)}, r"W_ih has shape \(4,\); it must have shape \(H, D\)"),
    ({"W_hh": np.zeros((4, 3))}, r"W_hh has shape \(4, 3\); it must have shape \(4, 4\)"),
    ({"b_ih": np.zeros(3)}, r"b_ih has shape \(3,\); it must have shape \(4,\)"),
    ({"b_hh": np.zeros((4, 1))}, r"b_hh has shape \(4, 1\); it must have shape \(4,\)"),
    ({"nonlinearity": "sigmoid"}, "nonlinearity is 'sigmoid'; it must be 'tanh' or 'relu'"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_what_does_not_fit_is_named(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        reference.rnn_forward(**(arguments(2, 5, 3, 4) | change))


def test_a_step_names_what_does_not_fit():
    x, h0, *weights = arguments(2, 5, 3, 4).values()
    with pytest.raises(ValueError, match=r"x has shape \(2, 5, 3\); it must have shape \(B, 3\)"):
        reference.rnn_step(x, h0, *weights)
    with pytest.raises(ValueError, match=r"h has shape \(4,\); it must have shape \(2, 4\)"):
        reference.rnn_step(x[:, 0], h0[0], *weights)


def test_the_backward_pass_and_the_output_and_the_limits_name_what_does_not_fit():
    h, cache = reference.rnn_forward(*arguments(2, 5, 3, 4).values())
    with pytest.raises(ValueError, match=r"dh has shape \(2, 4\); it must have shape \(2, 5, 4\)"):
        reference.rnn_backward(np.zeros((2, 4)), cache)
    with pytest.raises(ValueError, match="dh holds int64; it must hold floats"):
        reference.rnn_backward(np.ones(h.shape, int), cache)
    for truncate in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"truncate is {truncate}; it must be None or a whole number of steps"):
            reference.rnn_backward(h, cache, truncate=truncate)
    with pytest.raises(ValueError, match=r"h has shape \(2, 5, 4\); it must have shape \(B, T, 3\)"):
        reference.rnn_output(h, np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(ValueError, match=r"b_y has shape \(3,\); it must have shape \(2,\)"):
        reference.rnn_output(h, np.zeros((2, 4)), np.zeros(3))
    for limit in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=r"limit is .*; it must be a positive number"):
            reference.clip_by_norm({"g": np.ones(2)}, limit)
        with pytest.raises(ValueError, match=r"limit is .*; it must be a positive number"):
            reference.clip_by_value({"g": np.ones(2)}, limit)
