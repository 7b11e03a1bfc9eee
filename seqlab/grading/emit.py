"""What check cells import: `inputs` draws the numbers, `emit` hands in the values.

    from seqlab.grading.emit import emit, inputs
    rng = inputs("rnn-step-values")
    emit(rnn_step(rng.normal(size=(2, 3)), ...))

In a student's own notebook `emit` compares at once with `expected.json` beside the notebook and says so, with the name
of the mistake where `mistakes.json` knows it; under the grader these files are not there and the value is compared
outside the process that ran the student's code.

With each value goes how the answer was called: the types and shapes of its arguments, for the student to read.
"""

import hashlib
import inspect
import json
import linecache
import os
import re
import sys
from pathlib import Path

import numpy as np

from .values import compare, decode, encode, show

MIME = "application/vnd.seqlab.value+json"
CALL = "application/vnd.seqlab.call+json"
CALL_CHARACTERS = 400
GOOD = "\N{CHECK MARK}"
EXPECTED, RELEASE, MISTAKES = "expected.json", "release.json", "mistakes.json"
ANSWER = re.compile(r"^[ \t]*#+[ \t]*answer[ \t]*:", re.MULTILINE | re.IGNORECASE)

_now = {"cell": None, "check": None, "count": 0, "values": []}  # which check cell runs in a student's notebook
_call = {"text": "", "answers": {}, "hooked": None}  # the call since the last value; code's file -> is it an answer


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
    _now.update(check=name, count=0, values=[])
    seed = os.environ.get("SEQLAB_SEED", "0")
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    _listen()
    return rng


def emit(value):
    """Hand in one value of a check: an array, number, string, boolean, None, or a list, tuple or dict of them."""
    call = _stop_listening()
    typed = encode(value)
    from IPython.display import display

    verdict = _verdict(typed, call)
    display({MIME: typed, "text/plain": verdict} | ({CALL: call} if call else {}), raw=True)
    if os.environ.get("NBGRADER_EXECUTION") and not verdict.startswith(GOOD):
        raise AssertionError(verdict)  # nbgrader compares nothing: to it a check that does not raise is passed
    _listen()


# ------------------------------------------------------------------------------ how the answer is called


def _listen():
    """Note the next call of a function that an answer cell defines. Nothing is slowed down once it has begun."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    _call["text"] = ""
    if shell is None or sys.getprofile() is not None:
        return
    if _call["hooked"] is not shell:
        shell.events.register("post_run_cell", _cell_ended)
        _call["hooked"] = shell
    sys.setprofile(_heard)


def _stop_listening():
    if sys.getprofile() is _heard:
        sys.setprofile(None)
    text, _call["text"] = _call["text"], ""
    return text


def _cell_ended(result=None):
    """Say how the answer was called that raised before its check could emit anything."""
    call = _stop_listening()
    if call and getattr(result, "success", True) is False:
        from IPython.display import display

        display({CALL: call, "text/plain": f"  The check called {call}."}, raw=True)


def _heard(frame, event, argument):
    """What Python calls at each call until an answer's function is called."""
    try:
        if event == "call" and _is_answer(frame.f_code):
            sys.setprofile(None)
            _call["text"] = _describe(frame)
    except BaseException:  # what is only told must not disturb what is told about
        sys.setprofile(None)


def _is_answer(code):
    if code.co_name.startswith("<"):  # a cell's own code, a comprehension, a lambda
        return False
    known = _call["answers"]
    if code.co_filename not in known:
        known[code.co_filename] = bool(ANSWER.search("".join(linecache.getlines(code.co_filename))))
    return known[code.co_filename]


def _describe(frame):
    """A call in words: `rnn_step(x: float64 (2, 3), h: float64 (2, 4))`."""
    code, values = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names = [name for name in code.co_varnames[:count] if name != "self" and name in values]
    extra = code.co_varnames[code.co_argcount + code.co_kwonlyargcount : count]  # *args, **kwargs
    names = [name for name in names if name not in extra or values[name]]
    told = ", ".join(f"{name}: {_form(values[name])}" for name in names)
    text = f"{code.co_qualname.removesuffix('.__init__')}({told})" if hasattr(code, "co_qualname") else told
    return text if len(text) <= CALL_CHARACTERS else text[: CALL_CHARACTERS - 4] + " ...)"


