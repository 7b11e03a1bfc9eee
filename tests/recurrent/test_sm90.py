"""Every kernel of the room, compiled for Hopper at the sizes that the benchmarks time, with no GPU."""

import json

import pytest
import torch

from seqlab.bench import BENCHMARKS
from seqlab.kernels import has_triton
from tests import sm90

pytestmark = [pytest.mark.sm90, pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")]
CELLS = ("rnn", "gru", "lstm")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    return sm90.run("tests.recurrent.compile_sm90", tmp_path_factory.mktemp("triton"))


@pytest.fixture(scope="module")
def grid(compiled):
    return [row for row in compiled if row["kernel"].startswith("grid.")]


def test_every_kernel_and_every_shape_of_the_benchmarks_is_compiled(compiled):
    have = {(row["cell"], json.dumps(shape)) for row in compiled for shape in row["shapes"]}
    assert have >= {
        (cell, json.dumps(shape)) for cell in CELLS for shapes in BENCHMARKS[cell].shapes.values() for shape in shapes
    }
    assert {row["kernel"] for row in compiled} == {
        "rnn._resident",
        "gru._forward",
        "gru._backward",
        "lstm._forward",
        "lstm._backward",
        "grid._forward",
        "grid._backward",
    }
    assert {row["cell"] for row in compiled if row["kernel"].startswith("grid.")} == set(CELLS)
    assert {row["constants"]["UNITS"] for row in compiled if "UNITS" in row["constants"]} == {"8", "16", "64"}


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > sm90.REGISTERS]


def test_shared_memory_fits_one_multiprocessor(compiled):
    assert not [row for row in compiled if row["shared"] > sm90.SHARED]


def test_no_kernel_uses_more_shared_memory_than_its_plan_counts(compiled):
    from seqlab.recurrent.kernels import sizes

    for row in compiled:
        constants, dtype = row["constants"], getattr(torch, row["dtype"])
        if "COLS" in constants:
            planned = sizes.resident_memory(row["cell"], int(constants["COLS"]), dtype)
        else:
            columns = sizes.slots(row["cell"]) * int(constants["UNITS"])
            planned = sizes.shared_memory(int(constants["K"]), columns, dtype)
        assert row["shared"] <= planned <= sm90.SHARED, row


def test_products_run_on_tensor_cores(compiled):
    assert not [row for row in compiled if row["products"] == 0]


def test_no_sum_is_transposed_on_its_way_into_a_product(compiled):
    assert not [row for row in compiled if row["transposed"]]


def test_programs_that_meet_release_what_they_wrote_and_acquire_what_they_read(compiled, grid):
    assert all(row["release"] == 1 and row["acquire"] >= 1 for row in grid), grid
    assert not [row for row in compiled if row not in grid and row["release"] + row["acquire"]]
