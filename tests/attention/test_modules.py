"""The modules: against the NumPy reference, and against their twins in torch."""

import copy

import numpy as np
import pytest
import torch

import seqlab.attention
from seqlab.attention import (
    AttentionWeight,
    BahdanauAttention,
    LuongAttention,
    MultiHeadAttention,
    PositionalEncoding,
    TransformerEncoder,
    TransformerEncoderLayer,
    VisualAttention,
    WeightedSum,
    local_weights,
    reference,
)

B, TQ, TK, D = 2, 3, 5, 4


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + sum(shape)))


def lengths_mask(*lengths, T=TK):
    return torch.arange(T) < torch.tensor(lengths)[:, None]


def same(ours, theirs, atol=1e-10):
    ours, theirs = (torch.as_tensor(x).detach() for x in (ours, theirs))
    return ours.shape == theirs.shape and torch.allclose(ours, theirs, rtol=0, atol=atol)


def weights_of(module):
    return {name: p.detach().numpy() for name, p in module.named_parameters()}


# --- of a decoder


def test_the_notes_layers_are_the_references():
    hs, h, mask = draw(B, TK, D), draw(B, D), lengths_mask(TK, 2)
    a = AttentionWeight()(hs, h, mask)
    assert same(a, reference.attention_weight(hs.numpy(), h.numpy(), mask.numpy()))
    assert same(WeightedSum()(hs, a), reference.weighted_sum(hs.numpy(), a.numpy()))
    with pytest.raises(ValueError, match="h has shape"):
        AttentionWeight()(hs, draw(B, 7))
    with pytest.raises(ValueError, match="a has shape"):
        WeightedSum()(hs, draw(B, 7))


def test_bahdanau_attention_is_the_references_additive_score():
    attention = BahdanauAttention(3, 7, D).double()
    query, keys, values, mask = draw(B, TQ, 3), draw(B, TK, 7), draw(B, TK, 2), lengths_mask(TK, 2)
    p = weights_of(attention)
    scores = reference.additive_score(query.numpy(), keys.numpy(), p["W_q.weight"], p["W_k.weight"], p["v"])
    want, want_weights = reference.attention_forward(scores, values.numpy(), mask[:, None].numpy())
    context, weights = attention(query, keys, values, mask)
    assert same(context, want)
    assert same(weights, want_weights)
    again, _ = attention(query, keys, values, mask, projected=attention.project(keys))
    assert torch.equal(again, context)


