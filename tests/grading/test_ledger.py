"""The ledger keeps every finished record whatever happens, and changes none."""

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from seqlab.grading import late
from seqlab.grading import ledger as ledgers
from seqlab.grading.ledger import Key, Ledger, LedgerError
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


def fill_every_table(book):
    """At least one row in each table."""
    book.adjust(course.NAME, "ada", "manual", 1, "neat")
    book.note_submissions(course.NAME, [("eve", book.keep(b"{}"))], {"eve": datetime(2026, 12, 1, tzinfo=UTC)})
    book.set_deadline(course.NAME, late.given_terms("2026-12-01 23:59", "UTC"))
    book.add(course.record("a" * 64, [P, F, F]), replace(KEY, grader="newer"))
    assert book.choose(course.NAME, ["a" * 64], KEY) == 1
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
