"""`seqlab bench`: what exists, and measuring it."""

import os
from pathlib import Path
from typing import Annotated

import typer

PEER = "best peer\n/ this"
KIND = {"name": "NAME", "quick": "--quick", "all": "--all", "traffic": "--traffic", "resources": "--resources"}


def bench(
    name: Annotated[str | None, typer.Argument(help="What to measure; leave it out to see what exists.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Every benchmark at its smallest size: minutes on any CPU.")
    ] = False,
    all_: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every benchmark at its full sizes, one file each; goes on where it was stopped. Needs a GPU.",
        ),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="With --all: measure also what is there already.")] = False,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="Bytes that the kernels move in the interpreter, against their floors.")
    ] = False,
    resources: Annotated[
        bool, typer.Option("--resources", help="Registers and shared memory of the kernels, compiled for Hopper.")
    ] = False,
    shapes: Annotated[
        str | None, typer.Option(help="With NAME: small or full; by default full on a GPU, else small.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the measurements to this JSON file; with --all, to files in this folder."),
    ] = None,
    repeat: Annotated[
        int | None, typer.Option(help="Samples of each way: 20, with --quick 5, unless you say so.")
    ] = None,
):
    """Measure kernels against their peers and floors: first whether they are right, then how long they take.

    `seqlab bench`: what can be measured.

    `seqlab bench lstm`: one benchmark, on the GPU if there is one.

    `seqlab bench --quick`: every kernel checked, on any machine, within minutes.

    `seqlab bench --all`: everything at full size on this GPU; the book's table of results is drawn from it.

    A way whose result is wrong gets no speed, and the command ends with status 1. `of floor` says how near a way comes
    to what the device allows; `best peer / this` above 1 means faster than the best of the others.
    """
    import torch

    from seqlab.bench import BENCHMARKS

    chosen = {"name": name is not None, "quick": quick, "all": all_, "traffic": traffic, "resources": resources}
    picked = [KIND[key] for key, value in chosen.items() if value]
    if len(picked) > 1:
        _stop(f"{' and '.join(picked)} cannot go together: take one of them")
    _only_with(picked, "NAME", "--shapes", shapes is not None)
    _only_with(picked, "--all", "--again", again)
    _only_with(picked, ("NAME", "--quick", "--all"), "--repeat", repeat is not None)
    _only_with(picked, tuple(KIND.values()), "--out", out is not None)
    if repeat is not None and repeat < 1:
        _stop(f"repeat is {repeat}; it must be at least 1")
    if name is not None and name not in BENCHMARKS:
        _stop(_unknown(name, BENCHMARKS))
    if all_:
        if not torch.cuda.is_available():
            _stop("--all times every kernel at its full sizes, and there is no CUDA device here: take --quick")
        return _all(BENCHMARKS, out, repeat or 20, again)
    _writable(out)
    if quick:
        return _quick(BENCHMARKS, out, repeat)
    if traffic or resources:
        return _extra("traffic" if traffic else "resources", out)
    if name is None:
        return _list(BENCHMARKS)
    return _named(BENCHMARKS[name], shapes or ("full" if torch.cuda.is_available() else "small"), out, repeat or 20)


def _only_with(picked, wanted, option, given):
    wanted = (wanted,) if isinstance(wanted, str) else wanted
    if given and not set(wanted) & set(picked):
        _stop(f"{option} goes with {' or '.join(wanted)} alone; `seqlab bench --help` tells more")


def _unknown(name, known):
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), known, n=1)
    return f"there is no benchmark {name!r}; " + (
        f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
    )


