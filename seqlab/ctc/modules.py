"""A network that says in every frame which label it hears, or none: a recurrent network below CTC."""

import torch
from torch import nn

from seqlab import recurrent
from seqlab.recurrent.layers import check_lengths
from seqlab.shapes import check_shape, check_whole

CELLS = {"gru": "GRU", "lstm": "LSTM"}


class CTCNetwork(nn.Module):
    """Frames in, log-probabilities of the labels and the blank in every frame out, for :eq:`ctc-loss`.

    A recurrent network, read from both ends when `bidirectional`, and a softmax over the classes, as in Graves,
    Fernández, Gomez and Schmidhuber (2006).

    Parameters
    ----------
    inputs : D, the numbers of a frame.
    classes : C, the labels and the blank.
    hidden : H, the width of the state, in each direction.
    layers : how many recurrent layers stand on top of each other.
    cell : "gru" or "lstm".
    bidirectional : True also reads each sequence from its end; False hears the past alone and can run while sound
        still comes in.
    subsample : how many neighbouring frames are laid side by side to one. There must be frames enough left for the
        labels and for a blank between equal neighbours.
    dropout : probability of dropping a number between layers and before the scores.

    Raises
    ------
    ValueError
        when a size, the cell or the probability is out of range.

    Notes
    -----
    The layers are those of `seqlab.recurrent`. On a CPU they train on sequences of different lengths as fast as torch's
    own on packed sequences, or faster.
    """

    def __init__(
        self, inputs, classes, *, hidden=64, layers=1, cell="gru", bidirectional=True, subsample=1, dropout=0.0
    ):
        super().__init__()
        sizes = {"inputs": inputs, "classes": classes, "hidden": hidden, "layers": layers, "subsample": subsample}
        _check(sizes, cell, dropout)
        self.settings = sizes | {"cell": cell, "bidirectional": bidirectional, "dropout": dropout}
        self.inputs, self.classes, self.subsample = inputs, classes, subsample
        self.layers = getattr(recurrent, CELLS[cell])(
            inputs * subsample,
            hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(self.layers.output_size, classes)

    def forward(self, x, lengths=None):
        """Say how probable each class is in each frame.

        Parameters
        ----------
        x : (B, T, D) frames. What stands behind a sequence's end does not count.
        lengths : (B,) how many frames are real, 1 to T; None: all.

        Returns
        -------
        log_probs : (T', B, C) with T' = ceil(T / subsample), frames first as `ctc_loss` takes them.
        lengths : (B,) int64, how many of the T' frames are real.

        Raises
        ------
        ValueError
            when a shape, a data type or a length does not fit.
        """
        if not isinstance(x, torch.Tensor):
            raise ValueError(f"x is a {type(x).__name__}; it must be a torch tensor")
        B, T = check_shape("x", x, ("B", "T", self.inputs)).values()
        if not x.is_floating_point():
            raise ValueError(f"x holds {x.dtype}; it must hold floats, x.float()")
        if not (B and T):
            raise ValueError(f"x has shape {tuple(x.shape)}; it must hold a sequence of one frame or more")
        lengths = check_lengths([T] * B if lengths is None else lengths, B, T, x.device).long()
        x = x.masked_fill((torch.arange(T, device=x.device) >= lengths[:, None])[:, :, None], 0.0)
        x, lengths = side_by_side(x, self.subsample), -(-lengths // self.subsample)
        heard, _ = self.layers(x, lengths=lengths)
        return self.out(self.drop(heard)).log_softmax(2).transpose(0, 1), lengths


def side_by_side(x, count):
    """Lay neighbours side by side, (B, T, D) -> (B, ceil(T / count), count * D), zeros where a frame is missing."""
    B, T, D = x.shape
    x = torch.nn.functional.pad(x, (0, 0, 0, -T % count))
    return x.reshape(B, -1, count * D)


def _check(sizes, cell, dropout):
    for name, size in sizes.items():
        least = 2 if name == "classes" else 1
        check_whole(name, size, least)
    if cell not in CELLS:
        raise ValueError(f"cell is {cell!r}; it must be 'gru' or 'lstm'")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it must be a probability, 0 <= dropout < 1")
