"""One layer of the plain RNN: our kernel and our loop against torch.nn.RNN (cuDNN on a GPU, native on the CPU)."""

import numpy as np
import torch

from seqlab.bench.model import Benchmark, Case
from seqlab.kernels import has_triton, interpreting
from seqlab.recurrent import kernels, reference, rnn

NAMES = ("x", "h0", "W_ih", "W_hh", "b_ih", "b_hh")
# Relative L2 error against float64, of the states and of the gradients.
TOLERANCE = {"float32": (1e-5, 1e-4), "bfloat16": (1e-2, 2e-2), "float16": (1e-2, 2e-2)}


def _inputs(B, T, D, H, dtype, device):
    rng = np.random.default_rng(0)
    bound = 1 / np.sqrt(H)
    arrays = [rng.normal(size=(B, T, D)), rng.normal(size=(B, H))]
    arrays += [rng.uniform(-bound, bound, size) for size in ((H, D), (H, H), (H,), (H,))]
    tensors = [torch.tensor(array, dtype=dtype, device=device) for array in arrays]
    return tensors, torch.tensor(rng.normal(size=(B, T, H)), dtype=dtype, device=device)


def _torch_layer(tensors):
    W_ih, W_hh, b_ih, b_hh = tensors[2:]
    layer = torch.nn.RNN(W_ih.shape[1], W_ih.shape[0], batch_first=True, device=W_ih.device, dtype=W_ih.dtype)
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (W_ih, W_hh, b_ih, b_hh), strict=True):
            parameter.copy_(value)
    layer.flatten_parameters()
    return layer


def cases(shape, device):
    """Forward alone, and forward with the gradients of all six arguments."""
    dtype = getattr(torch, shape["dtype"])
    sizes = {name: shape[name] for name in "BTDH"}
    tensors, dh = _inputs(**sizes, dtype=dtype, device=device)
    layer = _torch_layer(tensors)
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    x, h0 = (tensor.clone().requires_grad_() for tensor in tensors[:2])
    forward_tolerance, gradient_tolerance = TOLERANCE[shape["dtype"]]

    def forward(backend):
        with torch.no_grad():
            return {"h": rnn(*tensors, backend=backend)}

    def backward(backend):
        h = rnn(*leaves, backend=backend)
        return {"h": h} | dict(zip(NAMES, torch.autograd.grad(h, leaves, dh), strict=True))

    # In float32 cuDNN would use tf32, which keeps 10 bits: another computation than the one we time.
    def layer_forward():
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            return {"h": layer(tensors[0], tensors[1][None])[0]}

    def layer_backward():
        with torch.backends.cudnn.flags(allow_tf32=False):
            h, _ = layer(x, h0[None])
            gradients = torch.autograd.grad(h, [x, h0, *layer.parameters()], dh)
        return {"h": h} | dict(zip(NAMES, gradients, strict=True))

    def truth():
        h, cache = reference.rnn_forward(*(tensor.double().cpu().numpy() for tensor in tensors))
        return {"h": h} | reference.rnn_backward(dh.double().cpu().numpy(), cache)

    def forward_truth():
        return {"h": truth()["h"]}

    backends = {"seqlab Triton": "triton"} if has_triton() else {}
    interpreted = {"seqlab Triton": "interpreter on the CPU: checked, not timed"} if interpreting() else {}
    forward_cost = kernels.cost(**sizes, itemsize=dtype.itemsize)
    backward_cost = kernels.cost(**sizes, itemsize=dtype.itemsize, backward=True)
    return [
        Case(
            "forward",
            {name: lambda backend=backend: forward(backend) for name, backend in backends.items()},
            {"torch.nn.RNN": layer_forward, "loop in torch": lambda: forward("torch")},
            forward_truth,
            {"h": forward_tolerance},
            forward_cost,
            interpreted,
        ),
        Case(
            "forward and backward",
            {name: lambda backend=backend: backward(backend) for name, backend in backends.items()},
            {"torch.nn.RNN": layer_backward, "loop in torch": lambda: backward("torch")},
            truth,
            {"h": forward_tolerance} | dict.fromkeys(NAMES, gradient_tolerance),
            forward_cost + backward_cost,
            interpreted,
        ),
    ]


def _shape(B, T, D, H, dtype="float32"):
    return {"B": B, "T": T, "D": D, "H": H, "dtype": dtype}


RNN = Benchmark(
    name="rnn",
    about="plain RNN, one layer over whole sequences",
    shapes={
        "small": [_shape(8, 32, 16, 32), _shape(17, 20, 8, 63), _shape(16, 64, 64, 128)],
        "full": [
            _shape(64, 512, 128, 128),
            _shape(64, 512, 63, 63),
            _shape(64, 512, 128, 128, "bfloat16"),
            _shape(64, 512, 256, 256, "bfloat16"),
            _shape(64, 512, 512, 512, "bfloat16"),
            _shape(16, 1024, 768, 768, "float16"),
            _shape(64, 512, 500, 500),
        ],
    },
    cases=cases,
)
