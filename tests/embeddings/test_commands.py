"""`seqlab train words`: how a text is cut, what is written, stopped runs, one sentence for what is wrong."""

import hashlib
import json

import numpy as np
import pytest

from seqlab import cli, data
from seqlab.embeddings import load_words, running, words

SMALL = ["words", "--dim", "12", "--epochs", "3", "--min-count", "2", "--subsample", "0", "--out", "w.npz"]


def call(capsys, *arguments):
    """Run `seqlab train`: (status, what it printed, what it complained)."""
    status = cli.main(["train", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A fresh current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def text(here):
    """A file of text: the grammar's sentences, a paragraph each."""
    lines = [" ".join(sentence) for sentence in data.kingdom(300)]
    (here / "text.txt").write_text("\n\n".join(lines), encoding="utf-8")
    return here / "text.txt"


def test_paragraphs_are_words_in_small_letters_without_speakers_and_numbers():
    text = "First Citizen:\nWe are, sir, God-den: 'tis\nTo-night’s  feast!\n\n \nÜber 3 Zoë's_cats--and I:\n\n42"
    assert words.paragraphs(text) == [
        ["we", "are", "sir", "god-den", "tis", "to-night's", "feast"],
        ["über", "zoë's", "cats", "and", "i"],
    ]
    assert words.paragraphs("") == []


def test_words_writes_vectors_that_load(text, here, capsys):
    status, out, err = call(capsys, *SMALL, "--corpus", text)
    assert (status, err) == (0, "")
    vectors, log = load_words(here / "w.npz"), words.words_log(here / "w.npz")
    whole = text.read_text(encoding="utf-8")
    assert vectors.vectors.shape == (len(vectors), 12)
    flat = whole.split()
    assert [flat.count(word) for word in vectors.words] == log["counts"].tolist()
    assert min(log["counts"]) == 2
    assert log["corpus"] == {
        "name": "text.txt", "words": len(flat), "sha256": hashlib.sha256(whole.encode()).hexdigest()
    }  # fmt: skip
    assert log["settings"] == {
        "dim": 12, "window": 5, "negative": 5, "subsample": 0.0, "min_count": 2, "epochs": 3, "lr": 0.025, "seed": 0
    }  # fmt: skip
    assert len(log["history"]["loss"]) == 3
    assert "king: " in out
    assert f"{len(vectors):,} words, loss {log['history']['loss'][-1]:.3f} a pair after 3 epochs" in out
    assert str(here) not in json.dumps({name: part for name, part in log.items() if name != "counts"})
    with np.load(here / "w.npz") as file:
        assert file["vectors"].dtype == np.float16


def test_the_logged_command_makes_the_same_vectors_again(text, here, capsys):
    call(capsys, *SMALL, "--corpus", text, "--seed", 4, "--negative", 3, "--window", 2)
    first, log = load_words(here / "w.npz"), words.words_log(here / "w.npz")
    for name in ("w.npz", "w.npz.checkpoint"):
        (here / name).unlink()
    said = log["command"].split()
    assert said[:2] == ["seqlab", "train"]
    assert call(capsys, *said[2:])[0] == 0
    again = load_words(here / "w.npz")
    assert again.words == first.words
    assert np.array_equal(again.vectors, first.vectors)


def test_ctrl_c_ends_with_a_sentence_and_the_same_line_goes_on(text, here, capsys, monkeypatch):
    call(capsys, *SMALL, "--corpus", text)
    straight = load_words(here / "w.npz").vectors
    for name in ("w.npz", "w.npz.checkpoint"):
        (here / name).unlink()
    close, stopped = running.Run.close_epoch, []

    def stop(self):
        if self.epoch == 1 and not stopped:
            stopped.append(True)
            self._stop.asked = True  # what the handler of Ctrl-C does
        close(self)

    monkeypatch.setattr(running.Run, "close_epoch", stop)
    status, _, err = call(capsys, *SMALL, "--corpus", text)
    assert status == 130
    assert "run the same again to go on" in err
    assert not (here / "w.npz").exists()
    assert call(capsys, *SMALL, "--corpus", text)[0] == 0
    assert np.array_equal(load_words(here / "w.npz").vectors, straight)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["words"], "Missing option '--out'"),
        (["words", "--dim", "0", "--out", "w.npz"], "Invalid value for '--dim'"),
        (["words", "--lr", "0", "--corpus", "book", "--out", "w.npz"], "lr is 0.0; it must be a number above 0"),
        (["words", "--corpus", "book", "--out", "w.txt"], "its name must end with .npz"),
        (["words", "--corpus", "book", "--out", "nowhere/w.npz"], "does not exist: make it first"),
        (["words", "--corpus", "no.txt", "--out", "w.npz"], "corpus is 'no.txt'; it must be 'book'"),
        (["words", "--corpus", "empty.txt", "--out", "w.npz"], "sentences hold no word"),
        (["words", "--corpus", "short.txt", "--out", "w.npz"], "no word is seen 8 times"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_ends_with_one_sentence_and_status_2(here, capsys, arguments, said):
    (here / "short.txt").write_text("a king and a queen")
    (here / "empty.txt").write_text("")
    status, out, err = call(capsys, *arguments)
    assert status == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert not list(here.glob("w.*"))


def test_an_absent_corpus_is_one_sentence_that_says_where_to_put_it(here, capsys, monkeypatch):
    monkeypatch.setenv("SEQLAB_DATA", str(here / "empty"))
    status, _, err = call(capsys, "words", "--no-download", "--out", "w.npz")
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert "set SEQLAB_DATA to a folder that holds" in err


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", "an npz of others"])
def test_a_file_that_holds_no_word_vectors_is_told(here, content):
    path = here / "x.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, words=np.zeros(3))
    with pytest.raises(ValueError, match="holds no word vectors; make some with `seqlab train words"):
        load_words(path)
    with pytest.raises(FileNotFoundError):
        load_words(here / "absent.npz")


def test_help_names_what_can_be_said(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    status, out, _ = call(capsys, "words", "--help")
    assert status == 0
    for option in ("--corpus", "--dim", "--window", "--negative", "--subsample", "--min-count", "--epochs", "--seed"):
        assert option in out
