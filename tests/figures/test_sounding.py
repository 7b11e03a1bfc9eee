"""What the figure of a sound shows without a browser: the sound itself, its words, a picture on paper."""

import base64
import io
import re

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.audio import read_wav, reference, say
from seqlab.figures import sounding


def heard(figure):
    return read_wav(io.BytesIO(base64.b64decode(figure.state["sound"])))


def tones(*spans, seconds=1.0, rate=8000):
    """A sound with a tone of some frequency from one second to another."""
    t, x = np.arange(int(seconds * rate)) / rate, np.zeros(int(seconds * rate))
    for frequency, start, end in spans:
        x += 0.4 * np.sin(2 * np.pi * frequency * t) * ((t >= start) & (t < end))
    return x


def test_the_page_holds_the_sound_that_was_given():
    x = tones((500, 0.1, 0.6), rate=16000)
    samples, rate = heard(figures.SpectrogramPlayer(x, 16000))
    assert rate == 16000
    np.testing.assert_allclose(samples, x, atol=0.5 / 32768)


def test_without_arguments_it_speaks_words_and_knows_where_they_stand():
    figure = figures.SpectrogramPlayer()
    samples, rate = heard(figure)
    assert rate == 8000
    assert len(figure.state["sound"]) <= 60_000
    assert " ".join(word for word, *_ in figure.state["words"]) == sounding.SPOKEN
    first = say("two", rng=np.random.default_rng(0))
    np.testing.assert_allclose(samples[: len(first)], first, atol=0.5 / 32768)
    inside = np.zeros(len(samples), bool)
    for _, start, end in figure.state["words"]:
        part = slice(round(start * rate), round(end * rate))
        assert np.abs(samples[part]).max() > 0.1
        inside[part] = True
    assert not samples[~inside].any()


def test_the_longest_sound_fits_the_page():
    assert len(figures.SpectrogramPlayer(np.zeros(sounding.MOST)).state["sound"]) <= 60_000


def test_the_still_picture_tells_when_each_word_is_loudest_and_where():
    x = tones((500, 0.1, 0.4), (2000, 0.5, 0.9))
    figure = figures.SpectrogramPlayer(x, words=[("low", 0.1, 0.4), ("high", 0.5, 0.9)], title="two tones")
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", figure.still())[1:]]
    assert [row[:3] for row in rows] == [["low", "0.10–0.40 s", "500 Hz"], ["high", "0.50–0.90 s", "2000 Hz"]]
    for _, when, _, at in rows:
        start, end = map(float, when.removesuffix(" s").split("–"))
        assert start <= float(at.removesuffix(" s")) <= end
    assert "Spectrogram of two tones: 1.00 s from left to right, 0 to 4000 Hz" in figure.still()
    assert figures.SpectrogramPlayer(x).still().count('<th scope="row">') == 4  # no words: quarters


def test_the_picture_on_paper_is_bright_where_it_is_loud():
    from matplotlib.image import imread

    still = figures.SpectrogramPlayer(tones((1000, 0.5, 1.0)), title="a tone").still()
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', still)[1])
    light = imread(io.BytesIO(png), format="png")[..., :3].mean(axis=2)[::-1]  # from below upwards
    loud = np.unravel_index(light.argmax(), light.shape)
    assert abs(loud[0] / light.shape[0] - 0.25) < 0.04
    assert loud[1] > 0.45 * light.shape[1]
    assert light[:, : int(0.4 * light.shape[1])].max() < 0.3 < light.max()


@pytest.mark.parametrize(("ms", "N", "rate"), [(4, 12_000, 8000), (32, 22_000, 8000), (128, 5000, 44_100)])
def test_the_setting_is_one_that_the_reference_takes(ms, N, rate):
    size, hop, n_fft = sounding.setting(ms, N, rate)
    assert size == round(ms * rate / 1000)
    assert n_fft & (n_fft - 1) == 0
    assert rate / n_fft <= 16  # a grid fine enough for 40 mel bands
    assert N / hop <= 601
    reference.mel_filters(sounding.BANDS, n_fft, rate, sounding.LOW)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"samples": np.zeros(199)}, "the number of samples is 199; it must be a whole number from 200 to 22000"),
        ({"samples": np.zeros(22_001)}, "the number of samples is 22001"),
        ({"samples": np.zeros((2, 300))}, r"samples has shape \(2, 300\); it must have shape \(N,\)"),
        ({"samples": np.full(300, 1.5)}, "x reaches 1.5; divide it by that"),
        ({"samples": np.zeros(300), "rate": 3999}, "rate is 3999; it must be a whole number from 4000 to 48000"),
        ({"rate": 8000}, "rate and words came without samples"),
        ({"words": [("a", 0, 1)]}, "rate and words came without samples"),
        (
            {"samples": np.zeros(800), "words": [("a", 0.05, 0.2)]},
            "the word 'a' goes from 0.05 to 0.2 s; .* 0 to 0.1 s",
        ),
        ({"samples": np.zeros(800), "words": [("a", 0.05, 0.05)]}, "it must lie in the sound"),
        ({"samples": np.zeros(800), "words": [(0.0, 0.05, "a")]}, r"each entry must be \(text, start, end\)"),
        ({"window": 25}, "window is 25; it must be one of 4, 8, 16, 32, 64, 128 milliseconds"),
    ],
)
def test_what_cannot_be_shown_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        figures.SpectrogramPlayer(**settings)
