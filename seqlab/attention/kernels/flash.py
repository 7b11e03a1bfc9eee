"""Scaled dot-product attention in tiles: no (Tq, Tk) array is ever stored, :eq:`online-softmax`.

Forward, a program owns a block of queries and walks over the keys, a tile at a time. It keeps, for each query, the
largest score so far m, the sum l of exp(s_j - m), and the sum of exp(s_j - m) v_j; when m grows, both sums shrink::

    m' = max(m, max_j s_j)      l' = l e^(m - m') + sum_j e^(s_j - m')      o' = o e^(m - m') + sum_j e^(s_j - m') v_j

At the end o / l is the context. The backward pass needs m and log l of every query. They are kept apart: added up, a
score of 10^4 would leave log l only the digits that 10^4 has not used. With them a weight can be computed again from
its score, and no weight is stored, :eq:`flash-backward`::

    p_ij = e^(s_ij - m_i - log l_i)    dp_ij = do_i . v_j    delta_i = do_i . o_i    ds_ij = p_ij (dp_ij - delta_i)
    dv_j = sum_i p_ij do_i      dq_i = scale sum_j ds_ij k_j      dk_j = scale sum_i ds_ij q_i

Two kernels: one owns queries and walks over keys, which also gives delta; the other owns keys and walks over queries.
Each number is summed by one program in one order: no atomics, and the same arguments give the same bits at every run.

Causal tiles that lie wholly in the future are not visited, and only those on the diagonal look at who is allowed.
Milakov and Gimelshein (2018); Dao et al. (2022); Dao (2023). `seqlab.attention.cost` counts what it must pay.
"""

import math

import torch
import triton

from seqlab.attention.kernels import flash_tiles
from seqlab.attention.kernels.common import check_numbers
from seqlab.kernels import pick_backend
from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.kernels.numbers import number_types

LARGEST = 256  # numbers of a query, or of a value, whose sums fit the registers of a program
FAR = 2**31 // 256  # a stride with which a tile of 256 rows stays within 32 bits


def plan(D, DV, dtype, heads=1, group=1, causal=False, mask=None):
    """Choose the constants of the three kernels; the compile tests read the same plan as the launch.

    Parameters
    ----------
    D, DV : numbers of a query and key, of a value.
    dtype : of queries, keys and values.
    heads, group : heads of the query; how many of them share those of key and value.
    causal : query i sees keys 0 to i.
    mask : None, or (B, heads, Tq, Tk) tensor.
    """
    kinds = {None: flash_tiles.NO_MASK, torch.bool: flash_tiles.ALLOWED, torch.uint8: flash_tiles.ALLOWED}
    return {
        "H": heads,
        "GROUP": group,
        "D": D,
        "DV": DV,
        "COLS": max(16, triton.next_power_of_2(D)),
        "COLS_V": max(16, triton.next_power_of_2(DV)),
        "CAUSAL": bool(causal),
        "MASK": kinds.get(None if mask is None else mask.dtype, flash_tiles.ADDED),
        "SAME": mask is not None and mask.stride(2) == 0,
        "SPLIT": dtype.itemsize >= 4,
        **number_types(dtype),
    }


