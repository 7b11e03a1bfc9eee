"""Compile the kernels for sm_90 at the sizes of the benchmarks, as their plans would launch them; print JSON."""

import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES

MORE = {"sgns": [{"C": 7, "K": 2, "D": 63}], "cbow": [{"C": 7, "K": 2, "D": 63}], "glove": [{"D": 63}]}


def main():
    rows = []
    for name in ("sgns", "cbow", "hierarchical", "glove", "cooccurrence"):
        for shape in [*BENCHMARKS[name].shapes["full"], *MORE.get(name, [])]:
            rows += [row(*form) for launch in LAUNCHES[name](**shape) for form in launch.compiled()]
    rows += [row(*form) for launch in LAUNCHES["cooccurrence"](V=63) for form in launch.compiled()]
    print(json.dumps(rows))


def row(row, compiled):
    return row | {
        "additions": re.findall(r"atom\.global\.gpu\.(\w+)\.add\.(v4\.f32|v2\.f32|f32)", compiled.ptx),
        "wide_loads": len(re.findall(r"ld\.global\.cg\S*v4", compiled.ptx)),
    }


if __name__ == "__main__":
    main()
