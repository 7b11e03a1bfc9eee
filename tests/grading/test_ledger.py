"""The ledger keeps every finished record whatever happens, and changes none."""

import json
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlab.grading import late
from seqlab.grading import ledger as ledgers
from seqlab.grading.ledger import Adjustment, Key, Ledger, LedgerError, Standing
from seqlab.grading.model import Outcome, State
from seqlab.grading.source import read_source
from tests.grading import course

P, F = State.PASSED, State.FAILED
KEY = Key("assignment", "grader", "environment")


@pytest.fixture
def book(tmp_path):
    with Ledger(tmp_path / "grades.sqlite") as book:
        yield book


@pytest.fixture
def assignment(tmp_path):
    return read_source(course.folder(tmp_path))


@pytest.fixture
def filled(book, assignment):
    """A ledger with two students: ada has 5 of 7, bob handed in and is not graded."""
    book.note_assignment(assignment)
    book.note_submissions(course.NAME, [("ada", "a" * 64), ("bob", "b" * 64)])
    book.add(course.record("a" * 64, [P, P, F]), KEY)
    return book


def score(book, student="ada"):
    return next(one for one in book.standings(course.NAME) if one.student == student).score


def test_a_record_comes_back_as_it_was(book):
    record = course.record("s", [P, F, P], Outcome.NEEDS_ATTENTION, problems=["look"], shown={"double": "π\n"})
    assert book.add(record, KEY)
    assert book.find("s", KEY) == record


def test_the_same_grading_again_changes_nothing(book):
    record = course.record("s", [P, F, P])
    assert book.add(record, KEY)
    assert not book.add(record, KEY)
    assert book.db.execute("SELECT count(*) FROM records").fetchone() == (1,)


def test_another_record_of_the_same_grading_is_refused_and_the_first_kept(book):
    book.add(course.record("s", [P, F, P]), KEY)
    with pytest.raises(LedgerError, match="was graded again and gave another record; the first one is kept"):
        book.add(course.record("s", [P, P, P]), KEY)
    assert book.find("s", KEY).score == 4


@pytest.mark.parametrize("part", ["assignment", "grader", "environment"])
def test_another_assignment_grader_or_environment_is_another_grading(book, part):
    book.add(course.record("s", [P, F, P]), KEY)
    other = replace(KEY, **{part: "other"})
    assert book.find("s", other) is None
    assert book.add(course.record("s", [P, P, P]), other)
    assert book.find("s", KEY).score == 4
    assert book.find("s", other).score == 7


def test_the_newest_record_of_the_last_submission_stands(filled):
    assert score(filled) == 5
    filled.add(course.record("a" * 64, [P, F, F]), replace(KEY, grader="newer"))
    assert score(filled) == 2
    filled.note_submissions(course.NAME, [("ada", "c" * 64)])
    assert filled.standings(course.NAME)[0].record is None
    filled.add(course.record("c" * 64, [P, P, P]), KEY)
    assert score(filled) == 7
    assert [record.score for _, record in filled.history(course.NAME, "ada")] == [5, 2, 7]


def test_handing_in_the_same_again_adds_no_entry(filled):
    filled.note_submissions(course.NAME, [("ada", "a" * 64)])
    assert filled.db.execute("SELECT count(*) FROM submissions").fetchone() == (2,)


def test_going_back_to_an_earlier_submission_counts(filled):
    filled.note_submissions(course.NAME, [("ada", "b" * 64)])
    filled.note_submissions(course.NAME, [("ada", "a" * 64)])
    assert dict(filled.latest(course.NAME))["ada"] == "a" * 64


def test_students_with_the_same_bytes_share_a_record(filled):
    filled.note_submissions(course.NAME, [("twin", "a" * 64)])
    assert score(filled, "twin") == 5


