"""What was fastest where it was measured: `seqlab bench NAME --out FILE` writes the files that this module reads.

Reports of the first format, which had no graphs, are read like those of the second. Where a way was timed as a graph
and launch by launch, the launches count: a caller of `backend="auto"` pays them.
"""

import functools
import json
from math import inf, log2
from pathlib import Path

import torch

MEASUREMENTS = Path(__file__).parent / "measurements"
REACH = 1.0  # powers of two: a measurement speaks for half to double of the first size


def fastest(kernel, device_name, shape, passes="forward and backward", ways=None, alike=None, folder=None):
    """Name the fastest right way to compute something, at the nearest shape that was measured on this device.

    Nearest means: of the measured shapes whose words (the data type) are the same, the one whose first size has the
    smallest ratio to the first size of `shape`, and no more than twice or half of it; where several are as near, the
    second size decides, then the third. So put first what decides the speed. Sizes that `shape` leaves out do not
    count. Where a shape was measured several times, the latest counts.

    Parameters
    ----------
    kernel : name of the benchmark, as typed after `seqlab bench`.
    device_name : as the driver calls the device, `torch.cuda.get_device_name()`.
    shape : dict from name to size or word, ``{"H": 512, "B": 64, "dtype": "bfloat16"}``.
    passes : "forward" or "forward and backward".
    ways : names that the caller can choose from; None for all.
    alike : None, or a function of a measured shape that says whether it can speak for `shape` (the same kernel runs).
    folder : of the files; None for those that come with the package.

    Returns
    -------
    way : name, or None where nothing near was measured.

    Raises
    ------
    ValueError
        when a file in the folder is no report of `seqlab bench`.
    """
    near = {}
    for date, row in _rows(kernel, device_name, Path(folder or MEASUREMENTS)):
        if row["pass"] != passes or not row["right"] or row["seconds"] is None:
            continue
        if ways is not None and row["way"] not in ways:
            continue
        distance = _distance(shape, row["shape"])
        if distance is not None and (alike is None or alike(row["shape"])):
            near.setdefault((distance, date), {})[row["way"]] = row.get("launched_seconds") or row["seconds"]
    if not near:
        return None
    nearest = min(distance for distance, _ in near)
    latest = max(date for distance, date in near if distance == nearest)
    times = near[nearest, latest]
    return min(times, key=times.get)


def fastest_backend(benchmark, ways, tensor, sizes, wanted):
    """Name the backend that was fastest near these sizes on the device of a CUDA tensor.

    Parameters
    ----------
    benchmark : as in `fastest`.
    ways : dict from the names that the benchmark gives to the backends that they stand for.
    tensor : on the device; its data type is the one that is asked for.
    sizes : dict from name to size, what decides the speed first.
    wanted : whether a gradient is wanted.

    Returns
    -------
    backend : one of the values of `ways`, or None where nothing near was measured.
    """
    shape = (*sizes.items(), ("dtype", str(tensor.dtype).removeprefix("torch.")))
    device = torch.cuda.get_device_name(tensor.device)
    return ways.get(_remembered(benchmark, tuple(ways), device, shape, "forward and backward" if wanted else "forward"))


@functools.lru_cache(maxsize=1024)
def _remembered(benchmark, ways, device, shape, passes):
    return fastest(benchmark, device, dict(shape), passes, ways=ways)


def _distance(shape, measured):
    """Powers of two between the sizes, in the order of `shape`; None when it is too far or a word differs."""
    steps = []
    for name, want in shape.items():
        have = measured.get(name)
        if isinstance(want, str) or have is None or isinstance(have, str):
            if have != want:
                return None
        else:
            steps.append(inf if min(have, want) <= 0 else abs(log2(have / want)))
    return None if steps and steps[0] > REACH else tuple(steps)


@functools.cache
def _rows(kernel, device_name, folder):
    """All rows of all reports about this kernel and device, each with the date of its report."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            whole = json.loads(path.read_text())
            for report in whole.get("reports", [whole]):
                if (report["benchmark"], report["device"]["name"]) == (kernel, device_name):
                    found += [(report["date"], row) for row in report["rows"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is no report of `seqlab bench`; write it with --out, or remove it ({error!r})"
            ) from error
    return found
