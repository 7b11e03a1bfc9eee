"""Grades a submission: intake, a sandboxed kernel under nbval, comparison by value outside it, a record.

    grade(submission, assignment) -> Record
    grade_many(items, assignment, workers=2) -> {key: Record}

A host process does the work and forks a child for every submission, so that a child which is killed takes nothing
with it. The same bytes, assignment and grader give the same record, alone or among many.
"""

import atexit
import builtins
import contextlib
import hashlib
import itertools
import json
import math
import os
import re
import select
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from seqlab.grading import admission, form, intake, mistakes, reference, sandbox
from seqlab.grading.kernel import cell_name, die_with_parent
from seqlab.grading.model import Assignment, CheckResult, Outcome, Record, State

PUBLIC_SEED = 0
SHOWN = 4000  # characters of output that are kept for one answer
WRITTEN = 20_000  # characters of one written answer that are kept
STRIKES = 2  # checks of one answer that may hang or end the process; the answer's others are then not run
SPARE_SECONDS = 90.0  # beyond twice the assignment's total: then a child that did not end by itself is killed
ENDED = "the grading process was ended from outside; start again, what has been graded is kept"
CLIENT_BYTES = admission.CLIENT_MB << 20  # of memory for the child that talks to the kernel
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,16}\b")
CELL_NAME = re.compile(r" \(<cell [0-9a-f]{16}>, line \d+\)")  # in Python's own text; the grader names the answer
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
EXCEPTIONS = {
    name for name, thing in vars(builtins).items() if isinstance(thing, type) and issubclass(thing, BaseException)
}


class GraderFailed(RuntimeError):
    """The machine failed, not the student: a full disk, no memory, no kernel that starts. Nothing is recorded."""


def seed_of(submission, assignment):
    """The seed of one submission's checks: its own, and never the public one."""
    digest = hashlib.sha256(submission + b"\0" + assignment.digest).digest()
    return int.from_bytes(digest[:6], "big") or 1


def clean(text, limit=SHOWN):
    """Make a student's output safe and steady: no terminal codes, no invisible characters, no addresses, no end."""
    text = ADDRESS.sub("0x...", ANSI.sub("", str(text)[: 8 * limit]))
    text = CELL_NAME.sub("", text)
    text = INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}" if found[0] != "\r" else "\n", text)
    return text if len(text) <= limit else text[:limit] + "\n... (cut)"


# ------------------------------------------------------------------------------------------ one submission


