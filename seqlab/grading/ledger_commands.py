"""`seqlab regrade`, `export`, `deadline`, `adjust`, `mark` and `history`: what instructors do with the ledger.

Whatever a person enters is appended with a reason, a date and a name (`SEQLAB_BY`, else the login name). Nothing is
ever edited: to correct an entry, make another, or take it back with `seqlab adjust --withdraw`.
"""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.commands import BUNDLES, LEDGER, Bundles, LedgerFile, Workers, bar, bundle_of, terminal, write
from seqlab.grading.instructor_commands import open_ledger

PROGRAMS = ("csv", "canvas", "moodle", "gradescope")
LINES = 60  # of a table of changes that are printed
Name = Annotated[str, typer.Option("--assignment", help="The assignment's name.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words; the student reads it.")]


def _table(console, title, head, rows, numbers=()):
    """Print a table; every cell is a stranger's text."""
    from rich.markup import escape
    from rich.table import Table

    from seqlab.grading.exports import plain

    table = Table(title=escape(title), title_justify="left")
    for name in head:
        table.add_column(name, overflow="fold", justify="right" if name in numbers else "left")
    for row in rows:
        table.add_row(*(escape(plain(cell)) for cell in row))
    console.print(table)


def _said(console, text):
    from seqlab.grading.exports import plain

    console.print(plain(text), markup=False, soft_wrap=True)


def _noun(count, one, many=""):
    return f"{count} {one if count == 1 else many or one + 's'}"


# ------------------------------------------------------------------------------------------------ regrade


def regrade(
    assignment: Name,
    student: Annotated[list[str] | None, typer.Option(help="This student alone; may be given more than once.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change and keep nothing.")] = False,
    to: Annotated[Path | None, typer.Option(help="Write all changes to this CSV file.")] = None,
    workers: Workers = 2,
    scheduler: Annotated[str | None, typer.Option(help="Grade with Dask, as `seqlab grade` does.")] = None,
    trusted: Annotated[bool, typer.Option(help="Run without the sandbox, if the class was graded so.")] = False,
    ledger: LedgerFile = LEDGER,
    bundles: Bundles = BUNDLES,
):
    """Grade a class again with the assignment as it is built now, and show whose marks change.

    The submissions are taken from the ledger. Only what depends on something that has changed is run: the assignment,
    the grader or the environment. Old records stay in the history.

    Example: seqlab regrade --assignment 04_gated_units --dry-run
    """
    from seqlab.grading.build import load_bundle
    from seqlab.grading.commands import need_sandbox
    from seqlab.grading.regrading import regrade as again

    loaded = load_bundle(bundle_of(assignment, bundles))
    console = terminal()
    book, _ = open_ledger(ledger, loaded.name)
    if not trusted and scheduler in (None, "local"):
        need_sandbox()
    with book, bar(console, {"grade": f"grading {loaded.name} again"}) as progress:
        done = again(
            loaded, book, students=tuple(student or ()), dry=dry_run, workers=workers, trusted=trusted,
            progress=progress, scheduler=scheduler,
        )  # fmt: skip
    if to is not None:
        _write_changes(to, done)
    _show_regraded(console, loaded, done, dry_run, to)


def _write_changes(path, done):
    import csv

    from seqlab.grading.exports import MARK, safe

    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(["student", "check", "title", "old", "new", "why"])
    for one in done.changes:
        table.writerow([safe(cell) for cell in (one.student, one.check, one.title, one.old, one.new, one.why)])
    write(path, MARK + out.getvalue())


