"""The interactive figures of chapter 8: the exponent of the noise distribution, and a Huffman tree step by step."""

from collections import Counter
from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number
from seqlab.figures.language import check_words

SENTENCES = 2000  # of the grammar, for the noise
WINDOW = "the queen wears a crown"
LEAVES = ("the", "a", "is", "woman", "queen", "king", "mother", "paris", "crown", "sushi")
ROWS = 12


class NoiseExponent(Figure):
    """The noise of negative sampling, :eq:`noise`: f(w)^power / sum, from all words alike (0) to the text itself (1).

    The reader moves the exponent and draws k negatives for the pairs of a window. As in training, a draw that is the
    true neighbour is drawn again, and a word that comes twice counts twice.

    Parameters
    ----------
    words : the vocabulary, 2 to 2,000 different words; None takes the 125 words of 2,000 sentences of
        `seqlab.data.kingdom`.
    counts : (V,) how often each word occurs, whole numbers from 1 on; None, without `words`, takes those of the same
        sentences.
    power : the exponent at the start, 0 to 1.
    window : a string or a list of 3 to 9 words, an odd number of them, each in the vocabulary; the middle one is the
        centre. None takes a sentence of the grammar, or no window where `words` are given.

    Raises
    ------
    ValueError
        when words and counts do not fit each other, a count is below 1, a word of the window is not in the
        vocabulary, or the exponent is outside 0 to 1.
    """

    module = "noise_exponent.js"
    label = "The exponent of the noise distribution"
    how = "Move the exponent, see which words gain and which lose, and draw negatives."

    def __init__(self, words=None, counts=None, power=0.75, window=None):
        words, counts, made = check_counts(words, counts, made=counted, most=2000)
        check_number("power", power, 0, 1)
        sentence = check_window(WINDOW if made and window is None else window or [], words)
        rows = spaced(counts, ROWS)
        super().__init__(
            words=words,
            counts=counts.tolist(),
            rows=rows,
            window={"sentence": sentence, "centre": len(sentence) // 2},
            power=power,
            k=5,
            seed=0,
            rounds=0,
        )

    def still(self):
        from seqlab.embeddings.reference import noise_distribution

        words, counts, power = self.state["words"], np.array(self.state["counts"], float), self.state["power"]
        f = counts / counts.sum()
        powers = sorted({0, 0.75, 1, power})
        noise = [noise_distribution(counts, a) for a in powers]
        ratio = noise[powers.index(power)]
        rows = [
            (words[i], *(f"{100 * p[i]:.2f} %" for p in noise), f"{ratio[i] / f[i]:.2f}") for i in self.state["rows"]
        ]
        head = ("word", *(f"exponent {a:g}" for a in powers), f"{power:g} against the text")
        return table(head, rows, "How often a word is drawn as a negative")


class HuffmanSteps(Figure):
    """A Huffman tree for :eq:`hierarchical-softmax`, built merge by merge; then the path and the code of each word.

    Parameters
    ----------
    words : 2 to 16 different words; None takes ten of the grammar `seqlab.data.kingdom`.
    counts : (V,) how often each word occurs, whole numbers from 1 on; None, without `words`, takes the counts of
        400 sentences of the grammar.

    Raises
    ------
    ValueError
        when words and counts do not fit each other, or a count is below 1.
    """

    module = "huffman_steps.js"
    label = "A Huffman tree, built merge by merge"
    how = "Step through the merges until one tree is left; then choose a word and follow its path from the root."

    def __init__(self, words=None, counts=None):
        words, counts, _ = check_counts(words, counts, made=leaves, most=16)
        frequent = int(np.argmax(counts))
        word = words.index("queen") if "queen" in words else frequent
        super().__init__(words=words, counts=counts.tolist(), step=0, word=word)

    def still(self):
        from seqlab.embeddings.reference import huffman

        words, counts = self.state["words"], np.array(self.state["counts"])
        tree = huffman(counts)
        order = sorted(range(len(words)), key=lambda i: (-counts[i], i))
        codes = ["".join(map(str, bits[:n])) for bits, n in zip(tree.bits, tree.lengths, strict=True)]
        rows = [(words[i], counts[i], codes[i], tree.lengths[i]) for i in order]
        p = counts / counts.sum()
        mean, entropy = p @ tree.lengths, -(p @ np.log2(p))
        caption = (
            f"The code of each word: {mean:.2f} bits on average, where the entropy is {entropy:.2f} "
            f"and log2 V is {np.log2(len(words)):.2f}"
        )
        return table(("word", "count", "code", "length"), rows, caption)


def check_counts(words, counts, made, most):
    """Words, their counts, and whether they are the made ones; or one sentence saying what is wrong."""
    if words is None and counts is not None:
        raise ValueError("counts came without words; say which word each of them belongs to")
    if words is not None and counts is None:
        raise ValueError("words came without counts; say how often each of them occurs")
    own = words is None
    if own:
        words, counts = made()
    words = check_words(words, most=most)
    counts = np.asarray(counts)
    if counts.shape != (len(words),):
        raise ValueError(f"counts has shape {counts.shape}; with {len(words)} words it must have ({len(words)},)")
    if counts.dtype.kind not in "iuf" or not (np.isfinite(counts).all() and (counts == np.round(counts)).all()):
        raise ValueError("counts holds something that is not a whole number; count how often each word occurs")
    if counts.min() < 1:
        raise ValueError(f"counts holds {counts.min():g}; each must be at least 1; leave out words that never occur")
    return words, counts.astype(int), own


def check_window(window, words):
    """The words of a window, or one sentence saying what is wrong."""
    window = window.split() if isinstance(window, str) else [str(word) for word in window]
    if not window:
        return window
    if len(window) % 2 == 0 or not 3 <= len(window) <= 9:
        raise ValueError(f"window holds {len(window)} words; it must hold 3, 5, 7 or 9, with the centre in the middle")
    for word in window:
        if word not in words:
            raise ValueError(f"window holds {word!r}, which is not in the vocabulary; add it to words")
    return window


def spaced(counts, most):
    """Ids of at most `most` words from the most frequent to the rarest, their ranks in even ratios."""
    order = np.argsort(-counts, kind="stable")
    if len(order) <= most:
        return order.tolist()
    ranks = np.round(np.geomspace(1, len(order), most)).astype(int)
    for i in range(1, most):  # the first few ratios are below one rank
        ranks[i] = max(ranks[i], ranks[i - 1] + 1)
    return order[ranks - 1].tolist()


@lru_cache(maxsize=1)
def counted():
    """The words of the grammar's sentences, the most frequent first, and how often each occurs."""
    from seqlab import data

    found = Counter(word for sentence in data.kingdom(SENTENCES) for word in sentence).most_common()
    return tuple(zip(*found, strict=True))


@lru_cache(maxsize=1)
def leaves():
    """Ten words of the grammar and how often each occurs in 400 of its sentences."""
    from seqlab import data

    found = Counter(word for sentence in data.kingdom(400) for word in sentence)
    return LEAVES, tuple(found[word] for word in LEAVES)
