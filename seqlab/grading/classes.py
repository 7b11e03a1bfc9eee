"""Grades a class into a ledger; what is there already is not run again."""


def refusal(assignment, student, why):
    """The record of a submission that could not even be read: a person must look; never a silent zero."""
    import hashlib

    from seqlab.grading.model import CheckResult, Outcome, Record, State

    checks = [CheckResult(one.id, one.answer, State.NOT_RUN, 0.0, one.points) for one in assignment.checks]
    name = hashlib.sha256(f"unreadable:{student}:{why}".encode("utf-8", "surrogateescape")).hexdigest()
    return Record(assignment.name, name, 0, Outcome.REFUSED, checks, [why])


def grade_class(found, assignment, ledger, *, workers, trusted, progress):
    """Grade submissions into a ledger; what is there already is not run again.

    Parameters
    ----------
    found : list of (student, bytes or None, sentence), as `collect` gives it.
    ledger : seqlab.grading.ledger.Ledger.

    Returns
    -------
    fresh : how many were run now.
    """
    import hashlib
    import json

    from seqlab.grading.build import environment, grader_version
    from seqlab.grading.ledger import Key, hash_text
    from seqlab.grading.run import grade_many

    key = Key(
        ledger.note_assignment(assignment),
        grader_version(),
        hash_text(json.dumps([environment(), bool(trusted)], sort_keys=True)),
    )
    people, todo = [], {}
    for student, content, why in found:
        if content is None:
            record = refusal(assignment, student, why)
            ledger.add(record, key)
            people.append((student, record.submission))
            continue
        name = hashlib.sha256(content).hexdigest()
        people.append((student, name))
        if ledger.find(name, key) is None:
            todo[name] = content
    ledger.note_submissions(assignment.name, people)
    done = len({name for _, name in people}) - len(todo)
    total = done + len(todo)
    progress("grade", done, total)

    def keep(_, record):
        nonlocal done
        ledger.add(record, key)
        done += 1
        progress("grade", done, total)

    grade_many(list(todo.items()), assignment, workers=workers, trusted=trusted, on_result=keep)
    return len(todo)
