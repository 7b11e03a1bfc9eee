"""What people read after grading: one page for each student, one report on the class for the instructor.

A page is one HTML file without script and without anything from elsewhere. It tells verdicts, hints and the student's
own output; it holds no hidden input and no expected value, because the record it is made from holds none.
"""

import html
import re
from collections import Counter

from seqlab.grading.exports import STATUS, file_name
from seqlab.grading.model import Outcome, State

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SIGN = dict(zip(State, "✓✗!◷†–", strict=True))
OUTCOME = {
    Outcome.GRADED: "graded",
    Outcome.NEEDS_ATTENTION: "graded as far as possible; a person will look at it",
    Outcome.REFUSED: "could not be read as a notebook; a person will look at it",
}
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #4f5965; --line: #d3d9e0; --paper: #ffffff; --box: #f4f6f8;
  --good: #0b6b3a; --bad: #a3260f; --bar: #2a6f97; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a9b4c0; --line: #3b444e; --paper: #15181c;
  --box: #1f242a; --good: #6fd39c; --bad: #ff9d85; --bar: #6cb6dc; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
body.wide { max-width: 70rem; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; display: flex; flex-wrap: wrap; gap: .25rem 1rem;
  justify-content: space-between; }
h2 span, .score { font-variant-numeric: tabular-nums; }
.score { font-size: 1.9rem; line-height: 1.2; font-weight: 650; margin: .5rem 0 0; }
.soft { color: var(--soft); margin: 0; }
ul { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line); }
li { border-bottom: 1px solid var(--line); padding: .55rem 0; overflow-wrap: anywhere; }
ul.plain { list-style: disc; border: 0; padding-left: 1.25rem; } ul.plain li { border: 0; padding: .15rem 0; }
.line { display: grid; grid-template-columns: 1.4rem 1fr auto; gap: .5rem; align-items: baseline; }
.passed { color: var(--good); } .lost { color: var(--bad); } .sign { font-weight: 700; }
.hint { margin: .25rem 0 0 1.9rem; color: var(--soft); }
details { margin: .6rem 0 0; } summary { cursor: pointer; padding: .25rem 0; }
pre { background: var(--box); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem; margin: .3rem 0;
  overflow-x: auto; font: .85rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.note { background: var(--box); border-left: .25rem solid var(--bar); padding: .6rem .9rem; margin: 1rem 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; } caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
a { color: inherit; } :focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
.bars { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.25rem; margin: .75rem 0; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; }
@media print { body { max-width: none; padding: 0; } details > * { display: block; } }
"""


def shown(text):
    """A stranger's text as HTML: escaped, without terminal codes, with invisible and turning letters made visible."""
    text = ANSI.sub("", str(text)).replace("\r\n", "\n").replace("\r", "\n")
    letters = []
    for letter in text:
        number = ord(letter)
        hidden = (number < 32 and letter not in "\n\t") or 127 <= number < 160 or 0xD800 <= number < 0xE000
        turning = number in (0x200E, 0x200F, 0xFEFF, 0x2028, 0x2029) or 0x202A <= number <= 0x202E
        turning = turning or 0x2066 <= number <= 0x2069 or 0x200B <= number <= 0x200D
        letters.append(f"\\u{number:04x}" if hidden or turning else letter)
    return html.escape("".join(letters), quote=True)


def prose(text):
    """A sentence of the author's as HTML: what stands between `backticks` is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", shown(text))


def page(title, body, wide=False, style=""):
    """A whole page: escaped title, body as HTML, `style` after the style of all pages."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{shown(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body{' class=wide' if wide else ''}>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


_page = page


def _points(number):
    return f"{number:g} point{'' if number == 1 else 's'}"


def _changed(standing, check):
    """What a person changed in a check's points, as a sentence, or nothing."""
    entries = [entry for entry in standing.adjustments if entry.check == check["id"]]
    return "".join(f'<p class="hint">{shown(_entry(entry))}</p>' for entry in entries)


def _entry(entry):
    if entry.kind == "late":
        return f"Late: {entry.amount:g} % taken from the whole. {entry.reason}"
    if entry.kind == "override":
        return f"Set to {_points(entry.amount)} by hand: {entry.reason}"
    return f"{entry.amount:+g} by hand: {entry.reason}"


def _check(standing, check, result):
    state = result.state if result else State.NOT_RUN
    lost = state is not State.PASSED
    lines = [
        '<li><div class="line">'
        f'<span class="sign {"lost" if lost else "passed"}" aria-hidden="true">{SIGN[state]}</span>'
        f'<span>{prose(check["title"])}: <span class="{"lost" if lost else "passed"}">{STATUS[state]}</span></span>'
        f"<span>{standing.earned(check['id']):g} / {check['points']:g}</span></div>"
    ]
    message = result.message.removesuffix(check["hint"]).rstrip(". ") if result else ""
    if lost and message:
        lines.append(f'<p class="hint">{prose(message[0].upper() + message[1:])}.</p>')
    if lost and check["hint"]:
        lines.append(f'<p class="hint">Hint: {prose(check["hint"])}</p>')
    lines.append(_changed(standing, check))
    return "".join(lines) + "</li>"


def student_page(face, standing):
    """The feedback of one student as one HTML text.

    Parameters
    ----------
    face : what the ledger shows of the assignment.
    standing : seqlab.grading.ledger.Standing.
    """
    record = standing.record
    results = {result.id: result for result in record.checks} if record else {}
    total = sum(check["points"] for check in face["checks"])
    outcome = OUTCOME[record.outcome] if record else "handed in, not graded yet"
    parts = [
        f"<h1>{shown(face['title'])}</h1>",
        f'<p class="soft">{shown(standing.student)} · {outcome}</p>',
        f'<p class="score">{standing.score:g} of {_points(total)}</p>',
    ]
    notes = [*(record.problems if record else []), *(_entry(e) for e in standing.adjustments if not e.check)]
    if notes:
        items = "".join(f"<li>{shown(note)}</li>" for note in notes)
        parts.append(f'<div class="note"><ul class="plain">{items}</ul></div>')
    for answer in face["answers"]:
        checks = [check for check in face["checks"] if check["answer"] == answer["id"]]
        earned, most = sum(standing.earned(c["id"]) for c in checks), sum(check["points"] for check in checks)
        parts.append(f"<h2>{prose(answer['title'])} <span>{earned:g} / {most:g}</span></h2>")
        parts.append(f"<ul>{''.join(_check(standing, check, results.get(check['id'])) for check in checks)}</ul>")
        output = record.shown.get(answer["id"], "") if record else ""
        if output.strip():
            box = (
                f'<pre tabindex="0" role="region" aria-label="Output of {shown(answer["title"])}">{shown(output)}</pre>'
            )
            parts.append(f"<details><summary>What your code printed or raised</summary>{box}</details>")
    return page(f"{face['title']}: {standing.student}", "\n".join(parts))


def _histogram(title, values, most):
    """Counts of points earned, as bars with their numbers."""
    edges = sorted({round(value, 6) for value in values} | {0.0, float(most)})
    if len(edges) > 8:
        counts = Counter(min(4, int(5 * max(0.0, value) / most)) for value in values)
        bars = [(f"{20 * k}–{20 * k + 20} %", counts[k]) for k in range(5)]
    else:
        counts = Counter(round(value, 6) for value in values)
        bars = [(f"{edge:g}", counts[edge]) for edge in edges]
    top, step, height = max((count for _, count in bars), default=1) or 1, 264 / len(bars), 84
    drawn = [f'<line x1="0" y1="{height + 16}" x2="272" y2="{height + 16}" stroke="currentColor" opacity=".4"/>']
    for k, (label, count) in enumerate(bars):
        size, x = height * count / top, 4 + k * step
        middle = x + step / 2
        drawn.append(
            f'<rect x="{x + 3:.1f}" y="{16 + height - size:.1f}" width="{step - 6:.1f}" height="{size:.1f}" '
            'fill="var(--bar)"/>'
            f'<text x="{middle:.1f}" y="{12 + height - size:.1f}" text-anchor="middle">{count}</text>'
            f'<text x="{middle:.1f}" y="{height + 30}" text-anchor="middle">{html.escape(label)}</text>'
        )
    told = ", ".join(f"{count} earned {label}" for label, count in bars)
    mean = sum(values) / len(values) if values else 0.0
    return (
        f'<figure><svg viewBox="0 0 272 {height + 34}" role="img" aria-label="{shown(title)}: {shown(told)}">'
        f"{''.join(drawn)}</svg><figcaption>{shown(title)}: {mean:.2g} of {most:g} on average</figcaption></figure>"
    )


def class_page(face, standings, links=True):
    """The instructor's report on one assignment as one HTML text.

    Parameters
    ----------
    face : what the ledger shows of the assignment.
    standings : list of Standing.
    links : whether names lead to `feedback/<file>.html` beside the report.
    """
    total = sum(check["points"] for check in face["checks"])
    scores = [standing.score for standing in standings]
    outcomes = Counter(one.record.outcome if one.record else "not graded" for one in standings)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    mean = f"{sum(scores) / len(scores):.3g}" if scores else "–"
    parts = [
        f"<h1>{shown(face['title'])}</h1>",
        f'<p class="soft">{len(standings)} submissions: {told or "none"}</p>',
        f'<p class="score">{mean} of {_points(total)} on average</p>',
    ]
    waiting = [one for one in standings if one.needs_attention]
    if waiting:
        items = "".join(
            f"<li><strong>{shown(one.student)}</strong>: "
            f"{shown('; '.join(one.record.problems) or one.record.outcome) if one.record else 'not graded yet'}</li>"
            for one in waiting
        )
        parts.append(
            f"<h2>Needs attention <span>{len(waiting)}</span></h2>"
            f'<div class="note"><ul class="plain">{items}</ul></div>'
        )
    parts.append('<h2>Points earned</h2><div class="bars">')
    if total:
        parts.append(_histogram("the whole assignment", scores, total))
    for answer in face["answers"]:
        checks = [check for check in face["checks"] if check["answer"] == answer["id"]]
        earned = [sum(one.earned(check["id"]) for check in checks) for one in standings]
        parts.append(_histogram(answer["title"], earned, sum(check["points"] for check in checks)))
    parts.append("</div>")
    parts.append(_check_table(face, standings))
    parts.append(_class_table(face, standings, links))
    return page(f"{face['title']}: the class", "\n".join(parts), wide=True)


def _check_table(face, standings):
    states = [state for state in State if state is not State.PASSED]
    head = "".join(f'<th scope="col" class="number">{state}</th>' for state in (State.PASSED, *states))
    rows = []
    for check in face["checks"]:
        counts = Counter(
            result.state for one in standings if one.record for result in one.record.checks if result.id == check["id"]
        )
        cells = "".join(f'<td class="number">{counts[state] or "·"}</td>' for state in (State.PASSED, *states))
        rows.append(
            f'<tr><th scope="row">{prose(check["title"])}</th><td class="number">{check["points"]:g}</td>{cells}</tr>'
        )
    return table("Checks", "How often each check ended how", ["check"], ["points"], head, rows)


def _class_table(face, standings, links):
    head = "".join(f'<th scope="col" class="number">{shown(answer["title"])}</th>' for answer in face["answers"])
    questions = [[c["id"] for c in face["checks"] if c["answer"] == answer["id"]] for answer in face["answers"]]
    rows = []
    for one in standings:
        cells = "".join(f'<td class="number">{sum(one.earned(name) for name in names):g}</td>' for names in questions)
        name = shown(one.student)
        if links:
            name = f'<a href="feedback/{file_name(one.student)}.html">{name}</a>'
        outcome = one.record.outcome if one.record else "not graded"
        late = f", {one.late:g} % late" if one.late else ""
        rows.append(
            f'<tr><th scope="row">{name}</th><td class="number">{one.score:g}</td>{cells}<td>{outcome}{late}</td></tr>'
        )
    return table(
        "The class", "Points of every student", ["student"], ["score"], f'{head}<th scope="col">outcome</th>', rows
    )


def table(title, caption, words, numbers, head, rows):
    """A table that scrolls sideways on a phone; `head` holds the columns after those named."""
    named = [f'<th scope="col">{word}</th>' for word in words]
    named += [f'<th scope="col" class="number">{number}</th>' for number in numbers]
    return (
        f'<h2>{title}</h2><div class="scroll" tabindex="0" role="region" aria-label="{title}"><table>'
        f"<caption>{caption}</caption><thead><tr>{''.join(named)}{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
