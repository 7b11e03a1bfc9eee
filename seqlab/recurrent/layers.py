"""What RNN, GRU and LSTM share: weights named as torch names them, layers, directions, lengths and packing."""

import math
import warnings
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqlab.shapes import check_shape, check_whole


class RecurrentLayers(nn.Module):
    """Stacked, one- or two-directional recurrent layers; a subclass says what one direction of one layer computes.

    A subclass sets `gates` (blocks of rows in its weights) and `state_names`, and writes `_run`.
    """

    gates = 1
    state_names = ("hx",)
    _defaults: ClassVar = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}

    def __init__(
        self, mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, backend, **factory
    ):
        super().__init__()
        for name, size in {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
            check_whole(name, size)
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; it must be a probability, 0 to 1")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"dropout is {dropout} but acts between layers, and there is one layer", stacklevel=3)
        if backend not in ("auto", "torch", "triton"):
            raise ValueError(f"backend is {backend!r}; it must be 'auto', 'torch' or 'triton'")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = 0
        self.backend = backend
        self.num_directions = 2 if bidirectional else 1
        for layer in range(num_layers):
            D = input_size if layer == 0 else self.output_size
            for direction in range(self.num_directions):
                for name, size in self._sizes(D).items():
                    parameter = nn.Parameter(torch.empty(size, **factory))
                    self.register_parameter(self._name(name, layer, direction), parameter)
        self.reset_parameters()

    @property
    def output_size(self):
        """Numbers that the last layer gives at each step: H, or 2H with two directions."""
        return self.num_directions * self.hidden_size

    def _sizes(self, D):
        """Names and shapes of the parameters of one direction of a layer with D inputs, in torch's order."""
        rows, H = self.gates * self.hidden_size, self.hidden_size
        biases = {"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {}
        return {"weight_ih": (rows, D), "weight_hh": (rows, H)} | biases

    @staticmethod
    def _name(name, layer, direction):
        return f"{name}_l{layer}" + ("_reverse" if direction else "")

    def _weights(self, layer, direction):
        names = self._sizes(self.input_size)
        return {name: getattr(self, self._name(name, layer, direction)) for name in names}

    @property
    def all_weights(self):
        """The weights of each layer and direction, a list of lists, as torch has it."""
        places = [(layer, d) for layer in range(self.num_layers) for d in range(self.num_directions)]
        return [list(self._weights(*place).values()) for place in places]

    def reset_parameters(self):
        """Draw every number from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self):
        """Do nothing: here for code written for torch's layers, where it arranges weights for cuDNN."""

    def extra_repr(self):
        """Show the arguments that differ from the defaults."""
        defaults = self._defaults | {"backend": "auto"}
        changed = [f"{name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])

    def _run(self, x, states, weight_ih, weight_hh, bias_ih=None, bias_hh=None, **more):
        """x (B, T, D) and states (B, H) each -> a tuple of (B, T, H), one for each state, the output first."""
        raise NotImplementedError

    def forward(self, input, hx=None, lengths=None):
        """Run all layers over a batch of sequences.

        Parameters
        ----------
        input : (T, B, D), or (B, T, D) when batch_first, or (T, D) without a batch, or a PackedSequence.
        hx : (num_layers * num_directions, B, H) first states, without B for an input without a batch; zeros when None.
            An LSTM takes a pair (h_0, c_0) of them.
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
        states = self._states(hx)
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError("lengths was given with a PackedSequence, which has its own; leave it out")
            output, last = self._forward_packed(input, states)
        elif not isinstance(input, torch.Tensor):
            raise ValueError(f"input is a {type(input).__name__}; it must be a torch tensor or a PackedSequence")
        elif input.dim() == 2:
            if lengths is not None:
                raise ValueError("lengths was given with an input without a batch; cut the sequence instead")
            output, last = self._forward_alone(input, states)
        else:
            output, last = self._forward_batch(input, states, lengths)
        return output, last[0] if len(last) == 1 else tuple(last)

    def _states(self, hx):
        """A list with a tensor for each of the cell's states, or None."""
        if hx is None:
            return None
        count = len(self.state_names)
        if count == 1:
            hx = (hx,)
        elif not isinstance(hx, tuple | list) or len(hx) != count:
            raise ValueError(f"hx is {describe(hx)}; it must be a pair ({', '.join(self.state_names)}) of tensors")
        for name, state in zip(self.state_names, hx, strict=True):
            if not isinstance(state, torch.Tensor):
                raise ValueError(f"{name} is {describe(state)}; it must be a torch tensor")
        return list(hx)

    def _check_states(self, states, *batch):
        for name, state in zip(self.state_names, states or (), strict=False):
            check_shape(name, state, (self.num_layers * self.num_directions, *batch, self.hidden_size))

    def _forward_alone(self, input, states):
        check_shape("input", input, ("T", self.input_size))
        self._check_states(states)
        states = states and [state.unsqueeze(1) for state in states]
        output, last = self._layers(input.unsqueeze(0), states, None)
        return output.squeeze(0), [state.squeeze(1) for state in last]

    def _forward_batch(self, input, states, lengths):
        D = self.input_size
        sizes = check_shape("input", input, ("B", "T", D) if self.batch_first else ("T", "B", D))
        self._check_states(states, sizes["B"])
        if lengths is not None:
            lengths = check_lengths(lengths, sizes["B"], sizes["T"], input.device)
        output, last = self._layers(input if self.batch_first else input.transpose(0, 1), states, lengths)
        return output if self.batch_first else output.transpose(0, 1), last

    def _forward_packed(self, packed, states):
        """Sequences stand sorted by length inside; the states come and go in the order of the user."""
        data, batch_sizes, order, back = packed
        check_shape("input.data", data, ("N", self.input_size))
        self._check_states(states, int(batch_sizes[0]))
        if order is not None:
            states = states and [state.index_select(1, order) for state in states]
        x, lengths = pad_packed_sequence(PackedSequence(data, batch_sizes), batch_first=True)
        output, last = self._layers(x, states, lengths.to(x.device), packed_lengths=lengths)
        output = pack_padded_sequence(output, lengths, batch_first=True).data
        if back is not None:
            last = [state.index_select(1, back) for state in last]
        return PackedSequence(output, batch_sizes, order, back), last

    def _layers(self, x, states, lengths, packed_lengths=None):
        """x (B, T, D), states (S, B, H) each or None, lengths (B,) or None -> (B, T, output_size), states as given."""
        B, T, _ = x.shape
        places = self.num_layers * self.num_directions
        if states is None:
            states = [x.new_zeros(places, B, self.hidden_size)] * len(self.state_names)
        last = []
        for layer in range(self.num_layers):
            if layer > 0 and self.training and self.dropout > 0:
                packed = packed_lengths is not None
                x = _drop_packed(x, self.dropout, packed_lengths) if packed else drop_steps(x, self.dropout, True)
            directions = []
            for direction in range(self.num_directions):
                first = [state[layer * self.num_directions + direction] for state in states]
                source = reverse(x, lengths) if direction else x
                history = self._run(source, first, **self._weights(layer, direction))
                last.append([_at_the_end(steps, lengths) for steps in history])
                directions.append(reverse(history[0], lengths) if direction else history[0])
            x = torch.cat(directions, dim=2) if self.bidirectional else directions[0]
        if lengths is not None:
            x = x.masked_fill(torch.arange(T, device=x.device)[:, None] >= lengths[:, None, None], 0)
        return x, [torch.stack(of_one_name) for of_one_name in zip(*last, strict=True)]


def drop_steps(x, p, batch_first):
    """Drop numbers of what stands between two layers, as torch would draw them from the same seed.

    Torch draws step by step. x is (T, B, D), (B, T, D) when batch_first, (T, D), or a PackedSequence.
    """
    if isinstance(x, PackedSequence):
        return x._replace(data=F.dropout(x.data, p))
    if batch_first and x.dim() == 3:
        return F.dropout(x.transpose(0, 1).contiguous(), p).transpose(0, 1)
    return F.dropout(x.contiguous(), p)


def _drop_packed(x, p, lengths):
    """Drop numbers of sequences that came packed, sorted by length: torch draws for no padding."""
    packed = drop_steps(pack_padded_sequence(x, lengths, batch_first=True), p, True)
    return pad_packed_sequence(packed, batch_first=True)[0]


def reverse(x, lengths):
    """Turn each sequence of (B, T, D) around within its own length; the padding stays at the end."""
    if lengths is None:
        return x.flip(1)
    t = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - t
    return x.gather(1, torch.where(mirrored >= 0, mirrored, t)[:, :, None].expand_as(x))


def check_lengths(lengths, B, T, device):
    """Give (B,) lengths as a tensor; raise ValueError where one is no whole number from 1 to T."""
    lengths = torch.as_tensor(lengths, device=device)
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths holds {lengths.dtype}; it must hold whole numbers")
    check_shape("lengths", lengths, (B,))
    if B and not (lengths.min() >= 1 and lengths.max() <= T):
        raise ValueError(
            f"lengths goes from {lengths.min()} to {lengths.max()}; with {T} steps every length must be from 1 to {T}"
        )
    return lengths


def _at_the_end(steps, lengths):
    """(B, T, H) -> (B, H): what stands at each sequence's last step."""
    if lengths is None:
        return steps[:, -1]
    return steps[torch.arange(len(steps), device=steps.device), lengths - 1]


def describe(thing):
    """Say in a few words what was given, for an error's sentence."""
    if isinstance(thing, tuple | list):
        return f"a {type(thing).__name__} of {len(thing)}"
    return f"a {type(thing).__name__}"
