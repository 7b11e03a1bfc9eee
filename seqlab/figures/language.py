"""The interactive figures of chapter 4: perplexity as a die, and the temperature of a live distribution."""

import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

SENTENCE = "the film was good but the story was not good <eos>"
TALKED_OF = {"film", "story", "music"}  # the reviews about these alone need 13 words, <eos> included


class PerplexityDie(Figure):
    """Perplexity as a die, :eq:`perplexity`: what each word costs, and a fair die that is as hard to guess.

    Parameters
    ----------
    words : the vocabulary, 2 to 60 different words; None takes the words of the made reviews.
    probabilities : a row of V probabilities for each word of the sentence, (T, V), or one row (V,) used at each step;
        None takes those of a bigram model counted on the made reviews, or equal ones where `words` are given.
    next_word : the words that came, a list or a string of 1 to 12 of them, each in the vocabulary; a string is split at
        spaces. None takes a review of the made ones, or the first word of `words`.

    Raises
    ------
    ValueError
        when a word is missing or stands twice, a shape does not fit, or a row is no probability distribution.
    """

    module = "perplexity_die.js"
    label = "Perplexity as a die"
    how = "Step through the sentence, change what the model expects, and watch how many sides the die gets."

    def __init__(self, words=None, probabilities=None, next_word=None):
        if words is None and probabilities is not None:
            raise ValueError("probabilities came without words; say which word each of them belongs to")
        known = list(made_vocabulary()) if words is None else check_words(words)
        came = next_word if next_word is not None else SENTENCE if words is None else known[:1]
        targets = check_came(came, known)
        if words is None:
            rows = models(targets)
        else:
            rows = {} if probabilities is None else {"given": check_rows(probabilities, len(targets), len(known))}
        V = len(known)
        rows["uniform"] = np.full((len(targets), V), 1 / V)
        rows["certain"] = np.eye(V)[targets]
        names = {
            "given": "as given",
            "bigram": "bigram: sees the last word",
            "unigram": "unigram: sees no word",
            "uniform": f"all {V} words alike",
            "certain": "knows what comes",
        }
        super().__init__(
            words=known,
            targets=targets,
            models={name: {"says": names[name], "rows": row.tolist()} for name, row in rows.items()},
            model=next(iter(rows)),
            rows=next(iter(rows.values())).tolist(),
            step=min(2, len(targets)),
        )

    def still(self):
        words, targets = self.state["words"], self.state["targets"]
        p = np.array(self.state["rows"])[range(len(targets)), targets]
        with np.errstate(divide="ignore"):
            losses = 0 - np.log(p)
        mean = losses.cumsum() / np.arange(1, len(p) + 1)
        rows = [
            (t + 1, words[id], f"{p[t]:.3f}", f"{losses[t]:.2f}", f"{mean[t]:.2f}", f"{np.exp(mean[t]):.2f}")
            for t, id in enumerate(targets)
        ]
        head = ("step", "word", "probability", "cost in nats", "mean so far", "sides of the die")
        return table(head, rows, "What each word costs a model, and the perplexity so far")


class TemperatureLab(Figure):
    """A distribution under :eq:`temperature`, top-k and :eq:`nucleus`, from which the reader draws.

    Parameters
    ----------
    words : 2 to 30 different words; None takes those that most often follow "the" in the book's own text.
    scores : (V,) scores before the softmax, one a word; None takes the logarithms of how often each was counted, or
        falling ones where `words` are given.

    Raises
    ------
    ValueError
        when the numbers of words and scores differ, a word stands twice or a score is not finite.
    """

    module = "temperature_lab.js"
    label = "Temperature, top-k and nucleus sampling"
    how = "Move the temperature, cut off the tail, and draw words from what is left."

    def __init__(self, words=None, scores=None):
        if words is None and scores is not None:
            raise ValueError("scores came without words; say which word each of them belongs to")
        context = ""
        if words is None:
            words, scores = (list(column) for column in following("the"))
            context = "the"
        words = check_words(words, most=30)
        scores = np.asarray(-0.5 * np.arange(len(words)) if scores is None else scores, dtype=float)
        if scores.shape != (len(words),):
            raise ValueError(f"scores has shape {scores.shape}; with {len(words)} words it must have ({len(words)},)")
        if not np.isfinite(scores).all():
            raise ValueError("scores holds a number that is not finite; cut words off with top-k instead")
        super().__init__(
            words=words, scores=scores.tolist(), context=context, heat=0, k=len(words), mass=1.0, seed=0, drawn=0
        )

    def still(self):
        from seqlab.lm.reference import temperature

        z = np.array(self.state["scores"])[None]
        shares = [temperature(z, T)[0] for T in (0, 0.5, 1, 2)]
        rows = [(word, *(f"{100 * p[v]:.1f} %" for p in shares)) for v, word in enumerate(self.state["words"])]
        entropy = [sum(x * math.log(1 / x) for x in p if x > 0) for p in shares]
        rows.append(("entropy, nats", *(f"{h:.2f}" for h in entropy)))
        head = ("word", "T = 0, greedy", "T = 0.5", "T = 1", "T = 2")
        return table(head, rows, "One distribution at four temperatures")


