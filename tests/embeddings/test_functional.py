"""word2vec and GloVe in torch: losses against the reference, steps against their losses, the lookup, counting."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.embeddings import functional, reference

LOSSES = (
    "skipgram_softmax_loss",
    "skipgram_negative_loss",
    "skipgram_hierarchical_loss",
    "cbow_softmax_loss",
    "cbow_negative_loss",
    "cbow_hierarchical_loss",
)


def problem(V=23, D=7, B=31, C=5, K=4, seed=0):
    """Tables of size one, a tree of uneven counts, ids with many repeats, windows of any fullness (none as well)."""
    rng = np.random.default_rng(seed)
    contexts = rng.integers(V, size=(B, C))
    contexts[rng.random((B, C)) < 0.4] = -1
    contexts[0] = -1
    return {
        "E": rng.normal(size=(V, D)),
        "O": rng.normal(size=(V, D)),
        "N": rng.normal(size=(V - 1, D)),
        "centre": rng.integers(V, size=B) // 2,
        "context": rng.integers(V, size=B),
        "target": rng.integers(V, size=B),
        "contexts": contexts,
        "negatives": rng.integers(V, size=(B, K)) // 3,
        "tree": reference.huffman(rng.integers(1, 60, size=V)),
    }


def arguments(name, given):
    """What a loss takes, in its order."""
    skipgram, out = name.startswith("skipgram"), "N" if "hierarchical" in name else "O"
    names = ["E", out, *(("centre", "context") if skipgram else ("contexts", "target"))]
    names += {"softmax": [], "negative": ["negatives"], "hierarchical": ["tree"]}[name.split("_")[1]]
    return names, [given[n] for n in names]


def tensors(values, dtype=torch.float64):
    def one(value):
        if isinstance(value, tuple):
            return value
        value = torch.tensor(value)
        return value.to(dtype) if value.is_floating_point() else value

    return [one(value) for value in values]


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_are_those_of_the_reference(name):
    names, values = arguments(name, problem())
    want, gradients = getattr(reference, name)(*values)
    ours = tensors(values)
    tables = [t.requires_grad_() for t in ours[:2]]
    loss = getattr(functional, name)(*ours)
    np.testing.assert_allclose(loss.detach(), want, rtol=1e-10)
    loss.sum().backward()
    for table, key in zip(tables, names, strict=False):
        np.testing.assert_allclose(table.grad, gradients[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name):
    _, values = arguments(name, problem(V=6, D=3, B=4, C=3, K=2))
    E, O, *rest = tensors(values)
    E.requires_grad_(), O.requires_grad_()
    assert torch.autograd.gradcheck(lambda E, O: getattr(functional, name)(E, O, *rest), (E, O))


# ------------------------------------------------------------------------------------------------ steps


def pairs_of(given):
    """Every (centre, context) of a window as a pair of its own, with the window's negatives."""
    row, column = np.nonzero(given["contexts"] >= 0)
    return given["centre"][row], given["contexts"][row, column], given["negatives"][row]


def step_of(name, given, lr):
    """What the gradients of the reference make of both tables, and the summed loss before it."""
    if name == "sgns_step":
        centre, context, negatives = pairs_of(given)
        loss, g = reference.skipgram_negative_loss(given["E"], given["O"], centre, context, negatives)
    elif name == "skipgram_hierarchical_step":
        centre, context, _ = pairs_of(given)
        loss, g = reference.skipgram_hierarchical_loss(given["E"], given["N"], centre, context, given["tree"])
    elif name == "cbow_step":
        loss, g = reference.cbow_negative_loss(*(given[n] for n in ("E", "O", "contexts", "target", "negatives")))
    else:
        loss, g = reference.cbow_hierarchical_loss(*(given[n] for n in ("E", "N", "contexts", "target", "tree")))
    return [given[key] - lr * g[key] for key in g], loss.sum()


def call_step(name, given, lr, dtype, backend="auto"):
    tree = given["tree"]
    names = {
        "sgns_step": ["E", "O", "centre", "contexts", "negatives"],
        "cbow_step": ["E", "O", "contexts", "target", "negatives"],
        "skipgram_hierarchical_step": ["E", "N", "centre", "contexts"],
        "cbow_hierarchical_step": ["E", "N", "contexts", "target"],
    }[name]
    values = [given[n] for n in names] + ([tree.nodes, tree.bits] if "hierarchical" in name else [])
    values = tensors(values, dtype)
    loss = getattr(functional, name)(*values, lr, backend)
    return values[:2], loss


