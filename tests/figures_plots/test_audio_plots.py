"""The still pictures of sounds say in words what they show."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.audio import reference as audio
from seqlab.figures import audio_plots as plots

RATE = 8000
WORDS = [("low", 0.1, 0.4), ("high", 0.5, 0.9)]


def sound():
    """A low tone, then a louder high one."""
    t = np.arange(RATE) / RATE
    low, high = ((t >= start) & (t < end) for _, start, end in WORDS)
    return 0.2 * np.sin(2 * np.pi * 500 * t) * low + 0.5 * np.sin(2 * np.pi * 2000 * t) * high


def texts(picture):
    """The words written in a picture."""
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_a_waveform_tells_its_length_its_reach_and_its_words():
    picture = plots.waveform_plot(sound(), RATE, WORDS)
    assert "A sound of 1.00 s, 8000 samples from -0.50 to 0.50" in picture.alt
    assert "“low” from 0.10 to 0.40 s, “high” from 0.50 to 0.90 s" in picture.alt
    assert {"low", "high", "seconds"} <= set(texts(picture))
    assert "40 samples" in plots.waveform_plot(sound()[800:840], RATE).alt


def test_framing_says_how_long_the_frames_are_and_how_far_apart():
    picture = plots.framing_plot(sound()[800:], RATE, 200, 80, audio.hann(200))
    assert "4 frames of 25 ms, cut every 10 ms" in picture.alt
    assert [f"frame {t}" for t in range(4)] == [text for text in texts(picture) if text.startswith("frame")]
    assert "1 frames of" in plots.framing_plot(sound()[:200], RATE, 200, 80, np.ones(200)).alt


def test_spectra_say_where_they_are_highest_and_what_is_left_at_the_end():
    f, x = audio.frequencies(256, RATE), sound()[4500:4756]
    spectra = {
        name: audio.spectrogram(x, 256, 1, w)[0] for name, w in {"bare": np.ones(256), "Hann": audio.hann(256)}.items()
    }
    picture = plots.spectrum_plot(spectra, f)
    for name, power in spectra.items():
        end = 10 * np.log10(max(power[-1] / power.max(), 1e-12))
        assert f"{name} is highest at 2000 Hz and {end:.0f} dB at 4000 Hz" in picture.alt
    assert {"bare", "Hann"} <= set(texts(picture))


def test_a_spectrogram_says_where_it_is_loudest():
    power = {f"{size / 8:.0f} ms": audio.spectrogram(sound(), size, 40) for size in (64, 512)}
    picture = plots.spectrogram_plot(power, 1.0, RATE, WORDS)
    for name, S in power.items():
        assert f"{name}: {len(S)} frames, loudest at 0." in picture.alt
    assert picture.alt.count("and 2000 Hz") == 2
    assert {"8 ms", "64 ms", "low", "high", "decibels"} <= set(texts(picture))
    alone = plots.spectrogram_plot(power["8 ms"], 1.0, RATE)
    assert f"0 to 4000 Hz over 1.00 s. {len(power['8 ms'])} frames, loudest" in alone.alt


def test_the_mel_scale_says_how_far_each_formula_is_at_the_half():
    f = np.linspace(0, 4000, 101)
    picture = plots.mel_scale_plot(f, {"HTK": audio.hz_to_mel(f)})
    assert f"Reached at 2000 Hz: HTK: {audio.hz_to_mel(2000):.0f} of {audio.hz_to_mel(4000):.0f} mel" in picture.alt


def test_the_filters_say_how_narrow_the_first_is_and_how_wide_the_last():
    filters = audio.mel_filters(12, 512, RATE)
    alt = plots.mel_filters_plot(filters, RATE).alt
    assert "12 triangles over 0 to 4000 Hz" in alt
    for row in filters[[0, -1]]:
        assert f"{15.625 * row.argmax():.0f} Hz" in alt
        assert f"{15.625 * np.count_nonzero(row):.0f} Hz" in alt


def test_a_mel_spectrogram_says_its_loudest_band():
    mel = audio.mel(sound(), RATE)
    picture = plots.mel_plot(mel, 1.0, WORDS)
    t, m = np.unravel_index(mel.argmax(), mel.shape)
    assert f"{len(mel)} frames of 40 bands over 1.00 s, from {mel.min():.1f} to {mel.max():.1f}" in picture.alt
    assert f"loudest at {(t + 0.5) / len(mel):.2f} s in band {m + 1}" in picture.alt
    assert "“high” from 0.50" in picture.alt


def test_silence_is_drawn_too():
    silence = np.zeros(1000)
    plots.waveform_plot(silence, RATE)
    plots.framing_plot(silence, RATE, 200, 80, audio.hann(200))
    plots.spectrogram_plot(audio.spectrogram(silence, 64, 40), 0.125, RATE)
    plots.mel_plot(audio.mel(silence, RATE), 0.125)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plots.waveform_plot(np.zeros((2, 9)), RATE), r"x has shape \(2, 9\)"),
        (lambda: plots.framing_plot(np.zeros(99), RATE, 9, 3, np.ones(8)), r"window has shape \(8,\); it must have"),
        (lambda: plots.spectrum_plot({"a": np.ones(3)}, np.ones(4)), r"spectra\['a'\] has shape \(3,\)"),
        (lambda: plots.spectrogram_plot({"a": np.ones(3)}, 1, RATE), r"power\['a'\] has shape \(3,\)"),
        (lambda: plots.mel_scale_plot(np.ones(3), {"a": np.ones(2)}), r"mels\['a'\] has shape \(2,\)"),
        (lambda: plots.mel_plot(np.ones(3), 1), r"mel has shape \(3,\); it must have shape \(T, M\)"),
    ],
)
def test_wrong_shapes_are_named(draw, said):
    with pytest.raises(ValueError, match=said):
        draw()
    plt.close("all")


def test_a_picture_leaves_no_open_figure_behind():
    before = plt.get_fignums()
    plots.waveform_plot(sound(), RATE)
    plots.mel_filters_plot(audio.mel_filters(4, 64, RATE), RATE)
    plots.spectrogram_plot(audio.spectrogram(sound(), 64, 400), 1, RATE)
    assert plt.get_fignums() == before
