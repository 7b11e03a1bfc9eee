"""Gated units written for torch's autograd with nothing of ours: one matrix a gate, `detach` to cut."""

import numpy as np
import torch

from seqlab.recurrent import reference

CELLS = ("gru", "gru-reset-before", "lstm", "lstm-peepholes")
ORDER = {"gru": "rzn", "lstm": "ifgo"}


def kind(cell):
    return cell.split("-")[0]


def arguments(cell, B, T, D, H, seed=0):
    """Random arguments of a cell's forward pass by name, in order."""
    rng = np.random.default_rng(seed)
    G = len(ORDER[kind(cell)])
    sizes = {"x": (B, T, D), "h0": (B, H)}
    if kind(cell) == "lstm":
        sizes["c0"] = (B, H)
    sizes |= {"W_ih": (G * H, D), "W_hh": (G * H, H), "b_ih": (G * H,), "b_hh": (G * H,)}
    if cell == "lstm-peepholes":
        sizes["peepholes"] = (3, H)
    return {name: rng.normal(size=size) * (1 if len(size) == 1 else size[-1] ** -0.5) for name, size in sizes.items()}


def options(cell):
    return {"reset_after": False} if cell == "gru-reset-before" else {}


def forward(cell, values):
    """The reference: (h, c, cache), c None for a GRU."""
    if kind(cell) == "gru":
        h, cache = reference.gru_forward(**values, **options(cell))
        return h, None, cache
    return reference.lstm_forward(**values)


def backward(cell, dh, dc, cache, truncate=None):
    if kind(cell) == "gru":
        return reference.gru_backward(dh, cache, truncate=truncate)
    return reference.lstm_backward(dh, cache, dc=dc, truncate=truncate)


def loop(cell, leaves, truncate=None):
    """Run a cell over tensors; give h, c (None for a GRU), and each step's numbers before the squashing, by gate."""
    names = ORDER[kind(cell)]
    W_x, W_h, b_x, b_h = (
        dict(zip(names, leaves[key].chunk(len(names)), strict=True)) for key in ("W_ih", "W_hh", "b_ih", "b_hh")
    )
    h, c = leaves["h0"], leaves.get("c0")
    zero = torch.zeros_like(h[0])
    p_i, p_f, p_o = leaves.get("peepholes", (zero, zero, zero))
    states, cells, raw = [], [], []
    for t, x in enumerate(leaves["x"].unbind(1)):
        if truncate and t and t % truncate == 0:
            h, c = h.detach(), None if c is None else c.detach()
        a = {g: x @ W_x[g].T + b_x[g] + h @ W_h[g].T + b_h[g] for g in names}
        if cell == "gru":
            a["n"] = x @ W_x["n"].T + b_x["n"] + a["r"].sigmoid() * (h @ W_h["n"].T + b_h["n"])
        if cell == "gru-reset-before":
            a["n"] = x @ W_x["n"].T + b_x["n"] + (a["r"].sigmoid() * h) @ W_h["n"].T + b_h["n"]
        if kind(cell) == "gru":
            h = a["z"].sigmoid() * h + (1 - a["z"].sigmoid()) * a["n"].tanh()
        else:
            a["i"], a["f"] = a["i"] + p_i * c, a["f"] + p_f * c
            c = a["f"].sigmoid() * c + a["i"].sigmoid() * a["g"].tanh()
            a["o"] = a["o"] + p_o * c
            h = a["o"].sigmoid() * c.tanh()
            cells.append(c)
        states.append(h)
        raw.append(a)
    return torch.stack(states, 1), torch.stack(cells, 1) if cells else None, raw


def autograd(cell, values, dh, dc=None, truncate=None):
    """States, cells and the gradients of the plain loop, "gates" among them."""
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    h, c, raw = loop(cell, leaves, truncate)
    loss = (h * torch.tensor(dh)).sum()
    if dc is not None:
        loss = loss + (c * torch.tensor(dc)).sum()
    flat = [step[gate] for step in raw for gate in ORDER[kind(cell)]]
    gradients = torch.autograd.grad(loss, [*leaves.values(), *flat], allow_unused=True)
    gradients = [
        torch.zeros_like(x) if g is None else g for g, x in zip(gradients, [*leaves.values(), *flat], strict=True)
    ]
    named = {name: g.numpy() for name, g in zip(leaves, gradients, strict=False)}
    steps = torch.stack(gradients[len(leaves) :]).unflatten(0, (len(raw), -1))  # (T, gates, B, H)
    named["gates"] = steps.permute(2, 0, 1, 3).flatten(2).numpy()
    return h.detach().numpy(), None if c is None else c.detach().numpy(), named
