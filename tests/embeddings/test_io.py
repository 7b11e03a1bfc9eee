"""Files of word vectors: to and from gensim in both formats, all digits kept, every broken line named."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqlab.embeddings import load_vectors, save_vectors
from seqlab.embeddings.io import CHUNK

WORDS = ["the", "naïve", "東京", "o'clock", "12", "a\xa0b", "x\u2028y", "🙂", "-", "\ufeff"]  # no separator is ASCII
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def some_vectors(V=10, D=5):
    return np.random.default_rng(0).normal(size=(V, D)).astype(np.float32)


def peer_of(words, vectors):
    peer = KeyedVectors(vectors.shape[1])
    peer.add_vectors(words, vectors)
    return peer


@pytest.mark.parametrize("format", ["word2vec", "glove"])
def test_gensim_reads_what_we_write(format, tmp_path):
    save_vectors(tmp_path / "words.txt", WORDS, some_vectors(), format)
    peer = KeyedVectors.load_word2vec_format(tmp_path / "words.txt", no_header=format == "glove")
    assert peer.index_to_key == WORDS
    np.testing.assert_array_equal(peer.vectors, some_vectors())


@pytest.mark.parametrize("format", ["word2vec", "glove"])
@pytest.mark.parametrize("told", [True, False])
def test_we_read_what_gensim_writes(format, told, tmp_path):
    peer = peer_of(WORDS, some_vectors())
    peer.save_word2vec_format(tmp_path / "words.txt", write_header=format == "word2vec")
    words, vectors = load_vectors(tmp_path / "words.txt", format if told else "auto")
    assert words == WORDS
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, some_vectors())


@pytest.mark.parametrize("format", ["word2vec", "glove"])
@given(vectors=arrays(np.float32, (3, 2), elements=FLOATS))
def test_every_number_comes_back(format, vectors, tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.txt"
    save_vectors(path, ["a", "b", "c"], vectors, format)
    np.testing.assert_array_equal(load_vectors(path, format)[1], vectors)
    save_vectors(path, ["a", "b", "c"], vectors / np.float64(3), format)
    np.testing.assert_array_equal(load_vectors(path, format, dtype=np.float64)[1], vectors / np.float64(3))


def test_the_formats_are_those_of_the_two_programs(tmp_path):
    for format, first in [("word2vec", "2 3\n"), ("glove", "")]:
        save_vectors(tmp_path / "words.txt", ["a", "b"], np.array([[1, 2, 3], [0.5, -1, 0]]), format)
        assert (tmp_path / "words.txt").read_text() == first + "a 1.0 2.0 3.0\nb 0.5 -1.0 0.0\n"


def test_small_floats_are_written_as_they_are_held(tmp_path):
    save_vectors(tmp_path / "words.txt", ["a"], np.array([[0.1]], np.float16))
    assert load_vectors(tmp_path / "words.txt")[1] == np.float32(np.float16(0.1))


def test_many_words_keep_their_order(tmp_path):
    words = [f"w{i}" for i in range(2 * CHUNK + 1)]
    save_vectors(tmp_path / "words.txt", words, some_vectors(len(words), 2))
    back, vectors = load_vectors(tmp_path / "words.txt")
    assert back == words
    np.testing.assert_array_equal(vectors, some_vectors(len(words), 2))
    back, vectors = load_vectors(tmp_path / "words.txt", limit=7)
    assert back == words[:7]
    np.testing.assert_array_equal(vectors, some_vectors(len(words), 2)[:7])


def test_what_the_programs_leave_behind_is_read(tmp_path):
    """word2vec's program ends lines with a space, others with a carriage return; GloVe has words with spaces."""
    (tmp_path / "words.txt").write_bytes(b"2 2\n</s> 0.5 1e-3 \nof -2 3 \n")
    words, vectors = load_vectors(tmp_path / "words.txt")
    assert words == ["</s>", "of"]
    np.testing.assert_array_equal(vectors, np.array([[0.5, 1e-3], [-2, 3]], np.float32))
    (tmp_path / "words.txt").write_bytes(b"the 1 2\r\n. . . 3 4\r\nat name@domain.com 5 6\r\n")
    assert load_vectors(tmp_path / "words.txt")[0] == ["the", ". . .", "at name@domain.com"]


