"""Softmax and cross-entropy as torch functions: over given scores, and over those of a linear layer, never whole."""

from numbers import Integral

import torch
import torch.nn.functional as F

from seqlab.kernels import pick_backend
from seqlab.kernels.gradients import narrowed, refuse_second_derivative
from seqlab.kernels.measured import fastest_backend
from seqlab.lm.cost import chunk_rows
from seqlab.shapes import check_shape

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
WAYS = {  # of the benchmarks -> the backend that they stand for
    "softmax": {"seqlab Triton": "triton", "torch.softmax": "torch"},
    "cross_entropy": {"seqlab Triton": "triton", "F.cross_entropy": "torch"},
    "linear_cross_entropy": {"seqlab Triton": "triton", "seqlab torch": "torch"},
}
INSTEAD = "use cross_entropy with backend='torch'"
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def softmax(z, backend="auto"):
    """Turn scores into probabilities, :eq:`softmax`, as `torch.softmax` does over the last axis.

    The kernel reads every score once and writes every probability once, where a program can hold a row; a longer row
    passes by twice, with a running maximum and a running sum. The gradient is a kernel too. What it computes in float32
    it rounds once, to the type of z.

    Parameters
    ----------
    z : (..., V) scores; float32, bfloat16, float16 or float64. Minus infinity gets probability 0; a row of nothing else
        becomes NaN, as in torch.
    backend : "torch", "triton", or "auto": on CUDA what was fastest where it was measured, elsewhere Triton; on the CPU
        torch.

    Returns
    -------
    p : (..., V) in the type of z; rows that sum to one.

    Raises
    ------
    ValueError
        when the shape, the data type, the device or the name does not fit.
    RuntimeError
        when the gradient of the kernel is to be differentiated again, which needs the backend "torch".
    """
    _check_scores(z)
    V = z.shape[-1]
    wanted = torch.is_grad_enabled() and z.requires_grad
    if _way("softmax", backend, {"V": V, "B": z.numel() // V}, wanted, z) == "torch":
        return torch.softmax(z, -1)
    return _Softmax.apply(z.reshape(-1, V)).reshape(z.shape)


class _Softmax(torch.autograd.Function):
    """Rows of probabilities; all that the backward pass needs of them are they themselves."""

    @staticmethod
    def forward(ctx, z):
        from seqlab.lm.kernels import softmax

        fits = z.shape[1] <= softmax.longest_row(z.dtype)
        p = softmax.softmax_row(z) if fits else softmax.softmax_online(z)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, dp):
        refuse_second_derivative("use softmax with backend='torch'")
        from seqlab.lm.kernels import softmax

        return softmax.softmax_backward(dp, *ctx.saved_tensors)


def cross_entropy(z, y, reduction="mean", ignore_index=-100, backend="auto", overwrite=False):
    """Loss of the true words in nats, :eq:`cross-entropy`, as `torch.nn.functional.cross_entropy` computes it.

    Two things differ from torch: the words are the *last* axis of the scores, whatever stands before it (torch puts
    them second, (B, V, T)), and the loss of 16-bit scores is float32.

    The kernel makes the gradient of a mean or a sum in the forward pass, while it holds the scores, and the backward
    pass has next to nothing left to do; so leave gradients out where none is wanted, with `torch.no_grad`. It waits for
    the backward pass with the reduction "none", where every row has its own factor, and in float16, in which a
    probability divided by the number of rows would vanish before a loss scale could save it.

    Parameters
    ----------
    z : (..., V) scores.
    y : (...) ids of the true words, 0 <= y < V, or `ignore_index`.
    reduction : "mean" over the rows that count (NaN when none does, as in torch), "sum" or "none".
    ignore_index : id of rows that do not count.
    backend : "torch", "triton" (loss and gradient in one read and one write of the scores), or "auto": on CUDA
        what was fastest where it was measured, elsewhere Triton.
    overwrite : allow the gradient to take the place of the scores, which saves their memory when nobody needs them
        again; torch notices when somebody did. The backend "torch" makes no use of it.

    Returns
    -------
    loss : a number, or (...) when the reduction is "none". float32 for 16-bit scores, else the type of z. A row that
        does not count has loss and gradient 0; to the kernel even where its scores are Inf or NaN.

    Raises
    ------
    ValueError
        when a shape, a data type, a device or a name does not fit, `overwrite` is set for a leaf that needs its
        gradient, or an id is outside the vocabulary. Where y lies on a GPU, a look at it would make the CPU wait:
        there, such an id makes the kernel's loss of its row NaN, and torch gives up the process's use of the GPU.
    RuntimeError
        when the gradient of the kernel is to be differentiated again, which needs the backend "torch".
    """
    _check_scores(z)
    V = z.shape[-1]
    _check_ids(y, z.shape[:-1], V, ignore_index, "scores")
    _check_reduction(reduction)
    wanted = torch.is_grad_enabled() and z.requires_grad
    if overwrite and wanted and z.is_leaf:
        raise ValueError("overwrite would write the gradient over z, which is a leaf: its values would be lost")
    if _way("cross_entropy", backend, {"V": V, "B": y.numel()}, wanted, z, y) == "torch":
        return _by_torch(z, y, reduction, ignore_index)
    rows, ids = z.reshape(-1, V).contiguous(), y.reshape(-1).long()
    if wanted and _early(z, reduction):
        count = _count(ids, reduction, ignore_index, rows)
        return _CrossEntropyEarly.apply(rows, ids, count, ignore_index, overwrite)
    losses = _CrossEntropyLate.apply(rows, ids, ignore_index, overwrite)
    return _reduce(losses, ids, reduction, ignore_index).reshape(y.shape if reduction == "none" else ())


def _early(z, reduction):
    """Say whether the forward pass can make the gradient already.

    Not when every row will get its own upstream gradient; and not in float16, in which p / n vanishes before the
    factor that is meant to save it (a loss scale) arrives from upstream.
    """
    return reduction != "none" and z.dtype != torch.float16


class _CrossEntropyEarly(torch.autograd.Function):
    """Mean or sum, with the gradient made in the forward pass as if 1 came from upstream."""

    @staticmethod
    def forward(ctx, z, y, count, ignore_index, overwrite):
        from seqlab.lm import kernels

        out = z if overwrite else torch.empty_like(z)
        losses = kernels.losses(z, y, ignore_index, 1 / count, out)
        if overwrite:
            torch.autograd.graph.increment_version(z)  # whoever saved it is told
        ctx.save_for_backward(out)
        return losses.sum() / count[0]

    @staticmethod
    def backward(ctx, upstream):
        refuse_second_derivative(INSTEAD)
        return _times(ctx.saved_tensors[0], upstream, "triton"), None, None, None, None


class _CrossEntropyLate(torch.autograd.Function):
    """The losses of all rows; the gradient is made in the backward pass with what comes from upstream."""

    @staticmethod
    def forward(ctx, z, y, ignore_index, overwrite):
        from seqlab.lm import kernels

        ctx.save_for_backward(z, y)
        ctx.ignore_index, ctx.overwrite = ignore_index, overwrite
        return kernels.losses(z, y, ignore_index)

    @staticmethod
    def backward(ctx, upstream):
        refuse_second_derivative(INSTEAD)
        from seqlab.lm import kernels

        z, y = ctx.saved_tensors
        overwrite = ctx.overwrite and not _graph_is_kept()
        out = z if overwrite else torch.empty_like(z)
        kernels.losses(z, y, ctx.ignore_index, upstream, out)
        if overwrite:
            torch.autograd.graph.increment_version(z)
        return out, None, None, None


def linear_cross_entropy(h, W, y, b=None, reduction="mean", ignore_index=-100, chunk=None, backend="auto"):
    """Loss of the true words when the scores are h W^T + b, :eq:`cross-entropy`, without ever storing all scores.

    The scores of `chunk` rows are computed, turned into their gradient where they stand, and multiplied into the
    gradients of h, W and b; then the next rows take their place. `seqlab.lm.cost.linear_memory` tells what that saves.
    All this happens in the forward pass: where no gradient is wanted, say so with `torch.no_grad`. In 16 bits the
    gradient of W is rounded once for every chunk.

    Parameters
    ----------
    h : (..., D) rows of features.
    W : (V, D) weights.
    y : (...) ids of the true words, 0 <= y < V, or `ignore_index`.
    b : (V,) bias, or None.
    reduction : "mean" over the rows that count (NaN when none does, as in torch), "sum" or "none". With "none", and in
        float16, the scores are computed a second time in the backward pass, when it is known what they are to be
        multiplied with.
    ignore_index : id of rows that do not count.
    chunk : rows at a time; None for the rule of `seqlab.lm.cost.chunk_rows`.
    backend : "torch", "triton", or "auto": on CUDA what was fastest where it was measured, elsewhere Triton. Both work
        in chunks; the products are torch's.

    Returns
    -------
    loss : a number, or (...) when the reduction is "none". float32 for 16-bit arguments, else the type of h.

    Raises
    ------
    ValueError
        when a shape, a data type, a device or a name does not fit, `chunk` is below 1, or an id is outside the
        vocabulary. Where y lies on a GPU, a look at it would make the CPU wait: there, such an id makes the loss of
        its row NaN.
    RuntimeError
        when the gradient is to be differentiated again.
    """
    for name, tensor in {"h": h, "W": W, "b": b}.items():
        if tensor is not None:
            _check_float(name, tensor)
    h, W, b = narrowed(h, W, b)
    for name, tensor in {"W": W, "b": b}.items():
        if tensor is not None and tensor.dtype != h.dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and h holds {h.dtype}; convert one of them")
    V, D = check_shape("W", W, ("V", "D")).values()
    if V == 0:
        raise ValueError(f"W has shape {tuple(W.shape)}; it must have shape (V, D), with at least one word")
    if h.ndim == 0 or h.shape[-1] != D:
        raise ValueError(f"h has shape {tuple(h.shape)}; it must have shape (..., {D})")
    if b is not None:
        check_shape("b", b, (V,))
    _check_ids(y, h.shape[:-1], V, ignore_index, "features")
    _check_reduction(reduction)
    if chunk is not None and not (isinstance(chunk, Integral) and chunk >= 1):
        raise ValueError(f"chunk is {chunk!r}; it must be a whole number of rows, at least 1, or None")
    wanted = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (h, W, b))
    way = _way("linear_cross_entropy", backend, {"V": V, "D": D, "M": y.numel()}, wanted, h, W, y, b)
    rows, ids = h.reshape(-1, D), y.reshape(-1).long()
    if chunk is None:
        copies = 3 if way == "torch" and h.dtype.itemsize == 2 else 1
        chunk = chunk_rows(len(rows), D, V, h.is_cuda, copies)
    if wanted and _early(h, reduction):
        count = _count(ids, reduction, ignore_index, h)
        return _LinearEarly.apply(rows, W, b, ids, count, ignore_index, chunk, way)
    losses = _LinearLate.apply(rows, W, b, ids, ignore_index, chunk, way)
    return _reduce(losses, ids, reduction, ignore_index).reshape(y.shape if reduction == "none" else ())


