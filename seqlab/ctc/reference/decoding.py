"""From the log-probabilities of one sequence to its text: greedy decoding, and prefix beam search.

Letters: T frames, C classes (the labels and the blank), K beams. A *prefix* is a tuple of labels, the beginning of a
text. All logarithms are natural.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqlab.arrays import check_floats
from seqlab.ctc.reference.lattice import collapse
from seqlab.shapes import check_whole

MOST = 1.02  # a frame's probabilities may sum to a little more than 1: half precision rounds
TOO_MUCH = "log_probs has a frame whose probabilities sum to {:.4g}; give log-probabilities, log_softmax(scores)"


@dataclass(frozen=True)
class CTCHypothesis:
    """A text that a beam search has found.

    Attributes
    ----------
    labels : tuple of ids, without blanks.
    log_prob : log of the probability that the search has counted for this text, in nats. It is never above the text's
        exact log-probability, :eq:`ctc-marginal`, and equal to it when no path of the text was dropped.
    score : what the search has ranked by, :eq:`ctc-language-model`: log_prob, plus the weighted language model, plus
        the bonus of each label. It is not divided by a length. Without a model and a bonus it is log_prob.
    """

    labels: tuple
    log_prob: float
    score: float


class Masses(NamedTuple):
    """The log-probability of a prefix in two parts: of its paths that end in a blank, and of those that do not."""

    blank: float = -np.inf
    label: float = -np.inf

    @property
    def total(self):
        """Log-probability of all paths so far that collapse to the prefix."""
        return float(np.logaddexp(self.blank, self.label))

    def with_more(self, label):
        """The masses after another way to end in a label was found."""
        return self._replace(label=float(np.logaddexp(self.label, label)))


def greedy_decode(log_probs, blank=0):
    """Take the likeliest class of every frame and collapse, :eq:`ctc-greedy`.

    This is the text of the likeliest *path*, which need not be the likeliest text: best path decoding of Graves et al.
    (2006).

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in every frame.
    blank : id of the blank.

    Returns
    -------
    labels : tuple of ids. Of equal classes the one with the lowest id is taken.
    log_prob : of that one path; the text has at least as much.

    Raises
    ------
    ValueError
        when the shape or the blank does not fit, or log_probs are no log-probabilities.
    """
    T, _ = check_log_probs(log_probs, blank)
    path = log_probs.argmax(axis=1)
    return tuple(collapse(path, blank)), float(log_probs[np.arange(T), path].sum())


def beam_decode(
    log_probs,
    beam_width,
    blank=0,
    *,
    lm=None,
    lm_weight=0.5,
    bonus=0.0,
    n_best=1,
    lm_end=None,
    top=None,
):
    """Keep the K best prefixes and let every frame extend them, :eq:`ctc-prefix-beam`.

    Prefix beam search as in Hannun et al. (2014), with a language model over labels in place of theirs over words, and
    without their second look at prefixes that were dropped. (The prefix search of Graves et al. (2006) is another
    algorithm: it grows one prefix at a time, the best first, by exact probabilities.) Paths that collapse to the same
    prefix are added up. Nothing but the width drops a path, so a beam that holds all prefixes is exact.

    Parameters
    ----------
    log_probs : (T, C) log-probabilities of the classes in every frame.
    beam_width : K, the prefixes kept after each frame, at least 1. Width 1 is not greedy decoding.
    blank : id of the blank.
    lm : language model, anything with `.distribution(context) -> (C,)` probabilities of the next label after a tuple
        of labels, e.g. `seqlab.lm.NGram`; or None. A text that it gives the probability 0 is never found.
    lm_weight : what its log-probability is multiplied by, at least 0; 0 leaves it out.
    bonus : added for every label. A language model makes each label cost something; this pays it back.
    n_best : how many texts are wanted, 1 to K.
    lm_end : id with which the language model says that the text ends, or None. The blank's id is free for that: no text
        holds it.
    top : how many labels of a frame, the likeliest, may extend a prefix; None for all of them. It saves time
        where C is large, and is no longer exact.

    Returns
    -------
    hypotheses : list of at most n_best `CTCHypothesis` with different texts, the best score first; no text without
        any probability is among them. Of equal scores a prefix that was in the beam comes before a new one,
        then what comes from the better beam, then the lower label.

    Raises
    ------
    ValueError
        when a shape or a number does not fit, or log_probs are no log-probabilities.
    """
    _, C = check_log_probs(log_probs, blank)
    check_search(beam_width, n_best, lm_weight, lm_end, top)
    judge = Judge(lm, lm_weight, bonus, C, lm_end)
    beams = {(): Masses(blank=0.0)}
    for y in log_probs:
        beams = best(extend_all(beams, y, likeliest(y, blank, top), blank), judge, beam_width)
    found = [CTCHypothesis(prefix, m.total, m.total + judge.finished(prefix)) for prefix, m in beams.items()]
    found = [h for h in found if h.score > -np.inf]
    return sorted(found, key=lambda h: -h.score)[:n_best]


def extend_all(beams, y, labels, blank=0):
    """Let one frame extend every prefix by a blank, by its last label again, and by every other label.

    Parameters
    ----------
    beams : dict from prefixes to `Masses`.
    y : (C,) log-probabilities of the frame.
    labels : ids that may extend a prefix.
    blank : id of the blank.

    Returns
    -------
    beams : dict from prefixes to `Masses`: first all prefixes that were there, then the new ones.
    """
    y = y.tolist()
    after = {}
    for prefix, m in beams.items():  # the text stays as it is
        again = m.label + y[prefix[-1]] if prefix else -np.inf
        after[prefix] = Masses(blank=m.total + y[blank], label=again)
    for prefix, m in beams.items():  # the text grows
        total, last = m.total, prefix[-1] if prefix else None
        for c in labels:
            mass = (m.blank if c == last else total) + y[c]  # a double letter needs a blank between
            if mass > -np.inf:
                longer = (*prefix, c)
                there = after.get(longer)
                after[longer] = Masses(label=mass) if there is None else there.with_more(mass)
    return after


def best(beams, judge, beam_width):
    """The K prefixes with the highest scores; of equal ones the first.

    Parameters
    ----------
    beams : dict from prefixes to `Masses`.
    judge : `Judge`.
    beam_width : K.

    Returns
    -------
    beams : dict of at most K prefixes, the best first. None has the probability 0.
    """
    scores = {prefix: m.total + judge.so_far(prefix) for prefix, m in beams.items()}
    order = sorted((p for p, score in scores.items() if score > -np.inf), key=lambda p: -scores[p])
    return {prefix: beams[prefix] for prefix in order[:beam_width]}


def likeliest(y, blank, top):
    """The labels that may extend a prefix, by id: all, or the `top` likeliest of a frame (C,)."""
    labels = np.delete(np.arange(len(y)), blank)
    if top is not None:
        labels = np.sort(labels[np.argsort(-y[labels], kind="stable")[:top]])
    return labels.tolist()


class Judge:
    """What a text's score holds beside its probability: the language model and the bonus, :eq:`ctc-language-model`.

    Parameters
    ----------
    lm, lm_weight, bonus, lm_end : as in `beam_decode`.
    classes : C.
    """

    def __init__(self, lm, lm_weight, bonus, classes, lm_end=None):
        self.lm, self.weight, self.bonus = (lm if lm_weight else None), lm_weight, bonus
        self.classes, self.end = classes, lm_end
        self._rows, self._sums = {}, {(): 0.0}

    def next(self, prefix):
        """What the language model adds to the score for each label after a prefix: (V,), with V at least C."""
        if self.lm is None:
            return np.zeros(self.classes)
        if prefix not in self._rows:
            ids = max(self.classes, 0 if self.end is None else self.end + 1)
            self._rows[prefix] = self.weight * log_distribution(self.lm, prefix, ids)
        return self._rows[prefix]

    def so_far(self, prefix):
        """What a prefix adds to its log-probability."""
        if self.lm is None:
            return self.bonus * len(prefix)
        if prefix not in self._sums:
            before, c = prefix[:-1], prefix[-1]
            self._sums[prefix] = self.so_far(before) + float(self.next(before)[c]) + self.bonus
        return self._sums[prefix]

    def ending(self, prefix):
        """What the end of a text adds: the language model's opinion that nothing follows."""
        return 0.0 if self.lm is None or self.end is None else float(self.next(prefix)[self.end])

    def finished(self, prefix):
        """What a whole text adds to its log-probability."""
        return self.so_far(prefix) + self.ending(prefix)


