"""The commands of the grader. What is heavy is imported inside the commands: `seqlab --help` must be quick."""

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
FORMATS = ("all", "csv", "canvas", "gradescope", "html")
LARGEST = 64 * 1024 * 1024  # no submission is larger

Bundles = Annotated[Path, typer.Option("--bundles", help="Where `seqlab build` put the assignments.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="How many processes work side by side.")]
LedgerFile = Annotated[Path, typer.Option("--ledger", help="The file that keeps every record.")]


def _console(error=False):
    from rich.console import Console

    return Console(stderr=error, highlight=False)


@contextlib.contextmanager
def _bar(console, wording):
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


def _bundle(name, bundles):
    """The bundle folder of an assignment given by name, or by the bundle's own path."""
    for folder in (bundles / name, Path(name)):
        if (folder / "instructor" / "assignment.json").is_file():
            return folder
    built = sorted(path.parent.parent.name for path in bundles.glob("*/instructor/assignment.json"))
    there = f"built are: {', '.join(built)}" if built else "nothing is built"
    raise ValueError(f"There is no built assignment {name!r} in {bundles} ({there}): run `seqlab build --only {name}`.")


# -------------------------------------------------------------------------------------------------- authors

STAGES = {
    "solution": "solution and stubs",
    "variants": "declared answers",
    "mutants": "mutants",
    "engine": "the real engine",
    "canonical": "canonical notebook",
}


def build(
    folder: Annotated[Path, typer.Argument(help="The assignments' folder, or one assignment's.")] = ASSIGNMENTS,
    only: Annotated[list[str] | None, typer.Option(help="Build this one alone; may be given again.")] = None,
    out: Annotated[Path, typer.Option(help="Where the bundles go.")] = BUNDLES,
    workers: Workers = 2,
    quick: Annotated[bool, typer.Option(help="Leave out mutants and the real engine, while writing.")] = False,
):
    """Build assignments from their sources, and pass every gate."""
    from rich.markup import escape

    from seqlab.grading.build import GateError
    from seqlab.grading.build import build as make
    from seqlab.grading.source import NOTEBOOK, SourceError

    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one that holds the assignments.")
    found = [folder] if (folder / NOTEBOOK).is_file() else sorted(path.parent for path in folder.glob(f"*/{NOTEBOOK}"))
    if not found:
        raise ValueError(f"{folder} holds no assignment: each is a folder with {NOTEBOOK} in it.")
    names = {path.resolve().name: path for path in found}
    for name in only or []:
        if name not in names:
            raise ValueError(
                f"There is no assignment {name!r} in {folder} (there: {', '.join(names)}): check the name."
            )
    console, failed = _console(), []
    for name in only or names:
        try:
            with _bar(console, {stage: f"{name}: {text}" for stage, text in STAGES.items()}) as progress:
                bundle = make(
                    names[name], out, workers=workers, with_mutants=not quick, with_engine=not quick, progress=progress
                )
        except (SourceError, GateError) as wrong:
            failed.append(name)
            console.print(f"[bold red]✗ {name}[/]: not built; an earlier bundle stays as it is")
            _show_gates(console, getattr(wrong, "gates", ()))
            for line in [] if isinstance(wrong, GateError) else str(wrong).splitlines():
                console.print(f"  {escape(line)}", soft_wrap=True)
            _show_mutants(console, getattr(wrong, "alive", ()))
            continue
        _show_built(console, name, bundle)
    if failed:
        console.print(f"Not built: {', '.join(failed)}. Correct what is named above and build again.")
    return 2 if failed else 0


def _show_gates(console, gates):
    from rich.markup import escape

    for gate in gates:
        console.print(
            f"  {'[green]✓[/]' if gate.ok else '[red]✗[/]'} {gate.name}" + (f": {gate.detail}" if gate.detail else ""),
            soft_wrap=True,
        )
        for failure in gate.failures:
            console.print(f"      {escape(failure)}", soft_wrap=True)


def _show_mutants(console, alive):
    from rich.syntax import Syntax

    for mutant in alive:
        console.print(f"  [yellow]nobody noticed[/] {mutant.id}")
        console.print(Syntax(mutant.diff, "diff", background_color="default"))


def _show_built(console, name, bundle):
    import json

    from seqlab.grading.build import Gate
    from seqlab.grading.mutants import Mutant

    report = json.loads((bundle / "instructor" / "gates.json").read_text(encoding="utf-8"))
    console.print(f"[bold green]✓ {name}[/]: built in {bundle}", soft_wrap=True)
    _show_gates(console, [Gate(gate["name"], gate["detail"]) for gate in report["gates"]])
    if report["mutants"] is None:
        console.print("  [yellow]built with --quick: some gates were left out[/]")
    else:
        _show_mutants(console, [Mutant(**mutant) for mutant in report["mutants"]["alive"]])


# ------------------------------------------------------------------------------------------------- students


def _sources(notebook):
    from seqlab.notebooks import text_of

    return [(cell.get("cell_type"), text_of(cell).strip()) for cell in notebook["cells"]]


def _edited(folder, name):
    """Whether the notebook in a folder is another than the one that was released there."""
    from seqlab.grading.build import release_notebook
    from seqlab.grading.model import Assignment
    from seqlab.grading.source import load_notebook

    try:
        there = load_notebook(folder / f"{name}.ipynb")
        given = release_notebook(Assignment.load(folder / "release.json"))
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return _sources(there) != _sources(given)


def release(
    name: Annotated[str, typer.Argument(help="The assignment, such as 01_recurrent_step_by_step.")],
    to: Annotated[Path, typer.Option(help="The folder to put it in.")],
    bundles: Bundles = BUNDLES,
    force: Annotated[bool, typer.Option(help="Replace edited work; a copy of it is kept.")] = False,
):
    """Take an assignment home: copy its notebook and what belongs to it."""
    from seqlab.grading.model import Assignment

    bundle = _bundle(name, bundles)
    name = bundle.resolve().name
    target = to / f"{name}.ipynb"
    if to.exists() and not to.is_dir():
        raise ValueError(f"{to} is a file: give a folder.")
    if (to / "release.json").is_file():
        other = name
        with contextlib.suppress(ValueError, KeyError, TypeError):
            other = Assignment.load(to / "release.json").name
        if other != name:
            raise ValueError(
                f"{to} holds the assignment {other} already: give each assignment a folder of its own."
            ) from None
    console, kept = _console(), None
    if target.exists() and _edited(to, name):
        if not force:
            raise ValueError(
                f"{target} holds work of yours: choose another folder, or use --force, which keeps a copy."
            )
        number = 1
        while (kept := to / f"{name}.backup-{number}.ipynb").exists():
            number += 1
        shutil.copy2(target, kept)
    to.mkdir(parents=True, exist_ok=True)
    shutil.copytree(bundle / "release", to, dirs_exist_ok=True)
    if kept:
        console.print(f"Your earlier work is kept as {kept}.")
    console.print(f"{target} is ready: write your answers, then run `seqlab check {target}`.", soft_wrap=True)


def _beside(notebook):
    """The reduced assignment and the expected values that lie beside a student's notebook."""
    import json

    from seqlab.grading.model import Assignment

    found = []
    for name in ("release.json", "expected.json"):
        path = notebook.parent / name
        if not path.is_file():
            raise ValueError(f"{path} is missing: it came with the assignment; keep it beside your notebook.")
        try:
            text = path.read_text(encoding="utf-8")
            found.append(Assignment.loads(text) if name == "release.json" else json.loads(text))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path} is damaged: copy it again with `seqlab release`.") from None
    return found


def _submission(path):
    """The bytes of a notebook file, or a sentence."""
    if not path.exists():
        raise ValueError(f"There is no file {path}: check the name.")
    if not path.is_file():
        raise ValueError(f"{path} is no file: give a notebook (.ipynb).")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 20} MB: clear its outputs and save it.")
    return path.read_bytes()


