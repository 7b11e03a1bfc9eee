"""The prefix beam kernel against the NumPy search; interpreted, or on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch

from seqlab import ctc
from seqlab.ctc import cost, reference
from seqlab.ctc.kernels import beam
from seqlab.ctc.reference import decoding

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if beam.interpreting() else "cuda"
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 4 labels, so that a small vocabulary has many."""
    monkeypatch.setattr(beam._likeliest, "configs", [beam.triton.Config({"BLOCK": 4}, num_warps=1)])


def drawn(T, B, C, seed=0, spread=1.5, dtype=torch.float64):
    scores = np.random.default_rng(seed).normal(size=(T, B, C)) * spread
    return torch.tensor(scores).log_softmax(2).to(dtype).to(DEVICE)


def beams(found, b):
    """The beams of one sequence that hold a text: (labels, log_prob) each."""
    labels, lengths, log_probs = (x[b].tolist() for x in found)
    assert all(row[n:] == [-1] * (len(row) - n) for row, n in zip(labels, lengths, strict=True))
    return [(tuple(ids[:n]), p) for ids, n, p in zip(labels, lengths, log_probs, strict=True) if p > -INF]


def check(log_probs, lengths, K, blank=0, rtol=1e-5):
    """Compare with the NumPy search, sequence by sequence; return what was found."""
    found = beam.beam_decode(log_probs, torch.tensor(lengths, device=DEVICE), K, blank)
    T, B, _ = log_probs.shape
    assert [tuple(x.shape) for x in found] == [(B, K, T), (B, K), (B, K)]
    assert [x.dtype for x in found[:2]] == [torch.int64] * 2
    for b, n in enumerate(lengths):
        one = log_probs[:n, b].double().cpu().numpy()
        want = decoding.beam_decode(one, K, blank, n_best=K)
        have = beams(found, b)
        assert [labels for labels, _ in have] == [h.labels for h in want]
        np.testing.assert_allclose([p for _, p in have], [h.log_prob for h in want], rtol=rtol, atol=1e-6)
    return found


def returns(log_probs, K):
    """Frames in which a prefix comes back that had left the beam, while a longer one that begins with it stayed."""
    beams, judge, found = {(): decoding.Masses(blank=0.0)}, decoding.Judge(None, 0, 0.0, log_probs.shape[1]), []
    for t, y in enumerate(log_probs):
        now = decoding.best(decoding.extend_all(beams, y, range(1, len(y))), judge, K)
        new = [p for p in now if p not in beams]
        found += [t for p in new if any(len(q) > len(p) and q[: len(p)] == p for q in now)]
        beams = now
    return found


@pytest.mark.parametrize(
    ("T", "lengths", "C", "K", "blank", "dtype"),
    [
        (5, [5, 2], 4, 2, 0, torch.float64),
        (4, [4, 0, 1], 3, 5, 2, torch.float32),
        (3, [3], 2, 1, 0, torch.float32),
        (2, [2, 2], 1, 2, 0, torch.float64),
        (3, [2], 37, 4, 36, torch.float32),
    ],
)
def test_the_beams_are_those_of_the_reference_in_the_same_order(T, lengths, C, K, blank, dtype):
    log_probs = drawn(T, len(lengths), C, dtype=dtype)
    for b, n in enumerate(lengths):
        log_probs[n:, b] = NAN  # nobody reads it
    found = check(log_probs, lengths, K, blank, rtol=1e-10 if dtype == torch.float64 else 1e-5)
    assert found[2].dtype == dtype


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_longer_sequences_and_wider_beams_too(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 15, size=2).tolist()
    C, K, spread = int(rng.integers(2, 6)), int(rng.integers(2, 9)), float(rng.choice([0.5, 1.5, 4]))
    check(drawn(14, 2, C, seed, spread), lengths, K, rtol=1e-10)


@pytest.mark.parametrize(
    ("T", "K", "seed", "spread"),
    [
        (5, 3, 411, 1.5),
        pytest.param(7, 4, 464, 2.0, marks=pytest.mark.slow),
        pytest.param(8, 4, 217, 2.0, marks=pytest.mark.slow),
    ],
)
def test_a_prefix_that_comes_back_is_the_one_that_left(T, K, seed, spread):
    """Else its text would be held twice, or, in the other cases, a node that lies below it be taken for another."""
    log_probs = drawn(T, 1, 3, seed, spread)
    assert returns(log_probs[:, 0].cpu().numpy(), K)
    texts = [labels for labels, _ in beams(check(log_probs, [T], K, rtol=1e-10), 0)]
    assert len(set(texts)) == len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 5, 6])
