"""One way to say that an argument is wrong: name it, say what it was and what it must be."""

from numbers import Integral


def check_shape(name, array, expected):
    """Compare a shape with a pattern and say in one sentence what is wrong.

    Parameters
    ----------
    name : the argument's name, as its caller wrote it.
    array : anything with a `.shape` (NumPy array or torch tensor).
    expected : sequence of ints and letters; a letter stands for any size, `("B", "T", 3)`.

    Returns
    -------
    sizes : dict from each letter to its size.

    Raises
    ------
    ValueError
        when the number of axes or a fixed size differs, or a letter stands for two different sizes.
    """
    shape = tuple(array.shape)
    text = "(" + ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "") + ")"
    wrong = ValueError(f"{name} has shape {shape}; it must have shape {text}")
    if len(shape) != len(expected):
        raise wrong
    sizes = {}
    for have, want in zip(shape, expected, strict=True):
        if isinstance(want, str):
            want = sizes.setdefault(want, have)
        if have != want:
            raise wrong
    return sizes


def check_whole(name, value, least=1):
    """Refuse what is no whole number (of Python or NumPy; True is none), or one that is too small.

    Parameters
    ----------
    name : the argument's name, as its caller wrote it.
    value : anything.
    least : the smallest that will do.

    Returns
    -------
    number : the value as an int of Python.

    Raises
    ------
    ValueError
        when it is none, or below `least`.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, at least {least}")
    return int(value)
