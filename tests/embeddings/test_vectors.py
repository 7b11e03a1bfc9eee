"""`WordVectors`: words in, words out, and a helpful sentence for a word that is not there."""

import subprocess
import sys

import numpy as np
import pytest
from gensim.models import KeyedVectors

from seqlab.embeddings import WordVectors, reference

WORDS = ["man", "woman", "king", "queen", "apple", "pear", "Kingdom"]
# dimensions: gender, royalty, fruit; the last one is a little of everything
TABLE = np.array(
    [[1, 0, 0], [-1, 0, 0], [1, 2, 0], [-1, 2, 0], [0, 0, 3], [0.1, 0, 2], [0.2, 1, -0.5]], dtype=float
) + np.array([0.3, 0.2, 0.1])


@pytest.fixture
def words():
    return WordVectors(WORDS, TABLE)


def test_word_vectors_need_no_torch():
    code = "import sys\nfrom seqlab.embeddings import WordVectors, evaluate_analogies\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_it_is_a_collection_of_words(words):
    assert len(words) == 7
    assert list(words) == WORDS
    assert "king" in words
    assert "kin" not in words
    assert words.index["queen"] == 3
    np.testing.assert_array_equal(words["king"], TABLE[2])
    np.testing.assert_array_equal(words[["pear", "man"]], TABLE[[5, 0]])
    assert repr(words) == "WordVectors of 7 words, 3 dimensions: man woman king queen apple pear Kingdom"


def test_the_vectors_cannot_be_written_to_by_accident(words):
    with pytest.raises(ValueError, match="read-only"):
        words["king"][0] = 5
    TABLE[0] += 0  # and the array that was given still can


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_stays(dtype, words):
    assert WordVectors(WORDS, TABLE.astype(dtype)).unit().vectors.dtype == dtype
    assert WordVectors(WORDS, TABLE.astype(np.float16)).vectors.dtype == np.float32
    assert WordVectors(["a"], [[1, 2]]).vectors.dtype == np.float64


def test_similarity_is_the_cosine(words):
    want = TABLE[2] @ TABLE[3] / np.linalg.norm(TABLE[2]) / np.linalg.norm(TABLE[3])
    assert words.similarity("king", "queen") == pytest.approx(want)


def test_neighbours_come_as_words_and_a_word_is_no_neighbour_of_itself(words):
    neighbours = words.nearest("apple", k=3)
    ids, cosines = reference.nearest(TABLE, TABLE[4], k=4)
    assert [word for word, _ in neighbours] == [WORDS[i] for i in ids[1:]]
    assert [cosine for _, cosine in neighbours] == pytest.approx(cosines[1:])
    assert words.nearest(words["apple"], k=1) == [("apple", pytest.approx(1))]
    assert len(words.nearest([1, 0, 0], k=20)) == 7


def test_gensim_finds_the_same_neighbours():
    table = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    names = [f"w{i}" for i in range(50)]
    peer = KeyedVectors(10)
    peer.add_vectors(names, table)
    for name in names[:5]:
        ours, theirs = WordVectors(names, table).nearest(name, 6), peer.most_similar(name, topn=6)
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        assert [cosine for _, cosine in ours] == pytest.approx([cosine for _, cosine in theirs], abs=1e-5)


def test_an_analogy_is_asked_in_words(words):
    assert [word for word, _ in words.analogy("man", "king", "woman")] == ["queen"]
    assert [word for word, _ in words.analogy("man", "king", "woman", method="multiply")] == ["queen"]
    for settings in ({"exclude": False, "k": 3}, {"method": "multiply", "k": 2}):
        ids, scores = reference.analogy(TABLE, 4, 5, 0, **settings)
        assert words.analogy("apple", "pear", "man", **settings) == [
            (WORDS[i], pytest.approx(score)) for i, score in zip(ids, scores, strict=True)
        ]


def test_unit_and_subset_are_word_vectors_too(words):
    assert np.linalg.norm(words.unit().vectors, axis=1) == pytest.approx(np.ones(7))
    assert words.unit().words == WORDS
    some = words.subset(["pear", "king"])
    assert some.words == ["pear", "king"]
    np.testing.assert_array_equal(some.vectors, TABLE[[5, 2]])
    assert some.index == {"pear": 0, "king": 1}


@pytest.mark.parametrize("format", ["word2vec", "glove"])
def test_saving_and_loading_give_the_same(format, words, tmp_path):
    single = WordVectors(WORDS, TABLE.astype(np.float32))
    single.save(tmp_path / "words.txt", format=format)
    again = WordVectors.load(tmp_path / "words.txt")
    assert again.words == WORDS
    np.testing.assert_array_equal(again.vectors, single.vectors)
    assert WordVectors.load(tmp_path / "words.txt", format=format, limit=2).words == WORDS[:2]


@pytest.mark.parametrize(
    "ask",
    [
        lambda words: words["quene"],
        lambda words: words[["king", "quene"]],
        lambda words: words.nearest("quene"),
        lambda words: words.similarity("king", "quene"),
        lambda words: words.analogy("man", "king", "quene"),
        lambda words: words.subset(["quene"]),
    ],
)
def test_an_unknown_word_is_named_with_words_of_near_spelling(ask, words):
    with pytest.raises(ValueError, match="'quene' is not among the 7 words; near in spelling: queen"):
        ask(words)


def test_a_word_that_differs_in_case_is_near(words):
    with pytest.raises(ValueError, match="'KINGDOM' is not among the 7 words; near in spelling: Kingdom"):
        words["KINGDOM"]
    with pytest.raises(ValueError, match=r"'xyzzy' is not among the 7 words$"):
        words["xyzzy"]


@pytest.mark.parametrize(
    ("names", "table", "message"),
    [
        (["a", "a"], np.ones((2, 1)), "the word 'a' comes twice; each word has one vector"),
        (["a"], np.ones((1, 1, 1)), r"vectors has shape \(1, 1, 1\); it must have shape \(1, D\)"),
        (["a"], [[np.nan]], "row 0 of vectors holds a number that is not finite"),
        ([b"a"], np.ones((1, 1)), "b'a' among the words is a bytes; words are strings"),
    ],
)
def test_what_are_no_word_vectors_is_refused(names, table, message):
    with pytest.raises(ValueError, match=message):
        WordVectors(names, table)


def test_a_query_of_another_size_is_refused(words):
    with pytest.raises(ValueError, match=r"query has shape \(2,\); it must have shape \(3,\)"):
        words.nearest([1.0, 2.0])
