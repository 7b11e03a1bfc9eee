"""The still pictures of chapter 10 say in words what they show, and draw every point."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.figures import tsne_plots as plots


def elements(picture, tag):
    """All elements of one kind in a picture."""
    return [element for element in ET.fromstring(picture.svg).iter() if element.tag == tag]


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in elements(picture, "text")]


@pytest.fixture
def places():
    return np.random.default_rng(0).normal(size=(30, 2))


@pytest.mark.parametrize("kinds", [1, 3, 10])
def test_maps_draw_every_point_of_every_map(places, kinds):
    groups = np.arange(30) % kinds
    picture = plots.maps({"the data": places, "perplexity 5": places[::-1]}, groups, "Both show noise.")
    assert len(elements(picture, "use")) == 60
    assert {"the data", "perplexity 5"} <= set(texts(picture))
    assert "2 pictures of 30 points: the data; perplexity 5. Both show noise." in picture.alt


def test_maps_keep_the_scale_of_both_axes(places):
    picture = plots.maps({"a": places}, np.zeros(30, int), "Noise.")
    at = np.array([[float(use.get(axis)) for axis in "xy"] for use in elements(picture, "use")])
    scale = np.ptp(at, axis=0) / np.ptp(places, axis=0)
    assert scale[0] == pytest.approx(scale[1], rel=1e-3)


def test_the_groups_of_a_map_are_named_where_names_are_given(places):
    picture = plots.maps({"a": places}, np.arange(30) % 2, "Two groups.", names=["cats", "dogs"])
    assert {"cats", "dogs"} <= set(texts(picture))


def test_a_map_has_no_axes(places):
    written = texts(plots.maps({"a": places}, np.zeros(30, int), "Noise."))
    assert [text for text in written if text and text.strip()] == ["a"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: plots.maps({"a": np.zeros((3, 3))}, [0, 0, 0], "Nothing."),
        lambda: plots.descent({"a": [1.0, 2.0]}, 1),
        lambda: plots.stretch([1.0, 2.0], {"a": [[0.1, 0.2]]}),
        lambda: plots.words(np.zeros((2, 3)), ["a", "b"], ["a"]),
        lambda: plots.directions({"a": (np.ones((2, 3)),)}, ["x"]),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(ValueError, match="has shape"):
        call()


def test_tails_say_how_far_a_weight_lets_a_pair_stand():
    distances = np.linspace(0, 12, 601)
    curves = {"Gaussian": np.exp(-(distances**2)), "Student": 1 / (1 + distances**2)}
    picture = plots.tails(distances, curves, marked=(0.1, 0.02))
    assert "Gaussian: distance 1.5 for 0.1, 2.0 for 0.02; Student: distance 3.0 for 0.1, 7.0 for 0.02." in picture.alt
    assert {"Gaussian", "Student"} <= set(texts(picture))
    assert "Gaussian; Student." in plots.tails(distances, curves).alt


def test_a_descent_says_where_it_begins_and_ends():
    picture = plots.descent({"with": [[0, 4.0], [50, 1.5]], "without": [[0, 4.0], [50, 1.75]]}, 25)
    assert "ends at 25. with: from 4.00 to 1.50 nats; without: from 4.00 to 1.75 nats." in picture.alt
    assert {"with", "without", "exaggeration ends"} <= set(texts(picture))


def test_a_stretch_says_how_wide_it_is_near_and_far():
    bands = {"t-SNE": [[0.0, 0.01, 0.02], [0.1, 0.2, 0.5], [0.2, 0.5, 0.9]]}
    picture = plots.stretch([1.0, 2.0, 30.0], bands)
    assert "t-SNE: nine tenths of the pairs lie from 0.00 to 0.02 at 1, 0.10 to 0.50 at 2, 0.20 to 0.90 at 30." in (
        picture.alt
    )


def test_words_are_written_and_their_neighbours_told():
    names = ["king", "queen", "cup", "rest"]
    picture = plots.words([[0, 0], [0, 1], [0, 3], [9, 9]], names, names[:3])
    assert "4 words, 3 of them written: king beside queen, queen beside king, cup beside queen." in picture.alt
    assert {"king", "queen", "cup"} <= set(texts(picture))
    assert "rest" not in texts(picture)


def test_two_words_side_by_side_are_written_on_two_sides():
    for places in ([[0, 0], [0, 0.01], [5, 5]], [[0, 0], [0, 0], [5, 5]]):
        picture = plots.words(places, ["high", "low", "far"], ["high", "low"])
        at = {
            e.text: float(e.get("y") or e.get("transform").split()[-1].rstrip(")")) for e in elements(picture, "text")
        }
        assert abs(at["high"] - at["low"]) > 9


def test_directions_are_told_as_hours():
    arrows = np.array([[0.0, 2.0], [3.0, 0.0], [0.0, -1.0]]), np.array([[-1.0, 0.0]])
    picture = plots.directions({"seed 0": arrows}, ["gender", "capital"])
    assert "seed 0: gender at 12, 3, 6; capital at 9." in picture.alt
    assert {"seed 0", "gender", "capital"} <= set(texts(picture))


def test_an_empty_place_is_neither_drawn_nor_told(places):
    picture = plots.maps({"a": places, "nothing": None, "b": places}, np.zeros(30, int), "Noise.")
    assert "2 pictures of 30 points: a; b. Noise." in picture.alt
    assert "nothing" not in texts(picture)
    assert len(elements(picture, "use")) == 60


def test_a_picture_leaves_no_open_figure_behind(places):
    before = plt.get_fignums()
    plots.maps({"a": places}, np.zeros(30, int), "Noise.")
    plots.words(places, [str(i) for i in range(30)], ["0", "1"])
    assert plt.get_fignums() == before
