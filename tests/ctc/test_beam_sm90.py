"""The prefix beam search compiled for Hopper at the sizes that the benchmark times, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.ctc.compile_beam_sm90", tmp_path_factory.mktemp("triton"))


def test_every_size_that_a_gpu_times_is_compiled_and_the_first_launch_in_several_forms(compiled):
    for shape in BENCHMARKS["ctc_beam"].shapes["full"]:
        rows = [row for row in compiled if row["shape"] == {k: shape[k] for k in ("C", "K", "dtype")}]
        kinds = [row["kernel"] for row in rows]
        assert kinds.count("likeliest") >= 3
        assert kinds.count("search") == 1


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_a_beam_of_sixteen_is_one_warp_that_waits_for_no_other(compiled):
    for row in compiled:
        if row["kernel"] == "search" and row["shape"]["K"] <= 16:
            assert row["warps"] == 1
        if row["kernel"] == "search":
            assert row["shared"] <= 8192
