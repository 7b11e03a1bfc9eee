"""WAV files: what is written is read again, by us and by others, whatever their samples are made of."""

import io
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from seqlab.audio import read_wav, wav_bytes


def test_what_is_written_is_read_again(tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, 1000)
    x[:4] = -1, 1, 0, 0.5
    raw = wav_bytes(x, 8000)
    (tmp_path / "sound.wav").write_bytes(raw)
    for file in (tmp_path / "sound.wav", str(tmp_path / "sound.wav"), io.BytesIO(raw)):
        got, rate = read_wav(file)
        assert (got.dtype, rate) == (np.float64, 8000)
        np.testing.assert_allclose(got, x, atol=1 / 32768)
        inner = x < 1 - 1 / 32768
        np.testing.assert_allclose(got[inner], x[inner], atol=0.5 / 32768)
    assert len(raw) == 44 + 2 * len(x)
    assert wav_bytes(got, rate) == raw  # and nothing is lost the second time


def test_the_standard_library_reads_what_is_written():
    with wave.open(io.BytesIO(wav_bytes(np.array([0.0, 0.25, -1.0]), 8000))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (1, 2, 8000, 3)
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [0, 8192, -32768]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (np.uint8, [0, 128, 192]),
        (np.int16, [-32768, 0, 16384]),
        (np.int32, [-(2**31), 0, 2**30]),
        (np.float32, [-1, 0, 0.5]),
        (np.float64, [-1, 0, 0.5]),
    ],
)
def test_every_kind_of_sample_comes_as_minus_one_to_one(dtype, values):
    file = io.BytesIO()
    wavfile.write(file, 11025, np.array(values, dtype))
    file.seek(0)
    x, rate = read_wav(file)
    assert rate == 11025
    assert x.tolist() == [-1, 0, 0.5]


def test_24_bits_are_read():
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(3)
        out.setframerate(8000)
        out.writeframes(b"".join(int(v).to_bytes(3, "little", signed=True) for v in (-(2**23), 0, 2**22)))
    file.seek(0)
    assert read_wav(file)[0].tolist() == [-1, 0, 0.5]


def test_two_channels_become_their_mean():
    file = io.BytesIO()
    wavfile.write(file, 8000, np.array([[0.5, 0.25], [-1, 1]], np.float32))
    file.seek(0)
    assert read_wav(file)[0].tolist() == [0.375, 0]


def test_chunks_that_are_no_sound_are_passed_over(recwarn):
    raw = wav_bytes(np.array([0.5, -0.5]), 8000)
    tagged = raw[:36] + b"LIST" + (4).to_bytes(4, "little") + b"INFO" + raw[36:]
    tagged = tagged[:4] + (len(tagged) - 8).to_bytes(4, "little") + tagged[8:]
    assert read_wav(io.BytesIO(tagged))[0].tolist() == [0.5, -0.5]
    assert not recwarn.list


@pytest.mark.parametrize(
    "raw", [b"", b"no sound at all, but long enough for a header of some kind...", wav_bytes(np.zeros(9), 8000)[:30]]
)
def test_what_is_no_wav_file_is_named(tmp_path, raw):
    file = tmp_path / "broken.wav"
    file.write_bytes(raw)
    with pytest.raises(ValueError, match=r"broken\.wav is no WAV file that can be read here"):
        read_wav(file)


def test_an_empty_sound_is_named():
    with pytest.raises(ValueError, match="the file holds no sample"):
        read_wav(io.BytesIO(wav_bytes(np.zeros(0), 8000)))


@pytest.mark.parametrize(
    ("x", "rate", "said"),
    [
        (np.array([0, 1.7]), 8000, "x reaches 1.7; divide it by that"),
        (np.array([0, np.nan]), 8000, "x reaches nan"),
        (np.zeros((2, 2)), 8000, r"x has shape \(2, 2\); it must have shape \(N,\)"),
        (np.zeros(2, int), 8000, "x holds int64; it must hold floats"),
        (np.zeros(2), 8000.5, "rate is 8000.5; it must be a whole number"),
    ],
)
def test_what_no_wav_file_can_hold_is_named(x, rate, said):
    with pytest.raises(ValueError, match=said):
        wav_bytes(x, rate)
