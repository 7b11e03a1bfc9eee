"""The benchmark of the beam step at the sizes that any machine can run."""

import pytest
import torch

from seqlab.bench import BENCHMARKS, measure
from seqlab.decode import cost
from seqlab.kernels import H200, has_triton, interpreting


def test_every_way_is_right_and_what_can_be_timed_is():
    report = measure(BENCHMARKS["beam_step"], "small", repeat=1)
    assert {row["role"] for row in report["rows"]} == ({"ours", "peer"} if has_triton() else {"peer"})
    for row in report["rows"]:
        assert row["right"], row
        assert set(row["errors"]) == {"totals", "chosen"}
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


@pytest.mark.parametrize("slip", ["totals", "tokens", "beams"])
def test_a_step_that_chooses_wrong_is_found_out(slip, monkeypatch):
    case = BENCHMARKS["beam_step"].cases(BENCHMARKS["beam_step"].shapes["small"][1], "cpu")[0]
    topk = torch.Tensor.topk

    def slipping(self, width):
        found, at = topk(self, width)
        if slip == "totals":
            return found * 1.001, at
        V = 500
        if slip == "tokens":
            return found, at // V * V + (at + 1) % V
        return found, (at + V) % self.shape[1]

    monkeypatch.setattr(torch.Tensor, "topk", slipping)
    results, truth = case.peers["log_softmax and topk"](), case.truth()
    name = "totals" if slip == "totals" else "chosen"
    error = torch.linalg.norm(results[name].double() - torch.tensor(truth[name].copy()))
    assert error > 10 * case.tolerance[name] * torch.linalg.norm(torch.tensor(truth[name].copy()))


def test_full_shapes_hold_the_size_of_the_book_s_claim():
    shape = {"B": 64, "K": 10, "V": 32768, "width": 10, "dtype": "float32"}
    assert shape in BENCHMARKS["beam_step"].shapes["full"]
    must = cost.beam_step_cost(64, 10, 32768, 10, 4)
    assert must.bound(H200) == "memory"
    assert must.floor(H200) == pytest.approx(19.5e-6, rel=0.01)
