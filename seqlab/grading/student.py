"""What a student learns of her own work, in a terminal (`seqlab check`) and inside the notebook:

    from seqlab.grading.student import check
    check()                 every question, as its cell was last run; nothing needs to be saved
    check("rnn-step")       one question alone, which is quicker

Both run the grader's own engine on the public checks, in a process and a kernel of their own, without any network. What
differs is told with the shapes that the check used, the name of a recognised mistake and a hint; never an expected
value.
"""

import ast
import base64
import contextlib
import difflib
import html
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path

from seqlab.grading import mistakes
from seqlab.grading.model import Assignment, Record, State
from seqlab.grading.plainly import plainly

PATIENCE = 10.0  # seconds for one cell on a machine that is free: a student wants to know of an endless loop soon
FILES = ("release.json", "expected.json")
MARKS = {State.PASSED: "✓", State.NOT_RUN: "–"}  # all others: ✗
WIDTH = 88
PRINTED = 15  # lines of what an answer printed
RAISED = re.compile(r"^[A-Za-z_]\w*(Error|Exception|Interrupt|Exit|Warning|StopIteration)\b.*")
SHAPE = re.compile(r"\w*:? ?\w* ?\([\d, ]+\)")
STYLE = """<style>
.sqc{line-height:1.5;max-width:46rem;overflow-wrap:anywhere}
.sqc p{margin:.3rem 0}.sqc summary{cursor:pointer;padding:.15rem 0}
.sqc details{border-top:1px solid rgba(128,128,128,.4);padding:.2rem 0}
.sqc .b{margin:.3rem 0 .5rem 1.4rem}.sqc .m{display:inline-block;width:1.4rem;font-weight:700}
.sqc .g{color:#2e8b57}.sqc .r{color:#d1495b}.sqc .s{opacity:.75;font-size:.93em}
.sqc pre{white-space:pre-wrap;margin:.3rem 0;padding:.4rem .6rem;border-left:3px solid rgba(128,128,128,.5);
background:rgba(128,128,128,.1);color:inherit}.sqc code{background:rgba(128,128,128,.15);color:inherit}
</style>"""


class NoAnswers(ValueError):
    """The notebook is one, but holds none of this assignment's answers."""


# ------------------------------------------------------------------------------------------ what came with it


def beside(folder):
    """The reduced assignment, the expected values and the mistakes that lie in the folder of a student's notebook.

    Raises
    ------
    ValueError
        when one is missing or damaged, with what to do.
    """
    found = []
    for name in FILES:
        path = Path(folder) / name
        if not path.is_file():
            raise ValueError(f"{path} is missing: it came with the assignment; keep it beside your notebook.")
        try:
            text = path.read_text(encoding="utf-8")
            found.append(Assignment.loads(text) if name == "release.json" else dict(json.loads(text)))
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"{path} is damaged: copy it again with `seqlab release`.") from None
    return *found, mistakes.read(Path(folder) / mistakes.FILE)


def only(assignment, question):
    """The assignment with the checks of one question alone.

    Parameters
    ----------
    question : an answer's id, its title, or its number counted from one; None for all.

    Raises
    ------
    ValueError
        when there is no such question, with the names of those that there are.
    """
    if question is None:
        return assignment
    wanted, names = str(question).strip().lower(), [answer.id for answer in assignment.answers]
    for number, answer in enumerate(assignment.answers, start=1):
        if wanted in (answer.id.lower(), answer.title.lower(), str(number)):
            checks = tuple(one for one in assignment.checks if one.answer == answer.id)
            return replace(assignment, checks=checks, manuals=())
    near = difflib.get_close_matches(wanted, names, 1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"There is no question {str(question)!r}: {meant}The questions are {', '.join(names)}.")


