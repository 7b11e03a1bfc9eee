"""Makes an assignment's bundle from its source, and refuses one whose checks do not do their work.

    bundle/release/       what students get: <name>.ipynb, expected.json (visible checks), release.json, data
    bundle/instructor/    assignment.json, canonical.ipynb with stored outputs, gates.json, mutants.json and .html

Before anything is published, gates are passed: the solution earns every point, the untouched release none, each
declared wrong answer exactly what it should, each other right answer every point, also one in float32 or torch; nothing
hidden reaches the release; every check emits values that depend on the seed alone; and mechanical mutants of the
solution are noticed.
"""

import ast
import contextlib
import difflib
import hashlib
import json
import os
import platform
import shutil
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from seqlab import notebooks
from seqlab.grading import mistakes, mutation, names, personal, unusual
from seqlab.grading import source as sources
from seqlab.grading import trial as trials
from seqlab.grading.model import Assignment
from seqlab.grading.mutants import mutants
from seqlab.grading.reference import imported
from seqlab.grading.releasing import canonical_notebook, filled, reduced, release_notebook

PUBLIC_SEED = 0
SEEDS = (1, 2)
KILLED = 0.95  # the least part of the mutants that the checks must notice
NOTICED = 2  # a mutant is put to no more checks when so many have noticed it: who alone notices one stays exact
TOGETHER = 12  # sources that one worker tries in a row, from one stand
CONFIRMED = 3  # declared variants that are also graded by the real engine
HEADS = ("import ", "from ", "@", "for ", "while ", "if ", "elif ", "else", "with ", "def ", "class ", "try")
HOME = Path(__file__).resolve().parent
JUDGES = (
    "model", "values", "emit", "intake", "form", "kernel", "forks",
    "sandbox", "usersandbox", "confine", "plugin", "reference", "mistakes", "trial", "run", "personal",
)  # fmt: skip
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
    from seqlab.grading.values import Rule, agree

    return agree(expected, actual, Rule(check.rtol, check.atol, check.exact_type, check.half))


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


def _lost(trial, checks):
    """Why each of these checks is not passed in a trial that compared: {check id: sentence}."""
    why = {check.id: trial.messages.get(check.id, "it did not run") for check in checks}
    return {name: trial.verdicts.get(name, told) for name, told in why.items() if trial.verdicts.get(name, told)}


def _gate_variants(assignment, variants, run):
    """Three gates from [(variant, seed, checks, trial), ...]."""
    wrong, right = Gate("each declared wrong answer earns what is declared"), Gate("each other right answer earns all")
    coarse, fewer = Gate("no wrong answer comes through in float32, whose tolerance is wider"), set()
    points = {check.id: check.points for check in assignment.checks}
    for variant, seed, reached, trial in run:
        why = _lost(trial, reached)
        fewer |= {variant.name} if trial.coarse else set()
        if variant.earns is not None and why and set(why) <= trial.coarse:
            coarse.failures.append(
                f"the wrong answer {variant.name!r} loses nothing at seed {seed} when it is computed in float32 (it "
                f"loses {', '.join(sorted(why))}); choose inputs that show the mistake more, or give such a check "
                "exact_type = true"
            )
        for check in reached:
            declared = points[check.id] if variant.earns is None else variant.earns.get(check.id, points[check.id])
            earned = 0 if check.id in why else points[check.id]
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
    coarse.detail = f"{wrong.detail}, {len(fewer)} of them lose less there"
    return wrong, right, coarse


