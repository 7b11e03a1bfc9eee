"""Values as typed JSON: what a check cell emits, what the grader compares, outside the student's process.

Nothing is pickled and no method of a student's object decides anything: exact types are read, arrays travel as
dtype, shape and raw bytes. What has no place here becomes `{"type": "other"}`, which equals nothing, itself included.
"""

import base64
import math
import sys

import numpy as np

MAX_BYTES = 6_000_000  # raw bytes of one emitted value, all its arrays and strings together
MAX_ITEMS = 20_000  # lists, tuples, dicts and their elements
MAX_DEPTH = 16
MAX_BITS = 8_192  # of an int
MAX_AXES = 32
FLOATS = (np.float16, np.float32, np.float64)
INTS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.longlong, np.ulonglong)
TENSOR_DTYPES = {
    "bool": "|b1",
    "uint8": "|u1",
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float16": "<f2",
    "bfloat16": "<u2",  # its bits: NumPy has no such dtype
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
}
DTYPES = set(TENSOR_DTYPES.values()) | {"<u4", "<u8"}


class _TooLarge(Exception):
    pass


class _Budget:
    """How much of one value's allowance is left."""

    def __init__(self):
        self.bytes, self.items = MAX_BYTES, MAX_ITEMS

    def take(self, size=0):
        self.bytes -= size
        self.items -= 1
        if self.bytes < 0 or self.items < 0:
            raise _TooLarge


def encode(value):
    """Turn a value into typed JSON.

    Parameters
    ----------
    value : anything. Exact types count: a subclass of `int` is not an int.

    Returns
    -------
    typed : dict that `json.dumps` takes; `{"type": "other", "name": ...}` for what cannot travel.
    """
    try:
        return _encode(value, _Budget(), 0)
    except _TooLarge:
        return {"type": "other", "name": "value too large to send"}


def _other(value):
    return {"type": "other", "name": str(type.__dict__["__name__"].__get__(type(value)))[:80]}


def _encode(value, budget, depth):
    kind = type(value)
    if depth > MAX_DEPTH:
        raise _TooLarge
    budget.take()
    if value is None:
        return {"type": "none"}
    if kind is bool or kind is np.bool_:
        return {"type": "bool", "value": bool(value)}
    if kind is int or kind in INTS:
        value = int(value)
        if value.bit_length() > MAX_BITS:
            raise _TooLarge
        return {"type": "int", "value": hex(value)}
    if kind is float or kind in FLOATS:
        return {"type": "float", "value": repr(float(value))}
    if kind is complex or kind in (np.complex64, np.complex128):
        value = complex(value)
        return {"type": "complex", "value": [repr(value.real), repr(value.imag)]}
    if kind is str or kind is np.str_:
        value = str(value).encode("utf-8", "backslashreplace")
        budget.take(len(value))
        return {"type": "str", "value": value.decode()}
    if kind is list or kind is tuple:
        return {"type": kind.__name__, "items": [_encode(item, budget, depth + 1) for item in value]}
    if kind is dict:
        pairs = [[_encode(k, budget, depth + 1), _encode(v, budget, depth + 1)] for k, v in value.items()]
        return {"type": "dict", "items": pairs}
    if kind is np.ndarray:
        return _encode_array(value, budget)
    torch = sys.modules.get("torch")
    tensors = getattr(torch, "Tensor", None), getattr(getattr(torch, "nn", None), "Parameter", None)
    if kind in tensors:
        return _encode_tensor(value, torch, budget)
    return _other(value)


def _encode_array(array, budget):
    little = array.dtype.newbyteorder("<")
    if little.str not in DTYPES:
        return {"type": "other", "name": f"array of dtype {array.dtype.name}"[:80]}
    budget.take(array.nbytes)
    data = base64.b64encode(np.ascontiguousarray(array, little).tobytes()).decode()
    return {"type": "array", "dtype": little.str, "shape": list(array.shape), "data": data}


def _encode_tensor(tensor, torch, budget):
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in TENSOR_DTYPES or tensor.layout != torch.strided or tensor.device.type == "meta":
        return {"type": "other", "name": f"tensor of dtype {name}"[:80]}
    budget.take(tensor.numel() * tensor.element_size())
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    raw = tensor.view(torch.int16) if name == "bfloat16" else tensor
    data = base64.b64encode(raw.numpy().tobytes()).decode()
    return {"type": "tensor", "dtype": name, "shape": list(tensor.shape), "data": data}


def decode(typed):
    """Turn typed JSON back into Python values; a tensor comes back as a NumPy array.

    Raises
    ------
    ValueError
        when it is not what `encode` makes: a student's process can send anything.
    """
    return _decode(typed, _Budget(), 0)


