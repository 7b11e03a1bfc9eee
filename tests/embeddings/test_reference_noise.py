"""The noise distribution against its formula, the alias table against the distribution that went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqlab.embeddings import reference

COUNTS = arrays(np.int64, st.integers(1, 30), elements=st.integers(0, 10**6)).filter(any)


def redrawn(threshold, alias):
    """The distribution that a table draws from: the shares of every word in all columns."""
    p = np.bincount(alias, 1 - threshold, len(alias)) + threshold
    return p / len(alias)


@given(COUNTS, st.sampled_from([0.0, 0.75, 1.0]))
def test_noise_is_the_counts_raised_to_a_power(counts, power):
    p = reference.noise_distribution(counts, power)
    want = np.array([float(count) ** power if count else 0.0 for count in counts])
    np.testing.assert_allclose(p, want / want.sum(), rtol=1e-12)


def test_noise_draws_frequent_words_less_than_they_come():
    counts = np.array([900, 99, 1])
    p = reference.noise_distribution(counts)
    assert p[0] < 0.9
    assert p[2] > 0.001
    assert p[0] > p[1] > p[2]


@given(COUNTS)
def test_an_alias_table_draws_from_exactly_its_distribution(counts):
    p = counts / counts.sum()
    threshold, alias = reference.alias_table(p)
    assert np.all((threshold >= 0) & (threshold <= 1))
    np.testing.assert_allclose(redrawn(threshold, alias), p, atol=1e-12)
    assert not np.any(p[alias[threshold < 1]] == 0)
    assert np.all(threshold[p == 0] == 0)


def test_an_alias_table_of_many_words_is_exact_too():
    p = reference.noise_distribution(1e6 / np.arange(1, 20_001))
    np.testing.assert_allclose(redrawn(*reference.alias_table(p)), p, atol=1e-15)


def test_draws_have_the_frequencies_of_the_distribution():
    p = np.array([0.5, 0.0, 0.3, 0.15, 0.05])
    draws = reference.alias_draw(*reference.alias_table(p), (400, 500), np.random.default_rng(0))
    assert draws.shape == (400, 500)
    share = np.bincount(draws.ravel(), minlength=5) / draws.size
    assert np.all(np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / draws.size))


def test_the_same_generator_draws_the_same():
    table = reference.alias_table(np.full(7, 1 / 7))
    draws = [reference.alias_draw(*table, 20, np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("p", [[0.5, 0.4], [1.5, -0.5], [np.nan, 1.0]])
def test_what_is_no_distribution_is_refused(p):
    with pytest.raises(ValueError, match="it must hold probabilities, 0 or more, that sum to 1"):
        reference.alias_table(np.array(p))


@pytest.mark.parametrize("counts", [[0, 0], [1, -1], [np.inf, 1]])
def test_what_are_no_counts_is_refused(counts):
    with pytest.raises(ValueError, match="counts must be finite numbers, 0 or more, and at least one of them above 0"):
        reference.noise_distribution(counts)
    with pytest.raises(ValueError, match=r"counts has shape \(1, 2\); it must have shape \(V,\)"):
        reference.noise_distribution([counts])
