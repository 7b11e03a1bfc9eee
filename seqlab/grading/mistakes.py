"""Recognises a declared mistake by the values that a failed check emitted: "this looks like: the gates swapped".

An author declares wrong answers to show that the checks notice them. When a student's check fails with exactly the
values that one of them gives on the same inputs, she has made that mistake, and is told its name and the author's hint:
words that hold no value. The grader runs the declared answers in the reference process; a release carries their values
for the public checks (`mistakes.json`), so that a student's own machine recognises them without any source.

What is tried and in which order stands in the assignment alone, so that a record never depends on the machine's load:
the build tries every mistake, and leaves out the checks where it has nothing to show or takes too long.
"""

import contextlib
import gc
import io
import json
import linecache
import os
import select
import signal
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

from seqlab.grading import names
from seqlab.grading.model import Mistake
from seqlab.grading.values import compare

FILE = "mistakes.json"
MOST = 40  # mistakes that are tried for one answer, the first ones that are declared
EMITTED = 2_000_000  # characters of what one check emitted: more is not looked at
SLOW = 0.1  # seconds of processor time that the checks of one answer may take, and four times the solution's
FEW = 6  # mistakes that are tried where the solution itself takes longer
SECONDS = 4  # of processor time after which one is ended: far beyond SLOW, so that it is met in a build alone
WAIT = 60.0  # seconds for one that does nothing at all
PUBLISHED = 40_000  # characters of one mistake's values for one check in a release

_emitted = []  # what the check that is running has emitted, where mistakes are tried


def bounded(values):
    """What a failed check emitted if it is small enough to be looked at, else nothing."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        if len(json.dumps(values)) <= EMITTED:
            return list(values)
    return []


def alike(check, wanted, had):
    """Whether two lists of typed values are the same to this check's tolerance; `had` may be anything at all."""
    if len(wanted) != len(had):
        return False
    rule = check.rtol, check.atol, check.exact_type, check.half
    return all(compare(want, have, *rule)[0] for want, have in zip(wanted, had, strict=True))


# ---------------------------------------------------------------------------------------------- choosing


def known(passed, fits, fails):
    """Which mistake each failed check tells of.

    Parameters
    ----------
    passed : ids of the checks that passed: a mistake that would have failed one of them has not been made.
    fits : dict from the id of a failed check to the names of the mistakes that emit the same values.
    fails : dict from a mistake's name to the ids of the checks by which it is known.

    Returns
    -------
    found : dict from check id to a name. Among those that fit a check, the one that explains most of the failed
        checks. Where several explain as many, nothing is said: a guess would mislead.
    """
    explained = Counter(name for fitting in fits.values() for name in fitting)
    found = {}
    for check, fitting in fits.items():
        made = [name for name in fitting if not set(fails[name]) & set(passed)]
        best = max((explained[name] for name in made), default=0)
        first = [name for name in made if explained[name] == best]
        if len(first) == 1:
            found[check] = first[0]
    return found


# --------------------------------------------------------------------------------------- trying them here


def fitting(assignment, seed, emitted, expected):
    """Run the declared mistakes of the answers that failed and see which give the same values.

    This process is not fit for anything else afterwards: call it in the reference's child.

    Parameters
    ----------
    assignment : Assignment.
    seed : int, the seed of the submission.
    emitted : dict from the id of a failed check to the typed values that it emitted.
    expected : the right values of these checks.

    Returns
    -------
    fits : dict from check id to the names of the mistakes, in their order.
    """
    checks = {check.id: check for check in assignment.checks}
    fits = {name: [] for name in emitted}
    for number, values, _ in emissions(assignment, seed, set(emitted), MOST):
        for name, had in values.items():
            right = alike(checks[name], expected[name], had)
            if not right and alike(checks[name], had, emitted[name]):
                fits[name].append(assignment.mistakes[number].name)
    return fits


