"""What the kernels over rows of scores share: the type of their sums, and what fits a multiprocessor."""

import torch
import triton.language as tl

SHARED = 227 * 1024  # bytes of shared memory that a program can have on Hopper


def sums(dtype):
    """Choose the type in which a kernel computes: float64 for float64, else float32."""
    return tl.float64 if dtype == torch.float64 else tl.float32


def multiprocessors(tensor):
    """Count those of the GPU that holds a tensor."""
    return torch.cuda.get_device_properties(tensor.device).multi_processor_count
