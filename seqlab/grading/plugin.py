"""nbval with a kernel that cannot hang, flood or fool it: the pytest plugin that grades one submission's notebooks.

nbval collects the cells, runs them one after the other and decides what passed. This plugin gives it a kernel whose
death is noticed at once and whose output is bounded, and replaces its comparison of texts by one of values. It runs in
a process of its own; the student's code runs in the kernel's.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema would compile a grammar of addresses for a second
sys.modules.setdefault("isoduration", None)

import pytest  # noqa: E402
import zmq  # noqa: E402
from jupyter_client.session import Session  # noqa: E402
from nbval.plugin import IPyNbCell  # noqa: E402

from seqlab.grading import mistakes  # noqa: E402
from seqlab.grading.emit import CALL, CALL_CHARACTERS, MIME  # noqa: E402
from seqlab.grading.model import State  # noqa: E402
from seqlab.grading.values import compare  # noqa: E402

MESSAGE_BYTES = 12_000_000  # of one message from the kernel: what is larger is dropped, unread
CELL_BYTES = 32_000_000  # of one cell: what follows is dropped
CELL_MESSAGES = 10_000
PRINTED = 20_000  # characters of a cell's output that are kept
INTERRUPT_SECONDS = 1.0  # for a cell to stop by itself at its deadline
IDLE_SECONDS = 10.0  # for a cell's last output to arrive after it ended: much, because a machine may be under load
SYNC_SECONDS = 5.0  # for the kernel's output to reach us again after the connection was lost
POLL_MS = 50
START_SECONDS = 60.0
WATCH_SECONDS = 0.3  # between two looks at the kernel's memory


class KernelDied(Exception):
    """The kernel's process ended, or had to be ended because it took too much memory."""


class CellTimeout(Exception):
    """A cell was still running at its deadline."""


class KernelUnusable(Exception):
    """The kernel never answered: the machine is at fault, not the student."""


@dataclass
class Cell:
    """One cell to run: `role` is provided, answer or check."""

    id: str
    role: str
    source: str
    visible: bool = True
    answer: str = ""  # whose answer it is, or which answer it checks
    rtol: float = 0.0
    atol: float = 0.0
    exact_type: bool = False
    half: bool = False


@dataclass
class CellResult:
    """What became of one cell. `passed` is nbval's own verdict."""

    state: State = State.NOT_RUN
    passed: bool = False
    message: str = ""  # why a check failed, for a visible check
    emitted: list = field(default_factory=list)  # what a check emitted that failed, if it is small
    called: str = ""  # how a check called the answer before its last value
    printed: str = ""
    error: tuple = ()  # (name, text, [(cell hash, line), ...])