def _show_regraded(console, assignment, done, dry, to):
    for why in dict.fromkeys(why for _, why in done.lost):
        names = [student for student, told in done.lost if told == why]
        more = f" and {_noun(len(names) - 5, 'other')}" if len(names) > 5 else ""
        _said(console, f"Not graded again: {', '.join(names[:5])}{more}: {why}.")
    if not done.again:
        verb = "depends" if done.same == 1 else "depend"
        told = f"{_noun(done.same, 'record')} of {assignment.name} {verb} on nothing that has changed"
        _said(console, f"Nothing to do: {told}." if done.same else f"Nothing of {assignment.name} was graded again.")
        return
    if done.changes:
        head = ("student", "check", "old", "new", "why")
        rows = [(one.student, one.title, one.old, one.new, one.why) for one in done.changes]
        _table(console, "What would change" if dry else "What changed", head, rows[:LINES])
        if len(rows) > LINES:
            where = f"they are in {to}" if to else "--to FILE writes them all"
            _said(console, f"and {len(rows) - LINES} lines more; {where}.")
    rose, fell = len(done.rose), len(done.fell)
    stayed = len(done.again) - rose - fell
    _said(
        console,
        f"{_noun(len(done.again), 'submission')} of {assignment.name} graded again: {rose} rose, {fell} fell, "
        f"{stayed} stayed; {done.same} did not need it. Mean {done.before:.3g} before, {done.after:.3g} after.",
    )
    if dry:
        _said(console, "Nothing was kept; without --dry-run the new marks count.")
    else:
        _said(console, "The old records stay in the ledger: `seqlab history STUDENT` shows them.")


# ------------------------------------------------------------------------------------------------- export


def export(
    to: Annotated[str, typer.Option(help=f"For which program: {', '.join(PROGRAMS)}.")],
    out: Annotated[Path, typer.Option(help="The file to write; a folder for gradescope, and for csv of several.")],
    assignment: Annotated[str | None, typer.Option(help="This assignment alone.")] = None,
    roster: Annotated[
        Path | None, typer.Option(help="Canvas's gradebook export, or Moodle's grading worksheet: its identifiers.")
    ] = None,
    provisional: Annotated[
        bool, typer.Option(help="Give Canvas and Moodle scores, too, that still wait for marks of a written answer.")
    ] = False,
    ledger: LedgerFile = LEDGER,
):
    """Write the scores for another program.

    Students who are not in the roster, or fit more than one line of it, are told and left out: then the status is 1.

    Example: seqlab export --to canvas --roster canvas-export.csv --out scores.csv
    """
    if to not in PROGRAMS:
        raise ValueError(f"{to!r} is no program: use one of {', '.join(PROGRAMS)}.")
    if roster is not None and to not in ("canvas", "moodle"):
        raise ValueError(f"--roster is for canvas and moodle; {to} needs none.")
    book, names = open_ledger(ledger, assignment)
    with book:
        if not names:
            raise ValueError(f"The ledger {ledger} holds no submissions yet: run `seqlab grade` first.")
        faces, classes = [book.face(name) for name in names], [book.standings(name) for name in names]
    placed = EXPORTS[to](faces, classes, out, roster, provisional)
    console = terminal()
    for remark in placed.remarks:
        _said(console, remark)
    if placed.lost:
        _table(console, "Left out", ("student", "why"), placed.lost)
    if placed.absent:
        few = ", ".join(placed.absent[:5]) + (" and others" if len(placed.absent) > 5 else "")
        _said(console, f"{len(placed.absent)} of the roster handed in nothing: {few}.")
    _said(console, f"Written: {out}.")
    waiting = sum(len(one.pending) for standings in classes for one in standings)
    if waiting and to in ("csv", "gradescope"):
        _said(console, f"{_noun(waiting, 'written answer')} not marked yet: see `seqlab mark`.")
    return 1 if placed.lost else 0


def _file(out):
    if out.is_dir():
        raise ValueError(f"{out} is a folder: give the name of a file.")
    return out


def _folder(out):
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: give a folder.")
    return out


def _export_csv(faces, classes, out, roster, provisional):
    from seqlab.grading.exports import MARK, Placed, to_csv

    single = out.suffix.lower() == ".csv"
    if single and len(faces) > 1:
        known = ", ".join(face["name"] for face in faces)
        raise ValueError(f"{out} is one file and the ledger has several assignments ({known}): add --assignment.")
    for face, standings in zip(faces, classes, strict=True):
        path = _file(out) if single else _folder(out) / f"{face['name']}.csv"
        write(path, MARK + to_csv(face, standings))
    return Placed()


