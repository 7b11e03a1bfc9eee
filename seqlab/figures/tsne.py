"""The interactive figure of chapter 10: t-SNE that runs in the page, on small sets that show what a map may not say."""

import base64
from functools import lru_cache

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

ARROWS = (("man", "woman"), ("king", "queen"), ("france", "paris"), ("japan", "tokyo"))
MOST = 200  # points: an exact step takes N^2 distances, many times a second


class TsneLive(Figure):
    """t-SNE, :eq:`tsne-gradient` and :eq:`tsne-update`, run by the reader's browser, exactly as the reference does it.

    The reader chooses a set of points, the perplexity and the start, runs, pauses or steps, and compares distances in
    the data with distances on the map. 1,000 steps, the first 250 with early exaggeration 12 and momentum 0.5.

    Parameters
    ----------
    points : (N, D) own points, 5 to 200 of them, shown first; None shows the sets that are made here alone.
    labels : N names of groups, at most 10 different ones: a colour and a mark each; None draws dots.
    words : N words, each drawn in its point's place; None draws marks or dots.
    sets : names of the made sets to offer, in this order: "two", "three", "noise", "rings", "line", "digits", "words";
        None offers all of them.
    perplexity : 2 to 50 at the start; the figure uses at most N - 2 and says so.
    seed : of the random start.

    Raises
    ------
    ValueError
        when a name of a set is unknown, a number is outside its range, or labels or words do not fit the points.
    """

    module = "tsne_live.js"
    label = "t-SNE running in the page"
    how = "Choose a set of points and a perplexity, run, and compare the map with the data."

    def __init__(self, points=None, labels=None, words=None, sets=None, perplexity=20, seed=0):
        names = list(MADE) if sets is None else list(sets)
        for name in names:
            if name not in MADE:
                raise ValueError(f"sets holds {name!r}; it may hold {', '.join(MADE)}")
        if points is None and (labels is not None or words is not None):
            raise ValueError("labels or words came without points; give the points that they belong to")
        own = [] if points is None else [check_own(points, labels, words)]
        if not own and not names:
            raise ValueError("sets is empty and points is None; the figure needs at least one set of points")
        check_number("perplexity", perplexity, 2, 50, whole=True)
        check_number("seed", seed, 0, 2**32 - 1, whole=True)
        super().__init__(
            sets=[pack(**one) for one in own] + [dict(packed(name)) for name in names],
            set=0,
            perplexity=perplexity,
            seed=seed,
            start="random",
            point=-1,
            pair=[0, 1],
        )

    def still(self):
        rows = [(one["title"], one["watch"], one["beware"]) for one in self.state["sets"]]
        told = table(("points", "watch for", "do not read off"), rows, "What t-SNE shows of each set, and what not")
        return f'<div class="told">{told}</div>'


def check_own(points, labels, words):
    """A set of one's own as `pack` takes it, or one sentence saying what is wrong."""
    X = np.asarray(points, dtype=float)
    if X.ndim != 2 or not 5 <= len(X) <= MOST or not X.size:
        raise ValueError(f"points has shape {X.shape}; it must be (N, D) with 5 to {MOST} points")
    if not np.isfinite(X).all():
        raise ValueError("points holds a number that is not finite")
    if not np.ptp(X, axis=0).any():
        raise ValueError("points holds the same point everywhere; t-SNE needs distances")
    for name, given in (("labels", labels), ("words", words)):
        if given is not None and len(given) != len(X):
            raise ValueError(f"{name} holds {len(given)} names; with {len(X)} points it must hold {len(X)}")
    found = {
        "title": "own points",
        "points": X,
        "words": None if words is None else [str(word) for word in words],
        "watch": "which points stay together at several perplexities and seeds.",
        "beware": "the sizes of groups and the distances between them.",
    }
    if labels is None:
        return found
    classes = list(dict.fromkeys(str(one) for one in labels))
    if not 2 <= len(classes) <= 10:
        raise ValueError(f"labels holds {len(classes)} different names; the figure tells 2 to 10 apart")
    ids = [classes.index(str(one)) for one in labels]
    return found | {"labels": ids, "classes": classes, "marks": list("ABCDEFGHIJ"[: len(classes)])}


def pack(*, title, points, watch, beware, order=False, pictures=False, **named):
    """A set as plain values: points as signed bytes, with the plane of their two widest directions beside them."""
    return {
        "title": title,
        "points": to_bytes(points),
        "dims": points.shape[1],
        **dict(zip(("plane", "seen"), plane(points), strict=True)),
        **{name: named.get(name) for name in ("labels", "classes", "marks", "words", "arrows")},
        "order": order,
        "pictures": pictures,
        "watch": watch,
        "beware": beware,
    }


def to_bytes(X):
    """Numbers as signed bytes in base64 and their scale; small whole numbers stay exact."""
    exact = (np.abs(X) <= 127).all() and (np.round(X) == X).all()
    scale = 1.0 if exact else float(f"{np.abs(X).max() / 127:.3g}")
    whole = np.round(X / scale).clip(-127, 127).astype(np.int8)
    return {"bytes": base64.b64encode(whole).decode(), "scale": scale}


def from_bytes(packed, dims):
    """The points (N, dims) that the figure sees."""
    return np.frombuffer(base64.b64decode(packed["bytes"]), np.int8).reshape(-1, dims) * packed["scale"]


