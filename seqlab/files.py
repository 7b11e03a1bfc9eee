"""Writing a file so that a stop at any moment leaves the old one or the new one, whole."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def written_aside(path):
    """A file to write bytes to, moved to `path` once it is on the disk; gone again where writing fails."""
    path = Path(path)
    aside = path.with_name(path.name + ".new")
    try:
        with open(aside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def checkpoint_beside(out):
    """Where the checkpoint of a run stands that writes `out`."""
    return Path(out).with_name(Path(out).name + ".checkpoint")
