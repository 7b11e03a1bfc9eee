"""Compile the loss and the greedy decoder for sm_90 as their plans would launch them; print what each form uses."""

import json
import re

import torch

import seqlab.kernels.compile as compiling
from seqlab.bench import BENCHMARKS
from seqlab.ctc.kernels import common, greedy, loss
from tests.sm90 import KINDS, forms
from tests.tsne.compile_sm90 import loops

INT, LONG = "*i32", "*i64"
GIVEN = {"target_ptr": LONG, "frames_ptr": LONG, "labels_ptr": LONG, "pe_ptr": INT, "e_ptr": INT}
GIVEN |= {"link_ptr": INT, "rank_ptr": INT} | dict.fromkeys(
    ("T", "B", "C", "M", "W", "step_t", "step_b", "blank"), "i32"
)
MORE = [  # in the first form that a GPU would try
    {"T": 1000, "C": 100, "L": 640, "dtype": "float32"},
    {"T": 1000, "C": 100, "L": 2047, "dtype": "float32"},
    {"T": 100, "C": 31, "L": 20, "dtype": "bfloat16"},
    {"T": 100, "C": 32, "L": 100, "dtype": "float64"},
]
CLAIMED = 2  # shapes of the benchmark whose speed the book claims: both kernels in all forms
_cubins = []


def main():
    keep, compiling._resources = compiling._resources, lambda cubin: _cubins.append(cubin) or keep(cubin)
    rows, seen = [], []
    full = BENCHMARKS["ctc_loss"].shapes["full"]
    for number, shape in enumerate([*full, *MORE]):
        kind, claimed = lattice_kind(**shape), number < CLAIMED
        if kind not in seen:
            seen.append(kind)
            rows += lattice(shape, kind, claimed, first=number >= len(full))
        rows += gradient(shape, first=not claimed)
    for shape in BENCHMARKS["ctc_greedy"].shapes["full"]:
        rows += best(shape)
    print(json.dumps(rows))


def lattice_kind(L, dtype, T=None, B=None, C=None):
    """What of a shape is compiled into `_lattice`."""
    return [dtype, loss.plan(L, getattr(torch, dtype))["N"]]


def lattice(shape, kind, claimed, first):
    dtype, wide = shape["dtype"], KINDS["float64" if shape["dtype"] == "float64" else "float32"]
    signature = {"lp_ptr": KINDS[dtype], "loss_ptr": wide, "pm_ptr": wide, "m_ptr": wide} | GIVEN
    for kept in (True, False) if claimed else (True,):  # what keeps nothing for the gradient needs less of everything
        constants = loss.plan(shape["L"], getattr(torch, dtype)) | {"KEEP": kept}
        yield from used("lattice", shape, loss._lattice, signature, constants, ["W"], first or not kept, kind, kept)


def gradient(shape, first):
    dtype, wide = shape["dtype"], KINDS["float64" if shape["dtype"] == "float64" else "float32"]
    signature = {"lp_ptr": KINDS[dtype], "pm_ptr": wide, "m_ptr": wide, "scale_ptr": wide, "out_ptr": KINDS[dtype]}
    signature |= GIVEN | {"step_scale": "i32"}
    each, *_ = common.in_steps(shape["C"], shape["C"])
    constants = loss.plan(shape["L"], getattr(torch, dtype))
    constants |= {"EACH": each, "CLASSES": loss.triton.next_power_of_2(shape["C"]), "SCALED": True, "ZERO": False}
    yield from used("gradient", shape, loss._gradient, signature, constants, ["W"], first)


def best(shape):
    T, C, dtype = shape["T"], shape["C"], shape["dtype"]
    one, other = greedy.plan(T, C, getattr(torch, dtype))
    each, *_ = common.in_steps(C, C)
    signature = {"lp_ptr": KINDS[dtype], "frames_ptr": LONG, "id_ptr": INT}
    signature |= dict.fromkeys(("T", "B", "C", "step_t", "step_b"), "i32")
    yield from used("best", shape, greedy._best, signature, one | {"EACH": each}, [], False)
    signature = {"id_ptr": INT, "frames_ptr": LONG, "out_ptr": LONG, "count_ptr": LONG, "T": "i32", "blank": "i32"}
    warps = other.pop("num_warps")
    compiled = compiling.compile_for(greedy._collapse, signature, other, num_warps=warps)
    row = {"kernel": "collapse", "shape": shape, "warps": warps, "shared": compiled.shared}
    yield row | {"registers": compiled.registers, "spills": compiled.spills}


def used(name, shape, kernel, signature, constants, whole, first, kind=None, kept=None):
    pointers = [key for key, what in signature.items() if what.startswith("*")]
    for form in forms(kernel, signature, constants, [*pointers, *whole]):
        ptx = form.pop("ptx")
        row = {"kernel": name, "shape": shape, "kind": kind, "kept": kept} | form
        row["atomics"] = len(re.findall(r"\b(?:atom|red)\.(?:global|shared)", ptx))
        row["wide"] = [".v4.b32" in load for load in re.findall(r"ld\.global\S*evict_first\S*", ptx)]
        if name == "lattice":
            found = max(loops(_cubins[-1]), key=lambda loop: loop["all"])
            row["frame"] = {key: count / form["FRAMES"] for key, count in found.items()}
        yield row
        if first:
            return


if __name__ == "__main__":
    main()
