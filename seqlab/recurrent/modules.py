"""Recurrent layers as torch modules: drop-in for `torch.nn.RNN`."""

import math
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqlab.recurrent.functional import rnn
from seqlab.shapes import check_shape


class RNN(nn.Module):
    """Stacked, one- or two-directional plain recurrent network, :eq:`rnn-torch`.

    Takes the arguments of `torch.nn.RNN`, draws the same first weights from the same seed, loads its state_dict and
    gives its numbers.

    Parameters
    ----------
    input_size, hidden_size : D and H.
    num_layers : layers on top of each other; each reads the states of the one below.
    nonlinearity : "tanh" or "relu".
    bias : False leaves out b_ih and b_hh.
    batch_first : inputs and outputs are (B, T, ...) when True, (T, B, ...) when False.
    dropout : probability with which each state is dropped between layers in training.
    bidirectional : a second network reads each sequence from its end.
    backend : "auto", "torch" or "triton", as in `seqlab.recurrent.rnn`.
    """

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
        super().__init__()
        for name, size in {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} is {size!r}; it must be a whole number, at least 1")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; it must be a probability, 0 to 1")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"dropout is {dropout} but acts between layers, and there is one layer", stacklevel=2)
        if backend not in ("auto", "torch", "triton"):
            raise ValueError(f"backend is {backend!r}; it must be 'auto', 'torch' or 'triton'")
        self.mode = f"RNN_{nonlinearity.upper()}"
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.nonlinearity = nonlinearity
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = 0
        self.backend = backend
        self.num_directions = 2 if bidirectional else 1
        H = hidden_size
        for layer in range(num_layers):
            D = input_size if layer == 0 else H * self.num_directions
            for direction in range(self.num_directions):
                sizes = {"weight_ih": (H, D), "weight_hh": (H, H), "bias_ih": (H,), "bias_hh": (H,)}
                for name, size in sizes.items():
                    if bias or name.startswith("weight"):
                        parameter = nn.Parameter(torch.empty(size, device=device, dtype=dtype))
                        self.register_parameter(self._name(name, layer, direction), parameter)
        self.reset_parameters()

    @staticmethod
    def _name(name, layer, direction):
        return f"{name}_l{layer}" + ("_reverse" if direction else "")

    def _weights(self, layer, direction):
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        return [getattr(self, self._name(name, layer, direction)) for name in names]

    @property
    def all_weights(self):
        """The weights of each layer and direction, a list of lists, as torch has it."""
        return [self._weights(layer, d) for layer in range(self.num_layers) for d in range(self.num_directions)]

    def reset_parameters(self):
        """Draw every number from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self):
        """Do nothing: here for code written for torch.nn.RNN, where it arranges weights for cuDNN."""

    def extra_repr(self):
        """Show the arguments that differ from the defaults."""
        defaults = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False, "dropout": 0.0}
        defaults |= {"bidirectional": False, "backend": "auto"}
        changed = [f"{name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])

    def forward(self, input, hx=None, lengths=None):
        """Run all layers over a batch of sequences.

        Parameters
        ----------
        input : (T, B, D), or (B, T, D) when batch_first, or (T, D) without a batch, or a PackedSequence.
        hx : (num_layers * num_directions, B, H) first states, without B for an input without a batch; zeros when None.
        lengths : None, or (B,) whole numbers from 1 to T: how long each padded sequence is. The output is 0 after a
            sequence's end, and the last state is the one at its end. Leave it out with a PackedSequence.

        Returns
        -------
        output : as the input, with num_directions * H in place of D: the last layer's states.
        h_n : as hx: each layer's state after the last step (of the reverse direction: after the first).

        Raises
        ------
        ValueError
            when a shape, a data type or a length does not fit.
        """
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError("lengths was given with a PackedSequence, which has its own; leave it out")
            return self._forward_packed(input, hx)
        if not isinstance(input, torch.Tensor):
            raise ValueError(f"input is a {type(input).__name__}; it must be a torch tensor or a PackedSequence")
        D, H, S = self.input_size, self.hidden_size, self.num_layers * self.num_directions
        if input.dim() == 2:
            if lengths is not None:
                raise ValueError("lengths was given with an input without a batch; cut the sequence instead")
            T = check_shape("input", input, ("T", D))["T"]
            if hx is not None:
                check_shape("hx", hx, (S, H))
                hx = hx.unsqueeze(1)
            output, h_n = self._layers(input.unsqueeze(0), hx, None)
            return output.squeeze(0), h_n.squeeze(1)
        sizes = check_shape("input", input, ("B", "T", D) if self.batch_first else ("T", "B", D))
        B, T = sizes["B"], sizes["T"]
        if hx is not None:
            check_shape("hx", hx, (S, B, H))
        if lengths is not None:
            lengths = _check_lengths(lengths, B, T, input.device)
        output, h_n = self._layers(input if self.batch_first else input.transpose(0, 1), hx, lengths)
        return output if self.batch_first else output.transpose(0, 1), h_n

    def _forward_packed(self, packed, hx):
        """Sequences stand sorted by length inside; hx and h_n are in the order of the user."""
        data, batch_sizes, order, back = packed
        check_shape("input.data", data, ("N", self.input_size))
        B = int(batch_sizes[0])
        if hx is not None:
            check_shape("hx", hx, (self.num_layers * self.num_directions, B, self.hidden_size))
            hx = hx if order is None else hx.index_select(1, order)
        x, lengths = pad_packed_sequence(PackedSequence(data, batch_sizes), batch_first=True)
        output, h_n = self._layers(x, hx, lengths.to(x.device))
        output = pack_padded_sequence(output, lengths, batch_first=True).data
        h_n = h_n if back is None else h_n.index_select(1, back)
        return PackedSequence(output, batch_sizes, order, back), h_n

    def _layers(self, x, hx, lengths):
        """x (B, T, D), hx (S, B, H) or None, lengths (B,) or None -> (B, T, directions * H), (S, B, H)."""
        B, T, _ = x.shape
        if hx is None:
            hx = x.new_zeros(self.num_layers * self.num_directions, B, self.hidden_size)
        last = []
        for layer in range(self.num_layers):
            if layer > 0:
                steps_first = x.transpose(0, 1).contiguous()  # so that a seed drops what it drops in torch
                x = F.dropout(steps_first, self.dropout, self.training).transpose(0, 1)
            directions = []
            for direction in range(self.num_directions):
                source = _reverse(x, lengths) if direction else x
                h = rnn(
                    source,
                    hx[layer * self.num_directions + direction],
                    *self._weights(layer, direction),
                    nonlinearity=self.nonlinearity,
                    backend=self.backend,
                )
                last.append(h[:, -1] if lengths is None else h[torch.arange(B, device=h.device), lengths - 1])
                directions.append(_reverse(h, lengths) if direction else h)
            x = torch.cat(directions, dim=2) if self.bidirectional else directions[0]
        if lengths is not None:
            x = x.masked_fill(torch.arange(T, device=x.device)[:, None] >= lengths[:, None, None], 0)
        return x, torch.stack(last)


def _reverse(x, lengths):
    """Turn each sequence of (B, T, D) around within its own length; the padding stays at the end."""
    if lengths is None:
        return x.flip(1)
    t = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - t
    return x.gather(1, torch.where(mirrored >= 0, mirrored, t)[:, :, None].expand_as(x))


def _check_lengths(lengths, B, T, device):
    lengths = torch.as_tensor(lengths, device=device)
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths holds {lengths.dtype}; it must hold whole numbers")
    check_shape("lengths", lengths, (B,))
    if B and not (lengths.min() >= 1 and lengths.max() <= T):
        raise ValueError(
            f"lengths goes from {lengths.min()} to {lengths.max()}; with {T} steps every length must be from 1 to {T}"
        )
    return lengths
