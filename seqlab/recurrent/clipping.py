"""Gradient clipping in place, as torch functions."""

import torch


def clip_by_value(parameters, limit):
    """Cut every number of every `.grad` to [-limit, limit] in place, :eq:`clip-value`.

    Parameters
    ----------
    parameters : tensor or iterable of tensors; those without a gradient are passed over.
    limit : positive number.

    Raises
    ------
    ValueError
        when the limit is not positive.
    """
    for gradient in _gradients(parameters, limit):
        gradient.clamp_(-limit, limit)


def clip_by_norm(parameters, limit, error_if_nonfinite=False):
    """Shrink every `.grad` in place by one factor until their joint norm is at most `limit`, :eq:`clip-norm`.

    The factor is exactly min(1, limit / norm); `torch.nn.utils.clip_grad_norm_` adds 1e-6 to the norm.

    Parameters
    ----------
    parameters : tensor or iterable of tensors; those without a gradient are passed over.
    limit : positive number; Inf clips nothing and only measures.
    error_if_nonfinite : raise when the norm is Inf or NaN; otherwise such gradients become NaN or 0, as in torch.

    Returns
    -------
    norm : tensor, the Euclidean norm of all gradients before clipping.

    Raises
    ------
    ValueError
        when the limit is not positive, or the norm is Inf or NaN and `error_if_nonfinite` is set; the gradients are
        then as they were.
    """
    gradients = _gradients(parameters, limit)
    norm = torch.nn.utils.get_total_norm(gradients)
    if error_if_nonfinite and not norm.isfinite():
        raise ValueError(f"the gradients have norm {norm.item()} and were not clipped: look for Inf or NaN in the loss")
    scale = (limit / norm).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(scale.to(gradient.device, gradient.dtype))
    return norm


def _gradients(parameters, limit):
    if not limit > 0:
        raise ValueError(f"limit is {limit}; it must be a positive number")
    parameters = [parameters] if isinstance(parameters, torch.Tensor) else parameters
    return [p.grad.detach() for p in parameters if p.grad is not None]
