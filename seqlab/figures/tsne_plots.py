"""The still pictures of chapter 10. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show
from seqlab.figures.style import bands as draw_bands
from seqlab.shapes import check_shape

PANEL = 1.46  # inches: three side by side are as wide as a page's other pictures


def maps(panels, groups, said, columns=3, names=None):
    """Draw maps of the same points side by side, each with a scale of its own.

    Parameters
    ----------
    panels : dict from a title to (N, 2) places; the titles stand above the maps. None in place of a map leaves
        it empty.
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
    drawn = [title for title, places in panels.items() if places is not None]
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, places) in zip(axes.flat, panels.items(), strict=False):
        if places is None:
            continue
        ax.set_axis_on()
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
    each = "; ".join(title.replace("\n", " ") for title in drawn)
    return show(fig, f"{len(drawn)} pictures of {len(groups)} points: {each}. {said}")


def _bare(ax, title, adjustable="datalim"):
    """A map has no axes: its directions and its unit mean nothing."""
    ax.set_title(title, fontsize=9)
    ax.set(xticks=[], yticks=[])
    ax.set_aspect("equal", adjustable=adjustable)
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
    for name, band in draw_bands(ax, distances, bands).items():
        low, _, high = band.T
        ends = [f"{low[k]:.2f} to {high[k]:.2f} at {distances[k]:.3g}" for k in (0, len(distances) // 2, -1)]
        said.append(f"{name}: nine tenths of the pairs lie from {', '.join(ends)}")
    ax.set(xlabel="distance in the data", ylabel="distance on the map, of its largest", ylim=(0, 1))
    ax.legend(loc="upper left")
    return show(fig, f"Distances on maps against distances in the data. {'; '.join(said)}.")


def directions(panels, meanings, columns=3):
    """Draw where arrows point: those of one meaning from a common start, all made equally long.

    Parameters
    ----------
    panels : dict from a title to a tuple with (K, 2) arrows for each meaning.
    meanings : what the arrows mean, for the legend.
    columns : panels in a row.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when arrows do not have two numbers each.
    """
    rows = -(-len(panels) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(PANEL * columns, (PANEL / 2 + 0.26) * rows + 0.2), squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    said = []
    for ax, (title, bundles) in zip(axes.flat, panels.items(), strict=False):
        clocks = []
        for arrows, meaning, colour, line, start in zip(bundles, meanings, PALETTE, LINES, (-1.15, 1.15), strict=False):
            arrows = np.asarray(arrows, dtype=float)
            check_shape(f"panels[{title!r}]", arrows, (len(arrows), 2))
            arrows = arrows / np.linalg.norm(arrows, axis=1, keepdims=True)
            for x, y in arrows:
                ax.plot([start, start + x], [0, y], color=colour, linestyle=line, linewidth=1.4)
            ax.plot(start + arrows[:, 0], arrows[:, 1], "o", color=colour, linestyle="none", markersize=3.5)
            hours = (np.degrees(np.arctan2(arrows[:, 0], arrows[:, 1])) / 30).round().astype(int) % 12
            clocks.append(f"{meaning} at {', '.join(str(hour or 12) for hour in hours)}")
        ax.set(xlim=(-2.35, 2.35), ylim=(-1.2, 1.2))
        _bare(ax, title, "box")
        said.append(f"{title}: {'; '.join(clocks)}")
    for meaning, colour, line in zip(meanings, PALETTE, LINES, strict=False):
        axes.flat[0].plot([], [], color=colour, linestyle=line, label=meaning)
    fig.legend(loc="outside upper left", ncols=len(meanings))
    return show(fig, f"Where the arrows point, as hours on a clock. {'. '.join(said)}.")


def words(places, names, shown, size=4.4):
    """Draw a map of words: those to be shown are written, all others are dots.

    Parameters
    ----------
    places : (N, 2) where each word stands.
    names : N words.
    shown : the words that are written.
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
    fig, ax = plt.subplots(figsize=(size, size))
    ax.plot(*places.T, ".", color=PALETTE[5], linestyle="none", markersize=3)
    beside = {word: _beside(word, shown, where) for word in shown}
    for word, other in beside.items():
        above = (where[word][1], word) > (where[other][1], other)  # away from the word beside it
        text = {"xytext": (0, 3 if above else -3), "va": "bottom" if above else "top"}
        ax.plot(*where[word], "o", color=PALETTE[0], markersize=3.5)
        ax.annotate(word, where[word], textcoords="offset points", ha="center", fontsize=9, **text)
    _bare(ax, "")
    ax.margins(0.08)
    told = ", ".join(f"{word} beside {other}" for word, other in beside.items())
    return show(fig, f"A map of {len(names)} words, {len(shown)} of them written: {told}.")


def _beside(word, shown, where):
    """The written word that is nearest on the map."""
    return min((other for other in shown if other != word), key=lambda w: np.linalg.norm(where[w] - where[word]))