def closed_imports(source, closed):
    """The closed modules that a source imports: [(module, line), ...]. It finds plain imports, not tricks."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in closed:
            if any(name == module or name.startswith(module + ".") for name in names):
                found.append((module, node.lineno))
    return found


# ------------------------------------------------------------------------------------------------- running


def run(content, folder, question=None, trusted=False):
    """Run the public checks on a notebook's bytes, in this process and a kernel of its own.

    Parameters
    ----------
    content : bytes of the notebook.
    folder : where release.json, expected.json and mistakes.json lie.
    question : one question alone (see `only`).
    trusted : without the sandbox, even where there is one.

    Returns
    -------
    report : Report.

    Raises
    ------
    ValueError
        when the notebook or what belongs to it cannot be read.
    """
    from seqlab.grading import intake, sandbox
    from seqlab.grading.run import _grade_here

    assignment, expected, published = beside(folder)
    whole, assignment = assignment, only(assignment, question)
    answers, _ = intake.extract(content, assignment)
    if not answers:
        raise NoAnswers(f"holds no answer to {assignment.name}: give the notebook that came beside its files")
    trusted = trusted or not sandbox.available()
    last = max(place for place, cell in enumerate(assignment.cells) if cell.id in {one.id for one in assignment.checks})
    assignment = replace(assignment, cells=assignment.cells[: last + 1])  # what comes later can change no check
    if not _busy():
        assignment = replace(assignment, cell_seconds=min(assignment.cell_seconds, PATIENCE))
    job = {"submission": content, "assignment": assignment, "trusted": trusted, "only_visible": True}
    with _quietly(), tempfile.TemporaryDirectory(prefix="sq", ignore_cleanup_errors=True) as scratch:
        record = _grade_here(job | {"expected": expected, "published": published}, scratch)
    if question is not None:
        record.problems = [one for one in record.problems if "is not in the notebook" not in one]
    shown = replace(whole, checks=assignment.checks, manuals=assignment.manuals)
    return Report(shown, record, _notes(assignment, answers, trusted), sources=answers)


def _busy():
    """Whether other work slows this machine down, as far as this can be known."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1)


def _notes(assignment, answers, trusted):
    """What is worth knowing where closed books are not enforced."""
    if not trusted:
        return []
    checked, notes = {check.answer for check in assignment.checks}, []
    for answer in assignment.answers:
        for module, line in closed_imports(answers.get(answer.id, ""), answer.closed) if answer.id in checked else []:
            notes.append(
                f"Line {line} of the answer {answer.id!r} imports {module}. It is closed for this question: "
                "the grader hides it, and this answer will fail there."
            )
    closed = sorted({one for answer in assignment.answers if answer.id in checked for one in answer.closed})
    if closed and not notes:
        notes.append(f"Closed books are not enforced here; the grader hides {', '.join(closed)}.")
    return notes


@contextlib.contextmanager
def _quietly():
    """pytest writes a report of its own, and takes options from the environment: neither belongs here."""
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(kept)


# ------------------------------------------------------------------------------------------------- telling


@dataclass
class Line:
    """One check, ready to be read."""

    title: str
    mark: str
    state: str
    earned: float
    points: float
    hidden: bool = False
    told: str = ""  # what differs
    plainly: str = ""  # the same in plain words, where that helps
    mistake: str = ""
    hint: str = ""
    called: str = ""


@dataclass
class Question:
    """One question with its checks."""

    id: str
    title: str
    number: int
    lines: list
    printed: str = ""
    where: str = ""  # such as "In [7]": which run of the cell was checked

    @property
    def seen(self):
        """Its public checks."""
        return [line for line in self.lines if not line.hidden]

    @property
    def mark(self):
        """✓ when every public check passes, – when none was run, else ✗."""
        marks = {line.mark for line in self.seen}
        return marks.pop() if len(marks) == 1 else "✗" if marks else "–"

    @property
    def verdict(self):
        """In a few words."""
        if not self.seen:
            return "only hidden checks"
        if self.mark == "✓":
            return "passes here"
        if self.mark == "–":
            return self.seen[0].told
        good = sum(line.mark == "✓" for line in self.seen)
        return f"{good or 'none'} of {len(self.seen)} checks pass" if len(self.seen) > 1 else "its check does not pass"


