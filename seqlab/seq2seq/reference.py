"""Encoder and decoder in NumPy, float64, forward and backward, with one LSTM layer each. Imports no torch.

Letters: B pairs, Tx source steps, Ty target steps, E numbers a symbol, H units, V target symbols. The weights of an
LSTM are those of `seqlab.recurrent.reference`.
"""

import numpy as np

from seqlab.lm.reference import cross_entropy
from seqlab.recurrent.reference import lstm_backward, lstm_forward
from seqlab.shapes import check_shape
from seqlab.text import mask


def reverse_within(ids, lengths):
    """Turn each source around within its own length; the padding stays at the end.

    Parameters
    ----------
    ids : (B, Tx) ids, or (B, Tx, ...) arrays.
    lengths : (B,) true lengths, 1 to Tx.

    Returns
    -------
    turned : as ids; step t holds what stood at step length - 1 - t.

    Raises
    ------
    ValueError
        when a shape or a length does not fit.
    """
    turned = ids.copy()
    _check_lengths(lengths, *ids.shape[:2])
    for row, length in enumerate(lengths):
        turned[row, :length] = ids[row, :length][::-1]
    return turned


def encoder_forward(x, lengths, W_ih, W_hh, b_ih, b_hh):
    """Read sources of different lengths into one vector each, :eq:`encoder`.

    Parameters
    ----------
    x : (B, Tx, E) vectors of the source's symbols, padded at the end.
    lengths : (B,) true lengths, 1 to Tx.
    W_ih, W_hh, b_ih, b_hh : weights (4H, E), (4H, H) and biases (4H,).

    Returns
    -------
    h, c : (B, H) state and cell after each source's own last step: all that the decoder will know.
    cache : what `encoder_backward` needs.

    Raises
    ------
    ValueError
        when a shape or a length does not fit.
    """
    B, T, _ = x.shape
    _check_lengths(lengths, B, T)
    zeros = np.zeros((B, W_hh.shape[1]), x.dtype)
    h, c, steps = lstm_forward(x, zeros, zeros, W_ih, W_hh, b_ih, b_hh)
    rows, last = np.arange(B), np.asarray(lengths) - 1
    return h[rows, last], c[rows, last], (rows, last, h.shape, steps)


def encoder_backward(dh, dc, cache):
    """Send the gradient of the one vector back through the source.

    It enters at each source's own last step and at no other; so the steps of the padding get exactly 0.

    Parameters
    ----------
    dh, dc : (B, H) gradients of the loss with respect to what `encoder_forward` gave.
    cache : its third value.

    Returns
    -------
    gradients : dict with "x", "W_ih", "W_hh", "b_ih", "b_hh", shaped as those arguments.
    """
    rows, last, shape, steps = cache
    dh_steps, dc_steps = np.zeros((2, *shape), dh.dtype)
    dh_steps[rows, last], dc_steps[rows, last] = dh, dc
    gradients = lstm_backward(dh_steps, steps, dc_steps)
    return {name: gradients[name] for name in ("x", "W_ih", "W_hh", "b_ih", "b_hh")}


