"""The tree of hierarchical softmax: frequent words stand near the root (chapter 8)."""

import heapq
from typing import NamedTuple

import numpy as np

from seqlab.embeddings.reference.checks import check_counts


class HuffmanMerge(NamedTuple):
    """One step of building: two nodes become one. Ids below V are words, id V + n is inner node n."""

    node: int
    zero: int
    one: int
    count: float


class HuffmanTree(NamedTuple):
    """The way from the root to every word; L is the longest.

    nodes : (V, L) ids of the inner nodes on the way, the root first; -1 behind a shorter way.
    bits : (V, L) where to turn at each of them; 0 behind a shorter way.
    lengths : (V,) how many turns.
    """

    nodes: np.ndarray
    bits: np.ndarray
    lengths: np.ndarray


def huffman_steps(counts):
    """Join the two rarest nodes until one is left (Huffman 1952).

    Parameters
    ----------
    counts : (V,) how often each word stands in the text. Of equal counts the smaller id is the rarer.

    Returns
    -------
    steps : V - 1 `HuffmanMerge`: the new node's id V + n, its two children (bit 0: the rarer), its count.

    Raises
    ------
    ValueError
        when counts are no counts.
    """
    counts = check_counts(counts)
    heap = [(count, word) for word, count in enumerate(counts.tolist())]
    heapq.heapify(heap)
    steps = []
    for node in range(len(counts), 2 * len(counts) - 1):
        (rarest, zero), (rare, one) = heapq.heappop(heap), heapq.heappop(heap)
        steps.append(HuffmanMerge(node, zero, one, rarest + rare))
        heapq.heappush(heap, (rarest + rare, node))
    return steps


def huffman(counts):
    """Give every word a way through a binary tree, short for frequent words, :eq:`hierarchical-softmax`.

    Parameters
    ----------
    counts : (V,) how often each word stands in the text. Of equal counts the smaller id is the rarer.

    Returns
    -------
    tree : `HuffmanTree` with V - 1 inner nodes, numbered as they are made, so that V - 2 is the root.

    Raises
    ------
    ValueError
        when counts are no counts.
    """
    V = len(counts)
    way = {2 * V - 2: []}  # from a node to its (inner node, bit) turns
    for node, zero, one, _ in reversed(huffman_steps(counts)):
        before = way.pop(node)
        way[zero] = [*before, (node - V, 0)]
        way[one] = [*before, (node - V, 1)]
    lengths = np.array([len(way[word]) for word in range(V)])
    nodes, bits = np.full((V, lengths.max()), -1), np.zeros((V, lengths.max()), dtype=int)
    for word in range(V):
        for turn, (node, bit) in enumerate(way[word]):
            nodes[word, turn], bits[word, turn] = node, bit
    return HuffmanTree(nodes, bits, lengths)
