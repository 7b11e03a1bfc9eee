"""Compile the kernels for sm_90 as the plans of `kernels` would launch them; print what each form uses as JSON."""

import collections
import json
import re
import subprocess
import tempfile

import torch
from triton import knobs

import seqlab.kernels.compile as compiling
from seqlab.bench import BENCHMARKS
from seqlab.kernels import compile_for
from seqlab.tsne import kernels

FLOAT, LONG = {torch.float32: "*fp32", torch.float64: "*fp64"}, "*i64"
BENCHES = ("perplexity_search", "repulsion", "attraction")
MORE = {torch.float32: [1, 64, 1796, 2048, 5000], torch.float64: [90, 2048]}
_cubins = []


def main():
    keep, compiling._resources = compiling._resources, lambda cubin: _cubins.append(cubin) or keep(cubin)
    shapes = {name: [size for sizes in BENCHMARKS[name].shapes.values() for size in sizes] for name in BENCHES}
    rows = []
    for dtype in FLOAT:
        single = dtype == torch.float32
        searched = {shape["k"] for shape in shapes["perplexity_search"]} if single else set()
        rows += [search(k, dtype) for k in sorted(searched | set(MORE[dtype]))]
        for d in (1, 2, 3):
            # A launch finds out whether N is a multiple of 16; no more of it is compiled in.
            some = {shape["N"] % 16 == 0 for shape in shapes["repulsion"]} if single else {True}
            rows += [repulsion(whole, d, dtype) for whole in sorted(some)]
            rows.append(attraction(d, dtype))
    print(json.dumps(rows))


def search(k, dtype):
    constants, warps = kernels.search_plan(k, dtype)
    pointers = dict.fromkeys(("squared_ptr", "p_ptr", "beta_ptr"), FLOAT[dtype])
    held = constants["ROWS"] * (constants["HEAD"] + constants["REST"]) / (32 * warps)
    found = compiled(kernels._search, pointers | {"N": "i32"}, constants | {"GOAL": 4.9}, warps, held)
    return found | {"kernel": "search", "k": k, "dtype": str(dtype)}


def repulsion(whole, d, dtype):
    constants, warps = kernels.repulsion_plan(d, dtype)
    pointers = dict.fromkeys(("y_ptr", "force_ptr", "z_ptr"), FLOAT[dtype])
    pairs = constants["ROWS"] * constants["COLS"] / (32 * warps)
    found = compiled(kernels._repulsion, pointers | {"N": "i32"}, constants, warps, pairs, ["N"] * whole)
    return found | {"kernel": "repulsion", "whole": whole, "d": d, "dtype": str(dtype)}


def attraction(d, dtype):
    pointers = dict.fromkeys(("y_ptr", "p_ptr", "force_ptr", "cross_ptr"), FLOAT[dtype])
    pointers |= {"start_ptr": LONG, "col_ptr": LONG}
    constants = kernels.pair_plan(d, dtype) | {"WALK": kernels.WALK}
    found = compiled(kernels._attraction, pointers | {"N": "i32"}, constants, 1, kernels.WALK / 32)
    return found | {"kernel": "attraction", "d": d, "dtype": str(dtype)}


def compiled(kernel, signature, constants, warps, work, divisible=()):
    """What a kernel uses, and the instructions of each of its loops for one of the `work` things of a thread."""
    pointers = [name for name, kind in signature.items() if kind.startswith("*")]
    used = compile_for(kernel, signature, constants, divisible=[*pointers, *divisible], num_warps=warps)
    return {
        "warps": warps,
        "registers": used.registers,
        "spills": used.spills,
        "shared": used.shared,
        "loops": [{name: number / work for name, number in loop.items()} for loop in loops(_cubins[-1])],
    }


def loops(cubin):
    """Count the instructions between a jump back and where it jumps to, in all and by name."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [knobs.nvidia.cuobjdump.path, "-sass", file.name]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [(int(at, 16), what) for at, what in re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P\w+ )?(.*?);", text)]
    for at, what in lines:
        target = re.match(r"BRA.*\b0x([0-9a-f]+)", what)
        if target and (start := int(target[1], 16)) < at:
            names = [re.match(r"MUFU\.\w+|\w+", inside)[0] for here, inside in lines if start <= here <= at]
            yield {"all": len(names)} | collections.Counter(names)


if __name__ == "__main__":
    main()
