"""Compile every kernel for sm_90 as the sizes of the benchmarks, and a few more, launch it; print its use as JSON."""

import json
import re
import sys

import torch

from seqlab.bench import BENCHMARKS
from seqlab.kernels import compile_for
from seqlab.kernels.numbers import number_types
from seqlab.recurrent.kernels import grid, gru, lstm, rnn, sizes
from tests.sm90 import KINDS

RESIDENT = {
    "rnn": [(rnn._resident, {"BACKWARD": backward, "RELU": relu}) for backward in (0, 1) for relu in (0, 1)],
    "gru": [(gru._forward, {"KEEP": True}), (gru._backward, {})],
    "lstm": [(lstm._forward, {"KEEP": True}), *((lstm._backward, {"HAS_DC": dc}) for dc in (0, 1))],
}
GRID = [(grid._forward, {"KEEP": True, "RELU": False}), (grid._backward, {"HAS_DC": True, "RELU": False})]
# So many sequences that a grid has the widest products its plan allows.
MANY = {"rnn": [{"B": 512, "H": 512, "dtype": "bfloat16"}], "gru": [], "lstm": []}


def main(cells):
    """Each kernel once, though several shapes may share it."""
    rows = {}
    for cell in cells:
        for shapes in [*BENCHMARKS[cell].shapes.values(), MANY[cell]]:
            for shape in shapes:
                for kernel, constants, options in launches(cell, shape):
                    key = str((kernel.fn, constants, options, shape["dtype"], shape["H"] % 16 == 0))
                    if key not in rows:
                        rows[key] = compiled(kernel, constants, options, cell, shape)
                    rows[key]["shapes"].append(shape)
    print(json.dumps(list(rows.values())))


def launches(cell, shape):
    """Kernels, constants and options of one shape; of a tuned kernel every configuration that would be tried."""
    dtype = getattr(torch, shape["dtype"])
    share = sizes.plan(cell, shape["H"], dtype, shape["B"], sizes.HOPPER)
    numbers = number_types(dtype)
    if share is not None:
        for kernel, constants in GRID:
            yield kernel, {"CELL": cell, **constants, **share.constants(), **numbers}, share.options(dtype)
        return
    for kernel, constants in RESIDENT[cell]:
        constants = constants | {"ROWS": sizes.ROWS, "COLS": sizes.width(shape["H"])} | numbers
        for config in kernel.early_config_prune(kernel.configs, {}, **constants):
            yield kernel, constants, {"num_warps": config.num_warps, "num_stages": config.num_stages}


def compiled(kernel, constants, options, cell, shape):
    arguments = [name for name in kernel.arg_names if name not in constants]
    kinds = {name: KINDS[shape["dtype"]] if name.endswith("_ptr") else "i32" for name in arguments}
    if "count_ptr" in kinds:
        kinds["count_ptr"] = "*i32"
    divisible = [name for name in kinds if name.endswith("_ptr") or (name == "H" and shape["H"] % 16 == 0)]
    used = compile_for(kernel, kinds, constants, divisible=divisible, **options)
    return {
        "cell": cell,
        "kernel": f"{kernel.fn.__module__.rpartition('.')[2]}.{kernel.fn.__name__}",
        "shapes": [],
        "dtype": shape["dtype"],
        "constants": {name: str(value) for name, value in constants.items()},
        "warps": options["num_warps"],
        "registers": used.registers,
        "spills": used.spills,
        "shared": used.shared,
        "products": used.ptx.count("mma.sync"),
        "transposed": len(re.findall(r"stmatrix\S*\.trans", used.ptx)),
        "release": len(re.findall(r"atom\S*\.release\S*\.add", used.ptx)),
        "acquire": len(re.findall(r"ld\S*\.acquire", used.ptx)),
    }


if __name__ == "__main__":
    main(sys.argv[1:] or ["rnn", "gru", "lstm"])
