"""Right before fast: check every way against float64, then time the right ones in turn in one process."""

import datetime
import platform
import statistics
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from seqlab.kernels import device_named
from seqlab.machine import versions

FORMAT = 1
SAMPLE = 0.01  # seconds that one sample should take, so that the clock's own error is small


def measure(benchmark, shapes="small", repeat=20, on_step=lambda text, done, total: None):
    """Run a benchmark.

    Parameters
    ----------
    benchmark : Benchmark
    shapes : "small" or "full"; "full" needs a CUDA device.
    repeat : samples of each way, taken in turn with the others.
    on_step : called with (what comes now, steps done, steps in all).

    Returns
    -------
    report : dict that fits into JSON: device, versions, date and one row for each shape, pass and way. A way whose
        result is wrong has "right": false and no time.

    Raises
    ------
    ValueError
        when the shapes are unknown, repeat is below 1, or full shapes are asked for without a GPU.
    """
    if shapes not in benchmark.shapes:
        raise ValueError(f"shapes is {shapes!r}; it must be one of {', '.join(benchmark.shapes)}")
    if repeat < 1:
        raise ValueError(f"repeat is {repeat}; it must be at least 1")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if shapes == "full" and device == "cpu":
        raise ValueError("full shapes need a CUDA device, and there is none here: take the small ones")
    known = device_named(torch.cuda.get_device_name()) if device == "cuda" else None
    sizes = benchmark.shapes[shapes]
    rows, done, total = [], 0, len(sizes)
    for number, shape in enumerate(sizes):
        cases = benchmark.cases(shape, device)
        total = (len(sizes) - number) * len(cases) + done
        for case in cases:
            on_step(f"{_words(shape)}, {case.passes}", done, total)
            rows += _case_rows(case, shape, device, known, repeat)
            done += 1
    on_step("done", done, total)
    return {
        "format": FORMAT,
        "benchmark": benchmark.name,
        "shapes": shapes,
        "repeat": repeat,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": {"kind": device, "name": _device_name(device), "threads": torch.get_num_threads()},
        "assumed": asdict(known) if known else None,
        "versions": versions(),
        "rows": rows,
    }


def _case_rows(case, shape, device, known, repeat):
    truth = case.truth()
    ways = {**case.ours, **case.peers}
    errors, failures = {}, {}
    for name, way in ways.items():
        try:
            errors[name] = _errors(way(), truth)
        except Exception as error:  # whatever stops one way, the others are still measured
            errors[name] = dict.fromkeys(truth, float("inf"))
            failures[name] = _failed(error)
    right = {name: all(e <= case.tolerance[key] for key, e in errors[name].items()) for name in ways}
    timed = {name: way for name, way in ways.items() if right[name] and name not in case.untimed}
    memory, times, late = _times(timed, device, repeat)
    failures |= late
    floor = case.cost.floor(known) if known else None
    best_peer = min((statistics.median(times[name]) for name in case.peers if name in times), default=None)
    rows = []
    for name in ways:
        seconds = statistics.median(times[name]) if name in times else None
        rows.append(
            {
                "shape": shape,
                "pass": case.passes,
                "way": name,
                "role": "ours" if name in case.ours else "peer",
                "errors": {key: error if np.isfinite(error) else None for key, error in errors[name].items()},
                "tolerance": case.tolerance,
                "right": right[name],
                "seconds": seconds,
                "quartiles": _quartiles(times[name]) if name in times else None,
                "memory": memory.get(name),
                "cost": asdict(case.cost),
                "floor_seconds": floor,
                "bound": case.cost.bound(known) if known else None,
                "of_floor": floor / seconds if floor and seconds else None,
                "of_best_peer": best_peer / seconds if best_peer and seconds else None,
                "note": failures.get(name) or _note(name, right[name], errors[name], case),
            }
        )
    return rows


def _errors(results, truth):
    """Relative L2 error of each result; a NaN or a wrong shape is an infinite error."""
    errors = {}
    for key, want in truth.items():
        have = results[key].detach().double().cpu().numpy()
        error = np.linalg.norm(have - want) / max(np.linalg.norm(want), 1e-30) if have.shape == want.shape else np.inf
        errors[key] = float(error) if np.isfinite(error) else float("inf")
    return errors


def _note(name, right, errors, case):
    if not right:
        worst = max(errors, key=lambda key: errors[key] / case.tolerance[key])
        return f"wrong, so not timed: {worst} is off by {errors[worst]:.1e}, allowed {case.tolerance[worst]:.0e}"
    return case.untimed.get(name, "")


def _failed(error):
    return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _memory(way):
    """Peak bytes on the GPU of one call, its results included, what it is given not."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    way()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _times(ways, device, repeat):
    """Peak bytes (on a GPU) and seconds of one call, `repeat` samples each, and why a way failed that had been right.

    A B C A B C, so that a change of clock speed meets all alike. A way that fails now, for want of memory say, is
    dropped; the others go on.
    """
    memory, times, failures, calls = {}, {name: [] for name in ways}, {}, {}

    def attempt(name, action):
        try:
            action(ways[name])
        except Exception as error:
            failures[name] = _failed(error)
            del times[name]

    def settle(name, way):
        if device == "cuda":
            memory[name] = _memory(way)
        calls[name] = max(1, round(SAMPLE / _sample(way, 1, device)))

    for name in ways:
        attempt(name, lambda way, name=name: settle(name, way))
    for _ in range(repeat):
        for name in list(times):
            attempt(name, lambda way, name=name: times[name].append(_sample(way, calls[name], device)))
    return memory, times, failures


def _sample(way, calls, device):
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(calls):
            way()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3 / calls
    begun = time.perf_counter()
    for _ in range(calls):
        way()
    return (time.perf_counter() - begun) / calls


def _quartiles(times):
    return [float(q) for q in np.quantile(times, [0.25, 0.75])]


def _words(shape):
    return " ".join(f"{name}={value}" if name != "dtype" else value for name, value in shape.items())


def _device_name(device):
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
