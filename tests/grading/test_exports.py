"""Scores reach spreadsheets and gradebooks whole, and no name becomes a formula or a path."""

import csv
import io
import json

import pytest

from seqlab.grading import exports
from seqlab.grading.ledger import Adjustment, Standing, face
from seqlab.grading.model import Outcome, State
from seqlab.grading.source import read_source
from tests.grading import course

P, F, E = State.PASSED, State.FAILED, State.ERROR
EVIL = ["=1+2", "+1", "-rf", "@SUM(A1)", "\t=1", "\r\n=1", "|cmd", "  =1", "\u202e=1", "\x00=1"]


@pytest.fixture
def shown(tmp_path):
    return face(read_source(course.folder(tmp_path)))


def standing(student="ada", states=(P, F, P), adjustments=(), outcome=Outcome.GRADED, **more):
    return Standing(student, course.record("s", states, outcome, **more), tuple(adjustments))


def rows(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_has_a_line_for_each_student_with_every_check(shown):
    late = Adjustment("late", "", 50, "a day")
    head, ada, bob, eve = rows(
        exports.to_csv(shown, [standing(), standing("bob", (P, P, P), [late]), Standing("eve", None, ())])
    )
    assert head[:7] == ["student", "assignment", "score", "points", "percent", "late %", "outcome"]
    assert head[7:10] == ["double-values", "double-hidden", "running-values"]
    assert head[10:] == ["handed in", "to mark", "submission", "notes"]
    assert ada == ["ada", course.NAME, "4", "7", "57.1", "0", "graded", "2", "0", "2", "", "0", "", ""]
    assert bob[:10] == ["bob", course.NAME, "3.5", "7", "50.0", "50", "graded", "2", "3", "2"]
    assert bob[10:] == ["", "0", "", "late 50: a day"]
    assert eve[2:7] == ["0", "7", "0.0", "0", "not graded"]


def test_what_a_person_must_look_at_is_in_the_notes(shown):
    line = rows(exports.to_csv(shown, [standing(outcome=Outcome.REFUSED, problems=["no JSON, really"])]))[1]
    assert line[6] == "refused"
    assert line[-1] == "no JSON, really"


@pytest.mark.parametrize("name", EVIL)
def test_no_spreadsheet_takes_a_name_or_a_note_for_a_formula(shown, name):
    entry = Adjustment("manual", "", 1, name)
    for text in (
        exports.to_csv(shown, [standing(name, problems=[name], adjustments=[entry])]),
        exports.to_canvas([shown], [[standing(name)]]),
    ):
        cells = [cell for row in rows(text) for cell in row]
        assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "|"))], cells
        assert not [cell for cell in cells if any(letter in cell for letter in "\t\r\n\x00\u202e")], cells


def test_ordinary_names_stay_as_they_are():
    for name in ("김하늘", "Nils O'Brien", "Lê Minh", "a, b", 'say "hi"'):
        assert exports.safe(name) == name


@pytest.mark.parametrize("name", [*EVIL, "../../etc/passwd", "a/b", "", "." * 300, "김하늘", "con", "<b>"])
def test_file_names_are_short_harmless_and_different(name):
    made = exports.file_name(name)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not made.startswith("-")
    assert 9 <= len(made) <= 50


def test_names_that_look_alike_get_different_files():
    twins = ["Zo\u00eb", "Zoe\u0308", "zoe", "ZOE", "김하늘", "さくら"]
    assert len({exports.file_name(name) for name in twins}) == len(twins)


def test_canvas_has_its_columns_the_points_line_and_a_column_for_each_assignment(shown):
    other = shown | {"title": "Another"}
    table = rows(exports.to_canvas([shown, other], [[standing()], [standing("bob", (P, P, P))]]))
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "A tiny assignment", "Another"]
    assert table[1] == ["    Points Possible", "", "", "", "", "7", "7"]
    assert table[2] == ["ada", "", "", "ada", "", "4", ""]
    assert table[3] == ["bob", "", "", "bob", "", "", "7"]


def test_a_student_who_is_not_graded_has_an_empty_score_in_canvas_not_a_zero(shown):
    assert rows(exports.to_canvas([shown], [[Standing("eve", None, ())]]))[2][-1] == ""


def test_gradescope_gets_verdicts_points_and_hints(shown):
    given = json.loads(exports.to_gradescope(shown, standing(states=(F, E, P))))
    assert given["score"] == 2
    assert [test["status"] for test in given["tests"]] == ["failed", "failed", "passed"]
    assert [(test["score"], test["max_score"]) for test in given["tests"]] == [(0, 2), (0, 3), (2, 2)]
    assert given["tests"][0]["output"] == "its values differ from the right ones: twice means times two"
    assert given["tests"][1]["output"] == "your code raised an error"


def test_gradescope_says_when_a_person_will_look(shown):
    given = json.loads(exports.to_gradescope(shown, standing(outcome=Outcome.NEEDS_ATTENTION, problems=["two cells"])))
    assert given["output"] == "two cells\na person will look at this submission"
    assert json.loads(exports.to_gradescope(shown, Standing("eve", None, ())))["output"] == "not graded yet"
