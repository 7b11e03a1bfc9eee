"""Values travel as typed JSON without loss, and what is not of the expected kind never equals it."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seqlab.grading.values import MAX_BYTES, compare, decode, encode, lowered

NUMBERS = st.one_of(st.integers(-(2**2000), 2**2000), st.floats(allow_nan=False), st.booleans(), st.none(), st.text())
NESTED = st.recursive(
    NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(),
    arrays.unsigned_integer_dtypes(),
    arrays.floating_dtypes(sizes=(16, 32, 64)),
)
ANYTHING = st.recursive(
    st.one_of(NUMBERS, st.sampled_from(["array", "tensor", "list", "dict", "int", "float", "complex", "other", "<f8"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "value", "items", "shape", "dtype", "data", "name"]), inner, max_size=6
        )
    ),
    max_leaves=12,
)


def sent(value):
    """What arrives on the other side."""
    return json.loads(json.dumps(encode(value)))


@given(NESTED)
def test_what_goes_out_comes_back(value):
    assert decode(sent(value)) == value
    assert compare(sent(value), sent(value), 0, 0) == (True, "")


@given(arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_arrays_come_back_bit_for_bit(array):
    back = decode(sent(array))
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    assert compare(sent(array), sent(array), 0, 0) == (True, "")


@given(ANYTHING)
def test_nothing_that_a_student_sends_breaks_the_comparison(nonsense):
    ok, message = compare(encode(np.zeros(3)), nonsense)
    assert not ok
    assert message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.array([math.nan, math.inf]), complex(0, math.nan)])
def test_not_a_number_equals_itself(value):
    assert compare(sent(value), sent(value))[0]
    assert not compare(sent(value), sent(1.0))[0]


def test_minus_zero_is_zero():
    assert compare(sent(-0.0), sent(0.0))[0]
    assert compare(sent(np.array([-0.0])), sent(np.array([0.0])))[0]


class Liar(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Array(np.ndarray):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Liar(3), object(), Array((1,)), np.array([object()]), np.array(["a"]), {1, 2}, b"3", np.longdouble(3),
        np.ma.array([3.0]), torch.nn.Linear(1, 1), lambda: 3, type,
    ],
)  # fmt: skip
def test_what_cannot_travel_equals_nothing(value):
    typed = sent(value)
    assert typed["type"] == "other"
    for expected in (typed, sent(3), sent(np.array([3.0]))):
        assert not compare(expected, typed)[0]


def test_a_class_that_lies_about_its_name_is_only_named():
    class Meta(type):
        __name__ = property(lambda self: 1 / 0)

    class Odd(metaclass=Meta):
        __class__ = int

    assert sent(Odd()) == {"type": "other", "name": "Odd"}


@pytest.mark.parametrize(
    ("expected", "actual", "ok"),
    [
        (1.5, np.float64(1.5), True),
        (1.5, np.float32(1.5), True),
        (1 / 3, np.float32(1 / 3), True),
        (1 / 3, float(np.float32(1 / 3)), True),
        (1 / 3, 1 / 3 + 1e-5, False),
        (20_000.0, 20_001.0, False),
        (2.0, 2, True),
        (2, np.int64(2), True),
        (2, 2.0, False),
        (1, True, False),
        (True, np.True_, True),
        (1.0, True, False),
        (1.0, np.array(1.0), True),
        (1.0, np.array([1.0]), False),
        (1.0, torch.tensor(1.0), True),
        (1.0, torch.tensor(1.0, dtype=torch.bfloat16), False),
        (1.0, torch.tensor(1), True),
        (2, torch.tensor(2), True),
        (2, torch.tensor(2.0), False),
        (True, np.array(True), True),
        (np.array(2.5), 2.5, True),
        (np.array(2), 2, True),
        (np.array(2), 2.0, False),
        (np.array(2.0), 2, True),
        ((1, 2), [1, 2], False),
        ([1, 2], [1, 2, 3], False),
        ("a", "b", False),
        (None, 0, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({1: "x"}, {"1": "x"}, False),
        (np.zeros(3), torch.zeros(3, dtype=torch.float64), True),
        (torch.zeros(3, dtype=torch.float64), np.zeros(3), True),
        (torch.zeros(3, dtype=torch.int64), np.zeros(3, int), True),
        (np.zeros(3), torch.zeros(3, dtype=torch.int64), False),
        (np.zeros(3), np.zeros(3, np.float32), True),
        (np.zeros(3), np.zeros(3, np.float16), False),
        (np.zeros(3), torch.zeros(3, dtype=torch.bfloat16), False),
        (np.zeros(3, np.float32), np.zeros(3), True),
        (np.zeros(3, complex), np.zeros(3, np.complex64), True),
        (np.zeros(3, complex), np.zeros(3), False),
        (np.zeros(3, np.int64), np.zeros(3, np.int32), True),
        (np.zeros(3, np.int64), np.zeros(3), False),
        (np.zeros(3, bool), np.zeros(3, int), False),
        (np.zeros(3), np.zeros((3, 1)), False),
        (np.zeros(3), np.zeros(3, ">f8"), True),
        (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16), True),
        (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.float16), True),
        (torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.bfloat16), False),
        (torch.ones(2), torch.nn.Parameter(torch.ones(2)), True),
        ((2, 3), torch.ones(2, 3).shape, True),
        ((2, 3), torch.ones(3, 2).shape, False),
        (torch.ones(2, 3).T, torch.ones(3, 2), True),
    ],
)
def test_kinds_must_agree_but_for_the_kindnesses_that_are_listed(expected, actual, ok):
    got, message = compare(sent(expected), sent(actual))
    assert got == ok
    assert bool(message) != ok


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.zeros(3), torch.zeros(3, dtype=torch.float64)),
        (1.0, np.array(1.0)),
        (1.0, 1),
    ],
)
def test_a_check_may_insist_on_the_type(expected, actual):
    assert compare(sent(expected), sent(actual))[0]
    assert not compare(sent(expected), sent(actual), exact_type=True)[0]
    assert compare(sent(expected), sent(expected), exact_type=True)[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_coarse_floats_pass_only_where_the_check_takes_them(dtype):
    exact = np.random.default_rng(0).normal(size=50)
    coarse = torch.tensor(exact).to(dtype)
    assert not compare(sent(exact), sent(coarse))[0]
    assert compare(sent(exact), sent(coarse), half=True)[0]
    assert not compare(sent(exact), sent(coarse * 1.2), half=True)[0]


@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(-1e3, 1e3)))
def test_rounded_to_float32_a_right_array_stays_right(array):
    assert compare(sent(array), sent(array.astype(np.float32)))[0]
    assert compare(sent(array), lowered(sent(array)))[0]
    assert compare(sent([array, array.tolist()]), lowered(sent([array, array.tolist()])))[0]


def test_float32_is_known_by_its_digits_where_the_dtype_does_not_tell():
    exact = np.random.default_rng(0).normal(size=50)
    computed = (exact.astype(np.float32) * np.float32(1 + 3e-5)).astype(np.float64)
    assert compare(sent(exact), sent(computed))[0]
    assert not compare(sent(exact), sent(exact * (1 + 3e-5)))[0]  # the same error, in float64


def test_what_is_wrong_by_a_thousandth_is_wrong_in_float32_too():
    exact = np.random.default_rng(0).normal(size=50)
    assert not compare(sent(exact), sent((exact * 1.001).astype(np.float32)))[0]
    assert not compare(sent(exact), sent((exact + 1e-3).astype(np.float32)))[0]


def test_short_numbers_are_no_sign_of_float32():
    almost = np.array([1 - 4e-6, 2e-6, 2e-6])
    assert not compare(sent(almost), sent(np.array([1.0, 0.0, 0.0])))[0]
    assert not compare(sent(4000.1), sent(4000.0))[0]


def test_tolerance_is_absolute_plus_relative():
    assert compare(sent(100.0), sent(100.9), rtol=0.01, atol=0)[0]
    assert not compare(sent(100.0), sent(101.1), rtol=0.01, atol=0)[0]
    assert compare(sent(0.0), sent(0.009), rtol=0, atol=0.01)[0]
    assert not compare(sent(0.0), sent(0.011), rtol=0, atol=0.01)[0]
    assert compare(sent(torch.ones(3)), sent(torch.full((3,), 1 + 1e-7)), 1e-6, 0)[0]


def test_a_message_says_where_and_how_far_but_never_an_expected_number():
    expected = np.full((2, 3), 12345.678)
    actual = expected.copy()
    actual[0, 1] += 0.5
    actual[1, 2] += 0.25
    _, message = compare(sent((1, expected)), sent((1, actual)))
    assert message == "[1]: 2 of 6 elements are off, the largest difference is 0.5 at [0, 1]"
    assert "12345" not in message
    assert compare(sent(4), sent(5)) == (False, "the number is wrong")


def test_a_message_names_shape_dtype_and_kind():
    _, message = compare(sent(np.zeros((2, 3))), sent(np.zeros((3, 2), np.float32)))  # the shape is what is wrong
    assert message == (
        "it should be a NumPy array of shape (2, 3) and dtype float64, "
        "it is a NumPy array of shape (3, 2) and dtype float32"
    )
    _, message = compare(sent(1.0), sent(np.array(1.0)), exact_type=True)
    assert message.endswith("(take the number out of it with .item())")
    _, message = compare(sent(np.zeros(2)), sent(np.array([0, np.nan])))
    assert message == "1 of 2 elements are off: the one at [1] is not a number (NaN), and should not be"


def test_large_and_deep_values_are_refused_by_size_not_by_crashing():
    endless = []
    endless.append(endless)
    for value in (np.zeros(MAX_BYTES // 8 + 1), "x" * (MAX_BYTES + 1), endless, list(range(30_000)), 1 << 10_000):
        assert sent(value) == {"type": "other", "name": "value too large to send"}


def test_an_array_whose_bytes_do_not_fill_its_shape_is_refused():
    typed = sent(np.zeros(3))
    for change in (
        {"shape": [4]},
        {"shape": [-3]},
        {"shape": [3.0]},
        {"shape": [1] * 40},
        {"dtype": "O"},
        {"data": "!"},
    ):
        with pytest.raises(ValueError, match="cannot be read"):
            decode(typed | change)
