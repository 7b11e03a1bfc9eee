"""Spectrograms and mel bands of a batch of sounds in torch: the reference's numbers, on any device, with gradients.

Letters: B sounds, N samples, T frames, F frequencies, M mel bands; `rate` is samples a second.
"""

from functools import lru_cache

import torch
from torch.nn import functional as F

from seqlab.audio.reference import spectral
from seqlab.shapes import check_shape


def spectrogram(x, size, hop, window=None, n_fft=None, power=2, *, pad=None):
    """How strong each frequency is in each frame: |X|**power of the short-time Fourier transform, :eq:`stft`.

    Parameters
    ----------
    x : (..., N) samples, float32 or float64; usually (B, N).
    size, hop : samples in a frame, and from one frame's start to the next.
    window : (size,) weights of a frame's samples, a tensor or an array; None takes Hann's, :eq:`hann-window`.
    n_fft : length of the transform, at least size; None takes size.
    power : 2 for the power |X|^2, 1 for the magnitude |X|.
    pad : None, "end" or "center", as in `seqlab.audio.reference.frames`.

    Returns
    -------
    S : (..., T, F), F = n_fft // 2 + 1, in the dtype of x. `seqlab.audio.reference.frame_count` gives T for the length
        of each sound of a batch.

    Raises
    ------
    ValueError
        when x is no tensor of float32 or float64, is too short for a frame, or an argument is out of range.
    """
    X = _stft(x, size, hop, window, n_fft, pad)
    spectral.check_power(power)
    return X.real**2 + X.imag**2 if power == 2 else X.abs() ** power


def mel(
    x,
    rate,
    *,
    size=None,
    hop=None,
    bands=40,
    low=20.0,
    high=None,
    log=True,
    floor=1e-6,
    n_fft=None,
    window=None,
    formula="htk",
    norm=None,
    pad=None,
):
    """The log-mel spectrogram of a batch: `seqlab.audio.reference.mel` in torch, :eq:`mel-filters`.

    Parameters
    ----------
    x : (..., N) samples in -1 to 1, float32 or float64; usually (B, N).
    rate : samples a second.
    size, hop, bands, low, high, log, floor, n_fft, window, formula, norm, pad : as in the reference.

    Returns
    -------
    mel : (..., T, M) in the dtype of x.

    Raises
    ------
    ValueError
        as the reference.
    """
    spectral.check_floor(floor)
    size, hop, n_fft = spectral.mel_setting(rate, size, hop, n_fft)
    filters = _filters(bands, n_fft, rate, low, high, formula, norm)
    power = spectrogram(x, size, hop, window, n_fft, pad=pad)
    gathered = power @ torch.from_numpy(filters).to(power).T
    return torch.log(gathered.clamp(min=floor)) if log else gathered


_filters = lru_cache(maxsize=32)(spectral.mel_filters)


def _stft(x, size, hop, window, n_fft, pad):
    """(..., N) -> (..., T, F) complex."""
    if not isinstance(x, torch.Tensor) or x.dtype not in (torch.float32, torch.float64) or x.ndim < 1:
        what = f"a tensor of {x.dtype}" if isinstance(x, torch.Tensor) else f"a {type(x).__name__}"
        raise ValueError(f"x is {what}; it must be a tensor (B, N) of float32 or float64")
    n_fft = spectral.check_n_fft(size, n_fft)
    N = x.shape[-1]
    spectral.frame_count(N, size, hop, pad)
    window = torch.as_tensor(spectral.hann(size) if window is None else window).to(x)
    check_shape("window", window, (size,))
    before, after = spectral.padding(N, size, hop, pad)
    return torch.fft.rfft(F.pad(x, (int(before), int(after))).unfold(-1, size, hop) * window, n_fft)
