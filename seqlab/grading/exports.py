"""Scores for other programs: CSV, Canvas' gradebook, Moodle's grading worksheet, Gradescope's results.json.

Numbers have a point, at most four decimals and no exponent, whatever the machine's language. Every cell that a
spreadsheet could take for a formula begins with an apostrophe. A CSV file for people begins with a byte-order mark,
because Excel takes UTF-8 for another encoding without it (pandas and LibreOffice leave it out by themselves). Files for
Canvas and Moodle have none: they look for the name of their first column, and with a mark it is another name.

Canvas and Moodle know students by identifiers that a folder of notebooks does not hold. They are taken from the file
that the program itself exports; whoever is not found there, or more than once, is told and left out, never guessed.
"""

import csv
import hashlib
import html
import io
import json
import re
import unicodedata
from dataclasses import dataclass, field

from seqlab.grading.ledger import total
from seqlab.grading.model import Outcome, State
from seqlab.grading.tables import read_table

MARK = "\ufeff"  # the byte-order mark
CANVAS_IDENTITY = ("Student", "ID", "SIS User ID", "SIS Login ID", "Root Account", "Section")

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
STATUS = {
    State.PASSED: "passed",
    State.FAILED: "its values differ from the right ones",
    State.ERROR: "your code raised an error",
    State.TIMEOUT: "your code was still running at the time limit",
    State.DIED: "your code ended the process",
    State.NOT_RUN: "not run",
}


def plain(text):
    """A text on one line without control characters; those that would turn letters around are shown as numbers."""
    shown = []
    for letter in str(text):
        kind = unicodedata.category(letter)
        if kind in ("Cc", "Zl", "Zp"):
            shown.append(" ")
        elif kind in ("Cf", "Cs", "Co", "Cn"):
            shown.append(f"\\u{ord(letter):04x}")
        else:
            shown.append(letter)
    return "".join(shown)


def safe(text):
    """A cell that no spreadsheet takes for a formula."""
    raw = str(text)
    shown = plain(raw)
    return f"'{shown}" if raw.startswith(FORMULA) or shown.lstrip().startswith(FORMULA) else shown


def file_name(student):
    """A file name for a student: readable where it can be, unique and harmless always."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode())
    unique = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words.strip('-')[:40].lower() or 'student'}-{unique}"


def _rows(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def number(value):
    """A number as every program reads it: a point, at most four decimals, no exponent, no -0."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _grading(one):
    if one.record is None:
        return "not graded"
    return one.record.outcome


def notes(one):
    """What a reader of the scores should know about one of them, as sentences."""
    found = list(one.record.problems) if one.record else []
    found += [f"{name} is not marked yet" for name in one.pending]
    if one.late_sentence:
        found.append(one.late_sentence)
    found += [f"{e.kind} {number(e.amount)}{f' on {e.check}' if e.check else ''}: {e.reason}" for e in one.adjustments]
    return found


def to_csv(face, standings):
    """One line a student: score, percent, outcome, points of each check and written answer, lateness, notes."""
    parts = [one["id"] for one in (*face["checks"], *face.get("manuals", ()))]
    head = ["student", "assignment", "score", "points", "percent", "late %", "outcome", *map(safe, parts)]
    rows, most = [[*head, "handed in", "to mark", "submission", "notes"]], total(face)
    for one in standings:
        rows.append(
            [
                safe(one.student),
                safe(face["name"]),
                number(one.score),
                number(most),
                f"{100 * one.score / most:.1f}" if most else "0.0",
                number(one.late),
                _grading(one),
                *(number(one.earned(name)) for name in parts),
                one.handed_in.isoformat(timespec="seconds") if one.handed_in else "",
                str(len(one.pending)),
                one.submission[:12],
                safe("; ".join(notes(one))),
            ]
        )
    return _rows(rows)


