"""The still pictures of chapter 14. Each function returns what a cell shows: a picture with its text alternative."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show
from seqlab.shapes import check_shape


def by_length(tables, least=20):
    """Draw the share of right answers against the length of the source, a line for each model.

    Parameters
    ----------
    tables : dict from a model's name to its table, a list of dicts with "from" (the least length), "n" (sources) and
        "exact" (share of right answers), as `seqlab.seq2seq.training.by_length` makes it.
    least : a row of fewer sources is left out: its share says little.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3))
    said = []
    for (name, table), colour, line, marker in zip(tables.items(), PALETTE, LINES, MARKERS, strict=False):
        rows = [row for row in table if row["n"] >= least]
        lengths, shares = [row["from"] for row in rows], [100 * row["exact"] for row in rows]
        ax.plot(lengths, shares, color=colour, linestyle=line, marker=marker, label=name)
        values = ", ".join(f"from {n} symbols {share:.0f} %" for n, share in zip(lengths, shares, strict=True))
        said.append(f"{name}: {values}")
    ax.set(xlabel="symbols of the source, from", ylabel="right, %", ylim=(0, 104))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return show(fig, f"Share of answers that are right in every symbol. {'; '.join(said)}.")


def learning(curves):
    """Draw how the loss falls while models learn.

    Parameters
    ----------
    curves : dict from a model's name to its losses, one a step.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.8))
    said = []
    for (name, losses), colour, line in zip(curves.items(), PALETTE, LINES, strict=False):
        ax.plot(np.arange(1, len(losses) + 1), losses, color=colour, linestyle=line, label=name)
        said.append(f"{name} falls from {losses[0]:.1f} to {np.mean(losses[-10:]):.2f}")
    ax.set(xlabel="step", ylabel="loss, nats a symbol", ylim=(0, None))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return show(fig, f"Loss of {len(curves)} models while they learn: {'; '.join(said)}.")


def alignment(panels):
    """Draw where each step of a decoder looked, a table for each source: a row a written symbol, a column a read one.

    Parameters
    ----------
    panels : dict from a title to a triple: the Tx symbols that were read, the Ty that were written, and (Ty, Tx)
        weights, as `seqlab.seq2seq.Translator.attend` gives them. Symbols may be of any script: the page has the type.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    rows = [len(target) for _, target, _ in panels.values()]
    fig, axes = plt.subplots(
        len(panels), 1, figsize=(4.4, 0.17 * sum(rows) + 0.55 * len(rows)), height_ratios=rows, squeeze=False
    )
    widest = max(len(source) for source, *_ in panels.values())
    said = []
    for ax, (title, (source, target, weights)) in zip(axes[:, 0], panels.items(), strict=True):
        weights = np.asarray(weights)
        check_shape("weights", weights, (len(target), len(source)))
        ink = np.broadcast_to(to_rgb(PALETTE[0]), (*weights.shape, 3))
        ax.imshow(np.dstack([ink, np.clip(weights, 0, 1)]), aspect="auto")
        ax.set_xticks(np.arange(len(source)), source)
        ax.set_yticks(np.arange(len(target)), target)
        ax.tick_params(length=0)
        ax.grid(visible=False)
        edges = {"alpha": 0.12, "linewidth": 0.8, "color": INK}
        ax.hlines(np.arange(len(target) + 1) - 0.5, -0.5, len(source) - 0.5, **edges)
        ax.vlines(np.arange(len(source) + 1) - 0.5, -0.5, len(target) - 0.5, **edges)
        ax.set_ylim(len(target) - 0.5, -0.5)
        ax.set_xlim(-0.5, widest - 0.5)
        ax.xaxis.tick_top()
        ax.set_title(title, pad=16)
        ax.spines[["left", "bottom"]].set_visible(False)
        most = weights.argmax(axis=1)
        pairs = ", ".join(f"{t} at {source[j].strip() or 'a space'}" for t, j in zip(target, most, strict=True))
        said.append(f"{title}: {pairs}")
    with warnings.catch_warnings():  # matplotlib measures with its own font; the browser draws with one that has all
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        return show(fig, f"Where each written symbol looks most. {'; '.join(said)}.")


def windows(weights, p):
    """Draw the weights of one query over the source: everywhere, in a window, and under a Gaussian.

    Parameters
    ----------
    weights : dict from a form's name to (Tk,) weights.
    p : the place around which the local forms look.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, axes = plt.subplots(len(weights), 1, figsize=(4.4, 1.15 * len(weights) + 0.5), sharex=True, sharey=True)
    said = []
    for ax, (name, row), colour in zip(np.atleast_1d(axes), weights.items(), PALETTE, strict=False):
        ax.bar(np.arange(len(row)), row, color=colour)
        ax.axvline(p, color=PALETTE[4], linestyle=":")
        ax.set(title=f"{name}: sum {np.sum(row):.2f}", ylabel="weight")
        said.append(f"{name}: {np.count_nonzero(row)} of {len(row)} steps have weight, together {np.sum(row):.2f}")
    np.atleast_1d(axes)[-1].set(xlabel=f"step of the source (dotted: p = {p:g})")
    return show(fig, f"Weights of one query. {'; '.join(said)}.")
