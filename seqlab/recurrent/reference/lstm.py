"""Long short-term memory in NumPy, float64, forward and backward, with or without peepholes.

Letters: B sequences, T steps, D features a step, H units. Weights are stored as torch stores them: W_ih (4H, D) and
W_hh (4H, H) hold the rows of the input gate i, the forget gate f, the new content g and the output gate o, one below
the other. There are two states: h, which the rest of the network hears, and the cell c, which keeps.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.recurrent.reference.checks import check_steps, check_truncate, check_weights
from seqlab.recurrent.reference.squashing import sigmoid


def _gates(x, h, c, W_ih, W_hh, b_ih, b_hh, peepholes):
    """What one step decides: i writes, f keeps, g is what may be written, o shows; and the new cell c.

    i and f look through their peepholes at the old cell, o at the new one.
    """
    p_i, p_f, p_o = np.zeros((3, 1), c.dtype) if peepholes is None else peepholes
    a_i, a_f, a_g, a_o = np.split(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh, 4, axis=1)
    i = sigmoid(a_i + p_i * c)
    f = sigmoid(a_f + p_f * c)
    g = np.tanh(a_g)
    c = f * c + i * g
    o = sigmoid(a_o + p_o * c)
    return i, f, g, o, c


def lstm_step(x, h, c, W_ih, W_hh, b_ih, b_hh, peepholes=None):
    """Take one step: keep some of the cell, write to it, and show some of it, :eq:`lstm-cell`, :eq:`lstm-peepholes`.

    Parameters
    ----------
    x : (B, D) input of this step.
    h, c : (B, H) state and cell after the step before.
    W_ih, W_hh : (4H, D) and (4H, H) weights of i, f, g and o.
    b_ih, b_hh : (4H,) biases; only their sum matters.
    peepholes : None, or (3, H) weights with which i and f see the old cell and o the new one, Gers and
        Schmidhuber (2000).

    Returns
    -------
    h, c : (B, H) state and cell after this step.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    H, D = check_weights(4, W_ih, W_hh, b_ih, b_hh, peepholes)
    B = check_floats("x", x, ("B", D))["B"]
    check_floats("h", h, (B, H))
    check_floats("c", c, (B, H))
    *_, o, c = _gates(x, h, c, W_ih, W_hh, b_ih, b_hh, peepholes)
    return o * np.tanh(c), c


def lstm_forward(x, h0, c0, W_ih, W_hh, b_ih, b_hh, peepholes=None):
    """Unroll the unit over whole sequences, :eq:`lstm-cell` once for each step.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0, c0 : (B, H) state and cell before the first step.
    W_ih, W_hh, b_ih, b_hh, peepholes : as in `lstm_step`; the same at every step.

    Returns
    -------
    h, c : (B, T, H) state and cell after each step.
    cache : what `lstm_backward` and `lstm_gates` need.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no step, or an array does not hold floats.
    """
    H, D = check_weights(4, W_ih, W_hh, b_ih, b_hh, peepholes)
    B, T = check_steps(x, D)
    check_floats("h0", h0, (B, H))
    check_floats("c0", c0, (B, H))
    h, c, i, f, g, o = np.empty((6, B, T, H), np.result_type(x, h0, c0, W_ih, W_hh, b_ih, b_hh))
    h_before, c_before = h0, c0
    for t in range(T):
        i[:, t], f[:, t], g[:, t], o[:, t], c[:, t] = _gates(
            x[:, t], h_before, c_before, W_ih, W_hh, b_ih, b_hh, peepholes
        )
        h[:, t] = o[:, t] * np.tanh(c[:, t])
        h_before, c_before = h[:, t], c[:, t]
    return h, c, (x, h0, c0, h, c, i, f, g, o, W_ih, W_hh, peepholes)


def lstm_gates(cache):
    """Read what each gate was at every step, :eq:`lstm-cell`.

    Parameters
    ----------
    cache : the third value of `lstm_forward`.

    Returns
    -------
    gates : dict with the keys "i", "f" and "o", from 0 to 1, and "g", from -1 to 1; each (B, T, H).
    """
    _, _, _, _, _, i, f, g, o, *_ = cache
    return {"i": i, "f": f, "g": g, "o": o}


def lstm_backward(dh, cache, dc=None, truncate=None):
    """Walk the unrolled unit backwards, :eq:`lstm-backward`.

    From cell to cell a gradient is multiplied by f and by no weight, :eq:`additive-path`.

    Parameters
    ----------
    dh : (B, T, H) gradient of the loss that reaches each step's state from outside, dL/dh^<t>.
    cache : the third value of `lstm_forward`.
    dc : None, or (B, T, H): the same for the cells.
    truncate : None, or k >= 1: cut both backward connections before steps k, 2k, ... (counted from 0),
        :eq:`truncated`. The forward states stay as they were.

    Returns
    -------
    gradients : dict with the keys "x", "h0", "c0", "W_ih", "W_hh", "b_ih", "b_hh", and "peepholes" if they were given,
        with the shapes of those arguments; and "gates", (B, T, 4H): the gradient before the squashing of i, f, g and o,
        in this order.

    Raises
    ------
    ValueError
        when dh or dc has another shape than the states, does not hold floats, or truncate is below 1.
    """
    x, h0, c0, h, c, i, f, g, o, W_ih, W_hh, peepholes = cache
    check_floats("dh", dh, h.shape)
    if dc is not None:
        check_floats("dc", dc, h.shape)
    check_truncate(truncate)
    B, T, H = h.shape
    p_i, p_f, p_o = np.zeros((3, 1), c.dtype) if peepholes is None else peepholes
    h_before = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    c_before = np.concatenate([c0[:, None], c[:, :-1]], axis=1)
    shown = np.tanh(c)
    gates = np.empty((B, T, 4 * H), h.dtype)
    da_i, da_f, da_g, da_o = np.split(gates, 4, axis=2)  # four views: what is written to them stands in gates
    dh_later, dc_later = np.zeros_like(h0), np.zeros_like(c0)
    for t in reversed(range(T)):
        dh_t = dh[:, t] + dh_later
        da_o[:, t] = dh_t * shown[:, t] * o[:, t] * (1 - o[:, t])
        dc_t = dc_later + dh_t * o[:, t] * (1 - shown[:, t] ** 2) + da_o[:, t] * p_o
        if dc is not None:
            dc_t += dc[:, t]
        da_i[:, t] = dc_t * g[:, t] * i[:, t] * (1 - i[:, t])
        da_f[:, t] = dc_t * c_before[:, t] * f[:, t] * (1 - f[:, t])
        da_g[:, t] = dc_t * i[:, t] * (1 - g[:, t] ** 2)
        dc_later = dc_t * f[:, t] + da_i[:, t] * p_i + da_f[:, t] * p_f
        dh_later = gates[:, t] @ W_hh
        if truncate is not None and t > 0 and t % truncate == 0:
            dh_later, dc_later = np.zeros_like(h0), np.zeros_like(c0)
    db = gates.sum(axis=(0, 1))
    gradients = {
        "x": gates @ W_ih,
        "h0": dh_later,
        "c0": dc_later,
        "W_ih": np.einsum("btg,btd->gd", gates, x),
        "W_hh": np.einsum("btg,bth->gh", gates, h_before),
        "b_ih": db,
        "b_hh": db.copy(),
    }
    if peepholes is not None:
        seen = ((da_i, c_before), (da_f, c_before), (da_o, c))
        gradients["peepholes"] = np.stack([np.einsum("bth,bth->h", da, cell) for da, cell in seen])
    return gradients | {"gates": gates}
