"""Recurrent networks: the NumPy reference, torch functions and modules, and Triton kernels.

The names below need torch and are imported when they are first used, so that `seqlab.recurrent.reference` stays light.
"""

from importlib import import_module

_HOMES = {
    "GRU": "seqlab.recurrent.modules",
    "LSTM": "seqlab.recurrent.modules",
    "RNN": "seqlab.recurrent.modules",
    "Highway": "seqlab.recurrent.connections",
    "Residual": "seqlab.recurrent.connections",
    "Stack": "seqlab.recurrent.connections",
    "clip_by_norm": "seqlab.recurrent.clipping",
    "clip_by_value": "seqlab.recurrent.clipping",
    "gru": "seqlab.recurrent.functional",
    "lstm": "seqlab.recurrent.functional",
    "rnn": "seqlab.recurrent.functional",
}
__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Highway",
    "Residual",
    "Stack",
    "clip_by_norm",
    "clip_by_value",
    "gru",
    "lstm",
    "rnn",
]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__():
    return __all__