class _LinearEarly(torch.autograd.Function):
    """Mean or sum, with the gradients made in the forward pass as if 1 came from upstream."""

    @staticmethod
    def forward(ctx, h, W, b, y, count, ignore_index, chunk, way):
        losses, *gradients = _in_chunks(h, W, b, y, ignore_index, chunk, way, 1 / count, ctx.needs_input_grad[:3])
        ctx.save_for_backward(*gradients)
        ctx.way = way
        return losses.sum() / count[0]

    @staticmethod
    def backward(ctx, upstream):
        refuse_second_derivative(INSTEAD)
        gradients = [None if saved is None else _times(saved, upstream, ctx.way) for saved in ctx.saved_tensors]
        return *gradients, *[None] * 5


class _LinearLate(torch.autograd.Function):
    """The losses of all rows; the backward pass computes the scores again, and their gradient from what it is given."""

    @staticmethod
    def forward(ctx, h, W, b, y, ignore_index, chunk, way):
        ctx.save_for_backward(h, W, b, y)
        ctx.given = ignore_index, chunk, way
        return _in_chunks(h, W, b, y, ignore_index, chunk, way)[0]

    @staticmethod
    def backward(ctx, upstream):
        refuse_second_derivative(INSTEAD)
        _, *gradients = _in_chunks(*ctx.saved_tensors, *ctx.given, upstream, ctx.needs_input_grad[:3])
        return *gradients, *[None] * 4