@dataclass
class Report:
    """What the checks said; it shows itself as text in a terminal and as HTML in a notebook."""

    assignment: Assignment
    record: Record
    notes: list = field(default_factory=list)
    runs: dict = field(default_factory=dict)  # answer id -> "In [7]"
    sources: dict = field(default_factory=dict)  # answer id -> what the student wrote

    @property
    def passed(self):
        """Whether every public check passes."""
        return all(one.state is State.PASSED for one in self.record.checks)

    @property
    def questions(self):
        """The questions that were checked, in their order."""
        results = {one.id: one for one in self.record.checks}
        found = []
        for number, answer in enumerate(self.assignment.answers, start=1):
            checks = [one for one in self.assignment.checks if one.answer == answer.id]
            if checks:
                lines = [_line(check, results.get(check.id)) for check in checks]
                for line in lines:
                    line.plainly = plainly(line.told, answer.stub, self.sources.get(answer.id, ""))
                printed = _printed(self.record.shown.get(answer.id, ""), lines)
                found.append(Question(answer.id, answer.title, number, lines, printed, self.runs.get(answer.id, "")))
        return found

    @property
    def written(self):
        """A sentence on each written question: no program judges it."""
        said = []
        for one in self.assignment.manuals:
            text = self.record.written.get(one.id)
            state = (
                "" if text is None else f"; you wrote {len(text.split())} words" if text else "; nothing is written yet"
            )
            said.append(f"{one.title}: a person reads this ({one.points:g} points){state}.")
        return said

    @property
    def summary(self):
        """One sentence or three: what passes, the points, what is still hidden."""
        questions = self.questions
        seen = [question for question in questions if question.seen]
        good = sum(question.mark == "✓" for question in seen)
        hidden = sum(line.points for question in questions for line in question.lines if line.hidden)
        told = f"{good} of {len(seen)} questions pass here. " if len(seen) > 1 else ""
        told += f"{self.record.score:g} of {self.record.points:g} visible points."
        return told + (f" Hidden checks decide on {hidden:g} more." if hidden else "")

    def dumps(self):
        """This report as JSON text."""
        parts = {"assignment": self.assignment.dumps(), "record": self.record.dumps()}
        return json.dumps(parts | {"notes": self.notes, "runs": self.runs, "sources": self.sources})

    @classmethod
    def loads(cls, text):
        """The inverse of `dumps`."""
        raw = json.loads(text)
        parts = raw["notes"], raw["runs"], raw["sources"]
        return cls(Assignment.loads(raw["assignment"]), Record.loads(raw["record"]), *parts)

    def __repr__(self):
        return "\n".join(text for text, _ in told(self))

    def _repr_html_(self):
        return page(self)


def _line(check, result):
    if result is None:
        return Line(check.title, " ", "hidden", 0.0, check.points, hidden=True)
    line = Line(check.title, MARKS.get(result.state, "✗"), str(result.state), result.earned, check.points)
    if result.state is not State.PASSED:
        line.told, line.mistake, line.hint = _parts(result, check)
        line.called = result.called
    return line


def _printed(text, lines):
    """What the answer printed: without the exceptions, which the checks tell, and without saying the same twice."""
    titles, blocks = {f"[{line.title}]" for line in lines}, [[""]]
    for row in text.splitlines():
        if row in titles:
            blocks.append([row])
        elif not RAISED.match(row):
            blocks[-1].append(row)
    kept = []
    for head, *rows in blocks:
        if any(row.strip() for row in rows) and rows not in [before for _, before in kept]:
            kept.append((head, rows))
    shown = [row for head, rows in kept for row in ([head] if head else []) + rows]
    more = [f"... ({len(shown) - PRINTED} more lines)"] if len(shown) > PRINTED else []
    return "\n".join(shown[:PRINTED] + more)


def _parts(result, check):
    """A result's message in its parts: what differs, the mistake's name, the hint."""
    if result.mistake:
        before, _, after = result.message.partition(f"; this looks like: {result.mistake}")
        return before, result.mistake, after.removeprefix(". ")
    if check.hint and result.message.endswith(f". {check.hint}"):
        before = result.message.removesuffix(f". {check.hint}")
        return before, "", "" if before.startswith("the answer's own cell stopped") else check.hint
    return result.message, "", ""