def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook, beside the files that came with it.")],
    trusted: Annotated[bool, typer.Option(help="Run without the sandbox even where there is one.")] = False,
):
    """See what passes: run the visible checks on your notebook."""
    from seqlab.grading.intake import extract
    from seqlab.grading.run import grade
    from seqlab.grading.sandbox import available

    content = _submission(notebook)
    assignment, expected = _beside(notebook)
    try:
        answers, _ = extract(content, assignment)
    except ValueError as wrong:
        raise ValueError(f"{notebook} cannot be checked: {wrong}.") from None
    if not answers:
        raise ValueError(
            f"{notebook} holds no answer to {assignment.name}: give the notebook that came beside its files."
        )
    console, trusted = _console(), trusted or not available()
    with console.status("Running your answers ..."):
        record = grade(content, assignment, trusted=trusted, only_visible=True, expected=expected)
    closed = sorted({module for answer in assignment.answers for module in answer.closed})
    if trusted and closed:
        console.print(f"Closed books are not enforced here; the grader hides {', '.join(closed)}.", soft_wrap=True)
    return _show_check(console, assignment, record)


def _show_check(console, assignment, record):
    """Print a student's checks, question by question; status 1 where one does not pass."""
    from rich.markup import escape

    from seqlab.grading.model import State

    for problem in record.problems:
        console.print(f"[yellow]Note:[/] {escape(problem)}", soft_wrap=True)
    results = {one.id: one for one in record.checks}
    hidden = [one for one in assignment.checks if one.id not in results]
    console.print(f"[italic]{escape(assignment.title)}[/]")
    for answer in assignment.answers:
        console.print(f"\n[bold]{escape(answer.title)}[/]")
        said = ""
        for one in assignment.checks:
            if one.answer == answer.id:
                said = _show_result(console, one, results.get(one.id), said)
    more = f" Hidden checks decide on {sum(one.points for one in hidden):g} more." if hidden else ""
    console.print(f"\n{record.score:g} of {record.points:g} visible points.{more}")
    titles = {answer.id: answer.title for answer in assignment.answers}
    for name, text in record.shown.items():
        console.print(f"\n[bold]{escape(titles[name])}[/] printed or raised:\n{escape(text.rstrip())}")
    return 0 if all(one.state is State.PASSED for one in record.checks) else 1


