"""BLEU: the numbers of the paper and of the notes by hand, and everything else against sacreBLEU."""

import logging
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.decode import Bleu, bleu, sentence_bleu
from seqlab.decode.bleu import (
    bleu_of_statistics,
    bootstrap,
    brevity_penalty,
    clipped_counts,
    closest_length,
    ngrams,
    statistics,
)

sacrebleu = pytest.importorskip("sacrebleu.metrics")
logging.getLogger("sacrebleu").setLevel(logging.ERROR)

SMOOTHINGS = [("none", None), ("floor", None), ("floor", 0.01), ("add-k", None), ("add-k", 0.5), ("exp", None)]

# Papineni et al. 2002, examples 1 and 2, in small letters and without the full stop
CANDIDATES = [
    "it is a guide to action which ensures that the military always obeys the commands of the party",
    "it is to insure the troops forever hearing the activity guidebook that party direct",
]
GUIDES = [
    "it is a guide to action that ensures that the military will forever heed party commands",
    "it is the guiding principle which guarantees the military forces always being under the command of the party",
    "it is the practical guide for the army always to heed the directions of the party",
]
THE = "the the the the the the the"
CATS = ["the cat is on the mat", "there is a cat on the mat"]


def split(texts):
    return [text.split() for text in texts]


def theirs(hypotheses, references, max_n, smoothing, value, effective):
    """sacreBLEU on the same words; a reference that is not there is None."""
    most = max(map(len, references))
    streams = [[" ".join(some[j]) if j < len(some) else None for some in references] for j in range(most)]
    if any(stream[0] is None for stream in streams):  # it looks at the first line alone to see that these are strings
        order = sorted(range(len(references)), key=lambda i: -len(references[i]))
        hypotheses = [hypotheses[i] for i in order]
        streams = [[stream[i] for i in order] for stream in streams]
    metric = sacrebleu.BLEU(
        tokenize="none",
        force=True,
        smooth_method=smoothing,
        smooth_value=value,
        max_ngram_order=max_n,
        effective_order=effective,
    )
    return metric.corpus_score([" ".join(words) for words in hypotheses], streams)


