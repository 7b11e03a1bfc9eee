"""`seqlab release` and `seqlab check`: what students run."""

import contextlib
import shutil
from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.commands import BUNDLES, Bundles, bar, bundle_of, submission_bytes, terminal


def _sources(notebook):
    from seqlab.notebooks import text_of

    return [(cell.get("cell_type"), text_of(cell).strip()) for cell in notebook["cells"]]


def _edited(folder, name):
    """Whether the notebook in a folder is another than the one that was released there."""
    from seqlab.grading.releasing import release_notebook
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
    student: Annotated[str, typer.Option(help="Whose copy: assignments may differ from student to student.")] = "",
    roster: Annotated[Path | None, typer.Option(help="A class list (CSV): a folder for each student.")] = None,
):
    """Take an assignment home: copy its notebook and what belongs to it."""
    from seqlab.grading.personal import folder_for, read_roster, releases

    bundle, console = bundle_of(name, bundles), terminal()
    if student and roster:
        raise ValueError("Give --student for one student or --roster for a class, not both.")
    if roster is None:
        with releases(bundle, [student]) as (files,):
            _take_home(bundle.resolve().name, files, to, force, console)
        return
    people = read_roster(roster)
    places = [to / folder_for(one) for one in people]  # all names are good, or nothing is written
    with bar(console, {"release": "releasing"}) as progress, releases(bundle, people, progress) as made:
        for place, files in zip(places, made, strict=True):
            _take_home(bundle.resolve().name, files, place, force, None)
    console.print(f"{to} holds a folder for each of {len(people)} students.", soft_wrap=True)


def _take_home(name, files, to, force, console):
    """Copy the files of a release to a folder; say so where there is a console."""
    from seqlab.grading.model import Assignment

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
    kept = None
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
    shutil.copytree(files, to, dirs_exist_ok=True)
    if console and kept:
        console.print(f"Your earlier work is kept as {kept}.")
    if console:
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


def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook, beside the files that came with it.")],
    trusted: Annotated[bool, typer.Option(help="Run without the sandbox even where there is one.")] = False,
):
    """See what passes: run the visible checks on your notebook."""
    from seqlab.grading.intake import extract
    from seqlab.grading.run import grade
    from seqlab.grading.sandbox import available

    content = submission_bytes(notebook)
    assignment, expected = _beside(notebook)
    try:
        answers, _ = extract(content, assignment)
    except ValueError as wrong:
        raise ValueError(f"{notebook} cannot be checked: {wrong}.") from None
    if not answers:
        raise ValueError(
            f"{notebook} holds no answer to {assignment.name}: give the notebook that came beside its files."
        )
    console, trusted = terminal(), trusted or not available()
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
