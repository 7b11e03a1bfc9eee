"""The instructor's commands do what they say; a wrong use ends with one sentence, status 2 and an unchanged ledger."""

import json
import re
import shutil

import pytest

from seqlab import cli
from seqlab.grading import run
from seqlab.grading.ledger import Ledger
from seqlab.grading.model import Assignment, State
from seqlab.grading.releasing import filled, release_notebook
from seqlab.notebooks import text_of
from tests.grading import course, written
from tests.grading.course import call

COMMANDS = ("regrade", "export", "deadline", "adjust", "mark", "history")
OF = ("--assignment", course.NAME)
TEXTS = {"ada": "Order does not matter.", "bob": "Because.", "cem": ""}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a built bundle, made without its gates, and the notebooks of a class of three."""
    place = tmp_path_factory.mktemp("place")
    made = written.assignment(place / "assignments")
    bundle = place / "_build" / "assignments" / course.NAME / "instructor"
    bundle.mkdir(parents=True)
    (bundle / "assignment.json").write_text(made.dumps())
    (place / "class").mkdir()
    for number, (student, text) in enumerate(TEXTS.items()):
        content = filled(release_notebook(made), {"double": f"right = {number != 1}", "why": text})
        (place / "class" / f"{student}.ipynb").write_bytes(content)
    return place


def verdicts(items, assignment, workers, trusted, on_result):
    """An engine that looks whether the answer says it is right; a title with `strict` makes the last check fail."""
    for key, content in items:
        cells = {cell["id"]: text_of(cell) for cell in json.loads(content)["cells"]}
        good = "True" in cells["double"]
        states = [State.PASSED, State.PASSED if good else State.FAILED, State.PASSED]
        states = [*states[:2], State.FAILED] if "strict" in assignment.title else states
        why = cells["why"].partition("-->")[2].strip() or cells["why"]
        on_result(key, course.record(key, states, written={"why": why}))


@pytest.fixture(scope="module")
def graded_place(place):
    """The same, graded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "grade_many", verdicts)
        patch.chdir(place)
        assert cli.main(["grade", "class", *OF, "--trusted"]) == 0
    return place


@pytest.fixture
def graded(graded_place, tmp_path, monkeypatch):
    """A current folder of its own with the graded class."""
    here = tmp_path / "here"
    shutil.copytree(graded_place, here)
    monkeypatch.setattr(run, "grade_many", verdicts)
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SEQLAB_BY", "Grace")
    monkeypatch.setenv("TZ", "Europe/Rome")
    return here


def change(here, title):
    """Build the assignment again, with another title."""
    path = here / "_build" / "assignments" / course.NAME / "instructor" / "assignment.json"
    raw = json.loads(path.read_text()) | {"title": title}
    path.write_text(Assignment.loads(json.dumps(raw)).dumps())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(capsys, command):
    status, out, _ = call(capsys, command, "--help")
    assert status == 0
    assert f"Example: seqlab {command}" in " ".join(out.split())


def test_grading_says_what_waits_for_a_person(graded, capsys):
    out = call(capsys, "grade", "class", *OF, "--trusted")[1]
    assert "6 of 11 points on average" in out
    assert f"2 written answers wait for a person: `seqlab mark --assignment {course.NAME} --to marking`." in out


# ----------------------------------------------------------------------------------------------- wrong use

