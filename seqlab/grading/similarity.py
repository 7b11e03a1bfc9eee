"""Pairs of submissions that are unusually alike: winnowing over tokens, by copydetect, answer by answer.

An answer becomes a row of tokens. What is easily changed is set aside: the names that a student gives, comments,
docstrings, layout, brackets that only group, how a number or a string is written. Names after a point stay, because
`np.exp` cannot be renamed. Every run of K tokens is hashed, `copydetect.utils.winnow` picks the fingerprints (so that
every common run of K + WINDOW - 1 tokens is found), and what the release gave to everybody is taken out.

The likeness of two answers is the part of their fingerprints that both have (Dice's coefficient). Right answers to a
short question are all alike, so two numbers say what is unusual: over the whole notebook, how far a pair stands above
the median pair of the class; in one answer, the part that both have and few others. Both count for less where there is
little text. (Schleimer, Wilkerson, Aiken: Winnowing, 2003.)
"""

import ast
import hashlib
import keyword
import re
from dataclasses import dataclass

import numpy as np

from seqlab.grading import intake, personal

K = 8  # tokens in a run
WINDOW = 4  # of so many neighbouring runs at least one is kept
LEAST = 3  # an answer with fewer fingerprints is too short to be compared
SMALL = 5  # in a smaller class the median pair may be the copy: nothing is taken off
FEW = 8  # so many telling fingerprints count half
THRESHOLD = 0.6  # pairs at least so unusual are told; measured: copies in disguise 0.89 and more
OWN_NAMES = re.compile(r"\.(\w+)\s*[-+*/@%|&^]{0,2}=(?!=)|\b(?:def|class)\s+(\w+)")


# --------------------------------------------------------------------------------------------- one answer


@dataclass(frozen=True)
class Token:
    """One token of an answer: what it is compared as, and where it stands in the source."""

    symbol: str
    start: int
    end: int


def tokens(source):
    """The tokens of an answer that are compared; code that does not parse is cut up all the same."""
    from pygments.lexers import PythonLexer
    from pygments.token import Comment, Name, Number, Operator, Punctuation, String

    own = {name for names in OWN_NAMES.findall(source) for name in names}
    found, brackets, place = [], [], 0
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        start, place = place, place + len(text)
        last = found[-1].symbol if found else ""
        if kind in Comment or kind in String.Doc or not text.strip():
            continue
        if kind in String:
            if last == "S":
                start = found.pop().start
            found.append(Token("S", start, place))
        elif kind in Number:
            found.append(Token(_number(text), start, place))
        elif kind in Name:
            known = kind in Name.Builtin and kind not in Name.Builtin.Pseudo
            kept = text not in own and (known or last == ".")
            found.append(Token(text if kept else "V", start, place))
        elif kind in Punctuation or (kind in Operator and kind not in Operator.Word):
            for offset, sign in enumerate(text):
                _add_sign(found, brackets, Token(sign, start + offset, start + offset + 1))
        else:
            found.append(Token(text, start, place))
    return found


