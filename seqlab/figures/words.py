"""The interactive figures of chapters 7 and 9: a window that counts, words in the plane, analogies, and bias removed."""

from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number
from seqlab.figures.language import check_words

PERSONS = (
    *("queen", "king", "princess", "prince", "woman", "man"),
    *("girl", "boy", "mother", "father", "daughter", "son"),
)
SENTENCES = ("the king rules the land", "the queen rules the land", "the dog sleeps in the house")


DRAWN = 1000  # sentences of the grammar behind the vectors: few enough that chance shows


class CooccurrenceWindow(Figure):
    """A window slides over a text and fills the co-occurrence matrix, :eq:`cooccurrence`, shown as it is or as PPMI.

    Every pair of a centre and a word inside its window adds to one cell: 1, or 1/distance. The reader steps pair by
    pair or word by word, types a text of her own, and reads how the PMI of a cell is computed, :eq:`ppmi`.

    Parameters
    ----------
    sentences : up to 8 sentences, strings or lists of words, over whose ends no window reaches; 2 to 16 different words
        and at most 60 in all. None takes three short ones about a king, a queen and a dog.
    window : how many words to each side, 1 to 6.
    weighting : "flat" (every pair counts 1) or "harmonic" (1/distance).
    show : "counts" or "ppmi".

    Raises
    ------
    ValueError
        when the text does not fit the figure or a choice is unknown.
    """

    module = "cooccurrence_window.js"
    label = "A window slides over a text and fills the co-occurrence matrix"
    how = "Step through the text pair by pair, change the window, then type a text of your own."

    def __init__(self, sentences=None, window=2, weighting="flat", show="counts"):
        sentences = check_sentences(SENTENCES if sentences is None else sentences)
        check_number("window", window, 1, 6, whole=True)
        check_choice("weighting", weighting, ("flat", "harmonic"))
        check_choice("show", show, ("counts", "ppmi"))
        super().__init__(
            sentences=sentences,
            text=". ".join(" ".join(words) for words in sentences),
            window=window,
            weighting=weighting,
            show=show,
            step=0,
            cell=None,
        )

    def still(self):
        from seqlab.embeddings.reference import cooccurrence, ppmi

        s = self.state
        words = list(dict.fromkeys(word for sentence in s["sentences"] for word in sentence))
        ids = [np.array([words.index(word) for word in sentence]) for sentence in s["sentences"]]
        X = cooccurrence(ids, len(words), s["window"], s["weighting"])
        X = np.asarray((ppmi(X) if s["show"] == "ppmi" else X).todense())
        rows = [(word, *(f"{x:.2f}".rstrip("0").rstrip(".") for x in row)) for word, row in zip(words, X, strict=True)]
        name = "PPMI" if s["show"] == "ppmi" else "How often each pair of words stands"
        return table(("word", *words), rows, f"{name} within {s['window']} words")


class WordMap(Figure):
    """Words as points in the plane: the reader drags one and watches its neighbours and cosines, :eq:`cosine`.

    Parameters
    ----------
    words : 3 to 24 different words; None takes twelve persons of the made grammar, each placed by how female and how
        royal it is counted to be.
    vectors : (V, 2) where each word stands; needs `words`.
    chosen : the word that is held at the start; None takes the first.
    axes : what grows to the right and upwards, two short texts; "" for no text.

    Raises
    ------
    ValueError
        when the numbers of words and vectors differ, a word stands twice, or a vector is not finite.
    """

    module = "word_map.js"
    label = "Words in the plane, their neighbours and cosines"
    how = "Drag a word, by mouse, finger or arrow keys, and watch which words point its way."

    def __init__(self, words=None, vectors=None, chosen=None, axes=("", "")):
        if words is None and vectors is not None:
            raise ValueError("vectors came without words; say which word each of them belongs to")
        if words is None:
            words, vectors, axes = PERSONS, gender_and_rank(), ("more female", "more royal")
        words = check_words(words, least=3, most=24)
        vectors = check_vectors(vectors, len(words), 2)
        chosen = words[0] if chosen is None else chosen
        check_known("chosen", [chosen], words)
        start = np.round(vectors, 4).tolist()
        longest = np.linalg.norm(vectors, axis=1).max() or 1.0
        super().__init__(
            words=words,
            vectors=start,
            start=start,
            limit=float(f"{1.2 * longest:.2g}"),
            axes=[str(text) for text in axes],
            chosen=words.index(chosen),
        )

    def still(self):
        from seqlab.embeddings.reference import nearest

        words, vectors = self.state["words"], np.array(self.state["start"])
        rows = []
        for i, word in enumerate(words):
            ids, cosines = nearest(vectors, vectors[i], k=3, exclude=[i])
            near = [f"{words[j]} {cosine:.2f}" for j, cosine in zip(ids, cosines, strict=True)]
            rows.append((word, *(f"{x:.2f}" for x in vectors[i]), *near, *[""] * (3 - len(near))))
        head = ("word", "x", "y", "nearest", "second", "third")
        return table(head, rows, "Where each word stands, and the words whose direction is nearest, with the cosine")