def to_canvas(faces, classes, provisional=False):
    """Canvas' gradebook without its own export: one column an assignment. Names stand as the login too.

    Parameters
    ----------
    faces : the faces of the assignments.
    classes : the standings of each, in the same order.
    provisional : whether a score that still waits for marks is given; else its cell is empty, as of work not graded.
    """
    students = sorted({one.student for standings in classes for one in standings})
    scores = [
        {one.student: number(one.score) for one in standings if _final(one, provisional)} for standings in classes
    ]
    most = [number(total(face)) for face in faces]
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(safe(face["title"]) for face in faces)]]
    rows.append(["    Points Possible", "", "", "", "", *most])
    rows += [[safe(name), "", "", safe(name), "", *(column.get(name, "") for column in scores)] for name in students]
    return _rows(rows)


def _final(one, provisional):
    return one.record is not None and (provisional or not one.pending)


# ------------------------------------------------------------------------------------------------ rosters


@dataclass
class Placed:
    """What became of the students on their way into another program's file."""

    rows: dict = field(default_factory=dict)  # student -> the roster's row
    lost: list = field(default_factory=list)  # (student, why), who are left out
    absent: list = field(default_factory=list)  # those of the roster of whom the ledger knows nothing
    remarks: list = field(default_factory=list)  # sentences on the whole


def read_roster(path, needed, program):
    """The rows of a CSV file that another program exported.

    Parameters
    ----------
    needed : the columns that it must have.
    program : its name, for the sentence when it has not.

    Returns
    -------
    head, rows : the names of the columns; a dict for each row.

    Raises
    ------
    ValueError
        one sentence: no file, no text, not that program's.
    """
    head, rows = read_table(path, f"export it from {program}")
    missing = [name for name in needed if name not in head]
    if missing:
        told = f"it has no column {', '.join(map(repr, missing))}"
        raise ValueError(f"{path} is not the file that {program} exports ({told}): export it again, in English.")
    return head, [row for _, row in rows]


def _key(text):
    """A name or an identifier for comparison: one form of Unicode, one case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", str(text)).casefold().split())


def _names(name, ident):
    """The ways in which a person's name stands on files: as it is, turned round, squeezed, each with the number."""
    last, comma, first = name.partition(",")
    forms = {name, f"{first} {last}"} if comma else {name}
    keys = {_key(form) for form in forms}
    keys.add("".join(letter for letter in _key(name) if letter.isalnum()))  # Canvas' doejane_12345_...
    return (keys | {f"{key} ({ident})" for key in keys if ident}) - {""}


def _canvas_keys(row):
    login = row.get("SIS Login ID", "")
    known = {login, login.partition("@")[0], row.get("SIS User ID", ""), row.get("ID", "")}
    return {_key(one) for one in known if one.strip()} | _names(row["Student"], row.get("ID", ""))


def _moodle_keys(row):
    ident, mail = row["Identifier"], row.get("Email address", "")
    digits = re.sub(r"\D", "", ident)
    known = {ident, mail, mail.partition("@")[0], row.get("ID number", ""), row.get("Username", "")}
    return {_key(one) for one in known if one.strip()} | _names(row["Full name"], digits)


def place(students, rows, keys, label):
    """Find each student's row in a roster: exactly one, or none.

    Parameters
    ----------
    students : names of the ledger.
    rows : dicts.
    keys : function from a row to the set of names by which it is known.
    label : function from a row to the words that name it.
    """
    placed, known = Placed(), {}
    for number_, row in enumerate(rows):
        for key in keys(row):
            known.setdefault(key, []).append(number_)
    found = {student: known.get(_key(student), []) for student in students}
    taken = {}
    for student, numbers in found.items():
        if len(numbers) == 1:
            taken.setdefault(numbers[0], []).append(student)
    for student, numbers in found.items():
        if not numbers:
            placed.lost.append((student, "nobody in the roster has this name or login"))
        elif len(numbers) > 1:
            told = " and ".join(label(rows[one]) for one in numbers)
            placed.lost.append((student, f"{len(numbers)} in the roster fit: {told}"))
        elif len(taken[numbers[0]]) > 1:
            others = ", ".join(repr(plain(one)) for one in taken[numbers[0]] if one != student)
            placed.lost.append((student, f"{label(rows[numbers[0]])} fits {others} too"))
        else:
            placed.rows[student] = rows[numbers[0]]
    reached = {one for numbers in found.values() for one in numbers}
    placed.absent = [label(row) for one, row in enumerate(rows) if one not in reached]
    return placed


