"""The beam step against float64 torch and NumPy; in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch

from seqlab import decode
from seqlab.decode import cost, kernels

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if kernels.interpreting() else "cuda"
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def small_groups(monkeypatch):
    """Groups of 16 tokens, so that a small vocabulary has many, and tiles that hold few of them."""
    monkeypatch.setattr(kernels, "group_size", lambda V, width: 16)
    monkeypatch.setattr(kernels._groups, "configs", [kernels.triton.Config({"TILE": 64})])


def drawn(B, K, V, dtype=torch.float32, spread=3.0, seed=0):
    rng = np.random.default_rng(seed)
    scores = torch.tensor(rng.normal(size=(B, K, V)) * spread, device=DEVICE).to(dtype)
    return scores, torch.tensor(-10 * rng.random((B, K)), dtype=torch.float32, device=DEVICE)


def truth(scores, totals, width):
    """All K V totals in float64, sorted; of equal ones the first stays first."""
    wide = scores.double().log_softmax(-1) + totals.double()[..., None]
    found, at = wide.flatten(1).sort(dim=1, descending=True, stable=True)
    return found[:, :width], at[:, :width] // scores.shape[2], at[:, :width] % scores.shape[2]


def check(scores, totals, width, error=1e-5):
    have, want = kernels.beam_step(scores, totals, width), truth(scores, totals, width)
    assert [tensor.dtype for tensor in have] == [torch.float32, torch.int64, torch.int64]
    assert torch.equal(have[1], want[1])
    assert torch.equal(have[2], want[2])
    finite = want[0].isfinite()
    assert torch.equal(have[0].isfinite(), finite)
    assert (have[0] - want[0])[finite].abs().max() <= error * max(1, want[0][finite].abs().max())
    return have


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("B", "K", "V", "width"), [(1, 1, 1, 1), (2, 1, 63, 5), (2, 3, 63, 3), (1, 4, 500, 7), (3, 2, 5, 10), (2, 5, 17, 1)]
)
def test_the_best_continuations_are_those_of_log_softmax_and_a_stable_sort(B, K, V, width, dtype):
    check(*drawn(B, K, V, dtype), width)


@pytest.mark.parametrize(("V", "width"), [(1, 2), (16, 3), (65, 4), (127, 20), (300, 5)])
def test_groups_and_tiles_may_end_anywhere(V, width, small_groups):
    check(*drawn(2, 3, V), width)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_both_backends_choose_the_same():
    scores, totals = drawn(3, 4, 40)
    scores = (2 * scores).round() / 2  # many ties
    scores[1, 2, 7:] = -INF
    totals[2, 1:] = -INF
    totals[0, 1] = totals[0, 3]
    have, want = (decode.beam_step(scores, totals, 60, backend=name) for name in ("triton", "torch"))
    assert torch.allclose(have[0], want[0], rtol=1e-6)
    same = (want[0][:, 1:] - want[0][:, :-1]).abs() > 1e-4  # where totals differ by more than a rounding
    alone = torch.nn.functional.pad(same, (1, 0), value=True) & torch.nn.functional.pad(same, (0, 1), value=False)
    assert alone.sum() > 10
    for chosen, wanted in zip(have[1:], want[1:], strict=True):
        assert torch.equal(chosen[alone], wanted[alone])
        assert torch.equal(chosen[2], wanted[2])  # one beam alive: the others' tokens come in order


@pytest.mark.parametrize("width", [32, 64])
def test_many_beams_come_out(width):
    check(*drawn(1, 2, 130), width)


def test_numpy_finds_the_same():
    scores, totals = drawn(2, 3, 40)
    z = scores.double().cpu().numpy()
    p = np.exp(z) / np.exp(z).sum(axis=2, keepdims=True)
    wide = (np.log(p) + totals.double().cpu().numpy()[:, :, None]).reshape(2, 120)
    best = np.argsort(-wide, axis=1, kind="stable")[:, :6]
    out, beams, tokens = kernels.beam_step(scores, totals, 6)
    assert np.array_equal(beams.cpu().numpy(), best // 40)
    assert np.array_equal(tokens.cpu().numpy(), best % 40)
    assert np.allclose(out.cpu().numpy(), np.take_along_axis(wide, best, axis=1), atol=1e-5)


@pytest.mark.parametrize("V", [7, 100])
def test_of_equal_totals_the_lowest_flat_index_wins(V, small_groups):
    _, beams, tokens = check(torch.zeros(1, 3, V, device=DEVICE), torch.zeros(1, 3, device=DEVICE), 5)
    assert beams.tolist() == [[0] * 5]
    assert tokens.tolist() == [[0, 1, 2, 3, 4]]


def test_equal_scores_in_several_groups_and_beams_come_in_order(small_groups):
    scores = torch.zeros(1, 2, 90, device=DEVICE)
    scores[0, :, [3, 20, 21, 55, 89]] = 4.0
    totals = torch.tensor([[-1.0, -1.0]], device=DEVICE)
    _, beams, tokens = check(scores, totals, 8)
    assert beams.tolist() == [[0] * 5 + [1] * 3]
    assert tokens.tolist() == [[3, 20, 21, 55, 89, 3, 20, 21]]


def test_minus_zero_and_zero_are_equal():
    scores = torch.full((1, 1, 6), -5.0, device=DEVICE)
    scores[0, 0, 2], scores[0, 0, 4] = -0.0, 0.0
    assert kernels.beam_step(scores, torch.zeros(1, 1, device=DEVICE), 2)[2].tolist() == [[2, 4]]


def test_tokens_ruled_out_come_last_in_order(small_groups):
    scores, totals = drawn(2, 2, 70)
    scores[:, :, :] = -INF
    scores[0, 0, 33], scores[0, 1, 5], scores[1, 1, 69] = 1.0, 2.0, -1.0
    out, beams, tokens = kernels.beam_step(scores, totals, 4)
    first = totals[0].argmax().item()  # the one token of a beam has probability 1
    assert beams[0].tolist() == [first, 1 - first, 0, 0]
    assert tokens[0].tolist() == [[33, 5][first], [33, 5][1 - first], 0, 1]
    assert torch.equal(out[0, :2], totals[0].sort(descending=True).values)
    assert out[0, 2:].tolist() == [-INF, -INF]
    assert (beams[1].tolist(), tokens[1].tolist()) == ([1, 0, 0, 0], [69, 0, 1, 2])


@pytest.mark.filterwarnings("error")  # dead beams are no accident
def test_dead_beams_come_only_when_nothing_else_is_left():
    scores, totals = drawn(1, 3, 4)
    totals[0, :] = torch.tensor([-INF, -2.0, -INF])
    _, beams, tokens = check(scores, totals, 10)
    assert beams[0, :4].tolist() == [1] * 4
    assert beams[0, 4:].tolist() == [0] * 4 + [2] * 2
    assert tokens[0, 4:].tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.filterwarnings("error")
def test_all_beams_dead_is_no_trouble():
    scores, totals = drawn(2, 2, 9)
    totals[1] = -INF
    scores[0] = -INF
    out, beams, tokens = kernels.beam_step(scores, totals, 3)
    assert torch.all(out == -INF)
    assert beams.tolist() == [[0] * 3] * 2
    assert tokens.tolist() == [[0, 1, 2]] * 2


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_score_that_is_no_number_is_not_hidden(bad, small_groups):
    scores, totals = drawn(3, 2, 50)
    scores[1, 1, 40] = bad
    out, beams, tokens = kernels.beam_step(scores, totals, 4)
    assert out.isnan().all(1).tolist() == [False, True, False]
    assert not out[[0, 2]].isnan().any()
    assert beams[1].tolist() == [1] * 4
    assert tokens[1].tolist() == [0, 1, 2, 3]


def test_a_constant_added_to_all_scores_of_a_beam_changes_nothing():
    scores, totals = drawn(2, 3, 200)
    scores = (scores * 64).round() / 64  # so that adding 1e4 loses no digit
    for have, want in zip(
        kernels.beam_step(scores + 1e4, totals, 5), kernels.beam_step(scores, totals, 5), strict=True
    ):
        assert torch.equal(have, want)


def test_totals_far_from_zero_keep_their_digits():
    scores, totals = drawn(1, 3, 64)
    check(scores, totals - 300, 5, error=1e-6)


def test_a_sentence_does_not_depend_on_the_others():
    scores, totals = drawn(4, 3, 80)
    whole = kernels.beam_step(scores, totals, 5)
    for b in (0, 3):
        alone = kernels.beam_step(scores[b : b + 1], totals[b : b + 1], 5)
        assert all(torch.equal(one[0], all_[b]) for one, all_ in zip(alone, whole, strict=True))


def test_scores_need_not_lie_side_by_side_in_memory():
    scores, totals = drawn(2, 3, 40)
    turned = scores.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    assert not turned.is_contiguous()
    for have, want in zip(kernels.beam_step(turned, totals, 4), kernels.beam_step(scores, totals, 4), strict=True):
        assert torch.equal(have, want)


def test_probabilities_of_all_continuations_sum_to_those_of_the_beams():
    scores, totals = drawn(2, 3, 7)
    out = kernels.beam_step(scores, totals, 21)[0]
    assert torch.allclose(out.exp().sum(1), totals.exp().sum(1), rtol=1e-5)


def test_no_sentence_is_no_launch():
    out, beams, tokens = kernels.beam_step(*drawn(0, 3, 5), 2)
    assert out.shape == beams.shape == tokens.shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scores": torch.zeros(3, 5)}, r"scores has shape \(3, 5\); it must have shape \(B, K, V\)"),
        ({"totals": torch.zeros(1, 3)}, r"totals has shape \(1, 3\); it must have shape \(1, 2\)"),
        ({"scores": torch.zeros(1, 2, 5).double()}, "scores holds torch.float64; the kernel takes float32, bfloat16"),
        ({"totals": torch.zeros(1, 2).half()}, "totals holds torch.float16; the kernel takes float32"),
        ({"width": 0}, "width is 0; it must be from 1 to 10, 2 beams of 5 tokens"),
        ({"width": 11}, "width is 11; it must be from 1 to 10, 2 beams of 5 tokens"),
        ({"scores": torch.zeros(1, 2, 50), "width": 65}, "width is 65; it must be from 1 to 64, the kernel's 64"),
        ({"scores": torch.zeros(1, 2, 0)}, "width is 3; it must be from 1 to 0, 2 beams of 0 tokens"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    given = {"scores": torch.zeros(1, 2, 5), "totals": torch.zeros(1, 2), "width": 3} | change
    with pytest.raises(ValueError, match=sentence):
        kernels.beam_step(**given)


def test_nobody_expects_a_gradient_of_a_choice():
    scores, totals = drawn(1, 2, 20)
    out = kernels.beam_step(scores.requires_grad_(), totals, 3)[0]
    assert not out.requires_grad


@pytest.mark.parametrize(("V", "width", "most"), [(1, 1, 16), (5000, 4, 256), (32768, 10, 256), (250_000, 64, 256)])
def test_groups_are_powers_of_two_and_neither_small_nor_large(V, width, most):
    E = kernels.group_size(V, width)
    assert E & (E - 1) == 0
    assert 16 <= E <= most
    assert V < 64 or E >= 64


def test_the_costs_are_those_of_one_read_against_five():
    sizes = {"B": 64, "K": 10, "V": 32768, "itemsize": 4}
    must = cost.beam_step_cost(**sizes, width=10)
    assert must.bound() == "memory"
    assert must.floor() == pytest.approx(19.5e-6, rel=0.01)
    ours = cost.beam_step_passes(**sizes, width=10, group=kernels.group_size(32768, 10))
    assert must.bytes <= sum(ours.values()) <= 1.1 * must.bytes
    assert sum(cost.eager_passes(**sizes).values()) == pytest.approx(5 * must.bytes, rel=1e-3)
    for number in (sum(cost.eager_passes(**sizes).values()), sum(ours.values()), must.bytes):
        assert f"  {number / 1e6:.0f}  " in " ".join(["", *kernels.__doc__.split("\n"), ""])  # the table says so
