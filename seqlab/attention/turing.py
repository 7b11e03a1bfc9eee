"""A Neural Turing machine: a controller, a memory, and heads that read and write it by attention.

The functions have the names and the mathematics of `seqlab.attention.reference.turing`, for torch tensors of any type.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from seqlab.shapes import check_shape, check_whole

BLANK = 1e-6  # what an empty memory holds: small, and not zero, so that its rows have a direction
CONTROLLERS = ("lstm", "feedforward")
STRENGTH, GATE, GAMMA = 2.0, -2.0, 1.0  # biases at the start: heads that keep their place and stay sharp


class Trace(NamedTuple):
    """What a machine did, step by step.

    Attributes
    ----------
    read : (B, T, heads, rows) weights of the read heads.
    write : (B, T, heads, rows) weights of the write heads.
    memory : (B, T, rows, width) the memory after each step's writing.
    erase, add : (B, T, heads, width) what the write heads erased and added.
    """

    read: torch.Tensor
    write: torch.Tensor
    memory: torch.Tensor
    erase: torch.Tensor
    add: torch.Tensor


def content_weights(memory, key, strength):
    """Look for the rows that point where the key points, :eq:`content-addressing`.

    Parameters
    ----------
    memory : (B, rows, width).
    key : (B, heads, width) what each head looks for.
    strength : (B, heads) at least 0: how much the best row counts above the others.

    Returns
    -------
    w : (B, heads, rows) weights that sum to one over the rows.
    """
    similarity = F.normalize(key, dim=-1, eps=1e-12) @ F.normalize(memory, dim=-1, eps=1e-12).mT
    return torch.softmax(strength.unsqueeze(-1) * similarity, dim=-1)


def interpolate(w_content, w_before, gate):
    """Take the weights found by content, or stay where the head was, :eq:`location-addressing`.

    Parameters
    ----------
    w_content, w_before : (B, heads, rows) weights found now, weights of the step before.
    gate : (B, heads) from 0, the step before, to 1, the content.

    Returns
    -------
    w : (B, heads, rows).
    """
    return torch.lerp(w_before, w_content, gate.unsqueeze(-1))


def shift(w, s):
    """Move the head along the rows, which are a ring: a circular convolution, :eq:`location-addressing`.

    Parameters
    ----------
    w : (B, heads, rows).
    s : (B, heads, 2 S + 1) how likely the head moves by -S, ..., 0, ..., S rows.

    Returns
    -------
    w : (B, heads, rows); with s one-hot at S + k it is `np.roll(w, k)`.
    """
    S = s.shape[-1] // 2
    if S == 0:
        return w * s
    around = torch.cat([w[..., -S:], w, w[..., :S]], dim=-1).unfold(-1, 2 * S + 1, 1)
    return (around @ s.flip(-1).unsqueeze(-1)).squeeze(-1)


def sharpen(w, gamma):
    """Undo the blur of a shift that was not certain, :eq:`sharpening`.

    Parameters
    ----------
    w : (B, heads, rows) weights.
    gamma : (B, heads) the exponent, at least 1; 1 changes nothing.

    Returns
    -------
    w : (B, heads, rows) each weight to the power gamma, made to sum to one again.
    """
    # w^gamma / sum w^gamma as a softmax of logarithms, so that a large gamma leaves no row of zeros
    return torch.softmax(gamma.unsqueeze(-1) * torch.log(w.clamp_min(torch.finfo(w.dtype).tiny)), dim=-1)


def read(memory, w):
    """What each head sees: the rows, weighted, :eq:`memory-read`.

    Parameters
    ----------
    memory : (B, rows, width).
    w : (B, heads, rows) weights.

    Returns
    -------
    r : (B, heads, width).
    """
    return w @ memory


def write(memory, w, erase, add):
    """Erase, then add, where the weights are, :eq:`memory-write`.

    Parameters
    ----------
    memory : (B, rows, width).
    w : (B, heads, rows) weights.
    erase : (B, heads, width) from 0, keep, to 1, wipe.
    add : (B, heads, width) what is added.

    Returns
    -------
    memory : (B, rows, width). With several heads all erase before any of them adds, so their order does not matter.
    """
    added = w.mT @ add
    if w.shape[1] == 1:
        return torch.addcmul(memory + added, w.mT @ erase, memory, value=-1)
    return memory * (1 - w.unsqueeze(-1) * erase.unsqueeze(-2)).prod(dim=1) + added


class TuringMachine(nn.Module):
    """A controller beside a memory that it reads and writes by attention (Graves, Wayne and Danihelka 2014).

    At each step the controller hears the input and what was read the step before. It moves all heads by
    :eq:`content-addressing`, :eq:`location-addressing` and :eq:`sharpening` over the memory as it is; the write heads
    change the memory, :eq:`memory-write`; the read heads read it, :eq:`memory-read`; the output is made from the
    controller and from what was read. At the start the memory is blank and every head stands on row 0. No weight
    depends on `rows`: a machine that learned with a short memory can be given a longer one. The biases begin where a
    head keeps its place, as a forget gate begins open: a head that starts by spreading over all rows learns slowly.

    Parameters
    ----------
    input_size : D, numbers that come in at each step.
    output_size : numbers that go out at each step (scores; no squashing).
    rows, width : size of the memory.
    heads : how many read heads, and as many write heads.
    controller : "lstm", or "feedforward": one tanh layer that has no memory of its own.
    hidden : H, units of the controller.
    shifts : how far a head can move in one step, in either direction.

    Raises
    ------
    ValueError
        when a size is below 1, the memory has fewer than 2 * shifts + 1 rows, or there is no such controller.
    """

    def __init__(
        self, input_size, output_size, *, rows=128, width=20, heads=1, controller="lstm", hidden=100, shifts=1
    ):
        super().__init__()
        self.settings = {"input_size": input_size, "output_size": output_size, "rows": rows, "width": width}
        self.settings |= {"heads": heads, "hidden": hidden, "shifts": shifts}
        for name, number in self.settings.items():
            least = 0 if name == "shifts" else 1
            check_whole(name, number, least)
        if rows < 2 * shifts + 1:
            raise ValueError(f"rows is {rows}; heads that move by up to {shifts} need at least {2 * shifts + 1}")
        if controller not in CONTROLLERS:
            raise ValueError(f"controller is {controller!r}; it must be 'lstm' or 'feedforward'")
        self.settings["controller"] = controller
        self.rows, self.width, self.heads, self.moves = rows, width, heads, 2 * shifts + 1
        heard = input_size + heads * width
        self.controller = nn.LSTMCell(heard, hidden) if controller == "lstm" else nn.Linear(heard, hidden)
        # for each of 2 * heads heads: key, strength, gate, shift, sharpening; for the write heads: erase and add
        self.sizes = [2 * heads * width, 2 * heads, 2 * heads, 2 * heads * self.moves, 2 * heads]
        self.sizes += [heads * width, heads * width]
        self.address = nn.Linear(hidden, sum(self.sizes))
        self.out = nn.Linear(hidden + heads * width, output_size)
        with torch.no_grad():
            _, strength, gate, _, gamma, _, _ = self.address.bias.split(self.sizes)
            for bias, start in ((strength, STRENGTH), (gate, GATE), (gamma, GAMMA)):
                bias += start

    def forward(self, x, trace=False):
        """Run over whole sequences.

        Parameters
        ----------
        x : (B, T, D) input.
        trace : also say what the heads and the memory did.

        Returns
        -------
        y : (B, T, output_size) scores.
        trace : `Trace`, only with trace=True.

        Raises
        ------
        ValueError
            when x has another shape, or no step.
        """
        T = check_shape("x", x, ("B", "T", self.settings["input_size"]))["T"]
        if T == 0:
            raise ValueError(f"x has shape {tuple(x.shape)}; the machine needs at least one step")
        memory, w, seen, state = self.blank(x)
        heard, kept = [], []
        for x_t in x.unbind(1):
            h, state = self._control(torch.cat([x_t, seen], dim=1), state)
            memory, w, seen, change = self._move(h, memory, w)
            heard.append(torch.cat([h, seen], dim=1))
            if trace:
                kept.append((w[:, self.heads :], w[:, : self.heads], memory, *change))
        y = self.out(torch.stack(heard, dim=1))
        return (y, Trace(*(torch.stack(part, dim=1) for part in zip(*kept, strict=True)))) if trace else y

    def blank(self, x):
        """The start: a blank memory, all heads on row 0, nothing read, the controller at rest."""
        B = len(x)
        memory = x.new_full((B, self.rows, self.width), BLANK)
        w = x.new_zeros(B, 2 * self.heads, self.rows)
        w[..., 0] = 1
        return memory, w, x.new_zeros(B, self.heads * self.width), None

    def _control(self, heard, state):
        """(B, D + heads * width) what comes in -> (B, H) what the controller says, and its own state."""
        if isinstance(self.controller, nn.LSTMCell):
            state = self.controller(heard, state)
            return state[0], state
        return torch.tanh(self.controller(heard)), None

    def _move(self, h, memory, w):
        """One step of all heads; the write heads stand first in w (B, 2 heads, rows)."""
        B = len(h)
        key, strength, gate, s, gamma, erase, add = self.address(h).split(self.sizes, dim=1)
        key = torch.tanh(key).view(B, 2 * self.heads, self.width)
        w_content = content_weights(memory, key, F.softplus(strength))
        w = interpolate(w_content, w, torch.sigmoid(gate))
        w = shift(w, torch.softmax(s.view(B, 2 * self.heads, self.moves), dim=-1))
        w = sharpen(w, 1 + F.softplus(gamma))
        shape = B, self.heads, self.width
        change = torch.sigmoid(erase).view(shape), add.view(shape)
        memory = write(memory, w[:, : self.heads], *change)
        return memory, w, read(memory, w[:, self.heads :]).flatten(1), change
