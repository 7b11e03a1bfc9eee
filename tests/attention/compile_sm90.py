"""Compile flash attention for sm_90 as `plan` would launch it; print what each form uses as JSON."""

import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import attention

# D, type, pairs, mask, shared: what the benchmark does not time, each in its first form.
MORE = [
    (64, "bfloat16", "all", "float", False),
    (128, "bfloat16", "all", "bool", False),
    (128, "float16", "all", "padding", True),
    (256, "bfloat16", "causal", None, False),
    (128, "float32", "causal", None, False),
    (256, "float32", "causal", None, False),
    (64, "float64", "causal", None, False),
]


def main():
    sizes = {(s["D"], s["dtype"], s["pairs"], None, False) for s in BENCHMARKS["flash"].shapes["full"]}
    rows = []
    for number, size in enumerate([*sorted(sizes, key=str), *MORE]):
        for launch in attention.flash(*size):
            forms = launch.compiled(first=number >= len(sizes))
            rows += [row(*form) | {"size": [size[0], size[1], size[2] == "causal", *size[3:]]} for form in forms]
    print(json.dumps(rows))


def row(row, compiled):
    ptx = compiled.ptx
    return row | {
        "wgmma": len(re.findall(r"wgmma\.mma_async", ptx)),
        "mma": len(re.findall(r"\bmma\.sync", ptx)),
        "turned": len(re.findall(r"stmatrix\S*\.trans", ptx)),
        "ahead": len(re.findall(r"cp\.async\.cg.*0x10, ", ptx)),
        "atomics": len(re.findall(r"\b(?:atom|red)\.global", ptx)),
        "powers": len(re.findall(r"ex2\.approx", ptx)),
        "slow_powers": len(re.findall(r"call.*exp", ptx)),
    }


if __name__ == "__main__":
    main()
