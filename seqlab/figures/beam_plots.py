"""The still pictures of chapter 12. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show


def tree(branches, ways):
    """Draw a tree of words, with the probability of each word after those before it.

    Parameters
    ----------
    branches : dict from a tuple of words, the way from the root, to the probability of its last word; a way stands
        after the ways that it continues.
    ways : dict from the name of a way through the tree to its words; each is drawn in its own colour.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    height = _heights(branches)
    depth = max(map(len, branches))
    fig, ax = plt.subplots(figsize=(4.4, 0.55 * max(height.values()) + 1.5))
    marked = {tuple(words[: n + 1]): i for i, words in enumerate(ways.values()) for n in range(len(words))}
    shared = {tuple(words[: n + 1]) for words in ways.values() for n in range(len(words))}
    shared = {way for way in shared if sum(tuple(w[: len(way)]) == way for w in ways.values()) > 1}
    for way, p in branches.items():
        x, y, before = len(way), height[way], height[way[:-1]]
        own = way in marked and way not in shared
        colour, line = (PALETTE[marked[way]], LINES[marked[way]]) if own else (INK, "-")
        ax.plot([x - 0.93, x - 0.63], [before, y], color=colour, linestyle=line, linewidth=2.6 if own else 1)
        ax.text(x - 0.61, y, f"{way[-1]} {p:.2f}", va="center", fontsize=9, weight="bold" if own else "normal")
    for i, (name, words) in enumerate(ways.items()):
        ax.plot(
            [],
            [],
            color=PALETTE[i],
            linestyle=LINES[i],
            linewidth=2.6,
            label=f"{name}: {_product(branches, words):.2f}",
        )
    ax.set(xlim=(0, depth + 0.1), ylim=(max(height.values()) + 0.5, -0.5))
    ax.axis("off")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=1)
    said = "; ".join(f"{name}: {' '.join(words)}, {_product(branches, words):.2f}" for name, words in ways.items())
    return show(fig, f"A tree of {len(branches)} words with their conditional probabilities. {said}.")


def _heights(branches):
    """Where each way stands: leaves one below the other, a node in the middle of its children."""
    height, leaves = {}, 0

    def place(way):
        nonlocal leaves
        children = [place(longer) for longer in branches if longer[:-1] == way]
        if not children:
            height[way], leaves = leaves, leaves + 1
        else:
            height[way] = (children[0] + children[-1]) / 2
        return height[way]

    place(())
    return height


def _product(branches, words):
    p = 1.0
    for n in range(1, len(words) + 1):
        p *= branches[tuple(words[:n])]
    return p


def widths(widths, panels):
    """Draw what changes with the width of the beam, one panel for each quantity.

    Parameters
    ----------
    widths : list of beam widths.
    panels : dict from a panel's title to a dict from a line's name to its values, one for each width.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, axes = plt.subplots(len(panels), 1, figsize=(4.4, 1.7 * len(panels) + 0.5), sharex=True, squeeze=False)
    said = []
    for ax, (title, lines) in zip(axes[:, 0], panels.items(), strict=True):
        for (name, values), colour, line, marker in zip(lines.items(), PALETTE, LINES, MARKERS, strict=False):
            ax.plot(widths, values, color=colour, linestyle=line, marker=marker, label=name)
            said.append(f"{title}, {name}: " + ", ".join(f"{value:.3g}" for value in values))
        ax.set_title(title)
    most = max(axes[:, 0], key=lambda ax: len(ax.lines))
    if len(most.lines) > 1:
        fig.legend(*most.get_legend_handles_labels(), loc="outside upper center", ncols=len(most.lines))
    axes[-1, 0].set_xscale("log")
    axes[-1, 0].set_xticks(widths, [str(width) for width in widths])
    axes[-1, 0].minorticks_off()
    axes[-1, 0].set_xlabel("beam width")
    return show(fig, f"With beam widths {', '.join(map(str, widths))}. {'; '.join(said)}.")