def _hold_back(placed, one, provisional):
    """Whether a score must not be given yet; the reason is noted."""
    if _final(one, provisional):
        return False
    told = f"{', '.join(one.pending)} waits for marks" if one.record else "not graded yet"
    placed.lost.append((one.student, told))
    placed.rows.pop(one.student, None)
    return True


def into_canvas(path, faces, classes, provisional=False):
    """Scores in the form of Canvas' own gradebook export, with Canvas' identifiers.

    An assignment's column is the one of Canvas that has its title or name, with or without Canvas' number; where there
    is none, a new one, of which Canvas will ask whether it is to be made. Other columns are left out: importing the
    file touches nothing else. A cell without a score keeps what Canvas had.

    Returns
    -------
    text, placed : the CSV text and Placed.
    """
    head, rows = read_roster(path, ("Student", "ID"), "Canvas")
    limits = next((row for row in rows if _key(row["Student"]) == "points possible"), {})
    people = [row for row in rows if row["ID"].strip() and _key(row["Student"]) != "student, test"]
    students = sorted({one.student for standings in classes for one in standings})
    placed = place(students, people, _canvas_keys, lambda row: f"{plain(row['Student'])} (ID {plain(row['ID'])})")
    columns, scores = [], {}
    for face, standings in zip(faces, classes, strict=True):
        column = _canvas_column(head, face, placed)
        columns.append(column)
        if column in limits and _differs(limits[column], total(face)):
            told = f"Canvas gives {plain(limits[column])} points for {face['title']!r}"
            placed.remarks.append(f"{told}, the ledger {number(total(face))}: set the same in Canvas.")
        for one in standings:
            if one.student in placed.rows and not _hold_back_cell(placed, one, face, provisional):
                scores[one.student, column] = number(one.score)
    identity = [name for name in CANVAS_IDENTITY if name in head]
    most = ["    Points Possible", *[""] * (len(identity) - 1), *(number(total(face)) for face in faces)]
    lines = [[*identity, *map(safe, columns)], most]
    for student, row in placed.rows.items():
        if any((student, column) in scores for column in columns):
            cells = [scores.get((student, column), row.get(column, "")) for column in columns]
            lines.append([*(safe(row[name]) for name in identity), *map(safe, cells)])
    return _rows(lines), placed


def _hold_back_cell(placed, one, face, provisional):
    """As `_hold_back`, of one assignment among several: the student's other scores are given."""
    if _final(one, provisional):
        return False
    told = f"{', '.join(one.pending)} waits for marks" if one.record else "not graded yet"
    placed.lost.append((one.student, f"{face['name']}: {told}"))
    return True


def _canvas_column(head, face, placed):
    wanted = {_key(face["title"]), _key(face["name"])}
    fits = [name for name in head if _key(re.sub(r"\s*\(\d+\)$", "", name)) in wanted]
    if len(fits) == 1:
        return fits[0]
    if fits:
        placed.remarks.append(f"Canvas has {len(fits)} columns for {face['title']!r}; a new one is made: rename one.")
    else:
        placed.remarks.append(f"Canvas has no column for {face['title']!r}; the import will offer to make it.")
    return face["title"]


def _differs(text, value):
    try:
        return abs(float(text.replace(",", ".")) - value) > 1e-6
    except ValueError:
        return False


