"""The interactive figures of chapters 7 and 9: a window that counts, words in a plane, analogies, bias removed."""

from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number
from seqlab.figures.language import check_words

PERSONS = (
    *("queen", "king", "princess", "prince", "woman", "man"),
    *("girl", "boy", "mother", "father", "daughter", "son"),
)
OCCUPATIONS = ("nurse", "librarian", "teacher", "pilot", "engineer", "smith")
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
        if (words is None) != (vectors is None):
            raise ValueError("words and vectors come together: give both or none")
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


class AnalogyArrow(Figure):
    """An analogy as an arrow: drawn from a to b and carried to c, :eq:`analogy`; the word nearest to its tip answers.

    All is computed with every dimension of the vectors; drawn is the plane through a, b and c.

    Parameters
    ----------
    words : 4 to 40 different words; None takes twelve persons of the made grammar.
    vectors : (V, D) their vectors, whose lengths do not matter; needs `words`. None takes PPMI rows counted in 1,000
        sentences of the grammar, and offers those of expected counts beside them.
    a, b, c : the words of the question "a is to b as c is to ?"; None takes "man", "king", "woman", or the first three
        of `words`.
    exclude : whether a, b and c are left out of the answers.
    method : "add" (3CosAdd) or "multiply" (3CosMul, :eq:`analogy-multiply`).

    Raises
    ------
    ValueError
        when the numbers of words and vectors differ, a word stands twice or is unknown, a vector is 0 or not finite,
        or the method is unknown.
    """

    module = "analogy_arrow.js"
    label = "An analogy as an arrow"
    how = "Choose three words, carry the arrow, then let the input words answer too."

    def __init__(self, words=None, vectors=None, a=None, b=None, c=None, exclude=True, method="add"):
        if (words is None) != (vectors is None):
            raise ValueError("words and vectors come together: give both or none")
        if words is None:
            words, asked = PERSONS, ("man", "king", "woman")
            sets = {
                "drawn": (f"counted in {DRAWN:,} sentences", rows_of(PERSONS)),
                "expected": ("expected counts of the whole grammar", rows_of(PERSONS, drawn=False)),
            }
        else:
            words = check_words(words, least=4, most=40)
            asked, sets = words[:3], {"given": ("as given", check_directions(vectors, words))}
        words = list(words)
        asked = [given or usual for given, usual in zip((a, b, c), asked, strict=True)]
        check_known("the question", asked, words)
        check_choice("method", method, ("add", "multiply"))
        super().__init__(
            words=words,
            sets={name: {"says": says, "vectors": compact(vectors)} for name, (says, vectors) in sets.items()},
            set=next(iter(sets)),
            exclude=bool(exclude),
            method=method,
            carried=1,
            **{name: words.index(word) for name, word in zip("abc", asked, strict=True)},
        )

    def still(self):
        from seqlab.embeddings.reference import analogy

        s, rows = self.state, []
        vectors = np.array(s["sets"][s["set"]]["vectors"])
        for method in ("add", "multiply"):
            for exclude in (True, False):
                found = analogy(vectors, s["a"], s["b"], s["c"], exclude, method, k=3)
                best = [f"{s['words'][i]} {score:.2f}" for i, score in zip(*found, strict=True)]
                rows.append(
                    (method, "no" if exclude else "yes", *best, *[""] * (3 - len(best)))
                )  # of four words one is left to answer
        a, b, c = (s["words"][s[name]] for name in "abc")
        head = ("score", "a, b, c may answer", "best", "second", "third")
        return table(head, rows, f"{a} is to {b} as {c} is to: the best answers and their scores")


