"""A trigger-word detector's loss, its decisions, and how they are counted, in NumPy: the equations of the book."""

from typing import NamedTuple

import numpy as np

from seqlab.arrays import check_floats
from seqlab.shapes import check_shape


class Matches(NamedTuple):
    """Detections held against the truth; `match` makes it.

    hits is a list of pairs (end of the word, detection); misses a list of ends; false_alarms a list of detections.
    """

    hits: list
    misses: list
    false_alarms: list


def trigger_loss(z, y, positive_weight=1.0):
    """Binary cross-entropy of every step and its gradient, :eq:`trigger-loss`.

    Parameters
    ----------
    z : (B, Ty) logits; the probability is 1 / (1 + exp(-z)).
    y : (B, Ty) labels, 0 or 1.
    positive_weight : how much more a step with label 1 counts than one with label 0.

    Returns
    -------
    loss : number in nats, the mean over all steps.
    dz : (B, Ty) its gradient.

    Raises
    ------
    ValueError
        when an array holds no floats, the shapes differ, a label is neither 0 nor 1, or the weight is not above 0.
    """
    sizes = check_floats("z", z, ("B", "Ty"))
    check_floats("y", y, (sizes["B"], sizes["Ty"]))
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y must hold nothing but 0 and 1")
    if not positive_weight > 0:
        raise ValueError(f"positive_weight is {positive_weight}; it must be above 0")
    w = positive_weight
    each = w * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)  # -log p and -log(1 - p), without overflow
    p = np.exp(-np.logaddexp(0, -z))
    dz = (1 - y) * p - w * y * (1 - p)
    return each.mean(), dz / z.size


def detect(probabilities, threshold, quiet):
    """Report a word where the probability rises to the threshold, then nothing for a while, :eq:`trigger-detection`.

    Parameters
    ----------
    probabilities : (Ty,) one for each step.
    threshold : above 0, at most 1.
    quiet : for how many steps after a detection no other is reported.

    Returns
    -------
    detections : list of steps.

    Raises
    ------
    ValueError
        when the probabilities are not one row, or a number is out of range.

    Notes
    -----
    What counts is the step at which the curve comes up from below. One that stays high is one detection, however long
    it stays. Before the first step the probability is taken to be 0.
    """
    check_shape("probabilities", np.asarray(probabilities), ("Ty",))
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must be above 0 and at most 1")
    if quiet < 0:
        raise ValueError(f"quiet is {quiet}; it must be at least 0")
    detections, before = [], 0.0
    for t, p in enumerate(probabilities):
        rises = before < threshold <= p
        if rises and (not detections or t - detections[-1] > quiet):
            detections.append(t)
        before = p
    return detections


def match(detections, truths, tolerance, early=0):
    """Pair detections with the words that they belong to, each with one at most, :eq:`precision-recall`.

    Parameters
    ----------
    detections : list of steps.
    truths : list of the steps in which a trigger word ends.
    tolerance : how many steps after the end a detection may come.
    early : how many steps before the end it may come.

    Returns
    -------
    matches : `Matches` of hits, misses and false alarms. A second detection of the same word is a false alarm.

    Raises
    ------
    ValueError
        when tolerance or early is below 0.
    """
    for name, steps in (("tolerance", tolerance), ("early", early)):
        if steps < 0:
            raise ValueError(f"{name} is {steps}; it must be at least 0")
    left, hits, misses = sorted(detections), [], []
    for end in sorted(truths):
        found = next((d for d in left if end - early <= d <= end + tolerance), None)
        if found is None:
            misses.append(end)
        else:
            hits.append((end, found))
            left.remove(found)
    return Matches(hits, misses, left)


def precision_recall(probabilities, truths, thresholds, *, quiet, tolerance, early=0):
    """Precision and recall of the words of several recordings, for each threshold, :eq:`precision-recall`.

    Parameters
    ----------
    probabilities : list of (Ty,) arrays, one a recording.
    truths : list of lists of the steps in which a trigger word ends.
    thresholds : (K,).
    quiet : as in `detect`.
    tolerance, early : as in `match`.

    Returns
    -------
    precision : (K,) hits over detections; 1 where nothing was detected, since nothing was wrong.
    recall : (K,) hits over words.

    Raises
    ------
    ValueError
        when there is not one list of truths for each recording, there is no word at all, or a number is out of range.
    """
    if len(probabilities) != len(truths):
        raise ValueError(
            f"there are {len(probabilities)} recordings and truths of {len(truths)}; give one list for each"
        )
    words = sum(map(len, truths))
    if not words:
        raise ValueError("truths hold no word at all; the recall of nothing is not defined")
    precision, recall = np.ones(len(thresholds)), np.zeros(len(thresholds))
    for k, threshold in enumerate(thresholds):
        hits = alarms = 0
        for p, ends in zip(probabilities, truths, strict=True):
            found = match(detect(p, threshold, quiet), ends, tolerance, early)
            hits, alarms = hits + len(found.hits), alarms + len(found.false_alarms)
        precision[k] = hits / (hits + alarms) if hits + alarms else 1.0
        recall[k] = hits / words
    return precision, recall


def average_precision(precision, recall):
    """The area under the curve of precision over recall, :eq:`precision-recall`.

    Parameters
    ----------
    precision, recall : (K,) points of the curve, in any order.

    Returns
    -------
    area : number from 0 to 1.

    Raises
    ------
    ValueError
        when the shapes differ.

    Notes
    -----
    At each recall stands the best precision of all points with at least that recall, as in Everingham et al. (2010):
    with events the curve may turn back, since a lower threshold can melt two detections into one. Recalls that no point
    reaches count with precision 0.
    """
    precision, recall = np.asarray(precision, dtype=float), np.asarray(recall, dtype=float)
    K = check_shape("precision", precision, ("K",))["K"]
    check_shape("recall", recall, (K,))
    order = np.argsort(recall, kind="stable")
    best = np.maximum.accumulate(precision[order][::-1])[::-1]
    return float(np.sum(np.diff(recall[order], prepend=0.0) * best))