class _Flash(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, mask, causal, scale):
        (B, H, Tq, D), (_, shared, Tk, DV) = query.shape, value.shape
        constants = plan(D, DV, query.dtype, H, H // shared if shared else 1, causal, mask)
        sums = torch.float64 if query.dtype == torch.float64 else torch.float32
        out = torch.empty(B, H, Tq, DV, dtype=query.dtype, device=query.device)
        shift, bits = torch.empty(2, B, H, Tq, dtype=sums, device=query.device)
        ctx.constants, ctx.scale = constants, scale
        ctx.save_for_backward(query, key, value, mask, out, shift, bits)
        if Tk == 0:
            return out.zero_()
        if out.numel():
            arguments = (query, key, value, query if mask is None else mask, out, shift, bits)
            sizes = (*_strides(query, key, value), *_mask_strides(mask), Tq, Tk, scale)
            with torch.cuda.device_of(query):
                flash_tiles.forward[_programs(B * H, Tq, "ROWS")](*arguments, *sizes, **constants)
        return out

    @staticmethod
    def backward(ctx, do):
        refuse_second_derivative()
        query, key, value, mask, out, shift, bits = ctx.saved_tensors
        (B, H, Tq, _), (_, shared, Tk, _) = query.shape, value.shape
        made = {"memory_format": torch.contiguous_format}
        dq, dk, dv = (torch.empty_like(tensor, **made) for tensor in (query, key, value))
        if not (B and H and Tq and Tk):
            return dq.zero_(), dk.zero_(), dv.zero_(), None, None, None
        do, delta = _rows(do), torch.empty_like(shift)
        given = (query, key, value, query if mask is None else mask, do)
        sizes = (*_strides(query, key, value), *_mask_strides(mask), *_strides(do), Tq, Tk, ctx.scale)
        with torch.cuda.device_of(query):
            queries = flash_tiles.backward_queries[_programs(B * H, Tq, "ROWS")]
            queries(*given, out, shift, bits, delta, dq, *sizes, **ctx.constants)
            if any(ctx.needs_input_grad[1:3]):
                keys = flash_tiles.backward_keys[_programs(B * shared, Tk, "KEYS")]
                keys(*given, shift, bits, delta, dk, dv, *sizes, **ctx.constants)
        return dq, dk, dv, None, None, None


def _programs(heads, T, block):
    return lambda config: (heads * triton.cdiv(T, config[block]),)


def _strides(*tensors):
    return [stride for tensor in tensors for stride in tensor.stride()[:3]]


def _mask_strides(mask):
    return (0, 0, 0, 0) if mask is None else mask.stride()


def _rows(tensor):
    """Lay the numbers of a row side by side, and rows not farther apart than 32 bits can say; mostly nothing to do."""
    near = tensor.shape[-1] < 2 or tensor.stride(-1) == 1
    return tensor if near and abs(tensor.stride(-2)) < FAR else tensor.contiguous()


def scaled_dot_product_attention(query, key, value, attn_mask=None, is_causal=False, scale=None):
    """Attend by scaled dot products, :eq:`scaled-dot-score`, in tiles, :eq:`online-softmax`.

    `seqlab.attention.scaled_dot_product_attention` with backend="triton" calls this. Sums are kept in float32 (float64
    for float64); a query that may attend to nothing gets a context of zeros and sends no gradient.

    Parameters
    ----------
    query : (..., heads, Tq, D) float32, bfloat16, float16 or float64; D is 1 to 256.
    key : (..., heads, Tk, D); or fewer heads that divide the query's, each for as many of those side by side.
    value : (..., heads, Tk, Dv), as many heads as the key; Dv is 1 to 256. Axes before the heads broadcast; all three
        may have neither them nor heads.
    attn_mask : None; or bool that broadcasts to (..., heads, Tq, Tk), True where attention may go; or floats that are
        added to the scaled scores, -inf where it may not. Axes of size 1 are read as they are, never copied.
    is_causal : True lets query i see keys 0 to i, counted from the first for both, as in torch.
    scale : factor of the scores; None for D ** -0.5.

    Returns
    -------
    context : (..., heads, Tq, Dv), contiguous, of the type of the query.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when the mask wants a gradient, the gradient is to be differentiated again, or a kernel cannot run here, see
        `seqlab.kernels.require_triton`.
    """
    lead, shared = _check_shapes(query, key, value)
    check_numbers(query=query, key=key, value=value)
    Tq, Tk, heads, B = query.shape[-2], key.shape[-2], lead[-1] if lead else 1, math.prod(lead[:-1])
    mask = _check_mask(attn_mask, query, (*lead, Tq, Tk))
    query, scale = _positive(query, query.shape[-1] ** -0.5 if scale is None else float(scale))
    tensors = []
    for tensor, n in ((query, heads), (key, shared), (value, shared)):
        axes = (n, *tensor.shape[-2:])
        tensors.append(_rows(tensor.expand(*lead[:-1], *axes[not lead :]).reshape(B, *axes)))
    if mask is not None:
        mask = mask.expand(*lead, Tq, Tk).reshape(B, heads, Tq, Tk)
    return _Flash.apply(*tensors, mask, is_causal, scale).reshape(*lead, Tq, value.shape[-1])


def _positive(query, scale):
    """Move into the query what the kernel cannot take: the sign, since it seeks the largest raw score; 64 bits."""
    if query.dtype == torch.float64 or scale == 0:
        return query * scale, 1.0
    return (query, scale) if scale > 0 else (-query, -scale)


def _check_shapes(query, key, value):
    """Give the result's axes before the last two, and the heads of key and value."""
    if query.ndim < 2:
        raise ValueError(f"query has shape {tuple(query.shape)}; it must have shape (..., heads, Tq, D)")
    D, heads, axes = query.shape[-1], query.shape[-3:-2], query.ndim
    for name, tensor, last in (("key", key, D), ("value", value, "Dv")):
        pattern = [*("B" * (axes - 3)), "heads", "Tk", last] if heads else ["Tk", last]
        have = key.shape[-2] if name == "value" and key.ndim > 1 else "Tk"
        wrong = tensor.ndim != axes or (name == "key" and tensor.shape[-1] != D) or have not in ("Tk", tensor.shape[-2])
        if wrong:
            pattern[-2] = have
            text = ", ".join(map(str, pattern))
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; it must have shape ({text})")
    for name, tensor in {"query": query, "value": value}.items():
        if not 1 <= tensor.shape[-1] <= LARGEST:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}; the kernel takes rows of 1 to {LARGEST} numbers: "
                "use backend='torch'"
            )
    if not heads:
        return (), 1
    if key.shape[-3] != value.shape[-3] or (heads[0] % key.shape[-3] if key.shape[-3] else heads[0]):
        raise ValueError(
            f"key and value have {key.shape[-3]} and {value.shape[-3]} heads; they must have as many as each other, "
            f"and the query's {heads[0]} heads must be a multiple of that"
        )
    try:
        batch = torch.broadcast_shapes(*(tensor.shape[:-3] for tensor in (query, key, value)))
    except RuntimeError:
        raise ValueError(
            f"query, key and value have shapes {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}; "
            "their axes before the heads must be the same, or broadcast"
        ) from None
    return (*batch, heads[0]), key.shape[-3]


def _check_mask(mask, query, shape):
    """Give the mask as the kernel reads it: bytes for bool."""
    if mask is None:
        return None
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise ValueError(f"attn_mask holds {mask.dtype}; it must hold bool, True = attend, or floats to be added")
    pick_backend("triton", query, mask)
    if mask.requires_grad and torch.is_grad_enabled():
        raise RuntimeError("the kernel gives attn_mask no gradient: use backend='torch', or give attn_mask.detach()")
    if mask.ndim > len(shape) or any(
        m not in (1, s) for m, s in zip(reversed(mask.shape), reversed(shape), strict=False)
    ):
        raise ValueError(f"attn_mask has shape {tuple(mask.shape)}; it must broadcast to {tuple(shape)}")
    return mask.view(torch.uint8) if mask.dtype == torch.bool else mask
