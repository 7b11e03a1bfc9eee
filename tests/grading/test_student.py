"""What a student is told: first what passes, then what differs, on which shapes, what it looks like; never a value."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser

import nbformat
import pytest
from nbclient import NotebookClient

from seqlab.grading import mistakes, reference, student
from seqlab.grading.model import CheckResult, Outcome, Record, State
from seqlab.grading.releasing import filled, reduced, release_notebook
from tests.grading.tiny import SOLUTIONS, make_assignment, marked

WRONG = marked("double", "def double(x):\n    return 3 * x\n")


@pytest.fixture(scope="module")
def source():
    """The tiny assignment with a recognised mistake, its public checks written out for students."""
    assignment = make_assignment()
    checks = [replace(one, released=one.source if one.visible else "") for one in assignment.checks]
    declared = [student_mistake("three times", WRONG, "twice is two times")]
    return replace(assignment, checks=tuple(checks), mistakes=tuple(declared))


def student_mistake(name, source, hint):
    from seqlab.grading.model import Mistake

    return Mistake(name, "double", source, hint, ("double-values", "double-hidden"))


@pytest.fixture(scope="module")
def files(source):
    """What lies beside a student's notebook."""
    visible = [check.id for check in source.checks if check.visible]
    return {
        "release.json": reduced(source).dumps(),
        "expected.json": json.dumps(reference.expected(source, 0, visible)),
        "mistakes.json": json.dumps(mistakes.published(source)),
    }


