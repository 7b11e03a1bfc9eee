"""The still pictures of chapter 16 say in words what they show, and draw every picture and bar."""

import base64
import io
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab import data
from seqlab.figures import caption_plots as plots


def elements(picture, tag):
    return [element for element in ET.fromstring(picture.svg).iter() if element.tag == tag]


def drawn(picture):
    """The pixels of every image inside a plot, as the reader sees them: matplotlib stores some upside down."""
    found = []
    for element in elements(picture, "image"):
        pixels = plt.imread(io.BytesIO(base64.b64decode(element.get("href").split(",")[1])))
        found.append(pixels[::-1] if "scale(1 -1)" in element.get("transform", "") else pixels)
    return found


def test_pictures_are_drawn_with_their_captions():
    images, captions = data.shapes(4, seed=1)
    picture = plots.pictures(images, [some[0] for some in captions], columns=2, width=200)
    assert len(drawn(picture)) == 4
    words = {element.text for element in elements(picture, "text")}
    for some in captions:
        assert " ".join(some[0]) in words
        assert " ".join(some[0]) in picture.alt


def test_a_map_veils_what_is_not_looked_at():
    image = np.ones((8, 8, 3))
    maps = np.zeros((2, 2, 2))
    maps[0, 0, 1] = maps[1, 1, 0] = 1
    first, second = drawn(plots.attention_maps(image, ["a", "circle"], maps, columns=2))
    size = len(first)
    top, low, left, right = size // 4, 3 * size // 4, size // 4, 3 * size // 4
    assert first[top, right, 0] > 0.95
    assert first[low, left, 0] < 0.7
    assert second[low, left, 0] > 0.95
    assert second[top, right, 0] < 0.7


def test_bars_have_their_heights():
    picture = plots.bars(["1", "2"], {"one": [0.25, 0.5], "two": [1.0, 0.0]}, "The first is lower.")
    assert "one: 1 0.25, 2 0.50; two: 1 1.00, 2 0.00. The first is lower." in picture.alt
    assert {"one", "two"} <= {element.text for element in elements(picture, "text")}


def test_filters_show_zero_as_grey():
    picture = drawn(plots.filters([np.array([[-2.0, 0.0, 2.0]])], ["steps"]))[0]
    row = picture[len(picture) // 2, :, 0]
    assert row[0] == pytest.approx(0, abs=0.01)
    assert row[len(row) // 2] == pytest.approx(0.5, abs=0.01)
    assert row[-1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.pictures(np.zeros((2, 8, 8, 3)), ["one"]), "images has shape"),
        (lambda: plots.attention_maps(np.zeros((8, 8, 3)), ["a"], np.ones((2, 4, 4))), "maps has shape"),
        (lambda: plots.attention_maps(np.zeros((8, 8, 3)), ["a"], np.ones((1, 3, 3))), "8 must be a multiple of 3"),
        (lambda: plots.bars(["1", "2"], {"one": [0.5]}, "x"), "series"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
    plt.close("all")
