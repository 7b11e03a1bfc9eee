"""GRU and LSTM in NumPy against autograd, torch's layers, finite differences and laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.recurrent import reference
from tests.recurrent import plain

LARGE = 100.0  # a bias that opens or shuts a gate wholly


def pull(cell, h, seed=1):
    """Gradients that reach the states, and the cells where there are any, from outside."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=h.shape), rng.normal(size=h.shape) if plain.kind(cell) == "lstm" else None


@pytest.mark.parametrize("cell", plain.CELLS)
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 7, 2, 4), (2, 5, 63, 9)])
@pytest.mark.parametrize("truncate", [None, 1, 3])
def test_states_and_gradients_of_weights_and_gates_agree_with_autograd(cell, sizes, truncate):
    values = plain.arguments(cell, *sizes)
    h, c, cache = plain.forward(cell, values)
    for dh, dc in (pull(cell, h), (pull(cell, h)[0], None)):
        gradients = plain.backward(cell, dh, dc, cache, truncate)
        want_h, want_c, want = plain.autograd(cell, values, dh, dc, truncate)
        np.testing.assert_allclose(h, want_h, atol=1e-10, rtol=0)
        if c is not None:
            np.testing.assert_allclose(c, want_c, atol=1e-10, rtol=0)
        assert list(gradients) == [*values, "gates"]
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, want[name], atol=1e-10, rtol=0, err_msg=name)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_and_gradients_agree_with_the_layer_of_torch(cell):
    values = plain.arguments(cell, 3, 6, 4, 5)
    layer = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](4, 5, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter, name in zip(layer.parameters(), ("W_ih", "W_hh", "b_ih", "b_hh"), strict=True):
            parameter.copy_(torch.tensor(values[name]))
    leaves = {name: torch.tensor(values[name], requires_grad=True) for name in ("x", "h0", "c0") if name in values}
    x, *first = leaves.values()
    first = [state.unsqueeze(0) for state in first]
    want, last = layer(x, first[0] if cell == "gru" else tuple(first))
    h, c, cache = plain.forward(cell, values)
    dh = np.random.default_rng(1).normal(size=h.shape)
    dc = None
    loss = (want * torch.tensor(dh)).sum()
    if cell == "lstm":  # torch gives the last cell alone
        dc = np.zeros_like(dh)
        dc[:, -1] = 0.5
        loss = loss + 0.5 * last[1].sum()
        np.testing.assert_allclose(c[:, -1], last[1][0].detach(), atol=1e-10, rtol=0)
    loss.backward()
    np.testing.assert_allclose(h, want.detach(), atol=1e-10, rtol=0)
    gradients = plain.backward(cell, dh, dc, cache)
    theirs = {name: leaf.grad for name, leaf in leaves.items()}
    theirs |= dict(zip(("W_ih", "W_hh", "b_ih", "b_hh"), (p.grad for p in layer.parameters()), strict=True))
    for name, want_gradient in theirs.items():
        np.testing.assert_allclose(gradients[name], want_gradient, atol=1e-10, rtol=0, err_msg=name)


@pytest.mark.parametrize(
    ("cell", "name"), [(cell, name) for cell in plain.CELLS for name in plain.arguments(cell, *[1] * 4)]
)
def test_a_finite_difference_agrees_with_each_gradient(cell, name):
    values = plain.arguments(cell, 2, 3, 2, 3)
    h, _, cache = plain.forward(cell, values)
    dh, dc = pull(cell, h)
    gradient = plain.backward(cell, dh, dc, cache)[name]
    for index in np.ndindex(gradient.shape):
        loss = []
        for step in (1e-6, -1e-6):
            moved = {key: value.copy() for key, value in values.items()}
            moved[name][index] += step
            h, c, _ = plain.forward(cell, moved)
            loss.append(np.sum(h * dh) + (0 if c is None else np.sum(c * dc)))
        assert (loss[0] - loss[1]) / 2e-6 == pytest.approx(gradient[index], abs=1e-8, rel=1e-6)


def test_a_gru_step_agrees_with_numbers_done_by_hand():
    one = np.ones((1, 1))
    W_ih, W_hh = np.array([[0.5], [-1.0], [2.0]]), np.array([[1.0], [0.25], [-0.5]])
    b_ih, b_hh = np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])
    r = 1 / (1 + np.exp(-(0.5 * 2 + 0.1 + 1.0 * 3 + 0.4)))
    z = 1 / (1 + np.exp(-(-1.0 * 2 + 0.2 + 0.25 * 3 + 0.5)))
    after = np.tanh(2.0 * 2 + 0.3 + r * (-0.5 * 3 + 0.6))
    before = np.tanh(2.0 * 2 + 0.3 - 0.5 * (r * 3) + 0.6)
    for reset_after, n in ((True, after), (False, before)):
        h = reference.gru_step(2 * one, 3 * one, W_ih, W_hh, b_ih, b_hh, reset_after)
        assert h[0, 0] == pytest.approx((1 - z) * n + z * 3, abs=1e-15)


