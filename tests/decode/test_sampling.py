"""Sampling: how often what is drawn, with replacement and without."""

import numpy as np
import pytest
import torch

from seqlab.decode import greedy, reference, sample, stochastic_beam_search
from seqlab.decode.sampling import gumbel_with_maximum
from tests.decode.tiny import BOS, EOS, Recurrent, in_numpy, in_torch, tree

V, T = 3, 3
RUNS = 4000


@pytest.fixture(scope="module")
def outputs():
    """Every output of a tree and its probability."""
    return {h.tokens: np.exp(h.log_prob) for h in reference.exhaustive(*in_numpy(tree(7, V)), BOS, EOS, T)}


def near(share, p, runs=RUNS):
    """Within four standard deviations."""
    return abs(share - p) <= 4 * np.sqrt(p * (1 - p) / runs) + 1e-12


def test_outputs_are_drawn_as_often_as_they_are_probable(outputs):
    drawn = sample(*in_torch(tree(7, V)), BOS, EOS, T, samples=RUNS, rng=0)[0]
    tokens = [h.tokens for h in drawn]
    assert set(tokens) <= set(outputs)
    for output, p in outputs.items():
        assert near(tokens.count(output) / RUNS, p)
    for h in drawn[:50]:
        assert np.exp(h.log_prob) == pytest.approx(outputs[h.tokens])
        assert h.log_prob == pytest.approx(sum(h.log_probs))
        assert h.finished == (h.tokens[-1] == EOS)


def test_every_sentence_of_a_batch_has_its_own_samples():
    model = Recurrent()
    drawn = sample(model.step, model.start([[1, 2], [7, 8, 1, 1]]), BOS, EOS, 5, samples=300, rng=0)
    assert [len(some) for some in drawn] == [300, 300]
    for source, some in zip([[1, 2], [7, 8, 1, 1]], drawn, strict=True):
        p = model.step(torch.tensor([BOS]), model.start([source]))[0].softmax(-1)[0].numpy()
        for word in range(5):
            assert near(np.mean([h.tokens[0] == word for h in some]), p[word], 300)


def test_no_temperature_and_one_word_are_greedy():
    model = Recurrent(seed=3)
    start = model.start([[1, 2], [3], [5, 6, 7]])
    want = [h.tokens for h in greedy(model.step, start, BOS, EOS, 6)]
    for how in ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}):
        drawn = sample(model.step, start, BOS, EOS, 6, samples=2, rng=0, **how)
        assert [[h.tokens for h in some] for some in drawn] == [[t, t] for t in want]


def test_the_log_probabilities_are_the_models_own_at_any_temperature(outputs):
    for h in sample(*in_torch(tree(7, V)), BOS, EOS, T, samples=20, rng=0, temperature=3.0, top_k=2)[0]:
        assert np.exp(h.log_prob) == pytest.approx(outputs[h.tokens])


def test_the_same_seed_draws_the_same():
    rest = (*in_torch(tree(7, V), 2), BOS, EOS, T)
    assert sample(*rest, samples=3, rng=5) == sample(*rest, samples=3, rng=np.random.default_rng(5))
    assert sample(*rest, samples=3, rng=5) != sample(*rest, samples=3, rng=6)
    rest = (*rest[:-1], 3, T)
    assert stochastic_beam_search(*rest, rng=5) == stochastic_beam_search(*rest, rng=np.random.default_rng(5))
    assert stochastic_beam_search(*rest, rng=5) != stochastic_beam_search(*rest, rng=6)


def test_what_cannot_be_drawn_is_refused():
    step = lambda tokens, state: (torch.full((len(tokens), V), -torch.inf), state)  # noqa: E731
    with pytest.raises(ValueError, match="all scores of a row are -Inf: no word can be drawn"):
        sample(step, None, BOS, EOS, T, rng=0)
    with pytest.raises(ValueError, match="samples is 0"):
        sample(*in_torch(tree(7, V)), BOS, EOS, T, samples=0, rng=0)
    with pytest.raises(ValueError, match="beam_width is 0"):
        stochastic_beam_search(*in_torch(tree(7, V)), BOS, EOS, 0, T, rng=0)


