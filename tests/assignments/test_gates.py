"""The assignments are built for real: every gate, the stored outputs, the release in a student's hands."""

import itertools
import json
import os
import subprocess
import sys

import pytest

from seqlab import cli
from seqlab.grading import build as builds
from seqlab.grading.model import Assignment, Outcome
from seqlab.grading.run import grade
from seqlab.grading.source import read_source, read_variants
from seqlab.notebooks import text_of
from tests.assignments.conftest import FOLDER, NAMES

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]
FIRST, SECOND = "01_recurrent_step_by_step", "02_backpropagation_through_time"


@pytest.mark.parametrize("name", NAMES)
def test_every_gate_is_passed(bundles, name):
    gates = json.loads((bundles(name) / "instructor" / "gates.json").read_text())["gates"]
    assert len(gates) == 9
    assert [gate["name"] for gate in gates if not gate["ok"]] == []


@pytest.mark.parametrize("name", NAMES)
def test_nbval_finds_the_stored_outputs_again(bundles, name, tmp_path):
    notebook = bundles(name) / "instructor" / "canonical.ipynb"
    command = [sys.executable, "-m", "pytest", "-p", "nbval", "--nbval", "-p", "no:cacheprovider", str(notebook)]
    options = {"cwd": tmp_path, "env": os.environ | {"SEQLAB_SEED": "0"}, "capture_output": True, "text": True}
    done = subprocess.run([*command, "-c", os.devnull, "--rootdir", str(notebook.parent)], **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    cells = json.loads(notebook.read_text())["cells"]
    assert f"{sum(cell['cell_type'] == 'code' for cell in cells)} passed" in done.stdout


def take_home(bundles, name, folder, capsys, monkeypatch):
    """What `seqlab release` gives, and its notebook."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(folder)
    assert cli.main(["release", name, "--to", str(folder), "--bundles", str(bundles(name).parent)]) == 0
    capsys.readouterr()
    return folder / f"{name}.ipynb"


def write(path, name, *wrong):
    """Fill in the solutions, and a declared wrong answer where one is named."""
    assignment = read_source(FOLDER / name)
    variants = {one.name: one for one in read_variants(FOLDER / name, assignment).wrong}
    sources = {answer.id: answer.solution for answer in assignment.answers}
    sources |= {variants[one].answer: variants[one].source for one in wrong}
    path.write_bytes(builds.filled(json.loads(path.read_text()), sources))


def told(said, title):
    """What `seqlab check` says of one check: its own line, then all that stands below it, as one line."""
    lines = said.splitlines()
    place = next(number for number, line in enumerate(lines) if title in line)
    below = itertools.takewhile(lambda line: line.startswith(" " * 6), lines[place + 1 :])
    return f"{lines[place]}\n{' '.join(line.strip() for line in below)}"


@pytest.mark.parametrize("name", [FIRST])
def test_a_student_who_has_written_nothing_is_told_what_to_write(bundles, name, tmp_path, capsys, monkeypatch):
    path = take_home(bundles, name, tmp_path, capsys, monkeypatch)
    cli.main(["check", str(path)])
    said = capsys.readouterr().out
    assert said.count("the answer is still empty") == 9  # once for each question
    assert "0 of 24 visible points" in said


@pytest.mark.parametrize("name", NAMES)
def test_a_half_finished_notebook_is_graded_and_needs_no_person(bundles, name):
    assignment = Assignment.load(bundles(name) / "instructor")
    release = json.loads((bundles(name) / "release" / f"{name}.ipynb").read_text())
    done = [answer.id for answer in assignment.answers[:2]]
    solutions = {answer.id: answer.solution for answer in assignment.answers if answer.id in done}
    record = grade(builds.filled(release, solutions), assignment)
    assert record.problems == []
    assert record.outcome == Outcome.GRADED
    assert {check.id: check.earned for check in record.checks} == {
        check.id: check.points if check.answer in done else 0 for check in assignment.checks
    }


@pytest.mark.parametrize("name", [FIRST])
def test_a_student_who_forgot_a_bias_is_told_so(bundles, name, tmp_path, capsys, monkeypatch):
    path = take_home(bundles, name, tmp_path, capsys, monkeypatch)
    write(path, name, "second bias forgotten")
    cli.main(["check", str(path)])
    said = capsys.readouterr().out
    verdict = told(said, "the two biases alone")
    assert "failed" in verdict.splitlines()[0]
    assert "8 of 8 elements are off" in verdict
    assert "This looks like: second bias forgotten." in verdict
    assert "Both biases are added, each once, inside the nonlinearity." in verdict
    for fine in ("the input alone", "the state alone"):
        assert "passed" in next(line for line in said.splitlines() if fine in line)
    assert "8 of 9 questions pass here" in said
    assert "23 of 24 visible points" in said


@pytest.mark.parametrize("name", [SECOND])
def test_a_student_who_lost_the_gradient_on_the_way_back_is_told_so(bundles, name, tmp_path, capsys, monkeypatch):
    path = take_home(bundles, name, tmp_path, capsys, monkeypatch)
    write(path, name, "gradient not passed to the step before")
    cli.main(["check", str(path)])
    said = capsys.readouterr().out
    verdict = told(said, "every step with a loss")
    assert "failed" in verdict.splitlines()[0]
    assert "This looks like: gradient not passed to the step before." in verdict
    assert "Which of the two gradients is missing?" in verdict
    others = [line for line in said.splitlines() if "passed " in line and "/" in line]
    assert others  # the question's other checks are not touched by it
    assert "20 of 22 visible points" in said


@pytest.mark.parametrize("name", [FIRST])
def test_the_check_cells_answer_in_the_student_s_own_notebook(bundles, name, tmp_path, capsys, monkeypatch):
    path = take_home(bundles, name, tmp_path, capsys, monkeypatch)
    write(path, name, "reshape for transpose")
    notebook = builds.execute(json.loads(path.read_text()), tmp_path)
    shown = {
        cell["id"]: "\n".join(
            text_of({"source": output["data"]["text/plain"]})
            for output in cell.get("outputs", [])
            if output["output_type"] == "display_data"
        )
        for cell in notebook["cells"]
    }
    assert shown["one-hot-values"] == "\N{CHECK MARK} one-hot vectors: as expected"
    assert shown["one-hot-notes"].startswith("\N{BALLOT X} the notes' layout: ")
    assert "`reshape` gives the right shape and moves the entries to wrong places." in shown["one-hot-notes"]
    assert "hello" in json.dumps(notebook["cells"][-3]["outputs"])
    assert "This looks like: reshape for transpose." in json.dumps(notebook["cells"][-1]["outputs"])  # the check cell
