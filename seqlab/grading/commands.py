"""What the commands of the grader share: options, the console, a progress bar; and `seqlab doctor`.

The commands themselves stand in author_commands, student_commands and instructor_commands. What is heavy is imported
inside the commands: `seqlab --help` must be quick.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

ASSIGNMENTS = Path("assignments")
BUNDLES = Path("_build/assignments")
LEDGER = Path("grades.sqlite")
LARGEST = 64 * 1024 * 1024  # no submission is larger

Bundles = Annotated[Path, typer.Option("--bundles", help="Where `seqlab build` put the assignments.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="How many processes work side by side.")]
LedgerFile = Annotated[Path, typer.Option("--ledger", help="The file that keeps every record.")]


def terminal(error=False):
    from rich.console import Console

    return Console(stderr=error, highlight=False)


@contextlib.contextmanager
def bar(console, wording):
    """A progress bar; gives `progress(stage, done, total)`. `wording` names the stages."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {}

        def progress(stage, done, total):
            if stage not in tasks:
                tasks[stage] = bar.add_task(wording.get(stage, stage), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield progress


def write(path, text):
    """Write a file whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def bundle_of(name, bundles):
    """The bundle folder of an assignment given by name, or by the bundle's own path."""
    for folder in (bundles / name, Path(name)):
        if (folder / "instructor" / "assignment.json").is_file():
            return folder
    built = sorted(path.parent.parent.name for path in bundles.glob("*/instructor/assignment.json"))
    there = f"built are: {', '.join(built)}" if built else "nothing is built"
    raise ValueError(f"There is no built assignment {name!r} in {bundles} ({there}): run `seqlab build --only {name}`.")


def submission_bytes(path):
    """The bytes of a notebook file, or a sentence."""
    if not path.exists():
        raise ValueError(f"There is no file {path}: check the name.")
    if not path.is_file():
        raise ValueError(f"{path} is no file: give a notebook (.ipynb).")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 20} MB: clear its outputs and save it.")
    return path.read_bytes()


def need_sandbox():
    from seqlab.grading.sandbox import why_not

    if why_not():
        raise ValueError(f"Nothing was graded: {why_not()}.")


def doctor():
    """Say what this machine has and lacks."""
    import importlib.metadata
    import platform

    from rich.table import Table

    from seqlab.grading.sandbox import why_not

    table = Table(box=None, show_header=False)
    lacking = 0

    def line(name, good, told):
        nonlocal lacking
        lacking += not good
        table.add_row("[green]✓[/]" if good else "[red]✗[/]", name, told)

    version = sys.version_info
    line(
        "python",
        (3, 11) <= version[:2] <= (3, 13),
        platform.python_version() + ("" if (3, 11) <= version[:2] <= (3, 13) else ": the course needs 3.11 to 3.13"),
    )
    for library in ("numpy", "torch", "triton", "nbval", "ipykernel", "jupyterlab"):
        try:
            line(library, True, importlib.metadata.version(library))
        except importlib.metadata.PackageNotFoundError:
            told = "absent: kernels run only on Linux" if library == "triton" else "absent: run `make setup`"
            line(library, library == "triton" and sys.platform != "linux", told)
    try:
        from seqlab.kernels import has_triton, interpreting

        mode = "not usable here" if not has_triton() else "in the interpreter" if interpreting() else "on the GPU"
        line("kernels", has_triton() or sys.platform != "linux", mode)
    except ImportError as wrong:
        line("kernels", False, f"cannot be loaded: {wrong}")
    line("bubblewrap", not why_not(), why_not() or "the sandbox works")
    browser = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)
    line("chromium", browser is not None, browser or "absent: only the tests of the site need it")
    console = terminal()
    console.print(table)
    console.print("Everything is there." if not lacking else f"{lacking} lacking; the lines with ✗ say what to do.")
    return 0
