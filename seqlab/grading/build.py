"""Makes an assignment's bundle from its source, and refuses one whose checks do not do their work.

    bundle/release/       what students get: <name>.ipynb, expected.json (visible checks), release.json, data
    bundle/instructor/    assignment.json, canonical.ipynb with stored outputs, gates.json

Before anything is published, gates are passed: the solution earns every point, the untouched release none, each
declared wrong answer exactly what it should, each other right answer every point; nothing hidden reaches the release;
every check emits values that depend on the seed alone; and mechanical mutants of the solution are noticed.
"""

import ast
import contextlib
import difflib
import hashlib
import json
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from seqlab import notebooks
from seqlab.grading import names
from seqlab.grading import source as sources
from seqlab.grading import trial as trials
from seqlab.grading.model import Assignment
from seqlab.grading.mutants import mutants
from seqlab.grading.reference import imported
from seqlab.grading.releasing import canonical_notebook, filled, reduced, release_notebook

PUBLIC_SEED = 0
SEEDS = (1, 2)
KILLED = 0.95  # the least part of the mutants that the checks must notice
CONFIRMED = 3  # declared variants that are also graded by the real engine
HEADS = ("import ", "from ", "@", "for ", "while ", "if ", "elif ", "else", "with ", "def ", "class ", "try")
HOME = Path(__file__).resolve().parent
JUDGES = ("model", "values", "emit", "intake", "kernel", "sandbox", "plugin", "reference", "trial", "run")
SPECIALS = (sources.NOTEBOOK, sources.VARIANTS)


@dataclass
class Gate:
    """One condition that a bundle must meet: `failures` says in sentences where it does not."""

    name: str
    detail: str = ""
    failures: list = field(default_factory=list)

    @property
    def ok(self):
        """Whether nothing failed."""
        return not self.failures


class GateError(ValueError):
    """The gates that an assignment did not pass, one sentence a line; `gates` holds all of them."""

    def __init__(self, name, gates, alive=()):
        self.gates, self.alive = gates, alive
        super().__init__("\n".join(f"{name}: {failure}" for gate in gates for failure in gate.failures))


def nothing(stage, done, total):
    """The progress report of those who want none."""


# ---------------------------------------------------------------------------------------------- notebooks


def execute(notebook, folder):
    """Run a notebook of our own in a kernel and give it back with its outputs.

    Raises
    ------
    ValueError
        naming the cell that failed.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    book = nbformat.from_dict(notebook)
    old = os.environ.get("SEQLAB_SEED")
    os.environ["SEQLAB_SEED"] = str(PUBLIC_SEED)
    try:
        place = {"metadata": {"path": str(folder)}}
        NotebookClient(
            book, timeout=600, kernel_name="python3", resources=place, extra_arguments=["--log-level=ERROR"]
        ).execute()
    except CellTimeoutError:
        raise ValueError("the canonical notebook runs for more than 600 s; make its checks smaller") from None
    except (CellExecutionError, DeadKernelError, RuntimeError) as wrong:
        bad = next((c for c in book.cells if any(o.get("output_type") == "error" for o in c.get("outputs", []))), None)
        where = f"cell {bad['id']!r}" if bad else "a cell"
        said = f"{wrong.ename}: {wrong.evalue}" if isinstance(wrong, CellExecutionError) else str(wrong) or "it died"
        raise ValueError(f"the canonical notebook stops in {where} ({said}); correct it") from None
    finally:
        os.environ.pop("SEQLAB_SEED") if old is None else os.environ.update(SEQLAB_SEED=old)
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # times of day would make every build differ
    return book


# -------------------------------------------------------------------------------------------------- gates


def judge(check, expected, actual):
    """Whether a check's emitted values equal the expected ones; give (ok, sentence)."""
    from seqlab.grading.values import compare

    if len(expected) != len(actual):
        return False, f"{len(actual)} values were emitted, {len(expected)} expected"
    for want, got in zip(expected, actual, strict=True):
        ok, message = compare(want, got, check.rtol, check.atol)
        if not ok:
            return False, message
    return True, ""


