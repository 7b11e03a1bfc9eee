"""Assignment 4's solutions against torch and the package; its demonstrations show what the text says."""

import re

import numpy as np
import pytest
import torch

from seqlab.kernels import Cost, Device
from seqlab.recurrent import reference
from seqlab.recurrent.cost import cost
from tests.assignments.test_sources import solved

FOURTH = "04_gated_units"
B, T, D, H = 3, 5, 4, 6
NAMES = ("W_ih", "W_hh", "b_ih", "b_hh")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(FOURTH, "random-arrays", "notes-arrays", "misprint-arrays", "open-gate-arrays", "small-network")


def tensors(arrays):
    return {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}


def torch_cell(kind, weights):
    """torch's own cell with these weights."""
    cell = kind(D, H, dtype=torch.float64)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: torch.tensor(weights[own]) for name, own in zip(names, NAMES, strict=True)})
    return cell


def close(mine, theirs, message=""):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg=message)


def test_the_gru_step_and_its_gradients_agree_with_torch(space, rng):
    arrays, dh = space["random_cell"](rng, 3, B, D, H), rng.normal(size=(B, H))
    h, gates = space["gru_step"](**arrays)
    mine = space["gru_step_backward"](dh, arrays["x"], arrays["h"], gates, arrays["W_ih"], arrays["W_hh"])
    cell, given = torch_cell(torch.nn.GRUCell, arrays), tensors({name: arrays[name] for name in "xh"})
    theirs = cell(given["x"], given["h"])
    theirs.backward(torch.tensor(dh))
    close(h, theirs)
    found = {"x": given["x"].grad, "h_prev": given["h"].grad, "W_ih": cell.weight_ih.grad, "W_hh": cell.weight_hh.grad}
    found |= {"b_ih": cell.bias_ih.grad, "b_hh": cell.bias_hh.grad}
    assert mine.keys() == found.keys()
    for name, gradient in found.items():
        close(mine[name], gradient, name)


def test_the_notes_form_agrees_with_the_package_reset_before_the_product(space, rng):
    weights, x, c = space["notes_weights"](rng, D, H), rng.normal(size=(B, D)), rng.normal(size=(B, H))
    W_ih, W_hh, b = space["in_torch_order"](**weights)
    theirs = reference.gru_step(x, c, W_ih, W_hh, b, np.zeros_like(b), reset_after=False)
    close(space["notes_step"](x, c, **weights), theirs)


def test_the_lstm_step_and_its_gradients_agree_with_torch(space, rng):
    arrays, c = space["random_cell"](rng, 4, B, D, H), rng.normal(size=(B, H))
    dh, dc = rng.normal(size=(2, B, H))
    h, new, gates = space["lstm_step"](c=c, **arrays)
    mine = space["lstm_step_backward"](dh, dc, arrays["x"], arrays["h"], c, new, gates, arrays["W_ih"], arrays["W_hh"])
    cell, given = torch_cell(torch.nn.LSTMCell, arrays), tensors({"x": arrays["x"], "h": arrays["h"], "c": c})
    theirs = cell(given["x"], (given["h"], given["c"]))
    torch.autograd.backward(theirs, [torch.tensor(dh), torch.tensor(dc)])
    close(h, theirs[0])
    close(new, theirs[1])
    found = {"x": given["x"].grad, "h_prev": given["h"].grad, "c_prev": given["c"].grad, "b": cell.bias_ih.grad}
    found |= {"W_ih": cell.weight_ih.grad, "W_hh": cell.weight_hh.grad}
    assert mine.keys() == found.keys()
    for name, gradient in found.items():
        close(mine[name], gradient, name)


def cell_line(form, a, c):
    """The new cell and the output gate of each printed form, from the sums (B, gates, H) before the squashing."""
    s = 1 / (1 + np.exp(-a))
    if form == "coupled-input":
        return (1 - s[:, 0]) * c + s[:, 0] * np.tanh(a[:, 1]), s[:, 2]
    if form == "coupled-forget":
        return s[:, 0] * c + (1 - s[:, 0]) * np.tanh(a[:, 1]), s[:, 2]
    keep = 1 - s[:, 1] if form == "one-minus" else s[:, 1]
    return keep * c + s[:, 0] * np.tanh(a[:, 2]), s[:, 3]


