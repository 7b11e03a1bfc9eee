"""Grades a submission: intake, a sandboxed kernel under nbval, comparison by value outside it, a record.

    grade(submission, assignment) -> Record
    grade_many(items, assignment, workers=2) -> {key: Record}

A host process does the work and forks a child for every submission, so that a child which is killed takes nothing
with it. The same bytes, assignment and grader give the same record, alone or among many.
"""

import atexit
import base64
import builtins
import contextlib
import hashlib
import json
import os
import re
import select
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from seqlab.grading import intake, reference, sandbox
from seqlab.grading.kernel import cell_name
from seqlab.grading.model import Assignment, CheckResult, Outcome, Record, State

PUBLIC_SEED = 0
SHOWN = 4000  # characters of output that are kept for one answer
STRIKES = 2  # checks of one answer that may hang or end the process; the answer's others are then not run
START_SECONDS = 60.0  # allowed for starting kernels, on top of the assignment's total
GRACE_SECONDS = 30.0  # after which a child that did not end by itself is killed
CLIENT_BYTES = 3 << 30  # of memory for the child that talks to the kernel
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,16}\b")
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
EXCEPTIONS = {
    name for name, thing in vars(builtins).items() if isinstance(thing, type) and issubclass(thing, BaseException)
}


class GraderFailed(RuntimeError):
    """The grader itself failed, not the student; the message says why."""


def seed_of(submission, assignment):
    """The seed of one submission's checks: its own, and never the public one."""
    digest = hashlib.sha256(submission + b"\0" + hashlib.sha256(assignment.dumps().encode()).digest()).digest()
    return int.from_bytes(digest[:6], "big") or 1


def clean(text, limit=SHOWN):
    """Make a student's output safe and steady: no terminal codes, no invisible characters, no addresses, no end."""
    text = ADDRESS.sub("0x...", ANSI.sub("", str(text)[: 8 * limit]))
    text = INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}" if found[0] != "\r" else "\n", text)
    return text if len(text) <= limit else text[:limit] + "\n... (cut)"


# ------------------------------------------------------------------------------------------ one submission


