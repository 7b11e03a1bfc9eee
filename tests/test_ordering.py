"""The largest numbers of rows, in an order that is the same everywhere."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqlab.ordering import first_largest

FEW = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])  # so that there are equals


@given(arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=FEW), st.data())
def test_they_are_those_that_a_stable_sort_puts_first(rows, data):
    width = data.draw(st.integers(1, rows.shape[1]))
    order = np.argsort(-rows, axis=1, kind="stable")[:, :width]
    values, places = first_largest(torch.tensor(rows), width)
    np.testing.assert_array_equal(places.numpy(), order)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(rows, order, axis=1))


def test_no_rows_give_none():
    assert [tuple(one.shape) for one in first_largest(torch.zeros(0, 4), 2)] == [(0, 2), (0, 2)]


def test_more_than_there_are_is_an_error():
    with pytest.raises(RuntimeError):
        first_largest(torch.zeros(2, 3), 4)
