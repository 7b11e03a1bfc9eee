import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.text import batches, mask, pad

sequences = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=12), min_size=1, max_size=20)


@given(sequences, st.integers(-200, 200))
def test_padding_keeps_the_content_and_fills_the_rest(rows, value):
    ids, lengths = pad(rows, value)
    assert ids.shape == (len(rows), max(map(len, rows)))
    assert np.issubdtype(ids.dtype, np.integer)
    for row, length, given_row in zip(ids, lengths, rows, strict=True):
        assert row[:length].tolist() == given_row
        assert (row[length:] == value).all()


@given(sequences)
def test_the_mask_marks_exactly_the_real_steps(rows):
    ids, lengths = pad(rows, value=99)
    real = mask(lengths, ids.shape[1])
    assert real.dtype == bool
    assert (real.sum(axis=1) == lengths).all()
    assert ids[real].tolist() == [i for row in rows for i in row]
    assert (ids[~real] == 99).all()


def test_a_length_of_zero_and_of_all_steps_have_masks():
    assert mask([0, 3], 3).tolist() == [[False] * 3, [True] * 3]


def test_steps_may_be_vectors():
    x, lengths = pad([np.ones((2, 3)), np.ones((4, 3))], value=-1.0)
    assert x.shape == (2, 4, 3)
    assert lengths.tolist() == [2, 4]
    assert (x[0, 2:] == -1).all()


def test_padding_agrees_with_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    rows = [rng.integers(500, size=n) for n in (1, 63, 7)]
    theirs = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=-100)
    assert (pad(rows, value=-100)[0] == theirs.numpy()).all()


@given(sequences, st.integers(1, 25), st.integers(0, 5))
def test_batches_visit_every_sequence_once(rows, batch_size, seed):
    seen = []
    for ids, lengths, picked in batches(rows, batch_size, np.random.default_rng(seed)):
        assert len(ids) == len(lengths) == len(picked) <= batch_size
        for row, length, i in zip(ids, lengths, picked, strict=True):
            assert row[:length].tolist() == rows[i]
        assert ids.shape[1] == lengths.max()
        seen += picked.tolist()
    assert sorted(seen) == list(range(len(rows)))


def test_batches_are_shuffled_by_the_generator_and_by_nothing_else():
    rows = [[i] for i in range(50)]

    def order(rng):
        return [i for _, _, picked in batches(rows, 8, rng) for i in picked.tolist()]

    assert order(None) == list(range(50))
    assert order(np.random.default_rng(3)) == order(np.random.default_rng(3)) != order(None)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: pad([]), "the batch is empty; pad needs at least one sequence"),
        (lambda: pad([[1], []]), "sequence 1 of the batch has no steps"),
        (lambda: pad([[1], 2]), "sequence 1 of the batch has no steps"),
        (lambda: pad([[[1, 2]], [[1, 2, 3]]]), r"a step of sequence 1 has shape \(3,\); in sequence 0 it has \(2,\)"),
        (lambda: pad([["a"]]), "pad needs numbers, so encode words first"),
        (lambda: pad([[1]], value=0.5), "the fill value is 0.5; sequences of integers need an integer"),
        (lambda: pad([[1]], value=float("nan")), "the fill value is nan"),
        (lambda: mask([2, -1], 3), "sequence 1 has length -1; with 3 steps a length lies between 0 and 3"),
        (lambda: mask([4], 3), "sequence 0 has length 4"),
        (lambda: mask([], 3), "lengths is empty"),
        (lambda: mask([1.0], 3), "lengths has dtype float64"),
        (lambda: mask([[1]], 3), r"lengths has shape \(1, 1\); it must have shape \(B,\)"),
        (lambda: batches([], 2), "there are no sequences"),
        (lambda: batches([[1]], 0), "batch_size is 0; it must be at least 1"),
    ],
)
def test_a_mistake_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
