"""The still pictures of chapter 5 say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.figures import gated_plots as plots


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_reach_says_what_share_arrives_from_the_far_end():
    picture = plots.reach({"RNN": np.array([1e-9, 1e-3, 1.0]), "LSTM": np.array([2.0, 3.0, 4.0])})
    assert "after 2 steps: RNN 1e-09; LSTM 5e-01" in picture.alt
    assert {"RNN", "LSTM"} <= set(texts(picture))


def test_copying_says_the_mean_and_bears_a_cell_that_was_not_tried_to_the_end():
    cells = {"RNN": [[1.0, 0.8], [0.1, 0.2]], "LSTM": [[1.0, 1.0]] * 3}
    picture = plots.copying([5, 10, 20], {"LSTM": cells, "GRU": {"GRU": [[0.5, 0.7]]}}, chance=1 / 8)
    assert "RNN: 5 steps 90 %, 10 steps 15 %; LSTM: 5 steps 100 %, 10 steps 100 %, 20 steps 100 %" in picture.alt
    assert "GRU: 5 steps 60 %." in picture.alt


def test_agreeing_says_the_worst_run_of_each_cell():
    cells = {"RNN": [[1.0, 0.2], [0.9, 1.0]], "GRU": [[1.0, 1.0], [1.0, 1.0]]}
    picture = plots.agreeing([1, 8], cells, trained=3)
    assert "RNN, worst run: 1 nouns 90 %, 8 nouns 20 %; GRU, worst run: 1 nouns 100 %, 8 nouns 100 %" in picture.alt


def test_agreeing_draws_one_cell_alone():
    assert "GRU, worst run" in plots.agreeing([1, 2], {"GRU": [[1.0, 1.0]]}, trained=1).alt


def test_gates_writes_every_number_and_every_word():
    cell = np.array([[0.5, -1.0], [3.0, -0.04], [2.0, -7.0]])
    picture = plots.gates(["the", "cat", "was"], {"f keep": np.full((3, 2), 0.9)}, cell)
    assert "After the last word the cell holds: unit 1 2.0, unit 2 -7.0." in picture.alt
    written = texts(picture)
    assert {"the", "cat", "was", "unit 1", "unit 2", "f keep", "cell c"} <= set(written)
    assert written.count("0.9") == 6
    assert {"0.5", "3.0", "0.0", "\u22127.0"} <= set(written)


def test_a_negative_cell_has_another_colour_than_a_positive_one():
    shade = plots._shade(np.array([[1.0, 1.0, 0.0]]), np.array([[True, False, False]]))
    assert not np.allclose(shade[0, 0, :3], shade[0, 1, :3])
    assert shade[0, 2, 3] == 0


def test_stream_says_where_each_cell_ends():
    picture = plots.stream([([1.0, 90.0], [0.1, 1e-4]), ([1.0, 2.0], [0.1, 0.1])], ["1997", "2000"])
    assert "1997: cell 90, change 1e-04; 2000: cell 2, change 1e-01" in picture.alt


@pytest.mark.parametrize(
    "draw", [lambda: plots.reach({"RNN": np.ones(3)}), lambda: plots.agreeing([1], {"a": [[1]]}, 0)]
)
def test_a_picture_leaves_no_open_figure_behind(draw):
    before = plt.get_fignums()
    draw()
    assert plt.get_fignums() == before
