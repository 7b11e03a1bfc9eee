"""Softmax against the float64 reference: its kernels and the torch function over them.

Here the kernels run in the interpreter; on a GPU machine, with TRITON_INTERPRET=0, on the GPU.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton, interpreting
from seqlab.lm import cost, functional, reference, softmax

if not has_triton():
    pytest.skip("Triton exists for Linux alone", allow_module_level=True)

from seqlab.lm.kernels import softmax as kernels

DEVICE = "cpu" if interpreting() else "cuda"
WAYS = {
    "row": kernels.softmax_row,
    "online": kernels.softmax_online,
    "blocks of 64": lambda z: kernels.softmax_online(z, block=64),
    "passes": kernels.softmax_passes,
}
ERRORS = {torch.float32: (1e-5, 1e-4), torch.float64: (1e-14, 1e-14), torch.bfloat16: (1e-2, 2e-2)}
ERRORS[torch.float16] = ERRORS[torch.bfloat16]
SIZES = [(1, 1), (3, 63), (2, 500)]
poisoned = pytest.mark.usefixtures("poison")
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def scores(B, V, dtype=torch.float32, spread=5.0, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(B, V)) * spread, device=DEVICE).to(dtype)


def zeros(*sizes):
    return torch.zeros(*sizes, device=DEVICE)


def exact(tensor):
    return tensor.detach().double().cpu().numpy()


def relative(have, want):
    return np.linalg.norm(exact(have) - want) / max(np.linalg.norm(want), 1e-30)


@pytest.fixture(params=["whole rows", "walking", "parts"])
def backward(request, monkeypatch):
    """All forms of the gradient; two programs that walk; rows of many parts."""
    if request.param == "parts":
        monkeypatch.setattr(kernels, "HELD", 2)
        config = kernels.triton.Config({"BLOCK": 16})
        monkeypatch.setattr(kernels._softmax_backward_parts, "configs", [config])
    if request.param == "walking":
        walk_in_two(monkeypatch, kernels._softmax_backward)
    return kernels.softmax_backward


def walk_in_two(monkeypatch, kernel):
    """Let two programs walk over the rows, as on a GPU with two multiprocessors."""
    monkeypatch.setattr(kernels, "multiprocessors", lambda z: 2)
    monkeypatch.setattr(kernel, "configs", [kernels.triton.Config({"STAGES": 2}, num_warps=32)])


@poisoned
@every_way
@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize("sizes", SIZES)
def test_probabilities_agree_with_the_reference(sizes, dtype, way):
    z = scores(*sizes, dtype)
    p = way(z)
    assert p.dtype == dtype
    assert relative(p, reference.softmax(exact(z))) <= ERRORS[dtype][0]


@poisoned
@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_agrees_with_the_reference(sizes, dtype, backward):
    p, dp = scores(*sizes, seed=1).softmax(1).to(dtype), scores(*sizes, dtype, seed=2)
    want = reference.softmax_backward(exact(dp), exact(p))
    dz = backward(dp, p)
    assert dz.dtype == dtype
    assert np.linalg.norm(exact(dz) - want) <= ERRORS[dtype][1] * max(1, np.linalg.norm(want))


@poisoned
def test_programs_that_walk_from_row_to_row_leave_none_out(monkeypatch):
    walk_in_two(monkeypatch, kernels._softmax_row)
    z = scores(5, 70)
    assert relative(kernels.softmax_row(z), reference.softmax(exact(z))) <= 1e-5


def test_the_reference_of_the_gradient_is_what_autograd_finds():
    z = scores(3, 20, torch.float64).requires_grad_()
    dp = scores(3, 20, torch.float64, seed=1)
    p = torch.softmax(z, 1)
    p.backward(dp)
    np.testing.assert_allclose(reference.softmax_backward(exact(dp), exact(p)), exact(z.grad), atol=1e-14)


@poisoned
@every_way
def test_every_row_sums_to_one(way):
    assert (exact(way(scores(4, 333))).sum(1) - 1).__abs__().max() <= 1e-6


@poisoned
@every_way
def test_a_constant_added_to_a_row_changes_nothing(way):
    z = (scores(3, 200) * 64).round() / 64  # so that adding 1e4 loses no digit
    assert torch.equal(way(z + 1e4), way(z))


@poisoned
@every_way
def test_what_lies_outside_a_row_adds_nothing_to_it(way):
    z = scores(2, 65) - 500  # an exp(0) from outside would be all that counts
    assert relative(way(z), reference.softmax(exact(z))) <= 1e-5


@poisoned
@every_way
def test_scores_of_minus_infinity_get_nothing(way):
    z = scores(2, 100)
    z[:, :70] = -torch.inf  # in blocks of 64, nothing but -Inf to begin with
    p = way(z)
    assert torch.all(p[:, :70] == 0)
    assert relative(p, torch.softmax(z.double(), 1).cpu().numpy()) <= 1e-5


@every_way
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_row_without_probabilities_is_nan_and_the_others_are_not(bad, way):
    z = scores(3, 100)
    z[1] = bad
    assert way(z).isnan().all(1).tolist() == [False, True, False]
    assert way(z)[[0, 2]].isfinite().all()


@poisoned
def test_rows_of_the_gradient_sum_to_zero(backward):
    dz = backward(scores(3, 333, seed=1) + 1, scores(3, 333).softmax(1))
    assert dz.abs().sum(1).min() > 0.1
    assert dz.double().sum(1).abs().max() <= 1e-6


@settings(max_examples=15)
@given(
    st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=40),
    st.sampled_from([1, 2, 8, 64]),
    st.floats(-1e3, 1e3, width=32),
)
def test_blocks_of_any_size_give_what_the_whole_row_gives(row, block, upstream):
    z = torch.tensor([row], dtype=torch.float64, device=DEVICE)
    want = reference.softmax(exact(z))
    for p in (kernels.softmax_online(z, block), kernels.softmax_row(z), kernels.softmax_passes(z)):
        np.testing.assert_allclose(exact(p), want, rtol=1e-12, atol=1e-300)
    dz = kernels.softmax_backward(torch.full_like(z, upstream), p)
    assert dz.abs().max() <= 1e-10 * max(1, abs(upstream))  # what goes to all alike, goes to none


@poisoned
@pytest.mark.parametrize("make", [lambda z: z.T, lambda z: z[::2, 3:], lambda z: z[:1].expand(4, -1)])
def test_rows_that_do_not_lie_side_by_side(make):
    z, dp = make(scores(6, 10)), make(scores(6, 10, seed=1))
    want = reference.softmax(exact(z))
    for way in WAYS.values():
        assert relative(way(z), want) <= 1e-5
    dz = kernels.softmax_backward(dp, torch.softmax(z, 1))
    assert relative(dz, reference.softmax_backward(exact(dp), want)) <= 1e-4


def test_no_row_is_no_launch():
    z = torch.zeros(0, 5, device=DEVICE)
    for way in WAYS.values():
        assert way(z).shape == (0, 5)
    assert kernels.softmax_backward(z, z).shape == (0, 5)
    leaf = z.clone().requires_grad_()
    softmax(leaf, backend="triton").sum().backward()
    assert leaf.grad.shape == (0, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.softmax_row(zeros(2, 0)), r"z has shape \(2, 0\); every row needs at least one score"),
        (lambda: kernels.softmax_online(zeros(3)), r"z has shape \(3,\); it must have shape \(B, V\)"),
        (lambda: kernels.softmax_passes(zeros(2, 3).int()), "z holds torch.int32; the kernel takes float32"),
        (lambda: kernels.softmax_row(zeros(1, 32769)), "at most 32768 scores of a row: use softmax_online"),
        (lambda: kernels.softmax_row(zeros(1, 16385).double()), "at most 16384 scores of a row"),
        (lambda: kernels.softmax_online(zeros(1, 5), 3), "block is 3; it must be a power of two, or None"),
        (lambda: kernels.softmax_online(zeros(1, 5), 0), "block is 0; it must be a power of two"),
        (
            lambda: kernels.softmax_backward(zeros(2, 4), zeros(2, 3)),
            r"dp has shape \(2, 4\); it must have shape \(2, 3\)",
        ),
        (
            lambda: kernels.softmax_backward(zeros(2, 3).half(), zeros(2, 3)),
            "dp holds torch.float16 and p holds torch.float32; convert one of them",
        ),
        (lambda: softmax(torch.tensor(1.0)), r"z has shape \(\); it must have shape \(..., V\)"),
        (lambda: softmax(zeros(2, 0)), "with at least one word"),
        (lambda: softmax([1.0]), "z is a list; it must be a torch tensor"),
        (lambda: softmax(zeros(2, 3), backend="cuda"), "backend is 'cuda'"),
        (lambda: reference.softmax_backward(np.zeros((2, 3)), np.zeros((2, 4))), r"dp has shape \(2, 3\)"),
        (lambda: cost.softmax_bytes(1, 2, 4, way="flash"), "way is 'flash'; it must be 'passes', 'online' or 'row'"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@poisoned
@pytest.mark.parametrize("backend", ["torch", "triton"])
@pytest.mark.parametrize("shape", [(7,), (3, 63), (2, 3, 20)])
def test_the_function_and_its_gradient_are_those_of_torch(shape, backend):
    z, dp = scores(1, np.prod(shape)).reshape(shape), scores(1, np.prod(shape), seed=1).reshape(shape)
    leaf, twin = z.clone().requires_grad_(), z.double().requires_grad_()
    p, want = softmax(leaf, backend=backend), torch.softmax(twin, -1)
    p.backward(dp)
    want.backward(dp.double())
    assert relative(p, exact(want)) <= 1e-5
    assert relative(leaf.grad, exact(twin.grad)) <= 1e-4


def test_the_function_takes_the_kernel_that_fits_the_row(monkeypatch):
    taken = []
    for name in ("softmax_row", "softmax_online"):
        way = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda z, name=name, way=way: (taken.append(name), way(z))[1])
    monkeypatch.setattr(kernels, "HELD", 64)
    for V, dtype in ((64, torch.float32), (65, torch.float32), (64, torch.float64), (32, torch.float64)):
        softmax(scores(1, V, dtype), backend="triton")
    assert taken == ["softmax_row", "softmax_online", "softmax_online", "softmax_row"]


def test_a_finite_difference_finds_the_same_gradient():
    z = scores(1, 5, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: softmax(z, backend="triton"), (z,))


def test_the_gradient_of_the_kernel_is_not_differentiated_again():
    z = scores(2, 6, torch.float64).requires_grad_()
    with pytest.raises(RuntimeError, match="use softmax with backend='torch'"):
        torch.autograd.grad(softmax(z, backend="triton").square().sum(), z, create_graph=True)


@pytest.mark.slow
@poisoned
@pytest.mark.parametrize("V", [kernels.longest_row(torch.float32), 2 * kernels.longest_row(torch.float32) + 1])
def test_the_longest_row_that_a_program_holds_and_one_that_it_does_not(V):
    z, dp = scores(1, V).requires_grad_(), scores(1, V, seed=1)
    p = softmax(z, backend="triton")
    p.backward(dp)
    want = reference.softmax(exact(z))
    assert relative(p, want) <= 1e-5
    assert relative(z.grad, reference.softmax_backward(exact(dp), want)) <= 1e-4


def test_a_pass_over_memory_is_a_read_or_a_write_of_all_scores():
    B, V, itemsize = 5, 7, 2
    forward, backward = (cost.softmax_cost(B, V, itemsize, backward=back) for back in (False, True))
    assert (forward.bytes, backward.bytes) == (2 * B * V * itemsize, 3 * B * V * itemsize)
    assert sum(cost.softmax_bytes(B, V, itemsize, way="row").values()) == forward.bytes
    assert sum(cost.softmax_bytes(B, V, itemsize, way="online").values()) == 1.5 * forward.bytes
    assert sum(cost.softmax_bytes(B, V, itemsize).values()) == 3 * forward.bytes + 4 * B * 4
    assert sum(cost.softmax_bytes(B, V, 8).values()) == 6 * B * V * 8 + 4 * B * 8


def test_the_table_of_what_moves_is_what_the_cost_counts():
    from seqlab.kernels import H200, Cost

    ways = {"a kernel for each step": "passes", "online,": "online", "a program owns a row, one": "row"}
    for words, way in ways.items():
        paid = Cost(sum(cost.softmax_bytes(16384, 32768, 2, way).values()), 0)
        row = next(line for line in kernels.__doc__.splitlines() if line.startswith(words)).split()
        assert row[-2:] == [f"{paid.bytes / 1e9:.2f}", f"{paid.floor(H200) * 1e3:.2f}e-3"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("arrays", [1, 2])
def test_the_tuner_has_forms_for_every_row_that_a_program_holds(dtype, arrays):
    for V in (1, 2, 17, 50, 1000, 4097, 8192, 16384, 16385, 32768):
        if kernels.longest_row(dtype, arrays) < V:
            continue
        forms = kernels._worth_holding(arrays)(
            kernels.HOLDS, {"z_ptr": torch.empty(0, dtype=dtype)}, **kernels.plan(V, dtype, whole=True)
        )
        assert 1 <= len(forms) <= 5
        assert forms[0].kwargs["STAGES"] == 1


def test_auto_knows_the_ways_of_the_benchmark_by_their_names():
    case = BENCHMARKS["softmax"].cases({"B": 2, "V": 3, "dtype": "float32"}, DEVICE)[1]
    assert set(functional.WAYS["softmax"]) <= {*case.ours, *case.peers}
