"""What the figure of the Turing machine shows without a browser: the shipped machine's own numbers."""

import re

import numpy as np
import pytest
import torch

import seqlab.figures as figures
from seqlab.attention import load_turing
from seqlab.attention.copying import longer
from seqlab.figures import turing


def replayed(copy, rows):
    """The shipped machine over the same bits again: what it says (L, bits) and its trace."""
    model, _ = load_turing()
    bits = np.array(copy["bits"])
    L, D = bits.shape
    x = np.zeros((1, 2 * L + 1, D + 1), np.float32)
    x[0, :L, :D], x[0, L, D] = 2 * bits - 1, 1
    with torch.no_grad():
        scores, trace = longer(model, rows)(torch.tensor(x), trace=True)
    return torch.sigmoid(scores[0, L + 1 :]).numpy(), trace


def test_the_copies_are_those_of_the_shipped_machine():
    figure = figures.TuringHead(lengths=(3, 9), rows=12)
    assert [len(copy["bits"]) for copy in figure.state["copies"]] == [3, 9]
    for copy in figure.state["copies"]:
        said, trace = replayed(copy, 12)
        np.testing.assert_allclose(copy["said"], said, atol=1e-3)
        for name in ("write", "read", "erase", "add"):
            np.testing.assert_allclose(copy[name], getattr(trace, name)[0, :, 0], atol=1e-3, err_msg=name)


def test_the_figure_shows_a_copy_beyond_the_training_and_one_beyond_the_memory():
    state = figures.TuringHead().state
    lengths = [len(copy["bits"]) for copy in state["copies"]]
    wrong = [turing.misses(copy) for copy in state["copies"]]
    right = [miss == 0 for miss in wrong]
    assert state["longest"] == load_turing()[1]["training"]["longest"]
    assert any(state["longest"] < n < state["rows"] and good for n, good in zip(lengths, right, strict=True))
    assert [good for n, good in zip(lengths, right, strict=True) if n > state["rows"]] == [False]
    assert all(good for n, good in zip(lengths, right, strict=True) if n < state["rows"])


def test_the_still_picture_tells_the_shortest_copy_step_by_step():
    figure = figures.TuringHead(lengths=(4, 20), rows=8)
    copy, still = figure.state["copies"][0], figure.still()
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", still)[1:]]
    assert [row[1] for row in rows] == [turing.text(bits) for bits in copy["bits"]] + ["delimiter"] + ["silence"] * 4
    assert [row[4] for row in rows[5:]] == [turing.text(np.array(p) > 0.5) for p in copy["said"]]
    for t, row in enumerate(rows):
        assert row[2].startswith(f"{np.argmax(copy['write'][t])} (")
        assert row[3].startswith(f"{np.argmax(copy['read'][t])} (")
    wrong = [turing.misses(copy) for copy in figure.state["copies"]]
    assert wrong[1] > 20  # 20 vectors, 8 rows
    assert f"4 vectors: {wrong[0]}, 20 vectors: {wrong[1]}" in still


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lengths": ()}, "it must hold 1 to 6 different lengths"),
        ({"lengths": (4, 4)}, "it must hold 1 to 6 different lengths"),
        ({"lengths": 61}, "each length is 61; it must be a whole number from 1 to 60"),
        ({"rows": 2}, "rows is 2; it must be a whole number from 3 to 64"),
        ({"lengths": 4, "step": 10}, "step is 10; it must be a whole number from 1 to 9"),
    ],
)
def test_what_cannot_be_shown_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        figures.TuringHead(**settings)
