"""What people read after grading: one page for each student; the report on the class stands in class_report.

A page is one HTML file without script and without anything from elsewhere. It tells verdicts, hints and the student's
own output; it holds no hidden input and no expected value, because the record it is made from holds none.
"""

from seqlab.grading.class_report import LOOKS_LIKE, class_page
from seqlab.grading.exports import STATUS
from seqlab.grading.model import Outcome, State
from seqlab.grading.pages import POLICY, STYLE, page, points, prose, shown, table

__all__ = ["POLICY", "STYLE", "class_page", "page", "prose", "shown", "student_page", "table"]

SIGN = dict(zip(State, "✓✗!◷†–", strict=True))
OUTCOME = {
    Outcome.GRADED: "graded",
    Outcome.NEEDS_ATTENTION: "graded as far as possible; a person will look at it",
    Outcome.REFUSED: "could not be read as a notebook; a person will look at it",
}


def _changed(standing, name):
    """What a person changed in the points of a check or a written answer, as a sentence, or nothing."""
    entries = [entry for entry in standing.adjustments if entry.check == name]
    return "".join(f'<p class="hint">{shown(_entry(entry))}</p>' for entry in entries)


def _entry(entry):
    if entry.kind == "late":
        return f"Late: {entry.amount:g} % taken from the whole. {entry.reason}"
    if entry.kind == "override":
        return f"Set to {points(entry.amount)} by hand: {entry.reason}"
    return f"{entry.amount:+g} by hand: {entry.reason}"


def _said(result, hint):
    """What a record says of a check, in three: what happened, the mistake that it looks like, the hint."""
    if result.mistake and LOOKS_LIKE in result.message:
        reason, _, rest = result.message.partition(f"; {LOOKS_LIKE}{result.mistake}")
        return reason, result.mistake, rest.removeprefix(". ")
    return result.message.removesuffix(hint).rstrip(". "), "", hint


def _hint(text):
    return f'<p class="hint">{text}</p>'


def _check(standing, check, result):
    state = result.state if result else State.NOT_RUN
    lost = state is not State.PASSED
    lines = [
        '<li><div class="line">'
        f'<span class="sign {"lost" if lost else "passed"}" aria-hidden="true">{SIGN[state]}</span>'
        f'<span>{prose(check["title"])}: <span class="{"lost" if lost else "passed"}">{STATUS[state]}</span></span>'
        f"<span>{standing.earned(check['id']):g} / {check['points']:g}</span></div>"
    ]
    reason, mistake, hint = _said(result, check["hint"]) if result else ("", "", check["hint"])
    if lost and reason:
        lines.append(_hint(f"{prose(reason[0].upper() + reason[1:])}."))
    if lost and result and result.called:
        lines.append(_hint(f"It was called so: <code>{shown(result.called)}</code>"))
    if lost and mistake:
        lines.append(_hint(f"This looks like: <strong>{prose(mistake)}</strong>."))
    if lost and hint:
        lines.append(_hint(f"Hint: {prose(hint)}"))
    lines.append(_changed(standing, check["id"]))
    return "".join(lines) + "</li>"


def _heading(title, earned, most):
    """A question's heading with its points, and a bar of the same."""
    part = f"{100 * min(1.0, max(0.0, earned / most)):.0f}" if most else "0"
    return (
        f"<h2>{prose(title)} <span>{earned:g} / {most:g}</span></h2>"
        f'<div class="whole" aria-hidden="true"><i style="width:{part}%"></i></div>'
    )


def _question(face, standing, answer, results):
    """One programmed answer: its checks and what it printed."""
    record = standing.record
    checks = [check for check in face["checks"] if check["answer"] == answer["id"]]
    earned, most = sum(standing.earned(c["id"]) for c in checks), sum(check["points"] for check in checks)
    parts = [_heading(answer["title"], earned, most)]
    parts.append(f"<ul>{''.join(_check(standing, check, results.get(check['id'])) for check in checks)}</ul>")
    output = record.shown.get(answer["id"], "") if record else ""
    if output.strip():
        box = f'<pre tabindex="0" role="region" aria-label="Output of {shown(answer["title"])}">{shown(output)}</pre>'
        parts.append(f"<details><summary>What your code printed or raised</summary>{box}</details>")
    return parts


def _sign(had, most):
    """The sign of a rubric's item and its class; `had` is None where nobody has marked it."""
    if had is None:
        return "–", ""
    return ("✓", "passed") if had >= most else ("½", "") if had else ("✗", "lost")


def _written(standing, question):
    """One written answer: its marks item by item, the marker's comment, the text itself."""
    name, mark, text = question["id"], standing.mark(question["id"]), standing.text(question["id"])
    parts = [_heading(question["title"], standing.earned(name), question["points"])]
    if name in standing.pending:
        parts.append('<p class="soft">A person will read your answer; it has no points yet.</p>')
    elif mark is None and not text.strip():
        parts.append('<p class="soft">Nothing was written here.</p>')
    if mark is not None or not question.get("rubric_hidden"):
        given = dict(mark.items) if mark else {}
        lines = []
        for item in question["rubric"]:
            had = f"{given[item['id']]:g}" if item["id"] in given else "–"
            sign, kind = _sign(given.get(item["id"]), item["points"])
            lines.append(
                f'<li><div class="line"><span class="sign {kind}" aria-hidden="true">{sign}</span>'
                f"<span>{prose(item['text'])}</span><span>{had} / {item['points']:g}</span></div></li>"
            )
        parts.append(f"<ul>{''.join(lines)}</ul>")
    if mark is not None and mark.reason:
        parts.append(f'<div class="note"><p class="soft">{shown(mark.reason)}</p></div>')
    parts.append(_changed(standing, name))
    if text.strip():
        parts.append(f'<details><summary>What you wrote</summary><div class="written">{shown(text)}</div></details>')
    return parts


def student_page(face, standing):
    """The feedback of one student as one HTML text.

    Parameters
    ----------
    face : what the ledger shows of the assignment.
    standing : seqlab.grading.ledger.Standing.
    """
    from seqlab.grading.ledger import total

    record = standing.record
    results = {result.id: result for result in record.checks} if record else {}
    outcome = OUTCOME[record.outcome] if record else "handed in, not graded yet"
    parts = [
        f"<h1>{shown(face['title'])}</h1>",
        f'<p class="soft">{shown(standing.student)} · {outcome}</p>',
        f'<p class="score">{standing.score:g} of {points(total(face))}</p>',
    ]
    waiting = len(standing.pending)
    if waiting:
        told = "One written answer waits" if waiting == 1 else f"{waiting} written answers wait"
        parts.append(f'<p class="soft">{told} for a person: the score may still rise.</p>')
    notes = [*(record.problems if record else []), *(_entry(e) for e in standing.adjustments if not e.check)]
    notes += [standing.late_sentence] if standing.late_sentence else []
    if notes:
        items = "".join(f"<li>{shown(note)}</li>" for note in notes)
        parts.append(f'<div class="note"><ul class="plain">{items}</ul></div>')
    for answer in face["answers"]:
        parts += _question(face, standing, answer, results)
    for question in face.get("manuals", ()):
        parts += _written(standing, question)
    return page(f"{face['title']}: {standing.student}", "\n".join(part for part in parts if part))