def _in_chunks(h, W, b, y, ignore_index, chunk, way, scale=None, needed=(False, False, False)):
    """Losses of all rows and the needed gradients of h, W, b; `scale` (1,) or (M,) multiplies the rows' gradients."""
    from_scores = _losses_by_torch if way == "torch" else _losses_by_triton
    M, V = len(h), len(W)
    exact = _accumulator(h.dtype)
    losses = torch.empty(M, dtype=exact, device=h.device)
    scores = h.new_empty(min(chunk, M), V)
    dh = h.new_empty(h.shape) if needed[0] else None
    dW = W.new_zeros(W.shape) if needed[1] else None
    db = b.new_zeros(b.shape, dtype=exact) if needed[2] else None
    for start in range(0, M, chunk):
        rows = slice(start, start + chunk)
        here = h[rows]
        z = scores[: len(here)]
        torch.mm(here, W.T, out=z) if b is None else torch.addmm(b, here, W.T, out=z)
        losses[rows] = from_scores(z, y[rows], ignore_index, scale if scale is None or len(scale) == 1 else scale[rows])
        if dh is not None:
            torch.mm(z, W, out=dh[rows])
        if dW is not None:
            dW.addmm_(z.T, here)
        if db is not None:
            db += z.sum(0, dtype=exact)
    return losses, dh, dW, None if db is None else db.to(b.dtype)


