"""Finds the submissions of a class: who handed in which bytes, and when.

These layouts of a folder, or of a .zip archive with the same inside, are recognised, each for itself:

    ada.ipynb                                          flat: the student is the file's name
    ada/NAME.ipynb, ada/homework.ipynb                 a folder a student: NAME.ipynb, or the only notebook in it
    ada/NAME/NAME.ipynb, ada/NAME/timestamp.txt        nbgrader's, from `submitted` or from the course's folder
    doejane_12345_67890_NAME.ipynb                     Canvas's "Download Submissions"; also doejane_LATE_12345_...,
    doejane_12345_NAME.ipynb                           NAME-1.ipynb; with one number only where all files are so named
    Jane Doe_123_assignsubmission_file_/NAME.ipynb     Moodle's "Download all submissions"; also without folders

NAME is the assignment's. Numbers and LATE are set aside, unless two of the class share a name: then the number tells
them apart. One folder around it all is set aside when it is called submitted, submissions, as the assignment or as
the archive. Other files, and names that begin with a dot, are left alone.
"""

import re
import unicodedata
import zoneinfo
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from seqlab.grading import places
from seqlab.grading.places import Entry, Unreadable, shown, text

NOTEBOOK = ".ipynb"
CANVAS = re.compile(r"(?P<who>.+?)(?:_LATE)?_(?P<id>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.DOTALL)
CANVAS_SHORT = re.compile(r"(?P<who>.+?)(?:_LATE)?_(?P<id>\d+)_(?P<file>.+)", re.DOTALL)
MOODLE = re.compile(r"(?P<who>.+)_(?P<id>\d+)_assignsubmission_(?P<kind>file|onlinetext)_(?P<file>.*)", re.DOTALL)
AROUND = ("submitted", "submissions")  # folders around a class
NBGRADER = ("source", "release", "autograded", "feedback", "exchange", "downloaded", "logs")  # beside `submitted`
STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\s*(\S*)")
EARLIEST = datetime.min.replace(tzinfo=UTC)
LOOK = "a person should look"


class Submitted(NamedTuple):
    """What one student handed in.

    Attributes
    ----------
    student : the name it is kept under.
    content : the notebook's bytes; None when there is none that can be read.
    why : a sentence for a person: why there are no bytes, or, with bytes, what must be looked at all the same.
    at : when it was handed in, in UTC: by nbgrader's timestamp.txt, else the file's own time; None when unknown.
    how : where that time comes from, in the ledger's words: "stamp" or "file".
    """

    student: str
    content: bytes | None
    why: str = ""
    at: datetime | None = None
    how: str = "file"


@dataclass(frozen=True)
class _Claim:
    """One way in which a student appears: a file, or a folder."""

    who: str
    number: str  # the platform's, "" where there is none
    entries: tuple[Entry, ...]  # their paths without the student's own folder
    folder: bool
    aside: bool = False  # text typed on Moodle: of interest only where there is no file


def collect(path, name):
    """The submissions of one assignment in a folder or a .zip archive.

    Of a student who appears more than once the latest is taken (by time; of the same time, the last by name), and a
    person is told. Whatever cannot be read is told for that student, and costs no other anything.

    Parameters
    ----------
    path : the folder or the .zip archive, in one of the layouts above.
    name : the assignment's name.

    Returns
    -------
    found : list of Submitted, one a student, in the order of names.

    Raises
    ------
    ValueError
        when the path is neither, or cannot be read as a whole.
    """
    path = Path(path)
    every = places.entries(path)
    inside = _unwrapped([one for one in every if not one.outside], {*AROUND, name, path.stem}, name)
    claims = _claims(inside)
    nested = any(_is_nested(one, name) for claim in claims if claim.folder for one in claim.entries)
    found = [_submitted(student, group, name, nested) for student, group in _students(claims).items()]
    found = _with_twins([one for one in found if one is not None])
    outside = {text(one.name): Submitted(text(one.name), None, one.why, one.at) for one in every if one.outside}
    return sorted([*found, *outside.values()], key=lambda one: one.student)


# -------------------------------------------------------------------------------------------- layouts


def _unwrapped(entries, around, name):
    """The entries without the one folder around the class."""
    top = {one.parts[0] for one in entries}
    loose = any(len(one.parts) == 1 and _is_notebook(one.name) for one in entries)
    course = "submitted" in top and not loose
    course = course and all(
        one.parts[0] in ("submitted", *NBGRADER) for one in entries if len(one.parts) > 1
    )  # nbgrader's own folder of a course
    if course:
        return [_without_first(one) for one in entries if one.parts[0] == "submitted" and len(one.parts) > 1]
    if len(top) != 1 or not top <= around or any(one.parts[1:] in ((), ("",), (f"{name}.ipynb",)) for one in entries):
        return entries
    return [_without_first(one) for one in entries]


def _without_first(entry):
    return replace(entry, parts=entry.parts[1:])


def _claims(entries):
    """Who appears, and with what: each folder and each file at the top, read by its name."""
    top = {}
    for one in entries:
        if one.parts and one.parts != ("",):
            top.setdefault((one.parts[0], len(one.parts) > 1), []).append(one)
    files = [name for name, folder in top if not folder and _is_notebook(name)]
    short = bool(files) and all(CANVAS_SHORT.fullmatch(name) for name in files)
    claims = []
    for (name, folder), group in top.items():
        match = MOODLE.fullmatch(name)
        if folder:
            who, number = (match["who"], match["id"]) if match else (name, "")
            aside = bool(match and match["kind"] == "onlinetext")
            claims.append(_Claim(who, number, tuple(map(_without_first, group)), True, aside))
            continue
        match = match or CANVAS.fullmatch(name) or (CANVAS_SHORT.fullmatch(name) if short else None)
        for one in group:
            if match:
                named = replace(one, parts=(match["file"] or name,))
                claims.append(_Claim(match["who"], match["id"], (named,), False))
            elif _is_notebook(name):
                claims.append(_Claim(name[: -len(NOTEBOOK)], "", (one,), False))
            elif not one.plain:  # perhaps a student's folder: it must not be lost
                claims.append(_Claim(name, "", (one,), False))
    return claims


def _is_notebook(name):
    return name.lower().endswith(NOTEBOOK)


def _is_nested(entry, name):
    """Whether a file of a student's folder lies as in nbgrader's layout."""
    own = entry.parts[0] == name or entry.name == f"{entry.parts[0]}{NOTEBOOK}"
    return len(entry.parts) == 2 and own and _is_notebook(entry.name)


def _students(claims):
    """The claims of each student: {name to keep: claims}. Numbers are added where two share a name."""
    numbers, people, students = {}, {}, {}
    for claim in claims:
        numbers.setdefault(claim.who, set()).add(claim.number)
    for claim in claims:
        shared = len(numbers[claim.who] - {""}) > 1
        people.setdefault((claim.who, claim.number if shared else ""), []).append(claim)
    for (who, number), group in sorted(people.items()):
        student = text(f"{who} ({number})" if number else who)
        while student in students:  # other bytes, or another's number, that look the same
            student += " (another)"
        students[student] = group
    return students


# -------------------------------------------------------------------------------------------- one student


def _submitted(student, claims, name, nested):
    """What a student handed in; None when it was for other assignments alone."""
    found, refusals = [], []
    for claim in [claim for claim in claims if not claim.aside] or claims:
        entries, why = _of_folder(claim.entries, name, nested) if claim.folder else (list(claim.entries), "")
        found += entries
        refusals += [why] if why else []
    notebooks = [one for one in found if _is_notebook(one.name) or (one.why and len(found) == 1)]
    if not notebooks:
        if found:
            refusals.append(f"There is {_listed(sorted({shown(one.name) for one in found}))} and no notebook (.ipynb).")
        return Submitted(student, None, refusals[0]) if refusals else None
    named = [one for one in notebooks if _is_named(one, name)]
    if any(text(claim.who) != claim.who for claim in claims):
        refusals.append(f"The name of this student is not UTF-8 text, its bytes are shown as numbers; {LOOK}.")
    taken = _latest(student, sorted(named or notebooks, key=_order))
    return taken._replace(why=" ".join(filter(None, (taken.why, *refusals))))


def _of_folder(entries, name, nested):
    """The notebook of a student's folder, as a list of at most one, or why there is none.

    Parameters
    ----------
    nested : whether others of the class have a folder for each assignment, as in nbgrader's layout.
    """
    inner = [one for one in entries if one.parts[0] == name and len(one.parts) > 1]
    here = [_without_first(one) for one in inner] or [one for one in entries if len(one.parts) == 1]
    closed = [one for one in here if one.name == "" and one.why]
    if closed:
        return [], closed[0].why
    notebooks = [one for one in here if len(one.parts) == 1 and _is_notebook(one.name)]
    named = [one for one in notebooks if one.name == f"{name}.ipynb"]
    if named or len({one.name for one in notebooks}) == 1:
        return [_stamped(one, here) for one in named or notebooks], ""
    if notebooks:
        return [], f"The folder holds {len(notebooks)} notebooks, and none is named {name}.ipynb."
    deeper = sorted({one.parts[0] for one in entries if len(one.parts) > 1 and _is_notebook(one.name)})
    if not inner and deeper and nested:
        return [], ""  # handed in for other assignments
    if deeper:
        return [], f"The folder holds no notebook but in folders below it ({_listed(map(shown, deeper))}): move it up."
    files = sorted(shown(one.name) for one in here if one.name and one.name != "timestamp.txt")
    return [], "The folder holds no notebook" + (f", only {_listed(files)}." if files else ".")


def _listed(names):
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _is_named(entry, name):
    """Whether a file has the assignment's name; Canvas adds -1, -2 to what is handed in again."""
    return re.sub(r"-\d+\Z", "", entry.name[: -len(NOTEBOOK)]) == name or entry.name == f"{name}{NOTEBOOK}"


def _order(entry):
    """When it was handed in; of the same moment, by Canvas's -1, -2."""
    again = re.search(r"-(\d{1,9})\.\w+\Z", entry.name)
    return entry.at or EARLIEST, int(again[1]) if again else 0


def _latest(student, found):
    """The latest of a student's notebooks, with its bytes; those that cannot be read stand back."""
    good = [one for one in found if not one.why] or found
    chosen, content, why, told = good[-1], None, good[-1].why, []
    if not why:
        try:
            content = chosen.read()
        except Unreadable as wrong:
            why = str(wrong)
    if len(found) > 1:
        when = f", of {chosen.at:%Y-%m-%d %H:%M} UTC" if chosen.at else ""
        told.append(f"There are {len(found)} submissions of this student; the latest was taken{when}, {LOOK}.")
    return Submitted(student, content, " ".join(filter(None, (why, chosen.note, *told))), chosen.at, chosen.how)


def _with_twins(found):
    """Tell of names that differ and look the same, such as é in one character and in two: they stay two students."""
    alike = {}
    for one in found:
        alike.setdefault(unicodedata.normalize("NFC", one.student), []).append(one.student)
    told = f"Another name in this class looks the same as this one and has other characters; {LOOK} whether it is one."
    return [
        one._replace(why=" ".join(filter(None, (one.why, told))))
        if len(alike[unicodedata.normalize("NFC", one.student)]) > 1
        else one
        for one in found
    ]


# ---------------------------------------------------------------------------------------------- times


def _stamped(entry, beside):
    """A notebook with the time of nbgrader's timestamp.txt beside it, where there is one."""
    stamp = next((one for one in beside if one.parts == ("timestamp.txt",) and not one.why), None)
    if stamp is None:
        return entry
    try:
        at = stamp_time(stamp.read()[:200].decode("utf-8", "replace"))
    except Unreadable:
        at = None
    told = "" if at else f"Its timestamp.txt holds no time that can be read; the file's own was taken, {LOOK}."
    return replace(entry, at=at or entry.at, how="stamp" if at else entry.how, note=told)


def stamp_time(line):
    """The time in nbgrader's timestamp.txt, in UTC: `2015-02-02 15:58:23.948203 America/New_York`; None if in none.

    The zone is a name, UTC, or an offset such as +01:00; without one it is UTC, as for nbgrader.
    """
    match = STAMP.match(line.strip())
    if not match:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=_zone(match[3])).astimezone(UTC)
    except (ValueError, OverflowError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def _zone(name):
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name)
    if offset:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(ahead if offset[1] == "+" else -ahead)
    return UTC if name in ("", "UTC", "Z", "GMT") else zoneinfo.ZoneInfo(name)
