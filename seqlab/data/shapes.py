"""Pictures of one to three coloured shapes, and every right caption of each. Drawn here: no licence but the book's."""

from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from seqlab.data.made import _at_least

SHAPE_KINDS = ("circle", "square", "triangle", "cross")
#: From dark to light, far enough apart that the lightness alone tells them apart.
SHAPE_COLOURS = {
    "black": (0.10, 0.10, 0.10),
    "blue": (0.14, 0.30, 0.80),
    "red": (0.90, 0.26, 0.20),
    "green": (0.36, 0.74, 0.34),
    "yellow": (1.00, 0.86, 0.10),
}
BACKGROUND = 0.96
#: Pairs that a model can be kept from seeing: each colour but red and each kind still occurs in other pairs.
UNSEEN_PAIRS = (("black", "circle"), ("green", "square"), ("blue", "triangle"), ("yellow", "cross"))
RADIUS = {"small": (0.095, 0.110), "large": (0.150, 0.170)}  # as shares of the picture's side
GAP = 0.03  # between two shapes, and to the edge
CLEAR = 1.4  # how much farther along one axis than along the other, so that a relation is plain
TILT = 12  # degrees to either side
RELATIONS = {
    "left": (("left", "of"), ("to", "the", "left", "of")),
    "right": (("right", "of"), ("to", "the", "right", "of")),
    "above": (("above",), ("over",)),
    "below": (("below",), ("under",)),
}


class Shape(NamedTuple):
    """One shape of a picture. Lengths are shares of the picture's side; x grows to the right and y downwards."""

    kind: str
    colour: str
    size: str
    x: float
    y: float
    radius: float
    angle: float  # radians


def shapes(n, seed=0, size=32, pairs=None, objects=None):
    """Draw n pictures, and write every right caption of each.

    A picture shows one, two or three shapes: circle, square, triangle or cross; black, blue, red, green or yellow;
    small or large. A caption names them all, and how the first lies to each of the others::

        a red circle                    there is a small red circle
        a red circle above a blue square            a blue square under a red circle
        a red circle above a blue square and to the left of a green cross

    Parameters
    ----------
    n : number of pictures, at least 1.
    seed : the same seed gives the same pictures, and fewer of them are the beginning of more.
    size : S, pixels of a side, at least 16.
    pairs : None for all pairs of colour and kind; "seen" leaves out the four `UNSEEN_PAIRS`; "unseen" has at least one
        of them in every picture.
    objects : 1, 2 or 3 shapes in every picture; None draws the number for each.

    Returns
    -------
    images : (n, S, S, 3) float32, red, green and blue from 0 to 1.
    captions : list of n lists of captions, each a list of words.

    Raises
    ------
    ValueError
        when an argument is out of range.
    """
    scenes = shapes_scenes(n, seed, pairs, objects)
    return shapes_images(scenes, size), [shapes_captions(scene) for scene in scenes]


def shapes_scenes(n, seed=0, pairs=None, objects=None):
    """What stands in each of the n pictures of `shapes`: a list of n tuples of `Shape`; arguments as there."""
    _at_least("n", n, 1)
    if pairs not in (None, "seen", "unseen"):
        raise ValueError(f"pairs is {pairs!r}; it must be None, 'seen' or 'unseen'")
    if objects not in (None, 1, 2, 3):
        raise ValueError(f"objects is {objects!r}; a picture holds 1, 2 or 3 shapes (None draws the number)")
    rng = np.random.default_rng(seed)
    return [_scene(rng, pairs, objects) for _ in range(n)]


def shapes_images(scenes, size=32):
    """Draw pictures with smooth edges.

    A pixel takes a shape's colour by the share of it that the shape covers, read off its distance to the edge.

    Parameters
    ----------
    scenes : list of n tuples of `Shape`.
    size : S, pixels of a side, at least 16.

    Returns
    -------
    images : (n, S, S, 3) float32 from 0 to 1.

    Raises
    ------
    ValueError
        when size is below 16.
    """
    images = np.full((len(scenes), size, size, 3), BACKGROUND, dtype=np.float32)
    covered = shapes_masks(scenes, size)
    for place in range(covered.shape[1]):
        paint = [SHAPE_COLOURS[scene[place].colour] if place < len(scene) else (0, 0, 0) for scene in scenes]
        share = covered[:, place, :, :, None]
        images = images * (1 - share) + share * np.array(paint, dtype=np.float32)[:, None, None]
    return images


