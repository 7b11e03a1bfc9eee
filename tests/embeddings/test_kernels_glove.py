"""GloVe's step against plain float64 loops over tiles of counts, as the kernel takes them."""

import numpy as np
import pytest
import torch

from seqlab.embeddings import kernels, reference
from seqlab.embeddings.kernels import common, glove
from tests.embeddings import launched
from tests.embeddings.launched import DEVICE, ONE_BY_ONE, table, tensor

LR = 0.05


@pytest.fixture(params=[1, 4, 32], autouse=True)
def rows(request, monkeypatch, poison):
    """All forms: a count a program, a few, more than there are."""
    launched.form(monkeypatch, glove._glove, request.param)
    return request.param


def problem(n, V, D, unique=False, seed=0):
    """Weights, totals, and counts; two of the counts are above x_max."""
    rng = np.random.default_rng(seed)
    weights = [table(V, D, 1), table(V, D, 2), rng.normal(size=V), rng.normal(size=V)]
    totals = [1 + rng.random(w.shape) for w in weights]
    weights, totals = ([a.astype(np.float32).astype(float) for a in arrays] for arrays in (weights, totals))
    pick = (lambda: rng.permutation(V)[:n]) if unique else (lambda: rng.integers(V, size=n))
    x = np.exp(rng.uniform(-2, 7, size=n)).astype(np.float32).astype(float)
    x[: min(n, 2)] = 500
    return weights, totals, pick(), pick(), x


def loop(weights, totals, rows, columns, x, at_once, x_max=100, alpha=0.75):
    """Tiles of `at_once` counts, one after another; the counts of a tile see the same weights and totals."""
    weights, totals, loss = [w.copy() for w in weights], [t.copy() for t in totals], 0.0
    for start in range(0, len(x), at_once):
        W, U, b, c = (w.copy() for w in weights)
        before = [t.copy() for t in totals]
        for i, j, count in zip(*(a[start : start + at_once] for a in (rows, columns, x)), strict=True):
            f = min(count / x_max, 1) ** alpha
            d = W[i] @ U[j] + b[i] + c[j] - np.log(count)
            loss += f * d**2
            for n, (at, g) in enumerate(((i, 2 * f * d * U[j]), (j, 2 * f * d * W[i]), (i, 2 * f * d), (j, 2 * f * d))):
                weights[n][at] -= LR * g / np.sqrt(before[n][at] + g**2)
                totals[n][at] += g**2
    return loss, weights, totals


def launch(weights, totals, rows, columns, x, **options):
    have, grown = [tensor(w) for w in weights], tuple(tensor(t) for t in totals)
    return kernels.glove_step(*have, grown, tensor(rows), tensor(columns), tensor(x), LR, **options), have, grown


def check(given, at_once, x_max=100, alpha=0.75, **options):
    loss, have, grown = launch(*given, x_max=x_max, alpha=alpha, **options)
    want, weights, totals = loop(*given, at_once, x_max, alpha)
    assert abs(loss.item() - want) <= 1e-5 * want
    assert max(launched.errors(have, given[0], weights)) <= 1e-4
    assert max(launched.errors(grown, given[1], totals)) <= 1e-4


@pytest.mark.parametrize(("n", "D"), [(1, 1), (5, 63), (3, 300), (9, 100)])
def test_a_step_without_repeated_rows_is_exact(n, D):
    check(problem(n, 12, D, unique=True), at_once=1)


def test_a_step_without_repeated_rows_is_adagrad_on_the_reference_loss():
    weights, totals, rows, columns, x = problem(9, 12, 5, unique=True)
    loss, have, grown = launch(weights, totals, rows, columns, x)
    losses, gradients = reference.glove_loss(*weights, rows, columns, x)
    after = [reference.adagrad_step(w, g, t, LR) for w, g, t in zip(weights, gradients.values(), totals, strict=True)]
    assert abs(loss.item() - losses.sum()) <= 1e-5 * losses.sum()
    assert max(launched.errors(have, weights, [w for w, _ in after])) <= 1e-4
    assert max(launched.errors(grown, totals, [t for _, t in after])) <= 1e-4


def test_repeated_rows_get_every_addition(rows):
    check(problem(30, 4, 6), at_once=rows, **ONE_BY_ONE)


@pytest.mark.parametrize(("x_max", "alpha"), [(10, 0.75), (1000, 0.5), (100, 1)])
def test_the_weight_has_its_two_numbers(x_max, alpha):
    check(problem(8, 9, 4, unique=True), 1, x_max, alpha)


