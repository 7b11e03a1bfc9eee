"""The decoders in torch, a batch at a time, against those in NumPy and against torch's own parts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab import ctc
from seqlab.ctc import reference
from seqlab.kernels import interpreting
from seqlab.lm import NGram


def drawn(seed, T, B, C, scale, holes=0.0):
    """Log-probabilities (T, B, C) of chance; a share of them is -Inf, but never all of a frame."""
    rng = np.random.default_rng([seed, T, B, C])
    scores = torch.tensor(rng.normal(size=(T, B, C)) * scale)
    hole = torch.tensor(rng.random((T, B, C)) < holes)
    hole[..., -1:] &= ~hole.all(-1, keepdim=True)
    return scores.masked_fill(hole, -torch.inf).log_softmax(2)


def batch(seed, T, B, C, scale=2.0, holes=0.0):
    """Log-probabilities (T, B, C) and ragged lengths; behind the lengths stands NaN."""
    log_probs = drawn(seed, T, B, C, scale, holes)
    lengths = np.random.default_rng(seed).integers(0, T + 1, size=B)
    for b, length in enumerate(lengths):
        log_probs[length:, b] = torch.nan
    return log_probs, torch.tensor(lengths)


def each(log_probs, lengths):
    """The sequences one by one, as NumPy's functions take them."""
    return [log_probs[:length, b].double().numpy() for b, length in enumerate(lengths.tolist())]


batches = st.builds(
    batch,
    st.integers(0, 10**6),
    st.integers(0, 9),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from([0.3, 2.0, 6.0]),
    st.sampled_from([0.0, 0.6]),
)

# ---- greedy


@given(batches, st.integers(0, 4))
def test_greedy_is_torch_s_own_argmax_without_repeats_and_blanks(case, blank):
    log_probs, lengths = case
    T, B, C = log_probs.shape
    blank %= C
    labels, counts = ctc.greedy_decode(log_probs, lengths, blank)
    assert labels.shape == (B, T)
    assert labels.dtype == counts.dtype == torch.int64
    for b, length in enumerate(lengths.tolist()):
        path = log_probs[:length, b].argmax(1).unique_consecutive()
        want = path[path != blank]
        assert labels[b, : counts[b]].tolist() == want.tolist()
        assert (labels[b, counts[b] :] == -1).all()
        assert reference.greedy_decode(log_probs[:length, b].numpy(), blank)[0] == tuple(want.tolist())


def test_greedy_without_lengths_reads_every_frame_and_takes_the_first_of_equals():
    log_probs, _ = batch(0, 1, 1, 2)
    log_probs = torch.tensor(
        [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.4, 0.4]]
    ).log()
    labels, counts = ctc.greedy_decode(log_probs[:, None])
    assert labels.tolist() == [[1, 1, -1, -1, -1]]
    assert counts.tolist() == [2]
    assert ctc.greedy_decode(log_probs[:, None].half(), [1])[0].tolist() == [[1, -1, -1, -1, -1]]


def test_greedy_takes_scores_before_the_softmax_too():
    scores = torch.randn(30, 4, 6, generator=torch.Generator().manual_seed(0))
    for got, want in zip(ctc.greedy_decode(scores), ctc.greedy_decode(scores.log_softmax(2)), strict=True):
        assert torch.equal(got, want)


# ---- the beam


def lm_of(C, blank):
    """A bigram over what is no blank; the blank's id ends its texts."""
    rng = np.random.default_rng(C)
    labels = [c for c in range(C) if c != blank]
    texts = [rng.choice(labels, size=rng.integers(1, 5)).tolist() if labels else [] for _ in range(8)]
    return NGram(2).fit([[*text, blank] for text in texts], C)


