"""Which kernel a size gets, and how a grid shares it out: what launches and compile tests both read."""

import functools
from dataclasses import dataclass
from math import inf

import torch

from seqlab.kernels import interpreting
from seqlab.kernels.measured import fastest

WAYS = {"seqlab Triton": "triton", "loop in torch": "torch"}  # names in a report of `seqlab bench`, and the backend
ROWS = 16  # the smallest tile of the tensor cores: more programs, each with less to do between two steps
SPLIT = 8  # warps of a grid's program; with 4 there is less to add up, with 8 more to compute with: to be measured
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
# The largest H whose weights one multiprocessor of Hopper holds in 227 KB (float32 twice, as two parts of tf32) and
# whose step fits its registers, as tests/recurrent/test_sm90.py compiles them.
RESIDENT = {
    "rnn": {torch.float64: 64, torch.float32: 128, torch.bfloat16: 256, torch.float16: 256},
    "gru": {torch.float64: 32, torch.float32: 64, torch.bfloat16: 128, torch.float16: 128},
    "lstm": {torch.float64: 32, torch.float32: 64, torch.bfloat16: 128, torch.float16: 128},
}


@dataclass(frozen=True)
class Chip:
    """What a grid can count on.

    Attributes
    ----------
    processors : multiprocessors, of which each runs one program.
    slices : the most programs that can wait for each other.
    shared : bytes of shared memory of a program.
    columns : the most columns of a product whose sums fit the registers of a program.
    """

    processors: int
    slices: int
    shared: float
    columns: float


HOPPER = Chip(processors=132, slices=132, shared=227 * 1024, columns=64)
INTERPRETER = Chip(processors=2, slices=1, shared=inf, columns=inf)  # runs programs one after the other


def chip_of(device):
    """Ask the driver; in the interpreter nobody can wait for another program."""
    if interpreting():
        return INTERPRETER
    properties = torch.cuda.get_device_properties(device)
    count = properties.multi_processor_count
    return Chip(count, count, properties.shared_memory_per_block_optin, HOPPER.columns)


@dataclass(frozen=True)
class Share:
    """How a grid shares out one layer.

    Attributes
    ----------
    units : owned by a program; the last slice may have fewer.
    slices : programs that meet at each step.
    groups : tiles of ROWS sequences in one launch.
    launches : for the whole batch.
    K : H rounded up to a power of two.
    split : parts of the sum of a product, one to each warp.
    """

    units: int
    slices: int
    groups: int
    launches: int
    K: int
    split: int

    def constants(self):
        """What the kernels take as constants."""
        return {"ROWS": ROWS, "UNITS": self.units, "K": self.K, "SPLIT": self.split}

    def options(self, dtype):
        """How the kernels are launched.

        Left alone, the assembler gives some 16-bit kernels 128 registers a thread and spills the rest; told that they
        may have 255 it spills nothing. In float32 its own choice is the better one.
        """
        registers = {"maxnreg": 255} if dtype.itemsize == 2 else {}
        return {"num_warps": self.split, "launch_cooperative_grid": True, **registers}


def width(H):
    """Round H up to what a tile can be: a power of two, and no smaller than the tensor cores' tile."""
    return max(16, 1 << (H - 1).bit_length())


def slots(cell):
    """Gates, rounded up to a power of two as a tile must be: the GRU's fourth slot stays empty."""
    return 1 if cell == "rnn" else 4


def share(cell, H, dtype, B, chip):
    """Find the shares with the fewest launches, and among them programs of 16 units, else of more, else of 8.

    Returns None where no share fits.
    """
    K = width(H)
    split = min(SPLIT, K // 16)
    best = None
    for units in [*(1 << n for n in range(4, K.bit_length())), 8]:
        slices = -(-H // units)
        columns = slots(cell) * units
        if slices > chip.slices or columns > chip.columns or shared_memory(K, columns, dtype) > chip.shared:
            continue
        tiles = max(1, -(-B // ROWS))
        groups = min(tiles, chip.processors // slices)
        found = Share(units, slices, groups, -(-tiles // groups), K, split)
        if best is None or found.launches < best.launches:
            best = found
    return best


def _held(weights, dtype):
    """Bytes of so many weights; of float32 the tensor cores need two parts."""
    return weights * dtype.itemsize * (2 if dtype == torch.float32 else 1)


def resident_memory(cell, K, dtype):
    """Bytes of shared memory: all weights, and room for a step's four tiles."""
    return _held(GATES[cell] * K * K, dtype) + 4 * ROWS * K * dtype.itemsize


def shared_memory(K, columns, dtype):
    """Bytes of shared memory: the weights; and what is read of two gates, or one, or the parts of the sum."""
    read = ROWS * K * dtype.itemsize * (1 if dtype == torch.float32 else 2)
    return _held(K * columns, dtype) + max(read, SPLIT * ROWS * columns * max(4, dtype.itemsize))


def is_resident(H, dtype, cell="rnn"):
    """Say whether W_hh of this size stays on one multiprocessor.

    Parameters
    ----------
    H : units.
    dtype : torch data type.
    cell : "rnn", "gru" or "lstm".
    """
    return RESIDENT[cell].get(dtype, 0) >= H


def plan(cell, H, dtype, B, chip):
    """Choose the kernel.

    Returns
    -------
    share : None for the kernel whose weights stay on one multiprocessor, else the `Share` of a grid.

    Raises
    ------
    ValueError
        when the multiprocessors together cannot hold the weights.
    """
    if is_resident(H, dtype, cell) and resident_memory(cell, width(H), dtype) <= chip.shared:
        return None
    found = share(cell, H, dtype, B, chip)
    if found is None:
        raise ValueError(
            f"the weights of {H} units in {dtype} do not fit the multiprocessors of this GPU: use backend='torch', "
            "fewer units, or 16 bits"
        )
    return found


def choose(cell, shape, H, dtype, device):
    """Choose what backend="auto" computes with: what was fastest where it was measured, else by the size alone.

    Where nothing was measured, the kernels whose weights stay on one multiprocessor are taken, and those of a grid are
    not: how long a barrier takes is not known before it is measured.

    Parameters
    ----------
    cell : "rnn", "gru" or "lstm".
    shape : (B, T) sequences and steps.
    H : units.
    dtype, device : of the tensors.

    Returns
    -------
    backend : "torch" or "triton".
    """
    device = torch.device(device)
    return "torch" if device.type != "cuda" else _choose(cell, *shape, H, dtype, device)


@functools.lru_cache(maxsize=1024)
def _choose(cell, B, T, H, dtype, device):
    try:
        resident = plan(cell, H, dtype, B, chip_of(device)) is None
    except ValueError:
        return "torch"
    asked = {"H": H, "B": B, "T": T, "dtype": str(dtype).removeprefix("torch.")}
    way = fastest(
        cell,
        torch.cuda.get_device_name(device),
        asked,
        ways=tuple(WAYS),
        alike=lambda shape: is_resident(shape["H"], dtype, cell) == resident,
    )
    if way is not None:
        return WAYS[way]
    return "triton" if resident and dtype != torch.float64 else "torch"
