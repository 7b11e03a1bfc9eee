"""Reads an assignment's source: one notebook with solutions and checks inside, and its `variants.toml`.

`read_source(folder)` gives the `Assignment`; `read_variants(folder, assignment)` what the author declared: wrong
answers with what they earn, right ones of another kind, mutants that change nothing, mutants that the checks let live
and why, and answers that cannot be computed in another precision or library. An author's mistakes are all found at
once, each told in one sentence that names the cell.
"""

import ast
import difflib
import importlib.util
import json
import math
import re
import textwrap
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

from seqlab.grading import form, names, personal
from seqlab.grading.model import Answer, Assignment, Cell, Check, Manual, RubricItem
from seqlab.notebooks import text_of

NOTEBOOK = "assignment.ipynb"
VARIANTS = "variants.toml"
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
MARKERS = (BEGIN_SOLUTION, END_SOLUTION, BEGIN_HIDDEN, END_HIDDEN)
ROLES = ("provided", "answer", "check", "manual")
KEYS = {
    "provided": {"role"},
    "answer": {"role", "id", "title", "closed", "form"},
    "check": {"role", "id", "answer", "title", "points", "rtol", "atol", "hint", "exact_type", "half"},
}
MANUAL_KEYS = {"role", "id", "title", "points", "rubric", "rubric_hidden"}
NOTEBOOK_KEYS = {
    "assignment",
    "title",
    "needs_torch",
    "cell_seconds",
    "total_seconds",
    "memory_mb",
    "may_show",
    "covers",
    "personal",
}
TABLES = {
    "wrong": {"name", "answer", "source", "earns"},
    "right": {"name", "answer", "source"},
    "equivalent": {"answer", "mutant", "reason"},
    "survivor": {"mutant", "why"},
    "unusual": {"answer", "kind", "why"},
}
UNUSUAL = ("float32", "torch")  # the unusual forms of a right answer that each build tries
NOT_EVERYWHERE = {"triton"}  # modules that an answer may be closed to though this machine lacks them


class SourceError(ValueError):
    """An author's mistakes, one sentence each, a line each."""

    def __init__(self, where, mistakes):
        self.mistakes = list(mistakes)
        super().__init__("\n".join(f"{where}: {mistake}" for mistake in self.mistakes))


@dataclass(frozen=True)
class Variant:
    """A whole answer cell that the author declared, and what it earns (None: every point of its answer)."""

    name: str
    answer: str
    source: str
    earns: dict | None = None
    hint: str = ""  # what a student is told who gives the same values


@dataclass(frozen=True)
class Equivalent:
    """A mechanical mutant that the author says changes nothing, and why."""

    answer: str
    mutant: str
    reason: str


@dataclass(frozen=True)
class Survivor:
    """A mechanical mutant that changes something and that no check notices, and why it may live."""

    mutant: str
    why: str


@dataclass(frozen=True)
class Unusual:
    """An unusual form of a right answer that a question rules out, and why: see `seqlab.grading.unusual`."""

    answer: str
    kind: str
    why: str
    checks: tuple[str, ...] = ()  # where it loses; all checks that the answer reaches when empty


@dataclass(frozen=True)
class Variants:
    """What `variants.toml` holds."""

    wrong: tuple[Variant, ...] = ()
    right: tuple[Variant, ...] = ()
    equivalent: tuple[Equivalent, ...] = ()
    survivor: tuple[Survivor, ...] = ()
    unusual: tuple[Unusual, ...] = ()


@dataclass
class _Reading:
    """What has been gathered while walking through the notebook."""

    cells: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    manuals: list = field(default_factory=list)
    mistakes: list = field(default_factory=list)
    seen: dict = field(default_factory=dict)  # id -> the cell that has it


def split_region(source, begin, end):
    """Take the marked regions out of a cell.

    Returns
    -------
    pieces : a list of (inside, lines): the cell's lines in order, without the marker lines.

    Raises
    ------
    ValueError
        when a region is not closed, not opened, or holds nothing.
    """
    pieces, lines, inside, opened = [], [], False, 0
    for number, line in enumerate(source.splitlines(), start=1):
        mark = line.strip()
        if mark not in (begin, end):
            lines.append(line)
            continue
        if inside == (mark == begin):
            other = end if mark == begin else begin
            raise ValueError(f"line {number} says `{mark}` without a `{other}` before it")
        if inside and not any(text.strip() for text in lines):
            raise ValueError(f"the region that opens at line {opened} is empty")
        pieces.append((inside, lines))
        lines, inside, opened = [], not inside, number
    if inside:
        raise ValueError(f"`{begin}` at line {opened} has no `{end}`; add that line")
    pieces.append((False, lines))
    return pieces


