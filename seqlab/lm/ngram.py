"""Count what followed what: n-gram models, with no smoothing, add-k or Kneser-Ney."""

from collections import Counter, defaultdict

import numpy as np

from seqlab.shapes import check_whole

SMOOTHINGS = (None, "add-k", "kneser-ney")
START = -1  # stands in front of every sequence; it is in no vocabulary and is never predicted


class NGram:
    """A model that looks at the last n - 1 words, :eq:`ngram`.

    Every sequence is read with a mark in front, so the model also learns how sequences begin. Where they end is
    learnt from an id for the end, `<eos>`, that the sequences hold themselves.

    Parameters
    ----------
    n : how long the counted sequences of words are; 1 looks at no context at all.
    smoothing : None for the plain ratio of counts (maximum likelihood); "add-k", :eq:`add-k`; or "kneser-ney", in
        its interpolated form, :eq:`kneser-ney` (Kneser and Ney 1995; Chen and Goodman 1999).
    k : what "add-k" adds to every count, above 0. 1 is Laplace's rule.
    discount : what "kneser-ney" takes from every count, above 0 and at most 1.

    Attributes
    ----------
    size : V, once fitted.
    followers : from a context (tuple of at most n - 1 ids) to how often each word followed it. With Kneser-Ney a
        shorter context counts in how many different contexts, one word longer, its word was seen.

    Raises
    ------
    ValueError
        when n, k or discount is out of range, or the smoothing is unknown.
    """

    def __init__(self, n, smoothing="kneser-ney", k=1.0, discount=0.75):
        check_whole("n", n)
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing is {smoothing!r}; it must be None, 'add-k' or 'kneser-ney'")
        if not k > 0:
            raise ValueError(f"k is {k}; it must be above 0 (smoothing=None adds nothing)")
        if not 0 < discount <= 1:
            raise ValueError(f"discount is {discount}; it must be above 0 and at most 1, the smallest count")
        self.n, self.smoothing, self.k, self.discount = n, smoothing, float(k), float(discount)
        self.size, self.followers = None, {}

    def __repr__(self):
        return f"NGram(n={self.n}, smoothing={self.smoothing!r})"

    def fit(self, sequences, size):
        """Count, from nothing: a second fit forgets the first.

        Parameters
        ----------
        sequences : list of sequences of ids, 0 <= id < size. A long text is a list of one sequence.
        size : V, the size of the vocabulary.

        Returns
        -------
        self : so that `NGram(3).fit(sequences, V)` is a model.

        Raises
        ------
        ValueError
            when there is no id at all, or one is outside the vocabulary.
        """
        counts = _count(_checked(sequences, size), self.n)
        if self.smoothing == "kneser-ney":
            counts = _continuations(counts, self.n)
        self.size, self.followers = size, _by_context(counts)
        self._totals = {context: sum(words.values()) for context, words in self.followers.items()}
        return self

    def probability(self, word, context):
        """The probability of one word: `distribution(context)[word]` without the work for the other words.

        Parameters
        ----------
        word : id, 0 <= word < V.
        context : as in `distribution`.

        Returns
        -------
        p : float.

        Raises
        ------
        ValueError
            when the model is not fitted.
        """
        self._check_fitted()
        if self.smoothing != "kneser-ney":
            context = self._window(context)
            return self._smoothed(self.followers.get(context, {}).get(word, 0), self._totals.get(context, 0))
        p = 1 / self.size
        for words, total in self._seen(context):
            p *= self.discount * len(words) / total
            p += max(words.get(word, 0) - self.discount, 0) / total
        return p

    def distribution(self, context):
        """The probability of every word after a context.

        Parameters
        ----------
        context : ids from the beginning of the sequence on; the last n - 1 count. Fewer than n - 1 mean that the
            sequence has just begun.

        Returns
        -------
        p : (V,) probabilities that sum to 1. After a context that was never seen, Kneser-Ney asks a shorter one;
            the other two give every word 1/V, to which add-k goes as k goes to 0.

        Raises
        ------
        ValueError
            when the model is not fitted.
        """
        self._check_fitted()
        if self.smoothing != "kneser-ney":
            context = self._window(context)
            counts = np.zeros(self.size)
            words = self.followers.get(context, {})
            counts[list(words)] = list(words.values())
            return self._smoothed(counts, self._totals.get(context, 0))
        p = np.full(self.size, 1 / self.size)
        for words, total in self._seen(context):
            p *= self.discount * len(words) / total
            p[list(words)] += (np.fromiter(words.values(), float) - self.discount) / total
        return p

    def nll(self, sequences):
        """How badly the model guesses: the summed negative log-likelihood.

        Parameters
        ----------
        sequences : list of sequences of ids.

        Returns
        -------
        nll : in nats; Inf where the model ruled out what came.
        tokens : how many ids were predicted: all of them.

        Raises
        ------
        ValueError
            when the model is not fitted, there is no id at all, or one is outside the vocabulary.
        """
        self._check_fitted()
        n, sequences = self.n, _checked(sequences, self.size)
        likelihoods = np.array(
            [self.probability(ids[t], ids[max(0, t - n + 1) : t]) for ids in sequences for t in range(len(ids))]
        )
        with np.errstate(divide="ignore"):
            return float(-np.log(likelihoods).sum()), len(likelihoods)

    def _smoothed(self, counts, total):
        """The ratio of counts, after k was added to each when the smoothing says so."""
        if self.smoothing == "add-k":
            return (counts + self.k) / (total + self.k * self.size)
        return counts / total if total else counts + 1 / self.size

    def _window(self, context):
        """The last n - 1 ids as a tuple, with the mark of the start where there are fewer."""
        wanted = self.n - 1
        context = tuple(context[-wanted:]) if wanted else ()
        return context if len(context) == wanted else (START, *context)

    def _seen(self, context):
        """What followed the context, from its shortest ending to the longest that was seen."""
        window = self._window(context)
        for length in range(len(window) + 1):
            ending = window[len(window) - length :]
            if ending not in self.followers:
                return
            yield self.followers[ending], self._totals[ending]

    def _check_fitted(self):
        if self.size is None:
            raise ValueError("this NGram has counted nothing yet; call fit(sequences, size) first")