SCORES = {
    "dot": lambda p, q, k: reference.dot_score(q, k),
    "scaled": lambda p, q, k: reference.scaled_dot_score(q, k),
    "bilinear": lambda p, q, k: reference.bilinear_score(q, k, p["W.weight"]),
    "additive": lambda p, q, k: reference.additive_score(q, k, p["W_q.weight"], p["W_k.weight"], p["v"]),
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("local", [None, "monotonic", "predictive"])
@pytest.mark.parametrize("masked", [None, "keys", "pairs"])
def test_luong_attention_is_the_reference(score, local, masked):
    key_size = D if score in ("dot", "scaled") else 7
    attention = LuongAttention(D, key_size, score, local, window=2).double()
    query, keys = draw(B, TQ, D), draw(B, TK, key_size)
    mask, lengths = None, np.array([TK, TK])
    if masked == "keys":
        mask, lengths = lengths_mask(TK, 2), np.array([TK, 2])
    if masked == "pairs":
        mask = lengths_mask(TK, 2)[:, None].expand(B, TQ, TK).contiguous()
        mask[0, 1, 3:] = False
    pairs = None if mask is None else (mask[:, None] if mask.ndim == 2 else mask).numpy()
    p = weights_of(attention)
    scores = SCORES[score](p, query.numpy(), keys.numpy())
    if local is None:
        want = reference.masked_softmax(scores, pairs)
    else:
        places = np.tile(np.arange(TQ, dtype=float), (B, 1))
        if local == "predictive":
            places = reference.local_centers(query.numpy(), p["W_p.weight"], p["v_p"], lengths)
            if masked == "pairs":
                places = places / lengths[:, None] * mask.sum(-1).numpy()
        want = reference.local_weights(scores, places, 2, local == "predictive", pairs)
        assert same(attention.places(query, mask, size=TK), places)
    context, weights = attention(query, keys, mask=mask)
    assert same(weights, want)
    assert same(context, want @ keys.numpy())


def test_a_decoder_that_sends_its_queries_one_by_one_gets_the_same():
    query, keys, mask = draw(B, TQ, D), draw(B, TK, D), lengths_mask(TK, 2)
    modules = [
        LuongAttention(D, D, local="monotonic", window=1),
        LuongAttention(D, D, "additive", local="predictive", window=1),
        BahdanauAttention(D, D, 6),
        VisualAttention(D, D, 6),
    ]
    for attention in modules:
        attention.double()
        context, weights = attention(query, keys, mask=mask)
        for t in range(TQ):
            options = {"first": t} if isinstance(attention, LuongAttention) else {}
            one, its_weights = attention(query[:, t], keys, mask=mask, **options)
            assert same(one, context[:, t])
            assert same(its_weights, weights[:, t])


def test_a_predicted_place_learns_through_its_gaussian():
    attention = LuongAttention(D, D, local="predictive", window=2).double()
    context, _ = attention(draw(B, TQ, D), draw(B, TK, D))
    context.sum().backward()
    assert all((p.grad != 0).any() for p in attention.parameters())


@pytest.mark.parametrize("gaussian", [False, True])
def test_local_weights_are_the_references_with_its_gradients(gaussian):
    scores, p = draw(B, TQ, TK).requires_grad_(), (draw(B, TQ) + 2).requires_grad_()
    weights = local_weights(scores, p, 1.5, gaussian, lengths_mask(TK, 3))
    arrays = scores.detach().numpy(), p.detach().numpy(), 1.5, gaussian, lengths_mask(TK, 3)[:, None].numpy()
    assert same(weights, reference.local_weights(*arrays))
    upstream = draw(B, TQ, TK, seed=1)
    weights.backward(upstream)
    back = reference.local_weights_backward(upstream.numpy(), *arrays)
    assert same(scores.grad, back["scores"])
    assert same(p.grad if gaussian else torch.zeros(B, TQ, dtype=torch.float64), back["p"])


def test_visual_attention_is_additive_attention_times_its_gate():
    attention = VisualAttention(3, 7, D).double()
    query, grid = draw(B, 3), draw(B, 7, 2, 3)
    keys = grid.flatten(2).mT
    context, weights = attention(query, keys)
    ungated, plain_weights = attention.attention(query, keys)
    beta = attention.openness(query)
    assert ((beta > 0) & (beta < 1)).all()
    assert same(context, beta * ungated)
    assert same(weights, plain_weights)
    assert same(weights.sum(-1), torch.ones(B, dtype=torch.float64))
    assert same(attention(query, keys, projected=attention.project(keys))[0], context)
    whole = VisualAttention(3, 7, D, gate=False).double()
    assert (whole.openness(query) == 1).all()
    assert len(list(whole.parameters())) == len(list(attention.parameters())) - 2


def test_every_place_looked_at_once_costs_nothing():
    loss = VisualAttention.doubly_stochastic_loss
    assert loss(torch.eye(4)[None]) == 0
    assert loss(torch.eye(4)[None], torch.tensor([[True, True, False, True]])) == 1
    assert loss(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])) == 2


