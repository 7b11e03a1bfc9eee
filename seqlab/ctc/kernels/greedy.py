"""Greedy decoding, :eq:`ctc-greedy`: the likeliest class of every frame, collapsed; every score is read once.

Two launches. In `_best` a program owns a frame of a sequence, walks over the classes and leaves one id; of equal scores
the lowest id wins. In `_collapse` a program owns a sequence and walks over its frames, many at a time. A frame stays
where its id is no blank and differs from the one before; its place among the labels is the number of frames that stay
before it, a running sum. So nothing is added by atomics, and no list goes to the host and back.
"""

import torch
import triton
import triton.language as tl

from seqlab.ctc.kernels.common import IDS, in_steps
from seqlab.kernels import interpreting as interpreting
from seqlab.kernels import pick_backend, tuned
from seqlab.kernels.numbers import TYPES
from seqlab.shapes import check_shape

BEST = [
    triton.Config({"BLOCK": block}, num_warps=warps)
    for block, warps in ((128, 1), (1024, 2), (1024, 4), (2048, 4), (2048, 2), (4096, 8))
]
WALK = 1024  # frames that a program collapses at a time


def _worth_trying(configs, named_args, CLASSES, **others):
    """Leave out blocks that are much longer than a row, and one warp where rows are long."""
    most = max(CLASSES, 128)
    return [c for c in configs if c.kwargs["BLOCK"] <= most and (c.num_warps > 1 or CLASSES <= 1024)]


@tuned(BEST, key=["CLASSES", "KIND"], prune=_worth_trying)
@triton.jit
def _best(
    lp_ptr,  # (T, B, C) with the steps below
    frames_ptr,  # (B,)
    id_ptr,  # (B, T): takes the likeliest class; frames beyond the length stay as they are
    T,
    B,
    C,  # this and the steps are counted in EACH
    step_t,
    step_b,
    EACH: tl.constexpr,
    ACC: tl.constexpr,
    CLASSES: tl.constexpr,  # C rounded up to a power of two
    KIND: tl.constexpr,  # the type of the scores, for the tuner to tell apart
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    t, b = row // B, row % B
    C = C * EACH
    if t < tl.load(frames_ptr + b):
        col = tl.arange(0, BLOCK)
        here = lp_ptr + t * step_t * EACH + b * step_b * EACH
        top = tl.full([BLOCK], float("-inf"), ACC)
        place = tl.where(col < C, col, C)
        for start in range(0, C, BLOCK):
            s = tl.load(here + start + col, mask=start + col < C, other=float("-inf"), eviction_policy="evict_first")
            s = s.to(ACC)
            s = tl.where(s == s, s, float("inf"))  # NaN counts as the largest, as in torch
            place = tl.where(s > top, start + col, place)
            top = tl.maximum(s, top)
        largest = tl.max(top, axis=0)
        tl.store(id_ptr + b * T + t, tl.min(tl.where(top == largest, place, C), axis=0))


@triton.jit
def _collapse(
    id_ptr,  # (B, T)
    frames_ptr,  # (B,)
    out_ptr,  # (B, T): takes the labels, then -1
    count_ptr,  # (B,): takes how many labels there are
    T,
    blank,
    WALK: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64)
    length = tl.minimum(tl.load(frames_ptr + b), T)
    step = tl.arange(0, WALK)
    count = tl.zeros([], tl.int32)
    for start in range(0, T, WALK):
        t = start + step
        now = tl.load(id_ptr + b * T + t, mask=t < length, other=blank)
        last = tl.load(id_ptr + b * T + t - 1, mask=(t > 0) & (t < length), other=blank)
        stays = ((now != blank) & (now != last)).to(tl.int32)
        place = count + tl.cumsum(stays, axis=0) - 1
        tl.store(out_ptr + b * T + place, now.to(tl.int64), mask=stays > 0)
        count += tl.sum(stays, axis=0)
    for start in range(0, T, WALK):
        t = start + step
        tl.store(out_ptr + b * T + t, tl.full([WALK], -1, tl.int64), mask=(t >= count) & (t < T))
    tl.store(count_ptr + b, count.to(tl.int64))


def plan(T, C, dtype):
    """Choose the constants of the two kernels; the compile tests read the same plan as the launch."""
    best = {"ACC": tl.float64 if dtype == torch.float64 else tl.float32, "KIND": str(dtype)}
    walk = min(WALK, max(32, triton.next_power_of_2(T)))
    return best | {"CLASSES": triton.next_power_of_2(C)}, {"WALK": walk, "num_warps": max(1, min(4, walk // 128))}


def greedy_decode(log_probs, input_lengths, blank=0):
    """Take the likeliest class of every frame and collapse, :eq:`ctc-greedy`; a choice has no gradient.

    Parameters
    ----------
    log_probs : (T, B, C) log-probabilities or any scores; float32, bfloat16, float16 or float64. If the classes of a
        frame lie side by side, nothing is copied.
    input_lengths : int64 or int32 (B,), frames of each sequence, 0 to T.
    blank : id of the blank.

    Returns
    -------
    labels : (B, T) int64, from the first on, then -1. Of equal scores the lowest id is taken; NaN counts as the
        largest.
    lengths : (B,) int64, how many labels each has.

    Raises
    ------
    ValueError
        when a shape, a data type, a device or the blank does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    T, B, C = check_shape("log_probs", log_probs, ("T", "B", "C")).values()
    check_shape("input_lengths", input_lengths, (B,))
    if log_probs.dtype not in TYPES:
        raise ValueError(f"log_probs holds {log_probs.dtype}; the kernel takes float32, bfloat16, float16 and float64")
    if input_lengths.dtype not in IDS:
        raise ValueError(f"input_lengths holds {input_lengths.dtype}; the kernel takes int64 and int32")
    if not 0 <= blank < C:
        raise ValueError(f"blank is {blank}; with {C} classes it must be from 0 to {C - 1}")
    pick_backend("triton", log_probs, input_lengths)
    log_probs, input_lengths = log_probs.detach(), input_lengths.contiguous()
    if log_probs.stride(2) != 1:
        log_probs = log_probs.contiguous()
    like = {"device": log_probs.device}
    labels, lengths = torch.empty(B, T, dtype=torch.int64, **like), torch.empty(B, dtype=torch.int64, **like)
    if B == 0:
        return labels, lengths
    ids = torch.empty(B, T, dtype=torch.int32, **like)
    best, collapse = plan(T, C, log_probs.dtype)
    each, *long = in_steps(C, *log_probs.stride()[:2])
    with torch.cuda.device_of(log_probs):
        if T:
            _best[(T * B,)](log_probs, input_lengths, ids, T, B, *long, EACH=each, **best)
        _collapse[(B,)](ids, input_lengths, labels, lengths, T, blank, **collapse)
    return labels, lengths
