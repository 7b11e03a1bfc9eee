"""The command line does what it says, and every wrong use ends with one sentence and status 2."""

import errno
import json
import os
import re
import resource
import sqlite3
import subprocess
import sys

import pytest

from seqlab import cli
from seqlab.grading import build as builds
from seqlab.grading import commands, student_commands
from seqlab.grading.model import Outcome, State
from seqlab.grading.trial import Worker, attempt
from seqlab.notebooks import text_of
from tests.grading import course
from tests.grading.course import call

SOLVED = {"double": "def double(x):\n    return x + x", "running": "def running(xs):\n    return np.cumsum(xs)"}
HALF = SOLVED | {"double": "def double(x):\n    print('hello')\n    return x + 2"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with sources and a built bundle."""
    place = tmp_path_factory.mktemp("place")
    course.folder(place / "assignments")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "execute", lambda notebook, folder: notebook)
        builds.build(place / "assignments" / course.NAME, place / "_build" / "assignments", with_engine=False)
    return place


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    """A fresh current folder in which the bundle is found where the commands look for it."""
    (tmp_path / "_build").mkdir()
    (tmp_path / "_build" / "assignments").symlink_to(place / "_build" / "assignments")
    (tmp_path / "assignments").symlink_to(place / "assignments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def write_notebook(path, answers):
    release = json.loads((commands.BUNDLES / course.NAME / "release" / f"{course.NAME}.ipynb").read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(builds.filled(release, answers))


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


@pytest.fixture
def engine(monkeypatch, worker):
    """An engine for these tests: the build side's own trials in the place of nbval and the sandbox."""
    from seqlab.grading import run

    def grade_one(content, key, assignment):
        try:
            cells = json.loads(content)["cells"]
        except ValueError:
            return course.record(key, [State.NOT_RUN] * 3, Outcome.REFUSED, problems=["the file is no notebook"])
        answers = {answer.id: answer.stub for answer in assignment.answers}
        answers |= {cell["id"]: text_of(cell) for cell in cells if cell["id"] in answers}
        expected = attempt(worker, assignment, {}, assignment.checks, 1).values
        good, _ = builds.passed(assignment, expected, attempt(worker, assignment, answers, assignment.checks, 1))
        states = [State.PASSED if check.id in good else State.FAILED for check in assignment.checks]
        return course.record(key, states)

    def grade_many(items, assignment, workers, trusted, on_result):
        for key, content in items:
            on_result(key, grade_one(content, key, assignment))

    monkeypatch.setattr(run, "grade_many", grade_many)
    monkeypatch.grade_many = grade_many
    return monkeypatch


# --------------------------------------------------------------------------------------------------- help


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import sys\nfrom seqlab.cli import main\nmain(['--help'])\nprint(sorted(sys.modules), file=sys.stderr)"
    times = []
    for _ in range(3):
        before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])  # processor time: others' work does not count
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before)
    heavy = {"numpy", "torch", "triton", "matplotlib", "nbformat", "zmq", "pytest", "sqlite3", "IPython"}
    assert not heavy & set(re.findall(r"'(\w+)'", done.stderr))
    assert min(times) < 0.5


