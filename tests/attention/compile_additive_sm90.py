"""Compile additive attention for sm_90 at the sizes of the benchmark, as its plan would launch it; print JSON."""

import json

import torch

import seqlab.kernels.compile as compiling
from seqlab.attention.kernels import additive
from seqlab.bench import BENCHMARKS
from tests.sm90 import KINDS, forms
from tests.tsne.compile_sm90 import loops

FLOAT, DOUBLE, INT = "*fp32", "*fp64", "*i32"
MORE = [{"T": 1, "D": 128, "dtype": "float32"}, {"T": 64, "D": 64, "dtype": "float64"}]
_cubins = []


def main():
    keep, compiling._resources = compiling._resources, lambda cubin: _cubins.append(cubin) or keep(cubin)
    rows, seen = [], []
    for shape in [*BENCHMARKS["additive"].shapes["full"], *MORE]:
        if (kind := alike(**shape)) not in seen:
            seen.append(kind)
            rows += [{"alike": kind} | row for row in launches(shape["T"], shape["D"], shape["dtype"])]
    print(json.dumps(rows))


def alike(T, D, dtype, B=None):
    """What of a shape is compiled in: queries that a tile can have, and what is a multiple of 16."""
    return [dtype, min(64, 1 << (T - 1).bit_length()), T % 16 == 0, D % 16 == 0]


def launches(T, D, dtype):
    shape = {"T": T, "D": D, "dtype": dtype}
    number = getattr(torch, dtype)
    given, wide, constants = KINDS[dtype], DOUBLE if dtype == "float64" else FLOAT, additive.numbers(number)
    most, rows = min(64, 1 << (T - 1).bit_length()), additive.own_rows(T)
    padded = additive._padded(T)
    whole = {"Tq": T, "Tk": T, "T": T, "S": T, "D": D, "queries": padded, "keys": padded, "times": padded}
    signature = {"q_ptr": given, "k_ptr": given, "eq_ptr": wide, "ek_ptr": wide, "v_ptr": given, "mask_ptr": "*u8"}
    signature |= {"wide_ptr": INT, "score_ptr": wide} | dict.fromkeys(("Tq", "Tk", "D", "queries", "keys"), "i32")
    signature |= dict.fromkeys(("mask_b", "mask_q", "mask_k"), "i32")
    tiles = {"MOST": most, "MASKED": True} | constants
    yield from used("scores", shape, additive._scores, signature, tiles, whole)
    signature = {"x_ptr": given, "y_ptr": given, "ex_ptr": wide, "ey_ptr": wide, "ds_ptr": wide, "v_ptr": given}
    signature |= {"wide_ptr": INT, "dx_ptr": given, "part_ptr": wide} | dict.fromkeys(("T", "S", "D", "times"), "i32")
    for of_v in (True, False):
        yield from used(
            "gradient", shape, additive._gradient, signature, {"ROWS": rows, "OF_V": of_v} | constants, whole
        )
    plan = additive.row_plan(T)
    row = {"BLOCK": plan["BLOCK"], "ACC": constants["ACC"]}
    signature = {"score_ptr": wide, "weight_ptr": given, "Tk": "i32"}
    yield plain("normalise", shape, additive._normalise, signature, row, plan["num_warps"])
    signature = {"weight_ptr": given, "dw_ptr": given, "ds_ptr": wide, "Tk": "i32", "keys": "i32"}
    yield plain("score gradient", shape, additive._score_gradient, signature, row, plan["num_warps"])
    signature = {"x_ptr": given, "e_ptr": wide, "wide_ptr": INT}
    signature |= dict.fromkeys(("T", "times", "D", "by_time", "by_dim"), "i32")
    tile = {"ROWS": additive.PAD, "COLS": 32, "ACC": constants["ACC"]}
    yield plain("exponentials", shape, additive._exponentials, signature, tile, 4)


def used(name, shape, kernel, signature, constants, sizes):
    """All forms that the tuner would try, each with the instructions of its longest loop for a pair and dimension."""
    pointers = [key for key, kind in signature.items() if kind.startswith("*")]
    aligned = [key for key in signature if sizes.get(key, 1) % 16 == 0]
    before = len(_cubins)
    for number, form in enumerate(forms(kernel, signature, constants, [*pointers, *aligned])):
        form.pop("ptx")
        if name == "scores":
            work = form["QUERIES"] * form["KEYS"] * additive.TOGETHER
        else:
            work = constants["ROWS"] * form["COLS"]
        found = [
            {key: n * 32 * form["warps"] / work for key, n in loop.items()} for loop in loops(_cubins[before + number])
        ]
        fast = [loop for loop in found if "MUFU.RSQ" in loop and "MUFU.EX2" not in loop]
        yield {"kernel": name, "shape": shape, "loops": fast, "OF_V": constants.get("OF_V")} | form


def plain(name, shape, kernel, signature, constants, warps):
    compiled = compiling.compile_for(kernel, signature, constants, num_warps=warps)
    row = {"kernel": name, "shape": shape, "warps": warps, "shared": compiled.shared}
    return row | {"registers": compiled.registers, "spills": compiled.spills}


if __name__ == "__main__":
    main()
