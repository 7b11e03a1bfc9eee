"""A class on a Dask cluster: the same records as with this machine's own processes, whatever becomes of a worker."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqlab import cli
from seqlab.grading import cluster, run
from seqlab.grading.cluster import Cluster, difference, grade_many_on
from tests.grading.tiny import make_assignment, submission

ROOT = Path(__file__).parents[2]
FULL = 12.0

with_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed")

# --------------------------------------------------------------------------------------------- sentences


def test_without_dask_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r'needs Dask, which is not installed: pip install "seqlab\[class\]"'):
        Cluster("local")


@pytest.mark.parametrize("address", ["http://here:80", "here:8786", "", "Local"])
def test_what_is_no_scheduler_is_told(address):
    with pytest.raises(ValueError, match=rf"^{re.escape(repr(address))} is no scheduler: give tcp://HOST:PORT"):
        Cluster(address)


def test_a_number_of_workers_below_one_is_refused():
    with pytest.raises(ValueError, match="workers is 0; it must be at least 1"):
        Cluster("local", workers=0)


@with_dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "tcp://", "tcp://127.0.0.1:many"])
def test_a_scheduler_that_is_not_there_is_told_at_once(address):
    with socket.create_server(("127.0.0.1", 0)) as held:  # a port that nobody listens on, once it is closed
        address = address.format(port=held.getsockname()[1])
    started = time.monotonic()
    with pytest.raises(ValueError, match=f"^no Dask scheduler answers at {address}: start one with `dask scheduler`"):
        Cluster(address)
    assert time.monotonic() - started < 10


def test_a_difference_of_identities_is_told_in_words():
    mine = {"version of seqlab": "0.1.0", "grader": "a" * 64, "python": "3.11.7", "numpy": "2.4.6"}
    assert difference(mine, dict(mine)) == ""
    assert difference(mine, mine | {"numpy": "2.3.0"}) == "numpy 2.3.0 where this machine has 2.4.6"
    assert difference(mine, mine | {"version of seqlab": "0.2"}) == "seqlab 0.2 where this machine has 0.1.0"
    assert difference(mine, mine | {"grader": "b" * 64}) == "another version of seqlab's code"
    assert difference(mine, mine | {"triton": "3.7.1"}) == "triton 3.7.1 where this machine has absent"


# ------------------------------------------------------------------------------------------ real clusters

pytestmark_real = [pytest.mark.slow, pytest.mark.sandbox, with_dask]


def real(test):
    """Mark a test that starts Dask's processes and grades in the sandbox."""
    for mark in pytestmark_real:
        test = mark(test)
    return test


class Machines:
    """A scheduler and workers as processes of their own, as somebody else may have started them."""

    def __init__(self, home):
        self.home, self.stack, self.workers = home, contextlib.ExitStack(), []
        self.environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(home)}
        file = home / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = self.start("scheduler", *options, "--scheduler-file", file)
        limit = time.monotonic() + 60
        while not file.exists() or not file.read_text():
            assert time.monotonic() < limit, "the scheduler did not start"
            time.sleep(0.1)
        time.sleep(0.1)
        self.address = json.loads(file.read_text())["address"]

    def start(self, what, *options):
        code = f"from distributed.cli.dask_{what} import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, options)], cwd=self.home, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.stack.callback(self.end, process)
        return process

    def add(self, *options):
        """One more worker."""
        always = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--memory-limit", "0"]
        always += ["--dashboard-address", "127.0.0.1:0", "--local-directory", self.home / "space"]
        self.workers.append(self.start("worker", self.address, *always, *options))

    def end(self, process):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


@pytest.fixture
def machines(near):
    """A scheduler without workers."""
    machines = Machines(near)
    with machines.stack:
        yield machines


def items(count):
    """Right, wrong, deadly and damaged submissions in turn."""
    kinds = [
        {}, {"total": "def total(x):\n    return 0.0\n"}, {"double": "import os\nos._exit(1)\n"},
        {"softmax": "def softmax(z):\n    import numpy\n    print(z.shape)\n    return z\n"},
    ]  # fmt: skip
    found = [(f"s{n}", submission(kinds[n % 4], metadata={"n": n})) for n in range(count)]
    return [*found, ("cut", found[0][1][:200]), ("again", found[1][1])]


def ours(pid):
    """The grading processes that descend from one process."""
    found, waiting = [], [pid]
    while waiting:
        with contextlib.suppress(OSError):
            one = waiting.pop()
            for thread in os.listdir(f"/proc/{one}/task"):
                waiting += map(int, Path(f"/proc/{one}/task/{thread}/children").read_text().split())
            if b"seqlab.grading" in Path(f"/proc/{one}/cmdline").read_bytes():
                found.append(one)
    return found


