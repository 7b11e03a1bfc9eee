"""One step of CBOW with negative sampling over W windows, :eq:`cbow` and :eq:`negative-sampling`, in one launch.

A program owns a window: n contexts e_c, whose mean predicts the target, and K negatives::

    mean            h   = 1/n sum_c e_c
    score           s_j = h . o_j                                 for target and negatives alike
    slope           g_t = sigma(s_t) - 1      g_k = sigma(s_k)
    update          o_j <- o_j - lr g_j h     e_c <- e_c - lr/n sum_j g_j o_j

Every row is read once and added to once; mean, slopes and the gradient of the mean stay in registers, so the contexts
need not be read again to be changed. A window is one exact gradient step, and windows race: see `sgns`. The gradient
is that of the mean: word2vec's own program leaves out the 1/n, which is a larger learning rate for larger windows.
"""

import triton
import triton.language as tl

from seqlab.embeddings.kernels import common
from seqlab.embeddings.kernels.common import (
    add_rows,
    add_to_window,
    kept,
    known,
    logistic,
    of_block,
    read_rows,
    up,
    window_mean,
    wrong,
)
from seqlab.shapes import check_shape


@triton.jit
def _outputs(target, negatives_ptr, w, i, K: tl.constexpr):
    """Ids at the places i of window w: first its target, then its K negatives."""
    negative = tl.load(negatives_ptr + w * K + (i - 1), mask=(i >= 1) & (i < 1 + K), other=-1)
    return tl.where(i == 0, target.to(negative.dtype), negative)


@common.rows_tuned
@triton.jit
def _cbow(
    E_ptr,  # (V, D)
    O_ptr,  # (V, D)
    contexts_ptr,  # (W, C)
    target_ptr,  # (W,)
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
    SLOTS: tl.constexpr,  # the larger of C and 1 + K, rounded up
    ROWS: tl.constexpr,
):
    NEAR: tl.constexpr = ROWS if ROWS < PLACES else PLACES
    R: tl.constexpr = ROWS if ROWS < SLOTS else SLOTS
    BLOCKS: tl.constexpr = SLOTS // R
    for window in tl.range(tl.program_id(0), W, tl.num_programs(0)):
        w = tl.cast(window, tl.int64)
        target = tl.load(target_ptr + w)
        here = known(target, V)
        h, words, bad = window_mean(E_ptr, contexts_ptr, w, V, C, D, COLS, NEAR)
        dh = tl.zeros([COLS], tl.float32)
        loss = tl.zeros([R], tl.float32)
        g = tl.zeros([BLOCKS, R], tl.float32)
        for start in range(0, 1 + K, R):
            i = start + tl.arange(0, R)
            ids = _outputs(target, negatives_ptr, w, i, K)
            inside = known(ids, V) & here
            o = read_rows(O_ptr, ids, inside, D, COLS)
            each, slope = logistic(tl.sum(o * h[None, :], axis=1), tl.where(i == 0, 1.0, -1.0))
            slope = tl.where(inside, slope, 0.0)
            loss += tl.where(inside, each, 0.0) + wrong(ids, V)
            dh += tl.sum(slope[:, None] * o, axis=0)
            g = kept(g, start // R, slope, BLOCKS)
        tl.debug_barrier()  # what comes twice in the window has been read both times
        for start in range(0, 1 + K, R):
            ids = _outputs(target, negatives_ptr, w, start + tl.arange(0, R), K)
            step = -lr * of_block(g, start // R, BLOCKS)
            add_rows(O_ptr, ids, known(ids, V) & here, step[:, None] * h[None, :], D, COLS)
        add_to_window(E_ptr, contexts_ptr, w, V, -lr / words * dh, here, C, D, COLS, NEAR)
        tl.store(loss_ptr + w, tl.sum(loss, axis=0) + bad)
        tl.debug_barrier()  # the next window of this program reads what this one added


def plan(C, K, D):
    """Choose the constants of the kernel; the compile tests read the same plan as the launch."""
    return {"C": C, "K": K, "D": D, "COLS": up(D), "PLACES": up(C), "SLOTS": up(max(C, 1 + K))}


def cbow_step(E, O, contexts, target, negatives, lr, programs=None):
    """Take one step of CBOW with negative sampling, :eq:`cbow` and :eq:`negative-sampling`; E and O change in place.

    A window is one exact gradient step of its loss; windows race. The mean of no words at all is 0.

    Parameters
    ----------
    E, O : (V, D) float32, contiguous: input and output vectors.
    contexts : (W, C) ids, -1 where there is no word.
    target : (W,) ids; -1 for a window to leave out.
    negatives : (W, K) ids; one that comes twice counts twice.
    lr : learning rate.
    programs : how many windows may be at work at a time, None for any number; 1 lets one follow another.

    Returns
    -------
    loss : summed over all windows, in nats, before the step: a tensor without axes. NaN when an id is outside the
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
    W, C = check_shape("contexts", contexts, ("W", "C")).values()
    check_shape("target", target, (W,))
    K = check_shape("negatives", negatives, (W, "K"))["K"]
    contexts, target, negatives = common.check_ids(contexts=contexts, target=target, negatives=negatives)
    common.check_placed(E, O, contexts, target, negatives)
    arguments = {"E_ptr": E, "O_ptr": O, "contexts_ptr": contexts, "target_ptr": target, "negatives_ptr": negatives}
    return common.step(_cbow, W, lr, arguments | {"V": len(E)}, plan(C, K, D), programs)
