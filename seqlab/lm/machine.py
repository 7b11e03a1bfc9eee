"""What a result was made on, as data to write beside it."""

import importlib.metadata
import platform

import numpy as np
import torch


def described(device):
    """{"device": its name, "versions": of what computed}."""
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    for package in ("seqlab", "triton"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    on_gpu = torch.device(device).type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else f"CPU, {platform.machine()}"
    return {"device": name, "versions": versions}
