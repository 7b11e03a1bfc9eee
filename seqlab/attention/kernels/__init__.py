"""Attention as Triton kernels that store no array of all queries and keys; its price is `seqlab.attention.cost`."""

from seqlab.attention.kernels.flash import scaled_dot_product_attention

__all__ = ["scaled_dot_product_attention"]
