"""Reads the tables that people hand to the grader: CSV, as a spreadsheet or another program writes it."""

import csv
import io
from pathlib import Path

LONGEST = 20 * 1000 * 1000  # bytes


def read_lines(path, get, kind="file"):
    """The lines of a CSV file that are not empty.

    Parameters
    ----------
    path : the file: UTF-8, with a byte-order mark or without; its cells divided by commas, or by semicolons, as
        spreadsheets do where the comma is the decimal sign.
    get : what to do where there is no such file, for the sentence: "export it from Canvas".
    kind : what the file is, for the sentence.

    Returns
    -------
    lines : list of (line number, list of cells).

    Raises
    ------
    ValueError
        one sentence: no file, too large, no text, no CSV.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no {kind} {path}: {get} and give its name.")
    if path.stat().st_size > LONGEST:
        raise ValueError(f"{path} is larger than {LONGEST // 1_000_000} MB, which no such table is: {get} again.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8: save it as `CSV UTF-8`, or {get} again.") from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        return [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as wrong:
        raise ValueError(f"{path} is no CSV file ({wrong}): {get} again.") from None


def read_table(path, get):
    """A CSV file whose first line names its columns: (names, list of (line number, {name: cell}))."""
    lines = read_lines(path, get)
    head = [name.strip() for name in lines[0][1]] if lines else []
    return head, [(number, dict(zip(head, cells + [""] * len(head), strict=False))) for number, cells in lines[1:]]
