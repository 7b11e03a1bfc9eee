"""Kernels that are forked from a warm process: as separate from each other as those that are started one by one."""

import os
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from seqlab.grading import run, sandbox
from seqlab.grading.model import Outcome
from tests.grading.test_sandbox import as_ordinary_user
from tests.grading.tiny import make_assignment, submission

pytestmark = pytest.mark.sandbox


@contextmanager
def forked(server, seed=5):
    """A kernel of a server, with the client that the grader uses."""
    from seqlab.grading.plugin import Kernel

    started = sandbox.ForkedKernel(server.address, seed=seed, memory_mb=1024, seconds=60.0)
    kernel = Kernel(started, deadline=time.monotonic() + 60, cell_seconds=20)
    try:
        kernel.ready(60)
        yield kernel
    finally:
        kernel.stop()


def tell(kernel, code):
    """Run code in a kernel; give what it prints, or its error."""
    message = kernel.execute_cell_input(code)
    kernel.await_reply(message)
    kernel.get_message("iopub")
    return "".join(kernel.printed).strip() or kernel.error[:2]


@pytest.fixture(scope="module")
def server():
    """A server in whose sandbox one module is closed and two are imported."""
    server = sandbox.ForkServer(("scipy.special",), ["fractions", "wave", "no_such_module"])
    yield server
    server.close()


@pytest.fixture(scope="module")
def two(server):
    """Two kernels that run at the same time."""
    with ExitStack() as stack:
        yield [stack.enter_context(forked(server, seed)) for seed in (5, 6)]


def test_what_the_server_imported_is_there_and_the_seed_is_each_kernels_own(two):
    code = "import os, sys; print(os.environ['SEQLAB_SEED'], {'fractions', 'wave'} <= set(sys.modules), os.getcwd())"
    assert [tell(kernel, code) for kernel in two] == [f"5 True {sandbox.HOME}", f"6 True {sandbox.HOME}"]


def test_a_closed_module_is_closed_and_an_open_one_open(two):
    assert tell(two[0], "import scipy.special")[0] == "ImportError"
    assert "is closed for this question" in tell(two[0], "import scipy.special")[1]
    assert tell(two[0], "import scipy.linalg; print('open')") == "open"


@pytest.mark.parametrize("folder", ["/tmp", sandbox.HOME, "/dev/shm", "."])
def test_files_of_one_are_not_there_for_the_other(two, folder):
    assert tell(two[0], f"open({folder!r} + '/mine', 'w').write('secret'); print('kept')") == "kept"
    assert tell(two[1], f"import os; print(os.path.exists({folder!r} + '/mine'))") == "False"


def test_processes_of_one_are_not_there_for_the_other(two):
    tell(two[0], "import subprocess; sleeper = subprocess.Popen(['sleep', '998']); print(sleeper.pid)")
    look = "import os; print(sorted(n for n in os.listdir('/proc') if n.isdigit()))"
    assert tell(two[1], look) == "['1', '2']"
    assert tell(two[1], "import os; os.kill(-1, 9)")[0] == "ProcessLookupError"  # there is nobody to kill
    assert tell(two[0], "print(sleeper.poll())") == "None"


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 4711), timeout=2)",
        "socket.socket(socket.AF_UNIX).connect('\\0mine')",
        "open('/dev/pts/0')",
        "open('/proc/1/mem', 'rb')",
        "open('/proc/1/environ', 'rb').read()",
        "os.listdir('/proc/1/fd')",
        "open('/proc/sys/user/max_user_namespaces', 'w').write('9')",
        "os.setuid(0)",
        "os.mkdir('/usr/mine')",
        "os.unlink('/etc/passwd')",
    ],
)
def test_there_is_no_way_from_one_to_the_other_or_out(two, attempt):
    tell(
        two[0],
        "import os, pty, socket\ninet = socket.create_server(('127.0.0.1', 4711))\n"
        "unix = socket.socket(socket.AF_UNIX)\nunix.bind('\\0mine')\nunix.listen()\nends = pty.openpty()\n",
    )
    assert tell(two[1], f"import os, socket\n{attempt}\nprint('done')") != "done"


