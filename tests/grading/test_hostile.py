"""The hostile corpus as one class: every submission earns what it must, nobody is harmed, nothing is left or told.

The whole corpus lies in one folder with honest neighbours between, and `seqlab grade` grades it once, watched, on a
machine without a network. Everything here is asked of what came of that.
"""

import base64
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from seqlab.grading import reference
from seqlab.grading.emit import inputs
from seqlab.grading.exports import FORMULA, file_name, plain
from seqlab.grading.ledger import Ledger
from seqlab.grading.model import Outcome, State
from seqlab.grading.run import grade
from seqlab.grading.values import decode
from tests.grading.hostile import watched
from tests.grading.hostile.case import TOKEN
from tests.grading.hostile.classes import FORMULAS, NAME, make_bundle, make_class, pretty
from tests.grading.hostile.corpus import CASES
from tests.grading.tiny import CHECKS, make_assignment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = {"double-hidden": 4, "total-hidden": (3, 2), "softmax-large": (2, 4)}  # check -> the shape of its inputs
ONE_BY_ONE = ("the_process_ended", "hidden_inputs_captured_and_printed", "values_emitted_twice", "a_cell_magic")
SECONDS = 4.0  # for a cell: a right answer that prints a lot must come through on a machine with other work
GRADER_MB = 400  # of memory that no process of the grader may ever have taken
LEFT = re.compile(r"left-behind|unpickled|trap\.py|kept\.py|mallory")


@dataclass
class Graded:
    """What the one grading of everything left."""

    folder: object
    home: Path
    told: dict
    records: dict
    pages: dict = field(default_factory=dict)  # student -> her page
    results: dict = field(default_factory=dict)  # student -> her results.json
    tables: dict = field(default_factory=dict)  # name of a file for the instructor -> its text


def _alone(command):
    """The command on a machine whose network is a loop of its own."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", sys.executable, watched.__file__, *command]


def _seqlab(*arguments):
    return [sys.executable, "-m", "seqlab.cli", *map(str, arguments)]


ROSTERS = {
    "canvas": ["Student", "ID", "SIS Login ID", "Section", "Tiny (7)"],
    "moodle": ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Feedback comments"],
}


def _with_rosters(reports, ledger, students, settings):
    """Export to Canvas and Moodle by rosters in which the class's own names stand; give what was said."""
    said = {}
    for program, head in ROSTERS.items():
        out = io.StringIO()
        csv.writer(out).writerow(head)
        for number, student in enumerate(students):
            lines = {"canvas": [student, number + 1, f"login{number}", "One", ""]}
            lines["moodle"] = [f"Participant {number + 1}", student, f"p{number}@example.org", "", "12.00", ""]
            csv.writer(out).writerow(lines[program])
        roster = reports / f"{program}-roster.txt"
        roster.write_text(out.getvalue(), encoding="utf-8", newline="")
        command = _seqlab("export", "--to", program, "--out", reports / f"{program}-by-roster.csv")
        done = subprocess.run([*command, "--roster", roster, "--ledger", ledger], **settings, timeout=120)
        assert done.returncode in (0, 1), done.stderr  # 1: someone was left out, and is named
        said[program] = done.stdout
    return said


@pytest.fixture(scope="module")
def graded():
    """Grade the whole corpus once with the command line; write every report."""
    with tempfile.TemporaryDirectory(prefix="sq") as place:
        place = Path(place)
        folder = make_class(place / "class")
        bundle = make_bundle(place / "bundles", make_assignment(SECONDS))
        here = {name: place / name for name in ("tmp", "home", "cwd")}
        for path in here.values():
            path.mkdir()
        environment = os.environ | {"TMPDIR": str(here["tmp"]), "HOME": str(here["home"]), "PYTHONPATH": str(ROOT)}
        environment["XDG_CACHE_HOME"] = str(here["home"])
        ledger, reports = place / "ledger.sqlite", place / "reports"
        command = _seqlab("grade", folder.place, "--assignment", bundle, "--ledger", ledger, "--workers", 2)
        settings = {"env": environment, "cwd": here["cwd"], "capture_output": True, "text": True}
        done = subprocess.run(_alone([str(place / "told.json"), *command]), **settings, timeout=900)
        assert done.returncode == 0, done.stderr
        told = json.loads((place / "told.json").read_text())
        assert told["status"] == 0, told["output"]
        done = subprocess.run(_seqlab("report", "--ledger", ledger, "--to", reports), **settings, timeout=120)
        assert done.returncode == 0, done.stderr
        told["rosters"] = _with_rosters(reports, ledger, folder.expected, settings)
        with Ledger(ledger, must_exist=True) as book:
            records = {one.student: one.record for one in book.standings(NAME)}
        made = Graded(folder, place, told, records)
        for student in records:
            made.pages[student] = (reports / NAME / "feedback" / f"{file_name(student)}.html").read_text()
            made.results[student] = (reports / NAME / "gradescope" / file_name(student) / "results.json").read_text()
        files = [path for path in reports.rglob("*") if path.suffix in (".csv", ".html")]
        files = [path for path in files if path.parent.name != "feedback"]
        made.tables = {str(path.relative_to(reports)): path.read_text() for path in files}
        yield made
        shutil.rmtree(reports)