def into_moodle(path, face, standings, provisional=False):
    """Scores in Moodle's grading worksheet of one assignment, with Moodle's identifiers and a line of feedback.

    The columns are Moodle's own, in its order; the grade and the feedback are filled in, the rest stays as it was, so
    that Moodle can see whether a grade was changed there since. Lines of students without a score are left out.

    Returns
    -------
    text, placed : the CSV text and Placed.
    """
    head, rows = read_roster(path, ("Identifier", "Full name", "Grade"), "Moodle (Download grading worksheet)")
    placed = place(
        [one.student for one in standings], rows, _moodle_keys,
        lambda row: f"{plain(row['Full name'])} ({plain(row['Identifier'])})",
    )  # fmt: skip
    most, lines = total(face), [head]
    limits = {row.get("Maximum Grade", row.get("Maximum grade", "")) for row in placed.rows.values()} - {""}
    for limit in sorted(limits):
        if _differs(limit, most):
            told = f"Moodle's maximum grade is {plain(limit)}, the assignment has {number(most)} points"
            placed.remarks.append(f"{told}: set the same in Moodle, and download the worksheet again.")
    for one in standings:
        if one.student in placed.rows and not _hold_back(placed, one, provisional):
            row = dict(placed.rows[one.student])
            row["Grade"] = number(one.score)
            if "Feedback comments" in row:
                row["Feedback comments"] = html.escape("; ".join(_feedback(face, one)))
            lines.append([row[name] if row[name].strip() == "-" else safe(row[name]) for name in head])
    return _rows(lines), placed


def _feedback(face, one):
    """A line on one student's work: the score, what was not passed, what people said."""
    results = {result.id: result.state for result in one.record.checks}
    passed = sum(state is State.PASSED for state in results.values())
    told = [f"{number(one.score)} of {number(total(face))} points, {passed} of {len(results)} checks passed"]
    for question in one.questions:
        mark = one.mark(question["id"])
        if mark:
            said = f": {plain(mark.reason)}" if mark.reason else ""
            told.append(f"{plain(question['title'])}: {number(mark.amount)} of {number(question['points'])}{said}")
    if one.late_sentence:
        told.append(one.late_sentence)
    return [*told, *(plain(entry.reason) for entry in one.adjustments)]


# --------------------------------------------------------------------------------------------- Gradescope


def to_gradescope(face, standing):
    """Gradescope's results.json for one student: only verdicts, titles and hints, never a hidden value."""
    tests, record = [], standing.record
    for check in face["checks"]:
        result = next((one for one in record.checks if one.id == check["id"]), None) if record else None
        state = result.state if result else State.NOT_RUN
        said = STATUS[state]
        if state is not State.PASSED and (told := result.message if result and result.message else check["hint"]):
            said = f"{said}: {told}"
        tests.append(
            {
                "name": check["title"],
                "number": check["id"],
                "score": standing.earned(check["id"]),
                "max_score": check["points"],
                "status": "passed" if state is State.PASSED else "failed",
                "output": plain(said),
                "visibility": "visible",
            }
        )
    tests += [_written_test(standing, question) for question in face.get("manuals", ())]
    said = [f"{entry.kind}: {entry.amount:g} ({plain(entry.reason)})" for entry in standing.adjustments]
    said += [plain(problem) for problem in record.problems] if record else ["not graded yet"]
    said += [standing.late_sentence] if standing.late_sentence else []
    if record and record.outcome is not Outcome.GRADED:
        said.append("a person will look at this submission")
    given = {"score": standing.score, "output": "\n".join(said), "tests": tests}
    return json.dumps(given, indent=1, ensure_ascii=False) + "\n"


def _written_test(standing, question):
    """A written question as a test of Gradescope's: without a verdict, because a person gives the points."""
    mark = standing.mark(question["id"])
    told = plain(mark.reason) if mark else "nothing was written"
    if mark is None and standing.text(question["id"]).strip():
        told = "a person reads this; it is not marked yet"
    return {
        "name": question["title"],
        "number": question["id"],
        "score": standing.earned(question["id"]),
        "max_score": question["points"],
        "output": told,
        "visibility": "visible",
    }