def test_an_lstm_step_agrees_with_numbers_done_by_hand():
    one = np.ones((1, 1))
    W_ih, W_hh = np.array([[0.5], [-1.0], [2.0], [0.3]]), np.array([[1.0], [0.25], [-0.5], [0.7]])
    b_ih, b_hh = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 0.6, 0.7, 0.8])
    p_i, p_f, p_o = 0.2, -0.3, 0.4

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for peepholes, seen in ((None, 0), (np.array([[p_i], [p_f], [p_o]]), 1)):
        i = sigmoid(0.5 * 2 + 0.1 + 1.0 * 3 + 0.5 + seen * p_i * 4)
        f = sigmoid(-1.0 * 2 + 0.2 + 0.25 * 3 + 0.6 + seen * p_f * 4)
        c = f * 4 + i * np.tanh(2.0 * 2 + 0.3 - 0.5 * 3 + 0.7)
        o = sigmoid(0.3 * 2 + 0.4 + 0.7 * 3 + 0.8 + seen * p_o * c)
        have_h, have_c = reference.lstm_step(2 * one, 3 * one, 4 * one, W_ih, W_hh, b_ih, b_hh, peepholes)
        assert have_c[0, 0] == pytest.approx(c, abs=1e-14)
        assert have_h[0, 0] == pytest.approx(o * np.tanh(c), abs=1e-14)


@pytest.mark.parametrize("cell", plain.CELLS)
def test_a_step_is_what_the_forward_pass_repeats(cell):
    values = plain.arguments(cell, 3, 3, 4, 5)
    h, c, _ = plain.forward(cell, values)
    weights = {name: value for name, value in values.items() if name not in ("x", "h0", "c0")}
    state, memory = values["h0"], values.get("c0")
    for t in range(3):
        if memory is None:
            state = reference.gru_step(values["x"][:, t], state, **weights, **plain.options(cell))
        else:
            state, memory = reference.lstm_step(values["x"][:, t], state, memory, **weights)
            np.testing.assert_array_equal(c[:, t], memory)
        np.testing.assert_array_equal(h[:, t], state)


@pytest.mark.parametrize("cell", ["gru", "gru-reset-before"])
def test_the_gates_of_a_gru_make_its_states(cell):
    values = plain.arguments(cell, 2, 5, 3, 4)
    h, _, cache = plain.forward(cell, values)
    gates = reference.gru_gates(cache)
    assert list(gates) == ["r", "z", "n"]
    before = np.concatenate([values["h0"][:, None], h[:, :-1]], axis=1)
    np.testing.assert_allclose(h, (1 - gates["z"]) * gates["n"] + gates["z"] * before, atol=1e-14)
    W_ir, b_ir = values["W_ih"][:4], values["b_ih"][:4] + values["b_hh"][:4]
    heard = values["x"] @ W_ir.T + b_ir + before @ values["W_hh"][:4].T
    np.testing.assert_allclose(gates["r"], 1 / (1 + np.exp(-heard)), atol=1e-14)


def test_the_gates_of_an_lstm_make_its_states():
    values = plain.arguments("lstm-peepholes", 2, 5, 3, 4)
    h, c, cache = plain.forward("lstm-peepholes", values)
    gates = reference.lstm_gates(cache)
    assert list(gates) == ["i", "f", "g", "o"]
    before = np.concatenate([values["c0"][:, None], c[:, :-1]], axis=1)
    np.testing.assert_allclose(c, gates["f"] * before + gates["i"] * gates["g"], atol=1e-14)
    np.testing.assert_allclose(h, gates["o"] * np.tanh(c), atol=1e-14)
    assert all(gates[name].min() > 0 and gates[name].max() < 1 for name in "ifo")