def _export_canvas(faces, classes, out, roster, provisional):
    from seqlab.grading.exports import Placed, into_canvas, to_canvas

    if roster is not None:
        text, placed = into_canvas(roster, faces, classes, provisional)
    else:
        text, placed = to_canvas(faces, classes, provisional), Placed()
        placed.remarks.append("Without --roster Canvas must know the students by these very logins.")
        for face, standings in zip(faces, classes, strict=True):
            placed.lost += [
                (one.student, f"{face['name']}: {', '.join(one.pending)} waits for marks")
                for one in standings
                if one.pending and not provisional
            ]
    write(_file(out), text)
    return placed


def _export_moodle(faces, classes, out, roster, provisional):
    from seqlab.grading.exports import into_moodle

    if roster is None:
        raise ValueError("Moodle needs its own grading worksheet: download it there and give it with --roster.")
    if len(faces) > 1:
        known = ", ".join(face["name"] for face in faces)
        raise ValueError(f"Moodle's worksheet is of one assignment: add --assignment (there: {known}).")
    text, placed = into_moodle(roster, faces[0], classes[0], provisional)
    write(_file(out), text)
    return placed


def _export_gradescope(faces, classes, out, roster, provisional):
    from seqlab.grading.exports import Placed, file_name, to_gradescope

    for face, standings in zip(faces, classes, strict=True):
        place = _folder(out) / face["name"] if len(faces) > 1 else _folder(out)
        for one in standings:
            write(place / file_name(one.student) / "results.json", to_gradescope(face, one))
    return Placed()


EXPORTS = dict(zip(PROGRAMS, (_export_csv, _export_canvas, _export_moodle, _export_gradescope), strict=True))


# ----------------------------------------------------------------------------------------------- deadline


def deadline(
    assignment: Annotated[str, typer.Argument(help="The assignment's name.")],
    due: Annotated[str | None, typer.Option(help='Date and time, such as "2026-12-01 23:59".')] = None,
    zone: Annotated[
        str, typer.Option(help="On which clock, such as Europe/Rome; else the earlier deadline's, or this machine's.")
    ] = "",
    grace: Annotated[float | None, typer.Option(help="Minutes after it that cost nothing.")] = None,
    per_day: Annotated[float | None, typer.Option(help="Percent of the score taken for each day begun.")] = None,
    most: Annotated[float | None, typer.Option(help="Percent that days alone never exceed.")] = None,
    refuse_after: Annotated[float | None, typer.Option(help="Days after which nothing counts.")] = None,
    student: Annotated[str, typer.Option(help="An extension for this student alone.")] = "",
    reason: Annotated[str, typer.Option(help="Why; an extension needs one.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the deadline, or the extension, away.")] = False,
    ledger: LedgerFile = LEDGER,
    bundles: Bundles = BUNDLES,
):
    """Set when an assignment is due and what lateness costs, or show it.

    What is not given stays as it was. Penalties are computed whenever scores are shown, so a deadline may be set
    before or after grading.

    Example: seqlab deadline 04_gated_units --due "2026-12-01 23:59" --zone Europe/Rome --grace 10 --per-day 10

    Example: seqlab deadline 04_gated_units --student ada --due "2026-12-05 23:59" --reason "ill"
    """
    from seqlab.grading import late
    from seqlab.grading.ledger import Ledger

    given = (grace, per_day, most, refuse_after)
    late.given_terms(due, zone, *given)  # a mistake is told before a ledger is made
    console = terminal()
    _check_assignment(assignment, ledger, bundles)
    with Ledger(ledger) as book:
        kept = book.deadlines(assignment)
        clock = zone or (kept.get(student) or kept.get("") or {}).get("zone", "")  # that of the deadline before
        terms = late.given_terms(due, clock if due else zone, *given)
        if remove and terms:
            raise ValueError("--remove takes no other terms: leave them out.")
        if terms or remove:
            book.set_deadline(assignment, None if remove else terms, reason, student)
        elif student:
            raise ValueError(f"Give --due for the extension of {student!r}, or --remove to take it away.")
        _show_deadline(console, book, assignment, student)