def _number(text):
    try:
        return repr(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _add_sign(found, brackets, token):
    """Add a bracket, a comma or an operator; brackets that only group and commas before an end say nothing."""
    last = found[-1].symbol if found else ""
    if token.symbol == "(":
        brackets.append(last in (")", "]", "V", "S") or (last.isidentifier() and not keyword.iskeyword(last)))
        if brackets[-1]:
            found.append(token)
    elif token.symbol in (")", "]", "}"):
        if last == ",":
            found.pop()
        if token.symbol != ")" or not brackets or brackets.pop():
            found.append(token)
    elif token.symbol != ";":
        found.append(token)


def runs(found):
    """The hash of every run of K tokens: (N,) int64, the same in every process."""
    symbols = [token.symbol.encode() for token in found]
    grams = (b"\0".join(symbols[place : place + K]) for place in range(len(symbols) - K + 1))
    hashes = [int.from_bytes(hashlib.blake2b(gram, digest_size=8).digest(), "big") >> 1 for gram in grams]
    return np.array(hashes, dtype=np.int64)


@dataclass(frozen=True)
class Print:
    """An answer's fingerprints: each hash with the places (numbers of tokens) where its run begins."""

    source: str
    tokens: tuple[Token, ...]
    places: dict[int, tuple[int, ...]]


def _blocks(source, found):
    """Where functions, classes and what stands between them begin and end: pairs of numbers of tokens.

    No run goes over such a border, so that another order of functions changes nothing.
    """
    begins, defined = [0], False
    for number, token in enumerate(found):
        if (token.start and source[token.start - 1] != "\n") or token.symbol in (")", "]", "}"):
            continue
        defines = token.symbol in ("def", "class", "async") or source[token.start] == "@"
        if number and (defines or defined):
            begins.append(number)
        defined = defines
    return list(zip(begins, [*begins[1:], len(found)], strict=True))


def fingerprint(source, common=frozenset()):
    """Winnow an answer; `common` are hashes that everybody was given."""
    from copydetect.utils import winnow

    found, places = tokens(source), {}
    for begin, end in _blocks(source, found):
        hashes = runs(found[begin:end])
        if not len(hashes):
            continue
        picked, where = winnow(hashes, min(WINDOW, len(hashes)), remove_duplicates=False)
        for value, place in zip(picked.tolist(), map(int, where), strict=True):
            if value not in common:
                places.setdefault(value, []).append(begin + place)
    return Print(source, tuple(found), {value: tuple(where) for value, where in places.items()})


def likeness(one, other):
    """The part of two answers' fingerprints that both have, 0 to 1 (Dice)."""
    total = len(one.places) + len(other.places)
    return 2 * len(one.places.keys() & other.places.keys()) / total if total else 0.0


def common_parts(one, other):
    """What two answers have in common, as it stands in each: two lists of (start, end) in the sources."""
    from copydetect.utils import get_copied_slices

    both = one.places.keys() & other.places.keys()
    parts = []
    for mine in (one, other):
        begins = np.array([place for value in both for place in mine.places[value]], dtype=int)
        slices = get_copied_slices(begins, K).astype(int)
        parts.append([(mine.tokens[a].start, mine.tokens[b - 1].end) for a, b in slices.T])
    return parts


# -------------------------------------------------------------------------------------------------- a class


@dataclass(frozen=True)
class Work:
    """What one student handed in, as far as it is compared. `year` names an earlier class, "" is this one."""

    student: str
    answers: dict[str, str]
    year: str = ""


@dataclass(frozen=True)
class Question:
    """How alike the class is in one answer."""

    id: str
    title: str
    count: int  # answers that are long enough to be compared
    median: float  # likeness of the median pair
    highest: float


@dataclass(frozen=True)
class Pair:
    """Two students' works and how alike they are, each number 0 to 1."""

    one: Work
    other: Work
    likeness: float  # of all answers together
    above: float  # how far that stands above the class
    parts: dict[str, tuple[float, float]]  # answer id -> (likeness, the part that both have and few others)

    @property
    def single(self):
        """The most unusual answer: (how unusual, answer id)."""
        return max(((rare, name) for name, (_, rare) in self.parts.items()), default=(0.0, ""))


@dataclass(frozen=True)
class Comparison:
    """What comparing a class gave."""

    questions: list[Question]
    pairs: list[Pair]  # those told: alike as a whole, highest first; then those alike in one answer
    works: list[Work]
    prints: dict[str, dict[int, Print]]  # answer id -> number of the work -> its fingerprints
    threshold: float


def given(assignment):
    """The hashes of all that the release gave to everybody: stubs, provided cells, what is shown of checks."""
    found = set()
    for values in personal.cycle(assignment):
        own = personal.filled(assignment, values)
        texts = [cell.source for cell in own.cells if cell.role in ("provided", "demo")]
        texts += [answer.stub for answer in own.answers] + [check.released for check in own.checks]
        found |= {value for text in texts for value in runs(tokens(text)).tolist()}
    return frozenset(found)


def take(submitted, assignment, year=""):
    """The works of a class.

    Parameters
    ----------
    submitted : iterable of (student, bytes or None).

    Returns
    -------
    works : list of Work; answers that nobody wrote are left out.
    unread : names of students whose file could not be read.
    """
    works, unread = [], []
    for student, content in submitted:
        own = personal.personalise(assignment, student)
        try:
            found, _ = intake.extract(content or b"", own)
        except intake.NotANotebook:
            unread.append(student)
            continue
        stubs = {answer.id: answer.stub for answer in own.answers}
        written = {name: source for name, source in found.items() if not intake.blank(source, stubs[name])}
        works.append(Work(student, written, year))
    return works, unread


def need_copydetect():
    """Say in one sentence what is missing, if it is."""
    try:
        import copydetect.utils  # noqa: F401
    except ImportError:
        raise ValueError(
            'Comparing submissions needs the package copydetect: run `pip install "seqlab[class]"` and try again.'
        ) from None


def _alike(prints, now):
    """Of every two works their likeness, the part that both and few others have, their size: three (N, N).

    `now` (N,) says which works are of this class; nan stands where one of the two has no answer.
    """
    from scipy.sparse import csr_matrix

    number, rows, columns = {}, [], []
    for row, one in prints.items():
        columns += [number.setdefault(value, len(number)) for value in one.places]
        rows += [row] * len(one.places)
    table = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(now), max(1, len(number))))
    size = np.full(len(now), np.nan)
    size[list(prints)] = [len(one.places) for one in prints.values()]
    mean = (size[:, None] + size[None]) / 2
    there, weights = int(now[list(prints)].sum()), np.ones(table.shape[1])
    if there >= SMALL:  # one that two have counts whole, one that all have nothing
        having = np.maximum(2.0, np.asarray(table[now].sum(axis=0)).ravel())
        weights = np.log(there / np.minimum(having, there)) / np.log(there / 2)
    both, rare = (table @ table.T).toarray(), (table.multiply(weights[None]).tocsr() @ table.T).toarray()
    return both / mean, rare / (mean + FEW), mean