@pytest.mark.parametrize("cell", ["gru", "gru-reset-before"])
def test_a_gru_whose_z_is_one_keeps_its_first_state_and_passes_its_gradient(cell):
    values = plain.arguments(cell, 2, 20, 3, 4)
    values["b_ih"][4:8] = LARGE
    h, _, cache = plain.forward(cell, values)
    np.testing.assert_array_equal(h, np.broadcast_to(values["h0"][:, None], h.shape))
    dh = np.zeros_like(h)
    dh[:, -1] = 1
    gradients = plain.backward(cell, dh, None, cache)
    np.testing.assert_array_equal(gradients["h0"], np.ones((2, 4)))
    assert np.all(gradients["x"] == 0)


@pytest.mark.parametrize("cell", ["gru", "gru-reset-before"])
def test_a_gru_whose_r_is_zero_and_z_is_zero_forgets_what_came_before(cell):
    values = plain.arguments(cell, 2, 3, 3, 4)
    values["b_ih"][:8] = -LARGE
    other = values | {"h0": values["h0"] + 1}
    np.testing.assert_allclose(plain.forward(cell, values)[0], plain.forward(cell, other)[0], atol=1e-15)


def test_where_r_is_one_both_reset_forms_agree_and_elsewhere_they_differ():
    values = plain.arguments("gru", 2, 5, 3, 4)
    differ = reference.gru_forward(**values)[0] - reference.gru_forward(**values, reset_after=False)[0]
    assert np.abs(differ).max() > 1e-2
    values["b_ih"][:4] = LARGE
    after, before = (reference.gru_forward(**values, reset_after=form)[0] for form in (True, False))
    np.testing.assert_allclose(after, before, atol=1e-14)


@pytest.mark.parametrize("cell", ["lstm", "lstm-peepholes"])
def test_a_cell_that_forgets_nothing_and_writes_nothing_stays_and_passes_its_gradient(cell):
    values = plain.arguments(cell, 2, 50, 3, 4)
    values["b_ih"][:4], values["b_ih"][4:8] = -LARGE, LARGE
    h, c, cache = plain.forward(cell, values)
    np.testing.assert_array_equal(c, np.broadcast_to(values["c0"][:, None], c.shape))
    dc = np.zeros_like(c)
    dc[:, -1] = 1
    gradients = reference.lstm_backward(np.zeros_like(h), cache, dc=dc)
    np.testing.assert_array_equal(gradients["c0"], np.ones((2, 4)))


def test_peepholes_of_zero_are_no_peepholes():
    values = plain.arguments("lstm", 2, 5, 3, 4)
    h, c, cache = reference.lstm_forward(**values)
    h_zero, c_zero, cache_zero = reference.lstm_forward(**values, peepholes=np.zeros((3, 4)))
    np.testing.assert_array_equal(h, h_zero)
    np.testing.assert_array_equal(c, c_zero)
    gradients, zero = reference.lstm_backward(h, cache), reference.lstm_backward(h, cache_zero)
    assert zero.keys() - gradients.keys() == {"peepholes"}
    assert all(np.array_equal(gradients[name], zero[name]) for name in gradients)


def test_a_sigmoid_of_any_number_is_finite():
    z = np.array([-1e4, -30.0, -1.0, 0.0, 2.0, 1e4])
    with np.errstate(all="raise"):
        s = reference.sigmoid(z)
    np.testing.assert_allclose(s[1:5], 1 / (1 + np.exp(-z[1:5])), atol=1e-15)
    assert (s[0], s[-1]) == (0, 1)


@pytest.mark.parametrize("cell", plain.CELLS)
def test_inputs_are_left_as_they_were(cell):
    values = plain.arguments(cell, 2, 3, 2, 3)
    before = {name: value.copy() for name, value in values.items()}
    h, _, cache = plain.forward(cell, values)
    dh, dc = pull(cell, h)
    kept = dh.copy(), None if dc is None else dc.copy()
    gradients = plain.backward(cell, dh, dc, cache)
    again = plain.backward(cell, dh, dc, cache)
    assert all(np.array_equal(gradients[name], again[name]) for name in gradients)
    gradients["b_ih"] += 1
    assert np.array_equal(gradients["b_hh"], again["b_hh"])
    assert np.array_equal(dh, kept[0])
    assert dc is None or np.array_equal(dc, kept[1])
    assert all(np.array_equal(values[name], before[name]) for name in values)


