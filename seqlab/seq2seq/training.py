"""Train an encoder-decoder on pairs: batches, the loss, a schedule for the teacher, and how often all is right."""

import math
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch

from seqlab.lm.functional import cross_entropy
from seqlab.seq2seq.translator import tokens
from seqlab.shapes import check_whole
from seqlab.text import pad

IGNORED = -100  # what stands in target_out where there is no symbol


class Batch(NamedTuple):
    """Pairs side by side; `pairs_batches` makes them.

    source (B, Tx), target_in and target_out (B, Ty) are ids: target_in begins with <bos>, and target_out, one step
    ahead, ends with <eos> and holds -100 where there is nothing to predict. lengths (B,) belong to the source.
    teacher is None, or (B, Ty) bool.
    """

    source: torch.Tensor
    lengths: torch.Tensor
    target_in: torch.Tensor
    target_out: torch.Tensor
    teacher: torch.Tensor | None = None

    def to(self, device):
        """The same batch on a device."""
        return Batch(*(part if part is None else part.to(device) for part in self))


def pairs_batches(pairs, translator, batch_size=128, *, teacher=None, sort=1, seed=0):
    """Make the function that `seqlab.learning.learn` asks for its batches.

    The pairs are shuffled, read once from first to last, shuffled again, and so on. What is left over at the end of
    such an epoch and fills no batch is left out.

    Parameters
    ----------
    pairs : list of pairs (source, target), texts or lists of tokens.
    translator : `Translator`, for its vocabularies and its split.
    batch_size : B; fewer when there are not that many pairs.
    teacher : None, or a function from the step to the share of true words that are fed, such as `teacher_share` makes.
    sort : among so many batches the pairs are sorted by the length of their source, so that less is padded. 1 leaves
        them as they fell.
    seed : of the shuffling.

    Returns
    -------
    draw : function `draw(step, rng) -> Batch`. The shuffling comes from `seed` and the number of the epoch, the
        teacher's coins from `rng`. Its attribute `epoch` says how many steps an epoch has.

    Raises
    ------
    ValueError
        when there are no pairs, a text is empty, or a size is below 1.
    """
    for name, number in {"batch_size": batch_size, "sort": sort}.items():
        check_whole(name, number)
    if not pairs:
        raise ValueError("there are no pairs to learn from")
    encoded = [_encoded(pair, translator) for pair in pairs]
    lengths = np.array([len(source) for source, _ in encoded])
    B = min(batch_size, len(encoded))
    epoch = len(encoded) // B
    order = {}

    def draw(step, rng):
        number, place = divmod(step, epoch)
        if number not in order:
            order.clear()
            order[number] = _order(np.random.default_rng([seed, number]), lengths, B, epoch, sort)
        rows = [encoded[i] for i in order[number][place]]
        batch = make_batch(rows, translator)
        if teacher is None:
            return batch
        return batch._replace(teacher=torch.from_numpy(rng.random(batch.target_in.shape) < teacher(step)))

    draw.epoch = epoch
    return draw


def make_batch(rows, translator):
    """Pad pairs of ids into one `Batch`.

    Parameters
    ----------
    rows : list of pairs of lists of ids, the targets without <bos> and <eos>.
    translator : `Translator`, for the ids of <bos> and <eos>.

    Returns
    -------
    batch : `Batch`.
    """
    source, lengths = pad([source for source, _ in rows])
    target_in, _ = pad([[translator.bos, *target] for _, target in rows])
    target_out, _ = pad([[*target, translator.eos] for _, target in rows], value=IGNORED)
    return Batch(*map(torch.from_numpy, (source, lengths, target_in, target_out)))


def _encoded(pair, translator):
    source, target = (tokens(side, translator.split) for side in pair)
    if not source:
        raise ValueError(f"the source of the pair {pair!r} is empty; leave it out")
    return translator.source_vocabulary.encode(source), translator.target_vocabulary.encode(target)


def _order(rng, lengths, B, epoch, sort):
    """(epoch, B) rows of one epoch: shuffled, sorted by length within groups of batches, the batches shuffled."""
    order = rng.permutation(len(lengths))[: epoch * B]
    if sort == 1:
        return order.reshape(epoch, B)
    groups = np.split(order, range(sort * B, len(order), sort * B))
    order = np.concatenate([group[np.argsort(lengths[group], kind="stable")] for group in groups])
    return rng.permutation(order.reshape(epoch, B))


def sequence_loss(model, batch):
    """Mean loss of the target's symbols, <eos> among them, given the source, :eq:`conditional-lm`.

    Parameters
    ----------
    model : `EncoderDecoder`.
    batch : `Batch`; its `teacher` says which true symbols are fed.

    Returns
    -------
    loss : number in nats a symbol; padding does not count.
    """
    scores = model(batch.source, batch.lengths, batch.target_in, batch.teacher)
    return cross_entropy(scores, batch.target_out, ignore_index=IGNORED)


