"""What the peers of several benchmarks share: torch.compile where there is a GPU, and ways that are not here."""

import torch

from seqlab.bench.model import AbsentError

COMPILED = "torch.compile"


def compiled(function, device):
    """{"torch.compile": the function, compiled when it is first called}; nothing on the CPU."""
    return {COMPILED: torch.compile(function)} if device == "cuda" else {}


def absent(why):
    """Make a way that no call can run, and say why: its line in the table is the reason."""

    def way(*arguments, **options):
        raise AbsentError(why)

    return way


def needing(package, make):
    """Make a way that imports a package when it is first called, and is absent where it is not installed.

    Parameters
    ----------
    package : as a user installs it.
    make : function without arguments that imports it and gives the way.
    """
    made = []

    def way():
        if not made:
            try:
                made.append(make())
            except ImportError as error:
                raise AbsentError(f"{package} cannot be imported here: {error}") from error
        return made[0]()

    return way
