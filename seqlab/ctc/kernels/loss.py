"""The CTC loss and its gradient, :eq:`ctc-loss` and :eq:`ctc-gradient`, in two launches that add nothing by atomics.

**Half the states.** The extended target has a blank at every even place and a label at every odd one. Lane i of a
program holds blank i and label i. Then one neighbour is needed, the label before, :eq:`ctc-alpha`::

    blank_i(t) = y_blank(t)   ( blank_i + label_(i-1) )(t - 1)
    label_i(t) = y_label_i(t) ( label_i + blank_i + [label_i differs from label_(i-1)] label_(i-1) )(t - 1)

**Beta is alpha of the sequence read backwards**, frames and labels turned over, so one code does both. In the first
launch `_lattice` a program owns a sequence and a direction; both directions run side by side, T steps and not 2 T. A
third group of programs meanwhile finds for every label the next place where it stands again.

**A number is a mantissa and an exponent, m 2^e, and every state has its own.** Over a thousand frames probabilities
fall to 2^-7000, far below float32. Their logarithms fit, but float32 keeps 11 bits behind the point of 7000, and each
step rounds: after 1024 frames the gradient of torch's own loss is off by 3.5e-3, that of this kernel by 5e-7. Numbers
are added where the larger exponent is, 2^(e - top) being made of its bits. In the chain from step to step there is no
exponential and no logarithm. Beta is kept without y_t, so nothing is divided by y_t.

**Nobody waits for memory.** The next `FRAMES` frames are on their way while the program works on these.

Memory beyond arguments and results: 32 bytes for every frame and label of every sequence, if a gradient is wanted.

In the second launch `_gradient` a program owns a frame of a sequence. It writes exp(log_probs), then, over it at the
blank and at the first place of every label, exp(log_probs) - occupancy, :eq:`ctc-occupancy`. What a repeated label
occupies is summed from place to place, always in the same order: the same numbers give the same bits at every run.

Seconds that an H200 needs for loss and gradient, assumed at 4.3 TB/s and 150 ns a step (`seqlab.ctc.cost`):

===============================  ====================  ===================
T x B x C, L                     1024 x 32 x 128, 96   512 x 64 x 5000, 64
===============================  ====================  ===================
the floor, by steps or by bytes  0.154e-3              0.305e-3
bytes that both launches move    0.061e-3              0.340e-3
===============================  ====================  ===================

With a thread for every lane, a frame of `_lattice` compiles to 105 instructions with two barriers: a write to and a
read from shared memory and 8 dependent operations, some 130 to 160 cycles or 70 to 80 ns. So one may expect 0.12 ms and
0.4 ms. That is a prediction; nothing here was measured.
"""

import torch
import triton
import triton.language as tl

from seqlab.ctc.kernels.common import IDS, in_steps
from seqlab.kernels import interpreting as interpreting
from seqlab.kernels import pick_backend, tuned
from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.kernels.numbers import TYPES
from seqlab.shapes import check_shape

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)
NOTHING = tl.constexpr(-(1 << 28))  # exponent of a probability that is 0
DEEPEST = tl.constexpr(-(1 << 29))  # no exponent falls below
LONGEST = 2047  # labels of a target
# Mantissas grow by less than six times a frame and return to 1 to 2 every FRAMES frames: with 12, they stay below 2^33.
LATTICE = [
    triton.Config({"FRAMES": frames}, num_warps=warps)
    for frames, warps in ((2, 4), *((frames, warps) for warps in (1, 2, 4, 8, 16) for frames in (12, 8, 4)))
]
GRADIENT = [
    triton.Config({"BLOCK": block}, num_warps=warps) for block in (64, 128, 512, 1024, 2048) for warps in (1, 2, 4, 8)
]


@triton.jit
def _power(e, ACC: tl.constexpr):
    """2^e, made of its bits; 0 where it is no normal number; e stays below 128 (float64: 1024)."""
    if ACC.primitive_bitwidth == 64:
        return (tl.maximum(e + 1023, 0).to(tl.int64) << 52).to(tl.float64, bitcast=True)
    else:
        return (tl.maximum(e + 127, 0) << 23).to(tl.float32, bitcast=True)


