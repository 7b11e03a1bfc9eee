"""The still pictures of chapter 17. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from seqlab.ctc.reference import spans
from seqlab.figures.style import INK, LINES, PALETTE, show
from seqlab.shapes import check_shape


def strips(examples):
    """Draw strips of digits beneath each other, with their labels.

    Parameters
    ----------
    examples : list of (image (8, width) from 0 to 1, labels), as `seqlab.data.digit_strips` gives them.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, axes = plt.subplots(len(examples), 1, figsize=(4.4, 0.75 * len(examples)), squeeze=False)
    widest = max(image.shape[1] for image, _ in examples)
    said = []
    for ax, (image, labels) in zip(axes[:, 0], examples, strict=True):
        _draw_strip(ax, image)
        ax.set_xlim(-0.5, widest - 0.5)
        text = " ".join(map(str, labels))
        ax.set_title(text)
        ax.set_xticks([])
        said.append(f"{text}, {image.shape[1]} columns wide")
    return show(fig, f"Strips of handwritten digits: {'; '.join(said)}.")


def learning(losses, blank):
    """Draw how a network learns under CTC: its loss, and how much of its probability is the blank's.

    Parameters
    ----------
    losses : (N,) loss of each step.
    blank : (N,) mean probability of the blank in each step.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    check_shape("blank", np.asarray(blank), (len(losses),))
    fig, axes = plt.subplots(2, 1, figsize=(4.4, 3.6), sharex=True)
    steps = np.arange(1, len(losses) + 1)
    for ax, values, colour, label in zip(
        axes, (losses, blank), PALETTE, ("loss, nats a label", "blank's share"), strict=False
    ):
        ax.plot(steps, values, color=colour, linestyle="-")
        ax.set_ylabel(label)
    axes[0].set_ylim(0, min(np.max(losses), 8))
    axes[1].set(ylim=(0, 1), xlabel="step")
    alt = (
        f"The loss falls from {losses[0]:.1f} to {np.mean(losses[-10:]):.2f} in {len(losses)} steps. The mean "
        f"probability of the blank begins at {blank[0]:.2f}, is largest in step {np.argmax(blank) + 1} with "
        f"{np.max(blank):.2f}, and ends at {np.mean(blank[-10:]):.2f}."
    )
    return show(fig, alt)


def occupancies(panels):
    """Draw where the paths of a text spend their frames, a panel for each stage of learning.

    Parameters
    ----------
    panels : dict from a title to a pair: (T, S) occupancies of :eq:`ctc-occupancy`, and the S signs of the states.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, axes = plt.subplots(len(panels), 1, figsize=(4.4, 1.75 * len(panels) + 0.3), sharex=True, squeeze=False)
    said = []
    for ax, (title, (gamma, signs)) in zip(axes[:, 0], panels.items(), strict=True):
        gamma = np.asarray(gamma)
        check_shape("gamma", gamma, (len(gamma), len(signs)))
        ax.imshow(_ink(gamma.T), aspect="auto", interpolation="nearest")
        ax.set_yticks(np.arange(1, len(signs), 2), signs[1::2])
        ax.tick_params(length=0)
        ax.grid(visible=False)
        ax.set_title(title)
        sure = (gamma.max(axis=1) > 0.9).mean()
        in_labels = gamma[:, 1::2].sum(axis=1).mean()
        said.append(
            f"{title}: {sure:.0%} of the frames are sure of their state, {in_labels:.0%} of the time is a label's"
        )
    axes[-1, 0].set_xlabel("column of the strip")
    return show(fig, f"Occupancies of the states over the columns of a strip. {'; '.join(said)}.")


