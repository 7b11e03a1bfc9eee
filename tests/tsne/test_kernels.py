"""The kernels against the float64 reference; in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from seqlab.tsne import kernels, reference

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if kernels.interpreting() else "cuda"
NAN, INF = float("nan"), float("inf")
ERROR = {torch.float32: 1e-5, torch.float64: 1e-12}
DTYPES = [torch.float32, torch.float64]


def numpy(tensor):
    return tensor.double().cpu().numpy()


def relative(have, want):
    return np.linalg.norm(numpy(have) - want) / max(np.linalg.norm(want), 1e-30)


def points(N, d=2, dtype=torch.float32, spread=3.0, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(N, d)) * spread, dtype=dtype, device=DEVICE)


def distances(N, k, dtype=torch.float32, seed=0):
    """Squared distances of N points to k others, as in five dimensions."""
    rng = np.random.default_rng(seed)
    return torch.tensor(5 * rng.chisquare(5, size=(N, k)) + 1, dtype=dtype, device=DEVICE)


def perplexities(P):
    return np.exp([reference.entropy(row) for row in numpy(P)])


def searched(squared, perplexity):
    """Row by row, in float64, until no step is left."""
    beta = np.array([reference.search_precision(row, perplexity, tolerance=0) for row in squared])
    return np.stack([reference.gaussian_row(row, b) for row, b in zip(squared, beta, strict=True)]), beta


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "k", "perplexity"), [(1, 2, 1.5), (3, 63, 20), (40, 90, 30), (2, 500, 7.3), (5, 33, 30)])
def test_every_row_has_the_precision_of_the_wanted_perplexity(N, k, perplexity, dtype):
    squared = distances(N, k, dtype)
    P, beta = kernels.perplexity_search(squared, perplexity)
    want, want_beta = searched(numpy(squared), perplexity)
    assert P.dtype == beta.dtype == dtype
    assert (P.shape, beta.shape) == ((N, k), (N,))
    assert relative(P, want) <= max(ERROR[dtype], 1e-9)
    assert relative(beta, want_beta) <= max(5 * ERROR[dtype], 1e-9)


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1.0, 1e6, 1e15])
def test_rows_sum_to_one_and_have_the_perplexity_whatever_the_unit(unit):
    P = kernels.perplexity_search(distances(20, 91) * unit, 30)[0]
    assert np.abs(numpy(P).sum(axis=1) - 1).max() <= 1e-6
    assert np.abs(perplexities(P) / 30 - 1).max() <= 1e-5


def test_a_constant_added_to_a_row_changes_nothing():
    squared = (distances(4, 50) * 64).round() / 64  # so that adding 1e4 loses no digit
    for have, want in zip(
        kernels.perplexity_search(squared + 1e4, 10), kernels.perplexity_search(squared, 10), strict=True
    ):
        assert torch.equal(have, want)


def test_a_row_does_not_depend_on_the_others():
    squared = distances(35, 20)
    P, beta = kernels.perplexity_search(squared, 5)
    for i in (0, 16, 34):
        alone, beta_alone = kernels.perplexity_search(squared[i : i + 1], 5)
        assert torch.equal(alone[0], P[i])
        assert torch.equal(beta_alone[0], beta[i])


def test_more_duplicates_than_the_perplexity_share_the_row():
    squared = distances(3, 40) + 1
    squared[1, ::2] = 0.5  # 20 at the same smallest distance
    squared[2] = 7.0  # all
    P, beta = kernels.perplexity_search(squared, 5)
    assert torch.all(P[1, ::2] == 0.05)
    assert torch.all(P[1, 1::2] == 0)
    assert relative(P[2], np.full(40, 1 / 40)) <= 1e-6
    assert beta.isfinite().all()


def test_fewer_duplicates_than_the_perplexity_leave_the_entropy_right():
    squared = distances(2, 70)
    squared[:, :8] = 0
    P = kernels.perplexity_search(squared, 20)[0]
    assert np.abs(perplexities(P) / 20 - 1).max() <= 1e-5


def test_a_neighbour_far_nearer_than_the_rest_is_no_trouble():
    squared = distances(2, 40) + 1e3
    squared[:, 7] = 1e-6
    P = kernels.perplexity_search(squared, 10)[0]
    assert np.abs(perplexities(P) / 10 - 1).max() <= 1e-5
    assert P.isfinite().all()


def test_perplexity_k_is_all_alike_and_perplexity_one_the_nearest():
    squared = distances(3, 30)
    assert relative(kernels.perplexity_search(squared, 30)[0], np.full((3, 30), 1 / 30)) <= 1e-3  # the entropy is flat
    assert relative(kernels.perplexity_search(squared.double(), 30)[0], np.full((3, 30), 1 / 30)) <= 1e-7
    P, beta = kernels.perplexity_search(squared, 1)
    assert torch.equal(P.argmax(dim=1), squared.argmin(dim=1))
    assert relative(P.max(dim=1).values, np.ones(3)) <= 1e-6
    assert beta.isfinite().all()


def test_one_neighbour_has_all():
    P, beta = kernels.perplexity_search(distances(3, 1), 1)
    assert torch.equal(P, torch.ones_like(P))
    assert beta.isfinite().all()


def test_an_infinite_distance_is_no_neighbour():
    squared = distances(2, 30)
    without = kernels.perplexity_search(squared, 8)[0]
    padded = torch.cat([squared, torch.full((2, 15), INF, device=DEVICE)], dim=1)
    P = kernels.perplexity_search(padded, 8)[0]
    assert torch.all(P[:, 30:] == 0)
    assert relative(P[:, :30], numpy(without)) <= 1e-5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_distance_that_is_no_number_is_not_hidden():
    squared = distances(3, 40)
    squared[1, 33] = NAN
    P, beta = kernels.perplexity_search(squared, 8)
    assert P.isnan().all(dim=1).tolist() == [False, True, False]
    assert beta.isnan().tolist() == [False, True, False]
    assert not P[[0, 2]].isnan().any()


def all_forces(Y):
    _, w = reference.student_affinities(Y)
    return np.sum((w**2)[:, :, None] * (Y[:, None] - Y[None]), axis=1), w.sum()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "d"), [(2, 2), (63, 1), (63, 3), (128, 2), (129, 1), (129, 2), (129, 3), (270, 2)])
def test_forces_and_their_sum_agree_with_every_pair(N, d, dtype):
    Y = points(N, d, dtype)
    force, Z = kernels.repulsion(Y)
    want, want_Z = all_forces(numpy(Y))
    assert (force.dtype, force.shape, Z.dtype, Z.shape) == (dtype, (N, d), dtype, ())
    assert relative(force, want) <= ERROR[dtype]
    assert relative(Z, want_Z) <= ERROR[dtype]


def test_five_hundred_points_push_each_other_and_nothing_is_left_over():
    Y = points(500, spread=20.0)
    force, Z = kernels.repulsion(Y)
    want, want_Z = all_forces(numpy(Y))
    assert relative(force, want) <= 1e-5
    assert relative(Z, want_Z) <= 1e-5
    assert force.double().sum(dim=0).abs().max() <= 1e-6 * force.double().abs().sum()


def test_one_point_feels_nothing():
    force, Z = kernels.repulsion(points(1))
    assert torch.all(force == 0)
    assert Z == 0


def test_a_point_is_left_out_of_its_own_sum_exactly():
    Y = torch.arange(140.0, device=DEVICE)[:, None] * torch.tensor([1e5, 1e5], device=DEVICE)  # w below 1e-10
    Z = kernels.repulsion(Y)[1]
    assert relative(Z, all_forces(numpy(Y))[1]) <= 1e-5


def test_points_that_coincide_push_nobody_but_count():
    force, Z = kernels.repulsion(torch.ones(150, 2, device=DEVICE))
    assert torch.all(force == 0)
    assert Z == 150 * 149


def test_moving_all_points_changes_nothing():
    Y = (points(150) * 64).round() / 64  # so that adding 1e3 loses no digit
    for have, want in zip(kernels.repulsion(Y + 1e3), kernels.repulsion(Y), strict=True):
        assert torch.equal(have, want)


def test_turning_all_points_turns_the_forces():
    Y = points(140)
    turned = torch.stack([-Y[:, 1], Y[:, 0]], dim=1)
    force, Z = kernels.repulsion(Y)
    force_turned, Z_turned = kernels.repulsion(turned)
    assert relative(torch.stack([-force[:, 1], force[:, 0]], dim=1), numpy(force_turned)) <= 1e-6
    assert relative(Z_turned, numpy(Z)) <= 1e-6


def test_the_same_points_give_the_same_bits():
    Y = points(200)
    for have, want in zip(kernels.repulsion(Y), kernels.repulsion(Y), strict=True):
        assert torch.equal(have, want)


def test_points_need_not_lie_side_by_side_in_memory():
    Y = points(40, 3)
    for have, want in zip(kernels.repulsion(Y[:, :2]), kernels.repulsion(Y[:, :2].contiguous()), strict=True):
        assert torch.equal(have, want)


def sparse(N, dtype, seed=0):
    """A symmetric P in which the second point has no neighbour and the first has many."""
    rng = np.random.default_rng(seed)
    P = np.where(rng.random((N, N)) < 0.2, rng.random((N, N)), 0)
    P[0] = rng.random(N)
    P = P + P.T
    P[1] = P[:, 1] = 0
    np.fill_diagonal(P, 0)
    return torch.tensor(P / P.sum(), dtype=dtype, device=DEVICE)


def rows_of(P):
    """A matrix as `attraction` takes it: where rows start, columns, entries."""
    csr = csr_array(P.cpu().numpy())
    return [torch.tensor(part, device=DEVICE) for part in (csr.indptr, csr.indices.astype(np.int64), csr.data)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_neighbours_pull_as_in_the_dense_sum(d, dtype, monkeypatch):
    monkeypatch.setattr(kernels, "WALK", 16)  # the first point's neighbours need three such steps
    N = 40
    Y, P = points(N, d, dtype), sparse(N, dtype)
    starts, columns, entries = rows_of(P)
    force, cross = kernels.attraction(Y, starts, columns, entries)
    y, p = numpy(Y), numpy(P)
    w = reference.student_affinities(y)[1]
    assert relative(force, np.sum((p * w)[:, :, None] * (y[:, None] - y[None]), axis=1)) <= ERROR[dtype]
    assert relative(cross, -np.sum(p[p > 0] * np.log(w[p > 0]))) <= ERROR[dtype]
    assert torch.all(force[1] == 0)
    again = kernels.attraction(Y, starts.long(), columns.int(), entries)
    assert torch.equal(again[0], force)
    assert torch.equal(again[1], cross)


def test_pull_and_push_are_the_gradient_of_the_divergence():
    Y, P = points(40, 2, torch.float64), sparse(40, torch.float64)
    pull, cross = kernels.attraction(Y, *rows_of(P))
    push, Z = kernels.repulsion(Y)
    y, p = numpy(Y), numpy(P)
    assert relative(4 * (pull - push / Z), reference.kl_gradient(p, y)) <= 1e-12
    negative_entropy = np.sum(p[p > 0] * np.log(p[p > 0]))
    assert relative(negative_entropy + cross + Z.log(), reference.kl_divergence(p, y)) <= 1e-12


def test_nothing_is_no_launch():
    none = torch.zeros(0, 2, device=DEVICE)
    P, beta = kernels.perplexity_search(none, 1.5)
    force, Z = kernels.repulsion(none)
    assert (P.shape, beta.shape, force.shape) == ((0, 2), (0,), (0, 2))
    assert Z == 0
    starts, columns = torch.zeros(1, dtype=torch.int64, device=DEVICE), torch.zeros(0, dtype=torch.int64, device=DEVICE)
    force, cross = kernels.attraction(none, starts, columns, torch.zeros(0, device=DEVICE))
    assert force.shape == (0, 2)
    assert cross == 0


@pytest.mark.parametrize("perplexity", [0.5, 6, NAN, -1])
def test_a_perplexity_that_no_row_can_have_is_refused(perplexity):
    with pytest.raises(ValueError, match="with k = 5 neighbours it must be from 1 to 5"):
        kernels.perplexity_search(distances(2, 5), perplexity)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"squared has shape \(3,\); it must have shape \(N, k\)"):
        kernels.perplexity_search(distances(3, 1)[:, 0], 1)
    with pytest.raises(ValueError, match="every point needs at least one neighbour"):
        kernels.perplexity_search(distances(3, 0), 1)
    with pytest.raises(ValueError, match=r"squared holds torch\.int64; it must hold float32 or float64"):
        kernels.perplexity_search(distances(3, 4).long(), 2)
    with pytest.raises(ValueError, match=r"Y has shape \(3, 4\); the kernel draws in 1, 2 or 3 dimensions"):
        kernels.repulsion(points(3, 4))
    with pytest.raises(ValueError, match=r"Y holds torch\.bfloat16"):
        kernels.repulsion(points(3).bfloat16())
    starts = torch.zeros(4, dtype=torch.int64, device=DEVICE)
    with pytest.raises(ValueError, match=r"p has shape \(1,\); it must have shape \(2,\)"):
        kernels.attraction(points(3), starts, starts[:2], points(1, 1)[0])
    with pytest.raises(ValueError, match=r"columns holds torch\.float32; it must hold int64 or int32"):
        kernels.attraction(points(3), starts, points(1)[0], points(1)[0])
    with pytest.raises(ValueError, match=r"p holds torch\.float64 and Y holds torch\.float32"):
        kernels.attraction(points(3), starts, starts[:2], points(1)[0].double())


def test_a_gradient_is_refused_rather_than_lost():
    with pytest.raises(RuntimeError, match=r"cannot be differentiated: give Y\.detach"):
        kernels.repulsion(points(3).requires_grad_())
    with pytest.raises(RuntimeError, match=r"cannot be differentiated: give squared\.detach"):
        kernels.perplexity_search(distances(3, 5).requires_grad_(), 2)
    with torch.no_grad():
        kernels.repulsion(points(3).requires_grad_())


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_of_any_length_fits_the_registers(dtype):
    for k in (1, 2, 63, 64, 90, 91, 128, 150, 500, 1796, 5000, 20_000):
        constants, warps = kernels.search_plan(k, dtype)
        assert constants["HEAD"] <= k <= constants["HEAD"] + constants["REST"]
        assert constants["HEAD"] + constants["REST"] < 2 * k
        held = constants["ROWS"] * (constants["HEAD"] + constants["REST"]) / (32 * warps)
        assert held <= 64 * 4 // dtype.itemsize
