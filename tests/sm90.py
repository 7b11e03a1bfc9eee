"""Compile tests: a program that does not interpret; what it compiles is listed in `seqlab.bench.launches`."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = 227 * 1024  # bytes of shared memory that a program can have on Hopper
REGISTERS = 65536  # of a multiprocessor


def run(module, cache):
    """Run a module of the tests that prints JSON, in a process of its own that compiles instead of interpreting."""
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-m", module], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
