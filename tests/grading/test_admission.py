"""How much memory is free, and who is let in: on made-up machines, and once in earnest."""

import dataclasses
import os
import shutil
import subprocess
import sys
import time

import pytest

from seqlab.grading import admission, run, sandbox
from seqlab.grading.admission import MEGABYTE, Room, need, taken
from seqlab.grading.model import Outcome, State
from tests.grading.tiny import make_assignment, submission

GIGABYTE = 1 << 30
V1 = "12:pids:/\n4:cpu,memory:/class/one\n1:name=systemd:/\n"
V2 = "0::/class/one\n"
MOUNT_V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,cpu,memory\n"
MOUNT_V2 = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"

linux = pytest.mark.skipif(sys.platform != "linux", reason="places are held by Linux's abstract sockets")


def machine(root, files, available=8 * GIGABYTE):
    """A made-up machine: /proc/meminfo and other files below a folder."""
    if available is not None:
        lines = f"MemTotal: 99999999 kB\nMemAvailable:   {available // 1024} kB\nHugePages: 0\n"
        files = {"proc/meminfo": lines} | files
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    return root


def v1(folder, limit, used, cache=0):
    """The files of a control group of version 1."""
    at = f"sys/fs/cgroup/memory{folder}"
    names = {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used}
    return {f"{at}/{name}": f"{number}\n" for name, number in names.items()} | {
        f"{at}/memory.stat": f"cache 1\ninactive_file 7\ntotal_inactive_file {cache}\n"
    }


def v2(folder, limit, used, cache=0):
    """The files of a control group of version 2."""
    at = f"sys/fs/cgroup{folder}"
    names = {"memory.max": limit, "memory.current": used}
    return {f"{at}/{name}": f"{number}\n" for name, number in names.items()} | {
        f"{at}/memory.stat": f"anon 5\ninactive_file {cache}\nactive_file 9\n"
    }


# ------------------------------------------------------------------------------------------ what is free


def test_free_is_what_linux_says_is_available(tmp_path):
    assert admission.free(machine(tmp_path, {})) == 8 * GIGABYTE


@pytest.mark.parametrize(("own", "mount", "group"), [(V1, MOUNT_V1, v1), (V2, MOUNT_V2, v2)], ids=["v1", "v2"])
class TestControlGroups:
    """Both versions bound what is free."""

    def test_a_group_bounds_it_and_its_cached_files_count_as_free(self, tmp_path, own, mount, group):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount} | group("/class/one", 1000, 700, 50)
        assert admission.free(machine(tmp_path, files)) == 350

    def test_a_group_further_up_bounds_it_as_well(self, tmp_path, own, mount, group):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount}
        files |= group("/class/one", 5000, 100) | group("/class", 1000, 800)
        assert admission.free(machine(tmp_path, files)) == 200

    def test_the_machine_bounds_it_where_the_group_is_generous(self, tmp_path, own, mount, group):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount} | group("/class/one", 1 << 50, 700)
        assert admission.free(machine(tmp_path, files)) == 8 * GIGABYTE

    def test_a_group_that_is_full_leaves_nothing(self, tmp_path, own, mount, group):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount} | group("/class/one", 1000, 1100)
        assert admission.free(machine(tmp_path, files)) == 0

    def test_a_container_whose_own_folder_is_not_there_looks_at_the_top(self, tmp_path, own, mount, group):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount} | group("", 2000, 500)
        assert admission.free(machine(tmp_path, files)) == 1500

    def test_a_container_that_sees_a_part_of_the_tree_finds_itself(self, tmp_path, own, mount, group):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount.replace(" / /sys", " /class /sys")}
        assert admission.free(machine(tmp_path, files | group("/one", 3000, 500))) == 2500

    @pytest.mark.parametrize("limit", ["max", "9223372036854771712", "", "many", "-1"])
    def test_no_limit_or_an_unreadable_one_bounds_nothing(self, tmp_path, own, mount, group, limit):
        files = {"proc/self/cgroup": own, "proc/self/mountinfo": mount} | group("/class/one", limit, 700)
        assert admission.free(machine(tmp_path, files)) == 8 * GIGABYTE


@pytest.mark.parametrize("text", ["", "0::\n", "nonsense\n:::\n", "0::/../../..\n", "\x00\n"])
def test_garbled_files_are_passed_over(tmp_path, text):
    files = {"proc/self/cgroup": text, "proc/self/mountinfo": text + MOUNT_V2 + "1 2 - \n"}
    assert admission.free(machine(tmp_path, files)) == 8 * GIGABYTE


def test_nothing_known_is_said_so(tmp_path):
    assert admission.free(tmp_path) is None
    assert admission.free(machine(tmp_path, {"proc/meminfo": "MemAvailable: lots kB\nMemFree\n"}, None)) is None


# ------------------------------------------------------------------------------------------------ places


@pytest.fixture
def notes(monkeypatch):
    """A name of our own for places, so that others at work do not count; and what is said."""
    monkeypatch.setattr(admission, "NAME", f"seqlab-test-{os.getpid()}-{time.monotonic_ns()}")
    return {}


