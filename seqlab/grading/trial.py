"""Runs an assignment's cells without sandbox and without Jupyter: fast, and for code that is our own.

The build tries solutions, declared variants and hundreds of mutants this way, and a student her own notebook. A worker
process imports what is heavy once and forks a child for every trial; a child that hangs is killed at its deadline and
one that dies is noticed at once. Nothing here is a defence: strangers' code goes through `seqlab.grading.run`.

    python -m seqlab.grading.trial        reads jobs and writes results, one JSON text a line
"""

import contextlib
import importlib
import importlib.abc
import io
import json
import linecache
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field

from seqlab.grading.model import State

SHOWN = 4000  # characters of a student's output that are kept
FORKS = hasattr(os, "fork")


@dataclass
class Trial:
    """What one run gave: typed values of the checks that came through, and what happened to the others."""

    values: dict = field(default_factory=dict)  # check id -> list of typed values
    states: dict = field(default_factory=dict)  # check id -> State, only for those without values
    messages: dict = field(default_factory=dict)  # check id -> one sentence
    shown: dict = field(default_factory=dict)  # answer or check id -> what it printed or raised


class _Closed(importlib.abc.MetaPathFinder):
    """Refuses to import what an answer may not use."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        """Raise for a closed module, leave every other to the next finder."""
        if any(name == module or name.startswith(module + ".") for module in self.modules):
            raise ModuleNotFoundError(f"{name} is closed for this answer: write it yourself", name=name)


def _close(modules):
    for name in list(sys.modules):
        if any(name == module or name.startswith(module + ".") for module in modules):
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent in sys.modules and child in vars(sys.modules[parent]):  # torch has modules that only pretend
                delattr(sys.modules[parent], child)
    if modules:
        sys.meta_path.insert(0, _Closed(modules))


class _Capped(io.StringIO):
    """A text that stops growing."""

    def write(self, text):
        """Keep what fits."""
        if self.tell() < SHOWN:
            super().write(str(text)[: SHOWN - self.tell()])
        return len(text)


def _told(wrong):
    """The lines of a traceback that lie in the notebook, and the error."""
    places = [frame for frame in traceback.extract_tb(wrong.__traceback__) if frame.filename.startswith("<")]
    lines = [f"  {frame.filename[1:-1]}, line {frame.lineno}: {frame.line}" for frame in places]
    return "\n".join([*lines[-8:], f"{type(wrong).__name__}: {wrong}"[:SHOWN]])


def run_cells(job, report):
    """Run the cells of one job in this process and report each check as it ends.

    Parameters
    ----------
    job : dict with cells (a list of [id, role, source]), seed and closed.
    report : called with (kind, id, content); kind is values, error or shown.
    """
    os.environ["SEQLAB_SEED"] = str(job["seed"])
    from seqlab.grading import emit as channel
    from seqlab.grading.values import encode

    emitted = []
    channel.emit = lambda value: emitted.append(encode(value))
    _close(job["closed"])
    namespace = {"__name__": "__main__"}
    for name, role, source in job["cells"]:
        if role == "text":
            continue
        filename, printed = f"<{name}>", _Capped()
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        emitted.clear()
        report("start", name, role)
        wrong = None
        try:
            with redirect_stdout(printed), redirect_stderr(printed):
                exec(compile(source, filename, "exec"), namespace)
        except BaseException as raised:  # a student's code may raise anything, SystemExit too
            wrong = raised
        text = printed.getvalue()
        if wrong is not None:
            text += _told(wrong) + "\n"
        if text:
            report("shown", name, text)
        if role == "check":
            if wrong is None:
                report("values", name, emitted)
            else:
                report("error", name, f"{type(wrong).__name__}: {wrong}"[:500])


def _child(job, pipe):
    """The forked child: no output but the pipe, no way back into the worker's loop."""
    with open(os.devnull, "r+b", buffering=0) as null:
        for number in (0, 1, 2):
            os.dup2(null.fileno(), number)
    with os.fdopen(pipe, "w", encoding="utf-8") as out:

        def report(*line):
            out.write(json.dumps(line) + "\n")
            out.flush()

        before = set(sys.modules)
        run_cells(job, report)
        report("end", "", [name for name in sys.modules if name not in before] if job["learn"] else [])
    os._exit(0)