def emissions(assignment, seed, wanted, most=None):
    """Run mistakes; yield (its number, {check id: typed values}, seconds of processor time).

    Parameters
    ----------
    wanted : ids of the checks that are run, those of each mistake's own answer.
    most : so many mistakes of an answer at most.
    """
    from seqlab.grading import emit as channel
    from seqlab.grading.values import encode

    os.environ["SEQLAB_SEED"] = str(seed)
    channel.emit = lambda value: _emitted.append(encode(value))  # before a cell imports it
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the reference process lets its children go unasked
    checks = {check.id: check for check in assignment.checks}
    namespace, last = {"__name__": "__main__"}, _last(assignment)
    gc.freeze()  # a child that collected what its parent made would copy all of it
    for place, cell in enumerate(assignment.cells[: last + 1]):
        if cell.role == "answer":
            own = [one for one in assignment.cells[place:] if one.id in wanted and checks[one.id].answer == cell.id]
            own = {one.id for one in own if one.role == "check"}
            mine = [n for n, one in enumerate(assignment.mistakes) if one.answer == cell.id and own & set(one.checks)]
            for number in mine[:most]:
                mistake = assignment.mistakes[number]
                cells = _rest(assignment, place, mistake.source, own & set(mistake.checks))
                values, seconds = _apart(cells, namespace)
                yield number, values, seconds
        if cell.role in ("provided", "answer"):
            with contextlib.suppress(Exception), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                _execute(cell.id, cell.source, namespace)


def _last(assignment):
    """The place of the last answer for which a mistake is declared."""
    declared = {mistake.answer for mistake in assignment.mistakes}
    return max((place for place, cell in enumerate(assignment.cells) if cell.id in declared), default=-1)


def _rest(assignment, place, source, wanted):
    """The cells from an answer to the last of these checks, with another source for the answer: only what they need."""
    end = max(number for number, cell in enumerate(assignment.cells) if cell.id in wanted)
    between = {cell.id: cell for cell in assignment.cells[place + 1 : end + 1]}
    sources = {name: cell.source for name, cell in between.items() if cell.role in ("provided", "answer")}
    needed = names.needed([between[name].source for name in wanted], sources) if sources else set()
    own = assignment.cells[place]
    return [(own.id, "answer", source)] + [
        (name, cell.role, cell.source) for name, cell in between.items() if name in needed or name in wanted
    ]


def _execute(name, source, namespace):
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), namespace)


def _run(cells, namespace):
    """Run cells and give what their checks emit; a check that raises gives nothing."""
    values = {}
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for name, role, source in cells:
            _emitted.clear()
            try:
                _execute(name, source, namespace)
            except BaseException:  # a wrong answer may raise anything, and then has no value for this check
                continue
            if role == "check" and _emitted:
                values[name] = json.loads(json.dumps(_emitted))
    return values


def _apart(cells, namespace):
    """Run cells in a forked child, so that nothing they change is left: (values, seconds of processor time)."""
    if not hasattr(os, "fork"):
        started = time.process_time()
        return _run(cells, dict(namespace)), time.process_time() - started
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.close(read)
            _child(cells, namespace, write)
        os._exit(1)
    os.close(write)
    text = _read(read, time.monotonic() + WAIT)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, _, used = os.wait4(pid, 0)
    return json.loads(text) if text else {}, used.ru_utime + used.ru_stime


def _read(pipe, deadline):
    """All that a child writes until it ends, or nothing when it does not."""
    text = b""
    with open(pipe, "rb", buffering=0) as stream:
        while select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = stream.read(1 << 20)
            if not chunk:
                return text
            text += chunk
    return b""


def _child(cells, namespace, write):
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    values = _run(cells, namespace)
    with os.fdopen(write, "w", encoding="utf-8") as out:
        out.write(json.dumps(values))
        out.flush()
        os._exit(0)


# ------------------------------------------------------------------------------------- building and releasing


def marked(assignment, wrong, seeds):
    """The mistakes that a bundle holds: each declared wrong answer, with the checks by which it is known.

    Parameters
    ----------
    assignment : Assignment.
    wrong : Variants, as `variants.toml` declares them.
    seeds : seeds at each of which a mistake must emit a wrong value of its own, and soon.

    Returns
    -------
    mistakes : tuple of Mistake.
    """
    everything = tuple(check.id for check in assignment.checks)
    declared = [Mistake(one.name, one.answer, one.source, one.hint, everything) for one in wrong]
    if not declared:
        return ()
    solved = [Mistake("", answer.id, answer.solution, "", everything) for answer in assignment.answers]
    right, tried = _survey(replace(assignment, mistakes=(*declared, *solved)), seeds, everything)
    seconds = [min(tried[seed][number][1] for seed in seeds) for number in range(len(declared) + len(solved))]
    base = {answer.id: seconds[number] for number, answer in enumerate(assignment.answers, start=len(declared))}
    found, count = [], Counter()
    for number, mistake in enumerate(declared):
        own = base[mistake.answer]
        known = _known_by(assignment, [(right[seed], tried[seed][number][0]) for seed in seeds])
        if seconds[number] > max(SLOW, 4 * own) or count[mistake.answer] == (MOST if own <= SLOW else FEW):
            known = ()
        count[mistake.answer] += bool(known)
        found.append(replace(mistake, checks=known))
    return tuple(found)


