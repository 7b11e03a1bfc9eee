"""BLEU's counts by sorting in torch are those of the plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.decode.bleu import statistics
from seqlab.decode.counting import statistics_cost, statistics_of_ids

sentences = st.lists(st.integers(-2, 2**40), max_size=7) | st.lists(st.integers(0, 2), max_size=12)
corpora = st.lists(st.tuples(sentences, st.lists(sentences, min_size=1, max_size=3)), min_size=1, max_size=5)


def padded(corpus):
    """Tensors of a corpus; what stands behind the end of a sentence is a word of the text, so that reading it shows."""
    N, T = len(corpus), max(len(h) for h, _ in corpus)
    R, U = max(len(some) for _, some in corpus), max(len(r) for _, some in corpus for r in some)
    junk = next((words[0] for h, some in corpus for words in (h, *some) if words), 0)
    hypotheses, references = torch.full((N, T), junk), torch.full((N, R, U), junk)
    lengths, reference_lengths = torch.zeros(N, dtype=torch.int64), torch.full((N, R), -1)
    for i, (hypothesis, some) in enumerate(corpus):
        hypotheses[i, : len(hypothesis)] = torch.tensor(hypothesis, dtype=torch.int64)
        lengths[i] = len(hypothesis)
        for j, reference in enumerate(some):
            references[i, j, : len(reference)] = torch.tensor(reference, dtype=torch.int64)
            reference_lengths[i, j] = len(reference)
    return hypotheses, lengths, references, reference_lengths


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(corpora, st.integers(1, 5))
def test_sorting_counts_what_the_loops_count(corpus, max_n):
    got = statistics_of_ids(*padded(corpus), max_n)
    assert got.dtype == torch.int64
    np.testing.assert_array_equal(got.numpy(), statistics(*zip(*corpus, strict=True), max_n))


def test_the_same_n_gram_in_two_sentences_is_not_shared():
    table = statistics_of_ids(*padded([([1, 2], [[3, 4]]), ([3, 4], [[1, 2]])]), 2)
    assert table.tolist() == [[2, 2, 0, 0, 2, 1]] * 2


def test_no_sentence_makes_an_empty_table():
    empty = torch.zeros((0, 3), dtype=torch.int64)
    none = torch.zeros(0, dtype=torch.int64)
    assert statistics_of_ids(empty, none, empty[:, None], torch.zeros((0, 1), dtype=torch.int64)).shape == (0, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lengths": torch.tensor([4, 1])}, "lengths holds 1 to 4; it must hold 0 to 3"),
        ({"reference_lengths": torch.tensor([[2, -1], [-1, -1]])}, "sentence 1 has no reference"),
        (
            {"reference_lengths": torch.tensor([[2, -2], [1, 1]])},
            "reference_lengths holds -2 to 2; it must hold -1 to 3",
        ),
        (
            {"reference_lengths": torch.tensor([2, 1])},
            r"reference_lengths has shape \(2,\); it must have shape \(2, 2\)",
        ),
        ({"references": torch.ones((3, 2, 3))}, r"references has shape \(3, 2, 3\); it must have shape \(2, R, U\)"),
        ({"max_n": 0}, "max_n is 0; it must be a whole number, at least 1"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(change, said):
    ids = torch.ones((2, 3), dtype=torch.int64)
    right = {
        "hypotheses": ids,
        "lengths": torch.tensor([3, 1]),
        "references": torch.ones((2, 2, 3), dtype=torch.int64),
        "reference_lengths": torch.tensor([[2, -1], [3, 0]]),
    }
    assert statistics_of_ids(**right).shape == (2, 10)
    with pytest.raises(ValueError, match=said):
        statistics_of_ids(**right | change)


def test_the_cost_counts_every_id_once():
    assert statistics_cost(N=2, T=3, R=2, U=5, max_n=4).bytes == 8 * (2 * 3 + 2 * 2 * 5 + 2 + 2 * 2 + 2 * 10)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_counts_are_the_same_on_a_gpu():
    rng = np.random.default_rng(0)
    corpus = [(rng.integers(5, size=9).tolist(), [rng.integers(5, size=8).tolist()]) for _ in range(50)]
    tensors = padded(corpus)
    assert torch.equal(statistics_of_ids(*(t.cuda() for t in tensors)).cpu(), statistics_of_ids(*tensors))
