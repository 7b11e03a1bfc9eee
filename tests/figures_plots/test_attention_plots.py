"""The still pictures of chapter 14 say in words what they show."""

import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from seqlab.figures import attention_plots as plots


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_by_length_says_every_share_and_leaves_out_rows_of_few_sources():
    table = [
        {"from": 5, "n": 100, "exact": 0.5},
        {"from": 10, "n": 20, "exact": 0.25},
        {"from": 15, "n": 3, "exact": 1},
    ]
    picture = plots.by_length({"plain": table, "attention": table[:1]})
    assert "plain: from 5 symbols 50 %, from 10 symbols 25 %; attention: from 5 symbols 50 %." in picture.alt
    assert {"plain", "attention"} <= set(texts(picture))


def test_learning_says_where_each_loss_begins_and_ends():
    picture = plots.learning({"a": [2.5] + [0.5] * 20, "b": [3.0, 1.0]})
    assert "a falls from 2.5 to 0.50; b falls from 3.0 to 2.00" in picture.alt


def test_alignment_takes_any_script_without_a_warning_and_says_where_each_symbol_looks():
    weights = np.array([[0.1, 0.9, 0.0], [0.2, 0.2, 0.6]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = plots.alignment({"Korean": (["9", "월", " "], ["0", "9"], weights), "日本": (["月"], ["1"], [[1.0]])})
    assert "Korean: 0 at 월, 9 at a space; 日本: 1 at 月." in picture.alt
    assert {"Korean", "월", "月"} <= set(texts(picture))


def test_alignment_wants_a_weight_for_every_pair_of_symbols():
    with pytest.raises(ValueError, match="weights has shape"):
        plots.alignment({"x": (["a", "b"], ["c"], np.ones((2, 2)))})


def test_windows_says_how_many_steps_have_weight():
    picture = plots.windows({"everywhere": np.full(4, 0.25), "near": np.array([0, 0.5, 0.25, 0])}, 1.5)
    assert "everywhere: 4 of 4 steps have weight, together 1.00; near: 2 of 4 steps have weight, together 0.75" in (
        picture.alt
    )
    assert any("p = 1.5" in (text or "") for text in texts(picture))