def test_nothing_to_attend_to_gives_zeros_in_every_module():
    query, keys, mask = draw(B, TQ, D), draw(B, TK, D), lengths_mask(TK, 0)
    modules = [
        BahdanauAttention(D, D, 6),
        *(LuongAttention(D, D, s, local) for s in SCORES for local in (None, "monotonic", "predictive")),
        VisualAttention(D, D, 6),
        MultiHeadAttention(D, 2),
    ]
    for attention in modules:
        x = keys.clone().requires_grad_()
        context, weights = attention.double()(query, x, mask=mask)
        assert (weights[1] == 0).all()
        if not isinstance(attention, MultiHeadAttention):  # its last layer adds a bias
            assert (context[1] == 0).all()
        context[1].sum().backward()
        assert (x.grad == 0).all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in attention.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LuongAttention(3, 4), "must be the same"),
        (lambda: LuongAttention(3, 3, "cosine"), "score is 'cosine'"),
        (lambda: LuongAttention(3, 3, local="here"), "local is 'here'"),
        (lambda: LuongAttention(3, 3, window=0), "window is 0"),
        (lambda: LuongAttention(3, 3).places(draw(1, 1, 3)), "looks everywhere"),
        (lambda: LuongAttention(3, 3, local="predictive").places(draw(1, 1, 3)), "size is None"),
        (lambda: BahdanauAttention(3, 4, 0), "hidden is 0"),
        (lambda: BahdanauAttention(3, 4, 5)(draw(B, 3), draw(B, TK, 3)), "keys has shape"),
        (lambda: BahdanauAttention(3, 4, 5)(draw(B, 4), draw(B, TK, 4)), "query has shape"),
        (lambda: MultiHeadAttention(6, 4), "share it evenly"),
        (lambda: MultiHeadAttention(4, 2)(draw(B, TQ, 4), draw(B, TK, 4), mask=torch.ones(TK)), "mask holds"),
        (
            lambda: MultiHeadAttention(4, 2)(draw(B, TQ, 4), draw(B, TK, 4), mask=lengths_mask(1, 2, 3)),
            "mask has shape",
        ),
        (lambda: TransformerEncoderLayer(4, 2, activation="tanh"), "activation is 'tanh'"),
        (lambda: TransformerEncoder(TransformerEncoderLayer(4, 2), 0), "num_layers is 0"),
        (lambda: PositionalEncoding(4)(draw(1, 2, 4), first=-1), "first is -1"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- torch's twins


def twins(**options):
    """A torch module and ours, made from the same seed, which must give the same first weights."""
    torch.manual_seed(1)
    theirs = torch.nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64, **options)
    torch.manual_seed(1)
    return theirs, MultiHeadAttention(6, 2, dtype=torch.float64, **options)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"kdim": 4}, {"kdim": 4, "vdim": 3, "bias": False}])
@pytest.mark.parametrize("masked", [None, "keys", "pairs", "heads", "causal", "causal and keys"])
@pytest.mark.parametrize("need_weights", [True, False])
def test_multi_head_attention_draws_loads_and_computes_as_torch(options, masked, need_weights):
    theirs, ours = twins(**options)
    assert set(theirs.state_dict()) == set(ours.state_dict())
    assert all(torch.equal(ours.state_dict()[name], p) for name, p in theirs.state_dict().items())
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    sizes = {"kdim": 6, "vdim": 6} | options
    tensors = [draw(B, TQ, 6), draw(B, TK, sizes["kdim"], seed=1), draw(B, TK, sizes["vdim"], seed=2)]
    mask, torch_options, causal = None, {}, "causal" in (masked or "")
    past = torch.ones(TQ, TK, dtype=torch.bool).tril()
    if masked == "keys":
        mask = lengths_mask(TK, 2)
        torch_options = {"key_padding_mask": ~mask}
    if masked == "pairs":
        mask = (draw(B, TQ, TK) > 0) | (torch.arange(TK) == 0)
        torch_options = {"attn_mask": ~mask.repeat_interleave(2, 0)}
    if masked == "heads":
        mask = (draw(B, 2, TQ, TK) > 0) | (torch.arange(TK) == 0)
        torch_options = {"attn_mask": ~mask.flatten(0, 1)}
    if causal:
        torch_options = {"attn_mask": ~past}
    if masked == "causal and keys":
        mask = lengths_mask(TK, 2)
        torch_options |= {"key_padding_mask": ~mask}
    mine = [t.clone().requires_grad_() for t in tensors]
    other = [t.clone().requires_grad_() for t in tensors]
    context, weights = ours(*mine, mask, is_causal=causal, need_weights=need_weights)
    want, want_weights = theirs(*other, average_attn_weights=False, **torch_options)
    assert same(context, want)
    assert weights is None if not need_weights else same(weights, want_weights)
    upstream = draw(*context.shape, seed=3)
    context.backward(upstream)
    want.backward(upstream)
    assert all(same(a.grad, b.grad) for a, b in zip(mine, other, strict=True))
    assert all(same(a.grad, b.grad) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


LAYERS = [
    {},
    {"norm_first": True},
    {"activation": "gelu", "norm_first": True, "bias": False},
    {"layer_norm_eps": 0.1, "bias": False},
]


def layer_twins(options, **more):
    torch.manual_seed(2)
    theirs = torch.nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, dtype=torch.float64, **options, **more)
    torch.manual_seed(2)
    return theirs, TransformerEncoderLayer(6, 2, 8, dtype=torch.float64, **options, **more)


