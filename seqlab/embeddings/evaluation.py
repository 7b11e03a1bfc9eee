"""How good word vectors are: questions of analogy, and likeness as people judge it."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from seqlab.embeddings import reference
from seqlab.embeddings.reference.checks import check_choice
from seqlab.embeddings.reference.vectors import EPSILON, METHODS

BATCH = 256  # questions answered at once


class AnalogySection(NamedTuple):
    """Questions answered right, questions asked, and questions not asked because a word of theirs is unknown."""

    right: int
    asked: int
    missing: int

    @property
    def accuracy(self):
        """Share of the asked questions that were answered right; NaN when none was asked."""
        return self.right / self.asked if self.asked else float("nan")


class AnalogyReport(NamedTuple):
    """What `evaluate_analogies` found.

    sections : dict from a section's name to its `AnalogySection`.
    """

    sections: dict

    @property
    def total(self):
        """The `AnalogySection` of all sections together."""
        return AnalogySection(*np.sum([(0, 0, 0), *self.sections.values()], axis=0).tolist())

    @property
    def right(self):
        """Questions answered right."""
        return self.total.right

    @property
    def asked(self):
        """Questions whose words are all known."""
        return self.total.asked

    @property
    def missing(self):
        """Questions left out because a word is unknown."""
        return self.total.missing

    @property
    def accuracy(self):
        """Share of the asked questions that were answered right; NaN when none was asked."""
        return self.total.accuracy

    def __str__(self):
        rows = [*self.sections.items(), ("all", self.total)]
        width = max(len(name) for name, _ in rows)
        return "\n".join(
            f"{name:<{width}}  {part.right:>5} of {part.asked:>5} right, {part.missing:>5} missing"
            for name, part in rows
        )


class SimilarityReport(NamedTuple):
    """What `evaluate_similarity` found.

    spearman : rank correlation of the vectors' cosines with the judgements; NaN where there is none.
    p : how likely a correlation as strong is by chance, two-sided.
    found, asked : pairs whose words are both known, and all pairs.
    """

    spearman: float
    p: float
    found: int
    asked: int


def evaluate_analogies(word_vectors, questions, exclude=True, method="add", ignore_case=True):
    """Ask "a is to b as c is to ?" and count how often the answer is d (Mikolov et al. 2013).

    Parameters
    ----------
    word_vectors : `WordVectors`.
    questions : dict from a section's name to a list of (a, b, c, d); or one such list.
    exclude : leave a, b and c out of the answers.
    method : "add" or "multiply", as in `seqlab.embeddings.reference.analogy`.
    ignore_case : "Athens" and "athens" are one word, for which its first (most frequent) spelling stands. The
        customary way: word2vec's program and gensim do the same.

    Returns
    -------
    report : `AnalogyReport` with `right`, `asked`, `missing` and `accuracy`, in all and for each section. A question
        with an unknown word is missing and not asked.

    Raises
    ------
    ValueError
        when the method is unknown or a question has no four words.
    """
    check_choice("method", method, METHODS)
    sections = questions if isinstance(questions, dict) else {"questions": questions}
    lookup = _Lookup(word_vectors, ignore_case)
    rows = reference.unit(word_vectors.vectors)
    report = {}
    for name, asked in sections.items():
        known = [ids for ids in (lookup.question(name, words) for words in asked) if ids]
        right = sum(
            _count_right(rows, lookup, np.array(known[start : start + BATCH]), exclude, method)
            for start in range(0, len(known), BATCH)
        )
        report[name] = AnalogySection(right, len(known), len(asked) - len(known))
    return AnalogyReport(report)


def evaluate_similarity(word_vectors, pairs, ignore_case=True):
    """Compare the cosines of pairs of words with how alike people find them: Spearman's rank correlation.

    Parameters
    ----------
    word_vectors : `WordVectors`.
    pairs : list of (word, word, judgement), a higher judgement for words that are more alike.
    ignore_case : as in `evaluate_analogies`.

    Returns
    -------
    report : `SimilarityReport`, (spearman, p, found, asked). Pairs with an unknown word are left out; where fewer than
        two are left, or all are alike, there is no correlation and spearman is NaN.

    Raises
    ------
    ValueError
        when a pair has no two words and a number.
    """
    lookup = _Lookup(word_vectors, ignore_case)
    for pair in pairs:
        if len(pair) != 3:
            raise ValueError(f"{pair!r} among the pairs is not (word, word, judgement)")
    found = [(lookup.id(a), lookup.id(b), float(y)) for a, b, y in pairs if None not in (lookup.id(a), lookup.id(b))]
    if len(found) < 2:
        return SimilarityReport(float("nan"), float("nan"), len(found), len(pairs))
    first, second, judged = (np.array(column) for column in zip(*found, strict=True))
    cosines = reference.cosine_similarity(word_vectors.vectors[first], word_vectors.vectors[second])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant has no rank correlation: NaN says so
        result = spearmanr(cosines, judged)
    return SimilarityReport(float(result.statistic), float(result.pvalue), len(found), len(pairs))


class _Lookup:
    """From words to ids, and from every id to the id that stands for all spellings of its word."""

    def __init__(self, word_vectors, ignore_case):
        self.fold = str.casefold if ignore_case else str
        self.ids = {}
        self.stands_for = np.array([self.ids.setdefault(self.fold(word), i) for i, word in enumerate(word_vectors)])

    def id(self, word):
        return self.ids.get(self.fold(word))

    def question(self, section, words):
        """Give the ids of a question's words; None when one is unknown."""
        if len(words) != 4:
            raise ValueError(f"{words!r} in section {section!r} is not (a, b, c, d), four words")
        ids = [self.id(word) for word in words]
        return None if None in ids else ids


def _count_right(rows, lookup, questions, exclude, method):
    """Answer (B, 4) questions at once; the answers are those of `reference.analogy`."""
    a, b, c, d = questions.T
    if method == "add":
        scores = reference.unit(rows[b] - rows[a] + rows[c]) @ rows.T
    else:
        to_a, to_b, to_c = ((1 + rows[words] @ rows.T) / 2 for words in (a, b, c))
        scores = to_b * to_c / (to_a + EPSILON)
    if exclude:
        for given in (a, b, c):
            scores[lookup.stands_for == given[:, None]] = -np.inf
    return int((lookup.stands_for[scores.argmax(axis=1)] == d).sum())