@pytest.mark.parametrize("cell", plain.CELLS)
def test_float32_goes_in_and_comes_out(cell):
    values = {name: value.astype(np.float32) for name, value in plain.arguments(cell, 2, 3, 2, 3).items()}
    h, c, cache = plain.forward(cell, values)
    gradients = plain.backward(cell, h, c, cache)
    assert {h.dtype, *(g.dtype for g in gradients.values())} == {np.dtype(np.float32)}
    weights = {name: value for name, value in values.items() if name not in ("x", "h0", "c0")}
    step = reference.gru_step if c is None else reference.lstm_step
    first = [values[name] for name in ("h0", "c0") if name in values]
    after = step(values["x"][:, 0], *first, **weights, **plain.options(cell))
    assert all(state.dtype == np.float32 for state in ([after] if c is None else after))


@pytest.mark.parametrize("cell", plain.CELLS)
def test_nan_stays_in_its_own_sequence_and_reaches_no_earlier_step(cell):
    values = plain.arguments(cell, 3, 4, 2, 3)
    values["x"][1, 2, 0] = np.nan
    h, _, _ = plain.forward(cell, values)
    assert np.isnan(h[1, 2:]).all()
    assert not np.isnan(h[1, :2]).any()
    assert not np.isnan(h[[0, 2]]).any()


cells = st.sampled_from(plain.CELLS)
sizes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5))


@given(cells, sizes, st.integers(0, 99))
@settings(max_examples=25)
def test_the_order_of_sequences_in_the_batch_does_not_matter(cell, sizes, seed):
    values = plain.arguments(cell, *sizes, seed=seed)
    order = np.random.default_rng(seed).permutation(sizes[0])
    shuffled = values | {name: values[name][order] for name in ("x", "h0", "c0") if name in values}
    h, _, cache = plain.forward(cell, values)
    h_shuffled, _, cache_shuffled = plain.forward(cell, shuffled)
    np.testing.assert_allclose(h_shuffled, h[order], atol=1e-12)
    dh, dc = pull(cell, h, seed)
    gradients = plain.backward(cell, dh, dc, cache)
    gradients_shuffled = plain.backward(cell, dh[order], None if dc is None else dc[order], cache_shuffled)
    np.testing.assert_allclose(gradients_shuffled["gates"], gradients["gates"][order], atol=1e-10)
    np.testing.assert_allclose(gradients_shuffled["W_hh"], gradients["W_hh"], atol=1e-10)


@given(cells, sizes, st.integers(0, 99), st.integers(1, 5))
@settings(max_examples=25)
def test_a_sequence_cut_in_two_with_the_states_carried_over_gives_the_same(cell, sizes, seed, cut):
    values = plain.arguments(cell, *sizes, seed=seed)
    cut = min(cut, sizes[1])
    h, c, cache = plain.forward(cell, values)
    first, first_c, first_cache = plain.forward(cell, values | {"x": values["x"][:, :cut]})
    np.testing.assert_allclose(first, h[:, :cut], atol=1e-12)
    if cut == sizes[1]:
        return
    carried = {"h0": first[:, -1]} | ({} if c is None else {"c0": first_c[:, -1]})
    second, _, second_cache = plain.forward(cell, values | carried | {"x": values["x"][:, cut:]})
    np.testing.assert_allclose(second, h[:, cut:], atol=1e-12)
    dh, dc = pull(cell, h, seed)
    whole = plain.backward(cell, dh, dc, cache)
    later = plain.backward(cell, dh[:, cut:], None if dc is None else dc[:, cut:], second_cache)
    dh_first, dc_first = dh[:, :cut].copy(), None if dc is None else dc[:, :cut].copy()
    dh_first[:, -1] += later["h0"]
    if dc is not None:
        dc_first[:, -1] += later["c0"]
    earlier = plain.backward(cell, dh_first, dc_first, first_cache)
    for name in set(values) - {"x", "h0", "c0"}:
        np.testing.assert_allclose(earlier[name] + later[name], whole[name], atol=1e-9, err_msg=name)
    np.testing.assert_allclose(earlier["h0"], whole["h0"], atol=1e-9)


