"""Decoding: greedy, beam and exhaustive search, sampling, error analysis, and BLEU.

The names below are imported when they are first used: some need torch, and `seqlab.decode.reference` stays light.
"""

# At once, for it needs no torch: imported later, the module of this name would take the function's place.
from seqlab.decode.bleu import Bleu as Bleu
from seqlab.decode.bleu import bleu as bleu
from seqlab.decode.bleu import sentence_bleu as sentence_bleu
from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "bleu": ["Bleu", "bleu", "sentence_bleu"],
        "errors": ["ErrorAnalysis", "error_analysis"],
        "functional": ["beam_search", "beam_step", "greedy", "rescore"],
        "reference": ["Hypothesis", "blame", "coverage_penalty", "exhaustive", "length_penalty"],
        "sampling": ["sample", "stochastic_beam_search"],
    },
)