class Kernel:
    """What nbval takes for its running kernel: a client of a kernel that the sandbox started."""

    def __init__(self, started, *, deadline, cell_seconds, memory_bytes=None):
        self.started, self.deadline, self.cell_seconds = started, deadline, cell_seconds
        self.memory_bytes, self.watched, self.too_large = memory_bytes, 0.0, False
        self.session = Session(key=started.key.encode(), username="grader")
        self.context, self.sockets, self.poller = zmq.Context(), {}, zmq.Poller()
        separator = "-" if started.transport == "ipc" else ":"
        for name, kind in (("shell", zmq.DEALER), ("iopub", zmq.SUB), ("control", zmq.DEALER)):
            s = self.context.socket(kind)
            s.linger, s.maxmsgsize, s.rcvhwm, s.reconnect_ivl = 0, MESSAGE_BYTES, 40, 10
            if kind == zmq.SUB:
                s.subscribe(b"")
            port = started.ports[("shell", "iopub", "stdin", "control").index(name)]
            s.connect(f"{started.transport}://{started.ip}{separator}{port}")
            self.sockets[name] = s
            if name != "control":
                self.poller.register(s, zmq.POLLIN)
        self.cell, self.replied, self.lost = None, None, False
        self._forget()

    def _forget(self):
        self.inbox, self.values, self.printed, self.error = deque(), [], [], ()
        self.calls, self.unsaid = [], ""  # how the answer was called, a text a value; one that gave no value
        self.room, self.messages, self.characters, self.idle = CELL_BYTES, 0, 0, False

    # ---- what nbval calls

    def execute_cell_input(self, source, allow_stdin=None):
        """Send a cell to be run; give the message's id."""
        if self.lost and not self._sync(SYNC_SECONDS):
            self.stop()
            raise KernelDied
        self.lost = False
        self._forget()
        content = {"code": source, "silent": False, "store_history": False, "user_expressions": {}}
        message = self.session.msg("execute_request", content | {"allow_stdin": False, "stop_on_error": False})
        self.cell, self.replied = message["header"]["msg_id"], None
        self.session.send(self.sockets["shell"], message)
        return self.cell

    def await_reply(self, msg_id, timeout=None):
        """Wait until the cell has ended; raise KernelDied or CellTimeout when it does not."""
        limit = min(time.monotonic() + self.cell_seconds, self.deadline)
        while self.replied != msg_id:
            if time.monotonic() >= limit:
                self._give_up(msg_id)
                raise CellTimeout
            self._pump()

    def _give_up(self, msg_id):
        """Interrupt the cell, to learn where it was; then kill the kernel, which nobody can trust any more."""
        self.interrupt()
        limit = time.monotonic() + INTERRUPT_SECONDS
        with contextlib.suppress(KernelDied):
            while self.replied != msg_id and time.monotonic() < limit:
                self._pump()
            while not self.idle and time.monotonic() < limit:
                self._pump()
        self.stop()

    def get_message(self, stream, timeout=None):
        """Give the next message of this cell; the last one always says that the kernel is idle."""
        self._drain()
        if self.inbox:
            return self.inbox.popleft()
        return self._message("status", {"execution_state": "idle"})

    def _drain(self):
        """Take in this cell's output until the kernel says that it is idle, or long enough."""
        limit = time.monotonic() + IDLE_SECONDS
        while not self.idle and time.monotonic() < limit:
            self._pump()
        self.lost |= not self.idle  # a message too large to be taken ended the connection: see to it before the next
        self.idle = True

    def await_idle(self, parent_id, timeout):
        """The output has been taken in already."""

    def is_alive(self):
        """Whether the kernel still runs."""
        return self.started.alive()

    def interrupt(self):
        """Ask the kernel to stop what it is doing."""
        self.session.send(self.sockets["control"], self.session.msg("interrupt_request", {}))

    def stop(self):
        """End the kernel at once, with all that its cells started."""
        self.started.kill()
        for s in self.sockets.values():
            s.close(0)
        self.sockets = {}
        self.context.destroy(0)

    # ---- messages

    def ready(self, seconds):
        """Wait until the kernel answers and its output reaches us. The student's time begins only then."""
        started = time.monotonic()
        if not self._sync(seconds):
            raise KernelUnusable(f"the kernel did not answer within {seconds:g} s")
        self.deadline += time.monotonic() - started

    def _sync(self, seconds):
        """Ask the kernel something until its answer comes on both channels; False when it does not."""
        limit, again = time.monotonic() + seconds, 0.0
        self.cell, self.replied, self.idle = None, None, False
        while self.cell is None or self.replied != self.cell or not self.idle:
            if time.monotonic() >= limit:
                return False
            if time.monotonic() >= again:  # what it sent before we were connected is lost: ask once more
                again = time.monotonic() + 1.0
                message = self.session.msg("kernel_info_request", {})
                self.cell = message["header"]["msg_id"]
                self.session.send(self.sockets["shell"], message)
            self._pump()
        return True

    def _pump(self):
        """Take in what has arrived, waiting a moment for it; notice a kernel that died or grew too large."""
        if not self.sockets:
            raise KernelDied
        ready = dict(self.poller.poll(POLL_MS))
        for name in ("iopub", "shell"):
            for _ in range(50):
                if not ready or not self._receive(name):
                    break
        if not ready and not self.is_alive():
            raise KernelDied
        now = time.monotonic()
        if self.memory_bytes and now - self.watched > WATCH_SECONDS:
            self.watched = now
            if not self.is_alive() or self.started.memory() > self.memory_bytes:
                self.too_large = self.is_alive()
                self.started.kill()
                raise KernelDied

    def _receive(self, name):
        try:
            parts = self.sockets[name].recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        if name == "iopub":
            self.room -= sum(map(len, parts))
            self.messages += 1
            if self.room < 0 or self.messages > CELL_MESSAGES:
                return True
        try:
            _, parts = self.session.feed_identities(parts)
            message = self.session.deserialize(parts)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != self.cell:
                return True
            if name == "shell":
                self.replied = self.cell
            else:
                self._take(kind, content)
        except Exception:  # whatever a student's code sent that is no message
            return True
        return True

    def _take(self, kind, content):
        """Keep what matters of one message, and hand nbval a plain copy."""
        if kind == "status" and content["execution_state"] == "idle":
            self.idle = True
        elif kind == "stream":
            text = str(content["text"])[: PRINTED - self.characters]
            self.characters += len(text)
            if text:
                self.printed.append(text)
                self.inbox.append(self._message("stream", {"name": "stdout", "text": text}))
        elif kind in ("display_data", "execute_result"):
            if kind == "display_data" and MIME in content["data"]:
                self.values.append(content["data"][MIME])
                self.calls.append(str(content["data"].get(CALL, ""))[:CALL_CHARACTERS])
                text = ""
            elif kind == "display_data" and CALL in content["data"]:
                self.unsaid, text = str(content["data"][CALL])[:CALL_CHARACTERS], ""
            else:
                text = str(content["data"].get("text/plain", ""))[: PRINTED - self.characters]
                self.characters += len(text) + 1
                self.printed.append(text + "\n")
            self.inbox.append(self._message("display_data", {"data": {"text/plain": text}, "metadata": {}}))
        elif kind == "error":
            places = [str(place)[:100] for place in content["traceback"][-20:]]
            self.error = str(content["ename"])[:100], str(content["evalue"])[:2000], places
            told = {"ename": self.error[0], "evalue": self.error[1], "traceback": []}
            self.inbox.append(self._message("error", told))

    def _message(self, kind, content):
        return {"msg_type": kind, "parent_header": {"msg_id": self.cell}, "content": content}


