"""Prefix beam search, :eq:`ctc-prefix-beam`, in two launches: the labels worth a look, then the whole search.

**A frame's labels are sorted once, for all beams.** A prefix whose mass has the logarithm m gets m + log y_c by growing
by label c. Within a prefix the order of the C - 1 labels is that of their y, whatever m is. So of the K best
continuations none needs a label behind the K + 1 likeliest of the frame: of the K likeliest, one may be the prefix's
own last letter, which has another mass (a double letter needs a blank between); one that only grows into another beam
of the search hands its mass to a beam that is then at least as good. The first launch, `_likeliest`, finds these K + 1
for all frames side by side, in one pass over log_probs. What waits for the frame before no longer depends on C.

**The search** is the second launch, `_search`: a program owns a sequence and walks over its frames. It holds the K
prefixes with their two masses, and per frame

1. lets every prefix stay (by a blank, by its last letter again), and adds to it what its parent prefix, if that is in
   the beam, gets by growing into it;
2. finds the K best of K that stay, K that double their last letter, and K x K that grow, one after another, each the
   best that comes after the one before: nothing is taken out and nothing is written between two rounds;
3. takes along the masses, the last letters and the relation between the prefixes, in registers.

**Two prefixes are the same when their nodes are.** Prefixes are nodes of a tree; a node is a number, its parent and its
label are written down once. No hash stands for a text. To know who is whose parent a K x K table says, for prefixes i
and j, which node lies below i on the way to j. One thing is easily missed: a prefix may leave the beam while a longer
one that begins with it stays, and come back later. The table then says that it was there: it gets its old node back,
and the nodes below it on the way to the others are looked up in the tree. Without that the beam would hold one text
twice.

Logarithms of the masses are kept relative to the best prefix, and the sum of what was taken off is a float64, so that
float32 has no fewer digits at the end of a long recording than at its beginning. Nothing is done by atomics: two runs
give the same bits.

What must be moved and waited for stands in `seqlab.ctc.cost.beam_cost`.
"""

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting as interpreting
from seqlab.kernels import pick_backend, tuned
from seqlab.kernels.numbers import TYPES
from seqlab.shapes import check_shape

WIDEST = 32  # beams of a sequence
NOBODY = tl.constexpr(0x7FFFFFFF)  # a place behind all others
LIKELIEST = [
    triton.Config({"BLOCK": block}, num_warps=warps)
    for block, warps in ((1024, 1), (1024, 4), (2048, 2), (4096, 4), (8192, 8))
]


@triton.jit
def _log_sum(a, b):
    """log(e^a + e^b); -Inf stands for 0."""
    top = tl.maximum(a, b)
    return top + tl.log(1 + tl.exp(tl.minimum(a, b) - tl.where(top == float("-inf"), 0.0, top)))


@triton.jit
def _comes_after(value, place, last, last_place):
    """Whether a candidate comes after the last one that was taken: it is worth less, or as much and stands behind."""
    return (value < last) | ((value == last) & (place > last_place))


