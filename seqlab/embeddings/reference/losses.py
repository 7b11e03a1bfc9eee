"""The losses of word2vec and their gradients: the equations of chapter 8, one function each.

Letters: V words, D dimensions, B pairs or windows, C places in a window, K negatives, L turns on the longest way
through a tree. E (V, D) holds the vectors of words as inputs, O (V, D) as outputs, N (V - 1, D) the vectors of a tree's
inner nodes. Losses are in nats; every gradient is that of the *sum* of the losses, dense, keyed as the argument.
"""

import numpy as np

from seqlab.embeddings.reference.checks import check_floats, check_ids
from seqlab.shapes import check_shape


def embedding_forward(E, ids):
    """Look rows up: what the product of E with one-hot vectors gives, :eq:`lookup`.

    Parameters
    ----------
    E : (V, D) a vector for each word.
    ids : (...) ids.

    Returns
    -------
    e : (..., D).

    Raises
    ------
    ValueError
        when E has another number of axes or an id is outside the vocabulary.
    """
    V, _ = check_floats("E", E, ("V", "D")).values()
    return E[check_ids("ids", ids, V)]


def embedding_backward(d, ids, size):
    """Add each gradient to the row that was looked up, :eq:`lookup`: a row used twice gets both.

    Parameters
    ----------
    d : (..., D) gradient of the loss with respect to what `embedding_forward` gave.
    ids : (...) ids.
    size : V.

    Returns
    -------
    dE : (V, D); 0 in the rows that nobody looked up.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    ids = check_ids("ids", ids, size)
    check_floats("d", d, (*ids.shape, "D"))
    dE = np.zeros((size, d.shape[-1]), d.dtype)
    np.add.at(dE, ids, d)
    return dE


def skipgram_softmax_loss(E, O, centre, context):
    """Skip-gram: the centre word predicts a word near it, over all V words, :eq:`skip-gram-softmax`.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    centre, context : (B,) ids.

    Returns
    -------
    loss : (B,) in nats.
    gradients : dict with the keys "E" and "O".

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    e = _centre_vectors(E, centre)
    loss, de, dO = _softmax(e, O, context)
    return loss, {"E": embedding_backward(de, centre, len(E)), "O": dO}


def skipgram_negative_loss(E, O, centre, context, negatives):
    """Skip-gram: tell the true word from K words of noise, :eq:`negative-sampling` and its gradient.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    centre, context : (B,) ids.
    negatives : (B, K) ids; one that comes twice counts twice, and one that is the true word is not skipped.

    Returns
    -------
    loss : (B,) in nats.
    gradients : dict with the keys "E" and "O", :eq:`negative-sampling-gradient`.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    e = _centre_vectors(E, centre)
    loss, de, dO = _negative(e, O, context, negatives)
    return loss, {"E": embedding_backward(de, centre, len(E)), "O": dO}


def skipgram_hierarchical_loss(E, N, centre, context, tree):
    """Skip-gram: the turns on the way to the true word, :eq:`hierarchical-softmax`.

    Parameters
    ----------
    E : (V, D) input vectors.
    N : (V - 1, D) vectors of the tree's inner nodes.
    centre, context : (B,) ids.
    tree : `HuffmanTree`. Bit 0 at node n has the probability sigma(e . n), bit 1 has sigma(-e . n).

    Returns
    -------
    loss : (B,) in nats.
    gradients : dict with the keys "E" and "N".

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    e = _centre_vectors(E, centre)
    loss, de, dN = _hierarchical(e, N, context, tree, len(E))
    return loss, {"E": embedding_backward(de, centre, len(E)), "N": dN}


def cbow_softmax_loss(E, O, contexts, target):
    """CBOW: the mean of the words around predicts the word between, over all V words, :eq:`cbow`.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    contexts : (B, C) ids, -1 where there is no word. The mean of no words at all is 0.
    target : (B,) ids.

    Returns
    -------
    loss : (B,) in nats.
    gradients : dict with the keys "E" and "O".

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    h = _mean_vectors(E, contexts)
    loss, dh, dO = _softmax(h, O, target)
    return loss, {"E": _mean_backward(dh, contexts, len(E)), "O": dO}


def cbow_negative_loss(E, O, contexts, target, negatives):
    """CBOW with K words of noise, :eq:`cbow` and :eq:`negative-sampling`.

    Parameters
    ----------
    E, O : (V, D) input and output vectors.
    contexts : (B, C) ids, -1 where there is no word. The mean of no words at all is 0.
    target : (B,) ids.
    negatives : (B, K) ids; one that comes twice counts twice, and one that is the true word is not skipped.

    Returns
    -------
    loss : (B,) in nats.
    gradients : dict with the keys "E" and "O".

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    h = _mean_vectors(E, contexts)
    loss, dh, dO = _negative(h, O, target, negatives)
    return loss, {"E": _mean_backward(dh, contexts, len(E)), "O": dO}


