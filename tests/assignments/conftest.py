"""The built bundles, made once, and the mark of tests that need the sandbox."""

import shutil
from pathlib import Path

import pytest

from seqlab.grading.build import build, is_current
from seqlab.grading.commands import BUNDLES
from seqlab.grading.sandbox import why_not
from seqlab.notebooks import ROOT

FOLDER = ROOT / "assignments"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/assignment.ipynb"))


def pytest_collection_modifyitems(items):
    """Skip what needs the sandbox, and say why, where there is none."""
    for item in items:
        if item.get_closest_marker("sandbox") and "assignments" in item.path.parts and why_not():
            item.add_marker(pytest.mark.skip(reason=why_not()))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """A function from an assignment's name to its bundle; every gate has been passed, the real engine's too.

    A bundle that `seqlab build` has made of the same source with the same grader has passed them already.
    """
    out, made = tmp_path_factory.mktemp("bundles"), {}

    def bundle(name):
        if name not in made and is_current(FOLDER / name, ROOT / BUNDLES / name):
            made[name] = Path(shutil.copytree(ROOT / BUNDLES / name, out / name))
        elif name not in made:
            made[name] = build(FOLDER / name, out)
        return made[name]

    return bundle
