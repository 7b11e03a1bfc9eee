"""The arithmetic of the cells unit by unit, and the loads and stores of their gates, for the kernels to call."""

import triton
import triton.language as tl


@triton.jit
def tanh(x):
    """(1 - e) / (1 + e) with e = exp(-2 abs(x)) loses digits near 0 in float32; there the Taylor series takes over."""
    s = tl.abs(x)
    e = tl.exp(-2 * s)
    t = (1 - e) / (1 + e)
    if x.dtype != tl.float64:
        q = s * s
        series = s * (1 + q * (-1 / 3 + q * (2 / 15 + q * (-17 / 315 + q * (62 / 2835)))))
        t = tl.where(s < 0.25, series, t)
    return tl.where(x < 0, -t, t)


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x)), written with exp(-abs(x)), which cannot overflow."""
    e = tl.exp(-tl.abs(x))
    return tl.where(x < 0, e, 1) / (1 + e)


@triton.jit
def rnn_cell(a, RELU: tl.constexpr):
    """Squash."""
    if RELU:
        return tl.where(a < 0, 0.0, a)
    else:
        return tanh(a)


@triton.jit
def rnn_slope(h, dh, RELU: tl.constexpr):
    """The gradient before the squashing, written with the state h that the forward pass stored."""
    if RELU:
        return tl.where(h > 0, dh, 0.0)
    else:
        return dh * (1 - h * h)


@triton.jit
def gru_cell(a_u, a_n, h):
    """From the sums before the update gate and the proposal, and the old state, to the new one; u = 1 keeps the old."""
    u = sigmoid(a_u)
    n = tanh(a_n)
    return n + u * (h - n)


@triton.jit
def gru_slopes(a_r, a_u, a_n, q, before, dh):
    """From dh to the gradients before r, u and n, of the product q that is reset, and of the old state directly."""
    r = sigmoid(a_r)
    u = sigmoid(a_u)
    n = tanh(a_n)
    d_u = dh * (before - n) * u * (1 - u)
    d_n = dh * (1 - u) * (1 - n * n)
    return d_n * q * r * (1 - r), d_u, d_n, d_n * r, dh * u


@triton.jit
def lstm_cell(a_i, a_f, a_g, a_o, c):
    """From the sums before the gates and the old cell to the new state and cell."""
    c = sigmoid(a_f) * c + sigmoid(a_i) * tanh(a_g)
    return sigmoid(a_o) * tanh(c), c


@triton.jit
def lstm_slopes(a_i, a_f, a_g, a_o, c, before, dh, dc):
    """From dh and what later steps want of the cell c to the gradients before the gates and of the old cell."""
    i = sigmoid(a_i)
    f = sigmoid(a_f)
    g = tanh(a_g)
    o = sigmoid(a_o)
    y = tanh(c)
    dc += dh * o * (1 - y * y)
    return dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g), dh * y * o * (1 - o), dc * f


@triton.jit
def load(ptr, inside, ACC: tl.constexpr):
    return tl.load(ptr, mask=inside, other=0.0).to(ACC)


@triton.jit
def load3(ptr, H, inside, ACC: tl.constexpr):
    """Three gates of one step, which lie H apart."""
    return load(ptr, inside, ACC), load(ptr + H, inside, ACC), load(ptr + 2 * H, inside, ACC)


@triton.jit
def load4(ptr, H, inside, ACC: tl.constexpr):
    a, b, c = load3(ptr, H, inside, ACC)
    return a, b, c, load(ptr + 3 * H, inside, ACC)


@triton.jit
def store(ptr, x, inside):
    tl.store(ptr, x.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def store3(ptr, H, a, b, c, inside):
    store(ptr, a, inside)
    store(ptr + H, b, inside)
    store(ptr + 2 * H, c, inside)


@triton.jit
def store4(ptr, H, a, b, c, d, inside):
    store3(ptr, H, a, b, c, inside)
    store(ptr + 3 * H, d, inside)


@triton.jit
def product(x, M, acc, PRECISION: tl.constexpr):
    """acc + x M on the tensor cores, in the data type of M and summed in that of acc."""
    return tl.dot(x.to(M.dtype), M, acc=acc, input_precision=PRECISION, out_dtype=acc.dtype)