def passed(assignment, expected, trial, checks=None):
    """The ids of the checks that a trial passes, and why the others do not."""
    good, why = set(), {}
    for check in checks or assignment.checks:
        if check.id not in trial.values:
            why[check.id] = trial.messages.get(check.id, "it did not run")
            continue
        ok, message = judge(check, expected[check.id], trial.values[check.id])
        if ok:
            good.add(check.id)
        else:
            why[check.id] = message
    return good, why


def _takes_inputs(check):
    calls = (node for node in ast.walk(names.parse(check.source)) if isinstance(node, ast.Call))
    return any(getattr(call.func, "id", getattr(call.func, "attr", "")) == "inputs" for call in calls)


def touched(assignment, answer, source, earns=()):
    """The checks that another source for one answer can reach: its own, those that depend on its names, `earns`."""
    solution = next(one.solution for one in assignment.answers if one.id == answer)
    cells = {cell.id: cell.source for cell in assignment.cells if cell.role in ("provided", "answer", "check")}
    del cells[answer]
    found = names.reached(names.bound(source) | names.bound(solution), cells)
    answers = {answer} | {one.id for one in assignment.answers if one.id in found}
    return [one for one in assignment.checks if one.answer in answers or one.id in found or one.id in earns]


def _gate_solution(assignment, runs, seconds):
    gate = Gate("the solution earns every point and its checks depend on the seed alone")
    first, again, other = runs
    for check in assignment.checks:
        if check.id not in first.values:
            gate.failures.append(
                f"the solution does not pass the check {check.id!r}: {first.messages.get(check.id, 'not run')}"
            )
        elif not first.values[check.id]:
            gate.failures.append(f"the check {check.id!r} emits nothing; call emit(value) in it")
        elif first.values[check.id] != again.values.get(check.id):
            gate.failures.append(
                f"the check {check.id!r} emits other values when run again; draw all chance from inputs(...)"
            )
        elif _takes_inputs(check) and first.values[check.id] == other.values.get(check.id):
            gate.failures.append(
                f"the check {check.id!r} emits the same values for another seed; use what inputs(...) draws"
            )
    if seconds > assignment.total_seconds / 4:
        gate.failures.append(
            f"the solution takes {seconds:.0f} s, over a quarter of total_seconds; make the checks smaller"
        )
    gate.detail = f"{len(assignment.checks)} checks, {assignment.points:g} points"
    return gate


def _gate_untouched(assignment, expected, trial):
    gate = Gate("the untouched release earns nothing")
    good, _ = passed(assignment, expected, trial)
    gate.failures = [
        f"the check {name!r} passes on the untouched release; make it call the answer" for name in sorted(good)
    ]
    gate.detail = f"{len(assignment.checks)} checks"
    return gate


def _gate_variants(assignment, variants, expected, run):
    wrong, right = Gate("each declared wrong answer earns what is declared"), Gate("each other right answer earns all")
    points = {check.id: check.points for check in assignment.checks}
    for variant, seed, trial in run:
        reached = touched(assignment, variant.answer, variant.source, variant.earns or ())
        good, why = passed(assignment, expected[seed], trial, reached)
        for check in reached:
            declared = points[check.id] if variant.earns is None else variant.earns.get(check.id, points[check.id])
            earned = points[check.id] if check.id in good else 0
            if earned == declared:
                continue
            gate = right if variant.earns is None else wrong
            told = f" ({why[check.id]})" if check.id in why else ""
            kind = "right" if variant.earns is None else "wrong"
            gate.failures.append(
                f"the {kind} answer {variant.name!r} earns {earned:g} of the declared {declared:g} "
                f"for the check {check.id!r} at seed {seed}{told}"
            )
    wrong.detail, right.detail = f"{len(variants.wrong)} wrong answers", f"{len(variants.right)} right answers"
    return wrong, right


def _secret_lines(assignment, folder):
    """Lines that must not reach the release, with where each stands."""
    allowed, secrets = sources.may_show(folder), {}
    public = {line.strip() for check in assignment.checks for line in check.released.splitlines()}
    public |= {
        line.strip()
        for cell in assignment.cells
        if cell.role in ("provided", "demo")
        for line in cell.source.splitlines()
    }
    for answer in assignment.answers:
        lines = answer.solution.splitlines()
        for number in sources.solution_lines(answer):
            text = lines[number - 1].strip()
            if _telling(text) and text not in allowed:
                secrets[" ".join(text.split())] = f"the solution of {answer.id!r}, line {number}"
    for check in assignment.checks:
        for number, line in enumerate(check.source.splitlines(), start=1):
            text = line.strip()
            if not check.visible and _telling(text) and text not in public | allowed:
                secrets[" ".join(text.split())] = f"the hidden part of {check.id!r}, line {number}"
    return secrets


