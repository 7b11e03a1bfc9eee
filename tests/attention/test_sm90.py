"""Every form of flash attention, compiled for Hopper at the sizes that the benchmark times, with no GPU."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]
KERNELS = ("forward", "backward_queries", "backward_keys")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return sm90.run("tests.attention.compile_sm90", tmp_path_factory.mktemp("triton"))


def test_every_shape_of_the_benchmark_is_compiled(compiled):
    for shape in BENCHMARKS["flash"].shapes["full"]:
        size = [shape["D"], shape["dtype"], shape["pairs"] == "causal", None, False]
        assert {row["kernel"] for row in compiled if row["size"] == size} == set(KERNELS)


def test_everything_stays_in_registers(compiled):
    """But a little over rows of 256 numbers, for whose sums no tile is small enough."""
    assert not [row for row in compiled if row["spills"] > (256 if row["size"][0] == 256 else 0)]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_fits_one_multiprocessor(compiled):
    assert not [row for row in compiled if row["shared"] > sm90.SHARED]


def test_products_of_16_bits_are_those_of_a_warpgroup(compiled):
    rows = [row for row in compiled if row["size"][1] in ("bfloat16", "float16")]
    assert rows
    assert not [row for row in rows if not row["wgmma"] or row["mma"]]


def test_no_result_is_turned_over_on_its_way_to_another_product(compiled):
    assert {row["kernel"] for row in compiled} == set(KERNELS)
    assert not [row for row in compiled if row["turned"]]


def test_the_next_tiles_of_16_bits_are_on_their_way_sixteen_bytes_at_a_time(compiled):
    rows = [row for row in compiled if row["size"][0] % 16 == 0 and row["size"][1] in ("bfloat16", "float16")]
    assert rows
    assert not [row for row in rows if not row["ahead"]]


def test_no_sum_is_added_by_atomics(compiled):
    assert not [row for row in compiled if row["atomics"]]


def test_a_power_of_two_is_one_instruction(compiled):
    for row in compiled:
        if row["size"][1] != "float64":
            assert row["powers"] > 0, row
            assert row["slow_powers"] == 0, row
