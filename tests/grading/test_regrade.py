"""A class is graded again from what the ledger kept, only where something changed, and every change is told."""

import json
from dataclasses import replace

import pytest

from seqlab.grading import build as builds
from seqlab.grading import run
from seqlab.grading.classes import grade_class
from seqlab.grading.ledger import Ledger
from seqlab.grading.model import Outcome, State
from seqlab.grading.regrading import regrade
from seqlab.grading.releasing import filled, release_notebook
from seqlab.grading.source import read_source
from tests.grading import course, written

P, F = State.PASSED, State.FAILED
MORE = {"workers": 1, "trusted": True, "progress": lambda *_: None}


@pytest.fixture
def assignment(tmp_path):
    return read_source(course.folder(tmp_path))


@pytest.fixture
def judged(monkeypatch):
    """An engine that reads the verdicts from the submission; a title with `strict` makes it fail the last check."""
    ran = []

    def grade_many(items, assignment, workers, trusted, on_result):
        for key, content in items:
            ran.append(key)
            states = [State(word) for word in json.loads(content)]
            states = [*states[:2], F] if "strict" in assignment.title else states
            on_result(key, course.record(key, states))

    monkeypatch.setattr(run, "grade_many", grade_many)
    return ran


@pytest.fixture
def book(tmp_path, assignment, judged):
    work = {"ada": [P, P, P], "bob": [P, F, F], "cem": [F, F, P]}
    with Ledger(tmp_path / "grades.sqlite") as book:
        found = [(student, json.dumps(states).encode(), "") for student, states in work.items()]
        grade_class([*found, ("dan", None, "The folder holds no notebook.")], assignment, book, **MORE)
        judged.clear()
        yield book


def scores(book):
    return {one.student: one.score for one in book.standings(course.NAME)}


def test_what_has_not_changed_is_not_run_again(book, assignment, judged):
    done = regrade(assignment, book, **MORE)
    assert (done.again, done.same, done.changes, judged) == ([], 3, [], [])
    assert done.lost == [("dan", "what was handed in could not be read")]


def test_a_changed_assignment_is_graded_again_and_every_change_is_told(book, assignment, judged):
    book.adjust(course.NAME, "cem", "manual", 1, "neat")
    done = regrade(replace(assignment, title="A strict one"), book, **MORE)
    assert len(judged) == 3
    assert (done.again, done.rose, done.fell, done.same) == (["ada", "bob", "cem"], [], ["ada", "cem"], 0)
    told = [(one.student, one.check, one.old, one.new, one.why) for one in done.changes]
    why = "the assignment changed"
    assert told == [
        ("ada", "running-values", "passed, 2 of 2", "failed, 0 of 2", why),
        ("ada", "", "7 of 7", "5 of 7", why),
        ("cem", "running-values", "passed, 2 of 2", "failed, 0 of 2", why),
        ("cem", "", "3 of 7", "1 of 7", why),
    ]
    assert scores(book) == {"ada": 5, "bob": 2, "cem": 1, "dan": 0}
    assert (done.before, done.after) == (3, 2)
    assert [record.score for _, record in book.history(course.NAME, "ada")] == [7, 5]


def test_a_dry_run_tells_the_same_and_keeps_nothing(book, assignment, judged):
    strict, before = replace(assignment, title="A strict one"), book.path.read_bytes()
    dry = regrade(strict, book, dry=True, **MORE)
    assert book.path.read_bytes() == before
    assert scores(book)["ada"] == 7
    assert regrade(strict, book, **MORE) == dry


def test_changing_back_runs_nothing_and_the_old_records_count_again(book, assignment, judged):
    regrade(replace(assignment, title="A strict one"), book, **MORE)
    judged.clear()
    done = regrade(assignment, book, **MORE)
    assert judged == []
    assert (done.rose, done.fell) == (["ada", "cem"], [])
    assert scores(book)["ada"] == 7


@pytest.mark.parametrize(("part", "name"), [("grader_version", "grader"), ("environment", "environment")])
def test_the_reason_is_what_changed(book, assignment, judged, monkeypatch, part, name):
    monkeypatch.setattr(builds, part, lambda: "another")
    done = regrade(assignment, book, **MORE)
    assert (done.again, done.rose, done.fell, done.changes) == (["ada", "bob", "cem"], [], [], [])
    assert len(judged) == 3
    done = regrade(replace(assignment, title="A strict one"), book, **MORE)
    assert {one.why for one in done.changes} == {"the assignment changed"}


