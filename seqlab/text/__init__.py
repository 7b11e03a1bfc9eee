"""From words to arrays: a vocabulary, one-hot vectors, padding with masks, mini-batches (chapter 1)."""

from seqlab.text.batching import batches, mask, pad
from seqlab.text.vocabulary import Vocabulary, one_hot

__all__ = ["Vocabulary", "batches", "mask", "one_hot", "pad"]
