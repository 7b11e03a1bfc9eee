"""What became of the mutants of an assignment's solutions: as data, as a page, as one line of a table.

    instructor/mutants.json     every mutant: what it changes, which checks noticed it, or why it may live
    instructor/mutants.html     the same to be read: parts noticed, what each check is worth, the survivors as diffs

A mutant is put to the checks of its answer in their order until two have noticed it. So `tried` and `noticed` count
less than there is, and `alone` (no other check of the answer notices it) is exact.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from seqlab.grading import pages
from seqlab.grading.model import State
from seqlab.grading.mutants import Mutant, plain
from seqlab.grading.pages import prose, shown

DATA, PAGE = "mutants.json", "mutants.html"
MORE = """
h3 { font-size: 1rem; margin: 1.4rem 0 .25rem; overflow-wrap: anywhere; }
ins, del { text-decoration: none; } ins { color: var(--good); } del { color: var(--bad); }
.part { display: inline-block; width: 6rem; height: .55rem; background: var(--line); vertical-align: middle; }
.part i { display: block; height: 100%; background: var(--bar); }
"""


@dataclass
class Fate:
    """What became of one mutant."""

    mutant: Mutant
    tried: tuple = ()  # ids of the checks that it was put to
    noticed: tuple = ()  # ids of those that noticed it
    ended: str = ""  # how the last of them did: failed, error, timeout, died
    coarse: bool = False  # noticed only because its numbers were not float32
    state: str = "unexplained"  # noticed, equivalent, survivor or unexplained
    why: str = ""  # what the author says of one that lives

    def note(self, trial, checks):
        """Add what one trial showed."""
        tried = [check.id for check in checks if check.id in trial.verdicts or check.id in trial.states]
        noticed = [name for name in tried if trial.verdicts.get(name, "it did not come to an end")]
        noticed = [name for name in noticed if trial.states.get(name) is not State.NOT_RUN]
        self.tried = tuple(dict.fromkeys((*self.tried, *tried)))
        self.noticed = tuple(dict.fromkeys((*self.noticed, *noticed)))
        if noticed:
            self.ended = str(trial.states.get(noticed[0], State.FAILED))
            self.coarse = set(noticed) <= trial.coarse

    def explain(self, state, why):
        """Say what the author declared of this mutant: (equivalent or survivor, why), or two empty texts."""
        self.state, self.why = ("noticed", "") if self.noticed else (state or "unexplained", why)


def counts(fates):
    """How many mutants were noticed, of how many that change something."""
    counted = [fate for fate in fates if fate.state != "equivalent"]
    return sum(bool(fate.noticed) for fate in counted), len(counted)


def told(fates):
    """The count of an assignment's mutants as half a sentence."""
    killed, counted = counts(fates)
    states = Counter(fate.state for fate in fates)
    part = killed / counted if counted else 1.0
    return (
        f"{killed} of {counted} ({part:.1%}), {states['survivor']} survivors explained, "
        f"{states['equivalent']} declared to change nothing"
    )


def unexplained(fates):
    """The mutants that live without a reason."""
    return [fate.mutant for fate in fates if fate.state == "unexplained"]


def report(assignment, fates):
    """Everything about an assignment's mutants as data for JSON.

    Returns
    -------
    found : dict with assignment, title, answers, checks (how many mutants each was put to, noticed, and noticed
        alone), kinds (what each does, in words) and mutants, in the order of the notebook.
    """
    tried, noticed, alone = Counter(), Counter(), Counter()
    for fate in fates:
        tried.update(fate.tried)
        noticed.update(fate.noticed)
        alone.update(fate.noticed if len(fate.noticed) == 1 else ())
    killed, counted = counts(fates)
    return {
        "assignment": assignment.name,
        "title": assignment.title,
        "noticed": killed,
        "counted": counted,
        "answers": [{"id": one.id, "title": one.title} for one in assignment.answers],
        "checks": [
            {
                "id": one.id, "answer": one.answer, "title": one.title, "visible": one.visible,
                "tried": tried[one.id], "noticed": noticed[one.id], "alone": alone[one.id],
            }
            for one in assignment.checks
        ],
        "kinds": {kind: list(plain(kind)) for kind in sorted({fate.mutant.kind for fate in fates})},
        "mutants": [
            {
                "id": fate.mutant.id, "answer": fate.mutant.answer, "kind": fate.mutant.kind,
                "line": fate.mutant.line, "diff": fate.mutant.diff, "state": fate.state,
                "by": list(fate.noticed), "ended": fate.ended, "float64_only": fate.coarse, "why": fate.why,
            }
            for fate in fates
        ],
    }  # fmt: skip


