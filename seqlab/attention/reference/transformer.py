"""The Transformer's encoder layer in NumPy, float64, forward and backward. Vaswani et al. (2017)."""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.attention.reference.multihead import multihead_backward, multihead_forward


def positional_encoding(T, D):
    """Give every place in a sequence a vector of waves, :eq:`positional-encoding`.

    Parameters
    ----------
    T : places, counted from 0.
    D : size of each vector; waves 2i (sine) and 2i + 1 (cosine) share the wavelength 2 pi 10000^(2i / D).

    Returns
    -------
    P : (T, D), from -1 to 1.

    Raises
    ------
    ValueError
        when T is negative or D is below 1.
    """
    if T < 0 or D < 1:
        raise ValueError(f"T is {T} and D is {D}; there must be no less than 0 places and 1 number in each")
    angle = np.arange(T)[:, None] / 10000 ** (2 * (np.arange(D) // 2) / D)
    return np.where(np.arange(D) % 2 == 0, np.sin(angle), np.cos(angle))


def layer_norm_forward(x, gamma, beta, epsilon=1e-5):
    """Shift and scale every vector to mean 0 and variance 1, then as learned, :eq:`layer-norm`. Ba et al. (2016).

    Parameters
    ----------
    x : (B, T, D).
    gamma, beta : (D,) learned scale and shift.
    epsilon : what is added to the variance.

    Returns
    -------
    y : (B, T, D).
    cache : what `layer_norm_backward` needs.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    D = check_floats("x", x, ("B", "T", "D"))["D"]
    check_floats("gamma", gamma, (D,))
    check_floats("beta", beta, (D,))
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
    normal = (x - x.mean(axis=-1, keepdims=True)) / deviation
    return gamma * normal + beta, (normal, deviation, gamma)


def layer_norm_backward(dy, cache):
    """Send a gradient back through the normalisation, :eq:`layer-norm`.

    A change of x that only moves or stretches the whole vector changes nothing: those two parts are taken out.

    Parameters
    ----------
    dy : (B, T, D) gradient of the result.
    cache : the second value of `layer_norm_forward`.

    Returns
    -------
    gradients : dict with the keys "x", "gamma" and "beta" and the shapes of those arguments.

    Raises
    ------
    ValueError
        when dy has another shape or does not hold floats.
    """
    normal, deviation, gamma = cache
    check_floats("dy", dy, normal.shape)
    d = dy * gamma
    moved = d.mean(axis=-1, keepdims=True)
    stretched = normal * (d * normal).mean(axis=-1, keepdims=True)
    return {
        "x": (d - moved - stretched) / deviation,
        "gamma": (dy * normal).sum(axis=(0, 1)),
        "beta": dy.sum(axis=(0, 1)),
    }


def encoder_layer_forward(x, parameters, heads, mask=None, norm_first=False, epsilon=1e-5):
    """Run one encoder layer: self-attention, then two linear layers with ReLU, each around a shortcut.

    :eq:`transformer-layer`.

    Parameters
    ----------
    x : (B, T, D).
    parameters : dict from the names of `torch.nn.TransformerEncoderLayer`'s state_dict to arrays.
    heads : how many; D must be a multiple of it.
    mask : bool (B, T) or (B, T, T), True = real, may be attended; or None.
    norm_first : False normalises after each sum, as the paper; True before each part (Xiong et al. 2020).
    epsilon : of the normalisations.

    Returns
    -------
    y : (B, T, D).
    cache : what `encoder_layer_backward` needs.

    Raises
    ------
    ValueError
        when a shape does not fit, an array holds another type, or a parameter is missing.
    """
    missing = sorted(set(PARAMETERS) - set(parameters))
    if missing:
        raise ValueError(f"parameters lacks {', '.join(missing)}; give a whole state_dict of an encoder layer")
    parts = {"attend": (_attend, heads, mask), "think": (_think,)}
    caches = []
    for (part, *options), name in zip(parts.values(), ("norm1", "norm2"), strict=True):
        norm = (parameters[f"{name}.weight"], parameters[f"{name}.bias"], epsilon)
        if norm_first:
            inside, norm_cache = layer_norm_forward(x, *norm)
            out, part_cache = part(inside, parameters, *options)
            x = x + out
        else:
            out, part_cache = part(x, parameters, *options)
            x, norm_cache = layer_norm_forward(x + out, *norm)
        caches.append((name, norm_cache, part_cache))
    return x, (caches, norm_first)


def encoder_layer_backward(dy, cache):
    """Send a gradient back through one encoder layer, :eq:`transformer-layer`.

    Parameters
    ----------
    dy : (B, T, D) gradient of the result.
    cache : the second value of `encoder_layer_forward`.

    Returns
    -------
    gradients : dict with the key "x" and the names of all parameters, and the shapes of those.

    Raises
    ------
    ValueError
        when dy has another shape or does not hold floats.
    """
    caches, norm_first = cache
    gradients, dx = {}, dy
    for (name, norm_cache, part_cache), back in zip(reversed(caches), (_think_back, _attend_back), strict=True):
        if norm_first:
            d_inside, of_part = back(dx, part_cache)
            of_norm = layer_norm_backward(d_inside, norm_cache)
            dx = dx + of_norm["x"]
        else:
            of_norm = layer_norm_backward(dx, norm_cache)
            d_inside, of_part = back(of_norm["x"], part_cache)
            dx = of_norm["x"] + d_inside
        gradients |= of_part | {f"{name}.weight": of_norm["gamma"], f"{name}.bias": of_norm["beta"]}
    return {"x": dx} | gradients


ATTENTION = (
    "self_attn.in_proj_weight",
    "self_attn.in_proj_bias",
    "self_attn.out_proj.weight",
    "self_attn.out_proj.bias",
)
LINEAR = ("linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias")
PARAMETERS = (*ATTENTION, *LINEAR, "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias")


def _attend(x, parameters, heads, mask):
    out, _, cache = multihead_forward(x, x, x, *(parameters[name] for name in ATTENTION), heads, mask)
    return out, cache


def _attend_back(dout, cache):
    back = multihead_backward(dout, cache)
    of_parameters = zip(ATTENTION, (back[name] for name in ("W_in", "b_in", "W_out", "b_out")), strict=True)
    return back["query"] + back["key"] + back["value"], dict(of_parameters)


def _think(x, parameters):
    W_1, b_1, W_2, b_2 = (parameters[name] for name in LINEAR)
    D = x.shape[-1]
    hidden = check_floats(LINEAR[0], W_1, ("hidden", D))["hidden"]
    for name, array, shape in zip(LINEAR[1:], (b_1, W_2, b_2), ((hidden,), (D, hidden), (D,)), strict=True):
        check_floats(name, array, shape)
    h = np.maximum(x @ W_1.T + b_1, 0)
    return h @ W_2.T + b_2, (x, h, W_1, W_2)


def _think_back(dout, cache):
    x, h, W_1, W_2 = cache
    dh = (dout @ W_2) * (h > 0)
    gradients = (
        np.einsum("bth,btd->hd", dh, x),
        dh.sum(axis=(0, 1)),
        np.einsum("btd,bth->dh", dout, h),
        dout.sum(axis=(0, 1)),
    )
    return dh @ W_1, dict(zip(LINEAR, gradients, strict=True))
