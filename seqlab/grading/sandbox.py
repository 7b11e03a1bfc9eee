"""Starts a student's kernel where it can do no harm: bubblewrap, without network, other processes or others' files.

The sandbox holds the system's programs, this Python and its libraries, and of `seqlab.grading` only what check cells
import, all read-only; home and /tmp are small file systems in memory. The grader's sockets are handed in as open file
descriptors, so no folder is shared. An answer's closed modules are replaced by files that refuse to be imported.
"""

import contextlib
import errno
import functools
import importlib.machinery
import json
import os
import platform
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from seqlab.grading import confine

PACKAGE = Path(__file__).resolve().parent.parent  # seqlab
KERNEL = PACKAGE / "grading" / "kernel.py"
NEEDED = ("__init__.py", "emit.py", "values.py", "kernel.py", "forks.py")  # of seqlab.grading, by check cells
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
HOME = "/sandbox"
PLACES = {"/tmp": 256, HOME: 64, "/dev/shm": 128}  # file systems in memory, and the megabytes that fit
READABLE = ("--perms", "0444")
MEGABYTE = 1 << 20
PROCESSES = 96  # and threads, per sandbox; a kernel has about ten
TRUSTED_HINT = "or pass --trusted to run notebooks that you trust without a sandbox"


class SandboxUnavailable(RuntimeError):
    """There is no sandbox on this machine; the message says what to do."""


@functools.cache
def why_not():
    """Say in one sentence why there is no sandbox here; an empty text when there is one."""
    if sys.platform != "linux":
        return f"the sandbox needs Linux: grade on a Linux machine, {TRUSTED_HINT}"
    if shutil.which("bwrap") is None:
        return f"the sandbox needs bubblewrap, which is not installed: apt install bubblewrap, {TRUSTED_HINT}"
    if _as_root() and shutil.which("setpriv") is None:
        return f"the sandbox needs setpriv, which is not installed: apt install util-linux, {TRUSTED_HINT}"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command, files = wrapped(["/usr/bin/env", "true"], ())
        done = subprocess.run(
            command, pass_fds=[f.fileno() for f in files], stdin=subprocess.DEVNULL, capture_output=True, timeout=20
        )
        if done.returncode == 0:
            return ""
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
        told = f"bubblewrap cannot make a sandbox here ({reason[0][:160]})"
        return f"{told}: allow unprivileged user namespaces, {TRUSTED_HINT}"
    return f"bubblewrap does not run on this machine: reinstall it, {TRUSTED_HINT}"


def available():
    """Whether strangers' notebooks can be run here in a sandbox."""
    return not why_not()


def require():
    """Raise SandboxUnavailable, with what to do about it, where there is no sandbox."""
    if why_not():
        raise SandboxUnavailable(why_not())


def _as_root():
    """Real root must become another user in the sandbox: the kernel exempts it from the limit on processes."""
    if os.geteuid() != 0:
        return False
    with open("/proc/self/uid_map") as table:
        return table.read().split() == ["0", "0", "4294967295"]


# ------------------------------------------------------------------------------------------------ masks


def locate(module):
    """Find a module's file or package folder without importing anything.

    Returns
    -------
    paths : the folder of a package, or the file of a module and its compiled forms; empty when it is not installed.
    """
    first, *rest = module.split(".")
    if first == PACKAGE.name:
        place = PACKAGE
    else:
        spec = importlib.machinery.PathFinder.find_spec(first)
        if spec is None or spec.origin is None:
            return []
        place = Path(spec.origin)
        if place.name != "__init__.py":
            return [place, *_compiled(place)] if not rest else []
        place = place.parent
    place = place.joinpath(*rest)
    if place.is_dir():
        return [place]
    found = [place.with_name(place.name + suffix) for suffix in (".py", *importlib.machinery.EXTENSION_SUFFIXES)]
    return [part for path in found if path.exists() for part in (path, *_compiled(path))]


