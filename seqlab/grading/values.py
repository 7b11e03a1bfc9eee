"""Values as typed JSON: what a check cell emits, what the grader compares, outside the student's process.

Nothing is pickled and no method of a student's object decides anything: exact types are read, arrays travel as
dtype, shape and raw bytes. What has no place here becomes `{"type": "other"}`, which equals nothing, itself included.

Which right answers count as right, though they look unusual:

- NumPy's number types are numbers, and an int serves where a float is due (never a float where an int is due).
- A torch tensor serves where a NumPy array of that dtype and shape is due, and the other way round.
- An array without axes serves where a number of its kind is due, and the other way round.
- Integer arrays of any width are alike.
- float32 serves where float64 is due: it must agree within LOOSE, which is what that precision holds after some
  arithmetic: one part in 10,000 of each number, or one in 100,000 of the largest one of the array. float64 serves
  where float32 is due, in the same way. The precision is read from the dtype and from the numbers themselves: a
  float64 that holds no more digits than float32 can hold, and more than a short number has, was computed in float32.
- float16 and bfloat16 are too coarse to tell right from wrong, unless the check says `half = true`.

A check whose question is about the type itself says `exact_type = true`: then only kind and precision of the
reference will do. Each build shows that no declared wrong answer gains by being rounded to float32.
"""

import base64
import math
import sys
from dataclasses import dataclass

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
DIGITS = {"float64": 53, "complex128": 53, "float32": 24, "complex64": 24, "float16": 11, "bfloat16": 8}  # binary ones
LOOSE = {24: (1e-4, 1e-5), 11: (1e-2, 2e-3), 8: (5e-2, 1e-2)}  # of each number; of the largest number of an array
SHORT = 12  # binary digits: a number with so few says nothing about how it was computed
NUMBERS = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}  # a dtype's kind -> the typed number's


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
    if kind is getattr(torch, "Size", None):  # what a tensor's shape is: a tuple of ints
        return _encode(tuple(value), budget, depth)
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


@dataclass(frozen=True)
class Rule:
    """How one check compares: tolerances, and which unusual types it takes (see the head of this file)."""

    rtol: float = 1e-6
    atol: float = 1e-8
    exact_type: bool = False
    half: bool = False


def compare(expected, actual, rtol=1e-6, atol=1e-8, exact_type=False, half=False):
    """Hold an emitted value against the reference's.

    Parameters
    ----------
    expected, actual : typed JSON as `encode` makes it. `actual` may be anything at all.
    rtol, atol : numbers pass when |actual - expected| <= atol + rtol |expected|; NaN equals NaN.
    exact_type : only the reference's kind and precision will do.
    half : float16 and bfloat16 are taken as well.

    Returns
    -------
    ok : bool.
    message : what differs, in words for the student. It never quotes an expected number.
    """
    try:
        decode(actual)
    except ValueError as error:
        return False, f"the value could not be read: {error}"
    return _compare(expected, actual, Rule(rtol, atol, exact_type, half), "")


def agree(expected, actual, rule):
    """Hold all that a check emitted against the reference's values; give (ok, message)."""
    if len(expected) != len(actual):
        return False, f"{len(actual)} values were emitted, {len(expected)} expected"
    for want, have in zip(expected, actual, strict=True):
        ok, message = compare(want, have, rule.rtol, rule.atol, rule.exact_type, rule.half)
        if not ok:
            return False, message
    return True, ""


def lowered(typed):
    """The same typed value with every float rounded to float32, as one who computed in float32 would emit it."""
    kind = typed["type"]
    if kind == "float":
        with np.errstate(over="ignore"):
            return encode(np.float32(float(typed["value"])))
    if kind in ("list", "tuple"):
        return typed | {"items": [lowered(item) for item in typed["items"]]}
    if kind == "dict":
        return typed | {"items": [[key, lowered(value)] for key, value in typed["items"]]}
    if kind in ("array", "tensor") and typed["dtype"] in ("<f8", "float64"):
        with np.errstate(over="ignore"):
            rounded = _encode_array(_decode_array(typed, _Budget()).astype(np.float32), _Budget())
        return rounded | {"type": kind, "dtype": "<f4" if kind == "array" else "float32"}
    return typed


def _suited(expected, actual):
    """Turn a number into an array without axes where one is due, and back; int into float."""
    want, have = expected["type"], actual["type"]
    arrays = ("array", "tensor")
    if want in NUMBERS.values() and have in arrays and actual["shape"] == []:
        value = _decode_array(actual, _Budget())
        number = encode(value.item())
        low = DIGITS.get(_dtype(actual), 53) < DIGITS["float32"]  # too coarse to pass for a Python number
        if number["type"] == NUMBERS.get(value.dtype.kind) and not low:
            actual, have = number, number["type"]
    if want in arrays and have in NUMBERS.values() and expected["shape"] == []:
        kind = NUMBERS.get(_decode_array(expected, _Budget()).dtype.kind)
        if have == "int" and kind == "int" and -(2**63) <= int(actual["value"], 16) < 2**63:
            return encode(np.array(int(actual["value"], 16), np.int64))
        if have == "int" and kind == "float":
            return encode(np.array(_as_float(actual)))
        if have == kind and have != "int":
            return encode(np.array(_decode(actual, _Budget(), 0)))
    if want == "float" and have == "int":
        return {"type": "float", "value": repr(_as_float(actual))}
    return actual


