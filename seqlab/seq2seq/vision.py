"""What a convolutional network is made of, in NumPy, float64: filters, ReLU, pooling, and their backward passes."""

import numpy as np

from seqlab.shapes import check_shape


def convolution(x, W, b):
    """Slide every filter over the picture, with zeros around it, :eq:`convolution`.

    Parameters
    ----------
    x : (B, C, height, width) pictures, or features of the layer below.
    W : (F, C, k, k) filters, k odd.
    b : (F,) biases.

    Returns
    -------
    y : (B, F, height, width) how well each filter fits at each place.

    Raises
    ------
    ValueError
        when a shape does not fit or k is even.

    Notes
    -----
    Like every deep-learning library, it does not flip the filter: a mathematician calls this a cross-correlation.
    """
    k = _filter_size(x, W, b)
    _, _, height, width = x.shape
    x = _padded(x, k)
    y = np.zeros((len(x), len(W), height, width)) + b[:, None, None]
    for i in range(k):
        for j in range(k):
            under = x[:, :, i : i + height, j : j + width]  # what lies under number (i, j) of the filter
            y += np.einsum("bchw,fc->bfhw", under, W[:, :, i, j])
    return y


def convolution_backward(dy, x, W, b):
    """Gradients of `convolution`, :eq:`convolution`.

    Parameters
    ----------
    dy : (B, F, height, width) gradient of the output.
    x, W, b : as in `convolution`.

    Returns
    -------
    grads : dict of "x", "W" and "b".

    Raises
    ------
    ValueError
        when a shape does not fit or k is even.
    """
    k = _filter_size(x, W, b)
    B, _, height, width = x.shape
    check_shape("dy", dy, (B, len(W), height, width))
    x = _padded(x, k)
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for i in range(k):
        for j in range(k):
            under = np.s_[:, :, i : i + height, j : j + width]
            dW[:, :, i, j] = np.einsum("bfhw,bchw->fc", dy, x[under])  # a shared weight: the sum over all places
            dx[under] += np.einsum("bfhw,fc->bchw", dy, W[:, :, i, j])
    edge = k // 2
    return {"x": dx[:, :, edge : edge + height, edge : edge + width], "W": dW, "b": dy.sum(axis=(0, 2, 3))}


def max_pool(x):
    """Halve a picture by keeping the largest of every 2 x 2 places.

    Parameters
    ----------
    x : (B, C, height, width), both even.

    Returns
    -------
    y : (B, C, height / 2, width / 2).

    Raises
    ------
    ValueError
        when the shape does not fit.
    """
    return _blocks(x).max(axis=(3, 5))


def max_pool_backward(dy, x):
    """Gradient of `max_pool`: all of it goes to the first of the largest.

    Parameters
    ----------
    dy : (B, C, height / 2, width / 2) gradient of the output.
    x : as in `max_pool`.

    Returns
    -------
    dx : (B, C, height, width).

    Raises
    ------
    ValueError
        when a shape does not fit.
    """
    blocks = _blocks(x)
    B, C, rows, _, columns, _ = blocks.shape
    check_shape("dy", dy, (B, C, rows, columns))
    four = blocks.swapaxes(3, 4).reshape(B, C, rows, columns, 4)
    first = np.eye(4)[four.argmax(axis=-1)]
    dx = (first * dy[..., None]).reshape(B, C, rows, columns, 2, 2)
    return dx.swapaxes(3, 4).reshape(x.shape)


def _padded(x, k):
    edge = k // 2
    return np.pad(np.asarray(x, dtype=float), ((0, 0), (0, 0), (edge, edge), (edge, edge)))


def _filter_size(x, W, b):
    C = check_shape("x", x, ("B", "C", "height", "width"))["C"]
    F, k = (check_shape("W", W, ("F", C, "k", "k"))[letter] for letter in "Fk")
    check_shape("b", b, (F,))
    if k % 2 == 0:
        raise ValueError(f"W has filters of {k} x {k}; k must be odd, so that a filter has a middle")
    return k


def _blocks(x):
    B, C, height, width = check_shape("x", x, ("B", "C", "height", "width")).values()
    if height % 2 or width % 2:
        raise ValueError(f"x has shape {x.shape}; height and width must be even to be halved")
    return np.reshape(x, (B, C, height // 2, 2, width // 2, 2))
