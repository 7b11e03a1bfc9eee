"""`seqlab similar`: what concerns a class as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.commands import BUNDLES, Bundles, bar, bundle_of, terminal, write

SQLITE = b"SQLite format 3\0"
LISTED = 20  # pairs on the terminal; the page has all


def _submitted(path, name):
    """What a class handed in, from a folder, an archive or a ledger: list of (student, bytes or None)."""
    from seqlab.grading.collecting import collect
    from seqlab.grading.ledger import Ledger

    if not path.exists():
        raise ValueError(f"There is no {path}: give a folder of submissions, a .zip of them, or a ledger.")
    if path.is_file() and path.open("rb").read(len(SQLITE)) == SQLITE:
        with Ledger(path, must_exist=True) as book:
            if name not in book.assignments():
                raise ValueError(f"{path} has no assignment {name} (there: {', '.join(book.assignments()) or 'none'}).")
            return [(student, book.content(submission)) for student, submission in book.latest(name)]
    return [(one.student, one.content) for one in collect(path, name)]


def _take(places, assignment, earlier):
    """The works in some places, and who could not be read. A student counts once: as in the last place that has her."""
    from seqlab.grading.similarity import take

    found, unread = {}, {}
    for path in places:
        year = path.resolve().name if earlier else ""
        works, lost = take(_submitted(path, assignment.name), assignment, year)
        found |= {(year, work.student): work for work in works}
        unread |= dict.fromkeys(lost)
    return list(found.values()), [name for name in unread if ("", name) not in found]


def similar(
    places: Annotated[list[Path], typer.Argument(help="Folders or .zip files of submissions, or ledgers.")],
    assignment: Annotated[str, typer.Option(help="The assignment's name, or its bundle's folder.")],
    to: Annotated[Path, typer.Option(help="The page to write (.html).")],
    earlier: Annotated[
        list[Path] | None, typer.Option("--with", help="An earlier class to compare with; may be given again.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Tell pairs that are at least so unusual, 0 to 1.")] = 0.6,
    bundles: Bundles = BUNDLES,
):
    """Find pairs of submissions that are unusually alike. Likeness is no proof."""
    from seqlab.grading import similarity
    from seqlab.grading.build import load_bundle

    similarity.need_copydetect()
    if to.is_dir():
        raise ValueError(f"{to} is a folder: give the name of a page, such as {to / 'similar.html'}.")
    loaded, console = load_bundle(bundle_of(assignment, bundles)), terminal()
    works, unread = _take(places, loaded, earlier=False)
    if not works and not unread:
        raise ValueError(f"{places[0]} holds no submissions of {loaded.name}.")
    works += _take(earlier or [], loaded, earlier=True)[0]
    if len(works) < 2:
        raise ValueError("Only one submission can be read, or none: there is nothing to compare.")
    with bar(console, {"compare": f"comparing {loaded.name}"}) as progress:
        found = similarity.compare(works, loaded, threshold, progress)
    write(to, similarity.page(loaded.title, found, unread))
    _show_pairs(console, found.pairs)
    count, words = len(found.pairs), "pair" if len(found.pairs) == 1 else "pairs"
    told = f", {len(unread)} could not be read" if unread else ""
    console.print(f"{len(works)} submissions compared{told}: {count} {words} unusually alike. Likeness is no proof.")
    console.print(f"Both texts side by side: {to}", soft_wrap=True)


def _show_pairs(console, pairs):
    from rich.markup import escape
    from rich.table import Table

    from seqlab.grading.exports import plain

    if not pairs:
        return
    table = Table(title="Unusually alike", title_justify="left")
    table.add_column("students", overflow="fold")
    for heading in ("common", "above the class", "one answer"):
        table.add_column(heading, justify="right")
    for pair in pairs[:LISTED]:
        names = (plain(f"{one.student} ({one.year})" if one.year else one.student) for one in (pair.one, pair.other))
        table.add_row(escape(" and ".join(names)), *map("{:.0%}".format, (pair.likeness, pair.above, pair.single[0])))
    console.print(table)
