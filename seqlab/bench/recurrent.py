"""One layer of each cell: our kernels and our loop against torch's own layer (cuDNN on a GPU, native on the CPU)."""

from functools import partial

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlab.bench.model import Benchmark, Case
from seqlab.kernels import has_triton, interpreting
from seqlab.recurrent import gru, lstm, reference, rnn
from seqlab.recurrent.cost import cost

LAYERS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
LOOP = "loop in torch"
WEIGHTS = ("W_ih", "W_hh", "b_ih", "b_hh")
# Relative L2 error against float64, of the states and of the gradients.
TOLERANCE = {"float32": (1e-5, 1e-4), "bfloat16": (1e-2, 2e-2), "float16": (1e-2, 2e-2)}


def _inputs(cell, B, T, D, H, dtype, device):
    """Arguments by name, and the gradient that arrives at the states."""
    rng = np.random.default_rng(0)
    G, bound = GATES[cell] * H, 1 / np.sqrt(H)
    arrays = {"x": rng.normal(size=(B, T, D)), "h0": rng.normal(size=(B, H))}
    if cell == "lstm":
        arrays["c0"] = rng.normal(size=(B, H))
    sizes = ((G, D), (G, H), (G,), (G,))
    arrays |= {name: rng.uniform(-bound, bound, size) for name, size in zip(WEIGHTS, sizes, strict=True)}
    arrays["dh"] = rng.normal(size=(B, T, H))
    tensors = {name: torch.tensor(array, dtype=dtype, device=device) for name, array in arrays.items()}
    return tensors, tensors.pop("dh")


def _torch_layer(cell, tensors):
    W_ih = tensors["W_ih"]
    layer = LAYERS[cell](W_ih.shape[1], tensors["h0"].shape[1], batch_first=True, device=W_ih.device, dtype=W_ih.dtype)
    with torch.no_grad():
        for parameter, name in zip(layer.parameters(), WEIGHTS, strict=True):
            parameter.copy_(tensors[name])
    layer.flatten_parameters()
    return layer


def _ours(cell, tensors, backend):
    """The states of all steps; the LSTM's cells are computed as well."""
    if cell == "lstm":
        return lstm(**tensors, backend=backend)[0]
    return {"rnn": rnn, "gru": gru}[cell](**tensors, backend=backend)


def _truth(cell, tensors, dh, names):
    arrays = {name: tensor.double().cpu().numpy() for name, tensor in tensors.items()}
    if cell == "lstm":
        h, _, cache = reference.lstm_forward(**arrays)
        backward = reference.lstm_backward
    else:
        h, cache = getattr(reference, f"{cell}_forward")(**arrays)
        backward = getattr(reference, f"{cell}_backward")
    if not names:
        return {"h": h}
    gradients = backward(dh.double().cpu().numpy(), cache)
    return {"h": h} | {name: gradients[name] for name in names}


def cases(cell, shape, device):
    """Forward alone, and forward with the gradients of all arguments."""
    dtype = getattr(torch, shape["dtype"])
    sizes = {name: shape[name] for name in "BTDH"}
    tensors, dh = _inputs(cell, **sizes, dtype=dtype, device=device)
    names = tuple(tensors)
    layer = _torch_layer(cell, tensors)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
    forward_tolerance, gradient_tolerance = TOLERANCE[shape["dtype"]]

    def forward(backend):
        with torch.no_grad():
            return {"h": _ours(cell, tensors, backend)}

    def backward(backend):
        h = _ours(cell, leaves, backend)
        return {"h": h} | dict(zip(names, torch.autograd.grad(h, list(leaves.values()), dh), strict=True))

    def torch_layer(given):
        states = [given[name][None] for name in ("h0", "c0") if name in given]
        return layer(given["x"], tuple(states) if cell == "lstm" else states[0])[0]

    def packed(given):
        """The way of sequences of different lengths, for which cuDNN has other kernels; here all are of full length."""
        states = [given[name][None] for name in ("h0", "c0") if name in given]
        whole = pack_padded_sequence(given["x"], lengths, batch_first=True)
        found, _ = layer(whole, tuple(states) if cell == "lstm" else states[0])
        return pad_packed_sequence(found, batch_first=True)[0]

    # In float32 cuDNN would use tf32, which keeps 10 bits: another computation than the one we time.
    def layer_forward(run):
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            return {"h": run(tensors)}

    def layer_backward(run):
        inputs = [leaves[name] for name in names if name not in WEIGHTS]
        with torch.backends.cudnn.flags(allow_tf32=False):
            h = run(leaves)
            gradients = torch.autograd.grad(h, [*inputs, *layer.parameters()], dh)
        return {"h": h} | dict(zip(names, gradients, strict=True))

    backends = {"seqlab Triton": "triton"} if has_triton() else {}
    interpreted = {"seqlab Triton": "interpreter on the CPU: checked, not timed"} if interpreting() else {}
    twin = f"torch.nn.{LAYERS[cell].__name__}"
    lengths = torch.full((shape["B"],), shape["T"])
    layers = {twin: torch_layer, f"{twin}, packed": packed}
    forward_cost = cost(**sizes, itemsize=dtype.itemsize, cell=cell)
    backward_cost = cost(**sizes, itemsize=dtype.itemsize, backward=True, cell=cell)
    return [
        Case(
            "forward",
            {name: partial(forward, backend) for name, backend in backends.items()},
            {name: partial(layer_forward, run) for name, run in layers.items()} | {LOOP: partial(forward, "torch")},
            partial(_truth, cell, tensors, dh, ()),
            {"h": forward_tolerance},
            forward_cost,
            interpreted,
        ),
        Case(
            "forward and backward",
            {name: partial(backward, backend) for name, backend in backends.items()},
            {name: partial(layer_backward, run) for name, run in layers.items()} | {LOOP: partial(backward, "torch")},
            partial(_truth, cell, tensors, dh, names),
            {"h": forward_tolerance} | dict.fromkeys(names, gradient_tolerance),
            forward_cost + backward_cost,
            interpreted,
        ),
    ]


def _shape(B, T, D, H, dtype="float32"):
    return {"B": B, "T": T, "D": D, "H": H, "dtype": dtype}


SMALL = {
    "rnn": [_shape(8, 32, 16, 32), _shape(17, 20, 8, 63), _shape(16, 64, 64, 128)],
    "gru": [_shape(8, 16, 16, 32), _shape(17, 5, 8, 63)],
    "lstm": [_shape(8, 16, 16, 32), _shape(17, 5, 8, 63)],
}
FULL = [
    _shape(64, 512, 128, 128),
    _shape(64, 512, 63, 63),
    _shape(64, 512, 128, 128, "bfloat16"),
    _shape(64, 512, 256, 256, "bfloat16"),
    _shape(64, 512, 512, 512, "bfloat16"),
    _shape(63, 500, 33, 500, "bfloat16"),
    _shape(16, 1024, 768, 768, "float16"),
    _shape(64, 512, 500, 500),
]


def _benchmark(cell, words):
    about = f"{words}, one layer over whole sequences"
    return Benchmark(cell, about, {"small": SMALL[cell], "full": FULL}, partial(cases, cell))


RNN = _benchmark("rnn", "plain RNN")
GRU = _benchmark("gru", "GRU, reset after the product")
LSTM = _benchmark("lstm", "LSTM")
