"""What a student's code can see and do inside the sandbox, and what is said where there is none."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqlab.grading import sandbox
from seqlab.grading.sandbox import HOME, PACKAGE, KernelProcess, SandboxUnavailable, locate, require, wrapped

ROOT = PACKAGE.parent


def inside(code, closed=()):
    """Run Python code in the sandbox; give what it prints."""
    command, files = wrapped([sys.executable, "-I", "-c", code], closed, {"SEQLAB_SEED": "5"})
    done = subprocess.run(
        command,
        pass_fds=[file.fileno() for file in files],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for file in files:
        file.close()
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def unprobed():
    """Ask anew whether there is a sandbox, before and after."""
    sandbox.why_not.cache_clear()
    yield
    sandbox.why_not.cache_clear()


def test_without_bubblewrap_one_sentence_says_what_to_do(monkeypatch, unprobed):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SandboxUnavailable, match=r"apt install bubblewrap, or pass --trusted"):
        require()


def test_where_bubblewrap_may_not_work_its_reason_is_told(monkeypatch, unprobed, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: str(fake) if name == "bwrap" else f"/usr/bin/{name}")
    with pytest.raises(SandboxUnavailable, match=r"No permissions to create a new namespace\): allow unprivileged"):
        require()


def test_on_another_system_the_sandbox_says_so(monkeypatch, unprobed):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="needs Linux"):
        require()


def test_modules_are_found_without_being_imported():
    assert (
        locate("torch") == [Path(sys.modules["torch"].__file__).parent] if "torch" in sys.modules else locate("torch")
    )
    assert locate("seqlab.text") == [PACKAGE / "text"]
    assert locate("seqlab.grading.model")[0] == PACKAGE / "grading" / "model.py"
    assert all(path.name.startswith("model.") for path in locate("seqlab.grading.model"))
    assert locate("no_such_module_anywhere") == []


def test_a_compiled_form_is_found_beside_its_source(tmp_path, monkeypatch):
    (tmp_path / "single.py").write_text("x = 1\n")
    subprocess.run([sys.executable, "-m", "py_compile", tmp_path / "single.py"], check=True)
    monkeypatch.syspath_prepend(tmp_path)
    assert [path.suffix for path in locate("single")] == [".py", ".pyc"]


@pytest.mark.sandbox
class TestInside:
    """Seen from a student's code."""

    def test_the_environment_is_empty_but_for_what_is_needed(self):
        names = set(inside("import os; print(*os.environ)").split())
        assert names <= {"HOME", "PATH", "TMPDIR", "TZ", "LANG", "USER", "PWD", "SEQLAB_SEED"}

    def test_neither_assignments_nor_the_grader_are_there(self):
        seen = inside(f"import os; print(os.listdir({str(ROOT)!r}), sorted(os.listdir({str(PACKAGE / 'grading')!r})))")
        assert "'assignments'" not in seen
        assert "'book'" not in seen
        assert "['__init__.py', 'emit.py', 'forks.py', 'kernel.py', 'values.py']" in seen

    def test_there_is_no_network(self):
        code = "import socket; print([n for _, n in socket.if_nameindex()])"
        assert inside(code) in ("['lo']", "[]")

    def test_there_are_no_other_processes(self):
        seen = inside("import os; print([open(f'/proc/{p}/comm').read() for p in os.listdir('/proc') if p.isdigit()])")
        assert "bash" not in seen
        assert seen.count("bwrap") <= 2
        assert seen.count("python") <= 1

    def test_nothing_can_be_written_but_home_and_temporary_files(self):
        code = f"""
import os, sys, numpy
def can(path):
    try:
        open(path, "w").close()
        return True
    except OSError:
        return False
places = ["/x", "/etc/x", "/dev/x", "/usr/x", os.path.dirname(numpy.__file__) + "/x", {str(PACKAGE)!r} + "/x"]
print([can(p) for p in places], can("x"), can("/tmp/x"), os.getcwd())
"""
        assert inside(code) == f"{[False] * 6} True True {HOME}"

    def test_nobody_is_root_and_no_namespace_can_be_made(self):
        code = """
import ctypes, os
libc = ctypes.CDLL(None)
status = open("/proc/self/status").read()
print(os.getuid() != 0, "CapEff:\\t0000000000000000" in status, "NoNewPrivs:\\t1" in status, libc.unshare(0x10000000))
"""
        assert inside(code) == "True True True -1"

    def test_the_real_user_is_not_root_outside_either(self):
        kernel = KernelProcess(seed=1)
        try:
            pids, deadline = [kernel.process.pid], time.monotonic() + 10
            while len(pids) < 3 and time.monotonic() < deadline:
                pids = [kernel.process.pid]
                for pid in pids:
                    pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
                time.sleep(0.1)
            users = {
                line.split()[1] for line in Path(f"/proc/{pids[-1]}/status").read_text().splitlines() if "Uid" in line
            }
            assert "0" not in users
        finally:
            kernel.kill()

    def test_a_closed_module_says_that_it_is_closed(self):
        code = """
for name in ("torch", "scipy.special", "seqlab.text", "seqlab.shapes"):
    try:
        __import__(name)
    except ImportError as wrong:
        print(wrong)
import scipy.linalg, seqlab
print(open(seqlab.__path__[0] + "/shapes.py").read().count("check_shape"))
"""
        seen = inside(code, ("torch", "scipy.special", "seqlab.text", "seqlab.shapes")).splitlines()
        names = ("torch", "scipy.special", "seqlab.text", "seqlab.shapes")
        assert seen == [f"{name} is closed for this question: write it yourself" for name in names] + ["0"]

    def test_the_compiled_form_of_a_closed_module_is_closed_too(self):
        __import__("seqlab.shapes")
        if not (compiled := [path for path in locate("seqlab.shapes") if path.suffix == ".pyc"]):
            pytest.skip("this Python writes no compiled files")
        assert inside(f"print(len(open({str(compiled[0])!r}, 'rb').read()))", ("seqlab.shapes",)) == "0"

    def test_file_systems_in_memory_are_small(self):
        sizes = "(os.statvfs(p).f_blocks * os.statvfs(p).f_frsize >> 20 for p in ('/tmp', '.', '/dev/shm'))"
        assert inside(f"import os; print(*{sizes})") == "256 64 128"


