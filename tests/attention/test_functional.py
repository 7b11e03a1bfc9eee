import math

import pytest
import torch
import torch.nn.functional as F

from seqlab.attention import functional
from seqlab.attention.functional import (
    additive_attention,
    dot_attention,
    masked_softmax,
    scaled_dot_product_attention,
)
from seqlab.kernels import (
    has_triton,  # first: it chooses Triton's interpreter where there is no GPU
    measured,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + sum(shape)))


def lengths_mask(*lengths, T):
    return torch.arange(T) < torch.tensor(lengths)[:, None]


def same(ours, theirs):
    return torch.allclose(ours, theirs, rtol=0, atol=1e-10)


# --- masked softmax


def test_masked_weights_are_those_of_the_shorter_row():
    scores = draw(3, 7)
    weights = masked_softmax(scores, lengths_mask(7, 4, 1, T=7))
    for row, length in enumerate((7, 4, 1)):
        assert same(weights[row, :length], scores[row, :length].softmax(0))
        assert (weights[row, length:] == 0).all()


def test_a_fully_masked_row_has_zero_weights_and_sends_no_gradient():
    scores = draw(2, 3).requires_grad_()
    weights = masked_softmax(scores, torch.tensor([[True, False, True], [False, False, False]]))
    assert (weights[1] == 0).all()
    (weights * draw(2, 3, seed=1)).sum().backward()
    assert (scores.grad[1] == 0).all()
    assert scores.grad[0, 1] == 0
    assert scores.grad[0, 0] != 0


def test_nothing_behind_the_mask_reaches_the_weights_even_nan():
    scores = torch.tensor([[1.0, 2.0, math.nan, math.inf]], requires_grad=True)
    weights = masked_softmax(scores, torch.tensor([[True, True, False, False]]))
    assert torch.allclose(weights, torch.tensor([[0.268941, 0.731059, 0.0, 0.0]]))
    weights[0, 0].backward()
    assert scores.grad.isfinite().all()


def test_scores_of_ten_thousand_do_not_overflow():
    assert torch.allclose(masked_softmax(torch.tensor([[1e4, 1e4 + 1]])), torch.tensor([[0.268941, 0.731059]]))


def test_masked_softmax_passes_gradcheck():
    mask = torch.tensor([[True, False, True, True], [False] * 4])
    assert torch.autograd.gradcheck(lambda s: masked_softmax(s, mask), draw(2, 4).requires_grad_())


@pytest.mark.parametrize("mask", [torch.ones(2, 3), torch.ones(2, 4, dtype=torch.bool), [[True]]])
def test_a_mask_that_is_not_bool_or_does_not_fit_is_refused(mask):
    with pytest.raises(ValueError, match="mask"):
        masked_softmax(draw(2, 3), mask)


# --- additive


@pytest.mark.parametrize("mask", [None, "keys", "pairs"])
def test_additive_attention_is_the_formula_pair_by_pair(mask):
    B, Tq, Tk, D, Dv = 2, 3, 5, 4, 6
    query, key, value, v = draw(B, Tq, D), draw(B, Tk, D, seed=1), draw(B, Tk, Dv), draw(D)
    allowed = torch.ones(B, Tq, Tk, dtype=torch.bool)
    if mask == "keys":
        mask = lengths_mask(5, 2, T=Tk)
        allowed = mask[:, None].expand(B, Tq, Tk)
    if mask == "pairs":
        mask = allowed = draw(B, Tq, Tk, seed=3) > 0
    context, weights = additive_attention(query, key, value, v, mask)
    for b in range(B):
        for i in range(Tq):
            e = [float(v @ torch.tanh(query[b, i] + key[b, j])) if allowed[b, i, j] else -math.inf for j in range(Tk)]
            total = sum(math.exp(x) for x in e) or 1.0
            want = torch.tensor([math.exp(x) / total for x in e], dtype=torch.float64)
            assert same(weights[b, i], want)
            assert same(context[b, i], want @ value[b])


def test_additive_attention_passes_gradcheck_with_a_fully_masked_row():
    mask = lengths_mask(4, 0, T=4)
    tensors = [draw(2, 3, 2), draw(2, 4, 2), draw(2, 4, 3), draw(2)]
    tensors = [t.requires_grad_() for t in tensors]
    assert torch.autograd.gradcheck(lambda *t: additive_attention(*t, mask), tensors)
    context, weights = additive_attention(*tensors, mask)
    assert (context[1] == 0).all()
    assert (weights[1] == 0).all()


