"""Unusual right answers, made mechanically from the solution: an author's checks must not mind them.

- `float32`: every array that a function of the answer is given, and all that it gives back, is float32.
- `torch`: every array and NumPy number that a function of the answer gives back is a torch tensor.

`source(solution, kind)` is such an answer cell: the solution, with its functions wrapped by `forms`. The build runs it
against the checks; where a question rules a form out, `[[unusual]]` in `variants.toml` says so and why. Vectorised
answers cannot be made mechanically: they are declared as `[[right]]` ones.
"""

import ast
import functools

import numpy as np

from seqlab.grading.names import parse


def source(solution, kind):
    """The answer cell whose functions compute as the solution's do, in an unusual form.

    Parameters
    ----------
    solution : the solution's source.
    kind : float32 or torch.
    """
    names = [node.name for node in parse(solution).body if isinstance(node, ast.FunctionDef)]
    lines = ["", "", "from seqlab.grading import unusual as _unusual", ""]
    lines += [f"{name} = _unusual.forms[{kind!r}]({name})" for name in names]
    return solution + "\n".join(lines) + "\n"


def _changed(value, change):
    """A value with `change` applied to its arrays and NumPy numbers; what holds none of them stays the same object."""
    if isinstance(value, list | tuple):
        items = [_changed(item, change) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if type(value) is dict:
        items = {key: _changed(item, change) for key, item in value.items()}
        return value if all(items[key] is value[key] for key in value) else items
    return change(value)


def _low(value):
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return np.float32(value) if type(value) is np.float64 else value


def _lower(value):
    return float(np.float32(value)) if type(value) is float else _low(value)


def _outermost(call):
    """A wrapped function whose own calls of other wrapped functions meet them bare: the form is one from outside."""

    @functools.wraps(call)
    def once(function, args, named):
        if _depth:
            return function(*args, **named)
        _depth.append(call)
        try:
            return call(function, args, named)
        finally:
            _depth.pop()

    return once


_depth = []


@_outermost
def _as_float32(function, args, named):
    copies = []

    def low(value):
        if not (isinstance(value, np.ndarray) and value.dtype == np.float64):
            return value
        copy = value.astype(np.float32)
        copies.append((value, copy, copy.copy()))
        return copy

    with np.errstate(over="ignore"):
        found = function(*_changed(args, low), **_changed(named, low))
        found = _changed(found, _lower if copies else _low)  # plain numbers in, plain numbers out: Python's floats
    for given, copy, before in copies:
        if copy.tobytes() != before.tobytes():
            given[...] = copy
    return found


@_outermost
def _as_torch(function, args, named):
    import torch

    def tensor(value):
        numeric = isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc"
        return torch.tensor(value) if numeric else value

    return _changed(function(*args, **named), tensor)


def _float32(function):
    """The function with float32 arrays going in and coming out; arrays that it changes in place are changed."""
    return functools.wraps(function)(lambda *args, **named: _as_float32(function, args, named))


def _torch(function):
    """The function with tensors coming out in place of arrays and NumPy numbers."""
    return functools.wraps(function)(lambda *args, **named: _as_torch(function, args, named))


forms = {"float32": _float32, "torch": _torch}
