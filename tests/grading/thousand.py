"""Grades a class of a thousand with one command that is killed three times, and sees that nothing is lost or doubled.

python -m tests.grading.thousand [--count 1000] [--workers 2] [--out FILE]

The class mixes an assignment's declared answers, right and wrong, damaged notebooks and answers that attack the grader;
the score and outcome of each is known beforehand. `seqlab grade` runs as a process of its own; at three random moments
it gets SIGKILL, without warning, and the same command is started again at once. In the end there must be one record for
each submission, all as declared; what was run twice must have been under way at a kill; and no process and no file may
be left. What it measured is written as JSON.
"""

import argparse
import collections
import contextlib
import ctypes
import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tqdm

from seqlab import notebooks
from seqlab.grading import build as builds
from seqlab.grading import demo, personal
from seqlab.grading.ledger import Ledger
from seqlab.grading.model import Outcome
from seqlab.grading.source import read_source, read_variants

ROOT = Path(__file__).parents[2]
OUT = ROOT / "seqlab" / "grading" / "measurements" / "thousand.json"
ASSIGNMENT = "01_recurrent_step_by_step"
CELL_SECONDS, MEMORY_MB = 5.0, 1024  # less than in earnest, so that endless and greedy answers do not take hours
SHARES = {"endless": 0.03, "hostile": 0.05, "damaged": 0.10, "right": 0.12, "untouched": 0.02}  # the rest is wrong
GONE_SECONDS = 30.0  # for what a killed command left to end itself
SUBREAPER = 36  # prctl: orphans of our processes become ours, so that we see them