def fill_every_table(book, key=KEY):
    """At least one row in each table."""
    book.adjust(course.NAME, "ada", "manual", 1, "neat")
    book.note_submissions(course.NAME, [("eve", book.keep(b"{}"))], {"eve": datetime(2026, 12, 1, tzinfo=UTC)})
    book.set_deadline(course.NAME, late.given_terms("2026-12-01 23:59", "UTC"))
    book.add(course.record("a" * 64, [P, F, F]), replace(key, grader="newer"))
    assert book.choose(course.NAME, ["a" * 64], key) == 1
    for table in ledgers.TABLES:
        assert book.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.mark.parametrize("table", ledgers.TABLES)
def test_no_row_can_be_replaced_either(filled, table):
    fill_every_table(filled)
    row = filled.db.execute(f"SELECT * FROM {table}").fetchone()
    places = ", ".join("?" * len(row))
    with pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
        filled.db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({places})", row)


@pytest.mark.parametrize("table", ledgers.TABLES)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1"])
def test_the_database_itself_refuses_to_change_or_remove(filled, table, statement):
    fill_every_table(filled)
    with pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
        filled.db.execute(statement.format(table))


# -------------------------------------------------------------------------------------------- adjustments


def test_points_by_hand_overrides_and_late_penalties_add_up(filled):
    filled.adjust(course.NAME, "ada", "manual", 1, "neat")
    assert score(filled) == 6
    filled.adjust(course.NAME, "ada", "override", 2, "the check was unfair", "running-values")
    assert score(filled) == 8
    filled.adjust(course.NAME, "ada", "late", 50, "a day")
    assert score(filled) == 4
    filled.adjust(course.NAME, "ada", "late", 10, "half a day after all")
    assert score(filled) == 7.2
    filled.adjust(course.NAME, "ada", "override", 3, "oral examination")
    assert score(filled) == pytest.approx(3 * 0.9), "an override of the whole replaces what was before it"
    filled.adjust(course.NAME, "ada", "manual", 1, "and a good question")
    assert score(filled) == pytest.approx((3 + 1) * 0.9)
    filled.adjust(course.NAME, "ada", "manual", -99, "copied")
    assert score(filled) == 0


def test_an_adjustment_leaves_the_record_alone(filled):
    filled.adjust(course.NAME, "ada", "override", 0, "copied")
    assert filled.find("a" * 64, KEY).score == 5


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (("ada", "bonus", 1, "x"), "'bonus' is no kind of entry"),
        (("ada", "manual", float("nan"), "x"), "the amount nan is no number"),
        (("ada", "manual", 1, "  "), "an entry needs a reason"),
        (("eve", "manual", 1, "x"), "'eve' has handed in nothing for 00_tiny_source"),
        (("ada", "late", 101, "x"), "a late penalty takes 0 to 100 percent"),
        (("ada", "late", 10, "x", "double-values"), "a late penalty takes 0 to 100 percent of the whole"),
        (("ada", "override", -1, "x"), "an override sets a score of at least 0"),
        (("ada", "manual", 1, "x", "nothing"), "'nothing' is no check of 00_tiny_source"),
    ],
)
def test_a_mistaken_adjustment_is_one_sentence_and_adds_nothing(filled, entry, said):
    with pytest.raises(LedgerError, match=said):
        filled.adjust(course.NAME, *entry)
    assert filled.db.execute("SELECT count(*) FROM adjustments").fetchone() == (0,)


# ---------------------------------------------------------------------------------------- what goes wrong


def test_a_file_of_another_kind_is_told_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 500)
    with pytest.raises(LedgerError, match=r"notes\.txt is no ledger"):
        Ledger(path)
    assert path.read_text() == "dear diary " * 500


def test_a_database_of_another_program_is_told_and_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(LedgerError, match="is a database of another program"):
        Ledger(path)


def test_a_missing_ledger_is_told_where_it_must_exist(tmp_path):
    with pytest.raises(LedgerError, match="there is no such file"):
        Ledger(tmp_path / "none.sqlite", must_exist=True)
    with pytest.raises(LedgerError, match="is no folder; make it first"):
        Ledger(tmp_path / "no" / "grades.sqlite")


