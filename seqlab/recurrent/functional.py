"""The plain recurrent network and gradient clipping as torch functions."""

import torch
import torch.nn.functional as F

from seqlab.kernels import pick_backend
from seqlab.shapes import check_shape


def rnn(x, h0, W_ih, W_hh, b_ih=None, b_hh=None, nonlinearity="tanh", backend="auto"):
    """Run a recurrent layer over whole sequences, :eq:`rnn-torch` at every step.

    Parameters
    ----------
    x : (B, T, D) inputs.
    h0 : (B, H) state before the first step.
    W_ih, W_hh : (H, D) and (H, H) weights.
    b_ih, b_hh : (H,) biases, or None.
    nonlinearity : "tanh" or "relu".
    backend : "torch" (a loop), "triton" (one kernel for all steps), or "auto": Triton on CUDA where the kernel takes
        the size and the data type, torch elsewhere.

    Returns
    -------
    h : (B, T, H) state after each step.

    Raises
    ------
    ValueError
        when a shape, a data type or a device does not fit, there is no step, or a name is unknown.
    """
    weights = {"W_ih": W_ih, "W_hh": W_hh, "b_ih": b_ih, "b_hh": b_hh}
    given = {name: tensor for name, tensor in weights.items() if tensor is not None}
    for name, tensor in {"x": x, "h0": h0, **given}.items():
        _check_float(name, tensor)
        if tensor.dtype != x.dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and x holds {x.dtype}; convert one of them")
    H, D = check_shape("W_ih", W_ih, ("H", "D")).values()
    check_shape("W_hh", W_hh, (H, H))
    for name in given.keys() & {"b_ih", "b_hh"}:
        check_shape(name, given[name], (H,))
    B, T = check_shape("x", x, ("B", "T", D)).values()
    if T == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}, so it has no step; a sequence needs at least one")
    check_shape("h0", h0, (B, H))
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'")

    chosen = pick_backend(backend, x, h0, *weights.values())
    bias = b_ih if b_hh is None else b_hh if b_ih is None else b_ih + b_hh
    if chosen == "triton":
        from seqlab.recurrent import kernels

        if backend == "triton" or (x.dtype != torch.float64 and kernels.is_resident(H, x.dtype)):
            return kernels.recurrence(F.linear(x, W_ih, bias), h0, W_hh, nonlinearity)
    return _loop(F.linear(x, W_ih, bias), h0, W_hh, nonlinearity)


def _loop(z, h, W_hh, nonlinearity):
    """z (B, T, H): what each step hears from its input, W_ih x + b, for all steps in one product."""
    squash = torch.tanh if nonlinearity == "tanh" else torch.relu
    states = []
    for z_t in z.unbind(1):
        h = squash(torch.addmm(z_t, h, W_hh.T))
        states.append(h)
    return torch.stack(states).transpose(0, 1)


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


def _check_float(name, tensor):
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} is a {type(tensor).__name__}; it must be a torch tensor")
    if not tensor.is_floating_point():
        raise ValueError(f"{name} holds {tensor.dtype}; it must hold floats, {name}.float()")
