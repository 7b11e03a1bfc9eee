"""What leaves the house: the notebook that students get, the canonical notebook, the reduced assignment."""

from dataclasses import replace

from seqlab import notebooks


def _cell(name, kind, source, meta=None):
    cell = {"id": name, "cell_type": kind, "metadata": {"seqlab": meta} if meta else {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _notebook(assignment, cells):
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "seqlab": {"assignment": assignment.name, "title": assignment.title},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


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
        else:
            cells.append(_cell(cell.id, "markdown" if cell.role == "text" else "code", cell.source))
    return _notebook(assignment, cells)


def canonical_notebook(assignment):
    """The notebook with solutions and whole checks, without outputs."""
    kinds = {"text": "markdown"}
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
        checks=tuple(check if check.visible else replace(check, source="", hint="") for check in assignment.checks),
    )
