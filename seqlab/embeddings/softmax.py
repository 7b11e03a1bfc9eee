"""Training steps over the whole vocabulary: exact, and so slow that they are for small vocabularies."""

import torch

from seqlab.embeddings.steps import add, mean_rows, rows_of, shares, take


def skipgram_softmax_step(E, O, centre, contexts, lr):
    """One step of skip-gram with the full softmax, :eq:`skip-gram-softmax`, in place.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    centre : (W,) ids.
    contexts : (W, C) ids of the words around it; -1 where there is none.
    lr : learning rate of each pair.

    Returns
    -------
    loss : the sum over all pairs, before the step.
    """
    real = rows_of(contexts, E.dtype)
    wanted = E.new_zeros(len(centre), len(O)).scatter_add_(1, contexts.clamp(min=0), real)
    loss, dh = _softmax_step(take(E, centre), O, wanted, real.sum(1, keepdim=True), lr)
    add(E, centre, dh)
    return loss


def cbow_softmax_step(E, O, contexts, target, lr):
    """One step of CBOW with the full softmax, :eq:`cbow`, in place.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    contexts : (W, C) ids of the words around the target; -1 where there is none.
    target : (W,) ids of the words to predict.
    lr : learning rate.

    Returns
    -------
    loss : the sum over all windows, before the step.
    """
    real, inputs = rows_of(contexts, E.dtype), contexts.clamp(min=0)
    wanted = torch.nn.functional.one_hot(target, len(O)).to(E.dtype)
    loss, dh = _softmax_step(mean_rows(take(E, inputs), real), O, wanted, 1.0, lr)
    add(E, inputs, shares(dh, real))
    return loss


def _softmax_step(h, O, wanted, times, lr):
    """Loss, and how h should move, where each word of a row is wanted so many times, `times` in all; O is changed."""
    log_p = torch.log_softmax(h @ O.T, 1)
    move = lr * (wanted - times * log_p.exp())
    dh = move @ O
    O.addmm_(move.T, h)
    return -(wanted * log_p).sum(), dh
