"""The interactive figure of chapter 19: the roof of a device, and this book's kernels under it."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from seqlab.figures.figure import Figure, table

BITS = {"float32": "float32", "bfloat16": "16 bits", "float16": "16 bits", "float64": "float64"}
MOST = 40  # kernels of a figure: more points could not be told apart
OURS = "seqlab Triton"  # how the benchmarks call this book's kernels


@dataclass(frozen=True)
class Kernel:
    """A kernel at a few sizes: a point that wanders under the roof as one of its sizes grows.

    Attributes
    ----------
    name : of the benchmark, as typed after `seqlab bench`.
    title : what the figure calls it.
    shape : the sizes at which the benchmark measures it, as in its rows; "dtype" is that of the numbers it moves.
    letter : the size that the reader changes.
    values : what that size can be, growing; its value in `shape` is among them.
    passes : as the benchmark calls them, "forward" or "forward and backward".
    cost : function of the sizes as keywords: `seqlab.kernels.Cost`, what any implementation must pay. None takes the
        floor of the benchmark `name`.
    """

    name: str
    title: str
    shape: dict
    letter: str
    values: tuple
    passes: str = "forward"
    cost: Callable | None = None

    def at(self, value):
        """What must be paid where the size `letter` has this value."""
        sizes = self.shape | {self.letter: value}
        if self.cost is not None:
            return self.cost(**sizes)
        from seqlab.bench.floors import costs

        return costs(self.name, sizes)[self.passes]


def book_kernels():
    """List this book's kernels with their costs, at sizes of `seqlab bench`, in the order of the chapters.

    Returns
    -------
    kernels : list of `Kernel`. Looking rows up is not among them: it computes nothing, so it has no place on an axis
        of operations.
    """
    both, down = "forward and backward", "skip-gram step"
    single, half = {"dtype": "float32"}, {"dtype": "bfloat16"}
    batches, rows, ids = (1, 16, 64, 256, 1024, 4096), (8, 32, 128, 512, 2048, 8192), (10_000, 100_000, 1_000_000)
    words, lengths, points = (32, 1024, 32768), (64, 256, 1024, 4096, 16384), (70, 700, 7000, 70_000)
    negatives, dimensions, neighbours = (1, 5, 15, 60), (25, 100, 400), (10, 30, 90, 270)
    layer, scores = {"B": 64, "T": 512, "D": 512, "H": 512} | half, {"B": 16384, "V": 32768} | half
    wide, looked_up = {"M": 8192, "D": 2048, "V": 32768} | half, {"B": 1_000_000, "V": 50_000, "D": 256} | single
    text, tree = {"C": 10, "K": 5, "D": 300, "V": 71_290}, {"W": 166_667, "C": 10, "D": 300, "V": 71_290}
    counted, pairs = {"N": 17_005_207, "V": 20_000, "window": 10}, {"n": 1_000_000, "D": 100, "V": 71_290}
    near, drawing = {"N": 70_000, "k": 90, "perplexity": 30} | single, {"N": 70_000, "d": 2} | single
    beam, heads = {"B": 64, "K": 10, "V": 32768, "width": 10}, {"B": 4, "H": 16, "T": 4096, "D": 128, "pairs": "causal"}
    spoken, prefixes = {"T": 1024, "B": 32, "C": 128}, {"T": 512, "B": 64, "C": 1000, "K": 16} | single
    pulled, labelled = drawing | {"k": 90}, spoken | {"L": 96} | single
    narrow = heads | {"T": 1024, "D": 64} | single
    return [
        Kernel("rnn", "RNN layer, with gradients", layer, "B", batches, both),
        Kernel("gru", "GRU layer, with gradients", layer, "B", batches, both),
        Kernel("lstm", "LSTM layer, with gradients", layer, "B", batches, both),
        Kernel("softmax", "Softmax", scores, "V", words),
        Kernel("cross_entropy", "Cross-entropy and its gradient", scores, "V", words, both),
        Kernel("linear_cross_entropy", "Linear layer, cross-entropy, gradients", wide, "M", rows, both),
        Kernel("embedding", "Gradient of looked-up rows", looked_up, "B", ids, "backward"),
        Kernel("cooccurrence", "Counting co-occurrences", counted, "window", (2, 5, 10, 20), "flat"),
        Kernel("sgns", "Skip-gram, negative sampling", {"W": 166_667} | text, "K", negatives, "step"),
        Kernel("cbow", "CBOW, negative sampling", {"W": 1_000_000} | text, "K", negatives, "step"),
        Kernel("hierarchical", "Skip-gram, hierarchical softmax", tree, "V", (1024, 8192, 71_290), down),
        Kernel("glove", "GloVe with AdaGrad", pairs, "D", dimensions, "step"),
        Kernel("perplexity_search", "t-SNE: widths by bisection", near, "N", points),
        Kernel("repulsion", "t-SNE: repulsion of all pairs", drawing, "N", points),
        Kernel("attraction", "t-SNE: attraction of neighbours", pulled, "k", neighbours),
        Kernel("beam_step", "Step of beam search", beam | single, "B", (1, 8, 64, 512)),
        Kernel("additive", "Additive attention", {"B": 64, "T": 256, "D": 512} | single, "T", lengths[:3]),
        Kernel("flash", "Flash attention", heads | half, "T", lengths),
        Kernel("flash", "Flash attention, with gradients", heads | half, "T", lengths, both),
        Kernel("flash", "Flash attention in float32", narrow, "T", lengths),
        Kernel("ctc_loss", "CTC: loss and gradient", labelled, "B", (1, 8, 32, 128, 1024), both),
        Kernel("ctc_greedy", "CTC: greedy decoder", spoken | {"C": 5000} | single, "C", (50, 500, 5000)),
        Kernel("ctc_beam", "CTC: prefix beam search", prefixes, "B", (1, 8, 64, 512, 4096)),
    ]


class Roofline(Figure):
    """What a device can reach, :eq:`roofline`, and where this book's kernels stand under it.

    Memory allows bandwidth times operations a byte, the slope; arithmetic allows no more than its speed, the flat part,
    which is higher for numbers of 16 bits. A point stands where the kernel's floor puts it: its operations over the
    seconds that no implementation can beat, `Cost.floor`. So it stands on the roof, unless it waits for dependent
    steps: then it stands below. The reader chooses a kernel, and changes its size.

    Parameters
    ----------
    device : `seqlab.kernels.Device`; None takes the H200, whose speeds are assumptions.
    kernels : list of `Kernel`, or dict from a title to its `seqlab.kernels.Cost`; 1 to 40. None takes `book_kernels()`.
    machine : None, or the reader's own computer as a second roof: dict with "bandwidth" in bytes a second, "flops" in
        operations a second, and "name".
    chosen : title of the kernel that is shown first; None takes the first of the list.
    folder : where the measurements lie that `seqlab bench NAME --out FILE` wrote; None takes those that come with the
        package. A kernel that was measured on the device at one of its sizes gets a second mark there.

    Raises
    ------
    ValueError
        when there is no kernel, none is called `chosen`, a speed is no positive number, or a file is no report.

    References
    ----------
    S. Williams, A. Waterman, D. Patterson (2009). Roofline: an insightful visual performance model for multicore
    architectures. Communications of the ACM 52 (4).
    """

    module = "roofline.js"
    label = "The roof of a device, and this book's kernels under it"
    how = "Choose a kernel, change its size, and see what it waits for: memory, arithmetic, or the step before."

    def __init__(self, device=None, kernels=None, machine=None, chosen=None, folder=None):
        from seqlab.kernels import H200, Device

        device = H200 if device is None else device
        if not isinstance(device, Device):
            raise ValueError(f"device is a {type(device).__name__}; it must be a seqlab.kernels.Device")
        check_speed("device.bandwidth", device.bandwidth)
        for name, speed in {**device.flops, **device.step}.items():
            check_speed(f"the device's speed {name!r}", speed)
        entries = entered(book_kernels() if kernels is None else kernels, device)
        for entry, rows in zip(entries, measured(entries, device.name, folder), strict=True):
            entry |= {"measured": rows} if rows else {}
        for entry in entries:  # what only the search for measurements needed
            del entry["name"], entry["passes"], entry["sizes"]
        titles = [entry["title"] for entry in entries]
        if chosen is not None and chosen not in titles:
            raise ValueError(f"chosen is {chosen!r}; it must be one of {', '.join(titles)}")
        super().__init__(
            device=asdict(device),
            assumed=device == H200,
            kernels=entries,
            machine=None if machine is None else checked_machine(machine),
            chosen=0 if chosen is None else titles.index(chosen),
            at=[entry.pop("start") for entry in entries],
        )

    def still(self):
        from seqlab.kernels import Cost, Device

        device = Device(**self.state["device"])
        rows = []
        for entry, at in zip(self.state["kernels"], self.state["at"], strict=True):
            moved, computed, *steps = entry["costs"][at]
            steps, kind = steps or (0, "in-cta")
            cost = Cost(moved, computed, steps, entry["dtype"], kind)
            each = f"{cost.flops / cost.bytes:.3g}" if cost.bytes else "no byte"
            floor = f"{cost.floor(device):.2g} s"
            rows.append((entry["title"], f"{moved:.2g}", f"{computed:.2g}", each, steps, floor, cost.bound(device)))
        head = ("kernel", "bytes", "operations", "operations a byte", "steps", "floor", "what binds it")
        roofs = ", ".join(f"{name} {speed:.3g} operations a second" for name, speed in device.flops.items())
        return table(head, rows, f"Floors on {device.name}: {device.bandwidth:.3g} bytes a second; {roofs}")


def entered(kernels, device):
    """The kernels as plain numbers for the page."""
    from seqlab.kernels import Cost

    if isinstance(kernels, dict):
        kernels = [
            Kernel(title, title, {}, "", (1,), cost=lambda cost=cost, **_: cost) for title, cost in kernels.items()
        ]
    kernels = list(kernels)
    if not 1 <= len(kernels) <= MOST:
        raise ValueError(f"there are {len(kernels)} kernels; the figure shows 1 to {MOST}")
    entries = []
    for kernel in kernels:
        if not isinstance(kernel, Kernel):
            raise ValueError(
                f"kernels holds a {type(kernel).__name__}; it must hold seqlab.figures.roofline.Kernel, or be a dict "
                "from titles to costs"
            )
        costs = [kernel.at(value) for value in kernel.values]
        for cost in costs:
            if not isinstance(cost, Cost) or cost.dtype not in device.flops or cost.step not in device.step:
                raise ValueError(
                    f"the cost of {kernel.title!r} is {cost!r}; it must be a Cost whose dtype is one of "
                    f"{', '.join(device.flops)} and whose step is one of {', '.join(device.step)}"
                )
        first = kernel.shape.get(kernel.letter, kernel.values[0])
        entries.append(
            {
                "name": kernel.name,
                "passes": kernel.passes,
                "sizes": [kernel.shape | {kernel.letter: value} for value in kernel.values],
                "title": kernel.title,
                "letter": kernel.letter,
                "values": list(kernel.values),
                "shape": [[name, value] for name, value in kernel.shape.items() if name not in ("dtype", "pairs")],
                "moves": kernel.shape.get("dtype", costs[0].dtype),
                "dtype": costs[0].dtype,
                "costs": [
                    [round(cost.bytes), round(cost.flops), *((cost.steps, cost.step) if cost.steps else ())]
                    for cost in costs
                ],
                "start": kernel.values.index(first) if first in kernel.values else 0,
            }
        )
    return entries


def measured(entries, device_name, folder=None):
    """What was measured of each kernel on the device: dict from the number of a size to [bytes, operations, seconds].

    Bytes and operations are those that the report counted, which know what a size alone does not tell (how long the
    windows of a text are). Of several measurements of a size the latest counts.
    """
    from seqlab.kernels.measured import MEASUREMENTS

    found = [{} for _ in entries]
    for _, name, row in sorted(_rows(Path(folder or MEASUREMENTS), device_name), key=lambda one: one[0]):
        for entry, marks in zip(entries, found, strict=True):
            if (name, row["pass"], row["way"]) != (entry["name"], entry["passes"], OURS):
                continue
            for number, size in enumerate(entry["sizes"]):
                if row["right"] and row["seconds"] and size.items() <= row["shape"].items():
                    marks[str(number)] = [row["cost"]["bytes"], row["cost"]["flops"], row["seconds"]]
    return found


@cache
def _rows(folder, device_name):
    """All rows of all reports about a device: (date, benchmark, row)."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            for one in report.get("reports", [report]):
                if device_name in one["device"]["name"]:
                    rows += [(one["date"], one["benchmark"], row) for row in one["rows"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is no report of `seqlab bench`; write it with --out, or remove it ({error!r})"
            ) from error
    return rows


def checked_machine(machine):
    if not isinstance(machine, dict) or set(machine) != {"bandwidth", "flops", "name"}:
        raise ValueError(f"machine is {machine!r}; it must be a dict with bandwidth, flops and name")
    for name in ("bandwidth", "flops"):
        check_speed(f"machine[{name!r}]", machine[name])
    return {"bandwidth": float(machine["bandwidth"]), "flops": float(machine["flops"]), "name": str(machine["name"])}


def check_speed(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}; it must be a positive number")
