"""The still pictures of chapter 13 say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures import bleu_plots as plots


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_penalty_says_its_value_at_five_lengths():
    ratios = np.array([0.25, 0.5, 0.75, 1, 1.5])
    picture = plots.penalty(ratios, np.minimum(1, np.exp(1 - 1 / ratios)))
    assert "0.05 at 0.25, 0.37 at 0.5, 0.72 at 0.75, 1.00 at 1, 1.00 at 1.5." in picture.alt


def test_by_references_names_every_system_and_number():
    picture = plots.by_references([1, 2, "all"], {"model": [50.4, 70.0, 100.0], "human": [48.0, 66.6, 100.0]})
    assert "model: 50 with 1, 70 with 2, 100 with all; human: 48 with 1, 67 with 2, 100 with all." in picture.alt
    assert {"1", "2", "all", "model", "human"} <= set(texts(picture))


def test_resampled_says_where_most_differences_lie():
    values = np.linspace(-1, 3, 401)
    picture = plots.resampled({"the same sentences": values, "other sentences": 2 * values})
    assert "the same sentences: 95 % lie between -0.9 and 2.9; other sentences: 95 % lie between -1.8" in picture.alt
    assert {"the same sentences", "other sentences"} <= set(texts(picture))


def test_learning_says_where_each_curve_begins_and_ends():
    picture = plots.learning([10, 20], {"BLEU": [3.0, 81.2], "right": [0.0, 55.0]})
    assert "BLEU: 3 at step 10, 81 at step 20; right: 0 at step 10, 55 at step 20." in picture.alt
    assert {"BLEU", "right"} <= set(texts(picture))


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.penalty([0.5, 1], [0.4, 1])
    assert plt.get_fignums() == before
