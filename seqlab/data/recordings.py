"""Recordings of spoken digits: real speech, fetched and checked, never shipped."""

import hashlib
import io
import re
import wave
import zipfile
from dataclasses import dataclass

import numpy as np
import pooch

from seqlab.data.corpora import data_folder

FILE = "fsdd/recordings.zip"
URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/HEAD.zip"
LICENCE = "CC BY-SA 4.0"
# of the lines that `sha256sum *.wav` prints in the folder of the recordings: of what is in the archive, since GitHub
# packs the same files into other bytes from time to time
SHA256 = "1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959"
NAME = re.compile(r"(?:.*/)?recordings/((\d)_([a-z]+)_(\d+)\.wav)")
TESTED = 5  # the recordings 0 to 4 of every digit and speaker are the test, as the authors have it


@dataclass(frozen=True)
class Recording:
    """A digit, said once.

    Attributes
    ----------
    digit : 0 to 9.
    speaker : a first name.
    index : 0 to 49, the how-manieth time that this speaker says this digit.
    samples : (N,) float64 from -1 to 1.
    rate : samples a second, 8000.
    """

    digit: int
    speaker: str
    index: int
    samples: np.ndarray
    rate: int

    @property
    def split(self):
        """ "test" for the first five of every digit and speaker, "train" for the others: the authors' division."""
        return "test" if self.index < TESTED else "train"


def spoken_digits(download=True):
    """The Free Spoken Digit Dataset: six people say each digit fifty times, cut close, 8000 samples a second.

    Collected by Jackson and others (2018). Licence: CC BY-SA 4.0. Source:
    github.com/Jakobovski/free-spoken-digit-dataset.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    recordings : list of 3,000 `Recording`, by digit, speaker and index.

    Raises
    ------
    FileNotFoundError
        when the archive is not there and cannot be, or may not be, downloaded; the sentence says where to get it and
        where to put it.
    ValueError
        when the archive holds other recordings. No file is deleted.
    """
    path = data_folder() / FILE
    if not path.is_file():
        why = _download(path) if download else "downloading is switched off here"
        if why:
            raise FileNotFoundError(
                f"{FILE} ({LICENCE}) is not in {data_folder()} and was not downloaded ({why}); "
                f"save {URL} as {path}, or set SEQLAB_DATA to a folder that holds {FILE}"
            )
    files = _files(path)
    if _digest(files) != SHA256:
        raise ValueError(
            f"{path} does not hold the 3,000 recordings that are expected here: move it away and get it from {URL}"
        )
    return sorted(
        (_recording(name, content) for name, content in files.items()), key=lambda r: (r.digit, r.speaker, r.index)
    )


def _download(path):
    """Fetch the archive; return None, or in a few words why that failed. What is not right is not kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    try:
        pooch.HTTPDownloader(progressbar=True, timeout=20)(URL, str(aside), None)
        if _digest(_files(aside)) != SHA256:
            return "what the address serves now holds other recordings"
        aside.replace(path)
    except ValueError:
        return "what the address serves now is no archive"
    except OSError as fault:
        return f"{type(fault).__name__}: {str(fault)[:120]}"
    finally:
        aside.unlink(missing_ok=True)
    return None


def _files(path):
    """The recordings in an archive, from their names to their bytes, whatever else is in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = ((NAME.fullmatch(name), name) for name in archive.namelist())
            return {match[1]: archive.read(name) for match, name in found if match}
    except zipfile.BadZipFile as wrong:
        raise ValueError(f"{path} is no zip archive: move it away and get it from {URL}") from wrong


def _digest(files):
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _recording(name, content):
    _, digit, speaker, index = NAME.fullmatch(f"recordings/{name}").groups()
    with wave.open(io.BytesIO(content)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2.0**15
        return Recording(int(digit), speaker, int(index), samples, file.getframerate())
