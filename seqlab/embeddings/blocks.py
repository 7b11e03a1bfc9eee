"""Negative sampling on a CPU: blocks of words that follow each other, and products of small matrices.

Neighbours in a text have most of their windows in common. So S centres that follow each other share one gathering of
the words around them, and the scores of all of them are one product of matrices, in which a mask picks the pairs. They
share M words of noise, too: a pair that should have K negatives of its own gets all M, each with the weight K / M. One
that is the pair's true word gets none and the others more, as if it had been drawn again. The expected gradient is that
of negative sampling.
"""

import torch

from seqlab.embeddings.steps import subtract, take


def negatives_weight(true, pairs, noise, K):
    """How much each word of noise counts for each centre.

    Parameters
    ----------
    true : (G, P) ids of true words.
    pairs : (G, S, P) 1 where centre and true word are a pair.
    noise : (G, M) ids.
    K : negatives of a pair.

    Returns
    -------
    weight : (G, S, M); the sum over M is K times the number of pairs, but for pairs whose true word is all the noise.
    """
    same = (true[:, :, None] == noise[:, None]).float()
    each = pairs * (K / (noise.shape[1] - same.sum(2)).clamp(min=1))[:, None]
    return each.sum(2, keepdim=True) - each @ same


def skipgram_blocks_step(E, O, centre, outputs, weight, P, lr):
    """One step of skip-gram with negative sampling, :eq:`negative-sampling-gradient`, for blocks.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    centre : (G, S) ids.
    outputs : (G, P + M) ids of the words around and of the noise.
    weight : (G, S, P + M) of each score in the loss.
    P : how many of the outputs are true words.
    lr : learning rate.

    Returns
    -------
    loss : the weighted sum over all scores, before the step.
    """
    h, rows = take(E, centre), take(O, outputs)
    loss, slope = _logistic(h, rows, weight, P)
    dh, drows = slope @ rows, slope.mT @ h
    subtract(E, centre, dh, lr)
    subtract(O, outputs, drows, lr)
    return loss


def cbow_blocks_step(E, O, mean, around, outputs, weight, S, lr):
    """One step of CBOW with negative sampling, :eq:`cbow`, for blocks.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    mean : (G, S, P) what each word around adds to a centre's mean; rows sum to 1, or to 0 without a context.
    around : (G, P) ids.
    outputs : (G, S + M) ids of the centres and of the noise.
    weight : (G, S, S + M) of each score in the loss.
    S : how many of the outputs are true words.
    lr : learning rate.

    Returns
    -------
    loss : the weighted sum over all scores, before the step.
    """
    inputs, rows = take(E, around), take(O, outputs)
    h = mean @ inputs
    loss, slope = _logistic(h, rows, weight, S)
    dinputs, drows = mean.mT @ (slope @ rows), slope.mT @ h
    subtract(E, around, dinputs, lr)
    subtract(O, outputs, drows, lr)
    return loss


def _logistic(h, rows, weight, true):
    """Summed weighted loss of all scores, the first `true` outputs being true, and its slope."""
    scores = h @ rows.mT
    scores[..., true:].neg_()
    right = scores.sigmoid_().clamp_(min=1e-30)
    loss = -torch.dot(right.log().view(-1), weight.reshape(-1))
    slope = right.sub_(1).mul_(weight)
    slope[..., true:].neg_()
    return loss, slope
