"""What takes more than one file: archives, a grader that is killed, a hundred at once; and that the tricks are real."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqlab.grading.classes import grade_class
from seqlab.grading.collecting import collect
from seqlab.grading.ledger import Ledger
from seqlab.grading.model import Outcome
from seqlab.grading.run import grade_many
from tests.grading.hostile.case import FULL
from tests.grading.hostile.classes import NAME, honest, make_archives, make_bundle, pretty
from tests.grading.hostile.corpus import CASES
from tests.grading.tiny import SOLUTIONS, make_assignment, submission

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
TOLD = {"a_bomb": 2, "a_way_up": 2, "an_absolute_path": 2, "a_way_up_for_windows": 2, "a_device": 2}  # else one
TOLD |= {"an_archive_in_an_archive": 0}
TAKEN = ("a_link_and_a_file_through_it", "the_same_name_twice")  # a plain notebook all the same
KILLED = ("the_process_ended", "a_picture", "a_deleted_cell")
PARTS = ("cells", "answers", "checks")
TRICKS = (19, 69, 70, 71, 72, 73, 74, 75)  # those that change softmax find a closed module
RIGHT = json.dumps(SOLUTIONS["softmax"])[1:-1].encode()  # stands where another answer is meant


def _grade(folder, bundle, ledger, **settings):
    command = [sys.executable, "-m", "seqlab.cli", "grade", str(folder), "--assignment", str(bundle)]
    command += ["--ledger", str(ledger), "--workers", "2"]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, **settings
    )


def _records(ledger):
    with Ledger(ledger, must_exist=True) as book:
        return {one.student: one.record.dumps() for one in book.standings(NAME) if one.record}


def _killed(folder, bundle, ledger, environment, instants):
    """Grade a class, killed so often, then to its end; how many records there were after each kill."""
    counts = []
    for instant in instants:
        process = _grade(folder, bundle, ledger, env=environment)
        time.sleep(instant)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        counts.append(len(_records(ledger)) if ledger.exists() else 0)
    process = _grade(folder, bundle, ledger, env=environment)
    assert process.wait(300) == 0
    return counts


def test_killed_at_random_instants_the_class_comes_out_the_same(near):
    bundle, folder = make_bundle(near / "bundles", make_assignment()), near / "class"
    folder.mkdir()
    (near / "tmp").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(near / "tmp")}
    contents = {f"s{number}": honest(number)[0] for number in range(4)}
    contents |= {case.student: case.submission for case in CASES if case.name in KILLED}
    for student, content in contents.items():
        (folder / f"{student}.ipynb").write_bytes(content)
    chance = random.Random()
    seed = chance.randrange(10**6)
    chance.seed(seed)
    instants = [chance.uniform(0.3, 4.0) for _ in range(3)]
    counts = _killed(folder, bundle, near / "killed.sqlite", environment, instants)
    assert _grade(folder, bundle, near / "whole.sqlite", env=environment).wait(300) == 0
    whole = _records(near / "whole.sqlite")
    assert _records(near / "killed.sqlite") == whole, (seed, instants)
    assert sorted(whole) == sorted(contents)
    assert counts == sorted(counts), "a record was lost"


def test_the_same_submission_a_hundred_times_side_by_side_gives_one_record():
    content = submission({"total": "print(object())\ndef total(x):\n    return float(x.sum()) + 1\n"})
    whole = make_assignment()
    parts = {name: tuple(one for one in getattr(whole, name) if "softmax" not in one.id) for name in PARTS}
    assignment = dataclasses.replace(whole, **parts)  # without the answer that needs a kernel of its own
    records = grade_many([(number, content) for number in range(100)], assignment, workers=8)
    assert len(records) == 100
    assert len({record.dumps() for record in records.values()}) == 1
    assert records[0].score == assignment.points - 4


# --------------------------------------------------------------------------------------------- archives


def test_an_archive_costs_nobody_else_anything_and_unpacks_nothing(near):
    assignment, before = make_assignment(), set(os.listdir("/tmp"))
    archives, every = make_archives(near / "archives"), {}
    with Ledger(near / "ledger.sqlite") as book:  # one class of them all: so ada and zoe are run once
        for what, path in archives.items():
            found = {one.student: one for one in collect(path, NAME)}
            assert found["ada"].content == honest(400)[0]
            assert found["zoe"].content == honest(401)[0]
            others = {student: one for student, one in found.items() if student not in ("ada", "zoe")}
            assert len(others) == TOLD.get(what, 1), (what, others)
            assert all(one.why or what == "a_link_and_a_file_through_it" for one in others.values()), others
            assert all((one.content is None) == (what not in TAKEN) for one in others.values()), others
            every |= {f"{what}:{student}": one._replace(student=f"{what}:{student}") for student, one in found.items()}
        grade_class(every.values(), assignment, book, workers=2, trusted=False, progress=lambda *_: None)
        records = {one.student: one.record for one in book.standings(NAME)}
    assert sorted(records) == sorted(every)
    for student, record in records.items():
        what, _, who = student.partition(":")
        if who in ("ada", "zoe"):
            assert record.score == (FULL if who == "ada" else FULL - 4), student
        elif what not in TAKEN:
            assert (record.score, record.outcome) == (0.0, Outcome.REFUSED), student
        else:
            assert record.outcome is not Outcome.REFUSED, student
        assert "root:" not in record.dumps()
    assert not [path for path in near.rglob("*mallory*")]
    assert not [name for name in set(os.listdir("/tmp")) - before if "mallory" in name or "left-behind" in name]


# ------------------------------------------------------------------------------------- the tricks are real


def test_the_tricks_work_where_the_book_is_open():
    """A mask that nobody tries to get round proves nothing: with an open book each of these earns every point."""
    assignment = make_assignment(cell_seconds=30, total_seconds=200, memory_mb=4096)
    answers = tuple(dataclasses.replace(answer, closed=()) for answer in assignment.answers)
    cells = list(assignment.cells)
    cells[1] = dataclasses.replace(cells[1], source=cells[1].source + "import scipy.special\n")
    opened = dataclasses.replace(assignment, answers=answers, cells=tuple(cells))
    tricks = [
        case for case in CASES if case.number in TRICKS and b"def softmax(z):\\n    e = np" not in case.submission
    ]
    assert len(tricks) >= 9
    records = grade_many([(case.name, case.submission) for case in tricks], opened, workers=2)
    failed = {
        name: [check.message for check in record.checks] for name, record in records.items() if record.score < FULL
    }
    assert not failed, pretty(failed)