def reading(image, probabilities, path=None, signs="_0123456789", rate=1):
    """Draw a strip, the labels that an alignment gives to its columns, and what a network says in each column.

    Parameters
    ----------
    image : (8, width) from 0 to 1.
    probabilities : (T, C) of the classes in each frame, the blank first.
    path : (T,) classes, as `seqlab.ctc.reference.viterbi` gives them; None draws no alignment.
    signs : C signs of the classes.
    rate : columns of a frame.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    probabilities = np.asarray(probabilities)
    check_shape("probabilities", probabilities, (len(probabilities), len(signs)))
    fig, (top, below) = plt.subplots(2, 1, figsize=(4.4, 2.7), sharex=True, height_ratios=(1, 1.6))
    _draw_strip(top, image)
    top.tick_params(bottom=False, labelbottom=False)
    found = [] if path is None else spans(path)
    for label, first, last in found:
        ends = np.array([first, last + 1]) * rate - 0.5
        top.plot(ends, [8.3, 8.3], color=PALETTE[1], linewidth=3, solid_capstyle="butt", clip_on=False)
        top.text(ends.mean(), 9.0, signs[label], ha="center", va="top", fontsize=9)
    at = np.arange(len(probabilities)) * rate + (rate - 1) / 2
    below.plot(at, probabilities[:, 0], color=INK, alpha=0.55, linestyle=":", label="blank")
    peaks, most = [], probabilities.argmax(axis=1)
    for k in range(1, len(signs)):
        high = probabilities[:, k].max()
        if high < 0.1:
            continue
        below.plot(at, probabilities[:, k], color=PALETTE[(k - 1) % len(PALETTE)], linestyle=LINES[0], linewidth=1.2)
        for first, last in _runs(most == k):
            t = first + int(probabilities[first : last + 1, k].argmax())
            below.text(at[t], min(probabilities[t, k], 1) + 0.04, signs[k], ha="center", va="bottom", fontsize=9)
            peaks.append((t, signs[k], last - first + 1))
    below.set(xlabel="column of the strip", ylabel="probability", ylim=(0, 1.25), yticks=(0, 0.5, 1))
    below.legend(loc="lower center", bbox_to_anchor=(0.5, 1), handlelength=1.5)
    spikes = ", ".join(f"{sign} at column {at[t]:.0f}" for t, sign, _ in sorted(peaks))
    aligned = ", ".join(
        f"{signs[label]} from column {first * rate} to {(last + 1) * rate - 1}" for label, first, last in found
    )
    alt = f"A strip of digits, and below it the probabilities of the classes. Spikes: {spikes or 'none'}."
    return show(fig, alt + (f" Best path: {aligned}." if found else ""))


def spoken(probabilities, signs):
    """Draw what a network says over the frames of a spoken string: the blank, and a spike for each letter.

    Parameters
    ----------
    probabilities : (T, C) of the classes in each frame, the blank first.
    signs : C signs of the classes.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    probabilities = np.asarray(probabilities)
    check_shape("probabilities", probabilities, (len(probabilities), len(signs)))
    fig, ax = plt.subplots(figsize=(4.4, 2.4))
    ax.plot(probabilities[:, 0], color=INK, alpha=0.55, linestyle=":", label="blank")
    most, said = probabilities.argmax(axis=1), []
    for k in range(1, len(signs)):
        colour = PALETTE[(k - 1) % len(PALETTE)]
        ax.fill_between(np.arange(len(probabilities)), probabilities[:, k], color=colour, alpha=0.8)
        for first, last in _runs(most == k):
            t = first + int(probabilities[first : last + 1, k].argmax())
            ax.text(t, probabilities[t, k] + 0.03, signs[k].replace(" ", "␣"), ha="center", va="bottom", fontsize=9)
            said.append((t, signs[k]))
    ax.set(xlabel="step", ylabel="probability", ylim=(0, 1.2), yticks=(0, 0.5, 1))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), handlelength=1.5)
    text = "".join(sign for _, sign in sorted(said))
    return show(fig, f"{len(said)} spikes of letters over {len(probabilities)} steps, blanks between them: {text}.")


def _draw_strip(ax, image):
    """Faint ink is drawn a little stronger than it is, for dark pages."""
    ax.imshow(_ink(np.asarray(image) ** 0.7), interpolation="nearest", aspect="auto")
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[["left", "bottom"]].set_visible(False)


def _ink(values):
    """A picture whose strength is its opacity, so that it stands on a light page and on a dark one."""
    values = np.clip(np.asarray(values, dtype=float), 0, 1)
    return np.dstack([np.broadcast_to(to_rgb(PALETTE[0]), (*values.shape, 3)), values])


def _runs(on):
    """(first, last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, on, False]))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