def test_help_names_every_command_in_its_group(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0
    for word in (
        "release",
        "check",
        "grade",
        "report",
        "adjust",
        "history",
        "regrade",
        "export",
        "mark",
        "deadline",
        "demo",
        "build",
        "bench",
        "doctor",
    ):
        assert re.search(rf"│ {word}\s", out), word
    for group in ("For students", "For instructors", "For authors", "For this machine"):
        assert group in out


@pytest.mark.parametrize("command", ["release", "check", "grade", "report", "adjust", "demo", "build", "doctor"])
def test_each_command_has_help(capsys, command):
    status, out, _ = call(capsys, command, "--help")
    assert status == 0
    assert f"seqlab {command}" in out


# ----------------------------------------------------------------------------------------------- wrong use

WRONG = {
    "no such command": (["tidy-up"], "No such command 'tidy-up'"),
    "no such option": (["build", "--olny", "x"], "No such option: --olny"),
    "a missing option": (["grade", "."], "Missing option '--assignment'"),
    "a number that is none": (["build", "--workers", "many"], "Invalid value for '--workers'"),
    "no workers": (["build", "--workers", "0"], "Invalid value for '--workers'"),
    "build nowhere": (["build", "nowhere"], "nowhere is no folder"),
    "build a folder without assignments": (["build", "empty"], "empty holds no assignment"),
    "build an unknown one": (
        ["build", "--only", "99_x"],
        "There is no assignment '99_x' in assignments (there: 00_tiny",
    ),
    "release an unknown one": (["release", "99_x", "--to", "h"], "There is no built assignment '99_x'"),
    "release into a file": (["release", course.NAME, "--to", "file.txt"], "file.txt is a file: give a folder"),
    "check nothing": (["check", "nothing.ipynb"], "There is no file nothing.ipynb"),
    "check a folder": (["check", "empty"], "empty is no file: give a notebook"),
    "check without what belongs to it": (["check", "alone/x.ipynb"], "release.json is missing"),
    "check a damaged release": (["check", "damaged/x.ipynb"], "release.json is damaged: copy it again"),
    "check a picture": (["check", "home/picture.ipynb"], "cannot be checked: the file is no notebook"),
    "check an unknown question": (
        ["check", "home/x.ipynb", "--question", "dubble"],
        "There is no question 'dubble': did you mean 'double'? The questions are double, running",
    ),
    "check another notebook": (["check", "home/other.ipynb"], "holds no answer to 00_tiny_source"),
    "grade nowhere": (["grade", "nowhere", "--assignment", course.NAME], "nowhere is no folder"),
    "grade an empty folder": (["grade", "empty", "--assignment", course.NAME], "empty holds no notebooks"),
    "grade what is not built": (["grade", "empty", "--assignment", "99_x"], "There is no built assignment '99_x'"),
    "report without a ledger": (["report", "--to", "r"], "grades.sqlite is no ledger"),
    "report from another file": (["report", "--to", "r", "--ledger", "file.txt"], "is no ledger (or a damaged one)"),
    "report in no format": (["report", "--to", "r", "--format", "pdf"], "'pdf' is no format"),
    "adjust without a ledger": (
        ["adjust", "ada", "--assignment", course.NAME, "--reason", "x", "--add", "1"],
        "grades.sqlite is no ledger",
    ),
    "adjust twice at once": (
        ["adjust", "ada", "--assignment", course.NAME, "--reason", "x", "--add", "1", "--late", "5"],
        "Give exactly one of --add, --override, --late and --withdraw",
    ),
    "a demo of nothing": (["demo", "--folder", "empty", "--trusted"], "empty holds no assignment"),
}


@pytest.mark.parametrize("use", WRONG)
def test_a_wrong_use_is_one_sentence_and_status_two(here, capsys, use):
    (here / "empty").mkdir()
    (here / "file.txt").write_text("text " * 2000)
    for folder in ("alone", "damaged", "home"):
        write_notebook(here / folder / "x.ipynb", SOLVED)
    (here / "damaged" / "release.json").write_text("{")
    for name in ("release.json", "expected.json", "mistakes.json"):
        (here / "home" / name).write_bytes((commands.BUNDLES / course.NAME / "release" / name).read_bytes())
    (here / "home" / "picture.ipynb").write_bytes(b"\x89PNG\r\n\x1a\n")
    (here / "home" / "other.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    arguments, said = WRONG[use]
    status, _, complaint = call(capsys, *arguments)
    assert status == 2, complaint
    assert said in complaint
    assert len(complaint.strip().splitlines()) == 1, complaint
    assert "Traceback" not in complaint


def test_a_bare_command_shows_the_help_and_fails(capsys):
    status, out, complaint = call(capsys)
    assert (status, complaint) == (2, "")
    assert "For students" in out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), "The disk is full (x): free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "Permission is denied (x): change the permissions"),
        (OSError(errno.EROFS, "Read-only file system", "x"), "This disk can only be read (x): choose another place"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), "There is no such file or folder (x): check the name"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(here, capsys, monkeypatch, wrong, said):
    def refuse(*args, **kwargs):
        raise wrong

    monkeypatch.setattr(student_commands.shutil, "copytree", refuse)
    status, _, complaint = call(capsys, "release", course.NAME, "--to", "home")
    assert status == 2
    assert complaint.startswith(said)
    assert len(complaint.strip().splitlines()) == 1


def test_a_grader_that_is_ended_is_one_sentence(here, capsys, engine):
    from seqlab.grading import run

    def ended(*args, **options):
        raise run.GraderFailed("the grading process ended unexpectedly; start the grading again, it resumes")

    engine.setattr(run, "grade_many", ended)
    make_class(here)
    status, _, complaint = call(capsys, *GRADE)
    assert (status, complaint) == (2, "the grading process ended unexpectedly; start the grading again, it resumes\n")


def test_a_fault_of_our_own_keeps_its_traceback(here, monkeypatch):
    monkeypatch.setattr(student_commands, "bundle_of", lambda *_: {}["bug"])
    with pytest.raises(KeyError):
        cli.main(["release", course.NAME, "--to", "home"])


def test_a_reader_who_goes_away_is_no_error(here):
    command = f"{sys.executable} -m seqlab.cli --help | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_without_a_sandbox_grading_refuses_and_says_what_to_do(here, capsys, monkeypatch):
    from seqlab.grading import sandbox

    monkeypatch.setattr(
        sandbox, "why_not", lambda: "the sandbox needs bubblewrap, which is not installed: apt install it"
    )
    write_notebook(here / "class" / "ada.ipynb", SOLVED)
    for command in (["grade", "class", "--assignment", course.NAME], ["demo"]):
        status, _, complaint = call(capsys, *command)
        assert status == 2
        assert (
            complaint == "Nothing was graded: the sandbox needs bubblewrap, which is not installed: apt install it.\n"
        )
    assert not (here / "grades.sqlite").exists()


# ------------------------------------------------------------------------------------------------- release


def test_release_copies_what_the_student_needs_and_nothing_else(here, capsys):
    status, out, _ = call(capsys, "release", course.NAME, "--to", "homework")
    assert status == 0
    assert f"homework/{course.NAME}.ipynb is ready" in out
    files = sorted(path.name for path in (here / "homework").iterdir())
    assert files == [f"{course.NAME}.ipynb", "expected.json", "mistakes.json", "release.json"]


def test_release_again_over_untouched_work_is_fine(here, capsys):
    call(capsys, "release", course.NAME, "--to", "homework")
    path = here / "homework" / f"{course.NAME}.ipynb"
    saved = json.loads(path.read_text())
    for cell in saved["cells"]:
        cell |= {"outputs": ["x"], "execution_count": 3} if cell["cell_type"] == "code" else {}
    path.write_text(json.dumps(saved))
    assert call(capsys, "release", course.NAME, "--to", "homework")[0] == 0
    assert len(list((here / "homework").iterdir())) == 4


def test_release_never_overwrites_work_unless_told_and_then_keeps_a_copy(here, capsys):
    call(capsys, "release", course.NAME, "--to", "homework")
    path = here / "homework" / f"{course.NAME}.ipynb"
    for number in (1, 2):
        write_notebook(path, SOLVED | {"double": f"mine = {number}"})
        work = path.read_bytes()
        status, _, complaint = call(capsys, "release", course.NAME, "--to", "homework")
        assert status == 2
        assert "holds work of yours" in complaint
        assert path.read_bytes() == work
        assert call(capsys, "release", course.NAME, "--to", "homework", "--force")[0] == 0
        assert path.read_bytes() != work
        assert (here / "homework" / f"{course.NAME}.backup-{number}.ipynb").read_bytes() == work


def test_release_does_not_mix_two_assignments_in_a_folder(here, capsys):
    (here / "homework").mkdir()
    other = json.loads((commands.BUNDLES / course.NAME / "release" / "release.json").read_text()) | {"name": "other"}
    (here / "homework" / "release.json").write_text(json.dumps(other))
    status, _, complaint = call(capsys, "release", course.NAME, "--to", "homework")
    assert status == 2
    assert "homework holds the assignment other already" in complaint


# --------------------------------------------------------------------------------------------------- check


@pytest.mark.slow
def test_check_tells_what_passes_and_what_differs(here, capsys):
    call(capsys, "release", course.NAME, "--to", "home")
    notebook = here / "home" / f"{course.NAME}.ipynb"
    status, out, _ = call(capsys, "check", notebook, "--trusted")
    assert status == 1
    assert out.count("the answer is still empty") == 1  # the other has hidden checks alone
    assert "0 of 2 visible points. Hidden checks decide on 5 more." in out
    assert "Closed books are not enforced here; the grader hides html.parser." in out
    write_notebook(notebook, SOLVED)
    status, out, _ = call(capsys, "check", notebook, "--trusted")
    assert status == 0
    assert "passes here" in out
    assert "2 of 2 visible points" in out
    write_notebook(notebook, HALF | {"double": f"# answer: double\n{HALF['double']}"})
    status, out, _ = call(capsys, "check", notebook, "--trusted")
    assert status == 1
    assert "✗ failed" in out
    assert "3 of 3 elements are off" in out
    assert "This looks like: adds two." in out
    assert "The check called double(x: float64 (3,))." in out
    assert "hello" in out


@pytest.mark.slow
@pytest.mark.sandbox
def test_check_closes_books_where_there_is_a_sandbox(here, capsys):
    call(capsys, "release", course.NAME, "--to", "home")
    notebook = here / "home" / f"{course.NAME}.ipynb"
    write_notebook(notebook, SOLVED | {"double": "import html.parser\ndef double(x):\n    return x + x"})
    status, out, _ = call(capsys, "check", notebook)
    assert status == 1
    assert "✓" not in out
    assert "html.parser is closed for this question" in " ".join(out.split())
    assert call(capsys, "check", notebook, "--trusted")[0] == 0


# ------------------------------------------------------------------------------------------ grade and report


def make_class(here):
    write_notebook(here / "class" / "ada.ipynb", SOLVED)
    write_notebook(here / "class" / "bob" / f"{course.NAME}.ipynb", HALF)
    write_notebook(here / "class" / "bob" / "old.ipynb", SOLVED)
    write_notebook(here / "class" / "cem" / "homework final.ipynb", {})
    (here / "class" / "dan").mkdir()
    (here / "class" / "eve.ipynb").write_text("not a notebook")
    (here / "class" / "fay.ipynb").symlink_to("/etc/hostname")
    (here / "class" / "README.txt").write_text("not a submission")


GRADE = ("grade", "class", "--assignment", course.NAME, "--trusted")


def test_a_class_is_graded_kept_and_reported(here, capsys, engine):
    make_class(here)
    status, out, _ = call(capsys, *GRADE)
    assert status == 0
    assert f"6 submissions of {course.NAME}: 4 graded now" in out
    for words in ("The folder holds no notebook", "no plain file (a link or a device)", "the file is no notebook"):
        assert words in out
    assert call(capsys, "report", "--to", "reports")[0] == 0
    lines = (here / "reports" / course.NAME / "scores.csv").read_text().splitlines()
    scores = {line.split(",")[0]: (line.split(",")[2], line.split(",")[6]) for line in lines[1:]}
    assert scores == {
        "ada": ("7", "graded"), "bob": ("2", "graded"), "cem": ("0", "graded"),
        "dan": ("0", "refused"), "eve": ("0", "refused"), "fay": ("0", "refused"),
    }  # fmt: skip
    report = here / "reports" / course.NAME
    assert len(list((report / "feedback").glob("*.html"))) == 6
    for link in re.findall(r'href="(feedback/[^"]+)"', (report / "report.html").read_text()):
        assert (report / link).is_file()
    results = [json.loads(path.read_text()) for path in (report / "gradescope").glob("*/results.json")]
    assert sorted(result["score"] for result in results) == [0, 0, 0, 0, 2, 7]
    assert "Points Possible" in (here / "reports" / "canvas.csv").read_text()


def test_grading_again_runs_nothing_and_changes_nothing(here, capsys, engine):
    make_class(here)
    call(capsys, *GRADE)
    call(capsys, "report", "--to", "first")

    def never(*args, on_result, **kwargs):
        assert not args[0], "what is in the ledger must not be run again"

    from seqlab.grading import run

    engine.setattr(run, "grade_many", never)
    status, out, _ = call(capsys, *GRADE)
    assert status == 0
    assert "0 graded now" in out
    call(capsys, "report", "--to", "second")
    for path in (p for p in (here / "first").rglob("*") if p.is_file()):
        assert (here / "second" / path.relative_to(here / "first")).read_bytes() == path.read_bytes()


def test_a_run_that_is_stopped_goes_on_where_it_was(here, capsys, engine):
    make_class(here)
    from seqlab.grading import run

    ran = []

    def stopped(items, assignment, workers, trusted, on_result):
        ran.extend(key for key, _ in items[:2])
        engine.grade_many(items[:2], assignment, workers, trusted, on_result)
        raise KeyboardInterrupt

    engine.setattr(run, "grade_many", stopped)
    status, _, complaint = call(capsys, *GRADE)
    assert status == 130
    assert "what was finished is kept" in complaint

    def rest(items, *args, **kwargs):
        assert not {key for key, _ in items} & set(ran)
        return engine.grade_many(items, *args, **kwargs)

    engine.setattr(run, "grade_many", rest)
    status, out, _ = call(capsys, *GRADE)
    assert status == 0
    assert "2 graded now" in out


def test_a_ledger_on_a_full_disk_is_told_and_grading_goes_on_later(here, capsys, engine, monkeypatch):
    make_class(here)
    from seqlab.grading.ledger import Ledger

    real, count = Ledger.add, []

    def full(self, record, key):
        count.append(record)
        if len(count) == 4:
            self.db.execute("PRAGMA max_page_count = 1")
            record.shown = {"double": "x" * 200_000}
        return real(self, record, key)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add", full)
        status, _, complaint = call(capsys, *GRADE)
    assert status == 2
    assert "cannot grow because the disk is full" in complaint
    assert len(complaint.strip().splitlines()) == 1
    assert call(capsys, *GRADE)[0] == 0
    with sqlite3.connect(here / "grades.sqlite") as db:
        assert db.execute("SELECT count(DISTINCT submission) FROM records").fetchone() == (6,)


@pytest.mark.parametrize("form", ["csv", "canvas", "gradescope", "html"])
def test_a_report_in_one_format_writes_that_alone(here, capsys, engine, form):
    make_class(here)
    call(capsys, *GRADE)
    call(capsys, "report", "--to", "reports", "--format", form)
    kinds = {path.suffix for path in (here / "reports").rglob("*") if path.is_file()}
    assert kinds == {{"csv": ".csv", "canvas": ".csv", "gradescope": ".json", "html": ".html"}[form]}


def test_points_by_hand_reach_the_report(here, capsys, engine):
    make_class(here)
    call(capsys, *GRADE)
    adjust = ("adjust", "bob", "--assignment", course.NAME, "--reason", "oral examination")
    status, out, _ = call(capsys, *adjust, "--add", 2.5)
    assert (status, out) == (0, f"bob now has 4.5 of 7 points in {course.NAME}.\n")
    assert call(capsys, *adjust, "--late", "10")[1] == f"bob now has 4.05 of 7 points in {course.NAME}.\n"
    call(capsys, "report", "--to", "reports")
    assert "oral examination" in (here / "reports" / course.NAME / "scores.csv").read_text()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may read everything")
def test_an_unreadable_notebook_needs_a_person_and_stops_nobody(here, capsys, engine):
    make_class(here)
    (here / "class" / "ada.ipynb").chmod(0)
    assert "ada.ipynb cannot be read" in call(capsys, *GRADE)[1]


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_real_engine_grades_the_class_the_same(here, capsys):
    make_class(here)
    status, _, complaint = call(capsys, *(argument for argument in GRADE if argument != "--trusted"))
    assert (status, complaint) == (0, "")
    call(capsys, "report", "--to", "reports")
    lines = (here / "reports" / course.NAME / "scores.csv").read_text().splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["7", "2", "0", "0", "0", "0"]


# --------------------------------------------------------------------------------------------------- build


def test_build_tells_every_gate_and_what_failed(here, capsys):
    broken = course.cells(double_values={"source": "emit(1)"})
    course.folder(here / "broken", broken)
    status, out, _ = call(capsys, "build", "broken", "--quick", "--out", here / "out")
    assert status == 2
    assert f"✗ {course.NAME}: not built" in out
    assert "the check 'double-values' passes on the untouched release" in out
    assert "✓ nothing hidden is in the release" in out


def test_build_leaves_alone_what_is_built_unless_told_otherwise(here, capsys, monkeypatch):
    made = []
    monkeypatch.setattr(builds, "is_current", lambda folder, bundle: bundle.name == course.NAME)
    monkeypatch.setattr(builds, "build", lambda folder, out, **_: made.append(folder.name) or out / folder.name)
    status, out, _ = call(capsys, "build")
    assert (status, made) == (0, [])
    assert f"✓ {course.NAME}: built already in" in out
    call(capsys, "build", "--again")
    assert made == [course.NAME]


def test_build_tells_an_authors_mistakes(here, capsys):
    course.folder(here / "broken", course.cells(double_values=course.meta("double-values", points=-1)))
    status, out, _ = call(capsys, "build", "broken", "--out", here / "out")
    assert status == 2
    assert "cell 'double-values' has points = -1; give it a number above 0" in out


def test_build_prints_the_mutants_that_live_as_small_diffs(here, capsys):
    weak = 'rng = inputs("running-values")\nemit(len(running(rng.normal(size=4))))\nemit(rng.normal())'
    course.folder(here / "weak", course.cells(running_values={"source": weak}), variants=None)
    status, out, _ = call(capsys, "build", "weak", "--out", here / "out")
    assert status == 2
    assert "nobody noticed running:3:change-number" in out
    assert re.search(r"\+    total, sums_so_far = \(1\.0, \[\]\)", out)


@pytest.mark.slow
def test_doctor_says_what_is_there_and_what_is_missing(capsys, monkeypatch):
    status, out, _ = call(capsys, "doctor")
    assert status == 0
    for name in ("python", "numpy", "torch", "bubblewrap", "chromium"):
        assert name in out
    from seqlab.grading import sandbox

    monkeypatch.setattr(sandbox, "why_not", lambda: "the sandbox needs bubblewrap: apt install bubblewrap")
    monkeypatch.setattr(commands.shutil, "which", lambda name: None)
    out = call(capsys, "doctor")[1]
    assert "✗  bubblewrap" in out
    assert "✗  chromium" in out
    assert "apt install bubblewrap" in out
