"""What stands behind the lattice of CTC: its made table, the still picture and the refusals."""

import itertools
import math
import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.ctc import reference
from seqlab.figures.lattice import PROBABILITIES


def text_of(path):
    return [k for k, _ in itertools.groupby(path) if k]


def test_the_first_text_has_a_repeat_and_is_what_the_table_says_most():
    figure = figures.CtcLattice()
    assert [len(ids) for ids in figure.state["targets"]] == [3, 2, 1, 0]
    see = figure.state["targets"][0]
    assert see[1] == see[2]
    rows = np.array(PROBABILITIES)[: figure.state["frames"]]
    texts = reference.brute_force(np.log(rows))
    assert max(texts, key=texts.get) == tuple(see)
    assert text_of(rows.argmax(axis=1)) == see


def test_the_still_picture_is_the_forward_pass():
    figure = figures.CtcLattice()
    T, see = figure.state["frames"], figure.state["targets"][0]
    total = sum(
        math.prod(PROBABILITIES[t][k] for t, k in enumerate(path))
        for path in itertools.product(range(3), repeat=T)
        if text_of(path) == see
    )
    assert f"p = {total:.4g}, loss = {-math.log(total):.4f}" in figure.still()
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", figure.still())]
    assert [row[0] for row in rows] == ["state", "1 _", "2 s", "3 _", "4 e", "5 _", "6 e", "7 _"]
    assert sum(float(row[-1]) for row in rows[-2:]) == pytest.approx(total, rel=0.01)
    assert rows[1][1:3] == ["0.3", "0.06"]


def test_a_text_that_does_not_fit_and_an_empty_one_stand_still_too():
    assert "p = 0, loss = infinite" in figures.CtcLattice(frames=3).still()
    p = math.prod(row[0] for row in PROBABILITIES)
    assert f"p = {p:.4g}" in figures.CtcLattice(targets=("",), frames=8).still()
    assert "p = 0, loss" in figures.CtcLattice([[0.0, 1.0]], "_a", [""]).still()
    assert "“a” in 1 frame, forward: p = 1, loss = 0.0000" in figures.CtcLattice([[0.0, 1.0]], "_a", ["a"]).still()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"probabilities": [[0.5, 0.6, 0]]}, "rows that are no probabilities"),
        ({"probabilities": [[1.5, -0.5, 0]]}, "rows that are no probabilities"),
        ({"probabilities": [[0.5, 0.5]]}, r"shape \(1, 2\); with 3 symbols it must have shape \(T, 3\), T from 1 to 8"),
        ({"probabilities": [[1.0, 0, 0]] * 9}, r"shape \(9, 3\)"),
        ({"symbols": "_aa"}, "it must hold different single characters"),
        ({"symbols": ["_", "ab", "c"]}, "it must hold different single characters"),
        ({"symbols": "_"}, "the number of symbols is 1; it must be a whole number from 2 to 6"),
        ({"targets": ("sea",)}, "the target 'sea' has the letter 'a'; the letters are se"),
        ({"targets": "s_e"}, "the target 's_e' has the letter '_'"),
        ({"targets": ()}, "the number of targets is 0"),
        ({"targets": ("seses",)}, "the number of letters in 'seses' is 5; it must be a whole number from 0 to 4"),
        ({"frames": 9}, "frames is 9; it must be a whole number from 1 to 8"),
        ({"frames": 0}, "frames is 0"),
    ],
)
def test_what_cannot_be_shown_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        figures.CtcLattice(**settings)