def _check_assignment(assignment, ledger, bundles):
    """Refuse the name of an assignment that nobody knows: a deadline for it would have no effect, unnoticed."""
    from seqlab.grading.ledger import Ledger

    known = set()
    if ledger.is_file():
        with Ledger(ledger, must_exist=True) as book:
            known = set(book.assignments())
    known |= {path.parent.parent.name for path in bundles.glob("*/instructor/assignment.json")}
    if assignment not in known:
        there = ", ".join(sorted(known)) or "none"
        raise ValueError(f"There is no assignment {assignment!r}, graded or built (there: {there}).")


def _show_deadline(console, book, assignment, student):
    from seqlab.grading import late

    given = book.deadlines(assignment)
    terms = late.terms_of(given.get(""))
    _said(console, f"{assignment}: {terms.sentence if terms else 'no deadline'}.")
    for name, own in sorted(given.items()):
        if name:
            _said(console, f"{name}: {late.extended(given.get(''), own).sentence}.")
    standings = book.standings(assignment)
    if student and student not in {one.student for one in standings}:
        _said(console, f"Note: {student} has handed in nothing yet; look that the name is the one in the report.")
    behind = [one for one in standings if one.late_sentence]
    if behind:
        rows = [(one.student, one.late_sentence) for one in behind]
        _table(console, "Late", ("student", "what the student reads"), rows)
    unknown = [one.student for one in standings if terms and one.handed_in is None]
    if unknown:
        few = ", ".join(unknown[:5]) + (" and others" if len(unknown) > 5 else "")
        _said(console, f"When {_noun(len(unknown), 'student')} handed in is not known, so nothing is taken: {few}.")


# ------------------------------------------------------------------------------------------------- adjust


def adjust(
    student: Annotated[str, typer.Argument(help="The student's name as in the report.")],
    assignment: Name,
    reason: Reason,
    add: Annotated[float | None, typer.Option(help="Points to add (or take away).")] = None,
    override: Annotated[float | None, typer.Option(help="The score to set.")] = None,
    late: Annotated[float | None, typer.Option(help="Late penalty in percent, in place of the deadline's.")] = None,
    withdraw: Annotated[int | None, typer.Option(help="The number of an entry to take back; see history.")] = None,
    check: Annotated[str, typer.Option(help="The check or written question concerned; else the whole.")] = "",
    ledger: LedgerFile = LEDGER,
):
    """Add points by hand, set a score, enter a late penalty, or take such an entry back.

    Example: seqlab adjust ada --assignment 04_gated_units --add 1 --reason "right idea, wrong sign"
    """
    kinds = (("manual", add), ("override", override), ("late", late), ("withdraw", withdraw))
    given = {kind: amount for kind, amount in kinds if amount is not None}
    if len(given) != 1:
        raise ValueError("Give exactly one of --add, --override, --late and --withdraw.")
    ((kind, amount),) = given.items()
    if kind == "withdraw" and check:
        raise ValueError("--withdraw takes back a whole entry: leave --check out.")
    book, _ = open_ledger(ledger, assignment)
    with book:
        before = _standing(book, assignment, student)
        if kind == "withdraw":
            book.withdraw(assignment, student, amount, reason)
        else:
            book.adjust(assignment, student, kind, amount, reason, check)
        now = _standing(book, assignment, student)
    console = terminal()
    if now.record is None:
        console.print(f"{student} is not graded yet; the entry counts as soon as it is.", markup=False)
        return
    console.print(f"{student} now has {now.score:g} of {now.points:g} points in {assignment}.", markup=False)
    if now.score == before.score:
        _said(console, f"That is what it was; `seqlab history {student} --assignment {assignment}` shows why.")


def _standing(book, assignment, student):
    """One student's Standing; a sentence when there is none."""
    standings = {one.student: one for one in book.standings(assignment)}
    if student not in standings:
        near = [name for name in standings if name.casefold() == student.casefold()]
        told = f"there is {near[0]!r}" if near else "look at the names in the report"
        raise ValueError(f"{student!r} has handed in nothing for {assignment}; {told}.")
    return standings[student]