ENDLESS = {
    "loops for ever": demo.ATTACKS["loops for ever"],
    "prints without end": demo.ATTACKS["prints without end"],
    "stops its own process": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "loops on through interrupts": """\
while True:
    try:
        while True:
            pass
    except KeyboardInterrupt:
        pass""",
}
HOSTILE = {
    name: demo.ATTACKS[name]
    for name in (
        "ends the process", "starts processes without end", "takes the solution from the disk", "equals everything"
    )
} | {
    "kills every process": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "fills the memory": "held = []\nwhile True:\n    held.append(b'x' * (1 << 26))",
    "fills the disk": """\
import os
while True:
    with open(f"/tmp/{os.urandom(8).hex()}", "wb") as file:
        file.write(bytes(1 << 24))""",
    "starts threads without end": """\
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(1000,)).start()""",
    "leaves a process behind": """\
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
    os._exit(0)
return "forked\"""",
    "calls out": 'import socket\nsocket.create_connection(("192.0.2.1", 80), 2)',
    "emits values of its own": "from seqlab.grading.emit import emit\nemit(0.0)\nreturn 0.0",
    "leaves the interpreter": "import sys\nsys.exit(0)",
    "calls itself without end": "def again(n):\n    return again(n + 1)\nreturn again(0)",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """One submission and what must become of it."""

    student: str
    kind: str
    what: str
    content: bytes
    score: float
    outcome: Outcome = Outcome.GRADED


# ---------------------------------------------------------------------------------------------- the class


def load(source):
    """An assignment to grade quickly, its declared answers and its release."""
    assignment = read_source(source)
    variants, values = read_variants(source, assignment), personal.cycle(assignment)[0]
    assignment, variants = personal.filled(assignment, values), personal.filled_variants(variants, values)
    limits = {"cell_seconds": CELL_SECONDS, "memory_mb": MEMORY_MB}
    return dataclasses.replace(assignment, **limits), variants, builds.release_notebook(assignment)


def unlike(content, number):
    """The same submission in bytes of its own."""
    try:
        book = json.loads(content)
        book["metadata"] = {**book["metadata"], "number": number}
        return notebooks.dumps(book).encode()
    except ValueError:
        return content + b"\n" * number


def make(assignment, variants, release, count, seed):
    """As many cases as asked for, in a random order: list of Case with different names and bytes."""
    rng = random.Random(seed)
    solutions = {answer.id: answer.solution for answer in assignment.answers}
    last, full = assignment.answers[-1], assignment.points
    after_last = full - sum(check.points for check in assignment.checks if check.answer == last.id)
    damaged = list(demo._damaged(assignment, release, solutions))

    def honest(*wrong):
        answers = dict(solutions)
        for one in rng.sample(variants.right, min(len(variants.right), rng.randrange(3))):
            answers[one.answer] = one.source
        answers |= {one.answer: one.source for one in wrong}
        what = " and ".join(f"{one.answer}: {one.name}" for one in wrong) or "right"
        return what, builds.filled(release, answers), demo._lost(assignment, *wrong), Outcome.GRADED

    def wrong():
        first = rng.choice(variants.wrong)
        others = [one for one in variants.wrong if one.answer != first.answer]
        return honest(first, *rng.sample(others, min(len(others), rng.randrange(2))))

    def attack(attacks, number):
        what, body = list(attacks.items())[number % len(attacks)]
        content = builds.filled(release, solutions | {last.id: demo.attack(last, body)})
        return what, content, after_last, Outcome.GRADED

    makers = {
        "endless": lambda n: attack(ENDLESS, n),
        "hostile": lambda n: attack(HOSTILE, n),
        "damaged": lambda n: damaged[n % len(damaged)],
        "right": lambda n: honest(),
        "untouched": lambda n: ("the untouched release", builds.filled(release, {}), 0.0, Outcome.GRADED),
        "wrong": lambda n: wrong(),
    }
    kinds = [kind for kind, share in SHARES.items() for _ in range(max(1, round(share * count)))]
    kinds += ["wrong"] * (count - len(kinds))
    rng.shuffle(kinds)
    seen, cases = collections.Counter(), []
    for number, kind in enumerate(kinds[:count], 1):
        what, content, score, outcome = makers[kind](seen[kind])
        seen[kind] += 1
        student = f"{demo.NAMES[number % len(demo.NAMES)]} {number:04}"
        cases.append(Case(student, kind, what, unlike(content, number), score, outcome))
    assert len({case.content for case in cases}) == len(cases)
    return cases


# ----------------------------------------------------------------------------------------- the command


def counted(log, arguments):
    """Run `seqlab ...` in this process and note every submission that is handed to a grading process."""
    from seqlab import cli
    from seqlab.grading import run

    submit, handle = run.Host.submit, os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def noted(self, number, submission, alone=False):
        os.write(handle, f"{hashlib.sha256(submission).hexdigest()}\n".encode())
        return submit(self, number, submission, alone)

    run.Host.submit = noted
    return cli.main(arguments)


def below(pid):
    """The processes that descend from one, its own sandboxes with them."""
    found, waiting = [], [pid]
    while waiting:
        with contextlib.suppress(OSError, ValueError):
            one = waiting.pop()
            for thread in os.listdir(f"/proc/{one}/task"):
                more = [int(child) for child in Path(f"/proc/{one}/task/{thread}/children").read_text().split()]
                found, waiting = found + more, waiting + more
    return found


def reap(process):
    """Bury orphans that have ended; our own child is left to its Popen."""
    for pid in below(os.getpid()):
        if process is None or pid != process.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def kept(path):
    """How many records the ledger holds now."""
    if not path.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute("SELECT count(*) FROM records").fetchone()[0]
    except sqlite3.Error:
        return 0


def run(home, cases, bundle, *, workers, kills, seed, quiet=False):
    """Grade the class with one command, killed and started again.

    Parameters
    ----------
    home : an empty folder; what the command writes beside its ledger would be found here.
    kills : how many times it is killed: at a random share of the class, and a random moment after that.

    Returns
    -------
    seconds : for which the command ran, all starts together.
    deaths : list of dicts: when it was killed and how many records there were.
    """
    rng, ledger, log = random.Random(seed + 1), home / "here" / "grades.sqlite", home / "submitted.log"
    instants = sorted(rng.uniform(0.03, 0.95) * len(cases) for _ in range(kills))
    command = [sys.executable, "-m", "tests.grading.thousand", "--counted", str(log), "grade", str(home / "class")]
    command += ["--assignment", str(bundle), "--ledger", str(ledger), "--workers", str(workers)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(home / "tmp"), "OMP_NUM_THREADS": "1"}
    for folder in ("here", "tmp"):
        (home / folder).mkdir()
    seconds, deaths = 0.0, []
    with tqdm.tqdm(total=len(cases), disable=quiet, unit="submission", mininterval=0.5) as bar:
        while True:
            started = time.monotonic()
            with open(home / "said.log", "ab") as said:
                process = subprocess.Popen(
                    command, cwd=home / "here", env=environment, stdout=said, stderr=said, start_new_session=True
                )
            limit, delay = instants[len(deaths)] if len(deaths) < kills else None, rng.uniform(0, 2)
            while process.poll() is None:
                reap(process)
                done = kept(ledger)
                bar.update(done - bar.n)
                if limit is not None and done >= limit:
                    time.sleep(delay)
                    break
                time.sleep(0.1)
            ended = process.poll()
            if ended is None:
                process.kill()
                process.wait()
            seconds += time.monotonic() - started
            if ended is not None:
                break
            deaths.append({"after_seconds": round(seconds, 1), "records": kept(ledger)})
            bar.set_postfix(killed=len(deaths))
        bar.update(kept(ledger) - bar.n)
    if ended != 0:
        raise SystemExit(f"the command ended with status {ended}:\n{(home / 'said.log').read_text()[-3000:]}")
    return seconds, deaths


# ---------------------------------------------------------------------------------------------- the proof


def verify(home, cases, assignment, *, workers, deaths, before=frozenset()):
    """Sentences on what is not as it must be; empty when all is well. And the standings.

    `before` are the processes that were there at the beginning: a test's own, say.
    """
    wrong = []
    limit = time.monotonic() + GONE_SECONDS
    while set(below(os.getpid())) - before and time.monotonic() < limit:
        reap(None)
        time.sleep(0.1)
    if left := set(below(os.getpid())) - before:
        names = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")[:80] for pid in left]
        wrong.append(f"{len(left)} processes are left: {names[:3]}")
    for folder, allowed in (("tmp", set()), ("here", {"grades.sqlite"})):
        if more := {path.name for path in (home / folder).iterdir()} - allowed:
            wrong.append(f"files are left in {folder}: {sorted(more)[:5]}")
    with contextlib.closing(sqlite3.connect(home / "here" / "grades.sqlite")) as db:
        records = collections.Counter(name for (name,) in db.execute("SELECT submission FROM records"))
    names = {hashlib.sha256(case.content).hexdigest(): case for case in cases}
    wrong += [f"no record of {names[name].student}" for name in names.keys() - records.keys()]
    wrong += [f"a record of nobody's submission {name[:12]}" for name in records.keys() - names.keys()]
    wrong += [f"{count} records of {names[name].student}" for name, count in records.items() if count > 1]
    runs = collections.Counter((home / "submitted.log").read_text().split())
    wrong += [f"{case.student} has a record and was never run" for name, case in names.items() if not runs[name]]
    again = sum(count - 1 for count in runs.values())
    if again > workers * len(deaths):
        wrong.append(f"{again} submissions were run again after {len(deaths)} kills of {workers} workers")
    with Ledger(home / "here" / "grades.sqlite") as ledger:
        standings = {one.student: one for one in ledger.standings(assignment.name)}
    for case in cases:
        standing = standings.get(case.student)
        if standing is None or standing.record is None:
            wrong.append(f"{case.student} has no standing")
        elif abs(standing.score - case.score) > 1e-9 or standing.record.outcome is not case.outcome:
            told = f"{standing.score:g} points, {standing.record.outcome}, not {case.score:g}, {case.outcome}"
            problems = "; ".join(standing.record.problems) or [(c.id, str(c.state)) for c in standing.record.checks]
            wrong.append(f"{case.student} ({case.kind}: {case.what}) has {told} ({problems})")
    return wrong, standings, again


def measure(source, count, *, workers=2, kills=3, seed=0, keep=None, quiet=False):
    """All of it: a dict of what was measured, with the sentences on what is wrong under `wrong`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)
    assignment, variants, release = load(Path(source))
    cases = make(assignment, variants, release, count, seed)
    before = frozenset(below(os.getpid()))
    with contextlib.ExitStack() as stack:
        home = Path(keep) if keep else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sq")))
        if keep:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
        bundle = home / "bundle" / assignment.name
        (bundle / "instructor").mkdir(parents=True)
        (bundle / "instructor" / "assignment.json").write_text(assignment.dumps(), encoding="utf-8")
        (home / "class").mkdir()
        for case in cases:
            (home / "class" / f"{case.student}.ipynb").write_bytes(case.content)
        seconds, deaths = run(home, cases, bundle, workers=workers, kills=kills, seed=seed, quiet=quiet)
        wrong, standings, again = verify(home, cases, assignment, workers=workers, deaths=deaths, before=before)
        if len(deaths) != kills:
            wrong.append(f"it was killed {len(deaths)} times, not {kills}: the class was too small")
    records = [one.record for one in standings.values() if one.record]
    libraries = ("numpy", "nbval", "pytest", "ipykernel", "jupyter-client", "pyzmq")
    return {
        "date": datetime.date.today().isoformat(),
        "assignment": assignment.name,
        "submissions": count,
        "mix": dict(sorted(collections.Counter(case.kind for case in cases).items())),
        "limits": {"cell_seconds": assignment.cell_seconds, "memory_mb": assignment.memory_mb},
        "checks_each": len(assignment.checks),
        "cores": os.cpu_count(),
        "workers": workers,
        "seed": seed,
        "killed": deaths,
        "run_again_after_a_kill": again,
        "records": len(records),
        "as_declared": count - len([line for line in wrong if " has " in line]),
        "wrong": wrong,
        "seconds": round(seconds, 1),
        "notebooks_a_minute": round(60 * count / seconds, 1),
        "submissions_by_outcome": dict(sorted(collections.Counter(str(one.outcome) for one in records).items())),
        "submissions_with_a_check_in_state": dict(
            sorted(
                collections.Counter(s for one in records for s in {str(check.state) for check in one.checks}).items()
            )
        ),
        "checks_by_state": dict(
            sorted(collections.Counter(str(check.state) for one in records for check in one.checks).items())
        ),
        "versions": {"python": platform.python_version()}
        | {library: importlib.metadata.version(library) for library in libraries},
    }


def main():
    """The command line."""
    if sys.argv[1:2] == ["--counted"]:
        return counted(sys.argv[2], sys.argv[3:])
    about = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(prog="python -m tests.grading.thousand", description=about[0], epilog=about[2])
    parser.add_argument("--count", type=int, default=1000, help="how many submissions (1000)")
    parser.add_argument("--workers", type=int, default=2, help="processes that grade side by side (2)")
    parser.add_argument("--kills", type=int, default=3, help="how many times the command is killed (3)")
    parser.add_argument("--seed", type=int, default=0, help="of the class and the moments of the kills (0)")
    parser.add_argument(
        "--source", type=Path, default=ROOT / "assignments" / ASSIGNMENT, help="the assignment's folder"
    )
    parser.add_argument("--out", type=Path, help=f"the JSON file (with 1000 or more {OUT.relative_to(ROOT)})")
    parser.add_argument("--keep", type=Path, help="a folder for class, ledger and log; it is emptied first")
    given = parser.parse_args()
    if given.count < 10 or given.workers < 1 or given.kills < 0:
        parser.error("give at least 10 submissions, 1 worker and 0 kills")
    found = measure(
        given.source, given.count, workers=given.workers, kills=given.kills, seed=given.seed, keep=given.keep
    )
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    print(text)
    out = given.out or (OUT if given.count >= 1000 and not found["wrong"] else None)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    told = f"{found['records']} records of {given.count} submissions, {found['notebooks_a_minute']} a minute"
    print(f"{told}: {'all as declared' if not found['wrong'] else 'NOT as declared'}.")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
