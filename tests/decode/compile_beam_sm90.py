"""Compile the beam step for sm_90 as its plan would launch it; print what each form uses as JSON."""

import json
import re

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES

MORE = [{"K": 64, "V": 250_000, "width": 64, "dtype": "bfloat16"}, {"K": 3, "V": 63, "width": 5, "dtype": "float16"}]


def main():
    launches = [
        launch
        for shape in [*BENCHMARKS["beam_step"].shapes["full"], *MORE]
        for launch in LAUNCHES["beam_step"](**shape)
    ]
    print(json.dumps([row(*form) for launch in launches for form in launch.compiled()]))


def row(row, compiled):
    if row["kernel"] != "groups":
        return row
    loads = re.findall(r"ld\.global\S*evict_first\S*", compiled.ptx)
    return row | {"wide": [".v4.b32" in load for load in loads]}


if __name__ == "__main__":
    main()
