"""Where and with what a report was made: the device, and the package's own source."""

import functools
import hashlib
import platform
import shutil
import subprocess
from pathlib import Path

import torch

import seqlab

PACKAGE = Path(seqlab.__file__).parent
APART = ("figures", "grading")  # rooms that no benchmark enters
ASKED = {"driver": "driver_version", "sm": "clocks.sm", "memory": "clocks.mem", "sm most": "clocks.max.sm"}


def device_here():
    """What a measurement runs on: kind, name and threads; of a GPU also memory, multiprocessors, cache and clocks."""
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    here = {"kind": kind, "name": device_name(), "threads": torch.get_num_threads()}
    if kind == "cpu":
        return here
    properties = torch.cuda.get_device_properties()
    return here | {
        "memory": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "cache": getattr(properties, "L2_cache_size", None),
        **said(_asked()),
    }


def device_name():
    """The GPU as its driver calls it, else the CPU as its system does."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def said(line):
    """Read nvidia-smi's line: the driver, and the clocks in MHz at this moment; None where it says nothing."""
    fields = dict(zip(ASKED, (field.strip() for field in line.split(",")), strict=False))
    clocks = {name: int(fields[name]) for name in ("sm", "memory", "sm most") if fields.get(name, "").isdigit()}
    return {"driver": fields.get("driver") or None, "clocks": clocks or None}


def _asked():
    """One line of nvidia-smi about the current device; empty where there is no such program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [f"--query-gpu={','.join(ASKED.values())}", "--format=csv,noheader,nounits"]
    which = f"--id=GPU-{torch.cuda.get_device_properties().uuid}"
    for asked in ([which, *query], query):  # inside a container the device may be known by no id
        try:
            done = subprocess.run([program, *asked], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        if done.returncode == 0 and done.stdout:
            return done.stdout.splitlines()[0]
    return ""


@functools.cache
def source(package=PACKAGE):
    """A hash of all Python that a benchmark can run, so that a report says which kernels it timed."""
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.parts[0] not in APART:
            found.update(f"{inside.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]
