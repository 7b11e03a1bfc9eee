import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import seqlab.kernels  # noqa: F401  first: it chooses Triton's interpreter where there is no GPU
from seqlab.ctc import align, ctc_loss, functional, reference

MINE, THEIRS = ctc_loss, F.ctc_loss


def case(seed, T=9, B=4, C=5, L=4, blank=0, dtype=torch.float64):
    """Scores (T, B, C) and ragged targets with repeats, some empty, some without a path, some without a frame."""
    rng = np.random.default_rng([seed, T, B, C, L])
    scores = torch.tensor(rng.normal(size=(T, B, C)) * 3, dtype=dtype)
    labels = torch.tensor(rng.integers(C - 1, size=(B, L)))
    labels += labels >= blank
    input_lengths = torch.tensor(rng.integers(0, T + 1, size=B))
    return scores, labels, input_lengths, torch.tensor(rng.integers(0, L + 1, size=B))


def run(loss, scores, *args, **options):
    """Loss, gradient by log_probs, gradient by scores, for an upstream gradient without symmetry."""
    scores = scores.clone().requires_grad_()
    log_probs = scores.log_softmax(-1)
    log_probs.retain_grad()
    out = loss(log_probs, *args, **options)
    out.backward(torch.linspace(0.5, 2.0, out.numel(), dtype=out.dtype).reshape(out.shape))
    return out.detach(), log_probs.grad, scores.grad


def agree(scores, *args, tolerance=1e-10, **options):
    for ours, theirs in zip(run(MINE, scores, *args, **options), run(THEIRS, scores, *args, **options), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        assert torch.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)


# --- the twin of torch's


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("blank", [0, 2, 4])
def test_random_ragged_cases_as_torch(blank, reduction, zero_infinity):
    for seed in range(8):
        agree(*case(seed, blank=blank), blank, reduction, zero_infinity)


@pytest.mark.parametrize(
    ("T", "B", "C", "L"), [(1, 1, 2, 0), (1, 3, 2, 1), (20, 2, 63, 8), (4, 7, 3, 6), (40, 1, 5, 17)]
)
def test_odd_sizes_as_torch(T, B, C, L):
    for seed in range(4):
        agree(*case(seed, T, B, C, L), reduction="none", zero_infinity=seed % 2 == 0)


def test_concatenated_targets_as_padded_ones():
    scores, targets, input_lengths, target_lengths = case(1)
    one_row = torch.cat([row[:length] for row, length in zip(targets, target_lengths, strict=True)])
    agree(scores, one_row, input_lengths, target_lengths, reduction="none")
    padded = MINE(scores.log_softmax(-1), targets, input_lengths, target_lengths)
    assert torch.equal(padded, MINE(scores.log_softmax(-1), one_row, input_lengths, target_lengths))


@pytest.mark.parametrize("kind", [torch.int32, torch.int64, torch.int8])
@pytest.mark.parametrize("lengths", [tuple, list, torch.tensor, lambda n: torch.tensor(n, dtype=torch.int32)])
def test_integers_and_lengths_of_every_kind_as_torch(kind, lengths):
    scores, targets, *_ = case(2)
    agree(scores, targets.to(kind), lengths([9, 8, 7, 9]), lengths([4, 0, 2, 3]))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("target", [[1, 2, 2], [3], []])
def test_one_sequence_without_a_batch_as_torch(target, reduction):
    scores = case(3)[0][:, 0]
    target = torch.tensor(target, dtype=torch.int64)
    agree(scores, target, torch.tensor(8), torch.tensor(len(target)), reduction=reduction)
    agree(scores, target, (8,), (len(target),), reduction=reduction)
    numbers = MINE(scores.log_softmax(-1), target, 8, len(target), reduction=reduction)
    assert torch.equal(numbers, MINE(scores.log_softmax(-1), target, (8,), (len(target),), reduction=reduction))


def test_a_target_without_a_path_costs_infinity_or_nothing():
    scores, targets = case(4, T=3, B=2)[0], torch.tensor([[1, 1, 2], [1, 2, 3]])
    lengths = (torch.tensor([3, 3]), torch.tensor([3, 3]))
    agree(scores, targets, *lengths, reduction="none")
    loss, by_log_probs, _ = run(MINE, scores, targets, *lengths, reduction="none", zero_infinity=True)
    assert loss[0] == 0 < loss[1] < math.inf
    assert (by_log_probs[:, 0] == 0).all()
    assert (by_log_probs[:, 1] != 0).all()