def _above(likeness, median, size):
    """How far a likeness stands above the class, and less so where there is little to tell by."""
    telling = size * (1 - median)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(median < 1, (likeness - median) / (1 - median), 0.0)
    return np.clip(part, 0, 1) * telling / (telling + FEW)


def compare(works, assignment, threshold=THRESHOLD, progress=None):
    """Compare every work of a class with every other, and with those of earlier years.

    Parameters
    ----------
    works : list of Work; pairs of two earlier ones are not told.
    threshold : pairs at least so unusual are told, 0 to 1.
    progress : called with ("compare", done, total).

    Returns
    -------
    comparison : Comparison.
    """
    need_copydetect()
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold is {threshold:g}; give a number above 0 and at most 1")
    count, common = len(works), given(assignment)
    now = np.array([not work.year for work in works], dtype=bool)
    told = np.triu(now[:, None] | now[None], 1) if count else np.zeros((0, 0), dtype=bool)
    inside = np.triu(now[:, None] & now[None], 1) if count else told
    questions, prints, layers, seen = [], {}, {}, {}
    total, done = sum(len(work.answers) for work in works), 0
    for answer in assignment.answers:
        own = prints[answer.id] = {}
        for number, work in enumerate(works):
            if answer.id in work.answers:
                source = work.answers[answer.id]
                if source not in seen:
                    seen[source] = fingerprint(source, common)
                one = seen[source]
                done += 1
                if len(one.places) >= LEAST:
                    own[number] = one
                if progress and (done % 20 == 0 or done == total):
                    progress("compare", done, total)
        alike, rare, size = _alike(own, now)
        found = alike[inside & ~np.isnan(alike)]
        median = float(np.median(found)) if now.sum() >= SMALL and len(found) else 0.0
        highest = float(found.max()) if len(found) else 0.0
        questions.append(Question(answer.id, answer.title, len(own), median, highest))
        layers[answer.id] = alike, rare, size, median
    return Comparison(questions, _pairs(works, layers, told, threshold), works, prints, threshold)


