"""A made-up class of thirty for each assignment, whose every score is known before it is graded.

The class hands in the solution, the untouched release, the author's declared wrong and right answers and pairs of them,
notebooks that were damaged or mishandled on the way, and answers that attack the grader. `make grade-demo` grades them
all and compares.
"""

import ast
import itertools
import json
import shutil
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

from seqlab import notebooks
from seqlab.grading import build as builds
from seqlab.grading.author_commands import STAGES
from seqlab.grading.classes import grade_class
from seqlab.grading.collecting import collect
from seqlab.grading.instructor_commands import write_reports
from seqlab.grading.ledger import Ledger, Standing
from seqlab.grading.model import Assignment, Outcome
from seqlab.grading.source import NOTEBOOK, read_source, read_variants

CLASS_SIZE = 30
ASSIGNMENTS = 2  # how many assignments are shown
CELL_SECONDS = 8.0  # less than in earnest, so that endless answers do not take minutes; where torch is loaded, as is
NAMES = (
    "Ada", "Ġorġ", "김하늘", "さくら", "Beatriz", "Chidi", "Dmytro", "Éloïse", "Farid", "Greta", "Hyun-woo", "Ines",
    "João", "Kwame", "Lê Minh", "Mária", "Nils O'Brien", "Oluwaseun", "Priya", "Qiang", "Rania", "Søren", "Tomás",
    "Uyanga", "Vũ", "=1+2", "<b>Wanda", "-rf", "Yılmaz", "Zoë",
)  # fmt: skip
ATTACKS = {
    "loops for ever": "while True:\n    pass",
    "ends the process": "import os\nos._exit(0)",
    "starts processes without end": """\
import os
while True:
    try:
        os.fork()
    except OSError:
        pass""",
    "prints without end": 'while True:\n    print("all work and no play " * 40, flush=True)',
    "takes the solution from the disk": """\
import json, os, seqlab
place = os.path.dirname(os.path.dirname(seqlab.__file__))
for folder, folders, files in [*os.walk(os.getcwd()), *os.walk(place)]:
    folders[:] = [name for name in folders if name not in ("lib", "share", "bin")]
    if "assignment.json" in files:
        for answer in json.load(open(os.path.join(folder, "assignment.json")))["answers"]:
            if answer["id"] == "ANSWER":
                space = dict(globals())
                exec(answer["solution"], space)
                return space["FUNCTION"](*args, **kwargs)
raise LookupError("there is no solution to be found")""",
    "equals everything": """\
class Anything:
    def __eq__(self, other):
        return True
    def __array__(self, *args, **kwargs):
        return self
return Anything()""",
}


@dataclass(frozen=True)
class Case:
    """One submission and what it must earn."""

    student: str
    what: str
    content: bytes
    score: float
    outcome: Outcome = Outcome.GRADED


@dataclass(frozen=True)
class Line:
    """A case and what the grader gave."""

    case: Case
    standing: Standing

    @property
    def outcome(self):
        """What became of it."""
        return self.standing.record.outcome if self.standing.record else "not graded"

    @property
    def why(self):
        """What differs from what was declared; empty when nothing does."""
        if abs(self.standing.score - self.case.score) > 1e-9:
            return "score"
        return "" if self.outcome == self.case.outcome else f"expected {self.case.outcome}"

    @property
    def agrees(self):
        """Whether score and outcome are as declared."""
        return not self.why


def attack(answer, body):
    """An answer that calls this code wherever the solution has functions (or at once, where it has none)."""
    functions = [node for node in ast.parse(answer.solution).body if isinstance(node, ast.FunctionDef)]
    if not functions:
        return body
    body = body.replace("ANSWER", answer.id)
    bodies = {one.name: textwrap.indent(body.replace("FUNCTION", one.name), "    ") for one in functions}
    return "\n\n".join(f"def {name}(*args, **kwargs):\n{inside}" for name, inside in bodies.items()) + "\n"


