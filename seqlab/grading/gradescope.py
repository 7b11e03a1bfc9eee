"""Grades on Gradescope: writes the autograder's zip file, and is what runs inside the image that it makes.

    write_zip(bundle, "01.zip")                  the file to upload
    python -m seqlab.grading.gradescope verify   in setup.sh: grade the solution and the untouched release, or fail
    python -m seqlab.grading.gradescope run      in run_autograder: grade /autograder/submission

Gradescope unpacks the file to /autograder/source, runs setup.sh once, and for every submission copies run_autograder
to /autograder and runs it as root in a fresh container. The result goes to /autograder/results/results.json. Whatever
goes wrong on the way, that file tells the student that she was not graded and whom to ask.
"""

import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from seqlab.grading.model import Assignment

AUTOGRADER = Path("/autograder")
SOURCE, SUBMISSION, RESULTS = AUTOGRADER / "source", AUTOGRADER / "submission", AUTOGRADER / "results" / "results.json"
METADATA = AUTOGRADER / "submission_metadata.json"
PACKAGE = Path(__file__).resolve().parent.parent
SCRIPTS = ("setup.sh", "run_autograder")
FILES = PACKAGE / "grading" / "autograder"
VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
PERSONAL = ("email", "name")  # of a student's particulars, what her release was made for
LARGEST = 100 << 20  # bytes: more than Gradescope takes in one file
SPARE_SECONDS = 120.0  # beyond twice the assignment's total: then the grading itself is ended
LEFT_OUT = {"__pycache__", "tests", "measurements"}
MADE = (1980, 1, 1, 0, 0, 0)  # every file's time: the same assignment gives the same zip file
ONLY_TORCH = ("torch", "triton", "nvidia", "cuda")  # first words of the names of what comes with torch
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
ASK = "Ask your instructor; your file has been kept."
NO_MARK = "This is not a mark: the 0 stands here only because Gradescope asks for a number."


@dataclass(frozen=True)
class Settings:
    """What an instructor chose when she wrote the zip file: visibility of hidden checks, late penalty, variants."""

    hidden: str = "after_due_date"
    grace: float = 0.0
    per_day: float = 0.0
    most: float = 100.0
    refuse_after: float | None = None
    personal: str = "email"


# ------------------------------------------------------------------------------------------------- the zip file


def requirements(needs_torch):
    """The libraries that grade, each at the version that is installed here: the text of requirements.txt.

    Raises
    ------
    ValueError
        when seqlab was copied here and not installed, so that nobody knows what it needs.
    """
    from importlib import metadata

    from packaging.requirements import Requirement

    try:
        waiting = [Requirement(line) for line in metadata.requires("seqlab") or ()]
    except metadata.PackageNotFoundError:
        raise ValueError("seqlab is not installed here: run `pip install -e .` in its folder first.") from None
    pinned = {}
    for wanted in waiting:
        name = wanted.name.lower().replace("_", "-")
        if name in pinned or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        if name.startswith(("nvidia", "cuda")) or (name.startswith(ONLY_TORCH) and not needs_torch):
            continue
        try:
            pinned[name] = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:  # it is for another system
            continue
        waiting += [Requirement(line) for line in metadata.requires(name) or ()]
    lines = [f"{name}=={version}" for name, version in sorted(pinned.items())]
    return "\n".join([f"--extra-index-url {CPU_WHEELS}", *lines] if needs_torch else lines) + "\n"


def _package():
    """The files of seqlab: (name in the zip file, path)."""
    for path in sorted(PACKAGE.rglob("*")):
        inside = path.relative_to(PACKAGE)
        if path.is_file() and not LEFT_OUT & set(inside.parts) and not inside.name.startswith("."):
            yield f"seqlab/{inside.as_posix()}", path


def write_zip(bundle, to, settings=None):
    """Write the autograder's zip file.

    Parameters
    ----------
    bundle : folder of a built assignment.
    to : the file; an earlier one is replaced.
    settings : Settings.

    Returns
    -------
    size : bytes of the file. The same bundle, settings and seqlab give the same bytes.

    Raises
    ------
    ValueError
        naming the setting or the file that is wrong.
    """
    from seqlab.grading.build import load_bundle

    settings, bundle, to = settings or Settings(), Path(bundle), Path(to)
    assignment = load_bundle(bundle)
    _check(settings)
    contents = {name: path.read_bytes() for name, path in _package()}
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        contents[f"bundle/{path.relative_to(bundle).as_posix()}"] = path.read_bytes()
    contents["settings.json"] = (json.dumps(asdict(settings), sort_keys=True, indent=1) + "\n").encode()
    contents["requirements.txt"] = requirements(assignment.needs_torch).encode()
    contents |= {name: (FILES / f"{name}.txt").read_bytes() for name in SCRIPTS}
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, MADE)
            mode = 0o755 if name in SCRIPTS else 0o644
            entry.external_attr, entry.create_system = (stat.S_IFREG | mode) << 16, 3
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".npz") else zipfile.ZIP_DEFLATED
            file.writestr(entry, contents[name])
    if len(held.getvalue()) > LARGEST:
        raise ValueError(f"The zip file would have {len(held.getvalue()) >> 20} MB, and Gradescope takes 100 MB.")
    to.parent.mkdir(parents=True, exist_ok=True)
    new = to.with_name(f".{to.name}.new")
    try:
        new.write_bytes(held.getvalue())
        os.replace(new, to)
    finally:
        new.unlink(missing_ok=True)
    return len(held.getvalue())


