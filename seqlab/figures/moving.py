"""The interactive figure of chapter 19: tiles that move between memory and chip, as the kernels really move them.

`python -m seqlab.figures.moving` records the kernels anew and writes what moved beside this file, for places without
Triton's interpreter.
"""

import json
from functools import cache
from pathlib import Path
from unittest import mock

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

RECORDED = Path(__file__).with_name("moving_tiles.json")
ROWS, COLUMNS, BLOCK = 4, 8, 4  # scores of the softmaxes; how many are read at a time
QUERIES, KEYS, SIZE = 4, 8, 2  # of flash attention; its 4 x 8 scores are as many
NUMBER = 4  # bytes, float32
TITLES = {
    "softmax_passes": "Softmax, a kernel for each step",
    "softmax_row": "Softmax, a program holds a row",
    "softmax_online": "Softmax, online: two passes by blocks",
    "flash": "Flash attention",
}
NOTES = {
    "softmax_passes": "Each kernel does one step and leaves what it made in memory, where the next one reads it.",
    "softmax_row": "A program reads its row once, whole, keeps it on the chip, and writes the result.",
    "softmax_online": "For a row that is too long to hold: one pass for the running maximum and sum, one that writes.",
    "flash": f"A program owns two queries and walks over keys and values. The {QUERIES} × {KEYS} scores are made on "
    "the chip and never reach memory; shift and bits are kept for the gradient.",
}
# What the kernels' arguments are: rows, columns, and whether the tensor is given, returned, or neither.
SCORES, ROW = (ROWS, COLUMNS), (ROWS, 1)
ONE = {"z": (*SCORES, "given"), "p": (*SCORES, "result")}
TENSORS = {
    "softmax_passes": {
        "z": (*SCORES, "given"),
        "m": (*ROW, "between"),
        "e": (*SCORES, "between"),
        "l": (*ROW, "between"),
        "p": (*SCORES, "result"),
    },
    "softmax_row": ONE,
    "softmax_online": ONE,
    "flash": {
        "q": (QUERIES, SIZE, "given"),
        "k": (KEYS, SIZE, "given"),
        "v": (KEYS, SIZE, "given"),
        "out": (QUERIES, SIZE, "result"),
        "shift": (QUERIES, 1, "between"),
        "bits": (QUERIES, 1, "between"),
    },
}


@cache
def traffic(kernel):
    """Run one of the kernels on a tiny problem in Triton's interpreter, and count what it moves.

    Parameters
    ----------
    kernel : "softmax_passes", "softmax_row", "softmax_online" or "flash".

    Returns
    -------
    traffic : `seqlab.kernels.Traffic` with all its events.

    Raises
    ------
    RuntimeError
        where Triton's interpreter does not run.
    """
    import torch

    from seqlab.kernels import count

    def numbers(rows, columns):
        return torch.linspace(-1, 1, rows * columns).reshape(rows, columns)

    if kernel == "flash":
        import triton

        from seqlab.attention.kernels import flash, flash_tiles

        given = [numbers(rows, SIZE)[None] for rows in (QUERIES, KEYS, KEYS)]
        tiles = [triton.Config({"ROWS": 2, "KEYS": BLOCK})]  # tiny ones, where a GPU takes 64 or 128
        with mock.patch.object(flash_tiles.forward, "configs", tiles):
            return count(flash.scaled_dot_product_attention, *given, events=True)
    from seqlab.lm.kernels import softmax

    run = {
        "softmax_passes": softmax.softmax_passes,
        "softmax_row": softmax.softmax_row,
        "softmax_online": lambda z: softmax.softmax_online(z, block=BLOCK),
    }[kernel]
    with mock.patch.object(softmax, "PASS_BLOCK", BLOCK):
        return count(run, numbers(ROWS, COLUMNS), events=True)