def _gate_unusual(variants, run):
    """The gate of [(answer id, kind, checks, trial), ...]: the solution in each unusual form earns everything."""
    gate = Gate("the solution in float32, and in torch where that is open, earns every point")
    declared = {(one.answer, one.kind): one for one in variants.unusual}
    for answer, kind, checks, trial in run:
        why, exception = _lost(trial, checks), declared.pop((answer, kind), None)
        excused = set(exception.checks or why) if exception else set()
        for name in sorted(set(why) - excused):
            gate.failures.append(
                f"the solution of {answer!r} in {kind} does not pass the check {name!r} ({why[name]}); make the check "
                f"take it, or declare an [[unusual]] with answer = {answer!r}, kind = {kind!r}, checks and why"
            )
        if exception and (not why or excused - set(why)):
            told = ", ".join(sorted(excused - set(why))) or "every check"
            gate.failures.append(f"[[unusual]] {answer!r} {kind!r} is declared, but it passes {told}; remove that")
    gate.failures += [
        f"[[unusual]] {answer!r} {kind!r} is not tried: that answer is closed to it; remove it"
        for answer, kind in sorted(declared)
    ]
    gate.detail = f"{len(run)} forms, {len(variants.unusual)} ruled out by their question"
    return gate


def _secret_lines(assignment, folder):
    """Lines that must not reach the release, with where each stands."""
    allowed, secrets = {personal.fill(line, assignment.personal) for line in sources.may_show(folder)}, {}
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


def _gate_mutants(variants, fates):
    """The gate of the mutants: enough of them noticed, every other one explained."""
    gate = Gate(f"the checks notice at least {KILLED:.0%} of the mutants")
    known = {fate.mutant.id for fate in fates}
    declared = [("equivalent", one.mutant) for one in variants.equivalent]
    declared += [("survivor", one.mutant) for one in variants.survivor]
    for table, name in sorted(declared, key=lambda one: one[1]):
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        told = f"correct its name (is it {near[0]!r} now?) or remove it" if near else "remove it"
        gate.failures.append(f"[[{table}]] {name!r} is no mutant of the solution; {told}")
    for fate in fates:
        name, noticed = fate.mutant.id, ", ".join(map(repr, fate.noticed))
        if noticed and ("equivalent", name) in declared:
            gate.failures.append(f"[[equivalent]] {name!r} is declared to change nothing, but {noticed} notices it")
        elif noticed and ("survivor", name) in declared:
            gate.failures.append(f"[[survivor]] {name!r} is declared to live, but {noticed} notices it; remove it")
        elif fate.state == "unexplained":
            gate.failures.append(
                f"the mutant {name!r} lives, and nothing says why; check more, or declare it in {sources.VARIANTS}: "
                f"[[equivalent]] with answer, mutant and reason if it changes nothing, else [[survivor]] with "
                f"mutant = {name!r} and why"
            )
    gate.detail = mutation.told(fates)
    killed, counted = mutation.counts(fates)
    if killed < KILLED * counted:
        gate.failures.append(
            f"the checks notice only {gate.detail}; check more, or declare in {sources.VARIANTS} what changes nothing"
        )
    return gate


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
    gates, public, fates : the list of Gate, the expected values at the public seed, what became of every mutant
        (seqlab.grading.mutation.Fate).
    """
    heavy = ["torch"] if assignment.needs_torch else []
    with trials.Pool(workers, [*imported(assignment), *heavy]) as pool:
        gates, public, fates = _gates_without_engine(
            assignment, variants, folder, release, pool, with_mutants, progress
        )
    if with_engine and all(gate.ok for gate in gates):
        notebook = release_notebook(assignment)
        gates.append(_confirm(assignment, notebook, variants, lambda done, total: progress("engine", done, total)))
    return gates, public, fates


class _Trials:
    """Tries many sources for an assignment's answers, a handful at a time, and compares with the solution's values."""

    def __init__(self, assignment, pool, expected, seconds, progress):
        self.assignment, self.pool, self.expected, self.progress = assignment, pool, expected, progress
        self.places = {cell.id: number for number, cell in enumerate(assignment.cells)}
        self.seconds = seconds  # cell id -> the solution's processor time

    def patience(self, answer, checks):
        """The processor time that a try may take: ten times the solution's."""
        end = max(self.places[check.id] for check in checks)
        cells = self.assignment.cells[self.places[answer] : end + 1]
        names = {check.id for check in checks}
        return 10 * sum(self.seconds.get(cell.id, 0.0) for cell in cells if cell.role != "check" or cell.id in names)

    def run(self, stage, tries, stop=0, least=5.0):
        """Try [(key, answer id, source, checks, seed), ...]; give {key: Trial}, in the order of the tries.

        `stop` as in `trial.Worker.run_tails`; `least` is the processor time that every try has.
        """
        groups = {}
        for one in tries:
            groups.setdefault((one[1], one[4]), []).append(one)
        jobs = [group[at : at + TOGETHER] for group in groups.values() for at in range(0, len(group), TOGETHER)]

        def do(worker, job):
            _, answer, _, _, seed = job[0]
            patience = max(least, *(self.patience(answer, one[3]) for one in job))
            given = [(source, checks) for _, _, source, checks, _ in job]
            limits = {"seconds": 10 * patience + 10, "processor": patience, "stop": stop}
            return trials.attempts(worker, self.assignment, answer, given, seed, self.expected[seed], **limits)

        found, done = {}, 0
        for job, results in self.pool.map(jobs, do):
            done += len(job)
            self.progress(stage, done, len(tries))
            found |= {one[0]: trial for one, trial in zip(job, results, strict=True)}
        return {one[0]: found[one[0]] for one in tries}


