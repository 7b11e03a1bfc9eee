"""The kernels of the GRU and the LSTM against the float64 reference; in the interpreter, or with a GPU on it."""

import numpy as np
import pytest
import torch

from seqlab.kernels import has_triton
from tests.recurrent import launched
from tests.recurrent.launched import DEVICE, arguments, errors, numpy, relative, run

if not has_triton():
    pytest.skip("Triton exists for Linux alone", allow_module_level=True)
from seqlab.recurrent import kernels

CELLS = ("gru", "lstm")
SIZES = [  # B, T, D, H
    (1, 1, 1, 1),
    (2, 3, 3, 16),
    (17, 2, 2, 33),  # two programs, the second almost empty
    (2, 3, 4, 63),
    (3, 2, 1, 5),
]
PROGRAMS = {"gru": kernels.gru_recurrence, "lstm": kernels.lstm_recurrence}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", SIZES)
def test_states_and_gradients_agree_with_the_reference(cell, shape, poison):
    forward, gradients = errors(cell, arguments(cell, *shape))
    assert max(forward.values()) <= 1e-5, forward
    assert max(gradients.values()) <= 1e-4, gradients


@pytest.mark.parametrize("cell", CELLS)
def test_float64_loses_no_digit(cell, poison):
    forward, gradients = errors(cell, arguments(cell, 3, 4, 2, 7, dtype=torch.float64))
    assert max(forward.values()) <= 1e-14, forward
    assert max(gradients.values()) <= 1e-13, gradients


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_summed_in_float32(cell, dtype, poison):
    forward, gradients = errors(cell, arguments(cell, 17, 2, 4, 40, dtype=dtype))
    assert max(forward.values()) <= 1e-2, forward
    assert max(gradients.values()) <= 2e-2, gradients


@pytest.mark.parametrize("which", ["dh", "dc"])
def test_the_gradient_of_one_output_of_the_lstm_is_enough(which, poison):
    given = arguments("lstm", 2, 3, 2, 5)
    d = torch.randn(2, 3, 5, device=DEVICE)
    _, gradients = errors("lstm", given, (d, None) if which == "dh" else (None, d))
    assert max(gradients.values()) <= 1e-4, gradients


@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_at_the_last_step_alone_reaches_the_first(cell, poison):
    given = arguments(cell, 2, 4, 2, 5)
    d = torch.zeros(2, 4, 5, device=DEVICE)
    d[:, -1] = torch.randn(2, 5, device=DEVICE)
    _, gradients = errors(cell, given, (d, None) if cell == "lstm" else (d,))
    assert max(gradients.values()) <= 1e-4, gradients
    assert torch.all(given["x"].grad[:, 0] != 0)


@pytest.mark.parametrize("cell", CELLS)
def test_only_what_needs_a_gradient_gets_one_and_it_is_the_same(cell):
    whole, part = arguments(cell, 2, 3, 2, 5), arguments(cell, 2, 3, 2, 5)
    for name in part.keys() - {"h0"}:
        part[name].requires_grad_(False)
    for given in (whole, part):
        run(cell, given)[0].sum().backward()
    assert torch.equal(part["h0"].grad, whole["h0"].grad)
    assert all(part[name].grad is None for name in part.keys() - {"h0"})


@pytest.mark.parametrize("cell", CELLS)
def test_without_a_gradient_the_states_are_the_same_and_no_gates_are_kept(cell, monkeypatch):
    given, widths = arguments(cell, 2, 3, 2, 5), []
    for home, name in ((torch, "empty_like"), (torch.Tensor, "new_empty")):
        make = getattr(home, name)

        def noted(*a, make=make, **k):
            tensor = make(*a, **k)
            if tensor.shape[:2] == (2, 3):
                widths.append(tensor.shape[2])
            return tensor

        monkeypatch.setattr(home, name, noted)
    want = run(cell, given)
    assert 20 in widths
    widths.clear()
    with torch.no_grad():
        have = run(cell, given)
    assert set(widths) == {5}
    for a, b in zip(have, want, strict=True):
        assert torch.equal(a, b)


def test_the_bias_of_the_gru_may_be_absent():
    z, h0, W = torch.randn(2, 3, 12), torch.randn(2, 4), torch.randn(12, 4)
    z, h0, W = (tensor.to(DEVICE).requires_grad_() for tensor in (z, h0, W))
    h = kernels.gru_recurrence(z, h0, W)
    assert torch.equal(h, kernels.gru_recurrence(z, h0, W, torch.zeros(12, device=DEVICE)))
    h.sum().backward()
    assert W.grad.isfinite().all()


