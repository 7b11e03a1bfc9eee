"""Grades a class into a ledger; what is there already is not run again.

Every step is kept before the next begins: the submissions' bytes, who handed in what, then record after record. Killed
at any instant, the same command goes on with what is missing.
"""

import contextlib
import hashlib
import json

KEPT_AT_ONCE = 50  # submissions in one transaction


def refusal(assignment, student, why):
    """The record of a submission that could not even be read: a person must look; never a silent zero."""
    from seqlab.grading.model import CheckResult, Outcome, Record, State

    checks = [CheckResult(one.id, one.answer, State.NOT_RUN, 0.0, one.points) for one in assignment.checks]
    name = hashlib.sha256(f"unreadable:{student}:{why}".encode("utf-8", "surrogateescape")).hexdigest()
    return Record(assignment.name, name, 0, Outcome.REFUSED, checks, [why])


@contextlib.contextmanager
def _graders(scheduler, workers, trusted):
    """A function (items, assignment, on_result) that grades: on a cluster, or with this machine's own processes."""
    if scheduler is None:
        from seqlab.grading.run import grade_many

        yield lambda items, assignment, keep: grade_many(
            items, assignment, workers=workers, trusted=trusted, on_result=keep
        )
        return
    from seqlab.grading.cluster import Cluster

    with Cluster(scheduler, workers=workers, trusted=trusted) as cluster:
        yield cluster.grade_many


class _Variants:
    """The assignments of a class: each student's own, and the key under which the ledger keeps its records."""

    def __init__(self, assignment, ledger, trusted):
        from seqlab.grading.build import environment, grader_version
        from seqlab.grading.ledger import hash_text

        self.assignment, self.ledger, self.keys = assignment, ledger, {}
        self.rest = grader_version(), hash_text(json.dumps([environment(), bool(trusted)], sort_keys=True))

    def of(self, student, content):
        """(Assignment, Key) of what this student handed in."""
        from seqlab.grading.ledger import Key
        from seqlab.grading.personal import personalise

        own = personalise(self.assignment, student, content)
        text = own.dumps() if own is not self.assignment else ""
        if text not in self.keys:
            self.keys[text] = own, Key(self.ledger.note_assignment(own), *self.rest)
        return self.keys[text]


def grade_class(found, assignment, ledger, *, workers, trusted, progress, scheduler=None, times=None):
    """Grade submissions into a ledger; what is there already is not run again.

    Parameters
    ----------
    found : list of Submitted, as `collect` gives it.
    assignment : Assignment, as the bundle holds it; every student is graded by her own variant of it.
    ledger : seqlab.grading.ledger.Ledger.
    workers, trusted : as `run.grade_many` takes them.
    progress : called with ("grade", done, total).
    scheduler : where to grade, as `cluster.Cluster` takes it; None for processes of this machine alone.
    times : dict of student -> aware datetime, what the instructor says of the time of handing in.

    Returns
    -------
    fresh : how many were run now.
    """
    from seqlab.grading.personal import own_copy

    variants, people, when, groups, done = _Variants(assignment, ledger, trusted), [], {}, {}, set()
    keeping, counting = [], {}
    for student, content, why, *more in found:
        own, key = variants.of(student, content)
        when |= {student: tuple(more)} if more and more[0] is not None else {}
        if content is None:
            record = refusal(own, student, why)
            ledger.add(record, key)
            people.append((student, record.submission))
            done.add((record.submission, key))
            continue
        content = own_copy(content, assignment, student)
        name = hashlib.sha256(content).hexdigest()
        people.append((student, name))
        counting.setdefault(key, []).append(name)
        keeping.append(content)
        if len(keeping) == KEPT_AT_ONCE:
            ledger.keep_all(keeping)
            keeping = []
        if ledger.find(name, key) is None:
            groups.setdefault(key, (own, {}))[1][name] = content
        else:
            done.add((name, key))
    ledger.keep_all(keeping)
    when |= {student: (moment, "given") for student, moment in (times or {}).items()}
    ledger.note_submissions(assignment.name, people, when)
    for key, names in counting.items():  # an assignment that was changed back has records older than the newest
        ledger.choose(assignment.name, names, key)
    fresh = sum(len(todo) for _, todo in groups.values())
    count, total = len(done), len(done) + fresh
    progress("grade", count, total)
    if not groups:
        return 0
    with _graders(scheduler, workers, trusted) as grade_some:
        for key, (own, todo) in groups.items():

            def keep(_, record, key=key):
                nonlocal count
                ledger.add(record, key)
                count += 1
                progress("grade", count, total)

            grade_some(list(todo.items()), own, keep)
    return fresh