def _join(pieces):
    return "\n".join(line for _, lines in pieces for line in lines).strip("\n")


def _indent_of(lines):
    first = next(line for line in lines if line.strip())
    return first[: len(first) - len(first.lstrip())]


def make_stub(answer, closed, pieces):
    """What the student finds in the answer cell: the marker, what is closed, and a raise in place of the solution."""
    lines = [f"# answer: {answer}"]
    if closed:
        indents = {"initial_indent": "# closed book: ", "subsequent_indent": "#     "}
        lines += textwrap.wrap(", ".join(closed), 79, **indents, break_long_words=False, break_on_hyphens=False)
    for inside, text in pieces:
        if inside:
            lines.append(f'{_indent_of(text)}raise NotImplementedError("{answer}: write your answer here")')
        else:
            lines.extend(text)
    return "\n".join(lines).strip("\n")


def solution_lines(answer):
    """The numbers (from 1) of the solution's lines that the student does not get."""
    given, solved = answer.stub.splitlines(), answer.solution.splitlines()
    blocks = difflib.SequenceMatcher(None, given, solved, autojunk=False).get_matching_blocks()
    shared = {line + 1 for block in blocks for line in range(block.b, block.b + block.size)}
    return sorted(set(range(1, len(solved) + 1)) - shared)


def _number(reading, where, meta, key, default, least):
    value = meta.get(key, default)
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if good and (value > least if key == "points" else value >= least):
        return value
    wanted = "a number above 0" if key == "points" else f"a number of at least {least}"
    reading.mistakes.append(f"{where} has {key} = {value!r}; give it {wanted}")
    return default or 1


def _flag(reading, where, meta, key):
    value = meta.get(key, False)
    if isinstance(value, bool):
        return value
    reading.mistakes.append(f"{where} has {key} = {value!r}; write true or false")
    return False


def _text(reading, where, meta, key, needed=False):
    value = meta.get(key, "")
    if isinstance(value, str) and (value.strip() or not needed):
        return value
    reading.mistakes.append(f"{where} has {key} = {value!r}; give it a text")
    return str(value)


def _identity(reading, where, meta, cell_id):
    name = meta.get("id")
    if not isinstance(name, str) or not ID.fullmatch(name):
        reading.mistakes.append(f"{where} has the id {name!r}; give it lower-case words joined by hyphens")
        name = f"{cell_id}-without-id"
    if name in reading.seen:
        reading.mistakes.append(f"{where} has the id {name!r}, which {reading.seen[name]} has already; ids must differ")
    reading.seen[name] = where
    return name


def _compiles(reading, where, source):
    try:
        return ast.parse(source)
    except SyntaxError as wrong:
        said = f"line {wrong.lineno}: {wrong.msg}"
        reading.mistakes.append(f"{where} is not plain Python ({said}); correct it, and use no notebook magics")
        return None


def _exists(module):
    if module.split(".")[0] in NOT_EVERYWHERE:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _read_answer(reading, where, cell_id, meta, source):
    name = _identity(reading, where, meta, cell_id)
    title = _text(reading, where, meta, "title", needed=True)
    closed = meta.get("closed", [])
    if not isinstance(closed, list) or not all(isinstance(module, str) for module in closed):
        reading.mistakes.append(f"{where} has closed = {closed!r}; give a list of module names")
        closed = []
    for module in closed:
        if not _exists(module):
            reading.mistakes.append(f"{where} closes the module {module!r}, which does not exist; correct its name")
    try:
        pieces = split_region(source, BEGIN_SOLUTION, END_SOLUTION)
    except ValueError as wrong:
        reading.mistakes.append(f"{where}: {wrong}")
        return
    if not any(inside for inside, _ in pieces):
        reading.mistakes.append(
            f"{where} has no `{BEGIN_SOLUTION}` ... `{END_SOLUTION}`; mark what the student must write"
        )
        return
    stub, solution = make_stub(name, closed, pieces), _join(pieces)
    if _compiles(reading, where, solution) is not None:
        _compiles(reading, f"the released form of {where}", stub)
    kind = meta.get("form", "")
    if kind and kind not in form.FORMS:
        reading.mistakes.append(f"{where} has form = {kind!r}; give it one of {', '.join(form.FORMS)}")
        kind = ""
    answer = Answer(name, title, solution, stub, tuple(closed), kind)
    if out := form.fault(answer, solution):
        reading.mistakes.append(f"{where} is out of its form: {out}")
    reading.answers.append(answer)
    reading.cells.append(Cell(name, "answer", solution))


