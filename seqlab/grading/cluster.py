"""Grades a class on many processes or machines with Dask: the same function, the same records.

    with Cluster("tcp://10.0.0.5:8786") as cluster: ...     workers that somebody started with `dask worker`
    with Cluster("local", workers=4) as cluster: ...        processes of this machine

A submission is a task whose key is the hash of all that its record depends on. A worker that dies is replaced and its
tasks run again elsewhere; what a student's code does stays inside the sandbox and is a record, never a retry. Only
workers with the same grader, libraries and versions are let in, because others might judge otherwise.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from multiprocessing import resource_tracker

from seqlab.grading import admission, run, sandbox
from seqlab.grading.model import Assignment, Record

LOCAL = "local"
SCHEMES = ("tcp://", "tls://")
CONNECT_SECONDS = 5.0
WORKER_SECONDS = 10.0  # for the first worker to be there
COUNT_SECONDS = 2.0  # between two counts of the workers
LONELY_SECONDS = 60.0  # without any worker, in the midst of a class
ATTEMPTS = 3  # on machines that could not go on (a full disk, no memory), before the class is stopped
DEATHS = 5  # of workers at the same submission: then it is no accident
EXTRA = 'grading on a cluster needs Dask, which is not installed: pip install "seqlab[class]"'
QUIET = {
    "distributed.admin.tick.interval": "2s",
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.comm.timeouts.connect": "5s",
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.nanny.http.routes": [],
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
}


def _dask():
    try:
        import dask
        import distributed
    except ImportError as absent:
        raise ValueError(EXTRA) from absent
    return dask, distributed


# -------------------------------------------------------------------------------------------- on a worker


@functools.cache
def identity():
    """What must be the same wherever a record is made, as a dict of names and versions or hashes."""
    import importlib.metadata

    from seqlab.grading.build import environment, grader_version

    try:
        version = importlib.metadata.version("seqlab")
    except importlib.metadata.PackageNotFoundError:
        version = "not installed"
    return {"version of seqlab": version, "grader": grader_version(), **environment()}


def _introduce(trusted):
    """What a worker says of itself: its identity, and why it has no sandbox."""
    return {"identity": identity(), "sandbox": "" if trusted else sandbox.why_not()}


def _unpack(text):
    """A task of its own: every worker that needs the assignment gets it once."""
    return Assignment.loads(text)


def _grade(submission, assignment, wanted, trusted):
    """One task: grade here, when there is room; tell a fault of this machine as such."""
    there = _introduce(trusted)
    if there != {"identity": wanted, "sandbox": ""}:
        return {"stranger": there}
    notes = {}
    with admission.Room(admission.need(assignment), tell=notes.setdefault).wait():
        try:
            record = run.grade(submission, assignment, trusted=trusted)
        except run.GraderFailed as wrong:
            return {"fault": str(wrong)}
    return {"record": record.dumps(), "notes": notes}


def _rest():
    """End the hosts that wait on this worker for a next submission."""
    run.close_idle_hosts()


def difference(mine, theirs):
    """Say in words how another's identity differs from one's own; empty when it does not."""
    for name in [*mine, *(name for name in theirs if name not in mine)]:
        here, there = mine.get(name, "absent"), theirs.get(name, "absent")
        if here != there:
            if name in ("grader", "seqlab") or len(here) == 64:
                return "another version of seqlab's code"
            return f"{name.removeprefix('version of ')} {there} where this machine has {here}"
    return ""


# ------------------------------------------------------------------------------------------- on this side


class Cluster:
    """A scheduler and its workers; use it in a `with` block.

    Parameters
    ----------
    scheduler : "tcp://host:port", "tls://host:port", or "local" for processes of this machine.
    workers : how many processes, where they are of this machine; elsewhere as many as the scheduler has.
    trusted : grade without a sandbox.

    Raises
    ------
    ValueError
        one sentence: Dask is not installed, there is no such scheduler, it has no worker, or a worker is of another
        version or without a sandbox.
    """

    def __init__(self, scheduler, *, workers=2, trusted=False):
        if scheduler != LOCAL and not scheduler.startswith(SCHEMES):
            raise ValueError(
                f"{scheduler!r} is no scheduler: give tcp://HOST:PORT, as `dask scheduler` says it, or `local`"
            )
        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be at least 1")
        dask, distributed = _dask()
        self.distributed, self.scheduler, self.trusted = distributed, scheduler, trusted
        self.stack = contextlib.ExitStack()
        try:
            with _without_interrupts():
                self.stack.enter_context(_silence())
                self.stack.enter_context(dask.config.set(QUIET))
                local = _local(dask, distributed, workers) if scheduler == LOCAL else contextlib.nullcontext(scheduler)
                self.client = self.stack.enter_context(self._connect(self.stack.enter_context(local)))
            self._inspect()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Let the workers rest, and end those that were started here."""
        self.stack.close()

    @contextlib.contextmanager
    def _connect(self, address):
        try:
            host, _, port = address.partition("://")[2].rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
            client = self.distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as wrong:
            told = f"no Dask scheduler answers at {self.scheduler}"
            raise ValueError(f"{told}: start one with `dask scheduler`, or mend the address") from wrong
        try:
            yield client
        finally:
            with contextlib.suppress(Exception), _patience(client, CONNECT_SECONDS):
                client.run(_rest, on_error="ignore")
            client.close(timeout=2)

    def _inspect(self):
        """Wait for a worker; refuse those that would judge otherwise."""
        try:
            self.client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as none:
            told = f"the scheduler {self.scheduler} has no worker"
            raise ValueError(f"{told}: start one with `dask worker {self.scheduler} --nthreads 1`") from none
        for worker, there in self.client.run(_introduce, self.trusted, on_error="return").items():
            self._admit(worker, there)

    def _admit(self, worker, there):
        """Raise ValueError where a worker is not as this machine."""
        if isinstance(there, BaseException):
            if isinstance(there, (ImportError, AttributeError)):
                raise ValueError(f"the worker {worker} has no seqlab of this version: install the same there")
            raise ValueError(f"the worker {worker} cannot grade ({type(there).__name__}: {there}): mend or stop it")
        if told := difference(identity(), there["identity"]):
            raise ValueError(f"the worker {worker} has {told}: install the same there, or stop it")
        if there["sandbox"]:
            raise ValueError(f"the worker {worker} cannot grade: {there['sandbox']}")

    def grade_many(self, items, assignment, on_result=None):
        """Grade a class: as `run.grade_many`, with the same records.

        Parameters
        ----------
        items : iterable of (key, submission bytes); read as workers become free.
        assignment : Assignment.
        on_result : called with (key, Record) as each is finished.

        Returns
        -------
        records : dict from key to Record, in the order of the items.

        Raises
        ------
        GraderFailed
            when the scheduler or every worker went away, or a machine cannot go on; what `on_result` has been given by
            then is good.
        ValueError
            when a worker that came later is of another version.
        """
        return _Class(self, assignment, on_result).run(items)