MARKED = ("mark", *OF)
WRONG = {
    "regrade without a ledger": (["regrade", *OF, "--ledger", "none.sqlite"], "none.sqlite is no ledger"),
    "regrade what is not built": (["regrade", "--assignment", "99_x"], "There is no built assignment '99_x'"),
    "regrade a stranger": (["regrade", *OF, "--trusted", "--student", "eve"], "'eve' has handed in nothing"),
    "export to nothing known": (["export", "--to", "pdf", "--out", "x"], "'pdf' is no program: use one of csv, canvas"),
    "export for Moodle without its worksheet": (
        ["export", "--to", "moodle", "--out", "x.csv"], "Moodle needs its own grading worksheet",
    ),
    "export csv with a roster": (
        ["export", "--to", "csv", "--out", "x.csv", "--roster", "r.csv"], "--roster is for canvas and moodle",
    ),
    "export into a folder": (["export", "--to", "csv", "--out", "d.csv"], "d.csv is a folder: give the name of a file"),
    "export a folder into a file": (["export", "--to", "gradescope", "--out", "file.txt"], "file.txt is a file"),
    "export another assignment": (
        ["export", "--to", "csv", "--out", "x.csv", "--assignment", "99_x"], "has no assignment '99_x'",
    ),
    "export with no roster there": (
        ["export", "--to", "canvas", "--out", "x.csv", "--roster", "r.csv"], "There is no file r.csv",
    ),
    "a deadline for nothing known": (
        ["deadline", "99_x", "--due", "2026-12-01 23:59"], "There is no assignment '99_x', graded or built",
    ),
    "a deadline at no time": (["deadline", course.NAME, "--due", "soon"], "'soon' is no time: write it as"),
    "a deadline without a date": (["deadline", course.NAME, "--per-day", "10"], "has no deadline yet"),
    "an extension without a reason": (
        ["deadline", course.NAME, "--student", "ada", "--due", "2026-12-01 23:59"], "'ada' needs a reason",
    ),
    "an extension without a date": (["deadline", course.NAME, "--student", "ada"], "Give --due for the extension"),
    "a deadline taken away and set": (
        ["deadline", course.NAME, "--remove", "--grace", "5"], "--remove takes no other terms",
    ),
    "adjust with nothing": (["adjust", "ada", *OF, "--reason", "x"], "Give exactly one of --add, --override"),
    "adjust a stranger": (
        ["adjust", "eve", *OF, "--reason", "x", "--add", "1"], "'eve' has handed in nothing",
    ),
    "adjust nearly a name": (["adjust", "Ada", *OF, "--reason", "x", "--add", "1"], "there is 'ada'"),
    "adjust without a reason": (["adjust", "ada", *OF, "--add", "1"], "Missing option '--reason'"),
    "adjust a check that is none": (
        ["adjust", "ada", *OF, "--reason", "x", "--add", "1", "--check", "y"], "'y' is no check of",
    ),
    "take back what is not there": (
        ["adjust", "ada", *OF, "--reason", "x", "--withdraw", "7"], "'ada' has no entry 7 in force",
    ),
    "history of a stranger": (["history", "eve", *OF], "'eve' has handed in nothing"),
    "mark an unknown question": ([*MARKED, "--question", "what"], "'what' is no written question of"),
    "mark to and from": ([*MARKED, "--to", "m", "--from", "m/why.csv"], "Give one of a student's name, --to and"),
    "marks for nobody": ([*MARKED, "--give", "idea=1"], "--give and --comment are for one student"),
    "no mark at all": ([*MARKED, "ada", "--give", "idea"], "--give 'idea' is no mark: write ITEM=POINTS"),
    "too high a mark": ([*MARKED, "ada", "--give", "idea=9"], "that item gives 0 to 3 points"),
    "an unknown item": ([*MARKED, "ada", "--give", "style=1"], "'style' is no item of the rubric"),
    "marks from nowhere": ([*MARKED, "--from", "why.csv"], "There is no file why.csv"),
    "marks into a file": ([*MARKED, "--to", "file.txt"], "file.txt is a file: give a folder"),
}  # fmt: skip


@pytest.mark.parametrize("use", WRONG)
def test_a_wrong_use_is_one_sentence_and_changes_nothing(graded, capsys, use):
    (graded / "d.csv").mkdir()
    (graded / "file.txt").write_text("text")
    with Ledger(graded / "grades.sqlite") as book:
        before = list(book.db.iterdump())
    arguments, said = WRONG[use]
    status, _, complaint = call(capsys, *arguments)
    assert status == 2, complaint
    assert said in complaint
    assert len(complaint.strip().splitlines()) == 1, complaint
    with Ledger(graded / "grades.sqlite") as book:
        assert list(book.db.iterdump()) == before