def _read_check(reading, where, cell_id, meta, source):
    name = _identity(reading, where, meta, cell_id)
    try:
        pieces = split_region(source, BEGIN_HIDDEN, END_HIDDEN)
    except ValueError as wrong:
        reading.mistakes.append(f"{where}: {wrong}")
        return
    whole, hidden = _join(pieces), any(inside for inside, _ in pieces)
    released = _join([piece for piece in pieces if not piece[0]])
    tree = _compiles(reading, where, whole)
    if tree is not None:
        if hidden:
            _compiles(reading, f"the released form of {where}", released)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                said = "emit the value instead: the comparison is made outside the student's process"
                reading.mistakes.append(f"{where} asserts at line {node.lineno}; {said}")
    answer = meta.get("answer")
    if answer not in {one.id for one in reading.answers}:
        known = ", ".join(one.id for one in reading.answers) or "none"
        reading.mistakes.append(f"{where} checks the answer {answer!r}, which no cell above has (there: {known})")
    check = Check(
        id=name,
        answer=str(answer),
        title=_text(reading, where, meta, "title", needed=True),
        points=_number(reading, where, meta, "points", None, 0),
        visible=not hidden,
        source=whole,
        released=released,
        rtol=_number(reading, where, meta, "rtol", 1e-6, 0),
        atol=_number(reading, where, meta, "atol", 1e-8, 0),
        hint=_text(reading, where, meta, "hint"),
        exact_type=_flag(reading, where, meta, "exact_type"),
        half=_flag(reading, where, meta, "half"),
    )
    reading.checks.append(check)
    reading.cells.append(Cell(name, "check", whole))


def _rubric(reading, where, raw):
    """The items of a written question's rubric; mistakes are told."""
    if not isinstance(raw, list) or not raw or not all(isinstance(one, dict) for one in raw):
        reading.mistakes.append(f"{where} has rubric = {raw!r}; give a list of {{id, text, points}}")
        return ()
    items, seen = [], set()
    for number, one in enumerate(raw, start=1):
        label = f"{where}, item {number} of its rubric,"
        for key in sorted(set(one) - {"id", "text", "points"}):
            reading.mistakes.append(f"{label} has the unknown entry {key!r}; items take id, text and points")
        name = one.get("id")
        if not isinstance(name, str) or not ID.fullmatch(name) or name in seen:
            reading.mistakes.append(f"{label} has the id {name!r}; give it lower-case words of its own, with hyphens")
        seen.add(str(name))
        text = _text(reading, label, one, "text", needed=True)
        items.append(RubricItem(str(name), text, _number(reading, label, one, "points", None, 0)))
    return tuple(items)


def _read_manual(reading, where, cell_id, meta, source):
    """A written question: a markdown cell with the question, and a rubric in its metadata."""
    for key in sorted(set(meta) - MANUAL_KEYS):
        reading.mistakes.append(
            f"{where} has the unknown entry {key!r}; manual cells take {', '.join(sorted(MANUAL_KEYS))}"
        )
    name, title = _identity(reading, where, meta, cell_id), _text(reading, where, meta, "title", needed=True)
    points, rubric = _number(reading, where, meta, "points", None, 0), _rubric(reading, where, meta.get("rubric"))
    hidden = meta.get("rubric_hidden", False)
    if not isinstance(hidden, bool):
        reading.mistakes.append(f"{where} has rubric_hidden = {hidden!r}; write true or false")
    together = sum(item.points for item in rubric)
    if rubric and abs(together - points) > 1e-9:
        reading.mistakes.append(f"{where} gives {points:g} points and its rubric {together:g}; make them the same")
    if not source.strip():
        reading.mistakes.append(f"{where} is empty; write the question in it")
    reading.manuals.append(Manual(name, title, points, rubric, bool(hidden)))
    reading.cells.append(Cell(name, "manual", source))


