"""A bundle for the tests of what leaves the house: written as `build` writes it, without passing its gates again."""

import json

from seqlab import notebooks
from seqlab.grading import reference
from seqlab.grading.releasing import reduced, release_notebook
from seqlab.grading.source import read_source
from tests.grading import course


def bundle(place, cells=None):
    """The tiny assignment's bundle below a folder."""
    assignment = read_source(course.folder(place, cells))
    made = place / "built" / assignment.name
    visible = [check.id for check in assignment.checks if check.visible]
    gates = {"assignment": assignment.name, "source": "", "gates": [], "mutants": None}
    for name, text in {
        f"release/{assignment.name}.ipynb": notebooks.dumps(release_notebook(assignment)),
        "release/release.json": reduced(assignment).dumps(),
        "release/expected.json": json.dumps(reference.expected(assignment, 0, visible)),
        "instructor/assignment.json": assignment.dumps(),
        "instructor/gates.json": json.dumps(gates),
    }.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return made
