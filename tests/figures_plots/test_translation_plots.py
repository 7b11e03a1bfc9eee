"""The still pictures of chapter 11 say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt

from seqlab.figures import translation_plots as plots
from seqlab.seq2seq import teacher_share


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_exact_by_epoch_says_where_each_model_ends():
    picture = plots.exact_by_epoch({"plain": [0.0, 0.125], "peeking": [0.5, 0.5, 0.95]}, goal=0.9)
    assert "plain: 12.5 % after 2 epochs; peeking: 95.0 % after 3 epochs." in picture.alt
    assert {"plain", "peeking", "epoch"} <= set(texts(picture))


def test_by_length_leaves_out_lengths_with_few_sources():
    rows = [
        {"from": 5, "n": 100, "exact": 0.5},
        {"from": 10, "n": 30, "exact": 0.25},
        {"from": 15, "n": 3, "exact": 1.0},
    ]
    picture = plots.by_length({"one vector": rows}, least=20)
    assert "one vector: 5 symbols or more: 50.0 %, 10 symbols or more: 25.0 %." in picture.alt
    assert "15" not in picture.alt
    assert "15 symbols or more: 100.0 %" in plots.by_length({"one vector": rows}, least=1).alt


def test_teachers_says_how_often_each_speaks():
    picture = plots.teachers({"always": teacher_share(), "linear": teacher_share("linear", c=0.01)}, 100)
    assert "always: 1.00, half way 1.00, at the end 1.00; linear: 1.00, half way 0.50, at the end 0.00." in picture.alt
    assert {"always", "linear"} <= set(texts(picture))


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.exact_by_epoch({"plain": [0.1, 0.2]})
    assert plt.get_fignums() == before
