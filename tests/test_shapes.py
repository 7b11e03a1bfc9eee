import numpy as np
import pytest

from seqlab.shapes import check_shape, check_whole


def test_letters_stand_for_sizes():
    assert check_shape("x", np.zeros((2, 5, 3)), ("B", "T", 3)) == {"B": 2, "T": 5}


@pytest.mark.parametrize(
    ("shape", "expected", "sentence"),
    [
        ((2, 5), ("B", "T", 3), r"x has shape \(2, 5\); it must have shape \(B, T, 3\)"),
        ((2, 5, 4), ("B", "T", 3), r"x has shape \(2, 5, 4\); it must have shape \(B, T, 3\)"),
        ((2, 3), ("H", "H"), r"x has shape \(2, 3\); it must have shape \(H, H\)"),
        ((2, 1), (3,), r"x has shape \(2, 1\); it must have shape \(3,\)"),
    ],
)
def test_a_wrong_shape_is_named(shape, expected, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_shape("x", np.zeros(shape), expected)


@pytest.mark.parametrize(("value", "least"), [(1, 1), (np.int64(7), 1), (0, 0), (2**70, 3)])
def test_a_whole_number_of_python_or_numpy_is_given_back_as_an_int(value, least):
    number = check_whole("n", value, least)
    assert type(number) is int
    assert number == value


@pytest.mark.parametrize("value", [0, -1, 2.0, 2.5, True, "2", None, float("nan"), np.array([2])])
def test_what_is_no_whole_number_or_too_small_is_named(value):
    with pytest.raises(ValueError, match=r"^n is .*; it must be a whole number, at least 1$"):
        check_whole("n", value)
