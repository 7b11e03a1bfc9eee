"""Recurrent layers: weights that stay on one multiprocessor, or a grid whose programs meet at every step."""

import torch

from seqlab.bench.launches.model import INT, KINDS, Launch
from seqlab.kernels.numbers import number_types
from seqlab.recurrent.kernels import grid, gru, lstm, rnn, sizes

RESIDENT = {
    "rnn": [(rnn._resident, {"BACKWARD": backward, "RELU": relu}) for backward in (0, 1) for relu in (0, 1)],
    "gru": [(gru._forward, {"KEEP": True}), (gru._backward, {})],
    "lstm": [(lstm._forward, {"KEEP": True}), *((lstm._backward, {"HAS_DC": dc}) for dc in (0, 1))],
}
GRID = [(grid._forward, {"KEEP": True, "RELU": False}), (grid._backward, {"HAS_DC": True, "RELU": False})]


def layer(cell, B, H, dtype, **others):
    """The kernels of one layer as a Hopper would run them."""
    shape = {"B": B, **others, "H": H, "dtype": dtype}
    kind = getattr(torch, dtype)
    share, numbers = sizes.plan(cell, H, kind, B, sizes.HOPPER), number_types(kind)
    if share is None:
        for kernel, constants in RESIDENT[cell]:
            constants = constants | {"ROWS": sizes.ROWS, "COLS": sizes.width(H)} | numbers
            yield _launch(kernel, constants, None, H, dtype, shape)
        return
    for kernel, constants in GRID:
        constants = {"CELL": cell, **constants, **share.constants(), **numbers}
        yield _launch(kernel, constants, share.options(kind), H, dtype, shape)


def _launch(kernel, constants, options, H, dtype, shape):
    arguments = [name for name in kernel.arg_names if name not in constants]
    signature = {name: KINDS[dtype] if name.endswith("_ptr") else "i32" for name in arguments}
    if "count_ptr" in signature:
        signature["count_ptr"] = INT
    divisible = [name for name in signature if name.endswith("_ptr") or (name == "H" and H % 16 == 0)]
    name = f"{kernel.fn.__module__.rpartition('.')[2]}.{kernel.fn.__name__}"
    return Launch(name, shape, kernel, signature, constants, divisible, options)