def shapes_masks(scenes, size=32):
    """Which share of each pixel belongs to which shape.

    Returns
    -------
    covered : (n, 3, S, S) float32 from 0 to 1, in the order of the scene; zeros where a scene has fewer shapes.
    """
    _at_least("size", size, 16)
    covered = np.zeros((len(scenes), 3, size, size), dtype=np.float32)
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    for kind in SHAPE_KINDS:
        where = [(i, j) for i, scene in enumerate(scenes) for j, shape in enumerate(scene) if shape.kind == kind]
        if not where:
            continue
        n, place = np.array(where).T
        numbers = np.array([scenes[i][j][3:] for i, j in where], dtype=np.float32)
        x, y, r, angle = (column[:, None, None] for column in numbers.T)
        dx, dy = at[None, None, :] - x, at[None, :, None] - y
        u = np.cos(angle) * dx + np.sin(angle) * dy
        v = np.cos(angle) * dy - np.sin(angle) * dx
        covered[n, place] = np.clip(0.5 - size * _outside(kind, u, v, r), 0, 1)
    return covered


def _outside(kind, u, v, r):
    """How far a point lies outside the edge; negative inside."""
    if kind == "circle":
        return np.sqrt(u**2 + v**2) - r
    if kind == "square":
        return np.maximum(abs(u), abs(v)) - 0.88 * r
    if kind == "triangle":  # three half-planes; the corners are 1.25 r from the centre, one of them on top
        lean = np.sqrt(3) / 2 * abs(u) - v / 2
        return np.maximum(lean, v) - 0.625 * r
    across = np.maximum(abs(u) - r, abs(v) - 0.34 * r)
    upright = np.maximum(abs(v) - r, abs(u) - 0.34 * r)
    return np.minimum(across, upright)


def shapes_captions(scene):
    """Every right caption of a picture.

    Parameters
    ----------
    scene : tuple of `Shape`.

    Returns
    -------
    captions : list of lists of words: 4 for one shape, 16 for two, 48 for three.
    """
    found = []
    for opening, sized, style in product((["a"], ["there", "is", "a"]), (False, True), (0, 1)):
        for first, *others in permutations(scene):
            words = opening + _named(first, sized)
            for place, other in enumerate(others):
                joined = ["and"] if place else []
                words = [*words, *joined, *RELATIONS[shapes_relation(first, other)][style], "a", *_named(other, sized)]
            found.append(words)
    return [list(words) for words in dict.fromkeys(map(tuple, found))]


def shapes_relation(one, other):
    """How the first `Shape` lies to the second: "left", "right", "above" or "below", along the longer way."""
    dx, dy = one.x - other.x, one.y - other.y
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "above" if dy < 0 else "below"


def _named(shape, sized):
    return [shape.size, shape.colour, shape.kind] if sized else [shape.colour, shape.kind]


def _scene(rng, pairs, objects):
    many = int(rng.integers(1, 4)) if objects is None else objects
    every = list(product(SHAPE_COLOURS, SHAPE_KINDS))
    seen = [pair for pair in every if pair not in UNSEEN_PAIRS]
    names = seen if pairs == "seen" else every
    chosen = [names[i] for i in rng.choice(len(names), size=many, replace=False)]
    if pairs == "unseen" and not set(chosen) & set(UNSEEN_PAIRS):
        chosen[rng.integers(many)] = UNSEEN_PAIRS[rng.integers(len(UNSEEN_PAIRS))]
    sizes, radii, places = _places(rng, many)
    angles = np.radians(rng.uniform(-TILT, TILT, size=many))
    return tuple(
        Shape(kind, colour, size, float(x), float(y), float(r), float(angle))
        for (colour, kind), size, (x, y), r, angle in zip(chosen, sizes, places, radii, angles, strict=True)
    )


def _places(rng, many, tries=32):
    """Sizes, radii and centres that keep the shapes apart and every relation plain; `tries` draws at a time."""
    low, high = np.array(list(RADIUS.values())).T
    pairs = [(i, j) for i in range(many) for j in range(i)]
    while True:
        size = rng.integers(len(RADIUS), size=(tries, many))
        radius = rng.uniform(low[size], high[size])
        edge = (1.25 * radius + GAP)[:, :, None]  # the corners of a triangle reach farthest
        at = rng.uniform(edge, 1 - edge, size=(tries, many, 2))
        fits = np.ones(tries, dtype=bool)
        for i, j in pairs:
            near, far = np.sort(abs(at[:, i] - at[:, j]), axis=1).T
            apart = 1.15 * (radius[:, i] + radius[:, j]) + GAP
            fits &= (np.hypot(near, far) > apart) & (far > CLEAR * near)
        if fits.any():
            first = fits.argmax()
            return [list(RADIUS)[i] for i in size[first]], radius[first], at[first]
