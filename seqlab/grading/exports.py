"""Scores for other programs: CSV, Canvas' gradebook, Gradescope's results.json."""

import csv
import hashlib
import io
import json
import re
import unicodedata

from seqlab.grading.model import Outcome, State

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


def to_csv(face, standings):
    """One line a student: score, percent, outcome, points of each check, what a person must look at."""
    checks = [check["id"] for check in face["checks"]]
    rows = [["student", "assignment", "score", "points", "percent", "late %", "outcome", *map(safe, checks), "notes"]]
    total = sum(check["points"] for check in face["checks"])
    for one in standings:
        outcome = one.record.outcome if one.record else "not graded"
        notes = [
            *(one.record.problems if one.record else []),
            *(f"{a.kind} {a.amount:g}: {a.reason}" for a in one.adjustments),
        ]
        earned = [f"{one.earned(check):g}" for check in checks]
        percent = f"{100 * one.score / total:.1f}" if total else "0.0"
        rows.append(
            [
                safe(one.student),
                face["name"],
                f"{one.score:g}",
                f"{total:g}",
                percent,
                f"{one.late:g}",
                outcome,
                *earned,
                safe("; ".join(notes)),
            ]
        )
    return _rows(rows)


def to_canvas(faces, classes):
    """Canvas' gradebook: one column an assignment, and the line of points possible. Names stand as the login too.

    Parameters
    ----------
    faces : the faces of the assignments.
    classes : the standings of each, in the same order.
    """
    students = sorted({one.student for standings in classes for one in standings})
    scores = [{one.student: f"{one.score:g}" for one in standings if one.record} for standings in classes]
    total = [f"{sum(check['points'] for check in face['checks']):g}" for face in faces]
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(safe(face["title"]) for face in faces)]]
    rows.append(["    Points Possible", "", "", "", "", *total])
    rows += [[safe(name), "", "", safe(name), "", *(column.get(name, "") for column in scores)] for name in students]
    return _rows(rows)


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
    notes = [f"{entry.kind}: {entry.amount:g} ({plain(entry.reason)})" for entry in standing.adjustments]
    notes += [plain(problem) for problem in record.problems] if record else ["not graded yet"]
    if record and record.outcome is not Outcome.GRADED:
        notes.append("a person will look at this submission")
    return (
        json.dumps({"score": standing.score, "output": "\n".join(notes), "tests": tests}, indent=1, ensure_ascii=False)
        + "\n"
    )
