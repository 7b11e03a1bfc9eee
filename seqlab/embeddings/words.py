"""Word vectors that are small enough to keep beside the book: trained by a command, kept as float16."""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import torch

from seqlab.data import corpus_text
from seqlab.embeddings.estimators import SkipGram
from seqlab.embeddings.vectors import WordVectors
from seqlab.files import checkpoint_beside, written_aside
from seqlab.machine import described

SHIPPED = Path(__file__).with_name("words_shakespeare.npz")
WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def paragraphs(text):
    """Cut a text into paragraphs of words in small letters.

    A paragraph ends with an empty line. A first line that ends with a colon, with others after it, is a speaker's name
    and left out. A word is made of letters, and of single apostrophes and hyphens between them; numbers and signs are
    left out.

    Parameters
    ----------
    text : a string.

    Returns
    -------
    sentences : list of lists of words, none of them empty.
    """
    found = []
    for paragraph in re.split(r"\n\s*\n", text.replace("\u2019", "'")):
        lines = paragraph.strip().split("\n")
        said = lines[1:] if len(lines) > 1 and lines[0].endswith(":") else lines
        found.append(WORD.findall("\n".join(said).lower()))
    return [words for words in found if words]


def train_words(
    corpus,
    out,
    *,
    dim=100,
    window=5,
    negative=5,
    subsample=1e-4,
    min_count=8,
    epochs=40,
    lr=0.025,
    seed=0,
    progress=True,
    download=True,
):
    """Train `SkipGram` on a text and keep the vectors in one small file, with a log of how they were made.

    Parameters
    ----------
    corpus : "shakespeare", "book", or a file of UTF-8 text; cut by `paragraphs`.
    out : the .npz file to write at the end. A checkpoint stands beside it, from which a stopped run goes on.
    dim, window, negative, subsample, min_count, epochs, lr, seed, progress : as in `SkipGram`.
    download : False leaves the network alone.

    Returns
    -------
    log : dict, which is also inside the file: settings, the losses of all epochs, the corpus's sha256.

    Raises
    ------
    FileNotFoundError
        when the corpus is not there; the sentence says where to put it.
    ValueError
        when a number is out of range, the text is too short, the folder of `out` is missing, or the checkpoint beside
        it is of another run.
    """
    out = Path(out)
    if out.suffix != ".npz":
        raise ValueError(f"out is {out}; its name must end with .npz")
    if not out.resolve().parent.is_dir():
        raise ValueError(f"out names {out}, but the folder {out.resolve().parent} does not exist: make it first")
    settings = {
        "dim": dim,
        "window": window,
        "negative": negative,
        "subsample": subsample,
        "min_count": min_count,
        "epochs": epochs,
        "lr": lr,
        "seed": seed,
    }
    model = SkipGram(**settings, progress=progress)
    text = corpus_text(corpus, download)
    sentences = paragraphs(text)
    model.fit(sentences, checkpoint=checkpoint_beside(out))
    said = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings.items())
    log = {
        "model": "SkipGram",
        "settings": settings,
        "corpus": {
            "name": Path(corpus).name,
            "words": sum(map(len, sentences)),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        },
        "command": f"seqlab train words --corpus {Path(corpus).name} {said} --out {out.name}",
        "history": model.history,
        "seconds": sum(model.history["seconds"]),
        "threads": torch.get_num_threads(),
        **described("cuda" if torch.cuda.is_available() else "cpu"),
    }
    _write(out, model.words, model.counts, model.vectors, log)
    return log


def load_words(path=None):
    """Read word vectors that `seqlab train words` wrote.

    Parameters
    ----------
    path : the .npz file; None for the one that comes with the package: `SkipGram` after reading Shakespeare, words in
        small letters. `words_log` tells how it was made.

    Returns
    -------
    vectors : `WordVectors`, float32, the most frequent word first.

    Raises
    ------
    ValueError
        when the file is none of `seqlab train words`.
    """
    arrays, _ = _read(path)
    return WordVectors(arrays["words"], arrays["vectors"])


def words_log(path=None):
    """How the vectors of `load_words` were made.

    Parameters
    ----------
    path : as in `load_words`.

    Returns
    -------
    log : dict with "model", "settings", "corpus", "command", "history", "seconds", "device", "versions", and "counts",
        how often the corpus holds each word, in the order of the words.

    Raises
    ------
    ValueError
        when the file is none of `seqlab train words`.
    """
    arrays, log = _read(path)
    return log | {"counts": arrays["counts"]}


def _read(path):
    path = SHIPPED if path is None else path
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in ("words", "counts", "vectors", "log")}
        log = json.loads(arrays.pop("log").tobytes())
        arrays["words"] = arrays["words"].tobytes().decode().split("\n")
        arrays["vectors"] = arrays["vectors"].astype(np.float32)
        if log["model"] != "SkipGram" or not len(arrays["words"]) == len(arrays["counts"]) == len(arrays["vectors"]):
            raise ValueError("words, counts and vectors are not as many")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as wrong:
        raise ValueError(f"{path} holds no word vectors; make some with `seqlab train words --out FILE.npz`") from wrong
    return arrays, log


def _write(out, words, counts, vectors, log):
    whole = io.BytesIO()
    np.savez_compressed(
        whole,
        words=np.frombuffer("\n".join(words).encode(), dtype=np.uint8),
        counts=counts.astype(np.int32),
        vectors=vectors.astype(np.float16),
        log=np.frombuffer(json.dumps(log).encode(), dtype=np.uint8),
    )
    with written_aside(out) as file:
        file.write(whole.getvalue())
