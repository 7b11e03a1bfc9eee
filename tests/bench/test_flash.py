"""The benchmark of flash attention at the sizes that any machine can run, and its floors."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.attention import cost, functional
from seqlab.bench import BENCHMARKS, measure
from seqlab.kernels import H200, has_triton, interpreting

FLASH = BENCHMARKS["flash"]


@pytest.fixture(scope="module")
def report():
    return measure(FLASH, "small", repeat=1)


def test_every_way_is_right_and_what_can_be_timed_is(report):
    assert {row["pass"] for row in report["rows"]} == {"forward", "forward and backward"}
    assert {"eager", "SDPA math"} <= {row["way"] for row in report["rows"]}
    assert ("seqlab Triton" in {row["way"] for row in report["rows"]}) == has_triton()
    for row in report["rows"]:
        assert row["right"], row
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


def test_the_context_and_every_gradient_are_checked(report):
    for row in report["rows"]:
        gradients = {"query", "key", "value"} if "backward" in row["pass"] else set()
        assert set(row["errors"]) == {"context"} | gradients


def test_torch_s_own_ways_are_measured_apart_on_a_gpu():
    from seqlab.bench.attention import SDPA

    assert set(SDPA["cuda"]) == {"SDPA flash", "SDPA cuDNN", "SDPA math"}
    assert len(set(SDPA["cuda"].values())) == 3


@pytest.mark.parametrize("slip", ["future", "scale", "last key"])
def test_another_computation_is_found_out(slip, monkeypatch):
    """A kernel that sees the future, scales otherwise, or forgets the last key, is not timed."""

    def wrong(query, key, value, is_causal, backend):
        if slip == "last key":
            mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
            mask[:, -1] = False
            return F.scaled_dot_product_attention(query, key, value, mask)
        scale = 1.02 * query.shape[-1] ** -0.5 if slip == "scale" else None
        return F.scaled_dot_product_attention(query, key, value, is_causal=slip != "future", scale=scale)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", wrong)
    for case in FLASH.cases(FLASH.shapes["small"][0], "cpu"):
        have, truth = case.ours["eager"](), case.truth()
        errors = {n: np.linalg.norm(have[n].detach().numpy() - w) / np.linalg.norm(w) for n, w in truth.items()}
        assert any(error > case.tolerance[n] for n, error in errors.items())


def test_full_shapes_hold_the_sizes_of_the_book_s_claims():
    for H, D in ((16, 128), (32, 64)):
        for T in (1024, 4096):
            want = {"B": 4, "H": H, "T": T, "D": D, "pairs": "causal", "dtype": "bfloat16"}
            assert want in FLASH.shapes["full"]


@pytest.mark.parametrize(("H", "D"), [(16, 128), (32, 64)])
def test_the_floors_are_those_that_were_set_as_targets(H, D):
    size = {"B": 4, "H": H, "Tq": 4096, "Tk": 4096, "D": D, "dtype": "bfloat16", "causal": True}
    forward, backward = cost.flash_cost(**size), cost.flash_cost(**size, backward=True)
    assert forward.bound(H200) == "arithmetic"
    assert 1e3 * forward.floor(H200) == pytest.approx(0.348, rel=0.01)
    assert 1e3 * (forward + backward).floor(H200) == pytest.approx(1.22, rel=0.01)


def test_the_counts_of_a_small_attention_are_those_of_its_loops():
    # 2 sequences, 3 heads, 4 queries, 5 keys, rows of 6 numbers and values of 7
    pairs = 2 * 3 * 4 * 5
    forward = cost.flash_cost(2, 3, 4, 5, 6, 7)
    assert forward.flops == pairs * 2 * (6 + 7)
    assert forward.bytes == 6 * (4 * (6 * 4 + 7 * 5 + 6 * 5 + 7 * 4) + 4 * 4)  # q, v, k and the context; a sum a query
    backward = cost.flash_cost(2, 3, 4, 5, 6, 7, backward=True)
    assert backward.flops == pairs * 2 * (3 * 6 + 2 * 7)
    read, written = 6 * 4 + 2 * 7 * 4 + 6 * 5 + 7 * 5, 6 * 4 + 6 * 5 + 7 * 5
    assert backward.bytes == 6 * (4 * (read + written) + 4 * 4)


@pytest.mark.parametrize(("Tq", "Tk"), [(1, 1), (7, 7), (7, 3), (3, 7)])
def test_causal_pairs_are_those_of_a_triangle(Tq, Tk):
    counted = np.tril(np.ones((Tq, Tk))).sum()
    causal = cost.flash_cost(1, 1, Tq, Tk, 64, causal=True)
    assert causal.flops / cost.flash_cost(1, 1, Tq, Tk, 64).flops == pytest.approx(counted / (Tq * Tk))


def test_with_short_rows_the_exponentials_take_longest():
    for dtype in ("float32", "bfloat16"):
        short, shorter = (cost.flash_cost(1, 1, 8, 8, D, dtype=dtype) for D in (2, 1))
        assert short.flops == shorter.flops == 64 * cost.SPECIAL[dtype]
        # 16 a cycle on each of 132 multiprocessors, at close to 2 GHz
        assert H200.flops[dtype] / cost.SPECIAL[dtype] == pytest.approx(16 * 132 * 1.98e9, rel=0.01)


def test_torch_s_steps_move_the_scores_again_and_again():
    passes = cost.attention_passes(4, 16, 4096, 4096, 128, 2, causal=True)
    scores = 4 * 16 * 4096 * 4096 * 2
    assert sum(passes.values()) == 6 * scores + 4 * (4 * 16 * 4096 * 128 * 2)
    tiles = cost.flash_cost(4, 16, 4096, 4096, 128, dtype="bfloat16", causal=True)
    assert sum(passes.values()) > 40 * tiles.bytes
