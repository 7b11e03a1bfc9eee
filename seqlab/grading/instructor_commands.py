"""`seqlab grade`, `report` and `demo`: what instructors run."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.classes import grade_class
from seqlab.grading.collecting import collect
from seqlab.grading.commands import (
    ASSIGNMENTS,
    BUNDLES,
    LEDGER,
    Bundles,
    LedgerFile,
    Workers,
    bar,
    bundle_of,
    need_sandbox,
    terminal,
    write,
)

FORMATS = ("all", "csv", "canvas", "gradescope", "html")


def grade(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder or a .zip: NAME.ipynb, NAME/ASSIGNMENT.ipynb; nbgrader's, Canvas's, Moodle's."),
    ],
    assignment: Annotated[str, typer.Option(help="The assignment's name, or its bundle's folder.")],
    workers: Workers = 2,
    scheduler: Annotated[
        str | None, typer.Option(help="Grade with Dask: tcp://HOST:PORT of its scheduler, or `local` for one here.")
    ] = None,
    times: Annotated[
        Path | None, typer.Option(help="A CSV file, student and time: when each handed in, for the deadline.")
    ] = None,
    trusted: Annotated[
        bool, typer.Option(help="Run without the sandbox: only for work you would run yourself.")
    ] = False,
    ledger: LedgerFile = LEDGER,
    bundles: Bundles = BUNDLES,
):
    """Grade a class. Stopped at any moment, the same command goes on where it was."""
    from seqlab.grading.build import load_bundle
    from seqlab.grading.exports import plain
    from seqlab.grading.late import read_times
    from seqlab.grading.ledger import Ledger

    loaded = load_bundle(bundle_of(assignment, bundles))
    found = collect(folder, loaded.name)
    if not found:
        raise ValueError(f"{folder} holds no notebooks: it needs one per student, NAME.ipynb.")
    given = read_times(times, _clock(ledger, loaded.name)) if times else {}
    if not trusted and scheduler in (None, "local"):  # elsewhere each worker's own sandbox counts
        need_sandbox()
    console = terminal()
    with Ledger(ledger) as book:
        with bar(console, {"grade": f"grading {loaded.name}"}) as progress:
            fresh = grade_class(
                found, loaded, book, workers=workers, trusted=trusted, progress=progress, scheduler=scheduler,
                times=given,
            )  # fmt: skip
        standings = book.standings(loaded.name)
    _show_class(console, standings, loaded, fresh)
    _show_notices(console, found)
    strangers = sorted(given.keys() - {one.student for one in found})
    if strangers:
        console.print(f"{times} names nobody of this class: {', '.join(map(plain, strangers))}.", markup=False)
    console.print(f"Kept in {ledger}. Now: `seqlab report --ledger {ledger} --to reports`.", soft_wrap=True)


def _clock(ledger, name):
    """The zone of an assignment's deadline, "" without one: on this clock times without an offset are read."""
    from seqlab.grading.ledger import Ledger

    if not ledger.is_file():
        return ""
    with Ledger(ledger) as book:
        return (book.deadlines(name).get("") or {}).get("zone", "")


def _show_class(console, standings, assignment, fresh):
    from rich.markup import escape
    from rich.table import Table

    from seqlab.grading.exports import plain

    scores = [one.score for one in standings]
    waiting = [one for one in standings if one.needs_attention]
    most = assignment.points + sum(one.points for one in assignment.manuals)
    mean = f"{sum(scores) / len(scores):.3g} of {most:g} points on average" if scores else "nobody yet"
    noun = "submission" if len(standings) == 1 else "submissions"
    console.print(f"{len(standings)} {noun} of {assignment.name}: {fresh} graded now, {mean}.")
    if waiting:
        table = Table(title="Needs attention", title_justify="left")
        table.add_column("student", overflow="fold")
        table.add_column("score", justify="right")
        table.add_column("why", overflow="fold")
        for one in waiting:
            why = "; ".join(one.record.problems) or one.record.outcome if one.record else "not graded yet"
            table.add_row(escape(plain(one.student)), f"{one.score:g}", escape(plain(why)))
        console.print(table)
    texts = sum(len(one.pending) for one in standings)
    if texts:
        noun = "written answer waits" if texts == 1 else "written answers wait"
        told = f"{texts} {noun} for a person: `seqlab mark --assignment {assignment.name} --to marking`."
        console.print(told, soft_wrap=True)


