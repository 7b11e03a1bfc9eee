"""The tiny assignment as a fixture, and the mark of tests that need the sandbox."""

import tempfile
from pathlib import Path

import pytest

from seqlab.grading.sandbox import why_not
from tests.grading.tiny import make_assignment


@pytest.fixture
def assignment():
    """Three answers, public and hidden checks, one answer with closed modules."""
    return make_assignment()


@pytest.fixture
def near():
    """An empty folder for temporary files whose name leaves room for that of a socket, as `tmp_path`'s may not."""
    with tempfile.TemporaryDirectory(prefix="sq") as folder:
        yield Path(folder)


def pytest_collection_modifyitems(items):
    """Skip what needs the sandbox, and say why, where there is none."""
    for item in items:
        if item.get_closest_marker("sandbox") and "grading" in item.path.parts and why_not():
            item.add_marker(pytest.mark.skip(reason=why_not()))
