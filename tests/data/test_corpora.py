import hashlib
from pathlib import Path

import pooch
import pytest

from seqlab import data
from seqlab.data import corpora, fetch, wnut17

TRAIN = "wnut17_ner/wnut17train.conll"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    return tmp_path


def no_network(*args, **kwargs):
    raise ConnectionError("name resolution failed")


def test_offline_and_absent_says_which_file_where_from_and_where_to_put_it(folder, monkeypatch):
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", no_network)
    with pytest.raises(FileNotFoundError) as wrong:
        fetch(TRAIN)
    sentence = str(wrong.value)
    for part in (
        "name resolution failed",
        "CC BY 4.0",
        "save https://raw.githubusercontent.com/leondz/emerging_entities_17/master/wnut17train.conll as ",
        f" as {folder / TRAIN}",
        "set SEQLAB_DATA",
    ):
        assert part in sentence
    assert "\n" not in sentence


def test_with_downloading_off_the_network_is_left_alone(folder, monkeypatch):
    def touched(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", touched)
    with pytest.raises(FileNotFoundError, match="downloading is switched off here"):
        fetch(TRAIN, download=False)


def known(monkeypatch, content):
    """Register a small made file as if it were a corpus."""
    source = corpora.Source("https://example.org/a.txt", hashlib.sha256(content).hexdigest(), "CC0")
    monkeypatch.setitem(corpora.SOURCES, "made/a.txt", source)


def serve(monkeypatch, content):
    """Let the downloader write this content instead of asking the network."""

    def download(self, url, output_file, pooch, **kwargs):
        Path(output_file).write_bytes(content)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", download)


def test_a_downloaded_file_is_kept_in_the_data_folder(folder, monkeypatch):
    known(monkeypatch, b"right")
    serve(monkeypatch, b"right")
    assert fetch("made/a.txt") == folder / "made" / "a.txt"
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", no_network)
    assert fetch("made/a.txt").read_bytes() == b"right"


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(folder, monkeypatch):
    known(monkeypatch, b"right")
    serve(monkeypatch, b"wrong")
    with pytest.raises(FileNotFoundError, match="what the address serves now has another sha256"):
        fetch("made/a.txt")
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_local_file_with_another_checksum_is_named_and_not_touched(folder, monkeypatch):
    known(monkeypatch, b"right")
    path = folder / "made" / "a.txt"
    path.parent.mkdir()
    path.write_bytes(b"wrong")
    with pytest.raises(ValueError, match=f"it must have {hashlib.sha256(b'right').hexdigest()}"):
        fetch("made/a.txt")
    assert path.read_bytes() == b"wrong"


def test_a_folder_that_cannot_be_written_is_the_same_clear_error(folder, monkeypatch):
    known(monkeypatch, b"right")
    serve(monkeypatch, b"right")
    (folder / "made").write_text("a file where a folder is needed")
    with pytest.raises(FileNotFoundError, match=r"was not downloaded \("):
        fetch("made/a.txt")


def test_the_user_cache_is_used_when_the_variable_is_not_set(monkeypatch):
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    assert corpora.data_folder() == Path(pooch.os_cache("seqlab"))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: fetch("wnut17"), "no corpus file is called 'wnut17'; there are wnut17_ner"),
        (lambda: wnut17("valid"), "split is 'valid'; it must be 'train', 'dev' or 'test'"),
    ],
)
def test_a_mistake_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_conll_sentences_end_at_empty_lines_of_any_kind(tmp_path):
    path = tmp_path / "a.conll"
    path.write_bytes("\n\nParis\tB-location\nis\tO\r\n\t\n\n\u2028x\tO\n \nlast\tO".encode())
    sentences, tags = corpora.read_conll(path)
    assert sentences == [["Paris", "is"], ["\u2028x"], ["last"]]
    assert tags == [["B-location", "O"], ["O"], ["O"]]


def test_a_broken_conll_line_is_named(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Paris\tB-location\nbroken\n")
    with pytest.raises(ValueError, match="line 2, has 1 fields; it must hold a word, a tab and a tag"):
        corpora.read_conll(path)


@pytest.mark.parametrize(
    ("split", "sentences", "tokens", "people"),
    [("train", 3394, 62730, 660), ("dev", 1009, 15733, 470), ("test", 1287, 23394, 429)],
)
def test_wnut17_has_the_size_its_authors_report(real, split, sentences, tokens, people):
    words, tags = wnut17(split, download=False)
    assert len(words) == len(tags) == sentences
    assert sum(map(len, words)) == sum(map(len, tags)) == tokens
    assert all(map(len, words))
    assert sum(tag == "B-person" for row in tags for tag in row) == people
    kinds = {tag for row in tags for tag in row}
    assert kinds <= {"O"} | {
        f"{place}-{kind}"
        for place in "BI"
        for kind in ("person", "location", "corporation", "product", "creative-work", "group")
    }


def test_shakespeare_has_the_length_and_the_symbols_that_are_known_of_it(real):
    text = data.shakespeare(download=False)
    assert (len(text), len(set(text))) == (1_115_394, 65)
    assert text.startswith("First Citizen:\n")


def test_every_first_name_is_a_word_of_lower_case_letters(real):
    names = data.first_names(download=False)
    assert len(names) == 32_033
    assert all(name.isascii() and name.isalpha() and name.islower() for name in names)


@pytest.mark.parametrize(
    ("split", "words", "lines"),
    [("train", 929_589, 42_068), ("valid", 73_760, 3370), ("test", 82_430, 3761)],
)
def test_the_treebank_has_as_many_words_and_lines_as_its_papers_say(real, split, words, lines):
    tokens = data.ptb(split, download=False)
    assert (len(tokens), tokens.count("<eos>")) == (words, lines)
    assert tokens[-1] == "<eos>"


def test_the_vocabulary_of_the_treebank_is_that_of_its_training_part(real):
    known = set(data.ptb("train", download=False))
    assert len(known) == 10_000
    assert {*data.ptb("valid", download=False), *data.ptb("test", download=False)} <= known


def test_an_unknown_part_of_the_treebank_is_refused():
    with pytest.raises(ValueError, match="split is 'dev'; it must be 'train', 'valid' or 'test'"):
        data.ptb("dev")