def _check(settings):
    if settings.hidden not in VISIBILITIES:
        raise ValueError(f"--hidden is {settings.hidden!r}: use one of {', '.join(VISIBILITIES)}.")
    if settings.personal not in PERSONAL:
        raise ValueError(f"--personal is {settings.personal!r}: use one of {', '.join(PERSONAL)}.")
    from seqlab.grading.late import given_terms

    given_terms(**{name: getattr(settings, name) for name in ("grace", "per_day", "most", "refuse_after")})


# ---------------------------------------------------------------------------------------------------- results


def not_graded(points, why):
    """A results.json for a submission that could not be graded, through no fault of the student.

    Parameters
    ----------
    points : the most that could be earned.
    why : for the instructor; the student sees only that she was not graded.
    """
    told = f"Not graded: the grader could not finish. {ASK} {NO_MARK}"
    test = {"name": "Not graded", "score": 0, "max_score": points, "status": "failed", "output": told}
    return {
        "score": 0, "output": told, "output_format": "text", "visibility": "visible", "stdout_visibility": "hidden",
        "tests": [test | {"output_format": "text", "visibility": "visible"}],
        "extra_data": {"seqlab": {"outcome": "not graded", "why": str(why)[:2000]}},
    }  # fmt: skip


def results(assignment, record, settings, metadata, seconds):
    """A record as Gradescope's results.json.

    Parameters
    ----------
    assignment : Assignment.
    record : Record.
    settings : Settings.
    metadata : dict of submission_metadata.json; {} when there is none.
    seconds : how long it took.
    """
    from seqlab.grading import exports
    from seqlab.grading.ledger import Standing, face

    standing = Standing("", record, (), lateness=lateness(settings, metadata))
    made = json.loads(exports.to_gradescope(face(assignment), standing))
    hidden = {check.id for check in assignment.checks if not check.visible}
    for test in made["tests"]:
        test |= {"output_format": "text", "visibility": settings.hidden if test["number"] in hidden else "visible"}
    made |= {"output_format": "text", "stdout_visibility": "hidden", "execution_time": round(seconds)}
    notes = [made["output"]] if made["output"] else []
    if standing.late_sentence and standing.late_sentence not in made["output"]:
        notes.append(standing.late_sentence)
    if written := sum(one.points for one in assignment.manuals):
        notes.append(f"{written:g} points for written answers are given by a person")
    titles = {answer.id: answer.title for answer in assignment.answers}
    notes += [f"{titles[name]} printed or raised:\n{text.rstrip()}" for name, text in record.shown.items()]
    made["output"] = "\n\n".join(notes)
    known = {"outcome": str(record.outcome), "submission": record.submission, "seed": record.seed}
    return made | {"extra_data": {"seqlab": known}}


