"""A step of beam search, :eq:`beam-step`, in one pass over the scores: log-softmax, totals and the best of K x V.

For every sentence the `width` best pairs of a beam k and a token v by ::

    total_k + (z_kv - top_k) - log sum_j exp(z_kj - top_k)        top_k = max_j z_kj

are wanted. Within a beam the order of the totals is that of the scores z, so nobody needs to store a log-probability
for all K x V of them. Three launches, of which the first does nearly all the work:

1. `_groups`. The vocabulary is cut into groups of E neighbours. A group leaves two numbers: its largest score, and the
   sum of exp(z - largest). Every score is read here, once.
2. `_candidates`, a program for every beam. The sums give the log-sum-exp. An element among the best `width` lies in a
   group whose largest is among the `width` largest: those groups alone are looked at again, and the best `width`
   scores of the beam are found in them.
3. `_merge`, a program for every sentence, adds the totals and takes the best of K x width.

The best are found one after another, each the largest key below the one before. A key is 64 bits: above, the number,
its bits so turned that integers sort as the numbers do; below, the position counted backwards, so that of two equal
numbers the first wins. No key is twice there, none is ever taken out, and nothing is written between two rounds.

What moves for 64 sentences, 10 beams and 32768 words in float32 (`seqlab.decode.cost` counts it):

=====================================================  ======  =======
way                                                    MB      seconds
=====================================================  ======  =======
log_softmax, the sum with the totals, topk             419     97e-6
this kernel                                            91      21e-6
the scores, read once                                  84      20e-6
=====================================================  ======  =======

The seconds are a floor, what an H200 needs for the bytes alone at 4.3 TB/s. They are no measurement.
"""

import seqlab.kernels  # noqa: F401  chooses Triton's mode, so it comes before triton

# isort: split
import math

import torch
import triton
import triton.language as tl

from seqlab.kernels import interpreting as interpreting
from seqlab.kernels import pick_backend, tuned
from seqlab.shapes import check_shape

WIDEST = 64  # beams out of a sentence
SMALLEST, LARGEST = 64, 256  # tokens of a group: fewer leave too much to write, more too much to look at again
TYPES = (torch.float32, torch.bfloat16, torch.float16)
TILES = [triton.Config({"TILE": tile}, num_warps=warps) for tile, warps in ((4096, 4), (2048, 4), (8192, 8), (2048, 2))]


@triton.jit
def _packed(number, place, inside):
    """Keys that sort as the numbers do, of equal numbers the first place above; NaN is above all, as in torch."""
    bits = (number + 0.0).to(tl.int32, bitcast=True)  # -0 becomes 0
    turned = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    turned = tl.where(number == number, turned, 0x7FFFFFFF)
    key = (turned.to(tl.int64) << 32) + (0x7FFFFFFF - place).to(tl.int64)
    return tl.where(inside, key, -0x8000000000000000)


