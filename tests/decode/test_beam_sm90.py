"""The beam step compiled for Hopper at the sizes that the benchmark times, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.decode.compile_beam_sm90", tmp_path_factory.mktemp("triton"))


def test_every_size_that_a_gpu_times_is_compiled_and_the_first_launch_in_several_forms(compiled):
    for shape in BENCHMARKS["beam_step"].shapes["full"]:
        rows = [row for row in compiled if row["shape"] == {k: v for k, v in shape.items() if k != "B"}]
        kinds = [row["kernel"] for row in rows]
        assert kinds.count("groups") >= 3
        assert {"candidates", "merge"} <= set(kinds)


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_scores_of_a_multiple_of_sixteen_are_read_sixteen_bytes_at_a_time(compiled):
    rows = [row for row in compiled if row["kernel"] == "groups" and row["shape"]["V"] % 16 == 0]
    assert rows
    for row in rows:
        assert row["wide"], row
        assert all(row["wide"]), row


def test_so_many_threads_read_that_the_memory_is_kept_busy(compiled):
    """4.3 TB/s over 132 multiprocessors, answered after 0.7 us: 23 kB on their way, 16 bytes and more a thread."""
    for row in compiled:
        if row["kernel"] == "groups" and row["shape"]["V"] % 16 == 0:
            assert sm90.REGISTERS // row["registers"] >= 1536, row


def test_the_rounds_of_the_later_launches_need_little_shared_memory(compiled):
    for row in compiled:
        if row["kernel"] != "groups":
            assert row["shared"] <= 2048
            assert row["warps"] <= 8


def test_the_rounds_of_the_claimed_size_stay_within_two_warps(compiled):
    claimed = BENCHMARKS["beam_step"].shapes["full"][0]
    for row in compiled:
        if row["kernel"] != "groups" and row["shape"] == {k: v for k, v in claimed.items() if k != "B"}:
            assert row["warps"] <= 2