# --- dot


def test_dot_attention_is_softmax_of_products():
    query, key, value = draw(2, 3, 4), draw(2, 5, 4), draw(2, 5, 6)
    mask = lengths_mask(5, 3, T=5)
    context, weights = dot_attention(query, key, value, mask, scale=0.5)
    assert same(context, F.scaled_dot_product_attention(query, key, value, mask[:, None], scale=0.5))
    assert same(weights.sum(-1), torch.ones(2, 3, dtype=torch.float64))
    assert (weights[1, :, 3:] == 0).all()


def test_dot_attention_passes_gradcheck_with_a_fully_masked_row():
    mask = torch.tensor([[[True, False], [False, False]]])
    tensors = [t.requires_grad_() for t in (draw(1, 2, 3), draw(1, 2, 3, seed=1), draw(1, 2, 2))]
    assert torch.autograd.gradcheck(lambda *t: dot_attention(*t, mask, scale=0.7), tensors)


# --- the twin of torch's

LEADS = [(), (3,), (2, 3), (2, 1, 3, 2)]


def triple(lead=(2, 3), Tq=4, Tk=6, D=5, Dv=7):
    return draw(*lead, Tq, D), draw(*lead, Tk, D, seed=1), draw(*lead, Tk, Dv, seed=2)


def agree(tensors, **options):
    """Same context as torch's and same gradients, for an upstream gradient without symmetry."""
    mine, theirs = ([t.clone().requires_grad_() for t in tensors] for _ in range(2))
    ours, reference = scaled_dot_product_attention(*mine, **options), F.scaled_dot_product_attention(*theirs, **options)
    assert ours.shape == reference.shape
    assert same(ours, reference)
    upstream = draw(*ours.shape, seed=9)
    ours.backward(upstream)
    reference.backward(upstream)
    assert all(same(a.grad, b.grad) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("lead", LEADS)
def test_any_leading_axes_as_torch(lead):
    agree(triple(lead))


@pytest.mark.parametrize(("Tq", "Tk"), [(5, 5), (3, 7), (7, 3), (1, 4)])
def test_causal_as_torch_also_when_the_lengths_differ(Tq, Tk):
    agree(triple(Tq=Tq, Tk=Tk), is_causal=True)


@pytest.mark.parametrize("shape", [(4, 6), (6,), (1, 6), (3, 4, 6), (2, 1, 4, 6), (2, 3, 4, 6)])
def test_bool_masks_of_every_shape_as_torch(shape):
    mask = draw(*shape) > -0.3
    mask[..., 0] = True
    agree(triple(), attn_mask=mask.expand(2, 3, 4, 6) if len(shape) == 1 else mask)
    assert same(
        scaled_dot_product_attention(*triple(), attn_mask=mask),
        scaled_dot_product_attention(*triple(), attn_mask=mask.expand(2, 3, 4, 6)),
    )


def test_float_masks_as_torch():
    mask = draw(2, 1, 4, 6)
    mask[..., 4:] = -math.inf
    agree(triple(), attn_mask=mask)


def test_a_float_mask_learns():
    tensors = [t.requires_grad_() for t in (*triple((), 2, 3, 2, 2), draw(2, 3))]
    assert torch.autograd.gradcheck(lambda q, k, v, m: scaled_dot_product_attention(q, k, v, m), tensors)


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.0])
def test_scale_as_torch(scale):
    agree(triple(), scale=scale)


@pytest.mark.parametrize("heads", [1, 2, 6])
@pytest.mark.parametrize("is_causal", [False, True])
def test_grouped_queries_as_torch(heads, is_causal):
    query, key, value = draw(2, 6, 4, 5), draw(2, heads, 4, 5), draw(2, heads, 4, 7)
    agree((query, key, value), enable_gqa=True, is_causal=is_causal)


