"""Tests look at what a benchmark says, not at how steady its times are: a sample may be short."""

import importlib

import pytest


@pytest.fixture(autouse=True, scope="session")
def short_samples():
    """Let one sample take a tenth of a millisecond."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("seqlab.bench.measure"), "SAMPLE", 1e-4)
        yield


@pytest.fixture
def long_samples(monkeypatch):
    """Let one sample take as long as for a reader."""
    monkeypatch.setattr(importlib.import_module("seqlab.bench.measure"), "SAMPLE", 0.01)
