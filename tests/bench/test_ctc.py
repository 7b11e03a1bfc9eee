"""The benchmarks of CTC at the sizes that any machine can run."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.bench import BENCHMARKS, ctc, measure
from seqlab.ctc import cost
from seqlab.kernels import H200, has_triton, interpreting


@pytest.mark.parametrize(
    ("name", "keys"), [("ctc_loss", {"losses", "gradient"}), ("ctc_greedy", {"labels", "lengths"})]
)
def test_every_way_is_right_and_what_can_be_timed_is(name, keys):
    report = measure(BENCHMARKS[name], "small", repeat=1)
    assert has_triton() == any("Triton" in row["way"] for row in report["rows"])
    assert "peer" in {row["role"] for row in report["rows"]}
    for row in report["rows"]:
        assert row["right"], row
        assert set(row["errors"]) == (keys if row["pass"] != "forward" or name == "ctc_greedy" else {"losses"})
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


@pytest.mark.parametrize("slip", ["losses", "gradient"])
def test_a_loss_that_is_wrong_is_found_out(slip, monkeypatch):
    case = BENCHMARKS["ctc_loss"].cases(BENCHMARKS["ctc_loss"].shapes["small"][0], "cpu")[1]
    truth = case.truth()
    right = F.ctc_loss

    def slipping(log_probs, *rest, **options):
        if slip == "losses":
            return right(log_probs, *rest, **options) * 1.001
        return right(log_probs * 1.05, *rest, **options) + right(-0.05 * log_probs, *rest, **options)

    monkeypatch.setattr(F, "ctc_loss", slipping)
    found = case.peers["F.ctc_loss"]()[slip].detach().numpy()
    assert np.linalg.norm(found - truth[slip]) > 5 * case.tolerance[slip] * np.linalg.norm(truth[slip])


def test_our_kernel_has_a_limit_of_its_own():
    truth = {"gradient": np.ones(3)}
    assert ctc.HELD["gradient"] < ctc.TOLERANCE["gradient"]
    near, far = (torch.full((3,), 1 + error) for error in (5e-5, 5e-4))
    ctc.held(lambda: {"gradient": near}, lambda: truth)()
    with pytest.raises(ValueError, match=r"gradient is off by 5\.0e-04, allowed to our kernel is 1e-04"):
        ctc.held(lambda: {"gradient": far}, lambda: truth)()
    with pytest.raises(ValueError, match="gradient is off by nan"):
        ctc.held(lambda: {"gradient": far * float("nan")}, lambda: truth)()


def test_the_limit_for_all_is_what_torch_s_loss_needs_in_float32_over_a_thousand_frames():
    case = BENCHMARKS["ctc_loss"].cases({"T": 1024, "B": 1, "C": 128, "L": 96, "dtype": "float32"}, "cpu")[1]
    truth, found = case.truth(), case.peers["F.ctc_loss"]()
    error = np.linalg.norm(found["gradient"].numpy() - truth["gradient"]) / np.linalg.norm(truth["gradient"])
    assert ctc.HELD["gradient"] < error < ctc.TOLERANCE["gradient"]


@pytest.mark.parametrize("slip", ["ties", "blank"])
def test_a_greedy_decoder_that_is_wrong_is_found_out(slip, monkeypatch):
    case = BENCHMARKS["ctc_greedy"].cases(BENCHMARKS["ctc_greedy"].shapes["small"][0], "cpu")[0]
    truth = case.truth()
    if slip == "ties":
        argmax = torch.Tensor.argmax
        monkeypatch.setattr(torch.Tensor, "argmax", lambda self, dim: (argmax(self, dim) + 1) % self.shape[dim])
    else:
        cumsum = torch.Tensor.cumsum
        monkeypatch.setattr(torch.Tensor, "cumsum", lambda self, dim: cumsum(self, dim).clamp(max=2))
    found = case.peers["argmax and collapse"]()
    assert not np.array_equal(found["labels"].numpy(), truth["labels"])


def test_full_shapes_hold_the_sizes_of_the_book_s_claims():
    losses, greedy = (BENCHMARKS[name].shapes["full"] for name in ("ctc_loss", "ctc_greedy"))
    assert {"T": 1024, "B": 32, "C": 128, "L": 96, "dtype": "float32"} in losses
    assert {"T": 512, "B": 64, "C": 5000, "L": 64, "dtype": "float32"} in losses
    assert {"T": 1024, "B": 32, "C": 5000, "dtype": "float32"} in greedy
    assert cost.greedy_cost(1024, 32, 5000, 4).floor(H200) == pytest.approx(0.15e-3, rel=0.03)
