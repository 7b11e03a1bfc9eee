"""Measures grading one notebook against `jupyter execute` on the same cells, side by side.

python -m tests.grading.ratio [ROUNDS]
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.grading.tiny import make_assignment, submission

GRADE = """
import sys
from pathlib import Path
from seqlab.grading.model import Assignment
from seqlab.grading.run import grade
record = grade(Path(sys.argv[1]).read_bytes(), Assignment.load(sys.argv[2]))
assert record.score == record.points, record.dumps()
"""


def commands(folder):
    """The two commands: each a whole process from start to end, with everything that it starts."""
    whole = make_assignment(cell_seconds=60, total_seconds=300)
    answers = tuple(dataclasses.replace(answer, closed=()) for answer in whole.answers)
    assignment = dataclasses.replace(whole, answers=answers)
    cells = [
        {
            "cell_type": "code",
            "id": cell.id,
            "metadata": {},
            "source": cell.source,
            "outputs": [],
            "execution_count": None,
        }
        for cell in assignment.cells
        if cell.role != "text"
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    plain = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "plain.ipynb").write_text(json.dumps(plain))
    (folder / "submission.ipynb").write_bytes(submission())
    (folder / "assignment.json").write_text(assignment.dumps())
    jupyter = Path(sys.executable).with_name("jupyter")
    return {
        "jupyter execute": [str(jupyter), "execute", str(folder / "plain.ipynb")],
        "grade": [sys.executable, "-c", GRADE, str(folder / "submission.ipynb"), str(folder / "assignment.json")],
    }


def measure(rounds=5):
    """Run both in turn; give the ratio of the medians and a sentence that tells them."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    with tempfile.TemporaryDirectory() as folder:
        both = commands(Path(folder))
        seconds = {name: [] for name in both}
        for _ in range(rounds):
            for name, command in both.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True, env=environment)
                seconds[name].append(time.perf_counter() - started)
    plain, graded = (statistics.median(seconds[name]) for name in ("jupyter execute", "grade"))
    told = f"jupyter execute {plain:.2f} s, graded in the sandbox {graded:.2f} s: {graded / plain:.2f} times"
    return graded / plain, f"{told} (medians of {rounds})"


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if sys.argv[1:] else 5)[1])
