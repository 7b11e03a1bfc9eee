"""What check cells import: `inputs` draws the numbers, `emit` hands in the values.

    from seqlab.grading.emit import emit, inputs
    rng = inputs("rnn-step-values")
    emit(rnn_step(rng.normal(size=(2, 3)), ...))

In a student's own notebook `emit` compares at once with `expected.json` beside the notebook and says so; under the
grader that file is not there and the value is compared outside the process that ran the student's code.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import numpy as np

from .values import compare, decode, encode, show

MIME = "application/vnd.seqlab.value+json"
EXPECTED, RELEASE = "expected.json", "release.json"

_now = {"cell": None, "check": None, "count": 0}  # which check cell is running in a student's notebook


def inputs(name):
    """Return the random numbers of one check.

    Parameters
    ----------
    name : the check's id. The same name and seed give the same numbers; the seed is SEQLAB_SEED, 0 in a notebook.

    Returns
    -------
    rng : numpy.random.Generator.
    """
    _begin_cell()
    _now["check"], _now["count"] = name, 0
    seed = os.environ.get("SEQLAB_SEED", "0")
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def emit(value):
    """Hand in one value of a check: an array, number, string, boolean, None, or a list, tuple or dict of them."""
    typed = encode(value)
    from IPython.display import display

    display({MIME: typed, "text/plain": _verdict(typed)}, raw=True)


def _begin_cell():
    """Forget the last cell's check when another cell (or the same one again) is running."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    try:
        parent = shell.get_parent()
        cell, source = parent["header"]["msg_id"], parent["content"]["code"]
    except (AttributeError, KeyError, TypeError):  # not in a notebook
        cell, source = None, ""
    if cell is None or cell != _now["cell"]:
        marker = re.search(r"^# check: *(\S+)", source, re.MULTILINE)
        _now.update(cell=cell, check=marker and marker[1], count=0)


def _verdict(typed):
    """Say whether this value is the expected one, where `expected.json` can tell."""
    if _now["cell"] is not None or _now["check"] is None:
        _begin_cell()
    number = _now["count"]
    _now["count"] += 1
    try:
        values = json.loads(Path(EXPECTED).read_text(encoding="utf-8"))[_now["check"]]
        expected = values[number]
        decode(expected)
    except OSError:
        return f"emitted {show(typed)}"
    except (ValueError, KeyError, IndexError, TypeError):
        return f"emitted {show(typed)}; {EXPECTED} holds nothing to compare it with"
    check = _about(_now["check"])
    ok, message = compare(expected, typed, check.get("rtol", 1e-6), check.get("atol", 1e-8))
    which = f"{check.get('title') or _now['check']}" + (f", value {number + 1} of {len(values)}" * (len(values) > 1))
    if ok:
        return f"\N{CHECK MARK} {which}: as expected"
    hint = f"\n  Hint: {check['hint']}" if check.get("hint") else ""
    return f"\N{BALLOT X} {which}: {message}{hint}"


def _about(name):
    """The check's title, tolerance and hint, as the release tells them."""
    try:
        checks = json.loads(Path(RELEASE).read_text(encoding="utf-8"))["checks"]
        return next(check for check in checks if check["id"] == name)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return {}