def test_without_a_frame_only_the_empty_target_has_a_path():
    scores, targets, *_ = case(5, B=2)
    agree(scores, targets, (0, 0), (0, 2), reduction="none")
    assert MINE(scores.log_softmax(-1), targets, (0, 0), (0, 2), reduction="none").tolist() == [0.0, math.inf]


def test_what_stands_behind_the_ends_does_not_count():
    scores, targets, *_ = case(6)
    lengths = torch.tensor([9, 7, 6, 4]), torch.tensor([4, 3, 0, 2])
    loss, by_log_probs, _ = run(MINE, scores, targets, *lengths, reduction="none")
    for b in range(4):
        scores[lengths[0][b] :, b] = math.nan
        targets[b, lengths[1][b] :] = -100
    again, by_log_probs_again, _ = run(MINE, scores, targets, *lengths, reduction="none")
    assert torch.equal(loss, again)
    assert torch.equal(by_log_probs, by_log_probs_again)
    assert (by_log_probs[4:, 3] == 0).all()


def test_impossible_classes_leave_the_other_paths():
    scores, targets, *_ = case(7, B=2)
    scores[2, :, 3] = scores[5, 0, 0] = -math.inf
    lengths = (9, 8), (3, 2)
    log_probs = scores.log_softmax(-1).requires_grad_()
    losses = MINE(log_probs, targets, *lengths, reduction="none")
    assert torch.allclose(losses, THEIRS(log_probs, targets, *lengths, reduction="none"), rtol=1e-10)
    losses.sum().backward()
    for b in range(2):  # torch's gradient is NaN where a class is impossible; the reference's is a number
        frames, target = log_probs[: lengths[0][b], b].detach().numpy(), targets[b, : lengths[1][b]].tolist()
        _, want = reference.ctc_loss(frames, target)
        assert np.allclose(log_probs.grad[: lengths[0][b], b].numpy(), want, rtol=0, atol=1e-12)


def test_a_number_that_is_none_is_not_hidden():
    scores, targets, *_ = case(7, B=2)
    scores[2, 0, 1] = math.nan
    loss, by_log_probs, _ = run(MINE, scores, targets, (9, 9), (3, 3), reduction="none", zero_infinity=True)
    assert loss.isnan().tolist() == [True, False]
    assert by_log_probs.isnan().any(2).any(0).tolist() == [True, False]


@pytest.mark.parametrize(("T", "L", "scale"), [(60, 8, 1.0), (300, 40, 1.0), (2000, 30, 0.1), (2000, 30, 30.0)])
def test_float32_is_near_float64_however_long_the_sequence(T, L, scale):
    """Torch's own float32 gradient is up to 5 % off in the last case, for log alpha is as large as the loss."""
    scores, targets, *_ = case(0, T, 4, 11, L, dtype=torch.float32)
    lengths = (T, T - 1, T // 2 + L, T), (L, L - 1, L // 2, 0)
    want = run(MINE, scores.double() * scale, targets, *lengths, reduction="none")
    have = run(MINE, scores * scale, targets, *lengths, reduction="none")
    for ours, truth, tolerance in zip(have, want, (1e-6, 1e-4, 1e-4), strict=True):
        assert ours.dtype == torch.float32
        assert ours.isfinite().all()
        assert (ours.double() - truth).norm() <= tolerance * truth.norm()


@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_two_thousand_frames_as_torch(scale):
    scores, targets, *_ = case(0, T=2000, B=2, C=6, L=30)
    agree(scores * scale, targets, (2000, 1500), (30, 20), reduction="none", tolerance=1e-8)


# --- laws


def test_the_losses_are_those_of_brute_force():
    scores = case(8, T=5, B=1, C=3)[0]
    log_probs = scores.log_softmax(-1)
    texts = reference.brute_force(log_probs[:, 0].numpy())
    width = max(map(len, texts))
    targets = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts])
    losses = MINE(
        log_probs.expand(5, len(texts), 3), targets, [5] * len(texts), [len(text) for text in texts], reduction="none"
    )
    assert torch.allclose(-losses, torch.tensor(list(texts.values()), dtype=torch.float64), rtol=0, atol=1e-12)
    assert torch.isclose((-losses).exp().sum(), torch.tensor(1.0).double(), rtol=1e-12)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradcheck_through_a_log_softmax(reduction):
    scores = case(9, T=6, B=3)[0].requires_grad_()
    targets, lengths = torch.tensor([[1, 1, 2], [3, 4, 0], [0, 0, 0]]), ((6, 4, 5), (3, 2, 0))
    assert torch.autograd.gradcheck(
        lambda s: MINE(s.log_softmax(-1), targets, *lengths, reduction=reduction), scores, atol=1e-7
    )


