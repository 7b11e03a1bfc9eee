"""Words as vectors in NumPy, float64: the equations of chapters 7, 8 and 9, one function each. Imports no torch."""

from seqlab.embeddings.reference.bias import (
    association,
    association_p,
    bias_direction,
    direct_bias,
    equalize,
    neutralize,
)
from seqlab.embeddings.reference.counting import cooccurrence, keep_probability, pmi, ppmi, subsample, svd_vectors
from seqlab.embeddings.reference.glove import adagrad_step, glove_loss, glove_weight
from seqlab.embeddings.reference.huffman import HuffmanMerge, HuffmanTree, huffman, huffman_steps
from seqlab.embeddings.reference.losses import (
    cbow_hierarchical_loss,
    cbow_negative_loss,
    cbow_softmax_loss,
    embedding_backward,
    embedding_forward,
    skipgram_hierarchical_loss,
    skipgram_negative_loss,
    skipgram_softmax_loss,
)
from seqlab.embeddings.reference.noise import alias_draw, alias_table, noise_distribution
from seqlab.embeddings.reference.vectors import analogy, cosine_similarity, nearest, unit

__all__ = [
    "HuffmanMerge",
    "HuffmanTree",
    "adagrad_step",
    "alias_draw",
    "alias_table",
    "analogy",
    "association",
    "association_p",
    "bias_direction",
    "cbow_hierarchical_loss",
    "cbow_negative_loss",
    "cbow_softmax_loss",
    "cooccurrence",
    "cosine_similarity",
    "direct_bias",
    "embedding_backward",
    "embedding_forward",
    "equalize",
    "glove_loss",
    "glove_weight",
    "huffman",
    "huffman_steps",
    "keep_probability",
    "nearest",
    "neutralize",
    "noise_distribution",
    "pmi",
    "ppmi",
    "skipgram_hierarchical_loss",
    "skipgram_negative_loss",
    "skipgram_softmax_loss",
    "subsample",
    "svd_vectors",
    "unit",
]