STEPS = ("sgns_step", "cbow_step", "skipgram_hierarchical_step", "cbow_hierarchical_step")


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_step_is_one_step_down_the_gradient_of_the_summed_loss(name, dtype, tolerance):
    given = problem(B=63)
    tables, loss = call_step(name, given, 0.1, dtype)
    want, want_loss = step_of(name, given, 0.1)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(want_loss, rel=tolerance)
    for table, value in zip(tables, want, strict=True):
        assert np.linalg.norm(table.numpy() - value) <= tolerance * np.linalg.norm(value)


@pytest.mark.parametrize("name", STEPS)
def test_the_kernel_is_called_with_what_it_takes(name):
    """One window of different words: there, the kernel's order of adding makes no difference."""
    given = problem(B=1)
    given["contexts"] = np.array([[3, -1, 5, 8]])
    given["centre"], given["target"], given["negatives"] = np.array([2]), np.array([11]), np.array([[1, 7, 20]])
    tables, loss = call_step(name, given, 0.1, torch.float32, "triton")
    want, want_loss = step_of(name, given, 0.1)
    assert loss.item() == pytest.approx(want_loss, rel=1e-5)
    for table, value in zip(tables, want, strict=True):
        assert np.linalg.norm(table.numpy() - value) <= 1e-4 * np.linalg.norm(value)


@pytest.mark.parametrize("name", STEPS)
def test_windows_without_words_change_nothing(name):
    given = problem(B=3)
    given["contexts"][:] = -1
    if name.startswith("cbow"):  # the mean of nothing is zero: no gradient for O either
        want, _ = step_of(name, given, 0.5)
        for value, key in zip(want, ("E", "N" if "hierarchical" in name else "O"), strict=True):
            np.testing.assert_array_equal(value, given[key])
    tables, loss = call_step(name, given, 0.5, torch.float64)
    for table, key in zip(tables, ("E", "N" if "hierarchical" in name else "O"), strict=True):
        np.testing.assert_array_equal(table.numpy(), given[key])
    assert (loss.item() == 0) == (name.startswith(("sgns", "skipgram")))


def glove_problem(V=13, D=5, n=40, seed=1):
    rng = np.random.default_rng(seed)
    return {
        "W": rng.normal(size=(V, D)),
        "U": rng.normal(size=(V, D)),
        "b": rng.normal(size=V),
        "c": rng.normal(size=V),
        "totals": [1 + rng.random(shape) for shape in ((V, D), (V, D), V, V)],
        "rows": rng.integers(V, size=n),
        "columns": rng.integers(V, size=n) // 2,
        "x": np.exp(rng.normal(size=n) * 2 + 2),
    }


def test_a_glove_step_is_adagrad_on_the_summed_gradient():
    given = glove_problem()
    weights = [given[n] for n in "WUbc"]
    loss, g = reference.glove_loss(*weights, given["rows"], given["columns"], given["x"], 50, 0.6)
    want = [reference.adagrad_step(w, g[n], t, 0.05) for n, w, t in zip("WUbc", weights, given["totals"], strict=True)]
    ours, totals = tensors(weights), tensors(given["totals"])
    rest = tensors([given[n] for n in ("rows", "columns", "x")])
    summed = functional.glove_step(*ours, tuple(totals), *rest, 0.05, 50, 0.6)
    assert summed.item() == pytest.approx(loss.sum())
    for have, total, (w, t) in zip(ours, totals, want, strict=True):
        np.testing.assert_allclose(have, w, rtol=1e-10)
        np.testing.assert_allclose(total, t, rtol=1e-10)


