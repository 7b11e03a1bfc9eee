"""The boundary of users and permissions: what its filter refuses, what it closes, when it says that it is not there.

That it holds in a container is tested with the autograder that uses it, in test_gradescope.
"""

import errno
import os
import stat
import struct
import subprocess
import sys

import pytest

from seqlab.grading import confine, sandbox, usersandbox
from seqlab.grading.sandbox import SandboxUnavailable

INET, INET6, PACKET = 2, 10, 17
THREAD = 0x3D0F00  # the flags with which the C library starts a thread


def judged(machine, name, first=0, architecture=None):
    """What the filter says of a system call: "allow", "kill" or the name of the error. Runs it as Linux does."""
    known, looked_at, refused = confine.MACHINES[machine]
    numbers = (
        looked_at | refused | confine.SINCE | {"clone3": confine.CLONE3, "foreign": confine.FOREIGN + 41, "read": 0}
    )
    given = {confine.NUMBER: numbers[name], confine.ARCHITECTURE: architecture or known, confine.FIRST_ARGUMENT: first}
    code = confine.program(machine)
    steps = [struct.unpack_from("HBBI", code, place) for place in range(0, len(code), 8)]
    held, place = 0, 0
    while True:
        kind, yes, no, value = steps[place]
        place += 1
        if kind == confine.LOAD:
            held = given[value]
        elif kind == confine.GIVE:
            if value == confine.ALLOW:
                return "allow"
            return "kill" if value == confine.KILL else errno.errorcode[value & 0xFFFF]
        else:
            tests = {confine.EQUAL: held == value, confine.AT_LEAST: held >= value, confine.ANY_OF: bool(held & value)}
            place += yes if tests[kind] else no


@pytest.mark.parametrize("machine", confine.MACHINES)
def test_the_filter_refuses_networks_namespaces_and_other_processes(machine):
    assert [judged(machine, "socket", domain) for domain in (INET, INET6, PACKET)] == ["EACCES"] * 3
    assert [judged(machine, "socket", domain) for domain in (confine.FILES, confine.INTERFACES)] == ["allow"] * 2
    for name in (*confine.MACHINES[machine][2], *confine.SINCE):
        assert judged(machine, name) == "EPERM", name
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert judged(machine, "clone", THREAD | flag) == "EACCES"
    assert judged(machine, "clone", THREAD) == "allow"
    assert judged(machine, "clone3") == "ENOSYS", "the C library then takes clone"
    assert judged(machine, "read") == "allow"
    assert judged(machine, "foreign") == "EPERM"
    assert judged(machine, "read", architecture=0x40000003) == "kill"


def test_an_unknown_processor_is_told():
    with pytest.raises(OSError, match="system calls of toaster are not known"):
        confine.program("toaster")


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
def test_linux_takes_the_filter_and_keeps_to_it():
    code = """
import ctypes, os, socket, sys, threading
sys.path.insert(0, sys.argv[1])
import confine
confine.confine()
def works(deed):
    try:
        deed()
        return True
    except OSError as wrong:
        return wrong.errno
inside = []
thread = threading.Thread(target=lambda: inside.append(1))
thread.start()
thread.join()
libc = ctypes.CDLL(None, use_errno=True)
print(works(socket.socket), works(socket.socketpair), libc.unshare(0x10000000), inside,
      os.waitstatus_to_exitcode(os.system("true")), works(lambda: socket.socket(socket.AF_INET6)))
"""
    place = str(usersandbox.CONFINE.parent)
    done = subprocess.run([sys.executable, "-I", "-c", code, place], capture_output=True, text=True)
    assert done.stdout.split() == ["13", "True", "-1", "[1]", "0", "13"], done.stderr


def test_a_closed_module_is_named_and_an_open_one_is_not_touched():
    finder = confine.Closed(["scipy.special", "torch"])
    for name in ("torch", "torch.nn", "scipy.special", "scipy.special.cython_special"):
        with pytest.raises(ImportError, match="is closed for this question: write it yourself"):
            finder.find_spec(name)
    assert [finder.find_spec(name) for name in ("torchvision", "scipy", "scipy.specials", "numpy")] == [None] * 4


def test_closing_takes_the_permissions_away_and_opening_gives_the_same_back(tmp_path, monkeypatch):
    package, module = tmp_path / "room", tmp_path / "single.py"
    package.mkdir()
    module.write_text("x = 1")
    module.chmod(0o640)
    package.chmod(0o755)
    places = {"room": [package], "single": [module, package]}
    monkeypatch.setattr(sandbox, "locate", lambda name: places[name])

    def modes():
        return [stat.S_IMODE(path.stat().st_mode) for path in (package, module)]

    held = usersandbox.close(("room", "single"))
    assert modes() == [0o700, 0o600]
    usersandbox.reopen(held)
    assert modes() == [0o755, 0o640]


def test_a_second_copy_that_this_python_does_not_use_is_closed_too(tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "python3.99" / "site-packages"
    (folder / "scipy" / "special").mkdir(parents=True)
    (folder / "torch.py").write_text("x = 1")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert folder / "scipy" / "special" in usersandbox.places("scipy.special")
    assert folder / "torch.py" in usersandbox.places("torch")
    monkeypatch.syspath_prepend(folder)
    assert folder / "scipy" / "special" not in usersandbox.places("scipy.special")


@pytest.fixture
def unprobed():
    """Ask anew, before and after."""
    usersandbox.why_not.cache_clear()
    yield
    usersandbox.why_not.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="the boundary is Linux's")
def test_it_is_there_only_where_it_was_asked_for_and_can_be(monkeypatch, unprobed):
    monkeypatch.delenv(usersandbox.VARIABLE, raising=False)
    with pytest.raises(SandboxUnavailable, match="SEQLAB_SANDBOX_USER names no user"):
        usersandbox.require()
    usersandbox.why_not.cache_clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv(usersandbox.VARIABLE, "no-such-user-here")
    assert "only root" in usersandbox.why_not()
    usersandbox.why_not.cache_clear()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("no-such-user-here", "root"):
        monkeypatch.setenv(usersandbox.VARIABLE, name)
        usersandbox.why_not.cache_clear()
        assert f"{name!r} is no user that students' code can run as" in usersandbox.why_not()


def test_a_kernel_waits_for_the_one_before_it(monkeypatch):
    began = []

    class Process:
        pid, returncode = 1 << 22, None

        def __init__(self, *_, **__):
            began.append(self)

        def poll(self):
            return None

        def kill(self):
            pass

        wait = kill

    class User:
        pw_uid, pw_gid, pw_name = os.getuid(), os.getgid(), "somebody"

    swept = []
    monkeypatch.setattr(usersandbox, "user", User)
    monkeypatch.setattr(usersandbox.subprocess, "Popen", Process)
    monkeypatch.setattr(usersandbox, "sweep", lambda who: swept.append(usersandbox.KernelProcess.running))
    first, second = (usersandbox.KernelProcess(seed=n) for n in (1, 2))
    try:
        assert first.alive()
        assert second.alive(), "it waits"
        assert second.memory() == 0
        assert len(began) == 1
    finally:
        first.kill()
    assert swept == [first]
    assert not first.alive()
    assert second.alive()
    assert len(began) == 2
    second.kill()
    second.kill()
    assert swept == [first, second]
    assert usersandbox.KernelProcess.running is None
    for kernel in (first, second):
        os.rmdir(kernel.home)