def test_a_locked_ledger_is_told_and_nothing_is_lost(filled, monkeypatch, tmp_path):
    monkeypatch.setattr(ledgers, "WAIT_SECONDS", 0.05)
    with Ledger(filled.path) as second:
        filled.db.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="is in use by another program; wait until it is done"):
            second.add(course.record("d" * 64, [P, P, P]), KEY)
        filled.db.execute("COMMIT")
        assert second.add(course.record("d" * 64, [P, P, P]), KEY)
    assert score(filled) == 5


def test_a_full_disk_is_told_and_nothing_is_lost(filled):
    pages = filled.db.execute("PRAGMA page_count").fetchone()[0]
    filled.db.execute(f"PRAGMA max_page_count = {pages}")
    large = course.record("l" * 64, [P, P, P], shown={"double": "x" * 50_000})
    with pytest.raises(LedgerError, match="cannot grow because the disk is full; free some space"):
        filled.add(large, KEY)
    filled.db.execute("PRAGMA max_page_count = 1000000")
    assert score(filled) == 5
    assert filled.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert filled.add(course.record("z" * 64, [P, P, P]), KEY)


def test_a_ledger_that_meets_the_file_size_limit_keeps_what_it_had(tmp_path):
    code = f"""
        import resource, signal, sys
        from seqlab.grading.ledger import Key, Ledger, LedgerError
        from seqlab.grading.model import State
        from tests.grading import course
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with Ledger(sys.argv[1]) as book:
            book.add(course.record("first", [State.PASSED] * 3), Key("a", "g", "e"))
            resource.setrlimit(resource.RLIMIT_FSIZE, ({1 << 17}, {resource.RLIM_INFINITY}))
            try:
                for number in range(1000):
                    record = course.record(str(number), [State.PASSED] * 3, shown={{"x": "y" * 3000}})
                    book.add(record, Key("a", "g", "e"))
            except LedgerError as wrong:
                print(wrong)
    """
    done = run(code, tmp_path / "grades.sqlite")
    assert "cannot grow because the disk is full" in done.stdout
    with Ledger(tmp_path / "grades.sqlite") as book:
        assert book.find("first", KEY_AGE).score == 7
        assert book.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


KEY_AGE = Key("a", "g", "e")
WRITER = """
    import sys
    from seqlab.grading.ledger import Key, Ledger
    from seqlab.grading.model import State
    from tests.grading import course
    with Ledger(sys.argv[1]) as book:
        print("open", flush=True)
        for number in range(10_000):
            if book.find(str(number), Key("a", "g", "e")) is None:
                book.add(course.record(str(number), [State.PASSED] * 3), Key("a", "g", "e"))
            print(number, flush=True)
"""


def run(code, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_killed_at_random_instants_it_holds_all_that_was_finished_and_goes_on(tmp_path):
    path, rng, told = tmp_path / "grades.sqlite", random.Random(0), -1
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0.0, 0.15))
        writer.send_signal(signal.SIGKILL)
        numbers = [int(line) for line in writer.stdout.read().split()]
        writer.wait()
        told = max([told, *numbers])
        with Ledger(path) as book:
            assert book.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            kept = [int(name) for (name,) in book.db.execute("SELECT submission FROM records ORDER BY id")]
            assert kept == list(range(len(kept)))
            assert len(kept) in (told + 1, told + 2), "every record that was said to be kept is there"
    assert told > 0


def test_two_programs_may_make_the_same_ledger_at_once(tmp_path):
    code = "import sys\nfrom seqlab.grading.ledger import Ledger\nLedger(sys.argv[1]).close()"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "g.sqlite")], stderr=subprocess.PIPE) for _ in "ab"
    ]
    assert [(one.communicate(timeout=60)[1], one.returncode) for one in both] == [(b"", 0)] * 2


# ---------------------------------------------------------------------------------- bytes, times, deadlines


def test_bytes_come_back_as_they_were_and_are_kept_once(book):
    contents = [b"{}", b"", bytes(range(256)) * 1000, b"{}"]
    names = book.keep_all(contents)
    assert [book.content(name) for name in names] == contents
    assert book.keep(b"{}") == names[0]
    assert book.db.execute("SELECT count(*) FROM contents").fetchone() == (3,)
    assert book.content("0" * 64) is None


