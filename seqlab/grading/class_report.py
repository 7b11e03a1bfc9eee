"""The report on a class: how many earned what, which checks were hard and which of them tell the able from the others,
the wrong answers that were recognised, who must be looked at, who is missing.

The numbers are made here from the records alone; the page tells them in words, tables and bars, without script.
"""

import re
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

from seqlab.grading.exports import file_name
from seqlab.grading.model import Outcome, State
from seqlab.grading.pages import page, points, prose, shown, table
from seqlab.grading.personal import normal

RAISED = re.compile(r"(?:your code raised|stopped before its end:) (?:an exception|([^\W\d][\w.]*))")
LOOKS_LIKE = "this looks like: "
LONGEST = 15  # kinds of exceptions in the table
BARS = 10  # of the histogram


# ------------------------------------------------------------------------------------------------- numbers


@dataclass(frozen=True)
class Part:
    """How a class did on one check or one question."""

    id: str
    title: str
    within: str  # the question's title, "" for a question
    points: float
    earned: float  # part of the points that the class earned, 0 to 1
    apart: float | None  # how much more of the rest those earned who have all of this; None: all or none have it
    states: Counter


@dataclass(frozen=True)
class Recognised:
    """A declared mistake that students made."""

    name: str
    question: str
    checks: tuple[str, ...]  # titles
    students: int
    hint: str


def quartiles(scores):
    """The first quartile, the median and the third quartile; of nobody, three zeros."""
    if len(scores) < 2:
        return (list(scores) or [0.0]) * 3
    return statistics.quantiles(scores, n=4, method="inclusive")


def counted(standings):
    """The records that say something of the class: those of notebooks that could be read."""
    return [one.record for one in standings if one.record and one.record.outcome is not Outcome.REFUSED]


def _apart(own, rest):
    """Mean of `rest` where `own` is whole, less the mean elsewhere; None where one of the two is nobody."""
    able = [value for value, all_of_it in zip(rest, own, strict=True) if all_of_it]
    others = [value for value, all_of_it in zip(rest, own, strict=True) if not all_of_it]
    return statistics.fmean(able) - statistics.fmean(others) if able and others else None


def _part(name, title, within, checks, records):
    """The Part of some checks (face's dicts)."""
    ids, most = {check["id"] for check in checks}, sum(check["points"] for check in checks)
    earned, rest, states = [], [], Counter()
    for record in records:
        mine = [result for result in record.checks if result.id in ids]
        own = sum(result.earned for result in mine)
        other = sum(result.points for result in record.checks) - sum(result.points for result in mine)
        states.update(result.state for result in mine)
        earned.append(own)
        rest.append((record.score - own) / other if other else 0.0)
    whole = [own >= most - 1e-9 for own in earned]
    part = statistics.fmean(earned) / most if earned and most else 0.0
    alone = not any(record.points > most for record in records)  # nothing else to compare with
    return Part(name, title, within, most, part, None if alone else _apart(whole, rest), states)


def parts_of(face, records):
    """(questions, checks), each a list of Part, the hardest first; of equals, as the notebook has them."""
    titles = {answer["id"]: answer["title"] for answer in face["answers"]}
    questions = [
        _part(name, title, "", [c for c in face["checks"] if c["answer"] == name], records)
        for name, title in titles.items()
    ]
    checks = [_part(c["id"], c["title"], titles.get(c["answer"], ""), [c], records) for c in face["checks"]]
    return sorted(questions, key=lambda part: part.earned), sorted(checks, key=lambda part: part.earned)


def recognised(face, records):
    """The declared mistakes that students made, the most frequent first: list of Recognised."""
    titles = {answer["id"]: answer["title"] for answer in face["answers"]}
    named, hints = {check["id"]: check["title"] for check in face["checks"]}, {}
    students, where = defaultdict(set), defaultdict(dict)
    for number, record in enumerate(records):
        for result in record.checks:
            if not result.mistake:
                continue
            key = result.answer, result.mistake
            students[key].add(number)
            where[key][named.get(result.id, result.id)] = None
            _, _, hint = result.message.partition(f"{LOOKS_LIKE}{result.mistake}. ")
            hints[key] = hints.get(key) or hint
    found = [
        Recognised(name, titles.get(answer, answer), tuple(where[answer, name]), len(who), hints[answer, name])
        for (answer, name), who in students.items()
    ]
    return sorted(found, key=lambda one: (-one.students, one.question, one.name))


