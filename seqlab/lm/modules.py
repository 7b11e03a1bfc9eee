"""A recurrent language model: embedding, recurrent layers, scores of the next word."""

import torch
from torch import nn

from seqlab import recurrent
from seqlab.shapes import check_shape, check_whole

CELLS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


class LanguageModel(nn.Module):
    """Scores of the next word, or character, from all before it, :eq:`language-model`.

    Parameters
    ----------
    size : V, the size of the vocabulary.
    embedding : E, the length of a word's vector.
    hidden : H, the width of every recurrent layer.
    layers : how many recurrent layers stand on top of each other.
    cell : "rnn", "gru" or "lstm".
    dropout : probability of dropping a number between embedding and first layer, between layers, and between last
        layer and scores. The path from step to step is left whole (Zaremba, Sutskever and Vinyals 2014).
    tied : use the embedding as the output's weights, too, :eq:`weight-tying` (Press and Wolf 2017; Inan, Khosravi and
        Socher 2017). E must then be H. The shared weights begin small, as an output's do.

    Raises
    ------
    ValueError
        when a size, the cell or the probability is out of range, or `tied` meets two different widths.
    """

    def __init__(self, size, embedding, hidden, layers=1, cell="lstm", dropout=0.0, tied=False):
        super().__init__()
        for name, number in {"size": size, "embedding": embedding, "hidden": hidden, "layers": layers}.items():
            check_whole(name, number)
        if cell not in CELLS:
            raise ValueError(f"cell is {cell!r}; it must be 'rnn', 'gru' or 'lstm'")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it must be a probability, at least 0 and below 1")
        if tied and embedding != hidden:
            raise ValueError(f"tied weights need equal widths, but embedding is {embedding} and hidden is {hidden}")
        self.settings = {"size": size, "embedding": embedding, "hidden": hidden, "layers": layers}
        self.settings |= {"cell": cell, "dropout": dropout, "tied": tied}
        self.size = size
        self.embed = nn.Embedding(size, embedding)
        between = dropout if layers > 1 else 0.0
        layer = getattr(recurrent, CELLS[cell])
        self.recurrent = layer(embedding, hidden, num_layers=layers, batch_first=True, dropout=between)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, size)
        if tied:
            self.embed.weight = self.out.weight

    def hidden(self, ids, state=None):
        """What the scores are made from, for `linear_cross_entropy(h, model.out.weight, y, model.out.bias)`.

        Parameters
        ----------
        ids : (B, T) ids of words, 0 <= id < V.
        state : what an earlier call returned, or None for zeros.

        Returns
        -------
        h : (B, T, H) output of the last layer, dropped out in training.
        state : (layers, B, H) state of every layer after the last step; a pair of them for the LSTM.

        Raises
        ------
        ValueError
            when the shape or an id does not fit.
        """
        self._check_ids(ids)
        h, state = self.recurrent(self.drop(self.embed(ids)), state)
        return self.drop(h), state

    def forward(self, ids, state=None):
        """Scores of the word after each one.

        Parameters
        ----------
        ids : (B, T) ids of words, 0 <= id < V.
        state : what an earlier call returned, or None for zeros.

        Returns
        -------
        logits : (B, T, V) scores; those at step t are for the word at t + 1.
        state : the state after the last step, to go on from.

        Raises
        ------
        ValueError
            when the shape or an id does not fit.
        """
        h, state = self.hidden(ids, state)
        return self.out(h), state

    @staticmethod
    def detach(state):
        """Cut the state from its past: its values go on, the gradient stops here."""
        if state is None or isinstance(state, torch.Tensor):
            return state if state is None else state.detach()
        return tuple(part.detach() for part in state)

    def _check_ids(self, ids):
        if not isinstance(ids, torch.Tensor) or ids.dtype not in (torch.int64, torch.int32):
            kind = ids.dtype if isinstance(ids, torch.Tensor) else type(ids).__name__
            raise ValueError(f"ids is {kind}; it must be a torch tensor of integers")
        B, T = check_shape("ids", ids, ("B", "T")).values()
        if B == 0 or T == 0:
            raise ValueError(f"ids has shape {(B, T)}; the model needs at least one word")
        if not ids.is_cuda and not (ids.min() >= 0 and ids.max() < self.size):  # on a GPU looking costs a stop
            raise ValueError(f"ids run from {ids.min()} to {ids.max()}; the vocabulary has ids 0 to {self.size - 1}")
