"""Batches that come back the same, a loss that counts symbols, schedules of the teacher, answers that must be whole."""

import math

import numpy as np
import pytest
import torch

from seqlab.learning import learn
from seqlab.seq2seq import (
    EncoderDecoder,
    Translator,
    exact_match,
    pairs_batches,
    reference,
    sequence_loss,
    teacher_share,
)
from seqlab.seq2seq.training import IGNORED, by_length, make_batch, right, validation_loss
from seqlab.seq2seq.translator import vocabularies

PAIRS = [("ab", "x"), ("c", "yy"), ("abcab", "xyx"), ("ba", "y"), ("cc", "xx"), ("bacc", "yx"), ("b", "xyy")]


def translator(pairs=PAIRS, seed=0, **form):
    both = vocabularies(pairs, "characters")
    torch.manual_seed(seed)
    model = EncoderDecoder(len(both[0]), len(both[1]), **({"embedding": 4, "hidden": 8} | form))
    return Translator(model, *both, "characters")


def texts(batch, t):
    """The pairs that a batch holds."""
    sources = [
        "".join(t.source_vocabulary.decode(row[:n]))
        for row, n in zip(batch.source.tolist(), batch.lengths, strict=True)
    ]
    targets = [
        "".join(t.target_vocabulary.decode([i for i in row if i != IGNORED])) for row in batch.target_out.tolist()
    ]
    return list(zip(sources, targets, strict=True))


def test_a_batch_is_one_step_ahead_of_itself():
    t = translator()
    batch = make_batch([([2, 3], [4, 5]), ([2], [5])], t)
    assert batch.source.tolist() == [[2, 3], [2, 0]]
    assert batch.lengths.tolist() == [2, 1]
    assert batch.target_in.tolist() == [[t.bos, 4, 5], [t.bos, 5, 0]]
    assert batch.target_out.tolist() == [[4, 5, t.eos], [5, t.eos, IGNORED]]


@pytest.mark.parametrize("sort", [1, 2, 100])
def test_an_epoch_holds_every_pair_once_in_another_order_each_time(sort):
    t, rng = translator(), np.random.default_rng(0)
    draw = pairs_batches(PAIRS[:6], t, 2, sort=sort, seed=3)
    assert draw.epoch == 3
    epochs = [[texts(draw(step, rng), t) for step in range(3 * e, 3 * e + 3)] for e in range(6)]
    for epoch in epochs:
        assert sorted(pair for batch in epoch for pair in batch) == sorted((s, y + "<eos>") for s, y in PAIRS[:6])
    assert len({str(epoch) for epoch in epochs}) > 1
    again = pairs_batches(PAIRS[:6], t, 2, sort=sort, seed=3)
    assert texts(again(16, rng), t) == epochs[5][1]  # a run that goes on finds the batch that it would have had


def test_sorting_pads_less_and_leaves_the_batches_in_no_order():
    rng = np.random.default_rng(0)
    pairs = [("a" * n, "x") for n in rng.integers(1, 40, size=400)]
    t = translator(pairs)
    sums, first = {}, {}
    for sort in (1, 10):
        draw = pairs_batches(pairs, t, 20, sort=sort)
        widths = [draw(step, rng).source.shape[1] for step in range(20)]
        sums[sort], first[sort] = sum(widths), widths
    assert sums[10] < 0.7 * sums[1]
    assert first[10] != sorted(first[10])


def test_what_fills_no_batch_is_left_out_and_a_large_batch_takes_all():
    t, rng = translator(), np.random.default_rng(0)
    assert pairs_batches(PAIRS, t, 2).epoch == 3
    assert len(pairs_batches(PAIRS, t, 1000)(0, rng).source) == len(PAIRS)


def test_the_teacher_speaks_as_often_as_asked():
    t = translator()
    pairs = [("ab", "xyxyxyxy")] * 500
    draw = pairs_batches(pairs, t, 500, teacher=lambda step: 0.3 if step == 0 else 1.0)
    first, later = (draw(step, np.random.default_rng(5)).teacher for step in (0, 1))
    assert first.shape == (500, 9)
    assert abs(first.double().mean() - 0.3) < 0.02
    assert later.all()
    assert torch.equal(draw(0, np.random.default_rng(5)).teacher, first)
    assert pairs_batches(pairs, t, 500)(0, np.random.default_rng(5)).teacher is None