def test_occupancies_sum_to_one_and_the_gradient_by_the_scores_to_zero():
    scores, targets, *_ = case(10)
    lengths = (9, 8, 7, 6), (4, 3, 2, 0)
    _, by_log_probs, by_scores = run(lambda *a: MINE(*a, reduction="sum"), scores, targets, *lengths)
    inside = torch.arange(9)[:, None] < torch.tensor(lengths[0])
    occupancy = (scores.softmax(-1) - by_log_probs / 0.5)[inside]  # `run` weighs a single number by 0.5
    assert torch.allclose(occupancy.sum(-1), torch.ones(len(occupancy)).double())
    assert (occupancy > -1e-12).all()
    assert torch.allclose(by_scores.sum(-1), torch.zeros(9, 4).double(), atol=1e-12)


def test_only_behind_a_log_softmax_is_the_gradient_that_of_the_loss():
    """Torch's convention, which this shares: by a single log-probability the true derivative lacks exp(log_probs)."""
    log_probs = case(11, B=1)[0].log_softmax(-1)
    arguments = (torch.tensor([[1, 2]]), (9,), (2,), 0, "sum")
    given = log_probs.clone().requires_grad_()
    MINE(given, *arguments).backward()
    for place in np.ndindex(9, 1, 5):
        step = torch.zeros_like(log_probs)
        step[place] = 1e-6
        true = (MINE(log_probs + step, *arguments) - MINE(log_probs - step, *arguments)) / 2e-6
        assert math.isclose(given.grad[place], true + log_probs[place].exp(), abs_tol=1e-8)


def test_a_second_derivative_is_refused():
    scores = case(12, B=1)[0].requires_grad_()
    loss = MINE(scores.log_softmax(-1), torch.tensor([[1, 2]]), (9,), (2,))
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(loss, scores, create_graph=True)


def test_without_a_gradient_the_losses_are_the_same():
    scores, *rest = case(13)
    with torch.no_grad():
        alone = MINE(scores.log_softmax(-1), *rest, reduction="none")
    assert torch.equal(alone, run(MINE, scores, *rest, reduction="none")[0])


# --- the kernel


@pytest.mark.slow
@pytest.mark.parametrize(("reduction", "zero_infinity"), [("none", False), ("mean", True)])
def test_the_kernel_behind_the_same_face(reduction, zero_infinity):
    for seed in range(2):
        scores, *rest = case(seed, T=6, B=4, C=4, L=3)
        options = {"reduction": reduction, "zero_infinity": zero_infinity}
        with_kernel = run(lambda *a, **o: ctc_loss(*a, **o, backend="triton"), scores, *rest, **options)
        for ours, theirs in zip(with_kernel, run(THEIRS, scores, *rest, **options), strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10, equal_nan=True)


def test_the_kernel_refuses_a_target_that_is_too_long():
    log_probs, target = torch.zeros(2, 1, 3), torch.ones(1, 2048).long()
    with pytest.raises(ValueError, match="a target has 2048 labels; the kernel takes 2047 at most"):
        ctc_loss(log_probs, target, (2,), (2048,), backend="triton")


# --- alignment


def test_alignment_is_that_of_the_reference():
    for seed in range(12):
        scores, targets, input_lengths, target_lengths = case(seed)
        log_probs = scores.log_softmax(-1)
        paths, of_paths = align(log_probs, targets, input_lengths, target_lengths)
        assert paths.shape == (4, 9)
        for b, (T, L) in enumerate(zip(input_lengths.tolist(), target_lengths.tolist(), strict=True)):
            frames, target = log_probs[:T, b].numpy(), targets[b, :L].tolist()
            if reference.frames_needed(target) > T:
                assert of_paths[b] == -math.inf
                assert (paths[b] == -1).all()
                continue
            want, log_prob = reference.viterbi(frames, target)
            assert paths[b, :T].tolist() == want.tolist()
            assert (paths[b, T:] == -1).all()
            assert math.isclose(of_paths[b], log_prob, abs_tol=1e-10)


