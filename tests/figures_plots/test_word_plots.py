"""The still pictures of chapter 7 say in words what they show, and leave out what is -Inf."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.figures import word_plots as plots


def elements(picture, tag):
    """All elements of one kind in a picture."""
    return [element for element in ET.fromstring(picture.svg).iter() if element.tag == tag]


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in elements(picture, "text")]


def test_a_table_names_the_largest_of_each_row_and_counts_what_is_empty():
    values = [[1.5, -np.inf, 0.25], [-np.inf, -np.inf, -np.inf]]
    picture = plots.table(values, ["queen", "florp"], ["crown", "cap", "wine"], "PMI, nats")
    assert "Largest: queen: crown 1.50, wine 0.25; florp: nothing. 4 of 6 squares are empty." in picture.alt
    assert {"queen", "florp", "crown", "cap", "wine", "PMI, nats"} <= set(texts(picture))


def test_a_table_without_holes_does_not_speak_of_them():
    assert "empty" not in plots.table([[1.0]], ["a"], ["b"], "count").alt


def test_a_table_whose_words_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="values has shape"):
        plots.table([[1.0, 2.0]], ["a"], ["b"], "count")


def test_a_plane_says_where_each_word_stands_and_what_the_arrows_join():
    arrows = {"gender": [("man", "woman")]}
    picture = plots.plane([[0.0, 1.0], [2.0, 1.0]], ["man", "woman"], arrows, ("x", "y"))
    assert "man at (0.0, 1.0), woman at (2.0, 1.0). Arrows, gender: man to woman." in picture.alt
    assert {"man", "woman", "gender"} <= set(texts(picture))


def test_a_plane_needs_two_numbers_for_each_word():
    with pytest.raises(ValueError, match="places has shape"):
        plots.plane([[0.0, 1.0, 2.0]], ["man"], {}, ("x", "y"))


@pytest.mark.parametrize("log", [False, True])
def test_answers_say_every_share(log):
    picture = plots.answers([10, 1000], {"exact": [0.5, 1.0], "drawn": [0.25, 0.98]}, "dimensions", log)
    assert "exact: 50 % at 10, 100 % at 1,000; drawn: 25 % at 10, 98 % at 1,000." in picture.alt
    assert {"exact", "drawn"} <= set(texts(picture))
    assert ("1,000" in texts(picture)) == log


def test_a_funnel_says_how_wide_it_is_at_both_ends():
    bands = {"the text": [[0.5, 1.0, 4.0], [-2.0, 0.0, 2.0]], "shuffled": [[0.5, 1.0, 3.0], [-0.1, 0.0, 0.1]]}
    picture = plots.funnel([0.1, 100.0], bands)
    assert "shuffled: nine tenths of the pairs lie from 0.5 to 3.0 where chance gives 0.1" in picture.alt
    assert "and from -2.0 to 2.0 where chance gives 100" in picture.alt
    assert {"the text", "shuffled"} <= set(texts(picture))


def test_a_band_has_three_numbers_a_group():
    with pytest.raises(ValueError, match="bands"):
        plots.funnel([0.1, 1.0], {"text": [[0.0, 1.0]]})


def test_what_was_answered_is_said_for_each_text():
    parts = {"right": 0.25, "c itself": 0.75}
    picture = plots.answered({"grammar": parts, "Shakespeare": parts})
    assert "grammar: right 25 %, c itself 75 %; Shakespeare: right 25 %, c itself 75 %." in picture.alt
    assert {"grammar", "Shakespeare", "right", "c itself"} <= set(texts(picture))


def test_no_picture_draws_what_is_no_number():
    picture = plots.table([[1.0, -np.inf]], ["a"], ["b", "c"], "PMI")
    for drawn in elements(picture, "path"):
        assert not {"nan", "inf", "-inf"} & set(drawn.get("d", "").split())


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.answers([1], {"a": [1.0]}, "dimensions")
    assert plt.get_fignums() == before
