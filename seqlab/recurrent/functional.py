"""Recurrent layers as torch functions, a loop or one Triton kernel for all steps; and gradient clipping.

In a loop, what a step hears from its input waits for nothing: one product `z` holds it for all steps and all gates.
"""

import torch
import torch.nn.functional as F

from seqlab.kernels import pick_backend
from seqlab.kernels.gradients import narrowed
from seqlab.recurrent.checks import check_steps, check_weights
from seqlab.recurrent.clipping import clip_by_norm as clip_by_norm
from seqlab.recurrent.clipping import clip_by_value as clip_by_value
from seqlab.shapes import check_shape


def rnn(x, h0, W_ih, W_hh, b_ih=None, b_hh=None, nonlinearity="tanh", backend="auto"):
    """Run a recurrent layer over whole sequences, :eq:`rnn-torch` at every step.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0 : (B, H) state before the first step.
    W_ih, W_hh : (H, D) and (H, H) weights.
    b_ih, b_hh : (H,) biases, or None.
    nonlinearity : "tanh" or "relu".
    backend : "torch" (a loop), "triton" (one kernel for all steps), or "auto": Triton on CUDA where the kernel takes
        the size and the data type, torch elsewhere.

    Returns
    -------
    h : (B, T, H) state after each step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit, there is no step, or a name is unknown.
    """
    x, h0, W_ih, W_hh, b_ih, b_hh = narrowed(x, h0, W_ih, W_hh, b_ih, b_hh)
    _check(1, x, {"h0": h0}, W_ih, W_hh, b_ih, b_hh)
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")
    chosen = _choose(backend, "rnn", x, h0, W_ih, W_hh, b_ih, b_hh)
    z = F.linear(x, W_ih, _sum(b_ih, b_hh))
    if chosen == "triton":
        from seqlab.recurrent import kernels

        return kernels.recurrence(z, h0, W_hh, nonlinearity)
    squash = torch.tanh if nonlinearity == "tanh" else torch.relu
    h, states = h0, []
    for z_t in z.unbind(1):
        h = squash(torch.addmm(z_t, h, W_hh.T))
        states.append(h)
    return _stack(states)


def gru(x, h0, W_ih, W_hh, b_ih=None, b_hh=None, reset_after=True, backend="auto"):
    """Run a layer of gated recurrent units over whole sequences, :eq:`gru-cell` at every step.

    Cho et al. (2014). The rows of the weights hold the reset gate r, the gate z that keeps the old state, and the
    candidate n, one below the other.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0 : (B, H) state before the first step.
    W_ih, W_hh : (3H, D) and (3H, H) weights.
    b_ih, b_hh : (3H,) biases, or None.
    reset_after : True resets W_hn h + b_hn, as `torch.nn.GRU` does; False resets h before that product,
        :eq:`gru-reset-before`.
    backend : "torch" (a loop), "triton" (one kernel for all steps, reset after the product alone), or "auto": Triton
        on CUDA where the kernel takes the size, the form and the data type, torch elsewhere.

    Returns
    -------
    h : (B, T, H) state after each step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit, there is no step, a name is unknown, or Triton is asked for
        a reset before the product.
    """
    x, h0, W_ih, W_hh, b_ih, b_hh = narrowed(x, h0, W_ih, W_hh, b_ih, b_hh)
    _check(3, x, {"h0": h0}, W_ih, W_hh, b_ih, b_hh)
    refusal = None if reset_after else "reset_after=False has no kernel: use backend='torch' or 'auto'"
    chosen = _choose(backend, "gru", x, h0, W_ih, W_hh, b_ih, b_hh, refusal=refusal)
    if chosen == "triton":
        from seqlab.recurrent import kernels

        return kernels.gru_recurrence(F.linear(x, W_ih, b_ih), h0, W_hh, b_hh)
    if reset_after:
        return _gru_reset_after(F.linear(x, W_ih, b_ih), h0, W_hh, b_hh)
    return _gru_reset_before(F.linear(x, W_ih, _sum(b_ih, b_hh)), h0, W_hh)


def _gru_reset_after(z, h, W_hh, b_hh):
    """z (B, T, 3H): what the gates of each step hear from the input, W_ih x + b_ih."""
    H = h.shape[1]
    states = []
    for z_t in z.unbind(1):
        heard = F.linear(h, W_hh, b_hh)
        r, keep = torch.sigmoid(z_t[:, : 2 * H] + heard[:, : 2 * H]).chunk(2, dim=1)
        n = torch.tanh(torch.addcmul(z_t[:, 2 * H :], r, heard[:, 2 * H :]))
        h = torch.lerp(n, h, keep)  # (1 - keep) n + keep h
        states.append(h)
    return _stack(states)


def _gru_reset_before(z, h, W_hh):
    """z (B, T, 3H): what the gates of each step hear from the input, all biases included."""
    H = h.shape[1]
    W_gates, W_hn = W_hh[: 2 * H].T, W_hh[2 * H :].T
    states = []
    for z_t in z.unbind(1):
        r, keep = torch.sigmoid(torch.addmm(z_t[:, : 2 * H], h, W_gates)).chunk(2, dim=1)
        n = torch.tanh(torch.addmm(z_t[:, 2 * H :], r * h, W_hn))
        h = torch.lerp(n, h, keep)
        states.append(h)
    return _stack(states)


