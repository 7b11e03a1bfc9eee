"""The hostile corpus: every submission earns what it must, none stops another, nothing hidden is shown."""

import numpy as np
import pytest

from seqlab.grading.emit import inputs
from seqlab.grading.model import State
from seqlab.grading.run import grade, grade_many
from tests.grading.hostile.corpus import CASES, FULL
from tests.grading.tiny import make_assignment, submission

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

HIDDEN = {"double-hidden": 4, "total-hidden": (3, 2), "softmax-large": (2, 4)}  # check -> the shape of its inputs
ONE_BY_ONE = ("an_honest_neighbour", "the_process_ended", "hidden_inputs_captured_and_printed", "values_emitted_twice")


@pytest.fixture(scope="module")
def records():
    """Grade the whole corpus at once, as one class, with an honest neighbour at its end."""
    items = [(case.name, case.submission) for case in CASES] + [("the last of the class", submission())]
    return grade_many(items, make_assignment(), workers=2)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.number:02}-{case.name}" for case in CASES])
def test_a_hostile_submission_earns_what_it_must(records, case):
    record = records[case.name]
    states = {result.id: result.state for result in record.checks}
    assert (record.score, record.outcome) == (case.score, case.outcome), (states, record.problems)
    assert {name: states[name] for name in case.states} == case.states
    for result in record.checks:
        assert (result.earned > 0) == (result.state is State.PASSED)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_no_hidden_input_is_shown(records, case, monkeypatch):
    record = records[case.name]
    monkeypatch.setenv("SEQLAB_SEED", str(record.seed))
    text = record.dumps()
    for check, shape in HIDDEN.items():
        drawn = inputs(check).normal(size=shape)
        shown = [str(number)[:8] for number in np.ravel(drawn)] + [number.tobytes().hex() for number in np.ravel(drawn)]
        assert not [number for number in shown if number in text]


def test_what_is_shown_is_short_and_harmless(records):
    for name, record in records.items():
        for text in record.shown.values():
            assert len(text) < 4100, name
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "\r" not in text


def test_nobody_was_stopped_and_the_last_is_whole(records):
    assert list(records) == [case.name for case in CASES] + ["the last of the class"]
    assert records["the last of the class"].score == FULL
    assert all(record.submission for record in records.values())


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_alone_or_in_the_class_the_record_is_the_same(records, name):
    case = next(case for case in CASES if case.name == name)
    assert grade(case.submission, make_assignment()).dumps() == records[name].dumps()