def plane(X):
    """The points on their first two principal components, (N, 2) as bytes, and the share of the variance these hold."""
    U, s, Vt = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    sign = np.sign(Vt[range(len(Vt)), np.abs(Vt).argmax(axis=1)])  # a direction has no sign of its own: fix one
    scores = np.zeros((len(X), 2))
    scores[:, : min(2, len(s))] = (U * s * sign)[:, :2]
    return to_bytes(scores), round(float((s[:2] ** 2).sum() / (s**2).sum()), 4)


# ---- the sets that are made here


def two_clusters():
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(50, 10)), 5 * rng.normal(size=(50, 10))])
    X[50:, 0] += 40
    return {
        "title": "two clusters, one of them wide",
        "points": X,
        "labels": [0] * 50 + [1] * 50,
        "classes": ["A", "B"],
        "marks": ["A", "B"],
        "watch": "two clusters of about the same size, though B is five times as wide as A; at 50, with as many "
        "neighbours as a cluster has points, A becomes a ring that the data has not.",
        "beware": "how wide or dense a cluster is: the width of the Gaussian is fitted to each point's surroundings.",
    }


def three_clusters():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(120, 10))
    X[40:80, 0] += 10
    X[80:, 0] += 60
    return {
        "title": "three clusters, C far from both",
        "points": X,
        "labels": np.repeat([0, 1, 2], 40).tolist(),
        "classes": ["A", "B", "C"],
        "marks": ["A", "B", "C"],
        "watch": "three clusters about equally far apart up to perplexity 30, though C lies five times as far from B "
        "as A does; near 40, as many as a cluster has points, something of it shows.",
        "beware": "distances between clusters: the perplexity that would show them is not known beforehand.",
    }


def noise():
    return {
        "title": "pure noise in 50 dimensions",
        "points": np.random.default_rng(3).normal(size=(100, 50)),
        "watch": "clumps at perplexity 2 and 3, though there is nothing but chance; at 30 they are gone. In the data "
        "all points are about equally far from each other, on the map they cannot be.",
        "beware": "clusters seen at one perplexity alone: here there are none.",
    }


def rings():
    turn = 2 * np.pi * np.arange(50) / 50
    flat, upright = np.zeros((2, 50, 3))
    flat[:, 0], flat[:, 1] = np.cos(turn), np.sin(turn)
    upright[:, 0], upright[:, 2] = 1 + np.cos(turn), np.sin(turn)
    return {
        "title": "two linked rings in 3-D",
        "points": np.concatenate([flat, upright]),
        "labels": [0] * 50 + [1] * 50,
        "classes": ["ring A", "ring B"],
        "marks": ["A", "B"],
        "watch": "two whole rings, taken apart, at perplexity 5 to 20; rings cut open, so that they stay linked, at 30 "
        "and more; try several seeds.",
        "beware": "how the rings lie to each other, or that one is open: the plane has no room for two linked rings.",
    }


def line():
    steps = np.random.default_rng(4).normal(size=(100, 20))
    return {
        "title": "one line, a random walk in 20-D",
        "points": steps.cumsum(axis=0),
        "order": True,
        "watch": "pieces at perplexity 2 and 3; one curve at 5 and more, which turns another way at every perplexity.",
        "beware": "where the line bends, where it breaks, and how far one end lies from the other.",
    }


def digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    chosen = np.concatenate([np.flatnonzero(y == digit)[:12] for digit in range(10)])
    return {
        "title": "120 handwritten digits",
        "points": X[chosen],
        "labels": y[chosen].tolist(),
        "classes": [f"digit {digit}" for digit in range(10)],
        "marks": [str(digit) for digit in range(10)],
        "pictures": True,
        "watch": "digits of a kind that stand together, though nobody told t-SNE which is which. Follow one that "
        "stands among others: its picture may tell why.",
        "beware": "which kinds are alike by which lie side by side: that changes from seed to seed.",
    }


def grammar_words():
    from seqlab import data
    from seqlab.embeddings.reference import cooccurrence, ppmi, svd_vectors

    sentences, probabilities = data.kingdom_sentences()
    vocabulary = sorted({word for sentence in sentences for word in sentence})
    index = {word: i for i, word in enumerate(vocabulary)}
    expected = sum(
        p * cooccurrence([index[word] for word in sentence], len(vocabulary), window=6)
        for sentence, p in zip(sentences, probabilities, strict=True)
    )
    features = data.kingdom_words()
    groups = [f.get("kind", f.get("rank")) for f in features.values()]
    classes = list(dict.fromkeys(groups))
    return {
        "title": "32 words of the grammar",
        "points": svd_vectors(ppmi(expected), 60)[[index[word] for word in features]],
        "words": list(features),
        "arrows": [[list(features).index(word) for word in pair] for pair in ARROWS],
        "labels": [classes.index(group) for group in groups],
        "classes": classes,
        "watch": "a king beside his queen, a country beside its capital, occupations together, at perplexity 5 to 15.",
        "beware": "analogies: in the data the arrows from man to woman and from king to queen are one and the same "
        "step, and so are the two from a country to its capital. On the map they are not.",
    }


MADE = {
    "two": two_clusters,
    "three": three_clusters,
    "noise": noise,
    "rings": rings,
    "line": line,
    "digits": digits,
    "words": grammar_words,
}


@lru_cache(maxsize=len(MADE))
def packed(name):
    """A made set as plain values, made once."""
    return pack(**MADE[name]())
