"""Word vectors in torch: the losses of word2vec, with gradients by autograd, the lookup, and counting.

The training steps, which change their arguments in place, are in `seqlab.embeddings.steps`; their names are
at home here as well.
"""

import torch
import torch.nn.functional as F

from seqlab.embeddings.steps import (
    cbow_hierarchical_step,
    cbow_step,
    check_ids,
    check_tables,
    glove_step,
    mean_rows,
    rows_of,
    sgns_step,
    skipgram_hierarchical_step,
)
from seqlab.kernels import pick_backend
from seqlab.lm.functional import linear_cross_entropy
from seqlab.shapes import check_shape

__all__ = [
    "cbow_hierarchical_loss",
    "cbow_hierarchical_step",
    "cbow_negative_loss",
    "cbow_softmax_loss",
    "cbow_step",
    "cooccurrence",
    "embedding",
    "glove_step",
    "sgns_step",
    "skipgram_hierarchical_loss",
    "skipgram_hierarchical_step",
    "skipgram_negative_loss",
    "skipgram_softmax_loss",
]


def embedding(ids, weight, deterministic=False, backend="auto"):
    """Rows of a matrix, :eq:`lookup`, as `torch.nn.functional.embedding` takes them; backward is a scatter-add.

    Parameters
    ----------
    ids : (...) ids of words, 0 <= id < V.
    weight : (V, D) a row for each word.
    deterministic : add the gradients of a word that stands several times in a fixed order, so that two runs agree bit
        for bit. The backend "torch" always does.
    backend : "torch", "triton", or "auto": Triton on CUDA, torch on the CPU.

    Returns
    -------
    rows : (..., D).

    Raises
    ------
    ValueError
        when weight has not two axes, the ids are no integers, or an id is outside the vocabulary. Where the ids lie on
        a GPU, a look at them would make the CPU wait, and nothing is checked.
    """
    V = check_shape("weight", weight, ("V", "D"))["V"]
    check_ids("ids", ids, V)
    if pick_backend(backend, ids, weight) == "triton":
        from seqlab.embeddings import kernels

        return kernels.embedding(ids, weight, deterministic)
    return F.embedding(ids, weight)


def skipgram_softmax_loss(E, O, centre, context, backend="auto"):
    """Loss of a context word given the centre, over the whole vocabulary, :eq:`skip-gram-softmax`.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    centre, context : (B,) ids of the pairs.
    backend : "torch", "triton" or "auto", as in `seqlab.lm.linear_cross_entropy`.

    Returns
    -------
    loss : (B,) in nats, differentiable by autograd, once.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    check_tables(E, O, "O")
    check_shape("context", context, (check_shape("centre", centre, ("B",))["B"],))
    h = embedding(centre, E, backend=backend)
    return linear_cross_entropy(h, O, context, reduction="none", backend=backend)


def skipgram_negative_loss(E, O, centre, context, negatives, backend="auto"):
    """Loss of one true and K false pairs, :eq:`negative-sampling`; Mikolov et al. (2013).

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    centre, context : (B,) ids of the pairs.
    negatives : (B, K) ids of words that the noise gave; one that stands twice counts twice, and one that equals the
        context is not left out.
    backend : "torch", "triton" or "auto": who gathers and scatters the rows.

    Returns
    -------
    loss : (B,) in nats, differentiable by autograd.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    check_tables(E, O, "O")
    return _negative_loss(embedding(centre, E, backend=backend), O, context, negatives, "context", backend)


def skipgram_hierarchical_loss(E, N, centre, context, tree, backend="auto"):
    """Loss of the turns on the way from the root to the context, :eq:`hierarchical-softmax`; Morin and Bengio (2005).

    Parameters
    ----------
    E : (V, D) input vectors.
    N : (V - 1, D) vectors of the inner nodes.
    centre, context : (B,) ids of the pairs.
    tree : `HuffmanTree` of the V words, as `seqlab.embeddings.huffman` makes it.
    backend : "torch", "triton" or "auto": who gathers and scatters the rows.

    Returns
    -------
    loss : (B,) in nats, differentiable by autograd.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    return _hierarchical_loss(E, embedding(centre, E, backend=backend), N, context, "context", tree, backend)


def cbow_softmax_loss(E, O, contexts, target, backend="auto"):
    """Loss of a word given the mean of its context, over the whole vocabulary, :eq:`cbow`.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    contexts : (B, C) ids of the words around the target; -1 where there is none.
    target : (B,) ids of the words to predict.
    backend : "torch", "triton" or "auto", as in `seqlab.lm.linear_cross_entropy`.

    Returns
    -------
    loss : (B,) in nats, differentiable by autograd, once. Without any context, the mean is taken to be zero.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    check_tables(E, O, "O")
    check_shape("target", target, (check_shape("contexts", contexts, ("B", "C"))["B"],))
    h = _mean(E, contexts, backend)
    return linear_cross_entropy(h, O, target, reduction="none", backend=backend)


