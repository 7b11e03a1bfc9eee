"""Right before fast: check every way against float64, then time the right ones in turn in one process."""

import datetime
import statistics
import time
from dataclasses import asdict

import numpy as np
import torch

from seqlab.bench.made_on import device_here, device_name, source
from seqlab.bench.model import AbsentError
from seqlab.bench.speeds import floor_device, speeds_here
from seqlab.bench.timing import HostClock, clock_for
from seqlab.machine import versions

FORMAT = 2
SAMPLE = 0.01  # seconds that one sample should take, so that the clock's own error is small
CALLS = {"cpu": 1_000_000, "cuda": 100}  # in one sample, at most
SHORT = 100e-6  # seconds below which launching takes a good part of the time, so that graphs are recorded
PATIENCE = 10.0  # seconds of samples after which a way has enough of them
LAUNCHES = 1e-3  # seconds of launches that are worth recording


def measure(benchmark, shapes="small", repeat=20, on_step=lambda text, done, total: None, clock=None, speeds=None):
    """Run a benchmark.

    Work shorter than 100 us is timed as a CUDA graph, all its launches at once, and also launch by launch. On a GPU
    each call finds the L2 cache cold, see `seqlab.bench.timing`.

    Parameters
    ----------
    benchmark : Benchmark
    shapes : "small" or "full"; "full" needs a CUDA device.
    repeat : samples of each way, taken in turn with the others; fewer of one whose samples take more than 10 s.
    on_step : called with (what comes now, steps done, steps in all).
    clock : None for the device's own, see `seqlab.bench.timing`.
    speeds : None for those of this device, measured once in each process, see `seqlab.bench.speeds`.

    Returns
    -------
    report : dict that fits into JSON: device, its measured speeds, versions, date and one row for each shape, pass and
        way. A way whose result is wrong has "right": false and no time. What this machine cannot run has no row; it
        stands under "absent", with the reason.

    Raises
    ------
    ValueError
        when the shapes are unknown, repeat is below 1, or full shapes are asked for without a GPU.
    """
    if shapes not in benchmark.shapes:
        raise ValueError(f"shapes is {shapes!r}; it must be one of {', '.join(benchmark.shapes)}")
    if repeat < 1:
        raise ValueError(f"repeat is {repeat}; it must be at least 1")
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    if shapes == "full" and kind == "cpu":
        raise ValueError("full shapes need a CUDA device, and there is none here: take the small ones")
    begun = time.monotonic()
    sizes = benchmark.shapes[shapes]
    if kind == "cuda" and speeds is None:
        on_step("how fast this device is", 0, len(sizes))
        speeds = speeds_here()
    device = floor_device(device_name(), speeds) if speeds else None
    clock = clock or clock_for(kind)
    rows, absent, done, total = [], [], 0, len(sizes)
    for number, shape in enumerate(sizes):
        if kind == "cuda":
            torch.compiler.reset()  # each size is compiled for itself, not as one of several
        cases = benchmark.cases(shape, kind)
        total = (len(sizes) - number) * len(cases) + done
        for case in cases:
            on_step(f"{words(shape)}, {case.passes}", done, total)
            more, lacking = _case_rows(case, shape, kind, device, clock, repeat)
            if kind == "cpu":
                lacking |= dict.fromkeys(benchmark.on_gpu, "needs a GPU")
            rows += more
            absent += [{"shape": shape, "pass": case.passes, "way": way, "note": why} for way, why in lacking.items()]
            done += 1
    on_step("done", done, total)
    return {
        "format": FORMAT,
        "benchmark": benchmark.name,
        "shapes": shapes,
        "repeat": repeat,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "duration": round(time.monotonic() - begun, 3),
        "device": device_here(),
        "speeds": speeds,
        "floor_device": asdict(device) if device else None,
        "cache": clock.cache,
        "versions": versions(),
        "source": source(),
        "rows": rows,
        "absent": absent,
    }


def _case_rows(case, shape, kind, device, clock, repeat):
    """A row for each way, and why others are absent."""
    truth = case.truth()
    ways = {**case.ours, **case.peers}
    errors, failures, absent = {}, {}, {}
    for name, way in ways.items():
        want = case.own[name][0]() if name in case.own else truth
        try:
            errors[name] = _errors(way(), want)
        except AbsentError as error:
            absent[name] = str(error)
        except Exception as error:  # whatever stops one way, the others are still measured
            errors[name] = dict.fromkeys(want, float("inf"))
            failures[name] = _failed(error)
    tolerances = {name: case.own[name][1] if name in case.own else case.tolerance for name in errors}
    right = {name: all(e <= tolerances[name][key] for key, e in found.items()) for name, found in errors.items()}
    timed = {name: ways[name] for name in errors if right[name] and name not in case.untimed}
    clocks = {name: HostClock() if name in case.on_cpu else clock for name in timed}
    floor = case.cost.floor(device) if device else None
    turns = _Turns(timed, clocks, floor, lambda name, found: _right(found, truth, tolerances[name]))
    turns.take(repeat)
    failures |= turns.failures
    medians = {name: statistics.median(times) for name, times in turns.times.items()}
    best_peer = min((medians[name] for name in case.peers if name in medians), default=None)
    rows = []
    for name in errors:
        seconds = medians.get(name)
        launched = turns.launched.get(name)
        note = failures.get(name) or _note(name, right[name], errors[name], tolerances[name], case)
        rows.append(
            {
                "shape": shape,
                "pass": case.passes,
                "way": name,
                "role": "ours" if name in case.ours else "peer",
                "ran_on": "cpu" if name in case.on_cpu else kind,
                "errors": {key: error if np.isfinite(error) else None for key, error in errors[name].items()},
                "tolerance": tolerances[name],
                "right": right[name],
                "seconds": seconds,
                "samples": len(turns.times.get(name, ())),
                "quartiles": _quartiles(turns.times[name]) if name in medians else None,
                "graph": name in turns.graphs and name in medians,
                "launched_seconds": statistics.median(launched) if launched and name in medians else None,
                "memory": turns.memory.get(name),
                "cost": asdict(case.cost),
                "floor_seconds": floor,
                "bound": case.cost.bound(device) if device else None,
                "of_floor": floor / seconds if floor and seconds else None,
                "of_best_peer": best_peer / seconds if best_peer and seconds else None,
                "note": note or turns.notes.get(name, ""),
            }
        )
    return rows, absent