# ------------------------------------------------------------------------------------------------ history


def history(
    student: Annotated[str, typer.Argument(help="The student's name as in the report.")],
    assignment: Name,
    ledger: LedgerFile = LEDGER,
):
    """Show everything that made a student's score: who did what, when and why, and how the score is made.

    Example: seqlab history ada --assignment 04_gated_units
    """
    from seqlab.grading.exports import number

    book, _ = open_ledger(ledger, assignment)
    with book:
        standing = _standing(book, assignment, student)
        rows = _timeline(book, assignment, student)
    console = terminal()
    _table(console, f"{student}, {assignment}", ("when", "who", "what"), rows)
    steps = [(what, number(points)) for what, points in standing.account]
    _table(console, "How the score is made", ("step", "points"), steps, numbers=("points",))
    for entry in standing.without_effect:
        _said(console, f"Entry {entry.number} has no effect: {entry.check} is not in the assignment any more.")


def _timeline(book, assignment, student):
    """What happened, oldest first: (when, who, what)."""
    from seqlab.grading import late

    events = []
    for at, by, submission, size in book.handed_in(assignment, student):
        kept = f"{size:,} bytes kept" if size is not None else "bytes not kept"
        events.append((at, by, f"collected submission {submission[:12]} ({kept})"))
    words = {"file": "the file's own time", "stamp": "a timestamp", "given": "told by the instructor"}
    terms = late.terms_of(book.deadlines(assignment).get(""))
    for at, by, submission, when, how in book.time_entries(assignment, student):
        came = late.moment(datetime.fromisoformat(when).astimezone(terms.due.tzinfo if terms else UTC))
        events.append((at, by, f"submission {submission[:12]} was handed in at {came} ({words[how]})"))
    before = {}
    for at, record, key, by in book.gradings(assignment, student):
        events.append((at, by, _graded(record, before.get(record.submission), key)))
        before[record.submission] = key
    for at, by, submission, key in book.choice_entries(assignment, student):
        told = f"an earlier grading of {submission[:12]} counts again"
        events.append((at, by, f"{told} (assignment {key.assignment[:8]}, grader {key.grader[:8]})"))
    taken = {int(e.amount): e.number for e in book.entries(assignment).get(student, ()) if e.kind == "withdraw"}
    for entry in book.entries(assignment).get(student, ()):
        gone = f" [taken back by {taken[entry.number]}]" if entry.number in taken else ""
        events.append((entry.at, entry.by, f"entry {entry.number}: {_entry(entry)}{gone}"))
    for whose, terms, reason, by, at in book.deadline_entries(assignment):
        if whose in ("", student):
            events.append((at, by, _deadline_words(whose, terms, reason)))
    return [(_clock(at), by or "–", what) for at, by, what in sorted(events, key=lambda event: event[0])]


def _clock(at):
    return at.replace("T", " ").removesuffix("+00:00") + " UTC"


def _graded(record, before, key):
    from seqlab.grading.exports import number
    from seqlab.grading.regrading import PARTS

    told = f"graded {record.submission[:12]}: {number(record.score)} of {number(record.points)} by the checks"
    told += "" if record.outcome == "graded" else f", {record.outcome}"
    changed = [part for part in PARTS if before and getattr(before, part) != getattr(key, part)]
    return told + (f"; the {' and the '.join(changed)} had changed" if changed else "")


def _entry(entry):
    from seqlab.grading.exports import number

    where, amount = f" of {entry.check}" if entry.check else "", number(entry.amount)
    if entry.kind == "rubric":
        items = ", ".join(f"{item} {number(points)}" for item, points in entry.items)
        said = f": {entry.reason}" if entry.reason else ""
        return f"marks{where}, {amount} points ({items}){said}"
    words = {
        "manual": f"{'+' if entry.amount >= 0 else ''}{amount} points{where}",
        "override": f"the {'points' if entry.check else 'whole'}{where} set to {amount}",
        "late": f"late penalty of {amount} %",
        "withdraw": f"entry {amount} taken back",
    }
    return f"{words[entry.kind]}: {entry.reason}"


