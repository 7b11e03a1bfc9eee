"""Compile flash attention for sm_90 as `plan` would launch it; print what each form uses as JSON."""

import json
import re

import torch

from seqlab.attention.kernels import flash, flash_tiles
from seqlab.bench import BENCHMARKS
from tests.sm90 import KINDS, forms

# D, type, causal, mask, shared: what the benchmark does not time, each in its first form.
MORE = [
    (64, "bfloat16", False, "float", False),
    (128, "bfloat16", False, "bool", False),
    (128, "float16", False, "padding", True),
    (256, "bfloat16", True, None, False),
    (128, "float32", True, None, False),
    (256, "float32", True, None, False),
    (64, "float64", True, None, False),
]
POINTERS = {
    "forward": ("q", "k", "v", "mask", "out", "shift", "bits"),
    "backward_queries": ("q", "k", "v", "mask", "do", "out", "shift", "bits", "delta", "dq"),
    "backward_keys": ("q", "k", "v", "mask", "do", "shift", "bits", "delta", "dk", "dv"),
}
MASKS = {"bool": "*u8", "padding": "*u8", "float": "*fp32"}


def main():
    sizes = {(s["D"], s["dtype"], s["pairs"] == "causal", None, False) for s in BENCHMARKS["flash"].shapes["full"]}
    rows = []
    for name in POINTERS:
        for size in sorted(sizes, key=str):
            rows += variants(name, *size)
        rows += [next(variants(name, *size)) for size in MORE]
    print(json.dumps(rows))


def variants(name, D, dtype, causal, mask, shared):
    kernel = getattr(flash_tiles, name)
    constants = flash.plan(D, D, getattr(torch, dtype), 16, 4 if shared else 1, causal, mask_of(mask))
    sums = KINDS["float64" if dtype == "float64" else "float32"]
    kinds = dict.fromkeys(("shift", "bits", "delta"), sums) | {"mask": MASKS.get(mask, KINDS[dtype])}
    pointers = {f"{pointer}_ptr": kinds.get(pointer, KINDS[dtype]) for pointer in POINTERS[name]}
    given = ["q", "k", "v", *(["do"] if "backward" in name else [])]
    strides = [f"{tensor}_{axis}" for tensor in given for axis in "bht"]
    masks = [f"mask_{axis}" for axis in "bhqk"]
    signature = pointers | dict.fromkeys([*strides, *masks, "Tq", "Tk"], "i32") | {"scale": "fp32"}
    divisible = [*pointers, *(strides if D % 16 == 0 else [])]
    for form in forms(kernel, signature, constants, divisible):
        ptx = form.pop("ptx")
        yield form | {
            "kernel": name,
            "size": [D, dtype, causal, mask, shared],
            "wgmma": len(re.findall(r"wgmma\.mma_async", ptx)),
            "mma": len(re.findall(r"\bmma\.sync", ptx)),
            "turned": len(re.findall(r"stmatrix\S*\.trans", ptx)),
            "ahead": len(re.findall(r"cp\.async\.cg.*0x10, ", ptx)),
            "atomics": len(re.findall(r"\b(?:atom|red)\.global", ptx)),
            "powers": len(re.findall(r"ex2\.approx", ptx)),
            "slow_powers": len(re.findall(r"call.*exp", ptx)),
        }


def mask_of(kind):
    if kind is None:
        return None
    if kind == "padding":
        return torch.empty(1, 1, 1, 64, dtype=torch.uint8).expand(1, 1, 64, 64)
    return torch.empty(1, 1, 64, 64, dtype=torch.uint8 if kind == "bool" else torch.float32)


if __name__ == "__main__":
    main()
