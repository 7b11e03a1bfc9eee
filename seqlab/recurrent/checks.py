"""Shapes of a recurrent layer's weights, for NumPy arrays and torch tensors alike. Imports neither."""

from seqlab.shapes import check_shape


def check_weights(gates, W_ih, W_hh, b_ih=None, b_hh=None, peepholes=None):
    """Compare the weights of one layer with each other.

    Parameters
    ----------
    gates : blocks of H rows that stand one below the other: 1 for a plain network, 3 for a GRU, 4 for an LSTM.
    W_ih, W_hh : (gates*H, D) and (gates*H, H) weights.
    b_ih, b_hh : (gates*H,) biases, or None.
    peepholes : (3, H) weights, or None.

    Returns
    -------
    H, D : units and features.

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    letter = "H" if gates == 1 else f"{gates}H"
    rows, D = check_shape("W_ih", W_ih, (letter, "D")).values()
    H, rest = divmod(rows, gates)
    if rest:
        raise ValueError(
            f"W_ih has shape {tuple(W_ih.shape)}; it must have shape ({letter}, D), "
            f"the weights of {gates} gates one below the other"
        )
    check_shape("W_hh", W_hh, (rows, H))
    for name, bias in {"b_ih": b_ih, "b_hh": b_hh}.items():
        if bias is not None:
            check_shape(name, bias, (rows,))
    if peepholes is not None:
        check_shape("peepholes", peepholes, (3, H))
    return H, D


def check_steps(x, D):
    """Give B and T of (B, T, D) inputs, T at least 1; raise ValueError otherwise."""
    B, T = check_shape("x", x, ("B", "T", D)).values()
    if T == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}, so it has no step; a sequence needs at least one")
    return B, T
