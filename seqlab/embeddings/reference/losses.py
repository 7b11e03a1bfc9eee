"""The losses of word2vec and their gradients: the equations of chapter 8, one function each.

Letters: V words, D dimensions, B pairs or windows, C places in a window, K negatives, L turns on the longest way
through a tree. E (V, D) holds the vectors of words as inputs, O (V, D) as outputs, N (V - 1, D) the vectors of a tree's
inner nodes. Losses are in nats; every gradient is that of the *sum* of the losses, dense, keyed as the argument.

A prediction starts from one vector h, whatever it was made of. So there are three losses of h (all words, noise, tree)
and two ways to make h (skip-gram: the centre's vector; CBOW: the mean of the context's): six models.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.embeddings.reference.checks import check_ids


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


def mean_forward(E, contexts):
    """The mean of the vectors of a window's words, the h of :eq:`cbow`.

    Parameters
    ----------
    E : (V, D) input vectors.
    contexts : (B, C) ids, -1 where there is no word. The mean of no words at all is 0.

    Returns
    -------
    h : (B, D).

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    V, _ = check_floats("E", E, ("V", "D")).values()
    contexts = check_ids("contexts", contexts, V, ("B", "C"), padded=True)
    here = contexts >= 0
    count = np.maximum(here.sum(axis=1), 1)
    return np.where(here[:, :, None], E[contexts], 0.0).sum(axis=1) / count[:, None]


def mean_backward(dh, contexts, size):
    """Give every word of a window the same share of the mean's gradient, :eq:`cbow`.

    Parameters
    ----------
    dh : (B, D) gradient of the loss with respect to what `mean_forward` gave.
    contexts : (B, C) ids, -1 where there is no word.
    size : V.

    Returns
    -------
    dE : (V, D).

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    contexts = check_ids("contexts", contexts, size, (len(dh), "C"), padded=True)
    here = contexts >= 0
    share = dh / np.maximum(here.sum(axis=1), 1)[:, None]
    row, _ = np.nonzero(here)
    return embedding_backward(share[row], contexts[here], size)


def softmax_loss(h, O, target):
    """Predict a word from a vector, over all V words, :eq:`skip-gram-softmax`.

    Parameters
    ----------
    h : (B, D) what is known: the centre's vector in skip-gram, the mean of the context's in CBOW.
    O : (V, D) output vectors.
    target : (B,) ids of the true words.

    Returns
    -------
    loss : (B,) in nats.
    dh, dO : (B, D) and (V, D) gradients of the sum of the losses.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    B, D = check_floats("h", h, ("B", "D")).values()
    V = check_floats("O", O, ("V", D))["V"]
    target = check_ids("target", target, V, (B,))
    z = h @ O.T
    z = z - z.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(z).sum(axis=1))
    loss = log_total - z[np.arange(B), target]
    dz = np.exp(z - log_total[:, None])
    dz[np.arange(B), target] -= 1
    return loss, dz @ O, dz.T @ h


def negative_loss(h, O, target, negatives):
    """Tell the true word from K words of noise: K + 1 yes-or-no questions, :eq:`negative-sampling`.

    Parameters
    ----------
    h : (B, D) what is known: the centre's vector in skip-gram, the mean of the context's in CBOW.
    O : (V, D) output vectors.
    target : (B,) ids of the true words.
    negatives : (B, K) ids; one that comes twice counts twice, and one that is the true word is not skipped.

    Returns
    -------
    loss : (B,) in nats.
    dh, dO : (B, D) and (V, D) gradients of the sum of the losses, :eq:`negative-sampling-gradient`.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    B, D = check_floats("h", h, ("B", "D")).values()
    V = check_floats("O", O, ("V", D))["V"]
    target = check_ids("target", target, V, (B,))
    negatives = check_ids("negatives", negatives, V, (B, "K"))
    o, n = O[target], O[negatives]
    s, t = np.einsum("bd,bd->b", h, o), np.einsum("bd,bkd->bk", h, n)
    loss = -log_sigmoid(s) - log_sigmoid(-t).sum(axis=1)
    ds, dt = sigmoid(s) - 1, sigmoid(t)
    dh = ds[:, None] * o + np.einsum("bk,bkd->bd", dt, n)
    dO = embedding_backward(ds[:, None] * h, target, V)
    dO += embedding_backward(dt[:, :, None] * h[:, None, :], negatives, V)
    return loss, dh, dO


def hierarchical_loss(h, N, target, tree):
    """Predict every turn on the way to the true word, :eq:`hierarchical-softmax`.

    Parameters
    ----------
    h : (B, D) what is known: the centre's vector in skip-gram, the mean of the context's in CBOW.
    N : (V - 1, D) vectors of the tree's inner nodes.
    target : (B,) ids of the true words.
    tree : `HuffmanTree`. Bit 0 at node n has the probability sigma(h . n), bit 1 has sigma(-h . n).

    Returns
    -------
    loss : (B,) in nats.
    dh, dN : (B, D) and (V - 1, D) gradients of the sum of the losses.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary.
    """
    B, D = check_floats("h", h, ("B", "D")).values()
    V = len(tree.nodes)
    check_floats("N", N, (V - 1, D))
    target = check_ids("target", target, V, (B,))
    nodes, bits = tree.nodes[target], tree.bits[target]
    here = nodes >= 0
    sign = np.where(here, 1 - 2 * bits, 0)
    n = N[nodes] if V > 1 else np.zeros((B, 0, D))
    s = sign * np.einsum("bd,bld->bl", h, n)
    loss = -np.where(here, log_sigmoid(s), 0.0).sum(axis=1)
    ds = sign * (sigmoid(s) - 1)
    dh = np.einsum("bl,bld->bd", ds, n)
    dN = embedding_backward((ds[:, :, None] * h[:, None, :])[here], nodes[here], V - 1)
    return loss, dh, dN


def sigmoid(z):
    """Squash any number to one between 0 and 1: 1 / (1 + exp(-z)), written with tanh, which does not overflow."""
    return (1 + np.tanh(z / 2)) / 2


def log_sigmoid(z):
    """The logarithm of `sigmoid`, -log(1 + exp(-z)); it does not overflow, and is not -Inf where sigmoid is 0."""
    return -np.logaddexp(0, -z)


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
    _check_pairs(E, centre, context, len(O))
    e = embedding_forward(E, centre)
    loss, de, dO = softmax_loss(e, O, context)
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
    _check_pairs(E, centre, context, len(O))
    e = embedding_forward(E, centre)
    loss, de, dO = negative_loss(e, O, context, negatives)
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
    _check_pairs(E, centre, context, len(tree.nodes))
    e = embedding_forward(E, centre)
    loss, de, dN = hierarchical_loss(e, N, context, tree)
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
    h = mean_forward(E, contexts)
    loss, dh, dO = softmax_loss(h, O, target)
    return loss, {"E": mean_backward(dh, contexts, len(E)), "O": dO}


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
    h = mean_forward(E, contexts)
    loss, dh, dO = negative_loss(h, O, target, negatives)
    return loss, {"E": mean_backward(dh, contexts, len(E)), "O": dO}


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
    h = mean_forward(E, contexts)
    loss, dh, dN = hierarchical_loss(h, N, target, tree)
    return loss, {"E": mean_backward(dh, contexts, len(E)), "N": dN}


def _check_pairs(E, centre, context, outputs):
    V, _ = check_floats("E", E, ("V", "D")).values()
    B = len(check_ids("centre", centre, V, ("B",)))
    check_ids("context", context, outputs, (B,))
