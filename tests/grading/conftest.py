"""The tiny assignment as a fixture, and the mark of tests that need the sandbox."""

import pytest

from seqlab.grading.sandbox import why_not
from tests.grading.tiny import make_assignment


@pytest.fixture
def assignment():
    """Three answers, public and hidden checks, one answer with closed modules."""
    return make_assignment()


def pytest_collection_modifyitems(items):
    """Skip what needs the sandbox, and say why, where there is none."""
    for item in items:
        if item.get_closest_marker("sandbox") and "grading" in item.path.parts and why_not():
            item.add_marker(pytest.mark.skip(reason=why_not()))
