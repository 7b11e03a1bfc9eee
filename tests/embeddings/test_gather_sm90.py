"""Looking up and adding, compiled for Hopper at the sizes that the benchmark times, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.embeddings.compile_gather_sm90", tmp_path_factory.mktemp("triton"))


def test_every_size_of_the_benchmark_is_compiled_for_every_kernel(compiled):
    kernels = {"gather", "add_at_random", "add_in_order", "add_parts"}
    for shapes in BENCHMARKS["embedding"].shapes.values():
        for shape in shapes:
            have = {row["kernel"] for row in compiled if (row["D"], row["dtype"]) == (shape["D"], shape["dtype"])}
            assert have == kernels


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_as_many_walking_programs_fit_a_multiprocessor_as_it_may_hold(compiled):
    for row in compiled:
        if row["kernel"] == "add_in_order":
            assert sm90.REGISTERS // (row["registers"] * row["warps"] * 32) >= 30
            assert row["shared"] == 0


def test_rows_of_a_multiple_of_four_move_sixteen_bytes_at_a_time(compiled):
    rows = [row for row in compiled if row["D"] % 4 == 0 and row["D"] >= 256 and row["dtype"] == "float32"]
    assert rows
    for row in rows:
        assert row["wide_loads"] > 0, row
        if row["kernel"] == "add_at_random":
            assert {width for _, width in row["additions"]} == {"v4.f32"}


def test_only_adding_at_random_uses_atomics_and_they_ask_for_no_order(compiled):
    for row in compiled:
        assert bool(row["additions"]) == (row["kernel"] == "add_at_random")
        assert {order for order, _ in row["additions"]} <= {"relaxed"}


def test_offsets_of_rows_have_64_bits(compiled):
    for row in compiled:
        assert "s64" in row["offsets"] or row["D"] & (row["D"] - 1) == 0, row  # a power of two is shifted
