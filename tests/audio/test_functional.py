"""Spectrograms and mel bands in torch against the NumPy reference, torch.stft, and finite differences."""

import numpy as np
import pytest
import torch

from seqlab import audio
from seqlab.audio import reference

SHAPES = [(1, 1, 1, 1), (63, 16, 16, 16), (500, 64, 20, 64), (501, 63, 7, 128)]  # N, size, hop, n_fft


def sounds(B, N, seed=0):
    return np.random.default_rng(seed).normal(size=(B, N))


@pytest.mark.parametrize(("N", "size", "hop", "n_fft"), SHAPES)
@pytest.mark.parametrize("pad", [None, "end", "center"])
@pytest.mark.parametrize("power", [1, 2])
def test_the_spectrogram_is_the_reference_s(N, size, hop, n_fft, pad, power):
    x = sounds(3, N)
    for window in (None, reference.hamming(size)):
        got = audio.spectrogram(torch.tensor(x), size, hop, window, n_fft, power, pad=pad)
        for one, row in zip(got, x, strict=True):
            want = reference.spectrogram(row, size, hop, window, n_fft, power, pad=pad)
            np.testing.assert_allclose(one, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("hop", [16, 25])
def test_the_spectrogram_is_torch_s(hop):
    x, w = torch.tensor(sounds(2, 500)), torch.hann_window(64, dtype=torch.float64)
    want = torch.stft(x, 64, hop, window=w, center=False, return_complex=True).abs() ** 2
    torch.testing.assert_close(audio.spectrogram(x, 64, hop), want.mT)
    want = torch.stft(x, 64, hop, window=w, center=True, pad_mode="constant", return_complex=True).abs() ** 2
    torch.testing.assert_close(audio.spectrogram(x, 64, hop, pad="center"), want.mT)


@pytest.mark.parametrize(
    "how", [{}, {"log": False}, {"bands": 20, "formula": "slaney", "norm": "slaney", "pad": "end"}]
)
def test_mel_is_the_reference_s(how):
    x = 0.1 * sounds(3, 1234)
    x[1] = 0  # silence
    got = audio.mel(torch.tensor(x), 8000, **how)
    for one, row in zip(got, x, strict=True):
        np.testing.assert_allclose(one, reference.mel(row, 8000, **how), rtol=1e-12, atol=1e-12)


def test_a_batch_is_its_sounds_one_by_one():
    x = torch.tensor(sounds(6, 600)).reshape(2, 3, 600)
    whole = audio.mel(x, 8000)
    assert whole.shape == (2, 3, 6, 40)
    torch.testing.assert_close(whole[1, 2], audio.mel(x[1, 2], 8000))


def test_single_precision_stays_and_is_near():
    x = (0.1 * sounds(2, 1600)).astype(np.float32)
    got = audio.mel(torch.tensor(x), 8000)
    assert got.dtype == torch.float32
    want = np.stack([reference.mel(row, 8000) for row in x])
    assert np.linalg.norm(got.numpy() - want) <= 1e-5 * np.linalg.norm(want)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_the_spectrogram_s_gradient(power):
    x = torch.tensor(sounds(2, 20), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: audio.spectrogram(x, 8, 3, power=power, n_fft=16), x)


def test_mel_s_gradient_and_that_silence_has_none():
    x = torch.tensor(sounds(1, 40), requires_grad=True)
    how = {"size": 16, "hop": 8, "bands": 4, "low": 0.0}
    assert torch.autograd.gradcheck(lambda x: audio.mel(x, 8000, **how), x)
    silence = torch.zeros(1, 40, dtype=torch.float64, requires_grad=True)
    for result in (audio.mel(silence, 8000, **how), audio.spectrogram(silence, 16, 8, power=1)):
        (slope,) = torch.autograd.grad(result.sum(), silence)
        assert (slope == 0).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: audio.mel(torch.zeros(2, 199), 8000), "the sound has 199 samples; one frame needs 200"),
        (lambda: audio.mel(np.zeros((2, 300)), 8000), "x is a ndarray; it must be a tensor"),
        (lambda: audio.mel(torch.zeros(300, dtype=torch.int16), 8000), "x is a tensor of torch.int16; it must be"),
        (
            lambda: audio.spectrogram(torch.zeros(9), 4, 1, torch.ones(3)),
            r"window has shape \(3,\); it must have shape",
        ),
        (lambda: audio.spectrogram(torch.zeros(9), 4, 1, n_fft=2), "n_fft is 2; it must be at least"),
        (lambda: audio.spectrogram(torch.zeros(9), 4, 0), "hop is 0"),
        (lambda: audio.spectrogram(torch.zeros(9), 4, 1, power=-1), "power is -1"),
        (lambda: audio.mel(torch.zeros(900), 8000, bands=200), "take fewer bands"),
    ],
)
def test_what_cannot_be_computed_is_named_in_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()
