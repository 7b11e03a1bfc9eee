"""The recurrent language model: shapes, state, dropout in the right places, tied weights."""

import pytest
import torch
import torch.nn.functional as F

from seqlab.lm import LanguageModel

CELLS = ("rnn", "gru", "lstm")


def ids_of(B, T, V, seed=0):
    return torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))


def model_of(cell="rnn", **settings):
    torch.manual_seed(0)
    return LanguageModel(**{"size": 11, "embedding": 4, "hidden": 6, "cell": cell} | settings)


def parts(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
def test_scores_have_one_row_for_each_word_read(cell, layers):
    model = model_of(cell, layers=layers)
    logits, state = model(ids_of(2, 5, 11))
    assert logits.shape == (2, 5, 11)
    assert [part.shape for part in parts(state)] == [(layers, 2, 6)] * (2 if cell == "lstm" else 1)


@pytest.mark.parametrize("cell", CELLS)
def test_a_text_read_in_two_parts_is_the_text_read_at_once(cell):
    model, ids = model_of(cell, layers=2), ids_of(2, 7, 11)
    whole, last = model(ids)
    first, state = model(ids[:, :3])
    second, end = model(ids[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end, last)


@pytest.mark.parametrize("cell", CELLS)
def test_the_future_does_not_leak(cell):
    model, ids = model_of(cell), ids_of(1, 6, 11)
    other = ids.clone()
    other[0, 4] = (ids[0, 4] + 1) % 11
    before, after = model(ids)[0], model(other)[0]
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=0, atol=0)
    assert not torch.equal(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("cell", CELLS)
def test_detach_keeps_the_values_and_cuts_the_gradient(cell):
    model = model_of(cell)
    _, state = model(ids_of(2, 3, 11))
    cut = model.detach(state)
    assert all(part.requires_grad for part in parts(state))
    assert not any(part.requires_grad for part in parts(cut))
    torch.testing.assert_close(cut, tuple(p.data for p in state) if cell == "lstm" else state.data)
    assert model.detach(None) is None


def test_the_model_is_embedding_layers_and_scores():
    model, ids = model_of("rnn", layers=2), ids_of(2, 5, 11)
    twin = torch.nn.RNN(4, 6, num_layers=2, batch_first=True)
    twin.load_state_dict(model.recurrent.state_dict())
    h, _ = twin(model.embed.weight[ids])
    torch.testing.assert_close(model(ids)[0], h @ model.out.weight.T + model.out.bias)
    torch.testing.assert_close(model.hidden(ids)[0], h)


def test_scores_come_from_what_hidden_gives():
    model, ids = model_of(), ids_of(2, 5, 11)
    h, state = model.hidden(ids)
    torch.testing.assert_close(model(ids)[0], F.linear(h, model.out.weight, model.out.bias))
    torch.testing.assert_close(model(ids)[1], state)


def test_dropout_hits_every_connection_but_the_recurrent_one(monkeypatch):
    """Three calls for two layers: after the embedding, between the layers, before the scores; never on a state."""
    dropped, whole = [], F.dropout

    def spy(x, p=0.5, training=True, inplace=False):
        dropped.append((tuple(x.shape), p))
        return whole(x, p, training, inplace)

    monkeypatch.setattr(F, "dropout", spy)
    model, ids = model_of(layers=2, dropout=0.4), ids_of(2, 5, 11)
    model(ids)
    assert dropped == [((2, 5, 4), 0.4), ((5, 2, 6), 0.4), ((2, 5, 6), 0.4)]


def test_evaluation_drops_nothing_and_training_does():
    plain, dropping, ids = model_of(), model_of(dropout=0.5), ids_of(2, 5, 11)
    torch.testing.assert_close(plain(ids)[0], dropping.eval()(ids)[0], rtol=0, atol=0)
    dropping.train()
    assert not torch.equal(dropping(ids)[0], dropping(ids)[0])


def test_tied_weights_are_one_parameter_and_learn_from_both_uses():
    model, ids = model_of(embedding=6, tied=True), ids_of(3, 5, 11)
    assert model.out.weight is model.embed.weight
    untied = model_of(embedding=6)
    assert sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in model.parameters()) == 11 * 6
    untied.load_state_dict(model.state_dict())
    for one in (model, untied):
        F.cross_entropy(one(ids)[0].flatten(0, 1), ids.flatten()).backward()
    torch.testing.assert_close(model.out.weight.grad, untied.out.weight.grad + untied.embed.weight.grad)


@pytest.mark.parametrize("tied", [False, True])
def test_an_untrained_model_is_about_as_good_as_a_die(tied):
    torch.manual_seed(0)
    model, ids = LanguageModel(500, 64, 64, cell="rnn", tied=tied), ids_of(4, 50, 500)
    loss = F.cross_entropy(model(ids[:, :-1])[0].flatten(0, 1), ids[:, 1:].flatten())
    assert 0.9 * 500 < loss.exp() < 1.3 * 500


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: model_of(size=0), "size is 0"),
        (lambda: model_of(hidden=2.5), "hidden is 2.5"),
        (lambda: model_of("transformer"), "cell is 'transformer'; it must be 'rnn', 'gru' or 'lstm'"),
        (lambda: model_of(dropout=1.0), "dropout is 1.0"),
        (lambda: model_of(tied=True), "embedding is 4 and hidden is 6"),
        (lambda: model_of()(ids_of(1, 3, 11)[0]), r"ids has shape \(3,\); it must have shape \(B, T\)"),
        (lambda: model_of()(torch.zeros(1, 0, dtype=torch.long)), "at least one word"),
        (lambda: model_of()(torch.zeros(1, 3)), "ids is torch.float32"),
        (lambda: model_of()([[1, 2]]), "ids is list"),
        (lambda: model_of()(torch.tensor([[3, 11]])), "ids run from 3 to 11; the vocabulary has ids 0 to 10"),
        (lambda: model_of()(torch.tensor([[-1, 3]])), "ids run from -1 to 3"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
