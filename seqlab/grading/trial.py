"""Runs an assignment's cells without sandbox and without Jupyter: fast, and for code that is our own.

The build tries solutions, declared variants and hundreds of mutants this way, and a student her own notebook. A worker
process imports once what is heavy and forks a child for every trial; a child that hangs is killed at its deadline and
one that dies is noticed at once. Trials that begin alike fork from one child that has run their common cells, the
*stand*: a mutant then costs its own cell and its checks. Nothing here is a defence: strangers' code goes through
`seqlab.grading.run`.

    python -m seqlab.grading.trial        reads jobs and writes results, one JSON text a line
"""

import contextlib
import gc
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
    seconds: dict = field(default_factory=dict)  # cell id -> processor time
    verdicts: dict = field(default_factory=dict)  # check id -> "" or why it fails, where the trial itself compared
    coarse: set = field(default_factory=set)  # checks that fail, but would pass if every number were float32


class _Closed(importlib.abc.MetaPathFinder):
    """Refuses to import what an answer may not use."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        """Raise for a closed module, leave every other to the next finder."""
        if _within(name, self.modules):
            raise ModuleNotFoundError(f"{name} is closed for this answer: write it yourself", name=name)


def _within(name, modules):
    return any(name == module or name.startswith(module + ".") for module in modules)


def _close(modules):
    for name in list(sys.modules):
        if _within(name, modules):
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
    notebook = _Notebook(job["seed"], job["closed"])
    for name, role, source in job["cells"]:
        if role != "text":
            notebook.cell(name, role, source, report)


class _Notebook:
    """The names of one run of a notebook, and what its check cells emit."""

    def __init__(self, seed, closed):
        os.environ["SEQLAB_SEED"] = str(seed)
        from seqlab.grading import emit as channel
        from seqlab.grading.values import encode

        self.emitted, self.namespace = [], {"__name__": "__main__"}
        channel.emit = lambda value: self.emitted.append(encode(value))
        _close(closed)

    def cell(self, name, role, source, report, judge=None):
        """Run one cell and report on it; with `judge(name, values)` its verdict goes out in place of the values.

        Returns
        -------
        lost : bool, whether the cell is a check that failed.
        """
        filename, printed = f"<{name}>", _Capped()
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        self.emitted.clear()
        report("start", name, role)
        wrong, began = None, time.process_time()
        try:
            with redirect_stdout(printed), redirect_stderr(printed):
                exec(compile(source, filename, "exec"), self.namespace)
        except BaseException as raised:  # a student's code may raise anything, SystemExit too
            wrong = raised
        spent, text = time.process_time() - began, printed.getvalue()
        if judge is None and (text or wrong is not None):
            report("shown", name, text + (_told(wrong) + "\n" if wrong is not None else ""))
        report("seconds", name, spent)
        if role != "check":
            return False
        if wrong is not None:
            report("error", name, f"{type(wrong).__name__}: {wrong}"[:500])
            return True
        if judge is None:
            report("values", name, self.emitted)
            return False
        verdict = judge(name, self.emitted)
        report("verdict", name, verdict)
        return bool(verdict[0])


def _judge(wanted):
    """A function from a check's id and its values to [why it fails or "", whether float32 would have passed].

    `wanted` holds for each check its expected values and the fields of its `values.Rule`.
    """
    from seqlab.grading.values import Rule, agree, lowered

    def judge(name, emitted):
        expected, rule = wanted[name][0], Rule(*wanted[name][1])
        ok, message = agree(expected, emitted, rule)
        if ok:
            return ["", False]
        return [message, not rule.exact_type and agree(expected, [lowered(one) for one in emitted], rule)[0]]

    return judge


def _stand(job, report):
    """Run a job's common cells once, then fork a child for each of its tails; report how each ended."""
    notebook, judge = _Notebook(job["seed"], job["closed"]), _judge(job["wanted"])
    for name, role, source in job["cells"]:
        notebook.cell(name, role, source, lambda *_: None)
    gc.collect()
    gc.freeze()  # what the children share stays shared: their collector leaves it alone

    def run(cells, report):
        lost = 0
        for name, role, source in cells:
            lost += notebook.cell(name, role, source, report, judge)
            if job["stop"] and lost >= job["stop"]:
                return

    limits = {"seconds": job["each"], "processor": job["each_processor"], "learn": False, "leads": False}
    for cells in job["tails"]:
        report("tail", "", _forked(limits, report, lambda report, cells=cells: run(cells, report)))


