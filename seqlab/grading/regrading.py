"""Grades a class again from what the ledger kept, and says what changed and why.

A submission is run again only when something that its record depends on is different now: the assignment, the grader
or the environment. Old records stay in the ledger; the new ones count.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from seqlab.grading.classes import grade_class

PARTS = ("assignment", "grader", "environment")


@dataclass(frozen=True)
class Change:
    """One line of the comparison: a check, or the whole score (check is "")."""

    student: str
    check: str
    title: str
    old: str
    new: str
    why: str


@dataclass
class Regraded:
    """What a regrade did.

    Attributes
    ----------
    students : how many were looked at.
    again : students whose record is another one now.
    rose, fell : of these, whose final score is higher or lower.
    same : how many have the record that they had, because nothing that it depends on has changed.
    lost : (student, sentence) of those that could not be graded again.
    changes : list of Change, of a student one after the other.
    before, after : the class's mean final score.
    """

    students: int = 0
    again: list = field(default_factory=list)
    rose: list = field(default_factory=list)
    fell: list = field(default_factory=list)
    same: int = 0
    lost: list = field(default_factory=list)
    changes: list = field(default_factory=list)
    before: float = 0.0
    after: float = 0.0


def regrade(assignment, ledger, *, students=(), dry=False, workers, trusted, progress, scheduler=None):
    """Grade the last submission of each student again, from the bytes that the ledger kept.

    Parameters
    ----------
    assignment : Assignment, as the bundle holds it now.
    students : names; all when there are none.
    dry : try it on a copy of the ledger: this one stays as it is.
    workers, trusted, progress, scheduler : as `grade_class` takes them.

    Returns
    -------
    done : Regraded.

    Raises
    ------
    ValueError
        naming a student who has handed in nothing.
    """
    name = assignment.name
    standings = {one.student: one for one in ledger.standings(name)}
    for student in students:
        if student not in standings:
            raise ValueError(f"{student!r} has handed in nothing for {name}: look at the names in the report.")
    chosen = [one for one in standings.values() if not students or one.student in students]
    found, lost = [], []
    for one in chosen:
        content = ledger.content(one.submission)
        if content is not None:
            found.append((one.student, content, ""))
        elif one.record is not None and one.record.outcome == "refused":
            lost.append((one.student, "what was handed in could not be read"))
        else:
            lost.append((one.student, "its bytes were not kept: give the folder to `seqlab grade` once more"))
    keys = ledger.current_keys(name)
    more = {"workers": workers, "trusted": trusted, "progress": progress, "scheduler": scheduler}
    if not dry:
        grade_class(found, assignment, ledger, **more)
        return _compared(assignment, standings, keys, ledger, chosen, lost)
    with tempfile.TemporaryDirectory(prefix="sq") as folder, ledger.copy(Path(folder) / "copy.sqlite") as copy:
        grade_class(found, assignment, copy, **more)
        return _compared(assignment, standings, keys, copy, chosen, lost)


def _compared(assignment, before, keys, ledger, chosen, lost):
    """Compare what stood with what stands now."""
    after = {one.student: one for one in ledger.standings(assignment.name)}
    now = ledger.current_keys(assignment.name)
    done, lost_names = Regraded(len(chosen), lost=lost), {student for student, _ in lost}
    titles = {one["id"]: one["title"] for one in ledger.face(assignment.name)["checks"]}
    for old in chosen:
        new = after[old.student]
        if keys.get(old.submission) == now.get(new.submission):
            done.same += old.student not in lost_names
            continue
        done.again.append(old.student)
        why = _why(keys.get(old.submission), now[new.submission])
        done.changes += _changes(old, new, titles, why)
        if new.score != old.score:
            (done.rose if new.score > old.score else done.fell).append(old.student)
    done.before = _mean(before[one.student].score for one in chosen)
    done.after = _mean(after[one.student].score for one in chosen)
    return done


def _mean(scores):
    scores = list(scores)
    return sum(scores) / len(scores) if scores else 0.0


def _why(old, new):
    if old is None:
        return "it was not graded yet"
    changed = [part for part in PARTS if getattr(old, part) != getattr(new, part)]
    return f"the {' and the '.join(changed)} changed"


def _changes(old, new, titles, why):
    """The lines of one student: checks that ended otherwise, then the final score if it is another."""
    sides = [{one.id: one for one in side.record.checks} if side.record else {} for side in (old, new)]
    for name in dict.fromkeys([*sides[1], *sides[0]]):
        was, is_ = (_state(side.get(name)) for side in sides)
        if was != is_:
            yield Change(old.student, name, titles.get(name, name), was, is_, why)
    if old.record and new.record and old.record.outcome != new.record.outcome:
        yield Change(old.student, "outcome", "the submission", str(old.record.outcome), str(new.record.outcome), why)
    if old.score != new.score or old.points != new.points:
        scores = (f"{one.score:g} of {one.points:g}" for one in (old, new))
        yield Change(old.student, "", "final score", *scores, why)


def _state(result):
    return f"{result.state}, {result.earned:g} of {result.points:g}" if result else "not there"
