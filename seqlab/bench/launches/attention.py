"""Attention: the three kernels of the tiles, and those of the additive score."""

import torch

from seqlab.attention.kernels import additive as additive_kernels
from seqlab.attention.kernels import flash as flash_kernels
from seqlab.attention.kernels import flash_tiles
from seqlab.bench.launches.model import INT, KINDS, Launch, pointers, sums

FLASH = {
    "forward": ("q", "k", "v", "mask", "out", "shift", "bits"),
    "backward_queries": ("q", "k", "v", "mask", "do", "out", "shift", "bits", "delta", "dq"),
    "backward_keys": ("q", "k", "v", "mask", "do", "shift", "bits", "delta", "dk", "dv"),
}
MASKS = {"bool": "*u8", "padding": "*u8", "float": "*fp32"}


def flash(D, dtype, pairs="causal", mask=None, shared=False, kernels=tuple(FLASH), **others):
    """Attention in tiles.

    Parameters
    ----------
    D, dtype : numbers of a row, and their type.
    pairs : "causal" or "all".
    mask : None, "bool", "padding" (one row for all queries) or "float".
    shared : four heads of the query share one of keys and values.
    kernels : names out of `FLASH`.
    """
    shape = {"D": D, "pairs": pairs, "dtype": dtype}
    constants = flash_kernels.plan(
        D, D, getattr(torch, dtype), 16, 4 if shared else 1, pairs == "causal", _mask_of(mask)
    )
    kinds = dict.fromkeys(("shift", "bits", "delta"), sums(dtype)) | {"mask": MASKS.get(mask, KINDS[dtype])}
    for name in kernels:
        signature = {f"{pointer}_ptr": kinds.get(pointer, KINDS[dtype]) for pointer in FLASH[name]}
        strides = [
            f"{tensor}_{axis}" for tensor in ["q", "k", "v", *(["do"] if "backward" in name else [])] for axis in "bht"
        ]
        divisible = [*signature, *(strides if D % 16 == 0 else [])]
        masks = [f"mask_{axis}" for axis in "bhqk"]
        signature |= dict.fromkeys([*strides, *masks, "Tq", "Tk"], "i32") | {"scale": "fp32"}
        yield Launch(name, shape, getattr(flash_tiles, name), signature, constants, divisible)


def _mask_of(kind):
    if kind is None:
        return None
    if kind == "padding":
        return torch.empty(1, 1, 1, 64, dtype=torch.uint8).expand(1, 1, 64, 64)
    return torch.empty(1, 1, 64, 64, dtype=torch.uint8 if kind == "bool" else torch.float32)


def additive(T, D, dtype, **others):
    """Additive attention: T queries and as many keys of D hidden units."""
    shape = {"T": T, "D": D, "dtype": dtype}
    given, wide, constants = KINDS[dtype], sums(dtype), additive_kernels.numbers(getattr(torch, dtype))
    padded = additive_kernels._padded(T)
    whole = {"Tq": T, "Tk": T, "T": T, "S": T, "D": D, "queries": padded, "keys": padded, "times": padded}
    signature = {"q_ptr": given, "k_ptr": given, "eq_ptr": wide, "ek_ptr": wide, "v_ptr": given, "mask_ptr": "*u8"}
    signature |= {"wide_ptr": INT, "score_ptr": wide} | dict.fromkeys(("Tq", "Tk", "D", "queries", "keys"), "i32")
    signature |= dict.fromkeys(("mask_b", "mask_q", "mask_k"), "i32")
    tiles = {"MOST": min(64, 1 << (T - 1).bit_length()), "MASKED": True} | constants
    yield _walk("scores", shape, additive_kernels._scores, signature, tiles, whole)
    signature = {"x_ptr": given, "y_ptr": given, "ex_ptr": wide, "ey_ptr": wide, "ds_ptr": wide, "v_ptr": given}
    signature |= {"wide_ptr": INT, "dx_ptr": given, "part_ptr": wide} | dict.fromkeys(("T", "S", "D", "times"), "i32")
    for of_v in (True, False):
        tiles = {"ROWS": additive_kernels.own_rows(T), "OF_V": of_v} | constants
        yield _walk("gradient", shape, additive_kernels._gradient, signature, tiles, whole)
    plan = additive_kernels.row_plan(T)
    row, warps = {"BLOCK": plan["BLOCK"], "ACC": constants["ACC"]}, {"num_warps": plan["num_warps"]}
    signature = {"score_ptr": wide, "weight_ptr": given, "Tk": "i32"}
    yield Launch("normalise", shape, additive_kernels._normalise, signature, row, options=warps)
    signature = {"weight_ptr": given, "dw_ptr": given, "ds_ptr": wide, "Tk": "i32", "keys": "i32"}
    yield Launch("score gradient", shape, additive_kernels._score_gradient, signature, row, options=warps)
    signature = {"x_ptr": given, "e_ptr": wide, "wide_ptr": INT}
    signature |= dict.fromkeys(("T", "times", "D", "by_time", "by_dim"), "i32")
    tile = {"ROWS": additive_kernels.PAD, "COLS": 32, "ACC": constants["ACC"]}
    yield Launch("exponentials", shape, additive_kernels._exponentials, signature, tile, options={"num_warps": 4})


def _walk(name, shape, kernel, signature, constants, sizes):
    aligned = [key for key in signature if sizes.get(key, 1) % 16 == 0]
    return Launch(name, shape, kernel, signature, constants, [*pointers(signature), *aligned])
