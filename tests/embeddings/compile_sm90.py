"""Compile the kernels for sm_90 at the sizes of the benchmarks, as their plans would launch them; print JSON."""

import importlib
import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.embeddings.kernels import cbow, glove, hierarchical, sgns
from seqlab.kernels import compile_for

cooccurrence = importlib.import_module("seqlab.embeddings.kernels.cooccurrence")
LONGEST = 24  # turns on the longest way through a tree of some ten thousand words
TABLE, IDS = "*fp32", "*i64"
STEP = {"loss_ptr": TABLE, "W": "i32", "V": "i32", "lr": "fp32"}
SGNS = {"E_ptr": TABLE, "O_ptr": TABLE, "centre_ptr": IDS, "contexts_ptr": IDS, "negatives_ptr": IDS} | STEP
CBOW = {"E_ptr": TABLE, "O_ptr": TABLE, "contexts_ptr": IDS, "target_ptr": IDS, "negatives_ptr": IDS} | STEP
TREE = {"E_ptr": TABLE, "N_ptr": TABLE, "contexts_ptr": IDS, "nodes_ptr": IDS, "bits_ptr": IDS, "M": "i32"} | STEP
CELLS = {name: TABLE for name in ("W_ptr", "U_ptr", "b_ptr", "c_ptr")}
CELLS |= {name: TABLE for name in ("W_total_ptr", "U_total_ptr", "b_total_ptr", "c_total_ptr", "x_ptr", "loss_ptr")}
CELLS |= {"rows_ptr": IDS, "columns_ptr": IDS, "n": "i32", "V": "i32"}
CELLS |= dict.fromkeys(("lr", "learn", "x_max", "alpha"), "fp32")
COUNT = {"ids_ptr": IDS, "X_ptr": TABLE, "N": "i32", "V": "i32", "window": "i32"}


def launches():
    """Kernel, signature and constants at every size that a GPU times, and at an odd one."""
    for shape in sizes("sgns", {"C": 7, "K": 2, "D": 63}):
        yield "sgns", shape, sgns._sgns, SGNS, sgns.plan(shape["C"], shape["K"], shape["D"])
    for shape in sizes("cbow", {"C": 7, "K": 2, "D": 63}):
        yield "cbow", shape, cbow._cbow, CBOW, cbow.plan(shape["C"], shape["K"], shape["D"])
    for shape in sizes("hierarchical"):
        sizes_ = (shape["C"], LONGEST, shape["D"])
        signature = TREE | {"centre_ptr": IDS}
        yield "skipgram", shape, hierarchical._skipgram, signature, hierarchical.skipgram_plan(*sizes_)
        signature = TREE | {"target_ptr": IDS}
        yield "hierarchical cbow", shape, hierarchical._cbow, signature, hierarchical.cbow_plan(*sizes_)
    for shape in sizes("glove", {"D": 63}):
        yield "glove", shape, glove._glove, CELLS, glove.plan(shape["D"])


def sizes(name, *more):
    return [*BENCHMARKS[name].shapes["full"], *more]


def forms(kernel, signature, constants):
    pointers = [name for name, kind in signature.items() if kind.startswith("*")]
    for config in kernel.early_config_prune(kernel.configs, {}, **constants):
        options = {"num_warps": config.num_warps, "num_stages": config.num_stages, "maxnreg": config.maxnreg}
        compiled = compile_for(kernel, signature, constants | config.kwargs, divisible=pointers, **options)
        yield config.kwargs | row(compiled, config.num_warps)


def row(compiled, warps):
    return {
        "warps": warps,
        "registers": compiled.registers,
        "spills": compiled.spills,
        "shared": compiled.shared,
        "additions": re.findall(r"atom\.global\.gpu\.(\w+)\.add\.(v4\.f32|v2\.f32|f32)", compiled.ptx),
        "wide_loads": len(re.findall(r"ld\.global\.cg\S*v4", compiled.ptx)),
        "narrow_loads": len(re.findall(r"ld\.global\.cg\.b32", compiled.ptx)),
    }


def main():
    rows = []
    for name, shape, kernel, signature, constants in launches():
        rows += [{"kernel": name, "shape": shape} | form for form in forms(kernel, signature, constants)]
    for harmonic in (False, True):
        constants = {"HARMONIC": harmonic, "BLOCK": cooccurrence.BLOCK}
        compiled = compile_for(cooccurrence._count, COUNT, constants, num_warps=4)
        rows.append({"kernel": "count", "shape": None} | row(compiled, 4))
    signature = {"X_ptr": TABLE, "V": "i32"}
    for divisible in (["X_ptr"], ["X_ptr", "V"]):
        compiled = compile_for(cooccurrence._turn_over, signature, {"TILE": cooccurrence.TILE}, divisible=divisible)
        rows.append({"kernel": "turn_over", "shape": None} | row(compiled, 4))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