def record(kernel):
    """Write down what a kernel moves, as plain numbers.

    Returns
    -------
    recording : dict with "tensors", lists [name, rows, columns, "given", "result" or "between"], and "launches", lists
        [name, programs, events], an event being [program, "load" or "store", number of the tensor, elements].
    """
    names = list(TENSORS[kernel])
    launches = [
        [
            launch.name,
            launch.programs,
            [[e.program, e.kind, names.index(e.argument), e.elements.tolist()] for e in launch.events],
        ]
        for launch in traffic(kernel).launches
        if launch.kind == "kernel"
    ]
    return {"tensors": [[name, *what] for name, what in TENSORS[kernel].items()], "launches": launches}


@cache
def recordings():
    """All recordings by the kernels' names: made now where Triton interprets, else those that the package carries."""
    from seqlab.kernels import interpreting

    if interpreting():
        return {kernel: record(kernel) for kernel in TENSORS}
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def tally(recording, steps=None):
    """Add up the bytes of the first loads and stores of a recording; None takes all.

    Returns
    -------
    bytes : dict with "loaded" and "stored", and their sum split as `seqlab.kernels.Traffic` splits it: "needed" (each
        number given once, each result once), "again" (one more time), "scratch" (of what is neither).
    """
    counts, read, written = dict.fromkeys(("loaded", "stored", "needed", "again", "scratch"), 0), set(), set()
    events = [event for _, _, events in recording["launches"] for event in events]
    for _, kind, number, elements in events[:steps]:
        counts["loaded" if kind == "load" else "stored"] += NUMBER * len(elements)
        what = recording["tensors"][number][3]
        for place in ((number, element) for element in elements):
            first = what == "given" and place not in read if kind == "load" else place not in written
            counts["scratch" if what == "between" else "needed" if first else "again"] += NUMBER
            (read if kind == "load" else written).add(place)
    return counts


class MovingTiles(Figure):
    """Memory, the chip, and the tiles that a kernel moves between them, one load or store a step.

    What is shown was recorded by `seqlab.kernels.count` from this book's kernels, on 4 x 8 scores in float32 read in
    blocks of 4: each number in memory, how many times it has moved, the tile that moves now, and the bytes so far, with
    those that had to move told from those that moved again or lay in memory only between two kernels.

    Parameters
    ----------
    kernel : shown first: "softmax_passes" (a kernel for each step), "softmax_row" (a program holds a row),
        "softmax_online" (two passes by blocks) or "flash" (attention whose scores stay on the chip).
    step : loads and stores done at the start.

    Raises
    ------
    ValueError
        when there is no such kernel, or it has fewer steps.
    """

    module = "moving_tiles.js"
    label = "Tiles that move between memory and chip"
    how = "Take the loads and stores one by one: which numbers move once, and which move again?"

    def __init__(self, kernel="softmax_passes", step=0):
        if kernel not in TENSORS:
            raise ValueError(f"kernel is {kernel!r}; it must be one of {', '.join(TENSORS)}")
        recorded = recordings()
        check_number("step", step, 0, sum(len(events) for *_, events in recorded[kernel]["launches"]), whole=True)
        kernels = {
            name: {"title": TITLES[name], "note": NOTES[name], **recording} for name, recording in recorded.items()
        }
        super().__init__(kernels=kernels, kernel=kernel, step=step, number=NUMBER)

    def still(self):
        rows = []
        for recording in self.state["kernels"].values():
            counts = tally(recording)
            total = counts["loaded"] + counts["stored"]
            rows.append((recording["title"], len(recording["launches"]), *counts.values(), total))
        head = ("kernel", "launches", "loaded", "stored", "needed", "again", "between kernels", "together")
        return table(head, rows, f"Bytes that move for {ROWS} × {COLUMNS} scores")


def write():
    """Record all kernels and write them where figures without an interpreter find them."""
    lines = [f'"{kernel}": {json.dumps(record(kernel), separators=(",", ":"))}' for kernel in TENSORS]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"wrote {RECORDED}: {', '.join(TENSORS)}")
