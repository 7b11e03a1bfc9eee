"""Assignment 6's solutions against the package and autograd; its demonstrations show what the text says."""

import re

import numpy as np
import pytest
import torch

from seqlab import data
from seqlab.embeddings import cost, functional, reference
from tests.assignments.test_sources import solved

SIXTH = "06_word2vec_and_glove"
ARRAYS = ("mean-arrays", "sgns-arrays", "tree-arrays", "glove-arrays", "fused-arrays", "kernel-check-arrays")
DEMOS = ("gradient-demo", "kernel-demo", "text-demo", "skipgram-demo", "glove-demo", "cost-demo")
V, D = 6, 3


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(SIXTH, *ARRAYS)


@pytest.fixture(scope="module")
def said():
    """What the demonstrations print."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        solved(SIXTH, *ARRAYS, *DEMOS)
    return printed.getvalue().splitlines()


def close(mine, theirs, message=""):
    np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg=message)


@pytest.mark.parametrize("power", [0, 0.75, 1])
def test_the_noise_agrees_with_the_package(space, power):
    counts = np.array([40, 0, 7, 1, 900])
    close(space["noise"](counts, power), reference.noise_distribution(counts, power))


@pytest.mark.parametrize("t", [1e-1, 1e-3, 1e-5])
def test_what_is_kept_agrees_with_the_package(space, t):
    counts = np.array([40, 0, 7, 1, 900])
    close(space["keep_probability"](counts, t), reference.keep_probability(counts, t))


@pytest.mark.parametrize(("T", "window"), [(0, 2), (1, 3), (4, 9), (9, 2)])
def test_the_pairs_are_those_that_the_package_counts(space, rng, T, window):
    ids, counted = rng.integers(0, V, size=T), np.zeros((V, V))
    np.add.at(counted, space["pairs"](ids, window), 1)
    close(counted, reference.cooccurrence(ids, V, window).toarray())


def test_the_mean_and_its_gradient_agree_with_the_package(space, rng):
    E, contexts, dh = rng.normal(size=(V, D)), rng.integers(-1, V, size=(5, 4)), rng.normal(size=(5, D))
    contexts[2] = -1
    close(space["window_mean"](E, contexts), reference.losses.mean_forward(E, contexts))
    close(space["window_mean_backward"](dh, contexts, V), reference.losses.mean_backward(dh, contexts, V))


def test_negative_sampling_agrees_with_the_package_and_autograd(space, rng):
    E, O = rng.normal(size=(2, V, D))
    ids = [rng.integers(0, V, size=shape) for shape in (9, 9, (9, 4))]
    loss, gradients = reference.skipgram_negative_loss(E, O, *ids)
    close(space["sgns_loss"](E, O, *ids), loss)
    tables = [torch.tensor(table, requires_grad=True) for table in (E, O)]
    functional.skipgram_negative_loss(*tables, *map(torch.tensor, ids)).sum().backward()
    for mine, name, table in zip(space["sgns_gradients"](E, O, *ids), "EO", tables, strict=True):
        close(mine, gradients[name], name)
        close(mine, table.grad.numpy(), name)


@pytest.mark.parametrize("counts", [[3], [2, 1, 4, 1, 2], [5] * 7, list(range(1, 20))])
def test_the_tree_agrees_with_the_package(space, rng, counts):
    counts = np.array(counts)
    paths, tree = space["huffman"](counts), reference.huffman(counts)
    for word, path in enumerate(paths):
        L = tree.lengths[word]
        assert path == list(zip(tree.nodes[word, :L], tree.bits[word, :L], strict=True))
    assert space["expected_length"](counts, paths) == pytest.approx(counts @ tree.lengths / counts.sum())
    words = np.arange(len(counts))
    E, N = rng.normal(size=(len(counts), D)), rng.normal(size=(len(counts) - 1, D))
    loss, gradients = reference.skipgram_hierarchical_loss(E, N, words, words, tree)
    found = [space["tree_loss"](E[word], N, paths[word]) for word in words]
    close([one[0] for one in found], loss)
    close([one[1] for one in found], gradients["E"])
    close(sum(one[2] for one in found), gradients["N"])


@pytest.mark.parametrize(("x_max", "alpha"), [(100, 0.75), (7, 1.0)])
def test_glove_and_adagrad_agree_with_the_package(space, rng, x_max, alpha):
    given = [*rng.normal(size=(2, V, D)), *rng.normal(size=(2, V)), *rng.integers(0, V, size=(2, 20))]
    given.append(rng.uniform(0.1, 300, size=20))
    loss, gradients = space["glove"](*given, x_max, alpha)
    their_loss, theirs = reference.glove_loss(*given, x_max, alpha)
    close(loss, their_loss)
    assert gradients.keys() == theirs.keys()
    for name, gradient in theirs.items():
        close(gradients[name], gradient, name)
    step = [given[0], gradients["W"], np.ones((V, D)), 0.05]
    for mine, its in zip(space["adagrad"](*step), reference.adagrad_step(*step), strict=True):
        close(mine, its)


def test_the_fused_step_is_a_step_against_the_gradient_of_its_pairs(space, rng):
    E, O = rng.normal(size=(2, V, D))
    contexts, negatives = np.array([2, -1, 2, 5, -1, 3]), np.array([3, 0, 0])
    real = contexts[contexts >= 0]
    pairs = np.full(len(real), 3), real, np.tile(negatives, (len(real), 1))
    losses, gradients = reference.skipgram_negative_loss(E, O, *pairs)
    newE, newO, loss = space["sgns_step"](E, O, 3, contexts, negatives, 0.3)
    close(loss, losses.sum())
    close(newE, E - 0.3 * gradients["E"])
    close(newO, O - 0.3 * gradients["O"])
    assert max(space["kernel_errors"]((newE, newO, loss), E, O, 3, contexts, negatives, 0.3).values()) < 1e-5
    for mine, its in zip((newE, newO, loss), space["by_autograd"](E, O, 3, contexts, negatives, 0.3), strict=True):
        close(mine, its)


@pytest.mark.parametrize("shared", [True, False])
def test_the_bytes_agree_with_the_package(space, shared):
    for shape in ((1, 1, 1, 1), (1000, 6, 5, 300)):
        assert space["sgns_bytes"](*shape, shared) == cost.sgns_cost(*shape, shared).bytes


def test_the_gradient_and_the_kernel_agree_with_the_solutions(said):
    mine, numeric = (float(line.split()[-1]) for line in said if line.startswith(("mine  ", "finite")))
    assert mine == pytest.approx(numeric, rel=1e-5)
    errors = [float(line.split()[-1]) for line in said if "against the kernel" in line]
    assert len(errors) == 3
    assert max(errors) < 1e-5


def test_the_tree_s_codes_are_between_the_entropy_and_equal_lengths(said):
    text = "\n".join(said)
    turns, entropy, equal = (float(re.search(rf"{name}: ([\d.]+)", text)[1]) for name in ("text", "bits", r"log2\(V\)"))
    assert entropy <= turns < min(entropy + 1, equal)
    assert "probabilities of a tree sum to 1.000000" in text


def test_both_models_learn_who_is_like_whom(said):
    losses = [float(line.split()[-4]) for line in said if "nats a pair" in line]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2
    errors = [float(line.split()[-3]) for line in said if line.endswith("a count")]
    assert errors[-1] < errors[0] / 100
    features = data.kingdom_words()
    lines = [re.fullmatch(r"(queen|boy|paris|korea) +(\w+), (\w+), (\w+)", line) for line in said]
    found = [match.groups() for match in lines if match]
    assert len(found) == 8
    is_place = {word: "land" in about for word, about in features.items()}
    alike = [sum(is_place.get(near) == is_place[word] for near in others) for word, *others in found]
    assert alike[:4] == [3] * 4
    assert sum(alike[4:]) >= 10  # a river may come to stand near its capital


def test_sharing_saves_what_the_text_says(said):
    rows = [re.findall(r"[\d,]+", line) for line in said if re.match(r" ?\d+ +16,860 ", line)]
    shared = [int(row[2].replace(",", "")) for row in rows]
    assert len(shared) == 5
    assert shared[0] == 16860
    assert shared == sorted(shared, reverse=True)
    assert "at most a third of the bytes from C = 5" in said
