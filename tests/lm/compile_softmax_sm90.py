"""Compile the softmax kernels for sm_90 as their plans would launch them; print what each form uses as JSON."""

import json
import re

import torch

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import KINDS, Launch, lm
from seqlab.lm.kernels import common, softmax

MORE = [(500, "float16"), (8192, "float64"), (50257, "float32")]  # no multiple of 16, as wide as can be, in parts
PASSES = ("row_max", "exponentials", "row_sum", "quotient")


def main():
    full = {(shape["V"], shape["dtype"]) for shape in BENCHMARKS["softmax"].shapes["full"]}
    launches = [launch for V, dtype in sorted(full | set(MORE)) for launch in lm.softmax(V, dtype)]
    print(json.dumps([used(*form) for launch in [*launches, *passes()] for form in launch.compiled()]))


def passes():
    """The four kernels of the unfused way, which are not tuned."""
    for name in PASSES:
        kernel = getattr(softmax, f"_{name}")
        sums = dict.fromkeys(("m_ptr", "l_ptr"), "*fp32")
        pointers = {name: sums.get(name, KINDS["bfloat16"]) for name in kernel.arg_names if name.endswith("_ptr")}
        constants = {"BLOCK": softmax.PASS_BLOCK, "ACC": common.sums(torch.bfloat16)}
        shape = {"V": 32768, "dtype": "bfloat16"}
        divisible, options = [*pointers, "V"], {"num_warps": 8}
        yield Launch(name, shape, kernel, pointers | {"V": "i32"}, constants, divisible, options)


def used(row, compiled):
    """What a form of a kernel uses, and what its instructions are."""
    row |= row.pop("shape")
    loops = compiled.loops()
    return row | {
        "loads": len(re.findall(r"\bld\.global", compiled.ptx)),
        "ahead": len(re.findall(r"cp\.async\.cg.*0x10, ", compiled.ptx)),
        "wide_loads": len(re.findall(r"ld\.global\S*\.v[24]", compiled.ptx)),
        "wide_stores": len(re.findall(r"st\.global\S*\.v[24]", compiled.ptx)),
        "offsets": sorted(set(re.findall(r"mul\.lo\.(s32|s64)", compiled.ptx))),
        "loop": max((loop["all"] for loop in loops), default=None),
    }


if __name__ == "__main__":
    main()