@real
def test_the_records_are_the_same_everywhere_and_with_a_worker_killed_midway(machines, near):
    """This machine's pool; a remote scheduler, in another order, of whose two workers one is killed as it grades."""
    assignment, todo = make_assignment(), items(5)
    alone = {key: record.dumps() for key, record in run.grade_many(todo, assignment, workers=2).items()}

    machines.add()
    machines.add()
    killed, seen = [], []

    def note(key, record):
        seen.append(key)
        victim = machines.workers[0]
        if not killed and ours(victim.pid):  # it grades, or did a moment ago
            killed.extend(ours(victim.pid))
            victim.send_signal(signal.SIGKILL)

    with Cluster(machines.address) as remote:
        assert sum(remote.client.nthreads().values()) >= 1
        mixed = list(reversed(todo))
        together = remote.grade_many(mixed, assignment, note)
        assert list(together) == [key for key, _ in mixed]
        assert sorted(seen) == sorted(alone)
        assert {key: record.dumps() for key, record in together.items()} == alone
        assert killed
        assert machines.workers[0].poll() is not None
    limit = time.monotonic() + 15
    while [pid for pid in (*killed, *ours(machines.workers[1].pid)) if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < limit, "grading processes are left"
        time.sleep(0.1)
    assert not list(near.glob("sq*")), "temporary folders are left"


@real
def test_this_machines_own_cluster_gives_the_same_records_and_leaves_nothing(near, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(near))
    monkeypatch.setattr("tempfile.tempdir", str(near))
    assignment, todo, before = make_assignment(), items(2), ours(os.getpid())
    together = grade_many_on("local", todo, assignment, workers=2)
    alone = run.grade_many(todo, assignment, workers=2)
    assert {key: one.dumps() for key, one in together.items()} == {key: one.dumps() for key, one in alone.items()}
    assert list(near.iterdir()) == []
    assert list(tmp_path.iterdir()) == []
    assert set(ours(os.getpid())) <= set(before)
    assert capfd.readouterr().err == ""


@real
def test_workers_are_missed_and_strangers_refused(machines):
    """One scheduler: without a worker; with one whose numpy is another; when it goes away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "WORKER_SECONDS", 0.5)
        with pytest.raises(ValueError, match=r"^the scheduler tcp://\S+ has no worker: start one with `dask worker"):
            Cluster(machines.address)
    preload = "import seqlab.grading.cluster as c\nr = c.identity()\nc.identity = lambda: r | {'numpy': '1.0'}\n"
    machines.add("--preload", preload)
    with pytest.raises(ValueError, match=r"^the worker tcp://\S+ has numpy 1.0 where this machine has \S+: install"):
        Cluster(machines.address)
    machines.end(machines.workers[0])
    machines.add()
    with Cluster(machines.address) as remote:
        started = time.monotonic()

        def stop(key, record):
            machines.scheduler.send_signal(signal.SIGKILL)

        with pytest.raises(run.GraderFailed, match="went away; run the command again when it is back"):
            remote.grade_many(items(8), make_assignment(), stop)
        assert time.monotonic() - started < 60


@real
def test_a_class_is_graded_by_the_command_and_ctrl_c_ends_it_cleanly(near, capsys, monkeypatch):
    bundle, ledger = near / "00_tiny", near / "grades.sqlite"
    (bundle / "instructor").mkdir(parents=True)
    (bundle / "instructor" / "assignment.json").write_text(make_assignment().dumps())
    (near / "class").mkdir()
    (near / "tmp").mkdir()
    for key, content in items(6)[:6]:
        (near / "class" / f"{key}.ipynb").write_bytes(content)
    command = ["grade", str(near / "class"), "--assignment", str(bundle), "--ledger", str(ledger)]
    command += ["--scheduler", "local"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(near / "tmp"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "seqlab.cli", *command], cwd=near, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    from seqlab.grading.ledger import Ledger

    limit, count = time.monotonic() + 60, 0
    while count < 1 and time.monotonic() < limit:
        time.sleep(0.2)
        if ledger.exists():
            with Ledger(ledger) as book:
                count = sum(one.record is not None for one in book.standings("00_tiny"))
    processes = ours(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: all of the group get it
    _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (130, "Stopped; what was finished is kept.\n")
    limit = time.monotonic() + 10
    while [pid for pid in processes if Path(f"/proc/{pid}").exists()] and time.monotonic() < limit:
        time.sleep(0.1)
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    assert list((near / "tmp").iterdir()) == []
    assert sorted(path.name for path in near.iterdir()) == ["00_tiny", "class", "grades.sqlite", "tmp"]
    monkeypatch.chdir(near)
    assert cli.main(command[:-2]) == 0  # goes on with this machine's own processes: the records are the same
    out = capsys.readouterr().out
    fresh = int(re.search(r"(\d+) graded now", out)[1])
    assert 0 < fresh <= 6 - count
