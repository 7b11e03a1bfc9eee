"""Measures grading the same small notebook by this grader, by nbgrader and by otter, side by side in one run.

python -m tests.grading.side_by_side --peers /path/to/bin [--copies 20] [--rounds 3] [--out FILE]

The peers live in an environment of their own (`pip install nbgrader otter-grader`); `--peers` is its folder of
programs, or SEQLAB_PEERS. Every program is started as its users start it, and everything from its start to its end
counts. Two notebooks at a time where the program can; nbgrader's autograde takes one after the other, so it is run a
second time as two processes that halve the class.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tqdm import tqdm

from seqlab.grading import build as builds
from tests.grading import course

SEQLAB = [sys.executable, "-P", "-m", "seqlab.cli"]
OUT = Path(builds.__file__).with_name("measurements") / "side_by_side.json"
NAME = "ps1"
ANSWERS = {
    "double": "def double(x):\n    return x * 2",
    "running": "def running(xs):\n    return np.cumsum(xs)",
}
CHECKS = {
    "double-values": "x = np.random.default_rng(1).normal(size=3)\nassert np.allclose(double(x), 2 * x)",
    "double-hidden": "x = np.random.default_rng(2).normal(size=(2, 3))\nassert np.allclose(double(x.copy()), x + x)",
    "running-values": "x = np.random.default_rng(3).normal(size=4)\nassert np.allclose(running(x), np.cumsum(x))",
}
WHOSE = {"double": ("double-values", "double-hidden"), "running": ("running-values",)}
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def _cell(name, kind, source, **more):
    cell = {"id": name, "cell_type": kind, "metadata": more, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _notebook(cells):
    return json.dumps({"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5})


def _environment(program):
    """The environment of one of their programs, which look for their helpers on the path."""
    return os.environ | {"PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}


def _start(command, folder):
    command = [str(part) for part in command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env=_environment(command[0]), **quiet)


def _run(command, folder):
    command = [str(part) for part in command]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=_environment(command[0]))
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    return done.stdout


class Ours:
    """`seqlab grade`, sandbox included."""

    def __init__(self, folder, copies, workers):
        self.folder, self.copies, self.workers = folder, copies, workers
        self.bundle = builds.build(
            course.folder(folder / "source"), folder / "built", with_mutants=False, with_engine=False
        )
        release = json.loads((self.bundle / "release" / f"{course.NAME}.ipynb").read_text())
        (folder / "submitted").mkdir()
        for number in range(copies):  # a line differs, or the ledger would know the second one already
            own = {name: f"# student {number}\n{source}" for name, source in ANSWERS.items()}
            (folder / "submitted" / f"student{number}.ipynb").write_bytes(builds.filled(release, own))

    def __call__(self):
        """Grade the class."""
        ledger = self.folder / "grades.sqlite"
        for path in self.folder.glob("grades.sqlite*"):
            path.unlink()
        options = ["--assignment", self.bundle, "--ledger", ledger, "--workers", self.workers]
        _run([*SEQLAB, "grade", "submitted", *options], self.folder)
        from seqlab.grading.ledger import Ledger

        with Ledger(ledger, must_exist=True) as book:
            scores = [one.score for one in book.standings(course.NAME)]
        if scores != [7.0] * self.copies:
            raise RuntimeError(f"not every copy earned 7 points: {scores}")


class Nbgrader:
    """`nbgrader autograde`, in one process or in several that share the class."""

    def __init__(self, folder, copies, program, processes):
        self.program, self.copies = program, copies
        self.courses = [folder / f"course{number}" for number in range(processes)]
        for number, home in enumerate(self.courses):
            self.prepare(home, range(number, copies, processes))

    def prepare(self, home, students):
        """Make a course with its class."""

        def grader(name, **more):
            kind = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
            return {"nbgrader": kind | {"grade_id": name} | more}

        cells = [_cell("tools", "code", "import numpy as np")]
        for answer, checks in WHOSE.items():
            cells.append(_cell(answer, "code", ANSWERS[answer], **grader(answer, solution=True)))
            cells += [
                _cell(name, "code", CHECKS[name], **grader(name, grade=True, locked=True, points=2)) for name in checks
            ]
        places = [home / "source" / NAME, *(home / "submitted" / f"student{n}" / NAME for n in students)]
        for place in places:
            place.mkdir(parents=True)
            (place / "p.ipynb").write_text(_notebook(cells))
        (home / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(home)!r}\n")
        _run([self.program, "generate_assignment", NAME, "--force"], home)

    def __call__(self):
        """Grade the class."""
        for home in self.courses:
            shutil.rmtree(home / "autograded", ignore_errors=True)
        running = [_start([self.program, "autograde", NAME, "--force"], home) for home in self.courses]
        if any(process.wait() for process in running):
            raise RuntimeError("nbgrader autograde failed")
        graded = sum(1 for home in self.courses for _ in home.glob(f"autograded/*/{NAME}/p.ipynb"))
        if graded != self.copies:
            raise RuntimeError(f"nbgrader graded {graded} of {self.copies}")


class Otter:
    """`otter run`, two at a time; without the container that `otter grade` adds."""

    def __init__(self, folder, copies, program):
        self.program, self.copies, self.folder = program, copies, folder
        cells = [
            _cell("config", "raw", "# ASSIGNMENT CONFIG\ninit_cell: false\nexport_cell: false\ngenerate: true\n"),
            _cell("tools", "code", "import numpy as np"),
        ]
        for answer, checks in WHOSE.items():
            cells += [
                _cell(f"{answer}-q", "raw", f"# BEGIN QUESTION\nname: {answer}\npoints: 2"),
                _cell(f"{answer}-s", "raw", "# BEGIN SOLUTION"),
                _cell(answer, "code", f"{ANSWERS[answer]} # SOLUTION"),
                _cell(f"{answer}-e", "raw", "# END SOLUTION"),
                _cell(f"{answer}-t", "raw", "# BEGIN TESTS"),
                *(_cell(name, "code", CHECKS[name]) for name in checks),
                _cell(f"{answer}-u", "raw", "# END TESTS"),
                _cell(f"{answer}-v", "raw", "# END QUESTION"),
            ]
        (folder / "p.ipynb").write_text(_notebook(cells))
        _run([program, "assign", "p.ipynb", "dist"], folder)
        (self.zip,) = (folder / "dist" / "autograder").glob("*.zip")
        self.filled = folder / "dist" / "autograder" / "p.ipynb"

    def __call__(self):
        """Grade the class."""
        waiting, running = list(range(self.copies)), []
        while waiting or running:
            while waiting and len(running) < 2:
                out = self.folder / f"out{waiting.pop()}"
                out.mkdir(exist_ok=True)
                running.append(_start([self.program, "run", self.filled, "-a", self.zip, "-o", out], self.folder))
            done = running.pop(0)
            if done.wait():
                raise RuntimeError("otter run failed")
        scores = [json.loads(path.read_text())["tests"] for path in self.folder.glob("out*/results.json")]
        if [sum(test.get("score", 0) for test in tests) for tests in scores] != [4.0] * self.copies:
            raise RuntimeError("not every copy passed otter's tests")


def measure(peers, copies, rounds):
    """Run all in turn; give {program: seconds a notebook of each round} and the peers' versions."""
    with tempfile.TemporaryDirectory(prefix="side") as name:
        homes = {key: Path(name, key) for key in ("ours", "alone", "nbgrader", "halves", "otter")}
        for home in homes.values():
            home.mkdir()
        programs = {
            "seqlab grade, 2 workers, sandboxed": Ours(homes["ours"], copies, 2),
            "seqlab grade, 1 worker, sandboxed": Ours(homes["alone"], copies, 1),
            "nbgrader autograde": Nbgrader(homes["nbgrader"], copies, peers / "nbgrader", 1),
            "nbgrader autograde, 2 processes": Nbgrader(homes["halves"], copies, peers / "nbgrader", 2),
            "otter run, 2 at a time": Otter(homes["otter"], copies, peers / "otter"),
        }
        seconds = {key: [] for key in programs}
        with tqdm(total=rounds * len(programs), unit="class") as bar:
            for _ in range(rounds):
                for key, grade in programs.items():
                    started = time.perf_counter()
                    grade()
                    seconds[key].append((time.perf_counter() - started) / copies)
                    bar.set_postfix_str(f"{key}: {seconds[key][-1]:.2f} s")
                    bar.update()
    python = next(peers / name for name in ("python", "python3") if (peers / name).exists())
    ask = "import importlib.metadata as m; print(m.version('nbgrader'), m.version('otter-grader'))"
    nbgrader, otter = _run([python, "-c", ask], ".").split()
    return seconds, {"nbgrader": nbgrader, "otter-grader": otter, "nbval": metadata.version("nbval")}


def main():
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=os.environ.get("SEQLAB_PEERS"), help="folder of their programs")
    parser.add_argument("--copies", type=int, default=20, help="notebooks in the class")
    parser.add_argument("--rounds", type=int, default=3, help="how often each program grades it")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file to write")
    given = parser.parse_args()
    if given.peers is None or not (given.peers / "nbgrader").exists() or not (given.peers / "otter").exists():
        parser.error("--peers must be the bin folder of an environment with nbgrader and otter-grader")
    seconds, versions = measure(given.peers.resolve(), given.copies, given.rounds)
    medians = {key: round(statistics.median(values), 3) for key, values in seconds.items()}
    for key, value in medians.items():
        print(f"{value:7.3f} s a notebook   {key}")
    report = {
        "what": f"the same notebook of two answers, {given.copies} copies, seconds a notebook, median of the rounds",
        "date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), "python": platform.python_version(),
        "versions": versions, "copies": given.copies, "rounds": given.rounds, "median": medians,
        "seconds": {key: [round(value, 3) for value in values] for key, values in seconds.items()},
    }  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
