"""The still pictures of chapter 1: a padded batch of labels, and accuracy against where a sentence begins."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba

from seqlab.figures.style import PALETTE


def padded_labels(labels, real):
    """Draw a padded batch: one row per sentence, one square per step, its label inside, padding left empty.

    Parameters
    ----------
    labels : (B, T) of 0 and 1.
    real : (B, T) bool, False where a step is padding.

    Returns
    -------
    fig : matplotlib figure.
    """
    B, T = labels.shape
    fig, ax = plt.subplots(figsize=(4.4, 0.28 * B + 0.7))
    colours = np.zeros((B, T, 4))
    colours[real & (labels == 1)] = to_rgba(PALETTE[1], 0.55)
    colours[real & (labels == 0)] = to_rgba(PALETTE[0], 0.25)
    ax.imshow(colours, aspect="auto")
    for i, t in zip(*np.nonzero(real), strict=True):
        ax.text(t, i, labels[i, t], ha="center", va="center", weight="bold" if labels[i, t] else "normal")
    ax.set_xticks(range(T), range(1, T + 1))
    ax.set_yticks(range(B), range(1, B + 1))
    ax.set(xlabel="step t", ylabel="example i")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    return fig


def shifted(shifts, curves, baseline):
    """Draw how many words are labelled right when a sentence begins later than in training.

    Parameters
    ----------
    shifts : (S,) steps by which the sentences were moved.
    curves : dict from the name of a network to its (S,) accuracies, between 0 and 1.
    baseline : accuracy of saying "no name" always.

    Returns
    -------
    fig : matplotlib figure.
    """
    fig, ax = plt.subplots()
    for (name, accuracy), marker in zip(curves.items(), "os^v", strict=False):
        ax.plot(shifts, 100 * np.asarray(accuracy), marker=marker, label=name)
    ax.axhline(100 * baseline, color="black", linewidth=1, linestyle=":", label='always "no name"')
    ax.set(xlabel="steps by which the sentence begins later", ylabel="words right, %", xticks=shifts)
    ax.legend()
    return fig
