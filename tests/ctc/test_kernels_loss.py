"""The loss kernels against the float64 lattice; in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.ctc import cost, kernels, reference
from seqlab.ctc.kernels import loss
from seqlab.kernels import H200

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if loss.interpreting() else "cuda"
NAN, INF = float("nan"), float("inf")


def drawn(T, targets, C, frames=None, blank=0, dtype=torch.float32, spread=3.0, seed=0):
    """log_probs, targets padded with a label, and both lengths."""
    rng = np.random.default_rng(seed)
    scores = torch.tensor(rng.normal(size=(T, len(targets), C)) * spread, dtype=torch.float64)
    longest = max(map(len, targets))
    padded = torch.full((len(targets), longest), (blank + 1) % C)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = torch.tensor(target, dtype=torch.int64)
    lengths = torch.tensor([T] * len(targets) if frames is None else frames), torch.tensor([*map(len, targets)])
    return [t.to(DEVICE) for t in (scores.log_softmax(-1).to(dtype), padded, *lengths)]


def truth(log_probs, targets, frames, labels, blank=0):
    """Losses and gradients of the lattice, sequence by sequence, in NumPy; NaN where the loss is Inf."""
    y = log_probs.double().cpu().numpy()
    losses, gradient = np.empty(y.shape[1]), np.zeros(y.shape)
    for b, (T, L) in enumerate(zip(frames.tolist(), labels.tolist(), strict=True)):
        losses[b], gradient[:T, b] = reference.ctc_loss(y[:T, b], targets[b, :L].tolist(), blank)
        if losses[b] == INF:
            gradient[:T, b] = NAN
    return losses, gradient


def relative(have, want):
    return np.linalg.norm(have.double().cpu().numpy() - want) / max(np.linalg.norm(want), 1e-30)


def check(given, blank=0, forward=1e-5, backward=1e-4):
    have, want = kernels.ctc_loss(*given, blank), truth(*given, blank)
    losses, gradient = have
    assert losses.dtype == (torch.float64 if given[0].dtype == torch.float64 else torch.float32)
    assert gradient.dtype == given[0].dtype
    assert gradient.shape == given[0].shape
    finite = np.isfinite(want[0])
    assert np.array_equal(losses.isfinite().cpu().numpy(), finite)
    assert (losses[torch.tensor(~finite, device=DEVICE)] == INF).all()
    assert relative(losses[torch.tensor(finite, device=DEVICE)], want[0][finite]) <= forward
    numbers = ~np.isnan(want[1])
    assert np.array_equal(~gradient.isnan().cpu().numpy(), numbers)
    assert relative(gradient[torch.tensor(numbers, device=DEVICE)], want[1][numbers]) <= backward
    return have


# One repeats its first label with another between, one side by side, one is empty, one is too long for its frames.
RAGGED = [3, 1, 3], [2, 2], [], [1, 1, 1]
FRAMES = [5, 4, 3, 4]


def test_losses_and_gradients_agree_with_the_lattice():
    losses, _ = check(drawn(5, RAGGED, 4, FRAMES))
    assert losses.isinf().tolist() == [False, False, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("blank", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_any_class_may_be_the_blank(blank, seed):
    targets = [[label if label < blank else label + 1 for label in target] for target in RAGGED]
    check(drawn(5, targets, 5, FRAMES, blank, seed=seed), blank)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("T", "L", "C"), [(1, 0, 1), (1, 1, 2), (3, 3, 63), (2, 1, 500), (9, 7, 3), (20, 15, 6), (24, 16, 5), (6, 40, 7)]
)
def test_sizes_may_be_anything(T, L, C):
    rng = np.random.default_rng(L)
    targets = [rng.integers(1, max(C, 2), size=n).tolist() for n in (L, L // 2)]
    check(drawn(T, targets, C, [T, max(T - 1, 0)]))


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 4, 8])
def test_as_many_frames_may_be_on_their_way_as_one_likes(frames, monkeypatch):
    monkeypatch.setattr(loss._lattice, "configs", [loss.triton.Config({"FRAMES": frames})])
    check(drawn(9, [[1, 2, 2], [3]], 4, [9, 8]))


@pytest.mark.slow
def test_a_row_of_classes_may_be_walked_in_blocks(monkeypatch):
    monkeypatch.setattr(loss._gradient, "configs", [loss.triton.Config({"BLOCK": 16})])
    check(drawn(3, [[60, 1], [33, 33]], 63))


def test_float64_agrees_to_its_digits():
    check(drawn(4, [[1, 2], [1, 1]], 3, [4, 3], dtype=torch.float64), forward=1e-13, backward=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_read_as_float32(dtype):
    check(drawn(3, [[1, 2]], 4, dtype=dtype), backward=1e-2)  # the gradient is written in 16 bits, too


@pytest.mark.slow
def test_torch_s_own_loss_and_gradient_are_the_same():
    log_probs, *rest = drawn(6, [[1, 2, 1], [2], [1, 1, 1]], 3, [6, 5, 4], dtype=torch.float64)
    leaf = log_probs.clone().cpu().requires_grad_()
    want = F.ctc_loss(leaf, *(t.cpu() for t in rest), reduction="none")
    want.sum().backward()
    losses, gradient = kernels.ctc_loss(log_probs, *rest)
    assert torch.allclose(losses.cpu(), want, rtol=1e-13)
    assert torch.allclose(gradient.cpu(), leaf.grad, atol=1e-13, equal_nan=True)
    zeros = kernels.ctc_loss(log_probs, *rest, zero_infinity=True)[1].cpu()
    assert (zeros[:, 2] == 0).all()
    assert torch.equal(zeros[:, :2], gradient[:, :2].cpu())


def test_what_is_nearly_impossible_is_as_exact_as_the_rest():
    """A state whose share is 2^-9000 of its neighbours' is the only one that reaches the end."""
    log_probs, *rest = drawn(3, [[1, 2, 1]], 3)
    log_probs[:] = torch.tensor([-0.5, -3000.0, -3500.0], device=DEVICE)
    losses, gradient = check([log_probs, *rest])
    assert losses.item() == pytest.approx(9500, rel=1e-7)
    assert torch.equal(gradient[:, 0, 1:].cpu().round(), torch.tensor([[-1.0, 0], [0, -1], [-1, 0]]))