def same(ours, peer, smoothing="none", value=None):
    """Every number of the two results."""
    assert ours.score == pytest.approx(peer.score / 100, rel=1e-12, abs=1e-15)
    assert ours.points == pytest.approx(peer.score, rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(ours.precisions, np.array(peer.precisions) / 100, rtol=1e-12, atol=0)
    assert ours.brevity_penalty == pytest.approx(peer.bp, rel=1e-12, abs=0)
    assert (ours.hypothesis_length, ours.reference_length) == (peer.sys_len, peer.ref_len)
    counts, totals = list(peer.counts), list(peer.totals)
    if smoothing == "add-k":  # sacreBLEU leaves what it added in the counts, up to the order where it stopped
        k = 1 if value is None else value
        counts = [c - k * (n > 0 and any(ours.matches)) for n, c in enumerate(counts)]
        totals = [t - k * (n > 0 and any(ours.matches)) for n, t in enumerate(totals)]
    np.testing.assert_allclose(ours.matches, counts, atol=1e-9)
    np.testing.assert_allclose(ours.totals, totals, atol=1e-9)


def agree(hypotheses, references, max_n=4):
    """Held against sacreBLEU under every smoothing, with and without the effective order."""
    for smoothing, value in SMOOTHINGS:
        for effective in (False, True):
            ours = bleu(hypotheses, references, max_n, smoothing, value, effective)
            same(ours, theirs(hypotheses, references, max_n, smoothing, value, effective), smoothing, value)


# ---- by hand


def test_the_paper_s_seven_thes_match_twice():
    counts = clipped_counts(THE.split(), split(CATS), 1)
    assert counts == {("the",): (7, 2)}
    result = bleu([THE.split()], [split(CATS)], max_n=1)
    assert (result.matches, result.totals) == ((2,), (7,))
    assert result.score == pytest.approx(2 / 7)
    assert clipped_counts(THE.split(), split(CATS[1:]), 1) == {("the",): (7, 1)}  # each reference clips by itself


def test_the_paper_s_two_candidates_have_its_precisions():
    for candidate, unigrams, bigrams in zip(CANDIDATES, [(17, 18), (8, 14)], [(10, 17), (1, 13)], strict=True):
        result = bleu([candidate.split()], [split(GUIDES)], max_n=2)
        assert list(zip(result.matches, result.totals, strict=True)) == [unigrams, bigrams]


def test_the_notes_example_has_five_sevenths_and_four_sixths():
    hypothesis, references = ["the", "cat", "the", "cat", "on", "the", "mat"], split(CATS)
    assert clipped_counts(hypothesis, references, 2) == {
        ("the", "cat"): (2, 1),
        ("cat", "the"): (1, 0),
        ("cat", "on"): (1, 1),
        ("on", "the"): (1, 1),
        ("the", "mat"): (1, 1),
    }
    result = bleu([hypothesis], [references], max_n=2)
    assert (result.matches, result.totals) == ((5, 4), (7, 6))
    assert result.brevity_penalty == 1
    assert result.reference_length == 7
    assert result.score == pytest.approx(math.sqrt(5 / 7 * 4 / 6))  # the root is the 1/N of the geometric mean


def test_an_n_gram_is_clipped_by_the_reference_that_has_it_most_and_not_by_their_sum():
    assert clipped_counts(["a", "a", "a"], split(["a b", "a a", "c"]), 1) == {("a",): (3, 2)}


def test_the_brevity_penalty_is_that_of_the_paper():
    assert brevity_penalty(12, 12) == brevity_penalty(13, 12) == brevity_penalty(0, 0) == 1
    assert brevity_penalty(6, 12) == pytest.approx(math.exp(-1))
    assert brevity_penalty(11, 12) == pytest.approx(0.913, abs=1e-3)
    assert brevity_penalty(0, 12) == 0


def test_the_closest_length_takes_the_shorter_of_two():
    assert closest_length(12, [12, 15, 17]) == 12
    assert closest_length(10, [14, 12, 8]) == 8
    assert closest_length(10, [12, 8, 11]) == 11
    assert closest_length(3, [9]) == 9


def test_a_corpus_adds_up_before_it_divides():
    hypotheses, references = split(["a b c d e", "x y"]), [split(["a b c d e"]), split(["y x"])]
    result = bleu(hypotheses, references, max_n=2)
    assert (result.matches, result.totals) == ((7, 4), (7, 5))
    assert result.score == pytest.approx(math.sqrt(4 / 5))
    alone = [bleu([h], [r], max_n=2).score for h, r in zip(hypotheses, references, strict=True)]
    assert alone == [1, 0]


def test_the_right_translation_scores_one_and_strange_words_zero():
    for text in (*CATS, *GUIDES):
        assert bleu([text.split()], [split([text])]).score == 1
        assert sentence_bleu(text.split(), split(["q r s t", text])).points == pytest.approx(100)
    for smoothing, _ in SMOOTHINGS:
        assert bleu([["a", "b"]], [[["c", "d"]]], smoothing=smoothing).score == 0


def test_each_smoothing_does_what_its_name_says():
    hypothesis, references = ["a", "b", "x", "c", "d"], split(["a b c d e"])  # matches 4, 2, 0, 0 of 5, 4, 3, 2

    def precisions(*how):
        return bleu([hypothesis], [references], 4, *how).precisions

    assert precisions() == precisions("none") == (4 / 5, 2 / 4, 0, 0)
    assert precisions("floor") == (4 / 5, 2 / 4, 0.1 / 3, 0.1 / 2)
    assert precisions("floor", 0.3) == (4 / 5, 2 / 4, 0.3 / 3, 0.3 / 2)
    assert precisions("add-k") == (4 / 5, 3 / 5, 1 / 4, 1 / 3)
    assert precisions("exp") == (4 / 5, 2 / 4, 1 / 2 / 3, 1 / 4 / 2)
    assert bleu([hypothesis], [references]).score == 0
    assert bleu([hypothesis], [references], smoothing="add-k").matches == (4, 2, 0, 0)


def test_a_short_sentence_is_judged_by_the_orders_that_it_has():
    hypothesis, references = ["good", "morning"], split(["good morning"])
    assert sentence_bleu(hypothesis, references).score == 1
    assert sentence_bleu(hypothesis, references, smoothing=None, effective_order=False).score == 0
    assert bleu([hypothesis], [references]).score == 0


# ---- against sacreBLEU

CORPORA = {
    "the paper": (split(CANDIDATES), [split(GUIDES)] * 2),
    "the seven": (split([THE]), [split(CATS)]),
    "the notes": (split(["the cat the cat on the mat"]), [split(CATS)]),
    "an empty hypothesis alone": ([[]], [split(CATS)]),
    "an empty hypothesis among others": (split(["", "the cat", CATS[0]]), [split(CATS)] * 3),
    "an empty reference": (split(["a b", "c d e f"]), [[[]], split(["c d e g"])]),
    "all is empty": ([[]], [[[]]]),
    "shorter than four": (split(["a b c", "a b"]), [split(["a b c"]), split(["a b"])]),
    "one word": ([["a"]], [[["a"]]]),
    "one wrong word": ([["a"]], [[["b"]]]),
    "no match": (split(["a b c d e"]), [split(["f g h i j"])]),
    "only unigrams": (split(["a b c d"]), [split(["d c b a"])]),
    "numbers of references differ": (
        split(["a b c d e", "c d", "a a a b"]),
        [split(["a b c d", "a b"]), split(["c d"]), split(["a a b", "b a a a", "a b"])],
    ),
    "the first has fewest references": (split(["a b c", "a c b d"]), [split(["a b d c"]), split(["a b c d", "a c b"])]),
    "a tie of lengths": (split(["a b c d e f"]), [split(["a b c d e f g h", "a b c d"])]),
    "too long": (split(["a b c d e f g"]), [split(["a b c d"])]),
    "scripts": (
        split(["나는 학교에 갑니다", "私 は 学校 に 行く", "l’ été 🙂 🙂"]),
        [split(["나는 학교에 간다"]), split(["私 は 学校 へ 行く", "僕 は 学校 に 行く"]), split(["l’ été 🙂"])],
    ),
}


@pytest.mark.parametrize("name", CORPORA)
def test_it_agrees_with_sacrebleu_on(name):
    for max_n in (1, 2, 4, 6):
        agree(*CORPORA[name], max_n)


sentences = st.lists(st.sampled_from("abcd"), max_size=9)
pairs = st.tuples(sentences, st.lists(sentences, min_size=1, max_size=4))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=6), st.integers(1, 5))
def test_it_agrees_with_sacrebleu_on_any_corpus(corpus, max_n):
    hypotheses, references = zip(*corpus, strict=True)
    agree(list(hypotheses), list(references), max_n)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_a_sentence_agrees_with_sacrebleu_s_own_defaults(pair):
    hypothesis, references = pair
    metric = sacrebleu.BLEU(tokenize="none", force=True, effective_order=True)
    same(sentence_bleu(*pair), metric.sentence_score(" ".join(hypothesis), [" ".join(words) for words in references]))


