"""Assignment 3's solutions against torch, the package and laws; its demonstrations show what the text says."""

import itertools

import numpy as np
import pytest
import torch

from seqlab.lm import reference
from seqlab.lm.ngram import NGram
from tests.assignments.test_sources import solved

THIRD = "03_language_models"
NAMES = ["iceland", "ireland", "mali", "malta", "oman", "mali"]


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and some provided cells define."""
    return solved(THIRD, "memory-model", "small-model")


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_the_loss_and_its_gradient_agree_with_torch(space, offset):
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(5, 9)) * 40 + offset, rng.integers(9, size=5)
    losses, dz = space["cross_entropy"](z, y)
    scores = torch.tensor(z, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(scores, torch.tensor(y), reduction="none")
    theirs.sum().backward()
    np.testing.assert_allclose(losses, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dz, scores.grad.numpy(), atol=1e-9)


def test_the_perplexity_agrees_with_the_package(space):
    rng = np.random.default_rng(2)
    losses, real = rng.uniform(0, 9, size=(4, 6)), rng.random((4, 6)) < 0.6
    nats, bits, perplexity = space["perplexity"](losses, real)
    assert perplexity == pytest.approx(reference.perplexity(losses[real].sum(), real.sum()))
    assert 2**bits == pytest.approx(perplexity)
    assert nats == pytest.approx(losses[real].mean())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_add_k_agrees_with_the_package(space, n):
    letters = [*sorted(set("".join(NAMES))), space["END"]]
    ids = {letter: i for i, letter in enumerate(letters)}
    counts = space["count_ngrams"]([list(name) for name in NAMES], n)
    theirs = NGram(n, smoothing="add-k", k=0.3).fit(
        [[ids[letter] for letter in [*name, space["END"]]] for name in NAMES], len(letters)
    )
    for text in ("", "m", "ma", "mal", "la"):
        context = ([space["START"]] * (n - 1) + list(text))[len(text) :]
        mine = space["add_k"](counts, tuple(context), letters, 0.3)
        np.testing.assert_allclose(mine, theirs.distribution([ids[letter] for letter in text]), rtol=1e-12)


@pytest.mark.parametrize("discount", [0.1, 0.75, 1.0])
def test_kneser_ney_keeps_how_often_each_word_occurs(space, discount):
    counts = space["count_ngrams"]([list(name) for name in NAMES], 2)
    letters = [*sorted(set("".join(NAMES))), space["END"]]
    expected = np.zeros(len(letters))
    for (v,), following in counts.items():
        p = space["kneser_ney"](counts, v, letters, discount)
        assert p.sum() == pytest.approx(1)
        expected += sum(following.values()) * p
    occurred = [sum(following.get(letter, 0) for following in counts.values()) for letter in letters]
    np.testing.assert_allclose(expected, occurred, rtol=1e-12)


def test_the_probabilities_of_all_sentences_sum_to_one(space):
    model, eos, longest = space["memory_model"](np.random.default_rng(3), 4), 3, 4
    ended = sum(
        np.exp(space["log_probability"](list(words), model, eos))
        for length in range(longest + 1)
        for words in itertools.product(range(3), repeat=length)
    )
    assert ended == pytest.approx(1 - 0.9 ** (longest + 1))


def test_the_filters_agree_with_the_package(space):
    rng = np.random.default_rng(4)
    z = rng.integers(-3, 3, size=11).astype(float)  # with equal scores
    p = reference.softmax(z[None])[0]
    for T in (0, 0.3, 2.0):
        np.testing.assert_allclose(space["temperature"](z, T), reference.temperature(z[None], T)[0], rtol=1e-12)
    for k in (1, 4, 11, 30):
        np.testing.assert_allclose(space["top_k"](p, k), reference.top_k(p[None], k)[0], rtol=1e-12)
    for mass in (0.05, 0.5, 0.97):
        np.testing.assert_allclose(space["nucleus"](p, mass), reference.nucleus(p[None], mass)[0], rtol=1e-12)


def test_words_are_drawn_as_often_as_their_probability_says(space):
    p, count = np.array([0.1, 0.0, 0.6, 0.3]), 1000
    drawn = space["sample"](lambda prefix: p, [], ((np.arange(count) + 0.5) / count).tolist(), eos=9)
    np.testing.assert_allclose(np.bincount(drawn) / count, p, atol=1e-9)


def test_lead_and_loop_spell_what_greedy_writes(space):
    rng = np.random.default_rng(5)
    for m in (1, 2, 3):
        table = rng.dirichlet(np.ones(3), size=(3,) * m)
        start = tuple(int(i) for i in rng.integers(3, size=m))
        lead, loop = space["greedy_loop"](lambda context, table=table: table[context], start, eos=9)
        written = list(start)
        for _ in range(120):
            written.append(int(np.argmax(table[tuple(written[-m:])])))
        assert [*lead, *(loop * 120)][:120] == written[m:]
        assert len(lead) + len(loop) <= 3**m


def test_the_character_model_agrees_with_autograd(space):
    rng = np.random.default_rng(6)
    weights, h0 = space["small_model"](rng, 7, 5), rng.normal(size=(3, 5))
    x, y = rng.integers(7, size=(2, 3, 6))
    loss, gradients, h = space["window_loss"](x, y, h0, weights)
    twin = torch.nn.RNN(7, 5, batch_first=True, dtype=torch.float64)
    inside = {"weight_ih_l0": "W_ih", "weight_hh_l0": "W_hh", "bias_ih_l0": "b_ih", "bias_hh_l0": "b_hh"}
    twin.load_state_dict({theirs: torch.tensor(weights[mine]) for theirs, mine in inside.items()})
    W_y, b_y = (torch.tensor(weights[name], requires_grad=True) for name in ("W_y", "b_y"))
    states, last = twin(torch.tensor(np.eye(7)[x]), torch.tensor(h0[None]))
    scores = (states @ W_y.T + b_y).flatten(0, 1)
    theirs = torch.nn.functional.cross_entropy(scores, torch.tensor(y).flatten(), reduction="sum")
    theirs.backward()
    assert loss == pytest.approx(theirs.item())
    np.testing.assert_allclose(gradients["W_y"], W_y.grad.numpy(), atol=1e-10)
    np.testing.assert_allclose(gradients["b_y"], b_y.grad.numpy(), atol=1e-10)
    np.testing.assert_allclose(h, last[0].detach().numpy(), atol=1e-12)


def test_the_loss_of_a_text_does_not_depend_on_its_windows(space):
    rng = np.random.default_rng(7)
    weights, h0, ids = space["small_model"](rng, 6, 4), np.zeros((1, 4)), rng.integers(6, size=23)
    losses = [space["text_loss"](ids, k, h0, weights) for k in (1, 4, 11, 22, 100)]
    assert {count for _, count in losses} == {22}
    np.testing.assert_allclose([loss for loss, _ in losses], losses[0][0], rtol=1e-12)


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(THIRD, "torch-demo", "names-demo", "invented-demo", "loops-demo", "network-demo")
    said = capsys.readouterr().out.splitlines()
    assert all(float(line.split()[-1]) < 1e-9 for line in said if "PyTorch" in line or "largest difference" in line)
    found = {line[:20].strip(): float(line[20:]) for line in said if line.startswith(("a die", "bigram", "trigram"))}
    die = found.pop("a die")
    assert len(found) == 4
    assert max(found.values()) < 0.8 * die
    learnt = [float(line.split()[-1]) for line in said if line.startswith("after ")]
    assert learnt[0] == pytest.approx(die, abs=0.01)
    assert min(learnt) < 0.6 * die
    loops = [line for line in said if line.endswith("]")]
    assert len(loops) == 6
    assert not [line for line in loops if "[ ]" in line]
