"""The still pictures of chapter 8 say in words what they show, and refuse what does not fit."""

import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.embeddings.reference import keep_probability
from seqlab.figures import word2vec_plots as plots


def texts(picture):
    """The words written in a picture."""
    return {element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"}


def test_costs_say_both_ends_of_every_way():
    picture = plots.costs([100, 50_000], {"softmax": [100, 50_000], "tree": [5.35, 10.94]})
    assert "softmax: 100 at 100 words, 50,000 at 50,000; tree: 5.35 at 100 words, 10.94 at 50,000." in picture.alt
    assert {"softmax", "tree"} <= texts(picture)


def test_a_way_without_a_cost_for_each_size_is_refused():
    with pytest.raises(ValueError, match="vectors"):
        plots.costs([100, 1000], {"softmax": [100]})


def test_a_marked_word_stands_where_the_formula_puts_it():
    counts = np.array([40, 900, 99_060])  # the share of the last is hardly below 1
    share = np.geomspace(1e-4, 1, 400)
    curve = np.minimum((np.sqrt(share / 1e-3) + 1) * 1e-3 / share, 1)
    picture = plots.kept(share, {"t = 0.001": curve}, {"crown": 4e-4, "king": 9e-3, "the": 0.9906})
    said = {
        word: int(stays) for word, stays in re.findall(r"(\w+), [\d.]+ % of the text, stays with (\d+) %", picture.alt)
    }
    wanted = 100 * keep_probability(counts, 1e-3)
    assert said == {"crown": 100, "king": round(wanted[1]), "the": round(wanted[2])}
    assert {"crown", "king", "the", "t = 0.001"} <= texts(picture)


def test_a_curve_needs_a_probability_for_each_share():
    with pytest.raises(ValueError, match="curves"):
        plots.kept([0.1, 0.2], {"t": [1.0]}, {})


def test_scores_say_their_correlation_and_how_far_the_dots_lie_from_equal():
    wanted = np.linspace(-3, 2, 101)
    picture = plots.scores(wanted, wanted + 0.25, "PMI", "score", 0.987)
    assert "score against PMI for 101 pairs of words, correlation 0.987" in picture.alt
    assert "from 0.25 to 0.25 above the diagonal" in picture.alt
    assert {"PMI", "score", "a pair of words", "equal", "correlation 0.987"} <= texts(picture)


def test_scores_without_a_partner_are_refused():
    with pytest.raises(ValueError, match="learnt has shape"):
        plots.scores([0.0, 1.0], [0.0], "x", "y", 1.0)


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.costs([10], {"a": [1.0]})
    assert plt.get_fignums() == before