@pytest.mark.parametrize(
    "call",
    [
        "unshare(0x10000000)",
        "mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "umount2(b'/proc', 2)",
        "ptrace(16, 1, 0, 0)",
    ],
)
def test_no_capability_is_left(two, call):
    assert tell(two[0], f"import ctypes; print(ctypes.CDLL(None).{call})") == "-1"


def test_the_kernel_holds_no_descriptor_of_the_server(two):
    code = "import os; print([l for l in (os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')[:-1])"
    shown = tell(two[0], code + " if not l.startswith(('socket:', 'pipe:', 'anon_inode:', '/dev/null', '/dev/pt'))])")
    assert shown == "[]"


def test_a_kernel_that_ends_is_noticed_and_takes_its_processes_along(server):
    from seqlab.grading.plugin import KernelDied

    with forked(server) as kernel:
        tell(kernel, "import subprocess; subprocess.Popen(['sleep', '997'], start_new_session=True)")
        there = [path for path in Path("/proc").glob("[0-9]*") if _is(path, b"sleep\x00997")]
        assert len(there) == 1
        message = kernel.execute_cell_input("import os; os._exit(3)")
        with pytest.raises(KernelDied):
            kernel.await_reply(message)
        assert not kernel.is_alive()
    _gone(there)


def test_a_server_that_ends_takes_its_kernels_along_and_a_killed_kernel_leaves_nothing():
    server = sandbox.ForkServer((), [])
    with forked(server) as kernel, forked(server) as other:
        pids = [kernel.started.pid, other.started.pid]
        kernel.stop()
        _gone([Path(f"/proc/{pids[0]}")])
        assert other.is_alive()
        server.close()
        _gone([Path(f"/proc/{pids[1]}")])
    assert not Path(server.folder).exists()


def _is(path, command):
    try:
        return (path / "cmdline").read_bytes().startswith(command)
    except OSError:
        return False


def _gone(paths):
    deadline = time.monotonic() + 5
    while any(path.exists() for path in paths) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [path for path in paths if path.exists()]


@pytest.mark.slow
def test_where_no_kernel_can_be_forked_one_is_started_and_the_record_is_the_same(monkeypatch, near):
    items, assignment = [("one", submission()), ("two", submission({"total": "def total(x):\n    return 0.0\n"}))], None
    assignment = make_assignment(cell_seconds=20, total_seconds=120)
    warm = run.grade_many(items, assignment, workers=1)
    alone = {key: run.grade(content, assignment) for key, content in items}
    assert {key: record.dumps() for key, record in warm.items()} == {k: r.dumps() for k, r in alone.items()}
    assert [record.outcome for record in warm.values()] == [Outcome.GRADED] * 2
    program = near / "bwrap"  # one that refuses a sandbox within a sandbox, as some machines do
    program.write_text(
        f'#!{sys.executable}\nimport os, sys\nif "/proc" in sys.argv and "--bind" in sys.argv:\n    sys.exit(1)\n'
        f"os.execv({sandbox.shutil.which('bwrap')!r}, sys.argv)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{near}{os.pathsep}{os.environ['PATH']}")
    cold = run.grade_many(items, assignment, workers=1)
    assert {key: record.dumps() for key, record in cold.items()} == {k: r.dumps() for k, r in warm.items()}


FORK = """
import sys, time
sys.path.insert(0, sys.argv[1])
from seqlab.grading import sandbox
server = sandbox.ForkServer((), [])
kernel = sandbox.ForkedKernel(server.address, seed=1, memory_mb=1024, seconds=60.0)
print(sandbox._as_root(), kernel.alive())
kernel.kill()
server.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_can_fork_kernels_too(tmp_path):
    assert as_ordinary_user(FORK, tmp_path) == "False True"
