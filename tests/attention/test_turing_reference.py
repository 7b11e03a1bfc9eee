"""The Turing machine's equations: laws, torch's autograd, and errors that name what is wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.attention import turing as functions
from seqlab.attention.reference import turing

B, HEADS, ROWS, WIDTH, MOVES = 2, 3, 7, 5, 3
rng = np.random.default_rng(0)


def simplex(*shape):
    """Weights that sum to one along the last axis."""
    e = np.exp(rng.normal(size=shape))
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(where, size):
    return np.eye(size)[where]


M = rng.normal(size=(B, ROWS, WIDTH))
CASES = {
    "content_weights": (M, rng.normal(size=(B, HEADS, WIDTH)), rng.uniform(0.1, 9, size=(B, HEADS))),
    "interpolate": (simplex(B, HEADS, ROWS), simplex(B, HEADS, ROWS), rng.uniform(size=(B, HEADS))),
    "shift": (simplex(B, HEADS, ROWS), simplex(B, HEADS, MOVES)),
    "sharpen": (simplex(B, HEADS, ROWS), rng.uniform(1, 6, size=(B, HEADS))),
    "read": (M, simplex(B, HEADS, ROWS)),
    "write": (
        M,
        simplex(B, HEADS, ROWS),
        rng.uniform(size=(B, HEADS, WIDTH)),
        rng.normal(size=(B, HEADS, WIDTH)),
    ),
}
each = pytest.mark.parametrize("name", CASES)


@each
@pytest.mark.parametrize("heads", [1, 3])
def test_torch_and_its_autograd_agree(name, heads):
    arrays = [a if a is M else a[:, :heads] for a in CASES[name]]
    out = getattr(turing, name)(*arrays)
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    twin = getattr(functions, name)(*leaves)
    toward = rng.normal(size=out.shape)
    twin.backward(torch.tensor(toward))
    gradients = getattr(turing, f"{name}_backward")(toward, *arrays)
    assert np.abs(twin.detach().numpy() - out).max() <= 1e-10
    assert len(gradients) == len(arrays)
    for (argument, gradient), leaf in zip(gradients.items(), leaves, strict=True):
        assert gradient.shape == leaf.shape, argument
        assert np.abs(gradient - leaf.grad.numpy()).max() <= 1e-10, argument


@each
def test_gradients_agree_with_finite_differences(name):
    arrays = CASES[name]
    function = getattr(turing, name)
    toward = rng.normal(size=function(*arrays).shape)
    gradients = getattr(turing, f"{name}_backward")(toward, *arrays)
    for n, gradient in enumerate(gradients.values()):
        direction = rng.normal(size=gradient.shape)
        moved = [[*arrays[:n], arrays[n] + h * direction, *arrays[n + 1 :]] for h in (1e-6, -1e-6)]
        numeric = (toward * (function(*moved[0]) - function(*moved[1]))).sum() / 2e-6
        assert numeric == pytest.approx((gradient * direction).sum(), rel=1e-6, abs=1e-7)


@given(seed=st.integers(0, 10_000), rows=st.integers(3, 9), strength=st.floats(0, 50))
def test_weights_stay_weights(seed, rows, strength):
    """Whatever the controller says, after each stage no weight is negative and all sum to one."""
    own = np.random.default_rng(seed)
    memory, key = own.normal(size=(1, rows, 4)) * 3, own.normal(size=(1, 2, 4))
    stages = [turing.content_weights(memory, key, np.full((1, 2), strength))]
    stages.append(turing.interpolate(stages[-1], np.roll(stages[-1], 1, axis=-1), own.uniform(size=(1, 2))))
    stages.append(turing.shift(stages[-1], own.dirichlet(np.ones(3), size=(1, 2))))
    stages.append(turing.sharpen(stages[-1], own.uniform(1, 40, size=(1, 2))))
    for w in stages:
        assert (w >= 0).all()
        assert np.allclose(w.sum(axis=-1), 1)


def test_a_strong_key_finds_its_row_and_a_weak_one_none():
    key = 5 * M[:, [4]]  # its length does not matter, only where it points
    sure = turing.content_weights(M, key, np.full((B, 1), 1e3))
    assert np.allclose(sure, one_hot([[4]] * B, ROWS))
    unsure = turing.content_weights(M, key, np.zeros((B, 1)))
    assert np.allclose(unsure, 1 / ROWS)


def test_a_blank_row_is_like_no_key():
    memory = M.copy()
    memory[:, 2] = 0
    w = turing.content_weights(memory, M[:, [4]], np.full((B, 1), 1e3))
    assert np.isfinite(w).all()
    assert np.allclose(w[..., 2], 0)


def test_the_gate_chooses_between_content_and_place():
    found, before = simplex(B, HEADS, ROWS), simplex(B, HEADS, ROWS)
    assert np.allclose(turing.interpolate(found, before, np.ones((B, HEADS))), found)
    assert np.allclose(turing.interpolate(found, before, np.zeros((B, HEADS))), before)


@pytest.mark.parametrize("move", [-2, -1, 0, 1, 2])
def test_a_shift_that_is_certain_is_a_roll(move):
    w = simplex(B, HEADS, ROWS)
    s = np.broadcast_to(one_hot(2 + move, 5), (B, HEADS, 5))
    assert np.allclose(turing.shift(w, s), np.roll(w, move, axis=-1))
    assert np.allclose(functions.shift(torch.tensor(w), torch.tensor(s.copy())), np.roll(w, move, axis=-1))


def test_a_head_that_cannot_move_stays():
    w = simplex(B, HEADS, ROWS)
    assert np.allclose(turing.shift(w, np.ones((B, HEADS, 1))), w)
    assert np.allclose(functions.shift(torch.tensor(w), torch.ones(B, HEADS, 1)), w)


def test_sharpening_with_one_changes_nothing_and_with_much_leaves_the_largest():
    w = simplex(B, HEADS, ROWS)
    assert np.allclose(turing.sharpen(w, np.ones((B, HEADS))), w)
    assert np.allclose(turing.sharpen(w, np.full((B, HEADS), 5e3)), one_hot(w.argmax(axis=-1), ROWS), atol=1e-3)


def test_sharpening_even_weights_divides_by_no_zero():
    """(1/128)^30 is below what 32 bits hold; the weights must still sum to one."""
    even = torch.full((1, 1, 128), 1 / 128)
    sharp = functions.sharpen(even, torch.full((1, 1), 30.0))
    assert torch.allclose(sharp, even)
    assert np.allclose(turing.sharpen(np.full((1, 1, 128), 1 / 128), np.full((1, 1), 300.0)), 1 / 128)


def test_what_was_written_is_read():
    """Erase 1 and add v at one row: reading there gives v, and every other row is as it was."""
    w = one_hot([[3]] * B, ROWS)
    v = rng.normal(size=(B, 1, WIDTH))
    after = turing.write(M, w, np.ones_like(v), v)
    assert np.allclose(turing.read(after, w), v)
    assert np.allclose(np.delete(after, 3, axis=1), np.delete(M, 3, axis=1))


def test_without_erasing_writing_adds():
    w, v = simplex(B, HEADS, ROWS), rng.normal(size=(B, HEADS, WIDTH))
    after = turing.write(M, w, np.zeros_like(v), v)
    assert np.allclose(after - M, sum(np.einsum("br,bw->brw", w[:, h], v[:, h]) for h in range(HEADS)))


def test_the_order_of_the_write_heads_does_not_matter():
    w, e, a = CASES["write"][1:]
    order = [2, 0, 1]
    assert np.allclose(turing.write(M, w, e, a), turing.write(M, w[:, order], e[:, order], a[:, order]))


def test_wrong_arguments_are_named():
    w, s = CASES["shift"]
    with pytest.raises(ValueError, match=r"key has shape \(2, 3, 4\); it must have shape \(2, heads, 5\)"):
        turing.content_weights(M, np.zeros((2, 3, 4)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"gate has shape \(2, 1\); it must have shape \(2, 3\)"):
        turing.interpolate(w, w, np.ones((2, 1)))
    with pytest.raises(ValueError, match="s has 2 moves; with 7 rows it needs an odd number of them, 7 at most"):
        turing.shift(w, s[..., :2])
    with pytest.raises(ValueError, match=r"gamma holds 0\.5; it must be at least 1"):
        turing.sharpen(w, np.full((B, HEADS), 0.5))
    with pytest.raises(ValueError, match=r"erase has shape \(2, 3, 4\); it must have shape \(2, 3, 5\)"):
        turing.write(M, w, np.ones((B, HEADS, 4)), np.ones((B, HEADS, 5)))
    with pytest.raises(ValueError, match="w holds int64; it must hold floats"):
        turing.read(M, np.eye(ROWS, dtype=np.int64)[[[3]] * B])
    with pytest.raises(ValueError, match=r"dr has shape \(2, 3, 7\)"):
        turing.read_backward(np.ones((B, HEADS, ROWS)), M, w)