def test_one_student_alone_is_graded_again(book, assignment, judged):
    done = regrade(replace(assignment, title="A strict one"), book, students=("ada",), **MORE)
    assert (done.students, done.again, len(judged)) == (1, ["ada"], 1)
    assert scores(book) == {"ada": 5, "bob": 2, "cem": 2, "dan": 0}
    with pytest.raises(ValueError, match="'eve' has handed in nothing for 00_tiny_source"):
        regrade(assignment, book, students=("eve",), **MORE)


def test_only_what_was_handed_in_last_is_graded_again(book, assignment, judged):
    grade_class([("ada", json.dumps([F, F, F]).encode(), "")], assignment, book, **MORE)
    judged.clear()
    done = regrade(replace(assignment, title="A strict one"), book, students=("ada",), **MORE)
    assert (len(judged), done.rose, done.fell) == (1, [], [])
    assert scores(book)["ada"] == 0


def test_a_submission_whose_bytes_were_not_kept_is_told_and_keeps_its_marks(book, assignment, judged):
    book.note_submissions(course.NAME, [("eve", "e" * 64)])
    book.add(course.record("e" * 64, [P, P, P]), next(iter(book.current_keys(course.NAME).values())))
    done = regrade(replace(assignment, title="A strict one"), book, **MORE)
    assert ("eve", "its bytes were not kept: give the folder to `seqlab grade` once more") in done.lost
    assert scores(book)["eve"] == 7


def test_a_regrade_that_is_stopped_goes_on_where_it_was(book, assignment, judged, monkeypatch):
    strict, whole = replace(assignment, title="A strict one"), run.grade_many

    def stopped(items, *args, on_result, **kwargs):
        whole(items[:1], *args, on_result=on_result, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "grade_many", stopped)
        with pytest.raises(KeyboardInterrupt):
            regrade(strict, book, **MORE)
    assert len(judged) == 1
    done = regrade(strict, book, **MORE)
    assert (len(judged), len(done.again), done.same) == (3, 2, 1)
    assert scores(book) == {"ada": 5, "bob": 2, "cem": 0, "dan": 0}


def test_another_outcome_is_told(book, assignment, judged, monkeypatch):
    def attention(items, assignment, workers, trusted, on_result):
        for key, content in items:
            states = [State(word) for word in json.loads(content)]
            on_result(key, course.record(key, states, Outcome.NEEDS_ATTENTION))

    monkeypatch.setattr(run, "grade_many", attention)
    done = regrade(replace(assignment, title="Other"), book, students=("bob",), **MORE)
    assert [(one.check, one.old, one.new) for one in done.changes] == [("outcome", "graded", "needs attention")]


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_real_engine_grades_what_was_kept_by_the_assignment_as_it_is_now(tmp_path):
    made = written.assignment(tmp_path)
    solutions = {one.id: one.solution for one in made.answers} | {"why": "Order does not matter."}
    wrong = solutions | {"double": "def double(x):\n    return x + x + 1e-3"}
    release, more = release_notebook(made), MORE | {"trusted": False}
    found = [("ada", filled(release, solutions), ""), ("bob", filled(release, wrong), "")]
    with Ledger(tmp_path / "grades.sqlite") as book:
        grade_class(found, made, book, **more)
        assert scores(book) == {"ada": 7, "bob": 2}
        assert book.standings(course.NAME)[0].pending == ("why",)
        book.mark(course.NAME, [("bob", "why", {"idea": 3, "example": 0}, "")])
        lenient = tuple(replace(one, atol=0.01) for one in made.checks)
        done = regrade(replace(made, checks=lenient), book, **more)
        assert (done.rose, done.fell, len(done.again)) == (["bob"], [], 2)
        assert [(one.check, one.old, one.new) for one in done.changes] == [
            ("double-values", "failed, 0 of 2", "passed, 2 of 2"),
            ("double-hidden", "failed, 0 of 3", "passed, 3 of 3"),
            ("", "5 of 11", "10 of 11"),
        ]