# ----------------------------------------------------------------------------------------------- regrade


def test_regrade_says_nothing_to_do_and_what_would_change_and_what_changed(graded, capsys):
    status, out, _ = call(capsys, "regrade", *OF, "--trusted")
    assert status == 0
    assert out.strip() == f"Nothing to do: 3 records of {course.NAME} depend on nothing that has changed."
    change(graded, "A strict one")
    status, out, _ = call(capsys, "regrade", *OF, "--trusted", "--dry-run", "--to", "changes.csv")
    assert status == 0
    assert "What would change" in out
    assert "3 submissions of 00_tiny_source graded again: 0 rose, 3 fell, 0 stayed" in out
    assert "Nothing was kept" in out
    lines = (graded / "changes.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "student,check,title,old,new,why"
    first = 'ada,running-values,"sums, also of nothing","passed, 2 of 2","failed, 0 of 2",the assignment changed'
    assert lines[1] == first
    assert "now has 7 of 11" in call(capsys, "mark", *OF, "ada")[1]
    out = call(capsys, "regrade", *OF, "--trusted")[1]
    assert "What changed" in out
    assert "now has 5 of 11" in call(capsys, "mark", *OF, "ada")[1]
    assert "the assignment had changed" in call(capsys, "history", "ada", *OF)[1]


def test_regrade_names_those_whose_bytes_were_not_kept_in_one_line(graded, capsys):
    with Ledger(graded / "grades.sqlite") as book:
        book.note_submissions(course.NAME, [(f"old{number}", f"{number:064x}") for number in range(9)])
    out = call(capsys, "regrade", *OF, "--trusted", "--student", "old1")[1]
    assert out.strip().splitlines()[-1] == f"Nothing of {course.NAME} was graded again."
    out = call(capsys, "regrade", *OF, "--trusted")[1]
    told = "Not graded again: old0, old1, old2, old3, old4 and 4 others: its bytes were not kept"
    assert told in out
    assert f"3 records of {course.NAME} depend on nothing that has changed." in out


# -------------------------------------------------------------------------------------- deadline and adjust


def test_a_deadline_is_set_shown_extended_and_taken_away(graded, capsys):
    (graded / "times.csv").write_text("student,time\nada,2026-12-02 03:00\nbob,2026-12-02 03:00\n")
    call(capsys, "grade", "class", *OF, "--trusted", "--times", "times.csv")
    set_ = ("deadline", course.NAME)
    status, out, _ = call(capsys, *set_, "--due", "2026-11-30 23:59", "--per-day", "10")
    assert status == 0
    assert "00_tiny_source: due 2026-11-30 23:59 Europe/Rome; 10 % for each day begun." in out
    assert "handed in 1 day 3 h late: 20 %" in out
    status, out, _ = call(capsys, *set_, "--student", "ada", "--due", "2026-12-01 23:59", "--reason", "ill")
    assert "ada: due 2026-12-01 23:59 Europe/Rome; 10 % for each day begun." in out
    assert "handed in 3 h 1 min late: 10 %" in out
    out = call(capsys, "history", "ada", *OF)[1]
    assert "extension of ada: due 2026-12-01 23:59 Europe/Rome (ill)" in out
    assert "was handed in at 2026-12-02 03:00 Europe/Rome (told by the instructor)" in out
    assert "late (handed in 3 h 1 min late: 10 %): 10 % taken" in out
    assert "due" not in call(capsys, *set_, "--remove")[1].splitlines()[0]
    out = call(capsys, *set_, "--student", "zoe", "--due", "2026-12-05 23:59", "--reason", "ill")[1]
    assert "zoe has handed in nothing yet" in out


def test_times_are_read_on_the_clock_of_the_first_deadline(graded, capsys):
    set_ = ("deadline", course.NAME)
    call(capsys, *set_, "--due", "2026-12-01 23:59", "--zone", "Asia/Seoul")
    assert "due 2026-12-03 23:59 Asia/Seoul" in call(capsys, *set_, "--due", "2026-12-03 23:59")[1]
    out = call(capsys, *set_, "--student", "ada", "--due", "2026-12-05 12:00", "--reason", "ill")[1]
    assert "ada: due 2026-12-05 12:00 Asia/Seoul" in out
    (graded / "times.csv").write_text("student,time\nbob,2026-12-04 01:00\n")
    call(capsys, "grade", "class", *OF, "--trusted", "--times", "times.csv")
    assert "handed in 1 h 1 min late" in call(capsys, *set_, "--per-day", "10")[1]


def test_entries_are_made_taken_back_and_shown_with_who_and_why(graded, capsys, monkeypatch):
    adjust = ("adjust", "ada", *OF, "--reason", "oral examination")
    assert call(capsys, *adjust, "--override", "9")[1] == f"ada now has 9 of 11 points in {course.NAME}.\n"
    monkeypatch.setenv("SEQLAB_BY", "Alan")
    out = call(capsys, *adjust, "--add", "1", "--check", "double-values")[1]
    assert "ada now has 9 of 11 points" in out
    assert "That is what it was; `seqlab history ada" in out
    assert "ada now has 8 of 11" in call(capsys, "adjust", "ada", *OF, "--withdraw", "1", "--reason", "a slip")[1]
    out = call(capsys, "history", "ada", *OF)[1]
    lines = [" ".join(line.replace("│", " ").split()) for line in out.splitlines()]
    assert next(line for line in lines if "entry 1:" in line).endswith(
        "Grace entry 1: the whole set to 9: oral examination [taken back by 3]"
    )
    assert any(line.endswith("Alan entry 3: entry 1 taken back: a slip") for line in lines)
    assert "the score 8" in lines


# ---------------------------------------------------------------------------------------------------- mark


def test_a_class_is_marked_by_a_table(graded, capsys):
    out = call(capsys, *MARKED)[1]
    assert re.search(r"why\s+│ Why it commutes\s+│\s+2 │\s+2 │", out)
    status, out, _ = call(capsys, *MARKED, "--to", "marking")
    assert status == 0
    assert written.QUESTION in (graded / "marking" / "why.html").read_text()
    table = graded / "marking" / "why.csv"
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    filled_in = [lines[0], *(line.replace(",,,,", ",3,1,fine,") for line in lines[1:])]
    table.write_text("\n".join(filled_in), encoding="utf-8")
    status, _, complaint = call(capsys, *MARKED, "--to", "marking")
    assert status == 2
    assert "holds marks that were not taken (line 2): take them with --from, or use --force" in complaint
    status, out, _ = call(capsys, *MARKED, "--from", table)
    assert status == 0
    assert "2 answers marked, 0 as before; none waits for marks." in out
    assert "0 answers marked, 2 as before" in call(capsys, *MARKED, "--from", table)[1]
    call(capsys, *MARKED, "bob", "--give", "idea=0")
    changed = table.read_text(encoding="utf-8").replace(",3,1,fine,", ",2,1,fine,")
    (graded / "why.csv").write_text(changed, encoding="utf-8")
    status, out, _ = call(capsys, *MARKED, "--from", "why.csv")
    assert status == 1
    assert "Not taken: marked otherwise since this table was written" in out
    assert call(capsys, *MARKED, "--to", "marking", "--force")[0] == 0
    call(capsys, *MARKED, "ada", "--give", "idea=3")
    out = call(capsys, "history", "ada", *OF)[1]
    assert "marks of why, 4 points (example 1, idea 3): fine" in out
    assert "now has 11 of 11" in call(capsys, *MARKED, "ada")[1]


def test_one_answer_is_shown_and_marked(graded, capsys):
    out = call(capsys, *MARKED, "bob")[1]
    assert "Because." in out
    assert "says that order does not matter" in out
    out = call(capsys, *MARKED, "bob", "--give", "idea=1.5", "--give", "example=0", "--comment", "say why")[1]
    assert "Comment by Grace: say why" in out
    assert "bob now has 5.5 of 11 points" in out


def test_an_assignment_without_written_questions_has_nothing_to_mark(graded, capsys):
    with Ledger(graded / "grades.sqlite") as book:
        book.note_assignment(written.read_source(course.folder(graded / "plain")))
    status, _, complaint = call(capsys, *MARKED)
    assert (status, complaint) == (2, f"{course.NAME} has no written questions: there is nothing to mark.\n")


# -------------------------------------------------------------------------------------------------- export


def test_csv_is_for_people_and_begins_with_a_mark(graded, capsys):
    status, out, _ = call(capsys, "export", "--to", "csv", "--out", "scores.csv")
    assert status == 0
    assert "2 written answers not marked yet: see `seqlab mark`." in out
    raw = (graded / "scores.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfstudent,")
    assert b"\r\nada,00_tiny_source,7,11," in raw
    call(capsys, "export", "--to", "csv", "--out", "folder")
    assert (graded / "folder" / f"{course.NAME}.csv").read_bytes() == raw


def test_canvas_tells_whom_it_leaves_out_by_status_one(graded, capsys):
    (graded / "roster.csv").write_text("Student,ID,SIS Login ID,Section\nA,1,ada,M\nC,3,cem,M\nD,4,dan,M\n")
    export = ("export", "--to", "canvas", "--roster", "roster.csv", "--out", "canvas.csv")
    status, out, _ = call(capsys, *export)
    assert status == 1
    assert re.search(r"bob\s+│ nobody in the roster has this name or login", out)
    assert re.search(r"ada\s+│ 00_tiny_source: why waits for marks", out)
    assert "1 of the roster handed in nothing: D (ID 4)." in out
    assert (graded / "canvas.csv").read_bytes().startswith(b"Student,ID,SIS Login ID,Section,A tiny assignment\r\n")
    for student in ("ada", "bob"):
        call(capsys, *MARKED, student, "--give", "idea=3", "--give", "example=1")
    with (graded / "roster.csv").open("a") as roster:
        roster.write("B,2,bob,M\n")
    assert call(capsys, *export)[0] == 0
    lines = (graded / "canvas.csv").read_text().splitlines()
    assert lines[1:] == ["    Points Possible,,,,11", "A,1,ada,M,11", "B,2,bob,M,8", "C,3,cem,M,7"]


def test_moodle_gets_its_worksheet_back(graded, capsys):
    head = "Identifier,Full name,Email address,Grade,Maximum Grade,Feedback comments"
    people = [f"Participant {number},{name},{name}@x.example,,11.00," for number, name in enumerate(TEXTS)]
    (graded / "sheet.csv").write_text("\n".join([head, *people]))
    export = ("export", "--to", "moodle", "--roster", "sheet.csv", "--out", "moodle.csv")
    assert call(capsys, *export, "--provisional")[0] == 0
    lines = (graded / "moodle.csv").read_text().splitlines()
    assert lines[1] == 'Participant 0,ada,ada@x.example,7,11.00,"7 of 11 points, 3 of 3 checks passed"'


def test_gradescope_gets_a_file_for_each_student(graded, capsys):
    assert call(capsys, "export", "--to", "gradescope", "--out", "gradescope")[0] == 0
    found = [json.loads(path.read_text()) for path in (graded / "gradescope").glob("*/results.json")]
    assert sorted(one["score"] for one in found) == [4, 7, 7]
