"""The next best boundary, for a container that refuses bubblewrap its namespaces: another user, and permissions.

The grader is root and the kernel is a user who owns nothing. What she must not read (the assignment, the results) is
root's alone; what she must not do is refused by `confine`; what she may take is limited; and when her kernel ends,
every process and file of hers is removed. Closed modules are made unreadable while a kernel runs that they are closed
for, so kernels run one at a time.

It is taken only where SEQLAB_SANDBOX_USER names that user. It does not hide from her which programs and processes the
container has, nor limit the disk beyond the size of one file. `sandbox` is the better one wherever it works.
"""

import contextlib
import functools
import json
import os
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seqlab.grading import sandbox
from seqlab.grading.sandbox import SandboxUnavailable

VARIABLE = "SEQLAB_SANDBOX_USER"
CONFINE = Path(__file__).resolve().parent / "confine.py"
SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")  # where every user may leave files
SWEEPS = 200  # times that the processes of the user are ended before it is given up
SUBREAPER = 36  # <sys/prctl.h>


def user():
    """The user for students' kernels, as `pwd` has it; None where the variable names none."""
    if not os.environ.get(VARIABLE):
        return None
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwnam(os.environ[VARIABLE])
    return None


@functools.cache
def why_not():
    """Say in one sentence why there is no such sandbox here; an empty text when there is one."""
    if not os.environ.get(VARIABLE):
        return f"{VARIABLE} names no user for students' code"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root of a Linux container can run students' code as another user"
    who = user()
    if who is None or who.pw_uid == 0:
        return f"{os.environ[VARIABLE]!r} is no user that students' code can run as: make one with useradd"
    if _processes(who.pw_uid):
        return f"the user {who.pw_name} has processes of its own: make a user for students' code alone"
    with tempfile.TemporaryDirectory(prefix="sq") as place:
        os.chmod(place, 0o755)
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(CONFINE), '{"probe": true}'], capture_output=True, text=True, timeout=60,
                **_as(who, place),
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as wrong:
            return f"{who.pw_name} cannot run Python here ({wrong}): make Python readable for every user"
    if done.stdout.strip() != "confined":
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"{who.pw_name} cannot be confined here ({said[:200]})"
    return ""


def available():
    """Whether strangers' notebooks can be run here as another user."""
    return not why_not()


def require():
    """Raise SandboxUnavailable, with what to do about it, where there is no such sandbox."""
    if why_not():
        raise SandboxUnavailable(why_not())


