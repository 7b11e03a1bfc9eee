"""The still pictures of chapter 10. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, PALETTE, show
from seqlab.shapes import check_shape

MARKERS = "os^vD*"
PANEL = 1.46  # inches: three side by side are as wide as a page's other pictures
LINES = ("-", "--", ":")
HATCHES = ("", "////")


def maps(panels, groups, said, columns=3, names=None):
    """Draw maps of the same points side by side, each with a scale of its own.

    Parameters
    ----------
    panels : dict from a title to (N, 2) places; the titles stand above the maps.
    groups : (N,) whole numbers from 0 on: the colour and the mark of each point. The points of a group are drawn by the
        group's own number where there are more groups than marks.
    said : what is to be seen, one sentence or more, for the text alternative.
    columns : maps in a row.
    names : of the groups, for a legend; None draws none.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a map does not have two numbers for each point.
    """
    groups = np.asarray(groups)
    kinds = list(range(groups.max() + 1))
    marks = MARKERS if len(kinds) <= len(MARKERS) else [f"${kind}$" for kind in kinds]
    rows = -(-len(panels) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(PANEL * columns, (PANEL + 0.22) * rows), squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (title, places) in zip(axes.flat, panels.items(), strict=False):
        places = np.asarray(places, dtype=float)
        check_shape(f"panels[{title!r}]", places, (len(groups), 2))
        for kind in kinds:
            its = places[groups == kind]
            colour = PALETTE[kind % len(PALETTE)]
            ax.plot(*its.T, linestyle="none", marker=marks[kind], color=colour, markersize=3.2, markeredgewidth=0.3)
        _bare(ax, title)
    if names is not None:
        for name, kind in zip(names, kinds, strict=True):
            axes.flat[0].plot([], [], linestyle="none", marker=marks[kind], color=PALETTE[kind], label=name)
        fig.legend(loc="outside upper left", ncols=len(names), handletextpad=0.1, columnspacing=1)
    each = "; ".join(title.replace("\n", " ") for title in panels)
    return show(fig, f"{len(panels)} pictures of {len(groups)} points: {each}. {said}")


def _bare(ax, title):
    """A map has no axes: its directions and its unit mean nothing."""
    ax.set_title(title, fontsize=9)
    ax.set(xticks=[], yticks=[])
    ax.set_aspect("equal", adjustable="datalim")
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.4)


def tails(distances, curves, marked=()):
    """Draw how fast weights fall with the distance, on a logarithmic axis.

    Parameters
    ----------
    distances : (K,) rising distances on the map.
    curves : dict from a name to (K,) weights between 0 and 1, which fall.
    marked : weights at which a thin line asks how far the curves let a pair stand.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots()
    said = []
    for (name, weights), colour, line in zip(curves.items(), PALETTE, LINES, strict=False):
        ax.plot(distances, weights, color=colour, linestyle=line, label=name)
        falling = np.asarray(weights)[::-1]
        reach = [f"{np.interp(level, falling, np.asarray(distances)[::-1]):.1f} for {level:g}" for level in marked]
        said.append(f"{name}: distance {', '.join(reach)}" if reach else name)
    for level in marked:
        ax.axhline(level, color=INK, linewidth=0.8, linestyle=":")
    ax.set(xlabel="distance on the map", ylabel="weight of a pair", yscale="log", ylim=(5e-4, 1.3))
    ax.legend()
    return show(fig, f"The weight of a pair against its distance on the map. {'; '.join(said)}.")