def test_of_equal_paths_it_takes_the_one_that_the_reference_takes():
    log_probs = torch.full((7, 3), -math.log(3), dtype=torch.float64)
    for target in ([], [1], [1, 1], [2, 1, 2]):
        path, _ = align(log_probs, torch.tensor(target), 7, len(target))
        assert path.tolist() == reference.viterbi(log_probs.numpy(), target)[0].tolist()


# --- what is refused

GOOD = {
    "log_probs": torch.full((4, 2, 3), -1.0),
    "targets": torch.tensor([[1, 2], [1, 1]]),
    "input_lengths": (4, 3),
    "target_lengths": (2, 2),
}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"log_probs": [[0.0]]}, "log_probs is a list; it must be a torch tensor"),
        ({"log_probs": torch.zeros(4, 2, 3).half()}, r"log_probs holds torch.float16; .* use log_probs.float\(\)"),
        ({"log_probs": torch.zeros(4)}, r"log_probs has shape \(4,\); it must have shape \(T, B, C\) or \(T, C\)"),
        ({"log_probs": torch.zeros(0, 2, 3)}, r"log_probs has shape \(0, 2, 3\); it must hold a number"),
        ({"targets": [[1, 2], [1, 1]]}, "targets is a list"),
        ({"targets": torch.ones(2, 2)}, "targets holds torch.float32; it must hold whole numbers"),
        ({"targets": torch.ones(3, 2).long()}, r"targets has shape \(3, 2\); it must have shape \(2, Lmax\)"),
        ({"targets": torch.ones(1, 2, 2).long()}, r"it must have shape \(2, Lmax\), or \(sum of the lengths,\)"),
        ({"targets": torch.tensor([1, 2, 1])}, "targets has 3 labels and target_lengths sums to 4"),
        ({"targets": torch.tensor([[1, 3], [1, 1]])}, "targets holds 1 to 3; log_probs has classes 0 to 2"),
        ({"targets": torch.tensor([[1, -1], [1, 1]])}, "targets holds -1 to 1; log_probs has classes 0 to 2"),
        ({"targets": torch.tensor([[1, 0], [1, 1]])}, "targets holds 0, the blank, before a target's end"),
        ({"input_lengths": (5, 3)}, "input_lengths goes from 3 to 5; every length must be from 0 to 4"),
        ({"input_lengths": (-1, 3)}, "input_lengths goes from -1 to 3"),
        ({"input_lengths": (4,)}, r"input_lengths has shape \(1,\); it must have shape \(2,\)"),
        ({"input_lengths": (4.0, 3.0)}, "input_lengths holds torch.float32; it must hold whole numbers"),
        ({"target_lengths": (3, 2)}, "target_lengths goes from 2 to 3; every length must be from 0 to 2"),
        ({"target_lengths": (-1, 2)}, "target_lengths goes from -1 to 2"),
        ({"blank": 3}, "blank is 3; it must be a class of log_probs, 0 to 2"),
    ],
)
def test_a_wrong_argument_is_named(wrong, sentence):
    for function in (ctc_loss, align):
        with pytest.raises(ValueError, match=sentence):
            function(**(GOOD | wrong))


def test_a_wrong_name_is_named():
    with pytest.raises(ValueError, match="reduction is 'average'; it must be 'none', 'mean' or 'sum'"):
        ctc_loss(**GOOD, reduction="average")
    with pytest.raises(ValueError, match="backend is 'cuda'; it must be 'auto', 'torch' or 'triton'"):
        ctc_loss(**GOOD, backend="cuda")


@pytest.mark.parametrize(("said", "taken"), [("seqlab torch", "torch"), ("seqlab Triton", "triton"), (None, "triton")])
def test_on_cuda_auto_takes_what_was_measured_fastest(monkeypatch, said, taken):
    """Without a device: what `pick_backend` and the table of measurements would say there is put in their place."""
    asked = []
    monkeypatch.setattr(functional, "pick_backend", lambda backend, *tensors: "triton")
    monkeypatch.setattr(
        functional, "fastest_backend", lambda name, ways, *rest: asked.append((name, *rest[1:])) or ways.get(said)
    )
    log_probs, targets = torch.zeros(5, 2, 3, requires_grad=True), torch.ones(2, 1)
    assert functional._choose("auto", log_probs, targets) == taken
    assert asked == [("ctc_loss", {"T": 5, "C": 3, "L": 1, "B": 2}, True)]
