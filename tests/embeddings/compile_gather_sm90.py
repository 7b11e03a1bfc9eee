"""Compile looking up and adding for sm_90 as their plans would launch them; print what each form uses as JSON."""

import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES

MORE = [(63, "float32"), (50, "float16"), (256, "float64")]


def main():
    timed = {(shape["D"], shape["dtype"]) for shapes in BENCHMARKS["embedding"].shapes.values() for shape in shapes}
    rows = []
    for D, dtype in sorted(timed | set(MORE)):
        for launch in LAUNCHES["embedding"](D=D, dtype=dtype):
            rows += [row(*form) | launch.shape for form in launch.compiled()]
    print(json.dumps(rows))


def row(row, compiled):
    return row | {
        "wide_loads": len(re.findall(r"ld\.global\S*\.v4\.b32", compiled.ptx)),
        "additions": re.findall(r"(?:atom|red)\.global\.gpu\.(\w+)\.add\.(\S*f\d\d)", compiled.ptx),
        "offsets": re.findall(r"(?:mul|mad)\.lo\.(s32|s64)", compiled.ptx),
    }


if __name__ == "__main__":
    main()
