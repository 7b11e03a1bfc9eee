"""Beam search: one step in three launches."""

from seqlab.bench.launches.model import INT, KINDS, LONG, Launch
from seqlab.decode import kernels

FLOAT = "*fp32"


def beam_step(K, V, width, dtype="float32", **others):
    """The groups of tokens, the best of every beam, the best of every sentence."""
    shape = {"K": K, "V": V, "width": width, "dtype": dtype}
    groups, candidates, merge = kernels.plan(K, V, width)
    sizes = {"V": "i32", "G": "i32"}
    signature = {"z_ptr": KINDS[dtype], "top_ptr": FLOAT, "sum_ptr": FLOAT} | sizes
    whole = [name for name, size in (("V", V), ("G", -(-V // groups["E"]))) if size % 16 == 0]
    aligned = ["z_ptr", "top_ptr", "sum_ptr", *whole]
    yield Launch("groups", shape, kernels._groups, signature, groups | {"KIND": dtype}, aligned)
    numbers = {"logp_ptr": FLOAT, "token_ptr": INT, "width": "i32"}
    yield _plain("candidates", shape, kernels._candidates, signature | numbers, candidates)
    ids = {"beams_ptr": LONG, "tokens_ptr": LONG, "K": "i32", "V": "i32"}
    yield _plain("merge", shape, kernels._merge, {"total_ptr": FLOAT, "out_ptr": FLOAT} | numbers | ids, merge)


def _plain(name, shape, kernel, signature, constants):
    given = {key: value for key, value in constants.items() if key != "num_warps"}
    return Launch(name, shape, kernel, signature, given, options={"num_warps": constants["num_warps"]})
