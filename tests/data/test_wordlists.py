"""What lists of words are, on the real files where there are any; what is said when there are none."""

import numpy as np
import pytest

from seqlab import data


@pytest.mark.parametrize(
    ("load", "file"),
    [
        (data.google_analogies, "questions-words.txt"),
        (data.wordsim353, "wordsim353.tsv"),
        (data.glove_subset, "glove_subset.txt"),
        (data.debias_lists, "professions.json"),
        (lambda download: data.wikitext2("valid", download), "wiki.valid.txt"),
    ],
)
def test_absent_and_not_to_be_downloaded_says_what_to_do(load, file, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"{file}, or set SEQLAB_DATA|save https://.* as .*{file}"):
        load(download=False)


def test_a_split_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="split is 'train'; it must be 'valid' or 'test'"):
        data.wikitext2("train")


def test_the_analogy_questions(real):
    questions = data.google_analogies(download=False)
    assert len(questions) == 14
    assert sum(map(len, questions.values())) == 19_544
    assert questions["capital-common-countries"][0] == ("Athens", "Greece", "Baghdad", "Iraq")
    assert ("boy", "girl", "king", "queen") in questions["family"]
    assert {len(question) for section in questions.values() for question in section} == {4}


def test_the_similarity_pairs(real):
    pairs = data.wordsim353(download=False)
    assert len(pairs) == 353
    assert ("tiger", "cat", 7.35) in pairs
    assert all(0 <= score <= 10 for _, _, score in pairs)


def test_the_glove_vectors(real):
    words, vectors = data.glove_subset(download=False)
    assert len(words) == len(set(words)) == 171
    assert vectors.shape == (171, 100)
    king, queen, plumber = (vectors[words.index(word)] for word in ("king", "queen", "plumber"))

    def cosine(u, v):
        return u @ v / np.linalg.norm(u) / np.linalg.norm(v)

    assert cosine(king, queen) > 0.7 > cosine(king, plumber)


def test_the_debiasing_lists(real):
    lists = data.debias_lists(download=False)
    assert len(lists["professions"]) == 320
    assert ("she", "he") in lists["definitional_pairs"]
    assert len(lists["equalize_pairs"]) == 52
    assert "actress" in lists["gender_specific"]
    assert all(-1 <= number <= 1 for _, *numbers in lists["professions"] for number in numbers)


def test_the_encyclopedia(real):
    words = data.wikitext2("valid", download=False)
    assert len(words) == 217_646
    assert words[:8] == ["<eos>", "=", "Homarus", "gammarus", "=", "<eos>", "<eos>", "Homarus"]
    assert len(data.wikitext2("test", download=False)) == 245_569
