"""How measurements are shown on a page: sentences and tables that are HTML in a notebook and text in a terminal."""

import re
from html import escape

# A pale panel stands behind HTML outputs on a dark page; ours follow the page's ink and need none.
FRAME = (
    "<style>html[data-theme=dark] .bd-content div.cell_output .text_html:has(div.seqlab.seqlab)"
    "{background:none;color:inherit;padding:0}"
    ".seqlab-results table{border-collapse:collapse;font-size:.875rem;width:auto;margin:.3rem 0;background:none;"
    "color:inherit}"
    ".seqlab-results :is(th,td){padding:.2rem .6rem;border-bottom:1px solid rgba(128,128,128,.4);text-align:left;"
    "vertical-align:top;background:none;color:inherit;font-variant-numeric:tabular-nums}"
    ".seqlab-results thead th{vertical-align:bottom;border-bottom-width:2px}"
    ".seqlab-results :is(th,td).number{text-align:right;white-space:nowrap}"
    ".seqlab-results :is(th,td).long{min-width:min(15rem,38vw)}"
    ".seqlab-results :is(th,td).prose{min-width:min(38rem,80vw)}"
    ".seqlab-results tr:has(+tr.below)>*{border-bottom:0;padding-bottom:0}"
    ".seqlab-results tr.below div{display:inline-block;position:sticky;left:.6rem;max-width:min(40rem,80vw)}"
    ".seqlab-results :is(th,td) small{font-size:.8rem}"
    ".seqlab-results caption{caption-side:top;text-align:left;color:inherit;padding:.2rem 0}"
    ".seqlab-results summary{cursor:pointer;padding:.3rem 0}</style>"
)


DASH = "–"  # where there is nothing
LONG, PROSE = 18, 80  # letters of a line from which a column may break its lines, and takes more room


def marked(text):
    """Plain text as HTML: `code` between backticks; what follows a new line is small and stands below."""
    first, *below = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(str(text))).split("\n")
    return first + "".join(f"<br><small>{line}</small>" for line in below)


class Piece:
    """Something that a cell shows."""

    def inner(self):
        """The piece as HTML without its frame."""
        raise NotImplementedError

    def _repr_html_(self):
        return f'{FRAME}<div class="seqlab seqlab-results">{self.inner()}</div>'

    def __repr__(self):
        return str(self)


class Sentences(Piece):
    """Paragraphs of text; what stands between backticks is code.

    Parameters
    ----------
    lines : text of each paragraph.
    """

    def __init__(self, *lines):
        self.lines = lines

    def inner(self):
        return "".join(f"<p>{marked(line)}</p>" for line in self.lines)

    def __str__(self):
        return "\n".join(self.lines)


class Table(Piece):
    """A table that scrolls sideways where it is too wide for the page.

    Parameters
    ----------
    head : names of the columns.
    rows : lists of text, as long as the head; a cell may be a number, too.
    caption : what the table shows, in a few words.
    words : names of the columns that hold text; the others hold numbers and stand to the right. In a cell of text, what
        follows a new line stands small below.
    fold : None, or what the reader clicks to open the table.
    below : None, or the name of the last column, whose long texts stand below their rows, as wide as the page.
    """

    def __init__(self, head, rows, caption, words, fold=None, below=None):
        self.head, self.rows = list(head), [[str(cell) for cell in row] for row in rows]
        self.caption, self.words, self.fold, self.below = caption, set(words), fold, below
        if below is not None and below != self.head[-1]:
            raise ValueError(f"below is {below!r}; it must be the last column, {self.head[-1]!r}")
        wrong = next((row for row in self.rows if len(row) != len(self.head)), None)
        if wrong is not None:
            raise ValueError(f"a row of {caption!r} has {len(wrong)} cells; the table has {len(self.head)} columns")

    def inner(self):
        kinds = [self._kind(name, column) for name, column in zip(self.head, self._columns(), strict=True)]
        kinds = kinds[:-1] if self.below else kinds
        head = "".join(
            f'<th scope="col" class="{kind}">{marked(name)}</th>' for name, kind in zip(self.head, kinds, strict=False)
        )
        body = "".join(self._row(row, kinds) for row in self.rows)
        label = escape(self.caption, quote=True)
        box = (
            f'<div style="overflow-x:auto" tabindex="0" role="group" aria-label="{label}"><table>'
            f"<caption>{marked(self.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
        return f"<details><summary>{marked(self.fold)}</summary>{box}</details>" if self.fold else box

    def _columns(self):
        return zip(*self.rows, strict=True) if self.rows else [[] for _ in self.head]

    def _kind(self, name, cells):
        if name not in self.words:
            return "number"
        longest = max((len(line) for cell in cells for line in cell.split("\n")), default=0)
        return "prose" if longest > PROSE else "long" if longest > LONG else "words"

    def _row(self, row, kinds):
        first, *rest = (f'class="{kind}">{marked(cell)}' for cell, kind in zip(row, kinds, strict=False))
        cells = f'<th scope="row" style="font-weight:inherit" {first}</th>'
        cells += "".join(f"<td {cell}</td>" for cell in rest)
        if not self.below or row[-1] in ("", DASH):
            return f"<tr>{cells}</tr>"
        told = f'<td colspan="{len(kinds)}"><div><small>{marked(row[-1])}</small></div></td>'
        return f'<tr>{cells}</tr><tr class="below">{told}</tr>'

    def __str__(self):
        rows = [[cell.replace("\n", ", ") for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.head, *rows, strict=True)]
        lines = [self.head, ["-" * width for width in widths], *rows]
        texts = [
            "  ".join(
                cell.ljust(width) if name in self.words else cell.rjust(width)
                for cell, width, name in zip(line, widths, self.head, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.caption, *texts])


class Pieces(Piece):
    """Several pieces one below the other.

    Parameters
    ----------
    pieces : sentences and tables.
    """

    def __init__(self, *pieces):
        self.pieces = pieces

    def inner(self):
        return "".join(piece.inner() for piece in self.pieces)

    def __str__(self):
        return "\n\n".join(map(str, self.pieces))


def seconds(value):
    """Seconds with a fitting unit; a dash where there are none."""
    if value is None:
        return DASH
    scale, unit = next(((s, u) for s, u in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")) if value >= s), (1e-9, "ns"))
    return f"{value / scale:.3g} {unit}"


def amount(value, unit=""):
    """A large number in three digits, 2.15 G; a dash where there is none."""
    if value is None:
        return DASH
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g} {letter}{unit}"
    return f"{value:.3g} {unit}".strip()


def size(shape):
    """A size as a reader wants it: B 64, T 512, bfloat16; no line breaks between a letter and its number."""
    return ", ".join(str(v) if isinstance(v, str) else f"{k}\u00a0{v:,}" for k, v in shape.items())


def place(benchmark, passes, shape):
    """What was computed, at which size: "lstm, forward" above "B 64, T 512"."""
    return f"{benchmark}, {passes}\n{size(shape)}"


def plural(count, word):
    """1 kernel, 2 kernels."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
