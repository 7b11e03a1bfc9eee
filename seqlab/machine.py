"""What a result was made on, as data to write beside it."""

import importlib.metadata
import platform

import torch

PACKAGES = ("seqlab", "torch", "triton", "numpy")


def versions():
    """The versions of what computes: Python, the packages that are installed, and CUDA where there is a device."""
    installed = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
    found = {name: importlib.metadata.version(name) for name in PACKAGES if name in installed}
    cuda = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()} if torch.cuda.is_available() else {}
    return {"python": platform.python_version(), **found, **cuda}


def described(device):
    """{"device": its name, "versions": of what computed}."""
    on_gpu = torch.device(device).type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else f"CPU, {platform.machine()}"
    return {"device": name, "versions": versions()}
