"""BLEU: how much of a translation stands in the translations of people, counted in words and n-grams.

Sentences are lists of words. Split them yourself, and say how: the score depends on it.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from seqlab.shapes import check_whole

SMOOTHINGS = {"none": None, "floor": 0.1, "add-k": 1.0, "exp": None}  # and the value that each takes by default


@dataclass(frozen=True)
class Bleu:
    """A BLEU score and everything that it was computed from.

    Attributes
    ----------
    score : 0 to 1, :eq:`bleu`. Papers print `points`, which is 100 times as much.
    precisions : max_n numbers, 0 to 1: the precisions of :eq:`clipped-precision`, as the smoothing left them.
    matches, totals : max_n counts: the n-grams that match, clipped, and all n-grams. No smoothing is in them.
    brevity_penalty : 0 to 1, :eq:`brevity-penalty`.
    hypothesis_length, reference_length : c and r in words.
    """

    score: float
    precisions: tuple
    matches: tuple
    totals: tuple
    brevity_penalty: float
    hypothesis_length: int
    reference_length: int

    @property
    def points(self):
        """The score times 100, as papers print it."""
        return 100 * self.score

    def __repr__(self):
        shares = " ".join(f"{m}/{t}" for m, t in zip(self.matches, self.totals, strict=True))
        return (
            f"Bleu({self.score:.4f} = {self.points:.2f} points; n-grams {shares}; brevity penalty "
            f"{self.brevity_penalty:.3f} for {self.hypothesis_length} words against {self.reference_length})"
        )


def ngrams(words, n):
    """How often each run of n words stands in a sentence: Counter from tuples of n words."""
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def clipped_counts(hypothesis, references, n):
    """Count the n-grams of a sentence, and clip the counts by the references, :eq:`clipped-precision`.

    Parameters
    ----------
    hypothesis : list of words.
    references : list of lists of words, at least one.
    n : how many words make an n-gram.

    Returns
    -------
    counts : dict from each n-gram of the hypothesis, in order of its first place, to (how often it stands there, how
        many of these count: no more than in the reference that has it most often).

    Raises
    ------
    ValueError
        when a sentence is a string, there is no reference, or n is below 1.
    """
    check_whole("n", n)
    hypothesis, references = _checked(hypothesis, references)
    most = [ngrams(reference, n) for reference in references]
    return {
        ngram: (count, min(count, max(counts[ngram] for counts in most)))
        for ngram, count in ngrams(hypothesis, n).items()
    }


def closest_length(hypothesis_length, reference_lengths):
    """The length nearest to that of the hypothesis; of two equally near, the shorter."""
    return min(reference_lengths, key=lambda length: (abs(length - hypothesis_length), length))


def brevity_penalty(c, r):
    """What too few words cost, :eq:`brevity-penalty`: 1 from c = r words on, exp(1 - r/c) below.

    Parameters
    ----------
    c : words of the hypotheses.
    r : words of the references, those closest in length.

    Raises
    ------
    ValueError
        when a length is negative.
    """
    if c < 0 or r < 0:
        raise ValueError(f"the lengths are c = {c} and r = {r}; a number of words is at least 0")
    if c >= r:
        return 1.0
    return math.exp(1 - r / c) if c > 0 else 0.0


def statistics(hypotheses, references, max_n=4):
    """All that BLEU needs to know of each sentence. Their sum over a corpus is what the corpus needs.

    Parameters
    ----------
    hypotheses : list of N lists of words.
    references : list of N lists of references; a reference is a list of words. Their number may differ.
    max_n : the longest n-grams.

    Returns
    -------
    table : (N, 2 + 2 max_n) whole numbers: c, r, the clipped matches for n = 1 to max_n, and the totals.

    Raises
    ------
    ValueError
        when the lists do not fit each other, a sentence is a string or has no reference, or max_n is below 1.
    """
    check_whole("max_n", max_n)
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise ValueError("hypotheses and references are lists with an entry a sentence, not one string")
    if len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses came with references for {len(references)} sentences; give one list of "
            "references for each hypothesis"
        )
    rows = np.zeros((len(hypotheses), 2 + 2 * max_n), dtype=np.int64)
    for i, (hypothesis, some) in enumerate(zip(hypotheses, references, strict=True)):
        hypothesis, some = _checked(hypothesis, some, i)
        counted = [clipped_counts(hypothesis, some, n).values() for n in range(1, max_n + 1)]
        rows[i] = (
            len(hypothesis),
            closest_length(len(hypothesis), [len(reference) for reference in some]),
            *(sum(clipped for _, clipped in counts) for counts in counted),
            *(sum(count for count, _ in counts) for counts in counted),
        )
    return rows


def bleu_of_statistics(table, smoothing=None, smooth_value=None, effective_order=False):
    """BLEU of the sentences whose statistics these are: add them up first, then divide, :eq:`bleu`.

    Parameters
    ----------
    table : (N, 2 + 2 max_n) from `statistics`.
    smoothing, smooth_value, effective_order : as for `bleu`.

    Returns
    -------
    result : Bleu.

    Raises
    ------
    ValueError
        when the table has no row, or the smoothing or its value is not known.
    """
    table = np.asarray(table)
    if table.ndim != 2 or table.shape[1] < 4 or table.shape[1] % 2:
        raise ValueError(f"table has shape {table.shape}; it must be (N, 2 + 2 max_n), as statistics() makes it")
    if not len(table):
        raise ValueError("there is no sentence to score; a corpus has at least one")
    smoothing, value = _check_smoothing(smoothing, smooth_value)
    c, r, *counts = (int(x) for x in table.sum(axis=0))
    matches, totals = counts[: len(counts) // 2], counts[len(counts) // 2 :]
    precisions, orders = _precisions(matches, totals, smoothing, value)
    penalty = brevity_penalty(c, r)
    score = penalty * _geometric_mean(precisions[:orders] if effective_order else precisions)
    return Bleu(score, tuple(precisions), tuple(matches), tuple(totals), penalty, c, r)


def bleu(hypotheses, references, max_n=4, smoothing=None, smooth_value=None, effective_order=False):
    """BLEU of a whole corpus, :eq:`bleu` (Papineni et al. 2002).

    The counts of all sentences are added up before anything is divided: this is not the mean of the sentences' scores.
    Equal to sacreBLEU's `corpus_bleu` on words that stand between spaces, divided by 100. Its default is
    smoothing="exp"; ours is Papineni's own form, without smoothing.

    Parameters
    ----------
    hypotheses : list of N lists of words (or of ids).
    references : list of N lists of references; a reference is a list of words. Their number may differ.
    max_n : the longest n-grams that count.
    smoothing : what to do where an order has no match, :eq:`bleu-smoothing`. None or "none": nothing, and the score
        is 0. "floor": put `smooth_value` (0.1) matches there. "add-k": add `smooth_value` (1) to matches and totals
        of every order but the first. "exp": the first such order gets half a match, the second a quarter, and so on.
    smooth_value : for "floor" and "add-k"; None takes the value above.
    effective_order : leave the orders out for which there is no n-gram, because all sentences are shorter. As in
        sacreBLEU, a corpus without a single matching word scores 0 under every smoothing.

    Returns
    -------
    result : Bleu.

    Raises
    ------
    ValueError
        when the lists do not fit each other, a sentence is a string or has no reference, there is no sentence, or the
        smoothing is unknown.
    """
    return bleu_of_statistics(statistics(hypotheses, references, max_n), smoothing, smooth_value, effective_order)


def sentence_bleu(hypothesis, references, max_n=4, smoothing="exp", smooth_value=None, effective_order=True):
    """BLEU of one sentence, with sacreBLEU's defaults: smoothed, of as many orders as the sentence is long enough for.

    Papineni's plain form is `smoothing=None, effective_order=False`. It is 0 for every sentence without a match of
    max_n words in a row, and it was never meant for one sentence.

    Parameters
    ----------
    hypothesis : list of words.
    references : list of lists of words.
    max_n, smoothing, smooth_value, effective_order : as for `bleu`.

    Returns
    -------
    result : Bleu.

    Raises
    ------
    ValueError
        as `bleu` does.
    """
    hypothesis, references = _checked(hypothesis, references)
    return bleu([hypothesis], [references], max_n, smoothing, smooth_value, effective_order)


def bootstrap(tables, samples=1000, seed=0, **options):
    """Scores of corpora drawn from this one: how much of a score is the luck of these sentences (Koehn 2004).

    Each sample draws N sentences with replacement, the same ones for every system, so that the scores of two systems
    may be compared sample by sample.

    Parameters
    ----------
    tables : (systems, N, 2 + 2 max_n), or (N, 2 + 2 max_n) for one system, from `statistics`.
    samples : how many corpora to draw.
    seed : of the generator; the same seed draws the same sentences.
    options : smoothing and so on, as for `bleu`.

    Returns
    -------
    scores : (systems, samples), or (samples,) for one system, 0 to 1.

    Raises
    ------
    ValueError
        when the tables have another shape, no row, or samples is below 1.
    """
    tables = np.asarray(tables)
    if tables.ndim == 2:
        return bootstrap(tables[None], samples, seed, **options)[0]
    if tables.ndim != 3 or not tables.shape[1]:
        raise ValueError(f"tables has shape {tables.shape}; it must be (systems, N, 2 + 2 max_n) with at least one row")
    if samples < 1:
        raise ValueError(f"samples is {samples}; draw at least one corpus")
    N = tables.shape[1]
    rng = np.random.default_rng(seed)
    scores = np.empty((len(tables), samples))
    for i in range(samples):
        times = np.bincount(rng.integers(N, size=N), minlength=N)  # how often each sentence was drawn
        for system, table in enumerate(tables):
            scores[system, i] = bleu_of_statistics((times @ table)[None], **options).score
    return scores


def _precisions(matches, totals, smoothing, value):
    """The precisions of :eq:`clipped-precision`, smoothed by :eq:`bleu-smoothing`, and how many orders there are."""
    precisions, zeros = [0.0] * len(totals), 0
    if not any(matches):
        return precisions, len(totals)
    for n, (match, total) in enumerate(zip(matches, totals, strict=True), start=1):
        if smoothing == "add-k" and n > 1:
            match, total = match + value, total + value
        if total == 0:
            return precisions, n - 1
        if match == 0 and smoothing == "exp":
            zeros += 1
            match = 0.5**zeros
        if match == 0 and smoothing == "floor":
            match = value
        precisions[n - 1] = match / total
    return precisions, len(totals)


def _geometric_mean(precisions):
    """The N-th root of the product of N numbers; 0 if one of them is."""
    if min(precisions) == 0:
        return 0.0
    return math.exp(sum(math.log(p) for p in precisions) / len(precisions))


def _check_smoothing(smoothing, value):
    """The name and the value of a smoothing; or one sentence saying what is wrong."""
    smoothing = "none" if smoothing is None else smoothing
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing is {smoothing!r}; it must be {', '.join(map(repr, SMOOTHINGS))} or None")
    default = SMOOTHINGS[smoothing]
    if value is None:
        return smoothing, default
    if default is None:
        raise ValueError(f"smooth_value is {value} and smoothing {smoothing!r} takes none; leave it out")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"smooth_value is {value}; it must be a number above 0 (smoothing=None adds nothing)")
    return smoothing, value


def _words(sentence, name):
    """A sentence as a list of words; or one sentence saying what is wrong."""
    if isinstance(sentence, (str, bytes)):
        raise ValueError(f"{name} is the string {sentence!r}; split it into a list of words first")
    words = sentence.tolist() if hasattr(sentence, "tolist") else list(sentence)
    if any(isinstance(word, (list, tuple)) for word in words):
        raise ValueError(f"{name} holds lists; a sentence is a flat list of words")
    return words


def _checked(hypothesis, references, i=None):
    """A hypothesis and its references as lists of words; or one sentence saying what is wrong."""
    place = "" if i is None else f"[{i}]"
    plural = "hypothesis" if i is None else "hypotheses"
    hypothesis = _words(hypothesis, plural + place)
    if isinstance(references, str):
        raise ValueError(f"references{place} is the string {references!r}; it must be a list of lists of words")
    if not len(references):
        raise ValueError(f"references{place} is empty; a hypothesis needs at least one reference to be held against")
    return hypothesis, [_words(reference, f"references{place}[{j}]") for j, reference in enumerate(references)]
