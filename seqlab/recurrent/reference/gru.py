"""The gated recurrent unit in NumPy, float64, forward and backward, with the reset after or before the product.

Letters: B sequences, T steps, D features a step, H units. Weights are stored as torch stores them: W_ih (3H, D) and
W_hh (3H, H) hold the rows of the reset gate r, of the gate z, and of the candidate n, one below the other. z says how
much of the *old* state stays; the notes' update gate is 1 - z.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.recurrent.reference.checks import check_steps, check_truncate, check_weights
from seqlab.recurrent.reference.squashing import sigmoid


def _gates(x, h, W_ih, W_hh, b_ih, b_hh, reset_after):
    """What one step decides: r, how much the candidate hears of the state, z, how much of the state stays, and n."""
    W_ir, W_iz, W_in = np.split(W_ih, 3)
    W_hr, W_hz, W_hn = np.split(W_hh, 3)
    b_ir, b_iz, b_in = np.split(b_ih, 3)
    b_hr, b_hz, b_hn = np.split(b_hh, 3)
    r = sigmoid(x @ W_ir.T + b_ir + h @ W_hr.T + b_hr)
    z = sigmoid(x @ W_iz.T + b_iz + h @ W_hz.T + b_hz)
    if reset_after:
        n = np.tanh(x @ W_in.T + b_in + r * (h @ W_hn.T + b_hn))
    else:
        n = np.tanh(x @ W_in.T + b_in + (r * h) @ W_hn.T + b_hn)
    return r, z, n


def gru_step(x, h, W_ih, W_hh, b_ih, b_hh, reset_after=True):
    """Take one step: mix the state before with a new candidate, :eq:`gru-cell` or :eq:`gru-reset-before`.

    Parameters
    ----------
    x : (B, D) input of this step.
    h : (B, H) state after the step before.
    W_ih, W_hh : (3H, D) and (3H, H) weights of r, z and n.
    b_ih, b_hh : (3H,) biases.
    reset_after : True resets the product W_hn h + b_hn, as torch does; False resets h before the product, as
        Cho et al. (2014) and the notes do.

    Returns
    -------
    h : (B, H) state after this step.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    H, D = check_weights(3, W_ih, W_hh, b_ih, b_hh)
    B = check_floats("x", x, ("B", D))["B"]
    check_floats("h", h, (B, H))
    _, z, n = _gates(x, h, W_ih, W_hh, b_ih, b_hh, reset_after)
    return (1 - z) * n + z * h


def gru_forward(x, h0, W_ih, W_hh, b_ih, b_hh, reset_after=True):
    """Unroll the unit over whole sequences, :eq:`gru-cell` once for each step.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0 : (B, H) state before the first step.
    W_ih, W_hh, b_ih, b_hh, reset_after : as in `gru_step`; the same at every step.

    Returns
    -------
    h : (B, T, H) state after each step.
    cache : what `gru_backward` and `gru_gates` need.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no step, or an array does not hold floats.
    """
    H, D = check_weights(3, W_ih, W_hh, b_ih, b_hh)
    B, T = check_steps(x, D)
    check_floats("h0", h0, (B, H))
    h, r, z, n = np.empty((4, B, T, H), np.result_type(x, h0, W_ih, W_hh, b_ih, b_hh))
    before = h0
    for t in range(T):
        r[:, t], z[:, t], n[:, t] = _gates(x[:, t], before, W_ih, W_hh, b_ih, b_hh, reset_after)
        h[:, t] = (1 - z[:, t]) * n[:, t] + z[:, t] * before
        before = h[:, t]
    return h, (x, h0, h, r, z, n, W_ih, W_hh, b_hh, reset_after)


def gru_gates(cache):
    """Read what each gate was at every step, :eq:`gru-cell`.

    Parameters
    ----------
    cache : the second value of `gru_forward`.

    Returns
    -------
    gates : dict with the keys "r" and "z", both from 0 to 1, and "n", from -1 to 1; each (B, T, H).
    """
    _, _, _, r, z, n, *_ = cache
    return {"r": r, "z": z, "n": n}


def gru_backward(dh, cache, truncate=None):
    """Walk the unrolled unit backwards, :eq:`gru-backward`.

    Parameters
    ----------
    dh : (B, T, H) gradient of the loss that reaches each step's state from outside, dL/dh^<t>.
    cache : the second value of `gru_forward`.
    truncate : None, or k >= 1: cut the backward connection before steps k, 2k, ... (counted from 0),
        :eq:`truncated`. The forward states stay as they were.

    Returns
    -------
    gradients : dict with the keys "x", "h0", "W_ih", "W_hh", "b_ih", "b_hh" and the shapes of those arguments, and
        "gates", (B, T, 3H): the gradient before the squashing of r, z and n, in this order.

    Raises
    ------
    ValueError
        when dh has another shape than the states, does not hold floats, or truncate is below 1.
    """
    x, h0, h, r, z, n, W_ih, W_hh, b_hh, reset_after = cache
    check_floats("dh", dh, h.shape)
    check_truncate(truncate)
    H, T = h.shape[2], h.shape[1]
    W_hrz, W_hn = W_hh[: 2 * H], W_hh[2 * H :]
    before = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    heard = before @ W_hn.T + b_hh[2 * H :]  # what r multiplies when the reset comes after the product
    gates = np.empty((*h.shape[:2], 3 * H), h.dtype)
    da_r, da_z, da_n = np.split(gates, 3, axis=2)  # three views: what is written to them stands in gates
    from_later = np.zeros_like(h0)
    for t in reversed(range(T)):
        dh_t = dh[:, t] + from_later
        da_z[:, t] = dh_t * (before[:, t] - n[:, t]) * z[:, t] * (1 - z[:, t])
        da_n[:, t] = dh_t * (1 - z[:, t]) * (1 - n[:, t] ** 2)
        if reset_after:
            da_r[:, t] = da_n[:, t] * heard[:, t] * r[:, t] * (1 - r[:, t])
            through_n = (da_n[:, t] * r[:, t]) @ W_hn
        else:
            d_reset = da_n[:, t] @ W_hn  # gradient of the product r * h
            da_r[:, t] = d_reset * before[:, t] * r[:, t] * (1 - r[:, t])
            through_n = d_reset * r[:, t]
        from_later = dh_t * z[:, t] + gates[:, t, : 2 * H] @ W_hrz + through_n
        if truncate is not None and t > 0 and t % truncate == 0:
            from_later = np.zeros_like(h0)
    dW_hrz = np.einsum("btg,bth->gh", gates[:, :, : 2 * H], before)
    if reset_after:
        dW_hn, db_hn = np.einsum("btg,bth->gh", da_n * r, before), (da_n * r).sum(axis=(0, 1))
    else:
        dW_hn, db_hn = np.einsum("btg,bth->gh", da_n, r * before), da_n.sum(axis=(0, 1))
    db = gates.sum(axis=(0, 1))
    return {
        "x": gates @ W_ih,
        "h0": from_later,
        "W_ih": np.einsum("btg,btd->gd", gates, x),
        "W_hh": np.concatenate([dW_hrz, dW_hn]),
        "b_ih": db,
        "b_hh": np.concatenate([db[: 2 * H], db_hn]),
        "gates": gates,
    }
