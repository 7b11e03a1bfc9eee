import pytest

from seqlab.data import addition


def ordered(question):
    return tuple(sorted(int(number) for number in question.split("+")))


def test_every_answer_is_the_sum():
    for question, answer in addition(2000, seed=1):
        a, b = question.split("+")
        assert str(int(a) + int(b)) == answer
        assert (str(int(a)), str(int(b))) == (a, b)  # no leading zeros


def test_no_sum_comes_twice_not_even_turned_around():
    pairs = addition(20_000)
    assert len({ordered(question) for question, _ in pairs}) == 20_000


def test_lengths_are_evenly_spread_while_there_are_sums_left():
    """Of a pair of lengths each is as common, but for the sums of two short numbers, of which there are few."""
    pairs = addition(9000)
    lengths = [tuple(map(len, question.split("+"))) for question, _ in pairs]
    for pair in [(1, 3), (3, 1), (2, 3), (3, 2), (3, 3)]:
        assert 0.10 < lengths.count(pair) / 9000 < 0.17, pair
    assert lengths.count((1, 1)) == 55


def test_a_seed_fixes_the_sums_and_fewer_are_the_beginning_of_more():
    few, many = addition(50, seed=3), addition(9000, seed=3)
    assert few == many[:50]
    assert addition(50, seed=4) != few


def test_all_sums_of_one_digit_can_be_had():
    assert {ordered(question) for question, _ in addition(55, digits=1)} == {
        (a, b) for b in range(10) for a in range(b + 1)
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "n is 0; it must be at least 1"),
        ({"n": 1, "digits": 0}, "digits is 0; it must be at least 1"),
        ({"n": 56, "digits": 1}, "n is 56; with 1 digits there are 55 different sums"),
    ],
)
def test_a_mistake_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        addition(**arguments)