class _Grading:
    """The grading of one submission, in the child's process."""

    def __init__(
        self, submission, assignment, *, trusted, only_visible, expected, published=None, folder=None, warm=None,
        forks=None,
    ):  # fmt: skip
        self.assignment, self.trusted, self.folder = assignment, trusted, folder
        self.warm, self.forks = warm, forks or {}
        self.submission, self.expected, self.published = submission, expected, published
        self.checks = [check for check in assignment.checks if check.visible or not only_visible]
        self.seed = PUBLIC_SEED if only_visible else seed_of(submission, assignment)
        self.by_id = {check.id: check for check in self.checks}
        self.closed = {answer.id: () if trusted else answer.closed for answer in assignment.answers}
        self.answers, self.owners = {}, {}  # answer id -> source; its code object's name -> answer id
        self.results, self.pending = {}, list(self.by_id)
        self.strikes, self.stubbed = {}, set()  # answers whose checks hung or died; answers whose own cell did
        self.broken = {}  # what an answer's own cell raised
        self.emitted, self.reasons = {}, {}  # of checks that failed: their values; the message without a hint
        self.outcome, self.problems, self.shown, self.told = Outcome.GRADED, [], {}, set()
        self.written = {}  # written question's id -> the student's text

    def record(self):
        """What there is to say."""
        outcome = Outcome.NEEDS_ATTENTION if self.problems and self.outcome is Outcome.GRADED else self.outcome
        name, digest = self.assignment.name, hashlib.sha256(self.submission).hexdigest()
        results = [self.results[check.id] for check in self.checks]
        return Record(name, digest, self.seed, outcome, results, self.problems, self.shown, self.written)

    def settle(self, name, state, message=""):
        """Decide one check, once."""
        if name in self.pending:
            self.pending.remove(name)
            check, self.reasons[name] = self.by_id[name], message
            if check.hint and state in (State.FAILED, State.ERROR):
                message = f"{message}. {check.hint}"
            earned = check.points if state is State.PASSED else 0.0
            self.results[name] = CheckResult(name, check.answer, state, earned, check.points, message)

    def settle_all(self, state, message, answer=None):
        """Decide all that is still open, or what is still open of one answer."""
        for name in list(self.pending):
            if answer is None or self.by_id[name].answer == answer:
                self.settle(name, state, message)

    def take(self):
        """Intake: find the answers; decide the checks of those that are not there."""
        try:
            self.answers, self.problems = intake.extract(self.submission, self.assignment)
            self.read_written()
        except intake.NotANotebook as wrong:
            self.problems, self.outcome = [str(wrong)], Outcome.REFUSED
            self.settle_all(State.NOT_RUN, "there is no notebook to run")
            return
        for answer in self.assignment.answers:
            source = self.answers.get(answer.id)
            if source is None:
                self.settle_all(State.NOT_RUN, "the answer was not found in the notebook", answer.id)
            elif intake.blank(source, answer.stub):
                del self.answers[answer.id]
                self.settle_all(State.NOT_RUN, "the answer is still empty", answer.id)
            elif out := form.fault(answer, source):
                del self.answers[answer.id]
                self.settle_all(State.NOT_RUN, clean(out, 500), answer.id)
            else:
                self.owners[cell_name(source)] = answer.id

    def read_written(self):
        """Keep what was written for a person to read."""
        texts, problems = intake.written(self.submission, self.assignment)
        self.problems = self.problems + problems
        for name, text in texts.items():
            self.written[name] = clean(text, WRITTEN)
            if len(text) > WRITTEN:
                self.problems.append(f"the written answer {name!r} is longer than {WRITTEN:,} characters and was cut")

    def grade(self):
        """Run rounds until every check is decided.

        First all together, as a student runs her notebook. When that kernel dies or has to be killed, the checks that
        are left run again, those of each answer in a kernel of their own: so a death is laid to the right account.
        """
        self.take()
        if not self.pending:
            return
        expected = self.ask() if self.expected is None else lambda: self.expected
        self.deadline = time.monotonic() + self.assignment.total_seconds
        for number in range(2 + STRIKES * len(self.assignment.answers)):
            before = list(self.pending)
            self.round(number, expected)
            if time.monotonic() > self.deadline:
                told = f"the {self.assignment.total_seconds:g} s for the whole notebook were used up"
                self.settle_all(State.TIMEOUT, told)
            if not self.pending or (number and self.pending == before):
                break
        self.settle_all(State.NOT_RUN, "the notebook ended before this check")
        if self.emitted:
            self.recognise(expected())

    def recognise(self, expected):
        """Name the declared mistakes whose values the failed checks emitted."""
        if self.published is None:
            declared = [mistake for mistake in self.assignment.mistakes if mistake.checks]
            names = {mistake.name: mistake.checks for mistake in declared}
            emitted = {name: self.emitted[name] for name in self.emitted if any(name in ids for ids in names.values())}
            fits = self.fitting(emitted, {name: expected[name] for name in emitted}) if emitted else {}
            hints = {mistake.name: mistake.hint for mistake in declared}
        else:
            names, hints = mistakes.declared(self.published)
            fits = mistakes.fitting_published(self.published, self.by_id, self.emitted, expected)
        passed = [name for name, result in self.results.items() if result.state is State.PASSED]
        for name, mistake in mistakes.known(passed, fits, names).items():
            result, hint = self.results[name], hints[mistake] or self.by_id[name].hint
            result.mistake = mistake
            result.message = f"{self.reasons[name]}; this looks like: {mistake}" + (f". {hint}" if hint else "")

    def fitting(self, emitted, expected):
        """Have the reference process try the declared mistakes."""
        if self.warm is None:
            return reference.fits(self.assignment, self.seed, emitted, expected)
        return self.warm.recognise(self.seed, emitted, expected).wait(10 * self.assignment.total_seconds)

    def ask(self):
        """Begin to compute the expected values while the kernels start; what this returns waits for them."""
        if self.warm is None:
            values = reference.expected(self.assignment, self.seed, list(self.by_id))
            return lambda: values
        request = self.warm.ask(self.seed, list(self.by_id))
        return lambda: request.wait(10 * self.assignment.total_seconds)

    def round(self, number, expected):
        """Start a kernel for each set of closed modules, later for each answer; run the notebooks, read the results."""
        groups, started = {}, []
        for name in self.pending:
            answer = self.by_id[name].answer
            groups.setdefault((self.closed[answer], answer if number else None), []).append(name)
        plans = list(groups.items())
        try:
            started += [self.start(closed) for (closed, _), _ in plans[: os.cpu_count() or 1]]
            from seqlab.grading import plugin  # its heavy imports take place while the kernels start

            runs = []
            for index, ((closed, alone), names) in enumerate(plans):
                if index == len(started):
                    started.append(self.start(closed))
                if time.monotonic() > self.deadline:
                    break
                limits = {"deadline": self.deadline, "cell_seconds": self.assignment.cell_seconds}
                if not self.trusted:
                    limits["memory_bytes"] = self.assignment.memory_mb * sandbox.MEGABYTE
                kernel = plugin.Kernel(started[index], **limits)
                runs.append(plugin.Run(f"notebook-{number}-{index}", self.cells(names, plugin.Cell), kernel))
                plugin.execute(runs[-1], Path(self.folder), expected)
                self.deadline = kernel.deadline  # later by what the kernel took to start
                self.read(runs[-1], alone)
            self.look_at_provided(runs)
        finally:
            for kernel in started:
                kernel.kill()

    def start(self, closed):
        """Start one kernel: forked from one that is warm, where there is one and it can."""
        limits = {"memory_mb": self.assignment.memory_mb, "seconds": self.assignment.total_seconds}
        if closed in self.forks:
            with contextlib.suppress(OSError):
                return sandbox.ForkedKernel(self.forks[closed].address, seed=self.seed, scratch=self.folder, **limits)
        return sandbox.KernelProcess(seed=self.seed, closed=closed, trusted=self.trusted, scratch=self.folder, **limits)

    def cells(self, names, make):
        """The cells of one notebook: the assignment's order, but hidden checks after everything that may be shown.

        The assignment's own cells after its last check are for the student's eyes: they can change no check, and
        they fail wherever an answer is still missing, so they are not run.
        """
        shown, hidden = [], []
        last = max(place for place, cell in enumerate(self.assignment.cells) if cell.role == "check")
        for place, cell in enumerate(self.assignment.cells):
            if cell.role == "provided":
                if place > last:
                    continue
                shown.append(make(cell.id, cell.role, cell.source))
            elif cell.role == "answer" and cell.id in self.answers and cell.id not in self.stubbed:
                shown.append(make(cell.id, cell.role, self.answers[cell.id], answer=cell.id))
            elif cell.role == "check" and cell.id in names:
                check = self.by_id[cell.id]
                rule = check.rtol, check.atol, check.exact_type, check.half
                made = make(cell.id, cell.role, check.source, check.visible, check.answer, *rule)
                (shown if check.visible else hidden).append(made)
        return shown + hidden

    # ---- reading what happened

    def read(self, run, alone):
        """Turn one notebook's results into states, messages and output that may be shown.

        Parameters
        ----------
        run : plugin.Run.
        alone : the answer whose checks had this kernel for themselves; None when others shared it, and a death is
            nobody's yet.
        """
        if run.unusable:
            raise GraderFailed(f"no kernel could be started ({run.unusable}); see that Jupyter works on this machine")
        checked = {cell.answer for cell in run.cells if cell.role == "check"}
        for cell in run.cells:
            result = run.results.get(cell.id)
            if result is None or cell.role == "provided":
                continue
            if cell.visible and cell.answer in checked and cell.id not in self.told:
                self.told.add(cell.id)
                self.show(cell, result)
            if result.state is State.DIED and alone is None:
                continue
            if cell.role == "check":
                self.judge(cell, result, run)
            elif result.state in (State.TIMEOUT, State.DIED):
                self.stubbed.add(cell.id)
                self.settle_all(result.state, self.ended(result.state, result.error, run), cell.id)
            elif result.state is State.ERROR:
                self.broken[cell.id] = result.error

    def look_at_provided(self, runs):
        """Report the assignment's own cells that failed wherever they ran: closed modules may stop one in some runs."""
        ran = [(cell.id, run.results[cell.id].passed) for run in runs for cell in run.cells if cell.id in run.results]
        for cell in self.assignment.cells:
            verdicts = [passed for name, passed in ran if name == cell.id]
            if cell.role == "provided" and verdicts and not any(verdicts):
                told = (
                    f"the assignment's own cell {cell.id!r} failed; an answer may have broken it, a person should look"
                )
                self.problems += [told] if told not in self.problems else []

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
                told = f"not run, because {STRIKES} other checks of this answer hung or ended the process"
                self.settle_all(State.NOT_RUN, told, cell.answer)
        else:
            told = result.message if cell.visible and result.message else "the values are not the expected ones"
            self.settle(cell.id, State.FAILED, clean(told, 500))
            if result.emitted:
                self.emitted[cell.id] = result.emitted
        if cell.visible and cell.id in self.results and not result.passed:
            self.results[cell.id].called = clean(result.called, 500)

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
        if name == "NameError" and cell.answer in self.broken:
            return f"the answer's own cell stopped before its end: {self.raised_by_answer(cell)}"
        if not cell.visible:
            return f"your code raised {name}" if name in EXCEPTIONS else "your code raised an exception"
        told = f"your code raised {clean(name, 80)}" + (f": {clean(text, 300)}" if text else "") + self.place(error)
        if name in ("NameError", "ModuleNotFoundError"):
            told += "; only the answer cells and the cells that came with the assignment are run"
        return told

    def raised_by_answer(self, cell):
        """What stopped the answer's own cell, such as the import of a closed module."""
        name, text, _ = self.broken[cell.answer]
        if not cell.visible:
            return name if name in EXCEPTIONS else "an exception"
        return clean(name, 80) + (f": {clean(text, 300)}" if text else "") + self.place(self.broken[cell.answer])

    def place(self, error):
        """The answer's line that an error passed through last, in words."""
        for place in reversed(error[2] if error else ()):
            name, _, line = place.rpartition(":")
            if name in self.owners and line.isdigit():
                return f" (line {line} of the answer {self.owners[name]!r})"
        return ""

    def show(self, cell, result):
        """Keep what an answer's cell, or a public check of it, printed or raised."""
        text = result.printed
        if result.error:
            name, message, _ = result.error
            text += f"{name}: {message}".removesuffix(": ") + f"{self.place(result.error)}\n"
        text = text.strip("\n")
        if text:
            before = self.shown.get(cell.answer, "")
            if cell.role == "check":
                text = f"[{self.by_id[cell.id].title}]\n{text}"
            self.shown[cell.answer] = clean(f"{before}\n{text}" if before else text)


