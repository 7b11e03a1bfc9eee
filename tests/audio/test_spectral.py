"""Frames, windows, transforms and mel bands against SciPy, NumPy's FFT, published numbers, and laws."""

import numpy as np
import pytest
from scipy import signal

from seqlab.audio import reference as audio

SHAPES = [(1, 1, 1, 1), (63, 16, 16, 16), (500, 64, 20, 64), (501, 63, 7, 128)]  # N, size, hop, n_fft
RATE = 8000


def sound(N, seed=0):
    return np.random.default_rng(seed).normal(size=N)


@pytest.mark.parametrize(("N", "size", "hop", "T"), [(10, 4, 3, 3), (9, 4, 3, 2), (4, 4, 9, 1), (500, 63, 7, 63)])
def test_frames_are_cut_where_the_equation_says(N, size, hop, T):
    x = np.arange(N, dtype=float)
    got = audio.frames(x, size, hop)
    assert got.shape == (T, size)
    for t, n in np.ndindex(T, size):
        assert got[t, n] == t * hop + n
    assert (T - 1) * hop + size <= N < T * hop + size  # not one more would fit
    got[:] = 7
    assert x[3] == 3  # a copy


@pytest.mark.parametrize("N", [1, 3, 4, 5, 7, 10, 11])
def test_padding_at_the_end_loses_no_sample(N):
    x = 1.0 + np.arange(N)
    got = audio.frames(x, 4, 3, pad="end")
    assert got.shape == (audio.frame_count(N, 4, 3, "end"), 4)
    assert set(got.ravel()) - {0.0} == set(x)
    assert len(got) == 1 or got[-1, 1] > 0 or got[-1, 0] > 0  # and adds no frame of zeros alone
    bare = got[: max(0, 1 + (N - 4) // 3)]
    assert (bare == audio.frames(x, 4, 3)).all() if N >= 4 else not len(bare)


def test_centred_frames_have_their_middle_on_the_hop():
    x = sound(100)
    got = audio.frames(x, 8, 5, pad="center")
    assert (got[:20, 4] == x[::5]).all()
    assert len(got) == audio.frame_count(100, 8, 5, "center") == 1 + 100 // 5


def test_the_lengths_of_a_batch_are_counted_at_once():
    N = np.array([200, 201, 279, 280, 1000])
    for pad in (None, "end", "center"):
        want = [len(audio.frames(np.zeros(n), 200, 80, pad)) for n in N]
        assert audio.frame_count(N, 200, 80, pad).tolist() == want


@pytest.mark.parametrize("size", [1, 2, 3, 64, 201])
def test_the_windows_are_scipy_s(size):
    np.testing.assert_allclose(audio.hann(size), signal.get_window("hann", size), atol=1e-15)
    np.testing.assert_allclose(audio.hamming(size), signal.get_window("hamming", size), atol=1e-15)


@pytest.mark.parametrize(("size", "hop"), [(64, 32), (66, 22), (200, 50)])
def test_shifted_hann_windows_add_up_to_a_constant(size, hop):
    total = sum(np.roll(np.pad(audio.hann(size), (0, 3 * size)), k * hop) for k in range(4 * size // hop))
    np.testing.assert_allclose(total, size / (2 * hop), atol=1e-12)


@pytest.mark.parametrize("N", [1, 2, 63, 128])
def test_the_transform_by_definition_is_numpy_s(N):
    x = sound(N)
    np.testing.assert_allclose(audio.dft(x), np.fft.fft(x), atol=1e-10)


def test_the_transform_of_two_waves_by_hand():
    n = np.arange(8)
    X = audio.dft(3 * np.cos(2 * np.pi * 2 * n / 8) + 0.5)
    np.testing.assert_allclose(X, [4, 0, 12, 0, 0, 0, 12, 0], atol=1e-12)


@pytest.mark.parametrize(("N", "size", "hop", "n_fft"), SHAPES)
@pytest.mark.parametrize("window", [audio.hann, audio.hamming, np.ones])
def test_the_short_time_transform_is_scipy_s(N, size, hop, n_fft, window):
    x, w = sound(N), window(size)
    if not w.any():
        w = np.ones(size)
    got = audio.stft(x, size, hop, w, n_fft)
    theirs = signal.ShortTimeFFT(w, hop, RATE, mfft=n_fft, phase_shift=None)
    T = audio.frame_count(N, size, hop)
    assert got.shape == (T, n_fft // 2 + 1)
    # SciPy counts a frame by its middle, ours by its first sample
    np.testing.assert_allclose(got, theirs.stft(x, 0, T, k_offset=theirs.m_num_mid).T, atol=1e-10)


@pytest.mark.parametrize("hop", [16, 32])
def test_the_spectrogram_is_scipy_s_old_one_too(hop):
    x = sound(500)
    w = audio.hann(64)
    _, _, want = signal.spectrogram(x, RATE, w, 64, 64 - hop, detrend=False, scaling="spectrum", mode="magnitude")
    np.testing.assert_allclose(audio.spectrogram(x, 64, hop, power=1), want.T * w.sum(), atol=1e-10)
    np.testing.assert_allclose(audio.spectrogram(x, 64, hop), (want.T * w.sum()) ** 2, atol=1e-9)


def test_parseval_the_energy_is_the_same_in_time_and_in_frequency():
    x, size = sound(500), 63
    w = audio.hamming(size)
    S = audio.spectrogram(x, size, 20, w, 128)
    both = S[:, 0] + S[:, -1] + 2 * S[:, 1:-1].sum(axis=1)  # the mirrored half counts too
    np.testing.assert_allclose(both / 128, ((audio.frames(x, size, 20) * w) ** 2).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("k", [2, 5, 20, 30])
def test_a_pure_tone_peaks_in_its_bin_with_the_height_that_the_docstring_says(k):
    f = k * RATE / 64
    x = 0.3 * np.sin(2 * np.pi * f * np.arange(800) / RATE)
    S = audio.spectrogram(x, 64, 20)
    assert (S.argmax(axis=1) == k).all()
    assert audio.frequencies(64, RATE)[k] == f
    np.testing.assert_allclose(S[:, k], (0.3 * audio.hann(64).sum() / 2) ** 2, rtol=1e-9)


def test_a_tone_between_two_bins_leaks_far_without_a_window_and_little_with_one():
    x = np.sin(2 * np.pi * 10.5 * np.arange(64) / 64)
    far = slice(20, None)
    bare, arched = (audio.spectrogram(x, 64, 1, w)[0] for w in (np.ones(64), audio.hann(64)))
    assert bare[far].max() / bare.max() > 1e-3
    assert arched[far].max() / arched.max() < 1e-5


def test_zeros_after_the_frame_refine_the_grid_and_add_nothing():
    x = sound(100)
    np.testing.assert_allclose(audio.stft(x, 32, 10, n_fft=128)[:, ::4], audio.stft(x, 32, 10), atol=1e-12)


def test_times_are_the_middles_of_the_frames():
    x = np.zeros(800)
    x[400] = 1
    for pad in (None, "center"):
        S = audio.spectrogram(x, 64, 16, pad=pad)
        t = audio.times(len(S), 64, 16, RATE, pad)
        assert t[S.sum(axis=1).argmax()] == 400 / RATE


@pytest.mark.parametrize(("N", "size", "hop", "n_fft"), [(500, 64, 20, 64), (501, 63, 7, 128), (64, 64, 16, 64)])
@pytest.mark.parametrize("window", [audio.hann, audio.hamming, np.ones])
def test_the_transform_loses_nothing(N, size, hop, n_fft, window):
    x, how = sound(N), (size, hop, window(size), n_fft)
    for pad in ("end", "center", None):
        X = audio.stft(x, *how, pad=pad)
        back = audio.istft(X, *how, pad=pad, length=N)
        covered = N if pad else (len(X) - 1) * hop + size
        if pad == "center":
            covered = min(N, (len(X) - 1) * hop + size - size // 2)
        first = 1 if window is audio.hann and pad != "center" else 0
        np.testing.assert_allclose(back[first:covered], x[first:covered], atol=1e-9)
        assert back.shape == (N,)
        assert not back[:first].any()
        assert not back[covered:].any()
        assert len(audio.istft(X, *how, pad=pad)) == (len(X) - 1) * hop + size - (
            2 * (size // 2) if pad == "center" else 0
        )
    assert audio.istft(X, *how, length=N + 1000).shape == (N + 1000,)


def test_a_changed_transform_gives_the_nearest_sound():
    # least squares: the gradient of |X - stft(x)|^2 over all frequencies is zero at the sound that comes back
    X = audio.stft(sound(80), 16, 4) + 0.5 * audio.stft(sound(80, 1) ** 2, 16, 4)
    X[3] *= 2
    x = audio.istft(X, 16, 4)

    def distance(x):
        D = np.abs(X - audio.stft(x, 16, 4)) ** 2
        return D[:, 0].sum() + D[:, -1].sum() + 2 * D[:, 1:-1].sum()

    for n in (1, 5, 40, 79):
        step = 1e-3 * np.eye(80)[n]
        assert abs(distance(x + step) - distance(x - step)) / 2e-3 < 1e-6
        assert distance(x + step) > distance(x)


# ---- mel


def test_the_htk_formula_gives_published_values():
    # 1000 Hz is 1000 mel (999.99 by these constants); 0, 700 and 8000 Hz from the formula with log10 2 = 0.30103
    got = audio.hz_to_mel(np.array([0, 700, 1000, 8000]))
    np.testing.assert_allclose(got, [0, 781.17, 999.99, 2840.02], atol=0.01)


def test_slaney_s_formula_gives_published_values():
    # librosa's documentation: hz_to_mel(60) = 0.9, hz_to_mel([110, 220, 440]) = [1.65, 3.3, 6.6], mel_to_hz([1..5]) =
    # [66.667, 133.333, 200, 266.667, 333.333]; Slaney's toolbox: 1000 Hz = 15, and 6400 Hz = 42
    got = audio.hz_to_mel(np.array([60, 110, 220, 440, 1000, 6400]), "slaney")
    np.testing.assert_allclose(got, [0.9, 1.65, 3.3, 6.6, 15, 42], atol=1e-12)
    np.testing.assert_allclose(
        audio.mel_to_hz(np.arange(1.0, 6), "slaney"), [66.667, 133.333, 200, 266.667, 333.333], atol=5e-4
    )


@pytest.mark.parametrize("formula", ["htk", "slaney"])
def test_mel_there_and_back(formula):
    f = np.concatenate([np.linspace(0, 2000, 41), [4000, 8000, 20000]])
    m = audio.hz_to_mel(f, formula)
    assert (np.diff(m) > 0).all()
    np.testing.assert_allclose(audio.mel_to_hz(m, formula), f, atol=1e-9)
    assert isinstance(audio.hz_to_mel(440.0, formula), float)


@pytest.mark.parametrize("formula", ["htk", "slaney"])
def test_the_filters_are_triangles_that_sum_to_one(formula):
    M, n_fft = 10, 1024
    filters = audio.mel_filters(M, n_fft, RATE, 100, 3800, formula)
    f = audio.frequencies(n_fft, RATE)
    corners = audio.mel_to_hz(np.linspace(*audio.hz_to_mel(np.array([100, 3800]), formula), M + 2), formula)
    for m in range(M):
        want = np.interp(f, corners[m : m + 3], [0, 1, 0], left=0, right=0)
        np.testing.assert_allclose(filters[m], want, atol=1e-12)
    inner = (f >= corners[1]) & (f <= corners[-2])
    np.testing.assert_allclose(filters[:, inner].sum(axis=0), 1, atol=1e-12)
    assert not filters[:, (f <= 100) | (f >= 3800)].any()
    np.testing.assert_allclose(
        np.diff(audio.hz_to_mel(corners, formula)), np.diff(audio.hz_to_mel(corners, formula))[0]
    )


def test_slaney_s_norm_gives_every_filter_area_one():
    filters = audio.mel_filters(12, 4096, RATE, norm="slaney")
    np.testing.assert_allclose(filters.sum(axis=1) * RATE / 4096, 1, rtol=1e-2)  # a sum for an integral


def test_mel_is_the_spectrogram_through_the_filters():
    x = 0.1 * sound(1600)
    got = audio.mel(x, RATE)
    S = audio.spectrogram(x, 200, 80, n_fft=256)
    bands = S @ audio.mel_filters(40, 256, RATE, 20.0).T
    assert got.shape == (1 + (1600 - 200) // 80, 40)
    np.testing.assert_allclose(got, np.log(np.maximum(1e-6, bands)), atol=1e-12)
    np.testing.assert_allclose(audio.mel(x, RATE, log=False), bands, rtol=1e-12)


def test_a_higher_tone_lights_a_higher_band():
    n = np.arange(1600) / RATE
    loudest = [audio.mel(np.sin(2 * np.pi * f * n), RATE).mean(axis=0).argmax() for f in (150, 400, 1000, 2500, 3700)]
    corners = audio.mel_to_hz(np.linspace(*audio.hz_to_mel(np.array([20.0, 4000.0])), 42))
    assert loudest == [int(np.abs(corners[1:-1] - f).argmin()) for f in (150, 400, 1000, 2500, 3700)]


@pytest.mark.parametrize("floor", [1e-6, 1e-3])
def test_silence_gives_the_floor_and_nothing_infinite(floor):
    got = audio.mel(np.zeros(1000), RATE, floor=floor)
    assert (got == np.log(floor)).all()
    assert (audio.mel(np.zeros(1000), RATE, log=False) == 0).all()


def test_twice_as_loud_is_a_constant_more():
    x = 0.1 * sound(1600)
    np.testing.assert_allclose(audio.mel(2 * x, RATE) - audio.mel(x, RATE), np.log(4), atol=1e-9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: audio.frames(np.zeros(3), 4, 1), "the sound has 3 samples; one frame needs 4: give a longer sound"),
        (lambda: audio.frame_count(np.array([9, 3]), 4, 1), "the sound has 3 samples"),
        (lambda: audio.mel(np.zeros(199), RATE), "the sound has 199 samples; one frame needs 200"),
        (lambda: audio.frames([1.0, 2.0], 1, 1), "x is a list; it must be a NumPy array"),
        (lambda: audio.frames(np.zeros((2, 9)), 1, 1), r"x has shape \(2, 9\); it must have shape \(N,\)"),
        (lambda: audio.frames(np.zeros(9, int), 1, 1), "x holds int64; it must hold floats"),
        (lambda: audio.frames(np.zeros(9), 4, 0), "hop is 0; it must be a whole number, at least 1"),
        (lambda: audio.frames(np.zeros(9), 2.5, 1), "size is 2.5; it must be a whole number"),
        (lambda: audio.frames(np.zeros(9), 4, 1, pad="both"), 'pad is \'both\'; it must be None, "end" or "center"'),
        (lambda: audio.hann(0), "size is 0"),
        (lambda: audio.stft(np.zeros(9), 4, 1, np.ones(5)), r"window has shape \(5,\); it must have shape \(4,\)"),
        (lambda: audio.stft(np.zeros(9), 4, 1, n_fft=3), "n_fft is 3; it must be at least the size of a frame, 4"),
        (lambda: audio.spectrogram(np.zeros(9), 4, 1, power=0), "power is 0; it must be above 0"),
        (lambda: audio.istft(np.zeros((3, 4)), 4, 1), r"X has shape \(3, 4\); it must have shape \(T, 3\)"),
        (lambda: audio.hz_to_mel(-1), "f holds -1; a frequency is at least 0 Hz"),
        (lambda: audio.mel_to_hz(np.array([3, -2])), "m holds -2; a pitch is at least 0 mel"),
        (lambda: audio.hz_to_mel(1, "bark"), 'formula is \'bark\'; it must be "htk" or "slaney"'),
        (lambda: audio.mel_filters(4, 64, RATE, 300, 200), "the bands go from 300 to 200 Hz; at 8000 samples a second"),
        (lambda: audio.mel_filters(4, 64, RATE, high=5000), "they must rise within 0 to 4000 Hz"),
        (lambda: audio.mel_filters(4, 64, RATE, norm="l1"), "norm is 'l1'; it must be None or \"slaney\""),
        (lambda: audio.mel_filters(0, 64, RATE), "M is 0"),
        (
            lambda: audio.mel_filters(80, 64, RATE),
            "band 0 of 80 lies between two frequencies .* 125 Hz; take fewer bands",
        ),
        (lambda: audio.mel(np.zeros(900), RATE, floor=0), "floor is 0; it must be above 0, so that silence"),
    ],
)
def test_what_cannot_be_computed_is_named_in_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()
