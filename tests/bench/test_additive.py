"""The benchmark of additive attention at the sizes that any machine can run."""

import numpy as np
import pytest
import torch

from seqlab.attention import cost
from seqlab.bench import BENCHMARKS, measure
from seqlab.kernels import H200, has_triton, interpreting

GRADIENTS = {"query", "key", "value", "v"}


def test_every_way_is_right_and_what_can_be_timed_is():
    report = measure(BENCHMARKS["additive"], "small", repeat=1)
    assert {row["pass"] for row in report["rows"]} == {"forward", "forward and backward"}
    assert {row["role"] for row in report["rows"]} == ({"ours", "peer"} if has_triton() else {"peer"})
    for row in report["rows"]:
        assert row["right"], row
        more = GRADIENTS if "backward" in row["pass"] else set()
        assert set(row["errors"]) == {"context", "weights"} | more
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


@pytest.mark.parametrize("name", ["tanh", "softmax"])
def test_a_way_that_computes_something_else_is_found_out(name, monkeypatch):
    case = BENCHMARKS["additive"].cases(BENCHMARKS["additive"].shapes["small"][0], "cpu")[1]
    truth = case.truth()
    if name == "tanh":
        monkeypatch.setattr(torch, "tanh", torch.sigmoid)
    else:
        softmax = torch.Tensor.softmax
        monkeypatch.setattr(torch.Tensor, "softmax", lambda self, dim: softmax(1.01 * self, dim))
    results = case.peers["eager"]()
    for key in ("context", "weights", "query", "key", "value", "v"):
        error = np.linalg.norm(results[key].detach().numpy() - truth[key]) / np.linalg.norm(truth[key])
        assert error > 10 * case.tolerance[key]


def test_full_shapes_hold_the_size_of_the_book_s_claim():
    assert {"B": 64, "T": 256, "D": 512, "dtype": "float32"} in BENCHMARKS["additive"].shapes["full"]
    must = cost.additive_cost(64, 256, 256, 512)
    assert must.bound(H200) == "arithmetic"
    assert must.floor(H200) < 0.51e-3  # a special function for each pair and dimension would take that