@pytest.mark.parametrize("attention", [None, "additive"])
def test_the_loss_is_the_mean_over_real_symbols(attention):
    t = translator(attention=attention)
    t.model.double()
    rows = [(t.source_vocabulary.encode(s), t.target_vocabulary.encode(y)) for s, y in PAIRS]
    nll = symbols = 0
    for row in rows:
        one = make_batch([row], t)
        scores = t.model(one.source, one.lengths, one.target_in).detach().numpy()
        target = one.target_out.numpy()
        nll += reference.conditional_nll(scores, target, [target.shape[1]])[0].sum()
        symbols += target.size
    assert math.isclose(sequence_loss(t.model, make_batch(rows, t)).item(), nll / symbols, rel_tol=1e-12)
    assert math.isclose(validation_loss(t.model, PAIRS, t, batch_size=3), nll / symbols, rel_tol=1e-12)


def test_the_schedules_are_those_of_the_paper():
    constant, half = teacher_share(), teacher_share("constant", k=0.5)
    assert [constant(i) for i in (0, 1000)] == [1, 1]
    assert half(7) == 0.5
    linear = teacher_share("linear", c=0.01, least=0.2)
    np.testing.assert_allclose([linear(i) for i in (0, 10, 80, 500)], [1, 0.9, 0.2, 0.2])
    exponential = teacher_share("exponential", k=0.99)
    np.testing.assert_allclose([exponential(i) for i in (0, 1, 100)], [1, 0.99, 0.99**100])
    sigmoid = teacher_share("inverse-sigmoid", k=50)
    np.testing.assert_allclose([sigmoid(i) for i in (0, 50, 200)], [50 / 51, 50 / (50 + np.e), 50 / (50 + np.e**4)])
    assert sigmoid(10**9) < 1e-12
    for share in (linear, exponential, sigmoid):
        values = [share(i) for i in range(0, 1000, 10)]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("cosine", {}, "kind is 'cosine'"),
        ("linear", {}, "the linear schedule needs c"),
        ("exponential", {"k": 0.9, "c": 0.1}, "no other takes it"),
        ("linear", {"c": -1}, "c is -1"),
        ("exponential", {}, "the exponential schedule needs k"),
        ("exponential", {"k": 2}, "k is 2; it must be a share"),
        ("inverse-sigmoid", {"k": 0.5}, "k is 0.5; the inverse sigmoid needs"),
        ("constant", {"least": 2}, "least is 2"),
    ],
)
def test_a_wrong_schedule_is_named(kind, numbers, words):
    with pytest.raises(ValueError, match=words):
        teacher_share(kind, **numbers)


class Says:
    """Answers from a table."""

    split = "characters"

    def __init__(self, table):
        self.table = table

    def answers(self, texts, batch_size=256, max_len=None):
        return [self.table[text] for text in texts]


def test_an_answer_counts_when_all_of_it_is_right():
    says = Says({"1+1": "2", "2+2": "40", "10+10": "20", "10+11": ""})
    pairs = [("1+1", "2"), ("2+2", "4"), ("10+10", "20"), ("10+11", "21")]
    assert right(says, pairs).tolist() == [True, False, True, False]
    assert exact_match(says, pairs) == 0.5
    assert by_length(says, pairs, [2, 4, 6]) == [{"from": 2, "n": 2, "exact": 0.5}, {"from": 4, "n": 2, "exact": 0.5}]
    assert by_length(says, pairs, [5]) == [{"from": 5, "n": 2, "exact": 0.5}]
    with pytest.raises(ValueError, match="no pairs to measure on"):
        exact_match(says, [])


@pytest.mark.slow
@pytest.mark.parametrize("attention", [None, "dot", "additive"])
def test_a_small_model_learns_to_turn_words_around(attention):
    rng = np.random.default_rng(0)
    words = {"".join(rng.choice(list("abcd"), size=rng.integers(1, 4))) for _ in range(300)}
    pairs = [(word, word[::-1]) for word in sorted(words)]
    t = translator(pairs, hidden=24, embedding=8, attention=attention)
    learn(t.model, sequence_loss, pairs_batches(pairs, t, 32), steps=150, lr=1e-2, progress=False)
    t.model.eval()
    assert exact_match(t, pairs) > 0.9


def test_wrong_pairs_are_named():
    t = translator()
    with pytest.raises(ValueError, match="no pairs to learn from"):
        pairs_batches([], t)
    with pytest.raises(ValueError, match=r"the source of the pair \('', 'x'\) is empty"):
        pairs_batches([("", "x")], t)
    with pytest.raises(ValueError, match="batch_size is 0"):
        pairs_batches(PAIRS, t, 0)
