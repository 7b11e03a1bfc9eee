"""The encoder-decoder: one state from step to step, padding that does not matter, a teacher that may be silent."""

from itertools import product

import pytest
import torch

from seqlab.decode import beam_search, greedy
from seqlab.seq2seq import EncoderDecoder

S, V = 9, 7
SCORES = (None, "dot", "scaled", "bilinear", "additive")
FORMS = [
    {"attention": attention, "peek": peek, "reverse": reverse, "bidirectional": both}
    for attention, peek, reverse, both in product(SCORES, (False, True), (False, True), (False, True))
]
OTHERS = [
    {"cell": "gru"},
    {"cell": "rnn", "peek": True},
    {"layers": 2, "attention": "dot"},
    {"layers": 2, "cell": "gru", "bidirectional": True, "attention": "additive", "peek": True},
    {"attention": "additive", "attention_size": 2},
]


def made(seed=0, **form):
    torch.manual_seed(seed)
    return EncoderDecoder(S, V, **({"embedding": 3, "hidden": 6} | form)).double().eval()


def batch(seed=1):
    torch.manual_seed(seed)
    return torch.randint(S, (4, 5)), torch.tensor([5, 1, 3, 4]), torch.randint(V, (4, 6))


def name(form):
    return " ".join(f"{key}={value}" for key, value in form.items() if value) or "plain"


def tensors(state):
    """Every tensor in a state."""
    if isinstance(state, dict):
        state = tuple(state.values())
    if isinstance(state, tuple):
        return [tensor for part in state for tensor in tensors(part)]
    return [] if state is None else [state]


@pytest.mark.parametrize("form", FORMS + OTHERS, ids=name)
def test_all_steps_at_once_are_step_after_step(form):
    model, (source, lengths, target_in) = made(**form), batch()
    scores = model(source, lengths, target_in)
    assert scores.shape == (4, 6, V)
    state = model.encode(source, lengths)
    for t in range(6):
        one, state = model.step(target_in[:, t], state)
        assert all(len(tensor) == 4 for tensor in tensors(state))
        torch.testing.assert_close(one, scores[:, t], rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS + OTHERS, ids=name)
