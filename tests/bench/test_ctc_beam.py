"""The benchmark of prefix beam search at the sizes that any machine can run."""

import dataclasses

import pytest
import torch

from seqlab.bench import BENCHMARKS, ctc, measure
from seqlab.ctc import cost, decoding
from seqlab.kernels import H200, has_triton, interpreting

SMALL = BENCHMARKS["ctc_beam"].shapes["small"]


def test_every_way_is_right_and_what_can_be_timed_is():
    report = measure(BENCHMARKS["ctc_beam"], "small", repeat=1)
    assert {row["role"] for row in report["rows"]} == ({"ours", "peer"} if has_triton() else {"peer"})
    for row in report["rows"]:
        assert row["right"], row
        assert set(row["errors"]) == {"log_probs", "best text"}
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


@pytest.mark.parametrize("slip", ["log_probs", "best text"])
def test_a_search_that_errs_is_found_out(slip, monkeypatch):
    (case,) = BENCHMARKS["ctc_beam"].cases(SMALL[0], "cpu")
    truth, search = torch.tensor(case.truth()[slip]), decoding.beam_decode

    def slipping(*a, **k):
        found = search(*a, **k)
        for beams in found:
            h = beams[0]
            other = {"log_prob": h.log_prob * 1.001} if slip == "log_probs" else {"labels": (*h.labels, 1)}
            beams[0] = dataclasses.replace(h, **other)
        return found

    monkeypatch.setattr(decoding, "beam_decode", slipping)
    found = case.peers["seqlab torch on the CPU"]()[slip]
    assert torch.linalg.norm(found - truth) > 10 * case.tolerance[slip] * torch.linalg.norm(truth)


def test_what_the_network_says_is_mostly_sure_and_mostly_blank():
    log_probs, lengths = ctc.spoken(100, 4, 50, torch.float64, "cpu")
    assert torch.allclose(log_probs.exp().sum(2), torch.ones(100, 4, dtype=torch.float64))
    best = log_probs.max(2)
    assert 0.5 < (best.indices == 0).double().mean() < 0.9
    assert best.values.exp().median() > 0.5
    assert lengths[0] == 100
    assert lengths.min() >= 50


def test_full_shapes_hold_the_size_of_the_book_s_claim():
    shapes = BENCHMARKS["ctc_beam"].shapes["full"]
    assert {"T": 512, "B": 64, "C": 1000, "K": 16, "dtype": "float32"} in shapes
    must = cost.beam_cost(512, 64, 1000, 16, 4)
    assert must.bound(H200) == "steps"
    assert must.floor(H200) < 5e-3  # what the search may take