class _Grading:
    """The grading of one submission, in the child's process."""

    def __init__(self, submission, assignment, *, trusted, only_visible, expected, folder):
        self.assignment, self.trusted, self.folder = assignment, trusted, Path(folder)
        self.checks = [check for check in assignment.checks if check.visible or not only_visible]
        self.seed = PUBLIC_SEED if only_visible else seed_of(submission, assignment)
        self.expected = expected
        self.results = {c.id: CheckResult(c.id, c.answer, State.NOT_RUN, 0.0, c.points) for c in self.checks}
        self.pending, self.strikes, self.stubbed = [c.id for c in self.checks], {}, {}
        self.shown, self.problems, self.answers = {}, [], {}
        self.outcome = Outcome.GRADED
        self.submission = hashlib.sha256(submission).hexdigest()
        self.by_id = {check.id: check for check in self.checks}
        self.closed = {answer.id: answer.closed for answer in assignment.answers}
        self.cells = {}  # a code object's name -> the answer whose cell it is

    def record(self):
        """What there is to say."""
        if self.problems and self.outcome is Outcome.GRADED:
            self.outcome = Outcome.NEEDS_ATTENTION
        return Record(
            self.assignment.name, self.submission, self.seed, self.outcome,
            [self.results[check.id] for check in self.checks], self.problems, self.shown,
        )  # fmt: skip

    def settle(self, check, state, message=""):
        """Decide one check, once."""
        if check in self.pending:
            self.pending.remove(check)
            points = self.by_id[check].points
            told = self.by_id[check].hint if state is not State.PASSED else ""
            message = f"{message}. {told}" if message and told else message or told
            earned = points if state is State.PASSED else 0.0
            self.results[check] = CheckResult(check, self.by_id[check].answer, state, earned, points, message)

    def settle_answer(self, answer, state, message):
        """Decide all that is still open of one answer."""
        for check in [c for c in self.pending if self.by_id[c].answer == answer]:
            self.settle(check, state, message)

    def take(self, submission):
        """Intake. False when there is nothing to grade."""
        try:
            self.answers, self.problems = intake.extract(submission, self.assignment)
        except intake.NotANotebook as wrong:
            self.problems, self.outcome = [str(wrong)], Outcome.REFUSED
            for check in list(self.pending):
                self.settle(check, State.NOT_RUN, "there is no notebook to run")
            return False
        for answer in self.assignment.answers:
            if answer.id not in self.answers:
                self.settle_answer(answer.id, State.NOT_RUN, "the answer was not found in the notebook")
            elif intake.blank(self.answers[answer.id], answer.stub):
                del self.answers[answer.id]
                self.settle_answer(answer.id, State.NOT_RUN, "the answer is still empty")
            else:
                self.cells[cell_name(self.answers[answer.id])] = answer.id
        return True

    def plan(self):
        """The notebooks of this round: one for each set of closed modules, hidden checks at the end."""
        from types import SimpleNamespace as Cell

        groups = {}
        for check in self.pending:
            groups.setdefault(() if self.trusted else self.closed[self.by_id[check].answer], []).append(check)
        for closed, checks in groups.items():
            first, last = [], []
            for cell in self.assignment.cells:
                if cell.role == "provided":
                    first.append(Cell(id=cell.id, role="provided", source=cell.source, visible=True, answer=""))
                elif cell.role == "answer" and cell.id in self.answers and cell.id not in self.stubbed:
                    source = self.answers[cell.id]
                    first.append(Cell(id=cell.id, role="answer", source=source, visible=True, answer=cell.id))
                elif cell.role == "check" and cell.id in checks:
                    check = self.by_id[cell.id]
                    (first if check.visible else last).append(
                        Cell(
                            id=check.id,
                            role="check",
                            source=check.source,
                            visible=check.visible,
                            answer=check.answer,
                            rtol=check.rtol,
                            atol=check.atol,
                        )  # fmt: skip
                    )
            yield closed, first + last

    def grade(self, submission):
        """Run rounds until every check is decided."""
        if not self.take(submission) or not self.pending:
            return
        request = None if self.expected is not None else self.ask()
        deadline = time.monotonic() + self.assignment.total_seconds
        number = 0
        while self.pending and number <= 1 + STRIKES * len(self.assignment.answers):
            before = list(self.pending)
            self.round(number, deadline, request)
            number += 1
            if time.monotonic() > deadline:
                for check in list(self.pending):
                    told = f"the {self.assignment.total_seconds:g} s for the whole notebook were used up"
                    self.settle(check, State.TIMEOUT, told)
            if self.pending == before:
                break
        for check in list(self.pending):
            self.settle(check, State.NOT_RUN, "the notebook ended before this check")

    def ask(self):
        """Begin to compute the expected values, beside the kernel's start."""
        seed, checks = self.seed, list(self.by_id)
        if os.name != "posix":
            values = reference.expected(self.assignment, seed, checks)
            return lambda: values
        request = self.reference.ask(seed, checks)
        return lambda: request.wait(10 * self.assignment.total_seconds)

    def round(self, number, deadline, request):
        """Start the kernels, run the notebooks, read the results."""
        plans, started = list(self.plan()), []
        cores = os.cpu_count() or 1
        try:
            for closed, _ in plans:
                if len(started) < cores:
                    started.append(self.start(closed))
            from seqlab.grading import plugin  # the heavy imports, while the kernels start

            for index, (closed, cells) in enumerate(plans):
                if index == len(started):
                    started.append(self.start(closed))
                kernel = plugin.Kernel(
                    started[index], deadline=deadline, cell_seconds=self.assignment.cell_seconds,
                    memory_bytes=None if self.trusted else self.assignment.memory_mb * sandbox.MEGABYTE,
                )  # fmt: skip
                run = plugin.Run(f"run{index}", [plugin.Cell(**vars(cell)) for cell in cells], kernel)
                folder = self.folder / f"{number}-{index}"
                folder.mkdir()
                values = self.expected if self.expected is not None else None
                expected = (lambda values=values: values) if values is not None else request
                plugin.execute([run], folder, expected, self.skip)
                self.read(run)
        finally:
            for kernel in started:
                kernel.kill()

    def start(self, closed):
        """Start one kernel."""
        return sandbox.KernelProcess(
            seed=self.seed, closed=closed, trusted=self.trusted, memory_mb=self.assignment.memory_mb,
            seconds=self.assignment.total_seconds, scratch=self.folder,
        )  # fmt: skip

    def skip(self, run, cell):
        """Whether a cell is to be left out: its kernel is gone, time is up, or its answer has had its chances."""
        if not run.kernel.is_alive() or time.monotonic() > run.kernel.deadline:
            return True
        failed = [run.results[c.id].state for c in run.cells if c.answer == cell.answer and c.id in run.results]
        hung = sum(state is State.TIMEOUT for state in failed)
        return cell.role == "check" and hung + self.strikes.get(cell.answer, 0) >= STRIKES

    # ---- reading what happened

    def read(self, run):
        """Turn one notebook's results into states, messages and output that may be shown."""
        if run.unusable:
            raise GraderFailed(f"the kernel could not be started: {run.unusable}")
        for cell in run.cells:
            result = run.results.get(cell.id)
            if result is None:
                continue
            if cell.role != "provided" and cell.visible:
                self.show(cell, result)
            if cell.role == "check":
                self.judge(cell, result, run)
            elif cell.role == "answer":
                self.judge_answer(cell, result, run)
            elif not result.passed and run.name == "run0":
                self.troubled(cell, result)

    def judge(self, cell, result, run):
        """Decide one check from its cell's result."""
        state, error = result.state, result.error
        if state is State.PASSED and result.passed:
            self.settle(cell.id, State.PASSED)
        elif state is State.ERROR:
            self.settle(cell.id, State.ERROR, self.raised(error, cell))
        elif state in (State.TIMEOUT, State.DIED):
            self.strikes[cell.answer] = self.strikes.get(cell.answer, 0) + 1
            self.settle(cell.id, state, self.ended(state, error if cell.visible else (), run))
            if self.strikes[cell.answer] >= STRIKES:
                told = f"not run, because {STRIKES} other checks of this answer ended so"
                self.settle_answer(cell.answer, State.NOT_RUN, told)
        else:
            told = result.message if cell.visible and result.message else "the values are not the expected ones"
            self.settle(cell.id, State.FAILED, clean(told, 500))

    def judge_answer(self, cell, result, run):
        """An answer's own cell may raise and still define what its checks need; it may not hang or die."""
        if result.state in (State.TIMEOUT, State.DIED):
            self.stubbed[cell.id] = result.state
            self.settle_answer(cell.id, result.state, self.ended(result.state, result.error, run))

    def troubled(self, cell, result):
        """A cell that came with the assignment failed: a person must look."""
        what = {State.TIMEOUT: "did not end", State.DIED: "ended the process"}.get(result.state, "failed")
        self.problems.append(
            f"the assignment's own cell {cell.id!r} {what}; an answer may have broken it, a person should look"
        )

    def ended(self, state, error, run):
        """Say how a cell ended that did not end by itself."""
        if state is State.TIMEOUT:
            place = self.place(error)
            return f"it was still running after {self.assignment.cell_seconds:g} s{place}"
        if run.kernel.too_large:
            return f"it took more than {self.assignment.memory_mb:,} MB of memory"
        return "it ended the process"

    def raised(self, error, cell):
        """Say what a check's cell raised: all of it where the check is public, else no more than a built-in's name."""
        name, text, _ = error
        if not cell.visible:
            return f"your code raised {name}" if name in EXCEPTIONS else "your code raised an exception"
        told = f"your code raised {clean(name, 80)}" + (f": {clean(text, 300)}" if text else "") + self.place(error)
        if name in ("NameError", "ModuleNotFoundError"):
            told += "; only the answer cells and the cells that came with the assignment are run"
        return told

    def place(self, error):
        """The answer's line that an error passed through last, in words."""
        for place in reversed(error[2] if error else ()):
            name, _, line = place.rpartition(":")
            if name in self.cells and line.isdigit():
                return f" (line {line} of the answer {self.cells[name]!r})"
        return ""

    def show(self, cell, result):
        """Keep what an answer's cell, or a public check of it, printed or raised."""
        text = result.printed
        if result.error:
            name, message, _ = result.error
            text += f"{name}: {message}{self.place(result.error)}\n"
        text = text.strip("\n")
        if text:
            before = self.shown.get(cell.answer, "")
            if cell.role == "check":
                text = f"[{self.by_id[cell.id].title}]\n{text}"
            self.shown[cell.answer] = clean(f"{before}\n{text}" if before else text)


