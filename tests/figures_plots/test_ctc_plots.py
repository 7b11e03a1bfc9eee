"""The still pictures of chapter 17 say in words what they show."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from seqlab.figures import ctc_plots as plots


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def said(path, classes, sure=0.9):
    """(T, C) probabilities of a network that is sure of a path."""
    y = np.full((len(path), classes), (1 - sure) / (classes - 1))
    y[np.arange(len(path)), path] = sure
    return y


def test_strips_stand_beneath_their_labels():
    picture = plots.strips([(np.eye(8), [1, 2]), (np.ones((8, 30)), [7])])
    assert "1 2, 8 columns wide; 7, 30 columns wide" in picture.alt
    assert {"1 2", "7"} <= set(texts(picture))


def test_learning_says_where_loss_and_blank_begin_and_end():
    picture = plots.learning([5.0, 3.0] + [0.5] * 20, [0.1, 0.9] + [0.8] * 20)
    assert "falls from 5.0 to 0.50 in 22 steps" in picture.alt
    assert "begins at 0.10, is largest in step 2 with 0.90, and ends at 0.80" in picture.alt


def test_learning_wants_as_many_shares_as_losses():
    with pytest.raises(ValueError, match="blank has shape"):
        plots.learning([1.0, 2.0], [0.5])


def test_occupancies_say_how_many_frames_are_sure():
    gamma = np.array([[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1.0]])
    picture = plots.occupancies({"now": (gamma, ["_", "5", "_"])})
    assert "now: 75% of the frames are sure of their state, 38% of the time is a label's" in picture.alt
    assert {"now", "5"} <= set(texts(picture))
    with pytest.raises(ValueError, match="gamma has shape"):
        plots.occupancies({"now": (gamma, ["_", "5"])})


def test_reading_names_spikes_and_what_the_alignment_says():
    path = np.array([0, 0, 3, 0, 4, 4, 0])
    picture = plots.reading(np.ones((8, 7)), said(path, 11), path)
    assert "Spikes: 2 at column 2, 3 at column 4. Best path: 2 from column 2 to 2, 3 from column 4 to 5." in picture.alt
    assert texts(picture).count("2") >= 2  # above its spike and below its mark
    without = plots.reading(np.ones((8, 7)), said(path * 0, 11))
    assert without.alt.endswith("Spikes: none.")


def test_reading_counts_columns_where_a_frame_has_several():
    path = np.array([0, 3, 3, 0])
    picture = plots.reading(np.ones((8, 8)), said(path, 11), path, rate=2)
    assert "Best path: 2 from column 2 to 5." in picture.alt


def test_reading_wants_a_sign_for_every_class():
    with pytest.raises(ValueError, match="probabilities has shape"):
        plots.reading(np.ones((8, 3)), np.ones((3, 5)) / 5)


def test_spoken_counts_spikes_and_shows_the_space():
    path = [0, 1, 0, 0, 2, 2, 1]
    picture = plots.spoken(said(path, 3), ("_", "a", " "))
    assert picture.alt == "3 spikes of letters over 7 steps, blanks between them: a a."
    assert texts(picture).count("a") == 2
    assert "␣" in texts(picture)