@given(
    batches, st.integers(0, 4), st.integers(1, 7), st.sampled_from(["plain", "bonus", "top", "lm", "lm and its end"])
)
@settings(max_examples=80)
def test_a_batch_is_decoded_as_its_sequences_one_by_one(case, blank, width, what):
    log_probs, lengths = case
    C = log_probs.shape[2]
    blank %= C
    how = {"bonus": {"bonus": 0.7}, "top": {"top": 2}}.get(what, {})
    if what.startswith("lm"):
        how = {"lm": lm_of(C, blank), "lm_weight": 0.8, "bonus": 0.4, "lm_end": blank if "end" in what else None}
    found = ctc.beam_decode(log_probs, lengths, width, blank, n_best=width, **how)
    wanted = [reference.beam_decode(one, width, blank, n_best=width, **how) for one in each(log_probs, lengths)]
    for got, want in zip(found, wanted, strict=True):
        assert [h.labels for h in got] == [h.labels for h in want]
        assert [h.log_prob for h in got] == pytest.approx([h.log_prob for h in want], abs=1e-9)
        assert [h.score for h in got] == pytest.approx([h.score for h in want], abs=1e-9)


@pytest.mark.parametrize(("width", "scale"), [(1, 1.0), (8, 1.0), (40, 4.0)])
def test_long_sequences_too(width, scale):
    """Long enough for prefixes to fall out of the beam and to come back under others that stayed."""
    log_probs, lengths = drawn(width, 40, 3, 3, scale), torch.tensor([40, 0, 23])
    found = ctc.beam_decode(log_probs, lengths, width, n_best=width)
    for got, one in zip(found, each(log_probs, lengths), strict=True):
        want = reference.beam_decode(one, width, n_best=width)
        assert [h.labels for h in got] == [h.labels for h in want]
        assert [h.log_prob for h in got] == pytest.approx([h.log_prob for h in want], abs=1e-9)


def test_the_beam_never_says_more_than_the_loss_and_comes_closer_when_it_is_wide():
    log_probs = drawn(3, 30, 6, 8, 8.0)
    gaps = {}
    for width in (1, 4, 128):
        texts = [h[0] for h in ctc.beam_decode(log_probs, beam_width=width)]
        targets = torch.tensor([c for h in texts for c in h.labels])
        sizes = [len(h.labels) for h in texts]
        losses = torch.nn.functional.ctc_loss(log_probs, targets, [30] * 6, sizes, reduction="none")
        gaps[width] = -losses - torch.tensor([h.log_prob for h in texts])
        assert (gaps[width] > -1e-9).all()
    assert gaps[1].sum() > 1
    assert gaps[128].sum() < gaps[1].sum() / 5


def test_equal_scores_keep_the_order_that_the_reference_promises():
    log_probs = torch.full((1, 2, 4), 0.25, dtype=torch.float64).log()
    for found in ctc.beam_decode(log_probs, beam_width=4, n_best=4):
        assert [h.labels for h in found] == [(), (1,), (2,), (3,)]
    sure = torch.tensor([[0, 0.5, 0.5], [1, 0, 0], [0, 0.5, 0.5]]).log()[:, None]
    assert [h.labels for h in ctc.beam_decode(sure, beam_width=9, n_best=9)[0]] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_single_and_half_precision_find_the_same_texts():
    exact, lengths = batch(5, 12, 3, 5, 3.0)
    want = ctc.beam_decode(exact, lengths, 8)
    for dtype, near in ((torch.float32, 1e-5), (torch.float16, 2e-2), (torch.bfloat16, 2e-1)):
        got = ctc.beam_decode(exact.to(dtype), lengths, 8)
        assert [h[0].labels for h in got] == [h[0].labels for h in want]
        assert [h[0].log_prob for h in got] == pytest.approx([h[0].log_prob for h in want], abs=near)


def test_the_input_is_left_as_it_was_and_no_gradient_is_kept():
    log_probs, lengths = batch(6, 5, 2, 3)
    before = log_probs.clone()
    ctc.beam_decode(log_probs.requires_grad_(), lengths, 4)
    assert torch.equal(log_probs.detach().nan_to_num(9), before.nan_to_num(9))
    assert not ctc.greedy_decode(log_probs, lengths)[0].requires_grad


