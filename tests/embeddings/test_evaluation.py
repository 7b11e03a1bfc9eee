"""Scores of analogies and likeness against gensim's and scipy's on the same vectors."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from scipy.stats import rankdata

from seqlab import data
from seqlab.embeddings import WordVectors, evaluate_analogies, evaluate_similarity, reference


def planted(noise, groups=8, members=5, D=12, seed=0):
    """Words w<group>x<member>: a vector for the group, one for the member, and noise; some in capitals too."""
    rng = np.random.default_rng(seed)
    group, member = rng.normal(size=(groups, D)), rng.normal(size=(members, D))
    names = [f"w{i}x{j}" for i in range(groups) for j in range(members)]
    table = (group[:, None] + member[None]).reshape(-1, D) + noise * rng.normal(size=(groups * members, D))
    names += [name.upper() for name in names[::3]]
    table = np.concatenate([table, table[::3] + 0.01 * rng.normal(size=table[::3].shape)])
    return WordVectors(names, table.astype(np.float32))


def questions(groups=8, members=5, n=60, seed=0):
    rng = np.random.default_rng(seed)
    asked = {}
    for section in ("first", "second"):
        for _ in range(n):
            (g, h), (i, j) = (rng.choice(size, 2, replace=False) for size in (groups + 1, members))  # one group unknown
            capital = "W" if i == 0 else "w"
            asked.setdefault(section, []).append((f"w{g}x{i}", f"{capital}{g}x{j}", f"w{h}x{i}", f"w{h}x{j}"))
    return asked


def gensim_of(words):
    peer = KeyedVectors(words.vectors.shape[1])
    peer.add_vectors(words.words, words.vectors)
    return peer


def gensim_sections(words, asked, path, **settings):
    lines = [line for name, section in asked.items() for line in (f": {name}", *(" ".join(q) for q in section))]
    path.write_text("\n".join(lines) + "\n")
    _, sections = gensim_of(words).evaluate_word_analogies(str(path), **settings)
    return {s["section"]: (len(s["correct"]), len(s["correct"]) + len(s["incorrect"])) for s in sections[:-1]}


@pytest.mark.parametrize("noise", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("ignore_case", [True, False])
def test_gensim_counts_the_same_right_answers(noise, ignore_case, tmp_path):
    words, asked = planted(noise), questions()
    report = evaluate_analogies(words, asked, ignore_case=ignore_case)
    want = gensim_sections(words, asked, tmp_path / "questions.txt", case_insensitive=ignore_case)
    assert {name: (part.right, part.asked) for name, part in report.sections.items()} == want
    assert all(part.asked + part.missing == 60 for part in report.sections.values())
    assert 0 < report.missing < 120
    assert 0 < report.right <= report.asked


@pytest.mark.parametrize("exclude", [True, False])
@pytest.mark.parametrize("method", ["add", "multiply"])
def test_the_answers_are_those_of_analogy(exclude, method):
    words = planted(0.8)
    asked = [question for section in questions(n=400).values() for question in section]
    known = [question for question in asked if all(word in words for word in question)]
    right = sum(words.analogy(a, b, c, exclude, method)[0][0] == d for a, b, c, d in known)
    report = evaluate_analogies(words, asked, exclude, method, ignore_case=False)
    assert report.total == (right, len(known), len(asked) - len(known))
    assert list(report.sections) == ["questions"]


def test_excluding_the_words_of_the_question_makes_vectors_look_better():
    words = planted(0.8)
    with_exclusion, without = (evaluate_analogies(words, questions(n=400), exclude).right for exclude in (True, False))
    assert with_exclusion > 1.2 * without > 0


def test_a_report_adds_its_sections_up_and_can_be_read():
    words = WordVectors(["a", "b", "c", "d"], np.array([[1.0, 0], [0, 1], [1.1, 0], [0, 1.1]]))
    asked = {"one": [("a", "b", "c", "d"), ("a", "b", "c", "x")], "two": [("x", "x", "x", "x")]}
    report = evaluate_analogies(words, asked)
    assert report.sections == {"one": (1, 1, 1), "two": (0, 0, 1)}
    assert (report.right, report.asked, report.missing, report.accuracy) == (1, 1, 2, 1.0)
    assert np.isnan(report.sections["two"].accuracy)
    assert str(report).splitlines()[-1].split() == ["all", "1", "of", "1", "right,", "2", "missing"]
    assert np.isnan(evaluate_analogies(words, {}).accuracy)


def test_spearman_is_the_correlation_of_ranks_and_that_of_gensim(tmp_path):
    words = planted(0.8)
    rng = np.random.default_rng(1)
    pairs = [(*rng.choice([*words.words[:40], "unknown"], 2), float(rng.integers(8))) for _ in range(90)]
    report = evaluate_similarity(words, pairs)
    known = [(words.similarity(a, b), score) for a, b, score in pairs if "unknown" not in (a, b)]
    ranks = [rankdata(column) for column in zip(*known, strict=True)]
    assert report.spearman == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert (report.found, report.asked) == (len(known), 90)
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs))
    _, spearman, missing = gensim_of(words).evaluate_word_pairs(str(tmp_path / "pairs.tsv"))
    assert (report.spearman, report.p) == pytest.approx((spearman.statistic, spearman.pvalue), rel=1e-5)
    assert missing == pytest.approx(100 * (1 - report.found / 90))


def test_cosines_in_the_judges_order_correlate_wholly():
    words = WordVectors(["a", "b", "c", "D"], np.array([[1.0, 0], [1, 0.1], [1, 1], [0, 1]]))
    pairs = [("a", "b", 9.0), ("a", "c", 5.0), ("a", "d", 1.0)]
    assert evaluate_similarity(words, pairs)[0] == pytest.approx(1)
    assert evaluate_similarity(words, [(a, b, -score) for a, b, score in pairs])[0] == pytest.approx(-1)
    assert evaluate_similarity(words, pairs, ignore_case=False).found == 2


@pytest.mark.parametrize("pairs", [[], [("a", "b", 1.0)], [("a", "x", 1.0), ("x", "b", 2.0)]])
def test_too_few_pairs_have_no_correlation(pairs):
    report = evaluate_similarity(WordVectors(["a", "b"], np.eye(2)), pairs)
    assert np.isnan(report.spearman)
    assert np.isnan(report.p)
    assert report.asked == len(pairs)


def test_pairs_that_are_all_alike_have_no_correlation():
    words = WordVectors(["a", "b", "c"], np.eye(3))
    assert np.isnan(evaluate_similarity(words, [("a", "b", 1.0), ("b", "c", 2.0), ("a", "c", 3.0)]).spearman)


def test_what_is_no_question_is_named():
    words = WordVectors(["a", "b"], np.eye(2))
    with pytest.raises(ValueError, match=r"\('a', 'b'\) in section 'family' is not \(a, b, c, d\), four words"):
        evaluate_analogies(words, {"family": [("a", "b")]})
    with pytest.raises(ValueError, match=r"\('a', 'b'\) among the pairs is not \(word, word, judgement\)"):
        evaluate_similarity(words, [("a", "b")])
    with pytest.raises(ValueError, match="method is 'divide'; it must be 'add' or 'multiply'"):
        evaluate_analogies(words, {}, method="divide")


def test_real_vectors_answer_real_questions_as_gensim_does(real, tmp_path):
    """The family section of Google's questions, with the 171 words of GloVe that are at hand."""
    words = WordVectors(*data.glove_subset())
    asked = data.google_analogies()
    report = evaluate_analogies(words, asked)
    want = gensim_sections(WordVectors(words.words, words.vectors.astype(np.float32)), asked, tmp_path / "q.txt")
    assert {name: (part.right, part.asked) for name, part in report.sections.items()} == want
    assert report.sections["family"].accuracy > 0.8
    assert report.asked + report.missing == 19_544


def test_every_analogy_of_the_kingdom_is_solved_from_its_expected_counts():
    sentences, probabilities = data.kingdom_sentences()
    names = sorted({word for sentence in sentences for word in sentence})
    ids = {word: i for i, word in enumerate(names)}
    counts = [reference.cooccurrence([ids[word] for word in sentence], len(names)) for sentence in sentences]
    M = reference.ppmi(sum(p * X for p, X in zip(probabilities, counts, strict=True)))
    asked = data.kingdom_analogies()
    for vectors in (M.toarray(), reference.svd_vectors(M, np.linalg.matrix_rank(M.toarray()), power=1.0)):
        report = evaluate_analogies(WordVectors(names, vectors), asked)
        assert report.total == (len(asked), len(asked), 0)