def descent(curves, turn):
    """Draw how the divergence falls with the iterations.

    Parameters
    ----------
    curves : dict from a name to (K, 2) iterations and divergences in nats.
    turn : the iteration at which the exaggeration ends.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a curve does not have two numbers for each look.
    """
    fig, ax = plt.subplots()
    said = []
    for (name, curve), colour, line in zip(curves.items(), PALETTE, LINES, strict=False):
        curve = np.asarray(curve, dtype=float)
        check_shape(f"curves[{name!r}]", curve, (len(curve), 2))
        ax.plot(*curve.T, color=colour, linestyle=line, label=name)
        said.append(f"{name}: from {curve[0, 1]:.2f} to {curve[-1, 1]:.2f} nats")
    ax.axvline(turn, color=INK, linewidth=1, linestyle=":", label="exaggeration ends")
    ax.set(xlabel="iteration", ylabel="KL divergence, nats")
    ax.legend()
    return show(fig, f"The divergence against the iterations; the exaggeration ends at {turn}. {'; '.join(said)}.")


def stretch(distances, bands):
    """Draw how far apart pairs stand on maps, against how far apart they are in the data.

    Parameters
    ----------
    distances : (K,) distances in the data, one for each group of pairs.
    bands : dict from a map's name to (K, 3): the 5th, 50th and 95th percentile of the pairs' distances on the map, as
        shares of its largest.

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
    for (name, band), colour, line, hatch in zip(bands.items(), PALETTE, LINES, HATCHES, strict=False):
        band = np.asarray(band, dtype=float)
        check_shape(f"bands[{name!r}]", band, (len(distances), 3))
        low, middle, high = band.T
        ax.fill_between(distances, low, high, facecolor=colour, alpha=0.25, hatch=hatch, edgecolor=colour, linewidth=0)
        ax.plot(distances, middle, color=colour, linestyle=line, label=name)
        ends = [f"{low[k]:.2f} to {high[k]:.2f} at {distances[k]:.3g}" for k in (0, len(distances) // 2, -1)]
        said.append(f"{name}: nine tenths of the pairs lie from {', '.join(ends)}")
    ax.set(xlabel="distance in the data", ylabel="distance on the map, of its largest", ylim=(0, 1))
    ax.legend(loc="upper left")
    return show(fig, f"Distances on maps against distances in the data. {'; '.join(said)}.")


def words(places, names, shown, arrows=None, size=4.4):
    """Draw a map of words: those to be shown are written, all others are dots.

    Parameters
    ----------
    places : (N, 2) where each word stands.
    names : N words.
    shown : the words that are written.
    arrows : dict from what an arrow means to a list of (from, to) words, or None.
    size : inches of a side.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when the places do not fit the words.
    """
    places = np.asarray(places, dtype=float)
    check_shape("places", places, (len(names), 2))
    where = dict(zip(names, places, strict=True))
    fig, ax = plt.subplots(figsize=(4.4, size))
    ax.plot(*places.T, ".", color=PALETTE[5], linestyle="none", markersize=3)
    for (meaning, pairs), colour, line in zip((arrows or {}).items(), PALETTE, LINES, strict=False):
        for start, end in pairs:
            style = {"arrowstyle": "->", "color": colour, "linestyle": line, "linewidth": 1.6, "shrinkA": 4}
            ax.annotate("", where[end], where[start], arrowprops=style | {"shrinkB": 4})
        ax.plot([], [], color=colour, linestyle=line, label=meaning)
    for word in shown:
        ax.annotate(word, where[word], textcoords="offset points", xytext=(0, 2), ha="center", va="bottom", fontsize=9)
    _bare(ax, "")
    ax.margins(0.08)
    if arrows:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(arrows))
    drawn = "; ".join(f"{m}: " + ", ".join(f"{a} to {b}" for a, b in pairs) for m, pairs in (arrows or {}).items())
    beside = [f"{word} beside {_beside(word, shown, where)}" for word in shown]
    tail = f" Arrows, {drawn}." if drawn else ""
    return show(fig, f"A map of {len(names)} words, {len(shown)} of them written: {', '.join(beside)}.{tail}")


def _beside(word, shown, where):
    """The written word that is nearest on the map."""
    return min((other for other in shown if other != word), key=lambda w: np.linalg.norm(where[w] - where[word]))
