"""What stands behind the figure of alignments: its examples, its still picture, its refusals."""

import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.ctc import reference


def cells(figure):
    """The cells of the still picture's table, row by row, without the head."""
    rows = re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def ids(symbols, text):
    return [symbols.index(symbol) for symbol in text]


def test_the_examples_are_the_notes_path_a_double_letter_and_a_best_path_that_is_not_the_best_text():
    rows = cells(figures.AlignmentEditor())
    assert [row[:3] for row in rows] == [
        ["ttt_h_eee___ ___qqq__", "t_h_e_ _q_", "“the q”"],
        ["hheel_lloo_", "hel_lo_", "“hello”"],
        ["__", "_", "“”"],
    ]
    assert rows[2][3:] == ["0.36", "0.36"]
    last = figures.AlignmentEditor().state["examples"][2]
    truth = reference.brute_force(np.log(last["p"]))
    assert max(truth, key=truth.get) == (1,)


def test_the_still_probabilities_are_those_of_all_paths():
    figure = figures.AlignmentEditor("aa_a_b")
    (one,) = figure.state["examples"]
    assert one["symbols"] == "_ab"
    truth = reference.brute_force(np.log(one["p"]))
    path = ids(one["symbols"], one["path"])
    own = np.prod([row[id] for row, id in zip(one["p"], path, strict=True)])
    want = [f"{own:.2g}", f"{np.exp(truth[tuple(reference.collapse(path))]):.2g}"]
    assert cells(figure) == [["aa_a_b", "a_a_b", "“aab”", *want]]


def test_made_probabilities_believe_in_the_path_and_doubt_at_its_borders():
    one = figures.AlignmentEditor().state["examples"][0]
    p, path = np.array(one["p"]), ids(one["symbols"], one["path"])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert (p.argmax(axis=1) == path).all()
    assert p.min() > 0
    inside = p[1, path[1]]  # t between t and t
    assert inside > p[2, path[2]] > p[4, path[4]]  # the last t; the h between two blanks


def test_a_reader_s_own_table_is_kept():
    log_probs = np.log([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
    (one,) = figures.AlignmentEditor("ab", log_probs, "_ab").state["examples"]
    np.testing.assert_allclose(one["p"], np.exp(log_probs), atol=1e-6)


def test_an_impossible_path_has_probability_zero():
    with np.errstate(divide="ignore"):
        figure = figures.AlignmentEditor("ab", np.log([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]), "_ab")
    assert cells(figure)[0][3:] == ["0", "0"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.AlignmentEditor(symbols="_a"), "log_probs and symbols belong to a path"),
        (lambda: figures.AlignmentEditor(log_probs=np.zeros((1, 1))), "log_probs and symbols belong to a path"),
        (lambda: figures.AlignmentEditor([1, 0]), r"path is \[1, 0\]; give it as a string"),
        (lambda: figures.AlignmentEditor("a"), "the number of frames in path is 1"),
        (lambda: figures.AlignmentEditor("a" * 31), "the number of frames in path is 31"),
        (lambda: figures.AlignmentEditor("aa", np.log([[0.5, 0.5]])), "give symbols too, the blank first"),
        (lambda: figures.AlignmentEditor("aa", symbols="a_"), "symbols is 'a_'; it must hold different symbols, '_' f"),
        (lambda: figures.AlignmentEditor("aa", symbols="_aa"), "symbols is '_aa'; it must hold different symbols"),
        (lambda: figures.AlignmentEditor("ab", symbols="_a"), "path holds 'b', which is not among the symbols '_a'"),
        (
            lambda: figures.AlignmentEditor("aa", np.log([[0.5, 0.5]]), "_a"),
            r"log_probs has shape \(1, 2\); 2 frames and 2 symbols need \(2, 2\)",
        ),
        (lambda: figures.AlignmentEditor("aa", np.zeros((2, 2)), "_a"), "probabilities do not sum to 1"),
        (lambda: figures.AlignmentEditor("aa", np.full((2, 2), np.nan), "_a"), "probabilities do not sum to 1"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
