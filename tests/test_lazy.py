"""Rooms whose names are imported when they are first used."""

import importlib
import subprocess
import sys

import pytest

ROOMS = [
    "seqlab.attention",
    "seqlab.audio",
    "seqlab.ctc",
    "seqlab.decode",
    "seqlab.embeddings",
    "seqlab.lm",
    "seqlab.recurrent",
    "seqlab.seq2seq",
    "seqlab.tsne",
]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_there_and_listed(room):
    module = importlib.import_module(room)
    assert dir(module) == module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__name__ == name


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_is_an_attribute_error(room):
    with pytest.raises(AttributeError, match=f"module '{room}' has no attribute 'nothing'"):
        importlib.import_module(room).nothing  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_the_reference_needs_no_torch(room):
    program = f"import sys, {room}.reference; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