@linux
class TestPlaces:
    """Who is let in."""

    def test_as_many_as_fit_and_no_more(self, notes, monkeypatch):
        monkeypatch.setattr(admission, "free", lambda: 10 * GIGABYTE)
        room = Room(3 * GIGABYTE, notes.setdefault)
        places = [room.take() for _ in range(4)]
        assert [place is not None for place in places] == [True, True, True, False]
        assert taken() == [3 * GIGABYTE] * 3
        places[1].close()
        assert room.take() is not None
        assert notes == {}

    def test_what_is_left_to_the_machine_is_not_given_away(self, notes, monkeypatch):
        monkeypatch.setattr(admission, "free", lambda: 6 * GIGABYTE + (admission.KEPT_MB - 1) * MEGABYTE)
        room = Room(3 * GIGABYTE, notes.setdefault)
        first = room.take()
        assert first is not None
        assert room.take() is None

    def test_one_that_does_not_fit_is_let_in_alone_and_it_is_said(self, notes, monkeypatch):
        monkeypatch.setattr(admission, "free", lambda: 2 * GIGABYTE)
        room = Room(3 * GIGABYTE, notes.setdefault)
        first = room.take()
        assert first is not None
        assert notes == {
            "alone": "2.0 GB of memory are free and one submission may take 3.0 GB: they are graded one at a time."
        }
        assert room.take() is None
        first.close()
        assert room.take() is not None

    def test_nothing_known_of_the_memory_lets_everybody_in(self, notes, monkeypatch):
        monkeypatch.setattr(admission, "free", lambda: None)
        assert all(Room(3 * GIGABYTE, notes.setdefault).take() is not None for _ in range(5))

    def test_another_process_counts_until_it_is_killed(self, notes, monkeypatch):
        monkeypatch.setattr(admission, "free", lambda: 5 * GIGABYTE)
        code = f"""
import sys
from seqlab.grading import admission
admission.NAME, admission.free = {admission.NAME!r}, lambda: 5 << 30
place = admission.Room(3 << 30).take()
print("held", flush=True)
sys.stdin.read()
"""
        other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with other:
            assert other.stdout.readline() == b"held\n"
            assert Room(3 * GIGABYTE, notes.setdefault).take() is None
            other.kill()
            other.wait()
            assert Room(3 * GIGABYTE, notes.setdefault).take() is not None

    def test_a_lock_that_nobody_gives_back_stops_nobody_for_ever(self, notes, monkeypatch):
        monkeypatch.setattr(admission, "LOCK_SECONDS", 0.1)
        monkeypatch.setattr(admission, "free", lambda: 5 * GIGABYTE)
        held = admission._bind(f"{admission.NAME}-{os.getuid()}")
        assert Room(GIGABYTE, notes.setdefault).take() is not None
        held.close()


def test_it_is_said_once(capsys, monkeypatch):
    monkeypatch.setattr(admission, "_told", set())
    for _ in range(3):
        admission._tell("alone", "one at a time.")
    assert capsys.readouterr().err == "one at a time.\n"


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_sandboxes_file_systems_are_counted():
    command, files = sandbox.wrapped(["true"], ())
    for file in files:
        file.close()
    sizes = [int(command[at + 1]) for at, word in enumerate(command) if word == "--size"]
    assert sum(sizes) == admission.SCRATCH_MB * MEGABYTE
    assert admission.CLIENT_MB * MEGABYTE == run.CLIENT_BYTES


# ------------------------------------------------------------------------------------------- in earnest


@pytest.mark.slow
@pytest.mark.sandbox
def test_memory_bombs_are_graded_one_at_a_time_where_there_is_room_for_one(notes, monkeypatch, capsys):
    """Two workers, memory for one grading: never two kernels at once, and the bombs get what they deserve."""
    assignment = dataclasses.replace(make_assignment(cell_seconds=8, total_seconds=60), memory_mb=400)
    body = "    held = []\n    while True:\n        held.append(np.ones(4_000_000))\n"
    items = [(n, submission({"total": f"def total(x):\n{body}"}, metadata={"n": n})) for n in range(2)]
    items.append(("good", submission()))
    real, most, at_once = admission.free, need(assignment) + 500 * MEGABYTE, []
    monkeypatch.setattr(admission, "free", lambda: min(most, real()))
    submit = run.Host.submit

    def noted(self, *arguments):
        at_once.append(len(taken()))
        submit(self, *arguments)

    monkeypatch.setattr(run.Host, "submit", noted)
    records = run.grade_many(items, assignment, workers=2)
    assert at_once == [1, 1, 1]
    assert taken() == []
    for key in (0, 1):
        states = {one.id: one.state for one in records[key].checks}
        assert states["total-values"] in (State.ERROR, State.DIED), states
        assert (records[key].score, records[key].outcome) == (8.0, Outcome.GRADED)
    assert records["good"].score == 12.0
    assert capsys.readouterr().err == ""