def test_bytes_that_the_grader_refuses_are_not_kept(book, monkeypatch):
    monkeypatch.setattr(ledgers, "LARGEST_CONTENT", 10)
    assert book.content(book.keep(b"x" * 11)) is None
    assert book.content(book.keep(b"x" * 10)) == b"x" * 10


def test_damaged_bytes_are_told_and_never_given(book):
    name = book.keep(b"homework")
    book.db.execute("DROP TRIGGER contents_no_update")
    for packed in (b"no zlib", zlib.compress(b"HOMEWORK")):
        book.db.execute("UPDATE contents SET packed = ?", (packed,))
        with pytest.raises(LedgerError, match="is damaged"):
            book.content(name)


def at(day, hour=12):
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def handed_in(book, student="ada"):
    return next(one for one in book.standings(course.NAME) if one.student == student).handed_in


def test_copying_a_folder_makes_nobody_late(filled):
    same = [("ada", "a" * 64)]
    filled.note_submissions(course.NAME, same, {"ada": at(1)})
    filled.note_submissions(course.NAME, same, {"ada": at(9)})
    assert handed_in(filled) == at(1)
    filled.note_submissions(course.NAME, same, {"ada": (at(3), "stamp")})
    filled.note_submissions(course.NAME, same, {"ada": at(1)})
    assert handed_in(filled) == at(3), "what was written when it was handed in is surer than the file's time"
    filled.note_submissions(course.NAME, same, {"ada": (at(2), "given")})
    filled.note_submissions(course.NAME, same, {"ada": (at(4), "stamp")})
    assert handed_in(filled) == at(2), "and what the instructor says is surest"
    assert len(filled.time_entries(course.NAME, "ada")) == 3


def test_other_work_has_a_time_of_its_own(filled):
    filled.note_submissions(course.NAME, [("ada", "a" * 64)], {"ada": (at(1), "given")})
    filled.note_submissions(course.NAME, [("ada", "c" * 64)], {"ada": at(9)})
    assert handed_in(filled) == at(9)
    filled.note_submissions(course.NAME, [("ada", "c" * 64)])
    assert handed_in(filled) == at(9)
    filled.note_submissions(course.NAME, [("ada", "a" * 64)])
    assert handed_in(filled) == at(1)


def test_going_back_to_earlier_work_counts_from_when_it_was_handed_in_again(filled):
    for name, day in (("a", 1), ("c", 2), ("a", 3)):
        filled.note_submissions(course.NAME, [("ada", name * 64)], {"ada": at(day)})
    assert handed_in(filled) == at(3)


DUE = {"due": "2026-12-01 12:00", "zone": "UTC", "per_day": 10}


def test_a_penalty_is_computed_when_shown_and_follows_the_last_deadline(filled):
    filled.note_submissions(course.NAME, [("ada", "a" * 64)], {"ada": at(2)})
    assert score(filled) == 5
    filled.set_deadline(course.NAME, late.given_terms(**DUE))
    assert score(filled) == 4.5
    filled.set_deadline(course.NAME, late.given_terms(per_day=50))
    assert score(filled) == 2.5
    filled.set_deadline(course.NAME, late.given_terms("2026-12-02 12:00", "UTC"))
    assert score(filled) == 5
    filled.set_deadline(course.NAME, late.given_terms("2026-12-01 11:00", "UTC"))
    assert score(filled) == 0, "two days have begun"
    filled.set_deadline(course.NAME, None)
    assert score(filled) == 5
    assert len(filled.deadline_entries(course.NAME)) == 5


def test_an_extension_is_for_one_student_alone_and_keeps_the_other_terms(filled):
    filled.add(course.record("b" * 64, [P, P, P]), KEY)
    times = {"ada": at(3), "bob": at(3)}
    filled.note_submissions(course.NAME, [("ada", "a" * 64), ("bob", "b" * 64)], times)
    filled.set_deadline(course.NAME, late.given_terms(**DUE))
    filled.set_deadline(course.NAME, late.given_terms("2026-12-02 12:00", "UTC"), "ill", "ada")
    assert (score(filled), score(filled, "bob")) == (4.5, pytest.approx(5.6))
    filled.set_deadline(course.NAME, late.given_terms(per_day=20))
    assert (score(filled), score(filled, "bob")) == (4, pytest.approx(4.2))
    filled.set_deadline(course.NAME, None, "was not ill", "ada")
    assert score(filled) == 3


