"""Calling the answer is not writing it: wherever an answer stands ready-made, the sandbox keeps it out of reach."""

import textwrap

import pytest

from seqlab.grading import build as builds
from seqlab.grading.model import Outcome, State
from seqlab.grading.run import grade_many
from seqlab.grading.source import read_source
from seqlab.grading.trial import Worker
from seqlab.notebooks import ROOT
from tests.assignments.conftest import FOLDER, NAMES
from tests.assignments.routes import FOUND, NO_TWIN

DOORS = '''
import gc as _gc, importlib as _importlib, importlib.util as _util, marshal as _marshal
import os as _os, sys as _sys, types as _types, ast as _ast
import numpy as np

_cache, _memory = {}, []


def _places(module):
    """Where the source of a module may lie on the disk."""
    import seqlab
    tops = [*_sys.path, *(_os.path.dirname(_os.path.dirname(one.__file__)) for one in (np, seqlab))]
    for top in dict.fromkeys(tops):
        base = _os.path.join(top or ".", *module.split("."))
        yield base + ".py"
        yield _os.path.join(base, "__init__.py")


def _scope(module, path):
    return {"__name__": "borrowed", "__package__": module.rpartition(".")[0], "__file__": path, "np": np}


def _imported(module, name):
    yield getattr(__import__(module, fromlist=[name]), name)


def _by_importlib(module, name):
    for lost in [one for one in _sys.modules if one == module or module.startswith(one + ".")]:
        if "torch" not in lost and "numpy" not in lost:
            _sys.modules.pop(lost)
    _importlib.invalidate_caches()
    yield getattr(_importlib.import_module(module), name)


def _walked(module, name):
    """From a package that is open, attribute after attribute."""
    first, *rest = module.split(".")
    thing = __import__(first)
    for part in [*rest, name]:
        thing = getattr(thing, part)
    yield thing


def _in_memory(module, name):
    """Loaded already, whoever loaded it: among modules, functions, their globals and what they wrap."""
    if module in _sys.modules:
        yield getattr(_sys.modules[module], name)
    if not _memory:
        _memory.extend(one for one in _gc.get_objects() if type(one) in (_types.ModuleType, _types.FunctionType))
    for thing in _memory:
        if type(thing) is _types.ModuleType and thing.__dict__.get("__name__") == module:
            yield vars(thing).get(name)
        elif type(thing) is _types.FunctionType:
            if thing.__name__ == name and str(thing.__module__).startswith(module):
                yield thing
            if thing.__globals__.get("__name__") == module:
                yield thing.__globals__.get(name)
            if getattr(getattr(thing, "__wrapped__", None), "__name__", "") == name:
                yield thing.__wrapped__


def _from_source(module, name):
    for path in filter(_os.path.exists, _places(module)):
        spec = _util.spec_from_file_location("borrowed_" + module.replace(".", "_"), path)
        made = _util.module_from_spec(spec)
        made.__package__ = module if path.endswith("__init__.py") else module.rpartition(".")[0]
        spec.loader.exec_module(made)
        yield getattr(made, name)


def _from_bytecode(module, name):
    for path in _places(module):
        compiled = _util.cache_from_source(path)
        if _os.path.exists(compiled):
            scope = _scope(module, path)
            exec(_marshal.loads(open(compiled, "rb").read()[16:]), scope)
            yield scope[name]


def _excerpt(module, name):
    """The source, statement by statement; whatever fails is left out."""
    for path in filter(_os.path.exists, _places(module)):
        scope = _scope(module, path)
        for statement in _ast.parse(open(path).read()).body:
            try:
                exec(compile(_ast.Module([statement], []), path, "exec"), scope)
            except BaseException:
                pass
        yield scope.get(name)


_DOORS = [_imported, _by_importlib, _walked, _in_memory, _from_source, _from_bytecode, _excerpt]


def _given(module, name, door):
    """What one door gives; each is tried once."""
    if (module, name, door) not in _cache:
        found = _cache[module, name, door] = []
        try:
            for thing in _DOORS[door](module, name):
                if callable(thing) and not any(thing is one for one in found):
                    found.append(thing)
        except BaseException:
            pass
    return _cache[module, name, door]


def _through(routes):
    """The first value that any route gives through any door."""
    for module, names, use in routes:
        for door in range(len(_DOORS)):
            ways = [_given(module, name, door) for name in names]
            for number in range(max(map(len, ways)) if all(ways) else 0):
                try:
                    return use(*(found[min(number, len(found) - 1)] for found in ways))
                except BaseException:
                    pass
    raise LookupError("no door is open")
'''


