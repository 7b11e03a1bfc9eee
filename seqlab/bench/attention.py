"""Attention: our kernels against torch, which has several of its own for scaled dot products."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from seqlab.attention import cost, functional
from seqlab.bench.model import AbsentError, Benchmark, Case
from seqlab.bench.peers import COMPILED, compiled
from seqlab.kernels import has_triton, interpreting

# Relative L2 error against float64, of the context and of the gradients.
TOLERANCE = {"float32": (1e-5, 1e-4), "bfloat16": (1e-2, 2e-2), "float16": (1e-2, 2e-2)}
INTERPRETED = "interpreter on the CPU: checked, not timed"
# Torch's own ways, each forced, so that no other takes its place; those that a device lacks are named as absent.
SDPA = {
    "cpu": {"SDPA math": SDPBackend.MATH, "SDPA flash": SDPBackend.FLASH_ATTENTION},
    "cuda": {
        "SDPA flash": SDPBackend.FLASH_ATTENTION,
        "SDPA cuDNN": SDPBackend.CUDNN_ATTENTION,
        "SDPA math": SDPBackend.MATH,
    },
}


def _sdpa(backend, causal):
    def attend(query, key, value):
        try:
            with sdpa_kernel(backend):
                return F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        except RuntimeError as error:
            if "No available kernel" not in str(error):
                raise
            raise AbsentError("torch has no such kernel for this size, data type and device") from error

    return attend


def _bmm(causal):
    """What one writes by hand: a product, a softmax, a product."""

    def attend(query, key, value):
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1), -torch.inf)
        return scores.softmax(-1) @ value

    return attend


def _exact(query, key, value, do, causal):
    """Context and gradients of one head in float64, with all its weights."""
    q, k, v, do = (tensor.double() for tensor in (query, key, value, do))
    scale = q.shape[-1] ** -0.5
    scores = scale * q @ k.T
    if causal:
        scores.masked_fill_(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
    w = scores.softmax(1)
    out = w @ v
    dw = do @ v.T
    ds = scale * w * (dw - (do * out).sum(1, keepdim=True))
    return out, ds @ k, ds.T @ q, w.T @ do


def flash_cases(shape, device):
    """The context alone, and with the gradients of queries, keys and values."""
    B, H, T, D = (shape[name] for name in "BHTD")
    dtype, causal = getattr(torch, shape["dtype"]), shape["pairs"] == "causal"
    generator = torch.Generator(device).manual_seed(0)
    query, key, value, do = (torch.randn(B, H, T, D, generator=generator, device=device, dtype=dtype) for _ in range(4))
    leaves = [tensor.clone().requires_grad_() for tensor in (query, key, value)]
    names = ("context", "query", "key", "value")

    def truth(names):
        heads = zip(*(tensor.flatten(0, 1) for tensor in (query, key, value, do)), strict=True)
        found = [[x.cpu().numpy() for x in _exact(*head, causal)[: len(names)]] for head in heads]
        return {n: np.stack(x).reshape(B, H, T, D) for n, x in zip(names, zip(*found, strict=True), strict=True)}

    def forward(attend):
        with torch.no_grad():
            return {"context": attend(query, key, value)}

    def backward(attend):
        context = attend(*leaves)
        return dict(zip(names, (context, *torch.autograd.grad(context, leaves, do)), strict=True))

    def ours(backend):
        return partial(functional.scaled_dot_product_attention, is_causal=causal, backend=backend)

    mine = {"eager": ours("torch")} | ({"seqlab Triton": ours("triton")} if has_triton() else {})
    peers = {name: _sdpa(backend, causal) for name, backend in SDPA[device].items()}
    peers |= {"bmm and softmax": _bmm(causal)} | compiled(_bmm(causal), device)
    context_tolerance, gradient_tolerance = TOLERANCE[shape["dtype"]]
    tolerance = {"context": context_tolerance} | dict.fromkeys(names[1:], gradient_tolerance)
    untimed = {"seqlab Triton": INTERPRETED} if has_triton() and interpreting() else {}
    count = partial(cost.flash_cost, B, H, T, T, D, dtype=shape["dtype"], causal=causal)

    def case(passes, run, names, cost):
        ways = [{name: partial(run, attend) for name, attend in group.items()} for group in (mine, peers)]
        return Case(passes, *ways, partial(truth, names), {name: tolerance[name] for name in names}, cost, untimed)

    return [
        case("forward", forward, names[:1], count()),
        case("forward and backward", backward, names, count() + count(backward=True)),
    ]


def _flash(B, H, T, D, dtype="bfloat16", pairs="causal"):
    return {"B": B, "H": H, "T": T, "D": D, "pairs": pairs, "dtype": dtype}


FLASH = Benchmark(
    "flash",
    "scaled dot-product attention in tiles, forward and backward",
    {
        "small": [_flash(1, 2, 63, 16, "float32"), _flash(2, 1, 100, 20, "float32", "all")],
        "full": [
            _flash(4, 16, 4096, 128),
            _flash(4, 32, 4096, 64),
            _flash(4, 16, 1024, 128),
            _flash(4, 32, 1024, 64),
            _flash(4, 16, 1024, 64, "float32"),
            _flash(4, 16, 500, 80),
            _flash(64, 1, 256, 128, pairs="all"),  # Luong's attention: as many queries and keys as words of a sentence
        ],
    },
    flash_cases,
    on_gpu=("SDPA cuDNN", COMPILED),
)


def additive_cases(shape, device):
    """Context and weights alone, and with all gradients; the weights are used for nothing else."""
    B, T, D = (shape[name] for name in "BTD")
    dtype = getattr(torch, shape["dtype"])
    generator = torch.Generator(device).manual_seed(0)
    sizes = ((B, T, D), (B, T, D), (B, T, D), (D,), (B, T, D))
    *given, do = (torch.randn(size, generator=generator, device=device).to(dtype) for size in sizes)
    given[3] = given[3] / D**0.5
    leaves = [tensor.clone().requires_grad_() for tensor in given]
    names = ("context", "weights", "query", "key", "value", "v")

    def eager(query, key, value, v):
        weights = (torch.tanh(query[:, :, None] + key[:, None]) @ v).softmax(-1)
        return weights @ value, weights

    def gradients(attend, arguments, do):
        context, weights = attend(*arguments)
        return context, weights, *torch.autograd.grad(context, arguments, do)

    def truth(names):
        """One sentence at a time, in float64; the gradient of v is the sum of theirs."""
        found = []
        for b in range(B):
            here = [t[b : b + 1] if t.ndim == 3 else t for t in given]
            exact = [t.detach().double().requires_grad_() for t in here]
            found.append([t.detach().cpu().numpy() for t in gradients(eager, exact, do[b : b + 1].double())])
        *rows, v = zip(*found, strict=True)
        return dict(zip(names, [*(np.concatenate(row) for row in rows), sum(v)], strict=False))

    def forward(attend):
        with torch.no_grad():
            return dict(zip(names, attend(*given), strict=False))

    def backward(attend):
        return dict(zip(names, gradients(attend, leaves, do), strict=True))

    mine = {"seqlab Triton": partial(functional.additive_attention, backend="triton")} if has_triton() else {}
    peers = {"eager": eager} | compiled(eager, device)
    first, second = TOLERANCE[shape["dtype"]]
    tolerance = dict.fromkeys(names[:2], first) | dict.fromkeys(names[2:], second)
    untimed = {"seqlab Triton": INTERPRETED} if has_triton() and interpreting() else {}
    count = partial(cost.additive_cost, B, T, T, D, dtype=shape["dtype"])

    def case(passes, run, names, cost):
        ways = [{name: partial(run, attend) for name, attend in group.items()} for group in (mine, peers)]
        return Case(passes, *ways, partial(truth, names), {name: tolerance[name] for name in names}, cost, untimed)

    return [
        case("forward", forward, names[:2], count()),
        case("forward and backward", backward, names, count() + count(backward=True)),
    ]


def _additive(B, T, D, dtype="float32"):
    return {"B": B, "T": T, "D": D, "dtype": dtype}


ADDITIVE = Benchmark(
    "additive",
    "additive attention that stores no tanh of all pairs, forward and backward",
    {
        "small": [_additive(2, 17, 24), _additive(1, 63, 15)],
        "full": [
            _additive(64, 256, 512),
            _additive(64, 256, 512, "bfloat16"),
            _additive(32, 128, 256),
            _additive(64, 63, 500),
            _additive(256, 30, 128),
            _additive(8, 1000, 512, "bfloat16"),
        ],
    },
    additive_cases,
    on_gpu=(COMPILED,),
)
