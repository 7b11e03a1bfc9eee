"""CTC as torch functions: the loss, torch's twin, and the alignment of a text with its frames."""

import math

import torch

from seqlab.ctc import lattice
from seqlab.ctc.checks import check_blank, check_lengths, check_log_probs, pad_targets
from seqlab.kernels import pick_backend
from seqlab.kernels.gradients import refuse_second_derivative
from seqlab.kernels.measured import fastest_backend

REDUCTIONS = ("none", "mean", "sum")
WAYS = {"seqlab Triton": "triton", "seqlab torch": "torch"}  # as the benchmark names them


def ctc_loss(
    log_probs,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    reduction="mean",
    zero_infinity=False,
    *,
    backend="auto",
):
    """Negative log-probability of the targets, summed over all their paths, :eq:`ctc-loss`.

    Takes the arguments of `torch.nn.functional.ctc_loss` and gives its numbers and its gradient; Graves, Fernández,
    Gomez and Schmidhuber (2006).

    Parameters
    ----------
    log_probs : (T, B, C), or (T, C) without a batch: the log_softmax of scores. What stands behind a sequence's end
        does not count.
    targets : (B, Lmax) labels, padded with anything; or one row (sum of the lengths,), one target after the other;
        whole numbers from 0 to C - 1 other than the blank. Repeats are allowed, and so are empty targets.
    input_lengths : (B,) frames of each sequence, 0 to T: a tensor, a tuple or a list; without a batch also one number.
    target_lengths : (B,) labels of each target, in the same forms.
    blank : the class that stands for no label.
    reduction : "none"; "sum"; or "mean", which divides each loss by its target's length (an empty target's by 1)
        before it takes the mean over the batch.
    zero_infinity : True gives a target that has no path in its frames a loss of 0 and no gradient, instead of Inf and
        NaN.
    backend : "torch" (a loop over the frames), "triton" (one kernel for all of them), or "auto": Triton on CUDA, torch
        elsewhere.

    Returns
    -------
    loss : (B,) with reduction "none", () without a batch; else one number. In nats.

    Raises
    ------
    ValueError
        when a shape, a length, a label, a data type, a device or a name does not fit.
    RuntimeError
        when the gradient is to be differentiated again.

    Notes
    -----
    The gradient is torch's: exp(log_probs) minus :eq:`ctc-occupancy`. It is the gradient by the scores *before* a
    log_softmax, :eq:`ctc-gradient`, handed to the log_softmax, which lets exactly this one pass unchanged. So it is
    right behind a log_softmax, and only there: a finite difference by a single number of `log_probs` gives the
    occupancy alone, with a minus.
    """
    alone = isinstance(log_probs, torch.Tensor) and log_probs.dim() == 2
    log_probs = check_log_probs(log_probs)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}; it must be 'none', 'mean' or 'sum'")
    targets, input_lengths, target_lengths = _fitted(log_probs, targets, input_lengths, target_lengths, blank)
    given = (log_probs, targets, input_lengths, target_lengths, blank)
    if _choose(backend, log_probs, targets) == "triton":
        from seqlab.ctc import kernels

        losses = kernels.losses(*given, zero_infinity=zero_infinity)
    else:
        losses = _Losses.apply(*given, zero_infinity, torch.is_grad_enabled() and log_probs.requires_grad)
    if reduction == "sum":
        return losses.sum()
    if reduction == "mean":
        return (losses / target_lengths.clamp(min=1)).mean()
    return losses[0] if alone else losses


@torch.no_grad()
def align(log_probs, targets, input_lengths, target_lengths, blank=0):
    """Find when each label is said: the most probable path of every target, :eq:`ctc-viterbi`.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank : as in `ctc_loss`.

    Returns
    -------
    paths : (B, T) int64, the class of each frame, -1 behind a sequence's end; (T,) without a batch. Of equally good
        paths it is the one that is ahead in the lattice. A target that has no path gets a row of -1.
    log_probs : (B,) of the paths, -Inf where there is none; () without a batch.

    Raises
    ------
    ValueError
        when a shape, a length, a label or a data type does not fit.
    """
    alone = isinstance(log_probs, torch.Tensor) and log_probs.dim() == 2
    log_probs = check_log_probs(log_probs)
    fitted = _fitted(log_probs, targets, input_lengths, target_lengths, blank)
    paths, of_paths = lattice.best_paths(log_probs, *fitted, blank)
    return (paths[0], of_paths[0]) if alone else (paths, of_paths)


def _fitted(log_probs, targets, input_lengths, target_lengths, blank):
    """Targets, padded, and both lengths, checked, on the device of log_probs."""
    T, B, C = log_probs.shape
    check_blank(blank, C)
    input_lengths = check_lengths("input_lengths", input_lengths, B, T, log_probs.device)
    targets, target_lengths = pad_targets(targets, target_lengths, B, C, blank, log_probs.device)
    return targets, input_lengths, target_lengths


def _choose(backend, log_probs, targets):
    """Pick "torch" or "triton": the kernel has a limit of labels; what "auto" takes on CUDA, measurements decide."""
    way = pick_backend(backend, log_probs)
    if way == "torch":
        return "torch"
    from seqlab.ctc.kernels import loss

    (T, B, C), L = log_probs.shape, targets.shape[1]
    if loss.LONGEST < L:
        if backend == "auto":
            return "torch"
        raise ValueError(
            f"backend is 'triton', and a target has {L} labels; the kernel takes {loss.LONGEST} at most: use "
            "backend='torch' or 'auto'"
        )
    if backend == "triton":
        return "triton"
    wanted = torch.is_grad_enabled() and log_probs.requires_grad
    return fastest_backend("ctc_loss", WAYS, log_probs, {"T": T, "C": C, "L": L, "B": B}, wanted) or "triton"


class _Losses(torch.autograd.Function):
    """Losses of a batch; the gradient is computed beside them, for it needs the same lattice."""

    @staticmethod
    def forward(ctx, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity, wanted):
        sizes = input_lengths, target_lengths
        losses, gradient = lattice.losses_and_gradient(log_probs, targets, *sizes, blank, with_gradient=wanted)
        infinite = losses == math.inf
        if wanted:
            frames = torch.arange(len(log_probs), device=losses.device)[:, None] < input_lengths
            instead = 0.0 if zero_infinity else math.nan
            ctx.save_for_backward(gradient.masked_fill_((infinite & frames)[:, :, None], instead))
        return losses.masked_fill(infinite, 0.0) if zero_infinity else losses

    @staticmethod
    def backward(ctx, d_losses):
        refuse_second_derivative("a loss is differentiated once")
        (gradient,) = ctx.saved_tensors
        return gradient * d_losses[:, None], None, None, None, None, None, None
