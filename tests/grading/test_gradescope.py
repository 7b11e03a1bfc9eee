"""Gradescope's autograder: the zip file, the results, and an image in which all of it runs as documented."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab import cli
from seqlab.grading import gradescope
from seqlab.grading.gradescope import HandedInWrong, Settings, find_notebook, not_graded, requirements, results
from seqlab.grading.model import Outcome, State
from seqlab.grading.releasing import filled
from seqlab.grading.source import read_source
from tests.grading import course, elsewhere

P, F = State.PASSED, State.FAILED
LATE = {
    "created_at": "2026-12-03T08:30:00.000000-08:00",
    "assignment": {"due_date": "2026-12-01T23:59:00.000000-08:00", "title": "Tiny", "total_points": "7.0"},
    "users": [{"email": "ada@example.org", "id": 7, "name": "Ada"}],
}
SOLVED = {
    "double": "# answer: double\ndef double(x):\n    return x + x",
    "running": "# answer: running\ndef running(xs):\n    return np.cumsum(xs)",
}


def valid(made):
    """Check results.json against Gradescope's specification."""
    assert set(made) <= {
        "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
        "stdout_visibility", "extra_data", "tests", "leaderboard",
    }  # fmt: skip
    assert isinstance(made["score"], int | float)
    for one in (made, *made["tests"]):
        assert one.get("visibility", "visible") in gradescope.VISIBILITIES
        assert one.get("output_format", "text") in ("text", "html", "simple_format", "md", "ansi")
        assert isinstance(one.get("output", ""), str)
    for test in made["tests"]:
        assert set(test) <= {
            "score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags",
            "visibility", "extra_data",
        }  # fmt: skip
        assert 0 <= test["score"] <= test["max_score"]
        assert test.get("status", "passed") in ("passed", "failed")
    assert made["stdout_visibility"] == "hidden", "what the grader prints is for the instructor"
    return made


@pytest.fixture
def shown(tmp_path):
    return read_source(course.folder(tmp_path))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A built assignment that closes modules of seqlab."""
    place = tmp_path_factory.mktemp("gradescope")
    cells = course.cells(double=course.meta("double", closed=["seqlab.shapes", "seqlab.text"]))
    return elsewhere.bundle(place, cells)


@pytest.fixture(scope="module")
def zipped(bundle, tmp_path_factory):
    """The autograder's zip file."""
    to = tmp_path_factory.mktemp("zip") / "tiny.zip"
    gradescope.write_zip(bundle, to, Settings(per_day=10, grace=15))
    return to


# ------------------------------------------------------------------------------------------------- the zip file


def test_the_scripts_lie_at_the_root_and_can_be_run(zipped):
    with zipfile.ZipFile(zipped) as file:
        names = file.namelist()
        for name in ("setup.sh", "run_autograder"):
            assert stat.S_IMODE(file.getinfo(name).external_attr >> 16) == 0o755
            text = file.read(name).decode()
            assert text.startswith("#!/usr/bin/env bash\n")
            assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    assert {"requirements.txt", "settings.json", "bundle/instructor/assignment.json"} <= set(names)
    assert {"seqlab/grading/run.py", "seqlab/grading/emit.py", "seqlab/grading/autograder/setup.sh.txt"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith(("/", "."))]


def test_the_same_assignment_gives_the_same_bytes(bundle, tmp_path):
    first, again = tmp_path / "first.zip", tmp_path / "again.zip"
    for to in (first, again):
        gradescope.write_zip(bundle, to)
    assert first.read_bytes() == again.read_bytes()


def test_the_libraries_are_pinned_and_torch_comes_only_where_it_is_needed():
    plain, heavy = requirements(False).splitlines(), requirements(True).splitlines()
    assert all(line.count("==") == 1 for line in plain)
    assert {"numpy", "ipykernel", "nbval", "pytest", "pyzmq"} <= {line.split("==")[0] for line in plain}
    assert not [line for line in plain if line.startswith(("torch", "triton", "nvidia"))]
    assert heavy[0].startswith("--extra-index-url https://download.pytorch.org/whl/cpu")
    assert [line for line in heavy if line.startswith("torch==")]
    assert not [line for line in heavy if line.startswith(("nvidia", "cuda"))]


