"""Residual and highway connections, and stacks of layers."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from seqlab.recurrent import GRU, LSTM, RNN, Highway, Residual, Stack

DOUBLE = {"batch_first": True, "dtype": torch.float64}
WRAPPERS = [Residual, Highway]


def parts(state):
    """Every tensor of a state, whatever holds it."""
    return [state] if isinstance(state, torch.Tensor) else [tensor for part in state for tensor in parts(part)]


def assert_same(have, want):
    torch.testing.assert_close(have, want, atol=1e-10, rtol=0)


def by_hand(wrapper, x, h):
    """The connection in NumPy."""
    x, h = x.detach().numpy(), h.detach().numpy()
    if isinstance(wrapper, Residual):
        return torch.tensor(x + h)
    W, b = wrapper.gate.weight.detach().numpy(), wrapper.gate.bias.detach().numpy()
    g = 1 / (1 + np.exp(-(x @ W.T + b)))
    return torch.tensor(g * h + (1 - g) * x)


@pytest.mark.parametrize("connect", WRAPPERS)
@pytest.mark.parametrize(
    "layer", [RNN(4, 4, **DOUBLE), GRU(4, 2, bidirectional=True, **DOUBLE), LSTM(4, 4, 2, **DOUBLE)]
)
def test_a_connection_mixes_input_and_output_and_gives_the_state_of_its_layer(connect, layer):
    wrapper = connect(layer)
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    h, state = layer(x)
    y, same_state = wrapper(x)
    assert_same(y.detach(), by_hand(wrapper, x, h))
    assert type(same_state) is type(state)
    assert_same(parts(same_state), parts(state))
    y, _ = wrapper(x, same_state)
    assert_same(y.detach(), by_hand(wrapper, x, layer(x, state)[0]))
    assert_same(wrapper(x[0])[0].detach(), by_hand(wrapper, x[0], layer(x[0])[0]))


@pytest.mark.parametrize("connect", WRAPPERS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_padding_does_not_matter_when_lengths_are_given(connect, batch_first):
    wrapper = connect(GRU(4, 2, bidirectional=True, batch_first=batch_first, dtype=torch.float64))
    lengths = [3, 5, 1]
    sequences = [torch.randn(n, 4, dtype=torch.float64) for n in lengths]
    padded = torch.full((3, 6, 4), 1e3, dtype=torch.float64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    y, state = wrapper(padded if batch_first else padded.transpose(0, 1), lengths=lengths)
    y = y if batch_first else y.transpose(0, 1)
    for i, sequence in enumerate(sequences):
        alone, last = wrapper(sequence)
        assert_same(y[i, : len(sequence)], alone)
        assert torch.all(y[i, len(sequence) :] == 0)
        assert_same(state[:, i], last)


@pytest.mark.parametrize("connect", WRAPPERS)
@pytest.mark.parametrize("layer", [LSTM(4, 4, dtype=torch.float64), torch.nn.LSTM(4, 2, bidirectional=True).double()])
def test_packed_sequences_and_layers_of_torch_pass_through(connect, layer):
    wrapper = connect(layer)
    sequences = [torch.randn(n, 4, dtype=torch.float64) for n in (2, 4, 1)]
    y, _ = wrapper(pack_sequence(sequences, enforce_sorted=False))
    back = torch.nn.utils.rnn.unpack_sequence(y)
    for have, sequence in zip(back, sequences, strict=True):
        assert_same(have, wrapper(sequence)[0])


def test_a_highway_starts_near_carrying_and_its_bias_opens_or_shuts_it():
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    layer = RNN(4, 4, **DOUBLE)
    h = layer(x)[0]
    assert torch.all(Highway(layer).gate.bias == -2)
    assert_same(Highway(layer, bias=-100.0)(x)[0], x)
    assert_same(Highway(layer, bias=100.0)(x)[0], h)
    start = Highway(layer)
    with torch.no_grad():
        start.gate.weight.zero_()
    assert_same(start(x)[0], x + (h - x) * torch.sigmoid(torch.tensor(-2.0, dtype=torch.float64)))


@pytest.mark.parametrize("connect", WRAPPERS)
def test_a_gradient_passes_a_layer_that_is_dead(connect):
    """Twenty layers of zero weights: without a connection nothing comes through, with one the gradient is whole."""
    layers = [RNN(3, 3, **DOUBLE) for _ in range(20)]
    for layer in layers:
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    (dead,) = torch.autograd.grad(Stack(layers)(x)[0].sum(), x)
    assert torch.all(dead == 0)
    options = {} if connect is Residual else {"bias": -100.0}
    (alive,) = torch.autograd.grad(Stack([connect(layer, **options) for layer in layers])(x)[0].sum(), x)
    assert_same(alive, torch.ones_like(alive))


@pytest.mark.parametrize("connect", WRAPPERS)
def test_the_parameters_of_a_connection_all_learn(connect):
    wrapper = connect(GRU(3, 3))
    wrapper(torch.randn(4, 2, 3))[0].square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in wrapper.parameters())
    assert len(list(wrapper.parameters())) == (4 if connect is Residual else 6)


def split(tall, kind, **options):
    """The layers of a tall module, one module each, with its weights."""
    layers = []
    for i in range(tall.num_layers):
        D = tall.input_size if i == 0 else tall.output_size
        one = kind(D, tall.hidden_size, bidirectional=tall.bidirectional, **options)
        names = {name: name.replace("_l0", f"_l{i}") for name in one.state_dict()}
        one.load_state_dict({name: tall.state_dict()[theirs] for name, theirs in names.items()})
        layers.append(one)
    return layers


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_a_stack_is_what_num_layers_makes_dropout_included(kind, batch_first):
    options = {"batch_first": batch_first, "dtype": torch.float64}
    tall = kind(3, 4, 3, bidirectional=True, dropout=0.5, **options)
    stack = Stack(split(tall, kind, **options), dropout=0.5)
    x = torch.randn(5, 6, 3, dtype=torch.float64)
    lengths = [4, 6, 1, 2, 3] if batch_first else [4, 1, 5, 2, 3, 3]
    cases = [(x, {}), (x, {"lengths": lengths}), (x[0], {}), (pack_sequence([x[0], x[1, :4], x[2, :1]]), {})]
    for input, given in cases:
        torch.manual_seed(0)
        want, want_state = tall(input, **given)
        torch.manual_seed(0)
        y, state = stack(input, **given)
        assert_same(y.data, want.data)
        assert len(state) == 3
        halves = [state] if kind is not LSTM else list(zip(*state, strict=True))
        assert_same([torch.cat(list(half)) for half in halves], parts(want_state))
    tall.eval()
    stack.eval()
    assert_same(stack(x)[0], tall(x)[0])


def test_a_stack_carries_its_states_over_a_cut():
    stack = Stack([LSTM(3, 4, **DOUBLE), Residual(GRU(4, 4, **DOUBLE)), Highway(RNN(4, 4, 2, **DOUBLE))])
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    whole, last = stack(x)
    first, states = stack(x[:, :4])
    second, end = stack(x[:, 4:], states)
    assert_same(torch.cat([first, second], dim=1), whole)
    assert_same(parts(end), parts(last))
    assert_same(stack(x, [None, None, None])[0], whole)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_connections_nest_and_know_their_widths():
    stack = Stack([GRU(3, 4, **DOUBLE), Residual(Stack([LSTM(4, 6, **DOUBLE), RNN(6, 4, **DOUBLE)]))])
    assert (stack.input_size, stack.output_size) == (3, 4)
    assert stack(torch.randn(2, 5, 3, dtype=torch.float64), lengths=[5, 2])[0].shape == (2, 5, 4)
    theirs = Stack(
        [torch.nn.LSTM(3, 4, batch_first=True, proj_size=2), GRU(2, 2, bidirectional=True, batch_first=True)]
    )
    assert theirs.output_size == 4
    assert theirs(torch.randn(2, 5, 3))[0].shape == (2, 5, 4)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: Residual(RNN(3, 4)),
            "Residual got a layer that reads 3 numbers a step and gives 4; they must be equal",
        ),
        (lambda: Highway(GRU(4, 4, bidirectional=True)), "Highway got a layer that reads 4 numbers a step and gives 8"),
        (lambda: Stack([]), "layers is empty; a stack needs at least one layer"),
        (
            lambda: Stack([RNN(3, 4), RNN(3, 4)]),
            r"layers\[1\] reads 3 numbers a step and layers\[0\] gives 4; they must",
        ),
        (lambda: Stack([RNN(3, 4), GRU(4, 4, batch_first=True)]), r"layers\[0\] and layers\[1\] differ in batch_first"),
        (lambda: Stack([RNN(3, 4)], dropout=2), "dropout is 2; it must be a probability, 0 to 1"),
        (
            lambda: Stack([RNN(3, 4)])(torch.zeros(2, 2, 3), [None, None]),
            "states is a list of 2; it must be a list of 1",
        ),
        (
            lambda: Stack([RNN(3, 4)])(torch.zeros(2, 2, 3), torch.zeros(1, 2, 4)),
            "states is a Tensor; it must be a list",
        ),
        (
            lambda: Residual(RNN(3, 3))(torch.zeros(2, 2, 4)),
            r"input has shape \(2, 2, 4\); it must have shape \(T, B, 3\)",
        ),
        (
            lambda: Residual(torch.nn.GRU(3, 3))(torch.zeros(2, 2, 3), lengths=[2, 1]),
            "lengths was given to torch.nn.GRU",
        ),
        (lambda: Residual(RNN(3, 3))(torch.zeros(2, 2, 3), lengths=[3, 1]), "lengths goes from 1 to 3; with 2 steps"),
    ],
)
def test_what_does_not_fit_is_named(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
