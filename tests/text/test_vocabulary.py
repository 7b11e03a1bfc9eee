import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.text import Vocabulary, one_hot

words = st.lists(st.text(min_size=1, max_size=4), max_size=30)


@given(words)
def test_decoding_what_was_encoded_gives_back_known_words(tokens):
    vocabulary = Vocabulary(tokens)
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens


@given(words, words)
def test_every_unknown_word_gets_the_id_of_unk_and_known_ones_do_not(learnt, met):
    vocabulary = Vocabulary(learnt)
    for token, i in zip(met, vocabulary.encode(met), strict=True):
        assert i == vocabulary.tokens.index(token if token in learnt else "<unk>") or token in ("<pad>", "<eos>")


@given(words)
def test_ids_are_the_places_in_the_list(tokens):
    vocabulary = Vocabulary(tokens)
    assert [vocabulary.ids[token] for token in vocabulary.tokens] == list(range(len(vocabulary)))
    assert len(set(vocabulary.tokens)) == len(vocabulary)


def test_specials_come_first_then_the_frequent_words_then_the_alphabet():
    assert Vocabulary(["b", "a", "c", "c", "a", "d"]).tokens == ["<pad>", "<unk>", "<eos>", "a", "c", "b", "d"]


def test_a_special_found_in_the_text_keeps_its_place():
    vocabulary = Vocabulary(["<unk>", "<unk>", "a", "<eos>"])
    assert vocabulary.tokens == ["<pad>", "<unk>", "<eos>", "a"]


def test_rare_words_are_left_out():
    vocabulary = Vocabulary(["a", "a", "b"], min_freq=2)
    assert "a" in vocabulary
    assert "b" not in vocabulary
    assert vocabulary.encode(["a", "b"]) == [3, 1]


def test_a_string_counts_as_its_characters():
    vocabulary = Vocabulary("hello", specials=())
    assert vocabulary.tokens == ["l", "e", "h", "o"]
    assert vocabulary.encode("hello") == [2, 1, 0, 0, 3]


def test_a_generator_can_be_encoded():
    assert Vocabulary(["a", "b"]).encode(w for w in ["b", "x"]) == [4, 1]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Vocabulary(["a"], min_freq=0), "min_freq is 0; it must be at least 1"),
        (lambda: Vocabulary(["a"], specials=("<unk>", "<pad>", "<unk>")), "'<unk>' is given twice"),
        (lambda: Vocabulary([["a", "b"]]), "token 0 is of type list, not a string"),
        (lambda: Vocabulary(["a"]).encode(["a", 3]), "token 1 is of type int, not a string"),
        (lambda: Vocabulary(["a"], specials=()).encode(["a", "x"]), "'x' is not in the vocabulary"),
        (lambda: Vocabulary(["cat", "a"]).encode("a cat"), r"needs a list: text.split\(\)"),
        (lambda: Vocabulary(["a"]).decode([4]), "ids run from 4 to 4; the vocabulary has ids 0 to 3"),
        (lambda: Vocabulary(["a"]).decode([-1]), "ids run from -1 to -1"),
        (lambda: Vocabulary(["a"]).decode([0.0]), "ids has dtype float64; it must hold integers"),
        (lambda: one_hot([0, 3], 3), "ids run from 0 to 3; the vocabulary has ids 0 to 2"),
        (lambda: one_hot([-1], 3), "ids run from -1"),
        (lambda: one_hot([1.5], 3), "ids has dtype float64"),
        (lambda: one_hot([True], 3), "ids has dtype bool"),
    ],
)
def test_a_mistake_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), max_size=5))
def test_a_one_hot_vector_has_a_single_one_at_the_id(rows):
    ids = np.array(rows, dtype=int).reshape(len(rows), 3)
    x = one_hot(ids, 7)
    assert x.shape == (*ids.shape, 7)
    assert set(np.unique(x)) <= {0.0, 1.0}
    assert (x.sum(axis=-1) == 1).all()
    assert (x.argmax(axis=-1) == ids).all()


def test_a_single_id_gives_a_single_vector():
    assert one_hot(2, 4).tolist() == [0, 0, 1, 0]


def test_one_hot_agrees_with_torch():
    torch = pytest.importorskip("torch")
    ids = np.random.default_rng(0).integers(500, size=(3, 63))
    theirs = torch.nn.functional.one_hot(torch.tensor(ids), 500)
    assert (one_hot(ids, 500) == theirs.numpy()).all()


def test_text_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, seqlab.text, seqlab.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