def _writable(out):
    """Refuse at once what could not be written an hour later."""
    if out is None:
        return
    folder = out.resolve().parent
    if not folder.is_dir():
        _stop(f"--out names {out}, but the folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK):
        _stop(f"--out names {out}, but nothing can be written to the folder {folder}; choose another")
    if out.is_dir():
        _stop(f"--out names {out}, which is a folder; name a file in it, such as {out / 'bench.json'}")


def _list(benchmarks):
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for benchmark in benchmarks.values():
        table.add_row(f"[bold]{benchmark.name}[/]", benchmark.about)
    console.print(table)
    console.print("Measure one with `seqlab bench NAME`, check all with `seqlab bench --quick`.", style="dim")


def _progress():
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _watched(progress, title):
    """A task of the bar, as the function that `measure` calls at every step."""
    task = progress.add_task(title)
    return lambda text, done, total: progress.update(task, description=text, completed=done, total=total)


def _named(benchmark, shapes, out, repeat):
    from rich.console import Console

    from seqlab.bench import measure

    try:
        with _progress() as progress:
            report = measure(benchmark, shapes, repeat, _watched(progress, benchmark.name))
    except ValueError as error:
        _stop(str(error))
    console = Console()
    show(console, report)
    if out is not None:
        _write(out, report)
    _end([(report["benchmark"], report)])


def _quick(benchmarks, out, repeat):
    from rich.console import Console
    from rich.table import Table

    from seqlab.bench import runs

    with _progress() as progress:
        options = {} if repeat is None else {"repeat": repeat}
        report = runs.quick(list(benchmarks.values()), on_step=_watched(progress, "quick"), **options)
    table = Table()
    for heading, right in (("benchmark", 0), ("size", 0), ("ways checked", 1), ("wrong", 0), ("best peer", 1)):
        table.add_column(heading, justify="right" if right else "left", no_wrap=right or heading == "benchmark")
    for one in report["reports"]:
        rows, wrong = one["rows"], runs.wrong_ways(one)
        best = min((row["seconds"] for row in rows if row["role"] == "peer" and row["seconds"]), default=None)
        checked = str(len({row["way"] for row in rows}))
        cells = [one["benchmark"], words(rows[0]["shape"]), checked, ", ".join(wrong) or "-", time_words(best)]
        table.add_row(*cells, style="red" if wrong else None)
    console = Console()
    console.print(table)
    seconds = sum(one["duration"] for one in report["reports"])
    console.print(
        f"{len(report['reports'])} benchmarks in {seconds:.0f} s. {_of_device(report['reports'])}", style="dim"
    )
    if out is not None:
        _write(out, report)
    _end([(one["benchmark"], one) for one in report["reports"]], report["failed"])


def _all(benchmarks, out, repeat, again):
    from rich.console import Console

    from seqlab.bench import runs
    from seqlab.kernels.measured import MEASUREMENTS

    folder = out or MEASUREMENTS
    if not folder.is_dir():
        _stop(f"--out names {folder}, and there is no such folder; make it first")
    if not os.access(folder, os.W_OK):
        _stop(f"nothing can be written to the folder {folder}; name another with --out")
    console, reports, failed = Console(), [], {}
    try:
        with _progress() as progress:
            watched = _watched(progress, "all")
            for name, report, why in runs.every(list(benchmarks.values()), folder, repeat, again, watched):
                if report is None:
                    failed[name] = why
                    continue
                reports.append((name, report))
                state = why or f"{report['duration']:.0f} s"
                progress.console.print(f"{name}: {state}, {folder / runs.file_name(name)}")
    except OSError as error:
        _stop(f"the measurements could not be written to {folder}: {error.strerror}")
    for name, report in reports:
        console.print(f"\n[bold]{name}[/]")
        show(console, report)
    _end(reports, failed)


def _extra(what, out):
    """The tables of `seqlab.bench.traffic` and `seqlab.bench.resources`, which print themselves."""
    from importlib import import_module

    try:
        import_module(f"seqlab.bench.{what}").table(out=out)
    except ValueError as error:
        _stop(str(error))


def _end(reports, failed=None):
    """Status 1, and one line for what was wrong and what could not be measured at all."""
    from seqlab.bench.runs import wrong_ways

    wrong = {name: ways for name, report in reports if (ways := wrong_ways(report))}
    for name, why in (failed or {}).items():
        typer.echo(f"{name} could not be measured: {why}", err=True)
    if len(reports) == 1 and wrong:
        typer.echo(f"wrong results, not timed: {', '.join(*wrong.values())}", err=True)
    elif wrong:
        text = "; ".join(f"{name}: {', '.join(ways)}" for name, ways in wrong.items())
        typer.echo(f"wrong results, not timed: {text}", err=True)
    if wrong or failed:
        raise typer.Exit(1)


def show(console, report):
    """Print the tables of a report, what was not here, and how our kernels stand against their peers."""
    for table in _tables(report):
        console.print(table)
    missing = {}
    for lack in report.get("absent", ()):
        missing.setdefault(lack["note"], {})[lack["way"]] = None
    for note, ways in missing.items():
        console.print(f"Not here: {', '.join(ways)} ({note}).", style="dim", markup=False)
    for line in verdict(report):
        console.print(line, markup=False)
    console.print(_of_device([report]), style="dim")


def verdict(report):
    """Say for every pass of every size how our fastest way stands against the best peer: ahead and behind alike."""
    lines = []
    for (shape, passes), rows in _groups(report).items():
        ours = [row for row in rows if row["role"] == "ours" and row["of_best_peer"]]
        peers = [row for row in rows if row["role"] == "peer" and row["seconds"]]
        if not ours or not peers or not any("Triton" in row["way"] for row in ours):
            continue
        best, peer = min(ours, key=lambda row: row["seconds"]), min(peers, key=lambda row: row["seconds"])
        ratio = best["of_best_peer"]
        where = "ahead of" if ratio >= 1 else "BEHIND"
        lines.append(f"{shape}, {passes}: {best['way']} is {where} {peer['way']}, {ratio:.2f} times as fast")
    return lines


def _of_device(reports):
    if not reports:
        return ""
    if reports[0]["device"]["kind"] == "cpu":
        return "Triton ran in its interpreter, to check its numbers: speeds of kernels need a GPU."
    device, speeds = reports[0]["floor_device"], reports[0].get("speeds")
    if device is None or not speeds:
        return "The speeds of this device are not known here, so there is no floor."
    steps = ", ".join(f"{kind} {time_words(seconds)}" for kind, seconds in device["step"].items())
    return (
        f"Floors: {device['bandwidth'] / 1e12:.3g} TB/s, steps {steps}; measured here: "
        f"{speeds['bandwidth'] / 1e12:.3g} TB/s, bfloat16 {speeds['flops']['bfloat16'] / 1e12:.3g} Tflop/s."
    )


def _groups(report):
    groups = {}
    for row in report["rows"]:
        groups.setdefault((words(row["shape"]), row["pass"]), []).append(row)
    return groups


def _tables(report):
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    for (shape, passes), rows in _groups(report).items():
        known = rows[0]["floor_seconds"] is not None
        weighed = any(row["memory"] is not None for row in rows)
        floor = f", floor {time_words(rows[0]['floor_seconds'])} ({rows[0]['bound']})" if known else ""
        title = f"{shape}: {passes}{floor}"
        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("way", min_width=13, overflow="fold")
        extra = [*(["memory"] if weighed else []), *(["of floor"] if known else [])]
        for heading in ("error", "median", "middle half", *extra, PEER):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            errors = row["errors"].values()
            apart = " (CPU)" if row.get("ran_on", report["device"]["kind"]) != report["device"]["kind"] else ""
            graph = ", graph" if row.get("graph") else ""
            cells = [row["way"] + graph + apart, "-" if None in errors else f"{max(errors):.1e}"]
            cells.append(time_words(row["seconds"]))
            cells.append(_between(row["seconds"], row["quartiles"]))
            if weighed:
                cells.append(bytes_words(row["memory"]))
            if known:
                cells.append(f"{row['of_floor']:.0%}" if row["of_floor"] else "-")
            cells.append(f"{row['of_best_peer']:.2f}" if row["of_best_peer"] else "-")
            table.add_row(*cells, style=None if row["right"] else "red")
        notes = [f"  {row['way']}: {row['note']}" for row in rows if row["note"]]
        launched = [f"{row['way']} {time_words(s)}" for row in rows if (s := row.get("launched_seconds"))]
        notes += [f"  Launch by launch: {', '.join(launched)}."] if launched else []
        yield Group(table, *notes)


def words(shape):
    """A size as a reader wants it."""
    from seqlab.bench.measure import words as shape_words

    return shape_words(shape)


def time_words(seconds):
    """Seconds with a fitting unit, "-" for None."""
    if seconds is None:
        return "-"
    scale, unit = _unit(seconds)
    return f"{seconds / scale:.3g} {unit}"


def _between(median, quartiles):
    """Both quartiles in the unit of the median, `1.43 to 1.74`; "-" for None."""
    if quartiles is None:
        return "-"
    scale, _ = _unit(median)
    return " to ".join(f"{quartile / scale:.3g}" for quartile in quartiles)


def _unit(seconds):
    return next(((s, u) for s, u in ((1, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= s), (1e-9, "ns"))


def bytes_words(number):
    """Bytes with a fitting unit, "-" for None."""
    if number is None:
        return "-"
    scale, unit = next(((s, u) for s, u in ((1e9, "GB"), (1e6, "MB")) if number >= s), (1e3, "kB"))
    return f"{number / scale:.3g} {unit}"


def _write(path, report):
    """Write the report; a full disk leaves the old measurements alone."""
    from seqlab.bench.runs import write

    try:
        write(path, report)
    except OSError as error:
        _stop(f"the measurements could not be written to {path}: {error.strerror}")
    typer.echo(f"written to {path}")


def _stop(sentence):
    typer.echo(sentence, err=True)
    raise typer.Exit(2)
