"""Spoken strings of digits, made here or joined from recordings, and a network that writes down what it hears.

Letters: N samples, T frames, M mel bands, C classes. Class 0 is the blank, the others are the letters and the space.
"""

import datetime
from pathlib import Path

import numpy as np
import torch

from seqlab import data
from seqlab.audio.functional import mel
from seqlab.audio.synthesis import BACKGROUNDS, DIGITS, PEAK, RATE, Voice, background, say
from seqlab.ctc.decoding import beam_decode
from seqlab.ctc.reference import collapse
from seqlab.lm import NGram
from seqlab.shapes import check_whole
from seqlab.weights import load_weights

BANDS = 40
BLANK = "_"  # how the blank is printed
ALPHABET = (BLANK, " ", *sorted(set("".join(DIGITS))))
FIRST_DAY, LAST_DAY = datetime.date(1920, 1, 1), datetime.date(2039, 12, 31)
TEST_DAYS = 5  # every fifth day is kept for the test
SHORTEST, LONGEST = 3, 8  # digits of a string without structure
POOL = 20  # seconds of each background, from which pieces are cut
SOURCES, SPLITS, KINDS = ("synthetic", "recorded"), ("train", "test"), ("dates", "digits")
SHIPPED = Path(__file__).with_name("spoken.npz")
COMMAND = "seqlab train spoken --out FILE.npz"


def spoken_texts(n, seed=0, *, split="train", kind="dates"):
    """What is said in `spoken_strings`, without the sound: for a language model.

    Parameters
    ----------
    n, seed, split, kind : as in `spoken_strings`.

    Returns
    -------
    texts : list of n str.

    Raises
    ------
    ValueError
        when a number is out of range, or a split or kind is unknown.
    """
    _check(n, "synthetic", split, kind)
    return [" ".join(DIGITS[d] for d in _digits(_generator(seed, split, kind, i), split, kind)) for i in range(n)]


def spoken_strings(n, seed=0, *, rate=RATE, source="synthetic", split="train", kind="dates", snr=None):
    """Strings of digits, each said by one speaker.

    Parameters
    ----------
    n : how many.
    seed : the same seed gives the same strings, and fewer of them are the beginning of more.
    rate : samples a second, in Hz; recordings have 8000.
    source : "synthetic" for `say`, a new voice for every string; "recorded" for recordings of one speaker, with short
        pauses between them, from `seqlab.data.spoken_digits`.
    split : "train" or "test". They share no date, no recording and, as voices are drawn, no synthetic voice.
    kind : "dates", from 1920 to 2039, digit by digit in the order of ISO 8601, "one nine nine four zero nine two
        seven"; or "digits", three to eight of them in any order, where no digit tells anything about the next.
    snr : how much louder the speech is than a background, in dB; a pair (low, high) to draw it for each string; None
        for silence behind the speech.

    Returns
    -------
    strings : list of n pairs (samples, text): samples (N,) from -1 to 1, text of digits' names with a space between.

    Raises
    ------
    ValueError
        when a number is out of range, or a name unknown.
    FileNotFoundError
        when the recordings are not there.
    """
    return list(each_string(n, seed, rate, source, split, kind, snr))


def each_string(n, seed, rate, source, split, kind, snr):
    """The strings of `spoken_strings`, one after the other: many of them need much room."""
    _check(n, source, split, kind)
    if source == "recorded" and rate != RATE:
        raise ValueError(f"rate is {rate}; the recordings have {RATE} samples a second")
    speak = _speaker(rate) if source == "synthetic" else _recorded(split)
    pool = None
    if snr is not None:
        rng = np.random.default_rng([seed, SPLITS.index(split)])
        pool = np.stack([background(which, POOL, rate, rng) for which in BACKGROUNDS])
    for i in range(n):
        rng = _generator(seed, split, kind, i)
        digits = _digits(rng, split, kind)
        samples = speak(digits, rng)
        if pool is not None:
            samples = _in_noise(samples, pool, rng.uniform(*np.broadcast_to(snr, 2)), rng)
        yield samples, " ".join(DIGITS[d] for d in digits)