def test_nothing_to_decode():
    none = torch.zeros(0, 2, 3)
    assert [[h.labels for h in found] for found in ctc.beam_decode(none, beam_width=3, n_best=3)] == [[()], [()]]
    labels, counts = ctc.greedy_decode(none)
    assert labels.shape == (2, 0)
    assert counts.tolist() == [0, 0]
    assert ctc.beam_decode(torch.zeros(4, 0, 3)) == []
    assert ctc.greedy_decode(torch.zeros(4, 0, 3))[0].shape == (0, 4)


# ---- the kernels, which have their own tests


def test_the_kernels_are_asked_when_they_are_wanted():
    device = "cpu" if interpreting() else "cuda"
    log_probs, lengths = (x.to(device) for x in batch(1, 4, 2, 3))
    on_kernel = ctc.greedy_decode(log_probs, lengths, 2, backend="triton")
    for got, want in zip(on_kernel, ctc.greedy_decode(log_probs, lengths, 2, backend="torch"), strict=True):
        assert torch.equal(got, want)
    found = ctc.beam_decode(log_probs, lengths, 2, 2, n_best=2, backend="triton")
    for got, want in zip(found, ctc.beam_decode(log_probs, lengths, 2, 2, n_best=2, backend="torch"), strict=True):
        assert [h.labels for h in got] == [h.labels for h in want]
        assert [h.log_prob for h in got] == pytest.approx([h.log_prob for h in want])
        assert [h.score for h in got] == [h.log_prob for h in got]
    with pytest.raises(ValueError, match="log_probs has NaN or"):
        ctc.beam_decode(log_probs * torch.nan, [1, 1], 2, backend="triton")


# ---- what is refused

GOOD = torch.full((3, 2, 4), 0.25).log()


@pytest.mark.parametrize("decode", [ctc.greedy_decode, ctc.beam_decode])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((GOOD[0],), r"log_probs has shape \(2, 4\); it must have shape \(T, B, C\)"),
        ((GOOD.int(),), "log_probs must be a tensor of floats"),
        ((GOOD.numpy(),), "log_probs must be a tensor of floats"),
        ((GOOD * torch.nan,), "log_probs ha"),
        ((GOOD, [1, 2, 3]), r"input_lengths has shape \(3,\); it must have shape \(2,\)"),
        ((GOOD, [1, 4]), "input_lengths goes from 1 to 4; every length must be from 0 to 3"),
        ((GOOD, [-1, 3]), "input_lengths goes from -1 to 3; every length must be from 0 to 3"),
        ((GOOD, [1.0, 3.0]), "it must hold whole numbers"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_one_sentence(decode, given, said):
    with pytest.raises(ValueError, match=said):
        decode(*given)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"blank": 4}, "blank is 4; log_probs has the classes 0 to 3"),
        ({"beam_width": 0}, "beam_width is 0; it must be a whole number, at least 1"),
        ({"n_best": 17}, "n_best is 17; a beam of width 16 holds no more than 16 texts"),
        ({"backend": "cuda"}, "backend is 'cuda'"),
        ({"backend": "triton", "bonus": 1.0}, "the kernel has no language model, no bonus and no top"),
        ({"backend": "triton", "lm": lm_of(4, 0)}, "the kernel has no language model, no bonus and no top"),
    ],
)
def test_numbers_that_no_search_can_use_are_refused(how, said):
    with pytest.raises(ValueError, match=said):
        ctc.beam_decode(GOOD, **how)


def test_scores_before_the_softmax_are_refused_by_the_beam():
    with pytest.raises(ValueError, match=r"a frame whose probabilities sum to 4; give log-probabilities"):
        ctc.beam_decode(GOOD * 0)
