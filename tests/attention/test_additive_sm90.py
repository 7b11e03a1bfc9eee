"""Additive attention compiled for Hopper with no GPU: what it holds in registers, and what a pair costs."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]
KERNELS = {"scores", "gradient", "normalise", "score gradient", "exponentials"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.attention.compile_additive_sm90", tmp_path_factory.mktemp("triton"))


def walks(compiled, kernel, **wanted):
    """Forms for whole tiles of float32 or 16 bits."""
    rows = [row for row in compiled if row["kernel"] == kernel and row["alike"][1:] == [64, True, True]]
    rows = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return [row for row in rows if row["shape"]["dtype"] != "float64"]


def test_every_size_that_a_gpu_times_is_compiled(compiled):
    from tests.attention.compile_additive_sm90 import alike

    for shape in BENCHMARKS["additive"].shapes["full"]:
        assert {row["kernel"] for row in compiled if row["alike"] == alike(**shape)} == KERNELS


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_does_not_limit_how_many_programs_fit(compiled):
    for row in compiled:
        programs = min(32, sm90.REGISTERS // (row["registers"] * row["warps"] * 32))
        assert row["shared"] * programs <= sm90.SHARED, row


def test_a_pair_costs_half_a_special_function_a_dimension_and_little_more_than_four_instructions(compiled):
    rows = walks(compiled, "scores")
    assert len(rows) >= 6
    for row in rows:
        (loop,) = row["loops"]
        assert loop["MUFU.RSQ"] == 0.5
        assert loop["FFMA"] + loop["FMUL"] == pytest.approx(4, abs=0.1)
    for dtype in ("float32", "bfloat16"):
        assert min(row["loops"][0]["all"] for row in rows if row["shape"]["dtype"] == dtype) <= 5.5


@pytest.mark.parametrize(("of_v", "most"), [(True, 10.5), (False, 8.5)])
def test_a_pair_of_the_gradients_costs_one_special_function_a_dimension(compiled, of_v, most):
    rows = walks(compiled, "gradient", OF_V=of_v)
    assert len(rows) >= 4
    for row in rows:
        (loop,) = row["loops"]
        assert loop["MUFU.RSQ"] == 1
    assert min(row["loops"][0]["all"] for row in rows) <= most


def test_nobody_waits_for_another_warp_inside_a_loop(compiled):
    for row in compiled:
        for loop in row.get("loops", []):
            assert loop.get("BAR", 0) == loop.get("LDS", 0) == loop.get("SHFL", 0) == 0, row
