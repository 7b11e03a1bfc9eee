"""What this device can do, measured in the process that times the kernels: memory, arithmetic, and waiting.

The floor of a recurrence is a chain of steps of which each needs the one before. What a step costs at least is measured
by two empty recurrences, which exchange numbers and compute nothing. Times of T and of 2 T steps are taken; the slope
is the step, and what it takes to start falls out.
"""

import functools
import statistics
from dataclasses import replace

import torch

from seqlab.kernels import Device, device_named, has_triton, interpreting

DTYPES = ("float32", "bfloat16", "float16")
COPIED = 1 << 30  # bytes of the tensor that is copied
MATRIX = 8192  # rows and columns of the matrices that are multiplied
SAMPLES = 10
WIDE = 128  # threads of the block whose steps are timed: four warps, each with a quarter of the state
STEPS = 1 << 14
FREE = {"in-cta": 0.0, "cross-cta": 0.0}

if has_triton():
    import triton
    import triton.language as tl

    from seqlab.recurrent.kernels.meeting import arrive, wait

    @triton.jit
    def _in_cta(state_ptr, end_ptr, T, WIDE: tl.constexpr):
        """Each number moves one place a step, from thread to thread and from warp to warp: T places in all."""
        place = tl.arange(0, WIDE)
        after = (place + 1) % WIDE
        state = tl.load(state_ptr + place)
        for _ in range(T):
            state = tl.gather(state, after, 0)
        tl.store(end_ptr + place, state)

    @triton.jit
    def _cross_cta(state_ptr, end_ptr, count_ptr, T):
        """Each program publishes its number and takes its neighbour's: T places in all, a meeting at every step."""
        mine, programs = tl.program_id(0), tl.num_programs(0)
        after = (mine + 1) % programs
        state = tl.load(state_ptr + mine)
        for t in range(T):
            half = state_ptr + t % 2 * programs
            tl.store(half + mine, state)
            arrive(count_ptr)
            wait(count_ptr, (t + 1) * programs)
            state = tl.load(half + after, cache_modifier=".cg")  # L1 may hold an older step
        tl.store(end_ptr + mine, state)


def in_cta(state, T):
    """Move (WIDE,) int32 numbers T places to the left, one place a step, within one program.

    Returns
    -------
    end : (WIDE,) the numbers after T steps.
    """
    end = torch.empty_like(state)
    _in_cta[(1,)](state, end, T, WIDE=len(state), num_warps=max(1, len(state) // 32))
    return end


def cross_cta(state, T):
    """Move (P,) int32 numbers T places to the left, one place a step; each is held by a program of its own.

    All P programs must run at once: on a GPU no more than it has multiprocessors; in the interpreter one.

    Returns
    -------
    end : (P,) the numbers after T steps.
    """
    halves = torch.stack([state, state])
    end = torch.empty_like(state)
    count = torch.zeros(1, dtype=torch.int32, device=state.device)
    _cross_cta[(len(state),)](halves, end, count, T, num_warps=1, launch_cooperative_grid=True)
    return end


def slope(seconds, steps=STEPS, samples=SAMPLES):
    """Seconds of one step: the median of how much longer twice the steps take.

    Parameters
    ----------
    seconds : function that runs so many steps and says how long that took.

    Raises
    ------
    ValueError
        when twice the steps take no longer: then something else was timed.
    """
    for count in (steps, 2 * steps):
        seconds(count)  # the first call compiles
    step = statistics.median(seconds(2 * steps) - seconds(steps) for _ in range(samples)) / steps
    if step <= 0:
        raise ValueError(f"{2 * steps} steps took no longer than {steps}: this clock does not time them; measure again")
    return step


def step_seconds(clock, device="cuda"):
    """Seconds of a dependent step, {"in-cta": s, "cross-cta": s}, of recurrences that were seen to be right.

    Raises
    ------
    RuntimeError
        when numbers do not arrive where they should.
    """
    programs = torch.cuda.get_device_properties().multi_processor_count
    ways = {"in-cta": (in_cta, WIDE), "cross-cta": (cross_cta, programs)}
    found = {}
    for kind, (run, size) in ways.items():
        state = torch.arange(size, dtype=torch.int32, device=device)
        if not torch.equal(run(state, STEPS + 1), state.roll(-(STEPS + 1))):
            raise RuntimeError(f"the empty recurrence {kind} moved its numbers to the wrong places: report this device")
        found[kind] = slope(lambda T, run=run, state=state: clock.seconds(lambda: run(state, T), 1))
    return found


def bandwidth(clock, device="cuda", size=COPIED, samples=SAMPLES):
    """Bytes a second between memory and chip: a copy of random bytes, each read once and written once."""
    given = torch.randint(-128, 128, (size,), dtype=torch.int8, device=device)
    copy = torch.empty_like(given)
    seconds = _median(clock, lambda: copy.copy_(given), samples)
    return 2 * size / seconds


def matmul_flops(clock, dtype, device="cuda", n=MATRIX, samples=SAMPLES):
    """Operations a second in a product of random matrices; float32 keeps all its digits (no tf32)."""
    a, b = (torch.randn(n, n, device=device).to(getattr(torch, dtype)) for _ in range(2))
    product = torch.empty_like(a)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        seconds = _median(clock, lambda: torch.mm(a, b, out=product), samples)
    finally:
        torch.set_float32_matmul_precision(precision)
    return 2 * n**3 / seconds


def _median(clock, way, samples):
    for _ in range(3):
        clock.seconds(way, 1)
    return statistics.median(clock.seconds(way, 1) for _ in range(samples))


@functools.cache
def speeds_here():
    """Measure the current CUDA device, once in each process.

    Returns
    -------
    speeds : {"bandwidth": bytes a second, "flops": {dtype: operations a second}, "step": {kind: seconds}}; None on a
        CPU and in the interpreter, whose times are not those of any device.
    """
    if not torch.cuda.is_available() or interpreting():
        return None
    from seqlab.bench.timing import CudaClock

    clock = CudaClock()
    total = torch.cuda.get_device_properties().total_memory
    n = MATRIX if total >= 8 << 30 else MATRIX // 2
    speeds = {
        "bandwidth": bandwidth(clock, size=min(COPIED, total // 16)),
        "flops": {dtype: matmul_flops(clock, dtype, n=n) for dtype in DTYPES},
        "step": step_seconds(clock) if has_triton() else None,
    }
    torch.cuda.empty_cache()
    return speeds


def floor_device(name, speeds):
    """The device that floors are computed with.

    Parameters
    ----------
    name : as the driver calls the device.
    speeds : as `speeds_here` gives them.

    Returns
    -------
    device : of a device that is known here, its assumed bandwidth and arithmetic with measured steps; of any other, all
        as measured. Where there is no Triton no step is measured, and one of an unknown device counts nothing.
    """
    known = device_named(name)
    if known is None:
        return Device(name, speeds["bandwidth"], speeds["flops"], speeds["step"] or FREE)
    return replace(known, step=speeds["step"] or known.step)