def check_words(words, least=2, most=60):
    """The words as a list, or one sentence saying what is wrong."""
    words = [str(word) for word in words]
    if not least <= len(words) <= most:
        raise ValueError(f"words holds {len(words)} words; the figure shows {least} to {most}")
    if len(set(words)) < len(words):
        twice = next(word for word, count in Counter(words).items() if count > 1)
        raise ValueError(f"words holds {twice!r} more than once; each word stands there once")
    return words


def check_came(came, words):
    """Ids of the words that came, or one sentence saying what is wrong."""
    came = came.split() if isinstance(came, str) else [str(word) for word in came]
    check_number("the number of words in next_word", len(came), 1, 12, whole=True)
    for word in came:
        if word not in words:
            raise ValueError(f"next_word holds {word!r}, which is not in the vocabulary; add it to words")
    return [words.index(word) for word in came]


def check_rows(probabilities, T, V):
    """The rows (T, V), one row repeated where only one was given, or one sentence saying what is wrong."""
    rows = np.asarray(probabilities, dtype=float)
    if rows.shape not in ((V,), (T, V)):
        raise ValueError(f"probabilities has shape {rows.shape}; with {T} steps and {V} words it must be ({T}, {V})")
    rows = np.broadcast_to(rows, (T, V))
    for t, row in enumerate(rows):
        if not (np.isfinite(row).all() and row.min() >= 0 and abs(row.sum() - 1) < 1e-6):
            raise ValueError(f"row {t} of probabilities sums to {row.sum():g}; it must hold shares that sum to 1")
    return rows


@lru_cache(maxsize=1)
def made_text():
    """The made reviews about film, story and music, each ended by <eos>."""
    from seqlab import data

    texts, _ = data.reviews(2000, seed=0)
    subjects = {"film", "story", "music", "ending", "hour", "actor"}
    return [(*text, "<eos>") for text in texts if not subjects & set(text) - TALKED_OF]


@lru_cache(maxsize=1)
def made_vocabulary():
    """Their words, the most frequent first."""
    return tuple(word for word, _ in Counter(word for text in made_text() for word in text).most_common())


@lru_cache(maxsize=1)
def counted():
    """A bigram model and one of single words, both fitted to the made reviews, add-k smoothed."""
    from seqlab.lm import NGram

    words = made_vocabulary()
    ids = [[words.index(word) for word in text] for text in made_text()]
    return {
        name: NGram(n, smoothing="add-k", k=0.1).fit(ids, len(words)) for name, n in (("bigram", 2), ("unigram", 1))
    }


def models(targets):
    """What the two models expect before each word that came, (T, V) each."""
    return {
        name: np.array([model.distribution(targets[:t]) for t in range(len(targets))])
        for name, model in counted().items()
    }


@lru_cache(maxsize=8)
def following(word, n=12):
    """The n words that most often follow a word in the book's text, and the logarithm of how often each does."""
    from seqlab import data

    words = re.findall(r"[a-z]+|[.,;:?!]", data.book_text().lower())
    counts = Counter(after for before, after in pairwise(words) if before == word)
    found, times = zip(*counts.most_common(n), strict=True)
    return found, tuple(math.log(count) for count in times)
