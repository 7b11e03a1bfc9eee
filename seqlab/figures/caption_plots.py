"""The still pictures of chapter 16. Each function returns what a cell shows: a picture with its text alternative."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import HATCHES, INK, PALETTE, show
from seqlab.shapes import check_shape

PANEL = 1.35  # inches: three side by side are as wide as a page's other pictures


def pictures(images, captions, columns=3, width=24):
    """Draw pictures with a caption under each.

    Parameters
    ----------
    images : (n, S, S, 3) from 0 to 1.
    captions : n strings, or lists of words.
    columns : pictures in a row.
    width : letters in a line of a caption.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when images has another shape, or there are not as many captions.
    """
    check_shape("images", np.asarray(images), (len(captions), "S", "S", 3))
    texts = [caption if isinstance(caption, str) else " ".join(caption) for caption in captions]
    lines = [textwrap.fill(text, width) for text in texts]
    rows = -(-len(texts) // columns)
    tall = 0.14 * max(text.count("\n") + 1 for text in lines)
    fig, axes = plt.subplots(rows, columns, figsize=(PANEL * columns, (PANEL + tall) * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, text in zip(axes.flat, images, lines, strict=False):
        _frame(ax, image)
        ax.set_xlabel(text, fontsize=7.5)
    return show(fig, f"{len(texts)} pictures: " + "; ".join(texts) + ".")


def attention_maps(image, words, maps, columns=5):
    """Draw a picture once for each word, with a veil over the places where the model does not look.

    Parameters
    ----------
    image : (S, S, 3) from 0 to 1.
    words : n words.
    maps : (n, s, s) weights that sum to one, S a multiple of s.
    columns : pictures in a row.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    image, maps = np.asarray(image), np.asarray(maps)
    S = check_shape("image", image, ("S", "S", 3))["S"]
    s = check_shape("maps", maps, (len(words), "s", "s"))["s"]
    if S % s:
        raise ValueError(f"maps have {s} places a side and the picture {S} pixels; {S} must be a multiple of {s}")
    rows = -(-len(words) // columns)
    wide = 3 * PANEL / columns
    fig, axes = plt.subplots(rows, columns, figsize=(3 * PANEL, (wide + 0.16) * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, word, weights in zip(axes.flat, words, maps, strict=False):
        lit = np.kron(weights / weights.max(), np.ones((S // s, S // s)))[:, :, None]
        _frame(ax, image * (0.15 + 0.85 * lit) + 0.48 * (0.85 - 0.85 * lit))
        ax.set_title(word, fontsize=8.5, loc="center", pad=2)
    return show(
        fig,
        "One small picture for each word of the caption: "
        + " ".join(words)
        + ". It is bright where the model looks before that word.",
    )


def bars(groups, series, said, ylabel="share"):
    """Draw groups of bars from 0 to 1, side by side.

    Parameters
    ----------
    groups : names of the groups, along the axis.
    series : dict from a name to one number from 0 to 1 for each group.
    said : what is to be seen, one sentence or more, for the text alternative.
    ylabel : what the height is.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a series has not one number for each group.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.4))
    at, wide = np.arange(len(groups)), 0.8 / len(series)
    for i, (name, heights) in enumerate(series.items()):
        check_shape(f"series[{name!r}]", np.asarray(heights), (len(groups),))
        x = at + (i - (len(series) - 1) / 2) * wide
        ax.bar(x, heights, 0.92 * wide, color=PALETTE[i], hatch=HATCHES[i], edgecolor=INK, linewidth=0.3, label=name)
    ax.set_xticks(at, groups)
    ax.set(ylabel=ylabel, ylim=(0, 1.05))
    ax.grid(visible=False, axis="x")
    fig.legend(loc="outside upper left", ncols=2)
    numbers = "; ".join(
        f"{name}: " + ", ".join(f"{group} {height:.2f}" for group, height in zip(groups, heights, strict=True))
        for name, heights in series.items()
    )
    return show(fig, f"Bars of the {ylabel}. {numbers}. {said}")


def filters(images, titles, columns=3):
    """Draw pictures of one number a pixel, zero in grey, above it lighter, below it darker.

    Parameters
    ----------
    images : list of (height, width) arrays.
    titles : a name for each.
    columns : pictures in a row.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    rows = -(-len(images) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(PANEL * columns, (PANEL + 0.2) * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        top = np.abs(image).max() or 1.0
        _frame(ax, np.repeat((0.5 + 0.5 * image / top)[:, :, None], 3, axis=2))
        ax.set_title(title, fontsize=8.5, loc="center")
    return show(fig, "Pictures in grey: " + "; ".join(titles) + ". Light is above zero, dark below.")


def _frame(ax, image):
    """A picture in a thin frame, without axes."""
    ax.set_axis_on()
    ax.imshow(np.clip(image, 0, 1), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.4)
