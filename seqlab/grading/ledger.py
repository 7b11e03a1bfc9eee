"""What was graded, in one SQLite file that only grows.

A record is kept under the hash of everything that it depends on: the submission's bytes, the assignment, the grader's
code, the environment and the seed. Killed at any instant, the ledger holds what was finished, and grading again does
only the rest. The submissions' bytes are kept too, so that a class can be graded again years later. Points given by
hand, overrides, marks of written answers, deadlines and late penalties are entries of their own, with a reason, a date
and a name, and never change a record. Rows are neither changed nor removed: the database itself refuses. Where several
entries say the same thing, the last one counts; `history` shows them all.
"""

import getpass
import hashlib
import json
import math
import os
import sqlite3
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from seqlab.grading import late
from seqlab.grading.model import Outcome, Record

APPLICATION = 0x53514C42  # marks the file as ours
VERSION = 1  # of the tables; a ledger without a version is extended when it is opened
WAIT_SECONDS = 10.0
KINDS = ("manual", "override", "late")
LARGEST_CONTENT = 20 * 1000 * 1000  # bytes of a submission that are kept
HOW = ("file", "stamp", "given")  # where a time of handing in comes from, the weakest first
SCHEMA = """
CREATE TABLE assignments (hash TEXT PRIMARY KEY, name TEXT NOT NULL, face TEXT NOT NULL);
CREATE TABLE submissions (
  id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, student TEXT NOT NULL, submission TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX submissions_of ON submissions (assignment, student);
CREATE TABLE records (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, submission TEXT NOT NULL, assignment TEXT NOT NULL,
  assignment_hash TEXT NOT NULL, grader TEXT NOT NULL, environment TEXT NOT NULL, seed INTEGER NOT NULL,
  record TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX records_of ON records (submission, assignment);
CREATE TABLE adjustments (
  id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, student TEXT NOT NULL, kind TEXT NOT NULL,
  check_id TEXT NOT NULL, amount REAL NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL);
"""
EXTENSION = """
CREATE TABLE contents (hash TEXT PRIMARY KEY, packed BLOB NOT NULL, size INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE times (
  id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, student TEXT NOT NULL, submission TEXT NOT NULL,
  handed_in TEXT NOT NULL, how TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX times_of ON times (assignment, student, submission);
CREATE TABLE deadlines (
  id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, student TEXT NOT NULL, terms TEXT NOT NULL,
  reason TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE uses (id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, hash TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE choices (
  id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, submission TEXT NOT NULL, record INTEGER NOT NULL,
  newest INTEGER NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX choices_of ON choices (assignment, submission);
ALTER TABLE records ADD COLUMN by TEXT NOT NULL DEFAULT '';
ALTER TABLE submissions ADD COLUMN by TEXT NOT NULL DEFAULT '';
ALTER TABLE adjustments ADD COLUMN by TEXT NOT NULL DEFAULT '';
ALTER TABLE adjustments ADD COLUMN detail TEXT NOT NULL DEFAULT '{}';
"""
FIRST_TABLES = ("assignments", "submissions", "records", "adjustments")
NEW_TABLES = ("contents", "times", "deadlines", "uses", "choices")
TABLES = FIRST_TABLES + NEW_TABLES
NAMED = {"assignments": ("hash",), "contents": ("hash",), "records": ("id", "key")}  # what is unique, where not the id


class LedgerError(ValueError):
    """One sentence on what is wrong with the ledger's file."""


@dataclass(frozen=True)
class Key:
    """Everything that a record depends on besides the submission: hashes of assignment, grader and environment."""

    assignment: str
    grader: str
    environment: str


@dataclass(frozen=True)
class Adjustment:
    """An entry made by a person.

    Attributes
    ----------
    kind : manual (adds points), override (sets the score), late (percent of the whole), rubric (the marks of a written
        answer) or withdraw (takes another entry back).
    check : the check or written question concerned; "" for the whole.
    amount : points, percent, or the number of the entry that is taken back.
    reason : why; of marks, the marker's comment.
    by, at : who and when.
    number : the entry's own number.
    items : of marks, pairs of rubric item and points.
    of : of marks, the hash of the text that was read.
    """

    kind: str
    check: str
    amount: float
    reason: str
    by: str = ""
    at: str = ""
    number: int = 0
    items: tuple = ()
    of: str = ""


