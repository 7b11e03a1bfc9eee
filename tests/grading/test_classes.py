"""A class on its way into the ledger: kept before it is graded, by each student's own variant, nothing twice."""

import dataclasses
from datetime import UTC, datetime

import pytest

from seqlab.grading import classes, run
from seqlab.grading.collecting import Submitted
from seqlab.grading.ledger import Ledger
from seqlab.grading.model import State
from seqlab.grading.personal import chosen
from tests.grading import course
from tests.grading.tiny import make_assignment, submission


@pytest.fixture
def graded(monkeypatch):
    """What was handed to the grader: [(assignment, submission's bytes)]; every submission passes nothing."""
    seen = []

    def grade_many(items, assignment, workers, trusted, on_result):
        for key, content in items:
            seen.append((assignment, content))
            states = [State.FAILED] * 3
            on_result(key, dataclasses.replace(course.record(key, states), assignment=assignment.name))

    monkeypatch.setattr(run, "grade_many", grade_many)
    return seen


def grade(found, assignment, path, **more):
    """Grade into the ledger at a path: (how many were run, progress as it was told)."""
    told = []
    with Ledger(path) as ledger:
        options = {"workers": 1, "trusted": True, "progress": lambda *stage: told.append(stage)}
        return classes.grade_class(found, assignment, ledger, **options, **more), told


def named(*students, **metadata):
    return [Submitted(student, submission(metadata={"of": student} | metadata)) for student in students]


def test_the_same_bytes_are_run_once_and_what_is_kept_is_not_run_again(graded, tmp_path):
    found = [*named("ada", "bob"), Submitted("eve", submission(metadata={"of": "ada"}))]
    assignment = make_assignment()
    assert grade(found, assignment, tmp_path / "g") == (2, [("grade", 0, 2), ("grade", 1, 2), ("grade", 2, 2)])
    assert len(graded) == 2
    assert grade(found, assignment, tmp_path / "g") == (0, [("grade", 2, 2)])
    assert grade([*found, *named("fay")], assignment, tmp_path / "g")[0] == 1
    assert len(graded) == 3


def test_everything_is_kept_before_the_first_is_run(graded, tmp_path, monkeypatch):
    found = [*named(*(f"s{n}" for n in range(classes.KEPT_AT_ONCE + 3))), Submitted("gone", None, "There is none.")]

    def killed(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "grade_many", killed)
    with pytest.raises(KeyboardInterrupt):
        grade(found, make_assignment(), tmp_path / "g")
    with Ledger(tmp_path / "g") as ledger:
        latest = dict(ledger.latest("00_tiny"))
        assert sorted(latest) == sorted(one.student for one in found)
        assert [ledger.content(latest[one.student]) for one in found] == [one.content for one in found]
        standings = {one.student: one.record for one in ledger.standings("00_tiny")}
    assert standings.pop("gone").problems == ["There is none."]
    assert set(standings.values()) == {None}


def test_each_student_is_graded_by_her_own_variant(graded, tmp_path):
    personal = {"size": [3, 4, 5]}
    assignment = make_assignment()
    cells = (dataclasses.replace(assignment.cells[0], source="# Tiny of {{size}}"), *assignment.cells[1:])
    assignment = dataclasses.replace(assignment, cells=cells, personal=personal)
    students = [f"s{n}" for n in range(12)]
    fresh, told = grade(named(*students), assignment, tmp_path / "g")
    assert (fresh, told[-1]) == (12, ("grade", 12, 12))
    sizes = {content.strip(): own.cells[0].source for own, content in graded}  # a seal in blanks tells whose it is
    wanted = {one.content: f"# Tiny of {chosen(assignment, one.student)['size']}" for one in named(*students)}
    assert sizes == wanted
    assert len(set(wanted.values())) == 3
    assert len({own.dumps() for own, _ in graded}) == 3
    assert grade(named(*students), assignment, tmp_path / "g")[0] == 0


def test_the_instructors_times_count_more_than_those_of_files(graded, tmp_path):
    early, late = datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 2, 9, tzinfo=UTC)
    found = [one._replace(at=late, how="file") for one in named("ada", "bob")]
    grade(found, make_assignment(), tmp_path / "g", times={"ada": early})
    with Ledger(tmp_path / "g") as ledger:
        assert {one.student: one.handed_in for one in ledger.standings("00_tiny")} == {"ada": early, "bob": late}


def test_a_scheduler_is_not_asked_where_there_is_nothing_to_grade(graded, tmp_path):
    found, assignment = named("ada"), make_assignment()
    grade(found, assignment, tmp_path / "g")
    assert grade(found, assignment, tmp_path / "g", scheduler="tcp://127.0.0.1:9")[0] == 0
    with pytest.raises(ValueError, match="is no scheduler: give tcp://HOST:PORT"):
        grade([*found, *named("bob")], assignment, tmp_path / "g", scheduler="127.0.0.1:9")
