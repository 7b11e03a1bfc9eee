"""A text by its name, as the command line gives it."""

from pathlib import Path

from seqlab.data.corpora import shakespeare
from seqlab.data.shipped import book_text


def corpus_text(corpus, download=True):
    """The text that a name stands for.

    Parameters
    ----------
    corpus : "book", "shakespeare", or the path of a file of UTF-8 text.
    download : False leaves the network alone.

    Returns
    -------
    text : str

    Raises
    ------
    FileNotFoundError
        when the corpus is a real one and not there, as `fetch` does.
    ValueError
        when there is no such file, or it is no UTF-8 text.
    """
    if corpus == "book":
        return book_text()
    if corpus == "shakespeare":
        return shakespeare(download)
    path = Path(corpus)
    if not path.is_file():
        raise ValueError(f"corpus is {str(corpus)!r}; it must be 'book', 'shakespeare' or a file of text")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        raise ValueError(f"{path} is no UTF-8 text (byte {wrong.start}): convert it first") from wrong
