"""The still pictures of chapter 3. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, MARKERS, PALETTE, show


def truncation(ks, errors):
    """Draw how far a truncated gradient is from the whole one.

    Parameters
    ----------
    ks : (K,) numbers of steps after which the gradient was cut.
    errors : (K,) relative errors, 0 where the gradient is exact.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots()
    ax.plot(ks, 100 * np.asarray(errors), marker="o")
    ax.set(xlabel="gradient cut every k steps", ylabel="error of the gradient, %", ylim=(0, None))
    said = ", ".join(f"k = {k}: {e:.1%}" for k, e in zip(ks, errors, strict=True))
    return show(fig, f"Relative error of the truncated gradient. {said}.")


def reading(curves):
    """Draw losses against the number of sentences read.

    Parameters
    ----------
    curves : dict from a name to (sentences read, losses).

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots()
    for (name, (seen, losses)), marker in zip(curves.items(), MARKERS, strict=False):
        ax.plot(seen, losses, marker=marker, label=name)
    ax.set(xlabel="sentences read", ylabel="loss, nats a word", ylim=(0, None))
    ax.legend()
    said = "; ".join(f"{name} ends at {losses[-1]:.2f}" for name, (_, losses) in curves.items())
    return show(fig, f"Loss against sentences read, for batches of several sizes: {said}.")


def heard(words, curves, clue):
    """Draw the size of the gradient at each word, relative to the last, with the clue marked.

    Parameters
    ----------
    words : the T words, the last just before the blank.
    curves : dict from a name to (T,) sizes.
    clue : place of the clue, counted from 0.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    back = len(words) - np.arange(len(words))
    for name, sizes in curves.items():
        ax.semilogy(back, sizes, label=name)
    ax.axvline(back[clue], color=INK, linewidth=1, linestyle=":")
    ax.text(back[clue] + 0.6, 1, words[clue], rotation=90, va="center", ha="right", transform=_top(ax, 0.5))
    ax.invert_xaxis()
    ax.set(xlabel="words before the blank", ylabel="gradient / that at the last word")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=1)
    said = "; ".join(f"{name}: {sizes[clue]:.0e}" for name, sizes in curves.items())
    return show(
        fig, f"Size of the gradient at each word, as a share of that at the last. At {words[clue]!r} it is: {said}."
    )


def copying(lags, accuracies, chance):
    """Draw how often a copied symbol is right, for each delay and each run.

    Parameters
    ----------
    lags : (L,) delays.
    accuracies : (L, runs) between 0 and 1.
    chance : accuracy of guessing.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    accuracies = np.asarray(accuracies)
    fig, ax = plt.subplots()
    ax.plot(lags, 100 * accuracies.mean(axis=1), label="mean of the runs")
    for run, row in enumerate(accuracies.T):
        ax.plot(lags, 100 * row, MARKERS[run % len(MARKERS)], color=PALETTE[1], label=f"run {run + 1}", linestyle="")
    ax.axhline(100 * chance, color=INK, linewidth=1, linestyle=":", label="guessing")
    ax.set(xlabel="steps between symbol and cue", ylabel="right, %", ylim=(0, 105))
    ax.legend()
    said = ", ".join(f"{lag} steps: {100 * a:.0f} %" for lag, a in zip(lags, accuracies.mean(axis=1), strict=True))
    return show(fig, f"Symbols copied correctly after a delay, mean of {accuracies.shape[1]} runs: {said}.")


def clipping(runs, limit):
    """Draw losses and gradient norms of several runs, on logarithmic axes.

    Parameters
    ----------
    runs : dict from a name to (losses, norms before clipping).
    limit : the threshold, drawn as a line.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, panels = plt.subplots(2, 1, figsize=(4.4, 4.2), sharex=True)
    for (name, pair), colour, line in zip(runs.items(), PALETTE, ("-", "--", "-.", ":"), strict=False):
        for ax, values in zip(panels, pair, strict=True):
            ax.semilogy(np.arange(1, len(values) + 1), values, color=colour, linestyle=line, label=name)
    panels[1].axhline(limit, color=INK, linewidth=1, linestyle=":")
    panels[0].set(ylabel="loss")
    panels[1].set(ylabel="norm of the gradient", xlabel="update")
    panels[0].legend()
    said = "; ".join(
        f"{name}: last loss {losses[-1]:.1e}, largest norm {np.nanmax(norms):.1e}"
        for name, (losses, norms) in runs.items()
    )
    return show(fig, f"Loss and norm of the gradient in each update. {said}.")


def depth(norms):
    """Draw the size of the gradient at every layer, the loss being above the last.

    Parameters
    ----------
    norms : dict from a kind of network to (layers + 1,) sizes, from the input to the top.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    for name, sizes in norms.items():
        ax.semilogy(range(len(sizes)), sizes / sizes[-1], label=name)
    ax.set(xlabel="layer (the loss is above the last)", ylabel="gradient / that at the top")
    ax.legend()
    said = "; ".join(f"{name} {sizes[0] / sizes[-1]:.0e}" for name, sizes in norms.items())
    return show(fig, f"Share of the top layer's gradient that arrives at the input: {said}.")


def _top(ax, height):
    """x in data, y in parts of the panel, lifted to `height`."""
    from matplotlib.transforms import Affine2D

    return Affine2D().translate(0, height - 1) + ax.get_xaxis_transform()