def log_distribution(lm, prefix, ids):
    """Ask a language model for the log-probabilities (V,) of what follows a prefix; V must be `ids` or more."""
    p = np.asarray(lm.distribution(prefix), dtype=float)
    if p.ndim != 1 or len(p) < ids:
        raise ValueError(
            f"lm.distribution gave shape {p.shape}; it must give a probability for each of the ids 0 to {ids - 1}: "
            "fit the model with that size"
        )
    if not (p >= 0).all():
        raise ValueError("lm.distribution gave a number that is NaN or below 0; it must give probabilities")
    with np.errstate(divide="ignore"):  # probability 0
        return np.log(p)


def check_log_probs(log_probs, blank):
    """T and C of log-probabilities (T, C); or one sentence saying what is wrong."""
    T, C = check_floats("log_probs", log_probs, ("T", "C")).values()
    check_blank(blank, C)
    with np.errstate(over="ignore"):  # logits
        totals = np.exp(log_probs).sum(axis=1)
    if not (totals <= MOST).all():
        raise ValueError(TOO_MUCH.format(totals.max()))
    return T, C


def check_blank(blank, classes):
    """Refuse a blank that is no class."""
    if not 0 <= blank < classes:
        raise ValueError(f"blank is {blank}; log_probs has the classes 0 to {classes - 1}")


def check_search(beam_width, n_best, lm_weight, lm_end, top):
    """Refuse numbers that no search can use."""
    for name, number in {"beam_width": beam_width, "n_best": n_best, "top": 1 if top is None else top}.items():
        check_whole(name, number)
    if n_best > beam_width:
        raise ValueError(f"n_best is {n_best}; a beam of width {beam_width} holds no more than {beam_width} texts")
    if not lm_weight >= 0:
        raise ValueError(f"lm_weight is {lm_weight}; it must be at least 0")
    if lm_end is not None and lm_end < 0:
        raise ValueError(f"lm_end is {lm_end}; it must be an id, at least 0 (the blank's is free), or None")