# Show this Python to another user where it is, though root's home may be closed to others: in mounts of its own.
AS_ANOTHER = """
set -e
if [ -n "$CLOSED" ]; then
    mkdir "$COPY"
    mount --bind "$BASE" "$COPY"
    mount -t tmpfs -o mode=755 none "$CLOSED"
    mkdir -p "$BASE"
    mount --bind "$COPY" "$BASE"
fi
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""
GRADE = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.grading.tiny import make_assignment, submission
from seqlab.grading import run, sandbox
print(sandbox._as_root(), run.grade(submission(), make_assignment(20, 120)).score)
"""


def as_ordinary_user(code, folder):
    """Run Python code as a user who is not root; give what it prints."""
    base = Path(sys.base_prefix)
    closed = [folder for folder in [*reversed(base.parents), base] if not folder.stat().st_mode & 0o001]
    if any(place.is_relative_to(closed[0]) for place in (ROOT, Path(sys.prefix))) if closed else False:
        pytest.skip("the course itself lies where no other user may look")
    settings = {"BASE": str(base), "CLOSED": str(closed[0]) if closed else "", "COPY": str(folder / "copy")}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", AS_ANOTHER, "sh", sys.executable, "-c", code, str(ROOT)],
        env=settings | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        cwd="/",
    )
    return done.stdout.strip() or done.stderr


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_can_grade_too(tmp_path):
    assert as_ordinary_user(GRADE, tmp_path) == "False 12.0"


@pytest.mark.sandbox
def test_a_kernel_that_is_killed_takes_all_its_processes_along(tmp_path):
    mark = f"left-behind-{os.getpid()}"
    code = f"import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True); open('/tmp/{mark}', 'w')"
    command, files = wrapped([sys.executable, "-I", "-c", code + "; import time; time.sleep(1000)"], ())
    process = subprocess.Popen(command, pass_fds=[file.fileno() for file in files], stdin=subprocess.DEVNULL)
    time.sleep(1.0)
    pids = [process.pid]
    for pid in pids:
        pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    assert len(pids) >= 4
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