def test_outputs_without_replacement_come_in_with_the_right_frequency(outputs):
    """Two of all, one after the other: p_i, then p_j / (1 - p_i)."""
    found = stochastic_beam_search(*in_torch(tree(7, V), RUNS), BOS, EOS, 2, T, rng=1)
    pairs = [tuple(h.tokens for h in some) for some in found]
    assert all(a != b for a, b in pairs)
    for first, p in outputs.items():
        assert near(np.mean([pair[0] == first for pair in pairs]), p)
        within = p + sum(q * p / (1 - q) for other, q in outputs.items() if other != first)
        assert near(np.mean([first in pair for pair in pairs]), within)


def test_a_beam_as_wide_as_the_tree_draws_every_output_once(outputs):
    found = stochastic_beam_search(*in_torch(tree(7, V), 300), BOS, EOS, V**T, T, rng=2)
    noise = []
    for some in found:
        assert {h.tokens for h in some} == set(outputs)
        assert [h.score for h in some] == sorted([h.score for h in some], reverse=True)
        noise += [h.score - h.log_prob for h in some]
    assert np.mean(noise) == pytest.approx(np.euler_gamma, abs=4 * 1.2825 / np.sqrt(len(noise)))
    assert np.std(noise) == pytest.approx(np.pi / np.sqrt(6), rel=0.1)
    largest = [some[0].score for some in found]  # a Gumbel around log 1
    assert np.mean(largest) == pytest.approx(np.euler_gamma, abs=4 * 1.2825 / np.sqrt(len(largest)))
    assert np.std(largest) == pytest.approx(np.pi / np.sqrt(6), rel=0.2)


def test_different_outputs_are_the_models_own(outputs):
    model = Recurrent()
    sources = [[1, 2, 3], [4], [5, 6, 7, 8]]
    for some in stochastic_beam_search(model.step, model.start(sources), BOS, EOS, 6, 5, rng=0):
        assert len({h.tokens for h in some}) == 6
    for h in stochastic_beam_search(*in_torch(tree(7, V)), BOS, EOS, 4, T, rng=0)[0]:
        assert np.exp(h.log_prob) == pytest.approx(outputs[h.tokens])
        assert h.finished == (h.tokens[-1] == EOS)


def test_a_batch_scores_each_output_by_its_own_source():
    from seqlab.decode import rescore

    model = Recurrent()
    sources = [[1, 2, 3], [4], [5, 6, 7, 8]]
    found = stochastic_beam_search(model.step, model.start(sources), BOS, EOS, 4, 6, rng=0)
    for place in range(4):
        again = rescore(model.step, model.start(sources), BOS, EOS, [some[place].tokens for some in found])
        assert [some[place].log_prob for some in found] == pytest.approx([h.log_prob for h in again])


def test_the_best_child_inherits_the_largest_gumbel():
    rng = np.random.default_rng(0)
    log_p = np.log(rng.dirichlet(np.ones(5))) - 800  # far below any float's exp
    for maximum in (-900.0, -800.0, 3.0):
        G = gumbel_with_maximum(log_p, maximum, rng)
        assert G.max() == maximum
        assert np.isfinite(G).all()
    drawn = np.array([gumbel_with_maximum(np.log([0.7, 0.3]), 0.0, rng) for _ in range(RUNS)])
    assert near(np.mean(drawn[:, 0] == 0), 0.7)
    lower = drawn[drawn[:, 0] == 0, 1]  # a Gumbel around log 0.3, cut off at 0: P(G < g) = exp(-0.3 (exp(-g) - 1))
    for g in (-0.5, -1.0, -2.0):
        assert near(np.mean(lower < g), np.exp(-0.3 * (np.exp(-g) - 1)), len(lower))
