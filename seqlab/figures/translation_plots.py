"""The still pictures of chapter 11. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import LINES, MARKERS, PALETTE, show


def exact_by_epoch(curves, goal=None):
    """Draw how often held-out answers are right in every symbol, epoch by epoch.

    Parameters
    ----------
    curves : dict from a model's name to (E,) shares from 0 to 1, one for each epoch.
    goal : None, or a share at which a line stands.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    for (name, shares), colour, line, marker in zip(curves.items(), PALETTE, LINES, MARKERS, strict=False):
        epochs = np.arange(1, len(shares) + 1)
        ax.plot(epochs, 100 * np.asarray(shares), color=colour, linestyle=line, marker=marker, markersize=4, label=name)
    if goal is not None:
        ax.axhline(100 * goal, color="#000000", linewidth=1, linestyle=":")
    ax.set(xlabel="epoch", ylabel="right in every digit, %", ylim=(-2, 103))
    ax.legend()
    ends = "; ".join(f"{name}: {100 * shares[-1]:.1f} % after {len(shares)} epochs" for name, shares in curves.items())
    return show(fig, f"Share of held-out answers that are right in every symbol. {ends}.")


def by_length(tables, least=20):
    """Draw the share of right answers against the length of the source.

    Parameters
    ----------
    tables : dict from a model's name to the rows that `seqlab.seq2seq.training.by_length` gives.
    least : lengths with fewer sources than this are left out: too few to say anything.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    said = []
    for (name, rows), colour, line, marker in zip(tables.items(), PALETTE, LINES, MARKERS, strict=False):
        rows = [row for row in rows if row["n"] >= least]
        lengths, shares = [row["from"] for row in rows], [100 * row["exact"] for row in rows]
        ax.plot(lengths, shares, color=colour, linestyle=line, marker=marker, label=name)
        said.append(
            f"{name}: " + ", ".join(f"{n} symbols or more: {x:.1f} %" for n, x in zip(lengths, shares, strict=True))
        )
    ax.set(xlabel="symbols of the source, from", ylabel="right in every symbol, %")
    ax.legend()
    return show(fig, f"Share of right answers by the length of the source. {'; '.join(said)}.")


def teachers(schedules, steps):
    """Draw how often the teacher says the true word, over the steps of a training.

    Parameters
    ----------
    schedules : dict from a name to a function from a step to a share, as `seqlab.seq2seq.teacher_share` makes.
    steps : how many steps the training has.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.4))
    at = np.arange(steps + 1)
    said = []
    for (name, share), colour, line in zip(schedules.items(), PALETTE, LINES, strict=False):
        values = np.array([share(step) for step in at])
        ax.plot(at, values, color=colour, linestyle=line, label=name)
        said.append(f"{name}: {values[0]:.2f}, half way {values[steps // 2]:.2f}, at the end {values[-1]:.2f}")
    ax.set(xlabel="step of the training", ylabel="share of true words", ylim=(-0.03, 1.05))
    ax.legend(loc="upper right")
    return show(fig, f"How often the teacher speaks. {'; '.join(said)}.")
