"""What the kernels of attention share: what they take."""

from seqlab.kernels import pick_backend
from seqlab.kernels.numbers import TYPES


def check_numbers(**tensors):
    """Refuse other types than the kernels take, several at once, and devices on which no kernel runs."""
    first = next(iter(tensors))
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES:
            raise ValueError(f"{name} holds {tensor.dtype}; the kernel takes float32, bfloat16, float16 and float64")
        if tensor.dtype != tensors[first].dtype:
            raise ValueError(f"{name} holds {tensor.dtype} and {first} holds {tensors[first].dtype}; convert one")
    pick_backend("triton", *tensors.values())
