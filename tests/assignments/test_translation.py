"""Assignment 8's solutions against the package; its demonstrations show what the text says."""

import numpy as np
import pytest

from seqlab.decode import bleu, reference
from tests.assignments.test_sources import solved

EIGHTH = "08_translation_beam_and_bleu"
GIVEN = ("logs-model", "greedy-model", "expand-arrays", "kernel-check-arrays")
DEMOS = ("phrase-demo", "alpha-demo", "blame-demo", "bleu-demo")


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(EIGHTH, *GIVEN)


@pytest.fixture(params=range(4))
def model(request, space):
    """The assignment's model, and the same as a step of the package."""
    step, state = space["random_model"](np.random.default_rng(request.param), 4, ends=0.5)

    def of_package(tokens, state):
        log_p, state = step(int(tokens[0]), state)
        return log_p[None], state

    return step, of_package, state


def test_greedy_and_its_log_probability_agree_with_the_package(space, model):
    step, of_package, state = model
    tokens, total = space["greedy"](step, state, 0, 1, 6)
    theirs = reference.greedy(of_package, state, 0, 1, 6)
    assert tuple(tokens) == theirs.tokens
    assert total == pytest.approx(theirs.log_prob, rel=1e-12)
    assert space["log_probability"](step, state, tokens, 0) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_a_beam_that_holds_everything_finds_what_exhaustive_search_finds(space, model, alpha):
    step, of_package, state = model
    mine = space["beam_search"](step, state, 0, 1, 4**4, 4, alpha)
    theirs = [h for h in reference.exhaustive(of_package, state, 0, 1, 4, alpha) if h.finished]
    assert [tuple(tokens) for tokens, _ in mine] == [h.tokens for h in theirs]
    assert [score for _, score in mine] == pytest.approx([h.score for h in theirs], rel=1e-12)


@pytest.mark.parametrize(("width", "alpha"), [(1, 0.0), (2, 0.0), (3, 1.0)])
def test_the_best_of_a_narrow_beam_is_the_packages(space, model, width, alpha):
    step, of_package, state = model
    (tokens, score), *_ = space["beam_search"](step, state, 0, 1, width, 5, alpha)
    theirs = reference.beam_search(of_package, state, 0, 1, width, 5, alpha)[0]
    assert (tuple(tokens), score) == (theirs.tokens, pytest.approx(theirs.score, rel=1e-12))


def test_blame_is_the_packages(space):
    for star, hat in -np.random.default_rng(0).random((20, 2)):
        assert space["blame"](star, 3, hat, 3) == reference.blame(star, hat)


@pytest.mark.parametrize("references", [1, 3])
def test_bleu_of_a_corpus_agrees_with_the_package(space, references):
    rng = np.random.default_rng(references)
    outputs = [list("ab"[i] for i in rng.integers(2, size=n)) for n in rng.integers(4, 12, size=9)]
    known = [
        [list("ab"[i] for i in rng.integers(2, size=n)) for n in rng.integers(4, 12, size=references)] for _ in outputs
    ]
    pairs = [
        [space["clipped_matches"](output, ours, n) for n in (1, 2, 3, 4)]
        for output, ours in zip(outputs, known, strict=True)
    ]
    c = np.array([len(output) for output in outputs])
    r = np.array([space["closest_length"](n, [len(one) for one in ours]) for n, ours in zip(c, known, strict=True)])
    matches, totals = np.moveaxis(np.array(pairs), 2, 0)
    theirs = bleu(outputs, known)
    assert 0 < theirs.score < 1
    assert space["corpus_bleu"](matches, totals, c, r) == pytest.approx(theirs.score, rel=1e-12)


def test_the_kernel_agrees_with_the_loops(space):
    scores, totals = space["random_scores"](np.random.default_rng(3), 2, 3, 6)
    claimed = space["step_by_loops"](scores, totals, 4)
    errors = space["kernel_errors"](scores, totals, claimed)
    assert errors["totals"] < 1e-5
    assert errors["choices"] == 0
    best, beams, words = space["expand"](totals[0], space["log_softmax"](scores[0]), 4)
    np.testing.assert_allclose(best, claimed[0][0], rtol=1e-12)
    assert [beams.tolist(), words.tolist()] == [claimed[1][0].tolist(), claimed[2][0].tolist()]


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(EIGHTH, *GIVEN, *DEMOS)
    said = capsys.readouterr().out.splitlines()
    found = {line.split("  ")[0].split(":")[0].strip(): line for line in said}
    assert found["greedy"].split()[2:7] == ["jane", "is", "going", "to", "visit"]
    assert found["2 beams"].split()[3:6] == ["jane", "is", "visiting"]
    assert float(found["greedy"].split()[1]) < float(found["2 beams"].split()[2])
    assert "going to be" in found["alpha 2.0"]
    assert "going to be" not in found["alpha 0.0"]
    assert next(line for line in said if line.startswith("log P(y*)")).endswith("the search")
    assert [line.split()[-1] for line in said if "BLEU" in line] == ["0.000", "1.000"]