def decoder_forward(y, h, c, W_ih, W_hh, b_ih, b_hh, W_out, b_out, peek=False):
    """Score each next symbol from the ones before and the encoder's vector, :eq:`decoder`.

    Parameters
    ----------
    y : (B, Ty, E) vectors of the symbols before: <bos>, then the target without its end.
    h, c : (B, H) what the encoder gave; the decoder's first state.
    W_ih, W_hh, b_ih, b_hh : weights of the decoder's LSTM; with `peek` W_ih is (4H, E + H).
    W_out, b_out : (V, H) and (V,) from the state to the scores; with `peek` W_out is (V, 2H).
    peek : let every step see h, before the LSTM and before the scores, :eq:`peeking`.

    Returns
    -------
    scores : (B, Ty, V).
    cache : what `decoder_backward` needs.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    B, T, E = y.shape
    check_shape("h", h, (B, "H"))
    seen = np.broadcast_to(h[:, None], (B, T, h.shape[1]))
    s, _, steps = lstm_forward(np.concatenate([y, seen], axis=2) if peek else y, h, c, W_ih, W_hh, b_ih, b_hh)
    shown = np.concatenate([s, seen], axis=2) if peek else s
    check_shape("W_out", W_out, ("V", shown.shape[2]))
    return shown @ W_out.T + b_out, (E, s.shape, shown, steps, W_out, peek)


def decoder_backward(dscores, cache):
    """Send the gradient of all scores back, and collect what reaches the one vector, :eq:`decoder`.

    Parameters
    ----------
    dscores : (B, Ty, V) gradient of the loss with respect to the scores.
    cache : the second value of `decoder_forward`.

    Returns
    -------
    gradients : dict with "y", "h", "c", "W_ih", "W_hh", "b_ih", "b_hh", "W_out", "b_out", shaped as those arguments.
        With peeking "h" is a sum of three: through the first state, and at every step into the LSTM and the scores.
    """
    E, (_, _, H), shown, steps, W_out, peek = cache
    dshown = dscores @ W_out
    gradients = lstm_backward(dshown[:, :, :H], steps)
    dx, dh = gradients["x"], gradients["h0"]
    if peek:
        dh = dh + dx[:, :, E:].sum(axis=1) + dshown[:, :, H:].sum(axis=1)
    return {
        "y": dx[:, :, :E],
        "h": dh,
        "c": gradients["c0"],
        **{name: gradients[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")},
        "W_out": np.einsum("btv,bth->vh", dscores, shown),
        "b_out": dscores.sum(axis=(0, 1)),
    }


def conditional_nll(scores, target, lengths):
    """The negative log-probability of each target given its source, :eq:`conditional-lm`.

    Parameters
    ----------
    scores : (B, Ty, V) from `decoder_forward`.
    target : (B, Ty) ids of the true symbols, <eos> the last, padded with any id.
    lengths : (B,) true lengths of the targets, <eos> counted.

    Returns
    -------
    nll : (B,) in nats, a sum over the symbols of each target.
    dscores : (B, Ty, V) gradient of the sum of all of them; 0 where there is padding.

    Raises
    ------
    ValueError
        when a shape or an id does not fit.
    """
    B, T, V = check_shape("scores", scores, ("B", "Ty", "V")).values()
    check_shape("target", target, (B, T))
    _check_lengths(lengths, B, T)
    real = mask(lengths, T)
    nll, dscores = cross_entropy(scores.reshape(B * T, V), target.reshape(B * T))
    return (nll.reshape(B, T) * real).sum(axis=1), dscores.reshape(B, T, V) * real[:, :, None]


def forward(weights, source, lengths, target_in, reverse=False, peek=False):
    """Scores of every target symbol given the source and the symbols before, :eq:`encoder` and :eq:`decoder`.

    Parameters
    ----------
    weights : dict from the names in the state_dict of `seqlab.seq2seq.EncoderDecoder`, one LSTM layer, to arrays.
    source, lengths : (B, Tx) ids and their true lengths.
    target_in : (B, Ty) ids: <bos>, then the target without its end.
    reverse : read the source from its end.
    peek : as in `decoder_forward`.

    Returns
    -------
    scores : (B, Ty, V).
    cache : what `backward` needs.

    Raises
    ------
    ValueError
        when a shape or a length does not fit.
    """
    read = reverse_within(source, lengths) if reverse else source
    h, c, encoded = encoder_forward(weights["embed_source.weight"][read], lengths, *_lstm(weights, "encoder"))
    y = weights["embed_target.weight"][target_in]
    out = weights["out.weight"], weights["out.bias"]
    scores, decoded = decoder_forward(y, h, c, *_lstm(weights, "decoder"), *out, peek)
    return scores, (weights, read, target_in, encoded, decoded)


def backward(dscores, cache):
    """The gradient of every weight: through the decoder, the one vector and the encoder.

    Parameters
    ----------
    dscores : (B, Ty, V) gradient of the loss with respect to the scores.
    cache : the second value of `forward`.

    Returns
    -------
    gradients : dict with the names of `weights`.
    """
    weights, read, target_in, encoded, decoded = cache
    later = decoder_backward(dscores, decoded)
    earlier = encoder_backward(later["h"], later["c"], encoded)
    gradients = {name: np.zeros_like(weights[name]) for name in ("embed_source.weight", "embed_target.weight")}
    np.add.at(gradients["embed_source.weight"], read, earlier["x"])  # a symbol that comes twice collects both
    np.add.at(gradients["embed_target.weight"], target_in, later["y"])
    for part, found in (("encoder", earlier), ("decoder", later)):
        gradients |= {f"{part}.{long}": found[short] for short, long in LSTM_NAMES.items()}
    return gradients | {"out.weight": later["W_out"], "out.bias": later["b_out"]}


LSTM_NAMES = {"W_ih": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"}


def _lstm(weights, part):
    return [weights[f"{part}.{name}"] for name in LSTM_NAMES.values()]


def _check_lengths(lengths, B, T):
    lengths = np.asarray(lengths)
    check_shape("lengths", lengths, (B,))
    if not (lengths.min() >= 1 and lengths.max() <= T):
        raise ValueError(f"lengths goes from {lengths.min()} to {lengths.max()}; with {T} steps it must be 1 to {T}")
