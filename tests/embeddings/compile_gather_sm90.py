"""Compile looking up and adding for sm_90 as their plans would launch them; print what each form uses as JSON."""

import json
import re

import torch

from seqlab.bench import BENCHMARKS
from seqlab.embeddings.kernels import gather
from seqlab.kernels import compile_for
from tests.sm90 import KINDS

MORE = [(63, "float32"), (50, "float16"), (256, "float64")]
COUNTS = {"B": "i32", "V": "i32"}
WALK = COUNTS | {"offset": "i32", "LONG": "i32"}


def main():
    timed = {(shape["D"], shape["dtype"]) for shapes in BENCHMARKS["embedding"].shapes.values() for shape in shapes}
    rows = []
    for D, dtype in sorted(timed | set(MORE)):
        for kernel, signature, constants, warps in launches(D, getattr(torch, dtype), dtype):
            rows.append(form(kernel, signature, constants, warps) | {"D": D, "dtype": dtype})
    print(json.dumps(rows))


def launches(D, dtype, name):
    table, sums = KINDS[name], KINDS["float64" if dtype == torch.float64 else "float32"]
    copy = {"ids_ptr": "*i64", "weight_ptr": table, "out_ptr": table} | COUNTS
    yield gather._gather, copy, gather.copy_plan(D, dtype.itemsize), 4
    acc = {"ACC": gather.TYPES[dtype]}
    add = {"ids_ptr": "*i64", "d_ptr": table, "sums_ptr": sums} | COUNTS
    yield gather._add_at_random, add, gather.copy_plan(D, 8 if dtype == torch.float64 else 4) | acc, 4
    constants, _ = gather.walk_plan(1_000_000, D, dtype)
    for key in ("*i16", "*i32"):
        walk = {"key_ptr": key, "place_ptr": "*i64", "d_ptr": table, "sums_ptr": table, "parts_ptr": sums} | WALK
        yield gather._add_in_order, walk, constants | acc, 1
    parts = {"key_ptr": "*i16", "sums_ptr": table, "parts_ptr": sums} | WALK
    yield gather._add_parts, parts, constants | {"PARTS": gather.PARTS}, 4


def form(kernel, signature, constants, warps):
    used = compile_for(kernel, signature, constants, num_warps=warps)
    return {
        "kernel": kernel.__name__,
        "warps": warps,
        "registers": used.registers,
        "spills": used.spills,
        "shared": used.shared,
        "wide_loads": len(re.findall(r"ld\.global\S*\.v4\.b32", used.ptx)),
        "additions": re.findall(r"(?:atom|red)\.global\.gpu\.(\w+)\.add\.(\S*f\d\d)", used.ptx),
        "offsets": re.findall(r"(?:mul|mad)\.lo\.(s32|s64)", used.ptx),
    }


if __name__ == "__main__":
    main()