def _child(job, pipe, run):
    """The forked child: no output but the pipe, no way back into the worker's loop."""
    with open(os.devnull, "r+b", buffering=0) as null:
        for number in (0, 1, 2):
            os.dup2(null.fileno(), number)
    if job["processor"]:  # one that computes for ever ends by itself, however busy the machine is
        signal.setitimer(signal.ITIMER_PROF, job["processor"])
    with os.fdopen(pipe, "w", encoding="utf-8") as out:

        def report(*line):
            out.write((line[0] if len(line) == 1 else json.dumps(line)) + "\n")
            out.flush()

        before = set(sys.modules)
        run(report)
        report("end", "", [name for name in sys.modules if name not in before] if job["learn"] else [])
    os._exit(0)


def _forked(job, answer, run):
    """Call `run(report)` in a forked child and pass its lines on; give how it ended: end, died or timeout."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        if job["leads"]:
            os.setpgid(0, 0)
        try:
            _child(job, write, run)
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
    _, status = os.waitpid(pid, 0)
    if ended == "died" and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        ended = "timeout"
    for module in learnt:  # what an early job imported, the next ones find imported
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    return ended


def serve(warm):
    """The worker: import what is heavy, then take one job a line until the input ends."""
    import numpy  # noqa: F401

    from seqlab.grading import emit, values  # noqa: F401

    for module in warm:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    out, known = os.fdopen(os.dup(1), "w", encoding="utf-8"), set()

    def answer(line):
        out.write(line + "\n")
        out.flush()

    for line in sys.stdin:
        job = json.loads(line)
        if FORKS:
            closed = tuple(job["closed"])
            job["learn"] = "tails" not in job and closed not in known  # once for each set of closed modules
            run = _stand if "tails" in job else run_cells
            ended = _forked(job | {"leads": True}, answer, lambda report, job=job, run=run: run(job, report))
            answer(json.dumps([ended, "", ""]))
            if job["learn"]:
                known.add(closed)
                gc.collect()
                gc.freeze()
        else:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            run_cells(job, lambda *said: answer(json.dumps(said)))
            answer(json.dumps(["end", "", ""]))
            return


class Worker:
    """One worker; `run` takes one job at a time. Use it in a `with` block.

    Behind it stands one process for each set of modules that are to be warm and not closed: where torch is closed, a
    child is forked from a process without it, which costs a fifth.
    """

    def __init__(self, warm=()):
        self.warm, self.processes = tuple(warm), {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the worker's processes."""
        while self.processes:
            self._end(next(iter(self.processes)))

    def _end(self, warm):
        process = self.processes.pop(warm)
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def _start(self, warm):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        environment["TRITON_INTERPRET"] = "1"  # as in the sandbox, whatever device this machine has
        self.processes[warm] = subprocess.Popen(
            [sys.executable, "-m", "seqlab.grading.trial", *warm],
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
        job = {"cells": [list(cell) for cell in cells], "seed": seed, "closed": list(closed), "seconds": seconds}
        trial = Trial()
        ended, running = self._exchange(job | {"processor": 0}, lambda *said: _note(trial, *said))
        _conclude(trial, cells, running, ended, seconds)
        return trial

    def run_tails(self, cells, tails, seed, wanted, closed=(), seconds=20.0, processor=10.0, stop=0):
        """Run the same cells once, and then every tail in a child of its own.

        Parameters
        ----------
        cells : a list of (id, role, source): what all have in common.
        tails : a list of such lists.
        wanted : dict from each check's id to its expected typed values and the fields of its `values.Rule`.
        seconds, processor : a tail is killed after so long on the clock, or after so much processor time.
        stop : a tail ends when so many of its checks have failed; 0 for never.

        Returns
        -------
        trials : a list of Trial, one a tail, with verdicts in place of values.
        """
        if not FORKS:
            return [_compared(self.run([*cells, *tail], seed, closed, seconds), wanted) for tail in tails]
        job = {"cells": [list(cell) for cell in cells], "seed": seed, "closed": list(closed), "wanted": wanted}
        job |= {"tails": [[list(cell) for cell in tail] for tail in tails], "stop": stop, "processor": 0}
        trials, running = [Trial()], None

        def note(kind, name, content):
            nonlocal running
            if kind == "start":
                running = name
            elif kind == "tail":
                _conclude(trials[-1], tails[len(trials) - 1], running, content, min(seconds, processor))
                trials.append(Trial())
                running = None
            else:
                _note(trials[-1], kind, name, content)

        limits = {"seconds": (len(tails) + 1) * seconds + 60, "each": seconds, "each_processor": processor}
        self._exchange(job | limits, note)
        for number in range(len(trials) - 1, len(tails)):  # the stand itself ended
            trials[number:] = [Trial()]
            _conclude(trials[number], tails[number], None, "died", seconds)
        return trials[: len(tails)]

    def _exchange(self, job, note):
        """Send a job and call `note(kind, id, content)` for every line; give (how it ended, the last cell begun)."""
        warm = tuple(module for module in self.warm if not _within(module, job["closed"]))
        if warm in self.processes and self.processes[warm].poll() is not None:
            self._end(warm)
        if warm not in self.processes:
            self._start(warm)
        process, watchdog = self.processes[warm], None
        if not FORKS:
            watchdog = threading.Timer(job["seconds"], process.kill)
            watchdog.start()
        running, ended = None, "died"
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                kind, name, content = json.loads(line)
                if kind in ("end", "died", "timeout"):
                    ended = kind
                    break
                if kind == "start":
                    running = name
                note(kind, name, content)
        except BrokenPipeError:
            pass
        if not FORKS:
            if ended == "died" and not watchdog.is_alive():
                ended = "timeout"
            watchdog.cancel()
            self.close()
        return ended, running


def _note(trial, kind, name, content):
    """Put one line of a worker into its trial."""
    if kind == "values":
        trial.values[name] = content
    elif kind == "verdict":
        trial.verdicts[name] = content[0]
        trial.coarse |= {name} if content[1] else set()
    elif kind == "error":
        trial.states[name], trial.messages[name] = State.ERROR, content
    elif kind == "seconds":
        trial.seconds[name] = content
    elif kind == "shown":
        trial.shown[name] = content


def _compared(trial, wanted):
    """A trial's values turned into verdicts."""
    judge = _judge(wanted)
    for name, values in trial.values.items():
        _note(trial, "verdict", name, judge(name, values))
    return trial


def _conclude(trial, cells, running, ended, seconds):
    """Say of the checks that a trial did not come to why not."""
    if ended == "end":
        return
    state = State.TIMEOUT if ended == "timeout" else State.DIED
    told = f"still running after {seconds:g} s" if ended == "timeout" else "the process ended"
    for name in _from(cells, running):
        if name not in trial.values and name not in trial.states and name not in trial.verdicts:
            trial.states[name] = state if name == running or not _is_check(cells, running) else State.NOT_RUN
            trial.messages[name] = f"{told} in {running}"


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
        whole.seconds |= trial.seconds
        for name, text in trial.shown.items():
            whole.shown.setdefault(name, text)
    return whole


def wanted(checks, expected):
    """What `Worker.run_tails` compares with: the values of these checks and how they are compared."""
    rules = {check.id: [check.rtol, check.atol, check.exact_type, check.half] for check in checks}
    return {name: [expected[name], rule] for name, rule in rules.items()}


def attempts(worker, assignment, answer, tries, seed, expected, seconds=20.0, processor=10.0, stop=0):
    """Try several sources for one answer; what stands before its cell is run once.

    Parameters
    ----------
    worker : Worker.
    answer : id of the answer.
    tries : a list of (source, checks): the checks are run in the assignment's order.
    seed, expected : the seed and the solution's values at it.
    seconds, processor, stop : as in `Worker.run_tails`; `stop` counts in each group of closed modules.

    Returns
    -------
    trials : a list of Trial with verdicts, one a try.
    """
    place = next(number for number, cell in enumerate(assignment.cells) if cell.id == answer)
    before = [cell for cell in assignment.cells[:place] if cell.role in ("provided", "answer")]
    common = [(cell.id, cell.role, cell.source) for cell in before]
    earlier = {cell.id for cell in assignment.cells[:place]}
    whole = [Trial() for _ in tries]
    for trial, (_, checks) in zip(whole, tries, strict=True):  # what comes later cannot change an earlier check
        trial.verdicts |= {check.id: "" for check in checks if check.id in earlier}
    every = {check.id: check for _, checks in tries for check in checks if check.id not in earlier}
    for closed, members in groups(assignment, [check for check in assignment.checks if check.id in every]):
        group = {check.id for check in members}
        reached = [number for number, (_, checks) in enumerate(tries) if group & {check.id for check in checks}]
        tails = []
        for number in reached:
            source, checks = tries[number]
            names = group & {check.id for check in checks}
            end = max(at for at, cell in enumerate(assignment.cells, start=1) if cell.id in names)
            later = assignment.cells[place + 1 : end]
            kept = [cell for cell in later if cell.role in ("provided", "answer") or cell.id in names]
            tails.append([(answer, "answer", source), *((cell.id, cell.role, cell.source) for cell in kept)])
        found = worker.run_tails(
            common, tails, seed, wanted(members, expected), closed, seconds, processor, stop
        )  # fmt: skip
        for number, trial in zip(reached, found, strict=True):
            for part in ("verdicts", "states", "messages", "seconds", "coarse"):
                setattr(whole[number], part, getattr(whole[number], part) | getattr(trial, part))
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
