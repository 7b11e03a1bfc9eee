"""Softmax and cross-entropy as Triton kernels; what they must pay is `seqlab.lm.cost`."""

import seqlab.kernels  # noqa: F401  chooses Triton's mode, so it comes before triton

# isort: split
from seqlab.lm.kernels.cross_entropy import losses, rescale
from seqlab.lm.kernels.softmax import softmax_backward, softmax_online, softmax_passes, softmax_row

__all__ = ["losses", "rescale", "softmax_backward", "softmax_online", "softmax_passes", "softmax_row"]
