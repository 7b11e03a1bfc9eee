"""`seqlab release` and `seqlab check`: what students run."""

import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.commands import BUNDLES, Bundles, bar, bundle_of, submission_bytes, terminal

POLL_SECONDS = 0.5  # between two looks at a notebook that is watched


def _sources(notebook):
    from seqlab.notebooks import text_of

    return [(cell.get("cell_type"), text_of(cell).strip()) for cell in notebook["cells"]]


def _edited(folder, name):
    """Whether the notebook in a folder is another than the one that was released there."""
    from seqlab.grading.model import Assignment
    from seqlab.grading.releasing import release_notebook
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


Question = Annotated[str | None, typer.Option(help="Check one question alone: its id, its title or its number.")]


def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook, beside the files that came with it.")],
    question: Question = None,
    watch: Annotated[bool, typer.Option(help="Check again whenever the notebook is saved; end with Ctrl-C.")] = False,
    trusted: Annotated[bool, typer.Option(help="Run without the sandbox even where there is one.")] = False,
):
    """See what passes: run the visible checks on your notebook, as it was last saved."""
    console = terminal()
    console.file = sys.stdout  # not what stands in its place while the answers run: it shows that they do
    if not watch:
        return _check(console, notebook, submission_bytes(notebook), question, trusted)
    return _watch(console, notebook, question, trusted)


def _check(console, notebook, content, question, trusted):
    """Check once; status 1 where something does not pass."""
    from rich.text import Text

    from seqlab.grading import student
    from seqlab.grading.intake import NotANotebook

    with console.status("Running your answers ..."):
        try:
            report = student.run(content, notebook.parent, question, trusted)
        except NotANotebook as wrong:
            raise ValueError(f"{notebook} cannot be checked: {wrong}.") from None
        except student.NoAnswers as wrong:
            raise ValueError(f"{notebook} {wrong}.") from None
    for text, color in student.told(report):
        console.print(Text(text, color), soft_wrap=True)
    return 0 if report.passed else 1


def _watch(console, notebook, question, trusted):
    """Check whenever the notebook is saved, until Ctrl-C: then give the last status."""
    import hashlib

    last, status = None, 0
    submission_bytes(notebook)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            with contextlib.suppress(ValueError, OSError):  # an editor replaces a file in two steps
                content = submission_bytes(notebook)
                mark = hashlib.sha256(content).digest()
                if mark != last:
                    last = mark
                    console.clear()
                    status = _check_on(console, notebook, content, question, trusted)
                    console.print(
                        f"\n{time.strftime('%H:%M:%S')}: waiting until you save {notebook.name}; end with Ctrl-C."
                    )
            time.sleep(POLL_SECONDS)
    return status


def _check_on(console, notebook, content, question, trusted):
    """Check once while watching: what is wrong with the file is told, and mended before the next time."""
    try:
        return _check(console, notebook, content, question, trusted)
    except ValueError as wrong:
        console.print(str(wrong), style="red", markup=False, soft_wrap=True)
        return 2
