"""Runs a command on a machine of its own making and writes down what it did there.

    python watched.py RESULT.json COMMAND ...

`unshare --net` starts it where there is no network but a loop of its own. There it listens where no one may call, sees
to it that every process which loses its parent becomes its child, and looks all the while at how much memory the
processes took. What the command leaves running when it ends is written down, then ended.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

PORT, NAME = 8765, "seqlab-corpus"  # of the listeners that nobody may ever reach: TCP, and an abstract socket
EVERY_SECONDS = 0.1
GRACE_SECONDS = 3.0  # for what was killed to be gone
PR_SET_CHILD_SUBREAPER, SIOCSIFFLAGS, IFF_UP = 36, 0x8914, 1


def raise_loop():
    """Switch the loopback interface on, so that a call to this machine would come through."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def listeners():
    """Sockets that nobody may reach: TCP and UDP on the loop, and two abstract ones."""
    made = []
    for family, kind, place in (
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", PORT)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", PORT)),
        (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{NAME}"),
        (socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{NAME}-datagrams"),
    ):
        made.append(socket.socket(family, kind))
        made[-1].bind(place)
        if kind == socket.SOCK_STREAM:
            made[-1].listen()
        made[-1].setblocking(False)
    return made


def reached(sockets):
    """How many calls came."""
    count = 0
    for s in sockets:
        with contextlib.suppress(BlockingIOError):
            s.accept() if s.type == socket.SOCK_STREAM else s.recv(1)
            count += 1
    return count


def below(pid, everywhere=False):
    """The descendants of a process, those in a sandbox only with `everywhere`."""
    own, found, waiting = os.readlink("/proc/self/ns/pid"), [], [pid]
    while waiting:
        with contextlib.suppress(OSError):
            one = waiting.pop()
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children") as children:
                    more = [int(child) for child in children.read().split()]
                more = [c for c in more if everywhere or os.readlink(f"/proc/{c}/ns/pid") == own]
                found, waiting = found + more, waiting + more
    return found


def word(pid):
    """A process in a few words."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as text:
        return text.read().replace(b"\0", b" ").decode(errors="replace")[:200].strip()
    return ""


def kind(pid):
    """Which part of the grader a process is: the module that it runs, and whether it is a fork of one."""
    text = word(pid)
    with open(f"/proc/{pid}/stat") as stat:
        parent = int(stat.read().rpartition(")")[2].split()[1])
    module = next((part for part in text.split() if part.startswith("seqlab.")), text.split()[:1] and text.split()[0])
    return f"{os.path.basename(str(module))}{' (child)' if text == word(parent) else ''}"


class Watch(threading.Thread):
    """Looks at every process's largest memory, ten times a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peaks, self.ended = {}, threading.Event()

    def run(self):
        while not self.ended.wait(EVERY_SECONDS):
            for pid in below(os.getpid()):
                with contextlib.suppress(OSError, ValueError, StopIteration, IndexError):
                    with open(f"/proc/{pid}/status") as status:
                        line = next(line for line in status if line.startswith("VmHWM"))
                    what = kind(pid)
                    self.peaks[what] = max(self.peaks.get(what, 0), int(line.split()[1]) >> 10)


def reap():
    """Take leave of the children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def counters():
    """What this machine's network did: packets that were sent, or that nothing led to; bytes through the loop."""
    with open("/proc/net/snmp") as table:
        names, numbers = [line.split()[1:] for line in table if line.startswith("Ip:")]
    ip = dict(zip(names, map(int, numbers), strict=True))
    with open("/proc/net/dev") as table:
        devices = {name.strip(): rest.split() for name, _, rest in (line.partition(":") for line in table) if rest}
    return {
        "requests": ip["OutRequests"],
        "nowhere": ip["OutNoRoutes"],
        "devices": sorted(devices),
        "bytes": sum(int(numbers[0]) + int(numbers[8]) for numbers in devices.values()),
    }


def named_sockets():
    """The named sockets of this machine, ours aside."""
    with open("/proc/net/unix") as table:
        names = [line.split()[7] for line in table.read().splitlines()[1:] if len(line.split()) > 7]
    return [name for name in names if NAME not in name]


def main():
    """Run the command, watch, write the result."""
    result, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    raise_loop()
    sockets, watch = listeners(), Watch()
    watch.start()
    done = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = done.communicate()
    limit = time.monotonic() + GRACE_SECONDS
    while reap() or (below(os.getpid(), everywhere=True) and time.monotonic() < limit):
        time.sleep(0.05)
    left = below(os.getpid(), everywhere=True)
    watch.ended.set()
    watch.join()
    told = {"status": done.returncode, "output": output.decode(errors="replace"), "left": [word(pid) for pid in left]}
    told |= {"reached": reached(sockets), "network": counters(), "sockets": named_sockets(), "peaks": watch.peaks}
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with open(result, "w") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main()
