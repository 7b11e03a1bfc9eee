"""Many benchmarks in one process: all of them quickly on any machine, or all at their full sizes on a GPU."""

import gc
import json
import math
import re
from dataclasses import replace

import torch

from seqlab.bench.made_on import device_name, source
from seqlab.bench.measure import FORMAT, measure
from seqlab.files import written_aside
from seqlab.machine import versions

QUICK = 5  # samples of each way
MAKERS = {"nvidia", "amd", "intel", "geforce"}  # words of a device's name that a file's name does without


def quick(benchmarks, repeat=QUICK, on_step=lambda text, done, total: None):
    """Check every kernel, and time what can be timed here, each at the smallest of the small sizes.

    Parameters
    ----------
    benchmarks : list of Benchmark.
    repeat : samples of each way.
    on_step : called with (what comes now, benchmarks done, benchmarks in all).

    Returns
    -------
    report : {"format": 2, "quick": True, "reports": a report for each benchmark, "failed": name -> why there is none}.
    """
    reports, failed = [], {}
    for done, benchmark in enumerate(benchmarks):
        on_step(benchmark.name, done, len(benchmarks))
        one = replace(benchmark, shapes={"small": [smallest(benchmark)]})
        try:
            reports.append(measure(one, "small", repeat))
        except Exception as error:  # whatever stops one benchmark, the others are still measured
            failed[benchmark.name] = because(error)
    on_step("done", len(benchmarks), len(benchmarks))
    return {"format": FORMAT, "quick": True, "reports": reports, "failed": failed}


def smallest(benchmark):
    """Of the small sizes the one whose numbers have the smallest product."""
    sizes = benchmark.shapes["small"]
    return min(sizes, key=lambda shape: math.prod(n for n in shape.values() if isinstance(n, int)))


def every(benchmarks, folder, repeat, again=False, on_step=lambda text, done, total: None):
    """Measure at the full sizes, a file for each benchmark; what is there already is left.

    A file counts as there when it was made on this device with these versions, this source and as many samples. The
    benchmarks with the fewest sizes come first, so that a run that is stopped has finished as many as it can.

    Parameters
    ----------
    benchmarks : list of Benchmark.
    folder : of the files, `NAME-h200.json`.
    repeat : samples of each way.
    again : measure also what is there.
    on_step : called with (what comes now, sizes done, sizes in all); sizes that are left count as done.

    Yields
    ------
    name, report or None, why : what was measured, or left (why is "there already"), or failed (report is None).
    """
    order = sorted(benchmarks, key=lambda benchmark: len(benchmark.shapes["full"]))
    total, before = sum(len(benchmark.shapes["full"]) for benchmark in order), 0
    for benchmark in order:
        path, sizes = folder / file_name(benchmark.name), len(benchmark.shapes["full"])
        report, why = None if again else made_already(path, repeat), "there already"
        if report is None:

            def within(text, done, most, before=before, sizes=sizes):
                on_step(text, before + sizes * done / most, total)

            report, why = _one(benchmark, repeat, within)
            if report is not None:
                write(path, report)
        before += sizes
        on_step(benchmark.name, before, total)
        yield benchmark.name, report, why


def _one(benchmark, repeat, on_step):
    """A report and no reason, or no report and the reason."""
    try:
        report = measure(benchmark, "full", repeat, lambda text, *rest: on_step(f"{benchmark.name}: {text}", *rest))
    except Exception as error:  # whatever stops one benchmark, the others are still measured
        return None, because(error)
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return report, ""


def made_already(path, repeat):
    """The report in a file, if it would be made the same now; else None."""
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(report, dict):
        return None
    now = {"format": FORMAT, "shapes": "full", "repeat": repeat, "versions": versions(), "source": source()}
    same = all(report.get(key) == value for key, value in now.items())
    return report if same and report.get("device", {}).get("name") == device_name() else None


def file_name(benchmark, device=None):
    """`lstm` on an NVIDIA H200 -> `lstm-h200.json`."""
    parts = re.findall(r"[a-z0-9]+", (device or device_name()).lower())
    return f"{benchmark}-{'-'.join(part for part in parts if part not in MAKERS)}.json"


def wrong_ways(report):
    """Names of the ways of a report whose results were wrong, or that failed."""
    return sorted({row["way"] for row in report["rows"] if not row["right"]})


def write(path, report):
    """Write a report as JSON; a full disk leaves the old one alone."""
    with written_aside(path) as file:
        file.write((json.dumps(report, indent=1, allow_nan=False) + "\n").encode())


def because(error):
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
