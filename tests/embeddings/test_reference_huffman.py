"""Huffman's tree: a prefix code, the shortest there is, its nodes numbered as they are made."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.embeddings import reference

COUNTS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


def codes(tree):
    return ["".join(map(str, bits[:length])) for bits, length in zip(tree.bits, tree.lengths, strict=True)]


def shortest(counts):
    """The least total length of any binary tree: try every way to part the words in two at every node."""

    @cache
    def cost(words):
        if len(words) == 1:
            return 0
        first, *rest = words
        parts = []
        for chosen in range(2 ** len(rest) - 1):
            left = (first, *(word for i, word in enumerate(rest) if chosen >> i & 1))
            parts.append((left, tuple(word for word in words if word not in left)))
        return sum(counts[word] for word in words) + min(cost(left) + cost(right) for left, right in parts)

    return cost(tuple(range(len(counts))))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7).filter(any))
def test_no_tree_is_shorter(counts):
    assert np.dot(counts, reference.huffman(counts).lengths) == shortest(counts)


@given(COUNTS)
def test_the_codes_are_a_full_prefix_code_and_frequent_words_have_short_ones(counts):
    tree = reference.huffman(counts)
    words = sorted(codes(tree))
    assert not any(after.startswith(before) for before, after in pairwise(words))
    assert sum(0.5**length for length in tree.lengths.tolist()) == 1
    lengths = tree.lengths[np.argsort(counts, kind="stable")]
    rising = np.sort(counts)
    assert all(lengths[i] >= lengths[i + 1] for i in range(len(counts) - 1) if rising[i] < rising[i + 1])


@given(COUNTS)
def test_words_that_share_the_beginning_of_a_code_share_its_nodes(counts):
    tree, V = reference.huffman(counts), len(counts)
    assert tree.nodes.shape == tree.bits.shape == (V, tree.lengths.max())
    node_of = {}
    for word, code in enumerate(codes(tree)):
        for turn in range(len(code)):
            assert node_of.setdefault(code[:turn], tree.nodes[word, turn]) == tree.nodes[word, turn]
    assert sorted(node_of.values()) == list(range(V - 1))  # every inner node stands in one place
    assert V == 1 or node_of[""] == V - 2
    behind = np.arange(tree.lengths.max()) >= tree.lengths[:, None]
    np.testing.assert_array_equal(tree.nodes == -1, behind)
    assert not tree.bits[behind].any()


@given(COUNTS)
def test_each_step_joins_the_two_rarest_nodes(counts):
    left = dict(enumerate(counts))
    for step in reference.huffman_steps(counts):
        assert [step.zero, step.one] == sorted(left, key=lambda node: (left[node], node))[:2]
        assert step.count == left.pop(step.zero) + left.pop(step.one)
        left[step.node] = step.count
    assert left == {2 * len(counts) - 2: sum(counts)}


def test_a_small_tree_is_the_one_drawn_by_hand():
    """c and d (1 + 2 = 3) join first, then b (4) with them, then a (9) with all."""
    assert codes(reference.huffman([9, 4, 1, 2])) == ["1", "01", "000", "001"]
    assert reference.huffman([9, 4, 1, 2]).nodes.tolist() == [[2, -1, -1], [2, 1, -1], [2, 1, 0], [2, 1, 0]]


def test_ties_are_broken_by_id():
    assert codes(reference.huffman([1, 1, 1, 1])) == ["00", "01", "10", "11"]


def test_one_word_needs_no_turn_and_no_words_no_tree():
    assert reference.huffman([3]).nodes.shape == (1, 0)
    with pytest.raises(ValueError, match="counts must be finite numbers"):
        reference.huffman([])


def test_a_vocabulary_of_ten_thousand_words_is_no_trouble():
    counts = 1e6 / np.arange(1, 10_001)
    tree = reference.huffman(counts)
    p = counts / counts.sum()
    entropy = -(p * np.log2(p)).sum()
    assert entropy <= p @ tree.lengths < entropy + 1
