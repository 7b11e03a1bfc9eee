"""What was graded, in one SQLite file that only grows.

A record is kept under the hash of everything that it depends on: the submission's bytes, the assignment, the grader's
code, the environment and the seed. Killed at any instant, the ledger holds what was finished, and grading again does
only the rest. Points given by hand, overrides and late penalties are entries of their own, with a reason, and never
change a record. Rows are neither changed nor removed: the database itself refuses.
"""

import hashlib
import json
import math
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seqlab.grading.model import Outcome, Record

APPLICATION = 0x53514C42  # marks the file as ours
WAIT_SECONDS = 10.0
KINDS = ("manual", "override", "late")
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
TABLES = ("assignments", "submissions", "records", "adjustments")


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
    """An entry made by a person: points added, a score set, or a late penalty in percent."""

    kind: str
    check: str
    amount: float
    reason: str


@dataclass(frozen=True)
class Standing:
    """Where a student stands in one assignment."""

    student: str
    record: Record | None  # None: handed in, not graded yet
    adjustments: tuple[Adjustment, ...]

    def earned(self, check):
        """Points of one check after what was given by hand for it."""
        points = next((one.earned for one in self.record.checks if one.id == check), 0.0) if self.record else 0.0
        for entry in self.adjustments:
            if entry.check == check and entry.kind == "override":
                points = entry.amount
        return points + sum(e.amount for e in self.adjustments if e.check == check and e.kind == "manual")

    @property
    def late(self):
        """The late penalty in percent: the last one entered counts."""
        return next((entry.amount for entry in reversed(self.adjustments) if entry.kind == "late"), 0.0)

    @property
    def score(self):
        """The final score: checks, then what concerns the whole, then the late penalty; never below 0."""
        total = sum(self.earned(check.id) for check in self.record.checks) if self.record else 0.0
        for entry in self.adjustments:
            if entry.check == "" and entry.kind == "override":
                total = entry.amount
        total += sum(e.amount for e in self.adjustments if e.check == "" and e.kind == "manual")
        return max(0.0, round(total * (1 - self.late / 100), 6))

    @property
    def points(self):
        """The most that could be earned."""
        return self.record.points if self.record else 0.0

    @property
    def needs_attention(self):
        """Whether a person must look."""
        return self.record is None or self.record.outcome is not Outcome.GRADED


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
    }


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """The ledger in one file; use it in a `with` block.

    Parameters
    ----------
    path : the file; it is made when it is not there, unless `must_exist`.

    Raises
    ------
    LedgerError
        one sentence: the file is no ledger, is locked by another program, cannot be written, the disk is full.
    """

    def __init__(self, path, must_exist=False):
        self.path = Path(path)
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
        application = self.db.execute("PRAGMA application_id").fetchone()[0]
        if application == APPLICATION:
            return
        if self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise LedgerError(f"{self.path} is a database of another program; choose another file for the ledger")
        with self._writing():
            if self.db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION:
                return  # another process has just made it
            for statement in SCHEMA.split(";"):
                self.db.execute(statement)
            for table in TABLES:
                for event in ("UPDATE", "DELETE"):
                    self.db.execute(
                        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
                    )
            self.db.execute(f"PRAGMA application_id = {APPLICATION}")

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
            self.db.execute(
                "INSERT OR IGNORE INTO assignments VALUES (?, ?, ?)",
                (name, assignment.name, json.dumps(face(assignment), sort_keys=True, ensure_ascii=False)),
            )
        return name

    def note_submissions(self, assignment, submissions):
        """Keep which bytes each student handed in, as (student, hash) pairs: the last entry counts."""
        latest = dict(self.latest(assignment))
        new = [(student, submission) for student, submission in submissions if latest.get(student) != submission]
        with self._writing():
            self.db.executemany(
                "INSERT INTO submissions (assignment, student, submission, at) VALUES (?, ?, ?, ?)",
                [(assignment, student, submission, _now()) for student, submission in new],
            )

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
                    "record, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (name, record.submission, record.assignment, *parts[1:], text, _now()),
                )
        if there is not None and there[0] != text:
            told = f"submission {record.submission[:12]} was graded again and gave another record"
            raise LedgerError(f"{told}; the first one is kept: look for chance in the checks or a machine under load")
        return there is None

    def adjust(self, assignment, student, kind, amount, reason, check=""):
        """Append an entry made by a person.

        Parameters
        ----------
        kind : manual (adds points), override (sets the score) or late (takes a percentage of the whole).
        amount : points, or percent for late.
        reason : why, in a few words; it is shown to the student.
        check : the check concerned; "" for the whole.
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
        known = dict(self.latest(assignment))
        if student not in known:
            raise LedgerError(f"{student!r} has handed in nothing for {assignment}; look at the names in the report")
        shown = self.face(assignment)
        if check and check not in {one["id"] for one in shown["checks"]}:
            raise LedgerError(
                f"{check!r} is no check of {assignment}; there: {', '.join(c['id'] for c in shown['checks'])}"
            )
        with self._writing():
            self.db.execute(
                "INSERT INTO adjustments (assignment, student, kind, check_id, amount, reason, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (assignment, student, kind, check, float(amount), reason.strip(), _now()),
            )

    def assignments(self):
        """The names of the assignments that have submissions."""
        return [name for (name,) in self._all("SELECT DISTINCT assignment FROM submissions ORDER BY assignment")]

    def face(self, assignment):
        """What reports show of an assignment, as it was when last graded."""
        rows = self._all("SELECT face FROM assignments WHERE name = ? ORDER BY rowid DESC LIMIT 1", assignment)
        if not rows:
            known = ", ".join(self.assignments()) or "none"
            raise LedgerError(f"the ledger {self.path} has no assignment {assignment!r} (there: {known})")
        return json.loads(rows[0][0])

    def standings(self, assignment):
        """Where every student stands, in the order of names: the newest record of what was handed in last."""
        records = {
            submission: Record.loads(text)
            for submission, text in self._all(
                "SELECT submission, record FROM records WHERE id IN "
                "(SELECT max(id) FROM records WHERE assignment = ? GROUP BY submission)",
                assignment,
            )
        }
        entries = {}
        for student, *entry in self._all(
            "SELECT student, kind, check_id, amount, reason FROM adjustments WHERE assignment = ? ORDER BY id",
            assignment,
        ):
            entries.setdefault(student, []).append(Adjustment(*entry))
        return [
            Standing(student, records.get(submission), tuple(entries.get(student, ())))
            for student, submission in self.latest(assignment)
        ]

    def history(self, assignment, student):
        """Every record of a student's submissions, oldest first, with its date: (at, Record)."""
        rows = self._all(
            "SELECT DISTINCT records.id, records.at, records.record FROM records JOIN submissions "
            "ON records.submission = submissions.submission AND records.assignment = submissions.assignment "
            "WHERE submissions.assignment = ? AND submissions.student = ? ORDER BY records.id",
            assignment, student,
        )  # fmt: skip
        return [(at, Record.loads(text)) for _, at, text in rows]
