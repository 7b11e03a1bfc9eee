"""What the torch functions of CTC ask of their arguments: one layout from the many that torch takes."""

import torch

from seqlab.shapes import check_shape


def check_log_probs(log_probs):
    """Ask for (T, B, C) or (T, C) log-probabilities in float32 or float64 and give them with the batch's axis.

    Parameters
    ----------
    log_probs : what was given.

    Returns
    -------
    log_probs : (T, B, C), B = 1 for a sequence that came alone.

    Raises
    ------
    ValueError
        when it is no tensor of floats, has another shape or is empty.
    """
    if not isinstance(log_probs, torch.Tensor):
        raise ValueError(f"log_probs is a {type(log_probs).__name__}; it must be a torch tensor")
    if log_probs.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"log_probs holds {log_probs.dtype}; it must hold float32 or float64: use log_probs.float()")
    if log_probs.dim() == 2:
        log_probs = log_probs[:, None]
    if log_probs.dim() != 3:
        raise ValueError(f"log_probs has shape {tuple(log_probs.shape)}; it must have shape (T, B, C) or (T, C)")
    if not log_probs.numel():
        raise ValueError(f"log_probs has shape {tuple(log_probs.shape)}; it must hold a number: no size may be 0")
    return log_probs


def check_blank(blank, C):
    """Raise ValueError when the blank is none of the classes 0 to C - 1."""
    if not isinstance(blank, int) or isinstance(blank, bool) or not 0 <= blank < C:
        raise ValueError(f"blank is {blank!r}; it must be a class of log_probs, 0 to {C - 1}")


def check_lengths(name, lengths, B, most, device):
    """Give lengths as a (B,) int64 tensor on a device.

    Parameters
    ----------
    name : the argument's name, as its caller wrote it.
    lengths : tensor, list or tuple of B whole numbers; with B = 1 also one number.
    B : how many.
    most : the largest number that may stand there, None for any.
    device : where they go.

    Returns
    -------
    lengths : (B,) int64.

    Raises
    ------
    ValueError
        when there are not B, or one is no whole number from 0 to `most`.
    """
    lengths = torch.as_tensor(lengths)
    if lengths.dim() == 0:
        lengths = lengths[None]
    if not lengths.numel():
        lengths = lengths.long()
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise ValueError(f"{name} holds {lengths.dtype}; it must hold whole numbers")
    check_shape(name, lengths, (B,))
    if lengths.min() < 0 or (most is not None and lengths.max() > most):
        wanted = "0 or more" if most is None else f"from 0 to {most}"
        raise ValueError(f"{name} goes from {lengths.min()} to {lengths.max()}; every length must be {wanted}")
    return lengths.to(device, torch.int64)


def pad_targets(targets, target_lengths, B, C, blank, device):
    """Give targets, padded or concatenated, as one padded row each.

    Parameters
    ----------
    targets : (B, Lmax) whole numbers, of which what lies behind a target's end may be anything, or one row of all
        targets one after the other.
    target_lengths : as `check_lengths` takes them.
    B, C, blank : sequences, classes and the class that stands for no label.
    device : where the result goes.

    Returns
    -------
    targets : (B, L) int64, the blank behind each target's end, L the length of the longest.
    target_lengths : (B,) int64.

    Raises
    ------
    ValueError
        when a shape or a length does not fit, or a label is the blank or no class.
    """
    if not isinstance(targets, torch.Tensor):
        raise ValueError(f"targets is a {type(targets).__name__}; it must be a torch tensor")
    if not targets.numel():
        targets = targets.long()
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise ValueError(f"targets holds {targets.dtype}; it must hold whole numbers, the labels")
    if targets.dim() == 2:
        Lmax = check_shape("targets", targets, (B, "Lmax"))["Lmax"]
        lengths = check_lengths("target_lengths", target_lengths, B, Lmax, targets.device)
    elif targets.dim() == 1:
        lengths = check_lengths("target_lengths", target_lengths, B, None, targets.device)
        if lengths.sum() != len(targets):
            raise ValueError(
                f"targets has {len(targets)} labels and target_lengths sums to {lengths.sum()}; concatenated targets "
                "must have as many as their lengths say"
            )
    else:
        raise ValueError(
            f"targets has shape {tuple(targets.shape)}; it must have shape ({B}, Lmax), or (sum of the lengths,)"
        )
    L = int(lengths.max())
    inside = torch.arange(L, device=targets.device) < lengths[:, None]
    labels = targets[:, :L][inside] if targets.dim() == 2 else targets
    _check_labels(labels, C, blank)
    rows = torch.full((B, L), blank, dtype=torch.int64, device=targets.device)
    rows[inside] = labels.long()
    return rows.to(device), lengths.to(device)


def _check_labels(labels, C, blank):
    if not labels.numel():
        return
    if labels.min() < 0 or labels.max() >= C:
        raise ValueError(f"targets holds {labels.min()} to {labels.max()}; log_probs has classes 0 to {C - 1}")
    if (labels == blank).any():
        raise ValueError(f"targets holds {blank}, the blank, before a target's end; it may hold labels only")