def _decode(typed, budget, depth):
    if type(typed) is not dict or type(typed.get("type")) is not str:
        raise ValueError("a typed value must be a dict with a type")
    if depth > MAX_DEPTH:
        raise ValueError(f"a typed value is nested deeper than {MAX_DEPTH}")
    kind, value = typed["type"], typed.get("value")
    try:
        budget.take(len(value) if type(value) is str else 0)
        if kind == "none":
            return None
        if kind == "bool" and type(value) is bool:
            return value
        if kind == "int" and type(value) is str and len(value) <= MAX_BITS // 4 + 3:
            return int(value, 16)
        if kind == "float" and type(value) is str:
            return float(value)
        if kind == "complex" and type(value) is list and len(value) == 2:
            return complex(float(value[0]), float(value[1]))
        if kind == "str" and type(value) is str:
            return value
        if kind in ("list", "tuple") and type(typed.get("items")) is list:
            items = [_decode(item, budget, depth + 1) for item in typed["items"]]
            return items if kind == "list" else tuple(items)
        if kind == "dict" and type(typed.get("items")) is list:
            return {_decode(k, budget, depth + 1): _decode(v, budget, depth + 1) for k, v in typed["items"]}
        if kind in ("array", "tensor"):
            return _decode_array(typed, budget)
        if kind == "other":
            return Other(str(typed.get("name"))[:80])
    except _TooLarge:
        raise ValueError("a typed value is larger than the grader takes") from None
    except (TypeError, ValueError, OverflowError, KeyError, AttributeError) as error:
        raise ValueError(f"a typed value of type {kind[:20]!r} cannot be read: {error}") from None
    raise ValueError(f"a typed value of type {kind[:20]!r} cannot be read")


class Other:
    """Something that could not travel. It equals nothing."""

    __hash__ = object.__hash__

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return False

    def __repr__(self):
        return f"<{self.name}>"


def _decode_array(typed, budget):
    shape, dtype, data = typed["shape"], typed["dtype"], typed["data"]
    if type(shape) is not list or len(shape) > MAX_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("its shape is not a list of sizes")
    if type(dtype) is not str or type(data) is not str:
        raise ValueError("its dtype and data must be text")
    name = TENSOR_DTYPES.get(dtype, "") if typed["type"] == "tensor" else dtype
    if name not in DTYPES:
        raise ValueError(f"its dtype is {dtype[:20]!r}")
    real = np.dtype(name)
    raw = base64.b64decode(data, validate=True)
    budget.take(len(raw))
    if len(raw) != math.prod(shape) * real.itemsize:
        raise ValueError(f"it holds {len(raw)} bytes, which do not fill the shape {shape}")
    array = np.frombuffer(raw, real).reshape(shape)
    if dtype == "bfloat16":
        array = (array.astype("<u4") << 16).view("<f4")
    return array


def show(typed):
    """Name a typed value in a few words: what it is, not what it holds."""
    kind = typed["type"]
    if kind in ("array", "tensor"):
        what = "a NumPy array" if kind == "array" else "a torch tensor"
        name = np.dtype(typed["dtype"]).name if kind == "array" else typed["dtype"]
        shape = ", ".join(map(str, typed["shape"])) + ("," if len(typed["shape"]) == 1 else "")
        return f"{what} of shape ({shape}) and dtype {name}"
    if kind in ("list", "tuple", "dict"):
        return f"a {kind} of {len(typed['items'])}"
    names = {"none": "None", "bool": "a boolean", "int": "a whole number (int)", "float": "a number (float)"}
    names |= {"complex": "a complex number", "str": "a string"}
    return names.get(kind) or f"an object that cannot be compared ({typed.get('name', '?')})"


def compare(expected, actual, rtol=1e-6, atol=1e-8):
    """Hold an emitted value against the reference's.

    Parameters
    ----------
    expected, actual : typed JSON as `encode` makes it. `actual` may be anything at all.
    rtol, atol : numbers pass when |actual - expected| <= atol + rtol |expected|; NaN equals NaN.

    Returns
    -------
    ok : bool.
    message : what differs, in words for the student. It never quotes an expected number.

    Notes
    -----
    Kinds must agree, with two kindnesses: NumPy's number types are numbers, and an int serves where a float is due.
    Integer arrays of any width are alike; a float array must have the expected precision.
    """
    try:
        decode(actual)
    except ValueError as error:
        return False, f"the value could not be read: {error}"
    return _compare(expected, actual, rtol, atol, "")


