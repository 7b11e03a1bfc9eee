"""Compile the softmax kernels for sm_90 as their plans would launch them; print what each form uses as JSON."""

import json
import re

import torch

from seqlab.bench import BENCHMARKS
from seqlab.kernels import compile_for
from seqlab.lm.kernels import common, softmax
from tests.sm90 import KINDS, forms

MORE = [(500, "float16"), (8192, "float64"), (50257, "float32")]  # no multiple of 16, as wide as can be, in parts


def main():
    full = BENCHMARKS["softmax"].shapes["full"]
    rows = []
    for V, dtype in sorted({(shape["V"], shape["dtype"]) for shape in full} | set(MORE)):
        kind = getattr(torch, dtype)
        if softmax.longest_row(kind) >= V:
            rows += variants(softmax._softmax_row, ("z", "p"), V, dtype, whole=True)
        else:
            rows += variants(softmax._softmax_online, ("z", "p"), V, dtype, whole=False)
        if softmax.longest_row(kind, arrays=2) >= V:
            rows += variants(softmax._softmax_backward, ("p", "dp", "dz"), V, dtype, whole=True)
        else:
            rows += variants(softmax._softmax_backward_parts, ("p", "dp", "dz"), V, dtype, whole=False)
    print(json.dumps([*rows, *passes()]))


def variants(kernel, names, V, dtype, whole):
    signature = {f"{name}_ptr": KINDS[dtype] for name in names}
    divisible = [*signature, *["V"] * (V % 16 == 0)]
    signature |= {"B": "i32", "V": "i32"} if whole else {"V": "i32"}
    first = {f"{names[0]}_ptr": torch.empty(0, dtype=getattr(torch, dtype))}
    for form in forms(kernel, signature, softmax.plan(V, getattr(torch, dtype), whole), divisible, first):
        ptx = form.pop("ptx")
        yield form | {
            "kernel": _name(kernel),
            "V": V,
            "dtype": dtype,
            "loads": len(re.findall(r"\bld\.global", ptx)),
            "ahead": len(re.findall(r"cp\.async\.cg.*0x10, ", ptx)),
            "wide_loads": len(re.findall(r"ld\.global\S*\.v[24]", ptx)),
            "wide_stores": len(re.findall(r"st\.global\S*\.v[24]", ptx)),
            "offsets": sorted(set(re.findall(r"mul\.lo\.(s32|s64)", ptx))),
        }


def passes():
    """The four kernels of the unfused way, which are not tuned."""
    for kernel in (softmax._row_max, softmax._exponentials, softmax._row_sum, softmax._quotient):
        kinds = {"z": "*bf16", "e": "*bf16", "p": "*bf16", "m": "*fp32", "l": "*fp32"}
        arguments = [name for name in kernel.arg_names if name.endswith("_ptr")]
        signature = {name: kinds[name.removesuffix("_ptr")] for name in arguments} | {"V": "i32"}
        constants = {"BLOCK": softmax.PASS_BLOCK, "ACC": common.sums(torch.bfloat16)}
        compiled = compile_for(kernel, signature, constants, divisible=[*arguments, "V"], num_warps=8)
        use = {"registers": compiled.registers, "spills": compiled.spills, "shared": compiled.shared}
        yield {"kernel": _name(kernel), "V": softmax.PASS_BLOCK, "dtype": "bfloat16", "warps": 8} | use


def _name(kernel):
    while hasattr(kernel, "fn"):
        kernel = kernel.fn
    return kernel.__name__.lstrip("_")


if __name__ == "__main__":
    main()
