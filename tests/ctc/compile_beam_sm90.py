"""Compile the prefix beam search for sm_90 as its plan would launch it; print what each form uses as JSON."""

import json
from functools import cache

import torch

from seqlab.bench import BENCHMARKS
from seqlab.ctc.kernels import beam
from seqlab.kernels import compile_for
from tests.sm90 import KINDS, forms

INT, LONG = "*i32", "*i64"
SIZES = {"B": "i32", "C": "i32", "blank": "i32"}
MORE = [{"C": 40, "K": 5, "dtype": "float16"}]


def main():
    shapes = [{k: v for k, v in s.items() if k in ("C", "K", "dtype")} for s in BENCHMARKS["ctc_beam"].shapes["full"]]
    shapes = [s for i, s in enumerate([*shapes, *MORE]) if s not in shapes[:i]]
    print(json.dumps([row | {"shape": shape} for shape in shapes for row in launches(**shape)]))


def launches(C, K, dtype):
    likeliest, search = beam.plan(C, K, getattr(torch, dtype))
    return [*first(dtype, **likeliest), second(dtype, **search)]


def pointers(dtype):
    sums = KINDS["float64" if dtype == "float64" else "float32"]
    return {"lp_ptr": KINDS[dtype], "frames_ptr": LONG, "value_ptr": sums, "label_ptr": INT}, sums


@cache  # C is not among its constants
def first(dtype, SLOTS, KIND, ACC):
    given, _ = pointers(dtype)
    constants = {"SLOTS": SLOTS, "KIND": KIND, "ACC": ACC}
    found = list(forms(beam._likeliest, given | SIZES | {"R": "i32"}, constants, list(given)))
    for form in found:
        form.pop("ptx")
    return [{"kernel": "likeliest"} | form for form in found]


@cache
def second(dtype, K, LABELS, ACC, num_warps):
    given, sums = pointers(dtype)
    more = {"parent_ptr": INT, "letter_ptr": INT, "text_ptr": LONG, "length_ptr": LONG, "out_ptr": sums}
    constants = {"K": K, "LABELS": LABELS, "ACC": ACC}
    one = compile_for(beam._search, given | more | SIZES | {"T": "i32", "width": "i32"}, constants, num_warps=num_warps)
    row = {"kernel": "search", "warps": num_warps, "shared": one.shared}
    return row | {"registers": one.registers, "spills": one.spills}


if __name__ == "__main__":
    main()