def _deadline_words(whose, terms, reason):
    from seqlab.grading import late

    what = f"extension of {whose}" if whose else "deadline"
    told = f"{what} taken away" if terms is None else f"{what}: {late.words(terms)}"
    return told + (f" ({reason})" if reason else "")


# --------------------------------------------------------------------------------------------------- mark


def mark(
    assignment: Name,
    student: Annotated[str, typer.Argument(help="Mark this student's answer, or show it.")] = "",
    question: Annotated[str, typer.Option(help="The written question; needed where there are several.")] = "",
    to: Annotated[Path | None, typer.Option(help="Write a page to read and a table to fill in to this folder.")] = None,
    from_: Annotated[Path | None, typer.Option("--from", help="Take the marks from such a table, filled in.")] = None,
    give: Annotated[list[str] | None, typer.Option(help="ITEM=POINTS of the rubric; once for each item.")] = None,
    comment: Annotated[str, typer.Option(help="What the student reads beside the marks.")] = "",
    force: Annotated[bool, typer.Option(help="Replace a table whose marks were not taken.")] = False,
    ledger: LedgerFile = LEDGER,
    bundles: Bundles = BUNDLES,
):
    """Mark written answers by their rubric, for the whole class or one by one.

    Example: seqlab mark --assignment 05_word_vectors_and_bias --to marking

    Example: seqlab mark --assignment 05_word_vectors_and_bias --from marking/what-remains.csv

    Example: seqlab mark ada --assignment 05_word_vectors_and_bias --give why=2 --comment "well put"
    """
    ways = [bool(student), to is not None, from_ is not None]
    if sum(ways) > 1:
        raise ValueError("Give one of a student's name, --to and --from.")
    if (give or comment) and not student:
        raise ValueError("--give and --comment are for one student: give the name, or use --from for a table.")
    console = terminal()
    book, _ = open_ledger(ledger, assignment)
    with book:
        questions = {one["id"]: one for one in book.face(assignment).get("manuals", ())}
        if not questions:
            raise ValueError(f"{assignment} has no written questions: there is nothing to mark.")
        if question and question not in questions:
            raise ValueError(f"{question!r} is no written question of {assignment} (there: {', '.join(questions)}).")
        chosen = [question] if question else list(questions)
        if to is not None:
            prompts = _prompts(assignment, bundles)
            for name in chosen:
                _write_marking(console, book, assignment, questions[name], prompts.get(name, ""), to, force)
        elif from_ is not None:
            return _take_marks(console, book, assignment, [questions[name] for name in chosen], from_)
        elif student:
            if len(chosen) > 1:
                names = ", ".join(questions)
                raise ValueError(f"{assignment} has several written questions: add --question ({names}).")
            _mark_one(console, book, assignment, questions[chosen[0]], student, give or [], comment)
        else:
            _show_marking(console, book, assignment, [questions[name] for name in chosen])
    return 0


def _prompts(assignment, bundles):
    """The text of each written question, where the bundle is at hand."""
    from seqlab.grading.build import load_bundle

    try:
        loaded = load_bundle(bundle_of(assignment, bundles))
    except ValueError:
        return {}
    return {cell.id: cell.source for cell in loaded.cells if cell.role == "manual"}


def _texts(book, assignment, question):
    """The texts of a question, with the marks so far."""
    from seqlab.grading.marking import texts

    name = question["id"]
    return texts(book.standings(assignment), name, book.marks_so_far(assignment, name))


def _write_marking(console, book, assignment, question, prompt, to, force):
    from seqlab.grading import marking

    found = _texts(book, assignment, question)
    table, page = _folder(to) / f"{question['id']}.csv", to / f"{question['id']}.html"
    if table.exists() and not force:
        known = {one.code: one for one in found}
        for line, code, items, said, _ in marking.read_csv(table, question):
            if code not in known or (items, said) != (known[code].items, known[code].comment):
                raise ValueError(
                    f"{table} holds marks that were not taken (line {line}): take them with --from, or use --force."
                )
    write(table, marking.to_csv(question, found))
    write(page, marking.page(book.face(assignment), question, prompt, found))
    _said(console, f"{_noun(len(found), 'text')}: read {page}, fill in {table}, then take it with --from.")


