"""The recurrence of a GRU, :eq:`gru-cell`, over whole sequences in one launch, forward and backward.

This is the form that resets after the product: only there are the three products of a step independent of each other,
so that they can be done at once. Forward, a step multiplies the state by the weights of the two gates and of the
proposal; backward, their gradients by the transposes. In between lies arithmetic unit by unit, in
`cells.py`.

For the backward pass the forward pass keeps the sums before the gates and before the tanh, and the product q that is
reset: 4 B T H numbers (why they are kept, and before the squashing, is said in `lstm.py`).
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.kernels.numbers import number_types
from seqlab.recurrent.kernels import common, grid
from seqlab.recurrent.kernels.cells import (
    gru_cell,
    gru_slopes,
    load,
    load3,
    load4,
    product,
    sigmoid,
    store,
    store3,
    store4,
)
from seqlab.recurrent.kernels.common import resident_tuned
from seqlab.recurrent.kernels.sizes import ROWS, chip_of, plan, width


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
    b_r, b_u, b_n = load3(b_ptr + col, H, col < H, ACC)
    h = load(h0_ptr + row * H + col, inside, ACC)
    start = row * T * H
    z_r, z_u, z_n = load3(z_ptr + 3 * start + col, H, inside, ACC)
    for t in range(T):
        here = start + t * H  # the z of the next step travels while this step computes
        next_r, next_u, next_n = load3(z_ptr + 3 * (here + H) + col, H, inside & (t + 1 < T), ACC)
        a_r = product(h, M_r, z_r + b_r, PRECISION)
        a_u = product(h, M_u, z_u + b_u, PRECISION)
        q = product(h, M_n, tl.zeros((ROWS, COLS), ACC) + b_n, PRECISION)
        a_n = z_n + sigmoid(a_r) * q
        h = gru_cell(a_u, a_n, h)
        store(h_ptr + here + col, h, inside)
        if KEEP:
            store4(a_ptr + 4 * here + col, H, a_r, a_u, a_n, q, inside)
        z_r, z_u, z_n = next_r, next_u, next_n


@resident_tuned
@triton.jit
def _backward(
    dh_ptr,  # (B, T, H)
    M_ptr,  # (3, COLS, COLS): W_hh of r, z and n, with zeros up to COLS
    a_ptr,  # (B, T, 4, H): the sums before r, z and n, and q
    before_ptr,  # (B, T, H): the state before each step
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
    nothing = tl.zeros((ROWS, COLS), ACC)
    d_r, d_u, d_q, directly = nothing, nothing, nothing, nothing  # what the later steps want
    dh = nothing
    for s in range(T + 1):  # once more, for the state before the first step
        here = last - s * H
        step = inside & (s < T)  # what is loaded here is on its way while the products are computed
        a_r, a_u, a_n, q = load4(a_ptr + 4 * here + col, H, step, ACC)
        before = load(before_ptr + here + col, step, ACC)
        dh = load(dh_ptr + here + col, step, ACC)
        from_h = product(d_r, M_r, directly, PRECISION)
        from_h = product(d_u, M_u, from_h, PRECISION)
        from_h = product(d_q, M_n, from_h, PRECISION)
        dh += from_h
        d_r, d_u, d_n, d_q, directly = gru_slopes(a_r, a_u, a_n, q, before, dh)
        store3(da_ptr + 3 * here + col, H, d_r, d_u, d_n, step)
        store(dq_ptr + here + col, d_q, step)
    store(dh0_ptr + row * H + col, dh, inside)


def _resident_forward(z, h0, W_hh, h, b_hh, a):
    B, T, H = h.shape
    M = common.padded(W_hh.unflatten(0, (3, H)).transpose(1, 2), 3, width(H), width(H))
    constants = {"KEEP": a is not None, "ROWS": ROWS, "COLS": width(H), **number_types(z.dtype)}
    _forward[(triton.cdiv(B, ROWS),)](z, h0, M, b_hh, h, a, B, T, H, **constants)


def _resident_backward(dh, W_hh, before, da, dh0, a, dq):
    B, T, H = dh.shape
    M = common.padded(W_hh.unflatten(0, (3, H)), 3, width(H), width(H))
    constants = {"ROWS": ROWS, "COLS": width(H), **number_types(dh.dtype)}
    _backward[(triton.cdiv(B, ROWS),)](dh, M, a, before, da, dq, dh0, B, T, H, **constants)


class _GRU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, h0, W_hh, b_hh, keep):
        z, h0 = z.contiguous(), h0.contiguous()
        B, T, H = *z.shape[:2], h0.shape[1]
        ctx.biased = b_hh is not None
        b_hh = b_hh.contiguous() if ctx.biased else z.new_zeros(3 * H)
        h = common.empty(z, H)
        a = z.new_empty(B, T, 4 * H) if keep else None
        ctx.share = plan("gru", H, z.dtype, B, chip_of(z.device))
        if B:
            with torch.cuda.device_of(z):
                if ctx.share is None:
                    _resident_forward(z, h0, W_hh, h, b_hh, a)
                else:
                    grid.forward("gru", ctx.share, z, h0, W_hh, h, b_hh=b_hh, a=a)
        ctx.save_for_backward(h0, W_hh, h, a)
        return h

    @staticmethod
    def backward(ctx, dh):
        refuse_second_derivative()
        h0, W_hh, h, a = ctx.saved_tensors
        H = h0.shape[1]
        dh, before = dh.contiguous(), common.before(h0, h)
        da, dq, dh0 = common.empty(a, 3 * H), torch.empty_like(h), torch.empty_like(h0)
        if len(a):
            with torch.cuda.device_of(a):
                if ctx.share is None:
                    _resident_backward(dh, W_hh, before, da, dh0, a, dq)
                else:
                    grid.backward("gru", ctx.share, dh, W_hh, before, da, dh0, a=a, dq=dq)
        dW_hh = db_hh = None
        gates = da[..., : 2 * H]
        if ctx.needs_input_grad[2]:
            dW_hh = torch.cat([common.weight_gradient(gates, before), common.weight_gradient(dq, before)])
        if ctx.biased and ctx.needs_input_grad[3]:
            db_hh = torch.cat([gates.sum((0, 1)), dq.sum((0, 1))])
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