@pytest.mark.parametrize(
    ("form", "gates"), [("standard", 4), ("one-minus", 4), ("coupled-input", 3), ("coupled-forget", 3)]
)
def test_converted_weights_give_the_states_of_the_printed_form(space, rng, form, gates):
    weights, x = space["cell_weights"](rng, gates, D, H), rng.normal(size=(B, T, D))
    h, c = np.zeros((2, B, H))
    theirs, _, _ = reference.lstm_forward(x, h, c, **space["standard_form"](weights, form))
    for t in range(T):
        a = x[:, t] @ weights["W_ih"].T + weights["b_ih"] + h @ weights["W_hh"].T + weights["b_hh"]
        c, o = cell_line(form, a.reshape(B, gates, H), c)
        h = o * np.tanh(c)
        close(h, theirs[:, t], f"step {t}")


def test_the_shares_are_the_derivatives_of_the_last_cell(space, rng):
    f = rng.uniform(0, 1, size=(T, H))
    written = torch.zeros(T, H, dtype=torch.float64, requires_grad=True)
    c = torch.zeros(H, dtype=torch.float64)
    for t in range(T):
        c = torch.tensor(f[t]) * c + written[t]
    c.sum().backward()
    close(space["cell_shares"](f), written.grad)


@pytest.mark.parametrize("bias", [1.0, 3.0])
def test_opened_weights_load_into_torch_and_start_with_this_bias(space, bias):
    network = torch.nn.LSTM(D, H, num_layers=2, bidirectional=True, dtype=torch.float64)
    before = {name: one.numpy().copy() for name, one in network.state_dict().items()}
    opened = space["open_forget_gates"](before, bias)
    network.load_state_dict({name: torch.tensor(one) for name, one in opened.items()})
    for sums in space["bias_sums"](opened):
        assert sums[H : 2 * H] == pytest.approx(bias)
    changed = {name for name in before if not np.array_equal(before[name], opened[name])}
    assert changed == {name for name in before if name.startswith("bias")}


@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("gru", 2), ("lstm", 3)])
def test_the_count_of_parameters_agrees_with_torch(space, cell, layers):
    network = getattr(torch.nn, cell.upper())(D, H, num_layers=layers)
    assert space["parameters"](cell, D, H, layers) == sum(one.numel() for one in network.parameters())


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (64, 512, 128, 128), (2, 9, 700, 600)])
def test_the_cost_and_its_floor_agree_with_the_package(space, shape):
    mine, theirs = space["lstm_cost"](*shape, 2), cost(*shape, 2, cell="lstm")
    assert mine == {"bytes": theirs.bytes, "flops": theirs.flops, "steps": theirs.steps}
    speeds = {"bandwidth": 3e9, "flops": 5e11, "step": 2e-7}
    device = Device("made up", 3e9, {"bfloat16": 5e11}, {"in-cta": 2e-7, "cross-cta": 2e-7})
    limit, seconds = space["floor"](mine, speeds)
    assert limit == Cost(theirs.bytes, theirs.flops, theirs.steps, "bfloat16").bound(device)
    assert seconds == pytest.approx(theirs.floor(device))


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(
        FOURTH,
        *("random-arrays", "misprint-arrays", "small-network"),
        *("sequence-demo", "gru-demo", "misprint-demo", "remember-demo", "cost-demo"),
    )
    said = capsys.readouterr().out.splitlines()
    errors = [float(line.split()[-1]) for line in said if "against the kernel" in line]
    assert len(errors) == 9
    assert max(errors) < 1e-5
    mine, numeric = (float(line.split()[-1]) for line in said if line.startswith(("mine  ", "finite")))
    assert mine == pytest.approx(numeric, rel=1e-6)
    loaded, converted = (float(line.split()[-1]) for line in said if "difference in c" in line)
    assert converted < 1e-9 < 0.1 < loaded
    learnt = [float(re.search(r"error ([\d.]+)", line)[1]) for line in said if ": error" in line]
    assert len(learnt) == 10
    assert min(learnt[:5]) > 0.8  # the forget gate half shut: it knows nothing
    assert learnt[-1] < 0.01
    assert "below H = 171" in "\n".join(said)
    table = [line.split() for line in said[-4:]]
    assert [row[5] for row in table] == ["steps", "steps", "steps", "arithmetic"]
    assert [row[8] for row in table] == ["steps", "steps", "steps", "memory"]
    assert {row[2] for row in table} == {"0.75"}
