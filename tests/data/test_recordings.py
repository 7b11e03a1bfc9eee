import io
import wave
import zipfile
from pathlib import Path

import numpy as np
import pooch
import pytest

from seqlab import data
from seqlab.data import recordings


def wav(samples):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        out.writeframes(np.asarray(samples, "<i2").tobytes())
    return file.getvalue()


MADE = {"7_ada_12.wav": wav([0, 16384, -32768]), "7_ada_4.wav": wav([1, 2]), "0_zoe_0.wav": wav([5])}


def pack(path, files, folder="recordings/", **others):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
        for name, content in others.items():
            archive.writestr(name, content)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    monkeypatch.setattr(recordings, "SHA256", recordings._digest(MADE))
    return tmp_path / "fsdd" / "recordings.zip"


def serve(monkeypatch, files, **how):
    def download(self, url, output_file, pooch, **kwargs):
        pack(Path(output_file), files, **how)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", download)


def test_recordings_are_read_in_order_as_samples_from_minus_one_to_one(place):
    pack(place, MADE)
    found = data.spoken_digits(download=False)
    assert [(r.digit, r.speaker, r.index, r.split) for r in found] == [
        (0, "zoe", 0, "test"),
        (7, "ada", 4, "test"),
        (7, "ada", 12, "train"),
    ]
    assert found[2].samples.tolist() == [0.0, 0.5, -1.0]
    assert found[2].rate == 8000


def test_how_the_archive_is_packed_does_not_matter(place):
    pack(place, MADE, folder="the-repository-1.0/recordings/", **{"the-repository-1.0/README.md": "hello"})
    assert len(data.spoken_digits(download=False)) == 3


def test_other_recordings_are_refused_and_kept(place):
    pack(place, MADE | {"7_ada_4.wav": wav([1, 3])})
    with pytest.raises(ValueError, match=r"does not hold the 3,000 recordings.*move it away"):
        data.spoken_digits(download=False)
    assert place.exists()


def test_what_is_no_archive_is_named(place):
    place.parent.mkdir()
    place.write_bytes(b"<html>")
    with pytest.raises(ValueError, match="is no zip archive: move it away"):
        data.spoken_digits(download=False)


def test_where_they_are_absent_the_error_says_what_to_do(place):
    with pytest.raises(FileNotFoundError, match=r"CC BY-SA 4\.0.*switched off here.*save https.*SEQLAB_DATA") as wrong:
        data.spoken_digits(download=False)
    assert "\n" not in str(wrong.value)


def test_a_download_is_kept_once_it_is_checked(place, monkeypatch):
    serve(monkeypatch, MADE)
    assert len(data.spoken_digits()) == 3
    assert [file.name for file in place.parent.iterdir()] == ["recordings.zip"]


def test_a_download_of_other_recordings_leaves_nothing(place, monkeypatch):
    serve(monkeypatch, {})
    with pytest.raises(FileNotFoundError, match="now holds other recordings"):
        data.spoken_digits()
    assert list(place.parent.iterdir()) == []


def test_without_a_network_the_reason_is_told(place, monkeypatch):
    def broken(*args, **kwargs):
        raise ConnectionError("name resolution failed")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", broken)
    with pytest.raises(FileNotFoundError, match="ConnectionError: name resolution failed"):
        data.spoken_digits()


def test_the_real_recordings(real):
    found = data.spoken_digits(download=False)
    assert len(found) == 3000
    assert len({r.speaker for r in found}) == 6
    assert sum(r.split == "test" for r in found) == 300
    assert {r.rate for r in found} == {8000}
    assert all(0.1 < len(r.samples) / r.rate < 2.5 for r in found)
