"""The still pictures of chapter 9. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import HATCHES, INK, MARKERS, PALETTE, show
from seqlab.shapes import check_shape

DRAWN = 600  # points of a cloud: more cannot be told apart, and make the page heavy


def weight(x, curves):
    """Draw how much a count matters, :eq:`glove-weight`.

    Parameters
    ----------
    x : (K,) counts, rising.
    curves : dict from a name to (K,) weights.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    x = np.asarray(x, dtype=float)
    fig, ax = plt.subplots(figsize=(4.4, 2.6))
    for name, values in curves.items():
        ax.plot(x, values, label=name)
    ax.set(xlabel="count x", ylabel="weight f(x)", ylim=(-0.03, 1.08), xlim=(0, x[-1]))
    ax.legend(loc="lower right")
    middle = len(x) // 2
    said = "; ".join(
        f"{name}: {values[0]:.2f} at {x[0]:g}, {values[middle]:.2f} at {x[middle]:g}, {values[-1]:.2f} at {x[-1]:g}"
        for name, values in curves.items()
    )
    return show(fig, f"The weight of a count against the count. {said}.")


def descent(losses):
    """Draw losses that fall, step by step.

    Parameters
    ----------
    losses : dict from a rule's name to its (K,) losses, all above 0.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.8))
    for name, values in losses.items():
        ax.plot(range(len(values)), values, label=name)
    ax.set(xlabel="step", ylabel="loss a cell", yscale="log")
    ax.legend()
    said = "; ".join(
        f"{name}: from {values[0]:.3g} to {values[-1]:.3g} after {len(values) - 1} steps"
        for name, values in losses.items()
    )
    return show(fig, f"The loss against the step, on a logarithmic axis. {said}.")


def fitted(log_x, scores, weights):
    """Draw the model's scores against the logarithms of the counts, :eq:`glove`, in three bands of weight.

    Parameters
    ----------
    log_x : (n,) logarithms of counts.
    scores : (n,) w . u + b + c.
    weights : (n,) f of each count, from 0 to 1.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when the three differ in length.
    """
    log_x, scores, weights = (np.asarray(values, dtype=float) for values in (log_x, scores, weights))
    n = check_shape("log_x", log_x, ("n",))["n"]
    check_shape("scores", scores, (n,))
    check_shape("weights", weights, (n,))
    fig, ax = plt.subplots(figsize=(4.4, 3.4))
    bands = {"weight below 1/3": weights < 1 / 3, "up to 2/3": (weights >= 1 / 3) & (weights < 2 / 3)}
    bands["above"] = weights >= 2 / 3
    said = []
    for (name, inside), marker, colour in zip(bands.items(), MARKERS, PALETTE[1:], strict=False):
        if not inside.any():
            continue
        some = np.flatnonzero(inside)[:: max(1, int(np.ceil(inside.sum() / (DRAWN // 3))))]
        ax.plot(log_x[some], scores[some], marker, color=colour, markersize=3.5, alpha=0.8, label=name)
        off = np.sqrt(np.mean((scores[inside] - log_x[inside]) ** 2))
        said.append(f"{name}: {inside.sum():,} counts, usually {off:.2f} off")
    ends = [min(log_x.min(), scores.min()), max(log_x.max(), scores.max())]
    ax.plot(ends, ends, color=INK, linewidth=1, linestyle=":")
    ax.set(xlabel="log X, counted", ylabel="w · u + b + c, learnt")
    ax.legend(loc="upper left")
    return show(fig, f"Scores of the trained model against the logarithms of the counts. {'; '.join(said)}.")


def leans(x, sets, words, named, axes):
    """Draw how far words lean along a direction against a number that is known of each of them.

    Parameters
    ----------
    x : (n,) what is known of the words.
    sets : dict from a name to (n,) cosines with the direction.
    words : n words.
    named : the words to write beside their point, in the first set.
    axes : the names of the two axes.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a set does not have one number a word, or a word to name is not among the words.
    """
    x = np.asarray(x, dtype=float)
    check_shape("x", x, (len(words),))
    for word in named:
        if word not in words:
            raise ValueError(f"named holds {word!r}, which is not among the {len(words)} words")
    fig, ax = plt.subplots(figsize=(4.4, 3.4))
    said = []
    for (name, values), marker, colour in zip(sets.items(), MARKERS, PALETTE, strict=False):
        values = np.asarray(values, dtype=float)
        check_shape(f"sets[{name!r}]", values, (len(words),))
        ax.plot(x, values, marker, color=colour, label=name)
        low, high = values.argmin(), values.argmax()
        said.append(f"{name}: from {words[low]} at {values[low]:.2f} to {words[high]} at {values[high]:.2f}")
    first = np.asarray(next(iter(sets.values())), dtype=float)
    middle = (x.min() + x.max()) / 2
    for word in named:
        k = list(words).index(word)
        side = 1 if x[k] <= middle else -1  # towards the middle, so that no name leaves the picture
        place = {"xytext": (6 * side, 0), "ha": "left" if side > 0 else "right", "va": "center", "fontsize": 9}
        ax.annotate(word, (x[k], first[k]), textcoords="offset points", **place)
    ax.axhline(0, color=INK, linewidth=1, linestyle=":")
    ax.margins(0.05, 0.1)
    ax.set(xlabel=axes[0], ylabel=axes[1])
    if len(sets) > 1:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return show(fig, f"{axes[1]} of {len(words)} words against {axes[0]}. {'; '.join(said)}.")


def spread(shares):
    """Draw how much of the differences of pairs each direction holds, largest first.

    Parameters
    ----------
    shares : dict from a text's name to shares that add up to 1, falling.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    names = list(shares)
    fig, ax = plt.subplots(figsize=(4.4, 1.2 + 0.45 * len(names)))
    kinds = ("first", "second", "third", "all others")
    parts = np.array([[*np.pad(values, (0, 3))[:3], sum(values[3:])] for values in shares.values()])
    left = np.zeros(len(names))
    for kind, widths, colour, hatch in zip(kinds, 100 * parts.T, PALETTE, HATCHES, strict=False):
        ax.barh(range(len(names)), widths, 0.6, left, color=colour, hatch=hatch, edgecolor=INK, label=kind)
        left += widths
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="of the differences, %", xlim=(0, 100.5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=4, columnspacing=1, handlelength=1.4)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in zip(kinds, row, strict=True))
        for name, row in zip(names, parts, strict=True)
    )
    return show(fig, f"How much of the pairs' differences lies in each direction. {said}.")