def load(bundle):
    """The report in a bundle; a sentence when there is none."""
    path = Path(bundle) / "instructor" / DATA
    if not path.is_file():
        raise ValueError(f"{bundle} has no report on mutants: run `seqlab build` on it, without --quick.")
    return json.loads(path.read_text(encoding="utf-8"))


# --------------------------------------------------------------------------------------------------- pages


def _parts(found, name):
    """(name, noticed, counted, declared to change nothing) for each value of `name(mutant)`."""
    rows = {}
    for mutant in found["mutants"]:
        row = rows.setdefault(name(mutant), [0, 0, 0])
        row[0] += mutant["state"] == "noticed"
        row[1] += mutant["state"] != "equivalent"
        row[2] += mutant["state"] == "equivalent"
    return [(key, *row) for key, row in rows.items()]


def _part(noticed, counted):
    part = noticed / counted if counted else 1.0
    # a part that is not whole never shows as 100 %
    percent = "100" if noticed == counted else f"{min(part, 0.999):.1%}".rstrip("%")
    return f'<span class="part" aria-hidden="true"><i style="width:{100 * part:.0f}%"></i></span> {percent} %'


def _table(caption, heads, rows):
    """A table that scrolls by itself; heads are (text, is a number), cells are HTML."""
    numeric = [number for _, number in heads]
    head = "".join(f'<th scope="col"{" class=number" if number else ""}>{text}</th>' for text, number in heads)
    body = "".join(
        "<tr>"
        + f'<th scope="row">{row[0]}</th>'
        + "".join(
            f"<td{' class=number' if number else ''}>{cell}</td>"
            for cell, number in zip(row[1:], numeric[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{shown(caption)}"><table>'
        f"<caption>{shown(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _diff(text):
    lines = []
    for line in text.splitlines():
        tag = {"-": "del", "+": "ins"}.get(line[:1])
        lines.append(f"<{tag}>{shown(line)}</{tag}>" if tag else shown(line))
    return "\n".join(lines)


PARTS = [("noticed", True), ("of", True), ("part", True), ("change nothing", True)]


def _rows(parts, name):
    return [
        (name(key), noticed, counted, _part(noticed, counted), idle or "·") for key, noticed, counted, idle in parts
    ]


def page(found):
    """The report of one assignment as one HTML text without script.

    Parameters
    ----------
    found : what `report` gives.
    """
    titles = {one["id"]: one["title"] for one in found["answers"]}
    alive = [one for one in found["mutants"] if one["state"] in ("survivor", "unexplained")]
    idle = [one for one in found["mutants"] if one["state"] == "equivalent"]
    families = [(*found["kinds"][kind], kind) for kind in found["kinds"]]
    order = {kind: number for number, (_, _, kind) in enumerate(sorted(families))}
    kinds = sorted(_parts(found, lambda one: one["kind"]), key=lambda row: order[row[0]])
    parts = [
        f"<h1>{shown(found['title'])}: are the checks good enough?</h1>",
        '<p class="soft">Every small mistake that a program could make in the solutions (a mutant), and whether '
        "the checks notice it. This page holds solutions: it is not for students.</p>",
        f'<p class="score">{found["noticed"]} of {found["counted"]} noticed</p>',
        f'<p class="soft">{len(alive)} that change something live; {len(idle)} more change nothing.</p>',
        "<h2>By answer</h2>",
        _table(
            "How many mutants of each answer its checks notice", [("answer", False), *PARTS],
            _rows(_parts(found, lambda one: one["answer"]), lambda key: prose(titles[key])),
        ),
        "<h2>By kind of mistake</h2>",
        _table(
            "How many mutants of each kind the checks notice", [("mistake", False), *PARTS],
            _rows(kinds, lambda kind: f"{shown(found['kinds'][kind][1])} <code>{shown(kind)}</code>"),
        ),
        "<h2>What each check is worth</h2>",
        '<p class="soft">A mutant is put to the checks of its answer in their order, until two have noticed it. '
        "One that a check notices alone would live without that check.</p>",
        _table(
            "Mutants that each check was put to, noticed, and noticed alone",
            [("check", False), ("answer", False), ("put to", True), ("noticed", True), ("alone", True)],
            [
                (
                    prose(one["title"]) + ("" if one["visible"] else " (hidden)"), prose(titles[one["answer"]]),
                    one["tried"], one["noticed"], one["alone"] or "·",
                )
                for one in found["checks"]
            ],
        ),
    ]  # fmt: skip
    for heading, listed in (("Mutants that live", alive), ("Mutants that change nothing", idle)):
        parts.append(f"<h2>{heading} <span>{len(listed)}</span></h2>")
        for one in listed:
            said = prose(one["why"]) if one["why"] else "nobody has said why"
            parts.append(
                f"<h3><code>{shown(one['id'])}</code>: {shown(found['kinds'][one['kind']][1])}</h3>"
                f"<p class=soft>{said}</p>"
                f'<pre tabindex="0" role="region" aria-label="What {shown(one["id"])} changes">'
                f"{_diff(one['diff'])}</pre>"
            )
    return pages.page(f"{found['title']}: mutants", "\n".join(parts), wide=True, style=MORE)


COLUMNS = ("assignment", "mutants", "noticed", "part", "live, explained", "change nothing")


def line(found):
    """One assignment's line of the table over all: texts for COLUMNS."""
    states = Counter(one["state"] for one in found["mutants"])
    part = 100 * found["noticed"] / found["counted"] if found["counted"] else 100.0
    return (
        found["title"], str(found["counted"]), str(found["noticed"]), f"{part:.1f} %", str(states["survivor"]),
        str(states["equivalent"]),
    )  # fmt: skip


def _families(every):
    rows = {}
    for found in every:
        for mutant in found["mutants"]:
            if mutant["state"] != "equivalent":
                row = rows.setdefault(found["kinds"][mutant["kind"]][0], [0, 0])
                row[0] += mutant["state"] == "noticed"
                row[1] += 1
    return sorted(rows.items())


def total(every):
    """The line of all assignments together, as `line` gives it for one."""
    mutants = [mutant for found in every for mutant in found["mutants"]]
    sums = {key: sum(found[key] for found in every) for key in ("noticed", "counted")}
    return line({"title": "all together", "mutants": mutants, **sums})


def markdown(every):
    """The table over several assignments as Markdown: what the instructor's guide shows."""
    rows = [COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *map(line, every), total(every)]
    rows += [(), ("kind of mistake", "mutants", "noticed"), ("---", "---:", "---:")]
    rows += [(family, str(counted), str(noticed)) for family, (noticed, counted) in _families(every)]
    return "\n".join("| " + " | ".join(row) + " |" if row else "" for row in rows) + "\n"


def summary(every):
    """The same as one HTML text."""
    body = [
        "<h1>Are the checks good enough?</h1>",
        '<p class="soft">Mutants of the solutions of all assignments, and how many the checks notice.</p>',
        _table(
            "Mutants of every assignment", [(name, number > 0) for number, name in enumerate(COLUMNS)],
            [(shown(row[0]), *row[1:]) for row in [*map(line, every), total(every)]],
        ),
        "<h2>By kind of mistake</h2>",
        _table(
            "Mutants of every kind", [("mistake", False), ("noticed", True), ("of", True), ("part", True)],
            [(shown(name), noticed, counted, _part(noticed, counted)) for name, (noticed, counted) in _families(every)],
        ),
    ]  # fmt: skip
    return pages.page("Mutants of all assignments", "\n".join(body), wide=True, style=MORE)
