"""Additive attention's kernels against float64; in the interpreter, on a GPU machine with TRITON_INTERPRET=0 on it."""

import numpy as np
import pytest
import torch

from seqlab import attention
from seqlab.attention import cost, kernels, reference
from seqlab.attention.kernels import additive
from seqlab.kernels import H200

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if additive.interpreting() else "cuda"
NAN, INF = float("nan"), float("inf")
NAMES = ("query", "key", "value", "v")


def drawn(B=2, Tq=5, Tk=7, D=9, Dv=4, dtype=torch.float32, spread=1.0, seed=0):
    """Query, key, value and v, and what comes in for context and weights."""
    rng = np.random.default_rng(seed)
    sizes = ((B, Tq, D), (B, Tk, D), (B, Tk, Dv), (D,), (B, Tq, Dv), (B, Tq, Tk))
    spreads = (spread, spread, 1, 1, 1, 1)
    return [
        torch.tensor(rng.normal(size=size) * s, dtype=dtype, device=DEVICE)
        for size, s in zip(sizes, spreads, strict=True)
    ]


def masked(kind, B, Tq, Tk, seed=1):
    """A mask of keys, as ragged lengths have it, or of pairs, in which one query may attend to nothing."""
    rng = np.random.default_rng(seed)
    if kind is None:
        return None
    if kind == "keys":
        mask = np.arange(Tk) < rng.integers(1, Tk + 1, size=(B, 1))
    else:
        mask = rng.random((B, Tq, Tk)) < 0.6
        mask[-1, Tq // 2] = False
    return torch.tensor(mask, device=DEVICE)


def truth(query, key, value, v, d_context, d_weights, mask=None):
    """Context, weights and the gradients by the equations in float64 NumPy, with tanh of all pairs."""
    query, key, value, v, d_context, d_weights = (
        t.detach().double().cpu().numpy() for t in (query, key, value, v, d_context, d_weights)
    )
    one = np.eye(len(v))
    scores = reference.additive_score(query, key, one, one, v)
    if mask is not None:
        mask = mask.cpu().numpy()
        scores = np.where(mask[:, None] if mask.ndim == 2 else mask, scores, -np.inf)
    top = scores.max(axis=2, keepdims=True)
    e = np.exp(scores - np.where(top == -np.inf, 0, top))
    total = e.sum(axis=2, keepdims=True)
    weights = e / np.where(total == 0, 1, total)
    dw = d_weights + d_context @ value.transpose(0, 2, 1)
    ds = weights * (dw - (weights * dw).sum(axis=2, keepdims=True))
    back = reference.additive_score_backward(ds, query, key, one, one, v)
    gradients = back["q"], back["k"], weights.transpose(0, 2, 1) @ d_context, back["v"]
    return weights @ value, weights, *gradients


def computed(query, key, value, v, d_context, d_weights, mask=None):
    leaves = [t.clone().requires_grad_() for t in (query, key, value, v)]
    outputs = kernels.additive_attention(*leaves, mask)
    return [*outputs, *torch.autograd.grad(outputs, leaves, (d_context, d_weights))]


def eager(query, key, value, v, d_context, d_weights):
    """The same in torch, with tanh of all pairs, in the type of the arguments."""
    leaves = [t.clone().requires_grad_() for t in (query, key, value, v)]
    weights = (torch.tanh(leaves[0][:, :, None] + leaves[1][:, None]) @ leaves[3]).softmax(-1)
    outputs = weights @ leaves[2], weights
    return [*outputs, *torch.autograd.grad(outputs, leaves, (d_context, d_weights))]


def relative(have, want):
    want = want.detach().double().cpu().numpy() if isinstance(want, torch.Tensor) else want
    return np.linalg.norm(have.detach().double().cpu().numpy() - want) / max(np.linalg.norm(want), 1e-30)


def check(given, mask=None, forward=1e-5, backward=1e-4):
    have, want = computed(*given, mask), truth(*given, mask)
    for name, h, w in zip(("context", "weights", *NAMES), have, want, strict=True):
        assert h.shape == w.shape
        assert h.dtype == given[0].dtype
        if np.linalg.norm(w) < 1e-12:  # one key: the weights are 1 whatever the scores are
            assert h.abs().max() <= 1e-6, name
        else:
            assert relative(h, w) <= (forward if name in ("context", "weights") else backward), name
    return have


SIZES = [(1, 1, 1, 1, 1), (2, 5, 7, 9, 4), (1, 1, 63, 6, 5), (2, 4, 3, 1, 2), (1, 33, 130, 4, 3), (1, 3, 2, 63, 1)]


@pytest.mark.parametrize("kind", [None, "keys", "pairs"])
@pytest.mark.parametrize("sizes", SIZES)
def test_results_and_gradients_agree_with_the_equations(sizes, kind):
    check(drawn(*sizes), masked(kind, *sizes[:3]))


@pytest.mark.parametrize("kind", [None, "pairs"])
def test_float64_agrees_to_its_digits(kind):
    check(drawn(2, 3, 35, 7, 2, torch.float64), masked(kind, 2, 3, 35), 1e-12, 1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_lose_no_more_than_torch_does(dtype):
    given = drawn(2, 6, 20, 16, 5, dtype)
    want, have = truth(*given), computed(*given)
    for number, (h, t, w) in enumerate(zip(have, eager(*given), want, strict=True)):
        assert h.dtype == dtype
        limit, times = ((1e-2, 2) if number < 2 else (2e-2, 3)) if DEVICE == "cuda" else (4e-2, 4)
        assert relative(h, w) <= max(limit, times * relative(t, w)), number


@pytest.mark.parametrize("spread", [0.1, 5.0, 10.0, 30.0, 1e4])
def test_small_and_large_hidden_sums_are_as_good(spread):
    """Around 10.7 the factors are no longer used: 30 and 1e4 go the other way."""
    check(drawn(2, 5, 40, 6, 3, spread=spread), masked("pairs", 2, 5, 40))


def test_near_zero_what_is_lost_is_what_float32_must_lose():
    """There all slopes are 1, and the sums that make a query's gradient nearly cancel: in torch they do as well.

    The gradient of v is a sum of tanh, here some 1e-3, which is known to some 1e-7.
    """
    given = drawn(2, 5, 40, 6, 3, spread=1e-3)
    for name, have, torchs, want in zip(NAMES, computed(*given)[2:], eager(*given)[2:], truth(*given)[2:], strict=True):
        assert relative(have, want) <= max(1e-3, 3 * relative(torchs, want)), name


def test_a_sentence_of_large_numbers_does_not_change_the_others():
    given = drawn(3, 4, 9, 5, 2)
    alone = computed(*[t[:1] if t.ndim == 3 else t for t in given])
    given[0][2] *= 50
    given[1][1] -= 40
    together = check(given)
    assert all(torch.equal(have[:1], want) for have, want in zip(together[:5], alone[:5], strict=True))


def test_large_offsets_that_cancel_do_no_harm():
    given = drawn(2, 5, 9, 8, 3, torch.float64)
    plain = truth(*given)
    given[0] += 40.0
    given[1] -= 40.0
    for have, want in zip(computed(*given), plain, strict=True):
        assert relative(have, want) <= 1e-11


def test_a_large_v_makes_one_key_win_without_overflow():
    given = drawn(2, 6, 20, 16, 3)
    given[3] *= 1e4
    weights = kernels.additive_attention(*given[:4])[1]
    assert weights.isfinite().all()
    assert torch.allclose(weights.sum(2), torch.ones(2, 6, device=DEVICE))
    want = truth(*given)[1]
    assert np.array_equal(weights.argmax(2).cpu().numpy(), want.argmax(2))
    assert relative(weights, want) <= 1e-2  # a float32 score of some 1e4 is known to 1e-3


def test_weights_sum_to_one_and_are_zero_where_they_must():
    given, mask = drawn(2, 4, 50, 5, 3), masked("pairs", 2, 4, 50)
    _, weights = kernels.additive_attention(*given[:4], mask)
    assert torch.all(weights[~mask] == 0)
    assert torch.allclose(weights.sum(2), mask.any(2).float(), atol=1e-6)


def test_a_query_that_may_attend_to_nothing_gets_zeros_and_sends_none():
    given, mask = drawn(2, 3, 6, 5, 2), torch.ones(2, 3, 6, dtype=torch.bool, device=DEVICE)
    mask[1, 2] = False
    context, weights, dq, *_ = check(given, mask)
    assert torch.all(context[1, 2] == 0)
    assert torch.all(weights[1, 2] == 0)
    assert torch.all(dq[1, 2] == 0)
    results = computed(*given, torch.zeros_like(mask))
    assert all(torch.all(result == 0) for result in results)


@pytest.mark.parametrize("rubbish", [3.0, 1e6, INF, NAN])
def test_padding_does_not_matter(rubbish):
    given = drawn(2, 3, 9, 6, 4)
    mask = torch.arange(9, device=DEVICE) < torch.tensor([[5], [9]], device=DEVICE)
    want = computed(*given, mask)
    given[1][0, 5:] = rubbish
    if np.isfinite(rubbish):  # 0 times Inf in the sum of the values is NaN, as in torch
        given[2][0, 5:] = rubbish
    have = computed(*given, mask)
    for name, h, w in zip(("context", "weights", *NAMES), have, want, strict=True):
        assert relative(h, w) <= 2e-6, name
    assert torch.all(have[3][0, 5:] == 0)
    assert torch.all(have[4][0, 5:] == 0)


@pytest.mark.parametrize("which", ["context", "weights", "neither"])
def test_gradients_that_come_in_for_one_output_alone_are_taken_back(which):
    given = drawn(2, 4, 6, 5, 3)
    leaves = [t.clone().requires_grad_() for t in given[:4]]
    context, weights = kernels.additive_attention(*leaves)
    if which == "neither":
        assert context.requires_grad
        assert weights.requires_grad
        return
    output, come = (context, given[4]) if which == "context" else (weights, given[5])
    have = torch.autograd.grad(output, leaves, come, allow_unused=True)
    given[5 if which == "context" else 4].zero_()
    for name, h, w in zip(NAMES, have, truth(*given)[2:], strict=True):
        if which == "weights" and name == "value":
            assert h is None or torch.all(h == 0)
        else:
            assert relative(h, w) <= 1e-4, name


def test_the_same_numbers_give_the_same_bits():
    given, mask = drawn(1, 40, 33, 4, 3), masked("pairs", 1, 40, 33)
    for have, want in zip(computed(*given, mask), computed(*given, mask), strict=True):
        assert torch.equal(have, want)


def test_masks_of_keys_and_of_pairs_say_the_same():
    given, mask = drawn(2, 3, 8, 5, 2), masked("keys", 2, 3, 8)
    want = computed(*given, mask)
    for form in (mask[:, None], mask[:, None].expand(2, 3, 8), mask[:, None].repeat(1, 3, 1)):
        assert all(torch.equal(h, w) for h, w in zip(computed(*given, form), want, strict=True))


def test_tensors_need_not_lie_side_by_side_in_memory():
    given = drawn(2, 3, 5, 4, 6)
    turned = [t.mT.contiguous().mT if t.ndim == 3 else t.repeat_interleave(2)[::2] for t in given]
    assert not any(t.is_contiguous() for t in turned)
    for have, want in zip(computed(*turned), computed(*given), strict=True):
        assert relative(have, want) <= 1e-6


@pytest.mark.parametrize("kind", [None, "keys", "pairs"])
def test_both_backends_of_the_torch_function_agree(kind):
    *given, _, _ = drawn(2, 4, 20, 6, 3)
    mask = masked(kind, 2, 4, 20)
    have, want = (attention.additive_attention(*given, mask, backend=name) for name in ("triton", "torch"))
    assert all(relative(h, w) <= 1e-6 for h, w in zip(have, want, strict=True))


def test_the_gradient_is_that_of_finite_differences():
    given = [t.requires_grad_() for t in drawn(1, 2, 3, 3, 2, torch.float64)[:4]]
    assert torch.autograd.gradcheck(kernels.additive_attention, given, fast_mode=True)


def test_the_gradient_of_the_gradient_is_refused():
    leaves = [t.requires_grad_() for t in drawn(1, 2, 3, 4, 2)[:4]]
    context, _ = kernels.additive_attention(*leaves)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(context.sum(), leaves, create_graph=True)


class _Sizes(torch.utils._python_dispatch.TorchDispatchMode):
    """Note the bytes of the largest tensor that torch makes."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.most = max(self.most, tensor.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize("ours", [True, False])
def test_no_tensor_is_as_large_as_all_pairs_and_dimensions(ours):
    B, Tq, Tk, D, Dv = 1, 32, 64, 16, 4
    query, key, value, v, d_context, d_weights = drawn(B, Tq, Tk, D, Dv)
    leaves = [t.requires_grad_() for t in (query, key, value, v)]
    with _Sizes() as sizes:
        if ours:
            outputs = kernels.additive_attention(*leaves)
        else:
            weights = (torch.tanh(query[:, :, None] + key[:, None]) @ v).softmax(-1)
            outputs = weights @ value, weights
        torch.autograd.grad(outputs, leaves, (d_context, d_weights))
    if ours:
        assert 4 * B * Tq * Tk <= sizes.most <= 2 * 4 * B * max(Tq * Tk, Tk * D)
    else:
        assert sizes.most >= 4 * B * Tq * Tk * D  # so the meter sees what there is to see


@pytest.mark.parametrize("sizes", [(0, 3, 4, 5, 2), (2, 0, 4, 5, 2), (2, 3, 0, 5, 2), (2, 3, 4, 0, 2), (2, 3, 4, 5, 0)])
def test_nothing_to_attend_with_is_no_trouble(sizes):
    B, Tq, Tk, _, Dv = sizes
    have = computed(*drawn(*sizes))
    assert (have[0].shape, have[1].shape) == ((B, Tq, Dv), (B, Tq, Tk))
    assert all(result.isfinite().all() for result in have)
    if sizes[3] == 0:
        assert torch.all(have[1] == 0.25)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"query": torch.zeros(2, 5)}, r"query has shape \(2, 5\); it must have shape \(B, Tq, D\)"),
        ({"key": torch.zeros(2, 4, 6)}, r"key has shape \(2, 4, 6\); it must have shape \(2, Tk, 5\)"),
        ({"value": torch.zeros(2, 3, 6)}, r"value has shape \(2, 3, 6\); it must have shape \(2, 4, Dv\)"),
        ({"v": torch.zeros(4)}, r"v has shape \(4,\); it must have shape \(5,\)"),
        ({"v": torch.zeros(5).half()}, "v holds torch.float16 and query holds torch.float32; convert one"),
        ({"mask": torch.ones(2, 3)}, "mask holds torch.float32; it must hold bool, True where attention may go"),
        ({"mask": torch.ones(2, 3).bool()}, r"mask has shape \(2, 3\); it must have shape \(2, 4\) or \(2, 3, 4\)"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    sizes = {"query": (2, 3, 5), "key": (2, 4, 5), "value": (2, 4, 6), "v": (5,)}
    given = {name: torch.zeros(size, device=DEVICE) for name, size in sizes.items()} | {"mask": None}
    given |= {name: tensor.to(DEVICE) for name, tensor in change.items()}
    with pytest.raises(ValueError, match=sentence):
        kernels.additive_attention(**given)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("Tq", [1, 2, 5, 16, 63, 256])
def test_the_tuner_has_forms_for_every_number_of_queries(Tq, dtype):
    most = min(64, 1 << (Tq - 1).bit_length())
    forms = additive._worth_scoring(additive.SCORES, {}, MOST=most, **additive.numbers(dtype))
    assert forms
    assert all(additive.PAD % form.kwargs["QUERIES"] == 0 for form in forms)  # they read queries without a mask
    assert additive.PAD % additive.own_rows(Tq) == 0


def test_the_costs_are_those_that_the_kernel_s_page_tells():
    sizes = (64, 256, 256, 512)
    eager = sum(cost.additive_passes(*sizes, 4).values()) / H200.bandwidth
    forward, backward = cost.additive_cost(*sizes), cost.additive_cost(*sizes, backward=True)
    assert forward.bound(H200) == backward.bound(H200) == "arithmetic"
    pairs = 64 * 256 * 256 * 512
    each = 2 * pairs * cost.SPECIAL["float32"] / H200.flops["float32"]
    ours = pairs * cost.SPECIAL["float32"] / cost.SHARED / H200.flops["float32"]
    assert ours < forward.floor(H200) < 1.3 * ours  # and the product with the values
    for seconds in (eager, each, ours):
        assert f"  {seconds * 1e3:.2f}e-3\n" in additive.__doc__
    assert cost.additive_cost(*sizes, dtype="bfloat16").flops == pairs * 8