def declared_in(template, wrong, known):
    """An assignment with its mistakes: as declared, personal fields and all, known by the checks of `known`."""
    several = zip(wrong, known, strict=True)
    found = [Mistake(one.name, one.answer, one.source, one.hint, mark.checks) for one, mark in several]
    return replace(template, mistakes=tuple(found))


def published(assignment, seed=0):
    """What a release tells: {check id: [{"name", "hint", "values"}, ...]} of the public checks, without a source.

    Where a mistake emits the right value, None stands in its place: `expected.json` has it.
    """
    visible = [check for check in assignment.checks if check.visible]
    right, tried = _survey(assignment, [seed], [check.id for check in visible])
    found = {}
    for check in visible:
        for mistake, (values, _) in zip(assignment.mistakes, tried[seed], strict=True):
            had, want = values.get(check.id), right[seed][check.id]
            if check.id not in mistake.checks or had is None or alike(check, want, had):
                continue
            had = [None if value in want[place : place + 1] else value for place, value in enumerate(had)]
            if len(json.dumps(had)) <= PUBLISHED:
                told = {"name": mistake.name, "hint": mistake.hint, "values": had}
                found.setdefault(check.id, []).append(told)
    return found


def _survey(assignment, seeds, checks):
    """The right values at each seed, and for each mistake (values, seconds of processor time)."""
    from seqlab.grading.reference import Reference

    if not assignment.mistakes:
        return {seed: {} for seed in seeds}, {seed: [] for seed in seeds}
    warm, right, tried = Reference(assignment), {}, {}
    try:
        asked = {seed: (warm.ask(seed, checks), warm.survey(seed, checks)) for seed in seeds}
        for seed, (solution, several) in asked.items():
            right[seed], tried[seed] = solution.wait(), [({}, 0.0)] * len(assignment.mistakes)
            for number, values, seconds in several.wait():
                tried[seed][number] = values, seconds
    finally:
        warm.close()
    return right, tried


def _known_by(assignment, runs):
    """The checks that a mistake fails with a value of its own in every run."""
    return tuple(
        check.id
        for check in assignment.checks
        if all(check.id in had and not alike(check, want[check.id], had[check.id]) for want, had in runs)
    )


def read(path):
    """What `mistakes.json` holds; {} where it is missing or damaged: then no mistake is recognised."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        for several in found.values():
            for one in several:
                if not isinstance(one["name"] + one["hint"], str) or not isinstance(one["values"], list):
                    return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found


def declared(published):
    """What `mistakes.json` declares: ({name: ids of the checks by which it is known}, {name: hint})."""
    checks, hints = {}, {}
    for check, several in published.items():
        for one in several:
            checks.setdefault(one["name"], []).append(check)
            hints[one["name"]] = one["hint"]
    return checks, hints


def fitting_published(published, checks, emitted, expected):
    """What `fitting` gives, from the values that a release holds. `checks` is a dict from id to Check."""
    fits = {}
    for name, had in emitted.items():
        fits[name] = []
        for one in published.get(name, []):
            right = expected.get(name, [])
            wanted = [right[place] if value is None else value for place, value in enumerate(one["values"])]
            if alike(checks[name], wanted, had):
                fits[name].append(one["name"])
    return fits


def begins(values, right, had, check):
    """Whether a published mistake begins with these values; `check` is a dict, as the release tells of it."""
    rule = {key: check[key] for key in ("rtol", "atol", "exact_type", "half") if key in check}
    wanted = [right[place] if value is None else value for place, value in enumerate(values[: len(had)])]
    same = [compare(want, have, **rule)[0] for want, have in zip(wanted, had, strict=False)]
    return len(same) == len(had) and all(same)
