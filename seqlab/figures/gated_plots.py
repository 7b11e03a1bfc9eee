"""The still pictures of chapter 5. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show


def reach(sizes):
    """Draw the size of the gradient at each step before the last, as a share of that at the last step.

    Parameters
    ----------
    sizes : dict from a cell's name to (T,) sizes, the last step's at the end.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.6))
    for (name, values), (colour, line) in zip(sizes.items(), _looks(), strict=False):
        back = np.arange(len(values))
        ax.semilogy(back, values[::-1] / values[-1], color=colour, linestyle=line, label=name)
    ax.set(xlabel="steps before the end", ylabel="gradient / that at the last step")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    said = "; ".join(f"{name} {values[0] / values[-1]:.0e}" for name, values in sizes.items())
    steps = len(next(iter(sizes.values()))) - 1
    return show(fig, f"Size of the gradient at earlier steps. Share that arrives after {steps} steps: {said}.")


def copying(lags, panels, chance):
    """Draw how often a copied symbol is right, one panel for each family of cells.

    Parameters
    ----------
    lags : (L,) delays.
    panels : dict from a panel's title to a dict from a cell's name to its accuracies, (L', runs) between 0 and 1; a
        cell with L' < L was not tried at the longest delays.
    chance : accuracy of guessing.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, axes = plt.subplots(len(panels), 1, figsize=(4.4, 2.3 * len(panels)), sharex=True, sharey=True, squeeze=False)
    said = []
    for ax, (title, cells) in zip(axes[:, 0], panels.items(), strict=True):
        for (name, runs), (colour, line), marker in zip(cells.items(), _looks(), MARKERS, strict=False):
            runs = 100 * np.asarray(runs)
            tried, mean = lags[: len(runs)], runs.mean(axis=1)
            ax.plot(tried, mean, color=colour, linestyle=line, marker=marker, label=name)
            ax.vlines(tried, runs.min(axis=1), runs.max(axis=1), color=colour, alpha=0.5, linewidth=4)
            values = ", ".join(f"{lag} steps {value:.0f} %" for lag, value in zip(tried, mean, strict=True))
            said.append(f"{name}: {values}")
        ax.axhline(100 * chance, color=INK, linewidth=1, linestyle=":")
        ax.set(title=title, ylabel="right, %", ylim=(0, 105))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    axes[-1, 0].set(xlabel="steps between symbol and cue (dotted: guessing)", xticks=lags)
    return show(fig, f"Symbols copied correctly after a delay, mean of the runs. {'; '.join(said)}.")


def agreeing(distances, cells, trained, chance=0.5):
    """Draw how often the verb is right against the number of nouns between subject and verb, a panel for each cell.

    Parameters
    ----------
    distances : (N,) numbers of nouns in between.
    cells : dict from a cell's name to accuracies, (runs, N) between 0 and 1.
    trained : largest number of nouns that stood in between in training; the rest of the panel is shaded.
    chance : accuracy of guessing.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, axes = plt.subplots(len(cells), 1, figsize=(4.4, 1.3 * len(cells) + 0.4), sharex=True, sharey=True)
    said = []
    for ax, (name, runs) in zip(np.atleast_1d(axes), cells.items(), strict=True):
        runs = 100 * np.asarray(runs)
        for row, (colour, line), marker in zip(runs, _looks(), MARKERS, strict=False):
            ax.plot(distances, row, color=colour, linestyle=line, marker=marker)
        ax.axhline(100 * chance, color=INK, linewidth=1, linestyle=":")
        ax.axvspan(trained + 0.5, distances[-1] + 0.5, color=PALETTE[5], alpha=0.15)
        ax.set(title=name, ylabel="right, %", ylim=(-5, 108))
        worst = ", ".join(f"{n} nouns {low:.0f} %" for n, low in zip(distances, runs.min(axis=0), strict=True))
        said.append(f"{name}, worst run: {worst}")
    np.atleast_1d(axes)[-1].set(xlabel="nouns between subject and verb (shaded: never trained)", xticks=distances)
    return show(fig, f"Verbs that agree with their subject, a line for each run. {'; '.join(said)}.")


def gates(words, values, cell):
    """Draw gates and cell over a sentence as tables of numbers, a row for each unit.

    Parameters
    ----------
    words : the T words.
    values : dict from a gate's name to (T, H) values from 0 to 1.
    cell : (T, H) what the cell holds after each word.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    T, H = cell.shape
    tables = {**values, "cell c": cell}
    fig, axes = plt.subplots(len(tables), 1, figsize=(4.4, 0.32 * H * len(tables) + 1.3), sharex=True)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        share = np.abs(table) / max(1.0, np.abs(table).max())
        ax.imshow(_shade(share, table < 0).transpose(1, 0, 2), aspect="auto")
        for t, u in np.ndindex(T, H):
            digits = f"{table[t, u]:.1f}"
            ax.text(t, u, digits.replace("-0.0", "0.0").replace("-", "\u2212"), ha="center", va="center", fontsize=9)
        ax.set_yticks(range(H), [f"unit {u + 1}" for u in range(H)])
        ax.set_title(name)
        ax.tick_params(length=0)
        ax.grid(visible=False)
    axes[-1].set_xticks(range(T), words, rotation=60, ha="right", rotation_mode="anchor")
    last = ", ".join(f"unit {u + 1} {value:.1f}" for u, value in enumerate(cell[-1]))
    return show(fig, f"Gates and cell at each of {T} words. After the last word the cell holds: {last}.")


def stream(cells, names):
    """Draw how large cells grow on a stream without end, and what their states still show.

    Parameters
    ----------
    cells : list of (mean size of the cell, mean size of the state's change in a step), each (T,).
    names : a name for each.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, panels = plt.subplots(2, 1, figsize=(4.4, 3.8), sharex=True)
    for name, pair, (colour, line) in zip(names, cells, _looks(), strict=False):
        for ax, values in zip(panels, pair, strict=True):
            ax.semilogy(np.arange(1, len(values) + 1), values, color=colour, linestyle=line, label=name)
    panels[0].set(ylabel="size of the cell")
    panels[1].set(ylabel="slope of tanh at the cell", xlabel="step")
    panels[0].legend()
    said = "; ".join(
        f"{name}: cell {size[-1]:.0f}, change {moved[-1]:.0e}" for name, (size, moved) in zip(names, cells, strict=True)
    )
    return show(fig, f"Size of the cell and change of the state on a long stream. At its end: {said}.")


def _looks():
    """Colours with the line of each, so that neither is needed alone."""
    return zip(PALETTE, LINES, strict=True)


def _shade(share, negative):
    """(T, H) sizes from 0 to 1 -> colours from clear to blue, or to orange where the value is negative."""
    colours = np.where(negative[..., None], to_rgba(PALETTE[1]), to_rgba(PALETTE[0]))
    colours[..., 3] = 0.6 * share
    return colours