@pytest.mark.slow
def test_many_frames_cost_no_digits_where_logarithms_in_float32_do():
    rng = np.random.default_rng(0)
    given = drawn(80, [rng.integers(1, 9, size=16).tolist()], 9)
    _, gradient = kernels.ctc_loss(*given)
    leaf = given[0].clone().cpu().requires_grad_()
    F.ctc_loss(leaf, *(t.cpu() for t in given[1:]), reduction="sum").backward()
    exact = truth(*given)[1]
    assert relative(gradient, exact) < 2e-6
    assert relative(leaf.grad, exact) > 20 * relative(gradient, exact)


@pytest.mark.parametrize(("ruled_out", "possible"), [([(0, 0), (2, 2)], True), ([(1, 0), (1, 1), (1, 2)], False)])
def test_minus_infinity_closes_a_way(ruled_out, possible):
    log_probs, *rest = drawn(4, [[1, 2]], 3)
    for t, c in ruled_out:
        log_probs[t, 0, c] = -INF
    losses, _ = check([log_probs, *rest])
    assert losses.isfinite().all() == possible


def test_nan_is_not_hidden_and_stays_in_its_sequence():
    given = drawn(3, [[1], [2]], 3)
    given[0][1, 0, 1] = NAN
    losses, gradient = kernels.ctc_loss(*given)
    assert losses.isnan().tolist() == [True, False]
    assert gradient[:, 0].isnan().all()
    assert not gradient[:, 1].isnan().any()


def test_no_frame_reads_the_empty_target_alone():
    losses, gradient = kernels.ctc_loss(*drawn(2, [[], [1]], 3, [0, 0]))
    assert losses.tolist() == [0, INF]
    assert (gradient == 0).all()