# ----------------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("case", CASES, ids=[case.student for case in CASES])
def test_a_hostile_submission_earns_what_it_must(graded, case):
    record = graded.records[case.student]
    states = {result.id: result.state for result in record.checks}
    assert (record.score, record.outcome) == (case.score, case.outcome), (states, record.problems)
    assert {name: states[name] for name in case.states} == case.states
    for result in record.checks:
        assert (result.earned > 0) == (result.state is State.PASSED)


def test_everybody_in_the_folder_earns_what_is_declared(graded):
    assert sorted(graded.records) == sorted(graded.folder.expected)
    wrong = {}
    for student, expected in graded.folder.expected.items():
        record = graded.records[student]
        if (record.score, record.outcome) != (expected.score, expected.outcome):
            wrong[student] = (expected, record.score, record.outcome, record.problems)
        elif expected.why and expected.why not in " ".join(record.problems):
            wrong[student] = (expected.why, record.problems)
    assert not wrong, pretty(wrong)


def test_every_honest_record_is_what_it_is_alone(graded):
    assignment, seen = make_assignment(SECONDS), 0
    for student, content in graded.folder.contents.items():
        if student.endswith("-neighbour"):
            assert grade(content, assignment).dumps() == graded.records[student].dumps(), student
            seen += 1
    assert seen >= 6


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_hostile_record_is_what_it_is_alone(graded, name):
    case = next(case for case in CASES if case.name == name)
    assert grade(case.submission, make_assignment(SECONDS)).dumps() == graded.records[case.student].dumps()


# ------------------------------------------------------------------------------------- nothing is left


def test_no_process_is_left(graded):
    assert graded.told["left"] == []


def test_no_file_is_left(graded):
    for name in ("tmp", "home", "cwd"):
        assert sorted(map(str, (graded.home / name).rglob("*"))) == []
    places = [graded.home, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path.home(), Path.cwd(), Path("/")]
    for place in {place for place in places if place.is_dir()}:
        assert not [name for name in os.listdir(place) if LEFT.search(name)]


def test_no_named_socket_is_left(graded):
    assert graded.told["sockets"] == []


# ----------------------------------------------------------------------- nobody is called, memory is bounded


def test_no_request_left_the_machine(graded):
    network = graded.told["network"]
    assert network["devices"] == ["lo"]
    assert (network["requests"], network["nowhere"], network["bytes"]) == (0, 0, 0)


def test_nobody_reached_what_listens_on_the_graders_machine(graded):
    assert graded.told["reached"] == 0


def test_the_graders_own_memory_is_bounded(graded, capsys):
    peaks = graded.told["peaks"]
    with capsys.disabled():
        print("\nthe most memory that each part of the grader took:", *(f"{n} {peaks[n]} MB;" for n in sorted(peaks)))
    assert any("seqlab.grading.run" in name for name in peaks), peaks
    assert max(peaks.values()) < GRADER_MB


# ---------------------------------------------------------------------------------------- nothing is told


def _secrets(assignment, seed, patch):
    """The hidden checks' inputs and expected values at a seed, as texts in which they could be told."""
    patch.setenv("SEQLAB_SEED", str(seed))
    arrays = [np.asarray(inputs(check).normal(size=shape)) for check, shape in HIDDEN.items()]
    values = reference.expected(assignment, seed, list(HIDDEN))
    arrays += [np.asarray(decode(typed), dtype=float) for emitted in values.values() for typed in emitted]
    texts = set()
    for array in arrays:
        texts |= {base64.b64encode(array.tobytes()).decode()} if array.size > 1 else set()
        for number in map(float, np.ravel(array)):
            texts |= {repr(number)[:8], f"{number:.6e}"[:8], number.hex()[:14], np.float64(number).tobytes().hex()}
    return {text for text in texts if len(re.sub(r"[^0-9a-fA-F]", "", text).strip("0")) >= 6}


