"""n-gram models against counts made by hand, and the laws of probability."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.lm import NGram, perplexity

A, B, END = 0, 1, 2
SENTENCES = [[A, B, A, B, END], [A, A, END]]
MODELS = list(itertools.product((1, 2, 3, 5), (None, "add-k", "kneser-ney")))
CORPORA = st.lists(st.lists(st.integers(0, 3), max_size=8), min_size=1, max_size=4).filter(any)


def test_maximum_likelihood_is_the_ratio_of_counts():
    model = NGram(2, smoothing=None).fit(SENTENCES, 3)
    np.testing.assert_allclose(model.distribution([A]), [1 / 4, 2 / 4, 1 / 4])  # a b, a b, a a, a end
    np.testing.assert_allclose(model.distribution([B]), [1 / 2, 0, 1 / 2])
    np.testing.assert_allclose(model.distribution([]), [1, 0, 0])  # both begin with a
    np.testing.assert_allclose(NGram(1, smoothing=None).fit(SENTENCES, 3).distribution([B]), [4 / 8, 2 / 8, 2 / 8])


def test_the_beginning_of_a_sequence_is_a_context_of_its_own():
    model = NGram(3, smoothing=None).fit(SENTENCES, 3)
    np.testing.assert_allclose(model.distribution([A]), [1 / 2, 1 / 2, 0])  # a at the start: once a, once b
    np.testing.assert_allclose(model.distribution([B, A]), [0, 1, 0])
    np.testing.assert_allclose(model.distribution([A, A, B, A]), [0, 1, 0])  # only the last two count


def test_add_k_adds_k_to_every_count():
    model = NGram(2, smoothing="add-k", k=0.5).fit(SENTENCES, 3)
    np.testing.assert_allclose(model.distribution([A]), [1.5 / 5.5, 2.5 / 5.5, 1.5 / 5.5])
    np.testing.assert_allclose(model.distribution([END]), [1 / 3, 1 / 3, 1 / 3])  # nothing follows the end


def test_kneser_ney_by_hand():
    """Bigrams: (start a) 2, (a b) 2, (b a) 1, (b end) 1, (a a) 1, (a end) 1.

    One word alone counts the different words before it: a has start, b, a; b has a; end has b, a: 3, 1, 2 of 6.
    """
    d = 0.75
    unigram = np.array([3 - d, 1 - d, 2 - d]) / 6 + d * 3 / 6 * np.ones(3) / 3
    after_a = np.array([1 - d, 2 - d, 1 - d]) / 4 + d * 3 / 4 * unigram
    model = NGram(2, discount=d).fit(SENTENCES, 3)
    np.testing.assert_allclose(model.distribution([A]), after_a, rtol=1e-12)
    np.testing.assert_allclose(model.distribution([END]), unigram, rtol=1e-12)


def kneser_ney(word, context, rows, n, size, d):
    """The definition, word for word: all rows of the marked corpus, looked through again for every number."""

    def count(row):
        raw = sum(tuple(r[i : i + len(row)]) == row for r in rows for i in range(len(r) - len(row) + 1))
        if len(row) == n or row[0] == "start":
            return raw
        return len({r[i - 1] for r in rows for i in range(1, len(r)) if tuple(r[i : i + len(row)]) == row})

    counts = [count((*context, w)) for w in range(size)]
    lower = kneser_ney(word, context[1:], rows, n, size, d) if context else 1 / size
    if sum(counts) == 0:
        return lower
    seen = sum(c > 0 for c in counts)
    return max(counts[word] - d, 0) / sum(counts) + d * seen / sum(counts) * lower


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_kneser_ney_is_its_definition(n):
    rng = np.random.default_rng(n)
    sequences = [rng.integers(3, size=length).tolist() for length in (9, 1, 4, 6)]
    rows = [["start", *ids] if n > 1 else ids for ids in sequences]
    model = NGram(n, discount=0.6).fit(sequences, 4)
    for context in ([], [0], [1, 2], [2, 2, 1], [0, 1, 0, 2], [3], [3, 0]):
        marked = ("start", *context)[max(0, len(context) + 2 - n) :] if n > 1 else ()
        want = [kneser_ney(word, marked, rows, n, 4, 0.6) for word in range(4)]
        np.testing.assert_allclose(model.distribution(context), want, rtol=1e-12)


def test_a_word_known_from_one_context_only_is_not_expected_elsewhere():
    """The reason for Kneser-Ney: "francisco" is frequent, but only after "san"."""
    san, francisco, glasses, others = 0, 1, 2, [3, 4, 5]
    text = [san, francisco] * 20 + [word for other in others * 2 for word in (other, glasses)]
    model = NGram(2).fit([text], 7)
    p = model.distribution([6])  # a word never seen as a context
    assert text.count(francisco) > 3 * text.count(glasses)
    assert p[glasses] > 2 * p[francisco]


@pytest.mark.parametrize(("n", "smoothing"), MODELS)
@given(sequences=CORPORA, context=st.lists(st.integers(0, 4), max_size=6))
def test_every_context_has_a_distribution(n, smoothing, sequences, context):
    model = NGram(n, smoothing, k=0.3, discount=0.6).fit(sequences, 5)  # 4 is never seen
    p = model.distribution(context)
    assert p.shape == (5,)
    assert (p >= 0).all()
    assert math.isclose(p.sum(), 1, abs_tol=1e-12)
    assert smoothing is None or (p > 0).all()
    np.testing.assert_allclose([model.probability(word, context) for word in range(5)], p, rtol=1e-12)


@given(sequences=CORPORA, n=st.integers(1, 4))
def test_nothing_likes_the_training_text_better_than_its_own_counts(sequences, n):
    nll = {s: NGram(n, s).fit(sequences, 4).nll(sequences)[0] for s in (None, "add-k", "kneser-ney")}
    assert nll[None] <= min(nll.values()) + 1e-9
    assert math.isfinite(nll[None])


@pytest.mark.parametrize(("n", "smoothing"), MODELS)
def test_nll_is_the_sum_of_the_logarithms(n, smoothing):
    model = NGram(n, smoothing).fit(SENTENCES, 3)
    want = -sum(np.log(model.distribution(ids[:t])[ids[t]]) for ids in SENTENCES for t in range(len(ids)))
    nll, tokens = model.nll(SENTENCES)
    assert tokens == 8
    assert math.isclose(nll, want, rel_tol=1e-12)


def test_what_was_never_seen_has_infinite_perplexity_without_smoothing():
    held_out = [[B, B, END]]
    nll, tokens = NGram(2, smoothing=None).fit(SENTENCES, 3).nll(held_out)
    assert (nll, tokens) == (math.inf, 3)
    assert perplexity(nll, tokens) == math.inf
    assert perplexity(*NGram(2, "add-k").fit(SENTENCES, 3).nll(held_out)) < math.inf
    assert perplexity(*NGram(2).fit(SENTENCES, 3).nll(held_out)) < math.inf


def test_a_second_fit_forgets_the_first():
    fresh, again = NGram(3).fit([[B, B]], 3), NGram(3).fit(SENTENCES, 3).fit([[B, B]], 3)
    np.testing.assert_array_equal(again.distribution([B]), fresh.distribution([B]))


def test_sequences_may_be_arrays_and_some_empty():
    arrays = [np.array(SENTENCES[0]), np.array([], dtype=int), np.array(SENTENCES[1], dtype=np.int32)]
    for context in ([], [A], np.array([A, B])):
        want = NGram(3).fit(SENTENCES, 3).distribution(list(context))
        np.testing.assert_array_equal(NGram(3).fit(arrays, 3).distribution(context), want)


def test_kneser_ney_beats_add_one_on_text_it_has_not_seen():
    from seqlab import data

    text = data.book_text()
    letters = sorted(set(text))
    ids = [letters.index(letter) for letter in text[:20_000]]
    scores = {
        s: perplexity(*NGram(4, s).fit([ids[:16_000]], len(letters)).nll([ids[16_000:]]))
        for s in ("add-k", "kneser-ney")
    }
    assert 1 < scores["kneser-ney"] < 0.6 * scores["add-k"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: NGram(0), "n is 0"),
        (lambda: NGram(2.0), "n is 2.0"),
        (lambda: NGram(2, "laplace"), "smoothing is 'laplace'"),
        (lambda: NGram(2, k=0), "k is 0"),
        (lambda: NGram(2, discount=1.5), "discount is 1.5"),
        (lambda: NGram(2).fit([], 3), "hold no id"),
        (lambda: NGram(2).fit([[]], 3), "hold no id"),
        (lambda: NGram(2).fit([0, 1], 3), r"put one long text into a list: \[ids\]"),
        (lambda: NGram(2).fit(["ab"], 3), "put one long text into a list|encode words first"),
        (lambda: NGram(2).fit([["a"]], 3), "encode words first"),
        (lambda: NGram(2).fit([[0, 3]], 3), "ids from 0 to 3; the vocabulary has ids 0 to 2"),
        (lambda: NGram(2).fit([[-1]], 3), "ids from -1 to -1"),
        (lambda: NGram(2).fit([[0]], 3).nll([[5]]), "ids from 5 to 5"),
        (lambda: NGram(2).distribution([0]), "call fit"),
        (lambda: NGram(2).probability(0, [0]), "call fit"),
        (lambda: NGram(2).nll([[0]]), "call fit"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
