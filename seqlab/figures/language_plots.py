"""The still pictures of chapter 4. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, MARKERS, PALETTE, show

BLANK = "␣"  # how a blank is written where it would not be seen


def orders(ns, perplexities, floor):
    """Draw the perplexity of n-gram models, with the perplexity of the source itself.

    Parameters
    ----------
    ns : (K,) how many words each model counts together.
    perplexities : dict from a smoothing to (K,) perplexities; what is Inf or NaN is not drawn.
    floor : perplexity of the distribution that made the text.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots()
    for (name, values), marker in zip(perplexities.items(), MARKERS, strict=False):
        ax.plot(ns, np.where(np.isfinite(values), values, np.nan), marker=marker, label=name)
    ax.axhline(floor, color=INK, linewidth=1, linestyle=":", label="the source itself")
    ax.set(xlabel="n, words counted together", ylabel="perplexity", xticks=ns)
    ax.legend()
    said = "; ".join(
        f"{name}: " + ", ".join(f"n = {n}: {v:.2f}" for n, v in zip(ns, values, strict=True))
        for name, values in perplexities.items()
    )
    return show(fig, f"Perplexity of n-gram models on new sentences. {said}. The source itself: {floor:.2f}.")


def race(curves, counted):
    """Draw bits a character against the seconds of training.

    Parameters
    ----------
    curves : dict from a network's name to (seconds, bits), one number of each for every epoch.
    counted : dict from n to the (seconds, bits) of an n-gram model.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.2))
    for (name, (seconds, bits)), colour, line, marker in zip(
        curves.items(), PALETTE, ("-", "--", "-."), MARKERS, strict=False
    ):
        ax.plot(seconds, bits, color=colour, linestyle=line, marker=marker, label=name)
    ax.plot(*zip(*counted.values(), strict=True), "*", color=PALETTE[2], markersize=9, label="n-gram, by its n")
    for n, place in counted.items():
        ax.annotate(str(n), place, textcoords="offset points", xytext=(4, 6))
    ax.set(xscale="log", xlabel="seconds of training", ylabel="bits a character, new text")
    ax.legend()
    ends = [f"{name}: {bits[-1]:.2f} bits after {seconds[-1]:.1f} s" for name, (seconds, bits) in curves.items()]
    ends += [f"n-gram, n = {n}: {bits:.2f} bits after {seconds:.2f} s" for n, (seconds, bits) in counted.items()]
    return show(fig, f"Bits a character on new text against seconds of training. {'; '.join(ends)}.")


def agreement(nouns, accuracies, seen):
    """Draw how often the verb is right, for each number of nouns between it and its subject.

    Parameters
    ----------
    nouns : (K,) numbers of nouns in between.
    accuracies : dict from a model's name to (K,) shares between 0 and 1.
    seen : the most nouns in between that training showed; a line stands after it.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.0))
    for (name, shares), marker in zip(accuracies.items(), MARKERS, strict=False):
        ax.plot(nouns, 100 * np.asarray(shares), marker=marker, label=name)
    ax.axhline(50, color=INK, linewidth=1, linestyle=":")
    ax.axvline(seen + 0.5, color=INK, linewidth=1, linestyle=":")
    ax.set(xlabel="nouns between subject and verb", ylabel="was or were right, %", xticks=nouns, ylim=(0, 105))
    ax.legend(loc="lower left", ncols=2)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{100 * share:.0f} %" for share in shares) for name, shares in accuracies.items()
    )
    return show(
        fig,
        f"Share of verbs that agree with their subject, with {nouns[0]} to {nouns[-1]} nouns in between. {said}. "
        f"Training showed at most {seen}; guessing gives 50 %.",
    )


def surprise(text, bits):
    """Draw what each character of a text costs a model, longer bars for more surprise.

    Parameters
    ----------
    text : the T characters, a string or a list.
    bits : (T,) minus the logarithm, to the base 2, of the probability of each.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 2.2))
    place = np.arange(len(text))
    begins = np.array([t == 0 or not text[t - 1].isalpha() for t in place]) & [c.isalpha() for c in text]
    for chosen, name, colour, hatch in ((begins, "first letter of a word", 1, "///"), (~begins, "other", 0, "")):
        ax.bar(place[chosen], np.asarray(bits)[chosen], color=PALETTE[colour], hatch=hatch, edgecolor=INK, label=name)
    ax.set_xticks(place, [{" ": BLANK, "\n": "↵"}.get(c, c) for c in text])
    ax.tick_params(axis="x", length=0)
    ax.set(ylabel="bits", xlim=(-0.7, len(text) - 0.3))
    ax.grid(visible=False, axis="x")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    dear = np.argsort(-np.asarray(bits), kind="stable")[:3]
    said = ", ".join(f"{text[t]!r} at place {t + 1} with {bits[t]:.1f} bits" for t in sorted(dear))
    return show(fig, f"Cost of each character of {''.join(text)!r}. The dearest are {said}.")