def test_many_prefixes_come_back(seed):
    log_probs = drawn(20, 1, 3, seed, 2.0)
    assert len(returns(log_probs[:, 0].cpu().numpy(), 4)) >= 2
    check(log_probs, [20], 4, rtol=1e-10)


def test_a_beam_that_holds_all_prefixes_is_exact():
    log_probs = drawn(3, 1, 3)
    exact = reference.brute_force(log_probs[:, 0].cpu().numpy())
    have = dict(beams(beam.beam_decode(log_probs, None, len(exact) + 2), 0))
    assert have.keys() == exact.keys()
    assert all(have[text] == pytest.approx(exact[text], rel=1e-12) for text in exact)


def test_a_double_letter_needs_a_blank_between():
    log_probs = torch.tensor([[0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]], device=DEVICE).log()[:, None]
    have = dict(beams(check(log_probs, [4], 3), 0))
    assert max(have, key=have.get) == (1, 1)
    assert have[1, 1] == pytest.approx(ctc_log_prob(log_probs, (1, 1)), rel=1e-5)


def test_the_label_after_the_best_may_take_the_place_of_the_last_letter():
    """The beam holds (1,) and (1, 1); then (1,) grows by 2 and by 3, though 1 is likelier than both."""
    rows = [[1e-4, 1, 1e-4, 1e-4], [0.05, 0.95, 1e-4, 1e-4], [0.5, 0.5, 1e-4, 1e-4], [0.001, 0.34, 0.33, 0.329]]
    log_probs = torch.tensor(rows, dtype=torch.float64, device=DEVICE).log().log_softmax(1)[:, None]
    assert [labels for labels, _ in beams(check(log_probs[:3], [3], 2), 0)] == [(1,), (1, 1)]
    assert [labels for labels, _ in beams(check(log_probs, [4], 2), 0)] == [(1, 2), (1, 3)]


def ctc_log_prob(log_probs, text):
    return reference.log_likelihood(reference.ctc_forward(log_probs[:, 0].double().cpu().numpy(), list(text)))


@pytest.mark.parametrize("C", [3, 14])
def test_of_equal_scores_who_was_there_comes_first_then_the_lower_label(C, small_blocks):
    log_probs = torch.full((1, 1, C), 1 / C, device=DEVICE).log()
    have = [labels for labels, _ in beams(check(log_probs, [1], 4, blank=1), 0)]
    assert have == [(), *((c,) for c in range(C) if c != 1)][:4]


def test_the_labels_of_a_frame_may_lie_in_any_block(small_blocks):
    log_probs = drawn(1, 3, 14, dtype=torch.float32)
    check(log_probs[:, :1], [1], 4, blank=9)
    values, ids = log_probs[0].clone(), torch.arange(14, device=DEVICE)
    values[:, 9] = -INF
    frames, B, K = torch.ones(3, dtype=torch.int64, device=DEVICE), 3, 4
    got, labels = torch.empty(1, B, K + 1, device=DEVICE), torch.empty(1, B, K + 1, dtype=torch.int32, device=DEVICE)
    likeliest, _ = beam.plan(14, K, torch.float32)
    beam._likeliest[(B,)](log_probs, frames, got, labels, B, 14, K + 1, 9, **likeliest)
    want, at = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(got[0], want[:, : K + 1])
    assert torch.equal(labels[0].long(), ids[at[:, : K + 1]])


def test_what_is_impossible_is_never_found():
    log_probs = drawn(3, 3, 4)
    log_probs[:, 0] = torch.tensor([0.0, -INF, -INF, -INF])  # nothing but blanks
    log_probs[:, 1, 1:] = -INF
    log_probs[1, 1, 2] = log_probs[1, 1, 0]
    log_probs[2, 2] = -INF  # no path at all
    found = check(log_probs, [3, 3, 3], 3)
    assert beams(found, 0) == [((), 0.0)]
    assert len(beams(found, 1)) == 2
    assert beams(found, 2) == []
    assert found[1][0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [NAN, INF])
def test_what_is_no_log_probability_is_not_hidden(bad):
    log_probs = drawn(2, 3, 5)
    log_probs[1, 1, 3] = bad
    log_probs[1, 2] = bad  # behind the end
    labels, lengths, out = beam.beam_decode(log_probs, torch.tensor([2, 2, 1], device=DEVICE), 2)
    assert out.isnan().all(1).tolist() == [False, True, False]
    assert not out[[0, 2]].isnan().any()
    assert lengths[1].tolist() == [0, 0]
    assert torch.all(labels[1] == -1)


