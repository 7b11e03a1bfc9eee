"""One step with hierarchical softmax over W windows, :eq:`hierarchical-softmax`, in one launch.

The way of a word through the tree is a row of two tables: inner nodes n_l and bits, -1 behind its end. A program owns a
window, that is an input vector h (the centre's, or the mean of the contexts') and the ways of the words it predicts::

    score           s_l = h . n_l             sign_l = 1 - 2 bit_l
    slope           g_l = -sign_l sigma(-sign_l s_l)
    update          n_l <- n_l - lr g_l h     h <- h - lr sum_l g_l n_l

As in `sgns` every row is read before any is changed, slopes stay in registers, a window is one exact gradient step,
and windows race. Two things are new. Most ways are shorter than the longest, so a tile of nodes without a node is
skipped. And every way begins at the root: a million pairs would add to this one row a million times, one after the
other. A Huffman tree numbers its nodes by rising count, so the HOT last rows are the busiest. Their slopes are summed
over the window, and each is added to once a window, not once a pair.
"""

import triton
import triton.language as tl

from seqlab.embeddings.kernels import common
from seqlab.embeddings.kernels.common import (
    add_row,
    add_rows,
    add_to_window,
    kept,
    known,
    logistic,
    of_block,
    read_row,
    read_rows,
    up,
    window_mean,
    wrong,
)
from seqlab.shapes import check_shape

HOT = 8  # nodes nearest to the root, whose slopes are summed over a window


@triton.jit
def _way(nodes_ptr, word, inside, start, L: tl.constexpr, R: tl.constexpr):
    """Offsets and nodes (R,) of a word's way from place `start` on; -1 behind its end."""
    place = start + tl.arange(0, R)
    at = word.to(tl.int64) * L + place
    return at, tl.load(nodes_ptr + at, mask=inside & (place < L), other=-1)


@triton.jit
def _meet(N_ptr, bits_ptr, at, nodes, h, M, D: tl.constexpr, COLS: tl.constexpr):
    """Losses and slopes (R,) of a part of a way, and what it adds to the gradient of h."""
    inside = known(nodes, M)
    bits = tl.load(bits_ptr + at, mask=inside, other=0)
    n = read_rows(N_ptr, nodes, inside, D, COLS)
    each, slope = logistic(tl.sum(n * h[None, :], axis=1), 1.0 - 2.0 * bits.to(tl.float32))
    slope = tl.where(inside, slope, 0.0)
    return tl.where(inside, each, 0.0) + wrong(nodes, M), slope, tl.sum(slope[:, None] * n, axis=0)


