"""Lets in only as many gradings as this machine has memory for, so that no two of them meet the OOM killer.

    room = Room(need(assignment))
    place = room.take()      None: no room now, try again later
    ...                      grade
    place.close()

Free is what Linux says is available, or less where a control group (version 1 or 2) bounds this process. A place is
held as a socket without a file (in Linux's abstract namespace), whose name tells its bytes: every grader on this
machine sees it, and it goes with the process that holds it, however that ends.
"""

import contextlib
import itertools
import os
import socket
import sys
import time
from pathlib import Path

MEGABYTE = 1 << 20
CLIENT_MB = 1536  # for the child that talks to the kernel: its own limit, see run.CLIENT_BYTES
SCRATCH_MB = 448  # of the sandbox's file systems in memory
OVERSHOOT_MB = 512  # that a kernel may take between two looks at its memory
KEPT_MB = 256  # left to the machine
NAME = "seqlab-room"
WAIT_SECONDS = 0.25  # between two looks while there is no room
LOCK_SECONDS = 2.0


def need(assignment):
    """The bytes that one grading of this assignment may take at the most, its kernel and the grader's own process."""
    return (assignment.memory_mb + SCRATCH_MB + OVERSHOOT_MB + CLIENT_MB) * MEGABYTE


# ------------------------------------------------------------------------------------------- what is free


def _text(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(text):
    """A count of bytes; None for `max`, for nothing and for what is no number."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _available(root):
    """MemAvailable of /proc/meminfo in bytes, or None."""
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        number = _number(rest.removesuffix(" kB"))
        if name == "MemAvailable" and number is not None:
            return number * 1024
    return None


def _groups(root):
    """The folders of this process's control groups for memory, from its own up to the root: (folder, version)."""
    mine = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mine[2] = path
        elif "memory" in controllers.split(","):
            mine[1] = path
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        version = 2 if kind[0] == "cgroup2" else 1 if kind[0] == "cgroup" and "memory" in kind[2].split(",") else 0
        if version not in mine:
            continue
        top, below = root / fields[4].lstrip("/"), mine[version]
        if fields[3] != "/":  # a container sees a part of the tree: its own root is that part's
            below = below.removeprefix(fields[3])
        folder = top / below.lstrip("/")
        if ".." in folder.parts or not folder.is_dir():
            folder = top
        while folder.is_relative_to(top):
            yield folder, version
            folder = folder.parent


def _left(folder, version):
    """Bytes that one control group leaves, or None where it sets no limit."""
    files = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    limit, used = (_number(_text(folder / name)) for name in files)
    if limit is None or used is None or limit >= 1 << 60:  # version 1 says "no limit" with a huge number
        return None
    counted = "inactive_file" if version == 2 else "total_inactive_file"
    for line in _text(folder / "memory.stat").splitlines():
        name, _, rest = line.partition(" ")
        if name == counted:
            used -= _number(rest) or 0  # of files that were read once: given back when needed
    return max(0, limit - max(0, used))


def free(root="/"):
    """Bytes of memory that this process and those it starts may still take; None where nobody says.

    Parameters
    ----------
    root : the folder in which /proc and the control groups are read.
    """
    root = Path(root)
    found = [_available(root), *(_left(folder, version) for folder, version in _groups(root))]
    return min((bytes for bytes in found if bytes is not None), default=None)


# ------------------------------------------------------------------------------------------------ places


def _bind(name):
    """A socket of this name, or None where there is one already."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0{name}")
    except OSError:
        held.close()
        return None
    return held


@contextlib.contextmanager
def _alone():
    """Hold the lock under which places are given; after a while go on without it: its holder is stopped."""
    limit, lock = time.monotonic() + LOCK_SECONDS, None
    while lock is None and time.monotonic() < limit:
        lock = _bind(f"{NAME}-{os.getuid()}")
        if lock is None:
            time.sleep(0.005)
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


def taken():
    """The bytes of every place that this user's graders hold on this machine."""
    start, found = f"@{NAME}-{os.getuid()}-", []
    for line in _text("/proc/net/unix").splitlines():
        name = line.rpartition(" ")[2]
        number = _number(name.rpartition("-")[2]) if name.startswith(start) else None
        if number is not None:
            found.append(number)
    return found


_count = itertools.count()
_told = set()


def _tell(kind, text):
    """Say something once."""
    if kind not in _told:
        _told.add(kind)
        print(text, file=sys.stderr)


def _gigabytes(number):
    return f"{number / (1 << 30):.1f} GB"


class Place:
    """The room of one grading; `close` gives it back, and so does the end of this process."""

    def __init__(self, size):
        self.held = _bind(f"{NAME}-{os.getuid()}-{os.getpid()}-{next(_count)}-{size}") if size else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Give the room back."""
        if self.held is not None:
            self.held.close()
            self.held = None


class Room:
    """Gives places to gradings that may take `size` bytes each.

    Parameters
    ----------
    size : bytes that one grading may take.
    tell : called with (kind, sentence) when a grading has to wait or is let in alone although it may not fit.
    """

    def __init__(self, size, tell=_tell):
        self.size, self.tell = size, tell

    def take(self):
        """Give a place, or None when there is no room now. With nobody else at work, one is always let in."""
        if sys.platform != "linux":
            return Place(0)
        with _alone():
            have, held = free(), taken()
            if have is None:
                return Place(0)
            # what runs now may yet take all that it was promised, on top of what it holds: nobody is let in too early
            left = have - sum(held) - KEPT_MB * MEGABYTE
            if left >= self.size or not held:
                place = Place(self.size)
                if left < self.size:
                    short = f"{_gigabytes(have)} of memory are free and one submission may take"
                    self.tell("alone", f"{short} {_gigabytes(self.size)}: they are graded one at a time.")
                return place
        return None

    def wait(self):
        """Wait for a place and give it."""
        while (place := self.take()) is None:
            time.sleep(WAIT_SECONDS)
        return place
