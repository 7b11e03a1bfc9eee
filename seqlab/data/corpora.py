"""Real corpora. None is shipped: each is fetched once, checked against its sha256 and kept in a folder.

The folder is the one that the environment variable SEQLAB_DATA names, else the user's cache folder. A file that is
there already is used and the network is left alone.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pooch

EMERGING = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"


@dataclass(frozen=True)
class Source:
    """Where a file comes from, what it must contain, and who allows its use."""

    url: str
    sha256: str
    licence: str


SOURCES = {
    "wnut17_ner/wnut17train.conll": Source(
        EMERGING + "wnut17train.conll",
        "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
        "CC BY 4.0",
    ),
    "wnut17_ner/emerging.dev.conll": Source(
        EMERGING + "emerging.dev.conll",
        "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
        "CC BY 4.0",
    ),
    "wnut17_ner/emerging.test.annotated": Source(
        EMERGING + "emerging.test.annotated",
        "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
        "CC BY 4.0",
    ),
}


def data_folder():
    """The folder in which corpora are looked for and kept: SEQLAB_DATA if it is set, else the user's cache."""
    return Path(os.environ.get("SEQLAB_DATA") or pooch.os_cache("seqlab"))


def fetch(name, download=True):
    """Return the path of a corpus file, downloading it if it is not in the data folder yet.

    Parameters
    ----------
    name : one of the names in `SOURCES`, such as "wnut17_ner/wnut17train.conll".
    download : False leaves the network alone.

    Returns
    -------
    path : `pathlib.Path` of a file whose sha256 has been checked.

    Raises
    ------
    FileNotFoundError
        when the file is not there and cannot be, or may not be, downloaded; the sentence says where to get it and
        where to put it.
    ValueError
        when the name is not known, or the file's sha256 is not the expected one. No file is deleted.
    """
    if name not in SOURCES:
        raise ValueError(f"no corpus file is called {name!r}; there are {', '.join(SOURCES)}")
    source, path = SOURCES[name], data_folder() / name
    if not path.is_file():
        why = _download(source, path) if download else "downloading is switched off here"
        if why:
            raise FileNotFoundError(
                f"{name} ({source.licence}) is not in {data_folder()} and was not downloaded ({why}); "
                f"save {source.url} as {path}, or set SEQLAB_DATA to a folder that holds {name}"
            )
    sha256 = pooch.file_hash(str(path))
    if sha256 != source.sha256:
        raise ValueError(
            f"{path} has sha256 {sha256}; it must have {source.sha256}: move it away and get it from {source.url}"
        )
    return path


def _download(source, path):
    """Fetch the file; return None, or in a few words why that failed."""
    bar = pooch.HTTPDownloader(progressbar=True, timeout=20)
    try:
        pooch.retrieve(source.url, f"sha256:{source.sha256}", path.name, path.parent, downloader=bar)
    except ValueError:
        return "what the address serves now has another sha256"
    except OSError as fault:
        return f"{type(fault).__name__}: {str(fault)[:120]}"
    return None


WNUT17_FILES = {"train": "wnut17train.conll", "dev": "emerging.dev.conll", "test": "emerging.test.annotated"}


def wnut17(split, download=True):
    """Sentences of the WNUT-17 shared task: names in tweets, comments and forum posts, few of them seen twice.

    Derczynski, Nichols, van Erp and Limsopatham (2017), "Results of the WNUT2017 Shared Task on Novel and Emerging
    Entity Recognition". Licence: CC BY 4.0. Source: github.com/leondz/emerging_entities_17.

    Parameters
    ----------
    split : "train", "dev" or "test".
    download : False leaves the network alone.

    Returns
    -------
    sentences : list of lists of words.
    tags : list of lists of strings, one per word: "O" outside any name, "B-person" at the first word of a person's
        name and "I-person" at its further words; the same with location, corporation, product, creative-work, group.

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does, and ValueError for a split that does not exist.
    """
    if split not in WNUT17_FILES:
        raise ValueError(f"split is {split!r}; it must be 'train', 'dev' or 'test'")
    return read_conll(fetch(f"wnut17_ner/{WNUT17_FILES[split]}", download))


def read_conll(path):
    """Read a file with one `word<TAB>tag` per line and an empty line after each sentence.

    Returns
    -------
    sentences, tags : lists of lists of strings; two sentences are never joined and none is empty.

    Raises
    ------
    ValueError
        naming the file and line that does not hold two fields.
    """
    sentences, tags, fresh = [], [], True
    # split("\n") and not splitlines(): some tweets hold other characters that count as line breaks
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            fresh = True
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) != 2:
            raise ValueError(f"{path}, line {number}, has {len(fields)} fields; it must hold a word, a tab and a tag")
        if fresh:
            sentences.append([])
            tags.append([])
            fresh = False
        sentences[-1].append(fields[0])
        tags[-1].append(fields[1])
    return sentences, tags
