"""Every form of the softmax kernels, compiled for Hopper at the sizes that the benchmark times, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import H200, has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return sm90.run("tests.lm.compile_softmax_sm90", tmp_path_factory.mktemp("triton"))


def test_every_size_that_a_gpu_times_is_compiled_forward_and_backward(compiled):
    for size in BENCHMARKS["softmax"].shapes["full"]:
        kernels = {row["kernel"] for row in compiled if (row["V"], row["dtype"]) == (size["V"], size["dtype"])}
        assert kernels & {"softmax_row", "softmax_online"}
        assert kernels & {"softmax_backward", "softmax_backward_parts"}
    assert {row["kernel"] for row in compiled} >= {"row_max", "exponentials", "row_sum", "quotient"}


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_fits_one_multiprocessor(compiled):
    assert not [row for row in compiled if row["shared"] > sm90.SHARED]


def test_a_row_of_the_claimed_size_is_held_whole_and_the_next_are_on_their_way(compiled):
    rows = [row for row in compiled if (row["kernel"], row["V"], row["dtype"]) == ("softmax_row", 32768, "bfloat16")]
    assert {row["STAGES"] for row in rows} == {1, 2, 3}
    for row in rows:
        ahead = (row["STAGES"] - 1) * 32768 * 2
        assert (ahead > 0) == (row["ahead"] > 0)
        assert row["shared"] >= ahead
    once = [row for row in rows if row["STAGES"] == 1]
    assert all(row["loads"] * 8 * row["warps"] * 32 == row["V"] for row in once)  # every score once, 16 bytes a load


def test_the_arithmetic_of_a_row_takes_less_time_than_its_memory(compiled):
    """So a division for each score, which costs a few instructions more than a product, costs no time."""
    V, bandwidth, ports, clock = 32768, H200.bandwidth / 132, 4, 1.98e9  # of one multiprocessor
    for row in compiled:
        if (row["kernel"], row["V"]) == ("softmax_row", V):
            size = {"float32": 4, "bfloat16": 2}[row["dtype"]]
            assert row["loop"] * row["warps"] / (ports * clock) <= 0.75 * 2 * V * size / bandwidth, row


def test_a_row_in_parts_leaves_room_for_other_programs(compiled):
    for kernel in ("softmax_online", "softmax_backward_parts"):
        rows = [row for row in compiled if row["kernel"] == kernel]
        assert max(sm90.REGISTERS // (row["registers"] * row["warps"] * 32) for row in rows) >= 4


def test_rows_of_a_multiple_of_sixteen_move_sixteen_bytes_at_a_time(compiled):
    wide = [row for row in compiled if row["V"] % 16 == 0]
    assert wide
    assert not [row for row in wide if not row["wide_loads"] + row["ahead"]]
    assert not [row for row in wide if row["kernel"] not in ("row_max", "row_sum") and not row["wide_stores"]]


def test_offsets_of_rows_have_64_bits(compiled):
    assert not [row for row in compiled if row["offsets"] != ["s64"]]
