"""Negative sampling on a CPU: blocks of words that follow each other, and products of small matrices.

Neighbours in a text have most of their windows in common. So S centres that follow each other share one gathering of
the words around them, and the scores of all of them are one product of matrices, in which a mask picks the pairs. They
share M words of noise, too: a pair that should have K negatives of its own gets all M, each with the weight K / M. One
that is the pair's true word gets none and the others more, as if it had been drawn again. The expected gradient is that
of negative sampling.

In the hierarchical softmax, the outputs of a block are the inner nodes on the ways to all of its words.

All gradients of a step are taken at its start and those of a word are summed. Too many of one word would throw it far
beyond what it should reach, further with every step. So a word's gradients weigh PULL / lr at most: where more come
together, their sum is scaled down to that.
"""

import torch

from seqlab.embeddings.steps import add, take

PULL = 4.0  # measured without a limit: of the runs in which 8 came together one diverged, with 24 all did


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


def skipgram_blocks_step(E, O, centre, outputs, weight, sign, lr):
    """One step of skip-gram, :eq:`negative-sampling-gradient`, for blocks.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    centre : (G, S) ids.
    outputs : (G, R) ids of what is scored: words around and words of noise, or inner nodes.
    weight : (G, S, R) of each score in the loss.
    sign : (G, 1, R) 1 for a true word and for a turn 0, -1 for noise and for a turn 1; G may be 1.
    lr : learning rate.

    Returns
    -------
    loss : the weighted sum over all scores, before the step.
    """
    h, rows = take(E, centre), take(O, outputs)
    loss, move = _logistic(h, rows, weight, sign, lr)
    least = limit(centre, weight.sum(2), len(E), lr)
    add(E, centre, (move * least[:, :, None]) @ rows)
    least = limit(outputs, weight.sum(1), len(O), lr)
    add(O, outputs, (move * least[:, None]).mT @ h)
    return loss


def cbow_blocks_step(E, O, mean, around, outputs, weight, sign, lr):
    """One step of CBOW, :eq:`cbow`, for blocks.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    mean : (G, S, P) what each word around adds to a centre's mean; rows sum to 1, or to 0 without a context.
    around : (G, P) ids.
    outputs, weight, sign, lr : as in `skipgram_blocks_step`.

    Returns
    -------
    loss : the weighted sum over all scores, before the step.
    """
    inputs, rows = take(E, around), take(O, outputs)
    h = mean @ inputs
    loss, move = _logistic(h, rows, weight, sign, lr)
    least = limit(around, (weight.sum(2)[:, None] @ mean)[:, 0], len(E), lr)
    add(E, around, (mean * least[:, None]).mT @ (move @ rows))
    least = limit(outputs, weight.sum(1), len(O), lr)
    add(O, outputs, (move * least[:, None]).mT @ h)
    return loss


def limit(ids, weight, size, lr):
    """What to multiply the gradients of each word with so that they weigh at most PULL / lr; 1 for most words.

    Parameters
    ----------
    ids : (...) ids of words.
    weight : (...) what the gradient of each of them weighs.
    size : V.
    lr : learning rate.

    Returns
    -------
    factor : (...) at most 1.
    """
    total = weight.new_zeros(size).scatter_add_(0, ids.reshape(-1), weight.reshape(-1))
    return (PULL / lr / total.clamp_(min=1e-9)).clamp_(max=1.0)[ids]


def _logistic(h, rows, weight, sign, lr):
    """Summed weighted loss of all scores, and -lr times its slope by each of them."""
    right = (h @ rows.mT).mul_(sign).sigmoid_().clamp_(min=1e-30)
    loss = -torch.dot(right.log().view(-1), weight.reshape(-1))
    return loss, right.neg_().add_(1).mul_(weight).mul_(sign).mul_(lr)
