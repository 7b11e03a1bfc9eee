"""Runs a function and counts."""

import threading

from seqlab.kernels.switch import has_triton, interpreting
from seqlab.kernels.traffic.functions import TorchCalls
from seqlab.kernels.traffic.kernels import Watch

_running = threading.Lock()


def count(fn, *args, events=False, **kwargs):
    """Run `fn(*args, **kwargs)` and count the bytes that its kernels and torch's functions load and store.

    Parameters
    ----------
    fn : function that launches kernels on CPU tensors, calls torch, or both; autograd's backward is seen too.
    args, kwargs : its arguments.
    events : keep every single access, in `Launch.events`.

    Returns
    -------
    traffic : Traffic

    Raises
    ------
    ValueError
        when `fn` cannot be called, or a kernel is launched on tensors that do not lie on the CPU.
    RuntimeError
        when kernels do not run in Triton's interpreter, or when this process counts something already: the interpreter
        runs one program at a time, so a count cannot hold another, nor a launch from another thread.
    Exception
        whatever `fn` raises, as it is; the count is given up and nothing of it stays behind. A kernel that reaches
        outside all tensors it was given is stopped before it does, with an error that names the kernel.

    Notes
    -----
    The package's first lines say what counts and what that assumes. Every tensor that was seen is kept until the end,
    since memory that is freed may be handed out again, and two tensors would look like one.

    Examples
    --------
    >>> import torch
    >>> from seqlab.kernels import count
    >>> from seqlab.lm.kernels.softmax import softmax_row
    >>> print(count(lambda z: softmax_row(2 * z), torch.ones(8, 100)))
    launch       programs  loaded  stored
    -----------  --------  ------  ------
    aten.mul                3,200   3,200
    softmax_row         8   3,200   3,200
    -----------  --------  ------  ------
    total               8   6,400   6,400
    12,800 bytes moved: needed 3,200, scratch 3,200, again 0, torch 6,400
    """
    if not callable(fn):
        raise ValueError(
            f"fn is of type {type(fn).__name__} and cannot be called: give the function and its arguments apart, "
            "count(f, x) and not count(f(x))"
        )
    if not interpreting():
        why = "kernels are compiled in this process" if has_triton() else "the package triton exists for Linux alone"
        raise RuntimeError(
            f"count needs Triton's interpreter, and {why}: on Linux, restart Python and set TRITON_INTERPRET=1 first"
        )
    if not _running.acquire(blocking=False):
        raise RuntimeError("count is running already in this process: let it end before the next one begins")
    try:
        watch = Watch(events)
        with watch, TorchCalls(watch):
            result = fn(*args, **kwargs)
        return watch.traffic(result, (args, kwargs))
    finally:
        _running.release()
