"""Lists that word vectors are measured with, and a few vectors that were made from much text. None is shipped."""

import json

import numpy as np

from seqlab.data.corpora import fetch


def google_analogies(download=True):
    """Analogy questions in 14 sections, from capitals to plurals: "Athens is to Greece as Baghdad is to Iraq".

    Mikolov, Chen, Corrado and Dean (2013), "Efficient estimation of word representations in vector space"; 19,544
    questions. Licence: Apache-2.0. Source: github.com/tmikolov/word2vec.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    questions : dict from section ("capital-common-countries", "family", "gram8-plural", ...) to a list of (a, b, c, d).

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """
    questions = {}
    for line in fetch("word_analogy_google/questions-words.txt", download).read_text(encoding="utf-8").splitlines():
        if line.startswith(":"):
            section = questions.setdefault(line[1:].strip(), [])
        else:
            section.append(tuple(line.split()))
    return questions


def wordsim353(download=True):
    """Pairs of English words with the mean of how alike people judged them, from 0 to 10.

    Finkelstein et al. (2002), "Placing search in context: the concept revisited"; 353 pairs judged by 13 or 16
    people. Licence: CC BY 4.0. Source: github.com/piskvorky/gensim, its test data.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    pairs : list of (word, word, score).

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """
    lines = fetch("wordsim353/wordsim353.tsv", download).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    return [(one, other, float(score)) for one, other, score in rows]


def glove_subset(download=True):
    """GloVe's vectors of 171 English words for people, occupations and qualities, trained on six billion words.

    Pennington, Socher and Manning (2014), "GloVe: global vectors for word representation". Licence: PDDL 1.0.
    Source of the subset: github.com/pmdanton/glove-viz.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    words : list of 171 str.
    vectors : (171, 100)

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """
    lines = fetch("glove100d_subset171/glove_subset.txt", download).read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines]
    return [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=float)


def debias_lists(download=True):
    """The word lists of Bolukbasi, Chang, Zou, Saligrama and Kalai (2016), "Man is to computer programmer as woman is
    to homemaker? Debiasing word embeddings".

    Licence: MIT. Source: github.com/tolga-b/debiaswe.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    lists : dict with
        "professions": list of (word, by definition, by stereotype); both numbers go from -1, female, to 1, male, and
        are what people answered, not what is true;
        "definitional_pairs" and "equalize_pairs": lists of (word, word); in the first the female word comes first;
        "gender_specific": list of words that have a gender by definition, which no debiasing should touch.

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """

    def read(name):
        return json.loads(fetch(f"debiaswe_lists/{name}.json", download).read_text(encoding="utf-8"))

    lists = {
        name: [tuple(row) for row in read(name)] for name in ("professions", "definitional_pairs", "equalize_pairs")
    }
    return lists | {"gender_specific": read("gender_specific_full")}