def _read_cell(reading, number, cell):
    cell_id, source = cell.get("id", ""), text_of(cell)
    where = f"cell {cell_id!r}" if cell_id else f"cell number {number}"
    if not cell_id:
        reading.mistakes.append(f"{where} has no id; give it readable words, such as 'forward-step'")
    if f"cell:{cell_id}" in reading.seen:
        reading.mistakes.append(f"{where} has the id of an earlier cell; ids must differ")
    reading.seen[f"cell:{cell_id}"] = where
    meta = cell.get("metadata", {}).get("seqlab", {})
    role = meta.get("role") if isinstance(meta, dict) else None
    if cell.get("cell_type") == "code" and role is None and cell_id == "install":
        role, meta = "provided", {"role": "provided"}
    allowed = {"answer": MARKERS[:2], "check": MARKERS[2:]}.get(role, ())
    for line in source.splitlines():
        if line.strip() in MARKERS and line.strip() not in allowed:
            kind = "an answer" if "SOLUTION" in line else "a check"
            reading.mistakes.append(
                f"{where} holds `{line.strip()}`, which belongs in {kind}; move it or give the cell that role"
            )
    if role == "manual" and cell.get("cell_type") == "markdown":
        _read_manual(reading, where, cell_id, meta, source)
        return
    if cell.get("cell_type") != "code":
        if role is not None:
            reading.mistakes.append(f"{where} is {cell.get('cell_type')} with the role {role!r}; make it a code cell")
        reading.cells.append(Cell(cell_id, "text", source))
        return
    if role == "manual":
        reading.mistakes.append(f"{where} is code with the role 'manual'; make it a markdown cell")
        return
    if role not in ROLES:
        reading.mistakes.append(f"{where} is code with the role {role!r}; give it one of {', '.join(ROLES)}")
        return
    for key in sorted(set(meta) - KEYS[role]):
        reading.mistakes.append(
            f"{where} has the unknown entry {key!r}; {role} cells take {', '.join(sorted(KEYS[role]))}"
        )
    if role == "answer":
        _read_answer(reading, where, cell_id, meta, source)
    elif role == "check":
        _read_check(reading, where, cell_id, meta, source)
    else:
        _compiles(reading, where, source)
        reading.cells.append(Cell(cell_id, "provided", source))


def _look_at_forms(reading):
    """Answers of a form share their kernel with those who measure them: none without a form may run there too."""
    if not any(answer.form for answer in reading.answers):
        return
    for answer in reading.answers:
        if not answer.form:
            told = f"give it one of {', '.join(form.FORMS)}, or it could change what the checks of the others measure"
            reading.mistakes.append(f"answer {answer.id!r} has no form and others have; {told}")
    for cell in reading.cells:
        if cell.role in ("provided", "check") and not reading.mistakes:
            for name in sorted(names.bound(cell.source) | names.free(cell.source)):
                if form.HELPER.fullmatch(name):
                    told = "such names are the students' own: rename it"
                    reading.mistakes.append(f"cell {cell.id!r} uses the name {name!r}; {told}")


def _find_demos(reading):
    """Give the role demo to provided cells that use the answers and that no answer or check depends on.

    They show the student what her answers do. The grader does not run them: an answer that fails would take them,
    and with them the kernel, along.
    """
    provided = {cell.id: cell.source for cell in reading.cells if cell.role == "provided"}
    written = [cell.source for cell in reading.cells if cell.role in ("answer", "check")]
    defined = set().union(*(names.bound(answer.solution) for answer in reading.answers))
    demos = names.reached(defined, provided) - names.needed(written, provided)
    reading.cells[:] = [replace(cell, role="demo") if cell.id in demos else cell for cell in reading.cells]