def _gates_without_engine(assignment, variants, folder, release, pool, with_mutants, progress):
    everything, visible = assignment.checks, [check for check in assignment.checks if check.visible]
    stubs = {answer.id: answer.stub for answer in assignment.answers}
    first = [("first", {}, SEEDS[0]), ("again", {}, SEEDS[0]), ("other", {}, SEEDS[1]), ("public", {}, PUBLIC_SEED)]
    first.append(("untouched", stubs, SEEDS[0]))

    def attempt(worker, job):
        name, answers, seed = job
        return trials.attempt(worker, assignment, answers, visible if name == "public" else everything, seed)

    runs = {}
    for number, (job, trial) in enumerate(pool.map(first, attempt), start=1):
        progress("solution", number, len(first))
        runs[job[0]] = trial
    solved = [runs["first"], runs["again"], runs["other"]]
    gates = [_gate_solution(assignment, solved, min(sum(trial.seconds.values()) for trial in solved))]
    if not gates[0].ok:
        return gates, {}, []
    expected = {SEEDS[0]: runs["first"].values, SEEDS[1]: runs["other"].values}
    gates.append(_gate_untouched(assignment, expected[SEEDS[0]], runs["untouched"]))
    gates.append(gate_leaks(assignment, folder, release))
    seconds = {name: max(trial.seconds.get(name, 0.0) for trial in solved) for name in runs["first"].seconds}
    trying = _Trials(assignment, pool, expected, seconds, progress)

    declared = [(one, seed) for seed in SEEDS for one in (*variants.wrong, *variants.right)]
    reached = {one.name: touched(assignment, one.answer, one.source, one.earns or ()) for one, _ in declared}
    tries = [((one.name, seed), one.answer, one.source, reached[one.name], seed) for one, seed in declared]
    found = trying.run("variants", tries)
    gates += _gate_variants(
        assignment, variants, [(one, seed, reached[one.name], found[one.name, seed]) for one, seed in declared]
    )
    forms = [
        (answer.id, kind, unusual.source(answer.solution, kind))
        for answer in assignment.answers
        for kind in sources.UNUSUAL
        if not answer.form and (kind != "torch" or (assignment.needs_torch and kind not in answer.closed))
    ]
    reached = {(name, kind): touched(assignment, name, source) for name, kind, source in forms}
    tries = [((name, kind), name, source, reached[name, kind], SEEDS[0]) for name, kind, source in forms]
    found = trying.run("unusual", tries)
    gates.append(_gate_unusual(variants, [(*key, reached[key], trial) for key, trial in found.items()]))
    if not with_mutants:
        return gates, runs["public"].values, []
    fates, standing = _fates(assignment, variants, trying)
    gate = _gate_mutants(variants, fates)
    gate.failures += standing
    return [*gates, gate], runs["public"].values, fates


