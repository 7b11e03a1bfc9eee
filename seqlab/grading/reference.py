"""Runs the reference solution in a plain Python process that stays warm: the expected values of any seed.

    expected(assignment, seed) -> {check id: [typed values]}
    fits(assignment, seed, emitted, expected) -> {check id: [names of the declared mistakes that emit the same]}

The process imports once what the assignment imports and forks a child for every request, so that nothing which a check
leaves behind meets the next one. It listens on a socket before it has started, so that asking never waits for it.
"""

import ast
import atexit
import contextlib
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import OrderedDict

from seqlab.grading import mistakes, names
from seqlab.grading.model import Assignment
from seqlab.grading.sandbox import ENVIRONMENT, listening

KEPT = 4  # assignments whose process is kept


class ReferenceFailed(RuntimeError):
    """The reference solution did not come through its own checks: the assignment is at fault."""


class Reference:
    """The process of one assignment. Make requests with `ask`; end it with `close`."""

    def __init__(self, assignment):
        self.text = assignment.dumps()
        self.checks = [check.id for check in assignment.checks]
        self.folder = tempfile.mkdtemp(prefix="sq")
        self.address = f"{self.folder}/r"
        listener = listening(self.address, 64)
        environment = os.environ | ENVIRONMENT
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "seqlab.grading.reference", str(listener.fileno())],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, pass_fds=[listener.fileno()],
            start_new_session=True,
        )  # fmt: skip
        listener.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(self.text).encode() + b"\n")
            self.process.stdin.flush()

    def ask(self, seed, checks=None):
        """Begin a request; `wait` on what this returns gives the values."""
        return Request(self.address, {"seed": seed, "checks": self.checks if checks is None else list(checks)})

    def recognise(self, seed, emitted, expected):
        """Begin to look which declared mistakes emit the same values as an answer that failed."""
        return Request(self.address, {"seed": seed, "emitted": emitted, "expected": expected})

    def survey(self, seed, checks):
        """Begin to run every declared mistake: `wait` gives [[number, {check id: values}, seconds], ...]."""
        return Request(self.address, {"seed": seed, "survey": list(checks)})

    def close(self):
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Request:
    """One request under way."""

    def __init__(self, address, asked):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(address)
        self.socket.sendall(json.dumps(asked).encode() + b"\n")
        self.answer = None

    def wait(self, seconds=600.0):
        """Give what was asked for; raise ReferenceFailed when the solution does not deliver it."""
        if self.answer is None:
            self.socket.settimeout(seconds)
            try:
                with self.socket, self.socket.makefile("rb") as lines:
                    self.answer = json.loads(lines.read() or b'{"wrong": "its process died"}')
            except TimeoutError:
                self.answer = {"wrong": f"it is still running after {seconds:g} s"}
        if "wrong" in self.answer:
            raise ReferenceFailed(f"the reference solution gives no values: {self.answer['wrong']}")
        return self.answer["values"]


_kept = OrderedDict()


def reference(assignment):
    """The warm process of an assignment, started when there is none."""
    key = os.getpid(), assignment.digest
    if key in _kept and _kept[key].process.poll() is not None:
        _kept.pop(key).close()
    if key not in _kept:
        _kept[key] = Reference(assignment)
    _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)[1].close()
    return _kept[key]


@atexit.register
def close():
    """End every warm process that this one started."""
    while _kept:
        (owner, _), kept = _kept.popitem()
        if owner == os.getpid():
            kept.close()


def expected(assignment, seed, checks=None):
    """Compute what the reference solution emits.

    Parameters
    ----------
    assignment : Assignment.
    seed : int, the seed that `inputs` draws from.
    checks : ids of the checks; all of them when not given.

    Returns
    -------
    values : dict from check id to the list of typed values.

    Raises
    ------
    ReferenceFailed
        when the solution raises or emits nothing.
    """
    if os.name != "posix":
        return run(assignment, seed, [check.id for check in assignment.checks] if checks is None else checks)
    return reference(assignment).ask(seed, checks).wait()


def fits(assignment, seed, emitted, expected):
    """Find the declared mistakes that emit these values: see `mistakes.fitting`."""
    if os.name != "posix":
        return mistakes.fitting(assignment, seed, emitted, expected)
    return reference(assignment).recognise(seed, emitted, expected).wait()


def run(assignment, seed, checks):
    """Run the solution and these checks in this very process, which is not fit for anything else afterwards."""
    from seqlab.grading.trial import run_cells

    solutions = {answer.id: answer.solution for answer in assignment.answers}
    sources = {check.id: check.source for check in assignment.checks} | solutions
    cells = [
        (cell.id, cell.role, sources.get(cell.id, cell.source))
        for cell in assignment.cells
        if cell.role in ("provided", "answer") or cell.id in checks
    ]
    values, wrong = {}, []

    def report(kind, name, content):
        if kind == "values":
            values[name] = json.loads(json.dumps(content))
        elif kind == "error":
            wrong.append(f"the check {name!r} raises {content}")

    run_cells({"cells": cells, "seed": seed, "closed": ()}, report)
    wrong += [f"the check {name!r} emits nothing" for name in checks if not values.get(name) and not wrong]
    if wrong:
        raise ReferenceFailed(wrong[0])
    return values


def imported(assignment):
    """The modules that an assignment's own cells import, in their order."""
    found = {}
    sources = [cell.source for cell in assignment.cells if cell.role not in ("text", "manual")]
    for source in [*sources, *(answer.solution for answer in assignment.answers)]:
        with contextlib.suppress(SyntaxError, ValueError):
            for node in ast.walk(names.parse(source)):
                if isinstance(node, ast.Import):
                    found |= dict.fromkeys(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found[node.module] = None
    return list(found)


def _answer(assignment, request):
    """Do what a request asks for, in a child of its own."""
    if "emitted" in request:
        return mistakes.fitting(assignment, request["seed"], request["emitted"], request["expected"])
    if "survey" in request:
        return list(mistakes.emissions(assignment, request["seed"], set(request["survey"])))
    return run(assignment, request["seed"], request["checks"])


def _respond(connection, assignment):
    with connection, connection.makefile("rb") as lines:
        request = json.loads(lines.readline())
        signal.alarm(int(10 * assignment.total_seconds))
        try:
            answer = {"values": _answer(assignment, request)}
        except ReferenceFailed as wrong:
            answer = {"wrong": str(wrong)}
        connection.sendall(json.dumps(answer).encode())


def serve(listener):
    """Answer requests until the grader goes away."""
    assignment = Assignment.loads(json.loads(sys.stdin.readline()))
    for module in imported(assignment):
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            with contextlib.suppress(BaseException):
                _respond(connection, assignment)
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
