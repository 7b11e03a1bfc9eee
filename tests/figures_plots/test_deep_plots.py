"""The still pictures of chapter 6 say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import pytest

from seqlab.figures import deep_plots as plots

HISTORY = {"train_perplexity": [90.0, 40.0, 20.0], "valid_perplexity": [120.0, 80.0, 95.0]}


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_readers_says_and_writes_every_share():
    shares = {"left": 0.5, "right": 0.25, "both": 1.0}
    picture = plots.readers({"names": shares, "verbs": dict.fromkeys(shares, 0.75)})
    assert "names: left 50%, right 25%, both 100%; verbs: left 75%, right 75%, both 75%" in picture.alt
    assert {"names", "verbs", "50 %", "25 %", "100 %", "75 %", "both"} <= set(texts(picture))


def test_reach_says_what_arrives_below_the_deepest_stack():
    picture = plots.reach([1, 4, 16], {"plain LSTM": [0.1, 1e-3, 5e-11], "residual LSTM": [1.0, 1.1, 1.2]})
    assert "Below 16 layers: plain LSTM 5e-11; residual LSTM 1e+00" in picture.alt
    assert {"plain LSTM", "residual LSTM", "16"} <= set(texts(picture))


def test_deep_or_wide_says_each_depth_of_each_kind_and_bears_a_missing_one():
    picture = plots.deep_or_wide({"plain": {1: 9.0, 8: 22.7}, "residual": {8: 8.4}})
    assert "plain: 1 layer 9.0, 8 layers 22.7; residual: 8 layers 8.4" in picture.alt
    assert {"9.0", "22.7", "8.4", "1", "8"} <= set(texts(picture))


def test_learning_says_the_mean_of_the_last_updates_and_what_guessing_costs():
    picture = plots.learning({"plain": [4.0] * 20 + [3.0] * 10, "residual": [4.0] * 20 + [2.0] * 10}, chance=4.29)
    assert "guessing is 4.29. At the end: plain 3.00; residual 2.00" in picture.alt


def test_regularised_says_the_best_epoch_and_the_last():
    picture = plots.regularised({"as it is": HISTORY, "dropout": HISTORY | {"valid_perplexity": [130.0, 90.0, 70.0]}})
    assert "as it is: best 80 after epoch 2, 95 at the end" in picture.alt
    assert "dropout: best 70 after epoch 3, 70 at the end" in picture.alt
    assert {"training text", "held-out text (dot: best epoch)"} <= set(texts(picture))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.readers({"names": {"left": 0.5, "both": 1.0}}),
        lambda: plots.reach([1, 2], {"plain": [0.1, 0.01]}),
        lambda: plots.deep_or_wide({"plain": {1: 9.0, 2: 8.0}}),
        lambda: plots.learning({"plain": [4.0] * 12}, chance=4.0),
        lambda: plots.regularised({"as it is": HISTORY}),
    ],
)
def test_a_picture_leaves_no_open_figure_behind_and_fits_a_phone(draw):
    before = plt.get_fignums()
    picture = draw()
    assert plt.get_fignums() == before
    assert "tabindex" not in picture._repr_html_(), "a phone must scroll it"
