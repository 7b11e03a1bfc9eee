"""What the figure of softmax in tiles shows without a browser: the numbers of the book's reference."""

import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.attention.reference import online


def cells(figure):
    """The cells of the still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def final(figure):
    return float(re.search(r"whole row gives (-?[\d.]+)", figure.still())[1])


def test_the_still_table_counts_as_one_does_by_hand():
    scores, values = [[0.0, 1.0, 0.5], [1.0, 3.0, 2.0], [0.0, 0.0, 0.0]], [1.0, -1.0, 2.0]
    figure = figures.FlashTiles(scores, values, tile=1, query=2)
    e = np.exp
    want = [(1, 1, 0, 1, 1), (2, 3, e(-2), e(-2) + 1, e(-2) - 1), (3, 3, 1, e(-2) + 1 + e(-1), e(-2) - 1 + 2 * e(-1))]
    for row, (key, m, shrink, total, weighted) in zip(cells(figure), want, strict=True):
        np.testing.assert_allclose([float(x) for x in row[:2]], [key, m])
        np.testing.assert_allclose([float(x) for x in row[2:]], [shrink, total, weighted, weighted / total], atol=0.005)
    assert final(figure) == pytest.approx(want[-1][4] / want[-1][3], abs=0.005)


@pytest.mark.parametrize("offset", [0, 10000])
@pytest.mark.parametrize("tile", [1, 2, 4])
def test_the_last_tile_reaches_the_softmax_of_the_whole_row(tile, offset):
    for causal, seen in ((False, 8), (True, 5)):
        figure = figures.FlashTiles(tile=tile, causal=causal, query=5, offset=offset)
        rows, s = cells(figure), figure.state
        assert len(rows) == -(-seen // tile)
        assert float(rows[-1][-1]) == final(figure)
        row, values = np.array(s["scores"][4][:seen]), np.array(s["values"][:seen])
        assert final(figure) == pytest.approx(np.exp(row) @ values / np.exp(row).sum(), abs=0.005)


def test_the_largest_score_of_the_default_query_grows_stays_and_grows():
    s = figures.FlashTiles().state
    scores = np.array(s["scores"])[None, s["query"]]
    _, _, steps = online.online_softmax(scores, np.array(s["values"])[:, None], s["tile"])
    m = [step[0].item() for step in steps]
    assert m[0] < m[1] == m[2] < m[3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scores": np.zeros((3, 4))}, r"scores has shape \(3, 4\); it must have shape \(T, T\)"),
        ({"scores": np.zeros((9, 9))}, "T from 2 to 8"),
        ({"scores": [[np.nan, 0], [0, 0]]}, "hold finite numbers"),
        ({"values": np.zeros(3)}, r"with 8 keys it must have shape \(8,\)"),
        ({"tile": 3}, "tile is 3; it must be one of 1, 2, 4"),
        ({"offset": 5}, "offset is 5; it must be one of 0, 1, 10"),
        ({"query": 9}, "query"),
        ({"step": -1}, "step"),
    ],
)
def test_what_does_not_fit_is_named(settings, words):
    with pytest.raises(ValueError, match=words):
        figures.FlashTiles(**settings)
