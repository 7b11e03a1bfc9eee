import os
import subprocess
import sys
import textwrap

import pytest

from seqlab.kernels import compile_for, interpreting

KERNEL = """
import triton, triton.language as tl
from seqlab.kernels import compile_for
from seqlab.kernels.compile import operation

@triton.jit
def double(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + i, 2 * tl.load(x_ptr + i, mask=i < N), mask=i < N)

def go(**change):
    options = {"signature": {"x_ptr": "*fp32", "y_ptr": "*fp32", "N": "i32"}, "constants": {"BLOCK": 1024}}
    return compile_for(double, **(options | change))
"""


def python(tmp_path, program):
    """Run in a process that compiles; a kernel must stand in a file."""
    path = tmp_path / "program.py"
    path.write_text(KERNEL + textwrap.dedent(program))
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.sm90
def test_a_kernel_compiles_without_a_gpu_and_its_use_is_read(tmp_path):
    program = """
    c = go(num_warps=4)
    assert 1 < c.registers < 64 and c.spills == 0 and c.shared == 0, c
    assert ".target sm_90a" in c.ptx
    assert ".target sm_80" in go(arch=80).ptx
    assert "v4.b32" in go(divisible=["x_ptr", "y_ptr", "N"]).ptx
    assert "v4.b32" not in go(divisible=["N"]).ptx
    assert c.length() == len(c.instructions()) > 10
    assert {"LDG", "STG", "EXIT"} <= {operation(what) for _, what in c.instructions()}
    print("fine")
    """
    assert python(tmp_path, program) == "fine"


@pytest.mark.sm90
def test_spills_are_seen(tmp_path):
    program = """
    @triton.jit
    def greedy(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
        i = tl.arange(0, BLOCK)
        x = tl.load(x_ptr + i)
        y = x * x
        for n in range(N):
            x, y = y - x, x * y
        tl.store(y_ptr + i, x + y)

    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "N": "i32"}
    c = compile_for(greedy, signature, {"BLOCK": 8192}, num_warps=1)
    print(c.spills > 100)
    """
    assert python(tmp_path, program) == "True"


@pytest.mark.sm90
def test_an_argument_left_out_is_named(tmp_path):
    program = """
    try:
        go(constants={})
    except ValueError as error:
        print(error)
    """
    assert (
        python(tmp_path, program) == "double takes x_ptr, y_ptr, N, BLOCK; give each once, in signature or in constants"
    )


@pytest.mark.skipif(not interpreting(), reason="says what happens in the interpreter")
def test_a_process_that_interprets_does_not_compile():
    with pytest.raises(RuntimeError, match="compile_for cannot work in a process that interprets: start Python with"):
        compile_for(None, {}, {})