@pytest.mark.parametrize("options", LAYERS)
@pytest.mark.parametrize("masked", [None, "keys", "causal", "pairs"])
@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_layer_draws_loads_and_computes_as_torch(options, masked, training):
    theirs, ours = layer_twins(options, dropout=0.0)
    assert all(torch.equal(ours.state_dict()[name], p) for name, p in theirs.state_dict().items())
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    theirs.train(training)
    ours.train(training)
    x, mask, torch_options = draw(B, TK, 6), None, {}
    if masked == "keys":
        mask = lengths_mask(TK, 3)
        torch_options = {"src_key_padding_mask": ~mask}
    if masked == "causal":
        torch_options = {"src_mask": ~torch.ones(TK, TK, dtype=torch.bool).tril(), "is_causal": True}
    if masked == "pairs":
        mask = (draw(B, TK, TK) > 0) | torch.eye(TK, dtype=torch.bool)
        torch_options = {"src_mask": ~mask.repeat_interleave(2, 0)}
    real = lengths_mask(TK, 3) if masked == "keys" else torch.ones(B, TK, dtype=torch.bool)
    ours_y, theirs_y = ours(x, mask, is_causal=masked == "causal"), theirs(x, **torch_options)
    assert same(ours_y[real], theirs_y[real])
    weights = ours.attention_weights(x, mask, is_causal=masked == "causal")
    assert same(weights.sum(-1), torch.ones(B, 2, TK, dtype=torch.float64))


def test_padding_does_not_matter_to_the_encoder_layer():
    _, ours = layer_twins({}, dropout=0.0)
    x, mask = draw(B, TK, 6), lengths_mask(TK, 3)
    y = ours(x, mask)
    x[1, 3:] = 1e3
    assert torch.equal(ours(x, mask)[mask], y[mask])
    assert same(ours(x[1:, :3]), y[1:, :3])


def test_a_sequence_of_padding_alone_stays_finite():
    _, ours = layer_twins({}, dropout=0.0)
    x = draw(B, TK, 6).requires_grad_()
    y = ours(x, lengths_mask(TK, 0))
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_encoder_loads_torchs_and_gives_its_numbers(norm_first):
    theirs, ours = layer_twins({"norm_first": norm_first}, dropout=0.0)
    norm = torch.nn.LayerNorm(6, dtype=torch.float64) if norm_first else None
    theirs = torch.nn.TransformerEncoder(theirs, 3, copy.deepcopy(norm), enable_nested_tensor=False)
    ours = TransformerEncoder(ours, 3, norm)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    x, mask = draw(B, TK, 6), lengths_mask(TK, 3)
    assert same(ours(x, mask)[mask], theirs(x, src_key_padding_mask=~mask)[mask])
    before = ours(x, is_causal=True)[:, :2]
    x[:, 2:] += 1
    assert torch.equal(ours(x, is_causal=True)[:, :2], before)


def test_dropout_works_in_training_alone():
    _, ours = layer_twins({}, dropout=0.5)
    x = draw(B, TK, 6)
    assert not torch.equal(ours(x), ours(x))
    ours.eval()
    assert torch.equal(ours(x), ours(x))


def test_places_are_the_references_at_any_length_and_in_any_type():
    encoding = PositionalEncoding(6)
    P = reference.positional_encoding(300, 6)
    assert same(encoding(torch.zeros(1, 5, 6, dtype=torch.float64))[0], P[:5])
    assert same(encoding(torch.zeros(1, 300, 6, dtype=torch.float64))[0], P)
    assert same(encoding(torch.zeros(1, 5, 6), first=250)[0].double(), P[250:255], atol=1e-6)
    assert same(encoding(torch.ones(1, 2, 6, dtype=torch.float64))[0], 1 + P[:2])
    assert not encoding.state_dict()


def test_the_room_exports_its_names():
    for name in ("masked_softmax", "local_weights", "VisualAttention", "TransformerEncoder"):
        assert callable(getattr(seqlab.attention, name))
        assert name in dir(seqlab.attention)
