"""The recurrences of the cells over whole sequences, as Triton kernels; what they must pay is `seqlab.recurrent.cost`.

`rnn`, `gru` and `lstm` hold the kernels for weights that fit one multiprocessor, `grid` those for larger ones, `cells`
the arithmetic of the cells and `sizes` which kernel a size gets.
"""

from seqlab.kernels import interpreting as interpreting
from seqlab.recurrent.cost import cost as cost
from seqlab.recurrent.kernels.gru import gru_recurrence
from seqlab.recurrent.kernels.lstm import lstm_recurrence
from seqlab.recurrent.kernels.rnn import _resident as _resident
from seqlab.recurrent.kernels.rnn import recurrence
from seqlab.recurrent.kernels.sizes import choose, is_resident

__all__ = [
    "choose",
    "gru_recurrence",
    "is_resident",
    "lstm_recurrence",
    "recurrence",
]