def _fates(assignment, variants, trying):
    """What becomes of every mutant, and where the solution itself fails in a mutant's place."""
    own = {}
    for check in assignment.checks:
        own.setdefault(check.answer, []).append(check)
    changed = [mutant for answer in assignment.answers for mutant in mutants(answer)]
    fates = {mutant.id: mutation.Fate(mutant) for mutant in changed}
    wrong = []
    for seed in SEEDS:
        left = [mutant for mutant in changed if not fates[mutant.id].noticed]
        tries = []
        for answer in assignment.answers:
            tries.append((answer.id, answer.id, answer.solution, own[answer.id], seed))
            theirs = [mutant for mutant in left if mutant.answer == answer.id]
            tries += [(one.id, answer.id, one.source, own[answer.id], seed) for one in theirs]
        found = trying.run("mutants", tries, stop=NOTICED, least=1.0)
        for answer in assignment.answers:
            wrong += [
                f"the solution of {answer.id!r} does not pass the check {name!r} without the checks of other answers "
                f"({told}); let each check make what it needs"
                for name, told in _lost(found[answer.id], own[answer.id]).items()
            ]
        for mutant in left:
            fates[mutant.id].note(found[mutant.id], own[mutant.answer])
    reasons = {one.mutant: ("equivalent", one.reason) for one in variants.equivalent}
    reasons |= {one.mutant: ("survivor", one.why) for one in variants.survivor}
    for fate in fates.values():
        fate.explain(*reasons.get(fate.mutant.id, ("", "")))
    return list(fates.values()), wrong


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
    own = [HOME / f"{name}.py" for name in ("source", "build", "releasing", "mutants", "mutation", "unusual")]
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
    template = assignment = sources.read_source(folder)
    declared = sources.read_variants(folder, template)
    bundle = Path(out) / assignment.name
    bundle.parent.mkdir(parents=True, exist_ok=True)
    _recover(bundle)
    new = bundle.with_name(f".{bundle.name}.new")
    try:
        release, instructor = new / "release", new / "instructor"
        first, *others = personal.cycle(template)
        for values in (*others, first):  # what is made for the first one stays in the bundle
            assignment, variants = personal.filled(template, values), personal.filled_variants(declared, values)
            shutil.rmtree(release, ignore_errors=True)
            _write(release / f"{assignment.name}.ipynb", notebooks.dumps(release_notebook(assignment)))
            _write(release / "release.json", reduced(assignment).dumps())
            _copy_data(folder, release)
            gates, public, fates = run_gates(
                assignment, variants, folder, release, workers=workers,
                with_mutants=with_mutants and values == first, with_engine=with_engine, progress=progress,
            )  # fmt: skip
            if not all(gate.ok for gate in gates):
                raise GateError(assignment.name + personal.told(values), gates, mutation.unexplained(fates))
        _write(release / "expected.json", json.dumps(public, sort_keys=True, indent=1) + "\n")
        known = mistakes.marked(assignment, variants.wrong, SEEDS)
        told = mistakes.published(replace(assignment, mistakes=known), PUBLIC_SEED)
        _write(release / mistakes.FILE, json.dumps(told, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
        leaks = gate_leaks(assignment, folder, release)
        if not leaks.ok:
            raise GateError(assignment.name, [leaks])
        _write(instructor / "assignment.json", mistakes.declared_in(template, declared.wrong, known).dumps())
        progress("canonical", 0, 1)
        _write(instructor / "canonical.ipynb", notebooks.dumps(execute(canonical_notebook(assignment), new)))
        progress("canonical", 1, 1)
        whole = with_mutants and with_engine
        report = {
            "assignment": assignment.name,
            "source": source_hash(folder),
            "gates": [{"name": gate.name, "ok": gate.ok, "detail": gate.detail} for gate in gates],
            "mutants": {"alive": [one.mutant.id for one in fates if not one.noticed]} if whole else None,
        }
        if with_mutants:
            found = mutation.report(assignment, fates)
            _write(instructor / mutation.DATA, json.dumps(found, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
            _write(instructor / mutation.PAGE, mutation.page(found))
        _write(instructor / "gates.json", json.dumps(report, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
        _swap(new, bundle)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return bundle