def cheat(routes):
    """An answer that tries these routes one after the other, and through every door, until one gives a value."""
    functions = {}
    for head, found, call in routes:
        functions.setdefault(head.partition("(")[0], (head, []))[1].append((found, textwrap.dedent(call).strip()))
    source = DOORS
    for head, ways in functions.values():
        lines = []
        for found, call in ways:
            module, *names = found.split()
            lines.append(f"        ({module!r}, {names!r}, lambda {', '.join(names)}: (\n{call}\n)),")
        source += f"\n\ndef {head}:\n    return _through([\n" + "\n".join(lines) + "\n    ])\n"
    return source


@pytest.fixture(scope="module")
def worker():
    """A process that runs cells without a sandbox, with everything open."""
    modules = {route[1].split()[0] for routes in FOUND.values() for ways in routes.values() for route in ways}
    with Worker(sorted(modules)) as worker:
        yield worker


def earned(assignment, answer, source, worker, expected):
    """The checks of one answer that a source passes where no book is closed, and why others fail."""
    checks = [check for check in assignment.checks if check.answer == answer]
    mine = {answer, *(check.id for check in checks)}
    cells = [(c.id, c.role, source if c.id == answer else c.source) for c in assignment.cells if c.role != "demo"]
    cells = [cell for cell in cells if cell[1] not in ("answer", "check") or cell[0] in mine]
    return builds.passed(assignment, expected, worker.run(cells, 0, seconds=30), checks)


def test_every_answer_is_known_to_stand_ready_made_or_to_have_no_twin():
    assert list(FOUND) == NAMES
    for name in NAMES:
        answers = {answer.id for answer in read_source(FOLDER / name).answers} - {"kernel-check"}
        assert set(FOUND[name]) | NO_TWIN.get(name, set()) == answers, name
        assert not set(FOUND[name]) & NO_TWIN.get(name, set()), name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_with_open_books_every_route_leads_to_points(worker, name):
    assignment = read_source(FOLDER / name)
    cells = [(cell.id, cell.role, cell.source) for cell in assignment.cells if cell.role != "demo"]
    expected = worker.run(cells, 0, seconds=60).values
    lost = []
    for answer, routes in FOUND[name].items():
        for route in routes:
            beside = {way[0]: way for way in reversed(routes) if way[0] != route[0]}
            good, why = earned(assignment, answer, cheat([route, *beside.values()]), worker, expected)
            if not good:
                lost.append((answer, *route[:2], why))
    assert lost == [], "\n".join(map(str, lost))


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("name", NAMES)
def test_with_closed_books_no_route_earns_a_point(name):
    assignment = read_source(FOLDER / name)
    release = builds.release_notebook(assignment)
    submission = builds.filled(release, {answer: cheat(routes) for answer, routes in FOUND[name].items()})
    record = grade_many([("cheat", submission)], assignment)["cheat"]
    assert record.outcome is Outcome.GRADED, record.problems
    gained = [(one.answer, one.id, one.earned) for one in record.checks if one.earned]
    assert gained == []
    for one in record.checks:
        assert one.state in (State.ERROR, State.FAILED) if one.answer in FOUND[name] else State.NOT_RUN, one


SEARCH = """
import os
def {function}(*given, **more):
    found = []
    for top in os.listdir("/"):
        if top in ("proc", "sys", "dev", "usr") or os.path.islink("/" + top):
            continue
        for folder, folders, files in os.walk("/" + top):
            found += [os.path.join(folder, one) for one in files if one in {names!r}]
            if "seqlab" in folders and os.path.isdir(os.path.join(folder, "tests")):
                found.append(folder)
    import seqlab.grading
    found += [one for one in os.listdir(os.path.dirname(seqlab.grading.__file__)) if one not in {needed!r}]
    raise LookupError(f"{{found}}")
"""
SECRET = (
    "assignment.ipynb", "assignment.json", "variants.toml", "canonical.ipynb", "expected.json", "test_closed_book.py",
    "grades.sqlite", "gates.json", *sorted(path.name for path in (ROOT / "book").rglob("*.ipynb")),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.sandbox
def test_neither_book_nor_tests_nor_the_grader_are_in_the_sandbox():
    from seqlab.grading.sandbox import NEEDED

    assignment = read_source(FOLDER / NAMES[0])
    source = SEARCH.format(function="encode", names=SECRET, needed=(*NEEDED, "__pycache__"))
    submission = builds.filled(builds.release_notebook(assignment), {"encode": source})
    record = grade_many([("search", submission)], assignment)["search"]
    messages = [one.message for one in record.checks if one.answer == "encode"]
    assert len(SECRET) > 20
    assert record.score == 0
    assert any("your code raised LookupError: []" in message for message in messages), messages
