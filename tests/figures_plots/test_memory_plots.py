"""The still pictures of chapter 15 say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.attention.reference import positional_encoding
from seqlab.figures import memory_plots as plots


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_the_waves_turn_fast_first_and_slowly_later():
    P = positional_encoding(200, 24)
    picture = plots.waves(P)
    turns = (np.diff(np.sign(P[1:, [0, 8, 16]]), axis=0) != 0).sum(axis=0)
    assert turns[0] > turns[1] > turns[2]
    for number, times in zip((0, 8, 16), turns, strict=True):
        assert f"number {number} crosses zero {times} times" in picture.alt
        assert f"number {number}" in texts(picture)


def test_attention_says_where_each_head_looks_most_and_writes_what_is_large():
    words = ["the", "cats", "___", "today"]
    weights = np.full((2, 4, 4), 0.25)
    weights[0, 2] = [0.02, 0.9, 0.03, 0.05]
    weights[1, 2] = [0.1, 0.1, 0.1, 0.7]
    picture = plots.attention(words, weights, 2)
    assert "word 3, “___”, looks" in picture.alt
    assert "head 1 most at word 2, “cats”, 90 %; head 2 most at word 4, “today”, 70 %" in picture.alt
    written = texts(picture)
    assert {"head 1", "head 2", *words, "90", "70", "10"} <= set(written)
    assert "2" not in written


def test_copies_says_what_is_wrong_within_and_beyond_the_training():
    curves = {"LSTM": [0.0, 3.0, 80.5], "64 rows": [0.0, 0.0, 0.25]}
    picture = plots.copies([5, 20, 40], curves, longest=20, bits=8)
    assert "LSTM: 3.0 at 20, 80.5 at 40; 64 rows: 0.0 at 20, 0.2 at 40." in picture.alt
    assert {"LSTM", "64 rows", "guessing"} <= set(texts(picture))


def test_heads_says_where_they_stand():
    write, read = np.eye(9)[[0, 1, 2, 3, 4, 5, 6]], np.eye(9)[[0, 0, 0, 0, 0, 1, 2]]
    picture = plots.heads(write, read, length=3)
    assert "the write head is on row 0 at the start, 3 at the delimiter, 6 at the end" in picture.alt
    assert "the read head is on row 0 at the start, 0 at the delimiter, 2 at the end" in picture.alt


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"weights has shape \(1, 2, 2\); it must have shape \(heads, 3, 3\)"):
        plots.attention(["a", "b", "c"], np.ones((1, 2, 2)), 0)
    with pytest.raises(ValueError, match=r"read has shape \(4, 3\); it must have shape \(4, 5\)"):
        plots.heads(np.ones((4, 5)), np.ones((4, 3)), 1)


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.waves(np.zeros((4, 6)))
    plots.heads(np.eye(5), np.eye(5), 2)
    plots.attention(["a"], np.ones((1, 1, 1)), 0)
    plots.copies([1, 2], {"a": [0, 1]}, 1, 8)
    assert plt.get_fignums() == before
