"""Words become ids, ids become one-hot vectors."""

from collections import Counter

import numpy as np


class Vocabulary:
    """A list of known tokens; a token's id is its place in the list, counted from 0.

    Parameters
    ----------
    tokens : iterable of strings to learn from. A string counts as its characters.
    min_freq : a token seen fewer times than this is left out, so that `<unk>` stands for it.
    specials : tokens that come first whether they occur or not. The defaults are padding, the unknown word
        and the end of a sentence; `<pad>` gets id 0.

    Attributes
    ----------
    tokens : list from id to token: the specials, then the others, the frequent ones first, ties in
        alphabetical order.
    ids : dict from token to id.

    Raises
    ------
    ValueError
        when min_freq is below 1, a special is given twice, or something in `tokens` is not a string.
    """

    def __init__(self, tokens, min_freq=1, specials=("<pad>", "<unk>", "<eos>")):
        if min_freq < 1:
            raise ValueError(f"min_freq is {min_freq}; it must be at least 1, which keeps every token")
        twice = [token for token, times in Counter(specials).items() if times > 1]
        if twice:
            raise ValueError(f"the special token {twice[0]!r} is given twice; name each special once")
        tokens = _strings(tokens)
        counts = Counter(tokens)
        learnt = [token for token, times in counts.items() if times >= min_freq and token not in specials]
        self.tokens = [*specials, *sorted(learnt, key=lambda token: (-counts[token], token))]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self._of_words = any(len(token) > 1 for token in learnt)

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self.ids

    def __repr__(self):
        return f"Vocabulary of {len(self)} tokens: {' '.join(self.tokens[:8])}{' ...' if len(self) > 8 else ''}"

    def encode(self, tokens):
        """Look up the id of each token; one that is not in the vocabulary gets the id of `<unk>`.

        Parameters
        ----------
        tokens : sequence of strings, or a string where the tokens are characters.

        Returns
        -------
        ids : list of int, one per token.

        Raises
        ------
        ValueError
            when a token is unknown and there is no `<unk>`, a token is not a string, or a whole string meets a
            vocabulary of words.
        """
        tokens = self._known_or_unk(tokens)
        unknown = self.ids.get("<unk>")
        return [self.ids.get(token, unknown) for token in tokens]

    def _known_or_unk(self, tokens):
        """The tokens as a list, each of which has an id, or one sentence saying which has none."""
        if isinstance(tokens, str) and self._of_words:
            raise ValueError(f"encode got the string {tokens[:20]!r}; a vocabulary of words needs a list: text.split()")
        tokens = _strings(tokens)
        strange = next((token for token in tokens if token not in self), None)
        if strange is not None and "<unk>" not in self:
            raise ValueError(f"{strange!r} is not in the vocabulary, and there is no '<unk>' to stand for it")
        return tokens

    def decode(self, ids):
        """Give back the token of each id.

        Parameters
        ----------
        ids : sequence of int, 0 <= id < len(self).

        Returns
        -------
        tokens : list of strings.

        Raises
        ------
        ValueError
            when an id is outside the vocabulary (a negative one, too).
        """
        ids = _integers("ids", ids)
        _check_range(ids, len(self))
        return [self.tokens[i] for i in ids.ravel()]


def one_hot(ids, size):
    """Turn each id into a column of zeros with a single one, :eq:`one-hot`.

    Parameters
    ----------
    ids : integers of any shape, 0 <= id < size.
    size : the length of a vector, usually the size of the vocabulary.

    Returns
    -------
    x : float64 array of shape ids.shape + (size,).

    Raises
    ------
    ValueError
        when an id is no integer or outside the vocabulary.
    """
    ids = _integers("ids", ids)
    _check_range(ids, size)
    x = np.zeros((*ids.shape, size))
    np.put_along_axis(x, ids[..., None], 1.0, axis=-1)
    return x


def _strings(tokens):
    """The tokens as a list, or one sentence saying which is not a string."""
    tokens = list(tokens)
    for place, token in enumerate(tokens):
        if not isinstance(token, str):
            kind = type(token).__name__
            raise ValueError(f"token {place} is of type {kind}, not a string; give one flat sequence of strings")
    return tokens


def _integers(name, values):
    """An int64 array, or one sentence saying what else it was."""
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} has dtype {array.dtype}; it must hold integers")
    return array.astype(np.int64)


def _check_range(ids, size):
    if ids.size and (ids.min() < 0 or ids.max() >= size):
        raise ValueError(f"ids run from {ids.min()} to {ids.max()}; the vocabulary has ids 0 to {size - 1}")