def raised(records):
    """What the answers raised: exception's name -> (students, checks)."""
    students, checks = defaultdict(set), Counter()
    for number, record in enumerate(records):
        for result in record.checks:
            found = RAISED.search(result.message) if result.state is State.ERROR else None
            if found:
                name = (found[1] or "an exception of its own").rstrip(".")
                students[name].add(number)
                checks[name] += 1
    order = sorted(students, key=lambda name: (-len(students[name]), name))
    return {name: (len(students[name]), checks[name]) for name in order}


# ---------------------------------------------------------------------------------------------------- page


def _of_those(count, whole):
    return f"{count} of {whole}"


def _percent(part):
    return f"{100 * part:.0f} %"


def _distribution(scores, most):
    """The scores as ten bars over a line on which the quartiles stand."""
    counts = Counter(min(BARS - 1, int(BARS * max(0.0, score) / most + 1e-9)) for score in scores)
    top, step = max(counts.values(), default=1), most / BARS
    low, middle, high = quartiles(scores)
    bars = "".join(
        f'<div>{counts[k] or ""}<i style="height:{11.5 * counts[k] / top:.2f}rem"></i></div>' for k in range(BARS)
    )
    each = ", ".join(f"{counts[k]} with {k * step:g} to {k * step + step:g}" for k in range(BARS))
    told = f"Scores: {each} points. First quartile {low:.3g}, median {middle:.3g}, third quartile {high:.3g}."

    def place(score):
        return f"{100 * min(1.0, max(0.0, score / most)):.1f}%"

    width = f"{100 * max(0.0, min(high, most) - max(low, 0)) / most:.1f}%"
    span = f"{100 * max(0.0, min(max(scores), most) - max(min(scores), 0)) / most:.1f}%"
    marks = (
        f'<i style="left:{place(min(scores))};width:{span}"></i><b style="left:{place(low)};width:{width}"></b>'
        f'<u style="left:{place(middle)}"></u>'
    )
    axis = "".join(f"<span>{most * k / 4:g}</span>" for k in range(5))
    mean = statistics.fmean(scores)
    return (
        f'<figure><div role="img" aria-label="{told}"><div class="histogram">{bars}</div><div class="box">{marks}</div>'
        f'<div class="axis">{axis}</div></div><figcaption>Students by score, in points. Below the bars: the box holds '
        f"the middle half of the class, {low:.3g} to {high:.3g} points; its mark is the median, {middle:.3g}; the line "
        f"goes from the lowest score, {min(scores):.3g}, to the highest, {max(scores):.3g}. "
        f"The mean is {mean:.3g}.</figcaption></figure>"
    )


def _histogram(title, values, most):
    """Counts of points earned in one question, as bars with their numbers."""
    edges, unit = sorted({round(value, 6) for value in values} | {0.0, float(most)}), ""
    if len(edges) > 8:
        counts = Counter(min(4, int(5 * max(0.0, value) / most + 1e-9)) for value in values)
        bars, unit = [(f"{20 * k}–{20 * k + 20}", counts[k]) for k in range(5)], " % of the points"
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
            f'<text x="{middle:.1f}" y="{height + 30}" text-anchor="middle">{label}</text>'
        )
    told = ", ".join(f"{count} earned {label}{unit}" for label, count in bars)
    mean = statistics.fmean(values) if values else 0.0
    return (
        f'<figure><svg viewBox="0 0 272 {height + 34}" role="img" aria-label="{shown(title)}: {shown(told)}">'
        f"{''.join(drawn)}</svg><figcaption>{shown(title)}: {mean:.2g} of {most:g} on average"
        f"{f'; bars in{unit}' if unit else ''}</figcaption></figure>"
    )


def _by_question(face, standings):
    figures = []
    for answer in face["answers"]:
        checks = [check for check in face["checks"] if check["answer"] == answer["id"]]
        earned = [sum(one.earned(check["id"]) for check in checks) for one in standings]
        figures.append(_histogram(answer["title"], earned, sum(check["points"] for check in checks)))
    for manual in face.get("manuals", ()):
        marked = [one.earned(manual["id"]) for one in standings if manual["id"] not in one.pending]
        figures.append(_histogram(f"{manual['title']} (marked so far)", marked, manual["points"]))
    return f'<h3>Students by points, question by question</h3><div class="bars">{"".join(figures)}</div>'


def _part_cell(part):
    return (
        f'<td class="number"><span class="part"><i style="width:{100 * part:.0f}%"></i></span>'
        f"<span>{_percent(part)}</span></td>"
    )


def _apart_cell(part):
    return f'<td class="number">{"–" if part is None else f"{100 * part:+.0f}"}</td>'


