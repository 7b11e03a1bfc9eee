"""Where a kernel runs: on a CUDA device, or on the CPU in Triton's interpreter.

Triton reads TRITON_INTERPRET once, when it is first imported, and a process stays in that mode. Importing this module
chooses the interpreter when there is no CUDA device, nothing was chosen before, and Triton is not yet imported.
"""

import importlib.util
import os
import platform
import sys

import torch


def has_triton():
    """Say whether Triton is installed (it exists for Linux alone)."""
    return importlib.util.find_spec("triton") is not None


if has_triton() and "triton" not in sys.modules and not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


def interpreting():
    """Say whether kernels of this process run in Triton's interpreter on the CPU."""
    if not has_triton():
        return False
    import triton.language as tl
    from triton.runtime.interpreter import InterpretedFunction

    return isinstance(tl.sum, InterpretedFunction)


def require_triton():
    """Do nothing where a kernel can run; elsewhere say in one sentence why it cannot.

    Raises
    ------
    RuntimeError
        when Triton is not installed, was imported in the wrong mode, or its mode was changed after the import.
    """
    if not has_triton():
        raise RuntimeError(
            f"backend='triton' needs the package triton, which is not installed here ({platform.system()}; "
            "it exists for Linux alone): use backend='torch'"
        )
    from triton import knobs

    if interpreting() != knobs.runtime.interpret:
        raise RuntimeError(
            "TRITON_INTERPRET changed after triton was imported, and a process has one mode: "
            "restart Python and set it first"
        )
    if not interpreting() and not torch.cuda.is_available():
        raise RuntimeError(
            "triton was imported with its interpreter off and there is no CUDA device here: "
            "restart Python and import seqlab.kernels before triton, or set TRITON_INTERPRET=1"
        )


def pick_backend(backend, *tensors):
    """Choose what computes: "auto" takes Triton for CUDA tensors and torch on the CPU.

    Parameters
    ----------
    backend : "auto", "torch" or "triton".
    tensors : torch tensors, or None for an argument that is absent.

    Returns
    -------
    backend : "torch" or "triton".

    Raises
    ------
    ValueError
        when the name is unknown, the tensors lie on different devices, or Triton is asked for CPU tensors in a process
        that compiles for a GPU.
    RuntimeError
        when Triton is asked for and cannot run, see `require_triton`.
    """
    if backend not in ("auto", "torch", "triton"):
        raise ValueError(f"backend is {backend!r}; it must be 'auto', 'torch' or 'triton'")
    devices = {str(t.device) for t in tensors if t is not None}
    if len(devices) > 1:
        raise ValueError(f"the tensors lie on different devices, {', '.join(sorted(devices))}: move them to one")
    on_cuda = any(device.startswith("cuda") for device in devices)
    if backend == "auto":
        return "triton" if on_cuda and has_triton() else "torch"
    if backend == "triton":
        require_triton()
        if not on_cuda and not interpreting():
            raise ValueError(
                "backend='triton' needs CUDA tensors in this process: move them with .cuda(), use backend='torch', "
                "or restart with TRITON_INTERPRET=1 to interpret on the CPU"
            )
    return backend


def tuned(configs, key, prune=None):
    """Decorate a kernel so that the fastest configuration is chosen once for each value of `key`.

    The interpreter takes the first configuration alone: it has no speed to compare. Put sizes that change the code into
    the key (a block size, a data type), never the batch size, which would time every configuration again for
    each batch.

    Parameters
    ----------
    configs : list of `triton.Config`.
    key : names of the kernel's arguments.
    prune : None, or a function that gives the configurations worth a try; it takes all of them, the arguments by name,
        and the constants as keywords.
    """
    import triton

    wrong = {"B", "batch", "batch_size"} & set(key)
    if wrong:
        raise ValueError(f"key holds {', '.join(sorted(wrong))}; without the batch size, or every batch is tuned again")
    if interpreting():
        configs, prune = configs[:1], None
    return triton.autotune(configs, key, prune_configs_by={"early_config_prune": prune} if prune else None)
