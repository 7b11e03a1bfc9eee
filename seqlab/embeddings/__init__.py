"""Words as vectors: counts, PPMI and SVD, word2vec, GloVe, likeness and analogies, bias.

The names below are imported when they are first used: some need torch, and `seqlab.embeddings.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "estimators": ["CBOW", "GloVe", "SkipGram"],
        "evaluation": ["evaluate_analogies", "evaluate_similarity"],
        "functional": ["embedding"],
        "io": ["load_vectors", "save_vectors"],
        "reference": [
            "analogy",
            "bias_direction",
            "cooccurrence",
            "cosine_similarity",
            "equalize",
            "glove_weight",
            "huffman",
            "nearest",
            "neutralize",
            "noise_distribution",
            "pmi",
            "ppmi",
            "svd_vectors",
        ],
        "vectors": ["WordVectors"],
        "words": ["load_words"],
    },
)
