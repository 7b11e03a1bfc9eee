"""Assignment 5's solutions against the package; its demonstrations show what the text says."""

import re

import numpy as np
import pytest

from seqlab.embeddings import reference
from tests.assignments.test_sources import solved

FIFTH = "05_word_vectors_and_bias"
ARRAYS = ("counts-arrays", "ppmi-arrays", "direction-arrays", "equalize-arrays")
DEMOS = ("text-demo", "analogy-demo", "bias-demo", "rest-demo")


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(FIFTH, *ARRAYS)


@pytest.mark.parametrize("weighting", ["flat", "harmonic"])
@pytest.mark.parametrize("window", [1, 3, 20])
def test_counts_agree_with_the_package(space, rng, window, weighting):
    text = [np.array(ids) for ids in space["random_text"](rng, 6, sentences=9)]
    theirs = reference.cooccurrence(text, 6, window, weighting).toarray()
    np.testing.assert_allclose(space["cooccurrence"](text, 6, window, weighting == "harmonic"), theirs)


def test_pmi_and_its_positive_part_agree_with_the_package(space, rng):
    X = space["random_counts"](rng, 9, empty=[4])
    X[0, 1:3] += 2  # need not be symmetric
    np.testing.assert_allclose(space["pmi"](X), reference.pmi(X))
    for shift, power in ((0.0, 1.0), (0.7, 0.75)):
        np.testing.assert_allclose(space["ppmi"](X, shift, power), reference.ppmi(X, shift, power), atol=1e-14)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_short_vectors_agree_with_the_package_but_for_signs(space, rng, power):
    M = rng.normal(size=(8, 8))
    mine, theirs = space["svd_vectors"](M, 3, power), reference.svd_vectors(M, 3, power)
    np.testing.assert_allclose(np.abs(mine), np.abs(theirs), rtol=1e-9)
    np.testing.assert_allclose(mine @ mine.T, theirs @ theirs.T, rtol=1e-8, atol=1e-12)


def test_neighbours_and_analogies_agree_with_the_package(space, rng):
    vectors = rng.normal(size=(15, 4))
    ids, cosines = reference.nearest(vectors, vectors[3], 5, exclude=[3])
    assert space["nearest"](vectors, 3, 5) == list(ids)
    assert space["cosine"](vectors[3], vectors[ids[0]]) == pytest.approx(cosines[0])
    for method in ("add", "multiply"):
        for exclude in (True, False):
            best, score = reference.analogy(vectors, 2, 7, 4, exclude, method)
            assert space["analogy"](vectors, 2, 7, 4, exclude, method) == best[0]
            assert space["analogy_scores"](vectors, 2, 7, 4, method)[best[0]] == pytest.approx(score[0])


def test_bias_and_its_removal_agree_with_the_package(space, rng):
    vectors, pairs = space["random_pairs"](rng, 6, 5)
    g = space["bias_direction"](vectors, pairs)
    np.testing.assert_allclose(g, reference.bias_direction(vectors, pairs), atol=1e-10)
    np.testing.assert_allclose(space["neutralize"](vectors, 3 * g), reference.neutralize(vectors, g), atol=1e-12)
    for one, other in ((0, 1), (1, 0)):
        mine = space["equalize"](vectors[one], vectors[other], 3 * g)
        np.testing.assert_allclose(mine, reference.equalize(vectors[one], vectors[other], g), atol=1e-10)
    for c in (0.5, 1.0):
        assert space["direct_bias"](vectors, g, c) == pytest.approx(reference.direct_bias(vectors, g, c))
    sets = vectors[:3], vectors[3:7], vectors[7:9], vectors[9:]
    assert space["association"](*sets) == pytest.approx(reference.association(*sets))


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(FIFTH, *DEMOS)
    said = capsys.readouterr().out
    assert re.search(r"queen\s+is near king", said)
    right = {(int(n), kept == "True "): int(k) for n, kept, k in re.findall(r"(\d+) sentences.*=(\w+ ?): (\d+)", said)}
    assert len(right) == 4
    assert right[20_000, True] == 272
    assert 272 > right[1500, True] > right[1500, False] + 20
    assert float(re.search(r"what is found: ([\d.]+)", said)[1]) > 0.9
    assert len(re.findall(r"then 0\.00", said)) == 10
    before, after = (
        re.search(rf"{name}\s+nurse to woman ([\d.]+), to man ([\d.]+); direct bias ([\d.]+)", said)
        for name in ("before", "after")
    )
    assert float(before[1]) > float(before[2]) + 0.1
    assert after[1] == after[2]
    assert float(after[3]) == 0 < 0.1 < float(before[3])
    gaps = [float(same) - float(across) for same, across in re.findall(r"own kind ([\d.]+), across ([\d.]+)", said)]
    assert gaps[0] > 0.05 > 0.01 > abs(gaps[1])
