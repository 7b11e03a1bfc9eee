import numpy as np
import pytest

from seqlab.shapes import check_shape


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
