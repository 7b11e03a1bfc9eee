"""What the tests of the kernels share: arguments, and the errors of a kernel against the float64 reference."""

import numpy as np
import torch

from seqlab.kernels import interpreting
from seqlab.recurrent import gru, lstm, reference, rnn

DEVICE = "cpu" if interpreting() else "cuda"
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def numpy(tensor):
    return tensor.detach().double().cpu().numpy()


def relative(have, want):
    return np.linalg.norm(have - want) / max(np.linalg.norm(want), 1e-30)


def arguments(cell, B, T, D, H, dtype=torch.float32, seed=0):
    """Leaves by name, as `rnn`, `gru` and `lstm` take them."""
    rng = np.random.default_rng(seed)
    G, bound = GATES[cell] * H, 1 / np.sqrt(H)
    arrays = {"x": rng.normal(size=(B, T, D)), "h0": rng.normal(size=(B, H))}
    if cell == "lstm":
        arrays["c0"] = rng.normal(size=(B, H))
    sizes = {"W_ih": (G, D), "W_hh": (G, H), "b_ih": (G,), "b_hh": (G,)}
    arrays |= {name: rng.uniform(-bound, bound, size) for name, size in sizes.items()}
    return {n: torch.tensor(a, dtype=dtype, device=DEVICE, requires_grad=True) for n, a in arrays.items()}


def run(cell, given, backend="triton", **options):
    """All outputs: the states, and the cells of an LSTM."""
    outputs = {"rnn": rnn, "gru": gru, "lstm": lstm}[cell](**given, backend=backend, **options)
    return outputs if cell == "lstm" else (outputs,)


def arriving(outputs, dtype, seed=1):
    """A gradient for each output, none of them contiguous."""
    rng = np.random.default_rng(seed)
    B, T, H = outputs[0].shape
    arrays = [rng.normal(size=(H, T, B)) for _ in outputs]
    return [torch.tensor(array, dtype=dtype, device=DEVICE).permute(2, 1, 0) for array in arrays]


def reference_run(cell, given, gradients):
    """States, cells and the gradient of each argument in float64; a gradient may be None."""
    arrays = {name: numpy(tensor) for name, tensor in given.items()}
    d = [None if gradient is None else np.ascontiguousarray(numpy(gradient)) for gradient in gradients]
    if cell == "lstm":
        h, c, cache = reference.lstm_forward(**arrays)
        return (h, c), reference.lstm_backward(np.zeros_like(h) if d[0] is None else d[0], cache, dc=d[1])
    h, cache = getattr(reference, f"{cell}_forward")(**arrays)
    return (h,), getattr(reference, f"{cell}_backward")(d[0], cache)


def errors(cell, given, gradients=None):
    """Relative errors of the outputs, and of the gradient of each argument."""
    outputs = run(cell, given)
    gradients = arriving(outputs, outputs[0].dtype) if gradients is None else gradients
    used = [(o, d) for o, d in zip(outputs, gradients, strict=True) if d is not None]
    torch.autograd.backward([o for o, _ in used], [d for _, d in used])
    want, wanted = reference_run(cell, given, gradients)
    forward = {f"output {n}": relative(numpy(o), w) for n, (o, w) in enumerate(zip(outputs, want, strict=True))}
    return forward, {name: relative(numpy(tensor.grad), wanted[name]) for name, tensor in given.items()}
