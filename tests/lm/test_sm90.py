"""Every form of the kernel, compiled for Hopper at the sizes that the benchmarks time, with no GPU."""

import pytest

from tests import sm90

pytestmark = pytest.mark.sm90


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return sm90.run("tests.lm.compile_sm90", tmp_path_factory.mktemp("triton"))


@pytest.fixture
def losses(compiled):
    return [row for row in compiled if row["kernel"] == "cross_entropy"]


def test_every_shape_of_the_benchmarks_is_compiled(losses):
    from seqlab.bench import BENCHMARKS

    for name in ("cross_entropy", "linear_cross_entropy"):
        for sizes in BENCHMARKS[name].shapes.values():
            for size in sizes:
                forms = [r for r in losses if (r["V"], r["dtype"]) == (size["V"], size["dtype"])]
                assert {row["gradient"] for row in forms} == {False, True}


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_fits_one_multiprocessor(compiled):
    assert not [row for row in compiled if row["shared"] > sm90.SHARED]


def test_the_largest_row_is_held_whole_walked_to_or_read_in_parts_that_share_a_multiprocessor(losses):
    forms = [r for r in losses if (r["V"], r["dtype"], r["gradient"]) == (32768, "bfloat16", True)]
    whole = [row for row in forms if row["WHOLE"]]
    assert {(row["BLOCK"], row["STAGES"]) for row in whole} == {(32768, 1), (32768, 3)}
    two_rows = 2 * 32768 * 2
    assert all((row["STAGES"] == 3) == (row["ahead"] > 0) == (row["shared"] >= two_rows) for row in whole)
    parts = [row for row in forms if not row["WHOLE"]]
    assert max(sm90.REGISTERS // (row["registers"] * row["warps"] * 32) for row in parts) >= 4


def test_rows_of_a_multiple_of_sixteen_move_sixteen_bytes_at_a_time(losses):
    wide = [row for row in losses if row["V"] % 16 == 0]
    assert wide
    assert not [row for row in wide if not row["wide_loads"] + row["ahead"]]
    assert not [row for row in wide if row["gradient"] and not row["wide_stores"]]


def test_offsets_of_rows_have_64_bits(losses):
    assert not [row for row in losses if row["offsets"] != ["s64"]]