@pytest.mark.parametrize("cell", plain.CELLS)
def test_truncation_longer_than_the_sequence_changes_nothing_and_at_every_step_leaves_the_own_step(cell):
    values = plain.arguments(cell, 2, 5, 3, 4)
    h, _, cache = plain.forward(cell, values)
    dh, dc = pull(cell, h)
    full, long = (plain.backward(cell, dh, dc, cache, truncate=k) for k in (None, 5))
    assert all(np.array_equal(full[name], long[name]) for name in full)
    dh[:, [0, 1, 2, 4]] = 0
    alone = plain.backward(cell, dh, None, cache, truncate=1)
    assert np.all(alone["gates"][:, [0, 1, 2, 4]] == 0)
    assert np.any(alone["gates"][:, 3] != 0)
    assert np.all(alone["h0"] == 0)


WRONG = [
    (
        "gru",
        {"W_ih": np.zeros((13, 3))},
        r"W_ih has shape \(13, 3\); it must have shape \(3H, D\), the weights of 3 gates",
    ),
    ("gru", {"W_ih": np.zeros(12)}, r"W_ih has shape \(12,\); it must have shape \(3H, D\)"),
    ("gru", {"W_hh": np.zeros((4, 4))}, r"W_hh has shape \(4, 4\); it must have shape \(12, 4\)"),
    ("gru", {"b_hh": np.zeros(4)}, r"b_hh has shape \(4,\); it must have shape \(12,\)"),
    ("gru", {"x": np.zeros((2, 0, 3))}, r"x has shape \(2, 0, 3\), so it has no step"),
    ("gru", {"h0": np.zeros((3, 4))}, r"h0 has shape \(3, 4\); it must have shape \(2, 4\)"),
    ("gru", {"x": [[[0.0]]]}, "x is a list; it must be a NumPy array"),
    ("lstm", {"W_ih": np.zeros((18, 3))}, r"W_ih has shape \(18, 3\); it must have shape \(4H, D\), the weights of 4"),
    ("lstm", {"W_hh": np.zeros((12, 4))}, r"W_hh has shape \(12, 4\); it must have shape \(16, 4\)"),
    ("lstm", {"x": np.zeros((2, 5, 7))}, r"x has shape \(2, 5, 7\); it must have shape \(B, T, 3\)"),
    ("lstm", {"c0": np.zeros((2, 5))}, r"c0 has shape \(2, 5\); it must have shape \(2, 4\)"),
    ("lstm", {"b_ih": np.zeros(16, int)}, r"b_ih holds int64; it must hold floats, b_ih.astype\(float\)"),
    ("lstm", {"peepholes": np.zeros((4, 3))}, r"peepholes has shape \(4, 3\); it must have shape \(3, 4\)"),
    ("lstm", {"peepholes": True}, "peepholes is a bool; it must be a NumPy array"),
]


@pytest.mark.parametrize(("cell", "change", "sentence"), WRONG)
def test_what_does_not_fit_is_named(cell, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        plain.forward(cell, plain.arguments(cell, 2, 5, 3, 4) | change)


def test_a_step_names_what_does_not_fit():
    values = plain.arguments("lstm", 2, 5, 3, 4)
    x, h, c, *weights = values.values()
    with pytest.raises(ValueError, match=r"x has shape \(2, 5, 3\); it must have shape \(B, 3\)"):
        reference.lstm_step(x, h, c, *weights)
    with pytest.raises(ValueError, match=r"c has shape \(4,\); it must have shape \(2, 4\)"):
        reference.lstm_step(x[:, 0], h, c[0], *weights)
    x, h, *weights = plain.arguments("gru", 2, 5, 3, 4).values()
    with pytest.raises(ValueError, match=r"h has shape \(1, 4\); it must have shape \(2, 4\)"):
        reference.gru_step(x[:, 0], h[:1], *weights)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_backward_pass_names_what_does_not_fit(cell):
    h, _, cache = plain.forward(cell, plain.arguments(cell, 2, 5, 3, 4))
    with pytest.raises(ValueError, match=r"dh has shape \(2, 4\); it must have shape \(2, 5, 4\)"):
        plain.backward(cell, h[:, 0], None, cache)
    with pytest.raises(ValueError, match="truncate is 0; it must be None or a whole number of steps"):
        plain.backward(cell, h, None, cache, truncate=0)
    if cell == "lstm":
        with pytest.raises(ValueError, match=r"dc has shape \(2, 4\); it must have shape \(2, 5, 4\)"):
            plain.backward(cell, h, h[:, 0], cache)