@triton.jit
def _normal(m, e, ACC: tl.constexpr):
    """The same number with 1 <= m < 2; 0 stays 0."""
    if ACC.primitive_bitwidth == 64:
        up = ((m.to(tl.int64, bitcast=True) >> 52) - 1023).to(tl.int32)
    else:
        up = (m.to(tl.int32, bitcast=True) >> 23) - 127
    return m * _power(-up, ACC), e + up


@triton.jit
def _probability(log_p, ACC: tl.constexpr):
    """exp(log_p) as mantissa and exponent."""
    bits = log_p.to(ACC) * LOG2E
    held = tl.where(bits == bits, tl.minimum(tl.maximum(bits, NOTHING), -NOTHING), 0.0)  # NaN has no whole part
    whole = tl.floor(held)
    m = tl.where(bits < NOTHING, 0.0, tl.exp2(tl.where(bits < NOTHING, 0.0, bits - whole)))
    return m, whole.to(tl.int32)


@triton.jit
def _from_before(m, e, before, lane, ACC: tl.constexpr):
    """The number of the lane before; 0 for the first."""
    if ACC.primitive_bitwidth == 64:
        m, e = tl.gather(m, before, 0), tl.gather(e, before, 0)
    else:  # both at once
        both = (e.to(tl.int64) << 32) | (m.to(tl.int32, bitcast=True).to(tl.int64) & 0xFFFFFFFF)
        both = tl.gather(both, before, 0)
        m, e = (both & 0xFFFFFFFF).to(tl.int32).to(tl.float32, bitcast=True), (both >> 32).to(tl.int32)
    return tl.where(lane == 0, 0.0, m), tl.where(lane == 0, DEEPEST, e)


@triton.jit
def _sum_of_two(m1, e1, m2, e2, ACC: tl.constexpr):
    top = tl.maximum(e1, e2)
    return m1 * _power(e1 - top, ACC) + m2 * _power(e2 - top, ACC), top


@triton.jit
def _sum_of_three(m1, e1, m2, e2, m3, e3, ACC: tl.constexpr):
    top = tl.maximum(tl.maximum(e1, e2), e3)
    total = m1 * _power(e1 - top, ACC) + m2 * _power(e2 - top, ACC) + m3 * _power(e3 - top, ACC)
    return total, top


@triton.jit
def _fetch(first_ptr, hop, k, T, label, known, blank):
    """log_probs of the labels and of the blank in the k-th frame that is read."""
    row_ptr = first_ptr + k * hop
    of_label = tl.load(row_ptr + label, mask=known & (k < T), other=float("-inf"))
    return of_label, tl.load(row_ptr + blank, mask=k < T, other=float("-inf"))


@triton.jit
def _links(target_ptr, link_ptr, rank_ptr, b, M, L, lane):
    """Where each label stands next, -1 for nowhere, and how often it stood before."""
    label = tl.load(target_ptr + b * M + lane, mask=lane < L, other=-1)
    link, rank = lane * 0 - 1, lane * 0
    for i in range(L):
        same = label == tl.load(target_ptr + b * M + i)
        rank += (same & (i < lane)).to(tl.int32)
        link = tl.where(same & (i > lane) & (link < 0), i, link)
    tl.store(link_ptr + b * M + lane, link, mask=lane < L)
    tl.store(rank_ptr + b * M + lane, rank, mask=lane < L)