def test_dropout_as_torch_with_the_same_seed():
    tensors = triple()
    torch.manual_seed(3)
    ours = scaled_dot_product_attention(*tensors, dropout_p=0.4)
    torch.manual_seed(3)
    assert same(ours, F.scaled_dot_product_attention(*tensors, dropout_p=0.4))


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_fully_masked_row_gives_zeros_and_zero_gradients(kind):
    tensors = [t.requires_grad_() for t in triple((2,), 3, 4, 5, 6)]
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[0, 1] = False
    if kind == "float":
        mask = torch.zeros(2, 3, 4, dtype=torch.float64).masked_fill(~mask, -math.inf)
    context = scaled_dot_product_attention(*tensors, attn_mask=mask)
    assert (context[0, 1] == 0).all()
    assert (context[0, 0] != 0).all()
    context[0, 1].sum().backward()
    assert all((t.grad == 0).all() for t in tensors)
    assert torch.autograd.gradcheck(lambda *t: scaled_dot_product_attention(*t, attn_mask=mask), tensors)


def test_the_future_does_not_leak():
    query, key, value = triple((2,), 5, 5)
    before = scaled_dot_product_attention(query, key, value, is_causal=True)
    key[:, 3:], value[:, 3:] = 100.0, -100.0
    after = scaled_dot_product_attention(query, key, value, is_causal=True)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_no_key_gives_zeros():
    query, key, value = triple((2,), 3, 0)
    assert (scaled_dot_product_attention(query, key, value) == 0).all()


def test_bfloat16_stays_within_its_own_error():
    tensors = triple(Tq=32, Tk=32, D=16, Dv=16)
    ours = scaled_dot_product_attention(*(t.bfloat16() for t in tensors))
    exact = F.scaled_dot_product_attention(*tensors)
    assert ours.dtype == torch.bfloat16
    assert (ours.double() - exact).norm() <= 1e-2 * exact.norm()