@pytest.fixture
def home(tmp_path, files):
    """A student's folder."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def written(source, **answers):
    """A notebook with all solutions, and some answers in their place."""
    solved = {name: marked(name, text) for name, text in SOLUTIONS.items()}
    return filled(release_notebook(source), solved | answers)


# --------------------------------------------------------------------------------------------- what to check


@pytest.mark.parametrize("name", ["total", "Total", " TOTAL ", "2", 2])
def test_a_question_is_found_by_id_title_or_number(assignment, name):
    assert [one.id for one in student.only(assignment, name).checks] == ["total-values", "total-hidden"]
    assert student.only(assignment, None) is assignment


@pytest.mark.parametrize("name", ["totl", "9", "0", "", "total-values"])
def test_an_unknown_question_is_told_with_the_ones_that_there_are(assignment, name):
    with pytest.raises(ValueError, match=r"There is no question .*The questions are double, total, softmax"):
        student.only(assignment, name)
    with pytest.raises(ValueError, match="did you mean 'total'"):
        student.only(assignment, "totl")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", [("torch", 1)]),
        ("x = 1\nimport torch.nn as n", [("torch", 2)]),
        ("from scipy import special", [("scipy.special", 1)]),
        ("def f():\n    from scipy.special import expit", [("scipy.special", 2)]),
        ("import torchlike, scipy", []),
        ("from . import torch", []),
        ("import torch (", []),
        ("# import torch", []),
    ],
)
def test_closed_modules_are_found_in_plain_imports(source, found):
    assert student.closed_imports(source, ("torch", "scipy.special")) == found


def test_the_last_run_of_each_answers_cell_counts():
    stubs = {name: f"# answer: {name}\ndef {name}(x):\n    ..." for name in ("double", "total")}
    cells = ["", "import numpy", "# answer: double\n1", "#answer:total\n2", "# answer: double\n3", "# answer: other\n4"]
    assert student.executed(cells, stubs) == {"double": (cells[4], 4), "total": (cells[3], 3)}
    assert student.executed(["", "def total(x):\n    return 1"], stubs) == {
        "total": ("def total(x):\n    return 1", 1)
    }  # the comment was deleted
    assert student.executed(["", "total(3)", "double = 2"], stubs) == {}


@pytest.mark.parametrize("content", ["", "[]", "{", "3", '{"checks": 3}', '{"checks": [{"name": 3}]}'])
def test_a_damaged_file_is_told_and_mistakes_are_not_needed(home, content):
    (home / "mistakes.json").write_text(content)
    assert student.beside(home)[2] == {}
    for name in student.FILES:
        kept = (home / name).read_text()
        (home / name).write_text(content)
        if not (name == "expected.json" and content.startswith(("[]", '{"'))):
            with pytest.raises(ValueError, match=rf"{name} is damaged: copy it again"):
                student.beside(home)
        (home / name).unlink()
        with pytest.raises(ValueError, match=rf"{name} is missing: it came with the assignment"):
            student.beside(home)
        (home / name).write_text(kept)


# ------------------------------------------------------------------------------------------------ telling


@pytest.fixture
def report(source):
    """A report without running anything: one question wrong, one right, one not written."""
    message = "6 of 6 elements are off, the largest difference is 0.5"
    checks = [
        CheckResult(
            "double-values", "double", State.FAILED, 0.0, 2.0,
            f"{message}; this looks like: three times. twice is two times", "three times", "double(x: float64 (2, 3))",
        ),
        CheckResult("total-values", "total", State.PASSED, 2.0, 2.0),
        CheckResult("softmax-values", "softmax", State.NOT_RUN, 0.0, 2.0, "the answer is still empty"),
    ]  # fmt: skip
    record = Record("00_tiny", "0" * 64, 0, Outcome.GRADED, checks, [], {"double": "<b>hello</b>"})
    return student.Report(reduced(source), record, ["a note"], {"double": "In [7]"})


def test_the_text_says_first_what_passes_and_then_what_differs(report):
    text = repr(report)
    lines = text.splitlines()
    assert lines[1] == "1 of 3 questions pass here. 2 of 6 visible points. Hidden checks decide on 6 more."
    assert lines[2].split() == ["✗", "1", "Double", "0", "/", "2", "its", "check", "does", "not", "pass", "(In", "[7])"]
    assert lines[4].split() == ["–", "3", "Softmax", "0", "/", "2", "the", "answer", "is", "still", "empty"]
    for told in (
        "6 of 6 elements are off, the largest difference is 0.5.", "The check called double(x: float64 (2, 3)).",
        "This looks like: three times.", "Hint: twice is two times", "<b>hello</b>", "Note: a note",
    ):  # fmt: skip
        assert told in text
    assert "2. Total" not in text  # nothing to say of what passes
    assert max(map(len, lines)) <= 100


def test_one_fault_is_told_once_for_all_the_checks_that_meet_it(source):
    told = "the answer's own cell stopped before its end: SyntaxError: expected ':' (line 2 of the answer 'double')"
    checks = [CheckResult(name, "double", State.ERROR, 0.0, 1.0, told) for name in ("double-values", "double-hidden")]
    checks += [CheckResult("total-values", "total", State.PASSED, 2.0, 2.0)]
    text = repr(student.Report(source, Record("00_tiny", "0", 0, Outcome.GRADED, checks)))
    assert text.count("expected ':'") == 1
    assert text.count("Python cannot read this line") == 1
    assert text.count("The same as above.") == 1


def test_what_was_printed_is_shown_without_exceptions_and_cut(source, report):
    printed = "[double values]\nhello\nValueError: 3 (line 2 of the answer 'double')\n[total]\n" + "x\n" * 40
    report.record.shown = {"double": printed}
    shown = report.questions[0].printed.splitlines()
    assert shown[:2] == ["[double values]", "hello"]
    assert "ValueError" not in "".join(shown)
    assert shown[-1] == f"... ({43 - student.PRINTED} more lines)"
    assert len(shown) == student.PRINTED + 1


def test_a_shape_stays_on_one_line():
    text = "a " * 40 + "x: float64 (2, 3), b"
    assert any("x: float64 (2, 3)" in line for line, _ in student._wrapped(text, ""))


class Tags(HTMLParser):
    """Counts what is opened and closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attributes):
        """Remember it."""
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        """It must be the last one opened."""
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_needs_nothing_from_elsewhere(report):
    page = report._repr_html_()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "b hello"}
    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert "http" not in page
    assert "This looks like: three times." in page
    assert page.count("<details open>") == 1  # what fails is open, what passes is not