def _worth_walking(configs, named_args, N, ACC, **others):
    """Keep a lane or two for a thread, and as many frames on their way as the registers hold."""

    def worth(frames, warps):
        lanes = max(1, N // (32 * warps))
        held = frames * lanes * (2 if ACC.primitive_bitwidth == 64 else 1)
        fits = lanes <= 2 or (warps == 16 and N >= 2048)
        return fits and 32 * warps <= max(N, 32) and (8 < held <= 16 or held == frames == 8)

    return [c for c in configs if worth(c.kwargs["FRAMES"], c.num_warps)] or configs[-1:]


@tuned(LATTICE, key=["N", "KEEP", "KIND"], prune=_worth_walking)
@triton.jit
def _lattice(
    lp_ptr,  # (T, B, C) with the steps below
    target_ptr,  # (B, M)
    frames_ptr,  # (B,): frames of every sequence
    labels_ptr,  # (B,): labels of every target
    loss_ptr,  # (B,): takes -ln P
    pm_ptr,  # (B,): takes the mantissa and the exponent of P
    pe_ptr,
    m_ptr,  # (2, B, T, 2, W): takes the mantissas of alpha and beta, of blanks and labels
    e_ptr,  # the same: the exponents
    link_ptr,  # (B, M): takes where a label stands next
    rank_ptr,  # (B, M): and how often it stood before
    T,
    B,
    C,
    M,
    W,
    step_t,
    step_b,
    blank,
    N: tl.constexpr,  # M + 1 rounded up to a power of two
    KEEP: tl.constexpr,  # for the gradient; otherwise there is only the forward direction
    ACC: tl.constexpr,
    KIND: tl.constexpr,  # the type of log_probs, for the tuner to tell apart
    FRAMES: tl.constexpr,
):
    b, way = tl.program_id(0).to(tl.int64), tl.program_id(1)
    lane = tl.arange(0, N)
    length = tl.minimum(tl.maximum(tl.load(frames_ptr + b), 0), T).to(tl.int32)
    L = tl.minimum(tl.maximum(tl.load(labels_ptr + b), 0), M).to(tl.int32)
    if way == 2:
        _links(target_ptr, link_ptr, rank_ptr, b, M, L, lane)
    else:
        backwards = way == 1
        own = tl.where(backwards, L - 1 - lane, lane)
        earlier = tl.where(backwards, own + 1, own - 1)
        label = tl.load(target_ptr + b * M + own, mask=lane < L, other=-1)
        known = (label >= 0) & (label < C)
        skips = (lane > 0) & (label != tl.load(target_ptr + b * M + earlier, mask=(lane > 0) & (lane < L), other=-1))
        before = tl.maximum(lane - 1, 0)
        of_blank, of_label = tl.where(backwards, L - lane, lane), W + own
        # Read from the first frame on, or from the last one back.
        begin, hop = tl.where(backwards, length - 1, 0).to(tl.int64), tl.where(backwards, -1, 1).to(tl.int64)
        first_ptr, hop_row = lp_ptr + b * step_b + begin * step_t, hop * step_t
        at, hop_at = ((way * B + b) * T + begin) * 2 * W, hop * 2 * W
        # Before the first frame all of the probability is in front of the first blank.
        bm, be = tl.where(lane == 0, 1.0, 0.0).to(ACC), tl.where(lane == 0, 0, DEEPEST)
        lm, le = tl.zeros([N], ACC), tl.full([N], DEEPEST, tl.int32)
        here = ()
        for f in tl.static_range(FRAMES):
            here += (_fetch(first_ptr, hop_row, f, length, label, known, blank),)
        for start in range(0, length, FRAMES):
            ahead = ()
            for f in tl.static_range(FRAMES):
                ahead += (_fetch(first_ptr, hop_row, start + FRAMES + f, length, label, known, blank),)
            bm, be = _normal(bm, be, ACC)
            lm, le = _normal(lm, le, ACC)
            for f in tl.static_range(FRAMES):
                if start + f < length:
                    sm, se = _from_before(lm, le, before, lane, ACC)
                    tm, te = tl.where(skips, sm, 0.0), tl.where(skips, se, DEEPEST)
                    lm, le = _sum_of_three(lm, le, bm, be, tm, te, ACC)
                    bm, be = _sum_of_two(bm, be, sm, se, ACC)
                    ylm, yle = _probability(here[f][0], ACC)
                    ybm, ybe = _probability(here[f][1], ACC)
                    am, ae = lm * ylm, tl.maximum(le + yle, DEEPEST)
                    cm, ce = bm * ybm, tl.maximum(be + ybe, DEEPEST)
                    if KEEP:
                        tl.store(m_ptr + at + of_blank, tl.where(backwards, bm, cm), mask=lane <= L)
                        tl.store(e_ptr + at + of_blank, tl.where(backwards, be, ce), mask=lane <= L)
                        tl.store(m_ptr + at + of_label, tl.where(backwards, lm, am), mask=lane < L)
                        tl.store(e_ptr + at + of_label, tl.where(backwards, le, ae), mask=lane < L)
                        at += hop_at
                    lm, le, bm, be = am, ae, cm, ce
            here = ahead
        if way == 0:
            sm, se = _from_before(lm, le, before, lane, ACC)
            bm, be = _sum_of_two(bm, be, sm, se, ACC)  # what has reached the end
            bm, be = _normal(bm, be, ACC)
            pm = tl.sum(tl.where(lane == L, bm, 0.0), axis=0)
            pe = tl.sum(tl.where(lane == L, be, 0), axis=0)
            log_p = tl.log(tl.where(pm == 0, 1.0, pm)) + pe.to(ACC) * LN2
            tl.store(loss_ptr + b, tl.where(pm == 0, float("inf"), -log_p))
            tl.store(pm_ptr + b, pm)
            tl.store(pe_ptr + b, pe)


@triton.jit
def _occupied(m_ptr, e_ptr, alpha, beta, place, mask, pm, pe, ACC: tl.constexpr):
    """The share alpha beta / P of a state in all paths of the target."""
    m = tl.load(m_ptr + alpha + place, mask=mask, other=0.0) * tl.load(m_ptr + beta + place, mask=mask, other=0.0)
    e = tl.load(e_ptr + alpha + place, mask=mask, other=0) + tl.load(e_ptr + beta + place, mask=mask, other=0)
    return (m / pm) * _power(tl.minimum(e - pe, 127), ACC)


def _worth_writing(configs, named_args, N, CLASSES, **others):
    """Leave out blocks that are longer than a row or much shorter.

    How many threads there are decides in which order the blanks are summed. So that is not tuned: it depends on the
    sizes alone, and another process finds the same bits.
    """
    longest, threads = min(max(CLASSES, 64), 2048), min(max(CLASSES // 64, N // 4, 32), 256)
    fits = [c for c in configs if 32 * c.num_warps == threads]
    return [c for c in fits if longest // 4 <= c.kwargs["BLOCK"] <= longest]


@tuned(GRADIENT, key=["N", "CLASSES", "KIND"], prune=_worth_writing)
@triton.jit
def _gradient(
    lp_ptr,  # (T, B, C) with the steps below
    target_ptr,  # (B, M)
    frames_ptr,  # (B,)
    labels_ptr,  # (B,)
    pm_ptr,  # (B,)
    pe_ptr,
    m_ptr,  # (2, B, T, 2, W)
    e_ptr,
    link_ptr,  # (B, M)
    rank_ptr,
    scale_ptr,  # (B,) what the losses are multiplied by, or anything
    out_ptr,  # (T, B, C): takes the gradient
    T,
    B,
    C,  # this and the steps below are counted in EACH
    M,
    W,
    step_t,
    step_b,
    step_scale,
    blank,
    EACH: tl.constexpr,
    N: tl.constexpr,
    CLASSES: tl.constexpr,  # C rounded up to a power of two
    SCALED: tl.constexpr,
    ZERO: tl.constexpr,  # whether an impossible target gets zeros and not NaN
    ACC: tl.constexpr,
    KIND: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    t, b = row // B, row % B
    C = C * EACH
    col, lane = tl.arange(0, BLOCK), tl.arange(0, N)
    lp, out = lp_ptr + t * step_t * EACH + b * step_b * EACH, out_ptr + row * C
    length = tl.minimum(tl.load(frames_ptr + b), T)
    if t >= length:
        for start in range(0, C, BLOCK):
            tl.store(out + start + col, tl.zeros([BLOCK], ACC).to(out_ptr.dtype.element_ty), mask=start + col < C)
    else:
        L = tl.minimum(tl.maximum(tl.load(labels_ptr + b), 0), M).to(tl.int32)
        pm, pe = tl.load(pm_ptr + b), tl.load(pe_ptr + b)
        scale = tl.full([], 1.0, ACC)
        if SCALED:
            scale = tl.load(scale_ptr + b * step_scale).to(ACC)
        possible = pm > 0  # not so for NaN either
        instead = tl.where((pm == 0) & ZERO, 0.0, float("nan"))
        for start in range(0, C, BLOCK):
            p = tl.exp(tl.load(lp + start + col, mask=start + col < C, other=0.0).to(ACC))
            value = tl.where(possible, p * scale, instead)
            tl.store(out + start + col, value.to(out_ptr.dtype.element_ty), mask=start + col < C)
        tl.debug_barrier()  # the next ones lie over these
        if possible:
            alpha = ((b * T + t) * 2) * W
            beta = (((B + b) * T + t) * 2) * W
            share = _occupied(m_ptr, e_ptr, alpha, beta, lane, lane <= L, pm, pe, ACC)
            value = (tl.exp(tl.load(lp + blank).to(ACC)) - tl.sum(share, axis=0)) * scale
            tl.store(out + blank, value.to(out_ptr.dtype.element_ty))

            label = tl.load(target_ptr + b * M + lane, mask=lane < L, other=0)
            link = tl.load(link_ptr + b * M + lane, mask=lane < L, other=-1)
            rank = tl.load(rank_ptr + b * M + lane, mask=lane < L, other=0)
            total = _occupied(m_ptr, e_ptr, alpha, beta, W + lane, lane < L, pm, pe, ACC)
            first = (lane < L) & (rank == 0)
            link = tl.where(first, link, -1)
            for _ in range(tl.max(rank, axis=0)):
                total += _occupied(m_ptr, e_ptr, alpha, beta, W + link, link >= 0, pm, pe, ACC)
                link = tl.load(link_ptr + b * M + link, mask=link >= 0, other=-1)
            value = (tl.exp(tl.load(lp + label, mask=first, other=0.0).to(ACC)) - total) * scale
            tl.store(out + label, value.to(out_ptr.dtype.element_ty), mask=first)


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, *, zero_infinity=False):
    """Losses and what torch gives as their gradient, :eq:`ctc-loss`, :eq:`ctc-gradient`; Graves et al. (2006).

    Sums are in float32 (float64 for float64), whatever the type of the arguments, with an exponent of their own for
    each state: a probability may be as small as 2^-100,000,000.

    Parameters
    ----------
    log_probs : (T, B, C) natural logarithms of probabilities, -Inf allowed; float32, bfloat16, float16 or float64. If
        the classes of a frame lie side by side, nothing is copied.
    targets : int64 or int32 (B, L), a row for each sequence, without blanks; what is beyond its length does not count.
    input_lengths : int64 or int32 (B,), frames of each sequence, 0 to T; others are cut to that.
    target_lengths : int64 or int32 (B,), labels of each target, 0 to L; others are cut to that.
    blank : id of the blank.
    zero_infinity : what the gradient of a sequence is whose loss is infinite: 0, otherwise NaN, as in torch.

    Returns
    -------
    losses : (B,) -ln P in nats; inf where no path gives the target, because it has too many labels for its frames, or
        a label that is no class.
    gradient : (T, B, C) in the type of log_probs, exp(log_probs) - occupancy: torch's gradient of the sum of the
        losses. That is the gradient with respect to logits whose log_softmax log_probs are, and passes through
        log_softmax unchanged. Zero at frames beyond a sequence's length.

    Raises
    ------
    ValueError
        when a shape, a data type, a device or the blank does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    given = _checked(log_probs, targets, input_lengths, target_lengths, blank)
    losses, kept = _run(given, blank, keep=True)
    return losses, _differentiate(given, blank, kept, None, zero_infinity)


def losses(log_probs, targets, input_lengths, target_lengths, blank=0, *, zero_infinity=False):
    """The same (B,) losses for autograd, which asks for the gradient later, if at all.

    Without a gradient only the forward direction runs. With one, the gradient of every loss enters the kernel that
    writes it, so that no array of (T, B, C) is passed over a second time. Arguments and errors are those of `ctc_loss`;
    the losses are in float32 or float64. With `zero_infinity` infinite losses become 0.
    """
    given = _checked(log_probs, targets, input_lengths, target_lengths, blank)
    wanted = torch.is_grad_enabled() and log_probs.requires_grad
    return _Losses.apply(*given, blank, zero_infinity, wanted)


class _Losses(torch.autograd.Function):
    """The lattice forward, the gradient when it is asked for."""

    @staticmethod
    def forward(ctx, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity, wanted):
        given = (log_probs, targets, input_lengths, target_lengths)
        found, kept = _run(given, blank, keep=wanted)
        ctx.save_for_backward(*given, *(kept or ()))
        ctx.rest = blank, zero_infinity
        return torch.where(found == torch.inf, 0.0, found) if zero_infinity else found

    @staticmethod
    def backward(ctx, d_losses):
        refuse_second_derivative()
        saved, (blank, zero_infinity) = ctx.saved_tensors, ctx.rest
        gradient = _differentiate(saved[:4], blank, saved[4:], d_losses, zero_infinity)
        return gradient, None, None, None, None, None, None


def _checked(log_probs, targets, input_lengths, target_lengths, blank):
    """The arguments as the kernels take them."""
    _, B, C = check_shape("log_probs", log_probs, ("T", "B", "C")).values()
    M = check_shape("targets", targets, (B, "L"))["L"]
    check_shape("input_lengths", input_lengths, (B,))
    check_shape("target_lengths", target_lengths, (B,))
    if log_probs.dtype not in TYPES:
        raise ValueError(f"log_probs holds {log_probs.dtype}; the kernel takes float32, bfloat16, float16 and float64")
    ids = {"targets": targets, "input_lengths": input_lengths, "target_lengths": target_lengths}
    for name, tensor in ids.items():
        if tensor.dtype not in IDS:
            raise ValueError(f"{name} holds {tensor.dtype}; the kernel takes int64 and int32")
    if not 0 <= blank < C:
        raise ValueError(f"blank is {blank}; with {C} classes it must be from 0 to {C - 1}")
    if M > LONGEST:
        raise ValueError(f"targets has shape {tuple(targets.shape)}; the kernel takes up to {LONGEST} labels")
    pick_backend("triton", log_probs, *ids.values())
    return log_probs if log_probs.stride(2) == 1 else log_probs.contiguous(), *(t.contiguous() for t in ids.values())


def plan(M, dtype):
    """Choose the constants of both kernels; the compile tests read the same plan as the launch."""
    acc = tl.float64 if dtype == torch.float64 else tl.float32
    return {"N": triton.next_power_of_2(M + 1), "ACC": acc, "KIND": str(dtype)}


def _run(given, blank, keep):
    """Launch `_lattice`: the losses, and what the gradient needs."""
    log_probs, targets, _, _ = given
    (T, B, C), M = log_probs.shape, targets.shape[1]
    W, like = _row(M), {"device": log_probs.device}
    wide = torch.promote_types(log_probs.dtype, torch.float32)
    found, pm = (torch.empty(B, dtype=wide, **like) for _ in range(2))
    pe = torch.empty(B, dtype=torch.int32, **like)
    states = (2, B, T, 2, W) if keep else (1,)
    m, e = torch.empty(states, dtype=wide, **like), torch.empty(states, dtype=torch.int32, **like)
    link, rank = (torch.empty((B, M) if keep else (1,), dtype=torch.int32, **like) for _ in range(2))
    kept = pm, pe, m, e, link, rank
    if B:
        with torch.cuda.device_of(log_probs):
            steps = log_probs.stride()[:2]
            _lattice[(B, 3 if keep else 1)](
                *given, found, *kept, T, B, C, M, W, *steps, blank, KEEP=keep, **plan(M, log_probs.dtype)
            )
    return found, kept if keep else None


def _row(M):
    """Places from one row of states to the next: M + 1, and a multiple of 16."""
    return triton.cdiv(M + 1, 16) * 16


def _differentiate(given, blank, kept, scale, zero_infinity):
    """Launch `_gradient`; `scale` is (B,), the gradient of every loss, or None for ones."""
    log_probs, targets, *_ = given
    (T, B, C), M = log_probs.shape, targets.shape[1]
    gradient = torch.empty(T, B, C, dtype=log_probs.dtype, device=log_probs.device)
    if gradient.numel() == 0:
        return gradient
    pointers = *given, *kept, kept[0] if scale is None else scale, gradient
    each, *long = in_steps(C, *log_probs.stride()[:2])
    sizes = T, B, long[0], M, _row(M), *long[1:], 1 if scale is None else scale.stride(0), blank
    choices = {"EACH": each, "SCALED": scale is not None, "ZERO": zero_infinity, "CLASSES": triton.next_power_of_2(C)}
    with torch.cuda.device_of(log_probs):
        _gradient[(T * B,)](*pointers, *sizes, **choices, **plan(M, log_probs.dtype))
    return gradient
