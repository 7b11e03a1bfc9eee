"""The kernel against the float64 reference; here in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch

from seqlab.recurrent import kernels, reference, rnn
from seqlab.recurrent.kernels import sizes
from tests.recurrent.launched import DEVICE, numpy, relative

NAMES = ("x", "h0", "W_ih", "W_hh", "b_ih", "b_hh")
SIZES = [  # B, T, D, H
    (1, 1, 1, 1),
    (2, 5, 3, 16),
    (17, 3, 4, 63),  # two programs, the second almost empty
    (3, 2, 63, 128),
    (63, 2, 1, 5),
    (2, 2, 3, 500),  # a grid
]


def leaves(B, T, D, H, dtype=torch.float32, seed=0):
    rng = np.random.default_rng(seed)
    bound = 1 / np.sqrt(H)
    arrays = [rng.normal(size=(B, T, D)), rng.normal(size=(B, H))]
    arrays += [rng.uniform(-bound, bound, size) for size in ((H, D), (H, H), (H,), (H,))]
    return [torch.tensor(array, dtype=dtype, device=DEVICE, requires_grad=True) for array in arrays]


def errors(tensors, nonlinearity):
    """Relative errors of states and of each gradient; dh is a view that is not contiguous."""
    h = rnn(*tensors, nonlinearity, backend="triton")
    B, T, H = h.shape
    dh = torch.tensor(np.random.default_rng(1).normal(size=(H, T, B)), dtype=h.dtype, device=DEVICE).permute(2, 1, 0)
    h.backward(dh)
    want, cache = reference.rnn_forward(*map(numpy, tensors), nonlinearity)
    gradients = reference.rnn_backward(np.ascontiguousarray(numpy(dh)), cache)
    return relative(numpy(h), want), {
        name: relative(numpy(tensor.grad), gradients[name]) for name, tensor in zip(NAMES, tensors, strict=True)
    }


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", SIZES)
def test_states_and_gradients_agree_with_the_reference(sizes, nonlinearity, poison):
    forward, gradients = errors(leaves(*sizes), nonlinearity)
    assert forward <= 1e-5
    assert max(gradients.values()) <= 1e-4, gradients


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sizes", [(17, 3, 4, 63), (2, 2, 3, 300)])
def test_sixteen_bits_are_summed_in_float32(sizes, dtype, poison):
    forward, gradients = errors(leaves(*sizes, dtype=dtype), "tanh")
    assert forward <= 1e-2
    assert max(gradients.values()) <= 2e-2, gradients


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_gradients_pass_a_gradcheck_in_float64(nonlinearity):
    tensors = leaves(2, 2, 1, 2, dtype=torch.float64, seed=3)
    assert torch.autograd.gradcheck(lambda *t: rnn(*t, nonlinearity, backend="triton"), tensors)


def test_both_ways_to_hold_the_weights_give_the_same(monkeypatch):
    resident = leaves(3, 4, 2, 70)
    assert kernels.is_resident(70, torch.float32)
    errors(resident, "tanh")
    monkeypatch.setitem(sizes.RESIDENT, "rnn", {})
    assert sizes.plan("rnn", 70, torch.float32, 3, sizes.INTERPRETER).slices == 1
    shared = leaves(3, 4, 2, 70)
    errors(shared, "tanh")
    for a, b in zip(resident, shared, strict=True):
        assert relative(numpy(a.grad), numpy(b.grad)) <= 1e-5


def test_inputs_that_are_not_contiguous_give_the_same():
    z, h0, W = (torch.randn(size, device=DEVICE) for size in ((3, 4, 6), (3, 6), (6, 6)))
    want = kernels.recurrence(z, h0, W)
    twisted = [torch.stack([t, t], dim=-1)[..., 0] for t in (z, h0, W)]
    assert not any(t.is_contiguous() for t in twisted)
    assert torch.equal(kernels.recurrence(*twisted), want)
    z = z.transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(kernels.recurrence(z, h0, W.T.contiguous().T), want)


def test_a_gradient_that_is_one_number_spread_out_is_right():
    tensors = leaves(2, 3, 2, 4)
    rnn(*tensors, backend="triton").sum().backward()
    again = leaves(2, 3, 2, 4)
    rnn(*again, backend="torch").sum().backward()
    for a, b in zip(tensors, again, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-7, 1e-4, 1e-2, 0.2, 0.25, 0.3, 1.0, 30.0, 1e4])
def test_tanh_keeps_its_digits_near_zero_and_far_from_it(scale):
    z = torch.linspace(-scale, scale, 64, device=DEVICE).reshape(1, 1, 64)
    nothing = torch.zeros(64, 64, device=DEVICE)
    h = kernels.recurrence(z, nothing[:1], nothing)
    assert relative(numpy(h), np.tanh(numpy(z))) <= 1e-6


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_nan_stays_in_its_own_sequence_and_reaches_no_earlier_step(nonlinearity):
    tensors = [t.detach() for t in leaves(3, 4, 2, 3)]
    tensors[0][1, 2, 0] = float("nan")
    h = rnn(*tensors, nonlinearity, backend="triton")
    assert h[1, 2:].isnan().all()
    assert not h[1, :2].isnan().any()
    assert not h[[0, 2]].isnan().any()


def test_the_future_does_not_leak_into_the_past():
    tensors = leaves(2, 4, 3, 5)
    h = rnn(*tensors, backend="triton")
    (dx,) = torch.autograd.grad(h[:, 1].sum(), tensors[0])
    assert torch.all(dx[:, 2:] == 0)
    assert torch.all(dx[:, :2] != 0)


def test_an_empty_batch_gives_an_empty_answer():
    assert rnn(*(t.detach() for t in leaves(0, 3, 2, 4)), backend="triton").shape == (0, 3, 4)


def test_a_second_derivative_is_refused():
    tensors = leaves(1, 2, 1, 2)
    with pytest.raises(RuntimeError, match="gradient cannot be differentiated again: use backend='torch'"):
        torch.autograd.grad(rnn(*tensors, backend="triton").sum(), tensors[0], create_graph=True)


@pytest.mark.parametrize(
    ("z", "h0", "W", "sentence"),
    [
        ((2, 3), (2, 4), (4, 4), r"z has shape \(2, 3\); it must have shape \(B, T, H\)"),
        ((2, 3, 4), (2, 5), (4, 4), r"h0 has shape \(2, 5\); it must have shape \(2, 4\)"),
        ((2, 3, 4), (2, 4), (4, 5), r"W_hh has shape \(4, 5\); it must have shape \(4, 4\)"),
        ((2, 0, 4), (2, 4), (4, 4), r"z has shape \(2, 0, 4\), so it has no step; a sequence needs at least one"),
    ],
)
def test_a_wrong_shape_is_named(z, h0, W, sentence):
    with pytest.raises(ValueError, match=sentence):
        kernels.recurrence(torch.zeros(z), torch.zeros(h0), torch.zeros(W))


def test_a_wrong_name_or_data_type_is_named():
    z, h0, W = torch.zeros(2, 3, 4), torch.zeros(2, 4), torch.zeros(4, 4)
    with pytest.raises(ValueError, match="nonlinearity is 'gelu'; it must be 'tanh' or 'relu'"):
        kernels.recurrence(z, h0, W, "gelu")
    with pytest.raises(ValueError, match=r"h0 holds torch.float64 and z holds torch.float32; convert one of them"):
        kernels.recurrence(z, h0.double(), W)
    with pytest.raises(
        ValueError, match=r"z holds torch.int64; the kernel takes float32, bfloat16, float16 and float64"
    ):
        kernels.recurrence(z.long(), h0, W)


def test_the_cost_counts_what_the_equations_say():
    B, T, D, H = 2, 3, 5, 7
    forward = kernels.cost(B, T, D, H, 4)
    assert forward.flops == B * T * (2 * D * H + 2 * H * H)
    assert forward.bytes == 4 * (B * T * D + B * H + H * D + H * H + 2 * H + B * T * H)
    assert forward.steps == T
    backward = kernels.cost(B, T, D, H, 4, backward=True)
    assert backward.flops == 2 * forward.flops
    assert backward.bytes > forward.bytes
    assert (kernels.cost(1, 1, 1, 256, 2).step, kernels.cost(1, 1, 1, 512, 2).step) == ("in-cta", "cross-cta")