def cbow_negative_loss(E, O, contexts, target, negatives, backend="auto"):
    """Loss of the target and of K false words given the mean of the context, :eq:`cbow`, :eq:`negative-sampling`.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    contexts : (B, C) ids of the words around the target; -1 where there is none.
    target : (B,) ids of the words to predict.
    negatives : (B, K) ids of words that the noise gave.
    backend : "torch", "triton" or "auto": who gathers and scatters the rows.

    Returns
    -------
    loss : (B,) in nats, differentiable by autograd. Without any context, the mean is taken to be zero.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    check_tables(E, O, "O")
    return _negative_loss(_mean(E, contexts, backend), O, target, negatives, "target", backend)


def cbow_hierarchical_loss(E, N, contexts, target, tree, backend="auto"):
    """Loss of the turns on the way to the target given the mean of the context, :eq:`cbow`, :eq:`hierarchical-softmax`.

    Parameters
    ----------
    E : (V, D) input vectors.
    N : (V - 1, D) vectors of the inner nodes.
    contexts : (B, C) ids of the words around the target; -1 where there is none.
    target : (B,) ids of the words to predict.
    tree : `HuffmanTree` of the V words, as `seqlab.embeddings.huffman` makes it.
    backend : "torch", "triton" or "auto": who gathers and scatters the rows.

    Returns
    -------
    loss : (B,) in nats, differentiable by autograd. Without any context, the mean is taken to be zero.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    return _hierarchical_loss(E, _mean(E, contexts, backend), N, target, "target", tree, backend)


def cooccurrence(ids, size, window=5, weighting="flat", backend="auto"):
    """How often two words stand near each other, :eq:`cooccurrence`, as a dense matrix.

    Parameters
    ----------
    ids : (N,) ids of the text; -1 is a wall between sentences, over which no window reaches.
    size : V, the number of words.
    window : how many places to each side count.
    weighting : "flat" counts each pair as 1, "harmonic" as 1 / distance.
    backend : "torch", "triton", or "auto": Triton on CUDA, torch on the CPU.

    Returns
    -------
    X : (V, V) float32, symmetric. Counts below 2^24 are exact with "flat".

    Raises
    ------
    ValueError
        when ids is no row of integers, an id is outside the vocabulary, window is below 1, or weighting is unknown.
    """
    check_shape("ids", ids, ("N",))
    check_ids("ids", ids, size, wall=True)
    if not isinstance(window, int) or window < 1:
        raise ValueError(f"window is {window!r}; it must be a whole number of places, at least 1")
    if weighting not in ("flat", "harmonic"):
        raise ValueError(f"weighting is {weighting!r}; it must be 'flat' or 'harmonic'")
    if pick_backend(backend, ids) == "triton":
        from seqlab.embeddings import kernels

        return kernels.cooccurrence(ids, size, window, weighting)
    total = torch.zeros(size * size, dtype=torch.float64, device=ids.device)
    sentence = (ids < 0).cumsum(0)
    for distance in range(1, min(window, len(ids) - 1) + 1):
        left, right = ids[:-distance].long(), ids[distance:].long()
        together = (left >= 0) & (right >= 0) & (sentence[:-distance] == sentence[distance:])
        pairs = torch.bincount((left * size + right)[together], minlength=size * size)
        total += pairs if weighting == "flat" else pairs / distance
    X = total.view(size, size)
    return (X + X.T).float()


def _negative_loss(h, O, true, negatives, name, backend):
    B = len(h)
    check_shape(name, true, (B,))
    check_shape("negatives", negatives, (B, "K"))
    check_ids(name, true, len(O))
    check_ids("negatives", negatives, len(O))
    rows = embedding(torch.cat([true[:, None], negatives], 1), O, backend=backend)
    scores = (rows @ h[:, :, None])[:, :, 0]
    return -F.logsigmoid(scores[:, 0]) - F.logsigmoid(-scores[:, 1:]).sum(1)


def _hierarchical_loss(E, h, N, word, name, tree, backend):
    V = len(E)
    check_shape("E", E, ("V", "D"))
    check_shape("N", N, (V - 1, E.shape[1]))
    check_shape(name, word, (len(h),))
    nodes = torch.as_tensor(tree.nodes, device=E.device)
    bits = torch.as_tensor(tree.bits, device=E.device)
    check_shape("tree.nodes", nodes, (V, "L"))
    check_ids(name, word, V)
    path, turns = nodes[word], bits[word]
    rows = embedding(path.clamp(min=0), N, backend=backend)
    scores = (rows @ h[:, :, None])[:, :, 0]
    signed = torch.where(turns > 0, -scores, scores)
    return -torch.where(path >= 0, F.logsigmoid(signed), 0.0).sum(1)


def _mean(E, contexts, backend):
    check_shape("contexts", contexts, ("B", "C"))
    check_ids("contexts", contexts, check_shape("E", E, ("V", "D"))["V"], wall=True)
    return mean_rows(embedding(contexts.clamp(min=0), E, backend=backend), rows_of(contexts, E.dtype))
