"""From sentences to what a training step takes: ids, thinned-out text, windows of random reach, words of noise.

Everything that is drawn for a piece of the text depends on the seed, the epoch and the number of the piece alone, so
that a run can begin again at any piece.
"""

from typing import NamedTuple

import numpy as np
import torch

from seqlab.embeddings.reference import alias_table, keep_probability, noise_distribution

TRIES = 100  # to replace a word of noise that is the true one; where the vocabulary is the window, nothing else is left


class Corpus(NamedTuple):
    """A text as ids: words by falling count, the first seen first where counts agree.

    words : V words; counts : (V,); ids : (N,) of the words that are frequent enough; sentence : (N,) the number of the
    sentence that each stands in.
    """

    words: list
    counts: np.ndarray
    ids: np.ndarray
    sentence: np.ndarray


def read_corpus(sentences, min_count):
    """Count the words of sentences and write them as ids.

    Parameters
    ----------
    sentences : lists of words; they are gone through once.
    min_count : rarer words are left out, as if they had not been written.

    Returns
    -------
    corpus : `Corpus`.

    Raises
    ------
    ValueError
        when there is no word, a sentence is a string or no list, a word is no string, no word is frequent enough,
        or no two of those stand in the same sentence.
    """
    seen, flat, lengths = {}, [], []
    for number, sentence in enumerate(sentences):
        if isinstance(sentence, str) or not hasattr(sentence, "__iter__"):
            raise ValueError(
                f"sentence {number} is a {type(sentence).__name__}; it must be a list of words, such as ['a', 'king']"
            )
        before = len(flat)
        flat += [seen.setdefault(word, len(seen)) for word in sentence]
        lengths.append(len(flat) - before)
    if not flat:
        raise ValueError("sentences hold no word; they must be lists of words, and at least one")
    for word in seen:
        if not isinstance(word, str):
            raise ValueError(f"sentences hold {word!r}, a {type(word).__name__}; words must be strings")
    ids = np.array(flat)
    counts = np.bincount(ids)
    order = np.argsort(-counts, kind="stable")
    size = int((counts >= min_count).sum())
    if not size:
        raise ValueError(
            f"no word is seen {min_count} times, the commonest {counts.max()} times: lower min_count (now {min_count})"
        )
    rank = np.empty(len(seen), dtype=np.int32)
    rank[order] = np.arange(len(seen))
    ids, sentence = rank[ids], np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    words = list(seen)
    stay = ids < size
    if not (np.diff(sentence[stay]) == 0).any():
        raise ValueError("no two words stand in the same sentence: give longer sentences, or lower min_count")
    return Corpus([words[i] for i in order[:size]], counts[order[:size]], ids[stay], sentence[stay])


def cuts(sentence, size):
    """Where to cut a text into pieces of about `size` words: at the end of a sentence, where one is near.

    Parameters
    ----------
    sentence : (N,) number of the sentence that each word stands in, rising.
    size : words of a piece.

    Returns
    -------
    bounds : the pieces are bounds[0] to bounds[1], bounds[1] to bounds[2], and so on; the first is 0, the last N.
    """
    N = len(sentence)
    ends = np.append(np.flatnonzero(np.diff(sentence)) + 1, N)
    wanted = np.arange(size, N, size)
    near = ends[np.searchsorted(ends, wanted)]
    return np.unique(np.concatenate([[0], np.where(near - wanted < size, near, wanted), [N]]))


def generator(device, *numbers):
    """Random numbers of their own for each row of numbers (seed, epoch, piece)."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


class Draws:
    """What is drawn at random while reading a text: which words stay, how far windows reach, words of noise."""

    def __init__(self, counts, window, t, power, device):
        self.window, self.device = window, device
        keep = np.ones(len(counts)) if not t else keep_probability(counts, t)
        threshold, alias = alias_table(noise_distribution(counts, power))
        self.keep, self.threshold = (torch.tensor(p, dtype=torch.float32, device=device) for p in (keep, threshold))
        self.alias = torch.tensor(alias, device=device)
        share, noise = counts * keep / (counts * keep).sum(), noise_distribution(counts, power)
        self.share, self.noise = share, noise

    def thinned(self, ids, sentence, random):
        """The words that stay, (n,) ids and sentences, and how far each one's window reaches, 1 to `window`."""
        ids, sentence = (torch.from_numpy(part).to(self.device).long() for part in (ids, sentence))
        stay = torch.rand(len(ids), generator=random, device=self.device) < self.keep[ids]
        ids, sentence = ids[stay], sentence[stay]
        return ids, sentence, torch.randint(1, self.window + 1, ids.shape, generator=random, device=self.device)

    def words(self, shape, random):
        """Words of noise by the alias method."""
        column = torch.randint(len(self.alias), shape, generator=random, device=self.device)
        own = torch.rand(shape, generator=random, device=self.device) < self.threshold[column]
        return torch.where(own, column, self.alias[column])

    def words_beside(self, true, number, random):
        """(W, number) words of noise, none of which is one of the window's true words (W, C) while others exist."""
        words = self.words((len(true), number), random)
        for _ in range(TRIES):
            window, place = torch.nonzero((words[:, :, None] == true[:, None]).any(2), as_tuple=True)
            if not len(window):
                break
            words[window, place] = self.words((len(window),), random)
        return words


def windows(ids, sentence, reach, window):
    """(n, 2 window) ids around each word, -1 beyond its reach and its sentence."""
    n = len(ids)
    offsets = torch.cat([torch.arange(-window, 0), torch.arange(1, window + 1)]).to(ids.device)
    place = torch.arange(n, device=ids.device)[:, None] + offsets
    inside = place.clamp(0, max(n - 1, 0))
    near = (offsets.abs() <= reach[:, None]) & (place == inside) & (sentence[inside] == sentence[:, None])
    return torch.where(near, ids[inside], -1)


class Blocks(NamedTuple):
    """G blocks of S words that follow each other, with `window` more words to each side: P = S + 2 window.

    centre : (G, S) ids; around : (G, P) ids; near : (G, S, P) 1 where a word stands in a centre's window. Places
    beyond the text's end hold word 0 and are near nothing.
    """

    centre: torch.Tensor
    around: torch.Tensor
    near: torch.Tensor


def blocks(ids, sentence, reach, window, S):
    """Cut a text into `Blocks` of S centres; each pair of a centre and a word near it is in exactly one of them."""
    n, P = len(ids), S + 2 * window
    G = max(1, -(-n // S))
    after = G * S - n

    def padded(row, value, sides):
        return torch.nn.functional.pad(row, (sides, sides + after), value=value)

    around, sentences = (padded(row, value, window).unfold(0, P, S) for row, value in ((ids, 0), (sentence, -1)))
    centre, sentence = around[:, window : window + S], sentences[:, window : window + S]
    place = torch.arange(P, device=ids.device) - torch.arange(S, device=ids.device)[:, None] - window
    near = (place.abs() <= padded(reach, 0, 0).view(G, S, 1)) & (place != 0)
    near &= (sentence[:, :, None] == sentences[:, None]) & (sentence >= 0)[:, :, None]
    return Blocks(centre.contiguous(), around.contiguous(), near.float())
