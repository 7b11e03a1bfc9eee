"""What check cells import: numbers from a seed, and a verdict in a student's own notebook."""

import json

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
    channel.inputs("step")
    channel.emit(1.0)
    assert len(shown) == 1


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
