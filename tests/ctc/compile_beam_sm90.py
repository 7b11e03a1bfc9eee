"""Compile the prefix beam search for sm_90 as its plan would launch it; print what each form uses as JSON."""

import json

import torch

from seqlab.bench import BENCHMARKS
from seqlab.ctc.kernels import beam
from seqlab.kernels import compile_for
from tests.sm90 import KINDS, forms

INT, LONG = "*i32", "*i64"
MORE = [{"C": 40, "K": 5, "dtype": "float16"}]


def main():
    shapes = [{k: v for k, v in s.items() if k in ("C", "K", "dtype")} for s in BENCHMARKS["ctc_beam"].shapes["full"]]
    shapes = [s for i, s in enumerate([*shapes, *MORE]) if s not in shapes[:i]]
    print(json.dumps([row for shape in shapes for row in launches(**shape)]))


def launches(C, K, dtype):
    likeliest, search = beam.plan(C, K, getattr(torch, dtype))
    sums = KINDS["float64" if dtype == "float64" else "float32"]
    pointers = {"lp_ptr": KINDS[dtype], "frames_ptr": LONG, "value_ptr": sums, "label_ptr": INT}
    sizes = {"B": "i32", "C": "i32", "blank": "i32"}
    shape = {"C": C, "K": K, "dtype": dtype}
    for form in forms(beam._likeliest, pointers | sizes | {"R": "i32"}, likeliest, list(pointers)):
        form.pop("ptx")
        yield {"kernel": "likeliest", "shape": shape} | form
    more = {"parent_ptr": INT, "letter_ptr": INT, "text_ptr": LONG, "length_ptr": LONG, "out_ptr": sums}
    warps = search.pop("num_warps")
    compiled = compile_for(
        beam._search, pointers | more | sizes | {"T": "i32", "width": "i32"}, search, num_warps=warps
    )
    row = {"kernel": "search", "shape": shape, "warps": warps, "shared": compiled.shared}
    yield row | {"registers": compiled.registers, "spills": compiled.spills}


if __name__ == "__main__":
    main()
