"""Word vectors in files: the text formats of word2vec and of GloVe, which other programs read and write too.

Both hold one word a line, then its numbers, with a space between. word2vec's begins with a line that holds the number
of words and of dimensions; GloVe's does not.
"""

import itertools
import re
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from seqlab.files import written_aside
from seqlab.shapes import check_shape

FORMATS = ("word2vec", "glove")
BREAKS = re.compile(r"[ \t\n\r\v\f]")  # what ends a word for the programs that read these files
HEADER = re.compile(rb"\s*(\d+)\s+(\d+)\s*")
CHUNK = 1000  # rows turned into text at once


def save_vectors(path, words, vectors, format="word2vec"):
    """Write words and their vectors as text, with all the digits that give the same floats again.

    Parameters
    ----------
    path : file to write; what was there is replaced once the new one is whole.
    words : V strings, no two alike, none with a space or line break in it.
    vectors : (V, D) finite floats.
    format : "word2vec" or "glove".

    Raises
    ------
    ValueError
        when the format is unknown, a shape does not fit, a word cannot be written, or a number is not finite.
    """
    _check_format(format, FORMATS)
    words, vectors = check_words(words), check_vectors(vectors, len(words))
    for word in words:
        if BREAKS.search(word) or not word:
            raise ValueError(f"the word {word!r} is empty or holds a space or a line break; replace that, say with '_'")
    with written_aside(path) as file:
        if format == "word2vec":
            file.write(f"{vectors.shape[0]} {vectors.shape[1]}\n".encode())
        for start in tqdm(range(0, len(words), CHUNK), desc="vectors written", unit_scale=CHUNK, delay=2, leave=False):
            rows = vectors[start : start + CHUNK].astype(str)
            lines = [" ".join([word, *row]) for word, row in zip(words[start:], rows, strict=False)]
            file.write(_encoded("\n".join(lines) + "\n"))


def load_vectors(path, format="auto", limit=None, dtype=np.float32):
    """Read words and their vectors from a text file of word2vec, GloVe, gensim or `save_vectors`.

    A word may hold spaces, as some of GloVe's do: the last D fields of a line are its numbers.

    Parameters
    ----------
    path : file in UTF-8.
    format : "word2vec", "glove", or "auto": word2vec's when the first line holds two whole numbers and nothing else.
    limit : read the first words alone, so many; None reads all. Files are mostly sorted by falling frequency.
    dtype : of the vectors.

    Returns
    -------
    words : list of V strings.
    vectors : (V, D).

    Raises
    ------
    FileNotFoundError
        when there is no such file.
    ValueError
        when the format is unknown, or a line is broken: the sentence names the line.
    """
    _check_format(format, ("auto", *FORMATS))
    path = Path(path)
    with open(path, "rb") as file:
        first = file.readline()
        if not first:
            raise ValueError(f"{path} is empty; it must hold at least one word and its numbers")
        header = HEADER.fullmatch(first) if format != "glove" else None
        if format == "word2vec" and not header:
            raise ValueError(f"line 1 of {path} is not 'words dimensions', two whole numbers: no file of word2vec's")
        size, D = map(int, header.groups()) if header else (None, len(first.split()) - 1)
        lines = file if header else itertools.chain([first], file)
        words, rows = _read_lines(path, lines, 2 if header else 1, D, limit, dtype)
    if header and len(words) != min(size, size if limit is None else limit):
        raise ValueError(f"line 1 of {path} announces {size} words and {len(words)} follow; the file is cut or joined")
    if not words:
        raise ValueError(f"{path} holds no vector")
    return words, np.stack(rows)


def check_words(words):
    """Give words as a list; raise ValueError when one is no string or comes twice."""
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"{word!r} among the words is a {type(word).__name__}; words are strings")
    if len(set(words)) < len(words):
        seen = set()
        twice = next(word for word in words if word in seen or seen.add(word))
        raise ValueError(f"the word {twice!r} comes twice; each word has one vector")
    return words


def check_vectors(vectors, V):
    """Give (V, D) vectors as float32 or float64; raise ValueError when they are something else or not finite."""
    vectors = np.asarray(vectors)
    check_shape("vectors", vectors, (V, "D"))
    if vectors.dtype != np.float32:
        vectors = vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise ValueError(f"row {broken[0]} of vectors holds a number that is not finite; training has diverged there")
    return vectors


def _read_lines(path, lines, start, D, limit, dtype):
    words, rows, first_line = [], [], {}
    for number, line in enumerate(tqdm(lines, desc="vectors read", delay=2, leave=False), start):
        if limit is not None and len(words) >= limit:
            break
        if not line.strip():
            raise ValueError(f"line {number} of {path} is empty; every line holds a word and its numbers")
        word, row = _read_line(f"line {number} of {path}", line, D, dtype)
        if word in first_line:
            raise ValueError(f"line {number} of {path} gives {word!r} a second vector, after line {first_line[word]}")
        first_line[word] = number
        words.append(word)
        rows.append(row)
    return words, rows


def _read_line(where, line, D, dtype):
    fields = line.rstrip().rsplit(b" ", D)
    if len(fields) != D + 1 or D < 1 or not fields[0]:
        wanted = f"{D} numbers" if D >= 1 else "its numbers"
        raise ValueError(f"{where} has {len(line.split())} fields; it must have a word and {wanted}")
    try:
        row = np.array([float(field) for field in fields[1:]], dtype)
        word = fields[0].decode()
    except UnicodeDecodeError:
        raise ValueError(f"{where} holds a word that is not UTF-8: {fields[0]!r}") from None
    except ValueError as error:
        raise ValueError(f"{where} must have a word and {D} numbers: {error}") from None
    if not np.isfinite(row).all():
        raise ValueError(f"{where} holds a number that is not finite")
    return word, row


def _encoded(text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"words must be text that UTF-8 can hold; one has {text[error.start]!r} in it") from None


def _check_format(format, formats):
    if format not in formats:
        raise ValueError(f"format is {format!r}; it must be {', '.join(map(repr, formats[:-1]))} or {formats[-1]!r}")
