"""Compile the kernels for sm_90 as the plans of `kernels` would launch them; print what each form uses as JSON."""

import json

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import tsne

BENCHES = ("perplexity_search", "repulsion", "attraction")
MORE = {"float32": [1, 64, 1796, 2048, 5000], "float64": [90, 2048]}


def main():
    shapes = {name: [size for sizes in BENCHMARKS[name].shapes.values() for size in sizes] for name in BENCHES}
    rows = []
    for dtype in MORE:
        single = dtype == "float32"
        searched = {shape["k"] for shape in shapes["perplexity_search"]} if single else set()
        rows += [search(k, dtype) for k in sorted(searched | set(MORE[dtype]))]
        for d in (1, 2, 3):
            some = {shape["N"] % 16 == 0 for shape in shapes["repulsion"]} if single else {True}
            rows += [repulsion(whole, d, dtype) for whole in sorted(some)]
            rows.append(row(next(tsne.attraction(d, dtype)), lambda constants: constants["WALK"]))
    print(json.dumps(rows))


def search(k, dtype):
    return row(next(tsne.search(k, dtype)), lambda held: held["ROWS"] * (held["HEAD"] + held["REST"]))


def repulsion(whole, d, dtype):
    found = row(next(tsne.repulsion(16 if whole else 1, d, dtype)), lambda tile: tile["ROWS"] * tile["COLS"])
    return found | {"whole": whole}


def row(launch, things):
    """What a kernel uses, and the instructions of each of its loops for one of the things that a thread works on."""
    ((found, compiled),) = launch.compiled()
    work = things(launch.constants) / (32 * found["warps"])
    loops = [{name: number / work for name, number in loop.items()} for loop in compiled.loops()]
    return found | launch.shape | {"loops": loops}


if __name__ == "__main__":
    main()
