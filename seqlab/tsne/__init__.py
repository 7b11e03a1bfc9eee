"""t-SNE: many dimensions drawn in the plane, and what must not be read off the drawing.

The names below are imported when they are first used: the estimator needs torch, `seqlab.tsne.reference` does not.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "estimator": ["TSNE"],
        "functional": ["perplexity_search", "repulsion"],
        "reference": ["conditional_probabilities", "joint_probabilities", "kl_divergence", "kl_gradient"],
    },
)