def test_moving_the_deadline_of_all_past_an_extension_costs_nobody_time(filled):
    filled.note_submissions(course.NAME, [("ada", "a" * 64)], {"ada": at(9)})
    filled.set_deadline(course.NAME, late.given_terms(**DUE))
    filled.set_deadline(course.NAME, late.given_terms("2026-12-05 12:00", "UTC"), "ill", "ada")
    assert score(filled) == 3
    filled.set_deadline(course.NAME, late.given_terms("2026-12-10 12:00", "UTC"))
    assert score(filled) == 5


def test_a_penalty_by_hand_stands_in_place_of_the_computed_one(filled):
    filled.note_submissions(course.NAME, [("ada", "a" * 64)], {"ada": at(2)})
    filled.set_deadline(course.NAME, late.given_terms(**DUE))
    assert filled.standings(course.NAME)[0].late_sentence == "handed in 1 day late: 10 %"
    filled.adjust(course.NAME, "ada", "late", 0, "the server was down")
    assert score(filled) == 5
    assert filled.standings(course.NAME)[0].late_sentence == ""
    filled.withdraw(course.NAME, "ada", 1, "it was not")
    assert score(filled) == 4.5


@pytest.mark.parametrize(
    ("terms", "reason", "student", "said"),
    [
        ({"per_day": 5}, "", "", "has no deadline yet; give its date and time"),
        (None, "", "", "has no deadline to take away"),
        (None, "x", "ada", "has no extension of 'ada' to take away"),
        (DUE, " ", "ada", "the extension of 'ada' needs a reason"),
    ],
)
def test_a_mistaken_deadline_adds_nothing(filled, terms, reason, student, said):
    with pytest.raises(LedgerError, match=said):
        filled.set_deadline(course.NAME, None if terms is None else late.given_terms(**terms), reason, student)
    assert filled.deadline_entries(course.NAME) == []


def test_an_extension_that_shortens_the_time_is_refused(filled):
    filled.set_deadline(course.NAME, late.given_terms(**DUE))
    with pytest.raises(LedgerError, match="ends before the deadline of all, 2026-12-01 12:00 UTC"):
        filled.set_deadline(course.NAME, late.given_terms("2026-11-01 12:00", "UTC"), "a slip", "ada")


# ------------------------------------------------------------------------------------- who, when, taken back


def test_every_entry_says_who_made_it_and_when(tmp_path, assignment):
    with Ledger(tmp_path / "g.sqlite", by="Grace") as book:
        book.note_assignment(assignment)
        book.note_submissions(course.NAME, [("ada", "a" * 64)])
        book.add(course.record("a" * 64, [P, P, F]), KEY)
        book.adjust(course.NAME, "ada", "manual", 1, "neat")
    with Ledger(tmp_path / "g.sqlite", by="Alan") as book:
        book.adjust(course.NAME, "ada", "manual", 1, "very neat")
        entries = book.entries(course.NAME)["ada"]
    assert [(one.by, one.reason, one.number) for one in entries] == [("Grace", "neat", 1), ("Alan", "very neat", 2)]
    assert all(datetime.fromisoformat(one.at).tzinfo for one in entries)


def test_who_is_at_work_is_named_by_the_environment_or_the_login(monkeypatch):
    monkeypatch.setenv("SEQLAB_BY", " Grace ")
    assert ledgers.person() == "Grace"
    monkeypatch.delenv("SEQLAB_BY")
    monkeypatch.setattr(ledgers.getpass, "getuser", lambda: "alan")
    assert ledgers.person() == "alan"

    def nobody():
        raise KeyError("uid 1234")

    monkeypatch.setattr(ledgers.getpass, "getuser", nobody)
    assert ledgers.person() == ""