def _grade_here(job, folder, warm=None):
    """Grade one submission in this process."""
    grading = _Grading(
        job["submission"], job["assignment"], trusted=job["trusted"], only_visible=job["only_visible"],
        expected=job["expected"], folder=folder,
    )  # fmt: skip
    grading.reference = warm
    try:
        grading.grade(job["submission"])
    except (GraderFailed, reference.ReferenceFailed) as wrong:
        grading.problems.append(f"the grader could not finish: {wrong}")
    except Exception as wrong:
        last = traceback.extract_tb(wrong.__traceback__)[-1]
        told = f"{type(wrong).__name__}: {wrong}"[:300]
        grading.problems.append(f"the grader itself failed ({told}, {Path(last.filename).name} line {last.lineno})")
    for check in list(grading.pending):
        grading.settle(check, State.NOT_RUN, "the grader could not finish")
    return grading.record()


# --------------------------------------------------------------------------------------------- the host


class _Child:
    """A forked child at work on one submission."""

    def __init__(self, number, job, warm):
        self.number, self.job, self.text = number, job, b""
        self.folder = tempfile.mkdtemp(prefix="sq")
        self.deadline = time.monotonic() + 2 * job["assignment"].total_seconds + START_SECONDS + GRACE_SECONDS
        self.pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.pipe)
                self.work(write, warm)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(write)

    def work(self, write, warm):
        """In the child: grade, write the record, end."""
        import resource

        from seqlab.grading.kernel import die_with_parent

        os.setpgid(0, 0)
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_DATA, (CLIENT_BYTES, CLIENT_BYTES))
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2) if not os.environ.get("SEQLAB_GRADER_TALKS") else (0, 1):
            os.dup2(null, number)
        record = _grade_here(self.job, self.folder, warm)
        with os.fdopen(write, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(record.dumps())
        os._exit(0)

    def end(self):
        """Reap the child and give its record; None when it gave none."""
        for target in (-self.pid, self.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(target, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pipe)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            return Record.loads(self.text.decode())
        except (ValueError, KeyError, TypeError):
            return None


def _lost(job, why):
    """The record of a submission whose grading itself was lost: nothing earned, and a person must look."""
    grading = _Grading(
        **{name: job[name] for name in ("submission", "assignment", "trusted", "only_visible", "expected")}, folder=""
    )
    grading.problems.append(why)
    for check in list(grading.pending):
        grading.settle(check, State.NOT_RUN, "the grader could not finish")
    return grading.record()


def _serve():
    """The host: read jobs from the standard input, one JSON text a line; write records as they are made."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    watch = selectors.DefaultSelector()
    watch.register(0, selectors.EVENT_READ)
    settings, children, rest, jobs = {}, {}, bytearray(), 0

    def say(number, record):
        out.write(json.dumps([number, record.dumps()]) + "\n")
        out.flush()

    try:
        while True:
            wait = min([child.deadline for child in children.values()], default=time.monotonic() + 3600)
            for key, _ in watch.select(max(0.05, wait - time.monotonic())):
                if key.fd == 0:
                    chunk = os.read(0, 1 << 20)
                    if not chunk:
                        return
                    rest += chunk
                    *lines, last = bytes(rest).split(b"\n") if b"\n" in chunk else [bytes(rest)]
                    rest = bytearray(last)
                    for line in lines:
                        message = json.loads(line)
                        if "assignment" in message:
                            message["assignment"] = Assignment.loads(message["assignment"])
                            settings = message
                            warm = reference.reference(message["assignment"]) if message["expected"] is None else None
                            continue
                        job = settings | {"submission": base64.b64decode(message["submission"])}
                        jobs += 1
                        if settings["warm"] or jobs > 1:
                            from seqlab.grading import plugin  # noqa: F401 - children inherit it
                        child = _Child(message["number"], job, warm)
                        children[child.pipe] = child
                        watch.register(child.pipe, selectors.EVENT_READ)
                    continue
                child, chunk = children[key.fd], os.read(key.fd, 1 << 20)
                child.text += chunk
                if not chunk:
                    watch.unregister(key.fd)
                    del children[key.fd]
                    say(child.number, child.end() or _lost(child.job, "the grading process ended without a record"))
            for pipe, child in list(children.items()):
                if time.monotonic() > child.deadline:
                    watch.unregister(pipe)
                    del children[pipe]
                    child.end()
                    say(child.number, _lost(child.job, "the grading did not end in its time"))
    finally:
        for child in children.values():
            child.end()
        reference.close()


class Host:
    """The process that grades; use it in a `with` block."""

    def __init__(self, assignment, *, trusted=False, only_visible=False, expected=None, warm=True):
        environment = os.environ | sandbox.ENVIRONMENT | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "COVERAGE_PROCESS_START", "SEQLAB_SEED"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "seqlab.grading.run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
        self.buffer = b""
        message = {"assignment": assignment.dumps(), "trusted": trusted, "only_visible": only_visible}
        self._send(message | {"expected": expected, "warm": warm})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, message):
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GraderFailed("the grading process ended unexpectedly; start the grading again, it resumes") from None

    def submit(self, number, submission):
        """Hand over one submission; `result` gives its record some time later."""
        self._send({"number": number, "submission": base64.b64encode(submission).decode()})

    def result(self):
        """Wait for the next record: (number, Record)."""
        while b"\n" not in self.buffer:
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                raise GraderFailed("the grading process ended unexpectedly; start the grading again, it resumes")
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        number, text = json.loads(line)
        return number, Record.loads(text)

    def close(self):
        """End the host and all that it started."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


_host = {}  # the last host of `grade`, kept for the next submission


@atexit.register
def _close_host():
    for (owner, _), host in list(_host.items()):
        if owner == os.getpid():
            host.close()
    _host.clear()


def grade(submission, assignment, *, trusted=False, only_visible=False, expected=None):
    """Grade one submission.

    Parameters
    ----------
    submission : bytes of the file that was handed in; anything at all.
    assignment : Assignment.
    trusted : run without a sandbox, for notebooks of your own.
    only_visible : only the public checks, with the public seed: what a student can run herself.
    expected : dict from check id to typed values, where no reference solution is at hand; computed when not given.

    Returns
    -------
    record : Record. It depends on the bytes, the assignment and the grader alone.

    Raises
    ------
    SandboxUnavailable
        when this machine has no sandbox and `trusted` is false.
    GraderFailed
        when the grader's own process was ended.
    """
    if not trusted:
        sandbox.require()
    job = {"submission": bytes(submission), "assignment": assignment, "trusted": trusted}
    job |= {"only_visible": only_visible, "expected": expected}
    if os.name != "posix":
        with tempfile.TemporaryDirectory(prefix="sq", ignore_cleanup_errors=True) as folder:
            return _grade_here(job, folder)
    if len(submission) > intake.MAX_BYTES:
        return _refused(job)
    settings = json.dumps([assignment.dumps(), trusted, only_visible, expected])
    key = os.getpid(), hashlib.sha256(settings.encode()).hexdigest()
    if key not in _host or _host[key].process.poll() is not None:
        _close_host()
        _host[key] = Host(assignment, trusted=trusted, only_visible=only_visible, expected=expected, warm=False)
    try:
        _host[key].submit(0, bytes(submission))
        return _host[key].result()[1]
    except BaseException:
        _close_host()
        raise


def _refused(job):
    """The record of a file that is too large even to be looked at."""
    grading = _Grading(**job, folder="")
    grading.take(job["submission"])
    return grading.record()


def grade_many(items, assignment, workers=2, trusted=False, on_result=None):
    """Grade a class on this machine.

    Parameters
    ----------
    items : iterable of (key, submission bytes); read one at a time, as workers become free.
    assignment : Assignment.
    workers : submissions that are graded at the same time.
    trusted : run without a sandbox.
    on_result : called with (key, Record) as each is finished.

    Returns
    -------
    records : dict from key to Record, in the order of the items.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    if not trusted:
        sandbox.require()
    records, waiting, items = {}, {}, enumerate(items)
    if os.name != "posix":
        for _, (key, submission) in items:
            records[key] = grade(submission, assignment, trusted=trusted)
            on_result and on_result(key, records[key])
        return records

    def finished(key, record):
        records[key] = record
        if on_result is not None:
            on_result(key, record)

    with Host(assignment, trusted=trusted) as host:
        more = True
        while more or waiting:
            while more and len(waiting) < workers:
                number, item = next(items, (None, None))
                if number is None:
                    more = False
                    break
                key, submission = item
                records[key] = None
                if len(submission) > intake.MAX_BYTES:
                    job = {"submission": submission, "assignment": assignment, "trusted": trusted}
                    finished(key, _refused(job | {"only_visible": False, "expected": None}))
                    continue
                waiting[number] = key
                host.submit(number, bytes(submission))
            if waiting:
                number, record = host.result()
                finished(waiting.pop(number), record)
    return records


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _serve()