def lateness(settings, metadata):
    """How late a submission came by Gradescope's own times, a student's extension included; None when unknown."""
    from seqlab.grading import late

    try:
        users = metadata.get("users") or [{}]
        due = (users[0].get("assignment") or metadata["assignment"])["due_date"]
        due, came = datetime.fromisoformat(due), datetime.fromisoformat(metadata["created_at"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
    if due.tzinfo is None or came.tzinfo is None:
        return None
    terms = late.Terms(due, settings.grace, settings.per_day, settings.most, settings.refuse_after)
    return late.lateness(terms, came)


# ------------------------------------------------------------------------------------------------ in the image


class HandedInWrong(ValueError):
    """What was handed in cannot be graded, and the student can mend it."""


def find_notebook(folder, name):
    """The notebook in a submission.

    Raises
    ------
    HandedInWrong
        one sentence for the student, when there is none, or more than one and none is named as the release.
    """
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith((".", "__")))
        found += [Path(place, file) for file in sorted(files) if file.endswith(".ipynb") and not file.startswith(".")]
    plain = [path for path in found if path.is_file() and not path.is_symlink()]
    named = [path for path in plain if path.name == f"{name}.ipynb"]
    chosen = named if len(named) == 1 else plain
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise HandedInWrong(f"There is no notebook in what you handed in: hand in {name}.ipynb.")
    raise HandedInWrong(f"You handed in {len(chosen)} notebooks: hand in {name}.ipynb alone.")


def choose_sandbox():
    """The module whose sandbox works in this container: bubblewrap's, else that of another user.

    Raises
    ------
    SandboxUnavailable
        when neither works: then nothing is graded.
    """
    from seqlab.grading import sandbox, usersandbox

    if sandbox.available():
        return sandbox
    if usersandbox.available():
        return usersandbox
    told = f"this image cannot sandbox: {sandbox.why_not()}; {usersandbox.why_not()}"
    raise sandbox.SandboxUnavailable(told)


def _grade(submission, out):
    """In a process of its own: grade the bytes of a file, write the record to another."""
    from seqlab.grading import run, sandbox, usersandbox

    assignment = Assignment.loads(sys.stdin.read())
    content = Path(submission).read_bytes()
    engine = run if choose_sandbox() is sandbox else usersandbox
    Path(out).write_text(engine.grade(content, assignment).dumps(), encoding="utf-8")


def grade_apart(content, assignment):
    """Grade in a process of its own, which may be killed or hang without harm; give the Record.

    Raises
    ------
    RuntimeError
        saying for the instructor why there is no record.
    """
    from seqlab.grading.model import Record

    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="sq") as folder:
        submission, out = Path(folder, "submission"), Path(folder, "record.json")
        submission.write_bytes(content)
        command = [sys.executable, "-P", "-m", "seqlab.grading.gradescope", "grade", str(submission), str(out)]
        limit = 2 * assignment.total_seconds + SPARE_SECONDS
        try:
            done = subprocess.run(
                command, input=assignment.dumps(), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True, errors="replace", timeout=limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the grading did not end within {limit:g} s") from None
        if done.returncode != 0 or not out.is_file():
            raise RuntimeError(f"the grading ended with status {done.returncode}: {done.stderr.strip()[-1500:]}")
        return Record.loads(out.read_text(encoding="utf-8"))


def _loaded():
    assignment = Assignment.load(SOURCE / "bundle" / "instructor")
    return assignment, Settings(**json.loads((SOURCE / "settings.json").read_text(encoding="utf-8")))


def _own(assignment, settings, metadata, content):
    """The assignment as this student has it."""
    if not assignment.personal:
        return assignment
    from seqlab.grading.personal import personalise

    try:
        student = metadata["users"][0][settings.personal]
    except (KeyError, IndexError, TypeError):
        raise RuntimeError(
            f"the metadata name no {settings.personal} of the student, whose variant is wanted"
        ) from None
    return personalise(assignment, student, content)


def _metadata():
    try:
        read = json.loads(METADATA.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def run():
    """Grade what lies in /autograder/submission; give what results.json shall hold."""
    from seqlab.grading import intake

    began, points = time.monotonic(), 0
    try:
        assignment, settings = _loaded()
        points, metadata = assignment.points, _metadata()
        path = find_notebook(SUBMISSION, assignment.name)
        if path.stat().st_size > intake.MAX_BYTES:
            raise HandedInWrong(f"{path.name} is larger than {intake.MAX_BYTES // 1_000_000} MB: clear its outputs.")
        content = path.read_bytes()
        assignment = _own(assignment, settings, metadata, content)
        record = grade_apart(content, assignment)
        return results(assignment, record, settings, metadata, time.monotonic() - began)
    except HandedInWrong as wrong:
        made = not_graded(points, wrong)
        made["output"] = made["tests"][0]["output"] = f"Not graded: {wrong}"
        return made
    except Exception as wrong:
        print(f"Not graded: {wrong}")
        traceback.print_exc()
        return not_graded(points, wrong)


def write_results(made):
    """Write results.json whole, whatever lies there."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=RESULTS.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1, ensure_ascii=False)
    os.chmod(name, 0o644)
    os.replace(name, RESULTS)


def verify():
    """Grade the solution and the untouched release in this image; give the sentences on what is wrong with it."""
    from seqlab.grading.personal import personalise
    from seqlab.grading.releasing import filled, release_notebook

    assignment, _ = _loaded()
    assignment = personalise(assignment, "nobody") if assignment.personal else assignment
    release, wrong = release_notebook(assignment), []
    how = choose_sandbox().__name__.rsplit(".", 1)[1]
    solutions = {answer.id: answer.solution for answer in assignment.answers}
    for what, answers, due in (("the solution", solutions, assignment.points), ("the untouched release", {}, 0)):
        record = grade_apart(filled(release, answers), assignment)
        print(f"{what}: {record.score:g} of {record.points:g} points, by {how}", flush=True)
        if record.score != due:
            states = ", ".join(f"{one.id} {one.state} {one.message}".strip() for one in record.checks)
            wrong.append(f"this image gives {what} {record.score:g} points in place of {due:g} ({states})")
    return wrong


def main(arguments):
    """The command line described at the top of this file."""
    if arguments[:1] == ["grade"] and len(arguments) == 3:
        _grade(*arguments[1:])
        return 0
    if arguments == ["verify"]:
        try:
            wrong = verify()
        except Exception as failed:
            traceback.print_exc()
            wrong = [str(failed)]
        print("\n".join(wrong) or "This image grades as it should.")
        return 1 if wrong else 0
    if arguments == ["run"]:
        write_results(run())
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
