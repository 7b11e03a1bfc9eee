"""A declared mistake is recognised by the values that a failed check emitted, and by nothing else."""

import json
from dataclasses import replace

import pytest

from seqlab.grading import mistakes, reference
from seqlab.grading.emit import inputs
from seqlab.grading.model import Assignment, Mistake, State
from seqlab.grading.run import grade
from seqlab.grading.source import Variant
from seqlab.grading.values import encode
from tests.grading.tiny import submission

WRONG = {
    "three times": ("double", "def double(x):\n    return 3 * x\n", "twice is two times"),
    "nothing added": ("double", "def double(x):\n    return 1 * x\n", ""),
    "doubled in place": ("double", "def double(x):\n    x *= 2\n    return x + 0.25\n", ""),
    "the mean": ("total", "def total(x):\n    return float(x.mean())\n", ""),
    "raises": ("total", "def total(x):\n    raise ValueError('no')\n", ""),
    "slow": ("total", "def total(x):\n    end = time.process_time() + 0.4\n"
             "    while time.process_time() < end:\n        pass\n    return 0.5\n", ""),
}  # fmt: skip
SLOW = "import time\n"


@pytest.fixture(scope="module")
def wrong():
    """Wrong answers as an author declares them."""
    return [Variant(name, answer, SLOW + source, {}, hint) for name, (answer, source, hint) in WRONG.items()]


@pytest.fixture(scope="module")
def known(wrong):
    """The tiny assignment with its mistakes, as a build makes it."""
    from tests.grading.tiny import make_assignment

    assignment = make_assignment()
    return replace(assignment, mistakes=mistakes.marked(assignment, wrong, (1, 2)))


# --------------------------------------------------------------------------------------------- choosing

FAILS = {"a": ("one", "two"), "b": ("one",), "c": ("two", "three")}


@pytest.mark.parametrize(
    ("passed", "fits", "found"),
    [
        ([], {"one": ["a"]}, {"one": "a"}),
        ([], {"one": []}, {}),
        ([], {"one": ["a", "b"], "two": ["a"]}, {"one": "a", "two": "a"}),  # a explains more
        ([], {"one": ["a", "b"]}, {}),  # nobody can tell which
        (["two"], {"one": ["a", "b"]}, {"one": "b"}),  # a would have failed the check that passed
        (["two"], {"one": ["a"]}, {}),
        ([], {"one": ["b"], "three": ["c"]}, {"one": "b", "three": "c"}),  # two mistakes at once
    ],
)
def test_the_mistake_that_explains_most_is_named_and_none_where_nobody_can_tell(passed, fits, found):
    assert mistakes.known(passed, fits, FAILS) == found


def test_what_was_emitted_is_kept_only_while_it_is_small():
    assert mistakes.bounded([1, 2]) == [1, 2]
    assert mistakes.bounded(["x" * mistakes.EMITTED]) == []
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert mistakes.bounded(deep) == []


def test_values_that_are_no_values_are_like_nothing(assignment):
    check = assignment.checks[0]
    assert mistakes.alike(check, [encode(1.0)], [encode(1.0)])
    for odd in ([], [encode(1.0)] * 2, [None], [{"type": "zzz"}], ["1.0"], [encode(object())]):
        assert not mistakes.alike(check, [encode(1.0)], odd)


# ------------------------------------------------------------------------------------- marking and telling


def test_the_build_marks_where_a_mistake_shows_itself_and_leaves_out_what_is_slow_or_raises(known):
    assert {one.name: one.checks for one in known.mistakes} == {
        "three times": ("double-values", "double-hidden"),
        "nothing added": ("double-values", "double-hidden"),
        "doubled in place": ("double-values", "double-hidden"),
        "the mean": ("total-values", "total-hidden"),
        "raises": (),
        "slow": (),
    }
    assert Assignment.loads(known.dumps()) == known


def test_a_release_holds_values_of_public_checks_and_no_source(known):
    told = mistakes.published(known)
    assert {check: [one["name"] for one in several] for check, several in told.items()} == {
        "double-values": ["three times", "nothing added", "doubled in place"],
        "total-values": ["the mean"],
    }
    assert set(told["double-values"][0]) == {"name", "hint", "values"}
    assert "return" not in json.dumps(told)
    drawn = inputs("double-values").normal(size=(2, 3))
    assert told["double-values"][0]["values"] == [encode(3 * drawn)]
    checks, hints = mistakes.declared(told)
    assert checks["the mean"] == ["total-values"]
    assert hints["three times"] == "twice is two times"


