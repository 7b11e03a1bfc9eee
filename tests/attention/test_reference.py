"""The NumPy forms: forward against torch, every gradient against torch's autograd in float64."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.attention import functional, reference

B, TQ, TK, D, DV = 2, 3, 5, 4, 6


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def lengths_mask(*lengths, T):
    return np.arange(T) < np.array(lengths)[:, None]


def leaves(*arrays):
    return [torch.tensor(a, requires_grad=True) for a in arrays]


def same(ours, theirs):
    return np.allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-10)


# --- scores

SCORES = {
    "dot_score": ({"q": (B, TQ, D), "k": (B, TK, D)}, lambda q, k: q @ k.mT),
    "scaled_dot_score": ({"q": (B, TQ, D), "k": (B, TK, D)}, lambda q, k: q @ k.mT / 2),
    "bilinear_score": (
        {"q": (B, TQ, 3), "k": (B, TK, 7), "W": (3, 7)},
        lambda q, k, W: torch.einsum("bid,de,bje->bij", q, W, k),
    ),
    "additive_score": (
        {"q": (B, TQ, 3), "k": (B, TK, 7), "W_q": (D, 3), "W_k": (D, 7), "v": (D,)},
        lambda q, k, W_q, W_k, v: torch.tanh((q @ W_q.T)[:, :, None] + (k @ W_k.T)[:, None]) @ v,
    ),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_score_and_its_gradient_agree_with_autograd(name):
    shapes, by_torch = SCORES[name]
    arrays = {key: draw(*shape, seed=i) for i, (key, shape) in enumerate(shapes.items())}
    tensors = leaves(*arrays.values())
    want = by_torch(*tensors)
    ds = draw(*want.shape, seed=9)
    assert same(getattr(reference, name)(**arrays), want)
    want.backward(torch.tensor(ds))
    ours = getattr(reference, f"{name}_backward")(ds, **arrays)
    assert set(ours) == set(arrays)
    for key, tensor in zip(arrays, tensors, strict=True):
        assert same(ours[key], tensor.grad)


def test_the_scale_can_be_given():
    q, k = draw(B, TQ, D), draw(B, TK, D)
    assert np.allclose(reference.scaled_dot_score(q, k, scale=3.0), 3 * reference.dot_score(q, k))
    back = reference.scaled_dot_score_backward(np.ones((B, TQ, TK)), q, k, scale=3.0)
    assert np.allclose(back["q"], 3 * k.sum(1, keepdims=True))


@pytest.mark.parametrize("name", SCORES)
def test_a_score_names_the_shape_that_does_not_fit(name):
    shapes, _ = SCORES[name]
    arrays = {key: draw(*shape) for key, shape in shapes.items()}
    with pytest.raises(ValueError, match="k has shape"):
        getattr(reference, name)(**arrays | {"k": draw(B, TK, 9, 9)})
    with pytest.raises(ValueError, match="q holds int64"):
        getattr(reference, name)(**arrays | {"q": np.ones(shapes["q"], int)})
    with pytest.raises(ValueError, match="ds has shape"):
        getattr(reference, f"{name}_backward")(draw(B, TQ), **arrays)


# --- weights and sums


def test_masked_softmax_agrees_with_torch_and_gives_zeros_where_nothing_may_be_attended():
    scores, mask = draw(3, TK) * 50, lengths_mask(TK, 2, 0, T=TK)
    ours = reference.masked_softmax(scores, mask)
    assert same(ours, functional.masked_softmax(torch.tensor(scores), torch.tensor(mask)))
    assert (ours[2] == 0).all()
    assert (ours[1, 2:] == 0).all()


def test_a_constant_on_all_scores_changes_no_weight():
    scores = draw(3, TK)
    assert np.allclose(reference.masked_softmax(scores + 1e6), reference.masked_softmax(scores), atol=1e-9)


@pytest.mark.parametrize("lengths", [(TK, TK), (TK, 2), (1, 0)])
def test_attention_and_its_gradient_agree_with_autograd(lengths):
    scores, value, mask = draw(B, TQ, TK), draw(B, TK, DV), lengths_mask(*lengths, T=TK)[:, None]
    tensors = leaves(scores, value)
    weights = functional.masked_softmax(tensors[0], torch.tensor(mask))
    context = weights @ tensors[1]
    ours, our_weights = reference.attention_forward(scores, value, mask)
    assert same(ours, context)
    assert same(our_weights, weights)
    dcontext, dweights = draw(B, TQ, DV, seed=1), draw(B, TQ, TK, seed=2)
    torch.autograd.backward([context, weights], [torch.tensor(dcontext), torch.tensor(dweights)])
    back = reference.attention_backward(dcontext, value, our_weights, dweights)
    assert same(back["scores"], tensors[0].grad)
    assert same(back["value"], tensors[1].grad)


def test_the_two_layers_of_the_notes_agree_with_autograd():
    hs, h, mask = draw(B, TK, D), draw(B, D), lengths_mask(TK, 3, T=TK)
    tensors = leaves(hs, h)
    a = functional.masked_softmax((tensors[0] @ tensors[1][:, :, None])[:, :, 0], torch.tensor(mask))
    c = (tensors[0] * a[:, :, None]).sum(1)
    our_a = reference.attention_weight(hs, h, mask)
    assert same(our_a, a)
    assert same(reference.weighted_sum(hs, our_a), c)
    dc = draw(B, D, seed=3)
    c.backward(torch.tensor(dc))
    of_sum = reference.weighted_sum_backward(dc, hs, our_a)
    of_weight = reference.attention_weight_backward(of_sum["a"], hs, h, our_a)
    assert same(of_sum["hs"] + of_weight["hs"], tensors[0].grad)
    assert same(of_weight["h"], tensors[1].grad)


def test_predicted_places_lie_in_the_source_and_their_gradient_agrees():
    h, W_p, v_p, lengths = draw(B, TQ, D), draw(7, D), draw(7), np.array([TK, 2])
    tensors = leaves(h, W_p, v_p)
    want = torch.tensor(lengths)[:, None] * torch.sigmoid(torch.tanh(tensors[0] @ tensors[1].T) @ tensors[2])
    ours = reference.local_centers(h, W_p, v_p, lengths)
    assert same(ours, want)
    assert ((ours > 0) & (ours < lengths[:, None])).all()
    dp = draw(B, TQ, seed=4)
    want.backward(torch.tensor(dp))
    back = reference.local_centers_backward(dp, h, W_p, v_p, lengths)
    for name, tensor in zip(("h", "W_p", "v_p"), tensors, strict=True):
        assert same(back[name], tensor.grad)


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_local_weights_and_their_gradient_agree_with_autograd(gaussian, masked):
    scores, p, window = draw(B, TQ, TK), np.array([[0.3, 2.0, 4.4], [3.7, 1.2, 9.0]]), 2
    mask = lengths_mask(TK, 3, T=TK)[:, None] if masked else None
    tensors = leaves(scores, p)
    distance = torch.arange(TK) - tensors[1][:, :, None]
    near = distance.abs() <= window
    weights = functional.masked_softmax(tensors[0], near & torch.tensor(mask) if masked else near)
    if gaussian:
        weights = weights * torch.exp(-(distance**2) / (2 * (window / 2) ** 2))
    ours = reference.local_weights(scores, p, window, gaussian, mask)
    assert same(ours, weights)
    assert (ours[1, 2] == 0).all()  # around step 9 there is no source
    dweights = draw(*weights.shape, seed=5)
    weights.backward(torch.tensor(dweights))
    back = reference.local_weights_backward(dweights, scores, p, window, gaussian, mask)
    assert same(back["scores"], tensors[0].grad)
    if gaussian:
        assert same(back["p"], tensors[1].grad)
    else:
        assert (back["p"] == 0).all()


def test_weighting_names_what_does_not_fit():
    with pytest.raises(ValueError, match="window is 0"):
        reference.local_weights(draw(B, TQ, TK), draw(B, TQ), 0)
    with pytest.raises(ValueError, match="mask has shape"):
        reference.attention_forward(draw(B, TQ, TK), draw(B, TK, DV), np.ones((B, TK), bool))
    with pytest.raises(ValueError, match="mask holds float64"):
        reference.masked_softmax(draw(B, TK), np.ones((B, TK)))
    with pytest.raises(ValueError, match="value has shape"):
        reference.attention_forward(draw(B, TQ, TK), draw(B, TQ, DV))
    with pytest.raises(ValueError, match="h has shape"):
        reference.attention_weight(draw(B, TK, D), draw(B, TK))


# --- multi-head and the encoder layer


@pytest.mark.parametrize("masked", [None, "keys", "pairs"])
def test_multihead_agrees_with_torch_forward_and_backward(masked):
    heads, E = 2, 6
    theirs = torch.nn.MultiheadAttention(E, heads, batch_first=True, dtype=torch.float64)
    torch.nn.init.normal_(theirs.in_proj_bias)
    parameters = [theirs.in_proj_weight, theirs.in_proj_bias, theirs.out_proj.weight, theirs.out_proj.bias]
    inputs = [draw(B, TQ, E), draw(B, TK, E, seed=1), draw(B, TK, E, seed=2)]
    mask, options = None, {}
    if masked == "keys":
        mask = lengths_mask(TK, 2, T=TK)
        options = {"key_padding_mask": ~torch.tensor(mask)}
    if masked == "pairs":
        mask = draw(B, TQ, TK) > -0.5
        mask[:, :, 0] = True
        options = {"attn_mask": ~torch.tensor(mask.repeat(heads, axis=0))}
    tensors = leaves(*inputs)
    want, want_weights = theirs(*tensors, average_attn_weights=False, **options)
    output, weights, cache = reference.multihead_forward(
        *inputs, *(p.detach().numpy() for p in parameters), heads, mask
    )
    assert same(output, want)
    assert same(weights, want_weights)
    doutput = draw(*output.shape, seed=3)
    want.backward(torch.tensor(doutput))
    back = reference.multihead_backward(doutput, cache)
    for name, tensor in zip(
        ("query", "key", "value", "W_in", "b_in", "W_out", "b_out"), (*tensors, *parameters), strict=True
    ):
        assert same(back[name], tensor.grad), name


def test_heads_are_split_and_joined():
    x = draw(B, TQ, 6)
    parts = reference.split_heads(x, 3)
    assert parts.shape == (B * 3, TQ, 2)
    assert np.array_equal(parts[1], x[0, :, 2:4])
    assert np.array_equal(reference.join_heads(parts, 3), x)
    with pytest.raises(ValueError, match="multiple of heads"):
        reference.split_heads(x, 4)
    with pytest.raises(ValueError, match="multiple of it"):
        reference.join_heads(parts, 4)


def test_layer_norm_agrees_with_torch_forward_and_backward():
    arrays = draw(B, TQ, D) * 3 + 1, draw(D), draw(D, seed=1)
    tensors = leaves(*arrays)
    want = F.layer_norm(tensors[0], (D,), *tensors[1:])
    y, cache = reference.layer_norm_forward(*arrays)
    assert same(y, want)
    dy = draw(B, TQ, D, seed=2)
    want.backward(torch.tensor(dy))
    back = reference.layer_norm_backward(dy, cache)
    for name, tensor in zip(("x", "gamma", "beta"), tensors, strict=True):
        assert same(back[name], tensor.grad)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_encoder_layer_agrees_with_torch_forward_and_backward(norm_first, masked):
    torch.manual_seed(0)
    theirs = torch.nn.TransformerEncoderLayer(
        6, 2, 8, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    x, mask = draw(B, TK, 6), lengths_mask(TK, 3, T=TK) if masked else None
    (tensor,) = leaves(x)
    want = theirs(tensor, src_key_padding_mask=~torch.tensor(mask) if masked else None)
    parameters = {name: value.numpy() for name, value in theirs.state_dict().items()}
    y, cache = reference.encoder_layer_forward(x, parameters, 2, mask, norm_first)
    assert same(y, want)
    dy = draw(*y.shape, seed=1)
    want.backward(torch.tensor(dy))
    back = reference.encoder_layer_backward(dy, cache)
    assert set(back) == {"x", *parameters}
    assert same(back["x"], tensor.grad)
    for name, parameter in theirs.named_parameters():
        assert same(back[name], parameter.grad), name


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match=r"lacks linear1\.bias, linear1\.weight"):
        reference.encoder_layer_forward(draw(1, 2, 2), {}, 1)


def test_places_are_waves_whose_products_depend_on_the_distance_alone():
    P = reference.positional_encoding(30, 8)
    assert np.array_equal(P[0], [0, 1] * 4)
    assert np.allclose(P[3, :2], [np.sin(3), np.cos(3)])
    assert np.allclose(P[3, 2:4], [np.sin(0.3), np.cos(0.3)])
    products = P @ P.T
    assert np.allclose(products[0, 5], products[20, 25])
    assert reference.positional_encoding(4, 5).shape == (4, 5)


# --- tiles


@pytest.mark.parametrize("block", [1, 2, 5, 7])
def test_the_online_softmax_agrees_with_the_one_of_two_passes(block):
    scores, value = draw(B, TQ, TK) * 20, draw(B, TK, DV)
    scores[0, 1, :2] = scores[1, 2] = -np.inf
    context, logsumexp, steps = reference.online_softmax(scores, value, block)
    assert np.allclose(context, reference.attention_forward(scores, value)[0], rtol=0, atol=1e-12)
    assert same(logsumexp, torch.tensor(scores).logsumexp(-1))
    assert len(steps) == -(-TK // block)
    for i, (m, total, _) in enumerate(steps):
        seen = scores[..., : block * (i + 1)]
        assert np.array_equal(m, seen.max(-1))
        assert np.allclose(total, np.exp(seen - np.where(m == -np.inf, 0, m)[..., None]).sum(-1))


@pytest.mark.parametrize(("Tq", "Tk"), [(5, 5), (3, 7), (7, 3), (1, 6)])
@pytest.mark.parametrize("block", [1, 3, (2, 4), 8])
@pytest.mark.parametrize("causal", [False, True])
def test_tiles_agree_with_torch_forward_and_backward(Tq, Tk, block, causal):
    arrays = draw(2, 2, Tq, D), draw(2, 2, Tk, D, seed=1), draw(2, 2, Tk, DV)
    tensors = leaves(*arrays)
    want = F.scaled_dot_product_attention(*tensors, is_causal=causal)
    context, logsumexp = reference.flash_forward(*arrays, block, causal)
    assert same(context, want)
    dcontext = draw(*context.shape, seed=3)
    want.backward(torch.tensor(dcontext))
    back = reference.flash_backward(dcontext, *arrays, context, logsumexp, block, causal)
    for name, tensor in zip("qkv", tensors, strict=True):
        assert same(back[name], tensor.grad)


@pytest.mark.parametrize(("block", "scale"), [(2, None), (4, 0.3)])
def test_tiles_with_a_mask_agree_and_a_masked_row_gives_zeros(block, scale):
    arrays = draw(B, TQ, D), draw(B, TK, D, seed=1), draw(B, TK, DV)
    mask = draw(B, TQ, TK) > 0
    mask[0, 1] = False
    tensors = leaves(*arrays)
    want = functional.scaled_dot_product_attention(*tensors, attn_mask=torch.tensor(mask), scale=scale)
    context, logsumexp = reference.flash_forward(*arrays, block, mask=mask, scale=scale)
    assert same(context, want)
    assert (context[0, 1] == 0).all()
    assert logsumexp[0, 1] == -np.inf
    dcontext = draw(*context.shape, seed=3)
    want.backward(torch.tensor(dcontext))
    back = reference.flash_backward(dcontext, *arrays, context, logsumexp, block, mask=mask, scale=scale)
    for name, tensor in zip("qkv", tensors, strict=True):
        assert same(back[name], tensor.grad)
    assert (back["q"][0, 1] == 0).all()


def test_tiles_need_no_key_to_give_zeros_and_name_what_does_not_fit():
    q = draw(2, 3, 4)
    context, _ = reference.flash_forward(q, draw(2, 0, 4), draw(2, 0, 5), 2)
    assert context.shape == (2, 3, 5)
    assert (context == 0).all()
    with pytest.raises(ValueError, match="block of keys is 0"):
        reference.flash_forward(q, q, q, (2, 0))
    with pytest.raises(ValueError, match="k has shape"):
        reference.flash_forward(q, draw(2, 3, 5), q, 2)
    with pytest.raises(ValueError, match="value has shape"):
        reference.online_softmax(draw(2, 3), draw(2, 4))


def test_the_room_exports_every_public_function_of_its_reference():
    modules = ("scores", "weighting", "multihead", "transformer", "online", "turing")
    defined = itertools.chain.from_iterable(vars(getattr(reference, name)).items() for name in modules)
    public = {
        name
        for name, it in defined
        if callable(it)
        and getattr(it, "__module__", "").startswith("seqlab.attention.reference")
        and not name.startswith(("_", "check"))
    }
    assert public == set(reference.__all__)
