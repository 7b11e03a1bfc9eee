"""The still pictures of chapter 2. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba

from seqlab.figures.style import INK, PALETTE, show


def next_letter(read, letters, probabilities):
    """Draw what a character model expects after each letter: darker is likelier, the likeliest is written out.

    Parameters
    ----------
    read : the T letters that were read.
    letters : the V letters that can follow.
    probabilities : (T, V) rows that sum to one.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.0, 0.5 * len(read) + 0.7))
    ax.imshow(_shade(probabilities), aspect="auto")
    best = np.argmax(probabilities, axis=1)
    for t, v in np.ndindex(probabilities.shape):
        ax.text(
            v, t, f"{probabilities[t, v]:.2f}", ha="center", va="center", weight="bold" if v == best[t] else "normal"
        )
    ax.set_xticks(range(len(letters)), letters)
    ax.set_yticks(range(len(read)), read)
    ax.set(xlabel="guessed next", ylabel="letter read")
    _plain(ax)
    guesses = ", ".join(f"after {a} the guess is {letters[b]}" for a, b in zip(read, best, strict=True))
    return show(fig, f"Probability of each next letter: {guesses}.")


def tagged(words, probabilities, labels):
    """Draw the probability of "name" for each word of a sentence, true names in another colour and hatched.

    Parameters
    ----------
    words : the T words.
    probabilities : (T,) between 0 and 1.
    labels : (T,) 1 for a name, else 0.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 0.26 * len(words) + 0.8))
    place = np.arange(len(words))
    for value, name, colour, hatch in ((1, "name", PALETTE[1], "///"), (0, "other word", PALETTE[0], "")):
        rows = np.asarray(labels) == value
        ax.barh(place[rows], np.asarray(probabilities)[rows], color=colour, hatch=hatch, label=name, edgecolor=INK)
    ax.axvline(0.5, color=INK, linewidth=1, linestyle=":")
    ax.set_yticks(place, words)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.02), xlabel="probability of a name")
    ax.legend(loc="lower right")
    ax.grid(visible=False, axis="y")
    said = ", ".join(f"{word} {p:.2f}" for word, p in zip(words, probabilities, strict=True))
    return show(fig, f"Probability that each word belongs to a name: {said}.")


def melodies(notes, scale, names):
    """Draw melodies as notes over time, one panel for each.

    Parameters
    ----------
    notes : (M, T) places in the scale.
    scale : names of the notes, low to high.
    names : the M names of the melodies.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    rows = (len(notes) + 1) // 2
    fig, panels = plt.subplots(rows, 2, figsize=(4.4, 1.5 * rows + 0.3), sharex=True, sharey=True, squeeze=False)
    step = np.arange(1, notes.shape[1] + 1)
    for ax, melody, name, colour in zip(panels.flat, notes, names, PALETTE, strict=False):
        ax.plot(step, melody, color=colour, alpha=0.5, linewidth=1, linestyle="-")
        ax.plot(step, melody, "o", color=colour)
        ax.set_title(name)
        ax.set_yticks(range(len(scale)), scale)
        ax.set_xticks(step[::2])
    for ax in panels[-1]:
        ax.set_xlabel("step")
    for ax in panels.flat[len(notes) :]:
        ax.set_axis_off()
    said = "; ".join(f"{name}: {' '.join(scale[n] for n in row)}" for name, row in zip(names, notes, strict=True))
    return show(fig, f"{len(notes)} melodies as notes over time. {said}.")


def influence(words, sizes):
    """Draw how strongly the answer at word t (row) depends on word s (column); nothing is drawn for exactly zero.

    Parameters
    ----------
    words : the T words.
    sizes : (T, T) non-negative.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    T = len(words)
    fig, ax = plt.subplots(figsize=(4.4, 3.6))
    share = sizes / np.maximum(sizes.max(axis=1, keepdims=True), np.finfo(float).tiny)
    ax.imshow(_shade(share), aspect="auto")
    for t, s in zip(*np.nonzero(sizes == 0), strict=True):
        ax.text(s, t, "0", ha="center", va="center")
    ax.set_xticks(range(T), words, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(T), words)
    ax.set(xlabel="depends on word s", ylabel="answer at word t")
    _plain(ax)
    later = np.triu(np.ones((T, T), dtype=bool), k=1)
    zeros = "every" if (sizes[later] == 0).all() else "not every"
    return show(
        fig,
        f"Table of {T} answers against {T} words, darker where an answer depends more on a word; "
        f"{zeros} square of a later word is zero.",
    )


def accuracies(found, chance):
    """Draw the accuracy of each model as a bar, with the level of guessing.

    Parameters
    ----------
    found : dict from the model's name to its accuracy, between 0 and 1.
    chance : accuracy of guessing.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 0.45 * len(found) + 0.8))
    for place, (value, colour) in enumerate(zip(found.values(), PALETTE, strict=False)):
        ax.barh(place, 100 * value, color=colour, height=0.6)
        ax.text(100 * value + 2, place, f"{100 * value:.0f} %", va="center")
    ax.axvline(100 * chance, color=INK, linewidth=1, linestyle=":")
    ax.set_yticks(range(len(found)), found)
    ax.invert_yaxis()
    ax.set(xlim=(0, 112), xticks=range(0, 101, 25), xlabel="right, % (dotted: guessing)")
    ax.grid(visible=False, axis="y")
    said = ", ".join(f"{name} {100 * value:.0f} %" for name, value in found.items())
    return show(fig, f"Accuracy: {said}; guessing gives {100 * chance:.0f} %.")


def _shade(share):
    """(T, V) between 0 and 1 -> colours from clear to blue, so that ink on top stays readable, light and dark."""
    colours = np.empty((*share.shape, 4))
    colours[:] = to_rgba(PALETTE[0])
    colours[..., 3] = 0.6 * share
    return colours


def _plain(ax):
    ax.tick_params(length=0)
    ax.grid(visible=False)
