"""Recurrent layers as torch modules: drop-in for `torch.nn.RNN`, `torch.nn.GRU` and `torch.nn.LSTM`.

They take the arguments of their twins in torch (but for `proj_size`), draw the same first weights from the same seed,
exchange state_dicts with them and give their numbers.
"""

import numbers
from typing import ClassVar

import torch

from seqlab.recurrent.functional import gru, lstm, rnn
from seqlab.recurrent.layers import RecurrentLayers


class RNN(RecurrentLayers):
    """Stacked, one- or two-directional plain recurrent network, :eq:`rnn-torch`.

    Takes the arguments of `torch.nn.RNN`, draws the same first weights from the same seed, loads its state_dict and
    gives its numbers.

    Parameters
    ----------
    input_size, hidden_size : D and H.
    num_layers : layers on top of each other; each reads the states of the one below, :eq:`stacked`.
    nonlinearity : "tanh" or "relu".
    bias : False leaves out b_ih and b_hh.
    batch_first : inputs and outputs are (B, T, ...) when True, (T, B, ...) when False.
    dropout : probability with which each state is dropped between layers in training, :eq:`dropout`.
    bidirectional : a second network reads each sequence from its end, :eq:`bidirectional`.
    backend : "auto", "torch" or "triton", as in `seqlab.recurrent.rnn`.
    """

    _defaults: ClassVar = {"num_layers": 1, "nonlinearity": "tanh"} | RecurrentLayers._defaults

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        nonlinearity="tanh",
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        device=None,
        dtype=None,
        *,
        backend="auto",
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")
        sizes, mode = (input_size, hidden_size, num_layers), f"RNN_{nonlinearity.upper()}"
        options = (bias, batch_first, dropout, bidirectional, backend)
        super().__init__(mode, *sizes, *options, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def _run(self, x, states, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
        return (rnn(x, *states, weight_ih, weight_hh, bias_ih, bias_hh, self.nonlinearity, self.backend),)


class GRU(RecurrentLayers):
    """Stacked, one- or two-directional layers of gated recurrent units, :eq:`gru-cell`; Cho et al. (2014).

    Takes the arguments of `torch.nn.GRU`, draws the same first weights from the same seed, loads its state_dict and
    gives its numbers.

    Parameters
    ----------
    input_size, hidden_size : D and H.
    num_layers : layers on top of each other; each reads the states of the one below, :eq:`stacked`.
    bias : False leaves out b_ih and b_hh.
    batch_first : inputs and outputs are (B, T, ...) when True, (T, B, ...) when False.
    dropout : probability with which each state is dropped between layers in training, :eq:`dropout`.
    bidirectional : a second network reads each sequence from its end, :eq:`bidirectional`.
    reset_after : True resets after the product with W_hn, as torch does; False before it, :eq:`gru-reset-before`,
        which torch does not have. Both have the same weights, and a state_dict does not say which form it is for.
    backend : "auto", "torch" or "triton", as in `seqlab.recurrent.gru`.
    """

    gates = 3
    _defaults: ClassVar = RecurrentLayers._defaults | {"reset_after": True}

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        device=None,
        dtype=None,
        *,
        reset_after=True,
        backend="auto",
    ):
        sizes, options = (input_size, hidden_size, num_layers), (bias, batch_first, dropout, bidirectional, backend)
        super().__init__("GRU", *sizes, *options, device=device, dtype=dtype)
        self.reset_after = reset_after

    def _run(self, x, states, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
        return (gru(x, *states, weight_ih, weight_hh, bias_ih, bias_hh, self.reset_after, self.backend),)


class LSTM(RecurrentLayers):
    """Stacked, one- or two-directional layers of long short-term memory, :eq:`lstm-cell`.

    Takes the arguments of `torch.nn.LSTM`, draws the same first weights from the same seed, loads its state_dict and
    gives its numbers. Hochreiter and Schmidhuber (1997). Its state, in `hx` and in what comes back, is a pair
    (h_n, c_n) of the shapes that `forward` gives for one.

    Parameters
    ----------
    input_size, hidden_size : D and H.
    num_layers : layers on top of each other; each reads the states of the one below, :eq:`stacked`.
    bias : False leaves out b_ih and b_hh.
    batch_first : inputs and outputs are (B, T, ...) when True, (T, B, ...) when False.
    dropout : probability with which each state is dropped between layers in training, :eq:`dropout`.
    bidirectional : a second network reads each sequence from its end, :eq:`bidirectional`.
    peepholes : True lets the gates see the cell, :eq:`lstm-peepholes`. Torch has no such layer, and there is one
        parameter more, `peephole_l0` (3, H), for each layer and direction; the others start as without.
    forget_bias : None starts as torch does. A number is what the two biases of the forget gate sum to at the start:
        1.0 begins with a cell that keeps (Jozefowicz et al. 2015).
    backend : "auto", "torch" or "triton", as in `seqlab.recurrent.lstm`.
    """

    gates = 4
    state_names = ("h_0", "c_0")
    _defaults: ClassVar = RecurrentLayers._defaults | {"peepholes": False, "forget_bias": None}

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        device=None,
        dtype=None,
        *,
        peepholes=False,
        forget_bias=None,
        backend="auto",
    ):
        if forget_bias is not None and not bias:
            raise ValueError(
                "forget_bias was given with bias=False, which leaves no bias to set; leave one of them out"
            )
        if forget_bias is not None and (not isinstance(forget_bias, numbers.Real) or isinstance(forget_bias, bool)):
            raise ValueError(f"forget_bias is {forget_bias!r}; it must be None or a number")
        self.peepholes = peepholes
        self.forget_bias = forget_bias
        sizes, options = (input_size, hidden_size, num_layers), (bias, batch_first, dropout, bidirectional, backend)
        super().__init__("LSTM", *sizes, *options, device=device, dtype=dtype)

    def _sizes(self, D):
        peepholes = {"peephole": (3, self.hidden_size)} if self.peepholes else {}
        return super()._sizes(D) | peepholes

    def reset_parameters(self):
        """Draw every number from U(-1/sqrt(H), 1/sqrt(H)), the peepholes last; then set the forget biases."""
        bound = self.hidden_size**-0.5
        for _, parameter in sorted(self.named_parameters(), key=lambda named: named[0].startswith("peephole")):
            torch.nn.init.uniform_(parameter, -bound, bound)
        if self.forget_bias is None:
            return
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("bias"):
                    parameter[forget] = self.forget_bias if name.startswith("bias_ih") else 0.0

    def _run(self, x, states, weight_ih, weight_hh, bias_ih=None, bias_hh=None, peephole=None):
        return lstm(x, *states, weight_ih, weight_hh, bias_ih, bias_hh, peephole, self.backend)
