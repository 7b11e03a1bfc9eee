"""The still pictures of chapter 7. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

from seqlab.figures.style import HATCHES, INK, MARKERS, PALETTE, show
from seqlab.figures.style import bands as draw_bands
from seqlab.shapes import check_shape


def table(values, rows, columns, label):
    """Draw a table of numbers as squares; what is -Inf (never met) stays empty.

    Parameters
    ----------
    values : (R, C) numbers, -Inf allowed.
    rows, columns : R and C words.
    label : what a number says, for the colour bar.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when the words do not fit the numbers.
    """
    values = np.asarray(values, dtype=float)
    check_shape("values", values, (len(rows), len(columns)))
    met = np.isfinite(values)
    fig, ax = plt.subplots(figsize=(4.4, 0.9 + 0.24 * len(rows)))
    drawn = ax.imshow(np.where(met, values, np.nan), aspect="auto")
    ax.set_xticks(range(len(columns)), columns, rotation=90)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    fig.colorbar(drawn, ax=ax, label=label, fraction=0.06, pad=0.02)
    said = []
    for word, row in zip(rows, np.where(met, values, -np.inf), strict=True):
        best = [k for k in np.argsort(-row, kind="stable")[:2] if np.isfinite(row[k])]
        said.append(f"{word}: " + (", ".join(f"{columns[k]} {row[k]:.2f}" for k in best) or "nothing"))
    empty = f" {(~met).sum()} of {met.size} squares are empty." if not met.all() else ""
    return show(fig, f"{label} of {len(rows)} words with {len(columns)} others. Largest: {'; '.join(said)}.{empty}")


def plane(places, words, arrows, axes):
    """Draw words as points of a plane, with arrows between some of them.

    Parameters
    ----------
    places : (N, 2) where each word stands.
    words : N words.
    arrows : dict from what an arrow means to a list of (from, to) words.
    axes : the names of the two axes.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when the places do not fit the words.
    """
    places = np.asarray(places, dtype=float)
    check_shape("places", places, (len(words), 2))
    where = dict(zip(words, places, strict=True))
    fig, ax = plt.subplots(figsize=(4.4, 3.6))
    for (meaning, pairs), colour, line in zip(arrows.items(), PALETTE[1:], ("-", "--", ":"), strict=False):
        for start, end in pairs:
            style = {"arrowstyle": "->", "color": colour, "linestyle": line, "linewidth": 1.6, "shrinkA": 4}
            ax.annotate("", where[end], where[start], arrowprops=style | {"shrinkB": 4})
        ax.plot([], [], color=colour, linestyle=line, label=meaning)
    ax.plot(*places.T, "o", color=PALETTE[0], linestyle="none")
    middle = places[:, 1].mean()
    for word, place in where.items():  # away from the arrows, which mostly run inside
        side = 1 if place[1] >= middle else -1
        ax.annotate(word, place, textcoords="offset points", xytext=(0, 9 * side), ha="center", va="center")
    ax.margins(0.18, 0.18)
    ax.set(xlabel=axes[0], ylabel=axes[1])
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    said = ", ".join(f"{word} at ({x:.1f}, {y:.1f})" for word, (x, y) in where.items())
    drawn = "; ".join(f"{meaning}: " + ", ".join(f"{a} to {b}" for a, b in pairs) for meaning, pairs in arrows.items())
    return show(fig, f"Words in a plane of {axes[0]} and {axes[1]}: {said}. Arrows, {drawn}.")


def answers(xs, shares, xlabel, log=False):
    """Draw the share of right answers against a size.

    Parameters
    ----------
    xs : (K,) sizes.
    shares : dict from a name to (K,) shares between 0 and 1.
    xlabel : what the sizes are.
    log : True for a logarithmic axis of sizes.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    for (name, values), marker in zip(shares.items(), MARKERS, strict=False):
        ax.plot(xs, 100 * np.asarray(values), marker=marker, label=name)
    if log:
        ax.set_xscale("log")
        ax.set_xticks(xs, [f"{x:,}" for x in xs])
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.minorticks_off()
    ax.set(xlabel=xlabel, ylabel="analogies right, %", ylim=(-3, 105))
    ax.legend(loc="lower right")
    said = "; ".join(
        f"{name}: " + ", ".join(f"{100 * share:.0f} % at {x:,}" for x, share in zip(xs, values, strict=True))
        for name, values in shares.items()
    )
    return show(fig, f"Share of analogies that are answered rightly against {xlabel}. {said}.")


def funnel(centres, bands):
    """Draw how far the PMI of pairs that met spreads, against how often chance would let them meet.

    Parameters
    ----------
    centres : (K,) expected counts, one for each group of pairs.
    bands : dict from a text's name to (K, 3): the 5th, 50th and 95th percentile of the PMI in each group.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a band does not have three numbers for each group.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.2))
    said = []
    for name, band in draw_bands(ax, centres, bands).items():
        low, _, high = band.T
        ends = [f"{low[k]:.1f} to {high[k]:.1f} where chance gives {centres[k]:,.3g}" for k in (0, -1)]
        said.append(f"{name}: nine tenths of the pairs lie from {', and from '.join(ends)}")
    ax.axhline(0, color=INK, linewidth=1, linestyle=":")
    ax.set(xscale="log", xlabel="meetings that chance would give", ylabel="PMI of pairs that met, nats")
    ax.legend()
    return show(fig, f"PMI of pairs that met, against the number of meetings by chance. {'; '.join(said)}.")


def answered(shares):
    """Draw what analogies were answered with, a bar for each text.

    Parameters
    ----------
    shares : dict from a text's name to a dict from a kind of answer to its share; the same kinds in each.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    names, kinds = list(shares), list(next(iter(shares.values())))
    fig, ax = plt.subplots(figsize=(4.4, 1.1 + 0.45 * len(names)))
    left = np.zeros(len(names))
    for kind, colour, hatch in zip(kinds, PALETTE, HATCHES, strict=False):
        widths = np.array([100 * shares[name][kind] for name in names])
        ax.barh(range(len(names)), widths, 0.6, left, color=colour, hatch=hatch, edgecolor=INK, label=kind)
        left += widths
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="answers, %", xlim=(0, 100.5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=len(kinds), columnspacing=1, handlelength=1.4)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in parts.items())
        for name, parts in shares.items()
    )
    return show(fig, f"What the nearest word to b - a + c is. {said}.")