def _count(sequences, n):
    """How often each n words stand in a row; at the start of a sequence, the mark and fewer words."""
    counts = Counter()
    for ids in sequences:
        marked = [START, *ids] if n > 1 else ids
        counts.update(zip(*(marked[i:] for i in range(n)), strict=False))
        counts.update(tuple(marked[:m]) for m in range(2, min(n, len(marked) + 1)))
    return counts


def _continuations(counts, n):
    """Add the shorter rows of words. Each counts after how many different words it was seen."""
    counts = Counter(counts)
    for m in range(n, 1, -1):
        counts.update([row[1:] for row in counts if len(row) == m])
    return counts


def _by_context(counts):
    """From {row: count} to {row without its last word: {last word: count}}."""
    followers = defaultdict(dict)
    for row, count in counts.items():
        followers[row[:-1]][row[-1]] = count
    return dict(followers)


def _checked(sequences, size):
    """The sequences as lists of int, or one sentence saying what is wrong with them."""
    sequences = [np.asarray(ids) for ids in sequences]
    if any(ids.ndim != 1 for ids in sequences):
        raise ValueError("sequences is no list of sequences of ids; put one long text into a list: [ids]")
    filled = [ids for ids in sequences if len(ids)]
    if not filled:
        raise ValueError("the sequences hold no id; an n-gram model needs at least one")
    if not all(np.issubdtype(ids.dtype, np.integer) for ids in filled):
        raise ValueError("the sequences hold something else than integers; encode words first")
    low, high = min(ids.min() for ids in filled), max(ids.max() for ids in filled)
    if low < 0 or high >= size:
        raise ValueError(f"the sequences hold ids from {low} to {high}; the vocabulary has ids 0 to {size - 1}")
    return [ids.tolist() for ids in filled]
