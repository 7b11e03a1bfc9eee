"""What check cells import: numbers from a seed, and a verdict in a student's own notebook."""

import json
import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from seqlab.grading import emit as channel
from seqlab.grading.values import encode


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Run in an empty folder, outside of a notebook; collect what is displayed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQLAB_SEED", raising=False)
    texts = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: texts.append(data))
    return texts


def test_inputs_depend_on_the_seed_and_the_name_alone(monkeypatch):
    def draw(seed, name):
        monkeypatch.setenv("SEQLAB_SEED", seed)
        return channel.inputs(name).normal(size=4).tolist()

    assert draw("7", "a") == draw("7", "a")
    assert len({tuple(draw(seed, name)) for seed in "078" for name in "ab"}) == 6
    monkeypatch.delenv("SEQLAB_SEED")
    assert channel.inputs("a").normal(size=4).tolist() == draw("0", "a")


def test_a_notebook_without_expected_values_is_told_what_it_emitted(shown):
    channel.inputs("alone")
    channel.emit(np.zeros((2, 3)))
    assert shown[0][channel.MIME] == encode(np.zeros((2, 3)))
    assert shown[0]["text/plain"] == "emitted a NumPy array of shape (2, 3) and dtype float64"


def test_a_notebook_with_expected_values_gets_a_verdict_for_each_value(shown, tmp_path):
    (tmp_path / "expected.json").write_text(json.dumps({"step": [encode(1.0), encode(2)]}))
    check = {"id": "step", "title": "one step", "rtol": 0.1, "atol": 0, "hint": "mind the sign"}
    (tmp_path / "release.json").write_text(json.dumps({"checks": [check]}))
    channel.inputs("step")
    channel.emit(1.05)
    channel.emit(3)
    channel.emit(4)
    assert [said["text/plain"] for said in shown] == [
        "✓ one step, value 1 of 2: as expected",
        "✗ one step, value 2 of 2: the number is wrong\n  Hint: mind the sign",
        "emitted a whole number (int); expected.json holds nothing to compare it with",
    ]
    channel.inputs("step")  # the cell is run again
    channel.emit(9.0)
    assert shown[-1]["text/plain"].startswith(
        "✗ one step, value 1 of 2: the number is off, the largest difference is 8"
    )


@pytest.mark.parametrize("content", ["", "[]", "{", '{"step": 3}', '{"step": [{}]}', '{"step": [{"type": "zzz"}]}'])
def test_a_damaged_file_of_expected_values_does_not_crash_the_notebook(shown, tmp_path, content):
    (tmp_path / "expected.json").write_text(content)
    (tmp_path / "release.json").write_text(content)
    (tmp_path / "mistakes.json").write_text(content)
    channel.inputs("step")
    channel.emit(1.0)
    assert len(shown) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"step": 3}', '{"step": [{"name": "x", "hint": "", "values": [3]}]}'])
def test_a_damaged_file_of_mistakes_takes_nothing_away(shown, tmp_path, content):
    (tmp_path / "expected.json").write_text(json.dumps({"step": [encode(1.0)]}))
    (tmp_path / "release.json").write_text(json.dumps({"checks": [{"id": "step", "title": "one step"}]}))
    (tmp_path / "mistakes.json").write_text(content)
    channel.inputs("step")
    channel.emit(2.0)
    assert shown[0]["text/plain"] == "✗ one step: the number is off, the largest difference is 1"


def test_a_recognised_mistake_is_named_with_its_own_hint(shown, tmp_path):
    (tmp_path / "expected.json").write_text(json.dumps({"step": [encode(2.0), encode(np.ones(2))]}))
    check = {"id": "step", "title": "one step", "hint": "mind the sign"}
    (tmp_path / "release.json").write_text(json.dumps({"checks": [check]}))
    told = [
        {"name": "halved", "hint": "not so little", "values": [None, encode(np.full(2, 0.5))]},
        {"name": "the other sign", "hint": "", "values": [encode(-2.0), encode(-np.ones(2))]},
        {"name": "also negative", "hint": "", "values": [encode(-2.0), encode(np.zeros(2))]},
    ]
    (tmp_path / "mistakes.json").write_text(json.dumps({"step": told}))

    def says(*values):
        channel.inputs("step")
        for value in values:
            channel.emit(value)
        return shown[-1]["text/plain"]

    half = says(2.0, np.full(2, 0.5))
    assert half.splitlines()[1:] == [
        "  You gave a NumPy array of shape (2,) and dtype float64.",
        "  This looks like: halved.",
        "  Hint: not so little",
    ]
    assert "looks like" not in says(-2.0)  # two mistakes begin so
    assert "This looks like: the other sign.\n  Hint: mind the sign" in says(-2.0, -np.ones(2))
    assert "looks like" not in says(2.0, np.full(2, 0.6))


