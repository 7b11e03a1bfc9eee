"""The interactive figure of chapter 15: the heads of a Neural Turing machine over its memory."""

from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

LENGTHS = (5, 20, 30, 48)
ROWS = 40
DIGITS = 3  # of the weights that the page holds


class TuringHead(Figure):
    """The shipped Turing machine copies sequences, step by step; its memory changes by :eq:`memory-write`.

    The page holds what the machine did: the weights of both heads, what it erased and added, and what it said. The
    memory itself is computed on the page, from these and the equation.

    Parameters
    ----------
    lengths : of the sequences that the reader can choose, 1 to 6 different ones from 1 to 60.
    rows : of the memory, 3 to 64. No weight depends on it, so it need not be what the machine was trained with.
    seed : of the sequences.
    step : at which the figure starts, from 1 on.

    Raises
    ------
    ValueError
        when a number is outside its range.
    """

    module = "turing_head.js"
    label = "The heads of a Turing machine over its memory"
    how = "Step through a copy, or play it: where does each head stand while the machine hears, and while it repeats?"

    def __init__(self, lengths=LENGTHS, rows=ROWS, seed=0, step=1):
        lengths = [lengths] if isinstance(lengths, int) else list(lengths)
        if not 1 <= len(lengths) <= 6 or len(set(lengths)) < len(lengths):
            raise ValueError(f"lengths is {lengths}; it must hold 1 to 6 different lengths")
        for length in lengths:
            check_number("each length", length, 1, 60, whole=True)
        check_number("rows", rows, 3, 64, whole=True)
        check_number("step", step, 1, 2 * lengths[0] + 1, whole=True)
        from seqlab.attention.turing import BLANK

        copies, facts = copied(tuple(lengths), rows, seed)
        super().__init__(copies=list(copies), rows=rows, **facts, blank=BLANK, chosen=0, step=step)

    def still(self):
        copy = self.state["copies"][0]
        L = len(copy["bits"])
        rows = []
        for t, (w, r) in enumerate(zip(copy["write"], copy["read"], strict=True)):
            hears = text(copy["bits"][t]) if t < L else "delimiter" if t == L else "silence"
            says = text(np.array(copy["said"][t - L - 1]) > 0.5) if t > L else ""
            rows.append((t + 1, hears, *(f"{np.argmax(x)} ({100 * max(x):.0f} %)" for x in (w, r)), says))
        wrong = ", ".join(f"{len(c['bits'])} vectors: {misses(c)}" for c in self.state["copies"])
        head = ("step", "heard", "write head on row", "read head on row", "said")
        return table(head, rows, f"The shortest copy. Bits wrong in each, with {self.state['rows']} rows: {wrong}")


def text(bits):
    """Bits as a word: "10110010"."""
    return "".join(str(int(bit)) for bit in bits)


def misses(copy):
    """How many bits of a copy are wrong."""
    return int(((np.array(copy["said"]) > 0.5) != np.array(copy["bits"], bool)).sum())


@lru_cache(maxsize=4)
def copied(lengths, rows, seed):
    """What the shipped machine does with a sequence of each length, and its own numbers."""
    import torch

    from seqlab.attention.copying import copy_batch, load_turing, longer

    model, log = load_turing()
    model, copies = longer(model, rows), []
    for length in lengths:
        x, y = copy_batch(np.random.default_rng([seed, length]), 1, length, log["model"]["output_size"])
        with torch.no_grad():
            scores, trace = model(x, trace=True)
        copies.append(
            {
                "bits": y[0].int().tolist(),
                "said": rounded(torch.sigmoid(scores[0, -length:])),
                "write": rounded(trace.write[0, :, 0]),
                "read": rounded(trace.read[0, :, 0]),
                "erase": rounded(trace.erase[0, :, 0]),
                "add": rounded(trace.add[0, :, 0]),
            }
        )
    return copies, {"width": model.width, "longest": log["training"]["longest"]}


def rounded(values):
    """A tensor (T, N) as lists of short numbers; most of a head's weights are 0."""
    rows = np.round(values.double().numpy(), DIGITS).tolist()
    return [[x or 0 for x in row] for row in rows]
