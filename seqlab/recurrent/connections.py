"""What stands between recurrent layers: residual and highway connections, and a stack of layers of any kind."""

import itertools

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from seqlab.recurrent.layers import check_lengths, describe, drop_steps


class Residual(nn.Module):
    """Add a layer's input to its output, :eq:`residual`; He et al. (2016).

    y = x + h, so a gradient reaches the input without passing through the layer.

    Parameters
    ----------
    layer : a recurrent layer, ours or torch's, or another connection, whose output is as wide as its input.

    Raises
    ------
    ValueError
        when the layer gives more or fewer numbers a step than it reads.
    """

    def __init__(self, layer):
        super().__init__()
        self.input_size = self.output_size = _one_width(layer, "Residual")
        self.batch_first = getattr(layer, "batch_first", False)
        self.layer = layer

    def forward(self, x, hx=None, lengths=None):
        """Run the layer and add what it read.

        Parameters
        ----------
        x, hx, lengths : as the layer takes them; leave lengths out with a layer of torch.

        Returns
        -------
        y : as x; 0 after a sequence's end where lengths are given.
        state : as the layer gives it.
        """
        h, state = _call(self.layer, x, hx, lengths)
        y = _map(lambda x, h: x + h, x, h)
        return _clear(y, lengths, self.batch_first), state


class Highway(nn.Module):
    """Let a gate choose between a layer's output and its input, :eq:`highway`; Srivastava et al. (2015).

    y = g * h + (1 - g) * x with the transform gate g = sigmoid(W_g x + b_g), one for each number of each step.

    Parameters
    ----------
    layer : a recurrent layer, ours or torch's, or another connection, whose output is as wide as its input.
    bias : what b_g starts at. A negative number starts near carrying: at -2, 12 % of each output is the layer's.

    Raises
    ------
    ValueError
        when the layer gives more or fewer numbers a step than it reads.
    """

    def __init__(self, layer, bias=-2.0):
        super().__init__()
        self.input_size = self.output_size = _one_width(layer, "Highway")
        self.batch_first = getattr(layer, "batch_first", False)
        self.layer = layer
        like = next(layer.parameters())
        self.gate = nn.Linear(self.input_size, self.input_size, device=like.device, dtype=like.dtype)
        nn.init.constant_(self.gate.bias, bias)

    def forward(self, x, hx=None, lengths=None):
        """Run the layer and mix its output with what it read.

        Parameters
        ----------
        x, hx, lengths : as the layer takes them; leave lengths out with a layer of torch.

        Returns
        -------
        y : as x; 0 after a sequence's end where lengths are given.
        state : as the layer gives it.
        """
        h, state = _call(self.layer, x, hx, lengths)
        y = _map(lambda x, h: torch.lerp(x, h, torch.sigmoid(self.gate(x))), x, h)  # (1 - g) x + g h
        return _clear(y, lengths, self.batch_first), state


class Stack(nn.Module):
    """Run layers on top of each other, :eq:`stacked`: each reads what the one below gives.

    Where `num_layers` makes layers that are all alike, a stack may mix cells, widths and connections.

    Parameters
    ----------
    layers : recurrent layers or connections, from the lowest to the highest.
    dropout : probability with which each number is dropped between two layers in training, :eq:`dropout`. From the
        same seed it drops what `num_layers` would.

    Raises
    ------
    ValueError
        when there is no layer, a layer does not read what the one below gives, the layers do not agree on batch_first,
        or the dropout is no probability.
    """

    def __init__(self, layers, dropout=0.0):
        super().__init__()
        layers = list(layers)
        if not layers:
            raise ValueError("layers is empty; a stack needs at least one layer")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; it must be a probability, 0 to 1")
        for i, (below, above) in enumerate(itertools.pairwise(layers)):
            if _output_size(below) != above.input_size:
                raise ValueError(
                    f"layers[{i + 1}] reads {above.input_size} numbers a step and layers[{i}] gives "
                    f"{_output_size(below)}; they must be equal"
                )
            if below.batch_first != above.batch_first:
                raise ValueError(f"layers[{i}] and layers[{i + 1}] differ in batch_first; all layers must agree")
        self.input_size = layers[0].input_size
        self.output_size = _output_size(layers[-1])
        self.batch_first = layers[0].batch_first
        self.dropout = float(dropout)
        self.layers = nn.ModuleList(layers)

    def extra_repr(self):
        """Show the dropout."""
        return f"dropout={self.dropout}"

    def forward(self, x, states=None, lengths=None):
        """Run all layers.

        Parameters
        ----------
        x, lengths : as the lowest layer takes them; leave lengths out with layers of torch.
        states : None, or a list of one first state for each layer, each as its layer takes it, or None.

        Returns
        -------
        y : what the highest layer gives.
        states : list of each layer's state after the last step.

        Raises
        ------
        ValueError
            when the number of states is not that of the layers, or a layer does not take its input.
        """
        states = [None] * len(self.layers) if states is None else states
        if not isinstance(states, list | tuple) or len(states) != len(self.layers):
            raise ValueError(
                f"states is {describe(states)}; it must be a list of {len(self.layers)}, one for each layer"
            )
        last = []
        for i, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if i > 0 and self.training and self.dropout > 0:
                x = drop_steps(x, self.dropout, self.batch_first)
            x, state = _call(layer, x, state, lengths)
            last.append(state)
        return x, last


def _call(layer, x, state, lengths):
    if lengths is None:
        return layer(x, state)
    if isinstance(layer, nn.RNNBase):
        raise ValueError(
            f"lengths was given to torch.nn.{type(layer).__name__}, which takes none: use seqlab.recurrent, "
            "or pack the sequences"
        )
    return layer(x, state, lengths=lengths)


def _map(function, x, h):
    """Apply a function to inputs and outputs, be they tensors or packed sequences."""
    if isinstance(x, PackedSequence):
        return h._replace(data=function(x.data, h.data))
    return function(x, h)


def _clear(y, lengths, batch_first):
    """Put 0 after each sequence's end: a layer's output is 0 there, but its input may be anything."""
    if lengths is None:
        return y
    B, T = y.shape[:2] if batch_first else (y.shape[1], y.shape[0])
    lengths = check_lengths(lengths, B, T, y.device)
    ended = torch.arange(T, device=y.device) >= lengths[:, None]
    return y.masked_fill((ended if batch_first else ended.T)[:, :, None], 0)


def _output_size(layer):
    """Numbers a step that a layer gives, ours or torch's."""
    if hasattr(layer, "output_size"):
        return layer.output_size
    return (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)


def _one_width(layer, name):
    if layer.input_size != _output_size(layer):
        raise ValueError(
            f"{name} got a layer that reads {layer.input_size} numbers a step and gives {_output_size(layer)}; "
            "they must be equal"
        )
    return layer.input_size
