"""CTC: the loss, the greedy decoder and the prefix beam search."""

import torch

from seqlab.bench.launches.model import INT, KINDS, LONG, Launch, pointers, sums
from seqlab.ctc.kernels import beam as beam_kernels
from seqlab.ctc.kernels import common
from seqlab.ctc.kernels import greedy as greedy_kernels
from seqlab.ctc.kernels import loss as loss_kernels

GIVEN = {"target_ptr": LONG, "frames_ptr": LONG, "labels_ptr": LONG, "pe_ptr": INT, "e_ptr": INT}
GIVEN |= {"link_ptr": INT, "rank_ptr": INT}
GIVEN |= dict.fromkeys(("T", "B", "C", "M", "W", "step_t", "step_b", "blank"), "i32")


def lattice(L, dtype="float32", kept=True, **others):
    """Alpha and beta of targets of L labels; `kept` for the gradient."""
    signature = {"lp_ptr": KINDS[dtype], "loss_ptr": sums(dtype), "pm_ptr": sums(dtype), "m_ptr": sums(dtype)} | GIVEN
    constants = loss_kernels.plan(L, getattr(torch, dtype)) | {"KEEP": kept}
    shape = {**others, "L": L, "dtype": dtype}
    yield Launch("lattice", shape, loss_kernels._lattice, signature, constants, [*pointers(signature), "W"])


def gradient(C, L, dtype="float32", **others):
    """The gradient of log_probs."""
    wide = sums(dtype)
    signature = {"lp_ptr": KINDS[dtype], "pm_ptr": wide, "m_ptr": wide, "scale_ptr": wide, "out_ptr": KINDS[dtype]}
    signature |= GIVEN | {"step_scale": "i32"}
    each, *_ = common.in_steps(C, C)
    constants = loss_kernels.plan(L, getattr(torch, dtype))
    constants |= {"EACH": each, "CLASSES": loss_kernels.triton.next_power_of_2(C), "SCALED": True, "ZERO": False}
    shape = {**others, "C": C, "L": L, "dtype": dtype}
    yield Launch("gradient", shape, loss_kernels._gradient, signature, constants, [*pointers(signature), "W"])


def loss(**shape):
    """Both launches of the loss with its gradient."""
    yield from lattice(**shape)
    yield from gradient(**shape)


def greedy(T, C, dtype="float32", **others):
    """The likeliest label of every frame, and what is left when repeats and blanks go."""
    shape = {"T": T, **others, "C": C, "dtype": dtype}
    one, other = greedy_kernels.plan(T, C, getattr(torch, dtype))
    each, *_ = common.in_steps(C, C)
    signature = {"lp_ptr": KINDS[dtype], "frames_ptr": LONG, "id_ptr": INT}
    signature |= dict.fromkeys(("T", "B", "C", "step_t", "step_b"), "i32")
    yield Launch("best", shape, greedy_kernels._best, signature, one | {"EACH": each}, pointers(signature))
    signature = {"id_ptr": INT, "frames_ptr": LONG, "out_ptr": LONG, "count_ptr": LONG, "T": "i32", "blank": "i32"}
    warps = {"num_warps": other.pop("num_warps")}
    yield Launch("collapse", shape, greedy_kernels._collapse, signature, other, options=warps)


def beam(C, K, dtype="float32", **others):
    """The likeliest labels of every frame, and the search over them."""
    shape = {"C": C, "K": K, "dtype": dtype}
    likeliest, search = beam_kernels.plan(C, K, getattr(torch, dtype))
    given = {"lp_ptr": KINDS[dtype], "frames_ptr": LONG, "value_ptr": sums(dtype), "label_ptr": INT}
    sizes = {"B": "i32", "C": "i32", "blank": "i32"}
    yield Launch("likeliest", shape, beam_kernels._likeliest, given | sizes | {"R": "i32"}, likeliest, list(given))
    more = {"parent_ptr": INT, "letter_ptr": INT, "text_ptr": LONG, "length_ptr": LONG, "out_ptr": sums(dtype)}
    signature = given | more | sizes | {"T": "i32", "width": "i32"}
    warps = {"num_warps": search.pop("num_warps")}
    yield Launch("search", shape, beam_kernels._search, signature, search, options=warps)
