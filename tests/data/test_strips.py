import numpy as np
import pytest
from sklearn.datasets import load_digits

from seqlab import data
from seqlab.data import strips

digits = load_digits()


def test_a_strip_is_a_picture_of_eight_rows_with_its_digits():
    made = data.digit_strips(60, shortest=1, longest=9)
    assert {len(labels) for _, labels in made} == set(range(1, 10))
    assert {label for _, labels in made for label in labels} == set(range(10))
    for image, labels in made:
        assert image.shape[0] == 8
        assert image.dtype == np.float32
        assert image.min() == 0
        assert 0.5 < image.max() <= 1
        assert image.shape[1] >= 2 * len(labels)  # frames enough for any repeats
        assert not image[:, [0, -1]].any()  # a margin at either end


def test_the_same_seed_makes_the_same_strips_and_fewer_are_the_beginning_of_more():
    few, more, other = data.digit_strips(3, seed=5), data.digit_strips(8, seed=5), data.digit_strips(3, seed=6)
    for (image, labels), (again, same) in zip(few, more, strict=False):
        assert np.array_equal(image, again)
        assert labels == same
    assert [labels for _, labels in few] != [labels for _, labels in other]


def test_no_digit_is_in_two_splits_and_strangers_are_whole_forms():
    parts = {split: {d.tobytes() for group in groups for d in group} for split, groups in strips._digits().items()}
    assert sum(len(part) for part in parts.values()) == len(set().union(*parts.values())) == len(digits.target)
    assert {split: len(part) for split, part in parts.items()} == {"train": 1212, "test": 203, "strangers": 382}
    begins = [i for i in range(len(digits.target) - 30) if (digits.target[i : i + 30] == np.arange(30) % 10).all()]
    assert strips.FIRST_STRANGER in begins  # where somebody else's form begins
    assert parts["strangers"] == {(d / 16).tobytes() for d in digits.images[strips.FIRST_STRANGER :]}


@pytest.mark.parametrize("split", strips.SPLITS)
def test_every_split_has_strips_of_its_own_with_every_digit(split):
    made, rest = data.digit_strips(40, split=split), [s for s in strips.SPLITS if s != split]
    assert {label for _, labels in made for label in labels} == set(range(10))
    for other in rest:
        assert [labels for _, labels in made] != [labels for _, labels in data.digit_strips(40, split=other)]


def test_digits_of_one_form_are_more_alike_than_digits_of_two():
    """Why a test on held-out digits of known hands says little about strangers."""
    forms = [slice(begin, begin + 126) for begin in (1029, 1157, 1287, 1415)]

    def nearest(one, other):
        """Mean distance of a digit of one form to the nearest of its class, itself left out, in the other."""
        found = []
        for digit in range(10):
            a, b = (digits.data[form][digits.target[form] == digit] for form in (one, other))
            apart = np.linalg.norm(a[:, None] - b[None], axis=2)
            found.append(np.where(apart > 0, apart, np.inf).min(axis=1).mean())
        return np.mean(found)

    table = np.array([[nearest(one, other) for other in forms] for one in forms])
    own = np.diag(table).copy()
    np.fill_diagonal(table, np.inf)
    assert (1.15 * own < table.min(axis=1)).all()


def test_digits_may_touch_and_vary_in_width():
    made = data.digit_strips(100, shortest=2, longest=2)
    empty_inside = [(image[:, 3:-3].max(axis=0) == 0).sum() for image, _ in made]
    assert min(empty_inside) == 0 < max(empty_inside)
    widths = [image.shape[1] for image, labels in made if 1 not in labels]
    assert max(widths) > 1.5 * min(widths)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": 0}, "n is 0; it must be at least 1"),
        ({"n": 1, "shortest": 0}, "shortest is 0; it must be at least 1"),
        ({"n": 1, "shortest": 4, "longest": 3}, "longest is 3; it must be at least 4"),
        ({"n": 1, "split": "dev"}, "split is 'dev'; it must be 'train', 'test' or 'strangers'"),
    ],
)
def test_what_is_out_of_range_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        data.digit_strips(**given)