def test_counts_left_out_change_nothing():
    weights, totals, rows, columns, x = problem(6, 9, 4, unique=True)
    rows[1], columns[4] = -1, -1
    loss, have, grown = launch(weights, totals, rows, columns, x)
    some = [0, 2, 3, 5]
    want, wanted, sums = loop(weights, totals, rows[some], columns[some], x[some], 1)
    assert abs(loss.item() - want) <= 1e-5 * want
    assert max(launched.errors(have, weights, wanted)) <= 1e-4
    assert max(launched.errors(grown, totals, sums)) <= 1e-4


@pytest.mark.parametrize(("name", "value"), [("x", 0.0), ("x", -1.0), ("x", np.nan), ("rows", 9), ("columns", -2)])
def test_what_is_no_count_makes_the_loss_nan_and_is_left_out(name, value):
    given = dict(zip(("rows", "columns", "x"), (problem_ := problem(3, 9, 4, unique=True))[2:], strict=True))
    given[name][1] = value
    loss, have, grown = launch(*problem_[:2], **given)
    assert loss.isnan()
    _, wanted, totals = loop(*problem_[:2], *(a[[0, 2]] for a in given.values()), 1)
    assert max(launched.errors(have, problem_[0], wanted)) <= 1e-4
    assert max(launched.errors(grown, problem_[1], totals)) <= 1e-4


def test_the_runs_that_choose_a_form_leave_weights_and_totals_alone(monkeypatch):
    given = problem(9, 12, 5, unique=True)
    once = launch(*given)
    monkeypatch.setattr(common, "interpreting", lambda: False)
    monkeypatch.setattr(common, "_seen", set())
    rates, run = [], glove._glove.run
    monkeypatch.setattr(glove._glove, "run", lambda *a, **k: rates.append((k["lr"], k["learn"])) or run(*a, **k))
    twice = launch(*given)
    assert rates == [(0, 0), (LR, 1)]
    assert torch.equal(once[0], twice[0])
    assert all(torch.equal(a, b) for a, b in zip([*once[1], *once[2]], [*twice[1], *twice[2]], strict=True))


def test_no_count_is_no_launch():
    assert launch(*problem(0, 5, 3))[0].item() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda g: g | {"totals": g["totals"][:3]}, "totals holds 3 tensors; it must hold four"),
        (lambda g: g | {"x_max": 0}, "x_max is 0 and alpha is 0.75; both must be above 0"),
        (lambda g: g | {"b": g["b"][:5].clone()}, r"b has shape \(5,\); it must have shape \(9,\)"),
        (lambda g: g | {"totals": (*g["totals"][:3], g["c"][:2].clone())}, r"the total of c has shape \(2,\)"),
        (lambda g: g | {"totals": tuple(t.double() for t in g["totals"])}, "the total of W holds torch.float64"),
        (lambda g: g | {"U": g["U"].half()}, "U holds torch.float16"),
        (lambda g: g | {"columns": g["columns"][:1]}, r"columns has shape \(1,\); it must have shape \(3,\)"),
        (lambda g: g | {"rows": g["rows"].float()}, "rows holds torch.float32; ids are integers, such as torch.int64"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    weights, totals, *counts = problem(3, 9, 4)
    given = dict(zip(("W", "U", "b", "c"), map(tensor, weights), strict=True))
    given |= dict(zip(("rows", "columns", "x"), map(tensor, counts), strict=True))
    given |= {"totals": tuple(map(tensor, totals)), "lr": LR, "x_max": 100, "alpha": 0.75}
    with pytest.raises(ValueError, match=sentence):
        kernels.glove_step(**change(given))


def test_the_tuner_has_forms_for_every_size():
    for D in (1, 2, 50, 100, 128, 300, 1000, common.LARGEST):
        assert 1 <= len(glove._worth_trying(glove.CONFIGS, {}, **glove.plan(D))) <= 8, D


def test_the_counts_may_be_float64():
    given = problem(4, 9, 4, unique=True)
    loss, have, _ = launch(*given)
    again = [tensor(w) for w in given[0]]
    x = torch.tensor(given[4], dtype=torch.float64, device=DEVICE)
    other = kernels.glove_step(*again, tuple(map(tensor, given[1])), *map(tensor, given[2:4]), x, LR)
    assert torch.equal(loss, other)
    assert torch.equal(have[0], again[0])
