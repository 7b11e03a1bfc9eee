"""From a waveform to a spectrogram and to mel bands, in NumPy float64: the equations of chapter 18, one function each.

Letters: N samples, `rate` of them a second (Hz); frames of `size` samples, one every `hop` samples; T frames, F
frequencies from 0 to rate/2, M mel bands. Time counts samples, frequency is in Hz.
"""

import numpy as np

from seqlab.arrays import check_floats
from seqlab.shapes import check_shape, check_whole

PADS = (None, "end", "center")
FORMULAS = ("htk", "slaney")
NORMS = (None, "slaney")
MEL_FRAME, MEL_HOP = 0.025, 0.010  # seconds: usual for speech

# Slaney's scale: linear up to 1000 Hz = 15 mel, then a factor of 6.4 every 27 mel
SLANEY_STEP = 200 / 3
SLANEY_BREAK, SLANEY_BREAK_MEL = 1000.0, 15.0
SLANEY_LOG = np.log(6.4) / 27


def frame_count(N, size, hop, pad=None):
    """How many frames `frames` cuts from N samples: T = 1 + (N - size) // hop without padding, :eq:`framing`.

    Parameters
    ----------
    N : number of samples; a whole number or an array of them (the lengths of a batch).
    size, hop : samples in a frame, and from one frame's start to the next.
    pad : as in `frames`.

    Returns
    -------
    T : the number of frames, of the kind that N was.

    Raises
    ------
    ValueError
        when N is too short for one frame, or size, hop or pad is out of range.
    """
    check_framing(size, hop, pad)
    before, after = padding(N, size, hop, pad)
    padded = N + before + after
    if np.min(padded) < size:
        raise ValueError(
            f"the sound has {int(np.min(N))} samples; one frame needs {size}: give a longer sound, a smaller size, or "
            'pad="end"'
        )
    return 1 + (padded - size) // hop


def frames(x, size, hop, pad=None):
    """Cut a sound into frames that overlap, :eq:`framing`: frame t holds the samples t*hop to t*hop + size - 1.

    Parameters
    ----------
    x : (N,) samples.
    size, hop : samples in a frame, and from one frame's start to the next.
    pad : None cuts whole frames alone and leaves what remains at the end; "end" adds zeros there until every sample
        stands in a frame; "center" adds size // 2 zeros at both ends, so that the middle of frame t is sample t*hop.

    Returns
    -------
    x_t : (T, size), a copy.

    Raises
    ------
    ValueError
        when x is no (N,) array of floats, is too short for one frame, or size, hop or pad is out of range.
    """
    N = check_floats("x", x, ("N",))["N"]
    T = frame_count(N, size, hop, pad)
    x = np.pad(x, padding(N, size, hop, pad))
    return np.stack([x[t * hop : t * hop + size] for t in range(T)])


def hann(size):
    """Hann's window, :eq:`hann-window`: w_n = (1 - cos(2 pi n / size)) / 2.

    The periodic form: w_0 is 0 and w_size would be 0 again. Shifted copies add up to a constant for hop = size / 2,
    size / 3, ... (Blackman and Tukey, 1958, named it after Julius von Hann.)

    Parameters
    ----------
    size : number of samples, at least 1.

    Returns
    -------
    w : (size,) from 0 to 1.
    """
    check_whole("size", size)
    return np.ones(1) if size == 1 else 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def hamming(size):
    """Hamming's window, 0.54 - 0.46 cos(2 pi n / size): the same arch on a step of 0.08; periodic, as `hann`."""
    check_whole("size", size)
    return np.ones(1) if size == 1 else 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(size) / size)


def dft(x):
    """The discrete Fourier transform by its definition: a product with a matrix of waves.

    X_k = sum_n x_n exp(-2 pi i k n / N). It takes N * N products; `np.fft.fft` finds the same in N log N.

    Parameters
    ----------
    x : (N,) samples.

    Returns
    -------
    X : (N,) complex. For real x the second half mirrors the first: X_{N-k} is the conjugate of X_k.

    Raises
    ------
    ValueError
        when x is no (N,) array of floats.
    """
    N = check_floats("x", x, ("N",))["N"]
    n = np.arange(N)
    waves = np.exp(-2j * np.pi * np.outer(n, n) / N)
    return waves @ x


def stft(x, size, hop, window=None, n_fft=None, *, pad=None):
    """The short-time Fourier transform, :eq:`stft`: the spectrum of every frame, under a window.

    Parameters
    ----------
    x : (N,) samples.
    size, hop : samples in a frame, and from one frame's start to the next.
    window : (size,) weights of a frame's samples; None takes `hann(size)`.
    n_fft : length of the transform, at least size; zeros after the frame fill it up. None takes size. Frequency k is
        k * rate / n_fft Hz. More zeros make a finer grid, and no finer hearing.
    pad : as in `frames`.

    Returns
    -------
    X : (T, F) complex, F = n_fft // 2 + 1. Its phase counts from the frame's first sample.

    Raises
    ------
    ValueError
        when the sound is too short, or an argument is out of range.
    """
    window, n_fft = _setting(size, window, n_fft)
    return np.fft.rfft(frames(x, size, hop, pad) * window, n_fft)


