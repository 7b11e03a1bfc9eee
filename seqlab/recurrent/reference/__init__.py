"""Recurrent networks in NumPy, float64: the equations of chapters 2, 3 and 5, one function each. Imports no torch."""

from seqlab.recurrent.reference.clipping import clip_by_norm, clip_by_value
from seqlab.recurrent.reference.gru import gru_backward, gru_forward, gru_gates, gru_step
from seqlab.recurrent.reference.lstm import lstm_backward, lstm_forward, lstm_gates, lstm_step
from seqlab.recurrent.reference.rnn import rnn_backward, rnn_forward, rnn_output, rnn_step
from seqlab.recurrent.reference.squashing import sigmoid

__all__ = [
    "clip_by_norm",
    "clip_by_value",
    "gru_backward",
    "gru_forward",
    "gru_gates",
    "gru_step",
    "lstm_backward",
    "lstm_forward",
    "lstm_gates",
    "lstm_step",
    "rnn_backward",
    "rnn_forward",
    "rnn_output",
    "rnn_step",
    "sigmoid",
]
