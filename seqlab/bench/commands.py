"""`seqlab bench`: what exists, and measuring it."""

from pathlib import Path
from typing import Annotated

import typer


def bench(
    name: Annotated[str | None, typer.Argument(help="What to measure; leave it out to see what exists.")] = None,
    shapes: Annotated[str | None, typer.Option(help="small or full; by default full on a GPU, else small.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the measurements to this JSON file.")] = None,
    repeat: Annotated[int, typer.Option(help="Samples of each way.")] = 20,
):
    """Measure kernels against their peers and floors: first whether they are right, then how long they take."""
    import torch
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from seqlab.bench import BENCHMARKS, measure

    console = Console()
    if name is None:
        for benchmark in BENCHMARKS.values():
            console.print(f"[bold]{benchmark.name}[/]  {benchmark.about}")
        console.print("Measure one with: seqlab bench NAME", style="dim")
        return
    if name not in BENCHMARKS:
        _stop(f"there is no benchmark {name!r}; there is {', '.join(BENCHMARKS)}")
    if out is not None and not out.resolve().parent.is_dir():
        _stop(f"--out names {out}, but the folder {out.resolve().parent} does not exist; make it first")
    shapes = shapes or ("full" if torch.cuda.is_available() else "small")
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(name)
            report = measure(
                BENCHMARKS[name],
                shapes,
                repeat,
                lambda text, done, total: progress.update(task, description=text, completed=done, total=total),
            )
    except ValueError as error:
        _stop(str(error))
    for table in _tables(report):
        console.print(table)
    if report["device"]["kind"] == "cpu":
        console.print("Triton ran in its interpreter, to check its numbers: speeds of kernels need a GPU.", style="dim")
    elif report["assumed"] is None:
        console.print("The speeds of this device are not known here, so there is no floor.", style="dim")
    if out is not None:
        _write(out, report)
    wrong = sorted({row["way"] for row in report["rows"] if not row["right"]})
    if wrong:
        typer.echo(f"wrong results, not timed: {', '.join(wrong)}", err=True)
        raise typer.Exit(1)


def _tables(report):
    from rich.console import Group
    from rich.table import Table

    groups = {}
    for row in report["rows"]:
        groups.setdefault((_words(row["shape"]), row["pass"]), []).append(row)
    for (shape, passes), rows in groups.items():
        known = rows[0]["floor_seconds"] is not None
        weighed = any(row["memory"] is not None for row in rows)
        floor = f", floor {_time(rows[0]['floor_seconds'])} ({rows[0]['bound']})" if known else ""
        table = Table(title=f"{shape}: {passes}{floor}", title_justify="left", title_style="bold")
        table.add_column("way", no_wrap=True)
        extra = [*(["memory"] if weighed else []), *(["of floor"] if known else [])]
        for heading in ("error", "median", "middle half", *extra, "best peer / this"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            errors = row["errors"].values()
            cells = [row["way"], "-" if None in errors else f"{max(errors):.1e}", _time(row["seconds"])]
            cells.append(" to ".join(map(_time, row["quartiles"])) if row["quartiles"] else "-")
            if weighed:
                cells.append(_bytes(row["memory"]))
            if known:
                cells.append(f"{row['of_floor']:.0%}" if row["of_floor"] else "-")
            cells.append(f"{row['of_best_peer']:.2f}" if row["of_best_peer"] else "-")
            table.add_row(*cells, style=None if row["right"] else "red")
        notes = [f"  {row['way']}: {row['note']}" for row in rows if row["note"]]
        yield Group(table, *notes)


def _words(shape):
    return " ".join(f"{name}={value}" if name != "dtype" else value for name, value in shape.items())


def _time(seconds):
    if seconds is None:
        return "-"
    scale, unit = next(((s, u) for s, u in ((1, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= s), (1e-9, "ns"))
    return f"{seconds / scale:.3g} {unit}"


def _bytes(number):
    if number is None:
        return "-"
    scale, unit = next(((s, u) for s, u in ((1e9, "GB"), (1e6, "MB")) if number >= s), (1e3, "kB"))
    return f"{number / scale:.3g} {unit}"


def _write(path, report):
    """Write the report; a full disk leaves the old measurements alone."""
    import json

    from seqlab.files import written_aside

    try:
        with written_aside(path) as file:
            file.write((json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        _stop(f"the measurements could not be written to {path}: {error.strerror}")
    typer.echo(f"written to {path}")


def _stop(sentence):
    typer.echo(sentence, err=True)
    raise typer.Exit(2)
