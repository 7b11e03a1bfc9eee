"""CTC as Triton kernels; what they must pay is `seqlab.ctc.cost`."""

import seqlab.kernels  # noqa: F401  chooses Triton's mode, so it comes before triton

# isort: split
from seqlab.ctc.kernels.beam import beam_decode
from seqlab.ctc.kernels.greedy import greedy_decode
from seqlab.ctc.kernels.loss import ctc_loss, losses

__all__ = ["beam_decode", "ctc_loss", "greedy_decode", "losses"]
