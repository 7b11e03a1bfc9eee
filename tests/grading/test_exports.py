"""Scores reach spreadsheets and gradebooks whole, and no name becomes a formula or a path."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from seqlab.grading import exports, late
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


@pytest.mark.parametrize(
    ("value", "text"),
    [(5.0, "5"), (4.05, "4.05"), (1 / 3, "0.3333"), (0.00001, "0"), (-0.00001, "0"), (1e6, "1000000"), (-1.5, "-1.5")],
)
def test_numbers_have_a_point_and_no_exponent(value, text):
    assert exports.number(value) == text


def test_lateness_and_waiting_answers_are_in_the_notes(shown):
    terms = late.Terms(datetime(2026, 12, 1, tzinfo=UTC), per_day=20)
    lateness = late.lateness(terms, datetime(2026, 12, 2, 3, tzinfo=UTC))
    one = replace(
        standing(written={"why": "Because."}), lateness=lateness, handed_in=lateness.handed_in, questions=(WHY,)
    )
    line = dict(zip(*rows(exports.to_csv(shown | {"manuals": [WHY]}, [one])), strict=True))
    assert (line["score"], line["points"], line["late %"], line["why"], line["to mark"]) == (
        "2.4",
        "11",
        "40",
        "0",
        "1",
    )
    assert line["handed in"] == "2026-12-02T03:00:00+00:00"
    assert line["notes"] == "why is not marked yet; handed in 1 day 3 h late: 40 %"


def test_canvas_gets_no_score_that_still_waits_for_marks_unless_asked(shown):
    one = replace(standing(written={"why": "Because."}), questions=(WHY,))
    assert rows(exports.to_canvas([shown], [[one]]))[2][-1] == ""
    assert rows(exports.to_canvas([shown], [[one]], provisional=True))[2][-1] == "4"


def test_gradescope_shows_a_written_answer_with_the_comment_or_that_it_waits(shown):
    one = replace(standing(written={"why": "Because."}), questions=(WHY,))
    test = json.loads(exports.to_gradescope(shown | {"manuals": [WHY]}, one))["tests"][-1]
    assert (test["score"], test["max_score"], test["output"]) == (0, 4, "a person reads this; it is not marked yet")
    one = replace(one, marks=(Adjustment("rubric", "why", 3, "nearly"),))
    test = json.loads(exports.to_gradescope(shown | {"manuals": [WHY]}, one))["tests"][-1]
    assert (test["score"], test["output"]) == (3, "nearly")


# ------------------------------------------------------------------------------------------------ rosters

WHY = {"id": "why", "title": "Why", "points": 4, "rubric": [{"id": "idea", "text": "says why", "points": 4}]}
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,A tiny assignment (77),Homework 1 (78),Final Score
,,,,,Manual Posting,,(read only)
    Points Possible,,,,,7,10,(read only)
"Lovelace, Ada",101,s-101,ada,Monday,1,9,50
"Kim, Haneul",102,s-102,haneul@uni.example,Monday,,8,40
"Doe, Jane",103,s-103,jd1,Monday,2,7,30
"Doe, Jane",104,s-104,jd2,Tuesday,3,6,20
"Student, Test",999,,test,,,,
"""
MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade),Feedback comments
Participant 11,Ada Lovelace,ada@uni.example,Submitted for grading,,7.00,-,
Participant 12,Jane Doe,jane@uni.example,Submitted for grading,,7.00,-,
Participant 13,Jane Doe,doe@uni.example,Submitted for grading,3,7.00,"Monday, 1 December 2025, 9:00 AM",old
"""


def roster(place, text):
    path = place / "roster.csv"
    path.write_text(text, encoding="utf-8")
    return path


def into_canvas(place, shown, standings, text=CANVAS, **more):
    made, placed = exports.into_canvas(roster(place, text), [shown], [standings], **more)
    return rows(made), placed


@pytest.mark.parametrize(
    "name",
    [
        "ada",
        "ADA",
        "s-101",
        "101",
        "Lovelace, Ada",
        "Ada Lovelace",
        "ada  lovelace",
        "lovelaceada",
        "lovelaceada (101)",
    ],
)
def test_canvas_knows_a_student_by_login_number_or_name(shown, tmp_path, name):
    table, placed = into_canvas(tmp_path, shown, [standing(name)])
    assert table[2] == ["Lovelace, Ada", "101", "s-101", "ada", "Monday", "4"]
    assert placed.lost == []


def test_canvas_gets_its_own_columns_and_no_other_assignment(shown, tmp_path):
    table, placed = into_canvas(tmp_path, shown, [standing("ada"), standing("haneul", (P, P, P))])
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "A tiny assignment (77)"]
    assert table[1] == ["    Points Possible", "", "", "", "", "7"]
    assert [line[-1] for line in table[2:]] == ["4", "7"]
    assert placed.absent == ["Doe, Jane (ID 103)", "Doe, Jane (ID 104)"]
    assert placed.remarks == []


def test_nobody_is_guessed(shown, tmp_path):
    people = ["Jane Doe", "doejane", "eve", "jd2", "doejane (104)"]
    table, placed = into_canvas(tmp_path, shown, [standing(name) for name in people])
    assert len(table) == 2
    both = "2 in the roster fit: Doe, Jane (ID 103) and Doe, Jane (ID 104)"
    assert dict(placed.lost) == {
        "Jane Doe": both,
        "doejane": both,
        "eve": "nobody in the roster has this name or login",
        "jd2": "Doe, Jane (ID 104) fits 'doejane (104)' too",
        "doejane (104)": "Doe, Jane (ID 104) fits 'jd2' too",
    }


def test_a_login_that_is_anothers_name_fits_both_and_is_told(shown, tmp_path):
    text = CANVAS + "ada,105,s-105,zz,Monday,,,\n"
    _, placed = into_canvas(tmp_path, shown, [standing("ada")], text)
    assert placed.lost == [("ada", "2 in the roster fit: Lovelace, Ada (ID 101) and ada (ID 105)")]


def test_an_empty_identifier_fits_nobody(shown, tmp_path):
    text = 'Student,ID,SIS Login ID,A tiny assignment\n"Kim, H",1,,\n"Lee, H",2,,\n'
    _, placed = into_canvas(tmp_path, shown, [standing("")], text)
    assert placed.lost == [("", "nobody in the roster has this name or login")]


def test_canvas_is_told_to_make_a_column_that_it_has_not_and_other_points_are_remarked(shown, tmp_path):
    table, placed = into_canvas(tmp_path, shown | {"title": "Another", "name": "another"}, [standing("ada")])
    assert table[0][-1] == "Another"
    assert placed.remarks == ["Canvas has no column for 'Another'; the import will offer to make it."]
    _, placed = into_canvas(tmp_path, shown, [standing("ada")], CANVAS.replace(",,,,,7,10,", ",,,,,100,10,"))
    assert placed.remarks == ["Canvas gives 100 points for 'A tiny assignment', the ledger 7: set the same in Canvas."]


def test_a_score_that_is_not_there_leaves_what_canvas_had(shown, tmp_path):
    other = shown | {"title": "Homework 1", "name": "homework"}
    made, placed = exports.into_canvas(
        roster(tmp_path, CANVAS), [shown, other], [[standing("ada")], [Standing("ada", None, ())]]
    )
    assert rows(made)[2][-2:] == ["4", "9"]
    assert placed.lost == [("ada", "homework: not graded yet")]


def test_a_roster_with_semicolons_and_a_byte_order_mark_is_read(shown, tmp_path):
    text = "\ufeffStudent;ID;SIS Login ID;Section;A tiny assignment (77)\nLovelace, Ada;101;ada;Monday;\n"
    table, _ = into_canvas(tmp_path, shown, [standing("ada")], text)
    assert table[2] == ["Lovelace, Ada", "101", "ada", "Monday", "4"]


@pytest.mark.parametrize("name", [name for name in EVIL if "\x00" not in name])
def test_a_roster_does_not_smuggle_formulas_through(shown, tmp_path, name):
    out = io.StringIO()
    csv.writer(out).writerows([["Student", "ID", "SIS Login ID", "A tiny assignment"], [name, "5", "eve", ""]])
    table, _ = into_canvas(tmp_path, shown, [standing("eve")], out.getvalue())
    assert not table[2][0].lstrip().startswith(exports.FORMULA)


def test_moodle_gets_its_worksheet_back_with_grade_and_feedback(shown, tmp_path):
    entry = Adjustment("manual", "", -1, "<b>too</b> long")
    made, placed = exports.into_moodle(roster(tmp_path, MOODLE), shown, [standing("ada", adjustments=[entry])])
    head, ada = rows(made)
    assert head == MOODLE.splitlines()[0].split(",")
    line = dict(zip(head, ada, strict=True))
    assert (line["Identifier"], line["Grade"], line["Last modified (grade)"]) == ("Participant 11", "3", "-")
    assert line["Feedback comments"] == "3 of 7 points, 2 of 3 checks passed; &lt;b&gt;too&lt;/b&gt; long"
    assert (placed.lost, placed.remarks, len(placed.absent)) == ([], [], 2)


@pytest.mark.parametrize("name", ["jane@uni.example", "jane", "Participant 12", "Jane Doe (12)"])
def test_moodle_knows_a_student_by_mail_or_number(shown, tmp_path, name):
    made, _ = exports.into_moodle(roster(tmp_path, MOODLE), shown, [standing(name)])
    assert rows(made)[1][0] == "Participant 12"


def test_moodle_guesses_nobody_and_holds_back_what_waits(shown, tmp_path):
    waits = replace(standing("ada", written={"why": "Because."}), questions=(WHY,))
    made, placed = exports.into_moodle(roster(tmp_path, MOODLE), shown, [standing("Jane Doe"), waits])
    assert len(rows(made)) == 1
    both = "2 in the roster fit: Jane Doe (Participant 12) and Jane Doe (Participant 13)"
    assert placed.lost == [("Jane Doe", both), ("ada", "why waits for marks")]


def test_moodles_maximum_must_be_the_assignments(shown, tmp_path):
    text = MOODLE.replace("7.00", "100.00")
    _, placed = exports.into_moodle(roster(tmp_path, text), shown, [standing("ada")])
    assert placed.remarks == [
        "Moodle's maximum grade is 100.00, the assignment has 7 points: "
        "set the same in Moodle, and download the worksheet again."
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,score\nada,1\n", "is not the file that Canvas exports .it has no column 'Student', 'ID'."),
        (b"", "has no column 'Student', 'ID'"),
        ("Student,ID\nZo\u00eb,1\n".encode("latin-1"), "is no text in UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(shown, tmp_path, content, said):
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        exports.into_canvas(path, [shown], [[standing("ada")]])


def test_a_roster_that_is_not_there_is_told(shown, tmp_path):
    with pytest.raises(ValueError, match=r"There is no file .*none\.csv: export it from Canvas"):
        exports.into_canvas(tmp_path / "none.csv", [shown], [[]])


def test_a_damaged_line_of_a_roster_costs_nobody_else(shown, tmp_path):
    table, placed = into_canvas(tmp_path, shown, [standing("ada")], 'Student,ID,SIS Login ID\nA,1,ada\n"b\x00,2\n')
    assert table[2][0] == "A"
    assert placed.lost == []
