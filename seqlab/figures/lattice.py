"""The interactive figure of chapter 17: the lattice of CTC, forward, backward, and both together."""

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

SYMBOLS = ("_", "s", "e")
TARGETS = ("see", "se", "s", "")
# What a network might say to a recording of "see": rows are frames, columns the blank, s and e.
PROBABILITIES = (
    (0.3, 0.6, 0.1),
    (0.2, 0.6, 0.2),
    (0.2, 0.2, 0.6),
    (0.1, 0.1, 0.8),
    (0.6, 0.1, 0.3),
    (0.1, 0.1, 0.8),
    (0.4, 0.1, 0.5),
    (0.7, 0.1, 0.2),
)
MOST_FRAMES, MOST_SYMBOLS, MOST_LETTERS = 8, 6, 4


class CtcLattice(Figure):
    """The lattice of a short text, :eq:`ctc-alpha` and :eq:`ctc-beta`, stepped through frame by frame.

    Nodes are frames and states: the letters of the text with a blank before, between and after them. The reader walks
    forward through alpha, backward through beta, and then through their product, the occupancies of
    :eq:`ctc-occupancy`; the arcs that feed the chosen node carry their terms of the sum. Another text, fewer frames,
    logarithms, and a beta that counts its own frame can be chosen. All numbers are computed in the page.

    Parameters
    ----------
    probabilities : (T, C) what a network says in each frame, rows that sum to one; T from 1 to 8, C from 2 to 6. None
        takes a made table for "see".
    symbols : the C symbols, one character each, the blank first.
    targets : 1 to 6 texts of at most 4 letters to choose from; "" is the empty one.
    frames : how many frames count at the start, 1 to T; None takes one fewer than all.
    includes : whether beta counts the probability of its own frame, as Graves et al. (2006) have it.

    Raises
    ------
    ValueError
        when the probabilities are none, a symbol or a letter does not fit, or a number is outside its range.
    """

    module = "ctc_lattice.js"
    label = "The lattice of CTC: forward, backward and both"
    how = "Go frame by frame, forward and back: which ways lead to a node, and how much comes through each?"

    def __init__(self, probabilities=None, symbols=SYMBOLS, targets=TARGETS, frames=None, includes=False):
        y = np.array(PROBABILITIES if probabilities is None else probabilities, dtype=float)
        symbols, targets = list(symbols), [targets] if isinstance(targets, str) else list(targets)
        check_number("the number of symbols", len(symbols), 2, MOST_SYMBOLS, whole=True)
        if any(len(symbol) != 1 for symbol in symbols) or len(set(symbols)) < len(symbols):
            raise ValueError(f"symbols is {symbols}; it must hold different single characters, the blank first")
        if y.ndim != 2 or not 1 <= len(y) <= MOST_FRAMES or y.shape[1] != len(symbols):
            raise ValueError(
                f"probabilities has shape {y.shape}; with {len(symbols)} symbols it must have shape "
                f"(T, {len(symbols)}), T from 1 to {MOST_FRAMES}"
            )
        if not (np.all(y >= 0) and np.allclose(y.sum(axis=1), 1, atol=1e-6)):
            raise ValueError("probabilities holds rows that are no probabilities; each must sum to one, none below 0")
        check_number("the number of targets", len(targets), 1, 6, whole=True)
        frames = max(1, len(y) - 1) if frames is None else frames
        check_number("frames", frames, 1, len(y), whole=True)
        super().__init__(
            probabilities=y.tolist(),
            symbols=symbols,
            targets=[ids_of(target, symbols) for target in targets],
            target=0,
            frames=frames,
            logs=False,
            includes=bool(includes),
            at=[0, 0, int(any(y[0, first] > y[0, 0] for first in ids_of(targets[0], symbols)[:1]))],
        )

    def still(self):
        from seqlab.ctc import reference

        s = self.state
        target, T = s["targets"][0], s["frames"]
        with np.errstate(divide="ignore"):
            log_y = np.log(np.array(s["probabilities"])[:T])
        alpha = reference.ctc_forward(log_y, target)
        p = float(np.exp(reference.log_likelihood(alpha)))
        rows = [
            (f"{i + 1} {s['symbols'][id]}", *(f"{np.exp(x):.3g}" for x in alpha[:, i]))
            for i, id in enumerate([0, *(id for letter in target for id in (letter, 0))])
        ]
        word = "".join(s["symbols"][id] for id in target)
        loss = f"{0 - np.log(p):.4f}" if p > 0 else "infinite"
        caption = f"“{word}” in {T} frame{'s' * (T > 1)}, forward: p = {p:.4g}, loss = {loss}"
        return table(("state", *(f"frame {t + 1}" for t in range(T))), rows, caption)


def ids_of(target, symbols):
    """The letters of a text as ids of their symbols."""
    check_number(f"the number of letters in {target!r}", len(target), 0, MOST_LETTERS, whole=True)
    strange = [letter for letter in target if letter not in symbols[1:]]
    if strange:
        raise ValueError(f"the target {target!r} has the letter {strange[0]!r}; the letters are {''.join(symbols[1:])}")
    return [symbols.index(letter) for letter in target]
