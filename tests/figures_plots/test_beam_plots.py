"""The still pictures of chapter 12 say in words what they show."""

import xml.etree.ElementTree as ET

import pytest

from seqlab.figures import beam_plots as plots

BRANCHES = {("a",): 0.6, ("b",): 0.4, ("a", "c"): 0.5, ("a", "d"): 0.5, ("b", "e"): 0.9, ("b", "f"): 0.1}


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_a_tree_writes_every_word_and_the_product_along_each_way():
    picture = plots.tree(BRANCHES, {"greedy": ["a", "c"], "best": ["b", "e"]})
    assert picture.alt == (
        "A tree of 6 words with their conditional probabilities. greedy: a c, 0.30; best: b e, 0.36."
    )
    assert {"a 0.60", "b 0.40", "c 0.50", "d 0.50", "e 0.90", "f 0.10"} <= set(texts(picture))


def test_leaves_stand_below_each_other_and_a_node_in_the_middle():
    assert plots._heights(BRANCHES) == {
        ("a", "c"): 0,
        ("a", "d"): 1,
        ("b", "e"): 2,
        ("b", "f"): 3,
        ("a",): 0.5,
        ("b",): 2.5,
        (): 1.5,
    }


@pytest.mark.parametrize("panels", [1, 3])
def test_widths_say_every_value_and_name_every_width(panels):
    lines = {f"panel {i}": {"alpha 0": [0.1, 0.2, 0.4], "alpha 1": [1.0, 2.0, 3.0]} for i in range(panels)}
    picture = plots.widths([1, 3, 10], lines)
    assert picture.alt.startswith(
        "With beam widths 1, 3, 10. panel 0, alpha 0: 0.1, 0.2, 0.4; panel 0, alpha 1: 1, 2, 3"
    )
    assert {"1", "3", "10", "beam width", "alpha 0", "alpha 1"} <= set(texts(picture))
