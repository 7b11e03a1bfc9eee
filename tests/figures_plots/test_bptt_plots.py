"""The still pictures of chapter 3 say in words what they show, and bear Inf and NaN."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.figures import bptt_plots as plots


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_truncation_says_every_error_the_exact_one_too():
    assert "k = 1: 50.0%, k = 10: 12.5%, k = 60: 0.0%" in plots.truncation([1, 10, 60], [0.5, 0.125, 0.0]).alt


def test_reading_names_each_batch_size_and_where_it_ends():
    picture = plots.reading({"512 at a time": ([0, 512], [0.7, 0.6]), "8 at a time": ([0, 512], [0.7, 0.3])})
    assert "512 at a time ends at 0.60; 8 at a time ends at 0.30" in picture.alt
    assert {"512 at a time", "8 at a time"} <= set(texts(picture))


def test_the_clue_is_marked_and_its_share_is_said():
    words = ["her", "wand", "and", "then"]
    picture = plots.heard(words, {"eigenvalue 0.5": np.array([1e-9, 1e-6, 1e-3, 1.0])}, clue=1)
    assert "At 'wand' it is: eigenvalue 0.5: 1e-06" in picture.alt
    assert "wand" in texts(picture)


def test_copying_says_the_mean_of_the_runs():
    picture = plots.copying([2, 30], [[1.0, 0.9], [0.1, 0.2]], chance=1 / 8)
    assert "mean of 2 runs: 2 steps: 95 %, 30 steps: 15 %" in picture.alt
    assert {"run 1", "run 2", "guessing"} <= set(texts(picture))


@pytest.mark.parametrize("lost", [np.inf, np.nan])
def test_clipping_draws_what_is_finite_of_a_run_that_was_lost(lost):
    losses, norms = [3.0, 1e9, lost, lost], [1e3, 1e20, lost, lost]
    picture = plots.clipping({"no clipping": (losses, norms), "clipped": ([3, 2, 1, 0.5], [30, 9, 3, 1])}, limit=20)
    assert f"no clipping: last loss {lost:.1e}" in picture.alt
    for drawn in ET.fromstring(picture.svg).iter("path"):
        assert not {"nan", "inf"} & set(drawn.get("d", "").split())


def test_depth_says_what_share_arrives_at_the_input():
    picture = plots.depth({"plain": np.array([1e-8, 1.0, 100.0]), "residual": np.array([50.0, 20.0, 10.0])})
    assert "plain 1e-10; residual 5e+00" in picture.alt


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.truncation([1, 2], [0.5, 0.1])
    assert plt.get_fignums() == before
