"""The benchmarks of t-SNE at the sizes that any machine can run."""

import pytest

from seqlab.bench import BENCHMARKS, measure
from seqlab.kernels import H200, has_triton, interpreting
from seqlab.tsne import cost

RESULTS = {"perplexity_search": {"P", "beta"}, "repulsion": {"force", "Z"}, "attraction": {"force", "cross"}}
# scikit-learn's code in C gives no widths, and its forces divided by Z; it looks at crowds from afar.
SKLEARN = {"perplexity_search": {"P"}, "repulsion": {"push"}}


@pytest.mark.parametrize("name", RESULTS)
def test_every_way_is_right_and_what_can_be_timed_is(name):
    report = measure(BENCHMARKS[name], "small", repeat=1)
    assert {row["role"] for row in report["rows"]} == ({"ours", "peer"} if has_triton() else {"peer"})
    for row in report["rows"]:
        assert row["right"], row
        assert set(row["errors"]) == (SKLEARN if "scikit" in row["way"] else RESULTS)[name]
        assert (row["seconds"] is None) == (interpreting() and "Triton" in row["way"])


def test_full_shapes_hold_the_sizes_of_the_book_s_claims():
    assert any({"N": 70_000, "d": 2}.items() <= shape.items() for shape in BENCHMARKS["repulsion"].shapes["full"])
    searched = BENCHMARKS["perplexity_search"].shapes["full"]
    assert any({"N": 70_000, "k": 90}.items() <= shape.items() for shape in searched)


def test_the_floors_are_those_of_a_pair_s_instructions_and_a_distance_s_exponentials():
    repulsion = cost.repulsion_cost(70_000)
    assert repulsion.bound(H200) == "arithmetic"
    assert repulsion.floor(H200) == pytest.approx(1.32e-3, rel=0.01)
    search = cost.search_cost(70_000, 90)
    assert search.bound(H200) == "arithmetic"
    assert search.floor(H200) == pytest.approx(0.075e-3, rel=0.01)
    assert cost.repulsion_cost(70_000, 3).flops / repulsion.flops == pytest.approx(24 / 18)
    assert cost.repulsion_cost(70_000, 1).flops / repulsion.flops == pytest.approx(16 / 18)  # the root takes longer
    assert cost.attraction_cost(70_000, 70_000 * 135).bound(H200) == "memory"
