"""What the kernels of all cells share: data types, padding and checks."""

import torch
import triton
import triton.language as tl

from seqlab.kernels import pick_backend, tuned
from seqlab.kernels.numbers import TYPES
from seqlab.shapes import check_shape


def _worth_trying(configs, named_args, COLS, DOT, **others):
    """Keep a warp for every 8 columns, or 16 of 16 bits: fewer overflow the registers, more wait for each other."""
    most = 8 if DOT in (tl.float32, tl.float64) else 16
    return [config for config in configs if COLS // most <= config.num_warps <= COLS // 8]


# For a kernel whose state stays in its program and that has three or four products a step.
resident_tuned = tuned(
    [triton.Config({}, num_warps=warps) for warps in (1, 2, 4, 8, 16)], key=["COLS", "PRECISION"], prune=_worth_trying
)


def padded(weights, slots, rows, columns):
    """Copy (G, H, H) weights into (slots, rows, columns), zeros around them, so that kernels load without a mask."""
    out = weights.new_zeros(slots, rows, columns)
    out[tuple(map(slice, weights.shape))] = weights
    return out


def check_inputs(gates, z, W_hh, **others):
    """Check what a recurrence is given; `others` are states (B, H), or a bias (gates * H,) named b_hh, or None."""
    name = "H" if gates == 1 else f"{gates} * H"
    B, T, width = check_shape("z", z, ("B", "T", name)).values()
    if width % gates:
        raise ValueError(f"z has shape {tuple(z.shape)}; its last size must be a multiple of {gates}, one H per gate")
    H = width // gates
    given = {name: tensor for name, tensor in others.items() if tensor is not None}
    for name, tensor in given.items():
        check_shape(name, tensor, (gates * H,) if name == "b_hh" else (B, H))
    check_shape("W_hh", W_hh, (gates * H, H))
    if T == 0:
        raise ValueError(f"z has shape {tuple(z.shape)}, so it has no step; a sequence needs at least one")
    for name, tensor in {"z": z, "W_hh": W_hh, **given}.items():
        if tensor.dtype not in TYPES:
            raise ValueError(f"{name} holds {tensor.dtype}; the kernel takes float32, bfloat16, float16 and float64")
        if tensor.dtype != z.dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and z holds {z.dtype}; convert one of them")
    pick_backend("triton", z, W_hh, *given.values())


def needs_gradient(*tensors):
    """Say whether a backward pass can follow; without one, nothing is kept for it."""
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def empty(z, H):
    """(B, T, H) memory without a value, in the manner of z."""
    return torch.empty_like(z[..., :H], memory_format=torch.contiguous_format)


def before(first, states):
    """(B, T, H) the state before each step: `first`, then all of `states` but the last."""
    return torch.cat([first[:, None], states[:, :-1]], dim=1)


def weight_gradient(da, states):
    """(G, H) for da (B, T, G) and the states (B, T, H) that the weights multiplied: one product over all steps."""
    return da.flatten(0, 1).T @ states.flatten(0, 1)