def istft(X, size, hop, window=None, n_fft=None, *, pad=None, length=None):
    """The sound of a short-time Fourier transform, by weighted overlap-add.

    Every frame is transformed back, weighted with the window once more, and added where it was cut; the sum is divided
    by the sum of the squared windows. For an X that `stft` made this is the sound itself; for any other X the sound
    whose transform is nearest in the least-squares sense (Griffin and Lim, 1984).

    Parameters
    ----------
    X : (T, F) complex, from `stft` with the same size, hop, window, n_fft and pad.
    length : samples to return; None returns all that the frames cover.

    Returns
    -------
    x : (N,). A sample that no frame saw comes back as 0: what the frames left at the end, and, where pad is not
        "center", the first sample under a window that begins with 0.

    Raises
    ------
    ValueError
        when X has another number of frequencies than n_fft gives, or an argument is out of range.
    """
    check_framing(size, hop, pad)
    window, n_fft = _setting(size, window, n_fft)
    T = check_shape("X", X, ("T", n_fft // 2 + 1))["T"]
    total, weight = np.zeros((2, (T - 1) * hop + size))
    for t, frame in enumerate(np.fft.irfft(X, n_fft)[:, :size]):
        here = slice(t * hop, t * hop + size)
        total[here] += window * frame
        weight[here] += window**2
    x = np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-10)
    edge = size // 2 if pad == "center" else 0
    N = len(x) - 2 * edge if length is None else length
    return np.pad(x, (0, max(0, edge + N - len(x))))[edge : edge + N]


def spectrogram(x, size, hop, window=None, n_fft=None, power=2, *, pad=None):
    """How strong each frequency is in each frame: |X|**power of the short-time Fourier transform, :eq:`stft`.

    Parameters
    ----------
    x, size, hop, window, n_fft, pad : as in `stft`.
    power : 2 for the power |X|^2, 1 for the magnitude |X|.

    Returns
    -------
    S : (T, F), F = n_fft // 2 + 1. A sine of amplitude A on frequency k gives (A * window.sum() / 2)**2 there.

    Raises
    ------
    ValueError
        when the sound is too short, or an argument is out of range.
    """
    check_power(power)
    return np.abs(stft(x, size, hop, window, n_fft, pad=pad)) ** power


def frequencies(n_fft, rate):
    """The F = n_fft // 2 + 1 frequencies of a transform of length n_fft, in Hz: k * rate / n_fft."""
    return np.arange(n_fft // 2 + 1) * rate / n_fft


def times(T, size, hop, rate, pad=None):
    """The middles of T frames in seconds: (t*hop + size/2) / rate, and t*hop / rate where pad is "center"."""
    return (np.arange(T) * hop + (0 if pad == "center" else size / 2)) / rate


def hz_to_mel(f, formula="htk"):
    """A frequency in mel, the scale on which equal steps sound equally wide, :eq:`mel-scale`.

    Parameters
    ----------
    f : frequencies in Hz, a number or an array.
    formula : "htk" is 2595 log10(1 + f / 700) (O'Shaughnessy, 1987; the HTK toolkit, and the one that papers print);
        "slaney" is linear to 1000 Hz = 15 and logarithmic above, 6400 Hz = 42 (Slaney's Auditory Toolbox, 1998). The
        two count in different units: compare filters, not mels.

    Returns
    -------
    m : as f.

    Raises
    ------
    ValueError
        when the formula is unknown or a frequency is negative.
    """
    _check_formula(formula)
    f = np.asarray(f, float)
    if np.any(f < 0):
        raise ValueError(f"f holds {f.min():g}; a frequency is at least 0 Hz")
    if formula == "htk":
        return 2595 * np.log10(1 + f / 700)
    above = SLANEY_BREAK_MEL + np.log(np.maximum(f, SLANEY_BREAK) / SLANEY_BREAK) / SLANEY_LOG
    return np.where(f < SLANEY_BREAK, f / SLANEY_STEP, above)[()]


def mel_to_hz(m, formula="htk"):
    """A pitch in mel back in Hz: the inverse of `hz_to_mel`, with the same arguments and errors."""
    _check_formula(formula)
    m = np.asarray(m, float)
    if np.any(m < 0):
        raise ValueError(f"m holds {m.min():g}; a pitch is at least 0 mel")
    if formula == "htk":
        return 700 * (10 ** (m / 2595) - 1)
    above = SLANEY_BREAK * np.exp(SLANEY_LOG * (np.maximum(m, SLANEY_BREAK_MEL) - SLANEY_BREAK_MEL))
    return np.where(m < SLANEY_BREAK_MEL, m * SLANEY_STEP, above)[()]


def mel_filters(M, n_fft, rate, low=0.0, high=None, formula="htk", norm=None):
    """M triangles, evenly spaced in mel, that gather the frequencies of a spectrogram, :eq:`mel-filters`.

    The M + 2 corners are evenly spaced in mel from low to high; filter m rises from corner m to corner m + 1 and falls
    to corner m + 2, in straight lines over Hz. Neighbours overlap: where one falls the next rises, and they sum to 1.

    Parameters
    ----------
    M : number of bands.
    n_fft : length of the transform.
    rate : samples a second.
    low, high : the outer corners in Hz; high=None takes rate / 2.
    formula : of the mel scale, as in `hz_to_mel`.
    norm : None for triangles of height 1; "slaney" divides each by half its width in Hz, so that all have area 1.

    Returns
    -------
    filters : (M, F) weights; a spectrogram (T, F) times filters.T is (T, M).

    Raises
    ------
    ValueError
        when a number is out of range, or a triangle is so narrow that it holds no frequency of the transform.
    """
    check_whole("M", M)
    check_whole("n_fft", n_fft, 2)
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2:
        raise ValueError(
            f"the bands go from {low:g} to {high:g} Hz; at {rate:g} samples a second they must rise within 0 to "
            f"{rate / 2:g} Hz"
        )
    if norm not in NORMS:
        raise ValueError(f'norm is {norm!r}; it must be None or "slaney"')
    mels = np.linspace(hz_to_mel(low, formula), hz_to_mel(high, formula), M + 2)
    corners = mel_to_hz(mels, formula)
    f = frequencies(n_fft, rate)
    filters = np.zeros((M, len(f)))
    for m, (left, middle, right) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        rises, falls = (f - left) / (middle - left), (right - f) / (right - middle)
        filters[m] = np.maximum(0, np.minimum(rises, falls))
        if norm == "slaney":
            filters[m] *= 2 / (right - left)
        if not filters[m].any():
            raise ValueError(
                f"band {m} of {M} lies between two frequencies of the transform, {left:.0f} to {right:.0f} Hz in a "
                f"grid of {rate / n_fft:.0f} Hz; take fewer bands or a larger n_fft than {n_fft}"
            )
    return filters


def mel_setting(rate, size=None, hop=None, n_fft=None):
    """What `mel` takes where nothing is said: frames of 25 ms every 10 ms, and a power of two for the transform.

    Returns
    -------
    size, hop, n_fft : in samples.
    """
    size = round(MEL_FRAME * rate) if size is None else size
    hop = round(MEL_HOP * rate) if hop is None else hop
    check_whole("size", size)
    return size, hop, 1 << (size - 1).bit_length() if n_fft is None else n_fft


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
    """The log-mel spectrogram: the power in each mel band of each frame, and its logarithm, :eq:`mel-filters`.

    Parameters
    ----------
    x : (N,) samples, in -1 to 1 as `read_wav` gives them (the floor counts in their square).
    rate : samples a second.
    size, hop : samples in a frame and between frames; None takes 25 ms and 10 ms.
    bands : M.
    low, high : edges of the bands in Hz; high=None takes rate / 2.
    log : whether to take the natural logarithm, of what is at least `floor`.
    floor : the power that stands for silence: log(0) would be -inf.
    n_fft : length of the transform; None takes the power of two from size on.
    window, pad : as in `stft`.
    formula, norm : as in `mel_filters`.

    Returns
    -------
    mel : (T, M).

    Raises
    ------
    ValueError
        when the sound is too short, a band holds no frequency, or an argument is out of range.
    """
    check_floor(floor)
    size, hop, n_fft = mel_setting(rate, size, hop, n_fft)
    filters = mel_filters(bands, n_fft, rate, low, high, formula, norm)
    gathered = spectrogram(x, size, hop, window, n_fft, pad=pad) @ filters.T
    return np.log(np.maximum(gathered, floor)) if log else gathered


def check_framing(size, hop, pad=None):
    """One sentence where frames cannot be cut."""
    check_whole("size", size)
    check_whole("hop", hop)
    if pad not in PADS:
        raise ValueError(f'pad is {pad!r}; it must be None, "end" or "center"')


def check_power(power):
    """One sentence where a spectrogram has no such power."""
    if not power > 0:
        raise ValueError(f"power is {power}; it must be above 0: 2 for the power, 1 for the magnitude")


def check_floor(floor):
    """One sentence where silence would have no logarithm."""
    if not floor > 0:
        raise ValueError(f"floor is {floor}; it must be above 0, so that silence has a logarithm")


def check_n_fft(size, n_fft):
    """The length of the transform: size where it is None; one sentence where it would cut frames off."""
    n_fft = size if n_fft is None else n_fft
    check_whole("n_fft", n_fft)
    if n_fft < size:
        raise ValueError(f"n_fft is {n_fft}; it must be at least the size of a frame, {size}")
    return n_fft


def _setting(size, window, n_fft):
    """The window and the length of the transform, with what stands for None."""
    window = hann(size) if window is None else window
    check_floats("window", window, (size,))
    return window, check_n_fft(size, n_fft)


def padding(N, size, hop, pad):
    """How many zeros stand before and after a sound of N samples."""
    if pad == "center":
        return size // 2, size // 2
    if pad == "end":
        return 0, np.where(np.asarray(N) < size, size - N, (size - N) % hop)[()]
    return 0, 0


def _check_formula(formula):
    if formula not in FORMULAS:
        raise ValueError(f'formula is {formula!r}; it must be "htk" or "slaney"')
