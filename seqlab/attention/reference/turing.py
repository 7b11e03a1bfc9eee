"""The memory of a Neural Turing machine in NumPy, float64: one function for each equation of chapter 15.

Graves, Wayne and Danihelka (2014). Letters: B sequences; a memory of `rows` rows, each `width` numbers long; `heads`
heads that read it or write it. What a head points at are its weights (B, heads, rows): at least 0, and their sum is 1.
Each `..._backward` takes the gradient of what its function returned and then the same arguments, and returns a dict
of gradients named as the arguments.
"""

import numpy as np

from seqlab.arrays import check_floats

SMALLEST = 1e-12  # a vector shorter than this has no direction


def content_weights(memory, key, strength):
    """Look for the rows that point where the key points, :eq:`content-addressing`.

    Parameters
    ----------
    memory : (B, rows, width) M.
    key : (B, heads, width) k, what each head looks for.
    strength : (B, heads) beta, at least 0: how much the best row counts above the others.

    Returns
    -------
    w : (B, heads, rows) softmax over the rows of beta times the cosine between k and each row.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    sizes = check_floats("memory", memory, ("B", "rows", "width"))
    _check("key", key, sizes, "width")
    check_floats("strength", strength, key.shape[:2])
    score = strength[..., None] * (_unit(key) @ _unit(memory).swapaxes(1, 2))
    e = np.exp(score - score.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def content_weights_backward(dw, memory, key, strength):
    """Gradients of :eq:`content-addressing`: softmax, then the cosine; dw is (B, heads, rows)."""
    w = content_weights(memory, key, strength)
    check_floats("dw", dw, w.shape)
    k, M = _unit(key), _unit(memory)
    cosine = k @ M.swapaxes(1, 2)
    dscore = w * (dw - (dw * w).sum(axis=-1, keepdims=True))
    dcosine = strength[..., None] * dscore
    return {
        "memory": _unit_backward(dcosine.swapaxes(1, 2) @ k, memory),
        "key": _unit_backward(dcosine @ M, key),
        "strength": (dscore * cosine).sum(axis=-1),
    }


def interpolate(w_content, w_before, gate):
    """Take the weights found by content, or stay where the head was, :eq:`location-addressing`.

    Parameters
    ----------
    w_content, w_before : (B, heads, rows) weights found now, weights of the step before.
    gate : (B, heads) g, from 0 (the step before) to 1 (the content).

    Returns
    -------
    w : (B, heads, rows) g w_content + (1 - g) w_before.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    check_floats("w_content", w_content, ("B", "heads", "rows"))
    check_floats("w_before", w_before, w_content.shape)
    check_floats("gate", gate, w_content.shape[:2])
    g = gate[..., None]
    return g * w_content + (1 - g) * w_before


def interpolate_backward(dw, w_content, w_before, gate):
    """Gradients of the gate in :eq:`location-addressing`; dw is (B, heads, rows)."""
    check_floats("dw", dw, w_content.shape)
    g = gate[..., None]
    return {"w_content": g * dw, "w_before": (1 - g) * dw, "gate": (dw * (w_content - w_before)).sum(axis=-1)}


def shift(w, s):
    """Move the head along the rows, which are a ring: a circular convolution, :eq:`location-addressing`.

    Parameters
    ----------
    w : (B, heads, rows) weights.
    s : (B, heads, 2 S + 1) how likely the head moves by -S, ..., 0, ..., S rows; their sum is 1.

    Returns
    -------
    w : (B, heads, rows). With s one-hot at S + k it is `np.roll(w, k)`.

    Raises
    ------
    ValueError
        when a shape does not fit, an array does not hold floats, or the number of moves is even.
    """
    S = _reach(w, s)
    return sum(s[..., S + k, None] * np.roll(w, k, axis=-1) for k in range(-S, S + 1))


def shift_backward(dw, w, s):
    """Gradients of the convolution in :eq:`location-addressing`; dw is (B, heads, rows)."""
    S = _reach(w, s)
    check_floats("dw", dw, w.shape)
    moves = range(-S, S + 1)
    return {
        "w": sum(s[..., S + k, None] * np.roll(dw, -k, axis=-1) for k in moves),
        "s": np.stack([(dw * np.roll(w, k, axis=-1)).sum(axis=-1) for k in moves], axis=-1),
    }


