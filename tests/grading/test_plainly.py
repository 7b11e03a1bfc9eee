"""What Python and NumPy say is said again in plain words, from what they really say."""

import numpy as np
import pytest

from seqlab.grading.plainly import plainly
from seqlab.grading.values import compare, encode

STUB = "def rnn_step(x, h):\n    raise NotImplementedError"


def raised(source):
    """What a check is told of code that raises."""
    try:
        exec(source, {"np": np})
    except Exception as wrong:
        return f"your code raised {type(wrong).__name__}: {wrong} (line 2 of the answer 'x')"
    raise AssertionError(f"{source!r} raises nothing")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("np.ones((2, 3)) @ np.ones((4, 2))", "here they are 3 and 4"),
        ("np.ones((2, 3)) + np.ones((4, 3))", "compare their shapes from the right"),
        ("np.dot(np.ones((2, 3)), np.ones((2, 3)))", "the last but one of the second"),
        ("np.thanh(1)", "did you mean np.tanh?"),
        ("a, b = 3", "look at what the function must return"),
        ("a, b = 1, 2, 3", "look at what the function must return"),
        ("(lambda x: x)(1, 2)", "other arguments than it takes"),
        ("(lambda x: x)()", "other arguments than it takes"),
        ("(lambda x: x)(y=1)", "other arguments than it takes"),
        ("raise NotImplementedError('write')", "is still there"),
        ("if True:\nx = 1", "begin in the same column"),
        ("x = (1", "missing bracket"),
        ("np.ones((2, 3))[0, 5]", "Axis 1 has the places 0 to 3 - 1, and place 5 was asked for"),
        ("range(np.ones(3))", "One number is needed"),
        ("a = np.ones(2)\na.flags.writeable = False\na[0] = 1", "make a copy first"),
        ("np.split(np.ones((2, 12)), 3)", "cuts along axis 0 unless you give another"),
        ("x = None\nx[0]", "Something here is None"),
        ("a, b = None", "look at what the function must return"),
        ("1 / 0", ""),
        ("{}['x']", ""),
        ("np.nothing_like_this_at_all", "Check the spelling."),
    ],
)
def test_an_exception_is_said_in_plain_words(source, words):
    told = plainly(raised(source))
    assert words in told
    assert bool(told) == bool(words)


@pytest.mark.parametrize(
    ("want", "have", "words"),
    [
        (np.ones((2, 3)), None, "is there a `return`?"),
        (np.ones((2, 3)), np.ones((3, 2)), "are two axes exchanged?"),
        (np.ones((2, 3)), np.ones((2, 3), int), "should be of type float64, not int64"),
        (np.ones((2, 3)), np.ones((2, 4)), "Axis 1 has the size 4 in place of 3."),
        (np.ones((2, 3)), np.ones(3), "too few axes: 1 in place of 2"),
        (np.ones(3), np.ones((1, 3)), "too many axes: 2 in place of 1"),
        (np.ones(3), np.zeros(3), ""),
        (1, 2, ""),
    ],
)
def test_a_value_of_another_kind_is_said_in_plain_words(want, have, words):
    _, message = compare(encode(want), encode(have))
    assert words in plainly(message)
    assert bool(plainly(message)) == bool(words)


def test_a_name_that_is_missing_is_found_nearby():
    told = "your code raised NameError: name 'rnn_step' is not defined"
    assert "(it defines 'rnn_stp'): keep the function's name" in plainly(told, STUB, "def rnn_stp(x, h):\n    return x")
    assert "your cell does not define it: keep" in plainly(told, STUB, "x = 1")
    told = "your code raised NameError: name 'wieght' is not defined"
    assert (
        plainly(told, STUB, "def rnn_step(x, weight):\n    return wieght")
        == "Check the spelling: did you mean 'weight'?"
    )
    assert plainly(told, STUB, "wieght") == ""


def test_a_loop_without_an_end_is_asked_for():
    assert "ends Python itself" in plainly("it ended the process")
    assert plainly("it was still running after 8 s") == "Is there a loop that never ends?"
