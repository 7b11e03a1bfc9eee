"""What the grader talks about: an assignment's answers and checks, a submission's record.

Everything here is plain data that goes to JSON and back without loss.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path


class State(StrEnum):
    """What became of one check. Only PASSED earns points."""

    PASSED = "passed"
    FAILED = "failed"  # the value differs from the reference's
    ERROR = "error"  # the answer raised an exception
    TIMEOUT = "timeout"  # the answer was still running at the deadline
    DIED = "died"  # the answer ended the process
    NOT_RUN = "not run"  # nothing was there to run, or an earlier death prevented it


class Outcome(StrEnum):
    """What became of a whole submission."""

    GRADED = "graded"
    NEEDS_ATTENTION = "needs attention"  # graded as far as it could be; a person must look
    REFUSED = "refused"  # no notebook: a person must look; never a silent zero


@dataclass(frozen=True)
class Check:
    """One check cell: it calls the student's function and emits values."""

    id: str
    answer: str
    title: str
    points: float
    visible: bool
    source: str
    released: str = ""  # what the student sees of it
    rtol: float = 1e-6
    atol: float = 1e-8
    hint: str = ""  # what the feedback says when it does not pass
    exact_type: bool = False  # only the reference's own kind and precision will do
    half: bool = False  # float16 and bfloat16 will do as well


@dataclass(frozen=True)
class Answer:
    """One answer cell: what the student writes."""

    id: str
    title: str
    solution: str
    stub: str
    closed: tuple[str, ...] = ()  # modules that this answer may not use
    form: str = ""  # what its source may hold: see `seqlab.grading.form`; anything when empty


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that students give, known by its name: a check that fails with its values is told so."""

    name: str  # it follows "this looks like: "
    answer: str
    source: str  # the whole answer cell
    hint: str = ""  # a sentence for the student that points at the idea
    checks: tuple[str, ...] = ()  # where it is known by its values: it fails there, and soon (the build measures it)


@dataclass(frozen=True)
class RubricItem:
    """One thing that a written answer should say, and what it is worth."""

    id: str
    text: str
    points: float


@dataclass(frozen=True)
class Manual:
    """A question that is answered in writing: a person reads it and gives the points of its rubric."""

    id: str
    title: str
    points: float  # the rubric's sum
    rubric: tuple[RubricItem, ...]
    rubric_hidden: bool = False  # whether students see the rubric only after marking


@dataclass(frozen=True)
class Cell:
    """One cell of the canonical notebook, in its order. `role` is text, provided, demo, answer, check or manual.

    A demo shows what the answers do and is not run by the grader, because nothing that earns points depends on it.
    The `id` of an answer or check cell is the answer's or check's own id; its source is the solution or whole check.
    That of a manual cell is the written question's own id; its source is the question.
    """

    id: str
    role: str
    source: str


@dataclass(frozen=True)
class Assignment:
    """All that grading needs, made by `seqlab.grading.build` and kept in the instructor's bundle."""

    name: str
    title: str
    cells: tuple[Cell, ...]
    answers: tuple[Answer, ...]
    checks: tuple[Check, ...]
    cell_seconds: float = 20.0
    total_seconds: float = 120.0
    memory_mb: int = 4096
    needs_torch: bool = False
    mistakes: tuple[Mistake, ...] = ()  # in the order in which they are tried
    manuals: tuple[Manual, ...] = ()
    personal: dict = field(default_factory=dict)  # name -> values in a bundle, name -> value in a student's own
    made_for: str = ""  # the mark of the student whose release this is; intake compares it with the notebook's

    @property
    def points(self):
        """The most that a submission can earn."""
        return sum(check.points for check in self.checks)

    def dumps(self):
        """This assignment as JSON text with sorted keys: its hash names it in the ledger."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False) + "\n"

    @cached_property
    def digest(self):
        """The sha256 of `dumps`, in bytes; computed once, because the text takes as long as a cell."""
        return hashlib.sha256(self.dumps().encode()).digest()

    @classmethod
    def loads(cls, text):
        """The inverse of `dumps`."""
        raw = json.loads(text)
        raw["cells"] = tuple(Cell(**cell) for cell in raw["cells"])
        raw["answers"] = tuple(Answer(**(a | {"closed": tuple(a["closed"])})) for a in raw["answers"])
        raw["checks"] = tuple(Check(**check) for check in raw["checks"])
        raw["manuals"] = tuple(
            Manual(**(m | {"rubric": tuple(RubricItem(**item) for item in m["rubric"])}))
            for m in raw.get("manuals", ())
        )
        raw["mistakes"] = tuple(Mistake(**(m | {"checks": tuple(m["checks"])})) for m in raw.get("mistakes", ()))
        return cls(**raw)

    @classmethod
    def load(cls, bundle):
        """Read `assignment.json` from a bundle folder, or from the file itself."""
        path = Path(bundle)
        return cls.loads((path / "assignment.json" if path.is_dir() else path).read_text())


@dataclass
class CheckResult:
    """One line of a record."""

    id: str
    answer: str
    state: State
    earned: float
    points: float
    message: str = ""  # safe to show: never a hidden input or an expected value
    mistake: str = ""  # the name of the declared mistake that emits the same values
    called: str = ""  # how a public check called the answer, in types and shapes


@dataclass
class Record:
    """What grading one submission gives: the same bytes, assignment and grader give the same record."""

    assignment: str
    submission: str  # sha256 of the bytes
    seed: int
    outcome: Outcome
    checks: list[CheckResult]
    problems: list[str] = field(default_factory=list)  # sentences for a person
    shown: dict[str, str] = field(default_factory=dict)  # answer id -> what it printed or raised, capped
    written: dict[str, str] = field(default_factory=dict)  # written question's id -> the student's text, capped

    @property
    def score(self):
        """Points earned."""
        return sum(check.earned for check in self.checks)

    @property
    def points(self):
        """Points that could be earned."""
        return sum(check.points for check in self.checks)

    def dumps(self):
        """This record as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def loads(cls, text):
        """The inverse of `dumps`."""
        raw = json.loads(text)
        raw["outcome"] = Outcome(raw["outcome"])
        raw["checks"] = [CheckResult(**(c | {"state": State(c["state"])})) for c in raw["checks"]]
        return cls(**raw)
