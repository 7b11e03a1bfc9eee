"""The still pictures of chapter 19 and of the results say every number that they draw, what loses as what wins."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from seqlab.figures import gpu_plots as plots

SCORES = {"B": 16384, "V": 32768, "dtype": "bfloat16"}
LAYER = {"B": 64, "T": 512, "H": 512, "dtype": "float16"}


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def moved(needed=0, again=0, scratch=0, torch_moved=0):
    return SimpleNamespace(needed=needed, again=again, scratch=scratch, torch_moved=torch_moved)


def row(way, seconds, role="ours", shape=SCORES, floor=1e-3, bound="memory", **more):
    told = {"benchmark": "softmax", "shape": shape, "pass": "forward", "way": way, "role": role, "right": True}
    return told | {"seconds": seconds, "floor_seconds": floor, "bound": bound} | more


def test_traffic_says_each_part_and_draws_no_part_that_is_empty():
    picture = plots.traffic_bars({"passes": moved(256, 128, 448), "a row": moved(256), "eager": moved(torch_moved=960)})
    assert "passes: 832 bytes (needed 256, again 128, scratch 448); a row: 256 bytes (needed 256); " in picture.alt
    assert "eager: 960 bytes (torch's functions 960)." in picture.alt
    assert {"needed", "again", "scratch", "torch's functions", "passes", "a row", "832"} <= set(texts(picture))
    small = plots.traffic_bars({"a row": moved(256)})
    assert not {"again", "scratch", "torch's functions"} & set(texts(small))


def test_large_traffic_has_a_larger_unit():
    picture = plots.traffic_bars({"a": moved(2_000_000, 1_500_000), "b": moved(34_700)})
    assert "a: 3,500 kB (needed 2,000, again 1,500); b: 34.7 kB (needed 34.7)." in picture.alt


def test_over_floor_takes_the_fastest_of_ours_and_the_nearest_first():
    rows = [
        row("slow", 0.004), row("fast", 0.002), row("torch", 0.001, role="peer"), row("wrong", 1e-9, right=False),
        row("layer", 0.0012, shape=LAYER, bound="steps", **{"pass": "forward and backward"}),
    ]  # fmt: skip
    picture = plots.over_floor(rows)
    first, second = picture.alt.split("perfect. ")[1].split("; ")
    assert first == "softmax (B 64, T 512, H 512, float16) with gradients 1.20, bound by steps"
    assert second == "softmax (B 16,384, V 32,768, bfloat16) 2.00, bound by memory."
    assert {"1.2", "2", "bound by steps", "bound by memory"} <= set(texts(picture))


def test_against_peers_says_what_loses_and_to_whom():
    rows = [
        row("ours", 0.002), row("eager", 0.003, role="peer"), row("compiled", 0.001, role="peer"),
        row("ours", 0.002, shape=LAYER), row("cuDNN", 0.006, role="peer", shape=LAYER),
        row("broken", None, role="peer", shape=LAYER, right=False),
    ]  # fmt: skip
    picture = plots.against_peers(rows)
    assert "against the fastest peer: 1 faster, 1 slower." in picture.alt
    won, lost = picture.alt.split("slower. ")[1].split("; ")
    assert won == "softmax (B 64, T 512, H 512, float16) 3.00 times as fast as cuDNN"
    assert lost == "softmax (B 16,384, V 32,768, bfloat16) 0.50 times as fast as compiled."
    assert {"slower", "faster than the fastest peer", "0.5", "3"} <= set(texts(picture))


def test_long_names_take_several_lines_and_stay_on_the_picture():
    long = {f"size_{n}": 1000 for n in range(9)}
    written = texts(plots.against_peers([row("ours", 1.0, shape=long), row("a peer", 2.0, role="peer", shape=long)]))
    assert max(map(len, written)) <= plots.LETTERS
    assert "size_8 1,000), against a peer" in " ".join(written)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.traffic_bars({}), "traffic is empty"),
        (lambda: plots.over_floor([]), "no row has a time and a floor"),
        (lambda: plots.over_floor([row("ours", 0.1, floor=None), row("torch", 0.1, role="peer")]), "no row has a time"),
        (lambda: plots.against_peers([]), "no case has a time"),
        (lambda: plots.against_peers([row("ours", None), row("torch", 0.1, role="peer")]), "no case has a time"),
    ],
)
def test_where_there_is_nothing_to_draw_it_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.over_floor([row("ours", 0.002)])
    assert plt.get_fignums() == before
