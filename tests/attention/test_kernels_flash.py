"""Flash attention against tiles in NumPy and torch; in the interpreter, on a GPU with TRITON_INTERPRET=0 on that."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import triton

from seqlab.attention.kernels import flash_tiles, scaled_dot_product_attention
from seqlab.attention.kernels.flash import LARGEST
from seqlab.attention.reference import online
from seqlab.kernels import interpreting

pytestmark = pytest.mark.usefixtures("poison")
DEVICE = "cpu" if interpreting() else "cuda"
KERNELS = (flash_tiles.forward, flash_tiles.backward_queries, flash_tiles.backward_keys)
NAMES = ("query", "key", "value")


@pytest.fixture(autouse=True)
def tiles(request, monkeypatch):
    """Small tiles, so that a few queries are several; TILES: also taller than wide, and wider than tall."""
    rows, keys = getattr(request, "param", (32, 16))
    for kernel in KERNELS:
        monkeypatch.setattr(kernel, "configs", [triton.Config({"ROWS": rows, "KEYS": keys}, num_warps=4, num_stages=1)])
        monkeypatch.setattr(kernel, "cache", {})


TILES = pytest.mark.parametrize("tiles", [(16, 16), (64, 16), (16, 64)], indirect=True)


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape), dtype=dtype, device=DEVICE)


def inputs(B=2, H=2, Tq=40, Tk=40, D=8, Dv=None, dtype=torch.float32, shared=None):
    """Leaves query, key, value, and a gradient for the context."""
    sizes = [(B, H, Tq, D), (B, shared or H, Tk, D), (B, shared or H, Tk, Dv or D), (B, H, Tq, Dv or D)]
    *leaves, do = (draw(*size, seed=n, dtype=dtype) for n, size in enumerate(sizes))
    return [leaf.requires_grad_() for leaf in leaves], do


def run(leaves, do, *arguments, **options):
    context = scaled_dot_product_attention(*leaves, *arguments, **options)
    return context, torch.autograd.grad(context, leaves, do)


def relative(have, want):
    have, want = (x.detach().double().cpu().numpy() if isinstance(x, torch.Tensor) else x for x in (have, want))
    return np.linalg.norm(have - want) / max(np.linalg.norm(want), 1e-30)


def check(leaves, do, *arguments, forward=1e-5, backward=1e-4, **options):
    """Compare context and gradients with torch's plain way in float64."""
    context, gradients = run(leaves, do, *arguments, **options)
    mask = arguments[0] if arguments else None
    wide = [leaf.detach().double().requires_grad_() for leaf in leaves]
    if mask is not None and mask.is_floating_point():
        mask = mask.double()
    want = F.scaled_dot_product_attention(*wide, mask, **options, enable_gqa=True)
    wanted = torch.autograd.grad(want, wide, do.double())
    assert context.shape == want.shape
    assert relative(context, want) <= forward
    errors = {n: relative(g, w) for n, g, w in zip(NAMES, gradients, wanted, strict=True)}
    assert max(errors.values()) <= backward, errors


@TILES
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("Tq", "Tk", "D", "Dv"), [(1, 1, 1, 1), (63, 63, 5, 5), (63, 20, 33, 4), (20, 63, 16, 16)])
def test_context_and_gradients_are_those_of_the_tiles_in_numpy(Tq, Tk, D, Dv, causal, tiles):
    leaves, do = inputs(1, 2, Tq, Tk, D, Dv)
    context, gradients = run(leaves, do, is_causal=causal)
    arrays = [leaf.detach().double().cpu().numpy() for leaf in leaves]
    want, logsumexp = online.flash_forward(*arrays, block=7, causal=causal)
    assert relative(context, want) <= 1e-5
    wanted = online.flash_backward(do.double().cpu().numpy(), *arrays, want, logsumexp, block=5, causal=causal)
    for gradient, name in zip(gradients, "qkv", strict=True):
        assert relative(gradient, wanted[name]) <= 1e-4, name


@pytest.mark.parametrize("tiles", [(64, 128)], indirect=True)
@pytest.mark.parametrize("causal", [False, True])
def test_five_hundred_queries_or_keys(causal, tiles):
    check(*inputs(1, 1, 70, 500, 64), is_causal=causal)
    check(*inputs(1, 1, 500, 33, 3), is_causal=causal)


@pytest.mark.parametrize("D", [80, 128, 200, LARGEST])
def test_rows_of_many_numbers(D):
    check(*inputs(1, 1, 20, 35, D), is_causal=True)


def test_the_first_tile_of_the_interpreter_as_it_comes(monkeypatch):
    for kernel in KERNELS:
        rows, keys, warps, stages = flash_tiles.INTERPRETED
        monkeypatch.setattr(kernel, "configs", [triton.Config({"ROWS": rows, "KEYS": keys}, warps, stages)])
    check(*inputs(1, 1, 100, 130, 20), is_causal=True)


