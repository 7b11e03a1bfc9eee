"""Looking rows up and adding their gradients; in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.embeddings.kernels import gather
from seqlab.kernels import interpreting

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if interpreting() else "cuda"
NAN = float("nan")
DTYPES = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 1e-2, torch.float16: 1e-3}


@pytest.fixture(params=["at random", "in order"])
def way(request, monkeypatch):
    """Both ways to add, whatever the rule would choose."""
    ordered = request.param == "in order"
    monkeypatch.setattr(gather, "in_order_pays", lambda *a: ordered)
    return lambda d, ids, size: gather.embedding_scatter_add(d, ids, size, deterministic=ordered)


def rows(B, D, dtype=torch.float32, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(B, D)), device=DEVICE).to(dtype)


def zipf(B, V, seed=0):
    """Ids of which a few are very frequent, as words are."""
    p = 1 / np.arange(1, V + 1)
    return torch.tensor(np.random.default_rng(seed).choice(V, size=B, p=p / p.sum()), device=DEVICE)


def truth(d, ids, size):
    sums = np.zeros((size, d.shape[-1]))
    np.add.at(sums, ids.cpu().numpy().reshape(-1), d.double().cpu().numpy().reshape(-1, d.shape[-1]))
    return sums


def relative(have, want):
    return np.linalg.norm(have.double().cpu().numpy() - want) / max(np.linalg.norm(want), 1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("B", "V", "D"), [(1, 1, 1), (63, 10, 63), (500, 7, 12), (5, 500, 300)])
def test_rows_are_looked_up(B, V, D, dtype):
    weight, ids = rows(V, D, dtype), zipf(B, V)
    assert torch.equal(gather.embedding_gather(ids, weight), F.embedding(ids, weight))


@pytest.mark.parametrize("kind", [torch.int32, torch.int16, torch.uint8])
def test_ids_may_be_narrow_and_have_any_shape(kind, way):
    weight, ids, d = rows(9, 5), zipf(24, 9).reshape(2, 3, 4), rows(24, 5).reshape(2, 3, 4, 5)
    assert torch.equal(gather.embedding(ids.to(kind), weight), weight[ids])
    assert relative(way(d, ids.to(kind), 9), truth(d, ids, 9)) <= 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("B", "V", "D"), [(1, 1, 1), (63, 10, 63), (150, 40, 12), (100, 3, 5), (40, 500, 130)])
def test_gradients_are_added_to_their_rows(B, V, D, dtype, way):
    d, ids = rows(B, D, dtype), zipf(B, V)
    dE = way(d, ids, V)
    assert (dE.dtype, dE.shape) == (dtype, (V, D))
    assert relative(dE, truth(d, ids, V)) <= DTYPES[dtype]


@pytest.mark.parametrize(
    "run", [(40, 0, 0), (16, 16, 16), (15, 17, 16), (1, 32, 1), (5, 90, 33), (0, 0, 128), (31, 1, 64)]
)
def test_a_word_may_begin_and_end_anywhere_in_the_places_of_programs(run, way):
    ids = torch.tensor([word for word, times in enumerate(run) for _ in range(times)], device=DEVICE)
    ids = ids[torch.randperm(len(ids), generator=torch.Generator().manual_seed(0)).to(DEVICE)]
    d = rows(len(ids), 3)
    assert relative(way(d, ids, 4), truth(d, ids, 4)) <= 1e-6


def test_a_word_with_more_parts_than_are_read_at_a_time(monkeypatch):
    monkeypatch.setattr(gather, "PARTS", 2)
    for times in (16, 40, 48, 64, 80, 96, 97):  # up to seven programs
        ids = torch.tensor([0] * 3 + [1] * times + [2] * 5, device=DEVICE)
        d = rows(len(ids), 2)
        assert relative(gather.embedding_scatter_add(d, ids, 3, deterministic=True), truth(d, ids, 3)) <= 1e-6


def test_in_order_the_same_arguments_give_the_same_bits():
    d, ids = rows(400, 8), zipf(400, 30)
    first = gather.embedding_scatter_add(d, ids, 30, deterministic=True)
    assert torch.equal(gather.embedding_scatter_add(d, ids, 30, deterministic=True), first)


def test_torch_s_switch_for_all_of_a_program_is_heard(monkeypatch):
    monkeypatch.setattr(gather, "add_at_random", None)
    monkeypatch.setattr(gather, "in_order_pays", lambda *a: False)
    torch.use_deterministic_algorithms(True)
    try:
        gather.embedding_scatter_add(rows(4, 2), zipf(4, 3), 3)
    finally:
        torch.use_deterministic_algorithms(False)
    with pytest.raises(TypeError):
        gather.embedding_scatter_add(rows(4, 2), zipf(4, 3), 3)


@pytest.mark.parametrize("size", [2**15 + 5, 2**16 - 1, 2**16, 2**16 + 5])
def test_ids_of_more_or_fewer_bits_are_sorted_alike(size, way):
    ids = torch.tensor([size - 1, 0, 2**15, 2**15 - 1, size - 1, 1], device=DEVICE)
    d = rows(6, 2)
    dE = way(d, ids, size)
    assert torch.equal(dE[size - 1], d[0] + d[4])
    assert torch.equal(dE[[0, 2**15, 2**15 - 1, 1]], d[[1, 2, 3, 5]])
    assert dE.count_nonzero() == 10


@pytest.mark.parametrize("unknown", [-1, 10, 2**16, 2**40, -(2**40)])
def test_an_id_outside_the_table_reads_nothing_and_counts_nowhere(unknown, way):
    ids, d = zipf(40, 10), rows(40, 6)
    ids[[0, 7, 39]] = unknown
    looked_up = gather.embedding(ids, rows(10, 6))
    assert looked_up.isnan().all(dim=1).nonzero().flatten().tolist() == [0, 7, 39]
    kept = (ids >= 0) & (ids < 10)
    assert not looked_up[kept].isnan().any()
    assert relative(way(d, ids, 10), truth(d[kept], ids[kept], 10)) <= 1e-6


def test_many_ids_outside_the_table_fill_programs_of_their_own(way):
    ids, d = zipf(200, 10), rows(200, 3)
    ids[50:] = -1
    assert relative(way(d, ids, 10), truth(d[:50], ids[:50], 10)) <= 1e-6


def test_a_gradient_that_is_no_number_stays_with_its_word(way):
    ids, d = zipf(90, 5), rows(90, 3)
    ids[[0, 89]] = 3  # the first and the last of its word, beside other words in the order
    d[[0, 89], 1] = NAN
    bad = torch.zeros(5, 3, dtype=torch.bool, device=DEVICE)
    bad[3, 1] = True
    assert torch.equal(way(d, ids, 5).isnan(), bad)


def test_who_asks_for_a_fixed_order_gets_it_whatever_is_faster(monkeypatch):
    monkeypatch.setattr(gather, "in_order_pays", lambda *a: False)
    monkeypatch.setattr(gather, "add_at_random", None)
    ids, d, weight = zipf(9, 4), rows(9, 2), rows(4, 2).requires_grad_()
    assert relative(gather.embedding_scatter_add(d, ids, 4, deterministic=True), truth(d, ids, 4)) <= 1e-6
    gather.embedding(ids, weight, deterministic=True).backward(d)
    assert relative(weight.grad, truth(d, ids, 4)) <= 1e-6


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_gradient_is_torch_s(deterministic):
    weight, ids, d = (
        rows(11, 6, torch.float64),
        zipf(60, 11).reshape(6, 10),
        rows(60, 6, torch.float64).reshape(6, 10, 6),
    )
    leaves = [weight.clone().requires_grad_() for _ in range(2)]
    gather.embedding(ids, leaves[0], deterministic).backward(d)
    F.embedding(ids, leaves[1]).backward(d)
    assert relative(leaves[0].grad, leaves[1].grad.cpu().numpy()) <= 1e-14


def test_the_gradient_can_be_differentiated_again():
    ids = zipf(7, 4)
    weight, d = rows(4, 3, torch.float64).requires_grad_(), rows(7, 3, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: gather.embedding(ids, w), weight)
    assert torch.autograd.gradgradcheck(lambda w: gather.embedding(ids, w) ** 3, weight)
    assert torch.autograd.gradcheck(lambda d: gather.embedding_scatter_add(d, ids, 4, True), d)


def test_rows_that_do_not_lie_side_by_side_in_memory(way):
    weight, ids, d = rows(6, 9).T, zipf(5, 9), rows(4, 5).T
    assert torch.equal(gather.embedding(ids, weight), weight[ids])
    assert relative(way(d, ids, 9), truth(d, ids, 9)) <= 1e-6
    spread = rows(1, 4).expand(5, 4)
    assert relative(way(spread, ids, 9), truth(spread, ids, 9)) <= 1e-6


def test_nothing_is_no_launch(way):
    none = torch.zeros(0, dtype=torch.int64, device=DEVICE)
    assert gather.embedding(none, rows(3, 4)).shape == (0, 4)
    assert torch.equal(way(rows(0, 4), none, 3), torch.zeros(3, 4, device=DEVICE))
    assert gather.embedding(zipf(5, 3), rows(3, 0)).shape == (5, 0)


def test_the_rule_sorts_when_words_come_often():
    sizes = {"D": 300, "dtype": torch.float32}
    assert gather.in_order_pays(1_000_000, 50_000, **sizes)
    assert not gather.in_order_pays(10_000, 50_000, **sizes)


def test_a_program_has_few_places_when_there_are_few():
    long = [gather.walk_plan(B, 256, torch.float32)[1] for B in (1, 1000, 2**16, 2**17 + 1, 2**20, 2**24)]
    assert long == [16, 16, 16, 64, 256, 256]


def test_what_does_not_fit_is_named():
    ids = zipf(3, 4)
    with pytest.raises(ValueError, match=r"weight has shape \(4,\); it must have shape \(V, D\)"):
        gather.embedding(ids, rows(4, 1)[:, 0])
    with pytest.raises(ValueError, match=r"weight holds torch\.int64"):
        gather.embedding(ids, rows(4, 1).long())
    with pytest.raises(ValueError, match=r"ids holds torch\.float32; it must hold whole numbers"):
        gather.embedding(ids.float(), rows(4, 2))
    with pytest.raises(ValueError, match=r"d has shape \(4, 2\); it must have shape \(3, D\)"):
        gather.embedding_scatter_add(rows(4, 2), ids, 4)
    with pytest.raises(ValueError, match=r"size is 2\.5; it must be a whole number of rows"):
        gather.embedding_scatter_add(rows(3, 2), ids, 2.5)
