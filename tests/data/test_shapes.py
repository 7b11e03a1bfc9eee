import numpy as np
import pytest

from seqlab import data
from seqlab.data import SHAPE_COLOURS, SHAPE_KINDS, UNSEEN_PAIRS

SYNONYMS = {"to the left of": "<", "left of": "<", "to the right of": ">", "right of": ">"}
SYNONYMS |= {"above": "^", "over": "^", "below": "v", "under": "v"}


def read(words):
    """What a caption claims: its shapes as (size or None, colour, kind), and the relations of the first to the rest."""
    text = " ".join(words).removeprefix("there is ")
    for phrase, sign in SYNONYMS.items():
        text = text.replace(f" {phrase} ", f" {sign} ")
    text = text.replace(" and ", " ")
    things, signs = [], []
    for word in text.split():
        if word == "a":
            things.append([])
        elif word in "<>^v":
            signs.append(word)
        else:
            things[-1].append(word)
    return [(thing[0] if len(thing) == 3 else None, *thing[-2:]) for thing in things], signs


def find(thing, scene):
    size, colour, kind = thing
    return [i for i, s in enumerate(scene) if (s.colour, s.kind) == (colour, kind) and size in (None, s.size)]


def lies(sign, one, other):
    """Whether a claimed relation is plainly true: farther along that axis, and in that direction."""
    dx, dy = other.x - one.x, other.y - one.y
    along, across = {"<": (dx, dy), ">": (-dx, dy), "^": (dy, dx), "v": (-dy, dx)}[sign]
    return along > 1.3 * abs(across)


@pytest.mark.parametrize(("objects", "many"), [(1, 4), (2, 16), (3, 48)])
def test_every_caption_is_true_and_names_every_shape_once(objects, many):
    for scene in data.shapes_scenes(60, seed=objects, objects=objects):
        captions = data.shapes_captions(scene)
        assert len(captions) == len(set(map(tuple, captions))) == many
        for words in captions:
            things, signs = read(words)
            places = [find(thing, scene) for thing in things]
            assert all(len(found) == 1 for found in places)
            assert sorted(found[0] for found in places) == list(range(objects))
            first, *others = (scene[found[0]] for found in places)
            assert len(signs) == len(others)
            assert all(lies(sign, first, other) for sign, other in zip(signs, others, strict=True))


def test_both_orders_of_a_relation_are_right_captions():
    red = data.shapes_scenes(1, seed=0, objects=1)[0][0]._replace(
        kind="circle", colour="red", size="large", x=0.5, y=0.2
    )
    blue = red._replace(kind="square", colour="blue", size="small", x=0.45, y=0.8)
    captions = [" ".join(words) for words in data.shapes_captions((blue, red))]
    assert "a red circle above a blue square" in captions
    assert "there is a small blue square under a large red circle" in captions
    assert "a blue square above a red circle" not in captions


def test_a_picture_is_paper_where_no_shape_is_and_the_colour_of_a_shape_inside_it():
    scenes = data.shapes_scenes(50, seed=4)
    images, masks = data.shapes_images(scenes), data.shapes_masks(scenes)
    assert images.shape == (50, 32, 32, 3)
    assert images.dtype == np.float32
    for image, covered, scene in zip(images, masks, scenes, strict=True):
        assert np.allclose(image[covered.sum(0) == 0], 0.96)
        for mask, shape in zip(covered, scene, strict=False):
            assert np.allclose(image[mask == 1], SHAPE_COLOURS[shape.colour], atol=1e-6)
            rows, columns = np.nonzero(mask > 0.5)
            assert abs((columns.mean() + 0.5) / 32 - shape.x) < 0.03
            assert abs((rows.mean() + 0.5) / 32 - shape.y) < 0.04
        assert covered[len(scene) :].sum() == 0
        assert covered.sum(0).max() <= 1, "two shapes overlap"


@pytest.mark.parametrize(("kind", "area"), [("circle", np.pi), ("square", 1.76**2), ("cross", 4 * 0.68 - 0.68**2)])
def test_a_shape_covers_its_area_whatever_the_number_of_pixels(kind, area):
    shape = data.shapes_scenes(1, seed=1, objects=1)[0][0]._replace(kind=kind, x=0.5, y=0.5, radius=0.2)
    for size in (16, 33, 200):
        covered = data.shapes_masks([(shape,)], size).sum() / size**2
        assert covered == pytest.approx(area * 0.2**2, rel=0.08 if size < 100 else 0.01)


def test_a_triangle_points_upwards():
    shape = data.shapes_scenes(1, seed=1, objects=1)[0][0]._replace(kind="triangle", x=0.5, y=0.5, radius=0.2, angle=0)
    rows = data.shapes_masks([(shape,)], 100)[0, 0].sum(axis=1)
    wide = np.nonzero(rows)[0]
    assert rows[wide[3]] < rows[wide[-3]] / 3


def test_the_first_pictures_do_not_depend_on_how_many_are_drawn():
    few, many = data.shapes_scenes(5, seed=7), data.shapes_scenes(20, seed=7)
    assert many[:5] == few
    assert data.shapes_scenes(5, seed=8) != few
    assert np.array_equal(data.shapes(5, seed=7)[0], data.shapes(20, seed=7)[0][:5])


def test_pairs_of_colour_and_kind_are_kept_apart():
    def pairs(scene):
        return {(shape.colour, shape.kind) for shape in scene}

    seen, unseen = data.shapes_scenes(300, pairs="seen"), data.shapes_scenes(300, pairs="unseen")
    assert not any(pairs(scene) & set(UNSEEN_PAIRS) for scene in seen)
    assert all(pairs(scene) & set(UNSEEN_PAIRS) for scene in unseen)
    every = set().union(*map(pairs, seen))
    assert len(every) == len(SHAPE_COLOURS) * len(SHAPE_KINDS) - len(UNSEEN_PAIRS)
    for colour, kind in UNSEEN_PAIRS:
        assert any(c == colour for c, _ in every)
        assert any(k == kind for _, k in every)
    assert set().union(*map(pairs, unseen)) > set(UNSEEN_PAIRS)


def test_the_colours_differ_in_lightness():
    def lightness(rgb):
        c = np.array(rgb)
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return 116 * (linear @ [0.2126, 0.7152, 0.0722]) ** (1 / 3) - 16

    levels = [lightness(rgb) for rgb in SHAPE_COLOURS.values()] + [lightness((0.96, 0.96, 0.96))]
    assert min(np.diff(levels)) > 8


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 1, "size": 8}, "size is 8; it must be at least 16"),
        ({"n": 1, "pairs": "rare"}, "pairs is 'rare'; it must be None, 'seen' or 'unseen'"),
        ({"n": 1, "objects": 4}, "objects is 4; a picture holds 1, 2 or 3 shapes"),
    ],
)
def test_what_is_wrong_is_said(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.shapes(**wrong)
