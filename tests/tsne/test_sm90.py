"""The kernels compiled for Hopper with no GPU: what they hold in registers, and what a pair or a distance costs."""

import pytest

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return sm90.run("tests.tsne.compile_sm90", tmp_path_factory.mktemp("triton"))


def of(compiled, kernel, dtype="float32"):
    return [row for row in compiled if (row["kernel"], row["dtype"]) == (kernel, dtype)]


def test_every_shape_of_the_benchmarks_is_compiled(compiled):
    def sizes(name):
        return [size for shapes in BENCHMARKS[name].shapes.values() for size in shapes]

    assert {row["k"] for row in of(compiled, "search")} >= {size["k"] for size in sizes("perplexity_search")}
    have = {(row["whole"], row["d"]) for row in of(compiled, "repulsion")}
    assert have >= {(size["N"] % 16 == 0, size["d"]) for size in sizes("repulsion")}
    assert {row["d"] for row in of(compiled, "attraction")} >= {size["d"] for size in sizes("attraction")}


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_fits_one_multiprocessor(compiled):
    assert not [row for row in compiled if row["shared"] > sm90.SHARED]


@pytest.mark.parametrize(("d", "most"), [(1, 8), (2, 11), (3, 15)])
def test_a_pair_takes_the_instructions_of_its_mathematics_and_one_more(compiled, d, most):
    for row in of(compiled, "repulsion"):
        if row["d"] != d:
            continue
        unmasked = min(row["loops"], key=lambda loop: loop["all"])
        assert unmasked["MUFU.RSQ"] == 1
        assert 3 * d + 4 <= unmasked["all"] <= most
        assert unmasked.get("FSEL", 0) == unmasked.get("BAR", 0) == unmasked.get("LDS", 0) == 0


def test_twenty_warps_of_the_repulsion_share_a_multiprocessor(compiled):
    for row in of(compiled, "repulsion"):
        if row["d"] == 2:
            assert sm90.REGISTERS // (row["registers"] * row["warps"] * 32) * row["warps"] >= 20


def test_a_step_of_the_search_is_one_exponential_a_distance_and_little_else(compiled):
    for row in of(compiled, "search"):
        if 64 <= row["k"] <= 2048:
            (step,) = row["loops"]
            assert step["MUFU.EX2"] == 1
            assert step["all"] <= 6
            assert step.get("BAR", 0) == step.get("LDS", 0) == 0


def test_a_row_of_ninety_distances_leaves_room_for_many_programs(compiled):
    (row,) = (row for row in of(compiled, "search") if row["k"] == 90)
    assert row["warps"] == 1
    assert row["registers"] <= 128
