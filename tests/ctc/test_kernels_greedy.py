"""The greedy kernels against argmax and NumPy's collapse; on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch

from seqlab.ctc import cost, kernels, reference
from seqlab.ctc.kernels import greedy
from seqlab.kernels import H200

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if greedy.interpreting() else "cuda"
NAN, INF = float("nan"), float("inf")


def drawn(T, B, C, dtype=torch.float32, seed=0):
    """Scores with many ties and repeats, and ragged lengths, the first of them T."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(T, B, C)).round(1)
    scores[1:] = np.where(rng.random((max(T - 1, 0), B, 1)) < 0.4, scores[:-1], scores[1:])
    lengths = rng.integers(0, T + 1, size=B)
    lengths[0] = T
    return torch.tensor(scores, device=DEVICE).to(dtype), torch.tensor(lengths, device=DEVICE)


def check(scores, lengths, blank=0):
    labels, found = kernels.greedy_decode(scores, lengths, blank)
    assert labels.dtype == found.dtype == torch.int64
    best = scores.float().cpu().numpy().argmax(axis=2)
    for b, T in enumerate(lengths.tolist()):
        want = reference.collapse(best[:T, b].tolist(), blank)
        assert found[b] == len(want)
        assert labels[b].tolist() == [*want, *[-1] * (len(scores) - len(want))]
    return labels, found


@pytest.mark.parametrize(("T", "B", "C"), [(1, 1, 1), (7, 3, 4), (4, 2, 63)])
def test_labels_are_those_of_argmax_and_collapse(T, B, C):
    check(*drawn(T, B, C))


@pytest.mark.slow
@pytest.mark.parametrize(("T", "B", "C", "blank"), [(3, 1, 500, 7), (63, 2, 3, 1), (130, 1, 2, 0), (40, 1, 3, 2)])
def test_sizes_and_the_blank_may_be_anything(T, B, C, blank):
    check(*drawn(T, B, C), blank)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_other_types_are_taken(dtype):
    check(*drawn(3, 2, 5, dtype))


def test_frames_are_collapsed_in_pieces(monkeypatch):
    monkeypatch.setattr(greedy, "WALK", 32)
    path = [1, 1, 0, 1, 2, 2] * 11  # a label goes on from frame 31 to 32, and the next piece begins in the middle
    scores = torch.nn.functional.one_hot(torch.tensor(path), 3)[:, None].float().to(DEVICE)
    monkeypatch.setattr(greedy._best, "configs", [greedy.triton.Config({"BLOCK": 16})])
    labels, found = check(scores, torch.tensor([66], device=DEVICE))
    assert labels[0, : found[0]].tolist() == [1, 1, 2] + [1, 1, 2] * 10


def test_of_equal_scores_the_lowest_class_wins_wherever_the_blocks_end(monkeypatch):
    monkeypatch.setattr(greedy._best, "configs", [greedy.triton.Config({"BLOCK": 16})])
    scores = torch.zeros(4, 1, 50, device=DEVICE)
    scores[0, 0, [40, 17, 33]] = 2.0
    scores[1, 0, [49, 3]] = 1.0
    scores[2, 0, :] = -INF
    scores[3, 0, [20, 36]] = INF
    assert check(scores, torch.tensor([4], device=DEVICE), 7)[0].tolist() == [[17, 3, 0, 20]]


def test_nan_counts_as_the_largest():
    scores = torch.zeros(1, 1, 5, device=DEVICE)
    scores[0, 0, 3] = NAN
    assert kernels.greedy_decode(scores, torch.ones(1, dtype=torch.int64, device=DEVICE), 0)[0].tolist() == [[3]]


def test_what_is_behind_the_end_does_not_matter_nor_who_is_beside():
    scores, lengths = drawn(6, 2, 4)
    lengths[1] = 3
    labels, found = check(scores, lengths)
    scores[3:, 1] = NAN
    again = kernels.greedy_decode(scores, lengths, 0)
    assert torch.equal(again[0], labels)
    alone = kernels.greedy_decode(scores[:3, 1:], lengths[1:], 0)
    assert torch.equal(alone[0][0], labels[1, :3])
    assert torch.equal(alone[1][0], found[1])


def test_other_layouts_and_lengths_of_32_bits_give_the_same():
    scores, lengths = drawn(4, 2, 5)
    want = kernels.greedy_decode(scores, lengths, 0)
    for order, back in (((1, 0, 2), (1, 0, 2)), ((2, 0, 1), (1, 2, 0))):
        layout = scores.permute(order).contiguous().permute(back)
        assert not layout.is_contiguous()
        assert all(map(torch.equal, kernels.greedy_decode(layout, lengths.int(), 0), want))


def test_no_sequence_and_no_frame_are_no_trouble():
    none = torch.zeros(0, dtype=torch.int64, device=DEVICE)
    labels, found = kernels.greedy_decode(torch.zeros(3, 0, 4, device=DEVICE), none, 0)
    assert (labels.shape, found.shape) == ((0, 3), (0,))
    one = torch.zeros(1, dtype=torch.int64, device=DEVICE)
    labels, found = kernels.greedy_decode(torch.zeros(0, 1, 4, device=DEVICE), one, 0)
    assert labels.shape == (1, 0)
    assert found.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"log_probs": torch.zeros(3, 5)}, r"log_probs has shape \(3, 5\); it must have shape \(T, B, C\)"),
        ({"input_lengths": torch.tensor([4])}, r"input_lengths has shape \(1,\); it must have shape \(2,\)"),
        ({"input_lengths": torch.ones(2)}, "input_lengths holds torch.float32; the kernel takes int64 and int32"),
        ({"log_probs": torch.zeros(4, 2, 3).int()}, "log_probs holds torch.int32; the kernel takes float32, bfloat16"),
        ({"blank": -1}, "blank is -1; with 3 classes it must be from 0 to 2"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    given = {"log_probs": torch.zeros(4, 2, 3), "input_lengths": torch.tensor([4, 4]), "blank": 0} | change
    with pytest.raises(ValueError, match=sentence):
        kernels.greedy_decode(**given)


def test_the_cost_is_one_read():
    must = cost.greedy_cost(1024, 32, 5000, 4)
    assert must.bound(H200) == "memory"
    assert must.floor(H200) == pytest.approx(0.153e-3, rel=0.01)