def test_the_kernel_of_glove_is_called_with_what_it_takes():
    given = glove_problem(n=5)
    given["rows"], given["columns"] = np.array([1, 2, 3, 4, 5]), np.array([5, 4, 9, 8, 7])
    outcomes = []
    for backend in ("torch", "triton"):
        weights, totals, rest = (
            tensors(part, torch.float32)
            for part in ([given[n] for n in "WUbc"], given["totals"], [given[n] for n in ("rows", "columns", "x")])
        )
        loss = functional.glove_step(*weights, tuple(totals), *rest, 0.05, 50, 0.6, backend)
        outcomes.append([loss, *weights, *totals])
    for by_torch, by_triton in zip(*outcomes, strict=True):
        torch.testing.assert_close(by_triton, by_torch, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------ lookup


def test_the_lookup_and_its_scatter_add_are_those_of_torch():
    weight = torch.randn(11, 4, dtype=torch.float64, requires_grad=True)
    ids = torch.randint(3, (2, 5, 3))
    d = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    (F.embedding(ids, weight) * d).sum().backward()
    want, weight.grad = weight.grad, None
    rows = functional.embedding(ids, weight)
    assert torch.equal(rows, F.embedding(ids, weight))
    (rows * d).sum().backward()
    torch.testing.assert_close(weight.grad, want)
    np.testing.assert_allclose(want, reference.embedding_backward(d.numpy(), ids.numpy(), 11), rtol=1e-12)


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_kernels_of_lookup_and_counting_are_called_with_what_they_take(deterministic):
    weight = torch.randn(11, 4, requires_grad=True)
    ids = torch.tensor([[3, 1, 3], [0, 10, 3]])
    rows = functional.embedding(ids, weight, deterministic, "triton")
    assert torch.equal(rows, weight[ids])
    rows.sum().backward()
    torch.testing.assert_close(weight.grad[:, 0], torch.bincount(ids.flatten(), minlength=11).float())
    text = torch.tensor([3, 1, 3, -1, 0, 4, 3])
    by_triton, by_torch = (functional.cooccurrence(text, 5, 2, "harmonic", way) for way in ("triton", "torch"))
    torch.testing.assert_close(by_triton, by_torch)


@pytest.mark.parametrize("weighting", ["flat", "harmonic"])
@pytest.mark.parametrize(("N", "window"), [(0, 2), (1, 2), (3, 9), (200, 1), (200, 4)])
def test_counts_are_those_of_the_reference(N, window, weighting):
    rng = np.random.default_rng(N)
    ids = rng.integers(-1, 9, size=N)
    X = functional.cooccurrence(torch.tensor(ids), 9, window, weighting)
    assert X.dtype == torch.float32
    want = reference.cooccurrence(ids, 9, window, weighting).toarray()
    np.testing.assert_allclose(X, want, rtol=1e-6)


# ------------------------------------------------------------------------------------------------ wrong use


def test_wrong_arguments_are_named():
    E, O = torch.zeros(5, 3), torch.zeros(5, 3)
    ids, window = torch.zeros(2, dtype=torch.long), torch.zeros(2, 4, dtype=torch.long)
    with pytest.raises(ValueError, match=r"O has shape \(4, 3\); it must have shape \(5, 3\)"):
        functional.sgns_step(E, O[:4], ids, window, window, 0.1)
    with pytest.raises(ValueError, match=r"contexts has shape \(2, 4\); it must have shape \(3, C\)"):
        functional.sgns_step(E, O, torch.zeros(3, dtype=torch.long), window, window, 0.1)
    with pytest.raises(ValueError, match="negatives holds ids from -1 to -1; the vocabulary has ids 0 to 4"):
        functional.sgns_step(E, O, ids, window, window - 1, 0.1)
    with pytest.raises(ValueError, match=r"contexts holds ids from 5 to 5; .* 0 to 4, and -1 marks no word"):
        functional.cbow_step(E, O, window + 5, ids, window, 0.1)
    with pytest.raises(ValueError, match=r"centre holds torch\.float32"):
        functional.sgns_step(E, O, ids.float(), window, window, 0.1)
    with pytest.raises(ValueError, match=r"N has shape \(5, 3\); it must have shape \(4, 3\)"):
        functional.cbow_hierarchical_step(E, O, window, ids, window, window, 0.1)
    with pytest.raises(ValueError, match="totals holds 2 tensors"):
        functional.glove_step(E, O, E[:, 0], O[:, 0], (E, O), ids, ids, ids.float(), 0.1)
    with pytest.raises(ValueError, match="weighting is 'square'"):
        functional.cooccurrence(ids, 5, 2, "square")
    with pytest.raises(ValueError, match="window is 0"):
        functional.cooccurrence(ids, 5, 0)
    with pytest.raises(ValueError, match="backend is 'cuda'"):
        functional.embedding(ids, E, backend="cuda")
    assert not E.any()
    assert not O.any()
