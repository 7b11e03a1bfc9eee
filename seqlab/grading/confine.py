"""Becomes a kernel that can do little, where there are no namespaces: what `usersandbox` starts, as another user.

    python confine.py SETTINGS       SETTINGS is JSON: kernel (what kernel.py takes), closed; or probe: true

Permissions and the limits on that user are set outside. In here the process gives up what it could still gain: no
program that runs as somebody else, no namespaces, no sockets but those of this machine's files, no memory that no
process shows, nothing of other processes. Linux keeps to that for all that it starts, whatever its code does
(seccomp, in section 2 of the manual).
"""

import ctypes
import errno
import json
import os
import platform
import runpy
import struct
import sys

KERNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel.py")
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2  # <sys/prctl.h>, <linux/seccomp.h>
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_OF, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of the filter
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # where they stand in what the filter looks at
NAMESPACES = 0x7E020000  # the flags of clone(2) that make one
FOREIGN = 0x40000000  # x86-64's second set of numbers begins here
CLONE3 = 435  # its flags lie in memory, where a filter cannot look; the C library then takes clone(2)
MACHINES = {
    "x86_64": (0xC000003E, {"socket": 41, "clone": 56}, {
        "memfd_create": 319, "memfd_secret": 447,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "unshare": 272, "setns": 308, "mount": 165,
        "umount2": 166, "pivot_root": 155, "chroot": 161, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "keyctl": 250, "add_key": 248, "request_key": 249, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240,
    }),
    "aarch64": (0xC00000B7, {"socket": 198, "clone": 220}, {
        "memfd_create": 279, "memfd_secret": 447,
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "unshare": 97, "setns": 268, "mount": 40,
        "umount2": 39, "pivot_root": 41, "chroot": 51, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "keyctl": 219, "add_key": 217, "request_key": 218, "shmget": 194, "msgget": 186, "semget": 190, "mq_open": 180,
    }),
}  # fmt: skip
SINCE = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}  # the same number everywhere
UNSEEN = {  # memory that no limit and no process's size shows: memfd_create, memfd_secret, shmget
    "x86_64": (0xC000003E, 319, 447, 29),
    "aarch64": (0xC00000B7, 279, 447, 194),
}
FILES, INTERFACES = 1, 16  # AF_UNIX, AF_NETLINK: ZeroMQ ends the process where it cannot ask which interfaces there are


def program(machine):
    """The filter for a kind of processor: instructions as bytes.

    Raises
    ------
    OSError
        when its numbers are not known here.
    """
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known")
    architecture, looked_at, refused = MACHINES[machine]
    no = GIVE, 0, 0, REFUSE | errno.EPERM
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (GIVE, 0, 0, KILL)]
    steps += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, FOREIGN), no]
    for number in (*refused.values(), *SINCE.values()):
        steps += [(EQUAL, 0, 1, number), no]
    steps += [(EQUAL, 0, 1, CLONE3), (GIVE, 0, 0, REFUSE | errno.ENOSYS)]
    refuse, allow = (GIVE, 0, 0, REFUSE | errno.EACCES), (GIVE, 0, 0, ALLOW)
    steps += [(EQUAL, 0, 5, looked_at["socket"]), (LOAD, 0, 0, FIRST_ARGUMENT)]
    steps += [(EQUAL, 2, 0, FILES), (EQUAL, 1, 0, INTERFACES), refuse, allow]
    steps += [
        (EQUAL, 0, 4, looked_at["clone"]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_OF, 0, 1, NAMESPACES),
        refuse,
        allow,
    ]
    steps.append(allow)
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def without_unseen_memory(machine):
    """A filter that refuses no more than memory which cannot be seen; empty for a processor that is not known."""
    if machine not in UNSEEN:
        return b""
    architecture, *numbers = UNSEEN[machine]
    no, allow = (GIVE, 0, 0, REFUSE | errno.EPERM), (GIVE, 0, 0, ALLOW)
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (GIVE, 0, 0, KILL)]
    steps += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, FOREIGN), no]
    for number in numbers:
        steps += [(EQUAL, 0, 1, number), no]
    return b"".join(struct.pack("HBBI", *step) for step in (*steps, allow))


def confine():
    """Give up for good what a student's code must not do; raise OSError where this cannot be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = program(platform.machine())
    held = ctypes.create_string_buffer(made, len(made))
    told = struct.pack("HxxxxxxP", len(made) // 8, ctypes.addressof(held))
    for what, *arguments in ((NO_NEW_PRIVS, 1, 0, 0, 0), (SECCOMP, FILTER, told, 0, 0)):
        if libc.prctl(what, *arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


class Closed:
    """Says of a closed module that it is closed. That it cannot be read is the permissions' work, not this one's."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        """Refuse a closed module and all that is in it."""
        for closed in self.names:
            if name == closed or name.startswith(f"{closed}."):
                raise ImportError(f"{closed} is closed for this question: write it yourself", name=closed)


def probe():
    """What must hold before a student's code is let in; raise OSError where it does not."""
    import socket

    if 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()):
        raise OSError(errno.EPERM, "the kernel would still be root")
    try:
        socket.socket().close()
    except PermissionError:
        pass
    else:
        raise OSError(errno.EPERM, "the kernel would have a network")
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(KERNEL))))
    import ipykernel.kernelapp

    import seqlab.grading.emit

    assert ipykernel.kernelapp
    assert seqlab.grading.emit


def main():
    """Confine this process, then be a kernel."""
    settings = json.loads(sys.argv[1])
    confine()
    if settings.get("probe"):
        probe()
        print("confined")
        return
    sys.meta_path.insert(0, Closed(settings["closed"]))
    sys.argv = [KERNEL, json.dumps(settings["kernel"])]
    runpy.run_path(KERNEL, run_name="__main__")


if __name__ == "__main__":
    main()