def _lost(assignment, *variants):
    """The score when these variants stand in for their answers."""
    earned = {check.id: check.points for check in assignment.checks}
    for variant in variants:
        for check, points in (variant.earns or {}).items():
            earned[check] = min(earned[check], points)
    return sum(earned.values())


def _of(assignment, answer):
    return sum(check.points for check in assignment.checks if check.answer == answer.id)


def _damaged(assignment, release, solutions):
    """Notebooks that were mishandled: (what, bytes, score, outcome)."""
    whole, last, full = builds.filled(release, solutions), assignment.answers[-1], assignment.points
    book, ids = json.loads(whole), [answer.id for answer in assignment.answers]

    def with_cells(cells):
        return notebooks.dumps(book | {"cells": cells}).encode()

    cells = book["cells"]
    yield "a photograph, not a notebook", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, 0, Outcome.REFUSED
    yield "cut off in the middle", whole[: len(whole) // 2], 0, Outcome.REFUSED
    yield "an empty file", b"", 0, Outcome.REFUSED
    kept = [cell for cell in cells if cell["id"] != last.id]
    yield "the last answer's cell deleted", with_cells(kept), full - _of(assignment, last), Outcome.NEEDS_ATTENTION
    answers = [cell for cell in cells if cell["id"] in ids]
    others = [cell for cell in cells if cell["id"] not in ids]
    yield "answers moved to the end, in reverse", with_cells([*others, *reversed(answers)]), full, Outcome.GRADED
    copies = [cell | {"id": f"copy-{n}"} for n, cell in enumerate(cells)]
    yield "every cell copied", with_cells([*cells, *copies]), full, Outcome.GRADED
    other = [cell | {"id": "second-try", "source": f"# answer: {last.id}\nx = 1"} for cell in cells[:1]]
    other = [cell | {"cell_type": "code", "execution_count": None, "outputs": []} for cell in other]
    yield "two different cells for one answer", with_cells([*cells, *other]), full, Outcome.NEEDS_ATTENTION
    greedy = [cell | {"metadata": {"seqlab": {**cell["metadata"].get("seqlab", {}), "points": 999}}} for cell in cells]
    edited = book | {"cells": greedy, "metadata": {"kernelspec": {"name": "no-such-kernel"}, "seqlab": {"points": 999}}}
    yield "points and kernel edited", notebooks.dumps(edited).encode(), full, Outcome.GRADED
    marked = [
        {"cell_type": "code", "metadata": {}, "source": f"# answer: {name}\n{solutions[name]}".splitlines(True)}
        for name in ids
    ]
    retyped = {"cells": marked, "metadata": {}, "nbformat": 4, "nbformat_minor": 2}
    yield "retyped in another editor, without ids", b"\xef\xbb\xbf" + json.dumps(retyped).encode(), full, Outcome.GRADED
    noisy = {last.id: solutions[last.id] + '\nfor i in range(20_000):\n    print("still right", i, flush=True)\n'}
    yield "right, and prints 20,000 lines", builds.filled(release, solutions | noisy), full, Outcome.GRADED


def make_class(assignment, variants, release, hostile=True):
    """Thirty submissions.

    Parameters
    ----------
    assignment : Assignment.
    variants : Variants, the author's declared answers.
    release : dict, the release notebook.
    hostile : whether some of them attack the grader; without the sandbox they must not run.

    Returns
    -------
    cases : list of Case with different students.
    """
    solutions = {answer.id: answer.solution for answer in assignment.answers}
    last, full = assignment.answers[-1], assignment.points
    made = [("the solution", builds.filled(release, solutions), full, Outcome.GRADED)]
    made.append(("the untouched release", builds.filled(release, {}), 0, Outcome.GRADED))
    made += _damaged(assignment, release, solutions)
    for what, body in ATTACKS.items() if hostile else ():
        content = builds.filled(release, solutions | {last.id: attack(last, body)})
        made.append((f"the last answer {what}", content, full - _of(assignment, last), Outcome.GRADED))
    made += itertools.islice(_mixtures(assignment, variants, release, solutions), CLASS_SIZE - len(made))
    return [Case(student, *rest) for student, rest in zip(NAMES, made, strict=False)]


def _mixtures(assignment, variants, release, solutions):
    """Declared answers alone, then in pairs, then notebooks of which only the first questions are done."""

    def case(*chosen):
        content = builds.filled(release, solutions | {one.answer: one.source for one in chosen})
        what = " and ".join(f"{one.answer}: {one.name}" for one in chosen)
        return what, content, _lost(assignment, *chosen), Outcome.GRADED

    wrong = list(variants.wrong)
    spread = wrong[:: max(1, len(wrong) // 4)][:4]  # from all over the assignment
    yield from (case(one) for one in (*variants.right[:2], *spread))
    half = len(wrong) // 2
    pairs = [pair for pair in zip(wrong[:half], wrong[half:], strict=False) if pair[0].answer != pair[1].answer]
    yield from (case(*pair) for pair in pairs[:: max(1, len(pairs) // 4)][:4])
    stubs = {answer.id: answer.stub for answer in assignment.answers}
    for count in range(1, min(3, len(assignment.answers))):
        done = {answer.id for answer in assignment.answers[:count]}
        score = sum(check.points for check in assignment.checks if check.answer in done)
        content = builds.filled(release, solutions | {name: stub for name, stub in stubs.items() if name not in done})
        yield f"only the first {count} of {len(stubs)} answers", content, score, Outcome.GRADED
    yield from (case(one) for one in wrong if one not in spread)
    others = (pair for pair in itertools.combinations(wrong, 2) if pair not in pairs)
    yield from (case(*pair) for pair in others if pair[0].answer != pair[1].answer)


def run(to, folder, bundles, *, workers=2, trusted=False, progress=builds.nothing):
    """Build what is not built, make the classes, grade them, write the reports.

    Parameters
    ----------
    to : the folder for submissions, ledger and reports; what an earlier demo left there is replaced.
    folder : the assignments' sources.
    bundles : where built assignments are.
    progress : called with (stage, done, total).

    Returns
    -------
    results : dict of assignment name -> list of Line.
    written : paths of the main reports.
    """
    to, found = Path(to), sorted(path.parent for path in Path(folder).glob(f"*/{NOTEBOOK}"))[:ASSIGNMENTS]
    if not found:
        raise ValueError(f"{folder} holds no assignment: give the folder of the assignments' sources.")
    for name in ("submissions", "reports"):
        shutil.rmtree(to / name, ignore_errors=True)
    (to / "grades.sqlite").unlink(missing_ok=True)
    to.mkdir(parents=True, exist_ok=True)
    results = {}
    with Ledger(to / "grades.sqlite") as ledger:
        for source in found:
            name = source.name

            def told(stage, done, total, name=name):
                progress(f"{name}: {STAGES.get(stage, 'grading')}", done, total)

            bundle = Path(bundles) / name
            if not builds.is_current(source, bundle):
                bundle = builds.build(source, bundles, workers=workers, progress=told)
            assignment = Assignment.load(bundle / "instructor")
            if not assignment.needs_torch:
                assignment = replace(assignment, cell_seconds=min(CELL_SECONDS, assignment.cell_seconds))
            release = json.loads((bundle / "release" / f"{name}.ipynb").read_text(encoding="utf-8"))
            variants = read_variants(source, read_source(source))
            cases = make_class(assignment, variants, release, hostile=not trusted)
            submissions = to / "submissions" / name
            submissions.mkdir(parents=True)
            for case in cases:
                (submissions / f"{case.student}.ipynb").write_bytes(case.content)
            handed_in = collect(submissions, name)
            grade_class(handed_in, assignment, ledger, workers=workers, trusted=trusted, progress=told)
            standings = {one.student: one for one in ledger.standings(name)}
            results[name] = [Line(case, standings[case.student]) for case in cases]
        written = write_reports(ledger, list(results), to / "reports")
    return results, [path for path in written if path.suffix == ".html"]
