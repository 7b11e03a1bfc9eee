"""Compile tests: a program that does not interpret, and the forms of a kernel that its tuner may choose."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = 227 * 1024  # bytes of shared memory that a program can have on Hopper
REGISTERS = 65536  # of a multiprocessor
KINDS = {"float64": "*fp64", "float32": "*fp32", "bfloat16": "*bf16", "float16": "*fp16"}


def run(module, cache):
    """Run a module of the tests that prints JSON, in a process of its own that compiles instead of interpreting."""
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-m", module], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def forms(kernel, signature, constants, divisible, arguments=None):
    """Compile every configuration that the tuner of a kernel would try; say what each one uses.

    `arguments` are those of a launch, by name, that the tuner looks at to choose what to try.
    """
    from seqlab.kernels import compile_for

    configs = kernel.configs
    if kernel.early_config_prune:
        configs = kernel.early_config_prune(configs, arguments or {}, **constants)
    for config in configs:
        options = {"num_warps": config.num_warps, "num_stages": config.num_stages}
        compiled = compile_for(kernel, signature, constants | config.kwargs, divisible=divisible, **options)
        yield config.kwargs | {
            "warps": config.num_warps,
            "registers": compiled.registers,
            "spills": compiled.spills,
            "shared": compiled.shared,
            "ptx": compiled.ptx,
        }
