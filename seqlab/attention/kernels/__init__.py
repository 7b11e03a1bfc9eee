"""Attention as Triton kernels that store no array which nobody asked for; their price is `seqlab.attention.cost`."""

import seqlab.kernels  # noqa: F401  chooses Triton's mode, so it comes before triton

# isort: split
from seqlab.attention.kernels.additive import additive_attention
from seqlab.attention.kernels.flash import scaled_dot_product_attention

__all__ = ["additive_attention", "scaled_dot_product_attention"]