@pytest.mark.parametrize("shape", [(2, 2, 18, 40), (2, 1, 18, 40), (1, 2, 1, 40), (2, 1, 18, 1), (18, 40), (1, 1)])
@pytest.mark.parametrize("kind", ["bool", "float", "half"])
def test_masks_broadcast_as_in_torch(shape, kind):
    leaves, do = inputs(2, 2, 18, 40)
    mask = draw(*shape, seed=9)
    if kind == "bool":
        mask = mask > -1
        mask[..., 0] = True  # torch's own gradient of a row without keys is NaN
    elif kind == "float":
        mask = mask.masked_fill(mask < -1.5, -torch.inf)
        mask[..., 0] = 0.0
    else:
        mask = mask.half()
    check(leaves, do, mask)


def test_a_padding_mask_is_read_where_it_lies(monkeypatch):
    """(B, 1, 1, Tk) stays so: the strides of heads and queries that the kernels get are 0."""
    seen = spy(monkeypatch)
    leaves, do = inputs(2, 3, 40, 50)
    mask = torch.arange(50, device=DEVICE) < torch.tensor([[20], [50]], device=DEVICE)
    run(leaves, do, mask[:, None, None])
    assert [constants["SAME"] for _, constants in seen] == [True] * 3
    for (_, _, _, read, *_), _ in seen:
        assert read.dtype == torch.uint8
        assert read.data_ptr() == mask.data_ptr()


def spy(monkeypatch):
    """Write down what every kernel is launched with."""
    seen = []
    for name in ("forward", "backward_queries", "backward_keys"):
        kernel = getattr(flash_tiles, name)

        class Launch:
            def __getitem__(self, grid, kernel=kernel):
                return lambda *a, **k: seen.append((a, k)) or kernel[grid](*a, **k)

        monkeypatch.setattr(flash_tiles, name, Launch())
    return seen


def test_the_future_does_not_leak():
    """Other keys and values from 17 on change no bit of the queries before."""
    (q, k, v), _ = inputs(1, 2, 40, 40)
    other_k, other_v = k.detach().clone(), v.detach().clone()
    other_k[:, :, 17:], other_v[:, :, 17:] = 1e4, -1e4
    one = scaled_dot_product_attention(q, k, v, is_causal=True)
    other = scaled_dot_product_attention(q, other_k, other_v, is_causal=True)
    assert torch.equal(one[:, :, :17], other[:, :, :17])
    assert not torch.equal(one[:, :, 17:], other[:, :, 17:])


def test_no_gradient_comes_from_the_future():
    leaves, do = inputs(1, 2, 40, 40)
    do[:, :, 17:] = 0
    _, (dq, dk, dv) = run(leaves, do, is_causal=True)
    for gradient in (dq, dk, dv):
        assert (gradient[:, :, 17:] == 0).all()
        assert (gradient[:, :, 1:17].abs().sum(-1) > 0).all()  # the first query has no choice