@pytest.mark.parametrize("cell", CELLS)
def test_inputs_that_are_not_contiguous_give_the_same(cell):
    given = arguments(cell, 3, 2, 2, 6)
    want = run(cell, given)
    twisted = {name: torch.stack([t, t], dim=-1)[..., 0] for name, t in given.items()}
    twisted["W_hh"] = given["W_hh"].T.contiguous().T
    assert not any(t.is_contiguous() for t in twisted.values())
    for a, b in zip(run(cell, twisted), want, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("cell", CELLS)
def test_nan_stays_in_its_own_sequence_and_reaches_no_earlier_step(cell):
    given = {name: tensor.detach() for name, tensor in arguments(cell, 3, 4, 2, 3).items()}
    given["x"][1, 2, 0] = float("nan")
    for output in run(cell, given):
        assert output[1, 2:].isnan().all()
        assert not output[1, :2].isnan().any()
        assert not output[[0, 2]].isnan().any()


@pytest.mark.parametrize("cell", CELLS)
def test_gates_that_are_wide_open_or_shut_give_numbers(cell):
    given = arguments(cell, 2, 3, 2, 4)
    with torch.no_grad():
        given["x"] *= 1e4
    forward, _ = errors(cell, given)
    assert max(forward.values()) <= 1e-5
    assert all(tensor.grad.isfinite().all() for tensor in given.values())


def test_an_open_forget_gate_keeps_its_slope_in_sixteen_bits():
    """1 - f rounds to 0 when f is kept in bfloat16; the sum before the gate is kept instead."""
    given = arguments("lstm", 2, 3, 2, 4, dtype=torch.bfloat16)
    with torch.no_grad():
        given["b_ih"][4:8] = 7.0
    run("lstm", given)[0].float().sum().backward()
    _, want = launched.reference_run("lstm", given, (torch.ones(2, 3, 4), None))
    forget = slice(4, 8)
    assert torch.tensor(7.0).sigmoid().bfloat16() == 1
    assert relative(numpy(given["b_ih"].grad[forget]), want["b_ih"][forget]) <= 5e-2


@pytest.mark.parametrize("cell", CELLS)
def test_an_empty_batch_gives_an_empty_answer_and_zero_gradients(cell):
    given = arguments(cell, 0, 3, 2, 4)
    outputs = run(cell, given)
    assert all(output.shape == (0, 3, 4) for output in outputs)
    outputs[0].sum().backward()
    assert torch.all(given["W_hh"].grad == 0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_second_derivative_is_refused(cell):
    given = arguments(cell, 1, 2, 1, 2)
    with pytest.raises(RuntimeError, match="gradient cannot be differentiated again: use backend='torch'"):
        torch.autograd.grad(run(cell, given)[0].sum(), given["x"], create_graph=True)


@pytest.mark.parametrize("cell", CELLS)
def test_a_wrong_shape_or_data_type_is_named(cell):
    program, G = PROGRAMS[cell], launched.GATES[cell]
    z, state, W = torch.zeros(2, 3, G * 4), torch.zeros(2, 4), torch.zeros(G * 4, 4)
    rest = (state,) if cell == "lstm" else ()

    def call(z=z, h0=state, W=W):
        program(z, h0, *rest, W)

    with pytest.raises(ValueError, match=rf"z has shape \(2, 3\); it must have shape \(B, T, {G} \* H\)"):
        call(z=torch.zeros(2, 3))
    with pytest.raises(ValueError, match=rf"its last size must be a multiple of {G}, one H per gate"):
        call(z=torch.zeros(2, 3, G * 4 + 1))
    with pytest.raises(ValueError, match=r"h0 has shape \(2, 5\); it must have shape \(2, 4\)"):
        call(h0=torch.zeros(2, 5))
    with pytest.raises(ValueError, match=rf"W_hh has shape \(4, 4\); it must have shape \({G * 4}, 4\)"):
        call(W=torch.zeros(4, 4))
    with pytest.raises(ValueError, match="so it has no step; a sequence needs at least one"):
        call(z=torch.zeros(2, 0, G * 4))
    with pytest.raises(ValueError, match=r"h0 holds torch.float64 and z holds torch.float32; convert one of them"):
        call(h0=state.double())


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("backward", [False, True])
def test_the_cost_counts_what_the_equations_say(cell, backward):
    B, T, D, H = 2, 3, 5, 7
    G = launched.GATES[cell]
    states = 2 if cell == "lstm" else 1
    products = B * T * 2 * G * H * (D + H)
    weights = G * H * (D + H + 2)
    cost = kernels.cost(B, T, D, H, 4, backward=backward, cell=cell)
    assert cost.steps == T
    if backward:  # both products again, once for the inputs and once for the weights
        assert cost.flops == 2 * products
        assert cost.bytes == 4 * (2 * B * T * (D + H) + 2 * states * B * H + 2 * weights)
    else:
        assert cost.flops == products
        last_cell = B * H if cell == "lstm" else 0
        assert cost.bytes == 4 * (B * T * (D + H) + states * B * H + last_cell + weights)


def test_the_cost_says_when_the_weights_outgrow_a_multiprocessor_and_names_its_cells():
    assert [kernels.cost(1, 1, 1, 256, 2, cell=cell).step for cell in ("rnn", "gru", "lstm")] == [
        "in-cta",
        "cross-cta",
        "cross-cta",
    ]
    assert kernels.cost(1, 1, 1, 128, 2, cell="lstm").step == "in-cta"
    with pytest.raises(ValueError, match="cell is 'elman'; it must be one of rnn, gru, lstm"):
        kernels.cost(1, 1, 1, 1, 4, cell="elman")


def test_states_do_not_depend_on_the_other_sequences_of_a_batch():
    given = {name: tensor.detach() for name, tensor in arguments("lstm", 18, 2, 2, 5).items()}
    alone = given | {name: given[name][17:] for name in ("x", "h0", "c0")}
    for whole, one in zip(run("lstm", given), run("lstm", alone), strict=True):
        np.testing.assert_allclose(numpy(whole[17:]), numpy(one), rtol=1e-6)
