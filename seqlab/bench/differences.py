"""Where a kernel must move other bytes than `cost()` counts: every reason in a sentence, and in bytes.

`cost()` counts a whole computation, each number once. The kernels of a benchmark do a part of it: torch multiplies the
inputs of a recurrent layer with their weights, and fills a table with zeros. Some counts are of sizes alone and know no
data: a word that a text holds twice is read from one address, and `cost()` counts its row twice. So

    cost = what the kernels must move + the sum of the differences

must hold to the byte, and `seqlab.bench.traffic` holds it against what `seqlab.kernels.count` counts. What depends on
data is computed here from the same data, the ids of the benchmark, by other means: by looking for distinct ones.
"""

from dataclasses import dataclass
from functools import partial

import torch

from seqlab.bench import ctc, embeddings

NUMBER, ID = 4, 8  # bytes of a float32 and of an id


@dataclass(frozen=True)
class Difference:
    """One reason.

    Attributes
    ----------
    reason : a sentence.
    bytes : that `cost()` counts and the kernels need not move; below 0 what they must move beyond it.
    by_torch : whether torch's functions, in the same call, move these bytes instead.
    """

    reason: str
    bytes: int
    by_torch: bool = False


def differences(benchmark, shape, passes, way="", result=None):
    """List the differences between `cost()` and what the kernels of a case must move.

    Parameters
    ----------
    benchmark : name of the benchmark.
    shape : one of its sizes, a dict.
    passes : the case, such as "forward".
    way : which of our ways, where there are several.
    result : what the call returned, for what only the result can tell (how long the texts of a beam search are).

    Returns
    -------
    differences : tuple of `Difference`, none of 0 bytes; empty where the two must be the same.
    """
    found = EXPLAINED[benchmark](shape, passes, way, result) if benchmark in EXPLAINED else ()
    return tuple(difference for difference in found if difference.bytes)


def _itemsize(shape):
    return getattr(torch, shape["dtype"]).itemsize


def _recurrent(cell, shape, passes, way, result):
    from seqlab.recurrent.cost import CELLS
    from seqlab.recurrent.kernels import is_resident

    B, T, D, H = (shape[name] for name in "BTDH")
    gates, states = CELLS[cell]
    size = _itemsize(shape)
    weights = gates * (H * D + H * H + 2 * H)
    heard = 3 * H if cell == "gru" else 0  # b_hh, which the GRU's kernel reads itself
    resident = is_resident(H, getattr(torch, shape["dtype"]), cell)
    yield Difference(
        "Torch multiplies all inputs with W_ih before the kernel starts: it reads x, W_ih and the biases.",
        (B * T * D + weights - gates * H * H - heard) * size,
        by_torch=True,
    )
    yield Difference(
        "Torch lays W_hh out with zeros around it, and the kernel reads that copy.", gates * H * H * size, by_torch=True
    )
    if not resident and cell != "gru":
        yield Difference(
            "Torch copies the first state to where the programs publish theirs.", B * H * size, by_torch=True
        )
    if cell == "lstm" and "shared out" in way:
        yield Difference(
            "The kernel gives the cells of all steps as a result, of which cost() counts the last.",
            -(T - 1) * B * H * size,
        )
    elif cell == "lstm":
        yield Difference("The last cell is a result of a layer, which this call drops.", B * H * size)
    if passes == "forward":
        return
    yield Difference(
        "cost() counts the backward pass apart, which reads x, the states, the first ones and the weights again.",
        (B * T * (D + H) + states * B * H + weights) * size,
    )
    first = B * H if cell == "rnn" else 0
    yield Difference(
        "From what the kernel leaves torch computes the gradients of x, the weights"
        + (", the biases and the first state." if first else " and the biases."),
        (B * T * D + weights + first) * size,
        by_torch=True,
    )


def _softmax(shape, passes, way, result):
    if passes != "forward":
        yield Difference(
            "The backward pass is a launch of its own, and reads the probabilities again.",
            shape["B"] * shape["V"] * _itemsize(shape),
        )


def _cross_entropy(shape, passes, way, result):
    yield Difference(
        "The kernel leaves a loss for every row, which cost() counts as a result; torch adds them up to their mean.",
        shape["B"] * NUMBER,
        by_torch=True,
    )


