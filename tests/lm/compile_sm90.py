"""Compile the kernel for sm_90 as `kernels.plan` would launch it; print what each form uses as JSON."""

import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import lm

MORE = [(50, "float32"), (10001, "bfloat16"), (32768, "float16"), (8192, "float64"), (50257, "float64")]


def main():
    sizes = [size for name in ("cross_entropy", "linear_cross_entropy") for size in BENCHMARKS[name].shapes.values()]
    shapes = {(shape["V"], shape["dtype"]) for some in sizes for shape in some} | set(MORE)
    rows = []
    for V, dtype in sorted(shapes):
        rows += variants(V, dtype, (False, True), same=True)
    rows += variants(32768, "bfloat16", (True,), same=False)
    print(json.dumps([*rows, *(row for launch in lm.rescale() for row, _ in launch.compiled())]))


def variants(V, dtype, gradients, same):
    for launch in lm.cross_entropy(V, dtype, gradients, same):
        for row, compiled in launch.compiled():
            yield row | {
                "V": V,
                "dtype": dtype,
                "gradient": launch.constants["GRADIENT"],
                "same": same,
                "ahead": len(re.findall(r"cp\.async\.cg.*0x10, ", compiled.ptx)),
                "offsets": sorted(set(re.findall(r"mul\.lo\.(s32|s64)", compiled.ptx))),
                "wide_loads": len(re.findall(r"ld\.global\S*\.v[24]", compiled.ptx)),
                "wide_stores": len(re.findall(r"st\.global\S*\.v[24]", compiled.ptx)),
            }


if __name__ == "__main__":
    main()