def cbow_hierarchical_loss(E, N, contexts, target, tree):
    """CBOW with the turns on the way to the true word, :eq:`cbow` and :eq:`hierarchical-softmax`.

    Parameters
    ----------
    E : (V, D) input vectors.
    N : (V - 1, D) vectors of the tree's inner nodes.
    contexts : (B, C) ids, -1 where there is no word. The mean of no words at all is 0.
    target : (B,) ids.
    tree : `HuffmanTree`. Bit 0 at node n has the probability sigma(h . n), bit 1 has sigma(-h . n).

    Returns
    -------
    loss : (B,) in nats.
    gradients : dict with the keys "E" and "N".

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    h = _mean_vectors(E, contexts)
    loss, dh, dN = _hierarchical(h, N, target, tree, len(E))
    return loss, {"E": _mean_backward(dh, contexts, len(E)), "N": dN}


def _centre_vectors(E, centre):
    check_shape("centre", np.asarray(centre), ("B",))
    return embedding_forward(E, centre)


def _mean_vectors(E, contexts):
    V, _ = check_floats("E", E, ("V", "D")).values()
    contexts = check_ids("contexts", contexts, V, ("B", "C"), padded=True)
    here = contexts >= 0
    return np.where(here[..., None], E[contexts], 0.0).sum(axis=1) / np.maximum(here.sum(axis=1), 1)[:, None]


def _mean_backward(dh, contexts, size):
    """Every word of a window gets the same part of the mean's gradient."""
    contexts = np.asarray(contexts)
    here = contexts >= 0
    share = dh / np.maximum(here.sum(axis=1), 1)[:, None]
    return embedding_backward(share[np.nonzero(here)[0]], contexts[here], size)


def _softmax(h, O, target):
    B, D = h.shape
    V = check_floats("O", O, ("V", D))["V"]
    target = check_ids("target", target, V, (B,))
    rows = np.arange(B)
    z = h @ O.T
    z = z - z.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(z).sum(axis=1))
    loss = log_total - z[rows, target]
    dz = np.exp(z - log_total[:, None])
    dz[rows, target] -= 1
    return loss, dz @ O, dz.T @ h


def _negative(h, O, target, negatives):
    B, D = h.shape
    check_floats("O", O, ("V", D))
    target = check_ids("target", target, len(O), (B,))
    negatives = check_ids("negatives", negatives, len(O), (B, "K"))
    o, n = O[target], O[negatives]
    s, t = (h * o).sum(axis=1), np.einsum("bd,bkd->bk", h, n)
    loss = -_log_sigmoid(s) - _log_sigmoid(-t).sum(axis=1)
    ds, dt = _sigmoid(s) - 1, _sigmoid(t)
    dh = ds[:, None] * o + np.einsum("bk,bkd->bd", dt, n)
    dO = embedding_backward(ds[:, None] * h, target, len(O))
    dO += embedding_backward(dt[:, :, None] * h[:, None], negatives, len(O))
    return loss, dh, dO


def _hierarchical(h, N, target, tree, size):
    B, D = h.shape
    check_floats("N", N, (size - 1, D))
    check_shape("tree.nodes", tree.nodes, (size, "L"))
    target = check_ids("target", target, size, (B,))
    nodes, bits = tree.nodes[target], tree.bits[target]
    here = nodes >= 0
    n = N[nodes] if size > 1 else np.zeros((B, 0, D))
    sign = np.where(here, 1 - 2 * bits, 0)
    s = sign * np.einsum("bd,bld->bl", h, n)
    loss = -np.where(here, _log_sigmoid(s), 0.0).sum(axis=1)
    ds = (_sigmoid(s) - 1) * sign
    dN = embedding_backward((ds[:, :, None] * h[:, None])[here], nodes[here], size - 1)
    return loss, np.einsum("bl,bld->bd", ds, n), dN


def _sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def _log_sigmoid(z):
    """log sigma(z) = -log(1 + exp(-z)), which does not overflow this way."""
    return -np.logaddexp(0, -z)