def _errors(results, truth):
    """Relative L2 error of each result; a NaN or a wrong shape is an infinite error."""
    errors = {}
    for key, want in truth.items():
        have = results[key].detach().double().cpu().numpy()
        error = np.linalg.norm(have - want) / max(np.linalg.norm(want), 1e-30) if have.shape == want.shape else np.inf
        errors[key] = float(error) if np.isfinite(error) else float("inf")
    return errors


def _right(results, truth, tolerance):
    """Whether what a graph gives is right too; a way that gives results at its first call alone was checked then."""
    if not results:
        return True
    return all(error <= tolerance[key] for key, error in _errors(results, truth).items())


def _note(name, right, errors, tolerance, case):
    if not right:
        worst = max(errors, key=lambda key: errors[key] / max(tolerance[key], 1e-30))
        return f"wrong, so not timed: {worst} is off by {errors[worst]:.1e}, allowed {tolerance[worst]:.0e}"
    return case.untimed.get(name, "")


def _failed(error):
    return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"[:300]


class _Turns:
    """Samples of all ways, taken in turn: A B C A B C, so that a change of clock speed meets all alike.

    A way that fails now, for want of memory say, is dropped; the others go on.
    """

    def __init__(self, ways, clocks, floor, right):
        self.ways, self.clocks, self.right = ways, clocks, right
        self.times = {name: [] for name in ways}
        self.memory, self.failures, self.notes, self.calls, self.spent = {}, {}, {}, {}, {}
        self.graphs, self.launched = {}, {}
        first = {}
        for name in list(ways):
            self._attempt(name, lambda name=name: first.setdefault(name, self._settle(name)))
        shortest = min([*first.values(), *([floor] if floor else [])], default=SHORT)
        for name, seconds in first.items():
            self.calls[name], self.spent[name] = self._calls(name, seconds), 0.0
            if shortest < SHORT and seconds < LAUNCHES and hasattr(clocks[name], "graph"):
                self._record(name)
            if seconds >= PATIENCE:
                self.times[name], self.spent[name] = [seconds], seconds

    def take(self, repeat):
        """So many samples of each."""
        for _ in range(repeat):
            for name in [name for name, seconds in self.spent.items() if seconds < PATIENCE and name in self.times]:
                self._attempt(name, lambda name=name: self._sample(name))

    def _attempt(self, name, action):
        try:
            action()
        except Exception as error:
            self.failures[name] = _failed(error)
            del self.times[name]

    def _settle(self, name):
        """Peak bytes, where the clock counts them; then the seconds of a first call that is timed."""
        bytes_ = self.clocks[name].memory(self.ways[name])
        if bytes_ is not None:
            self.memory[name] = bytes_
        return self.clocks[name].seconds(self.ways[name], 1)

    def _calls(self, name, seconds):
        most = CALLS["cuda" if hasattr(self.clocks[name], "graph") else "cpu"]
        return max(1, min(most, round(SAMPLE / max(seconds, 1e-9))))

    def _record(self, name):
        """A graph where the way can be recorded and its graph is right; else a note that says why not."""
        try:
            graph = self.clocks[name].graph(self.ways[name])
            if not self.right(name, graph()):
                raise RuntimeError("what the graph gives is wrong")
        except Exception as error:
            self.notes[name] = f"launch by launch, no graph: {' '.join(str(error).split())}"[:300]
        else:
            self.graphs[name], self.launched[name] = graph, []

    def _sample(self, name):
        clock, calls = self.clocks[name], self.calls[name]
        if name in self.graphs:
            self.launched[name].append(clock.seconds(self.ways[name], calls))
        way = self.graphs.get(name, self.ways[name])
        self.times[name].append(clock.seconds(way, calls))
        self.spent[name] += calls * self.times[name][-1]


def _quartiles(times):
    return [float(q) for q in np.quantile(times, [0.25, 0.75])]


def words(shape):
    """A size as a reader wants it: the names of the numbers, the data type by itself."""
    return " ".join(f"{name}={value}" if name != "dtype" else value for name, value in shape.items())
