"""Which numbers the kernels take, and how their products are done. Needs Triton."""

import torch
import triton.language as tl

from seqlab.kernels.switch import interpreting

TYPES = {torch.float64: tl.float64, torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


def number_types(dtype):
    """Choose how products are done: the data type, that of the sum, and how float32 is split.

    In the interpreter the products of 16-bit numbers are done in float32: it cannot multiply bfloat16. On a GPU, three
    tensor-core products keep float32's digits; one (tf32) does where torch's own products may use it too.

    Parameters
    ----------
    dtype : of torch, one of `TYPES`.

    Returns
    -------
    constants : dict with DOT, ACC and PRECISION, for a kernel's constants.
    """
    if dtype != torch.float32:
        precision = "ieee"
    else:
        precision = "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    return {
        "DOT": tl.float32 if interpreting() and dtype.itemsize < 4 else TYPES[dtype],
        "ACC": tl.float64 if dtype == torch.float64 else tl.float32,
        "PRECISION": precision,
    }
