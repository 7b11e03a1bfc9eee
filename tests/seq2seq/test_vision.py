import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqlab.seq2seq import vision


@pytest.mark.parametrize(
    ("B", "C", "filters", "k", "height", "width"), [(1, 1, 1, 1, 1, 1), (2, 3, 5, 3, 7, 4), (3, 2, 4, 5, 3, 6)]
)
def test_convolution_and_its_gradients_agree_with_torch(B, C, filters, k, height, width):
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(B, C, height, width)), rng.normal(size=(filters, C, k, k))
    b, dy = rng.normal(size=filters), rng.normal(size=(B, filters, height, width))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, W, b)]
    want = F.conv2d(*tensors, padding=k // 2)
    assert np.allclose(vision.convolution(x, W, b), want.detach().numpy(), atol=1e-12)
    want.backward(torch.tensor(dy))
    got = vision.convolution_backward(dy, x, W, b)
    for name, tensor in zip(("x", "W", "b"), tensors, strict=True):
        assert np.allclose(got[name], tensor.grad.numpy(), atol=1e-11), name


def test_a_shifted_picture_gives_shifted_features():
    rng = np.random.default_rng(1)
    x, W, b = np.zeros((1, 2, 12, 12)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    x[:, :, 3:6, 3:6] = rng.normal(size=(1, 2, 3, 3))
    there = vision.convolution(np.roll(x, (4, 2), axis=(2, 3)), W, b)
    assert np.allclose(there, np.roll(vision.convolution(x, W, b), (4, 2), axis=(2, 3)))


def test_max_pool_and_its_gradient_agree_with_torch():
    rng = np.random.default_rng(2)
    x, dy = rng.normal(size=(2, 3, 6, 4)), rng.normal(size=(2, 3, 3, 2))
    tensor = torch.tensor(x, requires_grad=True)
    want = F.max_pool2d(tensor, 2)
    assert np.array_equal(vision.max_pool(x), want.detach().numpy())
    want.backward(torch.tensor(dy))
    assert np.array_equal(vision.max_pool_backward(dy, x), tensor.grad.numpy())


def test_of_equal_places_the_first_gets_the_whole_gradient():
    dx = vision.max_pool_backward(np.full((1, 1, 1, 1), 3.0), np.zeros((1, 1, 2, 2)))
    assert dx.tolist() == [[[[3, 0], [0, 0]]]]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: vision.convolution(np.zeros((1, 2, 4, 4)), np.zeros((3, 1, 3, 3)), np.zeros(3)), "W has shape"),
        (lambda: vision.convolution(np.zeros((1, 1, 4, 4)), np.zeros((3, 1, 3, 3)), np.zeros(2)), "b has shape"),
        (lambda: vision.convolution(np.zeros((1, 1, 4, 4)), np.zeros((3, 1, 2, 2)), np.zeros(3)), "k must be odd"),
        (lambda: vision.max_pool(np.zeros((1, 1, 3, 4))), "height and width must be even"),
        (lambda: vision.max_pool_backward(np.zeros((1, 1, 1, 2)), np.zeros((1, 1, 2, 2))), "dy has shape"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
