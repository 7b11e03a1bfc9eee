"""Text that is always there: the book's own prose as it stood one day, and the names of places."""

from pathlib import Path

SNAPSHOT = Path(__file__).with_name("book_text.txt")
NOT_PLACES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}  # groups of countries, and codes for tests


def book_text():
    """The book's own prose: chapters 1 to 3, the pages around them and the package's docstrings on one day.

    Plain sentences without formulas, code, tables and links, so that a model has something to read on every machine.
    It does not follow the book's later changes, so that what was trained on it stays what it was. Licence: the book's.

    Returns
    -------
    text : str, one paragraph a line.
    """
    return SNAPSHOT.read_text(encoding="utf-8")


def places():
    """Names of the world's countries and territories in English, from the Unicode data inside the library Babel.

    Returns
    -------
    names : list of str in alphabetical order, such as "Iceland" and "South Korea".
    """
    from babel import Locale

    found = Locale("en").territories.items()
    return sorted({name for code, name in found if code.isalpha() and code not in NOT_PLACES})