def test_an_entry_is_taken_back_by_another_and_stays_in_the_ledger(filled):
    filled.adjust(course.NAME, "ada", "override", 0, "copied")
    filled.adjust(course.NAME, "ada", "manual", 1, "neat")
    assert score(filled) == 1
    filled.withdraw(course.NAME, "ada", 1, "it was the other way round")
    assert score(filled) == 6
    assert [one.kind for one in filled.entries(course.NAME)["ada"]] == ["override", "manual", "withdraw"]


@pytest.mark.parametrize(
    ("student", "number", "reason", "said"),
    [
        ("ada", 2, "x", r"'ada' has no entry 2 in force .*\(there: 1\)"),
        ("bob", 1, "x", r"'bob' has no entry 1 in force .*\(there: none\)"),
        ("eve", 1, "x", "'eve' has handed in nothing"),
        ("ADA", 1, "x", "there is 'ada'"),
        ("ada", 1, " ", "taking an entry back needs a reason"),
    ],
)
def test_only_what_is_in_force_can_be_taken_back(filled, student, number, reason, said):
    filled.adjust(course.NAME, "ada", "manual", 1, "neat")
    with pytest.raises(LedgerError, match=said):
        filled.withdraw(course.NAME, student, number, reason)
    assert score(filled) == 6


def test_an_entry_is_taken_back_only_once(filled):
    filled.adjust(course.NAME, "ada", "manual", 1, "neat")
    filled.withdraw(course.NAME, "ada", 1, "not neat")
    for number in (1, 2):
        with pytest.raises(LedgerError, match=f"has no entry {number} in force"):
            filled.withdraw(course.NAME, "ada", number, "again")


def test_an_assignment_that_was_changed_back_has_its_old_records_again(filled, assignment):
    changed = replace(assignment, title="Changed")
    newer = replace(KEY, assignment="changed")
    filled.note_assignment(changed)
    filled.add(course.record("a" * 64, [P, F, F]), newer)
    assert (score(filled), filled.face(course.NAME)["title"]) == (2, "Changed")
    filled.note_assignment(assignment)
    assert filled.choose(course.NAME, ["a" * 64, "b" * 64], KEY) == 1
    assert (score(filled), filled.face(course.NAME)["title"]) == (5, "A tiny assignment")
    assert filled.choose(course.NAME, ["a" * 64], KEY) == 0, "it counts already"
    filled.add(course.record("a" * 64, [P, P, P]), replace(KEY, grader="newest"))
    assert score(filled) == 7, "a record that is made later counts"
    assert filled.current_keys(course.NAME)["a" * 64].grader == "newest"


def test_the_account_of_a_score_ends_with_the_score(filled):
    filled.adjust(course.NAME, "ada", "override", 0, "unfair", "double-values")
    filled.adjust(course.NAME, "ada", "manual", 2, "neat")
    filled.adjust(course.NAME, "ada", "late", 50, "a day")
    assert filled.standings(course.NAME)[0].account == [
        ("the checks", 5), ("entries on single checks", -2), ("together", 3), ("after entries on the whole", 5),
        ("late (a day): 50 % taken", 2.5), ("the score", 2.5),
    ]  # fmt: skip


def test_an_entry_on_a_check_that_is_gone_is_told_to_have_no_effect(filled):
    filled.adjust(course.NAME, "ada", "manual", 1, "neat", "double-hidden")
    record = course.record("a" * 64, [P, P, F])
    record.checks = [one for one in record.checks if one.id != "double-hidden"]
    filled.add(record, replace(KEY, assignment="shorter"))
    standing = filled.standings(course.NAME)[0]
    assert standing.score == 2
    assert [one.check for one in standing.without_effect] == ["double-hidden"]


# ------------------------------------------------------------------------------------------- older ledgers

