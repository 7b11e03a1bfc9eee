"""What the functions with a gradient of their own share: no second derivative, and the types of autocast."""

import torch


def refuse_second_derivative(instead="use backend='torch'"):
    """Raise where the backward pass is itself to be differentiated; `instead` says what can be.

    torch's once_differentiable would let a wrong second derivative through.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(f"the kernel's gradient cannot be differentiated again: {instead}")


def narrowed(first, *others):
    """Under autocast every tensor takes its narrow type, as in torch's own products; float64 and None stay."""
    kind = first.device.type if isinstance(first, torch.Tensor) else ""
    if not (kind and torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        return first, *others
    wide = (torch.float32, torch.float16, torch.bfloat16)
    dtype = torch.get_autocast_dtype(kind)
    return [t.to(dtype) if isinstance(t, torch.Tensor) and t.dtype in wide else t for t in (first, *others)]