def _compare(expected, actual, rule, place):
    where = f"{place}: " if place else ""
    given = actual
    if not rule.exact_type:
        actual = _suited(expected, actual)
    want, have = expected["type"], actual["type"]
    if want == "other":
        return False, f"{where}the expected value itself cannot be compared"
    if want in ("array", "tensor") and have in ("array", "tensor"):
        return _compare_arrays(expected, actual, given, rule, where)
    if want != have:
        hint = ""
        if want in ("int", "float") and have in ("array", "tensor") and actual["shape"] == []:
            hint = " (take the number out of it with .item())" if rule.exact_type else ""
        return False, f"{where}it should be {show(expected)}, it is {show(given)}{hint}"
    if want in ("list", "tuple"):
        if len(expected["items"]) != len(actual["items"]):
            return False, f"{where}it should be {show(expected)}, it is {show(actual)}"
        for i, (e, a) in enumerate(zip(expected["items"], actual["items"], strict=True)):
            ok, message = _compare(e, a, rule, f"{place}[{i}]")
            if not ok:
                return ok, message
        return True, ""
    if want == "dict":
        return _compare_dicts(expected, actual, rule, place)
    e, a = _decode(expected, _Budget(), 0), _decode(actual, _Budget(), 0)
    if want in ("float", "complex"):
        e, a = np.array(e), np.array(a)
        good, difference = _close(e, a, *_tolerance(e, a, 53, 53, rule))
        return (True, "") if good.all() else (False, f"{where}the number is off{_by(difference)}")
    if e == a:
        return True, ""
    return False, where + {"int": "the number is wrong", "str": "the text is wrong"}.get(want, "the value is wrong")


def _as_float(typed):
    try:
        return float(int(typed["value"], 16))
    except OverflowError:
        return math.inf


def _compare_dicts(expected, actual, rule, place):
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
        ok, message = _compare(value, have[key], rule, f"{place}[{name}]")
        if not ok:
            return ok, message
    return True, ""


def _dtype(typed):
    """The name of a typed array's dtype: float64, bfloat16, ..."""
    return typed["dtype"] if typed["type"] == "tensor" else np.dtype(typed["dtype"]).name


def _takes(expected, actual, rule):
    """Whether an array of this type may stand where that one is due; the numbers are compared later."""
    want, have = _dtype(expected), _dtype(actual)
    if rule.exact_type and expected["type"] != actual["type"]:
        return False
    if want == have:
        return True
    if want in DIGITS and have in DIGITS:
        enough = rule.half or DIGITS[have] >= min(DIGITS["float32"], DIGITS[want])
        return not rule.exact_type and enough and want.startswith("complex") == have.startswith("complex")
    return all(name.startswith(("int", "uint")) for name in (want, have))


def _compare_arrays(expected, actual, given, rule, where):
    e, a = _decode_array(expected, _Budget()), _decode_array(actual, _Budget())
    if e.shape != a.shape or not _takes(expected, actual, rule):
        return False, f"{where}it should be {show(expected)}, it is {show(given)}"
    if e.dtype.kind in "biu":
        wrong = np.argwhere(e != a)
        if not len(wrong):
            return True, ""
        return False, f"{where}{len(wrong)} of {e.size} elements are wrong, the first at {wrong[0].tolist()}"
    good, difference = _close(e, a, *_tolerance(e, a, DIGITS[_dtype(expected)], DIGITS[_dtype(actual)], rule))
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


def _tolerance(e, a, wanted, had, rule):
    """The tolerances (rtol, atol) for numbers of these binary digits; wider where the precisions differ."""
    if rule.exact_type:
        return rule.rtol, rule.atol
    if wanted == had == 53 and _rounded(a) and not _rounded(e):
        had = 24
    if wanted == had:
        return rule.rtol, rule.atol
    each, floor = LOOSE[min(wanted, had)]
    size = np.abs(e[np.isfinite(e)])
    largest = float(size.max()) if size.size and e.ndim else 0.0  # one number alone has no larger one beside it
    return max(rule.rtol, each), max(rule.atol, floor * largest)


def _rounded(numbers):
    """Whether these float64 numbers show that they were computed in float32.

    All fit into its 24 binary digits, and one that is no count needs more than SHORT of them. By chance a float64
    number looks like this once in 500 million times.
    """
    parts = np.ascontiguousarray(numbers).reshape(-1)
    parts = parts.view(np.float64) if parts.dtype.kind == "c" else parts.astype(np.float64)
    parts = parts[np.isfinite(parts)]
    bits = parts.view(np.uint64)
    long = (bits & np.uint64(2 ** (53 - SHORT) - 1) != 0) & ((parts != np.rint(parts)) | (np.abs(parts) > 2**24))
    return bool(not (bits & np.uint64(2**29 - 1)).any() and long.any())


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