def test_no_hidden_input_and_no_expected_value_is_told(graded, monkeypatch):
    assignment, everywhere, found = make_assignment(SECONDS), "\n".join(graded.tables.values()), {}
    everywhere = re.sub(r"T\d\d:\d\d:\d\d\.\d+", "T", everywhere)  # times: their digits are anybody's
    everywhere = " ".join(set(re.findall(r"[\w.+/=-]{8,}", everywhere)))
    for student, record in graded.records.items():
        if record.outcome is Outcome.REFUSED:
            continue
        told = "\n".join((record.dumps(), graded.pages[student], graded.results[student], everywhere))
        secrets = _secrets(assignment, record.seed, monkeypatch)
        assert len(secrets) > 60
        if leaked := [secret for secret in secrets if secret in told]:
            found[student] = leaked
    reference.close()
    assert not found, pretty(found)


def test_no_line_of_a_hidden_check_is_told(graded):
    visible = "\n".join(source for _, shown, _, source in CHECKS.values() if shown)
    lines = {line for _, shown, _, source in CHECKS.values() if not shown for line in source.splitlines()}
    lines = {line for line in lines if line not in visible}
    assert len(lines) >= 5
    everything = [record.dumps() for record in graded.records.values()] + list(graded.tables.values())
    everything += [*graded.pages.values(), *graded.results.values(), graded.told["output"]]
    for text in everything:
        flat = text.replace("&#x27;", "'").replace("\\n", "\n")
        assert not [line for line in lines if line in flat]


def test_nothing_of_another_student_is_told(graded):
    names = {student: student for student in graded.records if len(student) > 8}
    for student in graded.records:
        told = graded.pages[student] + graded.results[student] + graded.records[student].dumps()
        own = re.findall(rf"{TOKEN}-\d+".encode(), graded.folder.contents.get(student, b""))
        assert {token.encode() for token in re.findall(rf"{TOKEN}-\d+", told)} <= set(own), student
        assert not [name for name in names if name in told and name not in student], student


def test_what_is_shown_is_short_and_harmless(graded):
    for student, record in graded.records.items():
        texts = [*record.shown.values(), *(result.message for result in record.checks)]
        for text in texts:
            assert len(text) < 4100, student
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), student
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", graded.told["output"])


class _Page(HTMLParser):
    """Collects a page's elements and whatever in them could act."""

    def __init__(self):
        super().__init__()
        self.elements, self.acting = set(), []

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        for name, value in attrs:
            if name.startswith("on") or re.match(r"\s*(javascript|vbscript|https?|//)", value or "", re.IGNORECASE):
                self.acting.append((tag, name, value))


def test_the_pages_hold_no_strangers_elements(graded):
    pages = [*graded.pages.values(), *(text for name, text in graded.tables.items() if name.endswith(".html"))]
    for text in pages:
        page = _Page()
        page.feed(text)
        page.close()
        assert page.acting == []
        assert not page.elements & {"script", "iframe", "object", "embed", "img", "base", "form"}
        assert "default-src 'none'" in text
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_every_line_of_a_table_is_one_student_and_no_cell_a_formula(graded):
    tables = {name: text for name, text in graded.tables.items() if name.endswith(".csv")}
    assert len(tables) >= 4
    for name, text in tables.items():
        rows = list(csv.reader(io.StringIO(text, newline="")))
        width = len(rows[0])
        assert all(len(row) == width for row in rows), name
        students = [row for row in rows[1:] if row[0].strip() != "Points Possible"]
        if "by-roster" in name:
            assert all(any(plain(formula) in cell for row in students for cell in row) for formula in FORMULAS[:5]), (
                name
            )
        else:
            assert len(students) == len(graded.records), name
        for row in rows:
            for cell in row:
                number = re.fullmatch(r"-?\d+(\.\d+)?", cell)
                assert number or not cell.lstrip().startswith(FORMULA), (name, cell)
                assert "\n" not in cell
                assert "\r" not in cell
