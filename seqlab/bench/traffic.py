"""What our kernels move, counted, beside what `cost()` says that they must: the same bytes, or a reason for each byte.

`counted` runs every benchmark at its small sizes in Triton's interpreter with `seqlab.kernels.count`, and holds

    needed + what is explained = cost().bytes

to the byte; `seqlab.bench.differences` explains. Beside that it counts what a way of torch moves whose every step is
one of torch's functions. `write` keeps the rows in a file that the results page shows; no GPU is needed for any of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from tqdm.auto import tqdm

import seqlab.recurrent
from seqlab.bench import ctc, recurrent
from seqlab.bench.differences import differences
from seqlab.bench.measure import words
from seqlab.bench.registry import BENCHMARKS
from seqlab.kernels import count, interpreting
from seqlab.recurrent.cost import CELLS

FORMAT = 1
COUNTED = Path(__file__).parent / "measurements" / "traffic.json"
# Sizes beside the small ones, for kernels that only larger ones need: weights of a recurrence that no multiprocessor
# holds and many share out, and rows of which no program holds two.
LARGER = {
    "rnn": [{"B": 3, "T": 4, "D": 5, "H": 129, "dtype": "float32"}],
    "gru": [{"B": 3, "T": 4, "D": 5, "H": 65, "dtype": "float32"}],
    "lstm": [{"B": 3, "T": 4, "D": 5, "H": 65, "dtype": "float32"}],
    "softmax": [{"B": 1, "V": 20_000, "dtype": "float32"}],
}
# Ways that are made of torch's small functions. One function of torch that does everything (`torch.nn.LSTM`,
# `F.ctc_loss`) would be counted as if it moved nothing in between, which nobody outside can see.
EAGER = {
    **dict.fromkeys(("rnn", "gru", "lstm"), ("loop in torch",)),
    "softmax": ("torch.softmax",),
    "cross_entropy": ("F.cross_entropy",),
    "linear_cross_entropy": ("F.cross_entropy of F.linear",),
    **dict.fromkeys(("sgns", "cbow", "hierarchical"), ("torch, index_add_", "torch, sparse gradients")),
    "glove": ("torch, index_add_", "torch, sparse Adagrad"),
    "cooccurrence": ("torch, bincount", "torch, sort and unique"),
    "embedding": ("F.embedding", "index_select", "F.embedding's gradient", "torch, index_add_"),
    "perplexity_search": ("torch, all rows at once",),
    "repulsion": ("torch, in blocks",),
    "attraction": ("torch, index_add_",),
    "flash": ("bmm and softmax", "SDPA math"),
    "additive": ("eager",),
    "beam_step": ("log_softmax and topk",),
    "ctc_loss": ("seqlab torch",),
    "ctc_greedy": ("argmax and collapse",),
    "ctc_beam": ("seqlab torch on the CPU",),
}
# What these ways do when they are called first is another thing, which is there to be checked.
CHECKED_FIRST = ("sgns", "cbow", "hierarchical", "glove", "cooccurrence", "ctc_loss", "beam_step", "ctc_beam")


@dataclass(frozen=True)
class Job:
    """One way of one case at one size."""

    benchmark: str
    shape: dict
    passes: str
    way: str
    run: Callable
    cost: float
    eager: dict[str, Callable]


def counted(name=None, quick=False, on_step=lambda text, done, total: None):
    """Count what kernels and torch's functions move, benchmark by benchmark.

    Parameters
    ----------
    name : of a benchmark; None for all.
    quick : only the first size of each, and of that the first case.
    on_step : called with (what comes now, steps done, steps in all).

    Returns
    -------
    rows : list of dicts, which fit into JSON. They say what was counted (benchmark, shape, pass, way) and the names of
        the kernels that were launched; cost_bytes, what `cost()` says that any way must move; needed, again and
        scratch, bytes of the kernels as in `seqlab.kernels.Traffic`; torch_moved, bytes of torch's functions in the
        same call; explained, bytes of cost_bytes that are not among needed, for the reasons in differences, a list of
        {reason, bytes, by_torch}, and reason, all of them as one text; agrees, whether needed + explained is
        cost_bytes and torch moved what it is said to move; peer and peer_moved, the way out of torch's functions that
        moves least and its bytes, None where there is none.

    Raises
    ------
    ValueError
        when there is no benchmark of that name.
    RuntimeError
        when kernels do not run in Triton's interpreter.
    """
    if name is not None and name not in BENCHMARKS:
        raise ValueError(f"there is no benchmark {name!r}; there is {', '.join(BENCHMARKS)}")
    names = list(BENCHMARKS) if name is None else [name]
    rows = []
    for done, here in enumerate(names):
        on_step(here, done, len(names))
        rows += [_row(job) for job in _jobs(here, quick)]
    on_step("done", len(names), len(names))
    return rows


def _jobs(name, quick):
    benchmark = BENCHMARKS[name]
    shapes = [*benchmark.shapes["small"], *LARGER.get(name, ())]
    for shape in shapes[:1] if quick else shapes:
        cases = benchmark.cases(shape, "cpu")
        for case in cases[:1] if quick else cases:
            ours = _ours(name, shape, case)
            every = {**case.ours, **case.peers}
            eager = {way: every[way] for way in EAGER.get(name, ()) if way in every}
            for way, run in ours.items():
                yield Job(name, shape, case.passes, way, run, case.cost.bytes, eager)


def _ours(name, shape, case):
    """Our kernels' ways, with all that they give as a result.

    What nobody gets would count as scratch. The two beam searches of the benchmarks keep to themselves what is not
    checked at every call, and so they are called here as a user does.
    """
    if name in CELLS and shape in LARGER[name]:
        return {"seqlab Triton, shared out": _layer(name, shape, case.passes)}
    if name == "beam_step":
        return {"seqlab Triton": _beam_step(shape)}
    if name == "ctc_beam":
        return {"seqlab Triton": _ctc_beam(shape)}
    return {way: run for way, run in case.ours.items() if "Triton" in way and "chunk" not in way}


def _layer(cell, shape, passes):
    """A layer with all its results, which for an LSTM are the cells, too."""
    sizes = {name: shape[name] for name in "BTDH"}
    tensors, dh = recurrent._inputs(cell, **sizes, dtype=getattr(torch, shape["dtype"]), device="cpu")
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
    layer = getattr(seqlab.recurrent, cell)

    def forward():
        with torch.no_grad():
            return layer(**tensors, backend="triton")

    def backward():
        found = layer(**leaves, backend="triton")
        h = found[0] if cell == "lstm" else found
        return found, torch.autograd.grad(h, list(leaves.values()), dh)

    return forward if passes == "forward" else backward


def _beam_step(shape):
    from seqlab.decode import kernels

    B, K, V, width = (shape[name] for name in ("B", "K", "V", "width"))
    generator = torch.Generator().manual_seed(0)
    scores = (3 * torch.randn(B, K, V, generator=generator)).to(getattr(torch, shape["dtype"]))
    totals = -10 * torch.rand(B, K, generator=generator)
    return partial(kernels.beam_step, scores, totals, width)


def _ctc_beam(shape):
    from seqlab.ctc import kernels

    T, B, C, K = (shape[name] for name in ("T", "B", "C", "K"))
    log_probs, lengths = ctc.spoken(T, B, C, getattr(torch, shape["dtype"]), "cpu")
    return partial(kernels.beam_decode, log_probs, lengths, K)


def _row(job):
    if job.benchmark in CHECKED_FIRST:
        for run in (job.run, *job.eager.values()):
            run()
    traffic = count(job.run)
    found = differences(job.benchmark, job.shape, job.passes, job.way, traffic.result)
    eager = {way: count(run).torch_moved for way, run in job.eager.items()}
    peer = min(eager, key=eager.get, default=None)
    row = {
        "benchmark": job.benchmark,
        "shape": job.shape,
        "pass": job.passes,
        "way": job.way,
        "kernels": list(dict.fromkeys(launch.name for launch in traffic.launches if launch.kind == "kernel")),
        "cost_bytes": round(job.cost),  # a mean number of words in a window leaves a rest of rounding
        "needed": traffic.needed,
        "again": traffic.again,
        "scratch": traffic.scratch,
        "torch_moved": traffic.torch_moved,
        "explained": sum(difference.bytes for difference in found),
        "differences": [
            {"reason": difference.reason, "bytes": difference.bytes, "by_torch": difference.by_torch}
            for difference in found
        ],
        "reason": " ".join(f"{difference.reason.rstrip('.')} ({difference.bytes:,} bytes)." for difference in found),
        "peer": peer,
        "peer_moved": eager.get(peer),
    }
    return row | {"agrees": agree(row)}


def agree(row):
    """Say whether a row's numbers fit: every byte of the cost is needed or explained, and torch moved its part."""
    by_torch = sum(part["bytes"] for part in row["differences"] if part["by_torch"])
    return row["needed"] + row["explained"] == row["cost_bytes"] and by_torch <= row["torch_moved"]


