"""The torch function, the module against torch.nn.RNN, and clipping."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from seqlab.recurrent import RNN, clip_by_norm, clip_by_value, kernels, reference, rnn

COMBINATIONS = list(itertools.product((1, 3), ("tanh", "relu"), (True, False), (True, False), (True, False)))


def twins(*arguments, **options):
    """A torch.nn.RNN and ours with the same weights, float64."""
    theirs = torch.nn.RNN(*arguments, **options, dtype=torch.float64)
    ours = RNN(*arguments, **options, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def assert_same(have, want):
    torch.testing.assert_close(have, want, atol=1e-10, rtol=0)


def assert_same_gradients(ours, theirs):
    for (name, have), (their_name, want) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        assert_same(have.grad, want.grad)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 7, 2, 4)])
def test_the_function_agrees_with_the_reference(sizes, nonlinearity):
    B, T, D, H = sizes
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size) for size in ((B, T, D), (B, H), (H, D), (H, H), (H,), (H,))]
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    h = rnn(*leaves, nonlinearity)
    want, cache = reference.rnn_forward(*arrays, nonlinearity)
    dh = rng.normal(size=want.shape)
    h.backward(torch.tensor(dh))
    np.testing.assert_allclose(h.detach().numpy(), want, atol=1e-10, rtol=1e-12)
    for leaf, gradient in zip(leaves, reference.rnn_backward(dh, cache).values(), strict=True):
        np.testing.assert_allclose(leaf.grad.numpy(), gradient, atol=1e-10, rtol=1e-12)


@pytest.mark.parametrize("absent", [("b_ih",), ("b_hh",), ("b_ih", "b_hh")])
def test_an_absent_bias_is_a_zero_bias(absent):
    values = {"x": torch.randn(2, 3, 4), "h0": torch.randn(2, 5), "W_ih": torch.randn(5, 4), "W_hh": torch.randn(5, 5)}
    values |= {"b_ih": torch.randn(5), "b_hh": torch.randn(5)}
    zero = values | dict.fromkeys(absent, torch.zeros(5))
    torch.testing.assert_close(rnn(**(values | dict.fromkeys(absent))), rnn(**zero))


@pytest.mark.parametrize(("layers", "nonlinearity", "bias", "batch_first", "bidirectional"), COMBINATIONS)
def test_the_module_gives_the_numbers_of_torch(layers, nonlinearity, bias, batch_first, bidirectional):
    theirs, ours = twins(
        3,
        5,
        num_layers=layers,
        nonlinearity=nonlinearity,
        bias=bias,
        batch_first=batch_first,
        bidirectional=bidirectional,
    )
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    h0 = torch.randn(layers * (1 + bidirectional), 4 if batch_first else 6, 5, dtype=torch.float64)
    for hx in (None, h0):
        theirs.zero_grad()
        ours.zero_grad()
        (output, h_n), (want_output, want_h_n) = ours(x, hx), theirs(x, hx)
        assert_same(output, want_output)
        assert_same(h_n, want_h_n)
        (output.square().sum() + h_n.sum()).backward()
        (want_output.square().sum() + want_h_n.sum()).backward()
        assert_same_gradients(ours, theirs)
    assert_same(ours(x[0])[0], theirs(x[0])[0])
    assert_same(ours(x[0], h0[:, 0])[1], theirs(x[0], h0[:, 0])[1])


@pytest.mark.parametrize("sort", [True, False])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, True)])
def test_packed_sequences_give_the_numbers_of_torch(layers, bidirectional, sort):
    theirs, ours = twins(3, 5, layers, bidirectional=bidirectional)
    lengths = [6, 4, 4, 1] if sort else [4, 1, 6, 4]
    packed = pack_sequence([torch.randn(n, 3, dtype=torch.float64) for n in lengths], enforce_sorted=sort)
    hx = torch.randn(layers * (1 + bidirectional), 4, 5, dtype=torch.float64)
    for state in (None, hx):
        (output, h_n), (want_output, want_h_n) = ours(packed, state), theirs(packed, state)
        assert_same(output.data, want_output.data)
        assert torch.equal(output.batch_sizes, want_output.batch_sizes)
        assert_same(h_n, want_h_n)
        assert_same(pad_packed_sequence(output)[0], pad_packed_sequence(want_output)[0])
    theirs.zero_grad()
    ours.zero_grad()
    output.data.square().sum().backward()
    want_output.data.square().sum().backward()
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_does_not_matter_when_lengths_are_given(bidirectional):
    _, ours = twins(3, 5, 2, bidirectional=bidirectional, batch_first=True)
    lengths = [4, 1, 6]
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in lengths]
    padded = torch.full((3, 8, 3), 1e3, dtype=torch.float64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    output, h_n = ours(padded, lengths=torch.tensor(lengths))
    for i, sequence in enumerate(sequences):
        alone, last = ours(sequence)
        assert_same(output[i, : len(sequence)], alone)
        assert torch.all(output[i, len(sequence) :] == 0)
        assert_same(h_n[:, i], last)


def test_a_state_dict_goes_both_ways():
    theirs, ours = torch.nn.RNN(3, 5, 2, bidirectional=True), RNN(3, 5, 2, bidirectional=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(theirs(x)[0], ours(x)[0])


def test_the_same_seed_gives_the_same_first_weights_and_drops_the_same_states():
    options = {"num_layers": 3, "dropout": 0.5, "bidirectional": True, "dtype": torch.float64}
    torch.manual_seed(0)
    theirs = torch.nn.RNN(3, 5, **options)
    torch.manual_seed(0)
    ours = RNN(3, 5, **options)
    x = torch.randn(7, 4, 3, dtype=torch.float64)
    torch.manual_seed(1)
    want = theirs(x)
    torch.manual_seed(1)
    have = ours(x)
    assert_same(have[0], want[0])
    assert_same(have[1], want[1])
    assert not torch.allclose(have[0], ours.eval()(x)[0])
    assert_same(ours(x)[0], theirs.eval()(x)[0])


def test_attributes_are_those_of_torch():
    theirs, ours = twins(3, 5, 2, "relu", False, True, 0.25, True)
    for name in ("mode", "input_size", "hidden_size", "num_layers", "nonlinearity", "bias", "batch_first", "dropout"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert (ours.bidirectional, ours.proj_size) == (theirs.bidirectional, theirs.proj_size)
    assert [[w.shape for w in ws] for ws in ours.all_weights] == [[w.shape for w in ws] for ws in theirs.all_weights]
    assert ours.flatten_parameters() is None
    expected = (
        "RNN(3, 5, num_layers=2, nonlinearity=relu, bias=False, batch_first=True, dropout=0.25, bidirectional=True)"
    )
    assert repr(ours) == expected


def test_the_module_runs_the_kernel_when_told_to(monkeypatch):
    runs = []
    recurrence = kernels.recurrence
    monkeypatch.setattr(kernels, "recurrence", lambda *arguments: runs.append(1) or recurrence(*arguments))
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    kernel = RNN(3, 5, **options, backend="triton")
    loop = RNN(3, 5, **options, backend="torch")
    loop.load_state_dict(kernel.state_dict())
    x = torch.randn(2, 3, 3)
    have, want = kernel(x, lengths=torch.tensor([3, 2])), loop(x, lengths=torch.tensor([3, 2]))
    torch.testing.assert_close(have, want, atol=1e-6, rtol=1e-5)
    assert len(runs) == 4  # two layers, two directions


def test_an_empty_batch_gives_an_empty_answer():
    output, h_n = RNN(3, 5, batch_first=True)(torch.zeros(0, 4, 3))
    assert output.shape == (0, 4, 5)
    assert h_n.shape == (1, 0, 5)


GOOD = {"x": (2, 3, 4), "h0": (2, 5), "W_ih": (5, 4), "W_hh": (5, 5), "b_ih": (5,), "b_hh": (5,)}
WRONG = [
    ({"x": torch.zeros(2, 0, 4)}, r"x has shape \(2, 0, 4\), so it has no step; a sequence needs at least one"),
    ({"x": torch.zeros(2, 3, 7)}, r"x has shape \(2, 3, 7\); it must have shape \(B, T, 4\)"),
    ({"x": torch.zeros(2, 3, 4, dtype=torch.long)}, r"x holds torch.int64; it must hold floats, x.float\(\)"),
    ({"x": np.zeros((2, 3, 4))}, "x is a ndarray; it must be a torch tensor"),
    ({"h0": torch.zeros(3, 5)}, r"h0 has shape \(3, 5\); it must have shape \(2, 5\)"),
    ({"h0": torch.zeros(2, 5, dtype=torch.float64)}, "h0 holds torch.float64 and x holds torch.float32; convert one"),
    ({"W_hh": torch.zeros(5, 4)}, r"W_hh has shape \(5, 4\); it must have shape \(5, 5\)"),
    ({"b_hh": torch.zeros(4)}, r"b_hh has shape \(4,\); it must have shape \(5,\)"),
    ({"nonlinearity": "gelu"}, "nonlinearity is 'gelu'; it must be 'tanh' or 'relu'"),
    ({"backend": "cuda"}, "backend is 'cuda'; it must be 'auto', 'torch' or 'triton'"),
    ({"b_ih": torch.zeros(5, device="meta")}, "the tensors lie on different devices, cpu, meta: move them to one"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_what_does_not_fit_is_named(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        rnn(**({name: torch.zeros(size) for name, size in GOOD.items()} | change))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"input_size": 0}, "input_size is 0; it must be a whole number, at least 1"),
        ({"hidden_size": 2.5}, "hidden_size is 2.5; it must be a whole number, at least 1"),
        ({"num_layers": -1}, "num_layers is -1; it must be a whole number, at least 1"),
        ({"nonlinearity": "gelu"}, "nonlinearity is 'gelu'; it must be 'tanh' or 'relu'"),
        ({"dropout": 1.5}, "dropout is 1.5; it must be a probability, 0 to 1"),
        ({"backend": "cuda"}, "backend is 'cuda'; it must be 'auto', 'torch' or 'triton'"),
    ],
)
def test_a_wrong_option_of_the_module_is_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        RNN(**({"input_size": 3, "hidden_size": 5} | options))


def test_dropout_with_one_layer_is_warned_about():
    with pytest.warns(UserWarning, match=r"dropout is 0.5 but acts between layers, and there is one layer"):
        RNN(3, 5, dropout=0.5)


@pytest.mark.parametrize(
    ("input", "options", "sentence"),
    [
        (torch.zeros(2, 3, 4), {}, r"input has shape \(2, 3, 4\); it must have shape \(T, B, 3\)"),
        (torch.zeros(2, 3, 4, 3), {}, r"input has shape \(2, 3, 4, 3\); it must have shape \(T, B, 3\)"),
        (torch.zeros(2, 4), {}, r"input has shape \(2, 4\); it must have shape \(T, 3\)"),
        ([[1.0]], {}, "input is a list; it must be a torch tensor or a PackedSequence"),
        (torch.zeros(0, 2, 3), {}, "so it has no step; a sequence needs at least one"),
        (torch.zeros(4, 2, 3).double(), {}, "holds torch.float32 and x holds torch.float64; convert one"),
        (
            torch.zeros(4, 2, 3),
            {"hx": torch.zeros(2, 2, 5)},
            r"hx has shape \(2, 2, 5\); it must have shape \(1, 2, 5\)",
        ),
        (torch.zeros(4, 3), {"hx": torch.zeros(1, 1, 5)}, r"hx has shape \(1, 1, 5\); it must have shape \(1, 5\)"),
        (
            torch.zeros(4, 2, 3),
            {"lengths": [5, 1]},
            "lengths goes from 1 to 5; with 4 steps every length must be from 1",
        ),
        (
            torch.zeros(4, 2, 3),
            {"lengths": [4, 0]},
            "lengths goes from 0 to 4; with 4 steps every length must be from 1",
        ),
        (torch.zeros(4, 2, 3), {"lengths": [4]}, r"lengths has shape \(1,\); it must have shape \(2,\)"),
        (torch.zeros(4, 2, 3), {"lengths": [4.0, 1.0]}, "lengths holds torch.float32; it must hold whole numbers"),
        (
            torch.zeros(4, 3),
            {"lengths": [4]},
            "lengths was given with an input without a batch; cut the sequence instead",
        ),
        (pack_sequence([torch.zeros(4, 3)]), {"lengths": [4]}, "lengths was given with a PackedSequence"),
        (pack_sequence([torch.zeros(4, 2)]), {}, r"input.data has shape \(4, 2\); it must have shape \(N, 3\)"),
    ],
)
def test_a_wrong_input_of_the_module_is_named(input, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        RNN(3, 5)(input, **options)


def gradients(*values):
    parameters = [torch.zeros(len(value), requires_grad=True) for value in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = torch.tensor(value)
    return parameters


@pytest.mark.parametrize("limit", [0.1, 20.0, 1e4])
def test_clipping_by_norm_agrees_with_torch_and_with_the_reference(limit):
    values = [[3.0, -40.0, 5.0], [0.0, 60.0]]
    ours, theirs = gradients(*values), gradients(*values)
    unused = torch.zeros(2, requires_grad=True)
    norm = clip_by_norm([*ours, unused], limit)
    want_norm = torch.nn.utils.clip_grad_norm_(theirs, limit)
    clipped, reference_norm = reference.clip_by_norm({str(i): np.array(v) for i, v in enumerate(values)}, limit)
    torch.testing.assert_close(norm, want_norm)
    assert norm.item() == pytest.approx(reference_norm, rel=1e-6)
    assert unused.grad is None
    for have, want, array in zip(ours, theirs, clipped.values(), strict=True):
        torch.testing.assert_close(have.grad, want.grad)
        np.testing.assert_allclose(have.grad.numpy(), array, rtol=1e-6)


def test_clipping_by_value_agrees_with_torch():
    ours, theirs = gradients([3.0, -40.0], [0.5]), gradients([3.0, -40.0], [0.5])
    clip_by_value(iter(ours), 2.0)
    torch.nn.utils.clip_grad_value_(theirs, 2.0)
    assert all(torch.equal(have.grad, want.grad) for have, want in zip(ours, theirs, strict=True))
    clip_by_value(ours[0], 1.0)
    assert ours[0].grad.tolist() == [1.0, -1.0]


def test_clipping_reports_inf_and_nan_and_then_touches_nothing():
    for bad in (float("inf"), float("nan")):
        parameters = gradients([3.0, bad])
        with pytest.raises(ValueError, match=r"the gradients have norm (inf|nan) and were not clipped"):
            clip_by_norm(parameters, 1.0, error_if_nonfinite=True)
        assert parameters[0].grad[0] == 3.0
        assert not clip_by_norm(parameters, 1.0).isfinite()


def test_an_infinite_limit_clips_nothing_and_zero_gradients_stay_zero():
    parameters = gradients([3.0, 4.0])
    assert clip_by_norm(parameters, float("inf")) == 5.0
    assert parameters[0].grad.tolist() == [3.0, 4.0]
    parameters = gradients([0.0, 0.0])
    assert clip_by_norm(parameters, 1.0) == 0.0
    assert parameters[0].grad.tolist() == [0.0, 0.0]


def test_clipping_names_a_wrong_limit():
    for clip in (clip_by_norm, clip_by_value):
        with pytest.raises(ValueError, match="limit is -1; it must be a positive number"):
            clip(gradients([1.0]), -1)