CHECK = """from seqlab.grading.emit import emit, inputs
rng = inputs("{name}")
emit(1.0)
emit({value})
"""


@pytest.mark.slow
def test_a_students_notebook_says_in_each_cell_what_is_as_expected(tmp_path):
    """Run by Jupyter as a student would, one of the cells twice."""
    (tmp_path / "expected.json").write_text(json.dumps({"one": [encode(1.0), encode(2)], "two": [encode(1.0)] * 2}))
    sources = [
        CHECK.format(name="one", value=2),
        CHECK.format(name="two", value=2.0),
        CHECK.format(name="one", value=2),
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(book, resources={"metadata": {"path": str(tmp_path)}}, kernel_name="python3").execute()
    told = [[output["data"]["text/plain"] for output in cell.outputs] for cell in book.cells]
    good = ["✓ one, value 1 of 2: as expected", "✓ one, value 2 of 2: as expected"]
    off = "✗ two, value 2 of 2: the number is off, the largest difference is 1"
    assert told == [good, ["✓ two, value 1 of 2: as expected", off], good]


def outer(x, *rest, flag=True, **more):
    return x


def frame_of(*arguments, **named):
    """The frame of a call of `outer`, as Python shows it to a profiler."""
    seen = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: seen.append(frame) if frame.f_code is outer.__code__ else None)
    try:
        outer(*arguments, **named)
    finally:
        sys.setprofile(before)
    return seen[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((np.zeros((2, 3)),), "outer(x: float64 (2, 3), flag: True)"),
        ((np.zeros(4, np.int32), 5), "outer(x: int32 (4,), flag: True, rest: tuple of 1 (int))"),
        ((["a", "b"],), "outer(x: list of 2 (str, ...), flag: True)"),
        (({"r": np.ones(2)},), "outer(x: {r: float64 (2,)}, flag: True)"),
        ((None,), "outer(x: None, flag: True)"),
        ((0.1,), "outer(x: 0.1, flag: True)"),
        (("x" * 50,), "outer(x: str of 50, flag: True)"),
        ((np.sum,), "outer(x: function, flag: True)"),
    ],
)
def test_a_call_is_told_by_types_and_shapes(arguments, told):
    assert channel._describe(frame_of(*arguments)).replace("_ArrayFunctionDispatcher", "function") == told


def test_a_long_call_is_cut():
    told = channel._describe(frame_of(*range(200_000, 200_100), **{"b" * 300: 1}))
    assert len(told) <= channel.CALL_CHARACTERS
    assert "rest: tuple of 99 (int, ...)" in told


CALLS = """# answer: step
def step(x, h):
    for _ in range(3):
        helper(x)
    return x + h

def helper(x):
    return x
"""
CALLED = """from seqlab.grading.emit import emit, inputs
rng = inputs("one")
emit(step({x}, h=rng.normal(size=4)))
import sys
assert sys.getprofile() is not None  # it listens for the next call
"""


@pytest.mark.slow
def test_in_a_notebook_the_first_call_of_an_answer_is_told_also_when_it_raises(tmp_path):
    (tmp_path / "expected.json").write_text(json.dumps({"one": [encode(np.zeros(4))]}))
    texts = [CALLS, CALLED.format(x="1.5"), CALLED.format(x="'ab'"), "import sys\nprint(sys.getprofile())"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, resources=place, kernel_name="python3", allow_errors=True).execute()
    outputs = [cell.outputs for cell in book.cells]
    (verdict,) = outputs[1]
    assert "The check called step(x: 1.5, h: float64 (4,))." in verdict["data"]["text/plain"]
    raised, told = sorted(outputs[2], key=lambda one: one["output_type"] != "error")
    assert raised["ename"] == "UFuncTypeError" or "Error" in raised["ename"]
    assert told["data"]["text/plain"] == "  The check called step(x: 'ab', h: float64 (4,))."
    assert outputs[3][0]["text"] == "None\n"  # nothing listens on when a check's cell has ended
