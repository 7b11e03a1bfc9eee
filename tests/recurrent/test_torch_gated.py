"""The torch functions gru and lstm against the reference and plain loops; GRU and LSTM against torch's layers."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from seqlab.kernels import has_triton
from seqlab.recurrent import GRU, LSTM, RNN, functional, gru, lstm
from tests.recurrent import plain

if has_triton():
    from seqlab.recurrent import kernels

needs_triton = pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")
CLASSES = {"GRU": GRU, "LSTM": LSTM}
COMBINATIONS = list(itertools.product(CLASSES, (1, 3), (True, False), (True, False), (True, False)))


def twins(name, *arguments, **options):
    """A layer of torch and ours with the same weights, float64."""
    theirs = getattr(torch.nn, name)(*arguments, **options, dtype=torch.float64)
    ours = CLASSES[name](*arguments, **options, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def states(name, *size):
    made = tuple(torch.randn(size, dtype=torch.float64) for _ in range(2))
    return made if name == "LSTM" else made[0]


def each(state):
    return state if isinstance(state, tuple) else (state,)


def at(state, index):
    picked = tuple(part[index] for part in each(state))
    return picked if isinstance(state, tuple) else picked[0]


def assert_same(have, want):
    torch.testing.assert_close(have, want, atol=1e-10, rtol=0)


def assert_same_gradients(ours, theirs):
    for (name, have), (their_name, want) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        assert_same(have.grad, want.grad)


def function(cell, values, **options):
    if plain.kind(cell) == "gru":
        return gru(**values, **plain.options(cell), **options), None
    return lstm(**values, **options)


@pytest.mark.parametrize("cell", plain.CELLS)
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 7, 2, 4), (2, 5, 9, 63)])
def test_the_function_agrees_with_the_reference_and_with_a_plain_loop(cell, sizes):
    arrays = plain.arguments(cell, *sizes)
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    h, c = function(cell, leaves)
    rng = np.random.default_rng(1)
    dh, dc = rng.normal(size=h.shape), None if c is None else rng.normal(size=h.shape)
    loss = (h * torch.tensor(dh)).sum() + (0 if c is None else (c * torch.tensor(dc)).sum())
    loss.backward()
    want_h, want_c, cache = plain.forward(cell, arrays)
    assert_same(h.detach(), torch.tensor(want_h))
    if c is not None:
        assert_same(c.detach(), torch.tensor(want_c))
    by_hand = plain.backward(cell, dh, dc, cache)
    by_loop = plain.autograd(cell, arrays, dh, dc)[2]
    for name, leaf in leaves.items():
        assert_same(leaf.grad, torch.tensor(by_hand[name]))
        assert_same(leaf.grad, torch.tensor(by_loop[name]))


@pytest.mark.parametrize("cell", plain.CELLS)
@pytest.mark.parametrize("absent", [("b_ih",), ("b_hh",), ("b_ih", "b_hh")])
def test_an_absent_bias_is_a_zero_bias(cell, absent):
    values = {name: torch.tensor(array) for name, array in plain.arguments(cell, 2, 3, 4, 5).items()}
    zero = values | {name: torch.zeros_like(values[name]) for name in absent}
    without = {name: value for name, value in values.items() if name not in absent}
    assert_same(function(cell, without)[0], function(cell, zero)[0])


@pytest.mark.parametrize("cell", plain.CELLS)
def test_the_gradient_can_be_differentiated_again(cell):
    values = {
        name: torch.tensor(array, requires_grad=True) for name, array in plain.arguments(cell, 1, 2, 1, 2).items()
    }
    names = list(values)
    assert torch.autograd.gradgradcheck(
        lambda *t: function(cell, dict(zip(names, t, strict=True)))[0], [*values.values()]
    )


@pytest.mark.parametrize("cell", plain.CELLS)
def test_no_step_hears_a_later_one(cell):
    values = {name: torch.tensor(array) for name, array in plain.arguments(cell, 2, 6, 3, 4).items()}
    changed = values | {"x": values["x"].clone()}
    changed["x"][:, 4:] += 1
    before, after = function(cell, values)[0], function(cell, changed)[0]
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4], after[:, 4])


@pytest.mark.parametrize(("name", "layers", "bias", "batch_first", "bidirectional"), COMBINATIONS)
def test_the_module_gives_the_numbers_of_torch(name, layers, bias, batch_first, bidirectional):
    options = {"num_layers": layers, "bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
    theirs, ours = twins(name, 3, 5, **options)
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    first = states(name, layers * (1 + bidirectional), 4 if batch_first else 6, 5)
    for hx in (None, first):
        theirs.zero_grad()
        ours.zero_grad()
        (output, last), (want_output, want_last) = ours(x, hx), theirs(x, hx)
        assert type(last) is type(want_last)
        assert_same(output, want_output)
        assert_same(each(last), each(want_last))
        (output.square().sum() + sum(part.sum() for part in each(last))).backward()
        (want_output.square().sum() + sum(part.sum() for part in each(want_last))).backward()
        assert_same_gradients(ours, theirs)
    assert_same(ours(x[0])[0], theirs(x[0])[0])
    alone = at(first, (slice(None), 0))
    assert_same(each(ours(x[0], alone)[1]), each(theirs(x[0], alone)[1]))


@pytest.mark.parametrize("sort", [True, False])
@pytest.mark.parametrize(("name", "layers", "bidirectional"), list(itertools.product(CLASSES, (1, 2), (False, True))))
def test_packed_sequences_give_the_numbers_of_torch(name, layers, bidirectional, sort):
    theirs, ours = twins(name, 3, 5, layers, bidirectional=bidirectional)
    lengths = [6, 4, 4, 1] if sort else [4, 1, 6, 4]
    packed = pack_sequence([torch.randn(n, 3, dtype=torch.float64) for n in lengths], enforce_sorted=sort)
    for hx in (None, states(name, layers * (1 + bidirectional), 4, 5)):
        (output, last), (want_output, want_last) = ours(packed, hx), theirs(packed, hx)
        assert_same(output.data, want_output.data)
        assert torch.equal(output.batch_sizes, want_output.batch_sizes)
        assert_same(each(last), each(want_last))
        assert_same(pad_packed_sequence(output)[0], pad_packed_sequence(want_output)[0])
    theirs.zero_grad()
    ours.zero_grad()
    (output.data.square().sum() + sum(part.sum() for part in each(last))).backward()
    (want_output.data.square().sum() + sum(part.sum() for part in each(want_last))).backward()
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"), [(GRU, {}), (GRU, {"reset_after": False}), (LSTM, {}), (LSTM, {"peepholes": True})]
)
def test_padding_does_not_matter_when_lengths_are_given(kind, options, bidirectional):
    ours = kind(3, 5, 2, bidirectional=bidirectional, batch_first=True, dtype=torch.float64, **options)
    lengths = [4, 1, 6]
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in lengths]
    padded = torch.full((3, 8, 3), 1e3, dtype=torch.float64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    output, last = ours(padded, lengths=torch.tensor(lengths))
    for i, sequence in enumerate(sequences):
        alone, alone_last = ours(sequence)
        assert_same(output[i, : len(sequence)], alone)
        assert torch.all(output[i, len(sequence) :] == 0)
        assert_same(each(at(last, (slice(None), i))), each(alone_last))


@pytest.mark.parametrize("name", CLASSES)
def test_lengths_do_what_packing_does(name):
    theirs, ours = twins(name, 3, 5, 2, bidirectional=True, batch_first=True)
    x, lengths = torch.randn(3, 6, 3, dtype=torch.float64), torch.tensor([2, 6, 5])
    output, last = ours(x, lengths=lengths)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    want, want_last = theirs(packed)
    assert_same(output, pad_packed_sequence(want, batch_first=True)[0])
    assert_same(each(last), each(want_last))


@pytest.mark.parametrize("name", CLASSES)
def test_the_reverse_direction_reads_the_reversed_sequence(name):
    both = CLASSES[name](3, 5, bidirectional=True, batch_first=True, dtype=torch.float64)
    one = CLASSES[name](3, 5, batch_first=True, dtype=torch.float64)
    one.load_state_dict({key.removesuffix("_reverse"): w for key, w in both.state_dict().items() if "_reverse" in key})
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    output, last = both(x)
    mirrored, mirrored_last = one(x.flip(1))
    assert_same(output[:, :, 5:], mirrored.flip(1))
    assert_same(each(at(last, slice(1, 2))), each(mirrored_last))


@pytest.mark.parametrize("name", CLASSES)
def test_a_state_dict_goes_both_ways(name):
    theirs, ours = getattr(torch.nn, name)(3, 5, 2, bidirectional=True), CLASSES[name](3, 5, 2, bidirectional=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(theirs(x)[0], ours(x)[0])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("name", "bidirectional"), list(itertools.product(["RNN", *CLASSES], (False, True))))
def test_the_same_seed_gives_the_same_first_weights_and_drops_the_same_states(name, bidirectional, batch_first, packed):
    options = {"num_layers": 3, "dropout": 0.5, "bidirectional": bidirectional, "batch_first": batch_first}
    made = []
    for kind in (getattr(torch.nn, name), {"RNN": RNN, **CLASSES}[name]):
        torch.manual_seed(0)
        made.append(kind(3, 5, **options, dtype=torch.float64))
    theirs, ours = made
    x = torch.randn(7, 4, 3, dtype=torch.float64)
    if packed:
        x = pack_sequence([*x[:3], x[3, :2]], enforce_sorted=True)
    torch.manual_seed(1)
    want, want_last = theirs(x)
    drawn = torch.get_rng_state()
    torch.manual_seed(1)
    have, last = ours(x)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert_same(have.data, want.data)
    assert_same(each(last), each(want_last))
    assert not torch.allclose(have.data, ours.eval()(x)[0].data)
    assert_same(ours(x)[0].data, theirs.eval()(x)[0].data)


@pytest.mark.parametrize("name", CLASSES)
def test_attributes_are_those_of_torch(name):
    theirs, ours = twins(name, 3, 5, 2, False, True, 0.25, True)
    for attribute in ("mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "proj_size"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert ours.bidirectional == theirs.bidirectional
    assert [[w.shape for w in ws] for ws in ours.all_weights] == [[w.shape for w in ws] for ws in theirs.all_weights]
    assert repr(ours) == repr(theirs)
    assert ours.output_size == theirs(torch.zeros(2, 3, dtype=torch.float64))[0].shape[-1] == 10


@pytest.mark.parametrize("name", CLASSES)
def test_a_copy_and_a_saved_layer_give_the_same_numbers(name, tmp_path):
    layer, x = CLASSES[name](3, 5, 2), torch.randn(4, 2, 3)
    torch.save(layer, tmp_path / "layer.pt")
    for other in (copy.deepcopy(layer), torch.load(tmp_path / "layer.pt", weights_only=False)):
        assert torch.equal(other(x)[0], layer(x)[0])


def test_the_representation_shows_what_torch_does_not_have():
    assert repr(GRU(3, 5, reset_after=False)) == "GRU(3, 5, reset_after=False)"
    assert repr(LSTM(3, 5, peepholes=True, forget_bias=1.0)) == "LSTM(3, 5, peepholes=True, forget_bias=1.0)"


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_forget_bias_sets_the_sum_of_both_biases_and_nothing_else(bidirectional):
    torch.manual_seed(0)
    theirs = torch.nn.LSTM(3, 5, 2, bidirectional=bidirectional)
    torch.manual_seed(0)
    ours = LSTM(3, 5, 2, bidirectional=bidirectional, forget_bias=1.0)
    for (name, have), want in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if name.startswith("bias"):
            assert torch.all(have[5:10] == (1.0 if name.startswith("bias_ih") else 0.0))
            have, want = (torch.cat([bias[:5], bias[10:]]) for bias in (have, want))
        assert torch.equal(have, want)
    x = torch.zeros(1, 1, 3)
    h, c = (torch.zeros(2 * (1 + bidirectional), 1, 5) for _ in range(2))
    kept = ours(x, (h, c + 1e4))[1][1][0] / 1e4  # the forget gate itself: what is written is too small to see
    torch.testing.assert_close(kept, torch.full_like(kept, torch.tensor(1.0).sigmoid()), atol=1e-3, rtol=0)


def test_peepholes_are_one_parameter_more_and_the_rest_starts_the_same():
    torch.manual_seed(0)
    without = LSTM(3, 5, 2, bidirectional=True, dtype=torch.float64)
    torch.manual_seed(0)
    ours = LSTM(3, 5, 2, bidirectional=True, peepholes=True, dtype=torch.float64)
    extra = [name for name in ours.state_dict() if name not in without.state_dict()]
    assert extra == ["peephole_l0", "peephole_l0_reverse", "peephole_l1", "peephole_l1_reverse"]
    assert all(torch.equal(without.state_dict()[name], ours.state_dict()[name]) for name in without.state_dict())
    assert {tuple(ours.state_dict()[name].shape) for name in extra} == {(3, 5)}
    assert all(0 < ours.state_dict()[name].abs().max() <= 5**-0.5 for name in extra)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    assert not torch.allclose(ours(x)[0], without(x)[0])
    ours(x)[0].sum().backward()
    assert all(ours.get_parameter(name).grad.abs().sum() > 0 for name in extra)
    with torch.no_grad():
        for name in extra:
            ours.get_parameter(name).zero_()
    assert_same(ours(x)[0], without(x)[0])


@pytest.mark.parametrize("cell", ["gru-reset-before", "lstm-peepholes"])
def test_the_module_runs_the_form_that_torch_does_not_have(cell):
    arrays = plain.arguments(cell, 2, 4, 3, 5)
    values = {name: torch.tensor(array) for name, array in arrays.items()}
    options = {"batch_first": True, "dtype": torch.float64}
    layer = GRU(3, 5, reset_after=False, **options) if cell.startswith("gru") else LSTM(3, 5, peepholes=True, **options)
    names = {"weight_ih_l0": "W_ih", "weight_hh_l0": "W_hh", "bias_ih_l0": "b_ih", "bias_hh_l0": "b_hh"}
    names |= {"peephole_l0": "peepholes"} if "peepholes" in values else {}
    layer.load_state_dict({name: values[key] for name, key in names.items()})
    first = tuple(values[name][None] for name in ("h0", "c0") if name in values)
    output, _ = layer(values["x"], first if len(first) == 2 else first[0])
    want, _, _ = plain.loop(cell, values)
    assert_same(output.detach(), want)


@pytest.mark.parametrize(
    "layer",
    [RNN(3, 5, 2), GRU(3, 5, 2), GRU(3, 5, 2, reset_after=False), LSTM(3, 5, 2), LSTM(3, 5, 2, peepholes=True)],
)
def test_under_autocast_a_layer_computes_in_the_narrow_type_and_its_weights_learn_in_their_own(layer):
    x = torch.randn(4, 2, 3)
    want, _ = layer(x)
    for input in (x, x.bfloat16()):
        layer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output, last = layer(input)
        assert {output.dtype, *(part.dtype for part in each(last))} == {torch.bfloat16}
        torch.testing.assert_close(output.float(), want, atol=2e-2, rtol=2e-2)
        output.sum().backward()
        assert all(p.grad.dtype == torch.float32 and p.grad.abs().sum() > 0 for p in layer.parameters())


@pytest.mark.parametrize("name", CLASSES)
def test_an_empty_batch_gives_an_empty_answer(name):
    output, last = CLASSES[name](3, 5, batch_first=True)(torch.zeros(0, 4, 3))
    assert output.shape == (0, 4, 5)
    assert {part.shape for part in each(last)} == {(1, 0, 5)}


@needs_triton
@pytest.mark.parametrize("name", CLASSES)
def test_the_module_runs_the_kernel_when_told_to(name, monkeypatch):
    runs, wanted = [], f"{name.lower()}_recurrence"
    recurrence = getattr(kernels, wanted)
    monkeypatch.setattr(kernels, wanted, lambda *arguments: runs.append(1) or recurrence(*arguments))
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True, "dtype": torch.float64}
    kernel, loop = (CLASSES[name](3, 5, **options, backend=backend) for backend in ("triton", "torch"))
    loop.load_state_dict(kernel.state_dict())
    x, lengths = torch.randn(2, 3, 3, dtype=torch.float64), torch.tensor([3, 2])
    first = states(name, 4, 2, 5)
    for layer in (kernel, loop):
        output, last = layer(x, first, lengths=lengths)
        (output.square().sum() + sum(part.sum() for part in each(last))).backward()
    assert len(runs) == 4  # two layers, two directions
    assert_same(each(kernel(x, first, lengths=lengths)[1]), each(last))
    assert_same(kernel(x, first, lengths=lengths)[0], output)
    assert_same_gradients(kernel, loop)


@needs_triton
@pytest.mark.parametrize("absent", [(), ("b_ih",), ("b_hh",), ("b_ih", "b_hh")])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_kernel_agrees_with_the_loop_whichever_bias_is_given(cell, absent):
    arrays = plain.arguments(cell, 2, 3, 4, 5)
    gradients = []
    for backend in ("torch", "triton"):
        values = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items() if name not in absent}
        h, c = function(cell, values, backend=backend)
        (h.square().sum() + (0 if c is None else c.square().sum())).backward()
        gradients.append({name: value.grad for name, value in values.items()} | {"h": h.detach()})
    for name, want in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], want, atol=1e-10, rtol=0, msg=name)


@needs_triton
@pytest.mark.parametrize("cell", plain.CELLS)
@pytest.mark.parametrize("choice", ["torch", "triton"])
def test_auto_on_a_gpu_takes_what_was_chosen_for_the_size_and_a_loop_where_there_is_no_kernel(
    cell, choice, monkeypatch
):
    asked, runs = [], []
    monkeypatch.setattr(functional, "pick_backend", lambda *_: "triton")
    monkeypatch.setattr(kernels, "choose", lambda *arguments: asked.append(arguments) or choice)
    for name in ("gru_recurrence", "lstm_recurrence"):
        kernel = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, kernel=kernel: runs.append(1) or kernel(*a))
    values = {name: torch.tensor(array) for name, array in plain.arguments(cell, 2, 3, 4, 5).items()}
    h, _ = function(cell, values, backend="auto")
    assert_same(h, plain.loop(cell, values)[0])
    has_kernel = cell in ("gru", "lstm")
    assert asked == ([(cell, (2, 3), 5, torch.float64, torch.device("cpu"))] if has_kernel else [])
    assert len(runs) == (has_kernel and choice == "triton")


WRONG = [
    ("gru", {"W_ih": torch.zeros(13, 3)}, r"W_ih has shape \(13, 3\); it must have shape \(3H, D\), the weights of 3"),
    ("gru", {"W_hh": torch.zeros(12, 3)}, r"W_hh has shape \(12, 3\); it must have shape \(12, 4\)"),
    ("gru", {"b_ih": torch.zeros(4)}, r"b_ih has shape \(4,\); it must have shape \(12,\)"),
    ("gru", {"x": torch.zeros(2, 0, 3)}, r"x has shape \(2, 0, 3\), so it has no step"),
    ("gru", {"h0": torch.zeros(1, 2, 4)}, r"h0 has shape \(1, 2, 4\); it must have shape \(2, 4\)"),
    ("gru", {"h0": torch.zeros(2, 4).double()}, "h0 holds torch.float64 and x holds torch.float32; convert one"),
    ("gru", {"backend": "cuda"}, "backend is 'cuda'; it must be 'auto', 'torch' or 'triton'"),
    (
        "gru",
        {"backend": "triton", "reset_after": False},
        "backend is 'triton', and reset_after=False has no kernel: use",
    ),
    ("lstm", {"W_ih": torch.zeros(18, 3)}, r"W_ih has shape \(18, 3\); it must have shape \(4H, D\)"),
    ("lstm", {"c0": torch.zeros(3, 4)}, r"c0 has shape \(3, 4\); it must have shape \(2, 4\)"),
    ("lstm", {"c0": None}, "c0 is a NoneType; it must be a torch tensor"),
    ("lstm", {"x": torch.zeros(2, 5, 3).long()}, r"x holds torch.int64; it must hold floats, x.float\(\)"),
    ("lstm", {"peepholes": torch.zeros(4)}, r"peepholes has shape \(4,\); it must have shape \(3, 4\)"),
    ("lstm", {"peepholes": True}, "peepholes is a bool; it must be a torch tensor"),
    (
        "lstm",
        {"backend": "triton", "peepholes": torch.zeros(3, 4)},
        "backend is 'triton', and peepholes have no kernel: use backend='torch' or 'auto'",
    ),
]


@pytest.mark.parametrize(("cell", "change", "sentence"), WRONG)
def test_what_does_not_fit_is_named(cell, change, sentence):
    values = {
        name: torch.tensor(array, dtype=torch.float32) for name, array in plain.arguments(cell, 2, 5, 3, 4).items()
    }
    with pytest.raises(ValueError, match=sentence):
        {"gru": gru, "lstm": lstm}[cell](**(values | change))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hidden_size": 0}, "hidden_size is 0; it must be a whole number, at least 1"),
        ({"dropout": -0.1}, "dropout is -0.1; it must be a probability, 0 to 1"),
        ({"forget_bias": 1.0, "bias": False}, "forget_bias was given with bias=False, which leaves no bias to set"),
        ({"forget_bias": "1"}, "forget_bias is '1'; it must be None or a number"),
        ({"forget_bias": True}, "forget_bias is True; it must be None or a number"),
    ],
)
def test_a_wrong_option_of_the_module_is_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LSTM(**({"input_size": 3, "hidden_size": 5} | options))


@pytest.mark.parametrize(
    ("hx", "sentence"),
    [
        (torch.zeros(1, 2, 5), r"hx is a Tensor; it must be a pair \(h_0, c_0\) of tensors"),
        ((torch.zeros(1, 2, 5),), r"hx is a tuple of 1; it must be a pair \(h_0, c_0\) of tensors"),
        ((torch.zeros(1, 2, 5), None), "c_0 is a NoneType; it must be a torch tensor"),
        ((torch.zeros(1, 2, 5), torch.zeros(1, 3, 5)), r"c_0 has shape \(1, 3, 5\); it must have shape \(1, 2, 5\)"),
        ((torch.zeros(2, 2, 5), torch.zeros(1, 2, 5)), r"h_0 has shape \(2, 2, 5\); it must have shape \(1, 2, 5\)"),
    ],
)
def test_a_wrong_state_of_an_lstm_is_named(hx, sentence):
    with pytest.raises(ValueError, match=sentence):
        LSTM(3, 5)(torch.zeros(4, 2, 3), hx)


def test_a_wrong_state_of_a_gru_is_named():
    with pytest.raises(ValueError, match="hx is a tuple of 2; it must be a torch tensor"):
        GRU(3, 5)(torch.zeros(4, 2, 3), (torch.zeros(1, 2, 5), torch.zeros(1, 2, 5)))
