"""Compile the kernel for sm_90 as `kernels.plan` would launch it; print what each form uses as JSON."""

import json
import re

import torch

from seqlab.bench import BENCHMARKS
from seqlab.kernels import compile_for
from seqlab.lm.kernels import cross_entropy as kernels
from tests.sm90 import KINDS, forms

MORE = [(50, "float32"), (10001, "bfloat16"), (32768, "float16"), (8192, "float64"), (50257, "float64")]


def main():
    sizes = [size for name in ("cross_entropy", "linear_cross_entropy") for size in BENCHMARKS[name].shapes.values()]
    shapes = {(shape["V"], shape["dtype"]) for some in sizes for shape in some} | set(MORE)
    rows = []
    for V, dtype in sorted(shapes):
        for gradient in (False, True):
            rows += variants(V, dtype, gradient, same=True)
    print(json.dumps([*rows, *variants(32768, "bfloat16", gradient=True, same=False), rescale()]))


def variants(V, dtype, gradient, same):
    sums = KINDS["float64" if dtype == "float64" else "float32"]
    signature = {"z_ptr": KINDS[dtype], "y_ptr": "*i64", "scale_ptr": sums, "loss_ptr": sums, "dz_ptr": KINDS[dtype]}
    pointers = list(signature)
    constants = kernels.plan(V, getattr(torch, dtype), gradient, same)
    for form in forms(
        kernels._cross_entropy,
        signature | {"B": "i32", "V": "i32", "ignore": "i32"},
        constants,
        pointers + ["V"] * (V % 16 == 0),
        {"z_ptr": torch.empty(0, dtype=getattr(torch, dtype))},
    ):
        ptx = form.pop("ptx")
        yield form | {
            "kernel": "cross_entropy",
            "V": V,
            "dtype": dtype,
            "gradient": gradient,
            "same": same,
            "ahead": len(re.findall(r"cp\.async\.cg.*0x10, ", ptx)),
            "offsets": sorted(set(re.findall(r"mul\.lo\.(s32|s64)", ptx))),
            "wide_loads": len(re.findall(r"ld\.global\S*\.v[24]", ptx)),
            "wide_stores": len(re.findall(r"st\.global\S*\.v[24]", ptx)),
        }


def rescale():
    signature = {"x_ptr": "*bf16", "scale_ptr": "*fp32", "N": "i64", "rounds": "i32"}
    constants = {"BLOCK": kernels.RESCALE_BLOCK, "ACC": kernels.tl.float32}
    compiled = compile_for(kernels._rescale, signature, constants, num_warps=4)
    return {
        "kernel": "rescale",
        "warps": 4,
        "registers": compiled.registers,
        "spills": compiled.spills,
        "shared": compiled.shared,
    }


if __name__ == "__main__":
    main()