@settings(max_examples=60, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_neither_the_order_of_sentences_nor_that_of_references_matters(corpus, random):
    score = bleu(*zip(*corpus, strict=True), smoothing="exp")
    shuffled = [(hypothesis, random.sample(some, len(some))) for hypothesis, some in corpus]
    random.shuffle(shuffled)
    assert bleu(*zip(*shuffled, strict=True), smoothing="exp") == score


# ---- statistics and chance


def test_the_statistics_of_sentences_add_up_to_the_corpus():
    hypotheses, references = CORPORA["numbers of references differ"]
    table = statistics(hypotheses, references, max_n=3)
    assert table.shape == (3, 8)
    assert table[1].tolist() == [2, 2, 2, 1, 0, 2, 1, 0]
    for options in ({}, {"smoothing": "add-k"}, {"smoothing": "exp", "effective_order": True}):
        assert bleu_of_statistics(table, **options) == bleu(hypotheses, references, 3, **options)


def test_each_bootstrap_sample_is_the_score_of_the_sentences_that_were_drawn():
    rng = np.random.default_rng(4)
    hypotheses = [list(rng.choice(list("abcd"), size=rng.integers(4, 9))) for _ in range(12)]
    references = [[list(rng.permutation(h)), h[:-1]] for h in hypotheses]
    got = bootstrap(statistics(hypotheses, references), samples=5, seed=7)
    again = np.random.default_rng(7)
    for score in got:
        drawn = again.integers(12, size=12)
        want = bleu([hypotheses[i] for i in drawn], [references[i] for i in drawn]).score
        assert score == pytest.approx(want, rel=1e-12)
    assert len(set(got)) > 1


def test_two_systems_are_drawn_the_same_sentences():
    table = statistics([list("abcde"), list("abxde"), list("xyzde")] * 20, [[list("abcde")]] * 60)
    both = bootstrap([table, table], samples=20, seed=1)
    assert both.shape == (2, 20)
    np.testing.assert_array_equal(both[0], both[1])
    np.testing.assert_array_equal(bootstrap(table, samples=20, seed=1), both[0])
    better = statistics([list("abcde")] * 60, [[list("abcde")]] * 60)
    assert (np.diff(bootstrap([table, better], samples=20, seed=1), axis=0) > 0).all()
    spread = bootstrap(table, samples=300, seed=2, smoothing="exp")
    mean = bleu_of_statistics(table, smoothing="exp").score
    assert np.quantile(spread, 0.1) < mean < np.quantile(spread, 0.9)


# ---- the face


def test_the_result_says_both_scales():
    result = bleu(split(["a b c d e"]), [split(["a b c d f"])])
    assert isinstance(result, Bleu)
    assert result.points == 100 * result.score
    assert repr(result) == (
        "Bleu(0.6687 = 66.87 points; n-grams 4/5 3/4 2/3 1/2; brevity penalty 1.000 for 5 words against 5)"
    )


def test_ids_arrays_and_tensors_are_words_too():
    hypothesis, references = [3, 1, 4, 1, 5], [[3, 1, 4, 1, 6], [5, 9]]
    want = sentence_bleu(hypothesis, references)
    assert want.matches == (5, 3, 2, 1)
    assert sentence_bleu(np.array(hypothesis), [np.array(some) for some in references]) == want
    assert sentence_bleu(torch.tensor(hypothesis), [torch.tensor(some) for some in references]) == want
    assert sentence_bleu(tuple(hypothesis), tuple(map(tuple, references))) == want


def test_n_grams_are_counted_in_order():
    assert ngrams(["a", "b", "a", "b"], 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert ngrams(["a"], 2) == {}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: bleu(["the cat"], [[["the"]]]), r"hypotheses\[0\] is the string 'the cat'; split it into a list"),
        (lambda: bleu([["a"]], [["the cat"]]), r"references\[0\]\[0\] is the string 'the cat'; split it"),
        (lambda: bleu([["a"]], ["the cat"]), r"references\[0\] is the string 'the cat'; it must be a list of lists"),
        (lambda: bleu("a b", [[["a"]]]), "hypotheses and references are lists with an entry a sentence"),
        (lambda: bleu([["a"], ["b"]], [[["a"]]]), "2 hypotheses came with references for 1 sentences"),
        (lambda: bleu([["a"], ["b"]], [[["a"]], []]), r"references\[1\] is empty; a hypothesis needs at least one"),
        (lambda: bleu([[["a"]]], [[["a"]]]), r"hypotheses\[0\] holds lists; a sentence is a flat list of words"),
        (lambda: bleu([], []), "there is no sentence to score"),
        (lambda: bleu([["a"]], [[["a"]]], max_n=0), "max_n is 0; it must be a whole number, at least 1"),
        (lambda: bleu([["a"]], [[["a"]]], max_n=2.5), "max_n is 2.5; it must be a whole number"),
        (lambda: bleu([["a"]], [[["a"]]], smoothing="laplace"), "smoothing is 'laplace'; it must be 'none', 'floor'"),
        (lambda: bleu([["a"]], [[["a"]]], smoothing="exp", smooth_value=1), "smoothing 'exp' takes none; leave it"),
        (lambda: bleu([["a"]], [[["a"]]], smoothing="floor", smooth_value=0), "smooth_value is 0; it must be a num"),
        (lambda: bleu([["a"]], [[["a"]]], smoothing="add-k", smooth_value=math.nan), "smooth_value is nan"),
        (lambda: sentence_bleu("the cat", [["the"]]), "hypothesis is the string 'the cat'; split it"),
        (lambda: sentence_bleu(["the"], ["the"]), r"references\[0\] is the string 'the'; split it"),
        (lambda: sentence_bleu(["the"], []), "references is empty; a hypothesis needs at least one"),
        (lambda: clipped_counts(["the"], [["the"]], 0), "n is 0; it must be a whole number, at least 1"),
        (lambda: brevity_penalty(-1, 2), "the lengths are c = -1 and r = 2; a number of words is at least 0"),
        (lambda: bleu_of_statistics(np.zeros((3, 5))), r"table has shape \(3, 5\); it must be \(N, 2 \+ 2 max_n\)"),
        (lambda: bootstrap(np.zeros((0, 10))), r"tables has shape \(1, 0, 10\); it must be \(systems, N"),
        (lambda: bootstrap(np.ones((2, 10)), samples=0), "samples is 0; draw at least one corpus"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_the_name_is_the_function_whatever_is_imported_first_and_torch_stays_out():
    program = (
        "import sys; from seqlab.decode.bleu import ngrams; from seqlab.decode import bleu; import seqlab.decode;"
        "assert callable(bleu) and seqlab.decode.bleu is bleu and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
