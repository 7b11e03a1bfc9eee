"""nbgrader takes the release, hands it out, collects it and shows it; what it collected is graded here.

The schema is tested always. The round trip needs nbgrader in an environment of its own: SEQLAB_PEERS names its `bin`.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seqlab import cli, notebooks
from seqlab.grading.model import Assignment
from seqlab.grading.releasing import release_notebook
from seqlab.grading.source import read_source
from tests.grading import course, elsewhere, written

PEERS = os.environ.get("SEQLAB_PEERS", "")
FIELDS = {
    "schema_version": int, "grade_id": str, "cell_type": str, "grade": bool, "solution": bool, "locked": bool,
    "task": bool,
}  # fmt: skip
SOURCES = sorted(Path(__file__).resolve().parents[2].glob("assignments/*/assignment.ipynb"))
WRITTEN = {
    "double": "# answer: double\ndef double(x):\n    return x + x",
    "running": "# answer: running\ndef running(xs):\n    return np.array(xs)  # no sum",
    "why": "<!-- answer: why -->\n\nBecause doubling is linear.",
}
CONFIGURATION = """
c = get_config()
c.CourseDirectory.course_id = "sequences"
c.CourseDirectory.root = {root!r}
c.Exchange.root = {exchange!r}
c.Exchange.cache = {cache!r}
c.ClearSolutions.enabled = False  # the release holds no solutions to clear
"""
LOOK = """
import json, sys
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
root, name = sys.argv[1:]
config = Config()
config.CourseDirectory.root = root
config.CourseDirectory.course_id = "sequences"
api = NbGraderAPI(CourseDirectory(config=config), config=config)
[listed] = api.get_assignments()
[notebook] = api.get_notebooks(name)
[submission] = api.get_submissions(name)
with Gradebook(api.coursedir.db_url, "sequences") as gradebook:
    book = gradebook.find_notebook(name, name)
    handed = gradebook.find_submission_notebook(name, name, submission["student"])
    told = {
        "listed": listed, "notebook": notebook, "submission": submission,
        "checks": {one.name: one.max_score for one in book.grade_cells},
        "tasks": {one.name: one.max_score for one in book.task_cells},
        "answers": sorted(one.name for one in book.solution_cells),
        "locked": sorted(one.name for one in book.source_cells if one.locked),
        "grades": {one.name: [one.auto_score, one.needs_manual_grade] for one in handed.grades},
    }
print(json.dumps(told, default=str))
"""


def told(cell):
    return cell["metadata"]["nbgrader"]


def refuse(notebook):
    """Say what nbgrader would refuse, by the rules of version 3 of its metadata."""
    names = set()
    for cell in notebook["cells"]:
        known = told(cell)
        for field, kind in FIELDS.items():
            assert type(known.get(field)) is kind, (cell["id"], field)
        assert set(known) <= {*FIELDS, "points"}, "no checksum: nbgrader computes it when it takes the release"
        assert known["schema_version"] == 3
        assert known["cell_type"] == cell["cell_type"]
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", known["grade_id"])
        assert known["grade_id"] not in names
        names.add(known["grade_id"])
        assert ("points" in known) == (known["grade"] or known["task"])
        assert known.get("points", 0) >= 0
        if cell["cell_type"] == "markdown" and not known["task"]:
            assert known["grade"] == known["solution"]
        assert not known["task"] or cell["cell_type"] == "markdown"
        assert not (known["solution"] and known["locked"])


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parent.name)
def test_every_release_keeps_to_nbgraders_schema(source):
    assignment = read_source(source.parent)
    notebook = release_notebook(assignment)
    refuse(notebook)
    worth = sum(told(cell).get("points", 0) for cell in notebook["cells"])
    assert worth == assignment.points + sum(one.points for one in assignment.manuals)


def test_each_role_becomes_what_nbgrader_calls_it(tmp_path):
    cells = {cell["id"]: told(cell) for cell in release_notebook(read_source(course.folder(tmp_path)))["cells"]}

    def flags(name):
        return "".join(letter for letter, key in zip("gslt", ("grade", "solution", "locked", "task"), strict=True)
                       if cells[name][key])  # fmt: skip

    assert {name: flags(name) for name in ("title", "tools", "double", "double-values", "double-hidden")} == {
        "title": "l", "tools": "l", "double": "s", "double-values": "gl", "double-hidden": "lt",
    }  # fmt: skip
    assert cells["double-closed-book"]["locked"]
    assert cells["double-values"]["points"] == 2


def test_a_source_that_is_committed_says_nothing_of_nbgrader():
    for source in SOURCES:
        assert '"nbgrader"' not in source.read_text(encoding="utf-8")
    made = {"cells": [{"id": "a", "cell_type": "markdown", "metadata": {"nbgrader": {}}, "source": "x"}]}
    assert notebooks.normalise(made)["cells"][0]["metadata"] == {}


def test_under_nbgrader_a_value_that_differs_raises(bundle, monkeypatch, capsys):
    from seqlab.grading.emit import emit, inputs

    monkeypatch.chdir(bundle / "release")
    for beside in (True, False):
        for mode in ("autograde", "validate", ""):
            monkeypatch.setenv("NBGRADER_EXECUTION", mode)
            right = 2 * inputs("double-values").normal(size=3)
            inputs("double-values")
            with contextlib.nullcontext() if beside or not mode else pytest.raises(AssertionError, match="emitted"):
                emit(right)
            inputs("double-values")
            with pytest.raises(AssertionError) if mode else contextlib.nullcontext():
                emit(right + 1)
        monkeypatch.chdir(bundle)


def nbgrader(*arguments, here):
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1]), "HOME": str(here)}
    environment["PATH"] = f"{PEERS}:{environment['PATH']}"
    done = subprocess.run(
        [f"{PEERS}/nbgrader", *arguments], cwd=here, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def python(code, *arguments):
    environment = os.environ | {"PATH": f"{PEERS}:{os.environ['PATH']}"}
    command = [f"{PEERS}/python", "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A built assignment with a written question."""
    return elsewhere.bundle(tmp_path_factory.mktemp("nbgrader"), [*course.CELLS, written.cell()])