def check_choice(name, value, allowed):
    """One sentence when a choice is unknown."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; it must be {' or '.join(map(repr, allowed))}")


def check_known(name, words, known):
    """One sentence when a word is not among those of the figure."""
    for word in words:
        if word not in known:
            raise ValueError(f"{name} holds {word!r}, which is not among the words; they are {', '.join(known)}")


def check_vectors(vectors, V, D=None):
    """The vectors (V, D) as floats, or one sentence saying what is wrong."""
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2 or len(vectors) != V or vectors.shape[1] != (D or vectors.shape[1]):
        raise ValueError(f"vectors has shape {vectors.shape}; with {V} words it must be ({V}, {D or 'D'})")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors holds a number that is not finite")
    return vectors


def check_sentences(sentences):
    """Lists of words that fit the figure, or one sentence saying what is wrong."""
    if isinstance(sentences, str):
        raise ValueError("sentences is one string; it must be a list of sentences, strings or lists of words")
    sentences = [s.split() if isinstance(s, str) else [str(word) for word in s] for s in sentences]
    check_number("the number of sentences", len(sentences), 1, 8, whole=True)
    words = [word for sentence in sentences for word in sentence]
    if not any(len(sentence) > 1 for sentence in sentences):
        raise ValueError("no sentence has two words; a pair needs two")
    if len(words) > 60 or not 2 <= len(set(words)) <= 16:
        raise ValueError(
            f"sentences holds {len(words)} words, {len(set(words))} of them different; the figure shows at most 60, "
            "2 to 16 of them different"
        )
    return [sentence for sentence in sentences if sentence]


@lru_cache(maxsize=2)
def counted(drawn=True):
    """Words of the grammar and their unit PPMI rows: counted in drawn sentences, or in all, each as often as expected.

    Returns
    -------
    words : the V words, in the order of their first coming.
    vectors : (V, V) rows of length 1.
    """
    from seqlab import data
    from seqlab.embeddings.reference import cooccurrence, ppmi, unit

    if drawn:
        sentences = data.kingdom(DRAWN, seed=1)
    else:
        sentences, shares = data.kingdom_sentences()
    words = tuple(dict.fromkeys(word for sentence in sentences for word in sentence))
    ids = {word: i for i, word in enumerate(words)}
    numbers = [np.array([ids[word] for word in sentence]) for sentence in sentences]
    if drawn:
        X = cooccurrence(numbers, len(words), window=5)
    else:
        X = sum(share * cooccurrence(one, len(words), window=5) for one, share in zip(numbers, shares, strict=True))
    return words, unit(ppmi(X).toarray())


def rows_of(wanted, drawn=True):
    """The unit rows (n, V) of some words."""
    words, vectors = counted(drawn)
    return vectors[[words.index(word) for word in wanted]]


def gender_and_rank():
    """Two numbers for each of `PERSONS`: how female it is counted to be, and how much more royal than common."""
    from seqlab.embeddings.reference import bias_direction, neutralize, unit

    rows = rows_of(PERSONS)
    gender = bias_direction(rows, np.arange(len(PERSONS)).reshape(-1, 2), method="difference")
    rank = unit(neutralize(rows[:4].mean(axis=0) - rows[4:8].mean(axis=0), gender))
    return rows @ np.stack([gender, rank], axis=1)