def test_a_right_value_among_a_mistakes_is_left_to_the_expected_ones(assignment):
    source = "def double(x):\n    return 2 * x if isinstance(x, int) else x\n"
    seen = [replace(one, visible=True) if one.id == "double-hidden" else one for one in assignment.checks]
    assignment = replace(assignment, checks=tuple(seen))
    one = Mistake("only numbers", "double", source, "", ("double-hidden",))
    told = mistakes.published(replace(assignment, mistakes=(one,)))
    first, second = told["double-hidden"][0]["values"]
    assert second is None
    right = reference.expected(assignment, 0, ["double-hidden"])
    emitted = {"double-hidden": [first, encode(6)]}
    checks = {check.id: check for check in assignment.checks}
    assert mistakes.fitting_published(told, checks, emitted, right) == {"double-hidden": ["only numbers"]}
    assert mistakes.fitting_published(told, checks, {"double-hidden": [first, encode(7)]}, right)["double-hidden"] == []


def test_an_assignment_without_mistakes_needs_no_process(assignment, monkeypatch):
    monkeypatch.setattr(reference, "Reference", None)
    assert mistakes.marked(assignment, [], (1, 2)) == ()
    assert mistakes.published(assignment) == {}


# ------------------------------------------------------------------------------------------- recognising


def test_the_reference_process_tells_which_mistakes_give_these_values(known):
    right = reference.expected(known, 7, ["double-values"])
    for name in ("three times", "nothing added", "doubled in place"):
        wrong = replace(known.answers[0], solution=next(one.source for one in known.mistakes if one.name == name))
        emitted = reference.expected(replace(known, answers=(wrong, *known.answers[1:])), 7, ["double-values"])
        assert reference.fits(known, 7, emitted, right) == {"double-values": [name]}
        assert reference.fits(known, 8, emitted, reference.expected(known, 8, ["double-values"])) == {
            "double-values": []
        }
    assert reference.fits(known, 7, right, right) == {"double-values": []}  # what is right is no mistake


def test_a_mistake_that_changes_what_it_is_given_does_not_meet_the_next_one(assignment):
    """Each runs in a child of its own: the shared array is whole again for the second."""
    cells = list(assignment.cells)
    cells[1] = replace(cells[1], source="import numpy as np\nshared = np.ones(3)\n")
    spoils = Mistake("spoils", "double", "shared *= 0\ndef double(x):\n    return x * 0\n", "", ("double-values",))
    plain = Mistake("three times", "double", "def double(x):\n    return x * 3 * shared[0]\n", "", ("double-values",))
    assignment = replace(assignment, cells=tuple(cells), mistakes=(spoils, plain))
    assert [one["name"] for one in mistakes.published(assignment)["double-values"]] == ["spoils", "three times"]


@pytest.mark.slow
def test_a_mistake_that_hangs_is_ended_and_left_out(assignment):
    wrong = [Variant("hangs", "double", "def double(x):\n    while True:\n        pass\n", {})]
    assert mistakes.marked(assignment, wrong, (1,))[0].checks == ()


@pytest.mark.slow
def test_a_record_names_the_mistake_in_public_and_hidden_checks_alike_and_always_the_same(known):
    content = submission({"double": WRONG["three times"][1], "total": WRONG["the mean"][1]})
    records = [grade(content, known, trusted=True) for _ in range(2)]
    assert records[0].dumps() == records[1].dumps()
    results = {one.id: one for one in records[0].checks}
    hidden = results["double-hidden"]
    assert (hidden.state, hidden.mistake) == (State.FAILED, "three times")
    assert hidden.message == "the values are not the expected ones; this looks like: three times. twice is two times"
    assert results["double-values"].message.endswith("; this looks like: three times. twice is two times")
    assert results["double-values"].called == "double(x: float64 (2, 3))"
    assert hidden.called == ""  # how a hidden check calls the answer is not told
    assert results["total-hidden"].message.endswith("; this looks like: the mean. look at total again")
    assert results["softmax-values"].mistake == ""
    other = grade(submission({"double": "def double(x):\n    return 2.5 * x\n"}), known, trusted=True)
    assert not any(one.mistake for one in other.checks)
