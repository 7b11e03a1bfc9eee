"""Compile the beam step for sm_90 as its plan would launch it; print what each form uses as JSON."""

import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.decode import kernels
from seqlab.kernels import compile_for
from tests.sm90 import KINDS, forms

FLOAT, INT, LONG = "*fp32", "*i32", "*i64"
MORE = [{"K": 64, "V": 250_000, "width": 64, "dtype": "bfloat16"}, {"K": 3, "V": 63, "width": 5, "dtype": "float16"}]


def main():
    print(json.dumps([row for shape in [*BENCHMARKS["beam_step"].shapes["full"], *MORE] for row in launches(**shape)]))


def launches(K, V, width, dtype, B=None):
    shape = {"K": K, "V": V, "width": width, "dtype": dtype}
    groups, candidates, merge = kernels.plan(K, V, width)
    sizes = {"V": "i32", "G": "i32"}
    signature = {"z_ptr": KINDS[dtype], "top_ptr": FLOAT, "sum_ptr": FLOAT} | sizes
    whole = [name for name, size in (("V", V), ("G", -(-V // groups["E"]))) if size % 16 == 0]
    for form in forms(kernels._groups, signature, groups | {"KIND": dtype}, ["z_ptr", "top_ptr", "sum_ptr", *whole]):
        loads = re.findall(r"ld\.global\S*evict_first\S*", form.pop("ptx"))
        yield {"kernel": "groups", "shape": shape, "wide": [".v4.b32" in load for load in loads]} | form
    numbers = {"logp_ptr": FLOAT, "token_ptr": INT, "width": "i32"}
    yield used("candidates", shape, kernels._candidates, signature | numbers, candidates)
    ids = {"beams_ptr": LONG, "tokens_ptr": LONG, "K": "i32", "V": "i32"}
    yield used("merge", shape, kernels._merge, {"total_ptr": FLOAT, "out_ptr": FLOAT} | numbers | ids, merge)


def used(name, shape, kernel, signature, constants):
    given = {name: value for name, value in constants.items() if name != "num_warps"}
    compiled = compile_for(kernel, signature, given, num_warps=constants["num_warps"])
    row = {"kernel": name, "shape": shape, "warps": constants["num_warps"], "shared": compiled.shared}
    return row | {"registers": compiled.registers, "spills": compiled.spills}


if __name__ == "__main__":
    main()