def _show_result(console, one, result, said):
    """One check on a line, and under it what differs unless it was just said; a hidden check has no result."""
    from rich.markup import escape
    from rich.padding import Padding

    from seqlab.grading.model import State

    if result is None:
        color, state, points, told = "dim", "  hidden", f"? / {one.points:g}", ""
    else:
        color = {State.PASSED: "green", State.NOT_RUN: "yellow"}.get(result.state, "red")
        mark = {State.PASSED: "✓", State.NOT_RUN: "–"}.get(result.state, "✗")
        state, points = f"{mark} {result.state}", f"{result.earned:g} / {one.points:g}"
        told = "" if result.state is State.PASSED else result.message
    console.print(f"  [{color}]{state:10}[/] {points:>7}  {escape(one.title)}", soft_wrap=True)
    if told and told != said:
        console.print(Padding(escape(told), (0, 0, 0, 23)))
    return told


# ---------------------------------------------------------------------------------------------- instructors


def collect(folder, name):
    """The submissions in a folder: `<student>.ipynb`, or `<student>/<name>.ipynb`.

    Returns
    -------
    found : list of (student, bytes or None, sentence); without bytes the sentence says why.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        student, chosen, why = path.name, path, ""
        if path.is_dir() and not path.is_symlink():
            inside = sorted(p for p in path.glob("*.ipynb") if not p.name.startswith("."))
            named = [p for p in inside if p.name == f"{name}.ipynb"]
            if len(named or inside) != 1:
                count = "no notebook" if not inside else f"{len(inside)} notebooks"
                found.append((student, None, f"The folder holds {count}, and none is named {name}.ipynb."))
                continue
            chosen = (named or inside)[0]
        elif path.suffix == ".ipynb":
            student = path.stem
        else:
            continue
        content = None
        try:
            if chosen.is_symlink() or not chosen.is_file():
                why = f"{chosen.name} is no plain file (a link or a device)."
            elif chosen.stat().st_size > LARGEST:
                why = f"{chosen.name} is larger than {LARGEST >> 20} MB."
            else:
                content = chosen.read_bytes()
        except OSError as wrong:
            why = f"{chosen.name} cannot be read ({wrong.strerror})."
        found.append((student, content, why))
    return found


def refusal(assignment, student, why):
    """The record of a submission that could not even be read: a person must look; never a silent zero."""
    import hashlib

    from seqlab.grading.model import CheckResult, Outcome, Record, State

    checks = [CheckResult(one.id, one.answer, State.NOT_RUN, 0.0, one.points) for one in assignment.checks]
    name = hashlib.sha256(f"unreadable:{student}:{why}".encode("utf-8", "surrogateescape")).hexdigest()
    return Record(assignment.name, name, 0, Outcome.REFUSED, checks, [why])


def grade_class(found, assignment, ledger, *, workers, trusted, progress):
    """Grade submissions into a ledger; what is there already is not run again.

    Parameters
    ----------
    found : list of (student, bytes or None, sentence), as `collect` gives it.
    ledger : seqlab.grading.ledger.Ledger.

    Returns
    -------
    fresh : how many were run now.
    """
    import hashlib
    import json

    from seqlab.grading.build import environment, grader_version
    from seqlab.grading.ledger import Key, hash_text
    from seqlab.grading.run import grade_many

    key = Key(
        ledger.note_assignment(assignment),
        grader_version(),
        hash_text(json.dumps([environment(), bool(trusted)], sort_keys=True)),
    )
    people, todo = [], {}
    for student, content, why in found:
        if content is None:
            record = refusal(assignment, student, why)
            ledger.add(record, key)
            people.append((student, record.submission))
            continue
        name = hashlib.sha256(content).hexdigest()
        people.append((student, name))
        if ledger.find(name, key) is None:
            todo[name] = content
    ledger.note_submissions(assignment.name, people)
    done = len({name for _, name in people}) - len(todo)
    total = done + len(todo)
    progress("grade", done, total)

    def keep(_, record):
        nonlocal done
        ledger.add(record, key)
        done += 1
        progress("grade", done, total)

    grade_many(list(todo.items()), assignment, workers=workers, trusted=trusted, on_result=keep)
    return len(todo)


def grade(
    folder: Annotated[Path, typer.Argument(help="One notebook per student: NAME.ipynb, or NAME/ASSIGNMENT.ipynb.")],
    assignment: Annotated[str, typer.Option(help="The assignment's name, or its bundle's folder.")],
    workers: Workers = 2,
    trusted: Annotated[
        bool, typer.Option(help="Run without the sandbox: only for work you would run yourself.")
    ] = False,
    ledger: LedgerFile = LEDGER,
    bundles: Bundles = BUNDLES,
):
    """Grade a class. Stopped at any moment, the same command goes on where it was."""
    from seqlab.grading.build import load_bundle
    from seqlab.grading.ledger import Ledger

    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one that holds a notebook per student.")
    loaded = load_bundle(_bundle(assignment, bundles))
    found = collect(folder, loaded.name)
    if not found:
        raise ValueError(f"{folder} holds no notebooks: it needs one per student, NAME.ipynb.")
    if not trusted:
        _need_sandbox()
    console = _console()
    with Ledger(ledger) as book:
        with _bar(console, {"grade": f"grading {loaded.name}"}) as progress:
            fresh = grade_class(found, loaded, book, workers=workers, trusted=trusted, progress=progress)
        standings = book.standings(loaded.name)
    _show_class(console, standings, loaded, fresh)
    console.print(f"Kept in {ledger}. Now: `seqlab report --ledger {ledger} --to reports`.", soft_wrap=True)


def _need_sandbox():
    from seqlab.grading.sandbox import why_not

    if why_not():
        raise ValueError(f"Nothing was graded: {why_not()}.")


def _show_class(console, standings, assignment, fresh):
    from rich.markup import escape
    from rich.table import Table

    from seqlab.grading.exports import plain

    scores = [one.score for one in standings]
    waiting = [one for one in standings if one.needs_attention]
    mean = f"{sum(scores) / len(scores):.3g} of {assignment.points:g} points on average" if scores else "nobody yet"
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


def _open_ledger(path, assignment):
    """The ledger, and the names of the assignments asked for."""
    from seqlab.grading.ledger import Ledger

    book = Ledger(path, must_exist=True)
    known = book.assignments()
    if assignment and assignment not in known:
        book.close()
        raise ValueError(f"The ledger {path} has no assignment {assignment!r} (there: {', '.join(known) or 'none'}).")
    return book, [assignment] if assignment else known


def write_reports(book, names, to, form="all"):
    """Write the reports of some assignments; give the paths of the main files."""
    from seqlab.grading import exports, feedback

    faces, classes, written = [book.face(name) for name in names], [book.standings(name) for name in names], []
    for name, face, standings in zip(names, faces, classes, strict=True):
        if form in ("all", "csv"):
            written.append(to / name / "scores.csv")
            write(written[-1], exports.to_csv(face, standings))
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
            write(written[-1], feedback.class_page(face, standings))
    if form in ("all", "canvas"):
        written.append(to / "canvas.csv")
        write(written[-1], exports.to_canvas(faces, classes))
    return written


def report(
    to: Annotated[Path, typer.Option(help="The folder to write to.")],
    ledger: LedgerFile = LEDGER,
    assignment: Annotated[str | None, typer.Option(help="This assignment alone.")] = None,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "all",
):
    """Write scores for a gradebook, a page for each student, and a report on the class."""
    if form not in FORMATS:
        raise ValueError(f"{form!r} is no format: use one of {', '.join(FORMATS)}.")
    if to.exists() and not to.is_dir():
        raise ValueError(f"{to} is a file: give a folder.")
    book, names = _open_ledger(ledger, assignment)
    with book:
        if not names:
            raise ValueError(f"The ledger {ledger} holds no submissions yet: run `seqlab grade` first.")
        written = write_reports(book, names, to, form)
    for path in written:
        _console().print(str(path), soft_wrap=True)


def adjust(
    student: Annotated[str, typer.Argument(help="The student's name as in the report.")],
    assignment: Annotated[str, typer.Option(help="The assignment's name.")],
    reason: Annotated[str, typer.Option(help="Why, in a few words; the student reads it.")],
    add: Annotated[float | None, typer.Option(help="Points to add (or take away).")] = None,
    override: Annotated[float | None, typer.Option(help="The score to set.")] = None,
    late: Annotated[float | None, typer.Option(help="Late penalty in percent.")] = None,
    check: Annotated[str, typer.Option(help="The check concerned; without it, the whole.")] = "",
    ledger: LedgerFile = LEDGER,
):
    """Add points by hand, set a score, or enter a late penalty."""
    given = {
        kind: amount for kind, amount in (("manual", add), ("override", override), ("late", late)) if amount is not None
    }
    if len(given) != 1:
        raise ValueError("Give exactly one of --add, --override and --late.")
    book, _ = _open_ledger(ledger, assignment)
    with book:
        (kind, amount), *_ = given.items()
        book.adjust(assignment, student, kind, amount, reason, check)
        now = next(one for one in book.standings(assignment) if one.student == student)
    _console().print(f"{student} now has {now.score:g} of {now.points:g} points in {assignment}.", markup=False)


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
        _need_sandbox()
    console = _console()
    with _bar(console, {}) as progress:
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


# ------------------------------------------------------------------------------------------------- machine


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
    console = _console()
    console.print(table)
    console.print("Everything is there." if not lacking else f"{lacking} lacking; the lines with ✗ say what to do.")
    return 0