def teacher_share(kind="constant", *, k=None, c=None, least=0.0):
    """Make a schedule of how often the teacher says the true word, :eq:`scheduled-sampling`.

    The rest of the time the model hears what it has written itself, as it will when nobody knows the truth. The three
    schedules are those of Bengio et al. (2015), i being the number of the step.

    Parameters
    ----------
    kind : "constant": k, 1 where k is None. "linear": k - c i, but not below `least`; k is 1 where it is None.
        "exponential": k^i, k below 1. "inverse-sigmoid": k / (k + exp(i / k)), k at least 1.
    k, c : as above.
    least : the smallest share of all, 0 to 1.

    Returns
    -------
    share : function from a step to a number from 0 to 1.

    Raises
    ------
    ValueError
        when the kind is unknown, or a number is missing, left over or out of range.
    """
    if kind not in ("constant", "linear", "exponential", "inverse-sigmoid"):
        raise ValueError(f"kind is {kind!r}; it must be 'constant', 'linear', 'exponential' or 'inverse-sigmoid'")
    if not 0 <= least <= 1:
        raise ValueError(f"least is {least}; it must be a share, 0 to 1")
    if (c is None) == (kind == "linear"):
        raise ValueError(f"c is {c} and kind is {kind!r}; the linear schedule needs c, and no other takes it")
    if c is not None and not c >= 0:
        raise ValueError(f"c is {c}; the share of the teacher falls, so it must be at least 0")
    if k is None and kind in ("exponential", "inverse-sigmoid"):
        raise ValueError(f"the {kind} schedule needs k")
    k = 1.0 if k is None else k
    if kind == "inverse-sigmoid" and not k >= 1:
        raise ValueError(f"k is {k}; the inverse sigmoid needs a number of steps, at least 1")
    if kind != "inverse-sigmoid" and not 0 <= k <= 1:
        raise ValueError(f"k is {k}; it must be a share, 0 to 1")

    def share(step):
        if kind == "constant":
            value = k
        elif kind == "linear":
            value = k - c * step
        elif kind == "exponential":
            value = k**step
        else:
            value = k / (k + math.exp(min(step / k, 700.0)))  # exp(710) is too large for a float
        return max(least, value)

    return share


def exact_match(translator, pairs, batch_size=256):
    """The share of sources whose whole answer is right, symbol for symbol.

    Parameters
    ----------
    translator : `Translator`, or anything with its `answers` and `split`.
    pairs : list of pairs (source, target) that the model has not learnt from.
    batch_size : how many go together; it changes nothing but speed.

    Returns
    -------
    share : number from 0 to 1.

    Raises
    ------
    ValueError
        when there are no pairs.
    """
    return float(np.mean(right(translator, pairs, batch_size)))


def right(translator, pairs, batch_size=256):
    """Which answers are right, symbol for symbol: (n,) bool; the arguments are those of `exact_match`."""
    if not pairs:
        raise ValueError("there are no pairs to measure on")
    answers = translator.answers([source for source, _ in pairs], batch_size)
    split = translator.split
    true = [tokens(target, split) for _, target in pairs]
    return np.array([tokens(answer, split) == target for answer, target in zip(answers, true, strict=True)])


def by_length(translator, pairs, edges, batch_size=256):
    """The share of right answers among sources of similar length.

    Parameters
    ----------
    translator, pairs, batch_size : as in `exact_match`.
    edges : rising numbers; a source of n symbols belongs to the last edge that is at most n. Those before the first
        edge belong nowhere.

    Returns
    -------
    table : list of dicts with "from" (the edge), "n" (how many sources) and "exact" (the share), for every edge that
        has a source.
    """
    good = right(translator, pairs, batch_size)
    groups = defaultdict(list)
    for (source, _), ok in zip(pairs, good, strict=True):
        n = len(tokens(source, translator.split))
        fitting = [edge for edge in edges if edge <= n]
        if fitting:
            groups[fitting[-1]].append(ok)
    return [{"from": edge, "n": len(oks), "exact": float(np.mean(oks))} for edge, oks in sorted(groups.items())]


def validation_loss(model, pairs, translator, batch_size=256):
    """Mean loss in nats a symbol over pairs, with the true words fed: what `sequence_loss` gives, over all of them.

    Parameters
    ----------
    model : `EncoderDecoder`, in evaluation mode.
    pairs, translator, batch_size : as in `exact_match`.

    Returns
    -------
    loss : float.
    """
    total = count = 0
    with torch.no_grad():
        for begin in range(0, len(pairs), batch_size):
            rows = [_encoded(pair, translator) for pair in pairs[begin : begin + batch_size]]
            batch = make_batch(rows, translator)
            symbols = int((batch.target_out != IGNORED).sum())
            total, count = total + float(sequence_loss(model, batch)) * symbols, count + symbols
    return total / count
