"""The batched search against the one in NumPy, and the laws that any search must keep."""

import numpy as np
import pytest
import torch

from seqlab.decode import (
    beam_search,
    beam_step,
    functional,
    greedy,
    reference,
    rescore,
    sample,
    stochastic_beam_search,
)
from seqlab.decode.states import as_numpy, select
from seqlab.kernels import has_triton, interpreting
from tests.decode.tiny import BOS, EOS, GNMT, PENALTIES, POWER, Recurrent, in_numpy, in_torch, tree

V, T = 3, 4
TRITON = pytest.param("triton", marks=pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone"))
SOURCES = [[1, 2, 3], [4], [5, 6, 7, 8, 1], [2, 2], [3, 1, 4, 1, 5, 2, 6], [8]]


def same(have, want):
    """Equal lists of hypotheses; the numbers to rounding."""
    assert [h.tokens for h in have] == [h.tokens for h in want]
    assert [h.finished for h in have] == [h.finished for h in want]
    for a, b in zip(have, want, strict=True):
        assert a.log_probs == pytest.approx(b.log_probs, abs=1e-9)
        assert (a.log_prob, a.score) == pytest.approx((b.log_prob, b.score), abs=1e-9)


@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("n_best", [1, 3, 100])
def test_torch_finds_what_numpy_finds(width, n_best, alpha, penalty):
    for seed in range(6):
        distribution = tree(seed, V)
        rest = BOS, EOS, width, T, alpha
        have = beam_search(*in_torch(distribution), *rest, penalty=penalty, n_best=n_best)[0]
        same(have, reference.beam_search(*in_numpy(distribution), *rest, penalty=penalty, n_best=n_best))


@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_wide_enough_finds_the_best_translation(seed, alpha, penalty):
    """As wide as there are outputs, the beam forgets nothing."""
    want = reference.exhaustive(*in_numpy(tree(seed, V)), BOS, EOS, T, alpha, penalty=penalty)
    model = in_torch(tree(seed, V))
    same(beam_search(*model, BOS, EOS, V**T, T, alpha, penalty=penalty, n_best=len(want))[0], want)
    same(beam_search(*model, BOS, EOS, V**T, T, alpha, penalty=penalty)[0], want[:1])


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("coverage", [0.2, 1.0])
def test_coverage_agrees_with_numpy_sentence_by_sentence(coverage, mask):
    model = Recurrent(mask=mask)
    rest = BOS, EOS, 3, 6, 0.5
    together = beam_search(model.step, model.start(SOURCES), *rest, coverage=coverage, n_best=3)
    changed = 0
    for source, have in zip(SOURCES, together, strict=True):
        alone = as_numpy(model.step), model.start([source])
        same(have, reference.beam_search(*alone, *rest, coverage=coverage, n_best=3))
        changed += have[0].tokens != reference.beam_search(*alone, *rest)[0].tokens
        for h in have:
            assert h.score <= h.log_prob / h.length**0.5 + 1e-9
    assert changed > 0


def test_width_one_is_greedy():
    model = Recurrent()
    one = beam_search(model.step, model.start(SOURCES), BOS, EOS, 1, 8)
    same([found[0] for found in one], greedy(model.step, model.start(SOURCES), BOS, EOS, 8))
    for seed in range(20):
        same(beam_search(*in_torch(tree(seed, V)), BOS, EOS, 1, T)[0], greedy(*in_torch(tree(seed, V)), BOS, EOS, T))


def test_greedy_agrees_with_numpy():
    model = Recurrent(seed=3)
    together = greedy(model.step, model.start(SOURCES), BOS, EOS, 8)
    assert {h.finished for h in together} == {True, False}
    for source, have in zip(SOURCES, together, strict=True):
        same([have], [reference.greedy(as_numpy(model.step), model.start([source]), BOS, EOS, 8)])


@pytest.mark.parametrize("coverage", [0.0, 0.4])
@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
def test_a_batch_finds_what_each_sentence_finds_alone(alpha, penalty, coverage):
    """Sentences of other lengths beside it, that stop at other times, change nothing."""
    model = Recurrent()
    rest = BOS, EOS, 3, 8, alpha
    options = {"penalty": penalty, "coverage": coverage, "n_best": 2}
    together = beam_search(model.step, model.start(SOURCES), *rest, **options)
    assert len({found[0].length for found in together}) > 1
    for source, have in zip(SOURCES, together, strict=True):
        same(have, beam_search(model.step, model.start([source]), *rest, **options)[0])


@pytest.mark.parametrize("coverage", [0.0, 0.4])
def test_scores_are_what_the_model_gives_when_it_reads_the_output(coverage):
    model = Recurrent()
    found = beam_search(model.step, model.start(SOURCES), BOS, EOS, 4, 6, 0.7, coverage=coverage, n_best=3)
    for place in range(3):
        outputs = [hypotheses[place] for hypotheses in found]
        again = rescore(model.step, model.start(SOURCES), BOS, EOS, [h.tokens for h in outputs], 0.7, coverage=coverage)
        same(outputs, again)


def test_rescoring_reads_word_by_word():
    distribution = tree(0, V)
    h = rescore(*in_torch(distribution), BOS, EOS, [[1, 2, EOS]], 2.0, penalty=GNMT)[0]
    p = [distribution(())[1], distribution((1,))[2], distribution((1, 2))[EOS]]
    assert h.log_probs == pytest.approx(np.log(p))
    assert h.score == pytest.approx(np.log(p).sum() / (8 / 6) ** 2)
    assert h.finished
    assert not rescore(*in_torch(distribution), BOS, EOS, [[1, 2]])[0].finished


@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
def test_a_reader_can_compute_every_score_again(alpha, penalty):
    for h in beam_search(*in_torch(tree(1, V)), BOS, EOS, 5, T, alpha, penalty=penalty, n_best=10)[0]:
        n = len(h.tokens)
        assert len(h.log_probs) == n == h.length
        assert h.log_prob == pytest.approx(sum(h.log_probs))
        assert h.score == pytest.approx(h.log_prob / (n if penalty == POWER else (5 + n) / 6) ** alpha)
        assert h.finished == (h.tokens[-1] == EOS)
        assert EOS not in h.words


@pytest.mark.parametrize("n_best", [1, 2, 4])
@pytest.mark.parametrize(("alpha", "penalty"), PENALTIES)
def test_to_stop_early_changes_no_result(alpha, penalty, n_best, monkeypatch):
    def search():
        steps = []

        def step(tokens, state):
            steps.append(len(tokens))
            return plain(tokens, state)

        found = []
        for seed in range(15):
            plain, state = in_torch(tree(seed, V))
            found.append(beam_search(step, state, BOS, EOS, 3, 6, alpha, penalty=penalty, n_best=n_best)[0])
        return found, len(steps)

    early, fewer = search()
    monkeypatch.setattr(functional, "best_reachable", lambda *_: np.inf)
    late, more = search()
    assert fewer < more or n_best > 1
    for a, b in zip(early, late, strict=True):
        same(a, b)


def test_a_wider_beam_may_find_a_worse_output():
    """Two beams leave the good beginning (1, 3) for (2, 3) and (2, 4), whose ends are all improbable."""

    def distribution(prefix):
        table = {
            (): [0, 0.55, 0.45, 0, 0, 0, 0, 0],
            (1,): [0, 0, 0, 0.35, 0.33, 0.32, 0, 0],
            (2,): [0, 0, 0, 0.5, 0.5, 0, 0, 0],
            (1, 3): [1, 0, 0, 0, 0, 0, 0, 0],
        }
        return np.array(table.get(prefix, [0.125] * 8))

    one, two, wide = (beam_search(*in_torch(distribution), BOS, EOS, K, 3)[0][0] for K in (1, 2, 8**3))
    assert one.tokens == wide.tokens == (1, 3, EOS)
    assert two.tokens == (2, 3, EOS)
    assert two.score < one.score - 1


def test_ends_do_not_starve_the_beam():
    """Every beam's likeliest word is the end; two beams still go on, and give results of every length."""

    def distribution(prefix):
        return np.array([0.8, 0.15, 0.05])

    found = beam_search(*in_torch(distribution), BOS, EOS, 2, 4, n_best=7)[0]
    assert [h.finished for h in found] == [True] * 7
    assert sorted(h.length for h in found) == [1, 2, 2, 3, 3, 4, 4]


def test_an_end_outside_the_best_candidates_is_no_result():
    """Two beams: the end is third at the first step, so it is not taken, as greedy would not take its second choice."""

    def distribution(prefix):
        return np.array([0.2, 0.45, 0.35]) if prefix == () else np.array([0.9, 0.05, 0.05])

    found = beam_search(*in_torch(distribution), BOS, EOS, 2, 3, n_best=9)[0]
    assert (0,) not in [h.tokens for h in found]
    assert found[0].tokens == (1, 0)


def test_equal_outputs_come_in_the_order_of_their_words():
    found = beam_search(*in_torch(lambda prefix: np.full(V, 1 / V)), BOS, EOS, 2, 2, n_best=4)[0]
    assert [h.tokens for h in found] == [(0,), (1, 0), (1, 1), (1, 2)]
    assert [h.finished for h in found] == [True, True, False, False]
    assert greedy(*in_torch(lambda prefix: np.full(V, 1 / V)), BOS, EOS, 2)[0].tokens == (0,)


def test_a_word_that_is_ruled_out_is_never_written():
    def distribution(prefix):
        p = tree(0, V)(prefix).copy()
        p[1] = 0
        return p / p.sum()

    for h in beam_search(*in_torch(distribution), BOS, EOS, V**T, T, n_best=100)[0]:
        assert 1 not in h.tokens
        assert np.isfinite(h.log_prob)


def test_where_nothing_can_follow_the_beginning_is_returned_as_not_finished():
    def step(tokens, state):
        log_p = torch.full((len(tokens), V), -torch.inf)
        if state.shape[1] < 2:
            log_p[:, 1] = 0.0
        return log_p, torch.cat([state, tokens[:, None]], 1)

    for found in (
        beam_search(step, torch.zeros(1, 0), BOS, EOS, 2, 5)[0],
        [greedy(step, torch.zeros(1, 0), BOS, EOS, 5)[0]],
        reference.beam_search(as_numpy(step), torch.zeros(1, 0), BOS, EOS, 2, 5),
        [reference.greedy(as_numpy(step), torch.zeros(1, 0), BOS, EOS, 5)],
    ):
        assert [h.tokens for h in found] == [(1, 1)]
        assert not found[0].finished


def test_what_does_not_end_is_marked_and_comes_after_what_ends():
    """At the limit a long beginning is likelier than a short output; it is still no output."""

    def distribution(prefix):
        return np.array([0.1, 0.9])

    found = beam_search(*in_torch(distribution), BOS, EOS, 2, 3, n_best=9)[0]
    assert [(h.tokens, h.finished) for h in found] == [
        ((0,), True),
        ((1, 0), True),
        ((1, 1, 0), True),
        ((1, 1, 1), False),
    ]
    assert found[-1].score > found[0].score
    never = beam_search(*in_torch(lambda prefix: np.array([0.0, 1.0])), BOS, EOS, 2, 3)[0]
    assert [(h.tokens, h.finished) for h in never] == [((1, 1, 1), False)]


def test_a_long_output_keeps_its_small_numbers_in_float32():
    """A thousand steps of -3: a float32 total would have lost the fourth digit."""
    rng = np.random.default_rng(0)
    table = torch.tensor(rng.normal(size=(1000, 20)) * 0.3, dtype=torch.float32)
    table[:, EOS] = -torch.inf

    def step(tokens, state):
        return table[state[:, 0]], state + 1

    h = beam_search(step, torch.zeros(1, 1, dtype=torch.int64), BOS, EOS, 4, 1000)[0][0]
    exact = table.double().log_softmax(1).amax(1)
    assert h.log_probs == pytest.approx(exact.tolist(), abs=2e-6)
    assert h.log_prob == pytest.approx(float(exact.sum()), abs=2e-5)
    assert h.log_prob < -2000


@pytest.mark.parametrize("backend", ["torch", TRITON])
@pytest.mark.parametrize(("B", "K", "V", "width"), [(1, 1, 1, 1), (2, 3, 7, 6), (3, 2, 63, 5), (2, 4, 300, 8)])
def test_a_beam_step_is_the_sorted_beginning_of_all_continuations(B, K, V, width, backend):
    device = "cuda" if has_triton() and not interpreting() else "cpu"
    rng = np.random.default_rng(0)
    scores, totals = rng.normal(size=(B, K, V)).astype(np.float32), -rng.random((B, K)).astype(np.float32)
    scores[:, :, ::5] = -np.inf if V > 5 else 0
    totals[:, 1:2] = -np.inf
    given = torch.tensor(scores, device=device), torch.tensor(totals, device=device)
    values, beams, tokens = (t.cpu().numpy() for t in beam_step(*given, width, backend))
    flat = (reference.log_softmax(scores) + totals[..., None]).reshape(B, K * V)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :width]
    want = np.take_along_axis(flat, order, 1)
    possible = want > -np.inf
    assert possible.any(axis=1).all()
    assert np.allclose(values[possible], want[possible], atol=1e-5)
    assert np.isneginf(values[~possible]).all()
    assert (np.stack([beams, tokens])[:, possible] == np.stack([order // V, order % V])[:, possible]).all()


@pytest.mark.parametrize("backend", ["torch", TRITON])
def test_of_equal_continuations_the_first_are_taken(backend):
    device = "cuda" if has_triton() and not interpreting() else "cpu"
    scores, totals = torch.zeros(1, 3, 5, device=device), torch.zeros(1, 3, device=device)
    scores[0, 2, 4] = 1.0
    scores[0, 2, :4] = -1.0
    _, beams, tokens = beam_step(scores, totals, 4, backend)
    assert (beams[0] * 5 + tokens[0]).tolist() == [14, 0, 1, 2]


@pytest.mark.skipif(not has_triton(), reason="Triton is for Linux alone")
def test_the_kernel_finds_the_same_sentences():
    torch.manual_seed(0)
    table = torch.randn(7, 7, device="cuda" if not interpreting() else "cpu") * 2
    state = torch.zeros(3, 1, dtype=torch.int64, device=table.device)

    def step(tokens, state):
        return table[(tokens + state[:, 0]) % 7], state + 1

    found = [beam_search(step, state, 1, EOS, 3, 4, n_best=2, backend=way) for way in ("torch", "triton")]
    for a, b in zip(*found, strict=True):
        assert [h.tokens for h in a] == [h.tokens for h in b]
        assert [h.score for h in a] == pytest.approx([h.score for h in b], abs=1e-5)


def test_rows_are_chosen_in_every_corner_of_a_state():
    from collections import namedtuple

    Pair = namedtuple("Pair", "a b")
    state = {"x": Pair(torch.arange(3), None), "y": [(torch.arange(6).view(3, 2),)]}
    chosen = select(state, torch.tensor([2, 0, 2]))
    assert isinstance(chosen["x"], Pair)
    assert chosen["x"].a.tolist() == [2, 0, 2]
    assert chosen["x"].b is None
    assert chosen["y"][0][0].tolist() == [[4, 5], [0, 1], [4, 5]]


def test_a_step_may_have_no_state():
    logits = torch.tensor([2.0, 0.0, 1.0])
    found = beam_search(lambda tokens, state: (logits.expand(len(tokens), 3), state), None, BOS, EOS, 2, 3)
    assert len(found) == 1
    assert (
        found[0][0].tokens
        == reference.exhaustive(lambda tokens, state: (logits.numpy()[None], state), None, BOS, EOS, 3)[0].tokens
    )


def test_no_sentence_gives_no_result():
    empty = (lambda tokens, state: 1 / 0), torch.zeros(0, 4), BOS, EOS
    assert greedy(*empty, T) == beam_search(*empty, 2, T) == rescore(*empty, []) == []
    assert sample(*empty, T, rng=0) == stochastic_beam_search(*empty, 2, T, rng=0) == []


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": torch.zeros(2, 1), "b": torch.zeros(3)}, r"shapes \[\(2, 1\), \(3,\)\]; all must have the same first"),
        ((torch.tensor(1.0),), "all must have the same first"),
        ({"a": torch.zeros(1, 1), "b": 3}, "state holds a int; it must be tensors in tuples, lists and dicts"),
    ],
)
def test_a_state_whose_rows_cannot_be_chosen_is_refused(state, message):
    with pytest.raises(ValueError, match=message):
        beam_search(lambda tokens, state: (torch.zeros(len(tokens), 3), state), state, BOS, EOS, 2, 3)


@pytest.mark.parametrize("search", [lambda *a: greedy(*a, 3), lambda *a: beam_search(*a, 2, 3)])
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.tensor([[0.0, torch.nan, 0.0]]), "scores with NaN or"),
        (torch.tensor([[0.0, torch.inf, 0.0]]), "finite or -Inf"),
        (torch.zeros(3), r"the scores of step has shape \(3,\)"),
        (torch.zeros(1, 0), "eos is 0; the step scores the ids 0 to -1"),
    ],
)
def test_a_step_that_is_wrong_is_told(search, scores, message):
    def step(tokens, state):
        return scores.expand(len(tokens), *scores.shape[1:]) if scores.ndim > 1 else scores, state

    with pytest.raises(ValueError, match=message):
        search(step, torch.zeros(1, 1), BOS, EOS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beam_width": 0}, "beam_width is 0"),
        ({"max_len": 0}, "max_len is 0"),
        ({"n_best": 1.5}, "n_best is 1.5"),
        ({"alpha": -1.0}, "alpha is -1.0; it must be a number, at least 0"),
        ({"penalty": "log"}, "penalty is 'log'; it must be 'power' or 'gnmt'"),
        ({"coverage": 0.1}, "coverage needs attention: step must return a dict"),
        ({"backend": "cuda"}, "backend is 'cuda'"),
    ],
)
def test_what_no_search_can_use_is_refused(change, message):
    given = {"beam_width": 2, "max_len": T} | change
    with pytest.raises(ValueError, match=message):
        beam_search(*in_torch(tree(0, V)), BOS, EOS, **given)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([[1]], "there are 1 sequences and 2 sentences"),
        ([[1], []], "sequence 1 is empty; it must hold at least <eos>"),
        ([[1], [1, 3]], "a sequence holds 3; the step scores the ids 0 to 2"),
    ],
)
def test_sequences_that_cannot_be_scored_are_refused(sequences, message):
    with pytest.raises(ValueError, match=message):
        rescore(*in_torch(tree(0, V), 2), BOS, EOS, sequences)


@pytest.mark.parametrize(
    ("shapes", "width", "message"),
    [
        (((2, 3), (2, 3)), 1, r"scores has shape \(2, 3\); it must have shape \(B, K, V\)"),
        (((2, 3, 4), (2, 4)), 1, r"totals has shape \(2, 4\); it must have shape \(2, 3\)"),
        (((2, 3, 4), (2, 3)), 13, "width is 13; with 3 beams and 4 words it must be 1 to 12"),
        (((2, 3, 4), (2, 3)), 0, "width is 0"),
    ],
)
def test_a_beam_step_names_what_does_not_fit(shapes, width, message):
    with pytest.raises(ValueError, match=message):
        beam_step(*map(torch.zeros, shapes), width)


def test_a_beam_step_refuses_nan():
    with pytest.raises(ValueError, match="scores or totals holds NaN"):
        beam_step(torch.full((1, 1, 3), torch.nan), torch.zeros(1, 1), 2)