def _grade_here(job, folder, warm=None, forks=None):
    """Grade one submission in this process, which is not fit for anything else afterwards."""
    grading = _Grading(**job, folder=folder, warm=warm, forks=forks)
    try:
        grading.grade()
    except reference.ReferenceFailed as wrong:
        grading.problems.append(f"the grader could not finish: {wrong}")
    except GraderFailed:
        raise
    except (OSError, MemoryError) as wrong:
        raise GraderFailed(_machine(wrong)) from wrong
    except Exception as wrong:  # what a submission may have provoked costs it alone, and a person must look
        last = traceback.extract_tb(wrong.__traceback__)[-1]
        told = f"{type(wrong).__name__}: {wrong}"[:300]
        grading.problems.append(f"the grader itself failed ({told}, {Path(last.filename).name} line {last.lineno})")
    grading.settle_all(State.NOT_RUN, "the grader could not finish")
    return grading.record()


def _machine(wrong):
    """Say what the machine lacks."""
    what = "no memory is left" if isinstance(wrong, MemoryError) else wrong.strerror or str(wrong)
    where = f" ({wrong.filename})" if isinstance(wrong, OSError) and wrong.filename else ""
    return f"the machine could not go on: {what}{where}; mend that and start again, what has been graded is kept"


def _without_running(job, problem=None):
    """The record of a submission that is not run: refused at the door, or its grading was lost."""
    grading = _Grading(**job)
    if problem is None:
        grading.take()
    else:
        grading.problems.append(problem)
    grading.settle_all(State.NOT_RUN, "the grader could not finish")
    return grading.record()