class _Class:
    """One class on its way through a cluster."""

    def __init__(self, cluster, assignment, on_result):
        self.cluster, self.client, self.on_result = cluster, cluster.client, on_result
        self.hash = assignment.digest.hex()
        self.bundle = self.client.submit(_unpack, assignment.dumps(), key=f"assignment-{self.hash}")
        self.ended = queue.SimpleQueue()
        self.records, self.under_way = {}, {}  # task's key -> (keys of the items, submission, attempt, future)
        self.seen = time.monotonic()  # when there was a worker last
        self.asked, self.threads = 0.0, 0  # when the workers were counted last

    def run(self, items):
        """Keep the workers busy until all is graded."""
        items, more = iter(items), True
        try:
            while more or self.under_way:
                while more and len(self.under_way) < max(2, 2 * self.count()):  # one runs, one waits in each thread
                    if (item := next(items, None)) is None:
                        more = False
                    else:
                        self.begin(*item)
                if self.under_way:
                    self.wait()
            return self.records
        finally:
            with contextlib.suppress(Exception), _patience(self.client, 2.0):
                self.client.cancel([future for *_, future in self.under_way.values()], force=True)
            self.under_way.clear()

    def count(self):
        """How many threads the workers have, as of a moment ago."""
        if time.monotonic() - self.asked > COUNT_SECONDS and self.client.status == "running":
            self.asked = time.monotonic()
            with contextlib.suppress(OSError):  # the scheduler is gone: `wait` sees to that
                self.threads = sum(self.client.nthreads().values())
            if self.threads:
                self.seen = self.asked
        return self.threads

    def begin(self, key, submission):
        """Submit one task; the same bytes are graded once."""
        self.records[key] = None
        name = hashlib.sha256(submission).hexdigest()
        for keys, content, *_ in self.under_way.values():
            if content == submission:
                keys.append(key)
                return
        parts = [name, self.hash, identity(), self.cluster.trusted]
        task = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self.submit(f"grade-{task}", [key], bytes(submission), 1)

    def submit(self, task, keys, submission, attempt):
        """Hand a task to the scheduler; its end comes through the queue."""
        future = self.client.submit(
            _grade, submission, self.bundle, identity(), self.cluster.trusted, key=f"{task}-{attempt}", pure=False
        )
        self.under_way[task] = keys, submission, attempt, future
        future.add_done_callback(lambda future, task=task: self.ended.put((task, future)))

    def wait(self):
        """Wait for a task to end, for a while; see that somebody is there to work."""
        with contextlib.suppress(queue.Empty):
            task, future = self.ended.get(timeout=0.5)
            if task in self.under_way and self.under_way[task][-1] is future:
                self.end(task, future)
            return
        if self.client.status in ("closing", "closed"):
            self.lost()
        if not self.count() and time.monotonic() - self.seen > LONELY_SECONDS:
            told = f"the scheduler {self.cluster.scheduler} has had no worker for {LONELY_SECONDS:g} s"
            raise run.GraderFailed(f"{told}; start one and run the command again, what has been graded is kept")

    def lost(self):
        told = f"the scheduler {self.cluster.scheduler} went away"
        raise run.GraderFailed(f"{told}; run the command again when it is back, what has been graded is kept")

    def end(self, task, future):
        """Take a task's result: a record, or what a machine lacks."""
        keys, submission, attempt, _ = self.under_way[task]
        if future.status in ("cancelled", "lost"):
            self.lost()
        if future.status == "error":
            wrong = future.exception()
            if isinstance(wrong, self.cluster.distributed.KilledWorker):
                told = f"{DEATHS} workers died at it, one after the other"
            else:
                told = f"{type(wrong).__name__}: {wrong}"
            raise run.GraderFailed(f"a submission could not be graded ({told}); what has been graded is kept")
        told = future.result()
        if "stranger" in told:
            self.cluster._admit("that joined just now", told["stranger"])
        if "fault" in told:
            if attempt >= ATTEMPTS:
                raise run.GraderFailed(told["fault"])
            self.submit(task, keys, submission, attempt + 1)
            return
        for kind, note in told["notes"].items():
            admission._tell(kind, note)
        del self.under_way[task]
        for key in keys:
            self.records[key] = Record.loads(told["record"])
            if self.on_result is not None:
                self.on_result(key, self.records[key])


