"""The recurrences of the cells over whole sequences, as Triton kernels; what they must pay is `seqlab.recurrent.cost`.

`rnn`, `gru` and `lstm` hold the kernels of one cell each, `common` what they share, `sizes` which kernel a size gets.
"""

from seqlab.kernels import interpreting
from seqlab.recurrent.cost import cost
from seqlab.recurrent.kernels.gru import gru_recurrence
from seqlab.recurrent.kernels.lstm import lstm_recurrence
from seqlab.recurrent.kernels.rnn import _resident, _streaming, plan, recurrence
from seqlab.recurrent.kernels.sizes import choose, is_resident

__all__ = [
    "_resident",
    "_streaming",
    "choose",
    "cost",
    "gru_recurrence",
    "interpreting",
    "is_resident",
    "lstm_recurrence",
    "plan",
    "recurrence",
]
