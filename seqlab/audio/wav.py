"""Sounds in and out of WAV files: samples from -1 to 1 and the rate, in samples a second (Hz)."""

import io
import os
import struct
import warnings
import wave

import numpy as np

from seqlab.arrays import check_floats

STEPS = 1 << 15  # a 16-bit sample counts in steps of 1/32768


def read_wav(file):
    """Read a WAV file: integers of 8 to 32 bits or floats, uncompressed.

    Parameters
    ----------
    file : a path, or a binary file that is open for reading.

    Returns
    -------
    x : (N,) float64 samples. Integers are divided by their range, so that they lie in -1 to 1; floats are as they
        stand. Several channels become their mean.
    rate : samples a second, a whole number.

    Raises
    ------
    ValueError
        when the file is no WAV file that this reads, or holds no sample.
    """
    from scipy.io import wavfile

    name = file if isinstance(file, (str, os.PathLike)) else getattr(file, "name", "the file")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Chunk \(non-data\)", wavfile.WavFileWarning)  # tags, cues: no sound
            rate, x = wavfile.read(file)
    except (ValueError, EOFError, UnboundLocalError, struct.error) as error:
        raise ValueError(f"{name} is no WAV file that can be read here: {error}") from error
    if not x.size:
        raise ValueError(f"{name} holds no sample")
    if x.dtype == np.uint8:
        x = (x.astype(float) - 128) / 128
    elif np.issubdtype(x.dtype, np.integer):
        x = x / -float(np.iinfo(x.dtype).min)
    x = x.astype(float)
    return (x.mean(axis=1) if x.ndim == 2 else x), int(rate)


def wav_bytes(x, rate):
    """A sound as the bytes of a WAV file: one channel of 16 bits.

    Parameters
    ----------
    x : (N,) samples in -1 to 1. `read_wav` gives them back to half a step of 1/32768; 1 itself to a whole step.
    rate : samples a second, a whole number.

    Returns
    -------
    bytes : the file, 44 + 2 N bytes.

    Raises
    ------
    ValueError
        when x is no (N,) array of floats, or leaves -1 to 1: it would be cut off, and crackle.
    """
    check_floats("x", x, ("N",))
    if not isinstance(rate, (int, np.integer)) or rate < 1:
        raise ValueError(f"rate is {rate!r}; it must be a whole number of samples a second")
    if x.size and not np.abs(x).max() <= 1:
        raise ValueError(f"x reaches {np.abs(x).max():g}; divide it by that: a WAV file holds samples from -1 to 1")
    steps = np.clip(np.round(x * STEPS), -STEPS, STEPS - 1).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(int(rate))
        out.writeframes(steps.tobytes())
    return file.getvalue()