def grade_many_on(scheduler, items, assignment, *, workers=2, trusted=False, on_result=None):
    """Grade a class on a cluster that is opened for it alone; see `Cluster` and `Cluster.grade_many`."""
    with Cluster(scheduler, workers=workers, trusted=trusted) as cluster:
        return cluster.grade_many(items, assignment, on_result)


# ------------------------------------------------------------------------------------------------ local


@contextlib.contextmanager
def _local(dask, distributed, workers):
    """A scheduler in this process and workers that it starts, all on the loopback; nothing of it stays.

    The workers never see a terminal's Ctrl-C: this process ends them. Their folder is removed even when this process is
    killed.
    """
    folder = tempfile.mkdtemp(prefix="sq")
    settings = dask.config.set({"temporary-directory": folder})
    sweeper = os.name == "posix" and subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; rm -rf -- "$0"; sleep 2; rm -rf -- "$0"', folder],
        stdin=subprocess.PIPE, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with settings, distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0,
            dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0", local_directory=folder,
            silence_logs=logging.CRITICAL + 1, preload="seqlab.grading.cluster",
        ) as cluster:  # fmt: skip
            cluster.loop.add_callback(cluster.scheduler.http_server.stop)
            yield cluster.scheduler_address
    finally:
        if sweeper:
            sweeper.kill()
            sweeper.wait()
            sweeper.stdin.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _without_interrupts():
    """Put a Ctrl-C off until the end; threads and processes that are started meanwhile never get one."""
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # which would unblock them as it starts
    pressed, before = [], signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def dask_setup(worker):
    """What Dask calls in a local worker as it starts: no pages to serve, and Ctrl-C is not for it."""
    worker.http_server.stop()
    if os.name == "posix":  # kernels must see interrupts again, which are blocked since the start
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def _silence():
    """Dask's log lines are for those who run clusters; what matters is said in our own sentences."""
    logs = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if name.startswith("distributed")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)


@contextlib.contextmanager
def _patience(client, seconds):
    """Bound what is asked of a cluster that may be gone."""
    timer = threading.Timer(seconds, lambda: client.loop.add_callback(client._close, True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
