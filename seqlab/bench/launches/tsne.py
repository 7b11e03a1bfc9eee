"""t-SNE: the perplexity search, and the forces between all pairs and between neighbours."""

import torch

from seqlab.bench.launches.model import KINDS, LONG, Launch, pointers
from seqlab.tsne import kernels


def search(k, dtype="float32", **others):
    """The bisection over rows of k distances; the perplexity is a constant that changes nothing else."""
    constants, warps = kernels.search_plan(k, getattr(torch, dtype))
    signature = dict.fromkeys(("squared_ptr", "p_ptr", "beta_ptr"), KINDS[dtype]) | {"N": "i32"}
    shape = {"k": k, "dtype": dtype}
    yield Launch("search", shape, kernels._search, signature, constants | {"GOAL": 4.9}, options={"num_warps": warps})


def repulsion(N, d, dtype="float32"):
    """The forces between all pairs; a launch finds out whether N is a multiple of 16."""
    constants, warps = kernels.repulsion_plan(d, getattr(torch, dtype))
    signature = dict.fromkeys(("y_ptr", "force_ptr", "z_ptr"), KINDS[dtype]) | {"N": "i32"}
    whole = [*pointers(signature), *(["N"] if N % 16 == 0 else [])]
    shape = {"N": N, "d": d, "dtype": dtype}
    yield Launch("repulsion", shape, kernels._repulsion, signature, constants, whole, {"num_warps": warps})


def attraction(d, dtype="float32", **others):
    """The forces between neighbours, over a sparse matrix."""
    signature = dict.fromkeys(("y_ptr", "p_ptr", "force_ptr", "cross_ptr"), KINDS[dtype])
    signature |= {"start_ptr": LONG, "col_ptr": LONG, "N": "i32"}
    constants = kernels.pair_plan(d, getattr(torch, dtype)) | {"WALK": kernels.WALK}
    shape = {"d": d, "dtype": dtype}
    yield Launch("attraction", shape, kernels._attraction, signature, constants, options={"num_warps": 1})
