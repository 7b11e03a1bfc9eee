"""The statistics of BLEU for a whole corpus at once, in torch: n-grams become numbers, and counting becomes sorting."""

import torch
import torch.nn.functional as F

from seqlab.kernels import Cost
from seqlab.shapes import check_shape, check_whole


def statistics_of_ids(hypotheses, lengths, references, reference_lengths, max_n=4):
    """What `seqlab.decode.bleu.statistics` makes of lists of words, made of padded ids on any device.

    An n-gram gets a number. The number of its first n - 1 words and its last word are a pair, and equal pairs get
    equal numbers by sorting (`torch.unique`): none grows beyond the number of places, whatever the vocabulary. An
    n-gram together with its sentence is one number as well, and sorting these counts them, :eq:`clipped-precision`.

    Parameters
    ----------
    hypotheses : (N, T) ids, padded at the end with any id.
    lengths : (N,) how many of them are real, 0 to T.
    references : (N, R, U) ids, padded.
    reference_lengths : (N, R), 0 to U; -1 where a sentence has fewer than R references.
    max_n : the longest n-grams.

    Returns
    -------
    table : (N, 2 + 2 max_n) int64: c, r, the clipped matches for n = 1 to max_n, and the totals.

    Raises
    ------
    ValueError
        when a shape does not fit, a length is out of range, or a sentence has no reference.
    """
    N, T = check_shape("hypotheses", hypotheses, ("N", "T")).values()
    R, U = check_shape("references", references, (N, "R", "U")).values()
    check_shape("lengths", lengths, (N,))
    check_shape("reference_lengths", reference_lengths, (N, R))
    _check(lengths, reference_lengths, T, U, max_n)

    if not N:
        return lengths.new_zeros((0, 2 + 2 * max_n))
    # every sentence a row: first the hypotheses, then their references
    width = max(T, U, max_n)
    words = torch.cat([F.pad(hypotheses, (0, width - T)), F.pad(references, (0, width - U)).flatten(0, 1)])
    words = torch.unique(words, return_inverse=True)[1]
    sentence = torch.arange(N, device=words.device)
    sentence = torch.cat([sentence, sentence.repeat_interleave(R)])
    size, row = torch.cat([lengths, reference_lengths.flatten()]), torch.arange(N + N * R, device=words.device)
    gram, matches, totals = words, [], []
    for n in range(1, max_n + 1):
        if n > 1:
            pair = gram[:, :-1] * (words.max() + 1) + words[:, n - 1 :]
            gram = torch.unique(pair, return_inverse=True)[1]
        place = torch.arange(gram.shape[1], device=words.device)
        real = place < (size - n + 1)[:, None]
        most = gram.max() + 1
        found, counts = torch.unique((row[:, None] * most + gram)[real], return_counts=True)
        matches.append(_clipped(found, counts, sentence, most, N))
        totals.append((lengths - n + 1).clamp(min=0))
    return torch.stack([lengths, _closest(lengths, reference_lengths), *matches, *totals], dim=1)


def _clipped(found, counts, sentence, most, N):
    """(N,) clipped matches; found holds row * most + gram, sorted, the rows of the hypotheses first."""
    row, gram = found // most, found % most
    ours = row < N
    keys, which = torch.unique((sentence[row] * most + gram)[~ours], return_inverse=True)
    limit = counts.new_zeros(len(keys) + 1).scatter_reduce_(0, which, counts[~ours], "amax")  # the last one stays 0
    at = torch.searchsorted(keys, found[ours])
    known = torch.cat([keys, keys.new_full((1,), -1)])[at] == found[ours]
    clipped = torch.minimum(counts[ours], limit[at]) * known
    return counts.new_zeros(N).index_add_(0, row[ours], clipped)


def _closest(lengths, reference_lengths):
    """(N,) the reference length nearest to each hypothesis, the shorter of two."""
    far = torch.where(reference_lengths < 0, torch.iinfo(torch.int64).max, (reference_lengths - lengths[:, None]).abs())
    near = far == far.min(dim=1, keepdim=True).values
    return torch.where(near, reference_lengths, torch.iinfo(torch.int64).max).min(dim=1).values


def _check(lengths, reference_lengths, T, U, max_n):
    check_whole("max_n", max_n)
    for name, given, low, high in (
        ("lengths", lengths, 0, T),
        ("reference_lengths", reference_lengths, -1, U),
    ):
        if given.numel() and not (low <= given.min() and given.max() <= high):
            raise ValueError(f"{name} holds {given.min()} to {given.max()}; it must hold {low} to {high}")
    if reference_lengths.numel() and (alone := (reference_lengths < 0).all(dim=1)).any():
        raise ValueError(f"sentence {int(alone.nonzero()[0])} has no reference; its reference_lengths are all -1")


def statistics_cost(N, T, R, U, max_n=4):
    """What any implementation must move: every id once, and the table. There is no arithmetic to speak of.

    Parameters
    ----------
    N, T, R, U, max_n : as in `statistics_of_ids`.

    Returns
    -------
    cost : `seqlab.kernels.Cost`.
    """
    places = N * (T + R * U)
    return Cost(bytes=8 * (places + N * (1 + R) + N * (2 + 2 * max_n)), flops=max_n * places)