@dataclass
class Run:
    """One notebook for one kernel: the cells of one group of answers with the same closed modules."""

    name: str
    cells: list
    kernel: Kernel = None
    results: dict = field(default_factory=dict)  # cell id -> CellResult
    unusable: str = ""  # why the kernel never answered

    def notebook(self):
        """The notebook that nbval collects: cells with our numbers, marked as executed so that it compares them."""
        cells = [
            {
                "cell_type": "code", "id": f"c{number}", "metadata": {}, "outputs": [], "source": cell.source,
                "execution_count": number + 1,
            }
            for number, cell in enumerate(self.cells)
        ]  # fmt: skip
        return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


class Grading:
    """The plugin: maps nbval's items to our cells, and records what nbval says of each."""

    def __init__(self, run, expected):
        self.run, self.expected, self.fault, self.interrupted = run, expected, None, False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        """Give every cell its part: name, comparison, kernel. Comments that speak to nbval have no effect."""
        for item in items:
            if not isinstance(item, IPyNbCell):
                raise TypeError(f"{item} is no notebook cell")
            cell = self.run.cells[int(item.cell.id[1:])]
            item.ours, item.name = cell, cell.id
            item.options = {"check": cell.role == "check", "check_exception": False, "skip": False}
            item.compare_outputs = lambda outputs, stored, item=item: self.agree(item)
            item.parent.setup = lambda file=item.parent: self.begin(file)
            item.parent.teardown = lambda: None

    def pytest_keyboard_interrupt(self, excinfo):
        """Remember that a person stopped this."""
        self.interrupted = True

    def begin(self, file):
        """Connect to the notebook's kernel when its first cell is about to run."""
        file.kernel = self.run.kernel
        try:
            self.run.kernel.ready(START_SECONDS)
        except (KernelDied, KernelUnusable) as wrong:
            self.run.unusable = str(wrong) or "it ended as it started"
            raise

    def agree(self, item):
        """Compare what a check cell emitted with the reference's values."""
        cell, values = item.ours, self.run.kernel.values
        result = self.run.results[cell.id]
        if not self.right(cell, values, result):
            result.emitted = mistakes.bounded(values)
            return False
        return True

    def right(self, cell, values, result):
        """Whether these values are the reference's; the result's message says what differs first."""
        try:
            wanted = self.expected()[cell.id]
        except Exception as wrong:  # the grader's fault, which must not become the student's
            self.fault = wrong
            raise
        if len(values) != len(wanted):
            result.message = f"{len(values)} values arrived where {len(wanted)} were expected"
            return False
        for number, (want, have) in enumerate(zip(wanted, values, strict=True)):
            ok, message = compare(want, have, cell.rtol, cell.atol, cell.exact_type, cell.half)
            if not ok:
                result.message = f"value {number + 1} of {len(wanted)}: {message}" if len(wanted) > 1 else message
                result.called = self.run.kernel.calls[number]
                return False
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Run a cell; note how it ended."""
        cell, run = item.ours, self.run
        if not run.kernel.is_alive() or time.monotonic() > run.kernel.deadline:
            pytest.skip()
        result = run.results[cell.id] = CellResult()
        try:
            outcome = yield
            result.state = State.PASSED
            return outcome
        except CellTimeout:
            result.state = State.TIMEOUT
            raise
        except Exception:
            died = not run.kernel.is_alive()
            result.state = State.DIED if died else State.ERROR if run.kernel.error else State.FAILED
            raise
        finally:
            result.printed = "".join(run.kernel.printed)
            result.error = run.kernel.error
            result.called = result.called or run.kernel.unsaid

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        """Take over what nbval says: only `passed` earns."""
        report = yield
        if report.when == "call" and item.ours.id in self.run.results:
            self.run.results[item.ours.id].passed = report.outcome == "passed" and not hasattr(report, "wasxfail")
        return report


def _options(folder, settings, path):
    """What pytest is told: nbval alone, no file of anybody's, nothing written."""
    options = ["--nbval", "-p", "nbval.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:doctest"]
    options += ["-c", str(settings), f"--rootdir={folder}", "--noconftest", "--assert=plain", "-s", "-qq", str(path)]
    return options