@common.rows_tuned
@triton.jit
def _skipgram(
    E_ptr,  # (V, D)
    N_ptr,  # (M, D)
    centre_ptr,  # (W,)
    contexts_ptr,  # (W, C)
    nodes_ptr,  # (V, L)
    bits_ptr,  # (V, L)
    loss_ptr,  # (W,)
    W,
    V,
    M,  # V - 1 inner nodes
    lr,
    C: tl.constexpr,
    L: tl.constexpr,
    D: tl.constexpr,
    COLS: tl.constexpr,  # D rounded up to a power of two
    PLACES: tl.constexpr,  # C rounded up
    SLOTS: tl.constexpr,  # L rounded up
    HOT: tl.constexpr,
    ROWS: tl.constexpr,
):
    R: tl.constexpr = ROWS if ROWS < SLOTS else SLOTS
    BLOCKS: tl.constexpr = PLACES * (SLOTS // R)
    busy = M - 1 - tl.arange(0, HOT)
    for window in tl.range(tl.program_id(0), W, tl.num_programs(0)):
        w = tl.cast(window, tl.int64)
        centre = tl.load(centre_ptr + w)
        here = known(centre, V)
        e = read_row(E_ptr, centre, here, D, COLS)
        de = tl.zeros([COLS], tl.float32)
        loss = tl.zeros([R], tl.float32)
        bad = wrong(centre, V)
        g = tl.zeros([BLOCKS, R], tl.float32)
        hot = tl.zeros([HOT], tl.float32)
        for c in range(C):
            word = tl.load(contexts_ptr + w * C + c)
            bad += wrong(word, V)
            for start in range(0, L, R):
                at, nodes = _way(nodes_ptr, word, here & known(word, V), start, L, R)
                if tl.max(nodes, axis=0) >= 0:
                    each, slope, change = _meet(N_ptr, bits_ptr, at, nodes, e, M, D, COLS)
                    loss += each
                    de += change
                    hot += tl.sum(tl.where(nodes[:, None] == busy[None, :], slope[:, None], 0.0), axis=0)
                    g = kept(g, c * (SLOTS // R) + start // R, slope, BLOCKS)
        tl.debug_barrier()  # what comes twice in the window has been read both times
        for c in range(C):
            word = tl.load(contexts_ptr + w * C + c)
            for start in range(0, L, R):
                _, nodes = _way(nodes_ptr, word, here & known(word, V), start, L, R)
                if tl.max(nodes, axis=0) >= 0:
                    step = -lr * of_block(g, c * (SLOTS // R) + start // R, BLOCKS)
                    cool = known(nodes, M - HOT)
                    add_rows(N_ptr, nodes, cool, step[:, None] * e[None, :], D, COLS)
        add_rows(N_ptr, busy, hot != 0, (-lr * hot)[:, None] * e[None, :], D, COLS)
        add_row(E_ptr, centre, here, -lr * de, D, COLS)
        tl.store(loss_ptr + w, tl.sum(loss, axis=0) + bad)
        tl.debug_barrier()  # the next window of this program reads what this one added


@common.rows_tuned
@triton.jit
def _cbow(
    E_ptr,  # (V, D)
    N_ptr,  # (M, D)
    contexts_ptr,  # (W, C)
    target_ptr,  # (W,)
    nodes_ptr,  # (V, L)
    bits_ptr,  # (V, L)
    loss_ptr,  # (W,)
    W,
    V,
    M,  # V - 1 inner nodes
    lr,
    C: tl.constexpr,
    L: tl.constexpr,
    D: tl.constexpr,
    COLS: tl.constexpr,  # D rounded up to a power of two
    PLACES: tl.constexpr,  # C rounded up
    SLOTS: tl.constexpr,  # the larger of C and L, rounded up
    ROWS: tl.constexpr,
):
    NEAR: tl.constexpr = ROWS if ROWS < PLACES else PLACES
    R: tl.constexpr = ROWS if ROWS < SLOTS else SLOTS
    BLOCKS: tl.constexpr = SLOTS // R
    for window in tl.range(tl.program_id(0), W, tl.num_programs(0)):
        w = tl.cast(window, tl.int64)
        word = tl.load(target_ptr + w)
        here = known(word, V)
        h, words, bad = window_mean(E_ptr, contexts_ptr, w, V, C, D, COLS, NEAR)
        dh = tl.zeros([COLS], tl.float32)
        loss = tl.zeros([R], tl.float32)
        g = tl.zeros([BLOCKS, R], tl.float32)
        for start in range(0, L, R):
            at, nodes = _way(nodes_ptr, word, here, start, L, R)
            if tl.max(nodes, axis=0) >= 0:
                each, slope, change = _meet(N_ptr, bits_ptr, at, nodes, h, M, D, COLS)
                loss += each
                dh += change
                g = kept(g, start // R, slope, BLOCKS)
        tl.debug_barrier()  # what comes twice in the window has been read both times
        for start in range(0, L, R):
            _, nodes = _way(nodes_ptr, word, here, start, L, R)
            if tl.max(nodes, axis=0) >= 0:
                step = -lr * of_block(g, start // R, BLOCKS)
                add_rows(N_ptr, nodes, known(nodes, M), step[:, None] * h[None, :], D, COLS)
        add_to_window(E_ptr, contexts_ptr, w, V, -lr / words * dh, here, C, D, COLS, NEAR)
        tl.store(loss_ptr + w, tl.sum(loss, axis=0) + bad + wrong(word, V))
        tl.debug_barrier()  # the next window of this program reads what this one added


def skipgram_plan(C, L, D):
    """Choose the constants of the kernel; the compile tests read the same plan as the launch."""
    return {"C": C, "L": L, "D": D, "COLS": up(D), "PLACES": up(C), "SLOTS": up(L), "HOT": HOT}


def cbow_plan(C, L, D):
    """Choose the constants of the kernel; the compile tests read the same plan as the launch."""
    return {"C": C, "L": L, "D": D, "COLS": up(D), "PLACES": up(C), "SLOTS": up(max(C, L))}


def skipgram_hierarchical_step(E, N, centre, contexts, nodes, bits, lr, programs=None):
    """Take one step of skip-gram with hierarchical softmax, :eq:`hierarchical-softmax`; E and N change in place.

    Every real context of a window makes a pair with its centre. A window is one exact gradient step of its pairs'
    summed loss; windows race.

    Parameters
    ----------
    E : (V, D) float32, contiguous: input vectors.
    N : (V - 1, D) float32, contiguous: vectors of the tree's inner nodes.
    centre : (W,) ids; -1 for a window to leave out.
    contexts : (W, C) ids, -1 where there is no word.
    nodes, bits : (V, L) the way to every word, as `HuffmanTree` has them.
    lr : learning rate.
    programs : how many windows may be at work at a time, None for any number; 1 lets one follow another.

    Returns
    -------
    loss : summed over all pairs, in nats, before the step: a tensor without axes. NaN when an id is outside its
        table; such an id is left out of the step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    W = check_shape("centre", centre, ("W",))["W"]
    C = check_shape("contexts", contexts, (W, "C"))["C"]
    D, L = _check_tree(E, N, nodes, bits)
    ids = common.check_ids(centre=centre, contexts=contexts, nodes=nodes, bits=bits)
    common.check_placed(E, N, *ids)
    names = ("centre_ptr", "contexts_ptr", "nodes_ptr", "bits_ptr")
    arguments = {"E_ptr": E, "N_ptr": N} | dict(zip(names, ids, strict=True)) | {"V": len(E), "M": len(N)}
    return common.step(_skipgram, W if C and L else 0, lr, arguments, skipgram_plan(C, L, D), programs)


def cbow_hierarchical_step(E, N, contexts, target, nodes, bits, lr, programs=None):
    """Take one step of CBOW with hierarchical softmax, :eq:`cbow`, :eq:`hierarchical-softmax`; E and N change in place.

    A window is one exact gradient step of its loss; windows race. The mean of no words at all is 0.

    Parameters
    ----------
    E : (V, D) float32, contiguous: input vectors.
    N : (V - 1, D) float32, contiguous: vectors of the tree's inner nodes.
    contexts : (W, C) ids, -1 where there is no word.
    target : (W,) ids; -1 for a window to leave out.
    nodes, bits : (V, L) the way to every word, as `HuffmanTree` has them.
    lr : learning rate.
    programs : how many windows may be at work at a time, None for any number; 1 lets one follow another.

    Returns
    -------
    loss : summed over all windows, in nats, before the step: a tensor without axes. NaN when an id is outside its
        table; such an id is left out of the step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    W, C = check_shape("contexts", contexts, ("W", "C")).values()
    check_shape("target", target, (W,))
    D, L = _check_tree(E, N, nodes, bits)
    ids = common.check_ids(contexts=contexts, target=target, nodes=nodes, bits=bits)
    common.check_placed(E, N, *ids)
    names = ("contexts_ptr", "target_ptr", "nodes_ptr", "bits_ptr")
    arguments = {"E_ptr": E, "N_ptr": N} | dict(zip(names, ids, strict=True)) | {"V": len(E), "M": len(N)}
    return common.step(_cbow, W if L else 0, lr, arguments, cbow_plan(C, L, D), programs)


def _check_tree(E, N, nodes, bits):
    D = common.check_tables(E=E, N=N)
    V = len(E)
    check_shape("N", N, (V - 1, D))
    L = check_shape("nodes", nodes, (V, "L"))["L"]
    check_shape("bits", bits, (V, L))
    return D, L