def _linear_cross_entropy(shape, passes, way, result):
    M, D, V = (shape[name] for name in "MDV")
    arguments = (M * D + V * D) * _itemsize(shape)
    yield Difference(
        "Torch multiplies the rows with the weights, a chunk at a time: it reads both.", arguments, by_torch=True
    )
    yield Difference(
        "The kernel leaves a loss for every row, which cost() counts as a result; torch adds them up to their mean.",
        M * NUMBER,
        by_torch=True,
    )
    if passes != "forward":
        yield Difference("Torch computes the gradients of rows and weights.", arguments, by_torch=True)
        yield Difference(
            "cost() counts the backward pass apart, which reads rows and weights again; here the forward pass makes "
            "the gradients.",
            arguments,
        )


def _flash(shape, passes, way, result):
    B, H, T, D = (shape[name] for name in "BHTD")
    rows, sums = B * H * T * D * _itemsize(shape), B * H * T * NUMBER
    if passes == "forward":
        yield Difference(
            "cost() counts a number that every query keeps for the backward pass; here nobody asks for a gradient, and "
            "it is scratch.",
            sums,
        )
        return
    yield Difference(
        "The backward pass is a launch of its own, and reads queries, keys, values and the context again.",
        4 * rows,
    )
    yield Difference(
        "A number of every query, which the forward pass writes and the backward pass reads, is scratch; cost() counts "
        "both.",
        2 * sums,
    )


def _additive(shape, passes, way, result):
    B, T, D = (shape[name] for name in "BTD")
    size = _itemsize(shape)
    rows, pairs = B * T * D * size, B * T * T * size
    yield Difference("Torch sums the values: it reads them and writes the context.", 2 * rows, by_torch=True)
    if passes == "forward":
        return
    yield Difference(
        "Torch computes the gradient of the values from what arrives at the context, and adds up that of v.",
        2 * rows + D * size,
        by_torch=True,
    )
    yield Difference(
        "The backward pass is a launch of its own, and reads query, key, value, v and the weights again.",
        3 * rows + D * size + pairs,
    )


def _pairs_of_points(what, shape, passes, way, result):
    yield Difference(f"Every program leaves its part of {what}, and torch adds them up to one number.", NUMBER, True)


def _embedding(shape, passes, way, result):
    if passes == "forward":
        return
    B, V, D = (shape[name] for name in "BVD")
    size = _itemsize(shape)
    generator = torch.Generator().manual_seed(0)
    rows = len(embeddings._draw(embeddings.zipf(V, "cpu"), (B,), generator).unique())
    if "random" in way and size < NUMBER:
        yield Difference(
            "The kernel adds in float32; torch rounds the sums and writes the table.", V * D * size, by_torch=True
        )
        return
    yield Difference(
        "Rows of the table that nobody looked up stay the zeros that torch wrote.", (V - rows) * D * size, by_torch=True
    )
    if "order" in way:
        yield Difference("Torch sorts the ids, and the kernel reads what it gives.", B * ID, by_torch=True)


# Steps of word vectors

AGAIN = "cost() counts a row for every window that reads and changes it; a row that more windows share is one."
PLACES = "Windows that reach less far have -1 in the places left over, and the kernel reads those, too."
LOSSES = "The kernel leaves a loss for every window; torch adds them up."


def _distinct(*ids):
    """How many different words there are; -1 is none."""
    here = torch.cat([part.flatten() for part in ids])
    return len(here[here >= 0].unique())


def _rows(counted, distinct, D):
    return Difference(AGAIN, 2 * (counted - distinct) * D * NUMBER)


def _losses(n):
    return Difference(LOSSES, n * NUMBER, by_torch=True)


def _sgns(shape, passes, way, result):
    _, (_, (centre, contexts, negatives)) = embeddings._both(shape, "cpu")
    pairs = int((contexts >= 0).sum())
    counted = len(centre) + pairs + negatives.numel()
    yield _rows(counted, _distinct(centre) + _distinct(contexts, negatives), shape["D"])
    yield Difference(PLACES, (pairs - contexts.numel()) * ID)
    yield _losses(len(centre))


def _cbow(shape, passes, way, result):
    _, (_, (target, contexts, negatives)) = embeddings._both(shape, "cpu")
    near = int((contexts >= 0).sum())
    counted = near + len(target) + negatives.numel()
    yield _rows(counted, _distinct(contexts) + _distinct(target, negatives), shape["D"])
    yield Difference(PLACES, (near - contexts.numel()) * ID)
    yield _losses(len(target))


