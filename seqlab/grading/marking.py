"""Written answers in the hands of those who mark them: a page to read, a table to fill in, both without names.

    marking/QUESTION.html    every text with the rubric, one after the other
    marking/QUESTION.csv     a line for each text: its code, a column for each item of the rubric, a comment

A code stands for one student's text as it was handed in last. When she hands in another text, the code is no longer
known and marks for it are refused, so that nobody gets marks for what was not read. Codes are for fairness: whoever
holds the ledger can find out whose they are. They are made of letters alone, because spreadsheets change numbers.
A table also says which entry's marks stood in it when it was written: what somebody marked since is never overwritten
by a copy that did not show it.
"""

import csv
import hashlib
import io
from dataclasses import dataclass

from seqlab.grading.exports import FORMULA, MARK, number, plain, safe
from seqlab.grading.tables import read_table

LETTERS = str.maketrans("0123456789abcdef", "abcdefghkmnprstw")


@dataclass(frozen=True)
class Text:
    """One written answer to be read."""

    code: str
    student: str
    text: str
    items: dict  # rubric item -> points, of the marks so far
    comment: str
    entry: int = 0  # the number of these marks in the ledger; 0 where there are none
    by: str = ""  # who gave them


def code_of(question, student, text):
    """The letters that stand for a student's text on the page and in the table."""
    parts = "\0".join((question, student, hashlib.sha256(text.encode()).hexdigest()))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:10].translate(LETTERS)


def texts(standings, question, marks):
    """The texts of a written question, in the order of their codes: nobody's place tells who she is.

    Parameters
    ----------
    standings : list of Standing.
    question : the question's id.
    marks : dict from student to the Adjustment of the marks so far, whole or not.
    """
    found = []
    for one in standings:
        text = one.text(question)
        if text.strip():
            so_far = marks.get(one.student)
            had = (dict(so_far.items), so_far.reason, so_far.number, so_far.by) if so_far else ({}, "")
            found.append(Text(code_of(question, one.student, text), one.student, text, *had))
    return sorted(found, key=lambda one: one.code)


def to_csv(question, found):
    """The table to fill in, as CSV text with a byte-order mark; what is marked already stands in it."""
    out, items = io.StringIO(), [one["id"] for one in question["rubric"]]
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(["code", *items, "comment", "text", "entry"])
    for one in found:
        points = [number(one.items[item]) if item in one.items else "" for item in items]
        table.writerow([one.code, *points, safe(one.comment), safe(one.text), one.entry or ""])
    return MARK + out.getvalue()


def read_csv(path, question):
    """The marks in a table that was filled in.

    Returns
    -------
    lines : list of (line number, code, {item: points}, comment, entry); lines without marks and comment are left out.

    Raises
    ------
    ValueError
        naming the line and column that is wrong.
    """
    head, table = read_table(path, "write it with `seqlab mark --to FOLDER`")
    most = {one["id"]: one["points"] for one in question["rubric"]}
    missing = [name for name in ("code", *most, "comment") if name not in head]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(map(repr, missing))}: write the table again and fill it in.")
    lines, seen = [], set()
    for line, row in table:
        where, code = f"{path} line {line}", row["code"].strip()
        items = {item: _points(where, item, row[item], limit) for item, limit in most.items()}
        items, said = {item: points for item, points in items.items() if points is not None}, _said(row["comment"])
        if not items and not said:
            continue
        if code in seen:
            raise ValueError(f"{where} has the code {code!r} again: keep one line for each code.")
        seen.add(code)
        entry = row.get("entry", "").strip()
        lines.append((line, code, items, said, int(entry) if entry.isdecimal() else 0))
    return lines


def _points(where, item, cell, limit):
    """The points in a cell; None where it is empty."""
    text = (cell or "").strip()
    if not text:
        return None
    try:
        points = float(text.replace(",", "."))
    except ValueError:
        points = -1.0
    if not 0 <= points <= limit:
        raise ValueError(f"{where} has {text!r} for {item!r}: give 0 to {limit:g} points.")
    return points


def _said(cell):
    """A comment without the apostrophe that kept a spreadsheet from reading a formula."""
    text = (cell or "").strip()
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(FORMULA) else text


def taken(lines, found, path, entries=()):
    """The marks of a table as the ledger takes them.

    Parameters
    ----------
    lines : as `read_csv` gives them.
    found : as `texts` gives them now.
    entries : the marks in the ledger, Adjustments.

    Returns
    -------
    marks : list of (student, {item: points}, comment).
    crossed : list of (code, sentence): texts that somebody marked otherwise since the table was written; their lines
        are left out. A line that is as it was written says nothing, and is left out silently.

    Raises
    ------
    ValueError
        when a code stands for no text: it was mistyped, or the student has handed in another text since.
    """
    known, marks, crossed = {one.code: one for one in found}, [], []
    shown = {one.number: (dict(one.items), one.reason) for one in entries}
    for line, code, items, said, entry in lines:
        if code not in known:
            told = f"{path} line {line} has the code {plain(code)!r}, which stands for no text handed in last"
            raise ValueError(f"{told}: nothing was taken; write the table again, the text may have been replaced.")
        now = known[code]
        if entry == now.entry or (items, said) == (now.items, now.comment):
            marks.append((now.student, items, said))
        elif (items, said) != shown.get(entry):
            given = ", ".join(f"{item} {number(points)}" for item, points in now.items.items())
            crossed.append((code, f"{now.by or 'somebody'} marked it since: {given or 'a comment alone'}"))
    return marks, crossed


def page(face, question, prompt, found):
    """The page to read from: one HTML text without script, every text escaped, no names."""
    from seqlab.grading.feedback import page as whole
    from seqlab.grading.feedback import prose, shown

    items = "".join(
        f'<tr><td>{prose(one["text"])}</td><td class="number">{number(one["points"])}</td><td><code>{one["id"]}</code>'
        "</td></tr>"
        for one in question["rubric"]
    )
    waiting = sum(not _whole(one, question) for one in found)
    parts = [
        f"<h1>{prose(question['title'])}</h1>",
        f'<p class="soft">{shown(face["title"])} · {len(found)} texts, {waiting} to be marked · '
        f"{number(question['points'])} points</p>",
        f'<div class="note" style="white-space: pre-wrap">{shown(prompt)}</div>' if prompt.strip() else "",
        '<div class="scroll" tabindex="0" role="region" aria-label="Rubric"><table><caption>What earns points</caption>'
        '<thead><tr><th scope="col">item</th><th scope="col" class="number">points</th><th scope="col">column</th></tr>'
        f"</thead><tbody>{items}</tbody></table></div>",
    ]
    for one in found:
        marked = ", ".join(f"{item} {number(points)}" for item, points in one.items.items())
        state = f"{marked}" if _whole(one, question) else f"{marked}; not whole" if marked else "not marked"
        parts.append(f'<h2 id="{one.code}"><code>{one.code}</code> <span>{shown(state)}</span></h2>')
        parts.append(f'<div style="white-space: pre-wrap; overflow-wrap: anywhere">{shown(one.text)}</div>')
        if one.comment:
            parts.append(f'<p class="hint">{shown(one.comment)}</p>')
    return whole(f"{question['title']}: to be marked", "\n".join(part for part in parts if part))


def _whole(one, question):
    return all(item["id"] in one.items for item in question["rubric"])