def test_padding_does_not_matter():
    """What stands at masked keys changes no bit, and they get no gradient."""
    leaves, do = inputs(2, 1, 30, 40)
    mask = (torch.arange(40, device=DEVICE) < torch.tensor([[23], [40]], device=DEVICE))[:, None, None]
    context, gradients = run(leaves, do, mask)
    others = [leaf.detach().clone() for leaf in leaves]
    for other in others[1:]:
        other[0, :, 23:] = 1e4
    again, more = run([other.requires_grad_() for other in others], do, mask)
    assert torch.equal(context, again)
    assert all(torch.equal(a, b) for a, b in zip(gradients, more, strict=True))
    assert (gradients[1][0, :, 23:] == 0).all()
    assert (gradients[2][0, :, 23:] == 0).all()


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_may_attend_to_nothing_gets_zeros_and_gives_none(kind):
    leaves, do = inputs(1, 2, 40, 50)
    mask = draw(1, 2, 40, 50, seed=9) > -0.5
    mask[0, 0, 3] = mask[0, 1, 16:34] = False
    given = mask if kind == "bool" else torch.zeros(mask.shape, device=DEVICE).masked_fill_(~mask, -torch.inf)
    context, gradients = run(leaves, do, given)
    nothing = ~mask.any(-1)
    assert nothing.sum() == 19
    assert (context[nothing] == 0).all()
    assert (gradients[0][nothing] == 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    # The others are as if those queries were not there.
    do = do.masked_fill(nothing[..., None], 0)
    arrays = [leaf.detach().double().cpu().numpy() for leaf in leaves]
    want, logsumexp = online.flash_forward(*arrays, block=16, mask=mask.cpu().numpy())
    wanted = online.flash_backward(
        do.double().cpu().numpy(), *arrays, want, logsumexp, block=16, mask=mask.cpu().numpy()
    )
    assert relative(context, want) <= 1e-5
    assert max(relative(g, wanted[n]) for g, n in zip(gradients, "qkv", strict=True)) <= 1e-4


def test_everything_masked_is_zero():
    leaves, do = inputs(1, 1, 5, 7)
    context, gradients = run(leaves, do, torch.zeros(7, dtype=torch.bool, device=DEVICE))
    assert all((tensor == 0).all() for tensor in (context, *gradients))


@pytest.mark.slow
@pytest.mark.parametrize("by", ["mask", "key"])
@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_adding_a_constant_to_all_scores_changes_nothing(by, offset):
    """The numbers are such that float32 holds the sums exactly; only what the kernel rounds is left.

    Where a product and a sum are one instruction, that is nothing. The interpreter rounds twice.
    """
    leaves, do = inputs(1, 2, 40, 40, 16)
    with torch.no_grad():
        for leaf in leaves[:2]:
            leaf.copy_((4 * leaf).round() / 4)
            leaf[..., 0] = 0
    plain = run(leaves, do)
    if by == "mask":
        shifted = run(leaves, do, torch.full((1,), offset, device=DEVICE))
    else:
        with torch.no_grad():
            leaves[0][..., 0], leaves[1][..., 0] = 4.0, offset
        shifted = run(leaves, do)
        with torch.no_grad():  # the column that made the constant has gradients of its own
            for gradient in (*plain[1][:2], *shifted[1][:2]):
                gradient[..., 0] = 0
    for one, other in zip((plain[0], *plain[1]), (shifted[0], *shifted[1]), strict=True):
        assert relative(other, one) <= (2e-3 if interpreting() else 1e-5)


def test_scores_of_ten_thousand_do_not_overflow():
    """Each query's best key takes everything, and a choice already made has no gradient but the values'."""
    leaves, do = inputs(1, 1, 40, 40, 4)
    with torch.no_grad():
        for leaf in leaves[:2]:
            leaf *= 200
    scores = leaves[0] @ leaves[1].mT / 2
    assert scores.abs().max() > 1e5
    context, (dq, dk, dv) = run(leaves, do)
    chosen = F.one_hot(scores.argmax(-1), 40).float()
    assert relative(context, chosen @ leaves[2]) <= 1e-6
    assert relative(dv, chosen.mT @ do) <= 1e-6
    assert max(dq.abs().max(), dk.abs().max()) <= 1e-3 * leaves[0].abs().max()


@pytest.mark.parametrize("scale", [None, 0.3, 1.0, -0.7, 0.0, 20.0])
def test_any_scale(scale):
    check(*inputs(1, 1, 20, 35), scale=scale)


@pytest.mark.parametrize("shared", [1, 2])
@pytest.mark.parametrize("causal", [False, True])
def test_several_heads_of_the_query_share_a_key(shared, causal):
    check(*inputs(2, 4, 30, 40, shared=shared), is_causal=causal)


def test_axes_before_the_heads_may_be_missing_or_many_or_broadcast():
    q, k, v = draw(3, 2, 1, 9, 8), draw(1, 2, 1, 12, 8, seed=1), draw(3, 1, 1, 12, 5, seed=2)
    have = scaled_dot_product_attention(q, k, v)
    assert relative(have, F.scaled_dot_product_attention(q, k, v)) <= 1e-5
    mask = draw(2, 1, 9, 12, seed=3)
    have = scaled_dot_product_attention(q, k, v, mask)
    assert relative(have, F.scaled_dot_product_attention(q, k, v, mask)) <= 1e-5
    for lead in ((), (4,), (2, 4)):
        q, k, v = draw(*lead, 20, 8), draw(*lead, 30, 8, seed=1), draw(*lead, 30, 5, seed=2)
        have = scaled_dot_product_attention(q, k, v)
        assert have.shape == (*lead, 20, 5)
        assert relative(have, F.scaled_dot_product_attention(q, k, v)) <= 1e-5


def test_any_layout_of_the_arguments_and_of_what_arrives():
    leaves, do = inputs(1, 2, 18, 18, 8)
    turned = [leaf.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_() for leaf in leaves]
    plain = run(leaves, do)
    for axis in (2, 3):
        context, gradients = run(turned, do.transpose(1, axis).contiguous().transpose(1, axis))
        assert torch.equal(context, plain[0])
        assert all(torch.equal(a, b) for a, b in zip(gradients, plain[1], strict=True))
    context = scaled_dot_product_attention(*leaves)
    summed = torch.autograd.grad(context.sum(), leaves)  # a gradient whose strides are all 0
    assert all(torch.equal(a, b) for a, b in zip(summed, run(leaves, torch.ones_like(do))[1], strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("causal", [False, True])
def test_numbers_of_16_bits(dtype, causal):
    """Relative errors of a hundredth, two for the gradients: what such numbers can hold."""
    check(*inputs(1, 2, 40, 50, 16, dtype=dtype), is_causal=causal, forward=1e-2, backward=2e-2)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_are_those_of_finite_differences(causal):
    leaves, _ = inputs(1, 2, 18, 20, 3, dtype=torch.float64, shared=1)
    mask = draw(1, 1, 1, 20, seed=9) > -0.5
    given = None if causal else mask
    assert torch.autograd.gradcheck(
        lambda *t: scaled_dot_product_attention(*t, given, causal, 0.4), leaves, fast_mode=True
    )


def test_float64_is_computed_in_float64():
    check(*inputs(1, 1, 40, 40, dtype=torch.float64), is_causal=True, forward=1e-13, backward=1e-12)


def test_the_same_arguments_give_the_same_bits():
    leaves, do = inputs(1, 2, 40, 40)
    one, other = run(leaves, do), run(leaves, do)
    assert torch.equal(one[0], other[0])
    assert all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))


@pytest.mark.parametrize("empty", ["B", "Tq", "Tk"])
def test_nothing_to_do(empty):
    leaves, do = inputs(**({"B": 1, "Tq": 3, "Tk": 4} | {empty: 0}))
    context, gradients = run(leaves, do)
    assert context.shape == do.shape
    assert all((tensor == 0).all() for tensor in (context, *gradients))


def test_only_the_gradient_that_is_wanted_is_computed(monkeypatch):
    seen = spy(monkeypatch)
    leaves, do = inputs(1, 1, 20, 20)
    query = leaves[0].detach().requires_grad_()
    context = scaled_dot_product_attention(query, *(leaf.detach() for leaf in leaves[1:]))
    (dq,) = torch.autograd.grad(context, query, do)
    assert len(seen) == 2
    assert torch.equal(dq, run(leaves, do)[1][0])


def test_a_second_derivative_is_refused():
    leaves, do = inputs(1, 1, 4, 4)
    context = scaled_dot_product_attention(*leaves)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(context, leaves, do, create_graph=True)


def test_a_mask_that_wants_a_gradient_is_refused():
    leaves, _ = inputs(1, 1, 4, 4)
    mask = torch.zeros(4, 4, device=DEVICE, requires_grad=True)
    with pytest.raises(RuntimeError, match="gives attn_mask no gradient: use backend='torch'"):
        scaled_dot_product_attention(*leaves, mask)
    with torch.no_grad():
        assert scaled_dot_product_attention(*leaves, mask).isfinite().all()


@pytest.mark.parametrize(
    ("q", "k", "v", "words"),
    [
        ((4,), (4,), (4,), r"query has shape \(4,\)"),
        ((2, 3, 4, 8), (2, 3, 5, 7), (2, 3, 5, 8), r"key has shape \(2, 3, 5, 7\); it must have .*heads, Tk, 8\)"),
        ((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 6, 8), r"value has shape .*must have shape \(B, heads, 5, Dv\)"),
        ((2, 3, 4, 8), (3, 5, 8), (3, 5, 8), r"key has shape \(3, 5, 8\)"),
        ((2, 3, 4, 8), (2, 2, 5, 8), (2, 2, 5, 8), "query's 3 heads must be a multiple"),
        ((2, 3, 4, 8), (2, 3, 5, 8), (2, 1, 5, 8), "key and value have 3 and 1 heads"),
        ((2, 3, 4, 8), (3, 3, 5, 8), (3, 3, 5, 8), "before the heads must be the same"),
        ((2, 3, 4, 257), (2, 3, 5, 257), (2, 3, 5, 8), "rows of 1 to 256 numbers"),
    ],
)
def test_a_wrong_shape_is_named(q, k, v, words):
    with pytest.raises(ValueError, match=words):
        scaled_dot_product_attention(draw(*q), draw(*k), draw(*v))


def test_a_wrong_type_is_named():
    q = draw(1, 1, 4, 8)
    with pytest.raises(ValueError, match=r"key holds torch\.float64 and query holds torch\.float32"):
        scaled_dot_product_attention(q, q.double(), q)
    with pytest.raises(ValueError, match=r"query holds torch\.int64"):
        scaled_dot_product_attention(q.long(), q, q)
    with pytest.raises(ValueError, match=r"attn_mask holds torch\.int64; it must hold bool"):
        scaled_dot_product_attention(q, q, q, torch.ones(4, 4, dtype=torch.int64, device=DEVICE))
    with pytest.raises(ValueError, match=r"attn_mask has shape \(3, 4\); it must broadcast to \(1, 1, 4, 4\)"):
        scaled_dot_product_attention(q, q, q, torch.ones(3, 4, dtype=torch.bool, device=DEVICE))
