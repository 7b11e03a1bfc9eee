"""Attention as torch modules: what a recurrent decoder looks with, and the Transformer's encoder.

A mask is bool and True = real, may be attended, as in `seqlab.text.mask`. (torch's `key_padding_mask` and the bool
`attn_mask` of its modules say the opposite: True = ignore. Give `~mask` to one where the other takes `mask`.)
"""

from seqlab.attention.modules.decoding import (
    AttentionWeight,
    BahdanauAttention,
    LuongAttention,
    VisualAttention,
    WeightedSum,
)
from seqlab.attention.modules.transformer import (
    MultiHeadAttention,
    PositionalEncoding,
    TransformerEncoder,
    TransformerEncoderLayer,
)

__all__ = [
    "AttentionWeight",
    "BahdanauAttention",
    "LuongAttention",
    "MultiHeadAttention",
    "PositionalEncoding",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "VisualAttention",
    "WeightedSum",
]
