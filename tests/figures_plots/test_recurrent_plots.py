"""The still pictures of chapter 2 say in words what they show, and show what they were given."""

import numpy as np

from seqlab.figures import recurrent_plots as plots


def texts(picture):
    """The words written in a picture."""
    import xml.etree.ElementTree as ET

    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_the_likeliest_next_letter_is_said_and_every_probability_is_written():
    p = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]])
    picture = plots.next_letter("he", "hel", p)
    assert "after h the guess is e, after e the guess is h" in picture.alt
    assert {f"{value:.2f}" for value in p.flat} <= set(texts(picture))


def test_a_tagged_sentence_says_each_word_with_its_probability():
    picture = plots.tagged(["Harry", "sold", "spells"], np.array([0.9, 0.05, 0.4]), [1, 0, 0])
    assert "Harry 0.90, sold 0.05, spells 0.40" in picture.alt
    assert {"Harry", "sold", "spells", "name", "other word"} <= set(texts(picture))


def test_names_differ_from_other_words_by_more_than_colour():
    assert "<pattern" in plots.tagged(["Harry", "sold"], np.array([0.9, 0.8]), [1, 0]).svg


def test_an_odd_number_of_melodies_leaves_one_panel_empty():
    notes = np.array([[0, 1, 2], [2, 1, 0], [0, 2, 0]])
    picture = plots.melodies(notes, ["C", "D", "E"], ["up", "down", "arch"])
    assert "up: C D E; down: E D C; arch: C E C" in picture.alt
    assert {"up", "down", "arch"} <= set(texts(picture))


def test_influence_says_whether_the_future_is_silent():
    words, past = ["a", "b", "c"], np.tril(np.ones((3, 3)))
    assert "every square of a later word is zero" in plots.influence(words, past).alt
    leaky = past.copy()
    leaky[0, 2] = 1e-9
    assert "not every square of a later word is zero" in plots.influence(words, leaky).alt


def test_a_row_without_influence_does_not_divide_by_zero():
    with np.errstate(all="raise"):
        picture = plots.influence(["a", "b"], np.zeros((2, 2)))
    assert "nan" not in picture.svg.lower()


def test_accuracies_are_written_beside_their_bars():
    picture = plots.accuracies({"one": 0.493, "all": 0.998}, chance=0.5)
    assert "one 49 %, all 100 %; guessing gives 50 %" in picture.alt
    assert {"49 %", "100 %", "one", "all"} <= set(texts(picture))
