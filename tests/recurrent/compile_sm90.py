"""Compile every kernel for sm_90 as the sizes of the benchmarks, and a few more, launch it; print its use as JSON."""

import json
import re
import sys

from seqlab.bench import BENCHMARKS
from seqlab.bench.launches import LAUNCHES

# So many sequences that a grid has the widest products its plan allows.
MANY = {"rnn": [{"B": 512, "H": 512, "dtype": "bfloat16"}], "gru": [], "lstm": []}


def main(cells):
    """Each kernel once, though several shapes may share it."""
    rows = {}
    for cell in cells:
        for shapes in [*BENCHMARKS[cell].shapes.values(), MANY[cell]]:
            for shape in shapes:
                for launch in LAUNCHES[cell](**shape):
                    forms = str([(launch.fn.fn, launch.constants, form) for form in launch.forms()])
                    key = forms + str((shape["dtype"], shape["H"] % 16 == 0))
                    if key not in rows:
                        rows[key] = [row(cell, launch, *form) for form in launch.compiled()]
                    for one in rows[key]:
                        one["shapes"].append(shape)
    print(json.dumps([row for some in rows.values() for row in some]))


def row(cell, launch, row, compiled):
    return row | {
        "cell": cell,
        "shapes": [],
        "dtype": launch.shape["dtype"],
        "constants": {name: str(value) for name, value in launch.constants.items()},
        "products": compiled.ptx.count("mma.sync"),
        "transposed": len(re.findall(r"stmatrix\S*\.trans", compiled.ptx)),
        "release": len(re.findall(r"atom\S*\.release\S*\.add", compiled.ptx)),
        "acquire": len(re.findall(r"ld\S*\.acquire", compiled.ptx)),
    }


if __name__ == "__main__":
    main(sys.argv[1:] or ["rnn", "gru", "lstm"])