def test_the_command_says_what_to_do_on_gradescope(bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    to = tmp_path / "new" / "tiny.zip"
    assert cli.main(["gradescope", str(bundle), "--to", str(to)]) == 0
    said = capsys.readouterr().out
    assert "7 autograder points" in said
    assert "built with --quick" in said
    assert zipfile.is_zipfile(to)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--to", "here"], "here is no name of a zip file"),
        (["--to", "x.zip", "--hidden", "never"], "--hidden is 'never': use one of visible"),
        (["--to", "x.zip", "--per-day", "-3"], "--per-day"),
        (["--to", "x.zip", "--personal", "shoe-size"], "--personal is 'shoe-size': use one of email, name"),
    ],
)
def test_a_wrong_use_is_told_in_a_sentence(bundle, more, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gradescope", str(bundle), *more]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------- results


def test_hidden_checks_are_shown_when_the_instructor_said(shown):
    made = valid(results(shown, course.record("s", (P, F, P)), Settings(), {}, 3.4))
    assert made["score"] == 4
    assert [test["visibility"] for test in made["tests"]] == ["visible", "after_due_date", "after_due_date"]
    assert made["execution_time"] == 3
    assert made["extra_data"]["seqlab"]["outcome"] == "graded"


def test_a_late_submission_is_told_and_costs_what_was_agreed(shown):
    free = valid(results(shown, course.record("s", (P, P, P)), Settings(), LATE, 1))
    assert free["score"] == 7
    assert "handed in 1 day 8 h late: 0 %" in free["output"]
    costly = valid(results(shown, course.record("s", (P, P, P)), Settings(per_day=10), LATE, 1))
    assert costly["score"] == pytest.approx(5.6)
    extended = LATE | {"users": [{"assignment": {"due_date": "2026-12-05T23:59:00.000000-08:00"}}]}
    assert results(shown, course.record("s", (P, P, P)), Settings(per_day=10), extended, 1)["score"] == 7


@pytest.mark.parametrize("metadata", [{}, {"created_at": 3}, LATE | {"created_at": "soon"}, LATE | {"users": [3]}])
def test_metadata_that_say_nothing_cost_nothing(shown, metadata):
    assert results(shown, course.record("s", (P, P, P)), Settings(per_day=10), metadata, 1)["score"] == 7


def test_what_the_code_printed_is_shown_as_plain_text(shown):
    record = course.record("s", (P, F, P), shown={"double": "<script>alert(1)</script>"})
    made = valid(results(shown, record, Settings(), {}, 1))
    assert "Doubling printed or raised:\n<script>" in made["output"]
    assert made["output_format"] == "text"


def test_what_a_person_must_see_is_told(shown):
    record = course.record("s", (P, F, P), Outcome.NEEDS_ATTENTION, problems=["two cells"])
    assert "two cells\na person will look" in valid(results(shown, record, Settings(), {}, 1))["output"]


def test_not_graded_is_no_silent_zero():
    made = valid(not_graded(7, "secret path"))
    for said in (made["output"], made["tests"][0]["output"]):
        assert "Not graded" in said
        assert "Ask your instructor" in said
        assert "not a mark" in said
        assert "secret" not in said
    assert made["extra_data"]["seqlab"]["why"] == "secret path"


def test_the_notebook_is_found_wherever_the_student_put_it(tmp_path):
    with pytest.raises(HandedInWrong, match=r"no notebook.*hand in tiny\.ipynb"):
        find_notebook(tmp_path, "tiny")
    for place in (".ipynb_checkpoints", "__MACOSX", "mine"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.ipynb").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    assert find_notebook(tmp_path, "tiny") == tmp_path / "mine" / "a.ipynb"
    (tmp_path / "b.ipynb").write_text("{}")
    with pytest.raises(HandedInWrong, match="2 notebooks: hand in tiny"):
        find_notebook(tmp_path, "tiny")
    (tmp_path / "tiny.ipynb").write_text("{}")
    assert find_notebook(tmp_path, "tiny") == tmp_path / "tiny.ipynb"


def test_an_image_without_any_sandbox_grades_nothing(bundle, zipped, tmp_path, monkeypatch):
    from seqlab.grading import sandbox, usersandbox

    monkeypatch.setattr(sandbox, "why_not", lambda: "no bubblewrap")
    monkeypatch.setattr(usersandbox, "why_not", lambda: "no user")
    with pytest.raises(sandbox.SandboxUnavailable, match="this image cannot sandbox: no bubblewrap; no user"):
        gradescope.choose_sandbox()
    monkeypatch.setattr(gradescope, "SOURCE", tmp_path / "source")
    monkeypatch.setattr(gradescope, "SUBMISSION", tmp_path)
    assert valid(gradescope.run())["extra_data"]["seqlab"]["outcome"] == "not graded"
    with zipfile.ZipFile(zipped) as file:
        file.extractall(tmp_path / "source")
    monkeypatch.setattr(gradescope, "grade_apart", lambda *_: gradescope.choose_sandbox())
    (tmp_path / "x.ipynb").write_text("{}")
    made = valid(gradescope.run())
    assert "Not graded" in made["output"]
    assert made["tests"][0]["max_score"] == 7
    assert "cannot sandbox" in made["extra_data"]["seqlab"]["why"]


def test_a_grading_that_ends_without_a_record_is_told(shown, monkeypatch, tmp_path):
    monkeypatch.setattr(gradescope.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="the grading ended with status 1"):
        gradescope.grade_apart(b"{}", shown)
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(gradescope.sys, "executable", str(slow))
    monkeypatch.setattr(gradescope, "SPARE_SECONDS", 0.2 - 2 * shown.total_seconds)
    with pytest.raises(RuntimeError, match=r"the grading did not end within 0\.2 s"):
        gradescope.grade_apart(b"{}", shown)


def test_a_students_own_variant_needs_her_particulars(shown):
    personal = replace(shown, personal={"n": [1, 2]})
    with pytest.raises(RuntimeError, match="name no email of the student"):
        gradescope._own(personal, Settings(), {}, b"")


# ------------------------------------------------------------------------------------------------ in an image

DOCKER = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "SYS_CHROOT", "KILL",
)  # fmt: skip
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"
SPY = """# answer: double
def double(x):
    import os, pathlib, socket, subprocess, sys
    if not os.path.exists("/tmp/seen"):
        def works(deed):
            try:
                return deed() or True
            except BaseException as wrong:
                return type(wrong).__name__
        print("read", [works(lambda: open(p).read(1)) for p in (
            "/autograder/submission_metadata.json", "/autograder/results/results.json",
            "/autograder/source/bundle/instructor/assignment.json", "/autograder/submission/x.ipynb")])
        grading = pathlib.Path(sys.modules["seqlab"].__path__[0], "grading")
        print("grader", works((grading / "run.py").read_text))
        print("write", works(lambda: open("/autograder/results/results.json", "w")),
              works(lambda: open(grading / "emit.py", "a")))
        print("closed", works(lambda: __import__("seqlab.text")), works((grading.parent / "shapes.py").read_text),
              works(lambda: os.listdir(grading.parent / "text")))
        print("network", works(lambda: socket.create_connection(("127.0.0.1", 9), 1)),
              works(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        print("kill", works(lambda: os.kill(os.getppid(), 9)), works(lambda: os.setuid(0)))
        open("/tmp/seen", "w").close()
        subprocess.Popen(["sh", "-c", "sleep 1; while :; do touch /tmp/still-here; sleep 0.1; done"],
                         start_new_session=True)
    return x + x"""
EXPECTED = """\
read ['PermissionError', 'PermissionError', 'PermissionError', 'PermissionError']
grader PermissionError
write PermissionError PermissionError
closed ImportError PermissionError PermissionError
network PermissionError PermissionError
kill PermissionError PermissionError"""
LEFT = """
sleep 1.5
echo LEFT $(find /tmp /var/tmp /dev/shm -user seqlab-student) \
    $(grep -l "^Uid:.*\\b$(id -u seqlab-student)\\b" /proc/[0-9]*/status)
"""


class Image:
    """A container as Gradescope makes it: root, a few capabilities, /autograder; namespaces allowed or refused."""

    def __init__(self, place, namespaces):
        self.place, self.namespaces = place, namespaces
        for name in ("autograder", "opt", "etc"):
            (place / name).mkdir()
        (place / "etc" / "passwd").write_text(PASSWD)
        (place / "etc" / "group").write_text("root:x:0:\n")
        for name in ("ld.so.cache", "login.defs"):
            if Path("/etc", name).exists():
                shutil.copyfile(f"/etc/{name}", place / "etc" / name)

    @property
    def autograder(self):
        """The folder that the container sees as /autograder."""
        return self.place / "autograder"

    def sh(self, script, **environment):
        """Run a script as root inside; give (status, what it said)."""
        folders = {Path(sys.base_prefix), Path(sys.prefix)}
        command = ["bwrap", "--unshare-pid", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--proc", "/proc"]
        command += ["--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", "--perms", "1777", "--tmpfs", "/var/tmp"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if Path("/", name).is_symlink():
                command += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
            elif Path("/", name).exists():
                command += ["--ro-bind", f"/{name}", f"/{name}"]
        for folder in sorted(folders):
            for parent in sorted(set(folder.parents) - {Path("/"), Path("/tmp"), Path("/usr")}):
                command += ["--perms", "0755", "--dir", str(parent)]
            command += ["--ro-bind", str(folder), str(folder)]
        for name in ("autograder", "opt", "etc"):
            command += ["--bind", str(self.place / name), f"/{name}"]
        command += ["--cap-drop", "ALL"]
        for capability in (*DOCKER, *(("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE") if self.namespaces else ())):
            command += ["--cap-add", f"CAP_{capability}"]
        command += ["--chdir", "/autograder", "--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]
        for name, value in environment.items():
            command += ["--setenv", name, value]
        done = subprocess.run([*command, "bash", "-c", script], capture_output=True, text=True, timeout=240)
        return done.returncode, done.stdout + done.stderr

    def build(self, zipped):
        """What Gradescope does with a zip file."""
        with zipfile.ZipFile(zipped) as file:
            file.extractall(self.autograder / "source")
        shutil.copyfile(self.autograder / "source" / "run_autograder", self.autograder / "run_autograder")
        (self.autograder / "run_autograder").chmod(0o755)
        return self.sh("bash /autograder/source/setup.sh", SEQLAB_PYTHON=sys.executable)

    def hand_in(self, content, metadata=None, after=""):
        """What Gradescope does with a submission: (results, what was said)."""
        submission = self.autograder / "submission"
        shutil.rmtree(submission, ignore_errors=True)
        shutil.rmtree(self.autograder / "results", ignore_errors=True)
        submission.mkdir()
        (submission / "x.ipynb").write_bytes(content)
        (self.autograder / "submission_metadata.json").write_text(json.dumps(LATE if metadata is None else metadata))
        status, said = self.sh(f"./run_autograder; status=$?; {after}\nexit $status")
        assert status == 0, said
        return valid(json.loads((self.autograder / "results" / "results.json").read_text())), said


def notebook(bundle, answers):
    release = json.loads((bundle / "release" / f"{course.NAME}.ipynb").read_text(encoding="utf-8"))
    return filled(release, answers)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux" or shutil.which("bwrap") is None,
    reason="a container is made here by root, with bubblewrap",
)


@needs_root
@pytest.mark.slow
@pytest.mark.sandbox
def test_in_an_image_that_refuses_namespaces_another_user_runs_the_code(bundle, zipped, tmp_path):
    image = Image(tmp_path, namespaces=False)
    status, said = image.build(zipped)
    assert status == 0, said
    assert "the solution: 7 of 7 points, by usersandbox" in said
    assert "the untouched release: 0 of 7 points" in said

    made, said = image.hand_in(notebook(bundle, SOLVED))
    assert made["score"] == pytest.approx(7 * 0.8), said
    assert "handed in 1 day 8 h late: 20 %" in made["output"]
    assert [test["status"] for test in made["tests"]] == ["passed"] * 3

    hostile = {"double": SPY, "running": "# answer: running\ndef running(xs):\n    import os\n    os._exit(0)"}
    made, said = image.hand_in(notebook(bundle, hostile), {}, after=LEFT)
    assert EXPECTED in made["output"], made["output"]
    assert made["score"] == 5, said
    assert "your code ended the process" in made["tests"][2]["output"]
    assert said.strip().endswith("LEFT"), "no file and no process of the student's is left"

    made, _ = image.hand_in(b"\x89PNG no notebook", {})
    assert made["score"] == 0
    assert "the file is no notebook" in made["output"] or "no text" in made["output"] or "JSON" in made["output"]
    assert "a person will look" in made["output"]

    (tmp_path / "opt" / "seqlab" / "environment").unlink()
    made, _ = image.hand_in(notebook(bundle, SOLVED), {})
    assert made["output"].startswith("Not graded: the grader could not start. Ask your instructor")


@needs_root
@pytest.mark.slow
@pytest.mark.sandbox
def test_in_an_image_that_allows_namespaces_bubblewrap_runs_the_code(bundle, zipped, tmp_path):
    image = Image(tmp_path, namespaces=True)
    status, said = image.build(zipped)
    assert status == 0, said
    assert "the solution: 7 of 7 points, by sandbox" in said
    made, said = image.hand_in(notebook(bundle, SOLVED | {"running": "# answer: running\nrunning = 3"}), {})
    assert made["score"] == 5, said
    assert made["tests"][2]["output"].startswith("your code raised an error: your code raised TypeError")


@needs_root
@pytest.mark.slow
@pytest.mark.sandbox
def test_an_image_whose_grader_is_wrong_is_not_built(zipped, tmp_path):
    image, spoiled = Image(tmp_path, namespaces=False), tmp_path / "spoiled.zip"
    with zipfile.ZipFile(zipped) as file, zipfile.ZipFile(spoiled, "w") as out:
        for entry in file.infolist():
            content = file.read(entry)
            if entry.filename == "bundle/instructor/assignment.json":
                content = content.replace(b"twice_of_x = x * 2", b"twice_of_x = y * 2")
            out.writestr(entry, content)
    status, said = image.build(spoiled)
    assert status == 1
    assert "this image gives the solution 0 points in place of 7" in said or "no values" in said
