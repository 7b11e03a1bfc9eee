"""What the compiler says: every kernel for sm_90 at the sizes that a GPU times, with no GPU.

`seqlab bench --resources` compiles them in a process of its own, since a process that interprets cannot compile, and
shows what each uses. With `--out FILE` it writes the numbers, from which the book's page of results is drawn.
"""

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from seqlab.files import written_aside
from seqlab.kernels import has_triton

FORMAT = 1
ARCH = 90  # Hopper
FILE = Path(__file__).parent / "measurements" / "resources.json"
# What the GPU's matrix units are told to do: products of a warpgroup, or of a warp.
MATRIX = {"wgmma": r"wgmma\.mma_async", "mma": r"\bmma\.sync"}


def table(out=None, names=None):
    """Compile everything, print a row for each kernel and size, and write the numbers where `out` says so.

    Parameters
    ----------
    out : None, or a file.
    names : of benchmarks; None for all.

    Returns
    -------
    report : dict, see `compiled`.

    Raises
    ------
    ValueError
        when Triton is not installed, a name is no benchmark's, a kernel does not compile, or `out` has no folder.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table

    if out is not None and not Path(out).resolve().parent.is_dir():
        raise ValueError(f"--out names {out}, but its folder does not exist; make it first")
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("compiling")
        report = compiled(
            names, lambda text, done, total: progress.update(task, description=text, completed=done, total=total)
        )
    if out is not None:
        with written_aside(out) as file:
            file.write(dumps(report).encode())
    shown = Table(title=f"compiled for sm_{report['arch']}", title_justify="left", title_style="bold")
    shown.add_column("kernel", overflow="fold", min_width=24)
    for heading in SHOWN:
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in report["rows"]:
        kernel, size, *_ = cells = summary(row)
        style = "red" if any(form["spills"] for form in row["forms"]) else None
        shown.add_row(f"{kernel}\n  {size}", *(cells[HEADINGS.index(name)] for name in SHOWN), style=style)
    Console().print(shown)
    return report


HEADINGS = ("kernel", "size", "matrix units", "forms", "warps", "registers", "spilled", "shared", "instructions")
SHOWN = ("warps", "registers", "spilled", "shared")  # what a narrow terminal has room for


def summary(row):
    """The cells of a row, one for each of `HEADINGS`: the least and the most of all forms."""
    forms = row["forms"]

    def span(key, write=str):
        least, most = min(form[key] for form in forms), max(form[key] for form in forms)
        return write(least) if least == most else f"{write(least)}–{write(most)}"

    shape = " ".join(f"{key}={value}" if key != "dtype" else value for key, value in row["shape"].items())
    matrix = ", ".join(sorted({name for form in forms for name in form["matrix"]})) or "none"
    numbers = (span("warps"), span("registers"), span("spills"), span("shared", "{:,}".format))
    name = f"{row['benchmark']}: {row['kernel']}"
    return (name, shape, matrix, str(len(forms)), *numbers, span("instructions", "{:,}".format))


def compiled(names=None, on_step=lambda text, done, total: None):
    """Compile the kernels of all benchmarks, or of some, for sm_90 at their full sizes.

    Parameters
    ----------
    names : of benchmarks; None for all.
    on_step : called with (what was compiled, benchmarks done, benchmarks in all).

    Returns
    -------
    report : dict that fits into JSON: versions, date, and "rows", one for each kernel and size, each with its "forms":
        those that the tuner would try, with registers and bytes of stack a thread, bytes of shared memory a program,
        instructions, and how many of them are for the matrix units, by kind.

    Raises
    ------
    ValueError
        when Triton is not installed, a name is no benchmark's, or a kernel does not compile.
    """
    from seqlab.bench import BENCHMARKS
    from seqlab.machine import versions

    if not has_triton():
        raise ValueError("compiling kernels needs the package triton, which exists for Linux alone")
    names = list(BENCHMARKS if names is None else names)
    for name in names:
        if name not in BENCHMARKS:
            raise ValueError(f"there is no benchmark {name!r}; there is {', '.join(BENCHMARKS)}")
    environment = os.environ | {"TRITON_INTERPRET": "0"}
    command = [sys.executable, "-m", "seqlab.bench.resources", *names]
    rows, done = [], []
    on_step("compiling", 0, len(names))
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            row = json.loads(line)
            if isinstance(row, str):
                done.append(row)
                on_step(row, len(done), len(names))
            else:
                rows.append(row)
        complaint = child.stderr.read().strip().splitlines()
    if child.returncode:
        last = complaint[-1] if complaint else f"status {child.returncode}"
        raise ValueError(f"the kernels after {done[-1] if done else 'none'} could not be compiled: {last}")
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"format": FORMAT, "arch": ARCH, "date": date, "versions": versions(), "rows": rows}


def dumps(report):
    """Write a report as JSON with a line for each row, so that a change of one kernel is a change of few lines."""
    head = json.dumps({key: value for key, value in report.items() if key != "rows"})
    rows = ",\n".join(json.dumps(row) for row in report["rows"])
    return f'{head[:-1]}, "rows": [\n{rows}\n]}}\n'


def read(path=None):
    """Read what `table` wrote; None takes the file that the results page shows.

    Raises
    ------
    ValueError
        naming the file, when it is none.
    """
    path = Path(path or FILE)
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["format"] != FORMAT:
            raise ValueError(f"format {report['format']}")
        for row in report["rows"]:
            summary(row)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path.name} does not hold what the compiler says; write it with "
            f"`seqlab bench --resources --out {path.name}` ({error!r})"
        ) from error
    return report


def _rows(name, shapes, known):
    """Every launch of a benchmark, each once for all sizes that it is the same for."""
    from seqlab.bench.launches import LAUNCHES

    for shape in shapes:
        for launch in LAUNCHES[name](**shape):
            parts = (launch.fn.fn, launch.signature, launch.constants, launch.divisible, list(launch.forms()))
            key = repr(parts)
            if key not in known:
                known[key] = [form(row, one) for row, one in launch.compiled()]
            yield {"benchmark": name, "shape": shape, "kernel": launch.kernel, "forms": known[key]}


def form(row, compiled):
    """What one form of a kernel uses."""
    own = {key: value for key, value in row.items() if key not in ("kernel", "shape")}
    counts = {name: len(re.findall(pattern, compiled.ptx)) for name, pattern in MATRIX.items()}
    return own | {
        "instructions": compiled.length(),
        "matrix": {name: count for name, count in counts.items() if count},
        "atomics": len(re.findall(r"\b(?:atom|red)\.(?:global|shared)", compiled.ptx)),
    }


def main(names):
    """Print a line of JSON for each row, and the name of each benchmark when it is done."""
    from seqlab.bench import BENCHMARKS

    known = {}
    for name in names:
        for row in _rows(name, BENCHMARKS[name].shapes["full"], known):
            print(json.dumps(row), flush=True)
        print(json.dumps(name), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
