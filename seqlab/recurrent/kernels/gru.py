"""The recurrence of a GRU, :eq:`gru-cell`, over whole sequences in one launch, forward and backward.

This is the form that resets after the product: only there are the three products of a step independent of each other,
so that they can be done at once. Forward, a step multiplies the state by the weights of the two gates and of the
proposal; backward, their gradients by the transposes. In between lies arithmetic unit by unit, `_cell` and `_slopes`.

For the backward pass the forward pass keeps the sums before the gates and before the tanh, and the product q that is
reset: 4 B T H numbers (why they are kept, and before the squashing, is said in `lstm.py`).
"""

import torch
import triton
import triton.language as tl

from seqlab.recurrent.kernels import common
from seqlab.recurrent.kernels.common import product, resident_tuned, sigmoid, tanh
from seqlab.recurrent.kernels.sizes import width


@triton.jit
def _load(ptr, H, inside, ACC: tl.constexpr):
    """Reset, update and proposal of one step, which lie H apart."""
    r = tl.load(ptr, mask=inside, other=0.0).to(ACC)
    u = tl.load(ptr + H, mask=inside, other=0.0).to(ACC)
    n = tl.load(ptr + 2 * H, mask=inside, other=0.0).to(ACC)
    return r, u, n


@triton.jit
def _store(ptr, H, inside, r, u, n):
    tl.store(ptr, r.to(ptr.dtype.element_ty), mask=inside)
    tl.store(ptr + H, u.to(ptr.dtype.element_ty), mask=inside)
    tl.store(ptr + 2 * H, n.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def _cell(a_u, a_n, h):
    """From the sums and the old state to the new state; u = 1 keeps the old one."""
    u = sigmoid(a_u)
    n = tanh(a_n)
    return n + u * (h - n)


@triton.jit
def _slopes(a_r, a_u, a_n, q, before, dh):
    """From dh to the gradients before the gates and the tanh, of the product q, and of the old state by its own way."""
    r = sigmoid(a_r)
    u = sigmoid(a_u)
    n = tanh(a_n)
    d_u = dh * (before - n) * u * (1 - u)
    d_n = dh * (1 - u) * (1 - n * n)
    return d_n * q * r * (1 - r), d_u, d_n, d_n * r, dh * u


@resident_tuned
@triton.jit
def _forward(
    z_ptr,  # (B, T, 3, H): W_ih x + b_ih
    h0_ptr,  # (B, H)
    M_ptr,  # (3, COLS, COLS): W_hh^T of r, z and n, with zeros up to COLS
    b_ptr,  # (3, H): b_hh
    h_ptr,  # (B, T, H)
    a_ptr,  # (B, T, 4, H): the sums before r, z and n, and q
    B,
    T,
    H,
    KEEP: tl.constexpr,  # store a
    ROWS: tl.constexpr,
    COLS: tl.constexpr,  # H rounded up to a power of two
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    col = tl.arange(0, COLS)[None, :]
    inside = (row < B) & (col < H)
    M = M_ptr + tl.arange(0, COLS)[:, None] * COLS + col
    M_r = tl.load(M).to(DOT)
    M_u = tl.load(M + COLS * COLS).to(DOT)
    M_n = tl.load(M + 2 * COLS * COLS).to(DOT)
    b_r, b_u, b_n = _load(b_ptr + col, H, col < H, ACC)
    h = tl.load(h0_ptr + row * H + col, mask=inside, other=0.0).to(ACC)
    start = row * T * H
    z_r, z_u, z_n = _load(z_ptr + 3 * start + col, H, inside, ACC)
    for t in range(T):
        here = start + t * H  # the z of the next step travels while this step computes
        next_r, next_u, next_n = _load(z_ptr + 3 * (here + H) + col, H, inside & (t + 1 < T), ACC)
        a_r = product(h, M_r, z_r + b_r, ACC, PRECISION)
        a_u = product(h, M_u, z_u + b_u, ACC, PRECISION)
        q = product(h, M_n, tl.zeros((ROWS, COLS), ACC) + b_n, ACC, PRECISION)
        a_n = z_n + sigmoid(a_r) * q
        h = _cell(a_u, a_n, h)
        tl.store(h_ptr + here + col, h.to(h_ptr.dtype.element_ty), mask=inside)
        if KEEP:
            _store(a_ptr + 4 * here + col, H, inside, a_r, a_u, a_n)
            tl.store(a_ptr + 4 * here + 3 * H + col, q.to(a_ptr.dtype.element_ty), mask=inside)
        z_r, z_u, z_n = next_r, next_u, next_n


@resident_tuned
@triton.jit
def _backward(
    dh_ptr,  # (B, T, H)
    M_ptr,  # (3, COLS, COLS): W_hh of r, z and n, with zeros up to COLS
    a_ptr,  # (B, T, 4, H): the sums before r, z and n, and q
    h_ptr,  # (B, T, H)
    h0_ptr,  # (B, H)
    da_ptr,  # (B, T, 3, H): the gradient before r, z and n
    dq_ptr,  # (B, T, H)
    dh0_ptr,  # (B, H)
    B,
    T,
    H,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    col = tl.arange(0, COLS)[None, :]
    inside = (row < B) & (col < H)
    M = M_ptr + tl.arange(0, COLS)[:, None] * COLS + col
    M_r = tl.load(M).to(DOT)
    M_u = tl.load(M + COLS * COLS).to(DOT)
    M_n = tl.load(M + 2 * COLS * COLS).to(DOT)
    last = (row * T + T - 1) * H
    from_later = tl.zeros((ROWS, COLS), ACC)  # what the later steps want of the state
    for s in range(T):
        here = last - s * H
        a_r, a_u, a_n = _load(a_ptr + 4 * here + col, H, inside, ACC)
        q = tl.load(a_ptr + 4 * here + 3 * H + col, mask=inside, other=0.0).to(ACC)
        source = tl.where(s + 1 < T, h_ptr + here - H, h0_ptr + row * H)
        before = tl.load(source + col, mask=inside, other=0.0).to(ACC)
        dh = from_later + tl.load(dh_ptr + here + col, mask=inside, other=0.0).to(ACC)
        d_r, d_u, d_n, d_q, from_later = _slopes(a_r, a_u, a_n, q, before, dh)
        _store(da_ptr + 3 * here + col, H, inside, d_r, d_u, d_n)
        tl.store(dq_ptr + here + col, d_q.to(dq_ptr.dtype.element_ty), mask=inside)
        from_later = product(d_r, M_r, from_later, ACC, PRECISION)
        from_later = product(d_u, M_u, from_later, ACC, PRECISION)
        from_later = product(d_q, M_n, from_later, ACC, PRECISION)
    tl.store(dh0_ptr + row * H + col, from_later.to(dh0_ptr.dtype.element_ty), mask=inside)


def _resident_forward(z, h0, W_hh, b_hh, h, a, keep):
    B, T, H = h.shape
    M = common.padded(W_hh.unflatten(0, (3, H)).transpose(1, 2), width(H), width(H))
    constants = {"KEEP": keep, "ROWS": common.ROWS, "COLS": width(H), **common.number_types(z.dtype)}
    _forward[(triton.cdiv(B, common.ROWS),)](z, h0, M, b_hh, h, a, B, T, H, **constants)


def _resident_backward(dh, W_hh, a, h, h0, da, dq, dh0):
    B, T, H = h.shape
    M = common.padded(W_hh.unflatten(0, (3, H)), width(H), width(H))
    constants = {"ROWS": common.ROWS, "COLS": width(H), **common.number_types(h.dtype)}
    _backward[(triton.cdiv(B, common.ROWS),)](dh, M, a, h, h0, da, dq, dh0, B, T, H, **constants)


class _GRU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, h0, W_hh, b_hh, keep):
        z, h0, H = z.contiguous(), h0.contiguous(), h0.shape[1]
        ctx.biased = b_hh is not None
        b_hh = b_hh.contiguous() if ctx.biased else z.new_zeros(3 * H)
        h = common.empty(z, H)
        a = z.new_empty(*h.shape[:2], 4 * H) if keep else h
        if len(z):
            with torch.cuda.device_of(z):
                _resident_forward(z, h0, W_hh, b_hh, h, a, keep)
        ctx.save_for_backward(h0, W_hh, h, a)
        return h

    @staticmethod
    def backward(ctx, dh):
        common.refuse_second_derivative()
        h0, W_hh, h, a = ctx.saved_tensors
        H = h0.shape[1]
        da, dq, dh0 = common.empty(a, 3 * H), torch.empty_like(h), torch.empty_like(h0)
        if len(a):
            with torch.cuda.device_of(a):
                _resident_backward(dh.contiguous(), W_hh, a, h, h0, da, dq, dh0)
        dW_hh = db_hh = None
        if ctx.needs_input_grad[2]:
            gates = common.weight_gradient(da[..., : 2 * H], h0, h)
            dW_hh = torch.cat([gates, common.weight_gradient(dq, h0, h)])
        if ctx.biased and ctx.needs_input_grad[3]:
            db_hh = torch.cat([da[..., : 2 * H].sum((0, 1)), dq.sum((0, 1))])
        return da, dh0, dW_hh, db_hh, None


def gru_recurrence(z, h0, W_hh, b_hh=None):
    """Run the GRU's recurrence, :eq:`gru-cell`, over all steps in one kernel, with its gradient in another.

    Sums are kept in float32 (float64 for float64). The gradient cannot be differentiated again.

    Parameters
    ----------
    z : (B, T, 3 H) what each step hears from its input, W_ih x + b_ih; in the order r, z, n.
    h0 : (B, H) state before the first step.
    W_hh : (3 H, H) weights.
    b_hh : (3 H,) bias, or None; the part for n is reset with the product, so it cannot be in z.

    Returns
    -------
    h : (B, T, H) state after each step.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no step, or a data type is unknown.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    common.check_inputs(3, z, W_hh, h0=h0, b_hh=b_hh)
    return _GRU.apply(z, h0, W_hh, b_hh, common.needs_gradient(z, h0, W_hh, b_hh))
