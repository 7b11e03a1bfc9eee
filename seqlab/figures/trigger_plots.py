"""The still pictures of trigger words. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import COLOURS, LINES, MARKERS, PALETTE, show
from seqlab.shapes import check_shape


def recording(samples, events, curves, rate=8000, step=320, threshold=None, detections=()):
    """Draw a recording above what is known of it at each output step.

    Parameters
    ----------
    samples : (N,) the sound.
    events : list of `seqlab.audio.reference.Event`: what was laid over the background.
    curves : dict from a name to (Ty,) numbers from 0 to 1: labels, probabilities.
    rate : samples a second.
    step : samples for each output step.
    threshold : None, or a level to draw.
    detections : list of output steps to mark.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when samples or a curve is not one row.
    """
    N = check_shape("samples", np.asarray(samples), ("N",))["N"]
    fig, (wave, below) = plt.subplots(2, 1, figsize=(4.4, 3.0), sharex=True, height_ratios=[1.1, 1])
    wave.plot(np.arange(N) / rate, samples, linewidth=0.4, color=COLOURS["blue"])
    for start, end, positive in events:
        colour, hatch = (COLOURS["orange"], "") if positive else (COLOURS["rose"], "////")
        for ax in (wave, below):
            ax.axvspan(
                start / rate, end / rate, facecolor=colour, alpha=0.3, hatch=hatch, edgecolor=colour, linewidth=0
            )
        top = max(np.abs(samples).max(), 1e-9)
        wave.text((start + end) / 2 / rate, 1.08 * top, "trigger" if positive else "other", ha="center", fontsize=9)
    wave.set(ylabel="sample", yticks=[0])
    wave.set_title(" ", fontsize=9)  # room for the names
    for i, (name, y) in enumerate(curves.items()):
        Ty = check_shape(f"curves[{name!r}]", np.asarray(y), ("Ty",))["Ty"]
        edges = np.arange(Ty + 1) * step / rate
        below.stairs(y, edges, color=PALETTE[2 + i], linestyle=LINES[i], linewidth=1.6, label=name, baseline=None)
    if threshold is not None:
        below.axhline(threshold, linewidth=0.8, linestyle=":", color=COLOURS["brick"])
    if len(detections):
        at = (np.array(detections) + 1) * step / rate
        below.plot(at, np.full(len(at), 1.08), "v", color=COLOURS["brick"], label="detected", clip_on=False)
    below.set(xlabel="seconds", ylim=(-0.05, 1.15), yticks=[0, 1], xlim=(0, N / rate))
    fig.legend(loc="outside upper left", ncols=3)
    said = [f"{'the trigger word' if e.positive else 'another word'} ends at {e.end / rate:.1f} s" for e in events]
    found = [f"detected at {(d + 1) * step / rate:.1f} s" for d in detections]
    return show(
        fig,
        f"{N / rate:.1f} seconds of sound, and below it {' and '.join(curves)}; " + "; ".join([*said, *found]) + ".",
    )


def precision_recall(curves, points=None):
    """Draw precision over recall, with a point for each threshold that was chosen.

    Parameters
    ----------
    curves : dict from a name to a pair (precision (K,), recall (K,)).
    points : None, or a dict from one of those names to the index of its chosen threshold.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when precision and recall differ in shape.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.9))
    said = []
    for i, (name, (precision, recall)) in enumerate(curves.items()):
        K = check_shape(f"precision of {name!r}", np.asarray(precision), ("K",))["K"]
        check_shape(f"recall of {name!r}", np.asarray(recall), (K,))
        ax.plot(recall, precision, color=PALETTE[i], linestyle=LINES[i], label=name)
        if points and name in points:
            k = points[name]
            ax.plot(recall[k], precision[k], MARKERS[i], color=PALETTE[i], markersize=8)
            said.append(f"{name} is used at recall {recall[k]:.2f} and precision {precision[k]:.2f}")
    low = min(0.9, *(np.min(np.concatenate([p, r])) for p, r in curves.values()))
    ax.set(xlabel="recall: words that were heard", ylabel="precision")
    ax.set(xlim=(max(0, low - 0.03), 1.02), ylim=(max(0, low - 0.03), 1.02))
    fig.legend(loc="outside upper left", ncols=2)
    return show(fig, f"Precision over recall of {' and '.join(curves)}; " + "; ".join(said) + ".")


def alarms(thresholds, recall, an_hour, chosen=None):
    """Draw, over the threshold, the words that are missed and the false alarms an hour.

    Parameters
    ----------
    thresholds, recall, an_hour : (K,) each.
    chosen : None, or the threshold to mark.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when the shapes differ.
    """
    K = check_shape("thresholds", np.asarray(thresholds), ("K",))["K"]
    check_shape("recall", np.asarray(recall), (K,))
    check_shape("an_hour", np.asarray(an_hour), (K,))
    fig, (left, right) = plt.subplots(1, 2, figsize=(4.6, 2.4))
    left.plot(thresholds, 100 * (1 - np.asarray(recall)), color=PALETTE[0])
    left.set(ylabel="words missed, %", xlabel="threshold", ylim=(0, None))
    right.plot(thresholds, an_hour, color=PALETTE[1])
    right.set(ylabel="false alarms an hour", xlabel="threshold")
    right.set_yscale("symlog", linthresh=1)
    right.set_ylim(0, None)
    if chosen is not None:
        for ax in (left, right):
            ax.axvline(chosen, linewidth=1, linestyle=":", color=COLOURS["brick"])
    first, last = f"{100 * (1 - recall[0]):.0f} %", f"{100 * (1 - recall[-1]):.0f} %"
    return show(
        fig,
        f"As the threshold goes from {thresholds[0]} to {thresholds[-1]}, missed words go from {first} to {last} and "
        f"the false alarms from {an_hour[0]:.0f} to {an_hour[-1]:.0f} an hour.",
    )


def by_deadline(delays, words, deadlines):
    """Draw the share of words that have been reported by some time after their end.

    Parameters
    ----------
    delays : dict from a name to a list of seconds, one for each word that was reported.
    words : how many were said.
    deadlines : (K,) seconds.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.5))
    said = []
    for i, (name, late) in enumerate(delays.items()):
        share = np.array([np.sum(np.asarray(late) <= d) for d in deadlines]) / words
        ax.plot(1000 * np.asarray(deadlines), share, color=PALETTE[i], linestyle=LINES[i], label=name)
        said.append(f"{name}: {share[-1]:.0%} by {1000 * deadlines[-1]:.0f} ms")
    ax.axvline(0, linewidth=0.8, color=COLOURS["brick"], linestyle=":")
    ax.set(xlabel="milliseconds after the end of the word", ylabel="words reported", ylim=(0, 1.03))
    fig.legend(loc="outside upper left", ncols=2)
    return show(fig, "The share of words reported by each moment. " + "; ".join(said) + ".")