def sharpen(w, gamma):
    """Undo the blur of a shift that was not certain, :eq:`sharpening`.

    Parameters
    ----------
    w : (B, heads, rows) weights.
    gamma : (B, heads) the exponent, at least 1; 1 changes nothing.

    Returns
    -------
    w : (B, heads, rows) each weight to the power gamma, divided by the sum of all.

    Raises
    ------
    ValueError
        when a shape does not fit, an array does not hold floats, or an exponent is below 1.
    """
    check_floats("w", w, ("B", "heads", "rows"))
    check_floats("gamma", gamma, w.shape[:2])
    if not (gamma >= 1).all():
        raise ValueError(f"gamma holds {gamma.min():g}; it must be at least 1, or the weights would blur")
    # dividing by the largest first changes nothing in exact arithmetic and keeps the sum away from 0
    power = (w / w.max(axis=-1, keepdims=True)) ** gamma[..., None]
    return power / power.sum(axis=-1, keepdims=True)


def sharpen_backward(dw, w, gamma):
    """Gradients of :eq:`sharpening`; dw is (B, heads, rows). A weight of 0 stays 0 and gets none for gamma > 1."""
    sharp = sharpen(w, gamma)
    check_floats("dw", dw, w.shape)
    top = w.max(axis=-1, keepdims=True)
    g = gamma[..., None]
    centred = dw - (dw * sharp).sum(axis=-1, keepdims=True)
    total = ((w / top) ** g).sum(axis=-1, keepdims=True)
    slope = g * (w / top) ** (g - 1) / (top * total)  # gamma w^(gamma - 1) / sum w^gamma
    return {
        "w": slope * centred,
        "gamma": (sharp * np.log(np.where(w > 0, w, 1.0)) * centred).sum(axis=-1),
    }


def read(memory, w):
    """What each head sees: the rows, weighted and summed, :eq:`memory-read`.

    Parameters
    ----------
    memory : (B, rows, width) M.
    w : (B, heads, rows) weights.

    Returns
    -------
    r : (B, heads, width).

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    sizes = check_floats("memory", memory, ("B", "rows", "width"))
    _check("w", w, sizes, "rows")
    return w @ memory


def read_backward(dr, memory, w):
    """Gradients of :eq:`memory-read`; dr is (B, heads, width)."""
    check_floats("dr", dr, (*w.shape[:2], memory.shape[2]))
    return {"memory": w.swapaxes(1, 2) @ dr, "w": dr @ memory.swapaxes(1, 2)}


def write(memory, w, erase, add):
    """Erase, then add, where the weights are, :eq:`memory-write`.

    Parameters
    ----------
    memory : (B, rows, width) M before.
    w : (B, heads, rows) weights.
    erase : (B, heads, width) e, from 0 (keep) to 1 (wipe).
    add : (B, heads, width) a, what is added.

    Returns
    -------
    memory : (B, rows, width) M after. With several heads all erase before any of them adds, so their order does not
        matter.

    Raises
    ------
    ValueError
        when a shape does not fit or an array does not hold floats.
    """
    return memory * _kept(memory, w, erase, add).prod(axis=1) + w.swapaxes(1, 2) @ add


def write_backward(dmemory, memory, w, erase, add):
    """Gradients of :eq:`memory-write`; dmemory is (B, rows, width)."""
    kept = _kept(memory, w, erase, add)
    check_floats("dmemory", dmemory, memory.shape)
    heads = range(w.shape[1])
    others = np.stack([np.delete(kept, h, axis=1).prod(axis=1) for h in heads], axis=1)
    dkept = (dmemory * memory)[:, None] * others  # (B, heads, rows, width)
    return {
        "memory": dmemory * kept.prod(axis=1),
        "w": add @ dmemory.swapaxes(1, 2) - (dkept * erase[:, :, None]).sum(axis=-1),
        "erase": -(dkept * w[..., None]).sum(axis=2),
        "add": w @ dmemory,
    }


def _kept(memory, w, erase, add):
    """(B, heads, rows, width) what each head's erasing leaves of each number."""
    sizes = check_floats("memory", memory, ("B", "rows", "width"))
    _check("w", w, sizes, "rows")
    check_floats("erase", erase, (*w.shape[:2], sizes["width"]))
    check_floats("add", add, erase.shape)
    return 1 - w[..., None] * erase[:, :, None]


def _unit(v):
    """Vectors of length one."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), SMALLEST)


def _unit_backward(du, v):
    """Through v / |v|: what points along v is lost."""
    length = np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), SMALLEST)
    u = v / length
    return (du - u * (du * u).sum(axis=-1, keepdims=True)) / length


def _reach(w, s):
    """How far a head moves: S of the 2 S + 1 moves."""
    check_floats("w", w, ("B", "heads", "rows"))
    moves = check_floats("s", s, (*w.shape[:2], "moves"))["moves"]
    if moves % 2 == 0 or moves > w.shape[2]:
        raise ValueError(
            f"s has {moves} moves; with {w.shape[2]} rows it needs an odd number of them, {w.shape[2]} at most"
        )
    return moves // 2


def _check(name, array, sizes, last):
    check_floats(name, array, (sizes["B"], "heads", sizes[last]))