def told(report):
    """The report as lines of text, each with the colour of a terminal or none: [(text, colour), ...]."""
    lines, questions = [(report.assignment.title, "bold"), (report.summary, "bold")], report.questions
    width = max((len(question.title) for question in questions), default=0)
    for question in questions:
        earned = sum(line.earned for line in question.seen)
        points = f"{earned:g} / {sum(line.points for line in question.seen):g}"
        text = f"  {question.mark} {question.number:>2}  {question.title:{width}}  {points:>7}  {question.verdict}"
        lines.append((text + (f"  ({question.where})" if question.where else ""), COLORS[question.mark]))
    lines += [(f"  – {sentence}", "") for sentence in report.written]
    for note in (*report.record.problems, *report.notes):
        lines += [("", ""), *_wrapped(f"Note: {note}", "", "yellow")]
    for question in questions:
        if question.mark != "✓" and not (question.mark == "–" and not question.printed and len(questions) > 1):
            lines += [("", ""), *_told_question(question)]
    return lines


COLORS = {"✓": "green", "✗": "red", "–": "yellow", " ": "dim"}


def _told_question(question):
    lines, said = [(f"{question.number}. {question.title}  ({question.id})", "bold")], set()
    for line in question.lines:
        points = f"{'?' if line.hidden else f'{line.earned:g}'} / {line.points:g}"
        lines.append((f"  {line.mark} {line.state:8} {points:>6}  {line.title}", COLORS[line.mark]))
        if (
            line.told and line.told in said and (line.plainly or line.state != "failed")
        ):  # one fault, met by several checks
            lines += _wrapped("The same as above.", " " * 6)
            continue
        lines += [row for text in _sentences(line) for row in _wrapped(text, " " * 6)]
        said.add(line.told)
    if question.printed:
        lines += [("  Your code printed:", "")]
        lines += [(f"      {text}", "") for text in question.printed.splitlines()]
    return lines


def _sentences(line):
    """What there is to say of a check, a sentence or two each."""
    parts = [_sentence(line.told), line.plainly, line.called and f"The check called {line.called}."]
    parts += [line.mistake and f"This looks like: {line.mistake}.", line.hint and f"Hint: {line.hint}"]
    return [part for part in parts if part]


def _sentence(text):
    return text and text[:1].upper() + text[1:] + "." * (text[-1] not in ".!?")


def _wrapped(text, indent, color=""):
    text = SHAPE.sub(lambda found: found[0].replace(" ", "\xa0"), text)  # a shape stays on one line
    lines = textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
    return [(line.replace("\xa0", " "), color) for line in lines]


def page(report):
    """The report as HTML for a notebook: it takes the notebook's own colours, light or dark, and needs no script."""
    e = html.escape
    parts = [STYLE, f'<div class="sqc"><p><b>{e(report.assignment.title)}.</b> {e(report.summary)}</p>']
    parts += [f'<p class="s"><b>Note:</b> {e(note)}</p>' for note in (*report.record.problems, *report.notes)]
    for question in report.questions:
        tone = {"✓": "g", "✗": "r"}.get(question.mark, "s")
        where = f' <span class="s">{e(question.where)}</span>' if question.where else ""
        head = f'<span class="m {tone}">{question.mark}</span>{question.number}. <b>{e(question.title)}</b>: '
        opened = " open" if question.mark == "✗" else ""
        parts.append(f"<details{opened}><summary>{head}{e(question.verdict)}{where}</summary>")
        parts += [f'<div class="b">{_html_line(line)}</div>' for line in question.lines]
        if question.printed:
            parts.append(f'<div class="b">Your code printed:<pre>{e(question.printed)}</pre></div>')
        parts.append("</details>")
    parts += [f'<p class="s">{e(sentence)}</p>' for sentence in report.written]
    return "".join([*parts, "</div>"])


