"""Language models: n-grams and recurrent networks, their losses, training and sampling.

The names below are imported when they are first used: most need torch, and `seqlab.lm.reference` stays light.
"""

from importlib import import_module

_HOMES = {
    "LanguageModel": "seqlab.lm.modules",
    "NGram": "seqlab.lm.ngram",
    "cross_entropy": "seqlab.lm.functional",
    "evaluate": "seqlab.lm.training",
    "linear_cross_entropy": "seqlab.lm.functional",
    "load_letters": "seqlab.lm.letters",
    "perplexity": "seqlab.lm.reference",
    "sample": "seqlab.lm.sampling",
    "streams": "seqlab.lm.training",
    "train": "seqlab.lm.training",
    "windows": "seqlab.lm.training",
}
__all__ = [
    "LanguageModel",
    "NGram",
    "cross_entropy",
    "evaluate",
    "linear_cross_entropy",
    "load_letters",
    "perplexity",
    "sample",
    "streams",
    "train",
    "windows",
]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__():
    return __all__