def _losses_by_triton(z, y, ignore_index, scale):
    from seqlab.lm import kernels

    return kernels.losses(z, y, ignore_index, scale, z)


def _losses_by_torch(z, y, ignore_index, scale):
    """As the kernel does it, in place: z becomes its gradient, or without a scale is used up."""
    e = z.to(_accumulator(z.dtype))  # z itself, unless it has 16 bits
    counts, known = y != ignore_index, (y >= 0) & (y < z.shape[1])
    true = torch.where(known, y, 0).long()[:, None]
    e -= e.amax(1, keepdim=True)
    picked = torch.where(known, e.gather(1, true)[:, 0], float("nan"))
    total = e.exp_().sum(1)
    losses = torch.where(counts, total.log() - picked, 0.0)
    if scale is not None:
        scale = torch.where(known, scale, float("nan"))[:, None]
        e *= scale / total[:, None]
        e.scatter_add_(1, true, -scale)
        z.copy_(e.masked_fill_(~counts[:, None], 0.0))
    return losses


def _by_torch(z, y, reduction, ignore_index):
    z = z.to(_accumulator(z.dtype)).reshape(-1, z.shape[-1])
    loss = F.cross_entropy(z, y.reshape(-1).long(), ignore_index=ignore_index, reduction=reduction)
    return loss.reshape(y.shape) if reduction == "none" else loss


def _accumulator(dtype):
    return torch.float64 if dtype == torch.float64 else torch.float32


def _count(ids, reduction, ignore_index, like):
    """By what the sum of the losses is divided, (1,) on the device: nobody waits for it."""
    if reduction == "sum":
        return like.new_ones(1, dtype=_accumulator(like.dtype))
    return (ids != ignore_index).sum(dtype=_accumulator(like.dtype)).reshape(1)


def _reduce(losses, ids, reduction, ignore_index):
    return losses if reduction == "none" else losses.sum() / _count(ids, reduction, ignore_index, losses)[0]


def _times(saved, upstream, way):
    """Multiply a gradient that waited for its upstream factor: in place, when nobody will ask for it again."""
    if _graph_is_kept():
        return saved * upstream
    if way == "torch":
        return saved.mul_(upstream)
    from seqlab.lm import kernels

    kernels.rescale(saved, upstream)
    return saved.detach()  # where it took the place of the scores, it must not pass for them


def _graph_is_kept():
    """Say whether the backward pass that runs now was asked to keep its graph (`retain_graph`) for another."""
    return torch._C._autograd._get_current_graph_task_keep_graph()


def _way(benchmark, backend, sizes, wanted, *tensors):
    """Choose the backend; "auto" takes on CUDA what was fastest where it was measured, elsewhere Triton."""
    way = pick_backend(backend, *tensors)
    if backend != "auto" or way == "torch":
        return way
    return fastest_backend(benchmark, WAYS[benchmark], tensors[0], sizes, wanted) or way


def _check_float(name, tensor):
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}; it must be a torch tensor")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name} holds {tensor.dtype}; it must hold float32, bfloat16, float16 or float64")


def _check_scores(z):
    _check_float("z", z)
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(f"z has shape {tuple(z.shape)}; it must have shape (..., V), with at least one word")


def _check_reduction(reduction):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}; it must be 'mean', 'sum' or 'none'")


def _check_ids(y, shape, V, ignore_index, last):
    if not isinstance(y, torch.Tensor):
        raise ValueError(f"y is a {type(y).__name__}; it must be a torch tensor")
    if y.dtype not in INTEGERS:
        raise ValueError(f"y holds {y.dtype}; it must hold ids, y.long()")
    if y.shape != shape:
        raise ValueError(
            f"y has shape {tuple(y.shape)}; it must have shape {tuple(shape)}, an id for each row of {last}, which are "
            "the last axis"
        )
    if y.device.type != "cpu":
        return
    ids = y[y != ignore_index]
    if len(ids) and not (ids.min() >= 0 and ids.max() < V):
        raise ValueError(
            f"y holds ids from {ids.min()} to {ids.max()}; the vocabulary has ids 0 to {V - 1}, and {ignore_index} "
            "marks what does not count"
        )
