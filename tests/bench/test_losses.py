"""The benchmarks of the losses at the sizes that any machine can run."""

import pytest

from seqlab.bench import BENCHMARKS, measure
from seqlab.kernels import interpreting


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cross_entropy", "linear_cross_entropy"])
def test_every_way_is_right_and_what_can_be_timed_is(name):
    report = measure(BENCHMARKS[name], "small", repeat=1)
    assert {row["pass"] for row in report["rows"]} == {"forward", "forward and backward"}
    assert {row["role"] for row in report["rows"]} == {"ours", "peer"}
    for row in report["rows"]:
        assert row["right"], row
        assert set(row["errors"]) == {"loss"} | _gradients(name, row["pass"])
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


def _gradients(name, passes):
    if passes == "forward":
        return set()
    return {"z"} if name == "cross_entropy" else {"h", "W"}


def test_full_shapes_hold_the_sizes_of_the_book_s_claims():
    assert {"B": 16384, "V": 32768, "dtype": "bfloat16"} in BENCHMARKS["cross_entropy"].shapes["full"]
    assert {"M": 8192, "D": 2048, "V": 32768, "dtype": "bfloat16"} in BENCHMARKS["linear_cross_entropy"].shapes["full"]