def _compare(expected, actual, rtol, atol, place):
    want, have = expected["type"], actual["type"]
    where = f"{place}: " if place else ""
    if have == "int" and want == "float":
        have = "float"
        actual = {"type": "float", "value": repr(_as_float(actual))}
    if want == "other":
        return False, f"{where}the expected value itself cannot be compared"
    if want != have:
        hint = ""
        if want in ("int", "float") and have in ("array", "tensor") and actual["shape"] == []:
            hint = " (take the number out of it with .item())"
        return False, f"{where}it should be {show(expected)}, it is {show(actual)}{hint}"
    if want in ("array", "tensor"):
        return _compare_arrays(expected, actual, rtol, atol, where)
    if want in ("list", "tuple"):
        if len(expected["items"]) != len(actual["items"]):
            return False, f"{where}it should be {show(expected)}, it is {show(actual)}"
        for i, (e, a) in enumerate(zip(expected["items"], actual["items"], strict=True)):
            ok, message = _compare(e, a, rtol, atol, f"{place}[{i}]")
            if not ok:
                return ok, message
        return True, ""
    if want == "dict":
        return _compare_dicts(expected, actual, rtol, atol, place)
    e, a = _decode(expected, _Budget(), 0), _decode(actual, _Budget(), 0)
    if want in ("float", "complex"):
        good, difference = _close(np.array(e), np.array(a), rtol, atol)
        return (True, "") if good.all() else (False, f"{where}the number is off{_by(difference)}")
    if e == a:
        return True, ""
    return False, where + {"int": "the number is wrong", "str": "the text is wrong"}.get(want, "the value is wrong")


def _as_float(typed):
    try:
        return float(int(typed["value"], 16))
    except OverflowError:
        return math.inf


def _compare_dicts(expected, actual, rtol, atol, place):
    where = f"{place}: " if place else ""
    if any(k["type"] not in ("str", "int", "bool", "none", "float") for k, _ in actual["items"]):
        return False, f"{where}a key of the dict has a type that is not expected"
    want = {(k["type"], k.get("value")): v for k, v in expected["items"]}
    have = {(k["type"], k.get("value")): v for k, v in actual["items"]}
    if want.keys() != have.keys():
        extra = sorted(str(key[1])[:40] for key in have.keys() - want.keys())
        missing = len(want.keys() - have.keys())
        told = f"; these do not belong: {', '.join(extra[:5])}" if extra else ""
        return False, f"{where}the dict's keys are wrong ({missing} missing{told})"
    for key, value in want.items():
        name = repr(key[1]) if key[0] == "str" else str(key[1])
        ok, message = _compare(value, have[key], rtol, atol, f"{place}[{name}]")
        if not ok:
            return ok, message
    return True, ""


def _compare_arrays(expected, actual, rtol, atol, where):
    e, a = _decode_array(expected, _Budget()), _decode_array(actual, _Budget())
    integers = e.dtype.kind in "iu" and a.dtype.kind in "iu" and "bfloat16" not in (expected["dtype"], actual["dtype"])
    if e.shape != a.shape or (expected["dtype"] != actual["dtype"] and not integers):
        return False, f"{where}it should be {show(expected)}, it is {show(actual)}"
    if e.dtype.kind in "biu":
        wrong = np.argwhere(e != a)
        if not len(wrong):
            return True, ""
        return False, f"{where}{len(wrong)} of {e.size} elements are wrong, the first at {wrong[0].tolist()}"
    good, difference = _close(e, a, rtol, atol)
    if good.all():
        return True, ""
    wrong = np.argwhere(~good)
    odd = np.argwhere(~good & ~np.isfinite(difference))
    count = f"{len(wrong)} of {e.size} elements are off"
    if len(odd):
        i = tuple(odd[0])
        what = "not a number (NaN)" if np.isnan(a[i]) else "infinite" if np.isinf(a[i]) else "finite"
        return False, f"{where}{count}: the one at {odd[0].tolist()} is {what}, and should not be"
    worst = np.unravel_index(np.argmax(np.where(good, -1, difference)), difference.shape)
    return False, f"{where}{count}{_by(difference[worst])} at {[int(i) for i in worst]}"


def _close(e, a, rtol, atol):
    """Which elements agree, and by how much the others differ (NaN or inf where that has no answer)."""
    wide = np.complex128 if "c" in (e.dtype.kind, a.dtype.kind) else np.float64
    e, a = e.astype(wide), a.astype(wide)
    with np.errstate(all="ignore"):
        difference = np.abs(a - e)
        finite = np.isfinite(e) & np.isfinite(a)
        good = np.where(finite, difference <= atol + rtol * np.abs(e), (e == a) | (np.isnan(e) & np.isnan(a)))
    return good, difference


def _by(difference):
    difference = float(difference)
    return f", the largest difference is {difference:.2g}" if math.isfinite(difference) else ""
