"""What a cell binds and what it takes from others is read from its text."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqlab.grading import names

BOUND = {
    "x = 1": {"x"},
    "x, (y, *z) = f()": {"x", "y", "z"},
    "x += 1": {"x"},
    "x: int = 1": {"x"},
    "def f(a):\n    b = a": {"f"},
    "def f(a):\n    global b\n    b = a": {"f", "b"},
    "class A:\n    b = 1": {"A"},
    "import os.path, numpy as np": {"os", "np"},
    "from a import b as c": {"c"},
    "for i in x: pass": {"i"},
    "with f() as g: pass": {"g"},
    "a.b = 1": {"a"},
    "a[i] = 1": {"a", "i"},
    "del a": {"a"},
    "if x:\n    y = 1": {"y"},
}
FREE = {
    "x = y + 1": {"y"},
    "x = 1\nprint(x)": {"print"},
    "def f(a):\n    return a + b": {"b"},
    "def f(a):\n    return g(a)\ndef g(a):\n    return f(a)": set(),
    "def f():\n    x = 1\n    def g():\n        return x + y": {"y"},
    "[a + b for a in c]": {"b", "c"},
    "class A(B):\n    c = d": {"B", "d"},
    "f = lambda a: a * b": {"b"},
    "import numpy as np\nnp.sum(x)": {"x"},
}


@pytest.mark.parametrize("source", BOUND)
def test_bound_names(source):
    assert names.bound(source) == BOUND[source]


@pytest.mark.parametrize("source", FREE)
def test_free_names(source):
    assert names.free(source) == FREE[source]


CELLS = {"one": "b = a", "two": "def c(x):\n    return b + x", "three": "d = c(1)", "other": "e = 1"}


def test_what_depends_on_a_name_is_found_through_others():
    assert names.reached({"a"}, CELLS) == {"one", "two", "three"}
    assert names.reached({"c"}, CELLS) == {"three"}
    assert names.reached({"nothing"}, CELLS) == set()


def test_what_a_text_depends_on_is_found_through_others():
    assert names.needed(["emit(d)"], CELLS) == {"one", "two", "three"}
    assert names.needed(["emit(e)"], CELLS) == {"other"}
    assert names.needed(["emit(1)"], CELLS) == set()


class Slow:
    """Garbage whose end gives other threads a turn, wherever the collector happens to run."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        time.sleep(0.0002)


def test_threads_may_parse_at_the_same_time():
    sources = [f"x = [{', '.join(['(1 + (2 * 3))'] * 200)}]; y_{n} = x" for n in range(20)]

    def parsed(source):
        for _ in range(3):
            Slow()
        return names.bound(source)

    usual = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(parsed, sources)) == [{"x", f"y_{n}"} for n in range(20)]
    finally:
        gc.set_threshold(*usual)