def _hardest(face, records):
    """The tables of questions and checks."""
    questions, checks = parts_of(face, records)
    heads = '<th scope="col" class="number">{}</th><th scope="col" class="number">tells apart</th>'
    rows = [
        f'<tr><th scope="row">{prose(one.title)}</th><td class="number">{one.points:g}</td>'
        f"{_part_cell(one.earned)}{_apart_cell(one.apart)}</tr>"
        for one in questions
    ]
    out = [
        '<h2 id="hard">What was hard</h2>',
        "<p><em>Tells apart</em> says how much more of all other points, in percent of them, those earned "
        "who have this one whole than those who have not. Near 0 or below it, look at the check: it asks for something "
        "else than the rest, or is not clear.</p>",
        table("Questions", "The hardest first", ["question"], ["points"], heads.format("earned"), rows, level=3),
    ]
    lost = [state for state in State if state is not State.PASSED]
    rows = [
        f'<tr><th scope="row">{prose(one.title)}<small>{prose(one.within)}</small></th>'
        f'<td class="number">{one.points:g}</td>{_part_cell(one.earned)}{_apart_cell(one.apart)}'
        + "".join(f'<td class="number">{one.states[state] or "·"}</td>' for state in lost)
        + "</tr>"
        for one in checks
    ]
    head = heads.format("passed") + "".join(f'<th scope="col" class="number">{state}</th>' for state in lost)
    caption = "The hardest first, and how often each ended how"
    out.append(table("Checks", caption, ["check"], ["points"], head, rows, level=3))
    return out


def _wrong_answers(face, records):
    """What was recognised and what was raised."""
    out, found, kinds = [], recognised(face, records), raised(records)
    lost = sum(any(result.state is State.FAILED for result in record.checks) for record in records)
    out.append('<h2 id="wrong">Wrong answers that were recognised</h2>')
    if found:
        named = sum(any(result.mistake for result in record.checks) for record in records)
        out.append(
            f"<p>Of {lost} students with a wrong value {named} gave the values of a mistake that is known by name.</p>"
        )
        rows = [
            f'<tr><th scope="row">{prose(one.name)}<small>{prose(one.question)}</small></th>'
            f'<td class="number">{one.students}</td><td>{"; ".join(map(prose, one.checks))}</td>'
            f"<td>{prose(one.hint)}</td></tr>"
            for one in found
        ]
        head = '<th scope="col">in the checks</th><th scope="col">hint that they got</th>'
        out.append(table("Mistakes", "The most frequent first", ["mistake"], ["students"], head, rows, level=0))
    else:
        out.append("<p>None: no wrong value was that of a declared mistake.</p>")
    if kinds:
        rows = [
            f'<tr><th scope="row"><code>{shown(name)}</code></th><td class="number">{students}</td>'
            f'<td class="number">{checks}</td></tr>'
            for name, (students, checks) in list(kinds.items())[:LONGEST]
        ]
        rest = len(kinds) - LONGEST
        more = f"; {rest} rarer kinds are left out" if rest > 0 else ""
        caption = f"What the answers raised, and in how many checks{more}"
        out.append(table("Exceptions", caption, ["exception"], ["students", "checks"], "", rows, level=3))
    return out


def _names(title, name, people, said=""):
    items = "".join(f"<li>{shown(one)}</li>" for one in people)
    return (
        f'<h2 id="{name}">{title} <span>{len(people)}</span></h2>{f"<p>{said}</p>" if said else ""}'
        f'<ul class="names">{items}</ul>'
    )


