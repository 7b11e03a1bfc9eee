"""What programs of a grid need to work on one product together: a barrier, their weights, and what was published."""

import triton
import triton.language as tl


@triton.jit
def arrive(count_ptr):
    """Tell the other programs of the group that this one has published its part."""
    tl.debug_barrier()  # every thread of this program has written
    tl.atomic_add(count_ptr, 1, sem="release", scope="gpu")


@triton.jit
def wait(count_ptr, arrivals):
    """Wait until so many arrivals are counted; then what was written before them can be read.

    The counter only grows, so nobody has to set it back. To add 0 is the read that Triton can order before later reads.
    """
    seen = tl.atomic_add(count_ptr, 0, sem="acquire", scope="gpu")
    while seen < arrivals:
        seen = tl.atomic_add(count_ptr, 0, sem="acquire", scope="gpu")
    tl.debug_barrier()  # no thread of this program reads earlier


@triton.jit
def hold(M_ptr, FIRST: tl.constexpr, LENGTH: tl.constexpr, ALL: tl.constexpr, WIDE: tl.constexpr, SPLIT: tl.constexpr):
    """(SPLIT, LENGTH / SPLIT, WIDE): of the ALL rows of this slice's weights, LENGTH from FIRST on."""
    PART: tl.constexpr = LENGTH // SPLIT
    k = FIRST + tl.arange(0, SPLIT)[:, None, None] * PART + tl.arange(0, PART)[None, :, None]
    wide = tl.arange(0, WIDE)[None, None, :]
    return tl.load(M_ptr + (tl.program_id(0) * ALL + k) * WIDE + wide)


@triton.jit
def read(state_ptr, LENGTH: tl.constexpr, ALL: tl.constexpr, ROWS: tl.constexpr, SPLIT: tl.constexpr):
    """(SPLIT, ROWS, LENGTH / SPLIT): of what the group published. L1 may hold an older step, so this reads L2."""
    PART: tl.constexpr = LENGTH // SPLIT
    row = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[None, :, None]
    k = tl.arange(0, SPLIT)[:, None, None] * PART + tl.arange(0, PART)[None, None, :]
    return tl.load(state_ptr + row * ALL + k, cache_modifier=".cg")


@triton.jit
def apart(a, ROWS: tl.constexpr, UNITS: tl.constexpr):
    """(ROWS, 4 UNITS) -> four (ROWS, UNITS), without leaving the program."""
    even, odd = a.reshape(ROWS, 2, 2, UNITS).permute(0, 3, 1, 2).split()
    first, third = even.split()
    second, fourth = odd.split()
    return first, second, third, fourth
