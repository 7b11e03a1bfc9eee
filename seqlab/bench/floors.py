"""What every benchmark must pay at a size, by `cost()` alone: no tensor is made, nothing is measured.

Where a cost depends on the data (how many different words a text holds, how long the ways through a tree are), it is
what the data of the benchmark has on the average.
"""

from functools import cache

import torch

from seqlab.attention.cost import additive_cost, flash_cost
from seqlab.ctc.cost import beam_cost, greedy_cost, loss_cost
from seqlab.decode.cost import beam_step_cost
from seqlab.embeddings import cost as words
from seqlab.lm import cost as lm
from seqlab.recurrent.cost import cost as layer_cost
from seqlab.tsne import cost as tsne

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
FORWARD, BOTH = "forward", "forward and backward"


def _both(count):
    """Forward alone, and with the backward pass on top of it."""
    forward = count(backward=False)
    return {FORWARD: forward, BOTH: forward + count(backward=True)}


def _layer(cell):
    def costs(B, T, D, H, dtype):
        return _both(lambda backward: layer_cost(B, T, D, H, BYTES[dtype], backward, cell))

    return costs


def _softmax(B, V, dtype):
    return _both(lambda backward: lm.softmax_cost(B, V, BYTES[dtype], backward))


def _cross_entropy(B, V, dtype):
    return _both(lambda backward: lm.cost(B, V, BYTES[dtype], backward))


def _linear(M, D, V, dtype):
    return _both(lambda backward: lm.linear_cost(M, D, V, BYTES[dtype], backward))


def mean_window(C):
    """Words in a window that reaches 1 to C / 2 words to each side, each as likely, and holds at most C."""
    most = max(1, C // 2)
    return sum(min(1, max(0, most - i // 2) / most) for i in range(C))


@cache
def code_length(V):
    """Turns to a word of a text in the mean: the entropy of its words, than which a Huffman code is hardly longer."""
    from seqlab.bench.embeddings import zipf

    p = zipf(V, "cpu")
    return float(-(p * p.log2()).sum())


def _hierarchical(W, C, D, V):
    C, L = mean_window(C), code_length(V)
    return {
        "skip-gram step": words.skipgram_hierarchical_cost(W, C, L, D),
        "CBOW step": words.cbow_hierarchical_cost(W, C, L, D),
    }


@cache
def different_words(B, V):
    """How many different words of V stand in a text of B words on the average."""
    from seqlab.bench.embeddings import zipf

    return float((1 - (1 - zipf(V, "cpu")) ** B).sum())


def _embedding(B, V, D, dtype):
    size = BYTES[dtype]
    return {
        FORWARD: words.gather_cost(B, different_words(B, V), D, size),
        "backward": words.scatter_add_cost(B, V, D, size),
    }


@cache
def neighbours(N, k, steps=100_000):
    """Entries of the sparse matrix: about 1.5 k a point, a few points have many more."""
    middle = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    return N * float((1.5 * k * middle.pow(-0.3)).floor().clamp(max=N).mean())


def _counting(N, V, window):
    return dict.fromkeys(("flat", "harmonic"), words.cooccurrence_cost(N, V, window))


COSTS = {
    **{cell: _layer(cell) for cell in ("rnn", "gru", "lstm")},
    "softmax": _softmax,
    "cross_entropy": _cross_entropy,
    "linear_cross_entropy": _linear,
    "sgns": lambda W, C, K, D, V: {"step": words.sgns_cost(W, mean_window(C), K, D)},
    "cbow": lambda W, C, K, D, V: {"step": words.cbow_cost(W, mean_window(C), K, D)},
    "hierarchical": _hierarchical,
    "glove": lambda n, D, V: {"step": words.glove_cost(n, D)},
    "cooccurrence": _counting,
    "embedding": _embedding,
    "perplexity_search": lambda N, k, perplexity, dtype: {FORWARD: tsne.search_cost(N, k)},
    "repulsion": lambda N, d, dtype: {FORWARD: tsne.repulsion_cost(N, d)},
    "attraction": lambda N, d, k, dtype: {FORWARD: tsne.attraction_cost(N, neighbours(N, k), d)},
    "flash": lambda B, H, T, D, pairs, dtype: _both(
        lambda backward: flash_cost(B, H, T, T, D, dtype=dtype, causal=pairs == "causal", backward=backward)
    ),
    "additive": lambda B, T, D, dtype: _both(
        lambda backward: additive_cost(B, T, T, D, dtype=dtype, backward=backward)
    ),
    "beam_step": lambda B, K, V, width, dtype: {FORWARD: beam_step_cost(B, K, V, width, BYTES[dtype])},
    "ctc_loss": lambda T, B, C, L, dtype: {
        passes: loss_cost(T, B, C, L, BYTES[dtype], backward=passes == BOTH) for passes in (FORWARD, BOTH)
    },
    "ctc_greedy": lambda T, B, C, dtype: {FORWARD: greedy_cost(T, B, C, BYTES[dtype])},
    "ctc_beam": lambda T, B, C, K, dtype: {FORWARD: beam_cost(T, B, C, K, BYTES[dtype])},
}


def costs(benchmark, shape):
    """Say what any implementation must pay.

    Parameters
    ----------
    benchmark : its name, as typed after `seqlab bench`.
    shape : dict of its sizes.

    Returns
    -------
    costs : dict from what one call does, as the benchmark calls it, to its `seqlab.kernels.Cost`.

    Raises
    ------
    ValueError
        when there is no such benchmark.
    """
    if benchmark not in COSTS:
        raise ValueError(f"there is no benchmark {benchmark!r} whose cost is known; there is {', '.join(COSTS)}")
    return COSTS[benchmark](**shape)
