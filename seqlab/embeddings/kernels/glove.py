"""One step of GloVe with AdaGrad over n counts, :eq:`glove` and :eq:`adagrad`, in one launch.

A program owns ROWS counts x of words i near words j::

    difference      d = w_i . u_j + b_i + c_j - log x             f = min(x / x_max, 1)^alpha
    gradient        of w_i: 2 f d u_j     of u_j: 2 f d w_i       of b_i and c_j: 2 f d
    update          total <- total + gradient^2                   weight <- weight - lr gradient / sqrt(total)

Vectors and totals are read once and added to once. Every addition is atomic, so none is lost. But a total that another
program is adding to may be read before or after: where rows repeat within a step, the root is that of an older total,
and the last digits differ from run to run. GloVe's own threads race in the same way, and lose additions besides. Where
no row repeats, the step is exact. Counts that share a tile of ROWS see the same older totals.
"""

import torch
import triton
import triton.language as tl

from seqlab.embeddings.kernels import common
from seqlab.embeddings.kernels.common import add_rows, known, read_rows, up, wrong
from seqlab.kernels import tuned
from seqlab.shapes import check_shape


def _worth_trying(configs, named_args, COLS, **others):
    """Give a thread 4 to 8 numbers of a tile, or as near as a row allows: it holds tiles of four tables."""

    def share(config):
        return config.kwargs["ROWS"] * COLS / (32 * config.num_warps)

    def apart(config):
        return max(4 / share(config), share(config) / 8, 1)

    least = min(map(apart, configs))
    return [config for config in configs if apart(config) == least][:5]


# ROWS counts at a time. The interpreter takes the first form. For `maxnreg` see `common.CONFIGS`.
CONFIGS = [
    triton.Config({"ROWS": rows}, num_warps=warps, maxnreg=255)
    for rows in (4, 8, 2, 16, 1, 32, 64)
    for warps in (4, 1, 2, 8)
]


@tuned(CONFIGS, key=["COLS", "D"], prune=_worth_trying)
@triton.jit
def _glove(
    W_ptr,  # (V, D)
    U_ptr,  # (V, D)
    b_ptr,  # (V,)
    c_ptr,  # (V,)
    W_total_ptr,  # (V, D)
    U_total_ptr,  # (V, D)
    b_total_ptr,  # (V,)
    c_total_ptr,  # (V,)
    rows_ptr,  # (n,)
    columns_ptr,  # (n,)
    x_ptr,  # (n,)
    loss_ptr,  # (n,)
    n,
    V,
    lr,
    learn,  # 1; 0 leaves the totals alone
    x_max,
    alpha,
    D: tl.constexpr,
    COLS: tl.constexpr,  # D rounded up to a power of two
    ROWS: tl.constexpr,
):
    for tile in tl.range(tl.program_id(0), tl.cdiv(n, ROWS), tl.num_programs(0)):
        place = tl.cast(tile, tl.int64) * ROWS + tl.arange(0, ROWS)
        i = tl.load(rows_ptr + place, mask=place < n, other=-1)
        j = tl.load(columns_ptr + place, mask=place < n, other=-1)
        x = tl.load(x_ptr + place, mask=place < n, other=1.0).to(tl.float32)
        here = known(i, V) & known(j, V) & (x > 0)
        w = read_rows(W_ptr, i, here, D, COLS)
        u = read_rows(U_ptr, j, here, D, COLS)
        log_x = tl.log(tl.where(here, x, 1.0))
        f = tl.exp(alpha * tl.minimum(log_x - tl.log(x_max), 0.0))
        b = tl.load(b_ptr + i, mask=here, other=0.0, cache_modifier=".cg")
        c = tl.load(c_ptr + j, mask=here, other=0.0, cache_modifier=".cg")
        d = tl.sum(w * u, axis=1) + b + c - log_x
        bad = wrong(i, V) + wrong(j, V) + tl.where(x > 0, 0.0, float("nan"))
        tl.store(loss_ptr + place, tl.where(here, f * d * d, bad), mask=place < n)
        slope = 2 * f * d
        W_square, W_move = _adagrad_rows(W_total_ptr, i, here, slope[:, None] * u, D, COLS)
        U_square, U_move = _adagrad_rows(U_total_ptr, j, here, slope[:, None] * w, D, COLS)
        b_move = _adagrad(b_total_ptr, i, here, slope)
        c_move = _adagrad(c_total_ptr, j, here, slope)
        tl.debug_barrier()  # what comes twice in the tile has been read both times
        add_rows(W_total_ptr, i, here, learn * W_square, D, COLS)
        add_rows(U_total_ptr, j, here, learn * U_square, D, COLS)
        add_rows(W_ptr, i, here, -lr * W_move, D, COLS)
        add_rows(U_ptr, j, here, -lr * U_move, D, COLS)
        tl.atomic_add(b_total_ptr + i, learn * slope * slope, mask=here, sem="relaxed")
        tl.atomic_add(c_total_ptr + j, learn * slope * slope, mask=here, sem="relaxed")
        tl.atomic_add(b_ptr + i, -lr * b_move, mask=here, sem="relaxed")
        tl.atomic_add(c_ptr + j, -lr * c_move, mask=here, sem="relaxed")
        tl.debug_barrier()  # the next tile of this program reads what this one added


