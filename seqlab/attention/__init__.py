"""Attention: scores, masks, weights and sums; multi-head self-attention; the Turing machine; Triton kernels.

The names below need torch and are imported when they are first used, so that `seqlab.attention.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "functional": [
            "additive_attention",
            "dot_attention",
            "local_weights",
            "masked_softmax",
            "scaled_dot_product_attention",
        ],
        "modules": [
            "AttentionWeight",
            "BahdanauAttention",
            "LuongAttention",
            "MultiHeadAttention",
            "PositionalEncoding",
            "TransformerEncoder",
            "TransformerEncoderLayer",
            "VisualAttention",
            "WeightedSum",
        ],
        "copying": ["load_turing"],
        "turing": ["TuringMachine"],
    },
)