def load_notebook(path):
    """Read a notebook of our own as a dict.

    Raises
    ------
    ValueError
        when the file is not there or is no notebook of format 4; the sentence names it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there; an assignment's folder holds {NOTEBOOK}")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not a notebook (it is no JSON text); save it again from Jupyter") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        raise ValueError(f"{path} is not a notebook of format 4; save it again from Jupyter")
    return notebook


def notebook_settings(notebook):
    """The `seqlab` entry of a notebook's metadata, {} where there is none."""
    settings = notebook.get("metadata", {}).get("seqlab", {})
    return settings if isinstance(settings, dict) else {}


def read_source(folder):
    """Read an assignment's folder.

    Parameters
    ----------
    folder : the folder that holds `assignment.ipynb`.

    Returns
    -------
    assignment : Assignment. The cells of role answer and check hold the solution and the whole check.

    Raises
    ------
    SourceError
        with every mistake of the author, one sentence a line.
    """
    folder = Path(folder)
    notebook = load_notebook(folder / NOTEBOOK)
    given, mistakes = personal.parameters(notebook_settings(notebook))
    reading = _Reading(mistakes=mistakes + personal.misused(notebook, given))
    notebook = personal.opened(notebook, given)
    for number, cell in enumerate(notebook["cells"], start=1):
        _read_cell(reading, number, cell)
    own = {one.id for one in (*reading.answers, *reading.checks, *reading.manuals)}
    for cell in reading.cells:
        if cell.role in ("text", "provided") and cell.id in own:
            reading.mistakes.append(f"cell {cell.id!r} has the id of an answer or a check; rename one of the two")
    checked = {check.answer for check in reading.checks}
    for answer in reading.answers:
        if answer.id not in checked:
            reading.mistakes.append(f"answer {answer.id!r} has no check; add a check cell with answer = {answer.id!r}")
    if not reading.answers and not reading.mistakes:
        reading.mistakes.append("there is no answer cell; give a code cell seqlab = {role: answer, ...}")
    settings, name = notebook_settings(notebook), folder.resolve().name
    where = "the notebook's metadata `seqlab`"
    if settings.get("assignment") != name:
        said = f"has assignment = {settings.get('assignment')!r} in a folder named {name!r}"
        reading.mistakes.append(f"{where} {said}; make them the same")
    for key in sorted(set(settings) - NOTEBOOK_KEYS):
        reading.mistakes.append(f"{where} has the unknown entry {key!r}; it takes {', '.join(sorted(NOTEBOOK_KEYS))}")
    if not isinstance(settings.get("needs_torch", False), bool):
        reading.mistakes.append(f"{where} has needs_torch = {settings['needs_torch']!r}; write true or false")
    title = _text(reading, where, settings, "title", needed=True)
    limits = {
        key: _number(reading, where, settings, key, getattr(Assignment, key), 1)
        for key in ("cell_seconds", "total_seconds", "memory_mb")
    }
    _look_at_forms(reading)
    if reading.mistakes:
        raise SourceError(folder / NOTEBOOK, reading.mistakes)
    _find_demos(reading)
    assignment = Assignment(name, title, tuple(reading.cells), tuple(reading.answers), tuple(reading.checks))
    assignment = replace(assignment, needs_torch=bool(settings.get("needs_torch", False)), **limits)
    assignment = replace(assignment, manuals=tuple(reading.manuals))
    return personal.closed(assignment, given)


def may_show(folder):
    """Lines of a solution that the author allows to stand in the release (`may_show` in the notebook's metadata)."""
    return frozenset(
        str(line).strip() for line in notebook_settings(load_notebook(Path(folder) / NOTEBOOK)).get("may_show", [])
    )