def _html_line(line):
    e = html.escape
    tone = {"✓": "g", "✗": "r"}.get(line.mark, "s")
    points = f"{'?' if line.hidden else f'{line.earned:g}'} of {line.points:g}"
    text = f'<span class="m {tone}">{line.mark}</span>{e(line.title)} <span class="s">({line.state}, {points})</span>'
    text += f"<br>{e(_sentence(line.told))} {e(line.plainly)}" if line.told else ""
    text += f"<br>The check called <code>{e(line.called)}</code>." if line.called else ""
    text += f"<br><b>This looks like: {e(line.mistake)}.</b>" if line.mistake else ""
    return text + (f"<br><i>Hint:</i> {e(line.hint)}" if line.hint else "")


# ------------------------------------------------------------------------------------------ in the notebook


def executed(cells, stubs):
    """The answers among the cells that were run: {answer id: (source, number of the run)}; the last run counts.

    Parameters
    ----------
    cells : list of sources, as IPython keeps them: number 0 is empty.
    stubs : dict from answer id to the source of its cell in the release. A cell that lost its comment `# answer: <id>`
        is known by what it defines.
    """
    from seqlab.grading.intake import DEFINED, MARKER

    defines = {name: set(DEFINED.findall(stub)) for name, stub in stubs.items()}
    found = {}
    for number, source in enumerate(cells):
        marker, own = MARKER.search(source[:5000]), set(DEFINED.findall(source))
        if marker and marker[1] in stubs:
            found[marker[1]] = source, number
        for name, wanted in defines.items() if not marker and own else ():
            if wanted and wanted <= own:
                found[name] = source, number
    return found


def check(question=None, folder="."):
    """Check your answers from inside the notebook, as their cells were last run; nothing needs to be saved.

    Parameters
    ----------
    question : one question alone, by its id, its title or its number; every question when not given.
    folder : where release.json, expected.json and mistakes.json lie: beside the notebook.

    Returns
    -------
    report : shows itself below the cell.

    Raises
    ------
    ValueError
        when a file is missing or there is no such question.
    """
    from IPython import get_ipython
    from IPython.display import clear_output

    shell = get_ipython()
    if shell is None:
        raise ValueError("check() works inside a notebook; in a terminal use `seqlab check NOTEBOOK`.")
    assignment, _, _ = beside(folder)
    only(assignment, question)
    done = executed(shell.history_manager.input_hist_raw, {one.id: one.stub for one in assignment.answers})
    if not done:
        raise ValueError("No answer has been run yet: run the cells of your answers, then this one.")
    print("Running your answers ...")
    report = _elsewhere({name: source for name, (source, _) in done.items()}, folder, question)
    report.runs = {name: f"In [{number}]" for name, (_, number) in done.items()}
    clear_output(wait=True)
    return _not_run_yet(report, done)


def _not_run_yet(report, done):
    """Say of an answer that is in no cell that was run just this."""
    report.record.problems = [one for one in report.record.problems if "is not in the notebook" not in one]
    for one in report.record.checks:
        if one.answer not in done:
            one.message = "its cell has not been run yet"
    return report


def _elsewhere(answers, folder, question):
    """Run answers in another process, so that whatever they do cannot harm this one."""
    cells = [
        {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for name, source in answers.items()
    ]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    asked = {"content": base64.b64encode(notebook).decode(), "folder": str(Path(folder).resolve())}
    environment = {k: v for k, v in os.environ.items() if k not in ("JPY_PARENT_PID", "MPLBACKEND")}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "seqlab.grading.student"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, encoding="utf-8",
    )  # fmt: skip
    try:
        said, complaint = process.communicate(json.dumps(asked | {"question": question}))
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        raise
    if process.returncode:
        raise ValueError(complaint.strip().splitlines()[-1] if complaint.strip() else "The check was ended.")
    return Report.loads(said)


def main():
    """The other process: a request on the standard input, a report on the standard output."""
    asked = json.loads(sys.stdin.read())
    try:
        report = run(base64.b64decode(asked["content"]), asked["folder"], asked["question"])
    except (ValueError, RuntimeError, OSError) as wrong:
        print(str(wrong), file=sys.stderr)
        return 1
    sys.stdout.write(report.dumps())
    return 0


if __name__ == "__main__":
    sys.exit(main())