@triton.jit
def _adagrad_rows(total_ptr, rows, here, gradient, D: tl.constexpr, COLS: tl.constexpr):
    """(ROWS, COLS) squares of a gradient, and the gradient divided by the root of the new total."""
    square = gradient * gradient
    total = read_rows(total_ptr, rows, here, D, COLS) + square
    return square, gradient / tl.sqrt(tl.where(total == 0, 1.0, total))  # 0 outside the table


@triton.jit
def _adagrad(total_ptr, at, here, gradient):
    """(ROWS,) gradient divided by the root of the new total."""
    total = tl.load(total_ptr + at, mask=here, other=1.0, cache_modifier=".cg") + gradient * gradient
    return gradient / tl.sqrt(total)


def plan(D):
    """Choose the constants of the kernel; the compile tests read the same plan as the launch."""
    return {"D": D, "COLS": up(D)}


def glove_step(W, U, b, c, totals, rows, columns, x, lr, x_max=100, alpha=0.75, programs=None):
    """Take one step of GloVe with AdaGrad, :eq:`glove`, :eq:`adagrad`; weights, biases and totals change in place.

    Exact where no row and no column comes twice; elsewhere they race for their totals.

    Parameters
    ----------
    W, U : (V, D) float32, contiguous: vectors of words and of contexts.
    b, c : (V,) float32, contiguous: biases.
    totals : four tensors with the shapes of W, U, b and c: sums of squared gradients, 1 at the start.
    rows, columns : (n,) ids of the word and of the context of each count; -1 for a count to leave out.
    x : (n,) counts, above 0.
    lr : learning rate.
    x_max, alpha : of the weight, :eq:`glove-weight`.
    programs : how many tiles of counts may be at work at a time, None for any number; 1 lets one follow another.

    Returns
    -------
    loss : summed over all counts, before the step: a tensor without axes. NaN when an id is outside the vocabulary or a
        count is not above 0; such a count is left out of the step.

    Raises
    ------
    ValueError
        when a shape, a data type, a device or a number does not fit.
    RuntimeError
        when a kernel cannot run here, see `seqlab.kernels.require_triton`.
    """
    if len(totals) != 4:
        raise ValueError(f"totals holds {len(totals)} tensors; it must hold four, one each for W, U, b and c")
    if not (x_max > 0 and alpha > 0):
        raise ValueError(f"x_max is {x_max} and alpha is {alpha}; both must be above 0")
    common.check_tables(W=W, U=U)
    check_shape("U", U, W.shape)
    for name, tensor in {"b": b, "c": c}.items():
        check_shape(name, tensor, W.shape[:1])
        common.check_changed(name, tensor)
    weights = (W, U, b, c)
    for name, tensor, total in zip("WUbc", weights, totals, strict=True):
        check_shape(f"the total of {name}", total, tensor.shape)
        common.check_changed(f"the total of {name}", total)
    n = check_shape("rows", rows, ("n",))["n"]
    check_shape("columns", columns, (n,))
    check_shape("x", x, (n,))
    rows, columns = common.check_ids(rows=rows, columns=columns)
    common.check_placed(*weights, *totals, rows, columns, x)
    return _launch(weights, totals, rows, columns, x.contiguous(), n, lr, x_max, alpha, programs)


def _launch(weights, totals, rows, columns, x, n, lr, x_max, alpha, programs):
    losses = torch.empty(n, dtype=torch.float32, device=x.device)
    if n:
        names = ("W_ptr", "U_ptr", "b_ptr", "c_ptr", "W_total_ptr", "U_total_ptr", "b_total_ptr", "c_total_ptr")
        arguments = dict(zip(names, (*weights, *totals), strict=True))
        arguments |= {"rows_ptr": rows, "columns_ptr": columns, "x_ptr": x, "loss_ptr": losses, "n": n}
        arguments |= {"V": len(weights[0]), "lr": float(lr), "learn": 1.0, "x_max": float(x_max), "alpha": float(alpha)}

        def tiles(config):
            return (common.racing(triton.cdiv(n, config["ROWS"]), programs),)

        still = {"lr": 0.0, "learn": 0.0}
        common.launch(_glove, tiles, arguments, plan(weights[0].shape[1]), still)
        torch.autograd.graph.increment_version((*weights, *totals))  # whoever saved one for a gradient is told
    return losses.sum()
