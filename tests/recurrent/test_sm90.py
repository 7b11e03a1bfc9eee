"""Every kernel of the room, compiled for Hopper at the sizes that the benchmark times, with no GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sm90
PROGRAM = Path(__file__).parent / "compile_sm90.py"
SHARED = 227 * 1024


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile in a process of its own, which does not interpret."""
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton"))}
    done = subprocess.run([sys.executable, PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kernel_and_every_shape_of_the_benchmark_is_compiled(compiled):
    from seqlab.bench import BENCHMARKS

    shapes = {(s["H"], s["dtype"]) for sizes in BENCHMARKS["rnn"].shapes.values() for s in sizes}
    assert {(row["H"], row["dtype"]) for row in compiled} == shapes
    assert {(row["kernel"], row["backward"], row["nonlinearity"]) for row in compiled} == {
        (kernel, backward, nonlinearity)
        for kernel in ("_resident", "_streaming")
        for backward in (False, True)
        for nonlinearity in ("tanh", "relu")
    }


def test_everything_stays_in_registers(compiled):
    assert not [row for row in compiled if row["spills"]]
    assert not [row for row in compiled if row["registers"] * row["warps"] * 32 > 65536]
    assert not [row for row in compiled if row["dtype"] != "float32" and row["registers"] > 128]


def test_shared_memory_fits_one_multiprocessor(compiled):
    assert not [row for row in compiled if row["shared"] > SHARED]


def test_products_run_on_tensor_cores(compiled):
    assert not [row for row in compiled if row["products"] == 0]