def _pairs(works, layers, told, threshold):
    """The pairs above the threshold: as a whole, highest first, then in one answer."""
    sizes, alikes, medians = np.zeros(told.shape), np.zeros(told.shape), np.zeros(told.shape)
    best = np.zeros(told.shape)
    for alike, rare, size, median in layers.values():
        there = ~np.isnan(alike)
        sizes += np.where(there, size, 0.0)
        alikes += np.where(there, alike * size, 0.0)
        medians += np.where(there, median * size, 0.0)
        best = np.maximum(best, np.where(there, rare, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        alike, median = np.nan_to_num(alikes / sizes), np.nan_to_num(medians / sizes)
    whole = _above(alike, median, sizes)
    pairs = []
    for i, j in np.argwhere(told & ((whole >= threshold) | (best >= threshold))).tolist():
        parts = {
            name: (float(layer[i, j]), float(rare[i, j]))
            for name, (layer, rare, _, _) in layers.items()
            if not np.isnan(layer[i, j])
        }
        pairs.append(Pair(works[i], works[j], float(alike[i, j]), float(whole[i, j]), parts))

    def order(pair):
        whole = pair.above if pair.above >= threshold else 0.0
        return -whole, -pair.single[0], pair.one.student, pair.other.student

    return sorted(pairs, key=order)


def groups(pairs):
    """Students who hang together by pairs: lists of works, the largest first."""
    found = []
    for pair in pairs:
        touching = [group for group in found if pair.one in group or pair.other in group]
        found = [group for group in found if group not in touching]
        joined = [work for group in touching for work in group]
        found.append(joined + [work for work in (pair.one, pair.other) if work not in joined])
    return sorted(found, key=lambda group: (-len(group), group[0].student))


# --------------------------------------------------------------------------------------------------- the page

MOST = 60  # pairs on a page
STYLE = """
.two { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; } .two > * { min-width: 0; }
.two p { margin: .4rem 0 0; font-size: .95rem; overflow-wrap: anywhere; }
.two pre { white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--common); color: inherit; border-radius: .15rem; }
:root { --common: #ffe3a3; } @media (prefers-color-scheme: dark) { :root { --common: #5a4310; } }
h2.pair { border-top: 2px solid var(--line); padding-top: 1rem; } h3 { font-size: 1rem; margin: 1rem 0 0; }
@media (max-width: 45rem) { .two { grid-template-columns: 1fr; } }
"""
WARNING = (
    "Likeness is no proof. Two students may have worked from the same page of a book, or with the same tutor, or found "
    "the one short way there is. Read both texts, and talk to both, before you conclude anything."
)


def _name(work):
    from seqlab.grading.pages import shown

    return shown(work.student) + (f' <span class="soft">({shown(work.year)})</span>' if work.year else "")


def _marked(source, parts):
    """A source as HTML, with the common parts marked."""
    from seqlab.grading.pages import shown

    out, place = [], 0
    for start, end in parts:
        start = max(start, place)
        out += [shown(source[place:start]), f"<mark>{shown(source[start:end])}</mark>"]
        place = max(place, end)
    return "".join([*out, shown(source[place:])])


def _side_by_side(number, pair, answer, comparison, numbers):
    both = [comparison.prints[answer][numbers[id(work)]] for work in (pair.one, pair.other)]
    boxes = []
    for work, mine, parts in zip((pair.one, pair.other), both, common_parts(*both), strict=True):
        label = f"Pair {number}: {_label(work)}, {answer}"
        text = f'<pre tabindex="0" role="region" aria-label="{label}">{_marked(mine.source, parts)}</pre>'
        boxes.append(f"<div><p><strong>{_name(work)}</strong></p>{text}</div>")
    return f'<div class="two">{"".join(boxes)}</div>'


def _label(work):
    from seqlab.grading.pages import shown

    return shown(f"{work.student} ({work.year})" if work.year else work.student)


def _percent(part):
    return f"{100 * part:.0f} %"


def _pair(number, pair, comparison, numbers):
    from seqlab.grading.pages import prose

    titles = {question.id: question for question in comparison.questions}
    parts = [
        f'<h2 class="pair" id="pair-{number}">{_name(pair.one)} and {_name(pair.other)}'
        f"<span>{_percent(pair.above if pair.above >= comparison.threshold else pair.single[0])}</span></h2>"
    ]
    same = [name for name in pair.parts if pair.one.answers[name] == pair.other.answers[name]]
    letter = f" {len(same)} of them to the letter." if same else ""
    parts.append(
        f'<p class="soft">Of all that is compared {_percent(pair.likeness)} is common, in {len(pair.parts)} answers.'
        f"{letter} Above the class: {_percent(pair.above)}.</p>"
    )
    order = sorted(pair.parts, key=lambda name: -pair.parts[name][1])
    for place, name in enumerate(order):
        likeness, rare = pair.parts[name]
        told = f"{_percent(likeness)} common (median pair {_percent(titles[name].median)}), {_percent(rare)} unusual"
        if not likeness:
            continue
        opened = " open" if place == 0 and number <= 3 else ""
        parts.append(
            f"<details{opened}><summary>{prose(titles[name].title)}: {told}</summary>"
            f"{_side_by_side(number, pair, name, comparison, numbers)}</details>"
        )
    return "\n".join(parts)


def page(title, comparison, unread=()):
    """The report as one HTML text, without script and without anything from elsewhere.

    Parameters
    ----------
    title : the assignment's.
    unread : names of students whose file could not be read.
    """
    from seqlab.grading.pages import page as whole
    from seqlab.grading.pages import shown, table

    now = [work for work in comparison.works if not work.year]
    years = sorted({work.year for work in comparison.works if work.year})
    before = f", {len(comparison.works) - len(now)} of earlier classes ({shown(', '.join(years))})" if years else ""
    numbers = {id(work): number for number, work in enumerate(comparison.works)}
    count = len(comparison.pairs)
    parts = [
        f"<h1>{shown(title)}: likeness</h1>",
        f'<p class="soft">{len(now)} submissions compared{before}</p>',
        f'<p class="score">{count} pair{"" if count == 1 else "s"} unusually alike</p>',
        f'<div class="note"><p>{WARNING}</p></div>',
        "<p>Set aside: comments, layout, the names that students chose, and all that the release gave to everybody. "
        "<em>Common</em> is the part of two texts that both have. <em>Above the class</em> says how far the whole "
        "notebook exceeds the median pair; <em>unusual</em> is the part of one answer that both have and few others. "
        f"Pairs are told from {_percent(comparison.threshold)} of either.</p>",
    ]
    if unread:
        parts.append(f'<div class="note"><p>Could not be read: {shown(", ".join(unread))}.</p></div>')
    if count:
        parts.append(_pair_table(comparison))
        found = [group for group in groups(comparison.pairs) if len(group) > 2]
        if found:
            items = "".join(f"<li>{', '.join(map(_name, group))}</li>" for group in found)
            parts.append(f'<h2>Groups</h2><p>These hang together by pairs.</p><ul class="plain">{items}</ul>')
    head = "".join(f'<th scope="col" class="number">{word}</th>' for word in ("median pair", "most alike"))
    rows = [
        f'<tr><th scope="row">{shown(one.title)}</th><td class="number">{one.count}</td>'
        f'<td class="number">{_percent(one.median)}</td><td class="number">{_percent(one.highest)}</td></tr>'
        for one in comparison.questions
    ]
    caption = "How alike the class is in general; where the median pair is high, there is one way to write it"
    parts.append(table("Questions", caption, ["question"], ["answers"], head, rows))
    parts += [_pair(n, pair, comparison, numbers) for n, pair in enumerate(comparison.pairs[:MOST], start=1)]
    if count > MOST:
        parts.append(f'<p class="soft">The other {count - MOST} pairs stand in the table alone.</p>')
    return whole(f"{title}: likeness", "\n".join(parts), wide=True, style=STYLE)


def _pair_table(comparison):
    from seqlab.grading.pages import prose, table

    titles = {question.id: question.title for question in comparison.questions}
    head = '<th scope="col" class="number">above the class</th><th scope="col">most unusual answer</th>'
    rows = []
    for number, pair in enumerate(comparison.pairs, start=1):
        names = f"{_name(pair.one)} and {_name(pair.other)}"
        linked = f'<a href="#pair-{number}">{names}</a>' if number <= MOST else names
        rare, answer = pair.single
        most = f"{prose(titles[answer])}, {_percent(rare)}" if answer else ""
        rows.append(
            f'<tr><th scope="row">{linked}</th><td class="number">{_percent(pair.likeness)}</td>'
            f'<td class="number">{_percent(pair.above)}</td><td>{most}</td></tr>'
        )
    return table(
        "Pairs", "Whole notebooks first, then single answers, the most unusual first", ["pair"], ["common"], head, rows
    )