def _form(value, inside=False):
    """A value's type, and its shape where it has one; what it holds only where that is a single number or word."""
    kind = type(value)
    if kind is np.ndarray or (kind.__module__.split(".")[0] == "torch" and hasattr(value, "dtype")):
        shape = ", ".join(map(str, value.shape)) + ("," if len(value.shape) == 1 else "")
        return f"{str(value.dtype).removeprefix('torch.')} ({shape})"
    if kind.__module__ == "triton.language.core" and hasattr(value, "handle"):  # in a kernel, as it is interpreted
        data = value.handle.data
        return str(value.dtype) if data.size > 1 or "pointer" in str(value.dtype) else _form(data.item())
    if value is None or kind is bool or (kind is int and abs(value) < 10**6):
        return repr(value)
    if kind is float or (kind is str and len(value) <= 20):
        return f"{value:.6g}" if kind is float else repr(value)
    if kind is dict and not inside and len(value) <= 8 and all(type(key) is str for key in value):
        return "{" + ", ".join(f"{key[:20]}: {_form(one, True)}" for key, one in value.items()) + "}"
    if kind in (list, tuple) and not inside and value:
        first = type(value[0]).__name__ if type(value[0]) in (bool, int, float, str) else _form(value[0], True)
        return f"{kind.__name__} of {len(value)} ({first}{', ...' if len(value) > 1 else ''})"
    if kind in (list, tuple, dict, set, str):
        return f"{kind.__name__} of {len(value)}"
    return kind.__name__


# ------------------------------------------------------------------------------------- the verdict in place


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
        _now.update(cell=cell, check=marker and marker[1], count=0, values=[])


def _verdict(typed, call=""):
    """Say whether this value is the expected one, where `expected.json` can tell."""
    if _now["cell"] is not None or _now["check"] is None:
        _begin_cell()
    number = _now["count"]
    _now["count"] += 1
    _now["values"].append(typed)
    try:
        values = json.loads(Path(EXPECTED).read_text(encoding="utf-8"))[_now["check"]]
        expected = values[number]
        decode(expected)
    except OSError:
        return f"emitted {show(typed)}"
    except (ValueError, KeyError, IndexError, TypeError):
        return f"emitted {show(typed)}; {EXPECTED} holds nothing to compare it with"
    check = _about(_now["check"])
    rule = {key: check[key] for key in ("rtol", "atol", "exact_type", "half") if key in check}
    ok, message = compare(expected, typed, **rule)
    which = f"{check.get('title') or _now['check']}" + (f", value {number + 1} of {len(values)}" * (len(values) > 1))
    if ok:
        return f"{GOOD} {which}: as expected"
    mistake, hint = _mistake(check, values)
    told = f"\N{BALLOT X} {which}: {message}"
    if typed["type"] in ("array", "tensor", "list", "tuple", "dict") and "it is " not in message:
        told += f"\n  You gave {show(typed)}."
    told += f"\n  The check called {call}." if call else ""
    told += f"\n  This looks like: {mistake}." if mistake else ""
    hint = hint or check.get("hint")
    return told + (f"\n  Hint: {hint}" if hint else "")


def _mistake(check, values):
    """The name and hint of the declared mistake that gives the values so far, when there is just one."""
    from seqlab.grading import mistakes  # the grader's kernel never comes here

    told = mistakes.read(MISTAKES).get(check.get("id"), [])
    try:
        fit = [one for one in told if mistakes.begins(one["values"], values, _now["values"], check)]
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged
        fit = []
    return (fit[0]["name"], fit[0]["hint"]) if len(fit) == 1 else ("", "")


def _about(name):
    """The check's title, tolerance and hint, as the release tells them."""
    try:
        checks = json.loads(Path(RELEASE).read_text(encoding="utf-8"))["checks"]
        return next(check for check in checks if check["id"] == name)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return {}