def _show_notices(console, found):
    """What a person must look at though the submission could be read."""
    from rich.markup import escape

    from seqlab.grading.exports import plain

    for one in found:
        if one.content is not None and one.why:
            console.print(f"[yellow]{escape(plain(one.student))}[/]: {escape(plain(one.why))}", soft_wrap=True)


def open_ledger(path, assignment):
    """The ledger, and the names of the assignments asked for."""
    from seqlab.grading.ledger import Ledger

    book = Ledger(path, must_exist=True)
    known = book.assignments()
    if assignment and assignment not in known:
        book.close()
        raise ValueError(f"The ledger {path} has no assignment {assignment!r} (there: {', '.join(known) or 'none'}).")
    return book, [assignment] if assignment else known


def write_reports(book, names, to, form="all", roster=None):
    """Write the reports of some assignments; give the paths of the main files."""
    from seqlab.grading import exports, feedback

    faces, classes, written = [book.face(name) for name in names], [book.standings(name) for name in names], []
    for name, face, standings in zip(names, faces, classes, strict=True):
        if form in ("all", "csv"):
            written.append(to / name / "scores.csv")
            write(written[-1], exports.MARK + exports.to_csv(face, standings))
        if form in ("all", "gradescope"):
            for one in standings:
                file = to / name / "gradescope" / exports.file_name(one.student) / "results.json"
                write(file, exports.to_gradescope(face, one))
            written.append(to / name / "gradescope")
        if form in ("all", "html"):
            for one in standings:
                file = to / name / "feedback" / f"{exports.file_name(one.student)}.html"
                write(file, feedback.student_page(face, one))
            written.append(to / name / "report.html")
            write(written[-1], feedback.class_page(face, standings, roster=roster))
    if form in ("all", "canvas"):
        written.append(to / "canvas.csv")
        write(written[-1], exports.to_canvas(faces, classes))
    return written


def report(
    to: Annotated[Path, typer.Option(help="The folder to write to.")],
    ledger: LedgerFile = LEDGER,
    assignment: Annotated[str | None, typer.Option(help="This assignment alone.")] = None,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "all",
    roster: Annotated[Path | None, typer.Option(help="A class list (CSV): tells who has not handed in.")] = None,
):
    """Write scores for a gradebook, a page for each student, and a report on the class."""
    from seqlab.grading.personal import read_roster

    if form not in FORMATS:
        raise ValueError(f"{form!r} is no format: use one of {', '.join(FORMATS)}.")
    if to.exists() and not to.is_dir():
        raise ValueError(f"{to} is a file: give a folder.")
    book, names = open_ledger(ledger, assignment)
    with book:
        if not names:
            raise ValueError(f"The ledger {ledger} holds no submissions yet: run `seqlab grade` first.")
        written = write_reports(book, names, to, form, read_roster(roster) if roster else None)
    for path in written:
        terminal().print(str(path), soft_wrap=True)


def demo(
    to: Annotated[Path, typer.Option(help="Where the class and its reports go.")] = Path("_build/grade-demo"),
    folder: Annotated[Path, typer.Option(help="The assignments' sources.")] = ASSIGNMENTS,
    bundles: Bundles = BUNDLES,
    workers: Workers = 2,
    trusted: Annotated[bool, typer.Option(help="Run without the sandbox; hostile submissions are left out.")] = False,
):
    """Grade a made-up class of thirty and show expected against given scores."""
    from seqlab.grading.demo import run

    if not trusted:
        need_sandbox()
    console = terminal()
    with bar(console, {}) as progress:
        results, written = run(to, folder, bundles, workers=workers, trusted=trusted, progress=progress)
    return _show_demo(console, results, written)


def _show_demo(console, results, written):
    from rich.markup import escape
    from rich.table import Table

    wrong = 0
    for name, lines in results.items():
        table = Table(title=name, title_justify="left")
        table.add_column("student")
        table.add_column("what is handed in", overflow="fold")
        table.add_column("expected", justify="right")
        table.add_column("given", justify="right")
        table.add_column("outcome")
        table.add_column("")
        for line in lines:
            good = line.agrees
            wrong += not good
            expected = f"{line.case.score:g}"
            table.add_row(
                escape(line.case.student), escape(line.case.what), expected, f"{line.standing.score:g}",
                str(line.outcome), "[green]✓[/]" if good else f"[bold red]✗ {escape(line.why)}[/]",
            )  # fmt: skip
        console.print(table)
    total = sum(len(lines) for lines in results.values())
    for path in written:
        console.print(str(path), soft_wrap=True)
    console.print(f"{total - wrong} of {total} scores as declared.", style="bold green" if not wrong else "bold red")
    return 1 if wrong else 0
