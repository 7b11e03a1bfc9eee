"""Connectionist temporal classification: loss, alignment, decoders, error rates; Triton kernels.

The names below are imported when they are first used: most need torch, and `seqlab.ctc.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "decoding": ["beam_decode", "greedy_decode"],
        "functional": ["align", "ctc_loss"],
        "modules": ["CTCNetwork"],
        "reference": ["CTCHypothesis", "collapse", "edit_distance", "label_error_rate", "spans"],
    },
)