class DebiasSteps(Figure):
    """Bias taken out step by step: find its direction, :eq:`bias-direction`, neutralise a word, equalise a pair.

    Drawn is the plane of the bias direction and of the direction in which the rest of the words differs most; the
    numbers beside it, :eq:`neutralize` and :eq:`equalize`, are of the whole vectors.

    Parameters
    ----------
    words : 5 to 30 different words; None takes eight persons and six occupations of the made grammar.
    vectors : (V, D) their vectors, brought to length 1 first; needs `words`. None takes PPMI rows counted in 1,000
        sentences of the grammar, into which a bias was put by hand.
    pairs : pairs of words that define the direction, as ("woman", "man").
    neutral : the words that the reader may neutralise.
    equal : the pairs of words that the reader may equalise. With `words`, these three are needed too.
    method : "pca" or "difference", how the direction is found.

    Raises
    ------
    ValueError
        when the numbers of words and vectors differ, a word stands twice or is unknown, a vector is 0 or not finite,
        the pairs have no direction, a pair to equalise leans to one side alike, or the method is unknown.
    """

    module = "debias_steps.js"
    label = "Bias taken out of word vectors, step by step"
    how = "Walk the steps: the direction of the bias, a word made neutral, a pair made equal; then choose other words."

    def __init__(self, words=None, vectors=None, pairs=None, neutral=None, equal=None, method="pca"):
        from seqlab.embeddings.reference import bias_direction

        given = [words, vectors, pairs, neutral, equal]
        if any(one is None for one in given) and any(one is not None for one in given):
            raise ValueError("words, vectors, pairs, neutral and equal come together: give all of them or none")
        if words is None:
            words, vectors, pairs, neutral, equal = biased()
        words = check_words(words, least=5, most=30)
        vectors = np.array(compact(check_directions(vectors, words)))
        check_choice("method", method, ("pca", "difference"))
        pairs, equal = (check_pairs(name, some, words) for name, some in (("pairs", pairs), ("equal", equal)))
        neutral = [neutral] if isinstance(neutral, str) else [str(word) for word in neutral]
        check_known("neutral", neutral, words)
        check_number("the number of words in neutral", len(neutral), 1, 30, whole=True)
        direction = bias_direction(vectors, np.array(pairs), method)
        for p, q in equal:
            if abs((vectors[p] - vectors[q]) @ direction) < 1e-6:
                raise ValueError(
                    f"{words[p]!r} and {words[q]!r} lean alike; a pair to equalise must differ along the direction"
                )
        super().__init__(
            words=words,
            vectors=vectors.tolist(),
            direction=direction.tolist(),
            second=height(vectors, direction, equal).tolist(),
            pairs=pairs,
            neutral=(ids := [words.index(word) for word in neutral]),
            equal=equal,
            word=int(np.abs(vectors[ids] @ direction).argmax()),  # the one that leans most
            pair=0,
            step=0,
        )

    def still(self):
        from seqlab.embeddings.reference import equalize, neutralize

        s = self.state
        words, vectors, g = s["words"], np.array(s["vectors"]), np.array(s["direction"])
        p, q = s["equal"][0]
        moved = equalize(vectors[p], vectors[q], g)
        rows = []
        for i in s["neutral"]:
            there, v = neutralize(vectors[i], g), vectors[i]
            apart = [np.linalg.norm(v - vectors[j]) for j in (p, q)] + [np.linalg.norm(there - w) for w in moved]
            rows.append((words[i], *(f"{x:.3f}" for x in (v @ g, *apart[:2], there @ g, *apart[2:]))))
        head = (
            "word",
            "along g",
            f"to {words[p]}",
            f"to {words[q]}",
            "along g, neutral",
            *[f"to {words[i]}, equal" for i in (p, q)],
        )
        return table(head, rows, f"Words before and after neutralising, with {words[p]} and {words[q]} equalised")


def check_choice(name, value, allowed):
    """One sentence when a choice is unknown."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; it must be {' or '.join(map(repr, allowed))}")


def check_known(name, words, known):
    """One sentence when a word is not among those of the figure."""
    for word in words:
        if word not in known:
            raise ValueError(f"{name} holds {word!r}, which is not among the words; they are {', '.join(known)}")


def check_pairs(name, pairs, words):
    """Pairs of ids, or one sentence saying what is wrong."""
    pairs = [tuple(pair) for pair in pairs]
    check_number(f"the number of pairs in {name}", len(pairs), 1, 30, whole=True)
    for pair in pairs:
        if len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"{name} holds {pair}; each must be a pair of two different words")
        check_known(name, pair, words)
    return [[words.index(word) for word in pair] for pair in pairs]


def check_vectors(vectors, V, D=None):
    """The vectors (V, D) as floats, or one sentence saying what is wrong."""
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2 or len(vectors) != V or vectors.shape[1] != (D or vectors.shape[1]):
        raise ValueError(f"vectors has shape {vectors.shape}; with {V} words it must be ({V}, {D or 'D'})")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors holds a number that is not finite")
    return vectors


def check_directions(vectors, words):
    """The vectors (V, D) of length 1, or one sentence saying what is wrong."""
    from seqlab.embeddings.reference import unit

    vectors = check_vectors(vectors, len(words))
    for word, vector in zip(words, vectors, strict=True):
        if not vector.any():
            raise ValueError(f"the vector of {word!r} is 0: it has no direction; leave the word out")
    return unit(vectors)


def compact(vectors):
    """The same vectors in as few coordinates as they span: no length and no angle changes."""
    from seqlab.embeddings.reference import svd_vectors

    return np.round(svd_vectors(vectors, min(vectors.shape), power=1), 6).tolist()


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


def height(vectors, direction, equal):
    """The direction in which the rest of the vectors differs most; the pairs to equalise stand on its upper side."""
    from seqlab.embeddings.reference import neutralize

    rest = neutralize(vectors, direction)
    axis = np.linalg.svd(rest - rest.mean(axis=0), full_matrices=False)[2][0]
    return axis if rest[np.ravel(equal)].mean(axis=0) @ axis >= rest.mean(axis=0) @ axis else -axis


def biased():
    """Words, vectors, definitional pairs, neutral words and pairs to equalise of the made grammar."""
    pairs, equal = [("woman", "man"), ("girl", "boy"), ("queen", "king")], [("mother", "father"), ("queen", "king")]
    words = [*dict.fromkeys(word for pair in pairs + equal for word in pair), *OCCUPATIONS]
    return words, rows_of(words), pairs, OCCUPATIONS, equal


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