FIRST_SCHEMA = """
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


def first_ledger(path, assignment):
    """A ledger as the first version of this program made it, with rows in every table; give its rows."""
    shown = ledgers.face(assignment)
    del shown["manuals"]
    record = json.loads(course.record("a" * 64, [P, P, F]).dumps())
    del record["written"]
    for check in record["checks"]:
        check.pop("mistake", None), check.pop("called", None)
    when = "2026-01-05T10:00:00+00:00"
    with sqlite3.connect(path) as db:
        db.executescript(FIRST_SCHEMA)
        for table in ("assignments", "submissions", "records", "adjustments"):
            for event in ("UPDATE", "DELETE"):
                db.execute(
                    f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
                )
        db.execute("PRAGMA application_id = 1397836866")
        db.execute("INSERT INTO assignments VALUES (?, ?, ?)", ("h", course.NAME, json.dumps(shown)))
        for student, name in (("ada", "a"), ("bob", "b")):
            db.execute("INSERT INTO submissions VALUES (NULL, ?, ?, ?, ?)", (course.NAME, student, name * 64, when))
        row = ("k", "a" * 64, course.NAME, "h", "g", "e", 7, json.dumps(record), when)
        db.execute("INSERT INTO records VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        row = (course.NAME, "ada", "manual", "", 1.0, "neat", when)
        db.execute("INSERT INTO adjustments VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in ledgers.FIRST_TABLES}


def test_an_older_ledger_opens_and_is_extended_without_losing_a_row(tmp_path, assignment):
    path = tmp_path / "old.sqlite"
    rows = first_ledger(path, assignment)
    with Ledger(path) as book:
        for table, before in rows.items():
            after = book.db.execute(f"SELECT * FROM {table}").fetchall()
            assert [row[: len(before[0])] for row in after] == before
        assert score(book) == 6
        assert book.content("a" * 64) is None
        assert book.current_keys(course.NAME) == {"a" * 64: Key("h", "g", "e")}
        assert book.note_assignment(assignment) != "h"
        assert book.face(course.NAME)["manuals"] == []
        fill_every_table(book, Key("h", "g", "e"))
    with Ledger(path, must_exist=True) as book:
        assert book.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for table in ledgers.TABLES:
            for statement in ("DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1"):
                with pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
                    book.db.execute(statement.format(table))


def test_an_older_and_a_new_ledger_have_the_same_tables(tmp_path, assignment):
    def tables(book):
        names = [name for (name,) in book.db.execute("SELECT name FROM sqlite_master ORDER BY name")]
        return {name: [row[1:3] for row in book.db.execute(f"PRAGMA table_info({name})")] for name in names}

    first_ledger(tmp_path / "old.sqlite", assignment)
    with Ledger(tmp_path / "old.sqlite") as old, Ledger(tmp_path / "new.sqlite") as new:
        assert tables(old) == tables(new)


def test_a_ledger_whose_extension_is_broken_off_stays_as_it_was(tmp_path, assignment, monkeypatch):
    path = tmp_path / "old.sqlite"
    first_ledger(path, assignment)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(ledgers, "EXTENSION", ledgers.EXTENSION + "CREATE NONSENSE;")
        with pytest.raises(LedgerError, match="cannot be used"):
            Ledger(path)
    assert path.read_bytes() == before
    with Ledger(path) as book:
        assert score(book) == 6


def test_a_ledger_of_a_newer_version_is_told_and_left_alone(tmp_path):
    path = tmp_path / "new.sqlite"
    with Ledger(path) as book:
        book.db.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="was made by a newer seqlab"):
        Ledger(path)


# --------------------------------------------------------------------------------------- laws of the score

ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["manual", "override", "late"]),
        st.sampled_from(["", "double-values", "double-hidden", "running-values", "why"]),
        st.integers(-20, 100),
        st.booleans(),  # taken back
    ),
    max_size=8,
)
STATES = st.tuples(*[st.sampled_from([P, F])] * 3)
WHY = ({"id": "why", "title": "Why", "points": 4, "rubric": [{"id": "idea", "text": "says why", "points": 4}]},)


def standing_of(states, entries, marks=(), lateness=None):
    made, number = [], 0
    for kind, check, amount, gone in entries:
        number += 1
        check = "" if kind == "late" else check
        amount = abs(amount) if kind != "manual" else amount
        made.append(Adjustment(kind, check, amount, "because", number=number))
        if gone:
            number += 1
            made.append(Adjustment("withdraw", check, number - 1, "not so", number=number))
    counted = tuple(one for one in ledgers.in_force(made) if one.kind in ledgers.KINDS)
    record = course.record("s", states, written={"why": "text"})
    return Standing("ada", record, counted, tuple(marks), WHY, lateness)


def lateness_of(percent):
    terms = late.Terms(at(1), per_day=percent)
    return late.lateness(terms, at(2)) if percent else None


@settings(max_examples=50, deadline=None)
@given(STATES, ENTRIES, st.none() | st.integers(0, 4), st.integers(0, 100))
def test_a_score_is_never_below_nothing_and_the_account_ends_with_it(states, entries, mark, percent):
    marks = [] if mark is None else [Adjustment("rubric", "why", mark, "")]
    standing = standing_of(states, entries, marks, lateness_of(percent))
    assert standing.score >= 0
    assert standing.account[-1] == ("the score", standing.score)
    assert dict(standing.account)["the checks"] == sum(one.earned for one in standing.record.checks)


@settings(max_examples=50, deadline=None)
@given(STATES, ENTRIES, st.integers(0, 100), st.integers(0, 100))
def test_lateness_never_raises_a_score(states, entries, one, other):
    entries = [entry for entry in entries if entry[0] != "late"]
    less, more = sorted((one, other))
    scores = [standing_of(states, entries, (), lateness_of(percent)).score for percent in (0, less, more)]
    assert scores[0] >= scores[1] >= scores[2]
    by_hand = standing_of(states, [*entries, ("late", "", less, False)], (), lateness_of(more))
    assert by_hand.score == scores[1], "what a person enters stands in place of what is computed"


@settings(max_examples=50, deadline=None)
@given(STATES, ENTRIES, ENTRIES, st.integers(0, 30))
def test_an_override_of_the_whole_replaces_all_before_it(states, before, after, amount):
    after = [entry for entry in after if entry[1] == "" or entry[0] == "late"]
    before = [entry for entry in before if entry[0] != "late"]
    override = ("override", "", amount, False)
    assert standing_of(states, [*before, override, *after]).score == standing_of([F, F, F], [override, *after]).score


@settings(max_examples=40, deadline=None)
@given(STATES, ENTRIES, ENTRIES)
def test_an_entry_that_was_taken_back_is_as_if_it_had_never_been_made(states, entries, gone):
    gone = [(kind, check, amount, True) for kind, check, amount, _ in gone]
    assert standing_of(states, [*entries, *gone]).score == standing_of(states, entries).score


@settings(max_examples=40, deadline=None)
@given(STATES, ENTRIES)
def test_entries_on_one_check_touch_no_other(states, entries):
    entries = [(kind, "double-values" if kind != "late" else "", amount, gone) for kind, _, amount, gone in entries]
    standing, plain = standing_of(states, entries), standing_of(states, [])
    for name in ("double-hidden", "running-values", "why"):
        assert standing.earned(name) == plain.earned(name)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES)
def test_the_entries_of_one_student_never_touch_another(tmp_path_factory, assignment, entries):
    with Ledger(tmp_path_factory.mktemp("l") / "g.sqlite") as book:
        book.note_assignment(assignment)
        book.note_submissions(course.NAME, [("ada", "a" * 64), ("twin", "a" * 64)], {"ada": at(1), "twin": at(1)})
        book.add(course.record("a" * 64, [P, P, F]), KEY)
        twin = book.standings(course.NAME)[1]
        book.set_deadline(course.NAME, late.given_terms("2026-12-02 12:00", "UTC", grace=5, per_day=90), "ill", "ada")
        for kind, check, amount, gone in entries:
            check = "" if kind == "late" or check == "why" else check
            book.adjust(course.NAME, "ada", kind, amount if kind == "manual" else abs(amount), "because", check)
            if gone:
                book.withdraw(course.NAME, "ada", book.entries(course.NAME)["ada"][-1].number, "not so")
        assert book.standings(course.NAME)[1] == twin
