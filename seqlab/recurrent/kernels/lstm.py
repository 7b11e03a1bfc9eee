"""The recurrence of an LSTM, :eq:`lstm-cell`, over whole sequences in one launch, forward and backward.

Forward, a step multiplies the state by the weights of the four gates; backward, the gradients before the four gates by
their transposes. In between lies arithmetic unit by unit, in `cells.py`.

Which numbers the forward pass keeps for the backward pass is a choice. To compute the gates again takes
8 B T H^2 operations in one large product, and z as its input, as large as the gates are; to keep them takes 4 B T H
numbers written and read. So they are kept: the same memory, no work. What is kept is the sum before the squashing:
in 16 bits a gate near 1 has lost the digits of 1 - gate, on which its slope depends, and its sum has not.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.kernels.numbers import number_types
from seqlab.recurrent.kernels import common, grid
from seqlab.recurrent.kernels.cells import load, load4, lstm_cell, lstm_slopes, product, store, store4
from seqlab.recurrent.kernels.common import resident_tuned
from seqlab.recurrent.kernels.sizes import ROWS, chip_of, plan, width


@resident_tuned
@triton.jit
def _forward(
    z_ptr,  # (B, T, 4, H): W_ih x + b
    h0_ptr,  # (B, H)
    c0_ptr,  # (B, H)
    M_ptr,  # (4, COLS, COLS): W_hh^T of each gate, with zeros up to COLS
    h_ptr,  # (B, T, H)
    c_ptr,  # (B, T, H)
    a_ptr,  # (B, T, 4, H): the sums before the gates
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
    M_i = tl.load(M).to(DOT)
    M_f = tl.load(M + COLS * COLS).to(DOT)
    M_g = tl.load(M + 2 * COLS * COLS).to(DOT)
    M_o = tl.load(M + 3 * COLS * COLS).to(DOT)
    h = load(h0_ptr + row * H + col, inside, ACC)
    c = load(c0_ptr + row * H + col, inside, ACC)
    start = row * T * H
    z_i, z_f, z_g, z_o = load4(z_ptr + 4 * start + col, H, inside, ACC)
    for t in range(T):
        here = start + t * H  # the z of the next step travels while this step computes
        next_i, next_f, next_g, next_o = load4(z_ptr + 4 * (here + H) + col, H, inside & (t + 1 < T), ACC)
        a_i = product(h, M_i, z_i, PRECISION)
        a_f = product(h, M_f, z_f, PRECISION)
        a_g = product(h, M_g, z_g, PRECISION)
        a_o = product(h, M_o, z_o, PRECISION)
        h, c = lstm_cell(a_i, a_f, a_g, a_o, c)
        store(h_ptr + here + col, h, inside)
        store(c_ptr + here + col, c, inside)
        if KEEP:
            store4(a_ptr + 4 * here + col, H, a_i, a_f, a_g, a_o, inside)
        z_i, z_f, z_g, z_o = next_i, next_f, next_g, next_o


@resident_tuned
@triton.jit
def _backward(
    dh_ptr,  # (B, T, H)
    dc_ptr,  # (B, T, H), read with HAS_DC only
    M_ptr,  # (4, COLS, COLS): W_hh of each gate, with zeros up to COLS
    a_ptr,  # (B, T, 4, H): the sums before the gates
    c_ptr,  # (B, T, H)
    c0_ptr,  # (B, H)
    da_ptr,  # (B, T, 4, H): the gradient before each gate
    dh0_ptr,  # (B, H)
    dc0_ptr,  # (B, H)
    B,
    T,
    H,
    HAS_DC: tl.constexpr,
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
    M_i = tl.load(M).to(DOT)
    M_f = tl.load(M + COLS * COLS).to(DOT)
    M_g = tl.load(M + 2 * COLS * COLS).to(DOT)
    M_o = tl.load(M + 3 * COLS * COLS).to(DOT)
    last = (row * T + T - 1) * H
    c = load(c_ptr + last + col, inside, ACC)
    nothing = tl.zeros((ROWS, COLS), ACC)
    d_i, d_f, d_g, d_o, from_c = nothing, nothing, nothing, nothing, nothing  # what the later steps want
    dh, dc = nothing, nothing
    for s in range(T + 1):  # once more, for the state and cell before the first step
        here = last - s * H
        step = inside & (s < T)  # what is loaded here is on its way while the products are computed
        a_i, a_f, a_g, a_o = load4(a_ptr + 4 * here + col, H, step, ACC)
        before = load(tl.where(s + 1 < T, c_ptr + here - H, c0_ptr + row * H) + col, step, ACC)
        dh = load(dh_ptr + here + col, step, ACC)
        from_h = product(d_o, M_o, nothing, PRECISION)
        from_h = product(d_f, M_f, from_h, PRECISION)
        from_h = product(d_g, M_g, from_h, PRECISION)
        from_h = product(d_i, M_i, from_h, PRECISION)
        dh += from_h
        dc = from_c
        if HAS_DC:
            dc += load(dc_ptr + here + col, step, ACC)
        d_i, d_f, d_g, d_o, from_c = lstm_slopes(a_i, a_f, a_g, a_o, c, before, dh, dc)
        store4(da_ptr + 4 * here + col, H, d_i, d_f, d_g, d_o, step)
        c = before
    store(dh0_ptr + row * H + col, dh, inside)
    store(dc0_ptr + row * H + col, dc, inside)


def _resident_forward(z, h0, W_hh, h, c0, c, a):
    B, T, H = h.shape
    M = common.padded(W_hh.unflatten(0, (4, H)).transpose(1, 2), 4, width(H), width(H))
    constants = {"KEEP": a is not None, "ROWS": ROWS, "COLS": width(H), **number_types(z.dtype)}
    _forward[(triton.cdiv(B, ROWS),)](z, h0, c0, M, h, c, a, B, T, H, **constants)


def _resident_backward(dh, W_hh, da, dh0, dc, c0, c, a, dc0):
    B, T, H = dh.shape
    M = common.padded(W_hh.unflatten(0, (4, H)), 4, width(H), width(H))
    constants = {"HAS_DC": dc is not None, "ROWS": ROWS, "COLS": width(H), **number_types(dh.dtype)}
    _backward[(triton.cdiv(B, ROWS),)](dh, dc, M, a, c, c0, da, dh0, dc0, B, T, H, **constants)


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, h0, c0, W_hh, keep):
        z, h0, c0 = z.contiguous(), h0.contiguous(), c0.contiguous()
        B, _, H = *z.shape[:2], h0.shape[1]
        h, c = common.empty(z, H), common.empty(z, H)
        a = torch.empty_like(z) if keep else None
        ctx.share = plan("lstm", H, z.dtype, B, chip_of(z.device))
        if B:
            with torch.cuda.device_of(z):
                if ctx.share is None:
                    _resident_forward(z, h0, W_hh, h, c0, c, a)
                else:
                    grid.forward("lstm", ctx.share, z, h0, W_hh, h, c0=c0, c=c, a=a)
        ctx.save_for_backward(h0, c0, W_hh, h, c, a)
        ctx.set_materialize_grads(False)
        return h, c

    @staticmethod
    def backward(ctx, dh, dc):
        refuse_second_derivative()
        h0, c0, W_hh, h, c, a = ctx.saved_tensors
        dh = torch.zeros_like(h) if dh is None else dh.contiguous()
        dc = None if dc is None else dc.contiguous()
        da, dh0, dc0 = torch.empty_like(a), torch.empty_like(h0), torch.empty_like(c0)
        if len(a):
            with torch.cuda.device_of(a):
                if ctx.share is None:
                    _resident_backward(dh, W_hh, da, dh0, dc, c0, c, a, dc0)
                else:
                    grid.backward("lstm", ctx.share, dh, W_hh, h, da, dh0, dc=dc, c0=c0, c=c, a=a, dc0=dc0)
        dW_hh = common.weight_gradient(da, common.before(h0, h)) if ctx.needs_input_grad[3] else None
        return da, dh0, dc0, dW_hh, None


def lstm_recurrence(z, h0, c0, W_hh):
    """Run the LSTM's recurrence, :eq:`lstm-cell`, over all steps in one kernel, with its gradient in another.

    Sums are kept in float32 (float64 for float64). The gradient cannot be differentiated again.

    Parameters
    ----------
    z : (B, T, 4 H) what each step hears from its input, W_ih x + b_ih + b_hh; gates in the order i, f, g, o.
    h0, c0 : (B, H) state and cell before the first step.
    W_hh : (4 H, H) weights.

    Returns
    -------
    h, c : (B, T, H) state and cell after each step.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no step, or a data type is unknown.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    common.check_inputs(4, z, W_hh, h0=h0, c0=c0)
    return _LSTM.apply(z, h0, c0, W_hh, common.needs_gradient(z, h0, c0, W_hh))
