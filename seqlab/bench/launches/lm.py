"""Language models: cross-entropy over given scores, alone and behind a linear layer."""

import torch

from seqlab.bench.launches.model import KINDS, Launch, sums
from seqlab.lm.kernels import cross_entropy as kernels


def cross_entropy(V, dtype="float32", gradients=(False, True), same=True, **others):
    """Losses of rows of V scores, with and without the gradient of the scores.

    Parameters
    ----------
    V, dtype : words, and the type of a score.
    gradients : which to compile: False is the loss alone, True both.
    same : one number scales the gradient of all rows.
    """
    number = getattr(torch, dtype)
    wide = sums(dtype)
    signature = {"z_ptr": KINDS[dtype], "y_ptr": "*i64", "scale_ptr": wide, "loss_ptr": wide, "dz_ptr": KINDS[dtype]}
    divisible = [*signature, *(["V"] if V % 16 == 0 else [])]
    signature |= {"B": "i32", "V": "i32", "ignore": "i32"}
    for gradient in gradients:
        yield Launch(
            "cross_entropy",
            {**others, "V": V, "dtype": dtype},
            kernels._cross_entropy,
            signature,
            kernels.plan(V, number, gradient, same),
            divisible,
            arguments={"z_ptr": torch.empty(0, dtype=number)},
        )


def rescale(dtype="bfloat16", **others):
    """Multiplying a finished gradient with one number."""
    signature = {"x_ptr": KINDS[dtype], "scale_ptr": "*fp32", "N": "i64", "rounds": "i32"}
    constants = {"BLOCK": kernels.RESCALE_BLOCK, "ACC": kernels.tl.float32}
    yield Launch("rescale", {"dtype": dtype}, kernels._rescale, signature, constants, options={"num_warps": 4})


def linear_cross_entropy(V, dtype, **others):
    """The loss and gradient of a chunk's scores; the products are torch's."""
    yield from cross_entropy(V, dtype, **others)
    yield from rescale(dtype)
