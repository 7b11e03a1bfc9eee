"""Compile the prefix beam search for sm_90 as its plan would launch it; print what each form uses as JSON."""

import json

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES

MORE = [{"C": 40, "K": 5, "dtype": "float16"}]


def main():
    shapes = [{k: v for k, v in s.items() if k in ("C", "K", "dtype")} for s in BENCHMARKS["ctc_beam"].shapes["full"]]
    shapes = [s for i, s in enumerate([*shapes, *MORE]) if s not in shapes[:i]]
    known, rows = {}, []
    for shape in shapes:
        for launch in LAUNCHES["ctc_beam"](**shape):
            key = str((launch.kernel, launch.constants, launch.options, shape["dtype"]))  # C is not among its constants
            if key not in known:
                known[key] = [row for row, _ in launch.compiled()]
            rows += [row | {"shape": shape} for row in known[key]]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