def _people(face, standings, roster):
    """Who must be looked at, whose marks are missing, who is late, who is not there: HTML, a section each."""
    out = []
    waiting = [one for one in standings if one.needs_attention]
    if waiting:
        items = "".join(
            f"<li><strong>{shown(one.student)}</strong>: "
            f"{shown('; '.join(one.record.problems) or one.record.outcome) if one.record else 'not graded yet'}</li>"
            for one in waiting
        )
        out.append(
            f'<h2 id="attention">Needs attention <span>{len(waiting)}</span></h2>'
            f'<div class="note"><ul class="plain">{items}</ul></div>'
        )
    pending = Counter(name for one in standings for name in one.pending)
    if pending:
        titles = {manual["id"]: manual["title"] for manual in face.get("manuals", ())}
        items = "".join(f"<li>{prose(titles.get(name, name))}: {count}</li>" for name, count in pending.items())
        people = sum(bool(one.pending) for one in standings)
        out.append(
            f'<h2 id="pending">Waits for marks <span>{people}</span></h2><p>Written answers that nobody has read yet: '
            f'<code>seqlab mark</code> shows them. Until then they count nothing.</p><ul class="plain">{items}</ul>'
        )
    late = [one for one in standings if one.late or one.late_sentence]
    if late:
        items = "".join(
            f"<li><strong>{shown(one.student)}</strong>: "
            f"{shown(one.late_entry.reason if one.late_entry else one.late_sentence)} ({one.late:g} %)</li>"
            for one in sorted(late, key=lambda one: (-one.late, one.student))
        )
        out.append(f'<h2 id="late">Late <span>{len(late)}</span></h2><ul class="plain">{items}</ul>')
    if roster is not None:
        there, listed = {normal(one.student): one.student for one in standings}, {normal(name) for name in roster}
        missing = sorted(name for name in roster if normal(name) not in there)
        unknown = sorted(name for key, name in there.items() if key not in listed)
        if missing:
            out.append(_names("Not handed in", "missing", missing))
        if unknown:
            said = "They handed in and are not on the class list: is a file's name not the student's?"
            out.append(_names("Not on the class list", "unknown", unknown, said))
    return out


def _class_table(face, standings, links, order, caption):
    manuals = list(face.get("manuals", ()))
    head = "".join(f'<th scope="col" class="number">{shown(one["title"])}</th>' for one in (*face["answers"], *manuals))
    groups = [[c["id"] for c in face["checks"] if c["answer"] == answer["id"]] for answer in face["answers"]]
    groups += [[one["id"]] for one in manuals]
    rows = []
    for one in standings:
        cells = "".join(f'<td class="number">{sum(one.earned(name) for name in names):g}</td>' for names in groups)
        name = shown(one.student)
        if links:
            name = f'<a href="feedback/{file_name(one.student)}.html">{name}</a>'
        said = [one.record.outcome if one.record else "not graded"]
        said += [f"{one.late:g} % late"] if one.late else []
        said += [f"{len(one.pending)} to be marked"] if one.pending else []
        cells = f'<td class="number">{one.score:g}</td>{cells}<td>{", ".join(said)}</td>'
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    head += '<th scope="col">outcome</th>'
    return table(f"The class {order}", caption, ["student"], ["score"], head, rows, level=0, kind="class")


def class_page(face, standings, links=True, roster=None):
    """The instructor's report on one assignment as one HTML text.

    Parameters
    ----------
    face : what the ledger shows of the assignment.
    standings : list of Standing.
    links : whether names lead to `feedback/<file>.html` beside the report.
    roster : the names of all who should hand in, to tell who has not; None where there is no such list.
    """
    from seqlab.grading.ledger import total

    most, scores = total(face), [standing.score for standing in standings]
    outcomes = Counter(one.record.outcome if one.record else "not graded" for one in standings)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none"
    if roster is not None:
        there = {normal(one.student) for one in standings}
        told += f" · {_of_those(sum(normal(name) in there for name in roster), len(roster))} of the class list"
    middle = f"{quartiles(scores)[1]:.3g}" if scores else "–"
    noun = "submission" if len(standings) == 1 else "submissions"
    people, records = _people(face, standings, roster), counted(standings)
    parts = [
        f"<h1>{shown(face['title'])}</h1>",
        f'<p class="soft">{len(standings)} {noun}: {told}</p>',
        f'<p class="score">{middle} of {points(most)} is the median</p>',
    ]
    body = [f'<h2 id="scores">Scores</h2>{_distribution(scores, most)}'] if scores and most else []
    body += people
    if records:
        body += [*_hardest(face, records), _by_question(face, standings), *_wrong_answers(face, records)]
    by_score = sorted(standings, key=lambda one: (-one.score, one.student))
    body.append('<h2 id="class">The class</h2>')
    for order, people, opened in (("by name", standings, " open"), ("by score", by_score, "")):
        found = _class_table(face, people, links, order, f"Points of every student, {order}")
        body.append(f"<details{opened}><summary>{order[0].upper()}{order[1:]}</summary>{found}</details>")
    headings = re.findall(r'<h2 id="(\w+)">([^<]+?)\s*<', "".join(body))
    links_to = "".join(f'<li><a href="#{name}">{text}</a></li>' for name, text in headings)
    parts.append(f'<nav aria-label="On this page"><ul class="nav">{links_to}</ul></nav>')
    return page(f"{face['title']}: the class", "\n".join([*parts, *body]), wide=True)