def _hierarchical(shape, passes, way, result):
    *_, problem = embeddings._both(shape | {"K": 0}, "cpu")
    _, centre, contexts, (nodes, bits), _ = embeddings._planted(problem, embeddings.zipf(shape["V"], "cpu"))
    near = contexts[contexts >= 0]
    inputs, words = (near, centre) if passes.startswith("CBOW") else (centre, near)
    ways = nodes[words]
    met = int((ways >= 0).sum())
    yield _rows(len(inputs) + met, _distinct(inputs) + _distinct(ways), shape["D"])
    once = nodes[words.unique()]
    turns = int((once >= 0).sum())
    read = once.numel() * nodes.element_size() + turns * bits.element_size()
    yield Difference(
        "cost() counts an id and a bit, 8 bytes each, for every turn of every way; a way is a row of a table, filled "
        "up with -1, and a word that comes again has the same row.",
        2 * met * ID - read,
    )
    yield Difference(PLACES, (len(near) - contexts.numel()) * ID)
    yield _losses(len(centre))


def _glove(shape, passes, way, result):
    n, V, D = shape["n"], shape["V"], shape["D"]
    _, (rows, columns, _) = embeddings._cells(n, V, D, embeddings.zipf(V, "cpu"), "cpu", 1)
    repeated = 2 * n - _distinct(rows) - _distinct(columns)
    yield Difference(
        "cost() counts a word's vector, bias and totals for every count; a word that more counts share is one.",
        2 * repeated * 2 * (D + 1) * NUMBER,
    )
    yield Difference("The kernel leaves a loss for every count; torch adds them up.", n * NUMBER, by_torch=True)


def _cooccurrence(shape, passes, way, result):
    """Words that stand together are counted above the diagonal; a tile in which there is one is turned over whole."""
    from seqlab.embeddings.kernels.cooccurrence import TILE

    N, V, window = (shape[name] for name in ("N", "V", "window"))
    text = embeddings._draw(embeddings.zipf(V, "cpu"), (N,), _after_the_short_text(V))
    touched = torch.zeros(V, V, dtype=torch.bool)
    for d in range(1, window + 1):
        pairs = torch.stack([text[:-d], text[d:]]).sort(0).values
        touched[pairs[0], pairs[1]] = True
    for down in range(0, V, TILE):
        for right in range(down, V, TILE):
            tile = touched[down : down + TILE, right : right + TILE]
            if tile.any():
                touched[right : right + TILE, down : down + TILE] = True
    yield Difference(
        "Cells of pairs that never stand together stay the zeros that torch wrote.",
        int((~touched).sum()) * NUMBER,
        by_torch=True,
    )


def _after_the_short_text(V):
    """The benchmark draws the text that it checks first."""
    generator = torch.Generator().manual_seed(0)
    torch.randint(-1, min(V, embeddings.CHECKED_WORDS), (2000,), generator=generator)
    return generator


# CTC


def _ctc_loss(shape, passes, way, result):
    if passes != "forward":
        return
    T, B, C, L = (shape[name] for name in "TBCL")
    generator = torch.Generator().manual_seed(0)
    torch.randn(T, B, C, generator=generator)
    targets = torch.randint(1, C, (B, L), generator=generator)
    twice = B * L - sum(len(row.unique()) for row in targets)
    yield Difference("A label that stands in a target twice is read from one address.", T * twice * _itemsize(shape))


def _ctc_beam(shape, passes, way, result):
    T, B, C, K = (shape[name] for name in ("T", "B", "C", "K"))
    size = _itemsize(shape)
    _, lengths = ctc.spoken(T, B, C, getattr(torch, shape["dtype"]), "cpu")
    yield Difference(
        "cost() counts all sequences as long as the longest; frames behind the end of one are not read.",
        (T * B - int(lengths.sum())) * C * size,
    )
    if result is not None:
        _, ends, _ = result
        yield Difference(
            "Behind the end of a text stands -1, which torch writes.", (T * B * K - int(ends.sum())) * ID, by_torch=True
        )


EXPLAINED = {
    **{cell: partial(_recurrent, cell) for cell in ("rnn", "gru", "lstm")},
    "softmax": _softmax,
    "cross_entropy": _cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "flash": _flash,
    "additive": _additive,
    "repulsion": partial(_pairs_of_points, "Z"),
    "attraction": partial(_pairs_of_points, "the cross-entropy"),
    "embedding": _embedding,
    "sgns": _sgns,
    "cbow": _cbow,
    "hierarchical": _hierarchical,
    "glove": _glove,
    "cooccurrence": _cooccurrence,
    "ctc_loss": _ctc_loss,
    "ctc_beam": _ctc_beam,
}