@triton.jit
def _number(key):
    turned = (key >> 32).to(tl.int32)
    return (turned ^ ((turned >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def _place(key):
    return 0x7FFFFFFF - (key & 0xFFFFFFFF)


@tuned(TILES, key=["E", "KIND"])
@triton.jit
def _groups(
    z_ptr,  # (rows, V): scores
    top_ptr,  # (rows, G): takes the largest of every group
    sum_ptr,  # (rows, G): takes the sum of exp(z - largest)
    V,
    G,
    E: tl.constexpr,
    KIND: tl.constexpr,  # the type of the scores, for the tuner to tell apart
    TILE: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    g = tl.program_id(1) * (TILE // E) + tl.arange(0, TILE // E)
    col = g[:, None] * E + tl.arange(0, E)[None, :]
    z = tl.load(z_ptr + row * V + col, mask=col < V, other=float("-inf"), eviction_policy="evict_first").to(tl.float32)
    top = tl.max(z, axis=1)
    shift = tl.where(top == float("-inf"), 0.0, top)
    total = tl.sum(tl.exp(z - shift[:, None]), axis=1)
    tl.store(top_ptr + row * G + g, top, mask=g < G)
    tl.store(sum_ptr + row * G + g, total, mask=g < G)


@triton.jit
def _candidates(
    z_ptr,  # (rows, V): scores
    top_ptr,  # (rows, G)
    sum_ptr,  # (rows, G)
    logp_ptr,  # (rows, width): takes the largest log-probabilities, in order
    token_ptr,  # (rows, width): and whose they are; -1 where there is no token left
    V,
    G,
    width,
    E: tl.constexpr,
    SLOTS: tl.constexpr,  # width rounded up to a power of two
    PLACES: tl.constexpr,  # G rounded up to a power of two
):
    row = tl.program_id(0).to(tl.int64)
    g, slot = tl.arange(0, PLACES), tl.arange(0, SLOTS)
    top = tl.load(top_ptr + row * G + g, mask=g < G, other=float("-inf"))
    part = tl.load(sum_ptr + row * G + g, mask=g < G, other=0.0)
    largest = tl.max(top, axis=0)
    shift = tl.where(largest == float("-inf"), 0.0, largest)
    total = tl.sum(part * tl.exp(top - shift), axis=0)  # NaN where a score is NaN or +Inf
    above = tl.log(tl.where(total == 0, 1.0, total))  # no finite score: every log-probability stays -Inf

    keys = _packed(top, g, g < G)
    last = tl.full([], 0x7FFFFFFFFFFFFFFF, tl.int64)
    chosen = tl.full([SLOTS], -1, tl.int32)
    for i in range(tl.minimum(width, G)):
        last = tl.max(tl.where(keys < last, keys, -0x8000000000000000), axis=0)
        chosen = tl.where(slot == i, _place(last).to(tl.int32), chosen)

    col = chosen[:, None] * E + tl.arange(0, E)[None, :]
    inside = (chosen[:, None] >= 0) & (col < V)
    z = tl.load(z_ptr + row * V + col, mask=inside, other=float("-inf")).to(tl.float32)
    keys = tl.reshape(_packed(z, col, inside), [SLOTS * E])
    last = tl.full([], 0x7FFFFFFFFFFFFFFF, tl.int64)
    for i in range(width):
        last = tl.max(tl.where(keys < last, keys, -0x8000000000000000), axis=0)
        # Where nothing is a number, all tokens are alike, and the first ones come first.
        token = tl.where(total == total, _place(last), i)
        logp = tl.where(total == total, (_number(last) - shift) - above, float("nan"))
        tl.store(token_ptr + row * width + i, tl.where(i < V, token, -1).to(tl.int32))
        tl.store(logp_ptr + row * width + i, logp)


@triton.jit
def _merge(
    logp_ptr,  # (B, K, width)
    token_ptr,  # (B, K, width)
    total_ptr,  # (B, K): log-probability of every beam so far
    out_ptr,  # (B, width): takes the totals
    beams_ptr,  # (B, width)
    tokens_ptr,  # (B, width)
    K,
    V,
    width,
    SLOTS: tl.constexpr,  # width, and K, rounded up to powers of two
    BEAMS: tl.constexpr,
):
    b = tl.program_id(0).to(tl.int64)
    k, slot = tl.arange(0, BEAMS)[:, None], tl.arange(0, SLOTS)[None, :]
    at, inside = (b * K + k) * width + slot, (k < K) & (slot < width)
    before = tl.load(total_ptr + b * K + k, mask=k < K, other=0.0).to(tl.float32)
    logp = tl.load(logp_ptr + at, mask=inside, other=0.0)
    token = tl.load(token_ptr + at, mask=inside, other=-1)
    inside = inside & (token >= 0)
    # A beam that is dead, or whose total is no number, has all its tokens alike: the first ones come first.
    alike = ~(tl.abs(before) < float("inf"))
    number = tl.where(alike & (logp == logp), before, before + logp)
    token = tl.where(alike, slot, token)
    keys = tl.reshape(_packed(number, k * V + token, inside), [BEAMS * SLOTS])
    last = tl.full([], 0x7FFFFFFFFFFFFFFF, tl.int64)
    for i in range(width):
        last = tl.max(tl.where(keys < last, keys, -0x8000000000000000), axis=0)
        place = _place(last)
        tl.store(out_ptr + b * width + i, _number(last).to(out_ptr.dtype.element_ty))
        tl.store(beams_ptr + b * width + i, place // V)
        tl.store(tokens_ptr + b * width + i, place % V)


def group_size(V, width):
    """Choose E, the tokens of a group: so many that there is as much to do between the groups as inside the best."""
    balanced = triton.next_power_of_2(math.ceil(math.sqrt(V / width)))
    return max(16, min(max(balanced, SMALLEST), LARGEST, triton.next_power_of_2(V)))


def plan(K, V, width):
    """Choose the constants and warps of the three kernels; the compile tests read the same plan as the launch."""
    E, slots, beams = group_size(V, width), triton.next_power_of_2(width), triton.next_power_of_2(K)
    places = triton.next_power_of_2(triton.cdiv(V, E))
    return (
        {"E": E},
        {"E": E, "SLOTS": slots, "PLACES": places, "num_warps": _warps(max(places, slots * E))},
        {"SLOTS": slots, "BEAMS": beams, "num_warps": _warps(slots * beams)},
    )


def _warps(keys):
    """Give a thread up to 16 keys: two registers each, and few enough threads to make a round short."""
    return max(1, min(8, keys // 512))


def beam_step(scores, totals, width):
    """Choose the best continuations of every sentence's beams, :eq:`beam-step`; a choice has no gradient.

    Sums are in float32. Of equal totals the lowest flat index k V + v comes first. Two tokens of one beam are told
    apart by their scores, also where their totals round to the same number.

    Parameters
    ----------
    scores : (B, K, V) logits or log-probabilities of the next token, float32, bfloat16 or float16; -Inf rules a token
        out.
    totals : (B, K) log-probability of every beam, float32; -Inf for a beam that is dead.
    width : how many to keep, 1 to 64, and at most K V.

    Returns
    -------
    totals : (B, width) float32, from the best to the worst; -Inf where fewer than `width` are possible.
    beams : (B, width) int64, from which beam each one comes.
    tokens : (B, width) int64, the token that it adds.

    Notes
    -----
    A score that is NaN or +Inf makes every total of its beam NaN, and NaN comes first, as torch sorts it: it is not
    hidden.

    Raises
    ------
    ValueError
        when a shape, a data type, the width or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    B, K, V = check_shape("scores", scores, ("B", "K", "V")).values()
    check_shape("totals", totals, (B, K))
    if scores.dtype not in TYPES:
        raise ValueError(f"scores holds {scores.dtype}; the kernel takes float32, bfloat16 and float16")
    if totals.dtype != torch.float32:
        raise ValueError(f"totals holds {totals.dtype}; the kernel takes float32")
    if not 1 <= width <= min(WIDEST, K * V):
        most = f"{K} beams of {V} tokens" if K * V < WIDEST else f"the kernel's {WIDEST}"
        raise ValueError(f"width is {width}; it must be from 1 to {min(WIDEST, K * V)}, {most}")
    if K * V >= 2**31:
        raise ValueError(f"scores has shape {tuple(scores.shape)}; a sentence must have fewer than 2^31 scores")
    pick_backend("triton", scores, totals)
    scores, totals = scores.detach().contiguous(), totals.detach().contiguous()
    out = torch.empty(B, width, dtype=torch.float32, device=scores.device)
    beams, tokens = (torch.empty(B, width, dtype=torch.int64, device=scores.device) for _ in range(2))
    if B == 0:
        return out, beams, tokens
    groups, candidates, merge = plan(K, V, width)
    E, rows = groups["E"], B * K
    G = triton.cdiv(V, E)
    tops, sums = (torch.empty(rows, G, dtype=torch.float32, device=scores.device) for _ in range(2))
    logp = torch.empty(rows, width, dtype=torch.float32, device=scores.device)
    token = torch.empty(rows, width, dtype=torch.int32, device=scores.device)

    def tiles(config):
        return rows, triton.cdiv(G * E, config["TILE"])

    with torch.cuda.device_of(scores):
        _groups[tiles](scores, tops, sums, V, G, **groups, KIND=str(scores.dtype))
        _candidates[(rows,)](scores, tops, sums, logp, token, V, G, width, **candidates)
        _merge[(B,)](logp, token, totals, out, beams, tokens, K, V, width, **merge)
    return out, beams, tokens
