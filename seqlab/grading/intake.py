"""Takes from a submitted file what the student wrote, and nothing else: {answer id: source}.

The file never reaches nbval or nbformat. Its metadata, outputs, kernel and other cells are ignored. An answer is found
by its cell's id, then by its metadata, then by the comment `# answer: <id>` that the release puts at its top. What is
missing, doubled or damaged is told in a sentence for a person to read; it never turns into a silent zero.
"""

import json
import re

from seqlab.grading.personal import stranger

MAX_BYTES = 20_000_000
MAX_SOURCE = 200_000  # characters of one answer
MAX_CELLS = 100_000
MAX_DIGITS = 1000
MARKER = re.compile(r"^[ \t]*#+[ \t]*answer[ \t]*:[ \t]*(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)
WRITTEN_MARKER = re.compile(r"<!--[ \t]*answer[ \t]*:[ \t]*([^\s>]+?)[ \t]*-->", re.IGNORECASE)
PLACEHOLDER = "*Write your answer in this cell.*"
DEFINED = re.compile(r"^(?:async )?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


class NotANotebook(ValueError):
    """The file holds no notebook; the message says why in one sentence."""


def extract(submission, assignment):
    """Find the answers in a submitted file.

    Parameters
    ----------
    submission : bytes of the file.
    assignment : Assignment.

    Returns
    -------
    answers : dict from answer id to source; an answer that was not found is absent.
    problems : list of sentences; empty when all is well.

    Raises
    ------
    NotANotebook
        when there is no notebook in it at all.
    """
    notebook, problems = read(submission)
    problems += stranger(notebook, assignment)
    cells = _cells(notebook, problems)
    wanted = [answer.id for answer in assignment.answers]
    stubs = {answer.id: answer.stub for answer in assignment.answers}
    # the source of every candidate and how it was found; the surest way first
    found = {name: [] for name in wanted}
    for cell in cells:
        names = _names(cell, set(wanted))
        for way, name in names.items():
            found[name].append((way, cell))
        claimed = set(names.values())
        if len(claimed) > 1:
            told = " and ".join(repr(name) for name in sorted(claimed))
            problems.append(f"one cell claims to be the answers {told}; a person should look which it is")
    for name in wanted:
        if not found[name]:
            found[name] = _defining(stubs[name], name, cells, problems)
    answers = {}
    for name in wanted:
        source = _choose(name, stubs[name], found[name], problems)
        if source is not None:
            answers[name] = source
    return answers, problems


def written(submission, assignment):
    """Find the texts that answer written questions, as `extract` finds answers: by id, metadata, then the marker.

    Returns
    -------
    texts : dict from a written question's id to the student's text, without the marker; "" where nothing was written,
        absent where no cell was found.
    problems : list of sentences about them.
    """
    if not assignment.manuals:
        return {}, []
    texts, problems = {}, []
    cells = _cells(read(submission)[0], [])
    for manual in assignment.manuals:
        found = {}
        for way, claims in (("id", _by_id), ("metadata", _by_metadata), ("marker", _by_written_marker)):
            for cell in cells:
                if claims(cell) == manual.id:
                    found.setdefault(_prose(cell["source"]), way)
        full = [text for text in found if text]
        if not found:
            problems.append(f"the written answer {manual.id!r} is not in the notebook: its cell was deleted")
            continue
        if len(full) > 1:
            told = f"the written answer {manual.id!r} stands in {len(full)} different cells"
            problems.append(f"{told}; the first was taken, a person should look")
        texts[manual.id] = (full or [""])[0]
    return texts, problems


def written_stub(name):
    """The cell in which a student writes: its marker, which Jupyter does not show, and a line to be replaced."""
    return f"<!-- answer: {name} -->\n\n{PLACEHOLDER}"


def _by_id(cell):
    return cell["id"] if isinstance(cell["id"], str) else None


def _by_metadata(cell):
    known = cell["metadata"].get("seqlab")
    return known.get("id") if isinstance(known, dict) and known.get("role") == "manual" else None


def _by_written_marker(cell):
    marker = WRITTEN_MARKER.search(cell["source"][:5000])
    return marker[1] if marker else None


def _prose(source):
    """What a student wrote in a cell: without the marker and the line that asks for it."""
    return WRITTEN_MARKER.sub("", source).replace(PLACEHOLDER, "").strip()


def read(submission):
    """Parse a file with limits.

    Returns
    -------
    notebook : dict.
    problems : list of sentences about damage that could be mended.
    """
    if len(submission) > MAX_BYTES:
        raise NotANotebook(
            f"the file has {len(submission):,} bytes, and at most {MAX_BYTES:,} are taken: "
            "clear the outputs and hand it in again"
        )
    if not submission.strip(b"\0 \t\r\n"):
        raise NotANotebook("the file is empty: save the notebook and hand it in again")
    text, problems = _decoded(submission)
    repeated = set()

    def pairs(items):
        seen = {}
        for key, value in items:
            if key in seen:
                repeated.add(key)
            seen[key] = value  # the last one counts, as in Jupyter
        return seen

    def number(digits):
        if len(digits) > MAX_DIGITS:
            raise NotANotebook(
                f"the file holds a number of {len(digits):,} digits: hand in the notebook as Jupyter saved it"
            )
        return int(digits)

    try:
        notebook = json.loads(text, object_pairs_hook=pairs, parse_int=number)
    except NotANotebook:
        raise
    except (RecursionError, MemoryError):
        raise NotANotebook(
            "the file is nested deeper than any notebook: hand in the .ipynb file that Jupyter saved"
        ) from None
    except ValueError as wrong:
        where = f" (line {wrong.lineno})" if isinstance(wrong, json.JSONDecodeError) else ""
        raise NotANotebook(
            f"the file is no notebook, its text is not JSON{where}: hand in the .ipynb file that Jupyter saved"
        ) from None
    if not isinstance(notebook, dict):
        raise NotANotebook("the file is JSON but no notebook: hand in the .ipynb file that Jupyter saved")
    if repeated & {"cells", "source", "id", "cell_type", "input", "worksheets", "metadata", "seqlab", "role"}:
        problems.append("the file names the same field twice; the last one was taken, a person should look")
    return notebook, problems


def _decoded(submission):
    problems = []
    encoding = json.detect_encoding(submission)
    try:
        text = submission.decode(encoding)
    except UnicodeDecodeError:
        text = submission.decode(encoding, "replace")
        problems.append("some bytes of the file are not text and were replaced; a person should look")
    return text, problems


def _cells(notebook, problems):
    """All cells with a source, of any version of the format, each as (id, metadata, source)."""
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):  # version 3
        sheets = [sheet.get("cells") for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(cells, list):
        raise NotANotebook("the file is JSON but has no cells: hand in the .ipynb file that Jupyter saved")
    if len(cells) > MAX_CELLS:
        raise NotANotebook(f"the notebook has {len(cells):,} cells, and at most {MAX_CELLS:,} are taken")
    kept, damaged = [], 0
    for cell in cells:
        source = _source(cell)
        if source is None:
            damaged += 1
        else:
            metadata = cell.get("metadata")
            kept.append(
                {"id": cell.get("id"), "metadata": metadata if isinstance(metadata, dict) else {}, "source": source}
            )
    if damaged:
        problems.append(
            f"{damaged} of the notebook's {len(cells)} cells are damaged and were left out; a person should look"
        )
    return kept


def _source(cell):
    if not isinstance(cell, dict):
        return None
    source = cell.get("source", cell.get("input"))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    return source.replace("\r\n", "\n").replace("\r", "\n")  # what Python itself takes for the end of a line


def _names(cell, wanted):
    """The answers that a cell claims to be: {way: answer id}."""
    names = {}
    if isinstance(cell["id"], str) and cell["id"] in wanted:
        names["id"] = cell["id"]
    metadata = cell["metadata"].get("seqlab")
    if isinstance(metadata, dict) and metadata.get("role", "answer") == "answer":
        name = metadata.get("id")
        if isinstance(name, str) and name in wanted:
            names["metadata"] = name
    marker = MARKER.search(cell["source"][:5000])
    if marker and marker[1] in wanted:
        names["marker"] = marker[1]
    return names


def _defining(stub, name, cells, problems):
    """The only unmarked cell that defines the functions and classes of the release's cell, if there is just one."""
    names = set(DEFINED.findall(stub))
    unmarked = [cell for cell in cells if not MARKER.search(cell["source"][:5000])]
    matches = [cell for cell in unmarked if names and names <= set(DEFINED.findall(cell["source"]))]
    if len({cell["source"] for cell in matches}) != 1:
        return []
    problems.append(
        f"the answer {name!r} was known only by what it defines: its cell lost its mark; a person should look"
    )
    return [("names", matches[0])]


def _choose(name, stub, candidates, problems):
    """Pick the source of one answer among the cells that claim to be it."""
    sources = {}
    for way in ("id", "metadata", "marker", "names"):
        for found, cell in candidates:
            if found == way:
                sources.setdefault(cell["source"], way)
    if not sources:
        problems.append(f"the answer {name!r} is not in the notebook: its cell was deleted or lost its mark")
        return None
    written = [source for source in sources if not same(source, stub)]
    if len(written) > 1:
        problems.append(
            f"the answer {name!r} stands in {len(written)} different cells; the first was graded, a person should look"
        )
    chosen = (written or list(sources))[0]
    if len(chosen) > MAX_SOURCE:
        problems.append(
            f"the answer {name!r} has {len(chosen):,} characters, more than the {MAX_SOURCE:,} that are taken"
        )
        return None
    damaged = sorted({c for c in chosen if c == "\0" or "\ud800" <= c <= "\udfff"})
    if damaged:
        problems.append(
            f"the answer {name!r} holds characters that are no text; they were left out, a person should look"
        )
        chosen = "".join(c for c in chosen if c not in damaged)
    return chosen


def same(source, stub):
    """Whether an answer is still what the release held, spaces and comments aside."""
    return _bare(source) == _bare(stub)


def blank(source, stub):
    """Whether there is nothing in an answer to run."""
    return not _bare(source) or same(source, stub)


def _bare(source):
    lines = (line.rstrip() for line in source.splitlines())
    return [line for line in lines if line and not line.lstrip().startswith("#")]
