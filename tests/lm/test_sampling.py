"""Sampling: what is drawn, how often, from what set, and when it stops."""

import numpy as np
import pytest
import torch

from seqlab.lm import LanguageModel, NGram, sample
from seqlab.lm.sampling import draw

V = 6


@pytest.fixture(scope="module")
def recurrent():
    torch.manual_seed(0)
    model = LanguageModel(V, 4, 8, cell="rnn", dropout=0.5)
    with torch.no_grad():
        model.out.weight.mul_(5)  # far from uniform
    return model


@pytest.fixture(scope="module")
def counted():
    text = np.random.default_rng(0).choice(V, p=[0.05, 0.4, 0.2, 0.1, 0.05, 0.2], size=300)
    return NGram(2).fit([text], V)


@pytest.fixture(params=["recurrent", "counted"])
def model(request):
    return request.getfixturevalue(request.param)


def next_word(model, prefix):
    """The model's distribution after a prefix, (V,)."""
    if isinstance(model, NGram):
        return model.distribution(prefix)
    model.eval()
    with torch.no_grad():
        return model(torch.tensor([prefix]))[0][0, -1].double().softmax(0).numpy()


def test_words_come_as_often_as_the_model_says(model):
    p, N = next_word(model, [1, 2]), 4000
    drawn = np.bincount([s[0] for s in sample(model, [1, 2], rng=0, limit=1, samples=N)], minlength=V)
    assert (np.abs(drawn / N - p) < 4 * np.sqrt(p * (1 - p) / N) + 1e-12).all()


def test_what_was_drawn_is_fed_back(model):
    """The second word's distribution is that after the prefix and the first word."""
    N = 3000
    pairs = [tuple(s) for s in sample(model, [1], rng=0, limit=2, samples=N)]
    first = max(range(V), key=lambda word: next_word(model, [1])[word])
    after = np.bincount([b for a, b in pairs if a == first], minlength=V)
    p = next_word(model, [1, first])
    assert after.sum() > N / V
    assert (np.abs(after / after.sum() - p) < 4.5 * np.sqrt(p * (1 - p) / after.sum()) + 1e-12).all()


def test_the_whole_prefix_is_read(recurrent):
    def likeliest(prefix):
        return sample(recurrent, prefix, rng=0, temperature=0, limit=8)

    assert likeliest([3]) == likeliest([3])
    assert likeliest([1, 5, 3]) != likeliest([4, 0, 3])


def test_greedy_choice_is_always_the_same_and_is_the_likeliest(model):
    one = sample(model, [1], rng=0, temperature=0, limit=10)
    assert one == sample(model, [1], rng=99, temperature=0, limit=10)
    for t in range(10):
        assert one[t] == next_word(model, [1, *one[:t]]).argmax()
    assert len({tuple(s) for s in sample(model, [1], rng=0, limit=10, samples=20)}) == 20


def test_greedy_choice_runs_in_a_circle(model):
    """A bigram model that always takes the likeliest word must come back to a word, and then repeats itself.

    The recurrent model could go on for longer, for its state has more values than there are words; it does not.
    """
    text = sample(model, [1], rng=0, temperature=0, limit=120)
    tail = text[-60:]
    periods = [length for length in range(1, 31) if tail[length:] == tail[:-length]]
    assert periods, text
    assert not isinstance(model, NGram) or periods[0] <= V


@pytest.mark.parametrize(("top_k", "nucleus"), [(2, None), (None, 0.6), (4, 0.7), (1, None), (None, 1e-9)])
def test_the_filters_leave_exactly_the_promised_words(model, top_k, nucleus):
    p = next_word(model, [2])
    order = list(np.argsort(-p, kind="stable"))[: top_k or V]
    if nucleus is not None:
        share = np.cumsum(p[order]) / p[order].sum()
        order = order[: int(np.searchsorted(share, nucleus)) + 1]
    drawn = {s[0] for s in sample(model, [2], rng=0, limit=1, samples=4000, top_k=top_k, nucleus=nucleus)}
    assert drawn == set(order)


def test_high_temperature_spreads_and_low_temperature_gathers(model):
    def share(T):
        drawn = [s[0] for s in sample(model, [2], rng=0, limit=1, samples=2000, temperature=T)]
        return np.bincount(drawn, minlength=V).max() / 2000

    assert share(0.05) > 0.95 > share(1.0) > share(100.0)
    assert share(100.0) < 1.3 / V


def test_it_stops_at_the_end_or_at_the_limit(model):
    many = sample(model, [1], rng=0, eos=2, limit=12, samples=60)
    ended = [s for s in many if s[-1] == 2]
    assert 0 < len(ended) < 60
    assert all(2 not in s[:-1] for s in many)
    assert all(len(s) == 12 for s in many if s[-1] != 2)
    assert max(map(len, ended)) <= 12
    assert all(len(s) == 12 for s in sample(model, [1], rng=0, limit=12, samples=3))
    assert sample(model, [1], rng=0, limit=0) == []


def test_a_generator_and_its_seed_draw_the_same(model):
    assert sample(model, [1], rng=7) == sample(model, [1], rng=np.random.default_rng(7))
    rng = np.random.default_rng(7)
    assert sample(model, [1], rng=rng) != sample(model, [1], rng=rng)


def test_an_ngram_begins_a_sequence_from_nothing():
    model = NGram(3, smoothing=None).fit([[0, 1, 2, 5], [0, 1, 3, 5]], V)
    assert {tuple(s) for s in sample(model, [], rng=0, eos=5, samples=50)} == {(0, 1, 2, 5), (0, 1, 3, 5)}


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(recurrent, training):
    recurrent.train(training)
    before = torch.get_rng_state()
    a = sample(recurrent, [1], rng=0, limit=30)
    assert recurrent.training is training
    assert torch.equal(torch.get_rng_state(), before)
    assert a == sample(recurrent.eval(), [1], rng=0, limit=30)  # no dropout in either


def test_a_word_without_probability_is_never_drawn():
    class Edge:
        """The smallest and the largest number that a generator can give."""

        def __init__(self, u):
            self.u = u

        def random(self, shape):
            return np.full(shape, self.u)

    p = np.array([[0.0, 0.3, 0.0, 0.7, 0.0], [0.0, 0.1, 0.2, 0.7 - 2**-53, 0.0]])
    np.testing.assert_array_equal(draw(p, Edge(0.0)), [1, 1])
    np.testing.assert_array_equal(draw(p, Edge(1 - 2**-53)), [3, 3])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": -1}, "limit is -1"),
        ({"samples": 0}, "samples is 0"),
        ({"temperature": -0.5}, "T is -0.5"),
        ({"top_k": 0}, "k is 0"),
        ({"nucleus": 1.5}, "mass is 1.5"),
        ({"prefix": []}, "prefix is empty"),
        ({"prefix": [V]}, "ids run from 6 to 6"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(recurrent, options, words):
    with pytest.raises(ValueError, match=words):
        sample(recurrent, **{"prefix": [1], "rng": 0} | options)


@pytest.mark.parametrize("strange", [-1, V])
def test_a_prefix_outside_the_vocabulary_is_told_by_the_ngram_too(counted, strange):
    with pytest.raises(ValueError, match=f"prefix holds {strange}; the vocabulary has ids 0 to 5"):
        sample(counted, [1, strange], rng=0)
    with pytest.raises(ValueError, match="call fit"):
        sample(NGram(2), [1], rng=0)