@dataclass(frozen=True)
class Standing:
    """Where a student stands in one assignment: the record, what people entered, the time of handing in.

    The final score is made in this order, and `account` tells each step:

    1. each check has the points of the record; each written answer the points of its last marks;
    2. entries that concern that check or question, in the order in which they were made: one adds, an override
       replaces what was before it;
    3. the sum of these;
    4. entries that concern the whole, in the order in which they were made; an override replaces all before it;
    5. the late penalty, a percentage: the last one entered by hand, else what the deadline says;
    6. a score is never below 0.

    An entry that was withdrawn counts nowhere.
    """

    student: str
    record: Record | None  # None: handed in, not graded yet
    adjustments: tuple[Adjustment, ...]  # those that count, in the order in which they were made; no marks among them
    marks: tuple[Adjustment, ...] = ()  # the last marks of each written answer, of the text that was handed in last
    questions: tuple[dict, ...] = ()  # the written questions as `face` has them
    lateness: late.Lateness | None = None  # None: no deadline, or the time of handing in is not known
    handed_in: datetime | None = None
    submission: str = ""

    def mark(self, question):
        """The marks of a written answer that count: an Adjustment, or None."""
        return next((one for one in self.marks if one.check == question), None)

    def text(self, question):
        """What the student wrote; "" when nothing was found."""
        return self.record.written.get(question, "") if self.record else ""

    def earned(self, check):
        """Points of one check or written question after what was entered for it."""
        points = next((one.earned for one in self.record.checks if one.id == check), 0.0) if self.record else 0.0
        marked = self.mark(check)
        return _entered(points + (marked.amount if marked else 0.0), self._of(check))

    def _of(self, check):
        return [entry for entry in self.adjustments if entry.check == check and entry.kind != "late"]

    @property
    def parts(self):
        """The ids of all that earns points: checks, then written questions."""
        checks = [one.id for one in self.record.checks] if self.record else []
        return [*checks, *(one["id"] for one in self.questions if self.record)]

    @property
    def pending(self):
        """The written questions that wait for a person: something was written, and it has no marks yet."""
        waiting = (one["id"] for one in self.questions)
        return tuple(
            name
            for name in waiting
            if self.text(name).strip()
            and self.mark(name) is None
            and not any(entry.kind == "override" for entry in self._of(name))
        )

    @property
    def late_entry(self):
        """The late penalty that a person entered last, or None."""
        return next((entry for entry in reversed(self.adjustments) if entry.kind == "late"), None)

    @property
    def late(self):
        """The late penalty in percent: the last one entered by hand, else what the deadline says."""
        if self.late_entry is not None:
            return self.late_entry.amount
        return self.lateness.percent if self.lateness else 0.0

    @property
    def late_sentence(self):
        """What the student reads about the time of handing in; "" when there is nothing to say."""
        if self.late_entry is not None or self.lateness is None:
            return ""
        return self.lateness.sentence

    @property
    def before_late(self):
        """The score before the late penalty."""
        return _entered(sum(self.earned(name) for name in self.parts), self._of(""))

    @property
    def score(self):
        """The final score, never below 0; the class says in which order it is made."""
        return max(0.0, round(self.before_late * (1 - self.late / 100), 6))

    @property
    def points(self):
        """The most that could be earned."""
        if not self.record:
            return 0.0
        return self.record.points + sum(one["points"] for one in self.questions)

    @property
    def needs_attention(self):
        """Whether a person must look."""
        return self.record is None or self.record.outcome is not Outcome.GRADED

    @property
    def without_effect(self):
        """Entries that count but change nothing, because their check is no longer in the assignment."""
        known = {"", *self.parts}
        return tuple(entry for entry in self.adjustments if self.record and entry.check not in known)

    @property
    def account(self):
        """How the score is made, step by step: a list of (what, points)."""
        if not self.record:
            return [("handed in, not graded yet", 0.0)]
        steps = [("the checks", self.record.score)]
        for question in self.questions:
            told = "waits for a person" if question["id"] in self.pending else "marked by a person"
            if not self.text(question["id"]).strip() and self.mark(question["id"]) is None:
                told = "nothing was written"
            mark = self.mark(question["id"])
            steps.append((f"{question['title']}: {told}", mark.amount if mark else 0.0))
        before = sum(points for _, points in steps)
        change = sum(self.earned(name) for name in self.parts) - before
        if any(self._of(name) for name in self.parts):
            steps.append(("entries on single checks", change))
        steps.append(("together", before + change))
        if self._of(""):
            steps.append(("after entries on the whole", self.before_late))
        if self.late:
            why = self.late_entry.reason if self.late_entry else self.late_sentence
            steps.append((f"late ({why}): {self.late:g} % taken", self.before_late * (1 - self.late / 100)))
        return [*steps, ("the score", self.score)]


