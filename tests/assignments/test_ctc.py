"""Assignment 10's solutions against the package and torch; its demonstrations show what the text says."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.ctc import reference
from seqlab.lm import NGram
from tests.assignments.test_sources import solved

TENTH = "10_ctc"
GIVEN = (
    *("texts-arrays", "forward-arrays", "backward-arrays", "gradient-arrays"),
    *("greedy-arrays", "beam-arrays", "kernel-check-arrays"),
)
DEMOS = ("lattice-demo", "gradient-demo")
TARGETS = ([], [2], [1, 1], [3, 1, 1, 3])


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(TENTH, *GIVEN)


def lattice(space, log_probs, target, blank=0):
    states = space["extend"](target, blank)
    skip = space["may_skip"](states, blank)
    return states, space["forward"](log_probs, states, skip), space["backward"](log_probs, states, skip)


@pytest.mark.parametrize("blank", [0, 2])
def test_every_path_says_what_it_says_in_the_package(space, blank):
    for path in itertools.product(range(3), repeat=5):
        assert space["collapse"](path, blank) == reference.collapse(path, blank)


def test_the_frames_and_states_are_the_packages(space):
    for target in TARGETS:
        assert space["frames_needed"](target) == reference.frames_needed(np.array(target, dtype=int))
        assert space["extend"](target) == list(reference.extend(np.array(target, dtype=int)))


def test_all_texts_are_the_packages(space):
    log_probs = space["log_rows"](np.random.default_rng(0), 4, 3)
    mine = space["all_texts"](log_probs, lambda path: tuple(space["collapse"](path)))
    theirs = reference.brute_force(log_probs)
    assert mine.keys() == theirs.keys()
    for text, value in theirs.items():
        assert mine[text] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_alpha_and_beta_are_the_packages(space, target):
    log_probs = space["log_rows"](np.random.default_rng(1), 7, 4)
    _, log_alpha, log_beta = lattice(space, log_probs, target)
    ids = np.array(target, dtype=int)
    np.testing.assert_allclose(log_alpha, reference.ctc_forward(log_probs, ids), rtol=1e-12)
    np.testing.assert_allclose(log_beta, reference.ctc_backward(log_probs, ids, includes=False), rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_the_loss_and_its_gradient_are_torchs(space, target):
    z = torch.tensor(np.random.default_rng(2).normal(size=(8, 4)), requires_grad=True)
    rows = torch.log_softmax(z, 1)
    ids = torch.tensor(target, dtype=torch.int64)
    loss = F.ctc_loss(rows, ids, torch.tensor(8), torch.tensor(len(target)), reduction="sum")
    loss.backward()
    states, log_alpha, log_beta = lattice(space, rows.detach().numpy(), target)
    assert space["ctc_loss"](log_alpha) == pytest.approx(loss.item(), rel=1e-12)
    dz = space["scores_gradient"](rows.detach().numpy(), states, space["occupancies"](log_alpha, log_beta))
    np.testing.assert_allclose(dz, z.grad.numpy(), atol=1e-12)


def test_the_greedy_text_and_its_times_are_the_packages(space):
    rng = np.random.default_rng(3)
    for _ in range(20):
        log_probs = space["log_rows"](rng, 12, 3)
        found = space["greedy_decode"](log_probs)
        assert [label for label, _, _ in found] == list(reference.greedy_decode(log_probs)[0])
        assert found == [tuple(span) for span in reference.spans(log_probs.argmax(1))]


def test_the_beam_is_the_packages(space):
    rng = np.random.default_rng(4)
    lm = NGram(2, smoothing="add-k").fit(rng.integers(1, 4, size=(5, 6)).tolist(), size=4)

    def log_p(prefix):
        return sum(np.log(lm.distribution(prefix[:n])[label]) for n, label in enumerate(prefix))

    for width in (1, 3, 200):
        log_probs = space["heard"](rng, 6, 4)
        for mine, theirs in (
            (space["prefix_beam"](log_probs, width), reference.beam_decode(log_probs, width, n_best=width)),
            (
                space["prefix_beam"](log_probs, width, lm=log_p),
                reference.beam_decode(log_probs, width, lm=lm, lm_weight=1.0, n_best=width),
            ),
        ):
            assert [text for text, _ in mine] == [tuple(one.labels) for one in theirs]
            np.testing.assert_allclose([score for _, score in mine], [one.score for one in theirs], rtol=1e-10)


def test_the_kernel_agrees_with_torch(space):
    claims = space["spoken"](np.random.default_rng(5), [(3, 1), (5, 2), (2, 0)], 4)
    assert max(space["kernel_errors"](*claims).values()) < 1e-6


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(TENTH, *GIVEN, *DEMOS)
    said = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines() if line[-1].isdigit()]
    assert said[0] == pytest.approx(said[1], rel=1e-9)
    assert said[2] == pytest.approx(said[3], rel=1e-5)


def test_the_speech_is_read_better_with_a_language_model(capsys):
    solved(TENTH, "speech-demo")
    said = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line[:1] in tuple("gbat"))
    said["lm"] = said.pop("and").removeprefix("lm ")
    errors = {name: reference.edit_distance(list(text), list(said["truth"])) for name, text in said.items()}
    assert errors["greedy"] > 0
    assert errors["lm"] < errors["greedy"]