def warm():
    """Do once what every forked child would do again: load pytest's own plugins, compile nbformat's schema."""
    import gc

    with tempfile.TemporaryDirectory(prefix="sq") as name, open(os.devnull, "w") as null:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "empty.ipynb").write_text(Run("empty", [Cell("one", "provided", "1")]).notebook())
        with contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            pytest.main([*_options(folder, folder / "pytest.ini", folder / "empty.ipynb"), "--collect-only"])
    gc.collect()
    gc.freeze()  # what is never looked at again is neither copied nor counted in a child


def execute(run, folder, expected):
    """Run one notebook under nbval; the results stand in `run` afterwards, and its kernel is gone.

    Parameters
    ----------
    run : Run.
    folder : where the notebook's file goes, out of reach of the kernel.
    expected : function without arguments that gives {check id: [typed values]}.
    """
    path, settings = folder / f"{run.name}.ipynb", folder / "pytest.ini"
    path.write_text(run.notebook(), encoding="utf-8", errors="backslashreplace")
    settings.write_text("[pytest]\n")
    options = _options(folder, settings, path)
    grading = Grading(run, expected)
    try:
        status = pytest.main(options, plugins=[grading])
    finally:
        run.kernel.stop()
    if grading.fault is not None:
        raise grading.fault
    if status == pytest.ExitCode.INTERRUPTED and grading.interrupted:
        raise KeyboardInterrupt
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with {status!r}")
