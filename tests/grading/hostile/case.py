"""What a hostile submission is, and the list that all of them enter.

Every case is a function that makes a submission; its decorator gives its number in the catalogue and what it must
earn. Every case changes the tiny assignment's right answers (double 3 points, total 4, softmax 5); what it does not
touch must keep its points.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from seqlab.grading.model import Outcome
from tests.grading.hostile.watched import NAME, PORT
from tests.grading.tiny import submission

__all__ = [
    "CASES",
    "FULL",
    "LIAR",
    "NAME",
    "PORT",
    "RIGHT",
    "SEND",
    "TOKEN",
    "WRONG",
    "Case",
    "case",
    "softmax",
    "total",
]
FULL = 12.0
CASES = []
IPC = "import os, signal, socket, subprocess, sys, threading, time\n"
RIGHT = "return float(x.sum())"
WRONG = "return float(x.sum()) + 1"
TOKEN = "WORK-OF-ANOTHER"  # stands in every neighbour's notebook, followed by the neighbour's own number
LIAR = """
class Liar(float):
    def __eq__(self, other): return True
    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = lambda *a: False
    def __repr__(self): return "0.0"
"""
SEND = """
shell = get_ipython()
def send(kind, content):
    shell.kernel.session.send(shell.kernel.iopub_socket, kind, content, shell.get_parent())
"""


@dataclass
class Case:
    """One submission and what must come of it."""

    number: int
    name: str
    make: Callable  # gives bytes, or a dict of answers
    score: float
    outcome: Outcome = Outcome.GRADED
    states: dict = field(default_factory=dict)  # check id -> State, where it matters which

    @functools.cached_property
    def submission(self):
        """The bytes that are handed in."""
        made = self.make()
        return made if isinstance(made, bytes) else submission(made)

    @property
    def student(self):
        """Under which name it is handed in."""
        return f"{self.number:02}-{self.name.replace('_', '-')}"


def case(number, score=8.0, outcome=Outcome.GRADED, **states):
    """Register what a function makes: bytes, or a dict of answers. Underscores in check names stand for hyphens."""

    def register(function):
        states_of = {name.replace("_", "-"): state for name, state in states.items()}
        CASES.append(Case(number, function.__name__, function, score, outcome, states_of))
        return function

    return register


def total(body, head=""):
    """The answer `total` with another body; x is its argument."""
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return {"total": f"{IPC}{head}\ndef total(x):\n{lines}\n"}


def softmax(body, head=""):
    """The answer `softmax` with another body; z is its argument. Its book is closed: torch and scipy.special."""
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return {"softmax": f"{IPC}{head}\ndef softmax(z):\n{lines}\n"}
