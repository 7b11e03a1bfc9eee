"""Compile additive attention for sm_90 at the sizes of the benchmark, as its plan would launch it; print JSON."""

import json

from seqlab.attention.kernels import additive
from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES

MORE = [{"T": 1, "D": 128, "dtype": "float32"}, {"T": 64, "D": 64, "dtype": "float64"}]


def main():
    rows, seen = [], []
    for shape in [*BENCHMARKS["additive"].shapes["full"], *MORE]:
        if (kind := alike(**shape)) not in seen:
            seen.append(kind)
            for launch in LAUNCHES["additive"](**shape):
                rows += [{"alike": kind} | row(launch.constants, *form) for form in launch.compiled()]
    print(json.dumps(rows))


def alike(T, D, dtype, B=None):
    """What of a shape is compiled in: queries that a tile can have, and what is a multiple of 16."""
    return [dtype, min(64, 1 << (T - 1).bit_length()), T % 16 == 0, D % 16 == 0]


def row(constants, row, compiled):
    """What walks over all pairs also says the instructions of its longest loop for a pair and dimension."""
    if row["kernel"] == "scores":
        work = row["QUERIES"] * row["KEYS"] * additive.TOGETHER
    elif row["kernel"] == "gradient":
        work = constants["ROWS"] * row["COLS"]
    else:
        return row
    found = [{key: n * 32 * row["warps"] / work for key, n in loop.items()} for loop in compiled.loops()]
    fast = [loop for loop in found if "MUFU.RSQ" in loop and "MUFU.EX2" not in loop]
    return row | {"loops": fast, "OF_V": constants.get("OF_V")}


if __name__ == "__main__":
    main()
