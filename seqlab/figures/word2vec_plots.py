"""The still pictures of chapter 8. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show
from seqlab.shapes import check_shape


def costs(sizes, vectors):
    """Draw how many output vectors one pair needs, against the number of words; both axes are logarithmic.

    Parameters
    ----------
    sizes : (K,) sizes of the vocabulary.
    vectors : dict from a way's name to (K,) numbers of vectors.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a way does not have one number for each size.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.2))
    for (name, values), marker, line in zip(vectors.items(), MARKERS, LINES, strict=False):
        check_shape(f"vectors[{name!r}]", np.asarray(values), (len(sizes),))
        ax.plot(sizes, values, marker=marker, linestyle=line, label=name)
    ax.set(xscale="log", yscale="log", xlabel="words in the vocabulary, V", ylabel="output vectors for one pair")
    ax.legend()
    said = "; ".join(
        f"{name}: {values[0]:,.3g} at {sizes[0]:,} words, {values[-1]:,.6g} at {sizes[-1]:,}"
        for name, values in vectors.items()
    )
    return show(fig, f"Output vectors that one pair needs, against the size of the vocabulary. {said}.")


def kept(share, curves, words):
    """Draw how likely a word is to stay in the text, against its share of the text, with some words marked.

    Parameters
    ----------
    share : (K,) shares of the text, above 0, rising.
    curves : dict from a threshold's name to (K,) probabilities.
    words : dict from a word to its share of the text; marked on the first curve.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when a curve does not have one probability for each share.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.2))
    for (name, keep), line in zip(curves.items(), LINES, strict=False):
        check_shape(f"curves[{name!r}]", np.asarray(keep), (len(share),))
        ax.plot(share, 100 * np.asarray(keep), linestyle=line, label=name)
    first = np.asarray(next(iter(curves.values())))
    said = []
    for word, of_text in words.items():
        stays = float(np.interp(np.log(of_text), np.log(share), first))
        ax.plot(of_text, 100 * stays, "o", color=INK)
        ax.annotate(word, (of_text, 100 * stays), textcoords="offset points", xytext=(6, 6))
        said.append(f"{word}, {100 * of_text:.2g} % of the text, stays with {100 * stays:.0f} %")
    ax.set(xscale="log", xlabel="share of the text, f", ylabel="stays in the text, %", ylim=(0, 108))
    ax.legend(loc="lower left")
    said = "; ".join(said)
    return show(fig, f"Chance of a word to stay, against its share of the text, with {next(iter(curves))}: {said}.")


def scores(wanted, learnt, xlabel, ylabel, correlation):
    """Draw learnt scores against what they should be, a dot for each pair of words, with the diagonal.

    Parameters
    ----------
    wanted, learnt : (K,) numbers.
    xlabel, ylabel : what they are.
    correlation : of all pairs, drawn or not; for the text alternative and the picture.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.

    Raises
    ------
    ValueError
        when there are not as many learnt as wanted numbers.
    """
    wanted, learnt = np.asarray(wanted, float), np.asarray(learnt, float)
    K = check_shape("wanted", wanted, ("K",))["K"]
    check_shape("learnt", learnt, (K,))
    fig, ax = plt.subplots(figsize=(4.4, 3.8))
    ax.plot(wanted, learnt, "o", color=PALETTE[0], markersize=3, alpha=0.6, linestyle="none", label="a pair of words")
    ends = [min(wanted.min(), learnt.min()), max(wanted.max(), learnt.max())]
    ax.plot(ends, ends, color=INK, linestyle="--", linewidth=1, label="equal")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(loc="upper left", title=f"correlation {correlation:.3f}")
    low, high = np.percentile(learnt - wanted, [5, 95])
    return show(
        fig,
        f"{ylabel} against {xlabel} for {K} pairs of words, correlation {correlation:.3f}; nine tenths of the dots lie "
        f"from {low:.2f} to {high:.2f} above the diagonal.",
    )