def encode(text):
    """The labels of a text: ids of its letters and spaces in `ALPHABET`.

    Raises
    ------
    ValueError
        when no digit's name has such a letter.
    """
    known = {letter: i for i, letter in enumerate(ALPHABET) if i}
    for letter in text:
        if letter not in known:
            raise ValueError(f"text holds {letter!r}; the letters are those of the digits' names and the space")
    return [known[letter] for letter in text]


def decode(labels):
    """The text of labels; of a path, with `BLANK` where a frame says nothing."""
    return "".join(ALPHABET[i] for i in labels)


class LetterModel(NGram):
    """An n-gram model that remembers what it was asked: the prefixes of a beam end in the same letters again and again.

    Parameters
    ----------
    n : as in `seqlab.lm.NGram`, whose smoothing is Kneser and Ney's here.
    """

    def __init__(self, n):
        super().__init__(n)
        self._known = {}

    def fit(self, sequences, size):
        """Count, as `seqlab.lm.NGram` does, and forget what was answered before."""
        self._known = {}
        return super().fit(sequences, size)

    def distribution(self, context):
        """The probability of every letter after a context, as `seqlab.lm.NGram` has it."""
        seen = tuple(context[-(self.n - 1) :]) if self.n > 1 else ()
        if seen not in self._known:
            self._known[seen] = super().distribution(context)
        return self._known[seen]


def letter_model(texts, n=16):
    """A language model of letters for the beam, :eq:`ctc-language-model`.

    The blank is no letter, so its id is free for the end of a text: give the beam ``lm_end=0``.

    Parameters
    ----------
    texts : list of str, such as those of `spoken_texts`.
    n : letters that the model looks at, the one that it predicts among them; 16 are about three digits.

    Returns
    -------
    lm : `LetterModel` over the ids of `ALPHABET`.
    """
    return LetterModel(n).fit([[*encode(text), 0] for text in texts], len(ALPHABET))


def spoken_features(samples, rate=RATE):
    """What the network sees: 40 log-mel bands, 100 frames a second, :eq:`mel-filters`.

    From each band its mean over the string is taken, and it is divided by its standard deviation: how loud somebody
    speaks, and through which microphone, does not matter.

    Parameters
    ----------
    samples : (N,) samples, at least 25 ms of them.
    rate : samples a second, in Hz.

    Returns
    -------
    features : (T, 40) float32 tensor.

    Raises
    ------
    ValueError
        when the sound is no row of samples, or shorter than a frame.
    """
    x = mel(torch.as_tensor(np.asarray(samples), dtype=torch.float32), rate, bands=BANDS)
    return (x - x.mean(0)) / (x.std(0, correction=0) + 1e-3)


class SpokenReader:
    """A network with its letters: sound in, text out.

    Attributes
    ----------
    network : `seqlab.ctc.CTCNetwork`.
    rate : samples a second of the sound that it was trained on.
    log : dict of how the network was made; {} where nobody has written one.
    """

    def __init__(self, network, rate=RATE, log=None):
        self.network, self.rate, self.log = network, rate, {} if log is None else log

    @torch.no_grad()
    def log_probs(self, samples):
        """Log-probabilities of the classes in each frame of the network, :eq:`ctc-path`.

        Parameters
        ----------
        samples : (N,) samples.

        Returns
        -------
        log_probs : (T', C) float32 tensor.
        """
        x = spoken_features(samples, self.rate)
        return self.network(x[None], torch.tensor([len(x)]))[0][:, 0]

    def path(self, samples):
        """The likeliest letter of each frame, as the notes write it: "ttt_h_eee", with `BLANK` for nothing."""
        return decode(self.log_probs(samples).argmax(1).tolist())

    def read(self, samples, beam_width=1, *, lm=None, lm_weight=0.5, bonus=0.0):
        """Write down what is said.

        Parameters
        ----------
        samples : (N,) samples.
        beam_width : prefixes kept by the beam, :eq:`ctc-prefix-beam`; 1 without a language model is greedy decoding,
            :eq:`ctc-greedy`.
        lm : language model of letters that ends a text with the blank's id, such as that of `letter_model`, or None.
        lm_weight, bonus : as in `seqlab.ctc.beam_decode`, :eq:`ctc-language-model`.

        Returns
        -------
        text : str.
        """
        return read_log_probs([self.log_probs(samples)], beam_width, lm=lm, lm_weight=lm_weight, bonus=bonus)[0]


