"""Forks kernels from a process that has imported everything: a kernel costs milliseconds instead of a second.

The process runs in the sandbox of one set of closed modules and never sees a student's code. For every kernel it forks
a child that moves into namespaces of its own (users, mounts, processes, network, messages) with empty file systems,
gives up every capability, forbids further namespaces and only then becomes a kernel:

    server   imports, listens, forks; holds nothing of any submission
      keeper   makes the namespaces; kills the kernel when the grader hangs up
        init     process 1 in there; with it goes everything that the kernel started
          kernel   runs the student's cells

The grader connects, sends the kernel's sockets and settings, and gets a descriptor of the init process in return.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct

from seqlab.grading.kernel import become, die_with_parent

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000  # <sched.h>
NOSUID, NODEV, NOEXEC, BIND, REC, PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18  # <sys/mount.h>
DUMPABLE, CAPBSET_DROP, NO_NEW_PRIVS, LAST_CAPABILITY = 4, 24, 38, 63  # <sys/prctl.h>
CAPABILITY_VERSION = 0x20080522
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1  # of a network interface
LONGEST = 1 << 16  # bytes of one request

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    """Call a function of the C library; raise OSError where it fails."""
    if getattr(_libc, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(kind, place, flags=NOSUID | NODEV, options=""):
    _call("mount", kind.encode(), place.encode(), kind.encode(), flags, options.encode())


def separate():
    """Move this process into a user namespace and others that it owns; its next child is process 1 in there."""
    user, group = os.getuid(), os.getgid()
    _call("unshare", NEWUSER | NEWNS | NEWPID | NEWIPC | NEWNET)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _call("mount", None, b"/", None, REC | PRIVATE, None)


def furnish(places, kept):
    """In the new namespaces: empty file systems, processes and terminals of its own, a network of one machine.

    Parameters
    ----------
    places : dict of folder -> bytes that fit.
    kept : folders that stay as they are, even where they lie in one of those.
    """
    inside = {path: os.open(path, os.O_PATH) for path in kept if any(path.startswith(f"{one}/") for one in places)}
    for place, size in places.items():
        _mount("tmpfs", place, options=f"size={size},nr_inodes=20000,mode=1777")
    for path, handle in inside.items():
        os.makedirs(path, 0o755)
        _call("mount", f"/proc/self/fd/{handle}".encode(), path.encode(), None, BIND | REC, None)
        os.close(handle)
    _mount("proc", "/proc", NOSUID | NODEV | NOEXEC)
    _mount("devpts", "/dev/pts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack("16xh", fcntl.ioctl(s, GET_FLAGS, struct.pack("16sh", b"lo", 0))[:18])[0]
        fcntl.ioctl(s, SET_FLAGS, struct.pack("16sh", b"lo", flags | UP))


def surrender():
    """Forbid further user namespaces and give up every capability, for good."""
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    _call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(LAST_CAPABILITY + 1):
        if _libc.prctl(CAPBSET_DROP, capability, 0, 0, 0) == -1:
            break  # this kernel knows no more of them
    _call("capset", struct.pack("Ii", CAPABILITY_VERSION, 0), struct.pack("6I", *[0] * 6))


def _status(code):
    return os.waitstatus_to_exitcode(code) & 0xFF


def _init(request, descriptors, settings, ready):
    """Process 1: furnish, start the kernel, bury what is orphaned, end with the kernel."""
    die_with_parent()
    furnish(settings["places"], settings["kept"])
    surrender()
    os.write(ready, b".")
    os.close(ready)
    _call("prctl", DUMPABLE, 0, 0, 0, 0)  # nobody may look into process 1 or trace it
    kernel = os.fork()
    if kernel == 0:
        _call("prctl", DUMPABLE, 1, 0, 0, 0)
        os.setsid()
        become(request | {"sockets": descriptors})
        os._exit(0)
    for descriptor in descriptors:
        os.close(descriptor)
    while True:
        pid, code = os.wait()
        if pid == kernel:
            os._exit(_status(code))


def _keeper(connection, settings):
    """One request: make the namespaces and the init process, say so, wait until one of both sides ends."""
    text, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 5)
    request = json.loads(text)
    separate()
    die_with_parent()
    told, ready = os.pipe()
    init = os.fork()
    if init == 0:
        connection.close()
        os.close(told)
        try:
            _init(request, descriptors, settings, ready)
        finally:
            os._exit(1)
    os.close(ready)
    for descriptor in descriptors:
        os.close(descriptor)
    if os.read(told, 1) != b".":
        raise OSError("the namespaces could not be made")
    process = os.pidfd_open(init)
    socket.send_fds(connection, [b"."], [process])
    select.select([connection, process], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.kill(init, signal.SIGKILL)
    os.waitpid(init, 0)


def serve(settings):
    """Import, then fork a kernel for every connection until the grader goes.

    Parameters
    ----------
    settings : dict with listener (a descriptor), modules to import, and what `furnish` takes.
    """
    for module in settings["modules"]:
        with contextlib.suppress(BaseException):
            importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(fileno=settings["listener"])
    gc.collect()
    gc.freeze()  # what is never collected is never copied either
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            try:
                _keeper(connection, settings)
            finally:
                os._exit(0)
        connection.close()
