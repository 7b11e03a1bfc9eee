"""The NumPy encoder-decoder against torch's autograd, finite differences, and what must be exactly zero."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from seqlab.seq2seq import EncoderDecoder, reference
from seqlab.seq2seq.training import IGNORED, Batch, sequence_loss

S, V = 7, 6
FORMS = [(False, False), (True, False), (False, True), (True, True)]


def made(reverse=False, peek=False, seed=0):
    """A torch model in float64 and a ragged batch."""
    torch.manual_seed(seed)
    model = EncoderDecoder(S, V, embedding=3, hidden=4, reverse=reverse, peek=peek).double()
    rng = np.random.default_rng(seed)
    source, target_in = rng.integers(S, size=(3, 5)), rng.integers(V, size=(3, 4))
    return model, source, np.array([5, 1, 3]), target_in, rng.integers(V, size=(3, 4)), np.array([4, 2, 1])


def arrays(model):
    return {name: weight.detach().numpy().copy() for name, weight in model.state_dict().items()}


@pytest.mark.parametrize(("reverse", "peek"), FORMS)
def test_scores_are_those_of_the_torch_module(reverse, peek):
    model, source, lengths, target_in, *_ = made(reverse, peek)
    scores, _ = reference.forward(arrays(model), source, lengths, target_in, reverse, peek)
    want = model(torch.tensor(source), torch.tensor(lengths), torch.tensor(target_in)).detach().numpy()
    np.testing.assert_allclose(scores, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("reverse", "peek"), FORMS)
def test_gradients_are_those_of_autograd(reverse, peek):
    model, source, lengths, target_in, target, target_lengths = made(reverse, peek)
    scores, cache = reference.forward(arrays(model), source, lengths, target_in, reverse, peek)
    nll, dscores = reference.conditional_nll(scores, target, target_lengths)
    gradients = reference.backward(dscores, cache)
    out = target.copy()
    for row, n in enumerate(target_lengths):
        out[row, n:] = IGNORED
    batch = Batch(*map(torch.tensor, (source, lengths, target_in, out)))
    loss = sequence_loss(model, batch) * target_lengths.sum()
    loss.backward()
    assert np.isclose(nll.sum(), loss.item(), rtol=1e-12)
    assert set(gradients) == set(dict(model.named_parameters()))
    for name, weight in model.named_parameters():
        np.testing.assert_allclose(gradients[name], weight.grad.numpy(), rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("peek", [False, True])
def test_the_gradient_of_the_one_vector_agrees_with_finite_differences(peek):
    rng = np.random.default_rng(1)
    B, T, E, H = 2, 3, 3, 4
    y, h, c = rng.normal(size=(B, T, E)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    inputs, seen = (E + H, 2 * H) if peek else (E, H)
    lstm = [rng.normal(size=size) * 0.5 for size in ((4 * H, inputs), (4 * H, H), (4 * H,), (4 * H,))]
    out = rng.normal(size=(V, seen)), rng.normal(size=V)
    target, n = rng.integers(V, size=(B, T)), np.array([3, 2])

    def price(h, c):
        scores, _ = reference.decoder_forward(y, h, c, *lstm, *out, peek)
        return reference.conditional_nll(scores, target, n)[0].sum()

    scores, cache = reference.decoder_forward(y, h, c, *lstm, *out, peek)
    gradients = reference.decoder_backward(reference.conditional_nll(scores, target, n)[1], cache)
    for name in ("h", "c"):
        for place in np.ndindex(B, H):
            step = np.zeros((B, H))
            step[place] = 1e-6
            ways = [(h + sign * step, c) if name == "h" else (h, c + sign * step) for sign in (1, -1)]
            numeric = (price(*ways[0]) - price(*ways[1])) / 2e-6
            assert abs(numeric - gradients[name][place]) < 1e-7


def test_padding_gets_no_gradient_and_changes_nothing():
    model, source, lengths, target_in, target, target_lengths = made()
    weights = arrays(model)
    scores, cache = reference.forward(weights, source, lengths, target_in)
    for row, n in enumerate(lengths):
        source[row, n:] = (source[row, n:] + 1) % S
    assert np.array_equal(reference.forward(weights, source, lengths, target_in)[0], scores)
    _, dscores = reference.conditional_nll(scores, target, target_lengths)
    assert all((dscores[row, n:] == 0).all() for row, n in enumerate(target_lengths))
    assert all(np.abs(dscores[row, :n]).min() > 0 for row, n in enumerate(target_lengths))
    *_, encoded, decoded = cache
    later = reference.decoder_backward(dscores, decoded)
    dx = reference.encoder_backward(later["h"], later["c"], encoded)["x"]
    for row, n in enumerate(lengths):
        assert (dx[row, n:] == 0).all()
        assert (dx[row, :n] != 0).all()


def test_a_source_is_turned_around_within_its_own_length():
    ids = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [1, 2, 3, 4]])
    turned = reference.reverse_within(ids, [3, 1, 4])
    assert turned.tolist() == [[3, 2, 1, 0], [4, 0, 0, 0], [4, 3, 2, 1]]
    assert np.array_equal(reference.reverse_within(turned, [3, 1, 4]), ids)


def test_a_model_that_knows_nothing_pays_the_logarithm_of_the_vocabulary_for_each_symbol():
    nll, _ = reference.conditional_nll(np.zeros((2, 3, V)), np.zeros((2, 3), int), [3, 1])
    np.testing.assert_allclose(nll, [3 * np.log(V), np.log(V)])


def test_large_scores_do_not_overflow():
    nll, dscores = reference.conditional_nll(np.array([[[1e4, 0.0], [0.0, 1e4]]]), np.array([[0, 0]]), [2])
    assert nll.tolist() == [1e4]
    assert np.isfinite(dscores).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reference.reverse_within(np.zeros((2, 3), int), [0, 1]), "lengths goes from 0 to 1; with 3 steps"),
        (lambda: reference.reverse_within(np.zeros((2, 3), int), [1]), "lengths has shape"),
        (lambda: reference.conditional_nll(np.zeros((1, 2, 3)), np.array([[0, 3]]), [2]), "has ids 0 to 2"),
        (lambda: reference.conditional_nll(np.zeros((1, 2, 3)), np.zeros((2, 2), int), [2]), "target has shape"),
    ],
)
def test_a_mistake_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_reference_imports_no_torch():
    code = "import sys, seqlab.seq2seq.reference; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
