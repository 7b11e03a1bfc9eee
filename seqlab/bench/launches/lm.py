"""Language models: softmax, and cross-entropy over given scores, alone and behind a linear layer."""

import torch

from seqlab.bench.launches.model import KINDS, Launch, sums
from seqlab.lm.kernels import cross_entropy as kernels
from seqlab.lm.kernels import softmax as softmaxes


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


def softmax(V, dtype="float32", **others):
    """The probabilities of rows of V scores, held whole where a program can and in parts, and their gradient."""
    number = getattr(torch, dtype)
    for name, pointers, arrays in (("softmax", ("z", "p"), 1), ("softmax_backward", ("p", "dp", "dz"), 2)):
        held = softmaxes.longest_row(number, arrays) >= V
        if held:
            whole = name if arrays > 1 else "softmax_row"
            yield _rows(whole, pointers, V, dtype, others, {"B": "i32"}, True)
        if arrays == 1 or not held:
            yield _rows("softmax_online" if arrays == 1 else f"{name}_parts", pointers, V, dtype, others, {}, False)


def _rows(name, pointers, V, dtype, others, sizes, whole):
    number = getattr(torch, dtype)
    signature = {f"{pointer}_ptr": KINDS[dtype] for pointer in pointers}
    divisible = [*signature, *(["V"] if V % 16 == 0 else [])]
    return Launch(
        name,
        {**others, "V": V, "dtype": dtype},
        getattr(softmaxes, f"_{name}"),
        signature | sizes | {"V": "i32"},
        softmaxes.plan(V, number, whole),
        divisible,
        arguments={"z_ptr": torch.empty(0, dtype=number)},
    )
