"""An encoder that reads a sequence of any length and a decoder that writes another, with or without attention."""

import torch
from torch import nn

from seqlab import recurrent
from seqlab.recurrent.layers import check_lengths, reverse
from seqlab.shapes import check_shape, check_whole

CELLS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
SCORES = (None, "dot", "scaled", "bilinear", "additive")


class EncoderDecoder(nn.Module):
    """A model of a sequence given another one, :eq:`conditional-lm`.

    The encoder reads the source, :eq:`encoder`; its last state is the first state of the decoder, :eq:`decoder`, a
    language model that begins there instead of at zero. Cho et al. (2014), Sutskever, Vinyals and Le (2014).

    Parameters
    ----------
    source_size, target_size : sizes of the two vocabularies, the second one is V.
    embedding : E, the length of a symbol's vector, in both.
    hidden : H, the width of the state, in both.
    cell : "rnn", "gru" or "lstm".
    layers : how many recurrent layers stand on top of each other, in both.
    bidirectional : read the source from both ends with H/2 units each, so that the state keeps its width; H must be
        even.
    reverse : read the source from its end to its beginning.
    peek : show the encoder's last output to the decoder at every step and not only at the first, :eq:`peeking`.
    attention : None, or the score with which the decoder looks back at every step of the source: "additive" looks
        with the state before the step, and the step hears what it found (Bahdanau, Cho and Bengio 2015); "dot",
        "scaled" and "bilinear" look with the state after the step (Luong, Pham and Manning 2015).
    attention_size : how many numbers the hidden layer of the additive score has; None: H.
    dropout : probability of dropping a number of an embedding, between layers, and before the scores.

    Raises
    ------
    ValueError
        when a size, the cell, the score or the probability is out of range.
    """

    def __init__(
        self,
        source_size,
        target_size,
        *,
        embedding=16,
        hidden=128,
        cell="lstm",
        layers=1,
        bidirectional=False,
        reverse=False,
        peek=False,
        attention=None,
        attention_size=None,
        dropout=0.0,
    ):
        super().__init__()
        sizes = {"source_size": source_size, "target_size": target_size}
        sizes |= {"embedding": embedding, "hidden": hidden, "layers": layers}
        looking = hidden if attention_size is None else attention_size
        _check(sizes | {"attention_size": looking}, cell, bidirectional, attention, dropout)
        if attention_size is not None and attention != "additive":
            raise ValueError(f"attention_size is {attention_size} and attention {attention!r}; only 'additive' has one")
        self.settings = sizes | {"cell": cell, "bidirectional": bidirectional, "reverse": reverse}
        self.settings |= {"peek": peek, "attention": attention, "attention_size": attention_size, "dropout": dropout}
        self.source_size, self.target_size, self.hidden, self.layers = source_size, target_size, hidden, layers
        self.bidirectional, self.reverse, self.peek, self.attention = bidirectional, reverse, peek, attention
        layer = getattr(recurrent, CELLS[cell])
        how = {"num_layers": layers, "batch_first": True, "dropout": dropout if layers > 1 else 0.0}
        peeked, seen = hidden if peek else 0, hidden if attention else 0
        heard = embedding + peeked + (hidden if attention == "additive" else 0)
        self.embed_source = nn.Embedding(source_size, embedding)
        self.encoder = layer(embedding, hidden // (1 + bidirectional), bidirectional=bidirectional, **how)
        self.embed_target = nn.Embedding(target_size, embedding)
        self.decoder = layer(heard, hidden, **how)
        self.out = nn.Linear(hidden + seen + peeked, target_size)
        self.drop = nn.Dropout(dropout)
        if attention in ("bilinear", "additive"):
            self.key = nn.Linear(hidden, looking, bias=False)
        if attention == "additive":
            self.query = nn.Linear(hidden, looking, bias=False)
            self.v = nn.Parameter(torch.empty(looking).uniform_(-(looking**-0.5), looking**-0.5))

    def encode(self, source, lengths):
        """Read the source, :eq:`encoder`.

        Parameters
        ----------
        source : (B, Tx) ids, padded at the end with any id.
        lengths : (B,) how many of them are real, 1 to Tx.

        Returns
        -------
        state : dict of tensors whose first dimension is B, from which `step` goes on: "cell" the decoder's state,
            (B, layers, H) once or, for an LSTM, twice; "sentence" (B, H) for peeking; for attention "values" (B, Tx, H)
            and "keys" (B, Tx, H) (or, with the additive score, as wide as its layer), "mask" (B, Tx); "weights"
            (B, Tx) the attention of the last step, zeros before the first.
            What a model does not use is None.

        Raises
        ------
        ValueError
            when a shape, an id or a length does not fit.
        """
        _check_ids("source", source, self.source_size)
        B, T = source.shape
        lengths = check_lengths(lengths, B, T, source.device)
        x = self.drop(self.embed_source(source))
        if self.reverse:
            x = reverse(x, lengths)
        steps, last = self.encoder(x, lengths=lengths)
        cell = tuple(self._joined(part) for part in (last if isinstance(last, tuple) else (last,)))
        state = {"cell": cell, "sentence": cell[0][:, -1] if self.peek else None}
        if self.attention is None:
            return state | dict.fromkeys(("keys", "values", "mask", "weights"))
        values = reverse(steps, lengths) if self.reverse else steps
        keys = self.key(values) if self.attention in ("bilinear", "additive") else values
        mask = torch.arange(T, device=source.device) < lengths[:, None]
        return state | {"keys": keys, "values": values, "mask": mask, "weights": values.new_zeros(B, T)}

    def step(self, tokens, state):
        """Write one symbol on, :eq:`decoder`.

        Parameters
        ----------
        tokens : (N,) ids of the symbols before; the first is the one that begins a sequence.
        state : what `encode` or an earlier step returned.

        Returns
        -------
        scores : (N, V) of the next symbol; their softmax is :eq:`conditional-lm`'s factor.
        state : the state after this step; "weights" (N, Tx) says where the model looked.

        Raises
        ------
        ValueError
            when the shape or an id does not fit.
        """
        check_shape("tokens", tokens, ("N",))
        _check_ids("tokens", tokens[:, None], self.target_size)
        scores, state = self._steps(tokens[:, None], state)
        return scores[:, 0], state

    def forward(self, source, lengths, target_in, teacher=None):
        """Scores of every target symbol given the source and the symbols before, :eq:`conditional-lm`.

        Parameters
        ----------
        source, lengths : as in `encode`.
        target_in : (B, Ty) ids: the symbol that begins a sequence, then the target without its end.
        teacher : None, or (B, Ty) bool: True feeds the true symbol before step t, False the one that the model scored
            highest at t - 1, :eq:`scheduled-sampling`. None always feeds the true one, teacher forcing. The first
            column does not matter: nothing was written before.

        Returns
        -------
        scores : (B, Ty, V); those at t are for the symbol that follows target_in[:, t].

        Raises
        ------
        ValueError
            when a shape, an id or a length does not fit.
        """
        _check_ids("target_in", target_in, self.target_size)
        B, T = target_in.shape
        state = self.encode(source, lengths)
        check_shape("source", source, (B, "Tx"))
        if teacher is not None:
            check_shape("teacher", teacher, (B, T))
        if teacher is None and self.attention != "additive":
            return self._steps(target_in, state)[0]
        written, tokens = [], target_in[:, :1]
        for t in range(T):
            scores, state = self._steps(tokens, state)
            written.append(scores)
            if t + 1 < T:
                tokens = target_in[:, t + 1 : t + 2]
                if teacher is not None:
                    tokens = torch.where(teacher[:, t + 1 : t + 2], tokens, scores.detach().argmax(-1))
        return torch.cat(written, dim=1)

    def _steps(self, tokens, state):
        """(B, T) ids -> (B, T, V) scores, and the state after them. With additive attention T must be 1."""
        parts, context, weights = [self.drop(self.embed_target(tokens))], None, None
        T = tokens.shape[1]
        if self.attention == "additive":
            context, weights = self._attend(state["cell"][0][:, -1:], state)
            parts.append(context)
        sentence = None if state["sentence"] is None else state["sentence"][:, None].expand(-1, T, -1)
        if sentence is not None:
            parts.append(sentence)
        first = tuple(part.transpose(0, 1).contiguous() for part in state["cell"])
        h, last = self.decoder(torch.cat(parts, dim=2), first if len(first) > 1 else first[0])
        if self.attention and self.attention != "additive":
            context, weights = self._attend(h, state)
        shown = [part for part in (h, context, sentence) if part is not None]
        last = last if isinstance(last, tuple) else (last,)
        state = state | {"cell": tuple(part.transpose(0, 1) for part in last)}
        if weights is not None:
            state["weights"] = weights[:, -1]
        return self.out(self.drop(torch.cat(shown, dim=2))), state

    def _attend(self, query, state):
        """(B, Tq, H) -> contexts (B, Tq, H), weights (B, Tq, Tx)."""
        from seqlab.attention.functional import additive_attention, dot_attention

        keys, values, mask = state["keys"], state["values"], state["mask"]
        if self.attention == "additive":
            return additive_attention(self.query(query), keys, values, self.v, mask)
        return dot_attention(query, keys, values, mask, self.hidden**-0.5 if self.attention == "scaled" else 1.0)

    def _joined(self, last):
        """(layers * directions, B, H / directions) -> (B, layers, H), the two directions side by side."""
        B = last.shape[1]
        return last.view(self.layers, -1, B, last.shape[2]).permute(2, 0, 1, 3).reshape(B, self.layers, self.hidden)


def _check(sizes, cell, bidirectional, attention, dropout):
    for name, number in sizes.items():
        check_whole(name, number)
    if cell not in CELLS:
        raise ValueError(f"cell is {cell!r}; it must be 'rnn', 'gru' or 'lstm'")
    if bidirectional and sizes["hidden"] % 2:
        raise ValueError(f"hidden is {sizes['hidden']}; two directions need an even number, half of it each")
    if attention not in SCORES:
        raise ValueError(f"attention is {attention!r}; it must be None, 'dot', 'scaled', 'bilinear' or 'additive'")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it must be a probability, at least 0 and below 1")


def _check_ids(name, ids, size):
    """Refuse what is no (B, T) tensor of ids with at least one step."""
    if not isinstance(ids, torch.Tensor) or ids.dtype not in (torch.int64, torch.int32):
        kind = ids.dtype if isinstance(ids, torch.Tensor) else type(ids).__name__
        raise ValueError(f"{name} is {kind}; it must be a torch tensor of integers")
    B, T = check_shape(name, ids, ("B", "T")).values()
    if B == 0 or T == 0:
        raise ValueError(f"{name} has shape {(B, T)}; it needs at least one symbol")
    if not ids.is_cuda and not (ids.min() >= 0 and ids.max() < size):  # on a GPU looking costs a stop
        raise ValueError(f"{name} runs from {ids.min()} to {ids.max()}; the vocabulary has ids 0 to {size - 1}")
