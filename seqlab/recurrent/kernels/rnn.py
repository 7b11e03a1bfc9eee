"""The recurrence of a plain RNN over whole sequences in one launch, forward and backward::

    forward, t = 0 .. T-1     h^<t>  = g(z^<t> + h^<t-1> W_hh^T)                   z^<t> = W_ih x^<t> + b
    backward, t = T-1 .. 0    dz^<t> = (dh^<t> + dz^<t+1> W_hh) * g'(z^<t>)

Both are one recurrence, state = finish(input + state M): backward it starts at the end, M is W_hh in place of its
transpose, and it finishes with the slope in place of the squashing. What is no recurrence is left to torch as one
large product each: z for all steps at once, and every weight gradient from dz.

A loop in torch launches its kernels again at every step. Here a program owns ROWS sequences and walks through all
their steps alone: no program waits for another, and no step waits for the CPU. There are two ways to hold M:

- `_resident`: M is loaded once and stays on the multiprocessor, the state in registers. This is as far as one
  multiprocessor's 227 KB of shared memory go: H up to 128 in float32 and 256 in 16 bits.
- `_streaming`, above: at every step the whole of M passes through the program in tiles, out of the L2 cache, and the
  state is read back from where the step before wrote it. Any size works, but the cost is plain: H * H * itemsize bytes
  a step. Assume that one multiprocessor draws 0.1 TB/s from L2, and H = 1024 in bfloat16 takes 20 us a step; many
  multiprocessors that share M out and meet at a barrier would take about 1 us. So backend="auto" leaves these sizes
  to torch until a measurement says otherwise.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting, pick_backend, tuned
from seqlab.recurrent.kernels.common import TYPES, tanh
from seqlab.recurrent.kernels.sizes import is_resident
from seqlab.shapes import check_shape

LARGEST_TILE = 128
ROWS = 16  # the smallest tile of the tensor cores: more programs, each with less to do between two steps


@triton.jit
def _finish(total, h_ptr, inside, BACKWARD: tl.constexpr, RELU: tl.constexpr):
    """Forward: squash. Backward: multiply by the slope, written with the state h that the forward pass stored."""
    if BACKWARD:
        h = tl.load(h_ptr, mask=inside, other=0.0).to(total.dtype)
        if RELU:
            return tl.where(h > 0, total, 0.0)
        else:
            return total * (1 - h * h)
    else:
        if RELU:
            return tl.where(total < 0, 0.0, total)
        else:
            return tanh(total)


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
        total = tl.load(in_ptr + here, mask=inside, other=0.0).to(ACC)
        total = tl.dot(state.to(DOT), M, acc=total, input_precision=PRECISION, out_dtype=ACC)
        state = _finish(total, h_ptr + here, inside, BACKWARD, RELU)
        tl.store(out_ptr + here, state.to(out_ptr.dtype.element_ty), mask=inside)
        here += step


@tuned(
    [
        triton.Config({"COLS": 128, "TILE": 32}, num_warps=8, num_stages=3),
        triton.Config({"COLS": 64, "TILE": 32}, num_warps=4, num_stages=3),
    ],
    key=["H", "BACKWARD", "PRECISION"],
)
@triton.jit
def _streaming(
    in_ptr,
    first_ptr,
    M_ptr,  # (S, S), with zeros up to a multiple of the tiles
    h_ptr,
    out_ptr,
    B,
    T,
    H,
    S,
    BACKWARD: tl.constexpr,
    RELU: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,  # columns of the new state at a time
    TILE: tl.constexpr,  # columns of the old state at a time
    DOT: tl.constexpr,
    ACC: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    before = first_ptr + row * H
    start = row * T * H
    step = H
    if BACKWARD:
        start += (T - 1) * H
        step = -H
    for _ in range(T):
        for n in range(0, H, COLS):
            col = n + tl.arange(0, COLS)[None, :]
            inside = (row < B) & (col < H)
            total = tl.load(in_ptr + start + col, mask=inside, other=0.0).to(ACC)
            for m in range(0, H, TILE):
                k = m + tl.arange(0, TILE)
                state = tl.load(before + k[None, :], mask=(row < B) & (k[None, :] < H), other=0.0).to(DOT)
                M = tl.load(M_ptr + k[:, None].to(tl.int64) * S + col).to(DOT)
                total = tl.dot(state, M, acc=total, input_precision=PRECISION, out_dtype=ACC)
            new = _finish(total, h_ptr + start + col, inside, BACKWARD, RELU)
            tl.store(out_ptr + start + col, new.to(out_ptr.dtype.element_ty), mask=inside)
        tl.debug_barrier()  # every thread's part of the new state is written before any thread reads it
        before = out_ptr + start
        start += step


def plan(H, dtype, nonlinearity="tanh", backward=False, interpreted=False):
    """Choose the kernel for a size and its constants; the compile tests read the same plan as the launch.

    In the interpreter the products of 16-bit numbers are done in float32: it cannot multiply bfloat16.
    """
    constants = {
        "BACKWARD": backward,
        "RELU": nonlinearity == "relu",
        "ROWS": ROWS,
        "DOT": tl.float32 if interpreted and dtype.itemsize < 4 else TYPES[dtype],
        "ACC": tl.float64 if dtype == torch.float64 else tl.float32,
        "PRECISION": _precision(dtype),
    }
    if is_resident(H, dtype):
        return _resident, constants | {"COLS": max(16, triton.next_power_of_2(H))}
    return _streaming, constants


def _precision(dtype):
    """Three tensor-core products keep float32's digits; one (tf32) does where torch's own products may use it too."""
    if dtype != torch.float32:
        return "ieee"
    return "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"


def _launch(inputs, first, M, h, nonlinearity, backward):
    B, T, H = inputs.shape
    kernel, constants = plan(H, inputs.dtype, nonlinearity, backward, interpreting())
    sizes = {"B": B, "T": T, "H": H}
    if kernel is _streaming:
        sizes["S"] = triton.cdiv(H, LARGEST_TILE) * LARGEST_TILE
    S = sizes.get("S", constants.get("COLS"))
    padded = M.new_zeros(S, S)
    padded[:H, :H] = M
    out = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    states = out if h is None else h  # forward, there is nothing to read yet
    if B > 0:
        with torch.cuda.device_of(inputs):
            kernel[(triton.cdiv(B, ROWS),)](
                inputs.contiguous(), first.contiguous(), padded, states, out, **sizes, **constants
            )
    return out


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, h0, W_hh, nonlinearity):
        h = _launch(z, h0, W_hh.T, None, nonlinearity, backward=False)
        ctx.save_for_backward(h0, W_hh, h)
        ctx.nonlinearity = nonlinearity
        return h

    @staticmethod
    def backward(ctx, dh):
        if torch.is_grad_enabled():  # torch's once_differentiable would let a wrong second derivative through here
            raise RuntimeError("the kernel's gradient cannot be differentiated again: use backend='torch'")
        h0, W_hh, h = ctx.saved_tensors
        dz = _launch(dh, torch.zeros_like(h0), W_hh, h, ctx.nonlinearity, backward=True)
        dh0 = dW_hh = None
        if ctx.needs_input_grad[1]:
            dh0 = dz[:, 0] @ W_hh
        if ctx.needs_input_grad[2]:
            h_before = torch.cat([h0[:, None], h[:, :-1]], dim=1)
            dW_hh = dz.flatten(0, 1).T @ h_before.flatten(0, 1)
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
        when a shape does not fit, there is no step, or a name or a data type is unknown.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    B, T, H = check_shape("z", z, ("B", "T", "H")).values()
    check_shape("h0", h0, (B, H))
    check_shape("W_hh", W_hh, (H, H))
    if T == 0:
        raise ValueError(f"z has shape {tuple(z.shape)}, so it has no step; a sequence needs at least one")
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")
    for name, tensor in {"z": z, "h0": h0, "W_hh": W_hh}.items():
        if tensor.dtype not in TYPES:
            raise ValueError(f"{name} holds {tensor.dtype}; the kernel takes float32, bfloat16, float16 and float64")
        if tensor.dtype != z.dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and z holds {z.dtype}; convert one of them")
    pick_backend("triton", z, h0, W_hh)
    return _Recurrence.apply(z, h0, W_hh, nonlinearity)
