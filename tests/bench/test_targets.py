"""The predictions name what exists, and say the times that were reckoned for them."""

import collections
import json

import pytest

from seqlab.attention import cost as attention_cost
from seqlab.bench import BENCHMARKS
from seqlab.bench.targets import TARGETS
from seqlab.decode import cost as decode_cost
from seqlab.embeddings import cost as embeddings_cost
from seqlab.kernels import H200
from seqlab.lm import cost as lm_cost
from seqlab.tsne import cost as tsne_cost

GPU_ALONE = {"softmax": {"torch.compile"}}  # beside what each benchmark names itself


@pytest.fixture(scope="module")
def known():
    """{benchmark: {pass: names of the peers}} at the smallest size, with those that only a GPU has."""
    found = {}
    for name in {target.benchmark for target in TARGETS}:
        benchmark = BENCHMARKS[name]
        cases = benchmark.cases(benchmark.shapes["small"][0], "cpu")
        alone = {*benchmark.on_gpu, *GPU_ALONE.get(name, ())}
        found[name] = {case.passes: {*case.peers, *alone} for case in cases}
    return found


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.benchmark}-{t.passes}-{t.peer}")
def test_a_prediction_names_a_full_size_a_pass_and_a_peer_that_exist(target, known):
    assert any(target.shape.items() <= shape.items() for shape in BENCHMARKS[target.benchmark].shapes["full"])
    assert target.peer in known[target.benchmark][target.passes]
    assert target.of_floor is not None or target.of_peer is not None
    assert target.of_floor is None or 0 < target.of_floor <= 1
    assert target.of_peer is None or target.of_peer > 0


def test_nothing_is_predicted_twice():
    def place(target):
        return target.benchmark, json.dumps(target.shape), target.passes

    peers = collections.Counter((*place(target), target.peer) for target in TARGETS)
    floors = collections.Counter(place(target) for target in TARGETS if target.of_floor is not None)
    assert {*peers.values()} == {*floors.values()} == {1}


@pytest.mark.parametrize(
    ("benchmark", "passes", "price", "milliseconds"),
    [
        ("softmax", "forward", lm_cost.softmax_cost(16384, 32768, 2), 0.5 / 0.9),
        ("linear_cross_entropy", "forward", lm_cost.linear_cost(8192, 2048, 32768, 2), 1.39 / 0.65),
        ("sgns", "step", embeddings_cost.sgns_cost(166_667, 6, 5, 300), 4.1 / 0.5),
        ("hierarchical", "skip-gram step", embeddings_cost.skipgram_hierarchical_cost(166_667, 6, 11, 300), 7.0 / 0.3),
        ("repulsion", "forward", tsne_cost.repulsion_cost(70_000), 2.2),
        ("perplexity_search", "forward", tsne_cost.search_cost(70_000, 90), 0.4),
        ("beam_step", "forward", decode_cost.beam_step_cost(64, 10, 32768, 10, 4), 0.05),
        ("additive", "forward", attention_cost.additive_cost(64, 256, 256, 512, dtype="float32"), 1.03 / 0.6),
    ],
)
def test_a_share_of_the_floor_is_the_time_that_was_predicted(benchmark, passes, price, milliseconds):
    share = next(t.of_floor for t in TARGETS if (t.benchmark, t.passes) == (benchmark, passes) and t.of_floor)
    assert 1e3 * price.floor(H200) / share == pytest.approx(milliseconds, rel=0.05)


def test_what_we_expect_to_lose_is_predicted_too():
    assert sum(target.of_peer is not None and target.of_peer < 1 for target in TARGETS) >= 5