def test_padding_does_not_matter(form):
    """Not what stands in it, nor how much there is."""
    model, (source, lengths, target_in) = made(**form), batch()
    scores = model(source, lengths, target_in)
    longer = torch.cat([source, torch.randint(S, (4, 3))], dim=1)
    for row, n in enumerate(lengths):
        longer[row, n:] = (longer[row, n:] + 1) % S
    torch.testing.assert_close(model(longer, lengths, target_in), scores, rtol=0, atol=1e-12)
    alone = model(source[1:2, :1], lengths[1:2], target_in[1:2])
    torch.testing.assert_close(alone, scores[1:2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS, ids=name)
def test_every_weight_gets_a_gradient(form):
    model, (source, lengths, target_in) = made(**form), batch()
    model(source, lengths, target_in).square().sum().backward()
    for weight_name, weight in model.named_parameters():
        assert weight.grad.abs().sum() > 0, weight_name


@pytest.mark.parametrize("attention", SCORES)
def test_a_teacher_that_always_speaks_is_teacher_forcing(attention):
    model, (source, lengths, target_in) = made(attention=attention), batch()
    forced = model(source, lengths, target_in)
    told = model(source, lengths, target_in, torch.ones(4, 6, dtype=torch.bool))
    torch.testing.assert_close(told, forced, rtol=0, atol=1e-12)


@pytest.mark.parametrize("attention", SCORES)
def test_without_a_teacher_the_model_hears_what_it_wrote(attention):
    model, (source, lengths, target_in) = made(attention=attention), batch()
    target_in[:, 0] = 2
    scores = model(source, lengths, target_in, torch.zeros(4, 6, dtype=torch.bool))
    want = greedy(model.step, model.encode(source, lengths), 2, V - 1, 6)
    for row, hypothesis in enumerate(want):
        n = hypothesis.length
        assert scores[row, :n].argmax(1).tolist() == list(hypothesis.tokens)
    assert (scores != model(source, lengths, target_in)).any()


def test_a_mixed_teacher_is_followed_place_by_place():
    model, (source, lengths, target_in) = made(), batch()
    teacher = torch.rand(4, 6) < 0.5
    scores = model(source, lengths, target_in, teacher)
    state, tokens = model.encode(source, lengths), target_in[:, 0]
    for t in range(6):
        one, state = model.step(tokens, state)
        torch.testing.assert_close(one, scores[:, t], rtol=0, atol=1e-12)
        if t < 5:
            tokens = torch.where(teacher[:, t + 1], target_in[:, t + 1], one.argmax(1))


@pytest.mark.parametrize("attention", SCORES[1:])
@pytest.mark.parametrize("reverse", [False, True])
def test_weights_sum_to_one_over_the_real_source(attention, reverse):
    model, (source, lengths, target_in) = made(attention=attention, reverse=reverse), batch()
    state = model.encode(source, lengths)
    assert state["weights"].tolist() == torch.zeros(4, 5).tolist()
    for t in range(3):
        _, state = model.step(target_in[:, t], state)
        real = torch.arange(5) < lengths[:, None]
        assert (state["weights"][~real] == 0).all()
        assert (state["weights"][real] > 0).all()
        torch.testing.assert_close(state["weights"].sum(1), torch.ones(4, dtype=torch.float64))


def test_a_reversed_model_reads_from_the_end_and_remembers_places():
    plain, turned = made(attention="dot"), made(attention="dot", reverse=True)
    source, lengths = torch.tensor([[1, 2, 3, 0]]), torch.tensor([3])
    there = plain.encode(torch.tensor([[3, 2, 1]]), lengths)
    here = turned.encode(source, lengths)
    torch.testing.assert_close(here["cell"], there["cell"])
    torch.testing.assert_close(here["values"][:, :3], there["values"].flip(1))  # place 0 is still the first word


def test_dot_scaled_and_bilinear_are_what_their_names_say():
    source, lengths, target_in = batch()
    dot, scaled, bilinear = (made(attention=score) for score in SCORES[1:4])
    for other in (scaled, bilinear):
        other.load_state_dict(dot.state_dict(), strict=False)
    with torch.no_grad():
        bilinear.key.weight.copy_(torch.eye(6, dtype=torch.float64) * 6**-0.5)
    scores = [model(source, lengths, target_in) for model in (dot, scaled, bilinear)]
    torch.testing.assert_close(scores[1], scores[2], rtol=0, atol=1e-12)
    assert (scores[0] - scores[1]).abs().max() > 1e-4
    state = dot.encode(source, lengths)
    _, after = dot.step(target_in[:, 0], state)
    query = after["cell"][0][:, -1]
    by_hand = torch.einsum("bh,bth->bt", query, state["values"]).masked_fill(~state["mask"], -torch.inf).softmax(1)
    torch.testing.assert_close(after["weights"], by_hand)


def test_a_model_without_attention_keeps_nothing_but_one_vector_and_its_cell():
    model, (source, lengths, _) = made(), batch()
    state = model.encode(source, lengths)
    assert {key for key, value in state.items() if value is not None} == {"cell"}
    assert sum(tensor[0].numel() for tensor in tensors(state)) == 2 * 6


def test_the_states_go_through_a_beam_search():
    for form in ({}, {"attention": "additive", "bidirectional": True, "peek": True}):
        model, (source, lengths, _) = made(**form), batch()
        found = beam_search(model.step, model.encode(source, lengths), 2, 3, 3, 6, n_best=2)
        for row, hypotheses in enumerate(found):
            for hypothesis in hypotheses:
                given = torch.tensor([[2, *hypothesis.tokens[:-1]]])
                scores = model(source[row : row + 1], lengths[row : row + 1], given)[0].log_softmax(1)
                total = scores[torch.arange(hypothesis.length), list(hypothesis.tokens)].sum().item()
                assert abs(total - hypothesis.log_prob) < 1e-9


def test_dropout_works_in_training_alone():
    model, (source, lengths, target_in) = made(dropout=0.5, layers=2), batch()
    assert torch.equal(model(source, lengths, target_in), model(source, lengths, target_in))
    model.train()
    assert not torch.equal(model(source, lengths, target_in), model(source, lengths, target_in))


def test_the_settings_make_the_same_model_again():
    model = made(layers=2, cell="gru", bidirectional=True, attention="bilinear", peek=True, reverse=True, dropout=0.1)
    again = EncoderDecoder(**model.settings).double()
    again.load_state_dict(model.state_dict())
    source, lengths, target_in = batch()
    assert torch.equal(again.eval()(source, lengths, target_in), model(source, lengths, target_in))
    assert again.settings == model.settings


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"hidden": 0}, "hidden is 0; it must be a whole number, at least 1"),
        ({"cell": "mlp"}, "cell is 'mlp'; it must be 'rnn', 'gru' or 'lstm'"),
        ({"hidden": 5, "bidirectional": True}, "hidden is 5; two directions need an even number"),
        ({"attention": "cosine"}, "attention is 'cosine'; it must be None, 'dot'"),
        ({"dropout": 1}, "dropout is 1; it must be a probability"),
        ({"attention_size": 3}, "attention_size is 3 and attention None; only 'additive' has one"),
        ({"attention": "additive", "attention_size": 0}, "attention_size is 0; it must be a whole number"),
    ],
)
def test_a_wrong_form_is_named(form, words):
    with pytest.raises(ValueError, match=words):
        EncoderDecoder(S, V, **form)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.encode(torch.zeros(2, 3), torch.tensor([1, 1])), "source is torch.float32"),
        (lambda m: m.encode(torch.full((1, 2), S), torch.tensor([1])), f"source runs from {S} to {S}"),
        (lambda m: m.encode(torch.zeros(1, 2, dtype=torch.long), torch.tensor([3])), "with 2 steps every length"),
        (lambda m: m.encode(torch.zeros(1, 0, dtype=torch.long), torch.tensor([1])), "at least one symbol"),
        (lambda m: m(*batch()[:2], torch.zeros(3, 2, dtype=torch.long)), "source has shape"),
        (lambda m: m(*batch(), torch.ones(4, 5, dtype=torch.bool)), "teacher has shape"),
        (lambda m: m.step(torch.zeros(4, 1, dtype=torch.long), m.encode(*batch()[:2])), "tokens has shape"),
    ],
)
def test_a_wrong_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(made())