def test_a_file_of_one_dimension_needs_to_be_told_apart(tmp_path):
    (tmp_path / "words.txt").write_text("7 1\n8 2\n")
    words, vectors = load_vectors(tmp_path / "words.txt", "glove")
    assert words == ["7", "8"]
    assert vectors.ravel().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"2 2\na 1 2\nb 1\n", r"line 3 of .*words.txt has 2 fields; it must have a word and 2 numbers"),
        (b"a 1 2\nb 1 x\n", r"line 2 of .*words.txt must have a word and 2 numbers: could not convert .*'x'"),
        (b"a 1 2\nb 1 2 3\nc d\n", r"line 3 of .*words.txt has 2 fields"),
        (b"2 2\na 1 2\n 1 2\n", r"line 3 of .*words.txt has 2 fields"),
        (b"a 1 2\n\nb 1 2\n", r"line 2 of .*words.txt is empty"),
        (b"a 1 2\nb 1 2\na 3 4\n", r"line 3 of .*words.txt gives 'a' a second vector, after line 1"),
        (b"a 1 2\nb 1 nan\n", r"line 2 of .*words.txt holds a number that is not finite"),
        (b"a 1 2\nb 1 1e39\n", r"line 2 of .*words.txt holds a number that is not finite"),
        (b"a 1 2\n\xff 1 2\n", r"line 2 of .*words.txt holds a word that is not UTF-8"),
        (b"3 2\na 1 2\nb 1 2\n", r"line 1 of .*words.txt announces 3 words and 2 follow"),
        (b"1 2\na 1 2\nb 1 2\n", r"line 1 of .*words.txt announces 1 words and 2 follow"),
        (b"", r"words.txt is empty"),
        (b"0 3\n", r"words.txt holds no vector"),
        (b"only\n", r"line 1 of .*words.txt has 1 fields; it must have a word and its numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_a_broken_line_is_named_by_its_number(text, message, tmp_path):
    (tmp_path / "words.txt").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        load_vectors(tmp_path / "words.txt")


def test_a_file_of_the_other_format_is_noticed(tmp_path):
    (tmp_path / "words.txt").write_text("a 1 2\n")
    with pytest.raises(ValueError, match=r"line 1 of .*words.txt is not 'words dimensions', two whole numbers"):
        load_vectors(tmp_path / "words.txt", "word2vec")
    with pytest.raises(ValueError, match="format is 'text'; it must be 'auto', 'word2vec' or 'glove'"):
        load_vectors(tmp_path / "words.txt", "text")
    with pytest.raises(FileNotFoundError):
        load_vectors(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("words", "vectors", "message"),
    [
        (["a b"], np.ones((1, 2)), "the word 'a b' is empty or holds a space or a line break"),
        (["a\n"], np.ones((1, 2)), "is empty or holds a space"),
        ([""], np.ones((1, 2)), "the word '' is empty"),
        (["\ud800"], np.ones((1, 2)), "words must be text that UTF-8 can hold"),
        (["a", "b", "a"], np.ones((3, 2)), "the word 'a' comes twice"),
        ([7], np.ones((1, 2)), "7 among the words is a int; words are strings"),
        (["a"], np.ones((2, 2)), r"vectors has shape \(2, 2\); it must have shape \(1, D\)"),
        (["a", "b"], np.array([[1.0], [np.inf]]), "row 1 of vectors holds a number that is not finite"),
    ],
)
def test_what_no_file_can_hold_is_refused_and_the_old_file_stays(words, vectors, message, tmp_path):
    (tmp_path / "words.txt").write_text("old\n")
    with pytest.raises(ValueError, match=message):
        save_vectors(tmp_path / "words.txt", words, vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]
    assert (tmp_path / "words.txt").read_text() == "old\n"
    with pytest.raises(ValueError, match="format is 'binary'; it must be 'word2vec' or 'glove'"):
        save_vectors(tmp_path / "words.txt", ["a"], np.ones((1, 1)), "binary")