needs_peers = pytest.mark.skipif(not PEERS, reason="SEQLAB_PEERS names no environment with nbgrader")


@needs_peers
@pytest.mark.slow
def test_nbgraders_own_validator_accepts_every_release(bundle, tmp_path):
    for source in SOURCES:
        text = notebooks.dumps(release_notebook(read_source(source.parent)))
        (tmp_path / f"{source.parent.name}.ipynb").write_text(text, encoding="utf-8")
    code = "import sys\nfrom nbgrader.nbgraderformat import read\nfor path in sys.argv[1:]: read(path, 4)"
    assert python(code, *map(str, tmp_path.glob("*.ipynb"))) == ""


@needs_peers
@pytest.mark.slow
@pytest.mark.sandbox
def test_released_fetched_submitted_and_collected_by_nbgrader_then_graded_here(bundle, tmp_path, capsys):
    teacher, student, exchange = (tmp_path / name for name in ("teacher", "student", "exchange"))
    for folder in (teacher, student, exchange):
        folder.mkdir()
    exchange.chmod(0o777)
    for folder in (teacher, student):
        text = CONFIGURATION.format(root=str(folder), exchange=str(exchange), cache=str(folder / "cache"))
        (folder / "nbgrader_config.py").write_text(text)
    shutil.copytree(bundle / "release", teacher / "source" / course.NAME)
    nbgrader("generate_assignment", course.NAME, here=teacher)
    nbgrader("release_assignment", course.NAME, here=teacher)

    nbgrader("fetch_assignment", course.NAME, here=student)
    mine = student / course.NAME / f"{course.NAME}.ipynb"
    assert (mine.parent / "expected.json").is_file()
    assert Assignment.load(mine.parent / "release.json").name == course.NAME
    fetched = json.loads(mine.read_text(encoding="utf-8"))
    untouched = {cell["id"]: notebooks.text_of(cell) for cell in fetched["cells"]}
    assert untouched["double"].startswith("# answer: double\n")
    for cell in fetched["cells"]:
        cell["source"] = WRITTEN.get(cell["id"], cell["source"])
    mine.write_text(json.dumps(fetched), encoding="utf-8")
    nbgrader("submit", course.NAME, here=student)

    nbgrader("collect", course.NAME, here=teacher)
    [collected] = (teacher / "submitted").glob(f"*/{course.NAME}/{course.NAME}.ipynb")
    ledger = tmp_path / "grades.sqlite"
    arguments = ["grade", teacher / "submitted", "--assignment", bundle, "--ledger", ledger]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert "1 submission of 00_tiny_source: 1 graded now" in capsys.readouterr().out
    from seqlab.grading.ledger import Ledger

    with Ledger(ledger) as book:
        [standing] = book.standings(course.NAME)
    assert standing.student == collected.parts[-3]
    assert (standing.score, standing.points, standing.pending) == (5, 11, ("why",))

    nbgrader("autograde", course.NAME, here=teacher)
    seen = json.loads(python(LOOK, str(teacher), course.NAME))
    assert seen["listed"]["max_score"] == seen["notebook"]["max_score"] == 11
    assert seen["checks"] == {"double-values": 2, "running-values": 2, "why": 4}
    assert seen["tasks"] == {"double-hidden": 3}
    assert seen["answers"] == ["double", "running", "why"]
    assert {"title", "tools", "double-values", "running-values"} <= set(seen["locked"])
    assert seen["submission"]["autograded"]
    assert seen["grades"]["double-values"] == [2, False]
    assert seen["grades"]["double-hidden"] == [None, True]
    assert seen["grades"]["running-values"] == [0, False]
    assert seen["grades"]["why"] == [None, True]
