"""Compile the kernels for sm_90 as `kernels.plan` would launch them; print what they use as JSON."""

import json

import torch

from seqlab.bench import BENCHMARKS
from seqlab.kernels import compile_for
from seqlab.recurrent import kernels

KINDS = {"float32": "*fp32", "bfloat16": "*bf16", "float16": "*fp16"}


def main():
    rows = []
    shapes = {(s["H"], s["dtype"]) for sizes in BENCHMARKS["rnn"].shapes.values() for s in sizes}
    for H, dtype in sorted(shapes):
        for backward in (False, True):
            for nonlinearity in ("tanh", "relu"):
                rows += variants(H, dtype, backward, nonlinearity)
    print(json.dumps(rows))


def variants(H, dtype, backward, nonlinearity):
    kernel, constants = kernels.plan(H, getattr(torch, dtype), nonlinearity, backward)
    configs = kernel.configs
    if kernel.early_config_prune:
        configs = kernel.early_config_prune(configs, {}, **constants)
    for config in configs:
        given = constants | config.kwargs
        signature = {
            name: KINDS[dtype] if name.endswith("_ptr") else "i32" for name in kernel.arg_names if name not in given
        }
        divisible = [
            name for name in signature if name.endswith("_ptr") or name == "S" or (name == "H" and H % 16 == 0)
        ]
        options = {"num_warps": config.num_warps, "num_stages": config.num_stages}
        compiled = compile_for(kernel, signature, given, divisible=divisible, **options)
        yield {
            "kernel": kernel.fn.__name__,
            "H": H,
            "dtype": dtype,
            "backward": backward,
            "nonlinearity": nonlinearity,
            "warps": config.num_warps,
            "registers": compiled.registers,
            "spills": compiled.spills,
            "shared": compiled.shared,
            "products": compiled.ptx.count("mma.sync"),
        }


if __name__ == "__main__":
    main()