def _as(who, home, seed=None):
    """What Popen needs to start a process as this user, in a folder, with nothing of ours."""
    environment = {"HOME": home, "TMPDIR": home, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TZ": "UTC"}
    environment |= {"LANG": "C.UTF-8", "USER": who.pw_name, "TRITON_CACHE_DIR": f"{home}/.triton"}
    environment |= sandbox.ENVIRONMENT | ({} if seed is None else {"SEQLAB_SEED": str(seed)})
    return {
        "user": who.pw_uid, "group": who.pw_gid, "extra_groups": [], "umask": 0o077, "cwd": home, "env": environment,
        "stdin": subprocess.DEVNULL, "start_new_session": True,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- closed modules


def places(module):
    """Where a module lies: in this Python, and perhaps once more in a folder of packages that it does not use."""
    found, used = list(sandbox.locate(module)), {os.path.realpath(folder) for folder in sys.path}
    for root in dict.fromkeys(("/usr", "/usr/local", sys.base_prefix)):
        for folder in sorted(Path(root).glob("lib*/python3*/*-packages")):
            if os.path.realpath(folder) not in used:
                place = folder.joinpath(*module.split("."))
                found += [path for path in (place, *place.parent.glob(f"{place.name}.*")) if path.exists()]
    return found


def close(modules):
    """Let nobody but root read these modules; give what `reopen` takes."""
    modes = []
    for module in modules:
        for path in places(module):
            modes.append((path, stat.S_IMODE(path.stat().st_mode)))
            path.chmod(modes[-1][1] & 0o700)
    return modes


def reopen(modes):
    """Give closed modules their permissions back."""
    for path, mode in reversed(modes):
        with contextlib.suppress(FileNotFoundError):
            path.chmod(mode)


# ------------------------------------------------------------------------------------------- processes and files


def _processes(uid):
    """The processes of a user: {pid: (parent, whether it has ended)}."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, KeyError, ValueError):
            with open(f"/proc/{name}/status") as status:
                lines = dict(line.split(":", 1) for line in status)
            if str(uid) in lines["Uid"].split():
                found[int(name)] = int(lines["PPid"]), lines["State"].split()[0] in "ZX"
    return found


def _adopt():
    """Become the parent of whatever loses its own: nobody else in a container may care for them."""
    import ctypes

    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def sweep(who):
    """End every process of a user at once, and remove the files that she left where everybody may write.

    Raises
    ------
    OSError
        when some process does not end.
    """
    for _ in range(SWEEPS):
        there = _processes(who.pw_uid)
        for pid, (parent, ended) in there.items():
            if ended and parent == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
        if all(ended for _, ended in there.values()):
            break
        # all of them in one call, as the user herself: none can start another one in between
        subprocess.run(["/bin/sh", "-c", "kill -9 -1"], stderr=subprocess.DEVNULL, **_as(who, "/"))
        time.sleep(0.005)
    else:
        raise OSError(f"processes of {who.pw_name} do not end")
    for folder in SHARED:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.stat(follow_symlinks=False).st_uid == who.pw_uid:
                    subprocess.run(["/bin/rm", "-rf", "--", entry.path], stderr=subprocess.DEVNULL)


# -------------------------------------------------------------------------------------------------------- kernel


class KernelProcess:
    """A kernel that runs as the user; it has the face of `sandbox.KernelProcess`.

    Its sockets listen from the beginning; it starts once no other kernel of this process runs.
    """

    running = None

    def __init__(self, *, seed, closed=(), memory_mb=4096, seconds=120.0, scratch=None):
        """Prepare it, and start it when its turn has come.

        Parameters
        ----------
        seed : what SEQLAB_SEED will be.
        closed : modules that nobody but root can read while it runs.
        memory_mb, seconds : limits on memory and processor time.
        scratch : a folder for the grader's sockets; the system's when not given.
        """
        self.key, self.listeners, self.user = secrets.token_hex(16), sandbox.Listeners(scratch), user()
        self.seed, self.closed, self.limits = seed, tuple(closed), sandbox._limits(memory_mb, seconds)
        self.listeners.listen()
        self.transport, self.ip, self.ports = "ipc", self.listeners.address, sandbox.PORTS
        self.process, self.home, self.modes, self.over = None, None, [], False
        self._begin()

    def _begin(self):
        if KernelProcess.running is not None:
            return
        KernelProcess.running = self
        self.home = tempfile.mkdtemp(prefix="sq", dir="/tmp")
        os.chown(self.home, self.user.pw_uid, self.user.pw_gid)
        sockets = [one.fileno() for one in self.listeners.sockets]
        settings = {"key": self.key, "limits": self.limits, "cwd": self.home, "transport": "ipc", "ip": "kernel"}
        settings |= {"sockets": sockets, "ports": self.ports}
        self.modes = close(self.closed)
        told = json.dumps({"kernel": settings, "closed": self.closed})
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(CONFINE), told], pass_fds=sockets, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **_as(self.user, self.home, self.seed),
        )  # fmt: skip
        self.listeners.forget()

    def alive(self):
        """Whether it runs, or still waits for its turn."""
        if self.process is None and not self.over:
            self._begin()
        return not self.over and (self.process is None or self.process.poll() is None)

    def kill(self):
        """End it and everything of its user, at once, and remove what is left."""
        if self.over:
            return
        self.over = True
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        self.listeners.close()
        if KernelProcess.running is self:
            try:
                sweep(self.user)
            finally:
                reopen(self.modes)
                KernelProcess.running = None

    def memory(self):
        """Bytes of memory that the processes of its user hold now, as far as this can be read."""
        total = 0
        for pid in _processes(self.user.pw_uid) if self.process else ():
            with contextlib.suppress(OSError, ValueError, KeyError), open(f"/proc/{pid}/status") as status:
                held = dict(line.split(":") for line in status if line.startswith("Rss"))
                total += sum(int(held[kind].split()[0]) << 10 for kind in ("RssAnon", "RssShmem"))
        return total


def grade(submission, assignment):
    """Grade one submission, as `run.grade` does, in this process, which is not fit for anything else afterwards.

    Raises
    ------
    SandboxUnavailable
        when there is no such sandbox here.
    """
    import resource

    from seqlab.grading import reference, run

    require()
    _adopt()

    class Grading(run._Grading):
        """Whose kernels run as the user."""

        def start(self, closed):
            """Start one kernel, or let it wait for its turn."""
            limits = {"memory_mb": assignment.memory_mb, "seconds": assignment.total_seconds}
            return KernelProcess(seed=self.seed, closed=closed, scratch=self.folder, **limits)

    warm = reference.reference(assignment)
    resource.setrlimit(resource.RLIMIT_DATA, (run.CLIENT_BYTES, run.CLIENT_BYTES))
    with tempfile.TemporaryDirectory(prefix="sq") as folder:
        settings = {"trusted": False, "only_visible": False, "expected": None, "folder": folder, "warm": warm}
        grading = Grading(submission, assignment, **settings)
        grading.grade()
        grading.settle_all(run.State.NOT_RUN, "the grader could not finish")
        return grading.record()