def lstm(x, h0, c0, W_ih, W_hh, b_ih=None, b_hh=None, peepholes=None, backend="auto"):
    """Run a layer of long short-term memory over whole sequences, :eq:`lstm-cell` at every step.

    Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000). The rows of the weights hold the
    input gate i, the forget gate f, the new content g and the output gate o, one below the other.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0, c0 : (B, H) state and cell before the first step.
    W_ih, W_hh : (4H, D) and (4H, H) weights.
    b_ih, b_hh : (4H,) biases, or None.
    peepholes : None, or (3, H) weights with which i and f see the old cell and o the new one, :eq:`lstm-peepholes`.
    backend : "torch" (a loop), "triton" (one kernel for all steps, without peepholes), or "auto": Triton on CUDA where
        the kernel takes the size, the form and the data type, torch elsewhere.

    Returns
    -------
    h, c : (B, T, H) state and cell after each step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit, there is no step, a name is unknown, or Triton is asked for
        peepholes.
    """
    x, h0, c0, W_ih, W_hh, b_ih, b_hh, peepholes = narrowed(x, h0, c0, W_ih, W_hh, b_ih, b_hh, peepholes)
    _check(4, x, {"h0": h0, "c0": c0}, W_ih, W_hh, b_ih, b_hh, peepholes)
    refusal = None if peepholes is None else "peepholes have no kernel: use backend='torch' or 'auto'"
    chosen = _choose(backend, "lstm", x, h0, c0, W_ih, W_hh, b_ih, b_hh, peepholes, refusal=refusal)
    z = F.linear(x, W_ih, _sum(b_ih, b_hh))
    if chosen == "triton":
        from seqlab.recurrent import kernels

        return kernels.lstm_recurrence(z, h0, c0, W_hh)
    if peepholes is None:
        return _lstm(z, h0, c0, W_hh)
    return _lstm_with_peepholes(z, h0, c0, W_hh, *peepholes)


def _lstm(z, h, c, W_hh):
    """z (B, T, 4H): what the gates of each step hear from the input, all biases included."""
    states, cells = [], []
    for z_t in z.unbind(1):
        a_i, a_f, a_g, a_o = torch.addmm(z_t, h, W_hh.T).chunk(4, dim=1)
        c = torch.sigmoid(a_f) * c + torch.sigmoid(a_i) * torch.tanh(a_g)
        h = torch.sigmoid(a_o) * torch.tanh(c)
        states.append(h)
        cells.append(c)
    return _stack(states), _stack(cells)


def _lstm_with_peepholes(z, h, c, W_hh, p_i, p_f, p_o):
    states, cells = [], []
    for z_t in z.unbind(1):
        a_i, a_f, a_g, a_o = torch.addmm(z_t, h, W_hh.T).chunk(4, dim=1)
        i, f = torch.sigmoid(a_i + p_i * c), torch.sigmoid(a_f + p_f * c)
        c = f * c + i * torch.tanh(a_g)
        h = torch.sigmoid(a_o + p_o * c) * torch.tanh(c)
        states.append(h)
        cells.append(c)
    return _stack(states), _stack(cells)


def _stack(states):
    """T tensors (B, H) to one (B, T, H), laid out step by step, so that a step of the next layer lies together."""
    return torch.stack(states).transpose(0, 1)


def _sum(b_ih, b_hh):
    return b_ih if b_hh is None else b_hh if b_ih is None else b_ih + b_hh


def _choose(backend, cell, x, h0, *others, refusal=None):
    """Pick "torch" or "triton"; `refusal` says why there is no kernel for what was asked, None where there is one."""
    if backend == "triton" and refusal:
        raise ValueError(f"backend is 'triton', and {refusal}")
    chosen = pick_backend(backend, x, h0, *others)
    if backend != "auto" or chosen == "torch":
        return chosen
    if refusal:
        return "torch"
    from seqlab.recurrent import kernels

    return kernels.choose(cell, tuple(x.shape[:2]), h0.shape[1], x.dtype, x.device)


def _check(gates, x, states, W_ih, W_hh, b_ih, b_hh, peepholes=None):
    weights = {"W_ih": W_ih, "W_hh": W_hh, "b_ih": b_ih, "b_hh": b_hh, "peepholes": peepholes}
    for name, tensor in {"x": x, **states, **weights}.items():
        if tensor is None and name in ("b_ih", "b_hh", "peepholes"):
            continue
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name} is a {type(tensor).__name__}; it must be a torch tensor")
        if not tensor.is_floating_point():
            raise ValueError(f"{name} holds {tensor.dtype}; it must hold floats, {name}.float()")
        if tensor.dtype != x.dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and x holds {x.dtype}; convert one of them")
    H, D = check_weights(gates, **weights)
    B, _ = check_steps(x, D)
    for name, state in states.items():
        check_shape(name, state, (B, H))
