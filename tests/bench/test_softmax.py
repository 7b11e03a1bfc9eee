"""The benchmark of softmax at the sizes that any machine can run."""

import pytest

from seqlab.bench import BENCHMARKS, measure
from seqlab.kernels import interpreting


@pytest.mark.slow
def test_every_way_is_right_and_what_can_be_timed_is():
    report = measure(BENCHMARKS["softmax"], "small", repeat=1)
    assert {row["pass"] for row in report["rows"]} == {"forward", "forward and backward"}
    assert {row["role"] for row in report["rows"]} == {"ours", "peer"}
    for row in report["rows"]:
        assert row["right"], row
        assert set(row["errors"]) == ({"p"} if row["pass"] == "forward" else {"p", "z"})
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


def test_full_shapes_hold_the_size_of_the_book_s_claim():
    assert {"B": 16384, "V": 32768, "dtype": "bfloat16"} in BENCHMARKS["softmax"].shapes["full"]
