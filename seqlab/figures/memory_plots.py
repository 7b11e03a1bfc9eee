"""The still pictures of chapter 15. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show
from seqlab.shapes import check_shape


def waves(encoding):
    """Draw the positional encoding of the first places, a wave for each of a few numbers.

    Parameters
    ----------
    encoding : (T, D) as `seqlab.attention.reference.positional_encoding` gives it.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    T, D = check_shape("encoding", encoding, ("T", "D")).values()
    fig, (ax, table) = plt.subplots(2, 1, figsize=(4.4, 4.4), sharex=True, height_ratios=(2, 3))
    shown = sorted({0, 2 * (D // 6), 2 * (D // 3)})
    for number, colour, line in zip(shown, PALETTE, LINES, strict=False):
        ax.plot(encoding[:, number], color=colour, linestyle=line, label=f"number {number}")
    ax.set(ylim=(-1.1, 1.1))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    table.imshow(encoding.T, aspect="auto", vmin=-1, vmax=1)
    table.set(xlabel="place in the sequence", ylabel="number of the vector")
    table.grid(visible=False)
    turns = ", ".join(f"number {n} crosses zero {_crossings(encoding[:, n])} times" for n in shown)
    return show(fig, f"Waves that tell {T} places apart: the first numbers turn fast, the later ones slowly; {turns}.")


def attention(words, weights, row):
    """Draw where one word looks, a row of the table for each head.

    Parameters
    ----------
    words : the T words.
    weights : (heads, T, T) attention weights.
    row : number of the word that looks.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    heads = check_shape("weights", weights, ("heads", len(words), len(words)))["heads"]
    look = np.asarray(weights)[:, row]
    fig, ax = plt.subplots(figsize=(4.4, 0.42 * heads + 1.5))
    ax.imshow(look, aspect="auto", vmin=0, vmax=1, cmap="cividis")
    for h, t in np.ndindex(*look.shape):
        if look[h, t] >= 0.1:
            ink = "white" if look[h, t] < 0.55 else "#101010"
            ax.text(t, h, f"{100 * look[h, t]:.0f}", ha="center", va="center", fontsize=9, color=ink)
    ax.set_yticks(range(heads), [f"head {h + 1}" for h in range(heads)])
    ax.set_xticks(range(len(words)), words, rotation=60, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    most = look.argmax(axis=1)
    said = "; ".join(
        f"head {h + 1} most at word {t + 1}, “{words[t]}”, {100 * look[h, t]:.0f} %" for h, t in enumerate(most)
    )
    return show(fig, f"Where word {row + 1}, “{words[row]}”, looks, in percent: {said}.")


def copies(lengths, curves, longest, bits):
    """Draw how many bits of a copied sequence are wrong against its length.

    Parameters
    ----------
    lengths : (L,) vectors in a sequence.
    curves : dict from a name to (L,) bits wrong a sequence.
    longest : longest sequence of the training; longer ones are shaded.
    bits : bits of a vector. Half of all bits are wrong where one guesses: the dotted line.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    lengths = np.asarray(lengths)
    fig, ax = plt.subplots(figsize=(4.4, 3.8))
    ax.axvspan(longest, lengths[-1], color=PALETTE[5], alpha=0.15)
    ax.plot(lengths, 0.5 * bits * lengths, color=INK, linewidth=1, linestyle=":", label="guessing")
    for (name, wrong), colour, line, marker in zip(curves.items(), PALETTE, LINES, MARKERS, strict=False):
        ax.plot(lengths, wrong, color=colour, linestyle=line, marker=marker, markersize=4, label=name)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel=f"vectors in the sequence (shaded: longer than {longest})", ylabel="bits wrong", ylim=(-0.2, None))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    far = len(lengths) - 1
    within = int(np.flatnonzero(lengths <= longest)[-1])
    said = "; ".join(
        f"{name}: {wrong[within]:.1f} at {lengths[within]}, {wrong[far]:.1f} at {lengths[far]}"
        for name, wrong in curves.items()
    )
    return show(fig, f"Bits wrong a copied sequence against its length, trained on up to {longest} vectors. {said}.")


def heads(write, read, length):
    """Draw where the two heads of a machine stand at every step of a copy.

    Parameters
    ----------
    write, read : (T, rows) weights of the heads.
    length : vectors heard; the delimiter comes after them.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    T, rows = check_shape("write", write, ("T", "rows")).values()
    check_shape("read", read, (T, rows))
    fig, panels = plt.subplots(2, 1, figsize=(4.4, 5.2), sharex=True)
    said = []
    for ax, (name, w) in zip(panels, {"write head": write, "read head": read}.items(), strict=True):
        ax.imshow(np.asarray(w).T, aspect="auto", vmin=0, vmax=1, extent=(0.5, T + 0.5, rows - 0.5, -0.5))
        ax.axvline(length + 1, color=PALETTE[1], linewidth=1.5)
        ax.set(title=name, ylabel="row of the memory")
        ax.grid(visible=False)
        places = np.asarray(w).argmax(axis=1)
        said.append(
            f"the {name} is on row {places[0]} at the start, {places[length]} at the delimiter, {places[-1]} at the end"
        )
    panels[-1].set(xlabel="step (line: the delimiter)")
    return show(fig, f"Where the heads stand at each of {T} steps: {'; '.join(said)}.")


def _crossings(wave):
    """How often a wave changes its sign."""
    return int((np.diff(np.sign(wave[wave != 0])) != 0).sum())
