"""Compile the loss and the greedy decoder for sm_90 as their plans would launch them; print what each form uses."""

import json
import re

import torch

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES, ctc
from seqlab.ctc.kernels import loss

MORE = [  # in the first form that a GPU would try
    {"T": 1000, "C": 100, "L": 640, "dtype": "float32"},
    {"T": 1000, "C": 100, "L": 2047, "dtype": "float32"},
    {"T": 100, "C": 31, "L": 20, "dtype": "bfloat16"},
    {"T": 100, "C": 32, "L": 100, "dtype": "float64"},
]
CLAIMED = 2  # shapes of the benchmark whose speed the book claims: both kernels in all forms


def main():
    rows, seen = [], []
    full = BENCHMARKS["ctc_loss"].shapes["full"]
    for number, shape in enumerate([*full, *MORE]):
        kind, claimed = lattice_kind(**shape), number < CLAIMED
        if kind not in seen:
            seen.append(kind)
            for kept in (True, False) if claimed else (True,):  # what keeps nothing needs less of everything
                first = number >= len(full) or not kept
                rows += used(ctc.lattice(**shape, kept=kept), first, kind, kept)
        rows += used(ctc.gradient(**shape), not claimed)
    for shape in BENCHMARKS["ctc_greedy"].shapes["full"]:
        rows += used(LAUNCHES["ctc_greedy"](**shape))
    print(json.dumps(rows))


def lattice_kind(L, dtype, T=None, B=None, C=None):
    """What of a shape is compiled into `_lattice`."""
    return [dtype, loss.plan(L, getattr(torch, dtype))["N"]]


def used(launches, first=False, kind=None, kept=None):
    for launch in launches:
        for row, compiled in launch.compiled(first):
            row |= {"kind": kind, "kept": kept}
            row["atomics"] = len(re.findall(r"\b(?:atom|red)\.(?:global|shared)", compiled.ptx))
            row["wide"] = [".v4.b32" in load for load in re.findall(r"ld\.global\S*evict_first\S*", compiled.ptx)]
            if launch.kernel == "lattice":
                found = max(compiled.loops(), key=lambda loop: loop["all"])
                row["frame"] = {key: count / row["FRAMES"] for key, count in found.items()}
            yield row


if __name__ == "__main__":
    main()
