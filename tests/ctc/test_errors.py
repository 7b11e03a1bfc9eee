import itertools
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.ctc.reference import edit_distance, edits, label_error_rate

words = st.text("abc", max_size=6)


def by_definition(a, b):
    """The recursion over the first symbols, without a table."""

    @cache
    def distance(i, j):
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        if a[i] == b[j]:
            return distance(i + 1, j + 1)
        return 1 + min(distance(i + 1, j), distance(i, j + 1), distance(i + 1, j + 1))

    return distance(0, 0)


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("", "", 0), ("kitten", "sitting", 3), ("abc", "", 3), ([1, 2], [2], 1), ("ab", "ba", 2)]
)
def test_distances_that_everyone_knows(a, b, distance):
    assert edit_distance(a, b) == distance


@given(words, words)
def test_the_table_is_the_recursion(a, b):
    assert edit_distance(a, b) == by_definition(a, b)


@given(words, words, words)
def test_it_is_a_distance(a, b, c):
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@given(words, words)
def test_edits_lead_from_the_hypothesis_to_the_reference(a, b):
    found = edits(a, b)
    assert [x for _, x, _ in found if x is not None] == list(a)
    assert [y for _, _, y in found if y is not None] == list(b)
    assert sum(kind != "same" for kind, _, _ in found) == by_definition(a, b)
    for kind, x, y in found:
        assert kind == ("insertion" if y is None else "deletion" if x is None else "same" if x == y else "substitution")


def test_the_rate_counts_all_labels_once_and_not_the_mean_of_rates():
    assert label_error_rate([[1], [2, 2, 2, 2]], [[9], [2, 2, 2, 2]]) == 1 / 5
    assert label_error_rate(["three two"], ["tree two"]) == 1 / 8
    assert label_error_rate([["three", "two"]], [["tree", "two"]]) == 1 / 2
    assert label_error_rate(["aaa"], ["b"]) == 3  # above one


def test_what_has_no_rate_is_refused():
    with pytest.raises(ValueError, match="there are 1 hypotheses for 2 references"):
        label_error_rate(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="references hold no label"):
        label_error_rate(["a"], itertools.repeat("", 1))
