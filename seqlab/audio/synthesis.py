"""Sounds made by a few rules: tones, noise, backgrounds, and speech from a small formant synthesiser.

Speech is made as the throat and the mouth make it, by a source and a filter (Fant 1960). The source is a train of
pulses, one each time that the vocal folds close, or the noise of air that is pressed through a narrow place. The filter
is the mouth: its resonances, the formants F1 to F4, say which vowel it is. The formants of the vowels are those that
Peterson and Barney (1952) measured on 33 men; those of the consonants, the resonators and their use in a row are from
Klatt (1980), "Software for a cascade/parallel formant synthesizer".
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

RATE = 8000  # samples a second, of the whole book
STEP = 0.005  # seconds for which the mouth stands still; 200 shapes a second are a smooth movement
GLIDE, SWITCH = 0.06, 0.02  # seconds that the mouth takes from sound to sound, and that a source takes to start
F4, BANDWIDTHS = 3300.0, (60.0, 90.0, 150.0, 250.0)  # of the fourth formant, and of all four; Hz
TRACT = 17.5  # cm from the vocal folds to the lips, of the men whose formants are below
RINGING = 0.04  # seconds until the narrowest resonance is silent
TREMBLE = 0.05  # seconds between two turns of the pitch
PEAK, LEVEL = 0.5, 0.05  # the largest sample of a spoken text; the root mean square of a background

# F1, F2, F3 in Hz
VOWELS = {
    "IY": (270, 2290, 3010),  # heed
    "IH": (390, 1990, 2550),  # hid
    "EH": (530, 1840, 2480),  # head
    "AE": (660, 1720, 2410),  # had
    "AA": (730, 1090, 2440),  # hod
    "AO": (570, 840, 2410),  # hawed
    "UH": (440, 1020, 2240),  # hood
    "UW": (300, 870, 2240),  # who'd
    "AH": (640, 1190, 2390),  # hud
    "ER": (490, 1350, 1690),  # heard
}
GLIDES = {"AY": ("AA", "IH"), "EY": ("EH", "IY"), "OW": ("AO", "UH"), "AW": ("AA", "UH")}  # from vowel to vowel
SONORANTS = {  # and how loud, against a vowel; of M and N the first is the low murmur of the nose
    "W": (290, 610, 2150, 0.6),
    "Y": (260, 2070, 3020, 0.6),
    "R": (310, 1060, 1380, 0.7),
    "L": (310, 1050, 2880, 0.6),
    "M": (280, 1270, 2130, 0.35),
    "N": (280, 1340, 2470, 0.35),
}
# F1, F2, F3 beside it; where its noise is loudest and how wide, in Hz; how loud the noise is, and the voice under it
FRICATIVES = {
    "F": (340, 1100, 2080, 2600, 3000, 0.10, 0.0),
    "V": (220, 1100, 2080, 2600, 3000, 0.05, 0.35),
    "TH": (320, 1290, 2540, 3100, 2200, 0.10, 0.0),
    "S": (320, 1390, 2530, 3800, 700, 0.32, 0.0),
    "Z": (240, 1390, 2530, 3800, 700, 0.22, 0.3),
    "SH": (300, 1840, 2750, 2500, 700, 0.35, 0.0),
}
STOPS = {  # the noise is that of the burst; the last number is the voice while the mouth is shut
    "P": (400, 1100, 2150, 900, 1200, 0.30, 0.0),
    "B": (200, 1100, 2150, 900, 1200, 0.20, 0.15),
    "T": (400, 1600, 2600, 3500, 1000, 0.45, 0.0),
    "D": (200, 1600, 2600, 3500, 1000, 0.30, 0.15),
    "K": (300, 1990, 2850, 1900, 600, 0.45, 0.0),
    "G": (200, 1990, 2850, 1900, 600, 0.30, 0.15),
}

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRIGGER = "activate"
LEXICON = {
    "zero": "Z IH R OW",
    "one": "W AH N",
    "two": "T UW",
    "three": "TH R IY",
    "four": "F AO R",
    "five": "F AY V",
    "six": "S IH K S",
    "seven": "S EH V AH N",
    "eight": "EY T",
    "nine": "N AY N",
    "activate": "AE K T IH V EY T",
    "active": "AE K T IH V",
    "activity": "AE K T IH V IH T IY",
    "captivate": "K AE P T IH V EY T",
    "motivate": "M OW T IH V EY T",
    "animate": "AE N IH M EY T",
    "late": "L EY T",
    "wait": "W EY T",
    "hello": "HH EH L OW",
    "stop": "S T AA P",
    "go": "G OW",
    "light": "L AY T",
    "left": "L EH F T",
    "right": "R AY T",
    "music": "M Y UW Z IH K",
    "tomorrow": "T UW M AA R OW",
    "yes": "Y EH S",
    "no": "N OW",
}
COLOURS = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # the amplitude falls with this power of the frequency
BACKGROUNDS = ("rain", "hum", "street", "babble")


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes
    ----------
    pitch : closures of the vocal folds a second, in Hz; about 110 for a man, 210 for a woman.
    tract : from the vocal folds to the lips, in cm. A shorter one moves all formants up.
    speed : 1 for a calm speaker, 2 for one who takes half the time.
    breath : how much air is heard in the vowels, 0 to 1.

    Raises
    ------
    ValueError
        when a number is out of range.
    """

    pitch: float = 110.0
    tract: float = TRACT
    speed: float = 1.0
    breath: float = 0.1

    def __post_init__(self):
        for name, low, high in (("pitch", 50, 400), ("tract", 11, 20), ("speed", 0.4, 2.5), ("breath", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; a voice must have it from {low} to {high}")

    @classmethod
    def random(cls, rng):
        """Draw somebody: a high voice comes, more or less, from a short tract.

        Parameters
        ----------
        rng : NumPy generator.
        """
        size = rng.uniform()
        return cls(
            pitch=float(90 * 2.4 ** (1 - size) * rng.uniform(0.88, 1.12)),
            tract=float(14.2 + 3.8 * size + rng.uniform(-0.4, 0.4)),
            speed=float(rng.uniform(0.8, 1.3)),
            breath=float(rng.uniform(0.02, 0.35)),
        )


@dataclass(frozen=True)
class _Sound:
    """A shape of the mouth for some time: the formants, the loudness of voice, breath and noise, and the noise's band.

    Where `formants` is None, the mouth is already on its way to the next sound.
    """

    seconds: float
    formants: tuple | None
    voice: float = 0.0
    breath: float = 0.0
    noise: float = 0.0
    band: tuple = (2500.0, 3000.0)

    @property
    def silent(self):
        return not (self.voice or self.breath or self.noise)


def tone(frequency, seconds, rate=RATE):
    """A pure tone: the sine of one frequency.

    Parameters
    ----------
    frequency : in Hz, below half the rate.
    seconds : how long.
    rate : samples a second, in Hz.

    Returns
    -------
    x : (N,) samples from -1 to 1.

    Raises
    ------
    ValueError
        when a number is out of range.
    """
    N = _samples(seconds, rate)
    if not 0 < frequency < rate / 2:
        raise ValueError(
            f"frequency is {frequency} Hz; at {rate} samples a second it must be above 0, below {rate / 2}"
        )
    return np.sin(2 * np.pi * frequency * np.arange(N) / rate)


def noise(seconds, rate=RATE, colour="white", rng=None):
    """Noise. White has the same power in every Hz, pink in every octave, and brown, a random walk, is duller still.

    Parameters
    ----------
    seconds, rate : as in `tone`.
    colour : "white", "pink" or "brown".
    rng : NumPy generator; None for a new one with seed 0.

    Returns
    -------
    x : (N,) samples with a root mean square of `LEVEL`.

    Raises
    ------
    ValueError
        when a number is out of range, or the colour is unknown.
    """
    N = _samples(seconds, rate)
    if colour not in COLOURS:
        raise ValueError(f"colour is {colour!r}; it must be 'white', 'pink' or 'brown'")
    spectrum = np.fft.rfft(_generator(rng).standard_normal(N))
    frequency = np.fft.rfftfreq(N, 1 / rate)
    shape = np.zeros(len(frequency))
    heard = frequency >= 20  # what is lower is no sound, and a random walk would be made of that alone
    shape[heard] = frequency[heard] ** -COLOURS[colour]
    return _at_level(np.fft.irfft(spectrum * shape, N))


def background(kind, seconds, rate=RATE, rng=None):
    """What is heard behind the words.

    Parameters
    ----------
    kind : "rain" (hiss and drops), "hum" (mains and a fan), "street" (cars that pass) or "babble" (five people who
        talk at once; nobody says the trigger word).
    seconds, rate : as in `tone`.
    rng : NumPy generator; None for a new one with seed 0.

    Returns
    -------
    x : (N,) samples with a root mean square of `LEVEL`.

    Raises
    ------
    ValueError
        when a number is out of range, or the kind is unknown.
    """
    N = _samples(seconds, rate)
    if kind not in BACKGROUNDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(map(repr, BACKGROUNDS))}")
    make = {"rain": _rain, "hum": _hum, "street": _street, "babble": _babble}[kind]
    return _at_level(make(N, seconds, rate, _generator(rng)))


def say(text, voice=None, rate=RATE, rng=None):
    """Speak words of the lexicon.

    Parameters
    ----------
    text : words of `LEXICON` with spaces between them, such as "two zero two six".
    voice : `Voice`; None for a man with a calm voice.
    rate : samples a second, in Hz, at least 8000: below, the formants do not fit.
    rng : NumPy generator; None for a new one with seed 0. Nobody says a word twice in the same way: lengths, formants
        and pitch vary a little, and so does the noise of the air.

    Returns
    -------
    x : (N,) samples from -PEAK to PEAK, without silence before and after.

    Raises
    ------
    ValueError
        when there is no word, a word is not in the lexicon, or the rate is too low.
    """
    words = _words(text)
    if rate < RATE:
        raise ValueError(f"rate is {rate}; speech needs at least {RATE} samples a second")
    voice, rng = voice or Voice(), _generator(rng)
    sounds = [sound for i, word in enumerate(words) for sound in _spoken(word, i > 0, rng)]
    sounds = sounds[1:] if sounds[0].silent else sounds  # a closed mouth is not heard before it opens
    formants, bands, loud = _score(sounds, voice, rng)
    steps, N = len(formants), len(formants) * round(STEP * rate)
    sources = (np.interp(np.linspace(0, steps, N), np.arange(steps) + 0.5, row) for row in loud.T)
    voiced, breath, hissed = sources
    pulses, air = _throat(voice, N, rate, rng)
    throat = voiced * (pulses + voice.breath * air) + 1.5 * breath * air
    x = _filtered(throat, formants, BANDWIDTHS, rate, np.arange(steps))
    x += hissed * _hiss(bands, N, rate, rng)
    x = lfilter([1, -1], [1, -0.97], x)  # the lips let no steady stream of air be heard
    return PEAK * x / np.abs(x).max()


def _words(text):
    words = text.split()
    unknown = [word for word in words if word not in LEXICON]
    if unknown:
        raise ValueError(f"nobody here can say {unknown[0]!r}; the words are {', '.join(LEXICON)}")
    if not words:
        raise ValueError("text holds no word; give at least one, such as 'seven'")
    return words


def _spoken(word, pause, rng):
    """The sounds of a word, after a short pause where another word stands before it."""
    phonemes = LEXICON[word].split()
    if pause:
        yield _Sound(rng.uniform(0.01, 0.09), None)
    for i, name in enumerate(phonemes):
        last = i + 1 == len(phonemes)
        stretch = np.exp(rng.normal(0, 0.1)) * (1.25 if last else 1.0)  # the end of a word is long
        for sound in _sounds(name, last):
            yield _Sound(**vars(sound) | {"seconds": sound.seconds * stretch})


def _sounds(name, last):
    """The shapes that the mouth takes for a phoneme."""
    if name in VOWELS:
        return [_Sound(0.13, VOWELS[name], voice=1.0)]
    if name in GLIDES:
        begin, end = GLIDES[name]
        return [_Sound(0.09, VOWELS[begin], voice=1.0), _Sound(0.09, VOWELS[end], voice=0.8)]
    if name in SONORANTS:
        *formants, loud = SONORANTS[name]
        return [_Sound(0.075, tuple(formants), voice=loud)]
    if name == "HH":  # a breath through the mouth that already has the shape of the vowel
        return [_Sound(0.07, None, breath=0.5)]
    if name in FRICATIVES:
        *formants, centre, width, loud, voiced = FRICATIVES[name]
        return [_Sound(0.07 if voiced else 0.11, tuple(formants), voice=voiced, noise=loud, band=(centre, width))]
    *formants, centre, width, loud, voiced = STOPS[name]
    shut = _Sound(0.055, tuple(formants), voice=voiced)
    burst = _Sound(0.018, tuple(formants), noise=loud, band=(centre, width))
    if voiced:
        return [shut, burst]
    return [shut, burst, _Sound(0.02 if last else 0.03, None, breath=0.15 if last else 0.35)]


def _score(sounds, voice, rng):
    """Time divided into steps: the formants (steps, 4), the noise's band (steps, 2), the three sources (steps, 3).

    Every change is smoothed with a bell: the mouth glides from sound to sound, so a vowel's formants tell what stands
    beside it.
    """
    lengths = [max(1, round(sound.seconds / voice.speed / STEP)) for sound in sounds]
    targets, following = [], (500.0, 1500.0, 2500.0)  # at rest
    for sound in reversed(sounds):
        following = sound.formants or following
        targets.append(following)
    targets = np.array(targets[::-1], float) * np.exp(rng.normal(0, 0.02, size=(len(sounds), 3)))
    targets = np.column_stack([targets, np.full(len(sounds), F4)]) * TRACT / voice.tract
    loud = np.array([(sound.voice, sound.breath, sound.noise) for sound in sounds])
    bands = np.array([sound.band for sound in sounds])
    targets, loud, bands = (np.repeat(part, lengths, axis=0) for part in (targets, loud, bands))
    return _smooth(targets, GLIDE / voice.speed, "edge"), bands, _smooth(loud, SWITCH, "constant")


def _smooth(x, seconds, mode):
    """The mean of each column under a bell that moves down it, (T, K); around the ends is silence, or no change."""
    half = max(1, round(seconds / STEP / 2))
    bell = np.hanning(2 * half + 3)[1:-1]
    around = np.pad(x, ((half, half), (0, 0)), mode=mode)
    return np.column_stack([np.convolve(column, bell / bell.sum(), "valid") for column in around.T])


def _throat(voice, N, rate, rng):
    """What leaves the vocal folds: pulses, one a period, and air."""
    time = np.arange(N) / rate
    # the pitch falls through a sentence, and trembles: it is never that of a machine
    knots = np.arange(0, time[-1] + TREMBLE, TREMBLE)
    tremble = np.interp(time, knots, rng.normal(0, 0.02, size=len(knots)))
    pitch = voice.pitch * (1.08 - 0.16 * time / (time[-1] + 1) + tremble)
    phase = np.cumsum(pitch / rate) % 1
    # the flow through the folds is x^2 - x^3 while they are open (Rosenberg 1971); heard is how it changes
    x = phase / 0.6
    pulses = np.where(x < 1, 2 * x - 3 * x**2, 0.0)
    return lfilter([0.6], [1, -0.4], pulses), 0.5 * rng.standard_normal(N)


def _filtered(x, mouths, widths, rate, which):
    """Send x (N,) through resonators in a row that change: in each step those of a row of mouths and widths (M, K).

    The sound is cut into windows that overlap, and each goes through the mouth as it stands at that moment, by its
    Fourier transform; what rings on is added to the windows that follow.
    """
    size, steps = len(x) // len(which), len(which)
    windows = np.pad(x, (size, size)).reshape(-1, size)
    windows = np.hstack([windows[:-1], windows[1:]]) * np.sin(np.pi * np.arange(2 * size) / (2 * size)) ** 2
    chunks = 2 + round(RINGING / STEP)
    response = _response(mouths, widths, chunks * size, rate)
    heard = np.fft.rfft(windows, chunks * size) * response[np.append(which, which[-1])]
    heard = np.fft.irfft(heard, chunks * size).reshape(steps + 1, chunks, size)
    out = np.zeros((steps + chunks + 1, size))
    for k in range(chunks):
        out[k : k + steps + 1] += heard[:, k]
    return out[1 : steps + 1].ravel()


def _response(frequency, width, n_fft, rate):
    """What resonators in a row do to each frequency, (steps, K) -> (steps, F); Klatt (1980), eq. 1 to 3."""
    frequency, width = np.minimum(frequency, 0.47 * rate)[..., None], np.asarray(width)[..., None]
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)  # the delay of one sample
    c = -np.exp(-2 * np.pi * width / rate)
    b = 2 * np.sqrt(-c) * np.cos(2 * np.pi * frequency / rate)
    # a resonator is (1 - b - c) / (1 - b z - c z^2); one z is taken out of each, which leaves b alone with its step
    below = np.prod((1 / z - c * z) - b, axis=1)
    return np.prod(1 - b - c, axis=1) / (below * z ** frequency.shape[1])