@tuned(LIKELIEST, key=["C", "SLOTS", "KIND"])
@triton.jit
def _likeliest(
    lp_ptr,  # (T, B, C)
    frames_ptr,  # (B,): frames of every sequence
    value_ptr,  # (T, B, R): takes the largest log-probabilities of labels; NaN where a frame holds what is none
    label_ptr,  # (T, B, R): takes whose they are; -2 where there is none
    B,
    C,
    R,
    blank,
    SLOTS: tl.constexpr,  # R rounded up to a power of two
    KIND: tl.constexpr,  # the type of log_probs, for the tuner to tell apart
    ACC: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    t, b = row // B, row % B
    if t < tl.load(frames_ptr + b):
        slot = tl.arange(0, SLOTS)
        best, label = tl.full([SLOTS], float("-inf"), ACC), tl.full([SLOTS], -2, tl.int32)
        strange = tl.full([], 0, tl.int32)
        for start in range(0, C, BLOCK):
            col = start + tl.arange(0, BLOCK)
            y = tl.load(lp_ptr + row * C + col, mask=col < C, other=float("-inf")).to(ACC)
            strange = tl.maximum(strange, tl.max(((y != y) | (y == float("inf"))).to(tl.int32), axis=0))
            y = tl.where(col == blank, float("-inf"), y)
            last, last_place = tl.full([], float("inf"), ACC), tl.full([], -1, tl.int32)
            new, new_label = tl.full([SLOTS], float("-inf"), ACC), tl.full([SLOTS], -2, tl.int32)
            for r in range(R):
                here, before = _comes_after(y, col, last, last_place), _comes_after(best, label, last, last_place)
                last = tl.maximum(
                    tl.max(tl.where(here, y, float("-inf")), axis=0),
                    tl.max(tl.where(before, best, float("-inf")), axis=0),
                )
                last_place = tl.minimum(
                    tl.min(tl.where(here & (y == last), col, NOBODY), axis=0),
                    tl.min(tl.where(before & (best == last), label, NOBODY), axis=0),
                )
                new = tl.where(slot == r, last, new)
                new_label = tl.where(slot == r, tl.where(last > float("-inf"), last_place, -2), new_label)
            best, label = new, new_label
        best = tl.where(strange > 0, float("nan"), best)
        tl.store(value_ptr + row * R + slot, best, mask=slot < R)
        tl.store(label_ptr + row * R + slot, label, mask=slot < R)


@triton.jit
def _fetch(lp_ptr, value_ptr, label_ptr, row, C, width, blank, k, there):
    """What a frame says, whatever the beams are: its likeliest labels, the one after them, the blank."""
    value_ptr += row * (width + 1)
    label_ptr += row * (width + 1)
    top_y = tl.load(value_ptr + k, mask=there & (k < width), other=float("-inf"))
    top_label = tl.load(label_ptr + k, mask=there & (k < width), other=-2)
    next_y = tl.load(value_ptr + width, mask=there, other=float("-inf"))
    next_label = tl.load(label_ptr + width, mask=there, other=-2)
    return top_y, top_label, next_y, next_label, tl.load(lp_ptr + row * C + blank, mask=there, other=float("-inf"))


@triton.jit
def _search(
    lp_ptr,  # (T, B, C)
    frames_ptr,  # (B,): frames of every sequence
    value_ptr,  # (T, B, width + 1): the likeliest labels of every frame
    label_ptr,  # (T, B, width + 1)
    parent_ptr,  # (B, T K + 1): takes the tree of the prefixes, node 0 the empty one
    letter_ptr,  # (B, T K + 1)
    text_ptr,  # (B, width, T): takes the labels of the prefixes
    length_ptr,  # (B, width)
    out_ptr,  # (B, width): takes their log-probabilities
    T,
    B,
    C,
    width,
    blank,
    K: tl.constexpr,  # width rounded up to a power of two
    LABELS: tl.constexpr,  # C rounded up to a power of two
    ACC: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64)
    frames = tl.minimum(tl.maximum(tl.load(frames_ptr + b), 0), T).to(tl.int32)
    parent_ptr += b * (T * K + 1)
    letter_ptr += b * (T * K + 1)
    k = tl.arange(0, K)
    i, j = k[:, None], k[None, :]
    real = k < width

    # Before the first frame: the empty prefix, whose paths end in a blank, and places that nobody has.
    node = tl.where(k == 0, 0, -1)
    last = tl.full([K], -1, tl.int32)
    length = tl.full([K], 0, tl.int32)
    in_blank = tl.where(k == 0, 0.0, float("-inf")).to(ACC)
    in_label = tl.full([K], float("-inf"), ACC)
    below = tl.full([K, K], -1, tl.int32)  # the node below i on the way to j, -1 where i does not begin j
    below_letter = tl.full([K, K], -1, tl.int32)
    taken_off = tl.full([], 0.0, tl.float64)
    strange = tl.full([], 0, tl.int32)

    top_y, top_label, next_y, next_label, said = _fetch(lp_ptr, value_ptr, label_ptr, b, C, width, blank, k, frames > 0)
    y_last = tl.full([K], float("-inf"), ACC)
    for t in range(frames):
        row = b + (t + 1) * B  # what the next frame says is on its way while this one is worked on
        ahead_y, ahead_label, ahead_next_y, ahead_next_label, ahead_said = _fetch(
            lp_ptr, value_ptr, label_ptr, row, C, width, blank, k, t + 1 < frames
        )
        y_blank = said.to(ACC)
        strange = tl.maximum(strange, (next_y != next_y).to(tl.int32))

        # 1. The text stays: by a blank, by the last letter again, or because its parent grows into it.
        total = _log_sum(in_blank, in_label)
        doubled = in_blank + y_last
        is_parent = (below == node[None, :]) & (below >= 0)
        twice = last[:, None] == last[None, :]
        grows_into = tl.where(twice, in_blank[:, None], total[:, None]) + y_last[None, :]
        from_parent = tl.max(tl.where(is_parent, grows_into, float("-inf")), axis=0)
        stay_blank, stay_label = total + y_blank, _log_sum(in_label + y_last, from_parent)
        stay = _log_sum(stay_blank, stay_label)

        # The text grows by one of the likeliest labels; the last letter's place goes to the next one. `merged` has a
        # bit for every place that would only lead to another prefix of the beam. (The next one may lead there, too; it
        # is not taken then, for that prefix and what the other places hold or lead to are K that come before it.)
        rank = tl.max(tl.where((top_label[:, None] == last[None, :]) & real[:, None], i, -1), axis=0)
        bit = tl.where(rank >= 0, tl.full([K], 1, tl.int64) << tl.maximum(rank, 0).to(tl.int64), 0)
        merged = tl.sum(tl.where(is_parent, bit[None, :], 0), axis=1)
        merged_double = tl.max((is_parent & twice).to(tl.int32), axis=1)
        own = top_label[None, :] == last[:, None]
        grow_label = tl.where(own, next_label, top_label[None, :])
        free = (own | (((merged[:, None] >> j.to(tl.int64)) & 1) == 0)) & (grow_label >= 0)
        grow = tl.where(free, total[:, None] + tl.where(own, next_y, top_y[None, :]), float("-inf"))
        grow_place = K + i * LABELS + grow_label
        doubled = tl.where((merged_double > 0) | (last < 0), float("-inf"), doubled)
        side, side_place = tl.join(stay, doubled), tl.join(k, K + k * LABELS + last)

        # 2. The best, one after another; of equal ones the first place.
        score, chosen = tl.full([K], float("-inf"), ACC), tl.full([K], -1, tl.int32)
        top, place = tl.full([], float("inf"), ACC), tl.full([], -1, tl.int32)
        for r in range(width):
            one, two = _comes_after(grow, grow_place, top, place), _comes_after(side, side_place, top, place)
            top = tl.maximum(
                tl.max(tl.max(tl.where(one, grow, float("-inf")), axis=1), axis=0),
                tl.max(tl.max(tl.where(two, side, float("-inf")), axis=1), axis=0),
            )
            place = tl.minimum(
                tl.min(tl.min(tl.where(one & (grow == top), grow_place, NOBODY), axis=1), axis=0),
                tl.min(tl.min(tl.where(two & (side == top), side_place, NOBODY), axis=1), axis=0),
            )
            score = tl.where(k == r, top, score)
            chosen = tl.where(k == r, tl.where(top > float("-inf"), place, -1), chosen)

        # 3. What the chosen ones take along.
        alive, grows = chosen >= 0, chosen >= K
        at = tl.maximum(chosen - K, 0)
        source = tl.where(grows, at // LABELS, tl.maximum(chosen, 0))
        letter = tl.where(grows, at % LABELS, tl.gather(last, source, 0))
        best = tl.max(score, axis=0)
        best = tl.where(best == float("-inf"), 0.0, best)
        taken_off += best.to(tl.float64)
        in_blank = tl.where(alive & (grows == 0), tl.gather(stay_blank, source, 0) - best, float("-inf"))
        in_label = tl.where(grows, score, tl.gather(stay_label, source, 0)) - best
        in_label = tl.where(alive, in_label, float("-inf"))
        last = tl.where(alive, letter, -1)
        y_last = tl.load(lp_ptr + row * C + last, mask=(last >= 0) & (t + 1 < frames), other=float("-inf")).to(ACC)
        length = tl.where(alive, tl.gather(length, source, 0) + grows.to(tl.int32), 0)
        old_node = tl.gather(node, source, 0)

        # The relation: first of the old prefixes to the new ones, then of the new ones to each other.
        from_i, to_j = tl.broadcast_to(source[:, None], [K, K]), tl.broadcast_to(source[None, :], [K, K])
        under = tl.gather(tl.gather(below, from_i, 0), to_j, 1)
        under_letter = tl.gather(tl.gather(below_letter, from_i, 0), to_j, 1)
        both = alive[:, None] & alive[None, :]
        back = both & grows[:, None] & (under >= 0) & (under_letter == letter[:, None])  # i was there before, above j
        known = tl.max(tl.where(back, under, -1), axis=1)
        fresh = 1 + t * K + k
        node = tl.where(grows, tl.where(known >= 0, known, fresh), old_node)
        node = tl.where(alive, node, -1)
        tl.store(parent_ptr + fresh, old_node, mask=grows & (known < 0))
        tl.store(letter_ptr + fresh, letter, mask=grows & (known < 0))
        from_here = (from_i == to_j) & grows[None, :]
        below = tl.where(from_here, node[None, :], under)
        below_letter = tl.where(from_here, letter[None, :], under_letter)
        below = tl.where(both & (grows[:, None] == 0), below, -1)
        if tl.max(tl.max(back.to(tl.int32), axis=1), axis=0) > 0:
            tl.debug_barrier()  # other threads wrote these nodes, in frames before
            way = tl.where(back, old_node[None, :], -1)
            above = tl.load(parent_ptr + way, mask=back, other=-1)
            while tl.max(tl.max((back & (above != under)).to(tl.int32), axis=1), axis=0) > 0:
                way = tl.where(above != under, above, way)
                above = tl.load(parent_ptr + way, mask=back, other=-1)
            below = tl.where(back, way, below)
            below_letter = tl.where(back, tl.load(letter_ptr + way, mask=back, other=-1), below_letter)
        top_y, top_label, next_y, next_label, said = ahead_y, ahead_label, ahead_next_y, ahead_next_label, ahead_said

    total = _log_sum(in_blank, in_label).to(tl.float64) + taken_off
    total = tl.where(strange > 0, float("nan"), total)
    length = tl.where(strange > 0, 0, length)
    tl.store(out_ptr + b * width + k, total.to(out_ptr.dtype.element_ty), mask=real)
    tl.store(length_ptr + b * width + k, length.to(tl.int64), mask=real)

    # The texts, from their ends to their beginnings.
    tl.debug_barrier()
    node = tl.where(real & (length > 0), node, 0)
    while tl.max(node, axis=0) > 0:
        length -= 1
        letter = tl.load(letter_ptr + node, mask=node > 0, other=-1)
        tl.store(text_ptr + (b * width + k) * T + length, letter.to(tl.int64), mask=node > 0)
        node = tl.load(parent_ptr + node, mask=node > 0, other=0)


def plan(C, beam_width, dtype):
    """Choose the constants of both kernels and the warps of the search; the compile tests read the same plan."""
    K, acc = triton.next_power_of_2(beam_width), tl.float64 if dtype == torch.float64 else tl.float32
    likeliest = {"SLOTS": triton.next_power_of_2(beam_width + 1), "KIND": str(dtype), "ACC": acc}
    # A thread has 32 bytes of a K x K table: more would not fit its registers, less would make it wait for others.
    warps = max(1, K * K * acc.primitive_bitwidth // 8192)
    search = {"K": K, "LABELS": triton.next_power_of_2(C), "ACC": acc, "num_warps": warps}
    return likeliest, search


def beam_decode(log_probs, input_lengths=None, beam_width=16, blank=0):
    """Prefix beam search over all sequences, :eq:`ctc-prefix-beam`; a choice has no gradient.

    The search of `seqlab.ctc.reference.beam_decode` without a language model, with the same beams in the same order.
    Of equal scores a prefix that was in the beam comes before a new one, then what comes from the better beam, then the
    lower label. One difference: of two labels of a frame the likelier one may extend a prefix also where both sums
    round to the same number.

    Parameters
    ----------
    log_probs : (T, B, C) log-probabilities, float64, float32, bfloat16 or float16; sums are in float32 or float64.
    input_lengths : (B,) whole numbers, frames of each sequence; None for T each. What stands behind them, NaN too, is
        not read.
    beam_width : K, from 1 to 32.
    blank : id of the blank.

    Returns
    -------
    labels : (B, K, T) int64, the labels of each text and then -1; the best text first.
    lengths : (B, K) int64, how many labels.
    log_probs : (B, K) float32, or float64 for float64: log of the probability that the search has counted for a text,
        :eq:`ctc-prefix-beam`. -Inf where there are fewer texts of any probability. NaN, with empty texts, for a
        sequence with a frame that holds NaN or +Inf.

    Raises
    ------
    ValueError
        when a shape, a data type, the width, the blank or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    T, B, C = check_shape("log_probs", log_probs, ("T", "B", "C")).values()
    lengths = torch.full((B,), T, device=log_probs.device) if input_lengths is None else input_lengths
    check_shape("input_lengths", lengths, (B,))
    if log_probs.dtype not in TYPES:
        raise ValueError(f"log_probs holds {log_probs.dtype}; the kernel takes float32, bfloat16, float16 and float64")
    if lengths.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"input_lengths holds {lengths.dtype}; the kernel takes int64 and int32")
    if beam_width != int(beam_width) or not 1 <= beam_width <= WIDEST:
        raise ValueError(
            f"beam_width is {beam_width}; the kernel's is 1 to {WIDEST}: use backend='torch' for a wider beam"
        )
    if not 0 <= blank < C:
        raise ValueError(f"blank is {blank}; log_probs has the classes 0 to {C - 1}")
    pick_backend("triton", log_probs, lengths)
    device, width = log_probs.device, int(beam_width)
    wide = torch.float64 if log_probs.dtype == torch.float64 else torch.float32
    labels = torch.full((B, width, T), -1, dtype=torch.int64, device=device)
    ends = torch.empty(B, width, dtype=torch.int64, device=device)
    out = torch.empty(B, width, dtype=wide, device=device)
    if B == 0:
        return labels, ends, out
    likeliest, search = plan(C, width, log_probs.dtype)
    log_probs, lengths = log_probs.detach().contiguous(), lengths.contiguous()
    values = torch.empty(T, B, width + 1, dtype=wide, device=device)
    ids = torch.empty(T, B, width + 1, dtype=torch.int32, device=device)
    parents, letters = (torch.empty(B, T * search["K"] + 1, dtype=torch.int32, device=device) for _ in range(2))
    with torch.cuda.device_of(log_probs):
        if T:
            _likeliest[(T * B,)](log_probs, lengths, values, ids, B, C, width + 1, blank, **likeliest)
        _search[(B,)](
            *(log_probs, lengths, values, ids, parents, letters, labels, ends, out), T, B, C, width, blank, **search
        )
    return labels, ends, out
