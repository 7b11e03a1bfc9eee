"""Tests run kernels in Triton's interpreter. On a GPU machine, TRITON_INTERPRET=0 runs them on the device instead."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TRITON_INTERPRET", "1")

# A busy machine is slow; that is no defect of the code under test.
settings.register_profile("seqlab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seqlab")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where tests run in several processes, a file's stay together, and all of what is built once for an assignment."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            assignment = re.search(r"^tests/assignments/.*\[(\d\d_\w+)", nodeid)
            return assignment[1] if assignment else nodeid.split("::")[0]

    return Together(config, log)


@pytest.fixture
def real(monkeypatch):
    """The folder with the real corpora, where this machine has one."""
    place = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not (place / "wnut17_ner/wnut17train.conll").is_file():
        pytest.skip("no real corpora here: set SEQLAB_DATA to a folder that holds wnut17_ner/")
    monkeypatch.setenv("SEQLAB_DATA", str(place))


@pytest.fixture
def poison(monkeypatch):
    """Let every tensor that is made without a value start as NaN or a wrong id, so that what is not written is seen."""
    import torch

    for home, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        make = getattr(home, name)

        def poisoned(*a, make=make, **k):
            made = make(*a, **k)
            return made.fill_(float("nan") if made.is_floating_point() else -7)

        monkeypatch.setattr(home, name, poisoned)
