"""Every form of the kernels, compiled for Hopper at the sizes that the benchmarks time, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]
STEPS = ("sgns", "cbow", "skipgram", "hierarchical cbow", "glove")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.embeddings.compile_sm90", tmp_path_factory.mktemp("triton"))


def test_every_size_that_a_gpu_times_is_compiled_in_several_forms(compiled):
    benchmarks = {"skipgram": "hierarchical", "hierarchical cbow": "hierarchical"}
    for name in STEPS:
        for shape in BENCHMARKS[benchmarks.get(name, name)].shapes["full"]:
            assert len([row for row in compiled if row["kernel"] == name and row["shape"] == shape]) >= 3
    assert {row["kernel"] for row in compiled} == {*STEPS, "count", "turn_over"}


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_a_program_needs_so_little_shared_memory_that_registers_alone_set_how_many_fit(compiled):
    for row in compiled:
        programs = sm90.REGISTERS // (row["registers"] * row["warps"] * 32)
        assert row["shared"] * programs <= sm90.SHARED, row


def test_a_window_of_300_dimensions_leaves_room_for_many_others(compiled):
    rows = [row for row in compiled if row["kernel"] == "sgns" and row["shape"]["D"] == 300]
    at_once = max(sm90.REGISTERS // (row["registers"] * row["warps"] * 32) for row in rows)
    assert at_once >= 8


def test_rows_of_a_multiple_of_four_move_sixteen_bytes_at_a_time_both_ways(compiled):
    rows = [row for row in compiled if row["kernel"] in STEPS and row["shape"]["D"] % 4 == 0]
    assert rows
    for row in rows:
        assert row["wide_loads"] > 0, row
        wide = [width for _, width in row["additions"]].count("v4.f32")
        assert wide >= len(row["additions"]) / 2, row  # the rest: biases, or one row shared by all threads


def test_additions_ask_for_no_order(compiled):
    rows = [row for row in compiled if row["kernel"] != "turn_over"]
    assert all(row["additions"] for row in rows)
    assert {order for row in rows for order, _ in row["additions"]} == {"relaxed"}
