"""The Turing machine as a module: its shapes, its trace, its gradients, its memory's length, its errors."""

import numpy as np
import pytest
import torch

from seqlab.attention import TuringMachine
from seqlab.attention.reference import turing as reference

CONTROLLERS = ("lstm", "feedforward")


def machine(seed=0, **settings):
    """A small machine with weights large enough to move its heads."""
    torch.manual_seed(seed)
    small = {"input_size": 3, "output_size": 2, "rows": 5, "width": 4, "hidden": 6} | settings
    built = TuringMachine(**small).double()
    with torch.no_grad():
        for weight in built.parameters():
            weight.mul_(3)
    return built


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("shifts", [0, 2])
def test_the_trace_holds_weights_and_the_memory_as_it_was_written(controller, heads, shifts):
    model = machine(controller=controller, heads=heads, shifts=shifts)
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    y, trace = model(x, trace=True)
    assert y.shape == (2, 7, 2)
    assert trace.read.shape == trace.write.shape == (2, 7, heads, 5)
    assert trace.memory.shape == (2, 7, 5, 4)
    assert trace.erase.shape == trace.add.shape == (2, 7, heads, 4)
    for w in (trace.read, trace.write):
        assert (w >= 0).all()
        assert torch.allclose(w.sum(dim=-1), torch.ones(2, 7, heads, dtype=torch.float64))
    assert torch.equal(model(x), y)


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("heads", [1, 2])
def test_the_gradients_are_right(controller, heads):
    model = machine(heads=heads, controller=controller, width=2, hidden=3, rows=4)
    with torch.no_grad():
        model.address.weight.mul_(0.3)
    x = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in model.named_parameters()]

    def run(x, *weights):
        return torch.func.functional_call(model, dict(zip(names, weights, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *model.parameters()), atol=1e-5)


def test_each_step_follows_the_equations_of_the_reference():
    """The memory and the weights of the trace, made anew in NumPy from what the controller says."""
    model = machine(heads=2)
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    y, trace = model(x, trace=True)
    memory, w = np.full((2, 5, 4), 1e-6), np.zeros((2, 4, 5))
    w[..., 0] = 1
    seen, state = torch.zeros(2, 8, dtype=torch.float64), None
    for t in range(6):
        state = model.controller(torch.cat([x[:, t], seen], dim=1), state)
        said = model.address(state[0]).split(model.sizes, dim=1)
        key, strength, gate, s, gamma, erase, add = (part.detach().numpy() for part in said)
        key = np.tanh(key).reshape(2, 4, 4)
        s = np.exp(s).reshape(2, 4, 3)
        found = reference.content_weights(memory, key, np.log1p(np.exp(strength)))
        w = reference.interpolate(found, w, 1 / (1 + np.exp(-gate)))
        w = reference.shift(w, s / s.sum(axis=-1, keepdims=True))
        w = reference.sharpen(w, 1 + np.log1p(np.exp(gamma)))
        erase, add = (1 / (1 + np.exp(-erase))).reshape(2, 2, 4), add.reshape(2, 2, 4)
        memory = reference.write(memory, w[:, :2], erase, add)
        seen = torch.tensor(reference.read(memory, w[:, 2:])).flatten(1)
        assert np.allclose(trace.write[:, t].detach(), w[:, :2])
        assert np.allclose(trace.read[:, t].detach(), w[:, 2:])
        assert np.allclose(trace.memory[:, t].detach(), memory)
        assert np.allclose(trace.erase[:, t].detach(), erase)
        assert np.allclose(trace.add[:, t].detach(), add)
        assert torch.allclose(y[:, t], model.out(torch.cat([state[0], seen], dim=1)))


def test_the_future_does_not_leak():
    model = machine()
    x = torch.randn(1, 8, 3, dtype=torch.float64)
    changed = x.clone()
    changed[:, 5:] += 1
    assert torch.equal(model(x)[:, :5], model(changed)[:, :5])
    assert not torch.allclose(model(x)[:, 5:], model(changed)[:, 5:])


def test_the_sequences_of_a_batch_do_not_meet():
    model = machine(heads=2)
    x = torch.randn(3, 6, 3, dtype=torch.float64)
    assert torch.allclose(model(x)[1:2], model(x[1:2]))


def test_a_longer_memory_takes_the_same_weights():
    short, long = machine(rows=5), TuringMachine(3, 2, rows=50, width=4, hidden=6).double()
    long.load_state_dict(short.state_dict())
    assert long(torch.randn(1, 4, 3, dtype=torch.float64)).shape == (1, 4, 2)


def test_a_feedforward_controller_remembers_through_the_memory_alone():
    """With nothing written, what was read is the blank memory, and the past is gone."""
    model = machine(controller="feedforward")
    with torch.no_grad():
        starts = np.cumsum([0, *model.sizes])
        model.address.weight[starts[5] :] = 0
        model.address.bias[starts[5] :] = 0
        model.address.bias[starts[5] : starts[6]] = -50  # erase nothing, add nothing
    x = torch.randn(1, 6, 3, dtype=torch.float64)
    changed = x.clone()
    changed[:, :5] += 1
    assert torch.allclose(model(x)[:, 5], model(changed)[:, 5], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rows": 2}, "rows is 2; heads that move by up to 1 need at least 3"),
        ({"width": 0}, "width is 0; it must be a whole number, at least 1"),
        ({"heads": 1.5}, "heads is 1.5; it must be a whole number"),
        ({"shifts": -1}, "shifts is -1; it must be a whole number, at least 0"),
        ({"controller": "gru"}, "controller is 'gru'; it must be 'lstm' or 'feedforward'"),
    ],
)
def test_wrong_settings_are_named(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        machine(**settings)


def test_wrong_inputs_are_named():
    with pytest.raises(ValueError, match=r"x has shape \(2, 4, 5\); it must have shape \(B, T, 3\)"):
        machine()(torch.zeros(2, 4, 5, dtype=torch.float64))
    with pytest.raises(ValueError, match="at least one step"):
        machine()(torch.zeros(2, 0, 3, dtype=torch.float64))
