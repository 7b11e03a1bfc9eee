"""What all kernels share: the interpreter switch, tuning, the cost model, compiling without a GPU."""

from seqlab.kernels.compile import Compiled, compile_for
from seqlab.kernels.cost import H200, Cost, Device, device_named
from seqlab.kernels.switch import has_triton, interpreting, pick_backend, require_triton, tuned
from seqlab.kernels.traffic import Traffic, count

__all__ = [
    "H200",
    "Compiled",
    "Cost",
    "Device",
    "Traffic",
    "compile_for",
    "count",
    "device_named",
    "has_triton",
    "interpreting",
    "pick_backend",
    "require_triton",
    "tuned",
]
