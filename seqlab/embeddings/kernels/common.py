"""What the kernels that change tables of word vectors share: rows, windows, the logistic loss, tuning and checks.

-1 stands for no word. An id that is neither -1 nor a row of its table is never followed: it makes the loss NaN.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting, pick_backend, tuned
from seqlab.shapes import check_shape

LARGEST = 8192  # numbers of a vector that a program holds in registers, beside what else it needs
MOST = 64  # numbers of a tile of rows that a thread holds
IDS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_seen = set()  # kernels, with their constants, that were tuned


@triton.jit
def known(ids, size):
    """Say which ids are rows of a table of `size` rows."""
    return (ids >= 0) & (ids < size)


@triton.jit
def wrong(ids, size):
    """NaN where an id is neither a row of the table nor -1, else 0: to be added to the loss."""
    return tl.where((ids < -1) | (ids >= size), float("nan"), 0.0)


@triton.jit
def read_row(table_ptr, row, inside, D: tl.constexpr, COLS: tl.constexpr):
    """(COLS,) one row of a table; 0 when it is not `inside`, and behind D.

    ".cg" reads what the last atomic addition left in the cache that all multiprocessors share, never an older copy.
    """
    col = tl.arange(0, COLS)
    return tl.load(table_ptr + row.to(tl.int64) * D + col, mask=inside & (col < D), other=0.0, cache_modifier=".cg")


@triton.jit
def read_rows(table_ptr, rows, inside, D: tl.constexpr, COLS: tl.constexpr):
    """(R, COLS) rows of a table; 0 in those that are not `inside`, and behind D."""
    col = tl.arange(0, COLS)[None, :]
    at = table_ptr + rows.to(tl.int64)[:, None] * D + col
    return tl.load(at, mask=inside[:, None] & (col < D), other=0.0, cache_modifier=".cg")


@triton.jit
def add_row(table_ptr, row, inside, change, D: tl.constexpr, COLS: tl.constexpr):
    """Add (COLS,) numbers to one row of a table."""
    col = tl.arange(0, COLS)
    tl.atomic_add(table_ptr + row.to(tl.int64) * D + col, change, mask=inside & (col < D), sem="relaxed")


@triton.jit
def add_rows(table_ptr, rows, inside, change, D: tl.constexpr, COLS: tl.constexpr):
    """Add (R, COLS) numbers to rows of a table; a row that comes twice gets both."""
    col = tl.arange(0, COLS)[None, :]
    at = table_ptr + rows.to(tl.int64)[:, None] * D + col
    tl.atomic_add(at, change, mask=inside[:, None] & (col < D), sem="relaxed")


@triton.jit
def logistic(score, sign):
    """-log sigma(sign * score), and its derivative by the score."""
    z = sign * score
    t = tl.exp(-tl.abs(z))  # at most 1, so nothing overflows
    u = 1 + t
    log_u = tl.where(u == 1, t, tl.log(u) * t / tl.where(u == 1, 1.0, u - 1))  # log(1 + t) to the last digit
    return tl.maximum(-z, 0.0) + log_u, -sign * tl.where(z >= 0, t, 1.0) / u


@triton.jit
def kept(coefficients, block, values, BLOCKS: tl.constexpr):
    """(BLOCKS, R) coefficients with `values` (R,) as row `block`; they never leave the registers."""
    return tl.where(tl.arange(0, BLOCKS)[:, None] == block, values[None, :], coefficients)


@triton.jit
def of_block(coefficients, block, BLOCKS: tl.constexpr):
    """(R,) row `block` of the coefficients."""
    return tl.sum(tl.where(tl.arange(0, BLOCKS)[:, None] == block, coefficients, 0.0), axis=0)


@triton.jit
def window_mean(E_ptr, contexts_ptr, w, V, C: tl.constexpr, D: tl.constexpr, COLS: tl.constexpr, R: tl.constexpr):
    """(COLS,) mean of the vectors of window w, R at a time, their number (1 for none), and NaN for a wrong id."""
    total = tl.zeros([COLS], tl.float32)
    count = tl.zeros([R], tl.float32)
    bad = tl.zeros([R], tl.float32)
    for start in range(0, C, R):
        ids = window_ids(contexts_ptr, w, start, C, R)
        total += tl.sum(read_rows(E_ptr, ids, known(ids, V), D, COLS), axis=0)
        count += known(ids, V).to(tl.float32)
        bad += wrong(ids, V)
    words = tl.maximum(tl.sum(count, axis=0), 1.0)
    return total / words, words, tl.sum(bad, axis=0)


@triton.jit
def add_to_window(
    E_ptr, contexts_ptr, w, V, change, here, C: tl.constexpr, D: tl.constexpr, COLS: tl.constexpr, R: tl.constexpr
):
    """Add (COLS,) numbers to the vector of every word of window w, R at a time."""
    for start in range(0, C, R):
        ids = window_ids(contexts_ptr, w, start, C, R)
        add_rows(E_ptr, ids, known(ids, V) & here, tl.broadcast_to(change[None, :], [R, COLS]), D, COLS)


@triton.jit
def window_ids(contexts_ptr, w, start, C: tl.constexpr, R: tl.constexpr):
    """(R,) ids at the places from `start` on; -1 behind the last."""
    i = start + tl.arange(0, R)
    return tl.load(contexts_ptr + w * C + i, mask=i < C, other=-1)


def _worth_trying(configs, named_args, COLS, SLOTS, **others):
    """Hold as many rows as a thread's registers allow; with 4 warps also half as many, which lets more programs in."""

    def worth(rows, warps):
        most = min(SLOTS, max(1, MOST * 32 * warps // COLS), 64)
        if rows * COLS > MOST * 32 * warps:
            return False
        busy = rows * COLS >= 8 * 32 * warps or warps == 1
        return busy and (rows == most or (warps == 4 and 2 * rows == most >= 8))

    return [config for config in configs if worth(config.kwargs["ROWS"], config.num_warps)]


# ROWS rows of a table at a time in the registers of a program. The interpreter takes the first form. Without a limit
# the compiler moves a few numbers out of the registers to let more programs in; with one, it lets them all stay.
CONFIGS = [
    triton.Config({"ROWS": rows}, num_warps=warps, maxnreg=255)
    for rows in (16, 8, 4, 2, 1, 32, 64)
    for warps in (4, 1, 2, 8)
]
rows_tuned = tuned(CONFIGS, key=["COLS", "SLOTS", "D"], prune=_worth_trying)


def launch(kernel, programs, arguments, constants, still):
    """Launch a kernel that changes tables.

    To choose its fastest form the tuner runs a kernel many times; those runs get the arguments `still`, with which
    everything is computed and added, and what is added is 0.
    """
    tensors = [argument for argument in arguments.values() if isinstance(argument, torch.Tensor)]
    key = (kernel.base_fn, *constants.items(), *(tensor.dtype for tensor in tensors))
    with torch.cuda.device_of(tensors[0]):
        if not interpreting() and key not in _seen:
            kernel[programs](**(arguments | still), **constants)
            _seen.add(key)
        kernel[programs](**arguments, **constants)


def step(kernel, W, lr, arguments, constants, programs):
    """Launch a kernel over W windows, of which at most `programs` race; give the summed loss."""
    tables = [argument for name, argument in arguments.items() if name in ("E_ptr", "O_ptr", "N_ptr")]
    losses = torch.empty(W, dtype=torch.float32, device=tables[0].device)
    if W:
        arguments = arguments | {"loss_ptr": losses, "W": W, "lr": float(lr)}
        launch(kernel, (racing(W, programs),), arguments, constants, {"lr": 0.0})
        torch.autograd.graph.increment_version(tables)  # whoever saved one for a gradient is told
    return losses.sum()


def racing(pieces, programs):
    """How many programs share so many pieces of work: one each, or as many as are allowed."""
    if programs is not None and programs < 1:
        raise ValueError(f"programs is {programs}; it must be at least 1, or None")
    return min(pieces, programs or pieces)


def check_tables(**tables):
    """Check tables of float32 that a kernel changes in place.

    Returns
    -------
    D : their common number of columns.
    """
    D = "D"
    for name, table in tables.items():
        D = check_shape(name, table, ("V", D)).get("D", D)
        check_changed(name, table)
        if not 1 <= D <= LARGEST:
            raise ValueError(f"{name} has {D} columns; the kernel takes 1 to {LARGEST}: use backend='torch'")
    return D


def check_changed(name, tensor):
    """Check that a kernel can change a tensor in place: float32, one number after the other."""
    if tensor.dtype != torch.float32:
        raise ValueError(f"{name} holds {tensor.dtype}; the kernel takes float32: use backend='torch'")
    if not tensor.is_contiguous():
        raise ValueError(f"{name} is not contiguous, and it is changed in place: call .contiguous() first")


def check_ids(**ids):
    """Check that ids are integers; give them with 64 or 32 bits, one number after the other."""
    for name, tensor in ids.items():
        if tensor.dtype not in IDS:
            raise ValueError(f"{name} holds {tensor.dtype}; ids are integers, such as torch.int64")
    return [(tensor if tensor.dtype.itemsize >= 4 else tensor.long()).contiguous() for tensor in ids.values()]


def check_placed(*tensors):
    """Check that a kernel can run where the tensors lie."""
    pick_backend("triton", *tensors)


def up(number):
    """The power of two that holds so many, at least 1."""
    return triton.next_power_of_2(max(number, 1))