def test_a_label_that_is_no_class_has_no_path():
    given = drawn(3, [[1, 5], [1, 2]], 3)
    losses, gradient = kernels.ctc_loss(*given)
    assert losses.isinf().tolist() == [True, False]
    assert not gradient[:, 1].isnan().any()


@pytest.mark.slow
def test_occupancies_sum_to_one_in_every_frame():
    given = drawn(6, [[1, 2, 1, 1], [3]], 4, [6, 5])
    _, gradient = kernels.ctc_loss(*given)
    total = (given[0].double().exp() - gradient.double()).sum(-1).cpu()
    assert torch.allclose(total[:, 0], torch.ones(6).double(), atol=1e-6)
    assert torch.allclose(total[:5, 1], torch.ones(5).double(), atol=1e-6)


@pytest.mark.slow
def test_two_runs_give_the_same_bits():
    given = drawn(5, [[1, 1, 2, 1], [2, 2, 2]], 3)
    first, second = (kernels.ctc_loss(*given) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


@pytest.mark.slow
def test_padding_and_company_do_not_matter():
    log_probs, targets, frames, labels = drawn(6, [[1, 2], [3, 3, 1]], 4, [3, 6])
    losses, gradient = kernels.ctc_loss(log_probs, targets, frames, labels)
    alone = kernels.ctc_loss(log_probs[:3, :1], targets[:1, :2], frames[:1], labels[:1])
    assert torch.equal(alone[0], losses[:1])
    assert torch.equal(alone[1], gradient[:3, :1])
    log_probs[3:, 0], targets[0, 2:] = NAN, -50
    again = kernels.ctc_loss(log_probs, targets, frames, labels)
    assert torch.equal(again[0], losses)
    assert torch.equal(again[1], gradient)
    assert (gradient[3:, 0] == 0).all()


@pytest.mark.slow
def test_other_layouts_and_ids_of_32_bits_give_the_same():
    log_probs, targets, frames, labels = drawn(4, [[1, 2], [3]], 5, [4, 2])
    want = kernels.ctc_loss(log_probs, targets, frames, labels)
    by_sequence = log_probs.transpose(0, 1).contiguous().transpose(0, 1)
    by_class = log_probs.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    for layout in (by_sequence, by_class):
        assert not layout.is_contiguous()
        have = kernels.ctc_loss(layout, targets.int(), frames.int(), labels.int())
        assert torch.equal(have[0], want[0])
        assert torch.equal(have[1], want[1])


@pytest.mark.slow
def test_autograd_scales_every_sequence_by_what_comes_in():
    given = drawn(4, [[1, 2], [1, 1, 1]], 3, [4, 4])
    _, gradient = kernels.ctc_loss(*given, zero_infinity=True)
    leaf = given[0].clone().requires_grad_()
    losses = kernels.losses(leaf, *given[1:], zero_infinity=True)
    assert losses.tolist()[1] == 0
    scale = torch.tensor([0.5, 3.0], device=DEVICE)
    (found,) = torch.autograd.grad(losses, leaf, scale)
    assert torch.equal(found, 0.5 * gradient * torch.tensor([1.0, 0.0], device=DEVICE)[:, None])
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(kernels.losses(leaf, *given[1:]).sum(), leaf, create_graph=True)


def test_without_a_gradient_one_direction_is_walked(monkeypatch):
    ways, run = [], loss._lattice.run

    def counted(*a, grid, **k):
        ways.append(grid[1])
        return run(*a, grid=grid, **k)

    monkeypatch.setattr(loss._lattice, "run", counted)
    given = drawn(3, [[1, 2]], 3)
    leaf = given[0].clone().requires_grad_()
    with torch.no_grad():
        silent = kernels.losses(leaf, *given[1:])
    assert not silent.requires_grad
    assert torch.equal(kernels.losses(leaf, *given[1:]), silent)
    assert ways == [1, 3]


@pytest.mark.slow
def test_the_gradient_is_that_of_the_scores_before_the_softmax():
    log_probs, *rest = drawn(3, [[1, 2]], 3, dtype=torch.float64)
    scores = (log_probs + 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: kernels.losses(z.log_softmax(-1), *rest), scores)


def test_no_sequence_and_no_frame_are_no_trouble():
    none = torch.zeros(0, dtype=torch.int64, device=DEVICE)
    losses, gradient = kernels.ctc_loss(torch.zeros(3, 0, 4, device=DEVICE), none.reshape(0, 2), none, none)
    assert (losses.shape, gradient.shape) == ((0,), (3, 0, 4))
    one = torch.zeros(1, dtype=torch.int64, device=DEVICE)
    losses, gradient = kernels.ctc_loss(torch.zeros(0, 1, 4, device=DEVICE), one.reshape(1, 1), one, one + 1)
    assert losses.tolist() == [INF]
    assert gradient.shape == (0, 1, 4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"log_probs": torch.zeros(3, 5)}, r"log_probs has shape \(3, 5\); it must have shape \(T, B, C\)"),
        ({"targets": torch.ones(3, 1).long()}, r"targets has shape \(3, 1\); it must have shape \(2, L\)"),
        ({"input_lengths": torch.tensor([4])}, r"input_lengths has shape \(1,\); it must have shape \(2,\)"),
        ({"target_lengths": torch.tensor([4])}, r"target_lengths has shape \(1,\); it must have shape \(2,\)"),
        ({"targets": torch.ones(2, 1)}, "targets holds torch.float32; the kernel takes int64 and int32"),
        ({"log_probs": torch.zeros(4, 2, 3).int()}, "log_probs holds torch.int32; the kernel takes float32, bfloat16"),
        ({"blank": 3}, "blank is 3; with 3 classes it must be from 0 to 2"),
        ({"targets": torch.ones(2, 2048).long()}, r"targets has shape \(2, 2048\); the kernel takes up to 2047 labels"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    given = {"log_probs": torch.zeros(4, 2, 3), "targets": torch.ones(2, 1).long()}
    given |= {"input_lengths": torch.tensor([4, 4]), "target_lengths": torch.tensor([1, 1])} | change
    with pytest.raises(ValueError, match=sentence):
        kernels.ctc_loss(**given)


def test_the_cost_counts_lengths_and_what_arrives_at_the_losses():
    T, B, C, L = 3, 2, 5, 2
    lengths_and_targets = B * (2 * 8 + L * 8)
    assert cost.loss_cost(T, B, C, L, 4).bytes == T * B * (L + 1) * 4 + lengths_and_targets + B * 4
    assert cost.loss_cost(T, B, C, L, 2, backward=True).bytes == 2 * T * B * C * 2 + lengths_and_targets + 2 * B * 4
    assert cost.loss_cost(T, B, C, L, 8).bytes == T * B * (L + 1) * 8 + lengths_and_targets + B * 8


def test_the_cost_of_the_claimed_sizes_is_steps_or_bytes():
    long = cost.loss_cost(1024, 32, 128, 96, 4, backward=True)
    assert long.bound(H200) == "steps"
    wide = cost.loss_cost(512, 64, 5000, 64, 4, backward=True)
    assert wide.bound(H200) == "memory"
    assert wide.floor(H200) == pytest.approx(0.31e-3, rel=0.03)
    for must, sizes in ((long, (1024, 32, 128, 96, 4)), (wide, (512, 64, 5000, 64, 4))):
        assert must.bytes < sum(cost.loss_passes(*sizes).values())
        moved = sum(cost.loss_passes(*sizes).values()) / H200.bandwidth
        for seconds in (must.floor(H200), moved):
            assert f" {1e3 * seconds:.3f}e-3" in loss.__doc__  # the table says so
    assert sum(cost.loss_passes(512, 64, 5000, 64, 4).values()) < 1.15 * wide.bytes
    assert cost.loss_cost(512, 64, 5000, 64, 4).bytes < 0.02 * wide.bytes
