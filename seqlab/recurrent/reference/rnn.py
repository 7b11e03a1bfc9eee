"""The plain recurrent network in NumPy, float64: the equations of chapters 2 and 3, one function each.

Letters: B sequences, T steps, D features a step, H units of state. Weights are stored as torch stores them:
W_ih (H, D) reads the input, W_hh (H, H) reads the state before, and there are two bias vectors.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.recurrent.reference.checks import check_steps, check_truncate, check_weights


def rnn_step(x, h, W_ih, W_hh, b_ih, b_hh, nonlinearity="tanh"):
    """Take one step: mix the input with the state before and squash, :eq:`rnn-step` and :eq:`rnn-torch`.

    Parameters
    ----------
    x : (B, D) input of this step, x^<t>.
    h : (B, H) state after the step before, a^<t-1>.
    W_ih, W_hh : (H, D) and (H, H) weights, W_ax and W_aa.
    b_ih, b_hh : (H,) biases; only their sum matters.
    nonlinearity : "tanh" or "relu".

    Returns
    -------
    h : (B, H) state after this step, a^<t>.

    Raises
    ------
    ValueError
        when a shape does not fit, an array does not hold floats, or the nonlinearity is unknown.
    """
    H, D = check_weights(1, W_ih, W_hh, b_ih, b_hh)
    B = check_floats("x", x, ("B", D))["B"]
    check_floats("h", h, (B, H))
    return _squash(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh, nonlinearity)


def rnn_output(h, W_ya, b_y):
    """Read scores off the state, :eq:`rnn-output` before its sigmoid or softmax.

    Parameters
    ----------
    h : (B, T, H) states, or (B, H) of one step.
    W_ya, b_y : (K, H) and (K,) weights for K scores.

    Returns
    -------
    y : (B, T, K) scores, or (B, K).

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    H = check_floats("W_ya", W_ya, ("K", "H"))["H"]
    check_floats("b_y", b_y, (W_ya.shape[0],))
    check_floats("h", h, ("B", "T", H) if np.ndim(h) == 3 else ("B", H))
    return h @ W_ya.T + b_y


def rnn_forward(x, h0, W_ih, W_hh, b_ih, b_hh, nonlinearity="tanh"):
    """Unroll the network over whole sequences, :eq:`rnn-step` once for each step.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0 : (B, H) state before the first step.
    W_ih, W_hh, b_ih, b_hh, nonlinearity : as in `rnn_step`; the same at every step.

    Returns
    -------
    h : (B, T, H) state after each step.
    cache : what `rnn_backward` needs.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no step, an array does not hold floats, or the nonlinearity is unknown.
    """
    H, D = check_weights(1, W_ih, W_hh, b_ih, b_hh)
    B, T = check_steps(x, D)
    check_floats("h0", h0, (B, H))
    h = np.empty((B, T, H), np.result_type(x, h0, W_ih, W_hh, b_ih, b_hh))
    for t in range(T):
        h[:, t] = rnn_step(x[:, t], h[:, t - 1] if t > 0 else h0, W_ih, W_hh, b_ih, b_hh, nonlinearity)
    return h, (x, h0, h, W_ih, W_hh, nonlinearity)


def rnn_backward(dh, cache, truncate=None):
    """Walk the unrolled graph backwards, :eq:`bptt-state`, :eq:`bptt-weights` and :eq:`bptt-inputs`.

    Parameters
    ----------
    dh : (B, T, H) gradient of the loss that reaches each step's state from outside, dL/dh^<t>.
    cache : the second value of `rnn_forward`.
    truncate : None, or k >= 1: cut the backward connection before steps k, 2k, ... (counted from 0),
        :eq:`truncated`. The forward states stay as they were.

    Returns
    -------
    gradients : dict with the keys "x", "h0", "W_ih", "W_hh", "b_ih", "b_hh" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when dh has another shape than the states, does not hold floats, or truncate is below 1.
    """
    x, h0, h, W_ih, W_hh, nonlinearity = cache
    check_floats("dh", dh, h.shape)
    check_truncate(truncate)
    dx, dW_ih, dW_hh = np.zeros_like(x), np.zeros_like(W_ih), np.zeros_like(W_hh)
    db = np.zeros(h.shape[2], h.dtype)
    from_later = np.zeros_like(h0)
    for t in reversed(range(h.shape[1])):
        dz = (dh[:, t] + from_later) * _slope(h[:, t], nonlinearity)
        dW_ih += dz.T @ x[:, t]
        dW_hh += dz.T @ (h[:, t - 1] if t > 0 else h0)
        db += dz.sum(axis=0)
        dx[:, t] = dz @ W_ih
        from_later = dz @ W_hh
        if truncate is not None and t > 0 and t % truncate == 0:
            from_later = np.zeros_like(h0)
    return {"x": dx, "h0": from_later, "W_ih": dW_ih, "W_hh": dW_hh, "b_ih": db, "b_hh": db.copy()}


def _squash(z, nonlinearity):
    if nonlinearity == "tanh":
        return np.tanh(z)
    if nonlinearity == "relu":
        return np.maximum(z, 0)
    raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")


def _slope(h, nonlinearity):
    """Derivative of the squashing, written with its value: 1 - tanh^2, or 1 where the unit is on."""
    return 1 - h**2 if nonlinearity == "tanh" else (h > 0).astype(h.dtype)
