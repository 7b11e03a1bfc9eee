"""What the figure of chapter 16 holds: the shipped model's own captions, maps and probabilities, and clear refusals."""

import re

import numpy as np
import pytest
import torch

import seqlab.figures as figures
from seqlab import data
from seqlab.data import UNSEEN_PAIRS
from seqlab.figures.captioning import offered, other_caption
from seqlab.seq2seq import Captioner, load_captions
from seqlab.seq2seq.caption_training import caption_vocabulary, touched
from seqlab.seq2seq.captions import Describer


@pytest.fixture(scope="module")
def figure():
    return figures.CaptionLens()


def words(caption):
    return [one["word"] for one in caption["words"]]


def test_the_first_caption_is_what_the_model_writes_and_the_second_is_right(figure):
    scenes = offered()
    written = load_captions(attention=True).write(data.shapes_images(scenes))
    assert len(figure.state["pictures"]) == len(scenes) >= 4
    for picture, scene, own in zip(figure.state["pictures"], scenes, written, strict=True):
        first, second = picture["captions"]
        right = data.shapes_captions(scene)
        assert words(first) == own
        assert first["right"] == (own in right)
        assert words(second) in right
        assert second["right"]
        assert words(second) != own


def test_the_maps_and_probabilities_are_those_of_the_model(figure):
    describer, scenes = load_captions(attention=True), offered()
    for i, picture in enumerate(figure.state["pictures"]):
        image = data.shapes_images(scenes[i : i + 1])
        for caption in picture["captions"]:
            state = describer.start(image)
            for before, one in zip(["<bos>", *words(caption)], caption["words"], strict=False):
                with torch.no_grad():
                    scores, state = describer.step(torch.tensor(describer.vocabulary.encode([before])), state)
                np.testing.assert_allclose(one["map"], state["weights"][0].numpy(), atol=2e-4)
                assert one["gate"] == pytest.approx(float(state["gate"]), abs=2e-4)
                p = scores.softmax(-1)[0]
                likeliest = p.argsort(descending=True)[: len(one["next"])]
                np.testing.assert_allclose([q for _, q in one["next"]], p[likeliest].numpy(), atol=2e-4)
                assert one["next"][0][0] == describer.vocabulary.tokens[likeliest[0]]


def test_a_word_names_its_shape_and_the_share_is_that_of_its_places(figure):
    scenes = offered()
    masks = data.shapes_masks(scenes)
    named = 0
    for picture, scene, some in zip(figure.state["pictures"], scenes, masks, strict=True):
        places = touched(some, picture["side"])
        for shape, told, mask in zip(scene, picture["shapes"], places, strict=False):
            assert told["name"] == f"{shape.size} {shape.colour} {shape.kind}"
            assert told["chance"] == pytest.approx(mask.mean(), abs=1e-4)
        for caption in picture["captions"]:
            for one in caption["words"]:
                if one["shape"] is None:
                    continue
                named += 1
                assert one["word"] in picture["shapes"][one["shape"]]["name"].split()
                there = np.array(one["map"])[places[one["shape"]].ravel()].sum()
                assert one["share"] == pytest.approx(there, abs=5e-3)
    assert named > 20


def test_the_pictures_marked_so_hold_a_pair_never_learnt(figure):
    for picture, scene in zip(figure.state["pictures"], offered(), strict=True):
        new = any((shape.colour, shape.kind) in UNSEEN_PAIRS for shape in scene)
        assert bool(picture.get("unseen")) == new


def test_the_pixels_are_the_picture(figure):
    picture, image = figure.state["pictures"][0], data.shapes_images(offered()[:1])[0]
    pixels = [[int(p[i : i + 2], 16) / 255 for i in (0, 2, 4)] for p in picture["pixels"]]
    np.testing.assert_allclose(np.array(pixels).reshape(32, 32, 3), image, atol=1 / 255)


def test_the_other_caption_begins_with_another_shape():
    for scene in data.shapes_scenes(30, seed=5):
        own = data.shapes_captions(scene)[0]
        other = other_caption(scene, own)
        assert other in data.shapes_captions(scene)
        assert other[1:3] != own[1:3]


def test_the_still_picture_tells_each_word(figure):
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    told = [re.search(r"<th[^>]*>(.*?)</th>", row)[1] for row in rows]
    assert told == words(figure.state["pictures"][0]["captions"][0])


def test_a_reader_s_own_model_and_pictures_are_shown():
    torch.manual_seed(0)
    vocabulary = caption_vocabulary()
    small = {"channels": (2, 3, 4), "embedding": 5, "hidden": 7, "looking": 6, "size": 16}
    describer = Describer(Captioner(len(vocabulary), attention=True, **small).eval(), vocabulary)
    scenes = data.shapes_scenes(2, seed=3)
    figure = figures.CaptionLens(scenes, describer, word=0)
    assert [len(one["shapes"]) for one in figure.state["pictures"]] == [len(scene) for scene in scenes]
    assert figure.state["pictures"][0]["side"] == 4
    assert not any("unseen" in one for one in figure.state["pictures"])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.CaptionLens([]), "scenes holds 0 pictures; the figure shows 1 to 12"),
        (lambda: figures.CaptionLens(data.shapes_scenes(13)), "scenes holds 13 pictures"),
        (lambda: figures.CaptionLens(word=99), "word is 99; it must be a whole number from 0 to"),
        (lambda: figures.CaptionLens(describer=load_captions(attention=False)), "this model has no attention"),
    ],
)
def test_what_is_wrong_is_said(make, said):
    with pytest.raises(ValueError, match=said):
        make()