def _telling(line):
    """Whether a line says something: not a bracket, not the head of a loop, not the unpacking of a shape."""
    if len(line) < 15 or line.startswith(HEADS):
        return False
    return not line.endswith(".shape") and any(sign in line for sign in "=(+*/@-")


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, content in value.items():
            yield from _strings(key)
            yield from _strings(content)
    elif isinstance(value, list):
        for content in value:
            yield from _strings(content)


def gate_leaks(assignment, folder, release):
    """No telling line of a solution or a hidden region stands anywhere in the release folder."""
    gate, secrets = Gate("nothing hidden is in the release"), _secret_lines(assignment, folder)
    for path in sorted(path for path in Path(release).rglob("*") if path.is_file()):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        with contextlib.suppress(ValueError):
            text = "\n".join(_strings(json.loads(text)))
        text = " ".join(text.split())
        for line, where in secrets.items():
            if line in text:
                gate.failures.append(
                    f"{path.name} shows `{line}`, which is {where}; "
                    "hide it, or list the line in the notebook's may_show"
                )
    gate.detail = f"{len(secrets)} lines looked for"
    return gate


def _gate_mutants(assignment, variants, results):
    gate = Gate(f"the checks notice at least {KILLED:.0%} of the mutants")
    declared = {one.mutant: one for one in variants.equivalent}
    known = {mutant.id for mutant, _ in results}
    for name in sorted(set(declared) - known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        told = f"correct its name (is it {near[0]!r} now?) or remove it" if near else "remove it"
        gate.failures.append(f"[[equivalent]] {name!r} is no mutant of the solution; {told}")
    for mutant, killer in results:
        if mutant.id in declared and killer:
            gate.failures.append(
                f"[[equivalent]] {mutant.id!r} is declared to change nothing, but {killer!r} notices it"
            )
    counted = [(mutant, killer) for mutant, killer in results if mutant.id not in declared]
    alive = [mutant for mutant, killer in counted if not killer]
    part = 1 - len(alive) / len(counted) if counted else 1.0
    gate.detail = (
        f"{len(counted) - len(alive)} of {len(counted)} ({part:.1%}), {len(declared)} declared to change nothing"
    )
    if part < KILLED:
        gate.failures.append(
            f"the checks notice only {gate.detail}; check more, or declare in {sources.VARIANTS} what changes nothing"
        )
    return gate, alive


def _confirm(assignment, release, variants, seeds_note):
    """Grade a handful with the real engine: (gate, how it ran)."""
    from seqlab.grading.run import grade
    from seqlab.grading.sandbox import available

    trusted = not available()
    how = "without the sandbox, which this machine lacks" if trusted else "in the sandbox"
    gate = Gate("the real engine agrees")
    solutions = {answer.id: answer.solution for answer in assignment.answers}
    cases = [
        ("the solution", solutions, {}),
        ("the untouched release", {}, {check.id: 0 for check in assignment.checks}),
    ]
    chosen = [*variants.wrong[:: max(1, len(variants.wrong) // (CONFIRMED - 1))][: CONFIRMED - 1], *variants.right[:1]]
    cases += [(f"the answer {one.name!r}", solutions | {one.answer: one.source}, one.earns or {}) for one in chosen]
    for number, (name, answers, earns) in enumerate(cases):
        seeds_note(number, len(cases))
        record = grade(filled(release, answers), assignment, trusted=trusted)
        for result in record.checks:
            wanted = earns.get(result.id, result.points)
            if result.earned != wanted:
                told = f": {result.state}" + (f", {result.message}" if result.message else "")
                gate.failures.append(
                    f"the engine gives {name} {result.earned:g} of the declared {wanted:g} "
                    f"for the check {result.id!r}{told}"
                )
        gate.failures += [
            f"the engine says of {name}: {problem}" for problem in record.problems if name == "the solution"
        ]
    seeds_note(len(cases), len(cases))
    gate.detail = f"{len(cases)} notebooks graded {how}"
    return gate


def run_gates(
    assignment, variants, folder, release, *, workers=2, with_mutants=True, with_engine=True, progress=nothing
):
    """Pass every gate in turn.

    Returns
    -------
    gates, public, alive : the list of Gate, the expected values at the public seed, the mutants nobody noticed.
    """
    with trials.Pool(workers, imported(assignment)) as pool:
        gates, public, alive = _gates_without_engine(
            assignment, variants, folder, release, pool, with_mutants, progress
        )
    if with_engine and all(gate.ok for gate in gates):
        notebook = release_notebook(assignment)
        gates.append(_confirm(assignment, notebook, variants, lambda done, total: progress("engine", done, total)))
    return gates, public, alive


def _gates_without_engine(assignment, variants, folder, release, pool, with_mutants, progress):
    everything, visible = assignment.checks, [check for check in assignment.checks if check.visible]
    stubs = {answer.id: answer.stub for answer in assignment.answers}

    def attempt(worker, answers, seed, checks=everything, seconds=None):
        return trials.attempt(worker, assignment, answers, checks, seed, seconds)

    def each(stage, jobs, run):
        for number, done in enumerate(pool.map(jobs, run), start=1):
            progress(stage, number, len(jobs))
            yield done

    first = [("first", {}, SEEDS[0]), ("again", {}, SEEDS[0]), ("other", {}, SEEDS[1]), ("public", {}, PUBLIC_SEED)]
    first.append(("untouched", stubs, SEEDS[0]))

    def timed(worker, job):
        started = time.monotonic()
        trial = attempt(worker, job[1], job[2], visible if job[0] == "public" else everything)
        return trial, time.monotonic() - started

    runs = {job[0]: result for job, result in each("solution", first, timed)}
    solved = min(runs[name][1] for name in ("first", "again", "other"))
    runs = {name: trial for name, (trial, _) in runs.items()}
    gates = [_gate_solution(assignment, [runs["first"], runs["again"], runs["other"]], solved)]
    if not gates[0].ok:
        return gates, {}, []
    expected = {SEEDS[0]: runs["first"].values, SEEDS[1]: runs["other"].values}
    gates.append(_gate_untouched(assignment, expected[SEEDS[0]], runs["untouched"]))
    gates.append(gate_leaks(assignment, folder, release))

    patience = max(3.0, 8 * solved)
    declared = [(variant, seed) for variant in (*variants.wrong, *variants.right) for seed in SEEDS]

    def declare(worker, job):
        variant, seed = job
        checks = touched(assignment, variant.answer, variant.source, variant.earns or ())
        return attempt(worker, {variant.answer: variant.source}, seed, checks, patience)

    done = [(*job, trial) for job, trial in each("variants", declared, declare)]
    gates += _gate_variants(assignment, variants, expected, done)
    if not with_mutants:
        return gates, runs["public"].values, []

    own = {answer.id: [check for check in everything if check.answer == answer.id] for answer in assignment.answers}

    def killer(worker, mutant):
        for seed in SEEDS:
            trial = attempt(worker, {mutant.answer: mutant.source}, seed, own[mutant.answer], patience)
            _, why = passed(assignment, expected[seed], trial, own[mutant.answer])
            if why:
                return min(why)
        return None

    changed = [mutant for answer in assignment.answers for mutant in mutants(answer)]
    gate, alive = _gate_mutants(assignment, variants, list(each("mutants", changed, killer)))
    return [*gates, gate], runs["public"].values, alive


# ------------------------------------------------------------------------------------------------- bundle


def grader_version():
    """A hash of the code that judges: another one may judge otherwise. What only reports and builds is left out."""
    return _hash_files([HOME / f"{name}.py" for name in JUDGES])


def environment():
    """What a value may depend on besides the grader: Python, the libraries, the rooms that answers and checks use."""
    rooms = sorted(HOME.parent.rglob("*.py"))
    silent = {HOME, HOME.parent / "figures", HOME.parent / "bench"}
    found = {"seqlab": _hash_files([path for path in rooms if not silent & set(path.parents)])}
    for library in ("numpy", "torch", "nbval", "ipykernel", "triton"):
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "machine": platform.machine(), **found}


def _hash_files(paths):
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def source_hash(folder):
    """A hash of everything that a bundle is made from: the assignment's folder and the grader."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    own = [HOME / f"{name}.py" for name in ("source", "build", "releasing", "mutants")]
    return hashlib.sha256((_hash_files(files) + grader_version() + _hash_files(own)).encode()).hexdigest()


def is_current(folder, bundle):
    """Whether a bundle was made from this source by this grader and passed every gate."""
    try:
        gates = json.loads((Path(bundle) / "instructor" / "gates.json").read_text())
        return (
            gates["source"] == source_hash(folder)
            and gates["mutants"] is not None
            and all(g["ok"] for g in gates["gates"])
        )
    except (OSError, ValueError, KeyError):
        return False


def load_bundle(bundle):
    """The Assignment of a bundle folder; a sentence when there is none."""
    path = Path(bundle) / "instructor" / "assignment.json"
    if not path.is_file():
        raise ValueError(f"{bundle} is no built assignment; run `seqlab build` first")
    return Assignment.load(path)


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _copy_data(folder, release):
    for path in sorted(Path(folder).iterdir()):
        if path.name in SPECIALS or path.name[0] in "._":
            continue
        if path.is_dir():
            shutil.copytree(path, release / path.name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copyfile(path, release / path.name)


def _swap(new, bundle):
    """Put the new folder in the old one's place; the old one is gone only when the new one stands."""
    old = bundle.with_name(f".{bundle.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if bundle.exists():
        os.rename(bundle, old)
    os.rename(new, bundle)
    shutil.rmtree(old, ignore_errors=True)


def _recover(bundle):
    """Undo what a build that was killed left behind."""
    old = bundle.with_name(f".{bundle.name}.old")
    if old.exists() and not bundle.exists():
        os.rename(old, bundle)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(bundle.with_name(f".{bundle.name}.new"), ignore_errors=True)


def build(folder, out, *, workers=2, with_mutants=True, with_engine=True, progress=nothing):
    """Build one assignment.

    Parameters
    ----------
    folder : the assignment's source.
    out : where the bundle goes, as `out/<name>`.
    workers : processes that try variants and mutants.
    with_mutants, with_engine : leave out these two gates while writing; such a bundle is no current one.
    progress : called with (stage, done, total).

    Returns
    -------
    bundle : Path. An earlier bundle stays as it is until the new one is whole.

    Raises
    ------
    SourceError, GateError
        with every mistake, one sentence a line.
    """
    folder = Path(folder)
    assignment = sources.read_source(folder)
    variants = sources.read_variants(folder, assignment)
    bundle = Path(out) / assignment.name
    bundle.parent.mkdir(parents=True, exist_ok=True)
    _recover(bundle)
    new = bundle.with_name(f".{bundle.name}.new")
    try:
        release, instructor = new / "release", new / "instructor"
        _write(release / f"{assignment.name}.ipynb", notebooks.dumps(release_notebook(assignment)))
        _write(release / "release.json", reduced(assignment).dumps())
        _copy_data(folder, release)
        gates, public, alive = run_gates(
            assignment, variants, folder, release,
            workers=workers, with_mutants=with_mutants, with_engine=with_engine, progress=progress,
        )  # fmt: skip
        if not all(gate.ok for gate in gates):
            raise GateError(assignment.name, gates, alive)
        _write(release / "expected.json", json.dumps(public, sort_keys=True, indent=1) + "\n")
        leaks = gate_leaks(assignment, folder, release)
        if not leaks.ok:
            raise GateError(assignment.name, [leaks], alive)
        _write(instructor / "assignment.json", assignment.dumps())
        progress("canonical", 0, 1)
        _write(instructor / "canonical.ipynb", notebooks.dumps(execute(canonical_notebook(assignment), new)))
        progress("canonical", 1, 1)
        report = {
            "assignment": assignment.name,
            "source": source_hash(folder),
            "gates": [{"name": gate.name, "ok": gate.ok, "detail": gate.detail} for gate in gates],
            "mutants": {"alive": [asdict(mutant) for mutant in alive]} if with_mutants and with_engine else None,
        }
        _write(instructor / "gates.json", json.dumps(report, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
        _swap(new, bundle)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return bundle