def _entered(points, entries):
    """Points after entries, in their order."""
    for entry in entries:
        points = entry.amount if entry.kind == "override" else points + entry.amount
    return points


def in_force(entries):
    """The entries that count: those that were not taken back by a later one. Taking back cannot be taken back."""
    taken = {int(entry.amount) for entry in entries if entry.kind == "withdraw"}
    return [entry for entry in entries if entry.kind != "withdraw" and entry.number not in taken]


def _last_marks(entries, question, text):
    """The last marks in force of this very text, whole or not: an Adjustment, or None."""
    of = hash_text(text)
    good = (one for one in reversed(in_force(entries)) if one.kind == "rubric" and one.check == question)
    return next((one for one in good if one.of == of), None)


def total(face):
    """The most that an assignment gives: its checks and its written questions."""
    return sum(one["points"] for one in (*face["checks"], *face.get("manuals", ())))


def person():
    """Who is at work: the name in SEQLAB_BY, or the login name."""
    try:
        return os.environ.get("SEQLAB_BY", "").strip() or getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def hash_text(text):
    """The sha256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def face(assignment):
    """What reports show of an assignment: titles, points and hints, no source."""
    checks = ("id", "answer", "title", "points", "hint", "visible")
    return {
        "name": assignment.name,
        "title": assignment.title,
        "answers": [{"id": answer.id, "title": answer.title} for answer in assignment.answers],
        "checks": [{key: getattr(check, key) for key in checks} for check in assignment.checks],
        "manuals": [asdict(manual) for manual in assignment.manuals],
    }


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """The ledger in one file; use it in a `with` block.

    Parameters
    ----------
    path : the file; it is made when it is not there, unless `must_exist`. One that an earlier version made is extended
        in place; it loses nothing.
    by : who is at work, kept with every entry; the login name when it is not given.

    Raises
    ------
    LedgerError
        one sentence: the file is no ledger, is locked by another program, cannot be written, the disk is full.
    """

    def __init__(self, path, must_exist=False, by=None):
        self.path = Path(path)
        self.by = person() if by is None else by.strip()
        if must_exist and not self.path.is_file():
            raise LedgerError(f"{self.path} is no ledger (there is no such file); `seqlab grade` makes one")
        if not self.path.parent.is_dir():
            raise LedgerError(f"{self.path.parent} is no folder; make it first, or choose another place for the ledger")
        with self._told():
            self.db = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            with self._told():
                self.db.execute("PRAGMA synchronous = FULL")
                self._prepare()
        except LedgerError:
            self.db.close()
            raise

    def _prepare(self):
        application, version = self._marks()
        if application == APPLICATION and version == VERSION:
            return
        if application == APPLICATION and version > VERSION:
            raise LedgerError(f"{self.path} was made by a newer seqlab; bring this one up to date to use it")
        if application != APPLICATION and self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise LedgerError(f"{self.path} is a database of another program; choose another file for the ledger")
        with self._writing():
            application, version = self._marks()
            if (application, version) == (APPLICATION, VERSION):
                return  # another process has just made it
            if application != APPLICATION:
                self._script(SCHEMA, FIRST_TABLES)
                self.db.execute(f"PRAGMA application_id = {APPLICATION}")
            self._script(EXTENSION, NEW_TABLES)
            for table in TABLES:  # `INSERT OR REPLACE` removes the old row without a DELETE
                there = " OR ".join(f"{name} = NEW.{name}" for name in NAMED.get(table, ("id",)))
                self.db.execute(
                    f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
                    f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {there}) "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
                )
            self.db.execute(f"PRAGMA user_version = {VERSION}")

    def _marks(self):
        return tuple(self.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))

    def _script(self, script, tables):
        """Run statements, and forbid changes to these tables."""
        for statement in script.split(";"):
            self.db.execute(statement)
        for table in tables:
            for event in ("UPDATE", "DELETE"):
                self.db.execute(
                    f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
                )

    @contextmanager
    def _told(self):
        """Turn the database's errors into sentences."""
        try:
            yield
        except sqlite3.Error as wrong:
            text = str(wrong)
            if "locked" in text or "busy" in text:
                said = "is in use by another program; wait until it is done and try again"
            elif "full" in text or "disk I/O" in text:
                said = "cannot grow because the disk is full; free some space and run the command again to go on"
            elif "readonly" in text or "unable to open" in text:
                said = "cannot be written; check its permissions or choose another file"
            elif "not a database" in text or "malformed" in text:
                said = "is no ledger (or a damaged one); choose another file or restore a copy"
            else:
                said = f"cannot be used ({text}); restore a copy or choose another file"
            raise LedgerError(f"the ledger {self.path} {said}") from wrong

    @contextmanager
    def _writing(self):
        """One transaction: all of it or nothing."""
        with self._told():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the file."""
        self.db.close()

    def _all(self, query, *values):
        with self._told():
            return self.db.execute(query, values).fetchall()

    def note_assignment(self, assignment):
        """Keep what reports show of an assignment; give its hash."""
        name = hash_text(assignment.dumps())
        with self._writing():
            before = self._face_hash(assignment.name)
            if not self._all("SELECT 1 FROM assignments WHERE hash = ?", name):
                shown = json.dumps(face(assignment), sort_keys=True, ensure_ascii=False)
                self.db.execute("INSERT INTO assignments VALUES (?, ?, ?)", (name, assignment.name, shown))
            if before != name:
                self.db.execute(
                    "INSERT INTO uses (assignment, hash, at) VALUES (?, ?, ?)", (assignment.name, name, _now())
                )
        return name

    def _face_hash(self, assignment):
        """The hash of an assignment as it was used last, or None."""
        used = self._all("SELECT hash FROM uses WHERE assignment = ? ORDER BY id DESC LIMIT 1", assignment)
        rows = used or self._all("SELECT hash FROM assignments WHERE name = ? ORDER BY rowid DESC LIMIT 1", assignment)
        return rows[0][0] if rows else None

    def keep(self, content):
        """Keep the bytes of a submission, so that it can be graded again; give their sha256.

        The same bytes are kept once. Those of more than LARGEST_CONTENT are not kept: the grader refuses them anyway.
        """
        return self.keep_all([content])[0]

    def keep_all(self, contents):
        """Keep the bytes of several submissions in one transaction; give their sha256 in the same order."""
        names, new = [], {}
        for content in contents:
            names.append(hashlib.sha256(content).hexdigest())
            if len(content) <= LARGEST_CONTENT and not self._keeps(names[-1]):
                new[names[-1]] = (zlib.compress(content), len(content))
        if new:
            with self._writing():
                self.db.executemany(
                    "INSERT INTO contents (hash, packed, size, at) VALUES (?, ?, ?, ?)",
                    [(name, *packed, _now()) for name, packed in new.items() if not self._keeps(name)],
                )
        return names

    def _keeps(self, name):
        return bool(self._all("SELECT 1 FROM contents WHERE hash = ?", name))

    def content(self, name):
        """The bytes with this sha256, or None when they were not kept.

        Raises
        ------
        LedgerError
            when what is there is not what was kept.
        """
        rows = self._all("SELECT packed, size FROM contents WHERE hash = ?", name)
        if not rows:
            return None
        packed, size = rows[0]
        try:
            content = zlib.decompressobj().decompress(packed, size + 1)
        except zlib.error:
            content = b""
        if hashlib.sha256(content).hexdigest() != name:
            raise LedgerError(f"the ledger {self.path} is damaged (submission {name[:12]}); restore a copy")
        return content

    def note_submissions(self, assignment, submissions, times=None):
        """Keep which bytes each student handed in, as (student, hash) pairs: the last entry counts.

        Parameters
        ----------
        times : dict from student to an aware datetime, the time of handing in, or to a pair of it and one of HOW:
            "file" (the file's own time), "stamp" (one that was written when it was handed in) or "given" (by the
            instructor). The time of the same bytes is replaced only by a surer one: copying a folder makes nobody late.
        """
        submissions = list(submissions)
        latest = dict(self.latest(assignment))
        new = [(student, submission) for student, submission in submissions if latest.get(student) != submission]
        with self._writing():
            self.db.executemany(
                "INSERT INTO submissions (assignment, student, submission, at, by) VALUES (?, ?, ?, ?, ?)",
                [(assignment, student, submission, _now(), self.by) for student, submission in new],
            )
            self._note_times(assignment, dict(submissions), times or {}, {student for student, _ in new})

    def _note_times(self, assignment, submissions, times, new):
        """Append the times that say something new."""
        known, rows = self._times(assignment), []
        for student, submission in submissions.items():
            if times.get(student) is None:
                continue
            given = times[student]
            when, how = given if isinstance(given, tuple) else (given, "file")
            if when.tzinfo is None or how not in HOW:
                raise LedgerError(f"the time {when} of {student!r} ({how}) has no zone or no known origin")
            text, (before, surer) = when.isoformat(), known.get((student, submission), ("", "file"))
            if student not in new and before and (text == before or HOW.index(how) < max(1, HOW.index(surer))):
                continue
            rows.append((assignment, student, submission, text, how, self.by, _now()))
        self.db.executemany(
            "INSERT INTO times (assignment, student, submission, handed_in, how, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def _times(self, assignment):
        """(student, submission) -> (time, how), the last entry of each."""
        rows = self._all(
            "SELECT student, submission, handed_in, how FROM times WHERE assignment = ? ORDER BY id", assignment
        )
        return {(student, submission): (when, how) for student, submission, when, how in rows}

    def latest(self, assignment):
        """The students of an assignment and the hash of what each handed in last, in the order of names."""
        return self._all(
            "SELECT student, submission FROM submissions WHERE id IN "
            "(SELECT max(id) FROM submissions WHERE assignment = ? GROUP BY student) ORDER BY student",
            assignment,
        )

    def find(self, submission, key):
        """The record of a submission under this key, or None."""
        rows = self._all(
            "SELECT record FROM records WHERE submission = ? AND assignment_hash = ? AND grader = ? "
            "AND environment = ?",
            submission, key.assignment, key.grader, key.environment,
        )  # fmt: skip
        return Record.loads(rows[0][0]) if rows else None

    def add(self, record, key):
        """Keep a record for good.

        Returns
        -------
        new : False when the same grading is there already; the ledger then stays as it is.

        Raises
        ------
        LedgerError
            when the same grading is there with other contents: grading must give the same record every time.
        """
        parts = (record.submission, key.assignment, key.grader, key.environment, record.seed)
        name, text = hash_text(json.dumps(parts)), record.dumps()
        with self._writing():
            there = self.db.execute("SELECT record FROM records WHERE key = ?", (name,)).fetchone()
            if there is None:
                self.db.execute(
                    "INSERT INTO records (key, submission, assignment, assignment_hash, grader, environment, seed, "
                    "record, at, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (name, record.submission, record.assignment, *parts[1:], text, _now(), self.by),
                )
        if there is not None and there[0] != text:
            told = f"submission {record.submission[:12]} was graded again and gave another record"
            raise LedgerError(f"{told}; the first one is kept: look for chance in the checks or a machine under load")
        return there is None

    def choose(self, assignment, submissions, key):
        """Make the records under this key the ones that count, where they are there and another was made later.

        Grading finds such records when an assignment was changed and changed back: they are not made again.
        """
        current, rows = self._current(assignment), []
        for submission in dict.fromkeys(submissions):
            found = self._all(
                "SELECT id FROM records WHERE submission = ? AND assignment_hash = ? AND grader = ? "
                "AND environment = ?",
                submission, key.assignment, key.grader, key.environment,
            )  # fmt: skip
            if found and current.get(submission) not in (None, found[0][0]):
                rows.append(
                    (assignment, submission, found[0][0], self._newest(assignment, submission), self.by, _now())
                )
        if rows:
            with self._writing():
                self.db.executemany(
                    "INSERT INTO choices (assignment, submission, record, newest, by, at) VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
        return len(rows)

    def _newest(self, assignment, submission):
        query = "SELECT max(id) FROM records WHERE assignment = ? AND submission = ?"
        return self._all(query, assignment, submission)[0][0]

    def _current(self, assignment):
        """submission -> the number of the record that counts: the newest, unless an earlier one was chosen since."""
        newest = dict(
            self._all("SELECT submission, max(id) FROM records WHERE assignment = ? GROUP BY submission", assignment)
        )
        chosen = self._all(
            "SELECT submission, record, newest FROM choices WHERE assignment = ? ORDER BY id", assignment
        )
        last = {submission: (record, since) for submission, record, since in chosen}
        return {
            submission: last[submission][0] if submission in last and last[submission][1] >= number else number
            for submission, number in newest.items()
        }

    # ---- what people enter

    def adjust(self, assignment, student, kind, amount, reason, check=""):
        """Append an entry made by a person.

        Parameters
        ----------
        kind : manual (adds points), override (sets the score) or late (takes a percentage of the whole).
        amount : points, or percent for late.
        reason : why, in a few words; it is shown to the student.
        check : the check or written question concerned; "" for the whole.
        """
        if kind not in KINDS:
            raise LedgerError(f"{kind!r} is no kind of entry; use one of {', '.join(KINDS)}")
        if not isinstance(amount, (int, float)) or not math.isfinite(amount):
            raise LedgerError(f"the amount {amount!r} is no number; give points, or percent for a late penalty")
        if kind == "late" and (check or not 0 <= amount <= 100):
            raise LedgerError("a late penalty takes 0 to 100 percent of the whole; give no check and such a number")
        if kind == "override" and amount < 0:
            raise LedgerError("an override sets a score of at least 0; use a manual entry to take points away")
        if not reason.strip():
            raise LedgerError("an entry needs a reason; say in a few words why the score changes")
        self._known(assignment, student)
        shown = self.face(assignment)
        names = [one["id"] for one in (*shown["checks"], *shown.get("manuals", ()))]
        if check and check not in names:
            raise LedgerError(f"{check!r} is no check of {assignment}; there: {', '.join(names)}")
        with self._writing():
            self._enter([(assignment, student, kind, check, float(amount), reason.strip(), {})])

    def _known(self, assignment, student):
        known = dict(self.latest(assignment))
        if student not in known:
            near = [name for name in known if name.casefold() == student.casefold()]
            told = f"; there is {near[0]!r}" if near else "; look at the names in the report"
            raise LedgerError(f"{student!r} has handed in nothing for {assignment}{told}")

    def _enter(self, entries):
        """Append entries, inside a transaction: (assignment, student, kind, check, amount, reason, detail)."""
        self.db.executemany(
            "INSERT INTO adjustments (assignment, student, kind, check_id, amount, reason, at, by, detail) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*entry[:6], _now(), self.by, json.dumps(entry[6], sort_keys=True)) for entry in entries],
        )

    def withdraw(self, assignment, student, number, reason):
        """Take back an entry by another: the first stays where it is and counts no more.

        Raises
        ------
        LedgerError
            when the student has no such entry, or it was taken back already.
        """
        if not reason.strip():
            raise LedgerError("taking an entry back needs a reason; say in a few words why")
        self._known(assignment, student)
        entries = self.entries(assignment).get(student, [])
        open_ones = {entry.number: entry for entry in in_force(entries)}
        if number not in open_ones:
            known = ", ".join(map(str, open_ones)) or "none"
            raise LedgerError(f"{student!r} has no entry {number} in force for {assignment} (there: {known})")
        with self._writing():
            check = open_ones[number].check
            self._enter([(assignment, student, "withdraw", check, float(number), reason.strip(), {})])

    def mark(self, assignment, marks):
        """Append the marks of written answers, all or none.

        Parameters
        ----------
        marks : list of (student, question, {rubric item: points}, comment). Items that are not given keep the points
            that they had for the same text.

        Returns
        -------
        new : how many entries were made; marks that are there already make none.

        Raises
        ------
        LedgerError
            naming the student and item that is wrong: an unknown one, points that it does not give, no text to mark.
        """
        questions = {one["id"]: one for one in self.face(assignment).get("manuals", ())}
        with self._writing():
            standings, known = {one.student: one for one in self.standings(assignment)}, self.entries(assignment)
            entries = [self._marked(assignment, questions, standings, known, *mark) for mark in marks]
            self._enter([entry for entry in entries if entry])
        return sum(entry is not None for entry in entries)

    def _marked(self, assignment, questions, standings, known, student, question, items, comment):
        """One entry of marks, or None when it says nothing new."""
        if question not in questions:
            there = ", ".join(questions) or "none"
            raise LedgerError(f"{question!r} is no written question of {assignment} (there: {there})")
        if student not in standings:
            self._known(assignment, student)
        standing, rubric = standings[student], {one["id"]: one for one in questions[question]["rubric"]}
        if standing.record is None:
            raise LedgerError(f"the last submission of {student!r} is not graded yet; run `seqlab grade` first")
        if question not in standing.record.written:
            raise LedgerError(f"the submission of {student!r} holds no text for {question!r}; use `seqlab adjust`")
        for item, points in items.items():
            if item not in rubric:
                raise LedgerError(f"{item!r} is no item of the rubric of {question!r} (there: {', '.join(rubric)})")
            good = isinstance(points, (int, float)) and not isinstance(points, bool)
            if not good or not 0 <= points <= rubric[item]["points"]:
                most = f"{rubric[item]['points']:g}"
                raise LedgerError(f"{student!r} gets {points!r} for {item!r}; that item gives 0 to {most} points")
        text = standing.text(question)
        before = _last_marks(known.get(student, []), question, text)
        had = dict(before.items) if before else {}
        whole = {name: float((had | items)[name]) for name in rubric if name in had | items}
        said = comment.strip() or (before.reason if before else "")
        if before and whole == had and said == before.reason:
            return None
        if not whole and not said:
            return None
        return (
            assignment,
            student,
            "rubric",
            question,
            sum(whole.values()),
            said,
            {"items": whole, "of": hash_text(text)},
        )

    def marks_so_far(self, assignment, question):
        """The last marks of each student's present text, whole or not: student -> Adjustment or None."""
        entries = self.entries(assignment)
        return {
            one.student: _last_marks(entries.get(one.student, []), question, one.text(question))
            for one in self.standings(assignment)
        }

    def set_deadline(self, assignment, terms, reason="", student=""):
        """Append a deadline, or the extension of one student.

        Parameters
        ----------
        terms : dict as `late.given_terms` makes it; what it does not name stays as it was. None takes the deadline, or
            the extension, away.
        reason : why; an extension needs one.

        Raises
        ------
        LedgerError
            when there is no date at all, an extension ends before the deadline of all, or has no reason.
        """
        if student and not reason.strip():
            raise LedgerError(f"the extension of {student!r} needs a reason; say in a few words why")
        mine, own = self.deadlines(assignment).get("") or {}, self.deadlines(assignment).get(student)
        if terms is not None:
            terms = (own or {}) | terms
            after = late.terms_of(mine if student else None, terms)
            if after is None:
                raise LedgerError(f"{assignment} has no deadline yet; give its date and time with --due")
            if student and "due" in mine and after.due < late.terms_of(mine).due:
                said = late.moment(late.terms_of(mine).due)
                raise LedgerError(f"the extension of {student!r} ends before the deadline of all, {said}; give a later")
        elif own is None:
            whose = f"extension of {student!r}" if student else "deadline"
            raise LedgerError(f"{assignment} has no {whose} to take away")
        with self._writing():
            self.db.execute(
                "INSERT INTO deadlines (assignment, student, terms, reason, by, at) VALUES (?, ?, ?, ?, ?, ?)",
                (assignment, student, late.dumps(terms), reason.strip(), self.by, _now()),
            )

    def deadlines(self, assignment):
        """What holds: student ("" for all) -> terms as they were given; without those that were taken away."""
        rows = self._all("SELECT student, terms FROM deadlines WHERE assignment = ? ORDER BY id", assignment)
        last = {student: json.loads(terms) for student, terms in rows}
        return {student: terms for student, terms in last.items() if terms is not None}

    def deadline_entries(self, assignment):
        """Every entry on deadlines, oldest first: (student, terms or None, reason, by, at)."""
        rows = self._all(
            "SELECT student, terms, reason, by, at FROM deadlines WHERE assignment = ? ORDER BY id", assignment
        )
        return [(student, json.loads(terms), *rest) for student, terms, *rest in rows]

    def entries(self, assignment):
        """Every entry that a person made, oldest first: student -> list of Adjustment."""
        entries = {}
        for student, number, kind, check, amount, reason, by, at, detail in self._all(
            "SELECT student, id, kind, check_id, amount, reason, by, at, detail FROM adjustments "
            "WHERE assignment = ? ORDER BY id",
            assignment,
        ):
            more = json.loads(detail)
            made = Adjustment(
                kind, check, amount, reason, by, at, number, tuple(more.get("items", {}).items()), more.get("of", "")
            )
            entries.setdefault(student, []).append(made)
        return entries

    # ---- what is told

    def assignments(self):
        """The names of the assignments that have submissions."""
        return [name for (name,) in self._all("SELECT DISTINCT assignment FROM submissions ORDER BY assignment")]

    def face(self, assignment):
        """What reports show of an assignment, as it was when last graded."""
        rows = self._all("SELECT face FROM assignments WHERE hash = ?", self._face_hash(assignment))
        if not rows:
            known = ", ".join(self.assignments()) or "none"
            raise LedgerError(f"the ledger {self.path} has no assignment {assignment!r} (there: {known})")
        return json.loads(rows[0][0])

    def standings(self, assignment):
        """Where every student stands, in the order of names: the record that counts of what was handed in last."""
        records, current = {}, set(self._current(assignment).values())
        for number, submission, text in self._all(
            "SELECT id, submission, record FROM records WHERE assignment = ?", assignment
        ):
            if number in current:
                records[submission] = Record.loads(text)
        entries, times, deadlines = self.entries(assignment), self._times(assignment), self.deadlines(assignment)
        questions = tuple(self.face(assignment).get("manuals", ())) if self._face_hash(assignment) else ()
        return [
            _standing(
                student, submission, records.get(submission), entries.get(student, []), questions,
                times.get((student, submission)), late.extended(deadlines.get(""), deadlines.get(student)),
            )
            for student, submission in self.latest(assignment)
        ]  # fmt: skip

    def history(self, assignment, student):
        """Every record of a student's submissions, oldest first, with its date: (at, Record)."""
        return [(at, record) for at, record, *_ in self.gradings(assignment, student)]

    def gradings(self, assignment, student):
        """Every grading of a student's submissions, oldest first: (at, Record, Key, by)."""
        rows = self._all(
            "SELECT DISTINCT records.id, records.at, records.record, records.assignment_hash, records.grader, "
            "records.environment, records.by FROM records JOIN submissions "
            "ON records.submission = submissions.submission AND records.assignment = submissions.assignment "
            "WHERE submissions.assignment = ? AND submissions.student = ? ORDER BY records.id",
            assignment, student,
        )  # fmt: skip
        return [(at, Record.loads(text), Key(*key), by) for _, at, text, *key, by in rows]

    def current_keys(self, assignment):
        """submission -> the Key of the record that counts."""
        current = set(self._current(assignment).values())
        rows = self._all(
            "SELECT id, submission, assignment_hash, grader, environment FROM records WHERE assignment = ?", assignment
        )
        return {submission: Key(*key) for number, submission, *key in rows if number in current}

    def handed_in(self, assignment, student):
        """Everything that a student handed in, oldest first: (at, by, submission, size or None)."""
        return self._all(
            "SELECT submissions.at, submissions.by, submissions.submission, contents.size FROM submissions "
            "LEFT JOIN contents ON contents.hash = submissions.submission "
            "WHERE assignment = ? AND student = ? ORDER BY submissions.id",
            assignment, student,
        )  # fmt: skip

    def time_entries(self, assignment, student):
        """Every time of handing in that was noted, oldest first: (at, by, submission, time, how)."""
        return self._all(
            "SELECT at, by, submission, handed_in, how FROM times WHERE assignment = ? AND student = ? ORDER BY id",
            assignment, student,
        )  # fmt: skip

    def choice_entries(self, assignment, student):
        """When an earlier grading was made the one that counts, oldest first: (at, by, submission, Key)."""
        rows = self._all(
            "SELECT DISTINCT choices.id, choices.at, choices.by, choices.submission, records.assignment_hash, "
            "records.grader, records.environment FROM choices JOIN submissions "
            "ON choices.submission = submissions.submission AND choices.assignment = submissions.assignment "
            "JOIN records ON records.id = choices.record "
            "WHERE submissions.assignment = ? AND submissions.student = ? ORDER BY choices.id",
            assignment, student,
        )  # fmt: skip
        return [(at, by, submission, Key(*key)) for _, at, by, submission, *key in rows]

    def copy(self, path):
        """A copy of this ledger in another file, for trying what is not to be kept; give it as a Ledger."""
        with self._told():
            other = sqlite3.connect(path)
            try:
                self.db.backup(other)
            finally:
                other.close()
        return Ledger(path, must_exist=True, by=self.by)


def _standing(student, submission, record, entries, questions, time, terms):
    """One student's Standing from what the ledger holds."""
    entries = in_force(entries)
    when = datetime.fromisoformat(time[0]) if time else None
    if when and terms:
        when = when.astimezone(terms.due.tzinfo)
    marks = []
    for question in questions if record else ():
        last = _last_marks(entries, question["id"], record.written.get(question["id"], ""))
        if last and {one["id"] for one in question["rubric"]} <= {item for item, _ in last.items}:
            marks.append(last)
    return Standing(
        student, record, tuple(entry for entry in entries if entry.kind in KINDS), tuple(marks), questions,
        late.lateness(terms, when) if terms and when else None, when, submission,
    )  # fmt: skip
