import pytest

from seqlab import data


def test_the_pairs_are_read_as_they_were_written(real):
    pairs = data.tatoeba(download=False)
    assert len(pairs) == 5000
    assert pairs[:2] == [("Go.", "Va !"), ("Go.", "Marche.")]
    assert ("I'm shooting.", "Je tire.") in pairs
    assert not any("tatoeba.org" in text for pair in pairs for text in pair)


def test_a_missing_file_says_where_to_get_it_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"eng-fra-5000.*CC BY 2\.0 FR.*save https.*SEQLAB_DATA"):
        data.tatoeba(download=False)