# --------------------------------------------------------------------------------------------- the host


def _fork_servers(assignment):
    """One for each set of closed modules; where the machine has no such sandboxes, kernels are started one by one."""
    sets = dict.fromkeys(answer.closed for answer in assignment.answers)
    return {closed: sandbox.ForkServer(closed, reference.imported(assignment)) for closed in sets}


class _Child:
    """A forked child at work on one submission."""

    def __init__(self, number, job, warm, forks):
        self.number, self.job, self.text = number, job, b""
        self.folder = tempfile.mkdtemp(prefix="sq")
        self.deadline = time.monotonic() + 2 * job["assignment"].total_seconds + SPARE_SECONDS
        self.pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.pipe)
                self.work(write, warm, forks)
            finally:
                os._exit(1)
        os.close(write)

    def work(self, write, warm, forks):
        """In the child: grade, write the record, end."""
        import resource

        os.setpgid(0, 0)
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_DATA, (CLIENT_BYTES, CLIENT_BYTES))
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        try:
            told = {"record": _grade_here(self.job, self.folder, warm, forks).dumps()}
        except GraderFailed as wrong:
            told = {"fault": str(wrong)}
        with os.fdopen(write, "w") as out:
            json.dump(told, out)
        os._exit(0)

    def read(self):
        """Take in what the child wrote; False when it has ended."""
        chunk = os.read(self.pipe, 1 << 20)
        self.text += chunk
        return bool(chunk)

    def end(self):
        """End and reap the child; give what it said: its record's text, a fault of the machine, or nothing."""
        for target in (-self.pid, self.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(target, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pipe)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class _Server:
    """The host's own loop: takes jobs from the standard input, a line each, and writes records as they are made."""

    def __init__(self, folder=None):
        self.folder = folder  # to remove at the end
        self.out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # what anything prints here must not mix with the records
        self.watch, self.children, self.rest = selectors.DefaultSelector(), {}, b""
        self.settings, self.forks, self.warm = None, {}, False

    def serve(self):
        """Work until the input ends; then end every child."""
        self.watch.register(0, selectors.EVENT_READ)
        try:
            while True:
                first = min((child.deadline for child in self.children.values()), default=math.inf)
                wait = None if first == math.inf else max(0.0, first - time.monotonic())
                for key, _ in self.watch.select(wait):
                    if key.fd != 0:
                        child = self.children[key.fd]
                        if not child.read():
                            self.finish(child, "the grading process ended without a record")
                    elif not self.listen():
                        return
                for child in list(self.children.values()):
                    if time.monotonic() > child.deadline:
                        self.finish(child, "the grading did not end in its time")
        finally:
            for child in self.children.values():
                child.end()
            for server in self.forks.values():
                server.close()
            reference.close()
            if self.folder:  # the caller may have been killed
                shutil.rmtree(self.folder, ignore_errors=True)

    def listen(self):
        """Take in what the caller wrote; False when it has gone."""
        chunk = os.read(0, 1 << 20)
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for message in map(json.loads, lines):
            if "assignment" in message:
                message["assignment"] = Assignment.loads(message["assignment"])
                self.settings = message
            else:
                self.begin(message)
        return bool(chunk)

    def begin(self, message):
        """Fork a child for a job. One that stands alone imports while its kernel starts; a class's children inherit."""
        try:
            if not (message["alone"] or self.warm):
                self.prepare()
            path = Path(message["file"])
            job = self.settings | {"submission": path.read_bytes()}
            path.unlink()
            warm = reference.reference(job["assignment"]) if job["expected"] is None else None
            child = _Child(message["number"], job, warm, self.forks)
        except (OSError, MemoryError) as wrong:
            self.say(message["number"], {"fault": _machine(wrong)})
            return
        self.children[child.pipe] = child
        self.watch.register(child.pipe, selectors.EVENT_READ)

    def prepare(self):
        """Have ready what every grading of a class needs: kernels to fork, pytest with its plugins."""
        self.warm = True
        if not self.settings["trusted"]:
            self.forks = _fork_servers(self.settings["assignment"])
        from seqlab.grading import plugin

        plugin.warm()

    def finish(self, child, otherwise):
        """Pass on a child's record, or say why there is none."""
        self.watch.unregister(child.pipe)
        del self.children[child.pipe]
        self.say(child.number, child.end() or {"record": _without_running(child.job, otherwise).dumps()})

    def say(self, number, told):
        """Write one line to the caller."""
        self.out.write(json.dumps([number, told]) + "\n")
        self.out.flush()


class Host:
    """The process that grades; use it in a `with` block."""

    def __init__(self, assignment, *, trusted=False, only_visible=False, expected=None):
        environment = os.environ | sandbox.ENVIRONMENT | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "COVERAGE_PROCESS_START", "SEQLAB_SEED"):
            environment.pop(name, None)
        self.folder = environment["TMPDIR"] = tempfile.mkdtemp(prefix="sq")  # all that the host leaves goes with it
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "seqlab.grading.run", self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True,
        )  # fmt: skip
        self.buffer, self.jobs, self.busy = b"", 0, False
        message = {"assignment": assignment.dumps(), "trusted": trusted, "only_visible": only_visible}
        self._send(message | {"expected": expected})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, message):
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GraderFailed(ENDED) from None

    def submit(self, number, submission, alone=False):
        """Hand over one submission; `result` gives its record some time later. `alone`: no other will follow soon."""
        path = Path(self.folder, str(number))
        try:
            path.write_bytes(submission)
        except OSError as wrong:
            raise GraderFailed(_machine(wrong)) from wrong
        self.jobs += 1
        self._send({"number": number, "file": str(path), "alone": alone and self.jobs == 1})

    def result(self, seconds=None):
        """Wait for the next record: (number, Record); None when there is none after so many seconds."""
        while b"\n" not in self.buffer:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                return None
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                raise GraderFailed(ENDED)
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        number, told = json.loads(line)
        if "fault" in told:
            raise GraderFailed(told["fault"])
        return number, Record.loads(told["record"])

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
        shutil.rmtree(self.folder, ignore_errors=True)


