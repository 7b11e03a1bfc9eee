"""Word vectors: the steps of five ways to learn them, counting neighbours, looking up and adding."""

import importlib

import torch

from seqlab.bench.launches.model import KINDS, LONG, Launch, pointers, sums
from seqlab.embeddings.kernels import cbow as cbow_kernels
from seqlab.embeddings.kernels import gather
from seqlab.embeddings.kernels import glove as glove_kernels
from seqlab.embeddings.kernels import hierarchical as tree_kernels
from seqlab.embeddings.kernels import sgns as sgns_kernels

counting = importlib.import_module("seqlab.embeddings.kernels.cooccurrence")  # a function has the same name
LONGEST = 24  # turns on the longest way through a tree of some ten thousand words
TABLE = "*fp32"
STEP = {"loss_ptr": TABLE, "W": "i32", "V": "i32", "lr": "fp32"}
SGNS = {"E_ptr": TABLE, "O_ptr": TABLE, "centre_ptr": LONG, "contexts_ptr": LONG, "negatives_ptr": LONG} | STEP
CBOW = {"E_ptr": TABLE, "O_ptr": TABLE, "contexts_ptr": LONG, "target_ptr": LONG, "negatives_ptr": LONG} | STEP
TREE = {"E_ptr": TABLE, "N_ptr": TABLE, "contexts_ptr": LONG, "nodes_ptr": LONG, "bits_ptr": LONG, "M": "i32"} | STEP
CELLS = dict.fromkeys(("W_ptr", "U_ptr", "b_ptr", "c_ptr"), TABLE)
CELLS |= dict.fromkeys(("W_total_ptr", "U_total_ptr", "b_total_ptr", "c_total_ptr", "x_ptr", "loss_ptr"), TABLE)
CELLS |= {"rows_ptr": LONG, "columns_ptr": LONG, "n": "i32", "V": "i32"}
CELLS |= dict.fromkeys(("lr", "learn", "x_max", "alpha"), "fp32")
COUNT = {"ids_ptr": LONG, "X_ptr": TABLE, "N": "i32", "V": "i32", "window": "i32"}
COUNTS = {"B": "i32", "V": "i32"}
WALK = COUNTS | {"offset": "i32", "LONG": "i32"}
ROWS = 1_000_000  # gradients that are added in order: so many are cut into parts


def sgns(C, K, D, **others):
    """A step of skip-gram with negative sampling."""
    shape = {**others, "C": C, "K": K, "D": D}
    yield _step("sgns", shape, sgns_kernels._sgns, SGNS, sgns_kernels.plan(C, K, D))


def cbow(C, K, D, **others):
    """A step of CBOW with negative sampling."""
    shape = {**others, "C": C, "K": K, "D": D}
    yield _step("cbow", shape, cbow_kernels._cbow, CBOW, cbow_kernels.plan(C, K, D))


def hierarchical(C, D, **others):
    """A step of skip-gram, and of CBOW, through a tree of words."""
    shape, sizes = {**others, "C": C, "D": D}, (C, LONGEST, D)
    plan = tree_kernels.skipgram_plan(*sizes)
    yield _step("skipgram", shape, tree_kernels._skipgram, TREE | {"centre_ptr": LONG}, plan)
    plan = tree_kernels.cbow_plan(*sizes)
    yield _step("hierarchical cbow", shape, tree_kernels._cbow, TREE | {"target_ptr": LONG}, plan)


def glove(D, **others):
    """A step of GloVe with AdaGrad."""
    yield _step("glove", {**others, "D": D}, glove_kernels._glove, CELLS, glove_kernels.plan(D))


def _step(name, shape, kernel, signature, constants):
    return Launch(name, shape, kernel, signature, constants, pointers(signature))


def cooccurrence(V, **others):
    """Counting into a dense table, flat and harmonic, and adding the table turned over."""
    shape, warps = {**others, "V": V}, {"num_warps": 4}
    for harmonic in (False, True):
        constants = {"HARMONIC": harmonic, "BLOCK": counting.BLOCK}
        yield Launch("count", shape, counting._count, COUNT, constants, options=warps)
    whole = ["X_ptr", *(["V"] if V % 16 == 0 else [])]
    signature = {"X_ptr": TABLE, "V": "i32"}
    yield Launch("turn_over", shape, counting._turn_over, signature, {"TILE": counting.TILE}, whole, warps)


def embedding(D, dtype="float32", **others):
    """Looking rows up; adding gradients to them at random, or in order."""
    shape, number = {"D": D, "dtype": dtype}, getattr(torch, dtype)
    table, acc = KINDS[dtype], {"ACC": gather.TYPES[number]}
    copy = {"ids_ptr": LONG, "weight_ptr": table, "out_ptr": table} | COUNTS
    yield Launch("gather", shape, gather._gather, copy, gather.copy_plan(D, number.itemsize), options={"num_warps": 4})
    add = {"ids_ptr": LONG, "d_ptr": table, "sums_ptr": sums(dtype)} | COUNTS
    constants = gather.copy_plan(D, 8 if number == torch.float64 else 4) | acc
    yield Launch("add_at_random", shape, gather._add_at_random, add, constants, options={"num_warps": 4})
    constants, _ = gather.walk_plan(ROWS, D, number)
    for key in ("*i16", "*i32"):
        walk = {"key_ptr": key, "place_ptr": LONG, "d_ptr": table, "sums_ptr": table, "parts_ptr": sums(dtype)} | WALK
        yield Launch("add_in_order", shape, gather._add_in_order, walk, constants | acc, options={"num_warps": 1})
    parts = {"key_ptr": "*i16", "sums_ptr": table, "parts_ptr": sums(dtype)} | WALK
    constants = constants | {"PARTS": gather.PARTS}
    yield Launch("add_parts", shape, gather._add_parts, parts, constants, options={"num_warps": 4})