def test_two_runs_and_a_sequence_alone_give_the_same_bits():
    log_probs = drawn(2, 2, 6, dtype=torch.float32)
    lengths = torch.tensor([1, 2], device=DEVICE)
    first = beam.beam_decode(log_probs, lengths, 3)
    alone = beam.beam_decode(log_probs[:, 1:], lengths[1:], 3)
    turned = log_probs.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    again = beam.beam_decode(turned, lengths.int(), 3)
    assert all(torch.equal(x, y) for x, y in zip(first, again, strict=True))
    assert all(torch.equal(x[1:], y) for x, y in zip(first, alone, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_and_summed_in_float32(dtype):
    found = check(drawn(2, 1, 6, dtype=dtype), [2], 2)
    assert found[2].dtype == torch.float32


def test_the_public_function_finds_the_same_by_both_ways():
    log_probs, lengths = drawn(3, 2, 5), [3, 2]
    have, want = (ctc.beam_decode(log_probs, lengths, 3, n_best=2, backend=backend) for backend in ("triton", "torch"))
    for one, other in zip(have, want, strict=True):
        assert [h.labels for h in one] == [h.labels for h in other]
        assert [h.log_prob for h in one] == pytest.approx([h.log_prob for h in other], rel=1e-10)


@pytest.mark.parametrize(("T", "B"), [(0, 2), (3, 0)])
def test_no_frames_or_no_sequences_are_no_trouble(T, B):
    labels, lengths, out = beam.beam_decode(drawn(T, B, 4), None, 2)
    assert (labels.shape, lengths.shape, out.shape) == ((B, 2, T), (B, 2), (B, 2))
    assert out.tolist() == [[0.0, -INF]] * B
    assert lengths.tolist() == [[0, 0]] * B


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"log_probs": torch.zeros(3, 5)}, r"log_probs has shape \(3, 5\); it must have shape \(T, B, C\)"),
        ({"log_probs": torch.zeros(2, 1, 5).long()}, "log_probs holds torch.int64; the kernel takes float32"),
        ({"input_lengths": torch.tensor([2, 2])}, r"input_lengths has shape \(2,\); it must have shape \(1,\)"),
        ({"input_lengths": torch.tensor([2.0])}, "input_lengths holds torch.float32; the kernel takes int64"),
        ({"beam_width": 33}, "beam_width is 33; the kernel's is 1 to 32: use backend='torch' for a wider beam"),
        ({"beam_width": 0}, "beam_width is 0"),
        ({"blank": 5}, "blank is 5; log_probs has the classes 0 to 4"),
        ({"blank": -1}, "blank is -1; log_probs has the classes 0 to 4"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    given = {"log_probs": torch.zeros(2, 1, 5), "input_lengths": torch.tensor([2]), "beam_width": 3} | change
    with pytest.raises(ValueError, match=sentence):
        beam.beam_decode(**given)


def test_the_plan_keeps_a_table_within_a_thread_s_registers():
    for width, dtype, warps in ((16, torch.float32, 1), (8, torch.float32, 1), (32, torch.float32, 4)):
        likeliest, search = beam.plan(1000, width, dtype)
        assert (search["K"], search["LABELS"], search["num_warps"]) == (width, 1024, warps)
        assert likeliest["SLOTS"] > width  # one label more than beams
    assert beam.plan(1000, 32, torch.float64)[1]["num_warps"] == 8


def test_the_cost_is_a_read_of_the_scores_and_a_wait_a_frame():
    must = cost.beam_cost(512, 64, 1000, 16, 4)
    assert must.bound() == "steps"
    assert must.floor() == pytest.approx(512 * cost.EXCHANGES * 150e-9)
    assert must.parts()["memory"] == pytest.approx(512 * 64 * 1000 * 4 / 4.3e12, rel=0.05)
    ours = cost.beam_passes(512, 64, 1000, 16, 4)
    assert must.bytes < sum(ours.values()) < 1.3 * must.bytes
    T, B, C, K = 3, 2, 5, 2
    read, texts = B * 8, B * K * (T * 8 + 8)
    assert cost.beam_cost(T, B, C, K, 2).bytes == T * B * C * 2 + read + texts + B * K * 4
    assert cost.beam_cost(T, B, C, K, 8).bytes == T * B * C * 8 + read + texts + B * K * 8
