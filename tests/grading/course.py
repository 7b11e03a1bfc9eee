"""A tiny assignment as an author writes it, for the tests of the build side."""

import copy
import json

from seqlab import cli
from seqlab.grading.model import CheckResult, Outcome, Record, State

NAME = "00_tiny_source"
DOUBLE = '''\
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    twice_of_x = x * 2
    return twice_of_x
    ### END SOLUTION'''
RUNNING = '''\
def running(xs):
    """The sums so far."""
    ### BEGIN SOLUTION
    total, sums_so_far = 0.0, []
    for x in xs:
        total += x
        sums_so_far.append(total)
    return np.array(sums_so_far)
    ### END SOLUTION'''
HIDDEN = """\
### BEGIN HIDDEN TESTS
rng = inputs("double-hidden")
given_to_double = rng.normal(size=(2, 3))
emit(double(given_to_double.copy()))
emit(given_to_double)
### END HIDDEN TESTS"""
PARTLY = """\
rng = inputs("running-values")
emit(running(rng.normal(size=4)))
### BEGIN HIDDEN TESTS
emit(running(rng.normal(size=0)))
### END HIDDEN TESTS"""


def call(capsys, *arguments):
    """Run the command line: (status, what it printed, what it complained)."""
    status = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def code(name, source, **meta):
    """A code cell as the author's notebook has it."""
    return {
        "id": name, "cell_type": "code", "metadata": {"seqlab": meta} if meta else {}, "source": source,
        "execution_count": None, "outputs": [],
    }  # fmt: skip


def check(name, answer, title, points, source, **more):
    """A check cell."""
    return code(name, source, role="check", id=name, answer=answer, title=title, points=points, **more)


def text(name, source):
    """A markdown cell."""
    return {"id": name, "cell_type": "markdown", "metadata": {}, "source": source}


CELLS = [
    text("title", "# A tiny assignment"),
    code("tools", "import numpy as np\nfrom seqlab.grading.emit import emit, inputs", role="provided"),
    text("double-text", "Write double."),
    code("double", DOUBLE, role="answer", id="double", title="Doubling", closed=["html.parser"]),
    check(
        "double-values", "double", "values of double", 2,
        'rng = inputs("double-values")\nemit(double(rng.normal(size=3)))', hint="twice means times two",
    ),
    check("double-hidden", "double", "double keeps its input", 3, HIDDEN),
    code("running", RUNNING, role="answer", id="running", title="A running sum"),
    check("running-values", "running", "sums, also of nothing", 2, PARTLY, rtol=1e-9),
]  # fmt: skip
VARIANTS = '''
[[wrong]]
name = "adds two"
answer = "double"
source = """
def double(x):
    return x + 2
"""
earns = {double-values = 0, double-hidden = 0}

[[wrong]]
name = "forgets to add"
answer = "running"
source = """
def running(xs):
    return np.array(xs)
"""
earns = {running-values = 0}

[[right]]
name = "adds itself"
answer = "double"
source = """
def double(x):
    return x + x
"""
'''


def cells(**changes):
    """The cells, with some changed: `cells(double={"source": ...}, tools={"metadata": ...})`."""
    found = copy.deepcopy(CELLS)
    for cell in found:
        cell.update(changes.get(cell["id"].replace("-", "_"), {}))
    return found


def meta(name, **changes):
    """The metadata of a cell with some entries of its `seqlab` changed; None removes one."""
    seqlab = copy.deepcopy(next(cell for cell in CELLS if cell["id"] == name)["metadata"]["seqlab"])
    seqlab.update(changes)
    return {"metadata": {"seqlab": {key: value for key, value in seqlab.items() if value is not None}}}


def folder(place, cells=None, variants=VARIANTS, **settings):
    """Write the assignment's source below a folder; give its own folder."""
    home = place / NAME
    home.mkdir(parents=True, exist_ok=True)
    settings = {"assignment": NAME, "title": "A tiny assignment"} | settings
    notebook = {
        "cells": CELLS if cells is None else cells, "metadata": {"seqlab": settings},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    (home / "assignment.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    if variants is not None:
        (home / "variants.toml").write_text(variants, encoding="utf-8")
    return home


def record(submission, states, outcome=Outcome.GRADED, assignment=NAME, **more):
    """A record with these states of the three checks."""
    points = {"double-values": ("double", 2.0), "double-hidden": ("double", 3.0), "running-values": ("running", 2.0)}
    checks = [
        CheckResult(name, answer, state, worth if state is State.PASSED else 0.0, worth)
        for (name, (answer, worth)), state in zip(points.items(), states, strict=True)
    ]
    return Record(assignment, submission, 7, outcome, checks, **more)