def _read_variant(kind, number, table, assignment, mistakes):
    """One table of `variants.toml`, or None when it is mistaken."""
    needed = TABLES[kind]
    label = table.get("name", table.get("mutant", f"number {number}"))
    where = (
        f"[[{kind}]] {label!r}" if isinstance(label, str) and not label.startswith("number ") else f"[[{kind}]] {label}"
    )
    before = len(mistakes)
    for key in sorted(needed - set(table)):
        mistakes.append(f"{where} has no {key!r}; add it")
    taken = needed | {"wrong": {"hint"}, "unusual": {"checks"}}.get(kind, set())
    for key in sorted(set(table) - taken):
        mistakes.append(f"{where} has the unknown entry {key!r}; it takes {', '.join(sorted(taken))}")
    for key in sorted(taken & set(table) - {"earns", "checks"}):
        if not isinstance(table[key], str) or not table[key].strip():
            mistakes.append(f"{where} has {key} = {table[key]!r}; give it a text")
    known = [answer.id for answer in assignment.answers]
    if "answer" in table and table["answer"] not in known:
        mistakes.append(
            f"{where} names the answer {table['answer']!r}, which the notebook does not have ({', '.join(known)})"
        )
    if kind == "unusual" and table.get("kind") not in UNUSUAL:
        mistakes.append(f"{where} has kind = {table.get('kind')!r}; give it one of {', '.join(UNUSUAL)}")
    listed, every = table.get("checks", []), {check.id for check in assignment.checks}
    if kind == "unusual" and not (isinstance(listed, list) and {str(name) for name in listed} <= every):
        mistakes.append(f"{where} has checks = {listed!r}; list ids of checks that the notebook has")
    if len(mistakes) > before:
        return None
    if kind == "equivalent":
        return Equivalent(table["answer"], table["mutant"], table["reason"])
    if kind == "survivor":
        return Survivor(table["mutant"], table["why"])
    if kind == "unusual":
        return Unusual(table["answer"], table["kind"], table["why"], tuple(listed))
    try:
        ast.parse(personal.opened(table["source"], assignment.personal))
    except SyntaxError as wrong:
        mistakes.append(f"{where} is not Python (line {wrong.lineno}: {wrong.msg}); correct its source")
    answer = next(one for one in assignment.answers if one.id == table["answer"])
    if out := form.fault(answer, personal.opened(table["source"], assignment.personal)):
        mistakes.append(f"{where} is out of its answer's form: {out}")
    if kind == "right":
        return Variant(table["name"], table["answer"], table["source"])
    earns, points = table["earns"], {check.id: check.points for check in assignment.checks}
    own = {check.id for check in assignment.checks if check.answer == table["answer"]}
    if not isinstance(earns, dict):
        mistakes.append(f"{where} has earns = {earns!r}; write {{check-id = points, ...}}")
        return None
    for check in sorted(own - set(earns)):
        mistakes.append(f"{where} does not say what the check {check!r} earns; add it to earns")
    for check, earned in earns.items():
        if check not in points:
            mistakes.append(f"{where} names the check {check!r}, which the notebook does not have")
        elif earned not in (0, points[check]) or isinstance(earned, bool):
            mistakes.append(
                f"{where} earns {earned!r} for the check {check!r}; a check earns 0 or all its {points[check]:g}"
            )
    if own and all(earns.get(check) == points[check] for check in own):
        mistakes.append(f"{where} earns every point of its answer; make it a [[right]] one or declare what it loses")
    return Variant(table["name"], table["answer"], table["source"], dict(earns), table.get("hint", ""))


def read_variants(folder, assignment):
    """Read `variants.toml` beside the notebook; without the file there are no variants.

    Raises
    ------
    SourceError
        with every mistake, one sentence a line.
    """
    path = Path(folder) / VARIANTS
    if not path.exists():
        return Variants()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SourceError(path, [f"this is not TOML text ({wrong}); correct it"]) from None
    mistakes, found, names = [], {kind: [] for kind in TABLES}, set()
    for key in sorted(set(raw) - set(found)):
        kinds = ", ".join(f"[[{kind}]]" for kind in TABLES)
        mistakes.append(f"it has the unknown entry {key!r}; it takes {kinds}")
    for kind, kept in found.items():
        tables = raw.get(kind, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            mistakes.append(f"{kind!r} must be tables; write [[{kind}]]")
            continue
        for number, table in enumerate(tables, start=1):
            variant = _read_variant(kind, number, table, assignment, mistakes)
            if isinstance(variant, Variant):
                if variant.name in names:
                    mistakes.append(f"[[{kind}]] {variant.name!r} has the name of another variant; names must differ")
                names.add(variant.name)
            kept.append(variant)
    if mistakes:
        raise SourceError(path, mistakes)
    return Variants(**{kind: tuple(kept) for kind, kept in found.items()})
