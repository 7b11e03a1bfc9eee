"""The still pictures of chapter 4 say in words what they show, and bear a perplexity of Inf."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures import language_plots as plots


def elements(picture, tag):
    """All elements of one kind in a picture."""
    return [element for element in ET.fromstring(picture.svg).iter() if element.tag == tag]


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in elements(picture, "text")]


def test_orders_names_every_smoothing_and_the_floor():
    picture = plots.orders([1, 2], {"none": [9.0, np.inf], "Kneser-Ney": [8.0, 4.25]}, floor=3.09)
    assert "none: n = 1: 9.00, n = 2: inf; Kneser-Ney: n = 1: 8.00, n = 2: 4.25." in picture.alt
    assert "The source itself: 3.09." in picture.alt
    assert {"none", "Kneser-Ney", "the source itself"} <= set(texts(picture))


def test_a_perplexity_of_infinity_is_left_out_of_the_drawing():
    picture = plots.orders([1, 2, 3], {"none": [9.0, np.inf, np.nan]}, floor=3.0)
    for drawn in elements(picture, "path"):
        assert not {"nan", "inf"} & set(drawn.get("d", "").split())


def test_race_says_where_each_network_ends_and_each_count_stands():
    picture = plots.race({"LSTM": ([1.0, 8.0], [3.0, 2.4])}, {2: (0.02, 3.6), 5: (0.2, 2.2)})
    assert "LSTM: 2.40 bits after 8.0 s; n-gram, n = 2: 3.60 bits after 0.02 s" in picture.alt
    assert "n-gram, n = 5: 2.20 bits after 0.20 s" in picture.alt
    assert {"LSTM", "2", "5"} <= set(texts(picture))


def test_agreement_says_every_share_and_how_far_training_went():
    picture = plots.agreement([0, 1], {"n = 5": [1.0, 0.5], "LSTM": [1.0, 0.99]}, seen=0)
    assert "with 0 to 1 nouns in between. n = 5: 100 %, 50 %; LSTM: 100 %, 99 %." in picture.alt
    assert "Training showed at most 0" in picture.alt


def test_surprise_shows_a_blank_and_names_the_dearest():
    picture = plots.surprise("a cat", [1.0, 0.5, 6.0, 2.0, 0.25])
    assert "'a' at place 1 with 1.0 bits, 'c' at place 3 with 6.0 bits, 'a' at place 4 with 2.0 bits" in picture.alt
    assert "␣" in texts(picture)
    assert "first letter of a word" in texts(picture)


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.surprise("ab", [1.0, 2.0])
    assert plt.get_fignums() == before