def read_log_probs(log_probs, beam_width=1, *, lm=None, lm_weight=0.5, bonus=0.0):
    """The texts of what a network heard.

    Parameters
    ----------
    log_probs : list of B tensors (T', C), as `SpokenReader.log_probs` gives them.
    beam_width, lm, lm_weight, bonus : as in `SpokenReader.read`.

    Returns
    -------
    texts : list of B str.
    """
    if beam_width == 1 and lm is None:
        return [decode(collapse(y.argmax(1).tolist())) for y in log_probs]
    how = {} if lm is None else {"lm": lm, "lm_weight": lm_weight, "lm_end": 0}
    lengths, together = [len(y) for y in log_probs], torch.nn.utils.rnn.pad_sequence(log_probs)
    found = beam_decode(together, lengths, beam_width, bonus=bonus, **how)
    return [decode(best.labels) for best, *_ in found]


def load_spoken(path=None):
    """Read a network that writes down spoken digits.

    Parameters
    ----------
    path : the .npz file that `seqlab train spoken` wrote; None for the one that comes with the package. That one has
        heard synthetic voices alone, in strings of three to eight digits, and not one word by itself.

    Returns
    -------
    reader : `SpokenReader`; its `log` says how it was made and how often it errs.

    Raises
    ------
    FileNotFoundError
        when there is no such file.
    ValueError
        when the file is something else.
    """

    def build(log):
        from seqlab.ctc import CTCNetwork

        if log["task"] != "spoken":
            raise ValueError(log["task"])
        return CTCNetwork(**log["model"])

    network, log = load_weights(SHIPPED if path is None else path, build, COMMAND)
    return SpokenReader(network, log["rate"], log)


def _generator(seed, split, kind, i):
    """Random numbers of one string: of its own, so that its neighbours do not matter."""
    return np.random.default_rng([seed, SPLITS.index(split), KINDS.index(kind), i])


def _digits(rng, split, kind):
    """The digits of a string."""
    if kind == "digits":
        return rng.integers(10, size=rng.integers(SHORTEST, LONGEST + 1)).tolist()
    first, last = FIRST_DAY.toordinal(), LAST_DAY.toordinal()
    while True:
        day = int(rng.integers(first, last + 1))
        if (day % TEST_DAYS == 0) == (split == "test"):
            return [int(digit) for digit in datetime.date.fromordinal(day).strftime("%Y%m%d")]


def _speaker(rate):
    """A function that says digits in a new voice each time."""

    def speak(digits, rng):
        return say(" ".join(DIGITS[d] for d in digits), Voice.random(rng), rate, rng)

    return speak


def _recorded(split):
    """A function that joins recordings of one speaker."""
    of = {}
    for recording in data.spoken_digits():
        if recording.split == split:
            of.setdefault(recording.speaker, {}).setdefault(recording.digit, []).append(recording.samples)
    speakers = sorted(of)

    def speak(digits, rng):
        words, pieces = of[speakers[rng.integers(len(speakers))]], []
        for digit in digits:
            said = words[digit]
            pieces += [said[rng.integers(len(said))], np.zeros(int(RATE * rng.uniform(0.01, 0.09)))]
        joined = np.concatenate(pieces[:-1])
        return PEAK * joined / np.abs(joined).max()

    return speak


def _in_noise(samples, pool, decibels, rng):
    """Speech with a piece of a background behind it; all is made softer where it would not fit into -1 to 1."""
    row = pool[rng.integers(len(pool))]
    start = rng.integers(len(row))
    behind = np.take(row, np.arange(start, start + len(samples)), mode="wrap")
    wanted = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20)
    mixed = samples + behind * wanted / max(np.sqrt(np.mean(behind**2)), 1e-12)
    return mixed / max(1.0, np.abs(mixed).max())


def _check(n, source, split, kind):
    check_whole("n", n, 0)
    for name, value, known in (("source", source, SOURCES), ("split", split, SPLITS), ("kind", kind, KINDS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be {known[0]!r} or {known[1]!r}")