def _forked(job, answer):
    """Run a job in a forked child, passing its lines on; say how it ended."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.setpgid(0, 0)
        try:
            _child(job, write)
        finally:
            os._exit(1)
    os.close(write)
    deadline, ended, rest, learnt = time.monotonic() + job["seconds"], "died", b"", []
    while True:
        ready, _, _ = select.select([read], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            ended = "timeout"
            break
        chunk = os.read(read, 1 << 16)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b'["end"'):
                ended, learnt = "end", json.loads(line)[2]
            else:
                answer(line.decode("utf-8", "replace"))
        if ended == "end":
            break
    os.close(read)
    for target in (lambda: os.killpg(pid, signal.SIGKILL), lambda: os.kill(pid, signal.SIGKILL)):
        try:
            target()
        except (ProcessLookupError, PermissionError):
            continue
    os.waitpid(pid, 0)
    answer(json.dumps([ended, "", ""]))
    for module in learnt:  # what the first job imported, the next ones find imported
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def serve(warm):
    """The worker: import what is heavy, then take one job a line until the input ends."""
    import numpy  # noqa: F401

    from seqlab.grading import emit, values  # noqa: F401

    for module in warm:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def answer(line):
        out.write(line + "\n")
        out.flush()

    for line in sys.stdin:
        job = json.loads(line)
        if FORKS:
            _forked(job, answer)
        else:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            run_cells(job, lambda *said: answer(json.dumps(said)))
            answer(json.dumps(["end", "", ""]))
            return


class Worker:
    """One worker process; `run` takes one job at a time. Use it in a `with` block."""

    def __init__(self, warm=()):
        self.warm, self.process, self.learn = tuple(warm), None, True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the worker process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def _start(self):
        self.learn = True
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seqlab.grading.trial", *self.warm],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment,
        )  # fmt: skip

    def run(self, cells, seed, closed=(), seconds=20.0):
        """Run cells in order and give the Trial.

        Parameters
        ----------
        cells : a list of (id, role, source).
        seed : the seed that `inputs` draws from.
        closed : modules that may not be imported.
        seconds : after so long the run is killed.
        """
        if self.process is None or self.process.poll() is not None:
            self.close()
            self._start()
        job = {"cells": [list(cell) for cell in cells], "seed": seed, "closed": list(closed), "seconds": seconds}
        job["learn"], self.learn = self.learn, False
        watchdog = None
        if not FORKS:
            watchdog = threading.Timer(seconds, self.process.kill)
            watchdog.start()
        trial, running, ended = Trial(), None, "died"
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                kind, name, content = json.loads(line)
                if kind in ("end", "died", "timeout"):
                    ended = kind
                    break
                if kind == "start":
                    running = name
                elif kind == "values":
                    trial.values[name] = content
                elif kind == "error":
                    trial.states[name], trial.messages[name] = State.ERROR, content
                else:
                    trial.shown[name] = content
        except BrokenPipeError:
            pass
        if not FORKS:
            if ended == "died" and not watchdog.is_alive():
                ended = "timeout"
            watchdog.cancel()
            self.close()
        if ended != "end":
            state = State.TIMEOUT if ended == "timeout" else State.DIED
            told = f"still running after {seconds:g} s" if ended == "timeout" else "the process ended"
            for name in _from(cells, running):
                if name not in trial.values and name not in trial.states:
                    trial.states[name] = state if name == running or not _is_check(cells, running) else State.NOT_RUN
                    trial.messages[name] = f"{told} in {running}"
        return trial


def _is_check(cells, name):
    return any(cell[0] == name and cell[1] == "check" for cell in cells)


def _from(cells, running):
    return [name for name, role, _ in cells if role == "check"]


def groups(assignment, checks):
    """The checks by what their answers may not use: [(closed modules, checks), ...]; each group is one run."""
    closed = {answer.id: answer.closed for answer in assignment.answers}
    found = {}
    for check in checks:
        found.setdefault(closed[check.answer], []).append(check)
    return list(found.items())


def attempt(worker, assignment, answers, checks, seed, seconds=None):
    """Run these checks on an assignment with some answers replaced.

    Parameters
    ----------
    worker : Worker.
    assignment : Assignment.
    answers : dict of answer id -> source; the others keep the source of the assignment's cell.
    checks : the checks to run, in the assignment's order.
    seed : int.

    Returns
    -------
    trial : Trial over all the groups of closed modules.
    """
    whole = Trial()
    for closed, members in groups(assignment, checks):
        wanted = {check.id for check in members}
        end = max(place for place, cell in enumerate(assignment.cells, start=1) if cell.id in wanted)
        cells = [
            (cell.id, cell.role, answers.get(cell.id, cell.source) if cell.role == "answer" else cell.source)
            for cell in assignment.cells[:end]  # what comes later can change none of these checks
            if cell.role in ("provided", "answer") or cell.id in wanted
        ]
        trial = worker.run(cells, seed, closed, seconds or assignment.total_seconds)
        whole.values |= trial.values
        whole.states |= trial.states
        whole.messages |= trial.messages
        for name, text in trial.shown.items():
            whole.shown.setdefault(name, text)
    return whole


class Pool:
    """A few workers that stay warm; use it in a `with` block."""

    def __init__(self, workers=2, warm=()):
        self.free, self.lock = [Worker(warm) for _ in range(workers)], threading.Lock()
        self.threads = ThreadPoolExecutor(workers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.threads.shutdown(wait=True, cancel_futures=True)
        for worker in self.free:
            worker.close()

    def map(self, jobs, run):
        """Do `run(worker, job)` for every job, a worker each; yield (job, result) in the order of the jobs."""

        def one(job):
            with self.lock:
                worker = self.free.pop()
            try:
                return job, run(worker, job)
            finally:
                with self.lock:
                    self.free.append(worker)

        yield from self.threads.map(one, jobs)


if __name__ == "__main__":
    serve(sys.argv[1:])