def table(rows=None, out=None):
    """Print rows in the terminal, a row that does not agree in red.

    Parameters
    ----------
    rows : of `counted`; None counts now, with a bar, or reads the file where no kernel is interpreted.
    out : None, or a file that takes the rows, see `write`.

    Raises
    ------
    ValueError
        when a row does not agree.
    """
    from rich.console import Console

    console = Console()
    if rows is None and not interpreting():
        console.print("No kernel is interpreted in this process: these counts came with the package.", style="dim")
        rows = read()
    elif rows is None:
        rows = _with_a_bar()
    if out is not None:
        write(out, rows)
    for part in _laid_out(rows):
        console.print(part)
    wrong = [row for row in rows if not row["agrees"]]
    if wrong:
        names = ", ".join(dict.fromkeys(row["benchmark"] for row in wrong))
        raise ValueError(f"{len(wrong)} of {len(rows)} counts do not agree with cost(): {names}")
    console.print(f"All {len(rows)} counts agree with cost() to the byte: cost() = needed + explained.", style="bold")
    console.print(
        "again: moved once more than needed. scratch: left by a kernel for the next. by torch: moved by torch's "
        "functions in the same call. alone: what torch moves without our kernels.",
        style="dim",
    )


def _laid_out(rows):
    """A table for each size; behind the sizes of a kernel why the bytes differ."""
    from rich.table import Table

    kernels = {}
    for row in rows:
        kernels.setdefault(row["benchmark"], {}).setdefault(words(row["shape"]), []).append(row)
    for name, sizes in kernels.items():
        for shape, here in sizes.items():
            found = Table(title=f"{name}: {shape}", title_justify="left", title_style="bold", box=None, padding=(0, 1))
            found.add_column("pass", min_width=8)
            for heading in ("cost()", "needed", "explained", "again", "scratch", "by torch", "alone"):
                found.add_column(heading, justify="right", no_wrap=True)
            for row in here:
                label = row["pass"] + row["way"].removeprefix("seqlab Triton")
                exact = (f"{row[key]:,}" for key in ("cost_bytes", "needed", "explained"))
                rest = (_short(row[key]) for key in ("again", "scratch", "torch_moved", "peer_moved"))
                found.add_row(label, *exact, *rest, style=None if row["agrees"] else "red")
            yield found
        reasons = dict.fromkeys(
            part["reason"] for here in sizes.values() for row in here for part in row["differences"]
        )
        yield "".join(f"  - {reason}\n" for reason in reasons)


def _short(number):
    if number is None:
        return "-"
    scale, unit = next(((s, u) for s, u in ((1e6, "MB"), (1e3, "kB")) if number >= s), (1, "B"))
    return f"{number / scale:.3g} {unit}"


def _with_a_bar():
    with tqdm(total=len(BENCHMARKS), unit="kernel", leave=False) as bar:

        def step(text, done, total):
            bar.set_postfix_str(text)
            bar.update(done - bar.n)

        return counted(on_step=step)


def write(path=None, rows=None):
    """Write rows, those of `counted()` by default, to a file; None is the one that the results page shows."""
    rows = _with_a_bar() if rows is None else rows
    path = Path(path or COUNTED)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, "rows": rows}, indent=1) + "\n")


def read(path=None):
    """Read the rows that `write` wrote; None takes the file that the results page shows.

    Raises
    ------
    ValueError
        when the file is of another format.
    """
    path = path or COUNTED
    kept = json.loads(Path(path).read_text())
    if not isinstance(kept, dict) or kept.get("format") != FORMAT:
        raise ValueError(f"{path} is no count of format {FORMAT}: make it anew with seqlab.bench.traffic.write()")
    return kept["rows"]
