"""Softmax of rows of scores in the ways of `seqlab.lm.kernels`, against torch's own."""

import numpy as np
import torch

from seqlab.bench.model import Benchmark, Case
from seqlab.bench.peers import COMPILED, compiled
from seqlab.kernels import has_triton, interpreting
from seqlab.lm import cost, reference, softmax

# Relative L2 error against float64, of the probabilities and of the gradient.
TOLERANCE = {"float32": (1e-5, 1e-4), "bfloat16": (1e-2, 2e-2), "float16": (1e-2, 2e-2)}
ROWS = 1024  # in float64 at a time
INTERPRETED = "interpreter on the CPU: checked, not timed"


def cases(shape, device):
    """The probabilities alone, and with the gradient of the scores for one that comes from upstream."""
    B, V, dtype = shape["B"], shape["V"], getattr(torch, shape["dtype"])
    generator = torch.Generator(device).manual_seed(0)
    z, dp = (torch.randn(B, V, generator=generator, device=device, dtype=dtype) for _ in range(2))
    leaf = z.clone().requires_grad_()

    def forward(way):
        with torch.no_grad():
            return {"p": way(z)}

    def backward(way):
        p = way(leaf)
        return {"p": p, "z": torch.autograd.grad(p, leaf, dp)[0]}

    def truth():
        p, dz = np.empty((B, V)), np.empty((B, V))
        for start in range(0, B, ROWS):
            rows = slice(start, start + ROWS)
            p[rows] = reference.softmax(z[rows].double().cpu().numpy())
            dz[rows] = reference.softmax_backward(dp[rows].double().cpu().numpy(), p[rows])
        return {"p": p, "z": dz}

    def forward_truth():
        return {"p": truth()["p"]}

    mine, alone = {}, {}
    if has_triton():
        mine["seqlab Triton"] = lambda z: softmax(z, backend="triton")
        alone = _kernels(V, dtype)
    peers = {"torch.softmax": _eager} | compiled(_eager, device)
    costs = [cost.softmax_cost(B, V, dtype.itemsize, backward=back) for back in (False, True)]
    tolerance = dict(zip(("p", "z"), TOLERANCE[shape["dtype"]], strict=True))
    untimed = dict.fromkeys((*mine, *alone), INTERPRETED) if interpreting() else {}

    def case(passes, run, ours, truth, cost):
        ways = [{name: lambda way=way: run(way) for name, way in group.items()} for group in (ours, peers)]
        return Case(passes, *ways, truth, tolerance, cost, untimed)

    return [
        case("forward", forward, mine | alone, forward_truth, costs[0]),
        case("forward and backward", backward, mine, truth, costs[0] + costs[1]),
    ]


def _eager(z):
    return torch.softmax(z, -1)


def _kernels(V, dtype):
    """Each way by itself, forward, so that the table shows what a pass over memory costs."""
    from seqlab.lm.kernels import softmax as kernels

    ways = {
        "seqlab Triton, a row": kernels.softmax_row,
        "seqlab Triton, online": kernels.softmax_online,
        "seqlab Triton, a kernel for each step": kernels.softmax_passes,
    }
    if kernels.longest_row(dtype) < V:
        del ways["seqlab Triton, a row"]
    return ways


def _scores(B, V, dtype="float32"):
    return {"B": B, "V": V, "dtype": dtype}


SOFTMAX = Benchmark(
    name="softmax",
    about="softmax of rows of scores, with its gradient",
    shapes={
        "small": [_scores(4, 63), _scores(3, 1000), _scores(2, 5000)],
        "full": [
            _scores(16384, 32768, "bfloat16"),
            _scores(16384, 32768),
            _scores(4096, 131072, "bfloat16"),
            _scores(65536, 1024, "bfloat16"),
        ],
    },
    cases=cases,
    on_gpu=(COMPILED,),
)
