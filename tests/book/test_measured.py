"""What the instructor's guide tells of measurements is what the files of measurements say."""

import importlib.util
import json
import re

import pytest

from seqlab.notebooks import ROOT

GUIDE = (ROOT / "book" / "appendix" / "instructors-guide.md").read_text(encoding="utf-8")
ASKED = re.findall(r"^```\{measured\} (\S+)$", GUIDE, re.MULTILINE)
SAMPLES = {
    "side_by_side": {
        "median": {"ours": 0.41, "theirs": 2.5}, "copies": 20, "rounds": 3, "cores": 2,
        "versions": {"nbgrader": "0.9.6", "otter-grader": "7.0.0", "nbval": "0.11.0"},
    },
    "thousand": {
        "submissions": 1000, "mix": {"declared wrong answers": 700, "hostile": 300}, "killed": [{}, {}, {}],
        "records": 999, "as_declared": 998, "notebooks_a_minute": 61.5, "cores": 2, "assignment": "04_gated_units",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def course():
    """The book's own extension of Sphinx."""
    spec = importlib.util.spec_from_file_location("sphinx_course", ROOT / "book" / "sphinx_course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(lines):
    """The cells of every line of a table."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_guide_asks_only_for_what_can_be_told(course):
    assert sorted(ASKED) == ["mutants", "side_by_side", "thousand"]
    assert set(course.MEASURED) < set(ASKED)


def test_what_is_missing_is_said_and_a_table_is_taken_as_it_is(course, tmp_path):
    for name in ASKED:
        assert course.measured(name, tmp_path)[1] == "This has not been measured yet."
    (tmp_path / "mutants.md").write_text("| a |\n|---|\n", encoding="utf-8")
    (tmp_path / "thousand.json").write_text(json.dumps(SAMPLES["thousand"]), encoding="utf-8")
    assert course.measured("mutants", tmp_path) == (tmp_path / "mutants.md", "| a |\n|---|\n")
    assert "1,000" in course.measured("thousand", tmp_path)[1]


def test_the_quickest_stands_out(course):
    assert rows(course.side_by_side(SAMPLES["side_by_side"]))[2:] == [["**ours**", "0.41"], ["theirs", "2.50"]]


def test_lost_and_wrong_records_would_be_seen(course):
    told = "\n".join(course.thousand(SAMPLES["thousand"]))
    for number in ("1,000", "700 declared wrong answers", "| 3 |", "| 999 |", "| 998 |", "61.5", "04_gated_units"):
        assert number in told


@pytest.mark.parametrize("name", ASKED)
def test_what_was_measured_fits_its_table(course, name):
    path, text = course.measured(name)
    if not path.is_file():
        pytest.skip(f"{path.relative_to(ROOT)} has not been measured")
    for table in text.split("\n\n"):
        assert len({len(row) for row in rows(table.splitlines())}) <= 1
    assert rows(text.splitlines())
    assert not re.search(r"\bnan\b|None", text)
