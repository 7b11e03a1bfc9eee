"""Training steps of word vectors and counting, as Triton kernels; what they must pay is `seqlab.embeddings.cost`.

A step fuses looking rows up, products, slopes and the update of the tables in one launch, and stores nothing between.
"""

import seqlab.kernels  # noqa: F401  chooses Triton's mode, so it comes before triton

# isort: split
from seqlab.embeddings.kernels.cbow import cbow_step
from seqlab.embeddings.kernels.cooccurrence import cooccurrence
from seqlab.embeddings.kernels.gather import embedding, embedding_gather, embedding_scatter_add
from seqlab.embeddings.kernels.glove import glove_step
from seqlab.embeddings.kernels.hierarchical import cbow_hierarchical_step, skipgram_hierarchical_step
from seqlab.embeddings.kernels.sgns import sgns_step

__all__ = [
    "cbow_hierarchical_step",
    "cbow_step",
    "cooccurrence",
    "embedding",
    "embedding_gather",
    "embedding_scatter_add",
    "glove_step",
    "sgns_step",
    "skipgram_hierarchical_step",
]
