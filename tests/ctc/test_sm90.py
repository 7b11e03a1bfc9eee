"""The loss and the greedy decoder compiled for Hopper at the sizes that the benchmarks time, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.ctc.compile_sm90", tmp_path_factory.mktemp("triton"))


def test_every_size_that_a_gpu_times_is_compiled_in_all_forms(compiled):
    from tests.ctc.compile_sm90 import lattice_kind

    for shape in BENCHMARKS["ctc_loss"].shapes["full"]:
        rows = [row for row in compiled if row["kernel"] == "lattice" and row["kind"] == lattice_kind(**shape)]
        assert sum(row["kept"] for row in rows) >= 2
        assert [row for row in compiled if row["kernel"] == "gradient" and row["shape"] == shape]
    assert [row for row in compiled if row["kernel"] == "lattice" and not row["kept"] and row["kind"][1] == 128]
    for shape in BENCHMARKS["ctc_greedy"].shapes["full"]:
        assert {row["kernel"] for row in compiled if row["shape"] == shape} == {"best", "collapse"}


def test_everything_stays_in_registers(compiled):
    """But a little of the longest targets, 2047 labels."""
    assert not [row for row in compiled if row["spills"] > (256 if row["shape"].get("L") == 2047 else 0)]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_is_hardly_used(compiled):
    assert not [row for row in compiled if row["shared"] > 32 * 1024]


def test_nothing_is_added_by_atomics(compiled):
    assert not [row for row in compiled if row.get("atomics")]


def test_a_frame_costs_a_thread_with_one_lane_two_barriers_and_a_hundred_instructions(compiled):
    rows = [row for row in compiled if row["kernel"] == "lattice" and row["kept"] and row["kind"][0] == "float32"]
    rows = [row for row in rows if row["kind"][1] == 32 * row["warps"] >= 64]
    assert {row["kind"][1] for row in rows} >= {64, 128, 512}
    for row in rows:
        assert row["frame"]["BAR"] <= 2.5, row  # to write for the neighbour, to read what it has written
        assert row["frame"]["MUFU.EX2"] == 2, row  # y of the label and of the blank, off the chain
        assert "MUFU.LG2" not in row["frame"]
        assert row["frame"]["all"] <= 135, row


def test_scores_are_read_sixteen_bytes_at_a_time(compiled):
    rows = [row for row in compiled if row["kernel"] == "best" and row["BLOCK"] >= 128 * row["warps"]]
    assert rows
    for row in rows:
        assert row["wide"], row
        assert all(row["wide"]), row
