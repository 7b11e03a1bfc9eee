"""The still pictures of chapter 9 say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.figures import glove_plots as plots


def elements(picture, tag):
    """All elements of one kind in a picture."""
    return [element for element in ET.fromstring(picture.svg).iter() if element.tag == tag]


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in elements(picture, "text")]


def test_the_weight_is_said_at_both_ends_and_between():
    picture = plots.weight([0, 50, 100], {"3/4": [0.0, 0.59, 1.0], "1": [0.0, 0.5, 1.0]})
    assert "3/4: 0.00 at 0, 0.59 at 50, 1.00 at 100; 1: 0.00 at 0, 0.50 at 50, 1.00 at 100." in picture.alt
    assert {"3/4", "1", "count x", "weight f(x)"} <= set(texts(picture))


def test_a_descent_says_where_each_rule_begins_and_ends():
    picture = plots.descent({"AdaGrad": [10.0, 1.0, 0.02], "one rate": [10.0, 5.0, 4.0]})
    assert "AdaGrad: from 10 to 0.02 after 2 steps; one rate: from 10 to 4 after 2 steps." in picture.alt
    assert {"AdaGrad", "one rate", "step"} <= set(texts(picture))


def test_a_fit_says_how_far_each_band_of_weight_is_off():
    picture = plots.fitted([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 3.5], [0.1, 0.2, 1.0, 1.0])
    assert "weight below 1/3: 2 counts, usually 1.00 off; above: 2 counts, usually 0.35 off." in picture.alt
    assert "up to 2/3" not in texts(picture)


def test_a_fit_draws_a_part_of_a_large_cloud_and_speaks_of_all():
    rng = np.random.default_rng(0)
    picture = plots.fitted(rng.normal(size=9000), rng.normal(size=9000), np.ones(9000))
    assert "9,000 counts" in picture.alt
    assert len(elements(picture, "use")) < 2 * plots.DRAWN


@pytest.mark.parametrize("name", ["scores", "weights"])
def test_a_fit_needs_a_number_for_each_count(name):
    values = {"scores": np.zeros(3), "weights": np.zeros(3)} | {name: np.zeros(2)}
    with pytest.raises(ValueError, match=f"{name} has shape"):
        plots.fitted(np.zeros(3), **values)


def test_leans_say_who_leans_most_and_name_the_words_asked_for():
    sets = {"before": [0.3, -0.2, 0.0], "after": [0.1, 0.0, -0.1]}
    words = ["nurse", "smith", "baker"]
    picture = plots.leans([0.9, 0.1, 0.5], sets, words, ["nurse", "smith"], ("put in", "cosine"))
    assert picture.alt.startswith("cosine of 3 words against put in.")
    assert "before: from smith at -0.20 to nurse at 0.30; after: from baker at -0.10 to nurse at 0.10." in picture.alt
    assert {"nurse", "smith", "before", "after"} <= set(texts(picture))
    assert "baker" not in texts(picture)


def test_one_set_of_leans_needs_no_legend():
    assert "before" not in texts(plots.leans([0.0, 1.0], {"before": [0.1, 0.2]}, ["a", "b"], [], ("x", "y")))


def test_leans_that_do_not_fit_their_words_are_refused():
    with pytest.raises(ValueError, match="x has shape"):
        plots.leans([1.0], {"before": [1.0]}, ["a", "b"], [], ("x", "y"))
    with pytest.raises(ValueError, match="sets\\['before'\\] has shape"):
        plots.leans([1.0, 2.0], {"before": [1.0]}, ["a", "b"], [], ("x", "y"))
    with pytest.raises(ValueError, match="named holds 'c', which is not among the 2 words"):
        plots.leans([1.0, 2.0], {"before": [1.0, 2.0]}, ["a", "b"], ["c"], ("x", "y"))


def test_what_each_direction_holds_is_said_for_each_text():
    picture = plots.spread({"grammar": [1.0, 0.0], "a play": [0.4, 0.3, 0.15, 0.1, 0.05]})
    assert "grammar: first 100 %, second 0 %, third 0 %, all others 0 %" in picture.alt
    assert "a play: first 40 %, second 30 %, third 15 %, all others 15 %." in picture.alt
    assert {"grammar", "a play", "first", "all others"} <= set(texts(picture))


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.descent({"a": [1.0, 0.5]})
    assert plt.get_fignums() == before