def test_a_report_travels(report):
    again = student.Report.loads(report.dumps())
    assert repr(again) == repr(report)
    assert not again.passed


# ------------------------------------------------------------------------------------------------- running


@pytest.mark.slow
def test_a_run_names_shapes_and_mistakes_and_no_expected_value(source, home):
    report = student.run(written(source, double=WRONG), home, trusted=True)
    (question, *_) = report.questions
    (line,) = question.seen
    assert line.called == "double(x: float64 (2, 3))"
    assert (line.mistake, line.hint) == ("three times", "twice is two times")
    assert report.record.score == 4
    assert "Closed books are not enforced here" in report.notes[0]


@pytest.mark.slow
def test_one_question_runs_alone_and_the_others_may_be_broken(source, home):
    content = written(source, total="# answer: total\ndef total(x:\n", softmax="import torch\nwhile True:\n    pass")
    report = student.run(content, home, "double", trusted=True)
    assert report.passed
    assert [question.id for question in report.questions] == ["double"]
    report = student.run(content, home, "total", trusted=True)
    assert "(line 2 of the answer 'total')" in " ".join(repr(report).split())
    assert not report.passed


def test_a_notebook_of_something_else_is_told(home):
    with pytest.raises(student.NoAnswers, match="holds no answer to 00_tiny"):
        student.run(b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', home, trusted=True)


@pytest.mark.slow
def test_the_cell_checks_what_was_run_last_and_says_what_was_not(source, home):
    book = nbformat.v4.new_notebook()
    texts = [
        "from seqlab.grading.student import check\nimport numpy as np",
        "try:\n    check()\nexcept ValueError as wrong:\n    print(wrong)",
        marked("double", SOLUTIONS["double"]),
        WRONG,
        marked("total", SOLUTIONS["total"]),
        "check()",
        "check('total')",
        "check('nothing')",
    ]
    book.cells = [nbformat.v4.new_code_cell(text) for text in texts]
    NotebookClient(
        book, resources={"metadata": {"path": str(home)}}, kernel_name="python3", allow_errors=True, timeout=120
    ).execute()
    outputs = [cell.outputs for cell in book.cells]
    assert "No answer has been run yet" in outputs[1][0]["text"]
    (shown,) = [one for one in outputs[5] if one["output_type"] == "execute_result"]
    text = shown["data"]["text/plain"]
    assert "This looks like: three times." in text
    assert "(In [4])" in text
    assert text.count("its cell has not been run yet") == 1
    assert "1 of 3 questions pass here" in text
    assert shown["data"]["text/html"].count("<details") == 3
    (alone,) = [one for one in outputs[6] if one["output_type"] == "execute_result"]
    assert "2 of 2 visible points" in alone["data"]["text/plain"]
    assert "There is no question 'nothing'" in outputs[7][0]["evalue"]


def test_outside_of_a_notebook_the_cell_says_what_to_do():
    with pytest.raises(ValueError, match="in a terminal use `seqlab check NOTEBOOK`"):
        student.check()


@pytest.mark.slow
def test_watching_checks_again_when_an_answer_is_saved(source, home):
    notebook = home / "mine.ipynb"
    notebook.write_bytes(written(source, double=WRONG))
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "seqlab.cli", "check", str(notebook), "--watch", "--trusted", "--question", "1"],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip
    try:
        assert "three times" in told_until(process, "waiting until you save")
        notebook.write_text("half a note")
        assert "cannot be checked" in told_until(process, "waiting until you save")
        notebook.write_bytes(written(source))
        assert "2 of 2 visible points" in told_until(process, "waiting until you save")
    finally:
        process.send_signal(2)
        process.wait(20)
        process.stdout.close()
    assert process.returncode == 0


def told_until(process, words, seconds=60):
    """What a process printed up to these words."""
    text, limit = "", time.monotonic() + seconds
    while words not in text and time.monotonic() < limit:
        text += process.stdout.readline()
    return text