def test_autocast_narrows_as_torch_does():
    query, key, value = (t.float() for t in triple())
    with torch.autocast("cpu", torch.bfloat16):
        assert scaled_dot_product_attention(query, key, value).dtype == torch.bfloat16
        assert F.scaled_dot_product_attention(query, key, value).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": draw(2, 3, 6, 4)}, "key has shape"),
        ({"value": draw(2, 3, 5, 7)}, "value has shape"),
        ({"value": draw(2, 2, 6, 7)}, "axes before the last two"),
        ({"query": draw(5)}, "query has shape"),
        ({"key": draw(2, 3, 6, 5).float()}, "key holds torch.float32"),
        ({"attn_mask": torch.ones(4, 5, dtype=torch.bool)}, "attn_mask has shape"),
        ({"attn_mask": torch.ones(4, 6, dtype=torch.int64)}, "attn_mask holds torch.int64"),
        ({"attn_mask": torch.ones(4, 6, dtype=torch.bool), "is_causal": True}, "leave one of them out"),
        ({"dropout_p": 1.5}, "dropout_p is 1.5"),
        ({"enable_gqa": True, "key": draw(2, 2, 6, 5)}, "multiple"),
        ({"backend": "cuda"}, "backend is 'cuda'"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    arguments = dict(zip(("query", "key", "value"), triple(), strict=True)) | change
    with pytest.raises(ValueError, match=message):
        scaled_dot_product_attention(**arguments)


KERNEL_CASES = {
    "plain": ({}, {}),
    "causal": ({}, {"is_causal": True}),
    "scaled": ({}, {"scale": 0.3}),
    "masked": ({}, {"attn_mask": torch.arange(6) < 4}),
    "added": ({}, {"attn_mask": draw(2, 1, 4, 6).float()}),
    "a row masked": ({}, {"attn_mask": torch.tensor([True, False, True, True])[:, None].expand(4, 6)}),
    "grouped": ({"key": (2, 1, 6, 5), "value": (2, 1, 6, 7)}, {"enable_gqa": True}),
    "broadcast": ({"query": (3, 4, 5), "key": (2, 3, 6, 5), "value": (2, 1, 6, 7)}, {}),
    "no heads": ({"query": (4, 5), "key": (6, 5), "value": (6, 7)}, {}),
}


@pytest.mark.skipif(not has_triton(), reason="Triton is not installed")
@pytest.mark.parametrize("case", KERNEL_CASES)
def test_the_kernel_behind_the_function_gives_what_the_torch_form_gives(case):
    shapes, options = KERNEL_CASES[case]
    shapes = {"query": (2, 3, 4, 5), "key": (2, 3, 6, 5), "value": (2, 3, 6, 7)} | shapes
    tensors = [draw(*shape, seed=i).float() for i, shape in enumerate(shapes.values())]
    results = {}
    for backend in ("torch", "triton"):
        leaves = [t.clone().requires_grad_() for t in tensors]
        context = scaled_dot_product_attention(*leaves, **options, backend=backend)
        context.backward(draw(*context.shape, seed=5).float())
        results[backend] = [context.detach(), *(leaf.grad for leaf in leaves)]
    for ours, theirs in zip(results["triton"], results["torch"], strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).norm() <= 1e-5 * (1 + theirs.norm())


@pytest.mark.skipif(not has_triton(), reason="Triton is not installed")
def test_what_has_no_kernel_is_named():
    tensors = [t.float() for t in triple()]
    mask = torch.zeros(4, 6, requires_grad=True)
    wide = [t.float() for t in triple(D=257)]
    for arguments, options, message in (
        (tensors, {"dropout_p": 0.4}, "dropout_p has no kernel"),
        (tensors, {"attn_mask": mask}, "a mask that needs a gradient"),
        (wide, {}, "rows of 257 and 7 numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            scaled_dot_product_attention(*arguments, **options, backend="triton")


@pytest.mark.parametrize("name", ["flash", "additive"])
def test_on_a_gpu_the_fastest_measured_way_is_taken(monkeypatch, name):
    """What `auto` does with CUDA tensors, with stand-ins for the device and for the measurements."""
    monkeypatch.setattr(functional, "pick_backend", lambda backend, *tensors: "triton")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Paper GPU")
    asked = []
    monkeypatch.setattr(measured, "fastest", lambda *a, **k: asked.append((a, k)) or "eager")
    measured._remembered.cache_clear()
    if name == "flash":
        query, key, value = (t.float() for t in triple())
        ours, want = scaled_dot_product_attention(query, key, value), F.scaled_dot_product_attention(query, key, value)
        sizes = {"T": 6, "D": 5, "H": 3, "B": 2, "pairs": "all"}
    else:
        query, key, v = draw(2, 3, 5).float(), draw(2, 6, 5).float(), draw(5).float()
        _, ours = additive_attention(query, key, key, v)
        want = (torch.tanh(query[:, :, None] + key[:, None]) @ v).softmax(-1)
        sizes = {"T": 6, "D": 5, "B": 2}
    measured._remembered.cache_clear()
    assert torch.allclose(ours, want, atol=1e-6)
    (benchmark, device, shape, passes), _ = asked[0]
    assert (benchmark, device, passes) == (name, "Paper GPU", "forward")
    assert shape == sizes | {"dtype": "float32"}


def test_what_auto_asks_the_measurements_for_is_what_the_benchmarks_write():
    from seqlab.bench.registry import BENCHMARKS

    for name, sizes in {"flash": set("BHTD") | {"pairs", "dtype"}, "additive": set("BTD") | {"dtype"}}.items():
        shape = BENCHMARKS[name].shapes["small"][0]
        assert set(shape) == sizes
        ways = {way for case in BENCHMARKS[name].cases(shape, "cpu") for way in {**case.ours, **case.peers}}
        assert set(functional.WAYS[name]) - {"seqlab Triton"} <= ways


@pytest.mark.skipif(not has_triton(), reason="Triton is not installed")
def test_the_function_and_the_kernel_agree_on_how_wide_a_row_may_be():
    from seqlab.attention.kernels import flash

    assert functional.KERNEL_WIDTH == flash.LARGEST


@pytest.mark.skipif(not has_triton(), reason="Triton is not installed")
@pytest.mark.parametrize("kind", [None, "keys", "pairs"])
def test_the_additive_kernel_behind_the_function_gives_what_the_torch_form_gives(kind):
    mask = {None: None, "keys": lengths_mask(5, 0, T=5), "pairs": draw(2, 3, 5) > 0}[kind]
    tensors = [t.float() for t in (draw(2, 3, 4), draw(2, 5, 4, seed=1), draw(2, 5, 6), draw(4))]
    results = {}
    for backend in ("torch", "triton"):
        leaves = [t.clone().requires_grad_() for t in tensors]
        context, weights = additive_attention(*leaves, mask, backend=backend)
        torch.autograd.backward([context, weights], [draw(2, 3, 6, seed=5).float(), draw(2, 3, 5, seed=6).float()])
        results[backend] = [context.detach(), weights.detach(), *(leaf.grad for leaf in leaves)]
    for ours, theirs in zip(results["triton"], results["torch"], strict=True):
        assert (ours - theirs).norm() <= 1e-5 * (1 + theirs.norm())
