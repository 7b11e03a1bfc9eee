"""Cross-entropy over given scores, and over the scores of a linear layer, against torch's own."""

import functools

import numpy as np
import torch
import torch.nn.functional as F

from seqlab.bench.model import Benchmark, Case
from seqlab.bench.peers import COMPILED, absent, compiled
from seqlab.kernels import has_triton, interpreting
from seqlab.lm import cost, cross_entropy, linear_cross_entropy, reference

# Relative L2 error against float64, of the loss and of the gradients.
TOLERANCE = {"float32": (1e-5, 1e-4), "bfloat16": (1e-2, 2e-2), "float16": (1e-2, 2e-2)}
ROWS = 1024  # of scores in float64 at a time
INTERPRETED = "interpreter on the CPU: checked, not timed"


def cases(shape, device):
    """The mean loss alone, and with the gradient of the scores."""
    dtype = getattr(torch, shape["dtype"])
    B, V = shape["B"], shape["V"]
    generator = torch.Generator(device).manual_seed(0)
    z = torch.randn(B, V, generator=generator, device=device, dtype=dtype)
    y = torch.randint(V, (B,), generator=generator, device=device)
    leaf = z.clone().requires_grad_()

    def ours(z, y):
        return cross_entropy(z, y, backend="triton")

    def forward(loss):
        with torch.no_grad():
            return {"loss": loss(z, y)}

    def backward(loss):
        value = loss(leaf, y)
        return {"loss": value, "z": torch.autograd.grad(value, leaf)[0]}

    @functools.cache
    def truth():
        losses, dz = np.empty(B), np.empty((B, V))
        for start in range(0, B, ROWS):
            rows = slice(start, start + ROWS)
            losses[rows], dz[rows] = reference.cross_entropy(z[rows].double().cpu().numpy(), y[rows].cpu().numpy())
        dz /= B
        return {"loss": losses.mean(), "z": dz}

    def forward_truth():
        return {"loss": truth()["loss"]}

    mine = {"seqlab Triton": ours} if has_triton() else {}
    peers = {"F.cross_entropy": F.cross_entropy} | compiled(F.cross_entropy, device)
    costs = [cost.cost(B, V, dtype.itemsize, backward=back) for back in (False, True)]
    return _cases(shape["dtype"], mine, peers, forward, backward, forward_truth, truth, costs)


def linear_cases(shape, device):
    """The mean loss alone, and with the gradients of rows and weights."""
    dtype = getattr(torch, shape["dtype"])
    M, D, V = shape["M"], shape["D"], shape["V"]
    generator = torch.Generator(device).manual_seed(0)
    h = torch.randn(M, D, generator=generator, device=device, dtype=dtype)
    W = torch.randn(V, D, generator=generator, device=device, dtype=dtype) / D**0.5
    y = torch.randint(V, (M,), generator=generator, device=device)
    leaves = [t.clone().requires_grad_() for t in (h, W)]

    def ours(backend, chunk=None):
        return lambda h, W: linear_cross_entropy(h, W, y, chunk=chunk, backend=backend)

    def eager(h, W):
        return F.cross_entropy(F.linear(h, W), y)

    def chunked(h, W):
        return F.linear_cross_entropy(h, W, y, options=torch.nn.LinearCrossEntropyOptions())

    def forward(loss):
        with torch.no_grad():
            return {"loss": loss(h, W)}

    def backward(loss):
        value = loss(*leaves)
        return {"loss": value} | dict(zip(("h", "W"), torch.autograd.grad(value, leaves), strict=True))

    @functools.cache
    def truth():
        weights, ids = W.double().cpu().numpy(), y.cpu().numpy()
        losses, dh, dW = np.empty(M), np.empty((M, D)), np.zeros((V, D))
        for start in range(0, M, ROWS):
            rows = slice(start, start + ROWS)
            here = h[rows].double().cpu().numpy()
            losses[rows], dz = reference.cross_entropy(here @ weights.T, ids[rows])
            dh[rows] = dz @ weights / M
            dW += dz.T @ here / M
        return {"loss": losses.mean(), "h": dh, "W": dW}

    def forward_truth():
        return {"loss": truth()["loss"]}

    mine = {"seqlab torch": ours("torch")}
    if has_triton():
        mine["seqlab Triton"] = ours("triton")
        mine |= {f"seqlab Triton, chunk {c}": ours("triton", c) for c in (1024, 2048) if c < M}
    peers = {"F.cross_entropy of F.linear": eager} | compiled(eager, device)
    peers["F.linear_cross_entropy"] = chunked if hasattr(F, "linear_cross_entropy") else absent("not in this torch")
    costs = [cost.linear_cost(M, D, V, dtype.itemsize, backward=back) for back in (False, True)]
    return _cases(shape["dtype"], mine, peers, forward, backward, forward_truth, truth, costs)


def _cases(dtype, ours, peers, forward, backward, forward_truth, truth, costs):
    loss_tolerance, gradient_tolerance = TOLERANCE[dtype]
    tolerance = {"loss": loss_tolerance} | dict.fromkeys(("z", "h", "W"), gradient_tolerance)
    untimed = dict.fromkeys((name for name in ours if "Triton" in name), INTERPRETED) if interpreting() else {}

    def case(passes, run, truth, cost):
        ways = [{name: lambda loss=loss: run(loss) for name, loss in group.items()} for group in (ours, peers)]
        return Case(passes, *ways, truth, tolerance, cost, untimed)

    return [
        case("forward", forward, forward_truth, costs[0]),
        case("forward and backward", backward, truth, costs[0] + costs[1]),
    ]


def _scores(B, V, dtype="float32"):
    return {"B": B, "V": V, "dtype": dtype}


def _layer(M, D, V, dtype="float32"):
    return {"M": M, "D": D, "V": V, "dtype": dtype}


CROSS_ENTROPY = Benchmark(
    name="cross_entropy",
    about="softmax and cross-entropy with the gradient of the scores",
    shapes={
        "small": [_scores(64, 63), _scores(16, 1000), _scores(4, 5000)],
        "full": [
            _scores(16384, 32768, "bfloat16"),
            _scores(16384, 32768),
            _scores(4096, 131072, "bfloat16"),
            _scores(8192, 50257, "bfloat16"),
            _scores(700, 10000),
        ],
    },
    cases=cases,
    on_gpu=(COMPILED,),
)
LINEAR_CROSS_ENTROPY = Benchmark(
    name="linear_cross_entropy",
    about="linear layer and cross-entropy, scores never stored whole",
    shapes={
        "small": [_layer(64, 32, 500), _layer(100, 63, 1000)],
        "full": [_layer(8192, 2048, 32768, "bfloat16"), _layer(700, 650, 10000), _layer(4096, 512, 50257, "bfloat16")],
    },
    cases=linear_cases,
    on_gpu=(COMPILED,),
)
