"""The interactive figure of a sound: its waveform above its spectrogram, with the sound to play."""

import base64
import io
from functools import lru_cache
from itertools import pairwise

import numpy as np

from seqlab.arrays import check_floats
from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

WINDOWS = (4, 8, 16, 32, 64, 128)  # milliseconds
BANDS = 40
LOW = 20.0  # Hz, where the mel bands begin
MOST = 22_000  # samples: 60 kB in a page
DEEP = 70  # decibels from the loudest spot to black
RATE = 8000
SPOKEN = "two zero two six"
PAUSE = 0.06  # seconds between the words


class SpectrogramPlayer(Figure):
    """A sound that plays: waveform above spectrogram, :eq:`stft`, and a cursor that tells what is heard where.

    The reader plays the sound, moves the cursor, sizes the window, :eq:`hann-window`, and switches from frequencies to
    mel bands, :eq:`mel-filters`. The page holds the sound alone, as a WAV file; the spectrogram is computed there.

    Parameters
    ----------
    samples : (N,) floats from -1 to 1, 200 to 22,000 of them (2.75 s at 8000 Hz), or a list of such numbers. None
        takes four words, spoken by `seqlab.audio.say`.
    rate : samples a second, 4000 to 48,000; needs `samples`, and None then means 8000.
    title : what the sound is.
    words : list of (text, start, end), in seconds: what is said where.
    window : milliseconds of the window at the start: 4, 8, 16, 32, 64 or 128.
    mel : whether mel bands are shown at the start.

    Raises
    ------
    ValueError
        when the sound is too short, too long or too loud, a word lies outside it, or a number is out of range.
    """

    module = "spectrogram_player.js"
    label = "A sound, its waveform and its spectrogram"
    how = "Play the sound; then move the cursor, and make the window longer and shorter: what gets sharp, what blurs?"

    def __init__(self, samples=None, rate=None, title=None, words=None, *, window=32, mel=False):
        from seqlab.audio.wav import wav_bytes

        if samples is None:
            if rate is not None or words is not None:
                raise ValueError("rate and words came without samples; give the sound that they belong to")
            samples, words = spoken()
            rate, title = RATE, title or f"“{SPOKEN}”"
        rate = RATE if rate is None else rate
        samples = np.asarray(samples, float)
        check_floats("samples", samples, ("N",))
        check_number("rate", rate, 4000, 48_000, whole=True)
        check_number("the number of samples", len(samples), 200, MOST, whole=True)
        if window not in WINDOWS:
            raise ValueError(f"window is {window!r}; it must be one of {', '.join(map(str, WINDOWS))} milliseconds")
        words = check_words(words or [], len(samples) / rate)
        super().__init__(
            sound=base64.b64encode(wav_bytes(samples, rate)).decode(),
            title=title or "a sound",
            words=words,
            windows=list(WINDOWS),
            bands=BANDS,
            window=WINDOWS.index(window),
            mel=bool(mel),
            time=0.0,
            frequency=1000.0,
        )

    def still(self):
        from seqlab.audio.reference import frequencies
        from seqlab.audio.wav import read_wav

        x, rate = read_wav(io.BytesIO(base64.b64decode(self.state["sound"])))
        size, hop, n_fft = setting(WINDOWS[self.state["window"]], len(x), rate)
        level = decibels(x, size, hop, n_fft)
        words = self.state["words"] or [(f"part {i + 1}", a, b) for i, (a, b) in enumerate(pieces(len(x) / rate, 4))]
        rows = []
        for word, start, end in words:
            part = level[round(start * rate / hop) : max(round(start * rate / hop) + 1, round(end * rate / hop))]
            t, k = np.unravel_index(part.argmax(), part.shape)
            loudest = frequencies(n_fft, rate)[k]
            rows.append((word, f"{start:.2f}–{end:.2f} s", f"{loudest:.0f} Hz", f"{start + t * hop / rate:.2f} s"))
        title = self.state["title"]
        alt = (
            f"Spectrogram of {title}: {len(x) / rate:.2f} s from left to right, 0 to {rate / 2:.0f} Hz from below "
            "upwards, bright where it is loud"
        )
        return f"{picture(level, alt)}{table(('what', 'when', 'loudest frequency', 'at'), rows, title)}"


def setting(ms, N, rate):
    """Samples in a frame, from one frame to the next, and in a transform, as the figure's module chooses them."""
    size = max(2, int(ms * rate / 1000 + 0.5))
    hop = max(1, int(max(0.0025 * rate, N / 600) + 0.5))
    n_fft = 1 << int(np.ceil(np.log2(max(size, 0.064 * rate))))
    return size, hop, n_fft


def decibels(x, size, hop, n_fft):
    """(T, F) levels against the loudest spot, in decibels; frames are centred on every hop."""
    from seqlab.audio.reference import spectrogram

    power = spectrogram(x, size, hop, n_fft=n_fft, pad="center")
    most = max(1e-12, power.max())
    return 10 * np.log10(np.maximum(power, 1e-12 * most) / most)


def picture(level, alt):
    """A small image of the levels (T, F), inlined: for paper, and for readers without scripts."""
    from html import escape

    import matplotlib.pyplot as plt

    T, F = level.shape
    columns, rows = -(-T // 240), -(-F // 64)  # a few numbers share a dot
    small = level[: T // columns * columns, : F // rows * rows]
    small = small.reshape(T // columns, columns, F // rows, rows).max(axis=(1, 3))
    file = io.BytesIO()
    plt.imsave(file, small.T[::-1], vmin=-DEEP, vmax=0, cmap="cividis", format="png", metadata={"Software": None})
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return f'<img src="{address}" alt="{escape(alt)}" style="width:100%;max-width:30rem;height:9rem">'


def pieces(seconds, n):
    """n equal parts of a sound, as pairs of seconds."""
    edges = np.linspace(0, seconds, n + 1).tolist()
    return pairwise(edges)


def check_words(words, seconds):
    """The words as lists [text, start, end]; or one sentence saying what is wrong."""
    check_number("the number of words", len(words), 0, 24, whole=True)
    for word in words:
        if len(word) != 3 or not isinstance(word[0], str):
            raise ValueError(f"words holds {word!r}; each entry must be (text, start, end), the last two in seconds")
        if not 0 <= word[1] < word[2] <= seconds + 1e-6:
            raise ValueError(
                f"the word {word[0]!r} goes from {word[1]:g} to {word[2]:g} s; it must lie in the sound, 0 "
                f"to {seconds:g} s"
            )
    return [[text, float(start), float(end)] for text, start, end in words]


@lru_cache(maxsize=1)
def spoken():
    """Four words of the synthesiser, and where each of them stands."""
    from seqlab.audio.synthesis import say

    rng, parts, words, at = np.random.default_rng(0), [], [], 0
    silence = np.zeros(int(PAUSE * RATE))
    for word in SPOKEN.split():
        x = say(word, rng=rng)
        words.append((word, at / RATE, (at + len(x)) / RATE))
        parts += [x, silence]
        at += len(x) + len(silence)
    return np.concatenate(parts[:-1]), words