def _compiled(path):
    return sorted((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")) if path.suffix == ".py" else []


def _refusal(module):
    return f'raise ImportError("{module} is closed for this question: write it yourself", name="{module}")\n'.encode()


def _file(data, files):
    """Put bytes into a file in memory that bubblewrap reads; give its descriptor."""
    handle = os.fdopen(os.memfd_create("seqlab"), "w+b")
    handle.write(data)
    handle.seek(0)
    files.append(handle)
    return str(handle.fileno())


def masks(closed, files):
    """The bubblewrap arguments that replace closed modules by files that refuse."""
    arguments = []
    for module in closed:
        for path in locate(module):
            if path.is_dir():
                arguments += [
                    "--tmpfs",
                    str(path),
                    *READABLE,
                    "--ro-bind-data",
                    _file(_refusal(module), files),
                    f"{path}/__init__.py",
                ]
                arguments += ["--remount-ro", str(path)]
            else:
                content = _refusal(module) if path.suffix == ".py" else b""
                arguments += [*READABLE, "--ro-bind-data", _file(content, files), str(path)]
    return arguments


# ---------------------------------------------------------------------------------------------- command


def _python_folders():
    """What this Python needs to start, besides /usr: its prefixes and wherever its links lead."""
    folders = {
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(sys.exec_prefix),
        Path(sysconfig.get_path("stdlib")).parent,
    }
    link = Path(sys.executable)
    for _ in range(20):
        if not link.is_symlink():
            break
        target = Path(os.path.normpath(link.parent / os.readlink(link)))
        folders.add(target.parent.parent if target.parent.name == "bin" else target.parent)
        link = target
    folders = {Path(os.path.abspath(folder)) for folder in folders} - {Path("/")}
    outer = [f for f in folders if f != Path("/usr") and not any(f != g and f.is_relative_to(g) for g in folders)]
    return sorted(f for f in outer if not f.is_relative_to("/usr") and f.exists())


def _other_packages(folders):
    """Folders of packages that this Python does not use: a closed module may lie there once more."""
    used = {os.path.realpath(folder) for folder in sys.path}
    roots = (*map(Path, ("/usr", "/usr/local")), *folders)
    found = {place for root in roots for place in root.glob("lib*/python3*/*-packages")}
    return sorted(place for place in found if place.is_dir() and os.path.realpath(place) not in used)


def wrapped(command, closed, environment=None, nesting=False):
    """Wrap a command in the sandbox.

    Parameters
    ----------
    command : list of str.
    closed : modules that must not be readable inside.
    environment : dict, all that the command will see.
    nesting : the command is ours, and makes sandboxes within this one.

    Returns
    -------
    command : list of str, the bubblewrap command.
    files : open files whose descriptors it needs; close them once it runs.
    """
    files, root, last = [], _as_root(), [] if nesting else ["--disable-userns"]
    bwrap = shutil.which("bwrap")
    arguments = [bwrap, "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-net"]
    arguments += ["--unshare-uts", "--hostname", "sandbox", "--unshare-cgroup-try"]
    if root:
        arguments += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        user = str(1_000_000 + os.getpid())  # one user a sandbox: the limit on processes counts per user
    else:
        arguments += ["--unshare-user", "--uid", "1000", "--gid", "1000", *last]
    # Linux lets a nested sandbox have its own /proc only where the one before is whole, which bubblewrap's is not
    arguments += ["--bind", "/proc", "/proc"] if nesting else ["--proc", "/proc"]
    if refused := confine.without_unseen_memory(platform.machine()):
        arguments += ["--seccomp", _file(refused, files)]
    arguments += ["--dev", "/dev"]
    for path, size in PLACES.items():  # first: the course may lie under /tmp or /home
        arguments += ["--perms", "1777", "--size", str(size * MEGABYTE), "--tmpfs", path]
    grading, folders = PACKAGE / "grading", _python_folders()
    parents = {parent for folder in (*folders, grading, Path("/etc/passwd")) for parent in folder.parents}
    for parent in sorted(
        parents - {Path("/"), Path("/tmp")}
    ):  # bubblewrap would make them readable by their owner alone
        arguments += ["--perms", "0755", "--dir", str(parent)]
    arguments += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            arguments += ["--ro-bind", str(path), str(path)]
    for path in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"):
        arguments += ["--ro-bind-try", path, path]
    passwd = f"student:x:1000:1000:student:{HOME}:/bin/sh\n".encode()
    arguments += [*READABLE, "--ro-bind-data", _file(passwd, files), "/etc/passwd"]
    for folder in folders:
        arguments += ["--ro-bind", str(folder), str(folder)]
    arguments += ["--ro-bind", str(PACKAGE), str(PACKAGE), "--tmpfs", str(grading)]
    for name in NEEDED:
        arguments += ["--ro-bind", str(grading / name), str(grading / name)]
    for unused in _other_packages(folders):
        arguments += ["--perms", "0755", "--tmpfs", str(unused), "--remount-ro", str(unused)]
    arguments += ["--remount-ro", str(grading), *masks(closed, files)]
    arguments += ["--chdir", HOME, "--clearenv"]
    settings = {"HOME": HOME, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": "/tmp", "TZ": "UTC"}
    settings |= {"LANG": "C.UTF-8", "USER": "student"} | (environment or {})
    for name, value in settings.items():
        arguments += ["--setenv", name, str(value)]
    arguments += ["--remount-ro", "/dev", "--remount-ro", "/"]
    if root:
        arguments += ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--bounding-set=-all"]
        arguments += [
            "bwrap",
            "--die-with-parent",
            "--unshare-user",
            *last,
            "--uid",
            "1000",
            "--gid",
            "1000",
        ]
        arguments += ["--dev-bind", "/", "/", "--chdir", HOME]
    return [*arguments, *command], files


# ----------------------------------------------------------------------------------------------- kernel


LONGEST = 103  # bytes in the name of a socket: Linux takes 107, macOS 103


def listening(address, waiting):
    """A socket of this machine that listens.

    Parameters
    ----------
    address : its name, a path in a folder that exists.
    waiting : how many may wait to be let in.

    Raises
    ------
    OSError
        when the name is too long for a socket.
    """
    if len(os.fsencode(address)) > LONGEST:
        told = "the folder for temporary files has too long a name for a socket: set TMPDIR to a shorter one"
        raise OSError(errno.ENAMETOOLONG, told, os.path.dirname(address))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(waiting)
    return listener


class Listeners:
    """The kernel's sockets, listening before the kernel exists: no waiting, and no folder shared with it."""

    def __init__(self, folder=None):
        self.folder = tempfile.mkdtemp(prefix="sq", dir=folder)
        self.address = f"{self.folder}/k"
        self.sockets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def listen(self):
        """Open the five sockets where the grader will connect."""
        for port in range(1, len(CHANNELS) + 1):
            self.sockets.append(listening(f"{self.address}-{port}", 8))

    def forget(self):
        """Close this process's copies; the kernel holds its own."""
        for listener in self.sockets:
            listener.close()
        self.sockets = []

    def close(self):
        """Remove the sockets."""
        self.forget()
        shutil.rmtree(self.folder, ignore_errors=True)


PORTS = (1, 2, 3, 4, 5)  # in the order of CHANNELS
FORK_SECONDS = 60.0  # for a kernel to be forked, the imports of its server included
SERVED = ("ipykernel.kernelapp", "ipykernel.zmqshell", "ipykernel.heartbeat", "numpy", "seqlab.grading.emit")
INSIDE = {"TRITON_CACHE_DIR": f"{HOME}/.triton"}
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TRITON_INTERPRET": "1",
    "MPLBACKEND": "agg",
}


def _limits(memory_mb, seconds):
    """What one kernel and all that it starts may take."""
    data = memory_mb * MEGABYTE
    limits = {"NPROC": PROCESSES, "DATA": data, "AS": 4 * data, "FSIZE": 64 * MEGABYTE, "CORE": 0}
    return limits | {"CPU": int(seconds) + 30, "NOFILE": 1024}


def _resident(first):
    """Bytes of memory that the processes below one hold now, as far as this can be read."""
    total, waiting = 0, [first]
    for pid in waiting:
        with contextlib.suppress(OSError, ValueError):
            if pid != first:
                with open(f"/proc/{pid}/status") as status:
                    held = dict(line.split(":") for line in status if line.startswith("Rss"))
                total += sum(int(held[kind].split()[0]) << 10 for kind in ("RssAnon", "RssShmem"))
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as children:
                    waiting += map(int, children.read().split())
    return total


class KernelProcess:
    """A kernel that has been started, sandboxed or plain.

    Attributes
    ----------
    process : subprocess.Popen.
    transport, ip, ports, key : how to reach it; ports in the order shell, iopub, stdin, control, hb.
    """

    def __init__(self, *, seed, closed=(), trusted=False, memory_mb=4096, seconds=120.0, folder=None, scratch=None):
        """Start it.

        Parameters
        ----------
        seed : what SEQLAB_SEED will be.
        closed : modules masked in the sandbox; a trusted kernel masks nothing.
        memory_mb, seconds : limits on memory and processor time; not set for a trusted kernel.
        folder : where a trusted kernel runs; an empty temporary folder when not given.
        scratch : a folder for temporary files; the system's when not given.
        """
        self.key, self.listeners, self.scratch = secrets.token_hex(16), Listeners(scratch), None
        settings = {"key": self.key, "limits": {}, "cwd": None}
        descriptors, files = (), []
        if os.name == "posix":
            self.listeners.listen()
            self.transport, self.ip, self.ports = "ipc", self.listeners.address, PORTS
            descriptors = tuple(s.fileno() for s in self.listeners.sockets)
            settings["sockets"] = descriptors
        else:
            self.transport, self.ip, self.ports = "tcp", "127.0.0.1", _free_ports()
        settings |= {
            "transport": self.transport,
            "ip": "kernel" if os.name == "posix" else self.ip,
            "ports": self.ports,
        }
        environment = ENVIRONMENT | {"SEQLAB_SEED": str(seed)}
        if trusted:
            if folder is None:
                folder = self.scratch = tempfile.mkdtemp(prefix="sq", dir=scratch)
            environment = os.environ | environment | {"TRITON_CACHE_DIR": os.path.join(folder, ".triton")}
            environment.pop("JPY_PARENT_PID", None)
            command = [sys.executable, "-P", str(KERNEL), json.dumps(settings | {"cwd": str(folder)})]
        else:
            environment |= INSIDE
            settings["limits"] = _limits(memory_mb, seconds)
            command = [sys.executable, "-I", str(KERNEL), json.dumps(settings)]
            command, files = wrapped(command, closed, environment)
            environment = {}
        try:
            self.process = subprocess.Popen(
                command, pass_fds=(*descriptors, *(f.fileno() for f in files)) if os.name == "posix" else (),
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=os.name == "posix",
            )  # fmt: skip
        except BaseException:
            self.listeners.close()
            raise
        finally:
            for file in files:
                file.close()
            self.listeners.forget()

    def alive(self):
        """Whether it still runs."""
        return self.process.poll() is None

    def kill(self):
        """End it and everything in its sandbox, at once."""
        if self.alive():
            if os.name == "posix":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
        self.process.wait()
        self.listeners.close()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def memory(self):
        """Bytes of memory that its processes hold now, as far as this can be read."""
        return _resident(self.process.pid)


class ForkServer:
    """A process in the sandbox of one set of closed modules that forks kernels: `seqlab.grading.forks`."""

    def __init__(self, closed, modules, scratch=None):
        """Start it; a kernel may be asked for at once.

        Parameters
        ----------
        closed : modules masked in the sandbox.
        modules : what it imports before it forks; those that cannot be imported are left out.
        scratch : a folder for temporary files; the system's when not given.
        """
        self.folder = tempfile.mkdtemp(prefix="sq", dir=scratch)
        self.address = f"{self.folder}/f"
        listener = listening(self.address, 64)
        settings = {
            "listener": listener.fileno(),
            "modules": [*SERVED, *modules],
            "places": {place: size * MEGABYTE for place, size in PLACES.items()},
            "kept": [str(folder) for folder in (*_python_folders(), PACKAGE)],
        }
        command, files = wrapped(
            [sys.executable, "-I", str(KERNEL), json.dumps(settings)], closed, ENVIRONMENT | INSIDE, nesting=True
        )
        try:
            self.process = subprocess.Popen(
                command, pass_fds=[listener.fileno(), *(f.fileno() for f in files)], env={}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        finally:
            for file in (listener, *files):
                file.close()

    def close(self):
        """End it, and every kernel that it forked."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class ForkedKernel:
    """A kernel forked by a `ForkServer`; it has the face of a `KernelProcess`."""

    def __init__(self, address, *, seed, memory_mb, seconds, scratch=None):
        """Ask for it and wait until its sandbox stands.

        Raises
        ------
        OSError
            when it cannot be had: no server, or no sandbox within a sandbox on this machine.
        """
        self.key, self.listeners = secrets.token_hex(16), Listeners(scratch)
        self.transport, self.ip, self.ports = "ipc", self.listeners.address, PORTS
        settings = {"key": self.key, "limits": _limits(memory_mb, seconds), "cwd": HOME, "ports": PORTS}
        settings |= {"transport": "ipc", "ip": "kernel", "environment": {"SEQLAB_SEED": str(seed)}}
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.listeners.listen()
            self.line.settimeout(FORK_SECONDS)
            self.line.connect(address)
            sockets = [s.fileno() for s in self.listeners.sockets]
            socket.send_fds(self.line, [json.dumps(settings).encode()], sockets)
            _, descriptors, _, _ = socket.recv_fds(self.line, 1, 1)
            if not descriptors:
                raise OSError("the sandbox within a sandbox could not be made")
        except BaseException:
            self.line.close()
            self.listeners.close()
            raise
        self.listeners.forget()
        self.init = descriptors[0]
        with open(f"/proc/self/fdinfo/{self.init}") as about:
            self.pid = next(int(line.split()[1]) for line in about if line.startswith("Pid:"))

    def alive(self):
        """Whether it still runs."""
        return self.init is not None and not select.select([self.init], [], [], 0)[0]

    def kill(self):
        """End it and everything in its sandbox, at once."""
        if self.init is None:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.init, signal.SIGKILL)
        select.select([self.init], [], [])
        os.close(self.init)
        self.init = None
        self.line.close()
        self.listeners.close()

    def memory(self):
        """Bytes of memory that its processes hold now, as far as this can be read."""
        return _resident(self.pid)


def _free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in CHANNELS]
    ports = tuple(s.getsockname()[1] for s in sockets)
    for s in sockets:
        s.close()
    return ports
