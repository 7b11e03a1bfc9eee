"""The still pictures of chapter 6. Each function returns what a cell shows: a picture with its text alternative."""

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.style import INK, LINES, MARKERS, PALETTE, show

NICE = [base * 10**power for power in range(6) for base in (1, 1.5, 2, 3, 5, 8)]  # ticks of a logarithmic axis


def readers(tasks):
    """Draw how often each reader is right, one group of bars for each task.

    Parameters
    ----------
    tasks : dict from a task's name to a dict from a reader's name to its share of right answers, 0 to 1.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    names = list(next(iter(tasks.values())))
    fig, ax = plt.subplots(figsize=(4.4, 0.34 * (len(names) + 1) * len(tasks) + 0.7))
    places, texts = [], []
    for group, (task, shares) in enumerate(tasks.items()):
        top = group * (len(names) + 1.4)
        ax.text(0, top - 0.65, task, ha="left", va="bottom")
        for row, (name, colour) in enumerate(zip(names, PALETTE, strict=False)):
            value = 100 * shares[name]
            ax.barh(top + row, value, height=0.75, color=colour)
            ax.text(value + 1.5, top + row, f"{value:.0f} %", va="center", fontsize=9)
            places.append(top + row)
            texts.append(name)
    ax.set_yticks(places, texts)
    ax.set(xlabel="right, %", xlim=(0, 118), xticks=range(0, 101, 25))
    ax.set_ylim(places[-1] + 0.6, -1.7)
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    said = "; ".join(
        f"{task}: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        for task, shares in tasks.items()
    )
    return show(fig, f"Answers right by reader. {said}.")


def reach(depths, shares):
    """Draw what share of the gradient at the top arrives below a stack.

    Parameters
    ----------
    depths : (N,) numbers of layers.
    shares : dict from a kind of stack to (N,) sizes at the input, relative to those at the top.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots(figsize=(4.4, 3.4))
    for (name, values), colour, line, marker in zip(shares.items(), PALETTE, LINES, MARKERS, strict=False):
        ax.semilogy(depths, values, color=colour, linestyle=line, marker=marker, label=name)
    ax.set(xlabel="layers", ylabel="gradient at the input / at the top", xticks=depths)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    said = "; ".join(f"{name} {values[-1]:.0e}" for name, values in shares.items())
    return show(fig, f"Share of the gradient that arrives below a stack. Below {depths[-1]} layers: {said}.")


def deep_or_wide(perplexities):
    """Draw held-out perplexity against depth, all stacks having equally many weights.

    Parameters
    ----------
    perplexities : dict from a kind of stack to a dict from its number of layers to its perplexity.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots()
    depths = sorted({depth for values in perplexities.values() for depth in values})
    for (name, values), colour, line, marker in zip(perplexities.items(), PALETTE, LINES, MARKERS, strict=False):
        found = [values[depth] for depth in depths if depth in values]
        tried = [depths.index(depth) for depth in depths if depth in values]
        ax.plot(tried, found, color=colour, linestyle=line, marker=marker, label=name)
        for place, value in zip(tried, found, strict=True):
            below = value == min(line[depths[place]] for line in perplexities.values() if depths[place] in line)
            ax.annotate(
                f"{value:.1f}", (place, value), xytext=(0, -13 if below else 6), textcoords="offset points",
                ha="center", fontsize=9,
            )  # fmt: skip
    ax.set_xticks(range(len(depths)), [f"{depth}" for depth in depths])
    ax.set(xlabel="layers (as many weights in every stack)", ylabel="held-out perplexity")
    ax.margins(x=0.08)
    ax.set_ylim(0, 1.1 * max(max(values.values()) for values in perplexities.values()))
    ax.legend(loc="upper left")
    said = "; ".join(
        f"{name}: " + ", ".join(f"{depth} layer{'s' * (depth > 1)} {value:.1f}" for depth, value in values.items())
        for name, values in perplexities.items()
    )
    return show(fig, f"Perplexity on held-out text of stacks with equally many weights. {said}.")


def learning(curves, chance, window=10):
    """Draw training losses of deep stacks, averaged over some updates.

    Parameters
    ----------
    curves : dict from a kind of stack to its losses, nats.
    chance : loss of guessing, drawn as a line.
    window : updates in a mean.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, ax = plt.subplots()
    for (name, losses), colour, line in zip(curves.items(), PALETTE, LINES, strict=False):
        smooth = np.convolve(losses, np.full(window, 1 / window), mode="valid")
        ax.plot(np.arange(window, len(losses) + 1), smooth, color=colour, linestyle=line, label=name)
    ax.axhline(chance, color=INK, linewidth=1, linestyle=":")
    ax.set(xlabel="update (dotted: guessing)", ylabel="loss, nats a letter", ylim=(0, 1.08 * chance))
    ax.legend(loc="lower left")
    said = "; ".join(f"{name} {np.mean(losses[-window:]):.2f}" for name, losses in curves.items())
    return show(fig, f"Training loss of deep stacks; guessing is {chance:.2f}. At the end: {said}.")


def regularised(histories):
    """Draw perplexity on the training text and on held-out text after each epoch, the best epoch marked.

    Parameters
    ----------
    histories : dict from a model's name to what `seqlab.lm.train` returned with `valid`.

    Returns
    -------
    picture : `seqlab.figures.style.Picture`.
    """
    fig, panels = plt.subplots(2, 1, figsize=(4.4, 4.8), sharex=True)
    said = []
    for (name, history), colour, line in zip(histories.items(), PALETTE, LINES, strict=False):
        valid = np.asarray(history["valid_perplexity"])
        epochs, best = np.arange(1, len(valid) + 1), int(valid.argmin())
        panels[0].semilogy(epochs, history["train_perplexity"], color=colour, linestyle=line, label=name)
        panels[1].semilogy(epochs, valid, color=colour, linestyle=line)
        panels[1].plot(best + 1, valid[best], "o", color=colour)
        said.append(f"{name}: best {valid[best]:.0f} after epoch {best + 1}, {valid[-1]:.0f} at the end")
    for ax, title in zip(panels, ("training text", "held-out text (dot: best epoch)"), strict=True):
        ax.set(title=title, ylabel="perplexity")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
        low, high = ax.dataLim.intervaly
        ax.set_yticks([tick for tick in NICE if low / 1.2 < tick < high * 1.2])
        ax.set_ylim(low / 1.1, high * 1.1)
    panels[1].set(xlabel="epoch")
    panels[0].legend()
    return show(fig, f"Perplexity after each epoch. On held-out text, {'; '.join(said)}.")
