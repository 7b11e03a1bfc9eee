"""One step of skip-gram with negative sampling over W windows, :eq:`negative-sampling`, in one launch.

A program owns a window: its centre e, its contexts o_c, and K negatives o_k that all pairs of the window share::

    score           s_j = e . o_j                                 for contexts and negatives alike
    slope           g_c = sigma(s_c) - 1      g_k = n sigma(s_k)  n: contexts of the window
    update          e <- e - lr sum_j g_j o_j     o_j <- o_j - lr g_j e

All of this is one read and one addition of each row. The centre stays in registers, as do the slopes; the rows come as
tiles of ROWS by D. Only when all rows have been read is anything changed, so a window is one exact gradient step.
Windows race, as in word2vec's own program (Hogwild, Recht et al. 2011): a row may change between one window's reading
and its addition, but no addition is lost, since it is atomic; a GPU does it in its shared cache, 16 bytes a thread, and
nothing comes back. So the rows of frequent words differ a little from run to run. `programs=1` lets one window follow
another.

What moves for 1 M pairs, K = 5 and D = 300, six pairs a window (`seqlab.embeddings.cost` counts it):

========================================  =======  =======
way                                       GB       seconds
========================================  =======  =======
each pair with its own negatives          16.9     3.9e-3
this kernel, negatives of a window        4.8      1.1e-3
========================================  =======  =======

The seconds are what an H200 needs for the bytes alone at 4.3 TB/s. They are no measurement; and frequent words, whose
rows stay in the cache, may make it faster than that.
"""

import triton
import triton.language as tl

from seqlab.embeddings.kernels import common
from seqlab.embeddings.kernels.common import (
    add_row,
    add_rows,
    kept,
    known,
    logistic,
    of_block,
    read_row,
    read_rows,
    up,
    window_ids,
    wrong,
)
from seqlab.shapes import check_shape


@triton.jit
def _outputs(contexts_ptr, negatives_ptr, w, i, C: tl.constexpr, K: tl.constexpr):
    """Ids at the places i of window w: first its C contexts, then its K negatives."""
    context = tl.load(contexts_ptr + w * C + i, mask=i < C, other=-1)
    negative = tl.load(negatives_ptr + w * K + (i - C), mask=(i >= C) & (i < C + K), other=-1)
    return tl.where(i < C, context, negative)


@common.rows_tuned
@triton.jit
def _sgns(
    E_ptr,  # (V, D)
    O_ptr,  # (V, D)
    centre_ptr,  # (W,)
    contexts_ptr,  # (W, C)
    negatives_ptr,  # (W, K)
    loss_ptr,  # (W,)
    W,
    V,
    lr,
    C: tl.constexpr,
    K: tl.constexpr,
    D: tl.constexpr,
    COLS: tl.constexpr,  # D rounded up to a power of two
    PLACES: tl.constexpr,  # C rounded up
    SLOTS: tl.constexpr,  # C + K rounded up
    ROWS: tl.constexpr,
):
    R: tl.constexpr = ROWS if ROWS < SLOTS else SLOTS
    BLOCKS: tl.constexpr = SLOTS // R
    for window in tl.range(tl.program_id(0), W, tl.num_programs(0)):
        w = tl.cast(window, tl.int64)
        centre = tl.load(centre_ptr + w)
        pairs = tl.sum(known(window_ids(contexts_ptr, w, 0, C, PLACES), V).to(tl.float32), axis=0)
        here = known(centre, V) & (pairs > 0)
        e = read_row(E_ptr, centre, here, D, COLS)
        de = tl.zeros([COLS], tl.float32)
        loss = tl.zeros([R], tl.float32)
        g = tl.zeros([BLOCKS, R], tl.float32)
        for start in range(0, C + K, R):
            i = start + tl.arange(0, R)
            ids = _outputs(contexts_ptr, negatives_ptr, w, i, C, K)
            inside = known(ids, V) & here
            o = read_rows(O_ptr, ids, inside, D, COLS)
            each, slope = logistic(tl.sum(o * e[None, :], axis=1), tl.where(i < C, 1.0, -1.0))
            times = tl.where(inside, tl.where(i < C, 1.0, pairs), 0.0)
            loss += each * times + wrong(ids, V)
            de += tl.sum((slope * times)[:, None] * o, axis=0)
            g = kept(g, start // R, slope * times, BLOCKS)
        tl.debug_barrier()  # what comes twice in the window has been read both times
        for start in range(0, C + K, R):
            ids = _outputs(contexts_ptr, negatives_ptr, w, start + tl.arange(0, R), C, K)
            step = -lr * of_block(g, start // R, BLOCKS)
            add_rows(O_ptr, ids, known(ids, V) & here, step[:, None] * e[None, :], D, COLS)
        add_row(E_ptr, centre, here, -lr * de, D, COLS)
        tl.store(loss_ptr + w, tl.sum(loss, axis=0) + wrong(centre, V))
        tl.debug_barrier()  # the next window of this program reads what this one added


def plan(C, K, D):
    """Choose the constants of the kernel; the compile tests read the same plan as the launch."""
    return {"C": C, "K": K, "D": D, "COLS": up(D), "PLACES": up(C), "SLOTS": up(C + K)}


def sgns_step(E, O, centre, contexts, negatives, lr, programs=None):
    """Take one step of skip-gram with negative sampling, :eq:`negative-sampling`; E and O change in place.

    Every real context of a window makes a pair with its centre, and all its pairs have the same K negatives. A window
    is one exact gradient step of its pairs' summed loss; windows race.

    Parameters
    ----------
    E, O : (V, D) float32, contiguous: input and output vectors.
    centre : (W,) ids; -1 for a window to leave out.
    contexts : (W, C) ids, -1 where there is no word.
    negatives : (W, K) ids; one that comes twice counts twice.
    lr : learning rate.
    programs : how many windows may be at work at a time, None for any number; 1 lets one follow another.

    Returns
    -------
    loss : summed over all pairs, in nats, before the step: a tensor without axes. NaN when an id is outside the
        vocabulary; such an id is left out of the step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    D = common.check_tables(E=E, O=O)
    check_shape("O", O, E.shape)
    W = check_shape("centre", centre, ("W",))["W"]
    C = check_shape("contexts", contexts, (W, "C"))["C"]
    K = check_shape("negatives", negatives, (W, "K"))["K"]
    centre, contexts, negatives = common.check_ids(centre=centre, contexts=contexts, negatives=negatives)
    common.check_placed(E, O, centre, contexts, negatives)
    arguments = {"E_ptr": E, "O_ptr": O, "centre_ptr": centre, "contexts_ptr": contexts, "negatives_ptr": negatives}
    return common.step(_sgns, W if C else 0, lr, arguments | {"V": len(E)}, plan(C, K, D), programs)
