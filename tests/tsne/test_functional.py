"""The torch functions against the reference at odd sizes; what symmetry promises; what threads must not change."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from seqlab.kernels import has_triton, interpreting
from seqlab.tsne import functional, neighbours, reference
from seqlab.tsne.functional import attraction, perplexity_search, repulsion
from seqlab.tsne.neighbours import centred, nearest_neighbours, sparse_joint_probabilities

WAYS = ["torch", pytest.param("triton", marks=pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone"))]
DEVICE = "cuda" if has_triton() and not interpreting() else "cpu"
NEAR = {torch.float64: 1e-12, torch.float32: 1e-5}

ways = pytest.mark.parametrize("way", WAYS)
dtypes = pytest.mark.parametrize("dtype", NEAR)


def normal(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def tensor(array, dtype=torch.float64):
    return torch.tensor(array, dtype=dtype, device=DEVICE)


def relative(have, want):
    return np.linalg.norm(have.double().cpu().numpy() - want) / max(np.linalg.norm(want), 1e-300)


def halves(P, Y):
    """Attraction, repulsion and Z from the whole matrices of the reference."""
    _, w = reference.student_affinities(Y)
    differences = Y[:, None] - Y[None]
    pull, push = ((weights[:, :, None] * differences).sum(axis=1) for weights in (P * w, w**2))
    return pull, push, w.sum()


@ways
@dtypes
@pytest.mark.parametrize(("N", "d"), [(2, 1), (3, 2), (63, 3), (500, 2)])
def test_repulsion_agrees_with_the_reference(N, d, dtype, way):
    Y = normal(N, d, scale=5)
    force, Z = repulsion(tensor(Y, dtype), way)
    _, push, want = halves(np.zeros((N, N)), tensor(Y, dtype).double().cpu().numpy())
    assert force.dtype == Z.dtype == dtype
    assert relative(force, push) <= NEAR[dtype]
    assert float(Z) == pytest.approx(want, rel=NEAR[dtype])


@pytest.mark.parametrize("pairs", [1, 7, 64, 1000])
@pytest.mark.parametrize("groups", [1, 3])
def test_however_the_pairs_are_cut_each_counts_once(pairs, groups, monkeypatch):
    monkeypatch.setitem(functional.BLOCK, DEVICE, pairs)
    monkeypatch.setattr(functional, "GROUPS", groups)
    Y = normal(63, 4)
    force, Z = repulsion(tensor(Y), "torch")
    _, push, want = halves(np.zeros((63, 63)), Y)
    assert relative(force, push) <= 1e-13
    assert float(Z) == pytest.approx(want, rel=1e-13)


@ways
def test_one_point_feels_nothing_and_two_the_same_both_ways(way):
    force, Z = repulsion(tensor([[3.0, 4.0]]), way)
    assert force.tolist() == [[0, 0]]
    assert float(Z) == 0
    force, Z = repulsion(tensor([[0.0, 0], [3, 4]]), way)
    np.testing.assert_allclose(force.cpu(), np.array([[-3, -4], [3, 4]]) / 26**2, rtol=1e-12)
    assert float(Z) == pytest.approx(2 / 26)


def test_no_points_are_no_trouble():
    force, Z = repulsion(torch.zeros(0, 2), "torch")
    assert force.shape == (0, 2)
    assert float(Z) == 0


@ways
def test_points_on_one_spot_do_not_move_each_other(way):
    force, Z = repulsion(tensor(np.full((20, 2), 5.0), torch.float32), way)
    assert not force.any()
    assert float(Z) == 20 * 19


@ways
@dtypes
def test_forces_sum_to_zero_and_a_shift_changes_nothing(dtype, way):
    Y = tensor(normal(63, 2, scale=3), dtype)
    force, Z = repulsion(Y, way)
    assert force.sum(0).abs().max() <= NEAR[dtype] * force.abs().sum()
    shifted, Z_shifted = repulsion(Y + 64, way)  # a power of two: float32 keeps five digits of every coordinate
    tolerance = 1e-4 if dtype == torch.float32 else 1e-12
    assert relative(shifted, force.double().cpu().numpy()) <= tolerance
    assert float(Z_shifted) == pytest.approx(float(Z), rel=tolerance)


@ways
@dtypes
@pytest.mark.parametrize(("N", "k", "perplexity"), [(1, 1, 1), (5, 63, 20), (20, 90, 30), (7, 12, 11.5)])
def test_perplexity_search_hits_its_mark_and_agrees_with_the_reference(N, k, perplexity, dtype, way):
    squared = tensor(normal(N, k, scale=30) ** 2, dtype)
    P, beta = perplexity_search(squared, perplexity, way)
    assert P.dtype == beta.dtype == dtype
    P, rows = P.double().cpu().numpy(), squared.double().cpu().numpy()
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    entropies = -(P * np.log(np.where(P > 0, P, 1))).sum(axis=1)
    np.testing.assert_allclose(entropies, np.log(perplexity), atol=3e-5)
    if k > 1:  # with one neighbour, any precision will do
        want = [reference.search_precision(row, perplexity, 1e-9) for row in rows]
        np.testing.assert_allclose(beta.double().cpu().numpy(), want, rtol=2e-3)
        np.testing.assert_allclose(
            P, [reference.gaussian_row(r, b) for r, b in zip(rows, want, strict=True)], atol=2e-5
        )


@ways
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_unit_of_the_distances_does_not_matter(scale, way):
    squared = tensor(normal(9, 40) ** 2, torch.float32)
    P, beta = perplexity_search(squared, 10, way)
    scaled, small = perplexity_search(squared * scale, 10, way)
    np.testing.assert_allclose(scaled.cpu(), P.cpu(), atol=2e-5)
    np.testing.assert_allclose(small.cpu().double() * scale, beta.cpu(), rtol=1e-3)


@ways
def test_duplicates_share_a_row_and_everything_stays_finite(way):
    squared = tensor([[0.0] * 8 + [1.0] * 4, [2.0] * 12, [0.0] * 12, [0.0] * 2 + [5.0] * 10], torch.float32)
    P, beta = perplexity_search(squared, 3, way)
    want = np.array([[1 / 8] * 8 + [0] * 4, [1 / 12] * 12, [1 / 12] * 12])
    np.testing.assert_allclose(P[:3].cpu(), want, atol=1e-6)
    assert beta.isfinite().all()
    p = P[3].double()
    assert float(torch.exp(-(p * p.log()).sum())) == pytest.approx(3, rel=1e-4)


def test_rows_in_pieces_are_the_same_rows(monkeypatch):
    squared = tensor(normal(50, 20) ** 2)
    whole = perplexity_search(squared, 5, "torch")
    monkeypatch.setitem(functional.BLOCK, DEVICE, 90)
    for have, want in zip(perplexity_search(squared, 5, "torch"), whole, strict=True):
        torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-5)  # a row stops when all rows of its piece have


def edges(P, dtype):
    return tensor(P.indptr, torch.int64), tensor(P.indices, torch.int64), tensor(P.data, dtype)


@ways
@dtypes
@pytest.mark.parametrize("d", [1, 2, 3])
def test_attraction_and_repulsion_make_the_gradient(d, dtype, way):
    P, Y = sparse_joint_probabilities(normal(63, 5), 7), normal(63, d, seed=1)
    pull, cross = attraction(tensor(Y, dtype), *edges(P, dtype), way)
    push, Z = repulsion(tensor(Y, dtype), way)
    dense = P.toarray()
    assert relative(pull, halves(dense, Y)[0]) <= NEAR[dtype]
    assert relative(4 * (pull - push / Z), reference.kl_gradient(dense, Y)) <= 10 * NEAR[dtype]
    kl = (P.data * np.log(P.data)).sum() + float(cross) + float(Z.log())
    assert kl == pytest.approx(reference.kl_divergence(dense, Y), rel=10 * NEAR[dtype])


@ways
def test_a_row_without_neighbours_is_not_drawn_anywhere(way):
    P = csr_array(np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]))
    force, cross = attraction(tensor([[0.0], [1], [7]]), *edges(P, torch.float64), way)
    np.testing.assert_allclose(force.cpu(), [[-0.25], [0.25], [0]], rtol=1e-14)
    assert float(cross) == pytest.approx(np.log(2))


@pytest.mark.parametrize("entries", [1, 40, 10**6])
def test_however_the_rows_are_cut_the_attraction_is_the_same(entries):
    P, Y = sparse_joint_probabilities(normal(63, 5), 7), torch.tensor(normal(63, 2))
    whole = functional.Edges.of(*(torch.tensor(part) for part in (P.indptr, P.indices, P.data)))
    parts = whole.pieces(entries)
    assert (len(parts) > 1) == (entries < P.nnz)
    assert sum(len(part.starts) - 1 for part in parts) == 63
    for have, want in zip(
        functional.attraction_in_rows(Y, parts), functional.attraction_in_rows(Y, [whole]), strict=True
    ):
        torch.testing.assert_close(have, want, rtol=1e-12, atol=0)


def test_how_many_threads_there_are_changes_no_bit_and_is_left_as_it_was(monkeypatch):
    monkeypatch.setitem(functional.BLOCK, "cpu", 1000)
    Y, before = torch.tensor(normal(500, 2), dtype=torch.float32), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            with functional.side_by_side() as run:
                assert torch.get_num_threads() == 1
                results.append(functional.repulsion_in_blocks(Y, run))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for force, Z in results[1:]:
        assert torch.equal(force, results[0][0])
        assert torch.equal(Z, results[0][1])


def test_the_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), functional.side_by_side() as run:
        list(run(lambda x: 1 / x, [0]))
    assert torch.get_num_threads() == before


def test_the_sparse_probabilities_are_the_whole_ones_where_nothing_is_left_out():
    X = normal(40, 6)
    P = sparse_joint_probabilities(X, 13)  # 3 * 13 = N - 1
    want = reference.joint_probabilities(reference.conditional_probabilities(X, 13))
    np.testing.assert_allclose(P.toarray(), want, atol=1e-6)


def test_the_sparse_probabilities_are_few_symmetric_and_near_the_whole_ones():
    X = normal(300, 4)
    P = sparse_joint_probabilities(X, 5)
    assert (P != P.T).nnz == 0
    assert P.nnz <= 300 * 2 * 15
    assert P.has_sorted_indices
    assert not P.diagonal().any()
    assert P.sum() == pytest.approx(1, rel=1e-12)
    want = reference.joint_probabilities(reference.conditional_probabilities(X, 5))
    assert abs(P.toarray() - want).sum() < 0.05  # what a Gaussian has beyond 3 * perplexity


def test_neighbours_are_the_nearest_others():
    X = normal(30, 3)
    X[7] = X[3]
    squared, ids = nearest_neighbours(X, 4)
    whole = reference.squared_distances(X)
    np.fill_diagonal(whole, np.inf)
    np.testing.assert_allclose(squared, np.sort(whole, axis=1)[:, :4], atol=1e-12)
    assert (ids != np.arange(30)[:, None]).all()
    assert ids[7, 0] == 3


@pytest.mark.parametrize("at_once", [1, 900, 1 << 28])
def test_a_gpus_way_finds_the_same_neighbours(at_once, monkeypatch):
    monkeypatch.setattr(neighbours, "AT_ONCE", at_once)
    X = centred(normal(63, 5) + 100)
    squared, ids = neighbours._by_products(X, 9, DEVICE)
    want, want_ids = nearest_neighbours(X, 9)
    np.testing.assert_allclose(squared, want, rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(ids, want_ids)
    assert squared.dtype == np.float64
    X[7] = X[3]
    squared, ids = neighbours._by_products(X, 1, DEVICE)
    assert (squared[7, 0], ids[7, 0], ids[3, 0]) == (0, 3, 7)
    with pytest.raises(ValueError, match="X holds NaN or Inf"):
        neighbours._by_products(np.full((3, 2), np.nan), 1, DEVICE)


def test_centring_keeps_the_distances_ratios():
    X = normal(10, 3) * 1e200 + 1e200
    have = reference.squared_distances(centred(X))
    want = reference.squared_distances(X / 1e200)
    np.testing.assert_allclose(have / have.max(), want / want.max(), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(centred(np.full((4, 2), 3.0)), 0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: repulsion(np.zeros((3, 2))), "Y is a ndarray; it must be a torch tensor"),
        (lambda: repulsion(torch.zeros(3, 2).half()), "Y holds torch.float16"),
        (lambda: repulsion(torch.zeros(3)), r"Y has shape \(3,\)"),
        (lambda: repulsion(torch.zeros(3, 0)), "at least one dimension"),
        (lambda: repulsion(torch.zeros(3, 2), "cuda"), "backend is 'cuda'"),
        (lambda: perplexity_search(torch.zeros(3), 1), r"squared has shape \(3,\)"),
        (lambda: perplexity_search(torch.ones(2, 3), 3.5), "perplexity is 3.5; with 3 neighbours it must be 1 to 3"),
        (lambda: perplexity_search(torch.ones(2, 3), 0.5), "perplexity is 0.5"),
        (lambda: perplexity_search(-torch.ones(2, 3), 2), "negative number, NaN or Inf"),
        (lambda: perplexity_search(torch.full((2, 3), torch.nan), 2), "negative number, NaN or Inf"),
        (lambda: sparse_joint_probabilities(np.zeros((1, 2)), 1), "X has 1 points"),
        (lambda: sparse_joint_probabilities(np.zeros((5, 2)), 5), "perplexity is 5; with 5 points it must be 1 to 4"),
        (lambda: nearest_neighbours(np.zeros((5, 2)), 5), "k is 5; of 5 points, each has 1 to 4 neighbours"),
        (
            lambda: attraction(torch.zeros(2, 2), torch.zeros(2).long(), torch.zeros(0).long(), torch.zeros(0)),
            r"starts has shape \(2,\); it must have shape \(3,\)",
        ),
        (
            lambda: attraction(
                torch.zeros(1, 2), torch.zeros(2).long(), torch.zeros(0).long(), torch.zeros(0).double()
            ),
            "p holds torch.float64 and Y holds torch.float32",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