def _hiss(bands, N, rate, rng):
    """White noise (N,) in the band (steps, 2) of each step: as loud everywhere, only of another colour."""
    kinds, which = np.unique(bands, axis=0, return_inverse=True)
    power = np.mean(np.abs(_response(kinds[:, :1], kinds[:, 1:], 256, rate)) ** 2, axis=1)
    x = _filtered(rng.standard_normal(N), kinds[:, :1], kinds[:, 1:], rate, which.ravel())
    return x / np.repeat(np.sqrt(power)[which.ravel()], N // len(bands))


def _rain(N, seconds, rate, rng):
    """A hiss, and the drops that fall near: short, each with a tone of its own."""
    x = np.diff(noise(seconds, rate, "pink", rng), prepend=0.0) + 0.15 * noise(seconds, rate, "white", rng)
    x /= x.std()
    for start in rng.integers(0, N, size=rng.poisson(12 * seconds)):
        length = min(N - start, int(0.02 * rate))
        t = np.arange(length) / rate
        x[start : start + length] += (
            rng.exponential(2.0) * np.exp(-t / 0.004) * np.sin(2 * np.pi * rng.uniform(900, 3000) * t)
        )
    return x


def _hum(N, seconds, rate, rng):
    """The mains, 50 Hz and what is above it, and the air of a fan."""
    t = np.arange(N) / rate
    waves = [np.sin(2 * np.pi * 50 * k * t + rng.uniform(0, 2 * np.pi)) / k for k in range(1, 9)]
    return sum(waves) + 8 * noise(seconds, rate, "pink", rng)


def _street(N, seconds, rate, rng):
    """A dull roar that swells with each car that passes."""
    t = np.arange(N) / rate
    loud = np.full(N, 0.4)
    for _ in range(max(1, rng.poisson(seconds / 4))):
        loud += rng.uniform(0.5, 1.5) * np.exp(-(((t - rng.uniform(0, seconds)) / rng.uniform(0.8, 2.0)) ** 2))
    return loud * (noise(seconds, rate, "brown", rng) + 0.3 * noise(seconds, rate, "pink", rng))


def _babble(N, seconds, rate, rng):
    """Five people who talk at once."""
    words = [word for word in LEXICON if word != TRIGGER]
    x = np.zeros(N)
    for _ in range(5):
        voice, end = Voice.random(rng), -int(rng.integers(0, rate))
        while end < N:
            spoken = say(" ".join(rng.choice(words, size=4)), voice, rate, rng)
            begin = max(end, 0)
            heard = spoken[begin - end : N - end]
            x[begin : begin + len(heard)] += heard
            end += len(spoken) + int(rng.uniform(0.05, 0.4) * rate)
    return x


def _samples(seconds, rate):
    N = round(seconds * rate)
    if not rate > 0 or N < 1:
        raise ValueError(f"{seconds} seconds at {rate} samples a second are {N} samples; there must be at least one")
    return N


def _generator(rng):
    return np.random.default_rng(0) if rng is None else rng


def _at_level(x):
    return LEVEL * x / max(np.sqrt(np.mean(x**2)), 1e-12)
