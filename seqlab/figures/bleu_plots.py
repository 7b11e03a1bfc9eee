"""The still pictures of chapter 13. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show


def penalty(ratios, penalties):
    """Draw the brevity penalty against the length of a translation.

    Parameters
    ----------
    ratios : (K,) length of the translation over that of the reference, c/r, rising.
    penalties : (K,) the penalty at each.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.6))
    ax.plot(ratios, penalties)
    ax.axvline(1, color=INK, linewidth=1, linestyle=":")
    ax.set(xlabel="length of the translation / length of the reference", ylabel="brevity penalty", ylim=(0, 1.05))
    said = ", ".join(f"{np.interp(x, ratios, penalties):.2f} at {x:g}" for x in (0.25, 0.5, 0.75, 1, 1.5))
    return show(fig, f"The brevity penalty rises with c/r up to 1 and stays there: {said}.")


def by_references(numbers, points):
    """Draw BLEU against how many references each sentence may use.

    Parameters
    ----------
    numbers : (K,) numbers of references; the last one may be a text such as "all".
    points : dict from a system's name to (K,) points of BLEU, 0 to 100.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    place = np.arange(len(numbers))
    for (name, values), colour, line, marker in zip(points.items(), PALETTE, LINES, MARKERS, strict=False):
        ax.plot(place, values, color=colour, linestyle=line, marker=marker, label=name)
    ax.set_xticks(place, [str(number) for number in numbers])
    ax.set(xlabel="references a sentence", ylabel="BLEU, points", ylim=(None, 103))
    ax.legend(loc="lower right")
    said = "; ".join(
        f"{name}: " + ", ".join(f"{value:.0f} with {number}" for number, value in zip(numbers, values, strict=True))
        for name, values in points.items()
    )
    return show(fig, f"Points of BLEU by the number of references. {said}.")


def resampled(differences):
    """Draw how often each difference of two systems came when the sentences were drawn again.

    Parameters
    ----------
    differences : dict from how they were drawn to (samples,) differences in points of BLEU.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.8))
    low = min(np.min(values) for values in differences.values())
    high = max(np.max(values) for values in differences.values())
    edges = np.linspace(low, high, 41)
    for (name, values), colour, line in zip(differences.items(), PALETTE, LINES, strict=False):
        ax.hist(values, edges, histtype="step", color=colour, linestyle=line, linewidth=1.6, label=name)
    ax.axvline(0, color=INK, linewidth=1, linestyle=":")
    ax.set(xlabel="difference, points of BLEU", ylabel="samples")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    said = "; ".join(
        f"{name}: 95 % lie between {np.quantile(values, 0.025):.1f} and {np.quantile(values, 0.975):.1f}"
        for name, values in differences.items()
    )
    return show(fig, f"Differences of two systems on sentences that were drawn again. {said}.")


def learning(steps, curves):
    """Draw what a translator reaches as it learns.

    Parameters
    ----------
    steps : (K,) steps of training.
    curves : dict from a name to (K,) numbers from 0 to 100.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.8))
    for (name, values), colour, line, marker in zip(curves.items(), PALETTE, LINES, MARKERS, strict=False):
        ax.plot(steps, values, color=colour, linestyle=line, marker=marker, label=name)
    ax.set(xlabel="steps of training", ylabel="points, or %", ylim=(-3, 103))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=1)
    said = "; ".join(f"{name}: {values[0]:.0f} at step {steps[0]}, {values[-1]:.0f} at step {steps[-1]}"
                     for name, values in curves.items())  # fmt: skip
    return show(fig, f"A small translator while it learns. {said}.")