def _take_marks(console, book, assignment, questions, path):
    from seqlab.grading import marking
    from seqlab.grading.exports import number

    named = [one for one in questions if one["id"] == path.stem]
    if len(questions) > 1 and not named:
        raise ValueError(f"{path} is named as no question: add --question ({', '.join(q['id'] for q in questions)}).")
    question = (named or questions)[0]
    found = _texts(book, assignment, question)
    before = {one.student: one for one in found}
    entries = [one for made in book.entries(assignment).values() for one in made if one.kind == "rubric"]
    marks, crossed = marking.taken(marking.read_csv(path, question), found, path, entries)
    new = book.mark(assignment, [(student, question["id"], items, said) for student, items, said in marks])
    after = {one.student: one for one in _texts(book, assignment, question)}
    rows = [
        (one.code, _items(one.items) or "none", _items(after[name].items), number(sum(after[name].items.values())))
        for name, one in before.items()
        if (one.items, one.comment) != (after[name].items, after[name].comment)
    ]
    if rows:
        _table(console, question["title"], ("code", "marks before", "marks now", "points"), rows, numbers=("points",))
    if crossed:
        _table(console, "Not taken: marked otherwise since this table was written", ("code", "why"), crossed)
    _said(console, f"{_noun(new, 'answer')} marked, {len(marks) - new} as before; {_waiting(after, question)}.")
    return 1 if crossed else 0


def _items(items):
    from seqlab.grading.exports import number

    return ", ".join(f"{name} {number(points)}" for name, points in items.items())


def _waiting(found, question):
    waiting = sum(any(item["id"] not in one.items for item in question["rubric"]) for one in found.values())
    return f"{_noun(waiting, 'waits', 'wait')} for marks" if waiting else "none waits for marks"


def _mark_one(console, book, assignment, question, student, give, comment):
    from seqlab.grading.exports import number

    standing, items = _standing(book, assignment, student), {}
    for one in give:
        item, equals, points = one.partition("=")
        try:
            items[item.strip()] = float(points)
        except ValueError:
            equals = ""
        if not equals:
            raise ValueError(f"--give {one!r} is no mark: write ITEM=POINTS, such as {question['rubric'][0]['id']}=1.")
    if items or comment:
        book.mark(assignment, [(student, question["id"], items, comment)])
        standing = _standing(book, assignment, student)
    else:
        text = standing.text(question["id"])
        for line in text.splitlines() or ["(nothing was written)"]:
            _said(console, line)
    entry = book.marks_so_far(assignment, question["id"])[student]
    had = dict(entry.items) if entry else {}
    rows = [
        (one["id"], one["text"], number(had[one["id"]]) if one["id"] in had else "", number(one["points"]))
        for one in question["rubric"]
    ]
    _table(console, question["title"], ("item", "what earns points", "given", "of"), rows, numbers=("given", "of"))
    if entry and entry.reason:
        _said(console, f"Comment by {entry.by or 'somebody'}: {entry.reason}")
    _said(console, f"{student} now has {standing.score:g} of {standing.points:g} points in {assignment}.")


def _show_marking(console, book, assignment, questions):
    from seqlab.grading.exports import number

    rows = []
    for question in questions:
        found = _texts(book, assignment, question)
        whole = [one for one in found if all(item["id"] in one.items for item in question["rubric"])]
        mean = number(sum(sum(one.items.values()) for one in whole) / len(whole)) if whole else "–"
        counts = (str(len(found)), str(len(found) - len(whole)), mean, number(question["points"]))
        rows.append((question["id"], question["title"], *counts))
    head = ("question", "title", "texts", "to mark", "mean", "of")
    _table(console, f"Written answers of {assignment}", head, rows, numbers=head[2:])
