"""The recurrence of a plain RNN over whole sequences in one launch, forward and backward::

    forward, t = 0 .. T-1     h^<t>  = g(z^<t> + h^<t-1> W_hh^T)                   z^<t> = W_ih x^<t> + b
    backward, t = T-1 .. 0    dz^<t> = (dh^<t> + dz^<t+1> W_hh) * g'(z^<t>)

Both are one recurrence, state = finish(input + state M): backward it starts at the end, M is W_hh in place of its
transpose, and it finishes with the slope in place of the squashing. What is no recurrence is left to torch as one
large product each: z for all steps at once, and every weight gradient from dz.

A loop in torch launches its kernels again at every step. Here a program owns ROWS sequences and walks through all
their steps alone: no program waits for another, and no step waits for the CPU. M is loaded once and stays on the
multiprocessor, the state in registers. This is as far as one multiprocessor's 227 KB of shared memory go: H up to 128
in float32 and 256 in 16 bits. Larger weights are shared out among many, see `grid.py`.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import tuned
from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.kernels.numbers import number_types
from seqlab.recurrent.kernels import common, grid
from seqlab.recurrent.kernels.cells import rnn_cell, rnn_slope
from seqlab.recurrent.kernels.sizes import ROWS, chip_of, plan, width


def _worth_trying(configs, named_args, COLS, **others):
    """Keep a warp for every 8 or 16 columns, at most 8: fewer overflow the registers, more wait for each other."""
    return [config for config in configs if min(COLS // 16, 8) <= config.num_warps <= COLS // 8]


@tuned(
    [triton.Config({}, num_warps=warps) for warps in (1, 2, 4, 8)],
    key=["COLS", "BACKWARD", "PRECISION"],
    prune=_worth_trying,
)
@triton.jit
def _resident(
    in_ptr,  # (B, T, H): z forward, dh backward
    first_ptr,  # (B, H): the state before the first step
    M_ptr,  # (COLS, COLS): W_hh^T forward, W_hh backward, with zeros up to COLS
    h_ptr,  # (B, T, H): the states of the forward pass, read backward only
    out_ptr,  # (B, T, H): h forward, dz backward
    B,
    T,
    H,
    BACKWARD: tl.constexpr,
    RELU: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,  # H rounded up to a power of two
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    col = tl.arange(0, COLS)[None, :]
    k = tl.arange(0, COLS)[:, None]
    inside = (row < B) & (col < H)
    M = tl.load(M_ptr + k * COLS + col).to(DOT)
    state = tl.load(first_ptr + row * H + col, mask=inside, other=0.0).to(ACC)
    here = row * T * H + col
    step = H
    if BACKWARD:
        here += (T - 1) * H
        step = -H
    for _ in range(T):
        heard = tl.load(in_ptr + here, mask=inside, other=0.0).to(ACC)  # on its way while the product is computed
        if BACKWARD:
            h = tl.load(h_ptr + here, mask=inside, other=0.0).to(ACC)
        total = heard + tl.dot(state.to(DOT), M, input_precision=PRECISION, out_dtype=ACC)
        if BACKWARD:
            state = rnn_slope(h, total, RELU)
        else:
            state = rnn_cell(total, RELU)
        tl.store(out_ptr + here, state.to(out_ptr.dtype.element_ty), mask=inside)
        here += step


def _launch_resident(inputs, first, M, h, out, relu, backward):
    B, T, H = inputs.shape
    M = common.padded(M[None], 1, width(H), width(H))
    constants = {"BACKWARD": backward, "RELU": relu, "ROWS": ROWS, "COLS": width(H)}
    constants |= number_types(inputs.dtype)
    _resident[(triton.cdiv(B, ROWS),)](inputs, first, M, h, out, B, T, H, **constants)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, h0, W_hh, nonlinearity):
        z, h0, B, H = z.contiguous(), h0.contiguous(), *h0.shape
        h = torch.empty_like(z)
        ctx.share, ctx.relu = plan("rnn", H, z.dtype, B, chip_of(z.device)), nonlinearity == "relu"
        if B:
            with torch.cuda.device_of(z):
                if ctx.share is None:
                    _launch_resident(z, h0, W_hh.T, h, h, ctx.relu, backward=False)
                else:
                    grid.forward("rnn", ctx.share, z, h0, W_hh, h, relu=ctx.relu)
        ctx.save_for_backward(h0, W_hh, h)
        return h

    @staticmethod
    def backward(ctx, dh):
        refuse_second_derivative()
        h0, W_hh, h = ctx.saved_tensors
        dh, dz = dh.contiguous(), torch.empty_like(h)
        if len(dh):
            with torch.cuda.device_of(dh):
                if ctx.share is None:
                    _launch_resident(dh, torch.zeros_like(h0), W_hh, h, dz, ctx.relu, backward=True)
                else:
                    grid.backward("rnn", ctx.share, dh, W_hh, h, dz, torch.empty_like(h0), relu=ctx.relu)
        dh0 = dz[:, 0] @ W_hh if ctx.needs_input_grad[1] else None
        dW_hh = common.weight_gradient(dz, common.before(h0, h)) if ctx.needs_input_grad[2] else None
        return dz, dh0, dW_hh, None


def recurrence(z, h0, W_hh, nonlinearity="tanh"):
    """Run h^<t> = g(z^<t> + W_hh h^<t-1>) over all steps in one kernel, with its gradient in another.

    Sums are kept in float32 (float64 for float64). The gradient cannot be differentiated again.

    Parameters
    ----------
    z : (B, T, H) what each step hears from its input, W_ih x + b.
    h0 : (B, H) state before the first step.
    W_hh : (H, H) weights.
    nonlinearity : "tanh" or "relu".

    Returns
    -------
    h : (B, T, H) state after each step.

    Raises
    ------
    ValueError
        when a shape does not fit, there is no step, a name or a data type is unknown, or the weights do not fit the
        multiprocessors of the GPU.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")
    common.check_inputs(1, z, W_hh, h0=h0)
    return _Recurrence.apply(z, h0, W_hh, nonlinearity)
