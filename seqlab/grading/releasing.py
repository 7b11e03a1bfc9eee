"""What leaves the house: the notebook that students get, the canonical notebook, the reduced assignment."""

from dataclasses import replace

from seqlab import notebooks
from seqlab.grading.intake import written_stub


def _cell(name, kind, source, meta=None):
    cell = {"id": name, "cell_type": kind, "metadata": {"seqlab": meta} if meta else {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _notebook(assignment, cells):
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "seqlab": {"assignment": assignment.name, "title": assignment.title}
            | ({"made_for": assignment.made_for} if assignment.made_for else {}),
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _for_nbgrader(cells, assignment):
    """Tell nbgrader what each cell is, in version 3 of its metadata; it fills in checksums when it takes the release.

    An answer is a solution that gets no points of its own, a check a locked cell with points, a written answer a
    solution with points that a person gives. Of a hidden check the release has a sentence: nbgrader calls such a cell
    a task and counts its points too. Text and provided cells are locked; what students may play with is not.
    """
    roles = {cell.id: cell.role for cell in assignment.cells}
    points = {one.id: one.points for one in (*assignment.checks, *assignment.manuals)}
    for cell in cells:
        text = cell["cell_type"] == "markdown"
        role = roles.get(cell["id"], "text" if text else "demo")
        task = role == "check" and text
        known = {"schema_version": 3, "grade_id": cell["id"], "cell_type": cell["cell_type"], "task": task}
        known |= {"grade": cell["id"] in points and not task, "solution": role in ("answer", "manual")}
        known["locked"] = role in ("text", "provided", "check")
        if cell["id"] in points:
            known["points"] = points[cell["id"]]
        cell["metadata"]["nbgrader"] = known
    return cells


def _points(number):
    return f"{number:g} point{'' if number == 1 else 's'}"


def _names(modules):
    return ", ".join(f"`{module}`" for module in modules)


def release_notebook(assignment):
    """The notebook that students get: stubs for solutions, no hidden text, notes on points and closed books."""
    answers = {answer.id: answer for answer in assignment.answers}
    checks = {check.id: check for check in assignment.checks}
    cells = []
    for cell in assignment.cells:
        if cell.role == "answer":
            answer = answers[cell.id]
            if answer.closed:
                note = (
                    f"**Closed book.** *{answer.title}* is yours to write: it may not use {_names(answer.closed)}. "
                    "The grader hides them while it runs this answer."
                )
                cells.append(_cell(f"{answer.id}-closed-book", "markdown", note))
            cells.append(_cell(answer.id, "code", answer.stub, {"role": "answer", "id": answer.id}))
        elif cell.role == "check":
            check = checks[cell.id]
            meta = {"role": "check", "id": check.id}
            if check.released.strip():
                more = "" if check.visible else "; the grader checks more than this"
                heading = f"# check: {check.id}\n# {check.title} ({_points(check.points)}{more})"
                cells.append(_cell(check.id, "code", f"{heading}\n{check.released}", meta))
            else:
                note = f"**Hidden check.** {check.title} ({_points(check.points)}): the grader runs it on other inputs."
                cells.append(_cell(check.id, "markdown", note))
        elif cell.role == "manual":
            cells += _written_question(next(one for one in assignment.manuals if one.id == cell.id), cell.source)
        else:
            cells.append(_cell(cell.id, "markdown" if cell.role == "text" else "code", cell.source))
    return _notebook(assignment, _for_nbgrader(cells + _check_your_work(assignment), assignment))


def _written_question(manual, question):
    """A question that is answered in writing, what its rubric asks for, and the cell to write in."""
    note = f"**A person reads this** ({_points(manual.points)})."
    if not manual.rubric_hidden:
        note += " What earns points:\n\n" + "\n".join(
            f"- {item.text} ({_points(item.points)})" for item in manual.rubric
        )
    asked = _cell(f"{manual.id}-question", "markdown", f"{question.rstrip()}\n\n{note}")
    meta = {"role": "manual", "id": manual.id}
    return [asked, _cell(manual.id, "markdown", written_stub(manual.id), meta)]


def _check_your_work(assignment):
    """The notebook's last cells: every public check at once, on the answers as their cells were last run."""
    note = (
        "## Check your work\n\n"
        "This runs every visible check on your answers, as their cells were last run, with the grader's own engine. "
        "It tells what differs and often why. Your marks also count the hidden checks."
    )
    code = (
        "from seqlab.grading.student import check\n\n"
        f'check()  # one question alone is quicker: check("{assignment.answers[0].id}")'
    )
    return [_cell("check-your-work-text", "markdown", note), _cell("check-your-work", "code", code)]


def canonical_notebook(assignment):
    """The notebook with solutions and whole checks, without outputs."""
    kinds = {"text": "markdown", "manual": "markdown"}
    return _notebook(
        assignment,
        [
            _cell(
                cell.id, kinds.get(cell.role, "code"), cell.source, None if cell.role == "text" else {"role": cell.role}
            )
            for cell in assignment.cells
        ],
    )


def filled(release, answers):
    """A release notebook whose answer cells hold these sources (dict of answer id -> source): bytes of a submission."""
    cells = [dict(cell, source=answers.get(cell["id"], cell["source"])) for cell in release["cells"]]
    return notebooks.dumps(release | {"cells": cells}).encode()


def reduced(assignment):
    """The assignment as a student may have it: no solutions, nothing of hidden checks but title and points."""
    stubs = {answer.id: answer.stub for answer in assignment.answers}
    released = {check.id: check.released for check in assignment.checks}
    return replace(
        assignment,
        cells=tuple(
            replace(cell, source=stubs.get(cell.id, released.get(cell.id, cell.source))) for cell in assignment.cells
        ),
        answers=tuple(replace(answer, solution="") for answer in assignment.answers),
        mistakes=(),  # mistakes.json tells their names, without a source
        checks=tuple(check if check.visible else replace(check, source="", hint="") for check in assignment.checks),
        manuals=tuple(replace(one, rubric=()) if one.rubric_hidden else one for one in assignment.manuals),
    )