_kept = threading.local()  # the last host of `grade` in this thread, kept for the next submission
_hosts = []  # all that were kept, by any thread


def _host(assignment, **settings):
    """The host that grades this assignment in this way: the last one, or a new one in its place."""
    text = json.dumps([assignment.digest.hex(), settings], sort_keys=True)
    key = os.getpid(), hashlib.sha256(text.encode()).hexdigest()
    if getattr(_kept, "key", None) != key or _kept.host.process.poll() is not None:
        _forget_host()
        _kept.host, _kept.key = Host(assignment, **settings), key
        _hosts.append((os.getpid(), _kept.host))
    return _kept.host


def _forget_host():
    if getattr(_kept, "key", None) is not None:
        owner, _ = _kept.key
        if owner == os.getpid():
            _kept.host.close()
            _hosts.remove((owner, _kept.host))
        _kept.key = None


def close_idle_hosts():
    """End the hosts that `grade` keeps in this process, but for those at work."""
    for owner, host in list(_hosts):
        if owner == os.getpid() and not host.busy:
            host.close()


@atexit.register
def _close_hosts():
    for owner, host in _hosts:
        if owner == os.getpid():
            host.close()
    _hosts.clear()


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
        when the machine cannot go on or the grader's own process was ended: then there is nothing to record.
    """
    if not trusted:
        sandbox.require()
    job = {"submission": bytes(submission), "assignment": assignment, "trusted": trusted}
    job |= {"only_visible": only_visible, "expected": expected}
    if os.name != "posix":
        with tempfile.TemporaryDirectory(prefix="sq", ignore_cleanup_errors=True) as folder:
            return _grade_here(job, folder)
    if len(submission) > intake.MAX_BYTES:
        return _without_running(job)
    host = _host(assignment, trusted=trusted, only_visible=only_visible, expected=expected)
    try:
        host.busy = True
        host.submit(0, bytes(submission), alone=True)
        return host.result()[1]
    except BaseException:
        _forget_host()
        raise
    finally:
        host.busy = False


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

    Raises
    ------
    SandboxUnavailable, GraderFailed
        as `grade`; what `on_result` has been given by then is good.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    if not trusted:
        sandbox.require()
    records, waiting, items = {}, {}, iter(items)
    if os.name != "posix":
        for key, submission in items:
            records[key] = grade(submission, assignment, trusted=trusted)
            if on_result is not None:
                on_result(key, records[key])
        return records

    def settle(number, record):
        key, place = waiting.pop(number)
        place.close()
        records[key] = record
        if on_result is not None:
            on_result(key, record)

    room, numbers, more = admission.Room(admission.need(assignment)), itertools.count(), True
    host = Host(assignment, trusted=trusted)
    try:
        while more or waiting:
            while more and len(waiting) < workers and (place := room.take()) is not None:
                if (item := next(items, None)) is None:
                    more = False
                    place.close()
                    break
                key, submission = item
                number, records[key] = next(numbers), None
                waiting[number] = key, place
                if len(submission) > intake.MAX_BYTES:
                    job = {"submission": submission, "assignment": assignment, "trusted": trusted}
                    settle(number, _without_running(job | {"only_visible": False, "expected": None}))
                else:
                    host.submit(number, bytes(submission))
            blocked = more and len(waiting) < workers  # by want of memory
            if waiting and (found := host.result(admission.WAIT_SECONDS if blocked else None)) is not None:
                settle(*found)
            elif blocked and not waiting:
                time.sleep(admission.WAIT_SECONDS)
    finally:
        host.close()
        for _, place in waiting.values():
            place.close()
    return records


if __name__ == "__main__":
    _Server(*sys.argv[1:]).serve()
