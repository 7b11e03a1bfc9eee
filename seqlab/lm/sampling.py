"""Let a language model speak: draw a word, feed it back, until the end or the limit."""

import contextlib
import math

import numpy as np
import torch

from seqlab.lm import reference
from seqlab.lm.ngram import NGram


def sample(model, prefix, *, rng, temperature=1.0, top_k=None, nucleus=None, eos=None, limit=200, samples=None):
    """Go on from a prefix, word by word, :eq:`temperature` and :eq:`nucleus`.

    Parameters
    ----------
    model : `LanguageModel` or `NGram`. A LanguageModel speaks without dropout, and is left as it was.
    prefix : ids that the model reads first. For an NGram it may be empty: a sequence begins.
    rng : `numpy.random.Generator`, or a seed for one.
    temperature : below 1 makes likely words likelier, above 1 less so. 0 is greedy: always the likeliest word.
    top_k : keep this many words; None keeps all.
    nucleus : of those, keep the fewest that hold this much probability (Holtzman et al. 2020); None keeps all.
    eos : the id that ends a sequence; None goes on to the limit.
    limit : the most ids to draw.
    samples : None for one list; a number for so many, drawn side by side.

    Returns
    -------
    ids : list of int, what was drawn: without the prefix, and with `eos` as the last where the model ended there.
        With `samples`, a list of such lists.

    Raises
    ------
    ValueError
        when the prefix is empty and the model needs one, an id is outside the vocabulary, or a number is out of range.
    """
    rng, B = np.random.default_rng(rng), _check_amount(samples, limit)
    drawn, going = [[] for _ in range(B)], set(range(B))
    with _reader(model, prefix, B) as read:
        words = np.tile(np.array(prefix, dtype=np.int64), (B, 1))
        for _ in range(limit):
            p = filtered(read(words), temperature, top_k, nucleus)
            words = draw(p, rng)[:, None]
            for row in list(going):
                drawn[row].append(int(words[row, 0]))
                if words[row, 0] == eos:
                    going.remove(row)
            if not going:
                break
    return drawn[0] if samples is None else drawn


def filtered(z, temperature=1.0, top_k=None, nucleus=None):
    """The distribution to draw from: (B, V) scores -> (B, V) probabilities."""
    p = reference.temperature(z, temperature)
    if top_k is not None:
        p = reference.top_k(p, top_k)
    if nucleus is not None:
        p = reference.nucleus(p, nucleus)
    return p


def draw(p, rng):
    """One word from each row of probabilities: (B, V) -> (B,). A word of probability 0 is never drawn."""
    below = p.cumsum(axis=1)
    below /= below[:, -1:]
    return (below <= rng.random((len(p), 1))).sum(axis=1)


@contextlib.contextmanager
def _reader(model, prefix, B):
    """A function that reads (B, T) more words and scores the next: (B, V), float64."""
    if isinstance(model, NGram):
        yield _counted(model, prefix, B)
        return
    if len(prefix) == 0:
        raise ValueError("prefix is empty; give a LanguageModel at least one id to read, such as that of '<eos>'")
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield _recurrent(model)
    finally:
        model.train(training)


def _recurrent(model):
    state, device = None, next(model.parameters()).device

    def read(words):
        nonlocal state
        logits, state = model(torch.as_tensor(words, device=device), state)
        return logits[:, -1].double().cpu().numpy()

    return read


def _counted(model, prefix, B):
    strange = [word for word in prefix if not 0 <= word < (model.size or math.inf)]
    if strange:
        raise ValueError(f"prefix holds {strange[0]}; the vocabulary has ids 0 to {model.size - 1}")
    said = [[] for _ in range(B)]

    def read(words):
        for row, new in zip(said, words.tolist(), strict=True):
            row.extend(new)
        with np.errstate(divide="ignore"):  # a word of probability 0 scores -Inf
            return np.log([model.distribution(row) for row in said])

    return read


def _check_amount(samples, limit):
    if limit < 0:
        raise ValueError(f"limit is {limit}; it must be at least 0")
    if samples is not None and samples < 1:
        raise ValueError(f"samples is {samples}; it must be at least 1, or None for one list")
    return samples or 1
