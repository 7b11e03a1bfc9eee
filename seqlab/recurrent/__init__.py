"""Recurrent networks: the NumPy reference, torch functions and modules, and Triton kernels.

The names below need torch and are imported when they are first used, so that `seqlab.recurrent.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "clipping": ["clip_by_norm", "clip_by_value"],
        "connections": ["Highway", "Residual", "Stack"],
        "functional": ["gru", "lstm", "rnn"],
        "modules": ["GRU", "LSTM", "RNN"],
    },
)
