"""Modes belong to a process, so each of these programs has one, forked from a process that imported torch once."""

import json
import subprocess
import sys

import pytest
import torch

from seqlab.kernels import has_triton, interpreting, pick_backend, tuned

needs_triton = pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")
needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens where there is no GPU")

FORKS = """
import json, os, sys, torch
for program, mode in json.load(sys.stdin):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.environ.pop("TRITON_INTERPRET", None)
        if mode is not None:
            os.environ["TRITON_INTERPRET"] = mode
        try:
            exec(program, {"__name__": "program"})
        except Exception as error:
            print(type(error).__name__, error, end="")
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print("\\0", end="")
"""

REQUIRE = "\nkernels.require_triton(); print('fine')"
FIRST = "from seqlab import kernels"
LATE = "import triton; from seqlab import kernels"
CHANGED = LATE + "; import os; os.environ['TRITON_INTERPRET'] = '1'"
WHOLE = """
import torch
from seqlab.recurrent import rnn
print(rnn(torch.zeros(1, 2, 3), torch.zeros(1, 4), torch.zeros(4, 3), torch.zeros(4, 4), backend="triton").shape)
"""
ABSENT = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "triton" else find(name, *rest)
sys.modules["triton"] = None
import torch
from seqlab.recurrent import RNN
assert RNN(2, 3)(torch.zeros(4, 1, 2))[0].shape == (4, 1, 3)
RNN(2, 3, backend="triton")(torch.zeros(4, 1, 2))
"""
ROOMS = ("attention", "ctc", "decode", "embeddings", "lm", "recurrent", "tsne")
ALONE = "from seqlab.{} import kernels; import seqlab; seqlab.kernels.require_triton(); print('fine')"
PROGRAMS = {  # program, TRITON_INTERPRET or None, what it says
    "seqlab first": (FIRST + REQUIRE, None, "fine"),
    "asked for": (FIRST + REQUIRE, "1", "fine"),
    "asked for, triton first": (LATE + REQUIRE, "1", "fine"),
    "triton first": (
        LATE + REQUIRE,
        None,
        "RuntimeError triton was imported with its interpreter off and there is no CUDA",
    ),
    "refused": (FIRST + REQUIRE, "0", "RuntimeError triton was imported with its interpreter off and there is no CUDA"),
    "changed": (CHANGED + REQUIRE, None, "RuntimeError TRITON_INTERPRET changed after triton was imported"),
    **{f"the kernels of {room} alone": (ALONE.format(room), None, "fine") for room in ROOMS},
    "a layer": (WHOLE, None, "torch.Size([1, 2, 4])"),
    "no triton": (ABSENT, None, "RuntimeError backend='triton' needs the package triton, which is not installed here"),
}


@pytest.fixture(scope="module")
def said():
    programs = [(program, mode) for program, mode, _ in PROGRAMS.values()]
    done = subprocess.run([sys.executable, "-c", FORKS], input=json.dumps(programs), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(zip(PROGRAMS, done.stdout.split("\0"), strict=False))


@needs_triton
@needs_no_gpu
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_mode_is_chosen_once_and_what_cannot_run_is_explained(name, said):
    assert said[name].startswith(PROGRAMS[name][2])


def test_importing_the_package_is_cheap_and_brings_no_torch():
    program = """
import sys, time
start = time.perf_counter()
import seqlab
import seqlab.shapes
seconds = time.perf_counter() - start
import seqlab.recurrent.reference
print(seconds < 0.3, "torch" in sys.modules, "triton" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "True False False", done.stderr


@needs_triton
def test_a_tuned_kernel_has_one_configuration_in_the_interpreter():
    import triton

    from seqlab.recurrent import kernels

    many = [triton.Config({}, num_warps=n) for n in (1, 2)]
    decorated = tuned(many, key=["COLS"], prune=lambda configs, *a, **k: [])(kernels._resident.fn)
    if interpreting():
        assert decorated.configs == many[:1]
        assert not decorated.early_config_prune
    else:
        assert decorated.configs == many


@needs_triton
def test_the_batch_size_is_no_key():
    with pytest.raises(ValueError, match="key holds B; without the batch size, or every batch is tuned again"):
        tuned([], key=["H", "B"])


def test_auto_takes_torch_on_the_cpu_and_names_are_checked():
    x = torch.zeros(2)
    assert pick_backend("auto", x, None, x) == "torch"
    assert pick_backend("torch", x) == "torch"
    with pytest.raises(ValueError, match="backend is 'cuda'; it must be 'auto', 'torch' or 'triton'"):
        pick_backend("cuda", x)
    with pytest.raises(ValueError, match="the tensors lie on different devices, cpu, meta: move them to one"):
        pick_backend("auto", x, x.to("meta"))


@needs_triton
def test_triton_takes_cpu_tensors_in_the_interpreter_alone():
    x = torch.zeros(2)
    if interpreting():
        assert pick_backend("triton", x) == "triton"
    else:
        with pytest.raises(ValueError, match="backend='triton' needs CUDA tensors in this process"):
            pick_backend("triton", x)


class OnCuda:
    """Stands for a tensor on a GPU where there may be none."""

    device = torch.device("cuda:0")


@needs_triton
def test_auto_takes_triton_for_cuda_tensors():
    assert pick_backend("auto", OnCuda(), OnCuda()) == "triton"
