import numpy as np
import pytest

from seqlab.audio import reference, synthesis
from seqlab.audio.synthesis import (
    BACKGROUNDS,
    DIGITS,
    LEVEL,
    LEXICON,
    PEAK,
    TRACT,
    TRIGGER,
    VOWELS,
    Voice,
    background,
    noise,
    say,
    tone,
)


def spectrum(x, rate=8000):
    """Frequencies, and the power at each."""
    return np.fft.rfftfreq(len(x), 1 / rate), np.abs(np.fft.rfft(x)) ** 2


def test_a_tone_has_one_frequency():
    x = tone(440, 1, 8000)
    frequency, power = spectrum(x)
    assert len(x) == 8000
    assert frequency[power.argmax()] == 440
    assert power.max() / power.sum() > 0.999


@pytest.mark.parametrize(("colour", "slope"), [("white", 0), ("pink", -1), ("brown", -2)])
def test_the_power_of_noise_falls_with_the_frequency_as_its_colour_says(colour, slope):
    x = noise(20, 8000, colour, np.random.default_rng(1))
    frequency, power = spectrum(x)
    octaves = [np.log2(power[(frequency >= low) & (frequency < 2 * low)].mean()) for low in (50, 100, 200, 400, 800)]
    assert np.polyfit(range(5), octaves, 1)[0] == pytest.approx(slope, abs=0.15)
    assert np.sqrt(np.mean(x**2)) == pytest.approx(LEVEL)


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_a_background_is_as_long_and_as_loud_as_was_asked_for(kind):
    x = background(kind, 1.25, 8000, np.random.default_rng(0))
    assert x.shape == (10_000,)
    assert np.sqrt(np.mean(x**2)) == pytest.approx(LEVEL)
    assert np.isfinite(x).all()


def test_backgrounds_differ_in_where_their_power_lies():
    middles = {}
    for kind in BACKGROUNDS:
        frequency, power = spectrum(background(kind, 4, 8000, np.random.default_rng(0)))
        middles[kind] = (frequency * power).sum() / power.sum()
    assert middles["street"] < middles["hum"] < middles["babble"] < middles["rain"]


def test_nobody_in_the_babble_says_the_trigger_word(monkeypatch):
    heard = []
    monkeypatch.setattr(synthesis, "say", lambda text, *rest: heard.append(text) or np.ones(4000))
    background("babble", 60, 8000)
    words = " ".join(heard).split()
    assert set(words) == set(LEXICON) - {TRIGGER}


@pytest.mark.parametrize("word", LEXICON)
def test_every_word_can_be_said(word):
    x = say(word)
    assert 0.15 < len(x) / 8000 < 1.2
    assert np.abs(x).max() == pytest.approx(PEAK)


def test_the_same_seed_says_the_same_and_another_one_does_not():
    first, again, other = (say("seven", rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert len(first) != len(other) or not np.allclose(first, other)


def test_there_is_no_silence_before_and_after():
    for text in ("two zero", "eight", "stop"):
        x = say(text)
        loud = np.flatnonzero(np.abs(x) > 0.01)
        assert loud[0] < 0.03 * 8000
        assert loud[-1] > len(x) - 0.03 * 8000


def peaks(x, low, high):
    """The frequency with the most power between two, in a smoothed spectrum."""
    S = reference.spectrogram(x, 200, 80, n_fft=512).mean(axis=0)
    frequency = np.arange(len(S)) * 8000 / 512
    S = np.convolve(S * frequency, np.hanning(15), "same")  # the voice falls with the frequency: lift it
    inside = (frequency >= low) & (frequency <= high)
    return frequency[inside][S[inside].argmax()]


@pytest.mark.parametrize("vowel", ["AO", "IY", "UW", "EH"])
def test_the_first_two_formants_of_a_vowel_are_where_they_were_measured(vowel, monkeypatch):
    monkeypatch.setitem(synthesis.LEXICON, "vowel", f"{vowel} {vowel} {vowel}")
    x = np.mean([np.abs(np.fft.rfft(say("vowel", Voice(pitch=p, breath=1.0))[:2000])) ** 2 for p in range(80, 120)], 0)
    frequency = np.fft.rfftfreq(2000, 1 / 8000)
    smooth = np.log(np.convolve(x, np.hanning(21), "same"))
    for formant in VOWELS[vowel][:2]:
        near = np.abs(frequency - formant) < 160
        assert abs(frequency[near][smooth[near].argmax()] - formant) < 100


def test_a_shorter_tract_moves_the_formants_up():
    long, short = (say("three", Voice(pitch=100, tract=tract)) for tract in (TRACT, 0.8 * TRACT))
    assert peaks(short[-1200:], 1700, 3400) > 1.1 * peaks(long[-1200:], 1700, 3000)


def test_the_pitch_is_that_of_the_voice():
    for pitch in (90, 200):
        x = say("nine", Voice(pitch=pitch, breath=0.0))
        same = np.correlate(x, x, "full")[len(x) - 1 :]
        lag = 25 + same[25:120].argmax()
        assert 8000 / lag == pytest.approx(pitch, rel=0.12)


def test_a_fast_speaker_takes_less_time():
    slow, fast = (len(say("seven", Voice(speed=speed), rng=np.random.default_rng(0))) for speed in (1, 2))
    assert fast == pytest.approx(slow / 2, rel=0.1)


def test_each_digit_is_nearer_to_itself_in_another_mouth_than_to_the_others():
    def shape(word, seed):
        rng = np.random.default_rng(seed)
        bands = reference.mel(say(word, Voice.random(rng), rng=rng), 8000, bands=20)
        bands = bands - bands.mean()
        thirds = np.array_split(bands, 8)
        return np.concatenate([part.mean(axis=0) for part in thirds])

    known = {word: np.mean([shape(word, seed) for seed in range(10)], axis=0) for word in DIGITS}
    said = [(word, shape(word, seed)) for word in DIGITS for seed in range(10, 16)]
    right = [min(known, key=lambda w: np.linalg.norm(known[w] - x)) == word for word, x in said]
    assert np.mean(right) > 0.9


def test_voices_are_drawn_within_what_a_voice_may_be():
    voices = [Voice.random(np.random.default_rng(seed)) for seed in range(300)]
    pitches, tracts = np.array([v.pitch for v in voices]), np.array([v.tract for v in voices])
    assert pitches.min() < 100
    assert pitches.max() > 200
    assert np.corrcoef(pitches, tracts)[0, 1] < -0.7


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: say("two ten"), "nobody here can say 'ten'; the words are zero, one"),
        (lambda: say(" "), "text holds no word"),
        (lambda: say("two", rate=4000), "rate is 4000; speech needs at least 8000"),
        (lambda: Voice(pitch=1000), "pitch is 1000; a voice must have it from 50 to 400"),
        (lambda: tone(5000, 1, 8000), "frequency is 5000 Hz; at 8000 samples a second"),
        (lambda: tone(440, 0, 8000), "there must be at least one"),
        (lambda: noise(1, 8000, "blue"), "colour is 'blue'; it must be 'white', 'pink' or 'brown'"),
        (lambda: background("wind", 1), "kind is 'wind'; it must be one of 'rain'"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
