"""Finding, measuring and removing a direction: what must hold after each step, and the test of association."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA

from seqlab.embeddings import reference

D = 5
VECTOR = arrays(float, D, elements=st.floats(-10, 10)).filter(lambda v: np.linalg.norm(v) > 1e-2)


def pairs_along(direction, n=6, noise=0.05, seed=0):
    """2n words: the first n stand on the direction's side of the others."""
    rng = np.random.default_rng(seed)
    middle, size = rng.normal(size=(n, len(direction))), rng.uniform(0.5, 2.0, size=(n, 1))
    shift = size * direction + noise * rng.normal(size=(n, len(direction)))
    return np.concatenate([middle + shift, middle - shift]), [(i, i + n) for i in range(n)]


@pytest.mark.parametrize("method", ["pca", "difference"])
def test_the_direction_of_pairs_is_found_and_points_to_their_first_words(method):
    for seed in range(5):
        g = reference.unit(np.random.default_rng(seed).normal(size=D))
        vectors, pairs = pairs_along(g, seed=seed)
        found = reference.bias_direction(vectors, pairs, method)
        assert np.linalg.norm(found) == pytest.approx(1)
        assert found @ g > 0.98
        back = reference.bias_direction(vectors, [(b, a) for a, b in pairs], method)
        np.testing.assert_allclose(back, -found, atol=1e-12)


def test_the_principal_component_is_that_of_scikit_learn():
    vectors, pairs = pairs_along(np.eye(D)[0], noise=0.5)
    middles = [(vectors[a] + vectors[b]) / 2 for a, b in pairs]
    rows = [vectors[word] - middle for pair, middle in zip(pairs, middles, strict=True) for word in pair]
    want = PCA(1).fit(rows).components_[0]
    assert abs(reference.bias_direction(vectors, pairs) @ want) == pytest.approx(1, abs=1e-12)


def test_the_mean_difference_is_the_mean_difference():
    vectors = np.array([[3.0, 1.0], [0.0, 1.0], [1.0, 5.0], [0.0, 1.0]])
    got = reference.bias_direction(vectors, [(0, 1), (2, 3)], "difference")
    np.testing.assert_allclose(got, np.array([4, 4]) / np.sqrt(32))


@given(VECTOR, VECTOR)
def test_a_neutral_vector_stands_at_a_right_angle_and_stays(v, direction):
    got = reference.neutralize(v, direction)
    size = np.linalg.norm(v)
    assert abs(got @ direction) <= 1e-12 * size * np.linalg.norm(direction)
    np.testing.assert_allclose(reference.neutralize(got, direction), got, atol=1e-12 * size)
    assert np.linalg.norm(np.cross(*np.stack([v - got, direction])[:, :3])) <= 1e-9 * size * np.linalg.norm(direction)
    np.testing.assert_allclose(
        reference.neutralize(np.stack([v, 2 * v]), -3 * direction), [got, 2 * got], atol=1e-11 * size
    )


@given(VECTOR, VECTOR, VECTOR)
def test_equalized_words_differ_in_the_direction_alone_by_the_same_amount(u, v, direction):
    g = reference.unit(direction)
    assume(abs((reference.unit(u) - reference.unit(v)) @ g) > 1e-6)
    one, other = reference.equalize(u, v, direction)
    assert np.linalg.norm(one) == pytest.approx(1)
    assert np.linalg.norm(other) == pytest.approx(1)
    assert one @ g == pytest.approx(-(other @ g), abs=1e-12)
    np.testing.assert_allclose(reference.neutralize(one, g), reference.neutralize(other, g), atol=1e-12)
    middle = (reference.unit(u) + reference.unit(v)) / 2
    np.testing.assert_allclose(reference.neutralize(one, g), reference.neutralize(middle, g), atol=1e-12)
    assert (one - other) @ g * ((u / np.linalg.norm(u) - v / np.linalg.norm(v)) @ g) > 0  # each stays on its side


def test_equalized_words_are_equally_far_from_every_neutral_word():
    rng = np.random.default_rng(0)
    u, v, g, neutral = rng.normal(size=(4, D))
    neutral = reference.neutralize(neutral, g)
    one, other = reference.equalize(u, v, g)
    assert not np.isclose(reference.cosine_similarity(u, neutral), reference.cosine_similarity(v, neutral))
    assert reference.cosine_similarity(one, neutral) == pytest.approx(reference.cosine_similarity(other, neutral))


def test_equalizing_is_the_papers_formula():
    """Step 2b of Bolukbasi et al., term by term."""
    rng = np.random.default_rng(1)
    u, v = reference.unit(rng.normal(size=(2, D)))
    g = reference.unit(rng.normal(size=D))
    mu = (u + v) / 2
    mu_B = (mu @ g) * g
    nu = mu - mu_B
    for w, got in zip((u, v), reference.equalize(u, v, g), strict=True):
        w_B = (w @ g) * g
        want = nu + np.sqrt(1 - nu @ nu) * (w_B - mu_B) / np.linalg.norm(w_B - mu_B)
        np.testing.assert_allclose(got, want, atol=1e-12)


def test_direct_bias_is_the_mean_of_cosines():
    vectors = np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 1.0]])
    assert reference.direct_bias(vectors, np.array([5.0, 0.0])) == pytest.approx((1 + 0 + np.sqrt(0.5)) / 3)
    assert reference.direct_bias(vectors, np.array([5.0, 0.0]), c=2) == pytest.approx(0.5)
    assert reference.direct_bias(vectors, np.array([5.0, 0.0]), c=0) == pytest.approx(2 / 3)
    direction = np.array([0.6, 0.7])
    assert reference.direct_bias(reference.neutralize(vectors, direction), direction, c=0) == 0


def brute_association(X, Y, A, B):
    def s(w):
        near = [[reference.cosine_similarity(w, a) for a in side] for side in (A, B)]
        return np.mean(near[0]) - np.mean(near[1])

    x, y = [s(w) for w in X], [s(w) for w in Y]
    return x, y


def test_the_effect_size_is_the_difference_of_means_in_standard_deviations():
    X, Y, A, B = (np.random.default_rng(seed).normal(size=(n, D)) for seed, n in enumerate((3, 4, 2, 5)))
    x, y = brute_association(X, Y, A, B)
    want = (np.mean(x) - np.mean(y)) / np.sqrt(np.mean((np.array(x + y) - np.mean(x + y)) ** 2))
    assert reference.association(X, Y, A, B) == pytest.approx(want)
    assert reference.association(Y, X, A, B) == pytest.approx(-want)
    assert reference.association(X, Y, B, A) == pytest.approx(-want)


def test_p_counts_the_deals_that_are_as_extreme():
    rng = np.random.default_rng(0)
    for seed in range(5):
        X, Y, A, B = np.random.default_rng(seed).normal(size=(4, 3, D))
        x, y = brute_association(X, Y, A, B)
        both, seen = np.array(x + y), np.mean(x) - np.mean(y)
        deals = []
        for chosen in combinations(range(6), 3):
            rest = [i for i in range(6) if i not in chosen]
            deals.append(both[list(chosen)].mean() - both[rest].mean() >= seen - 1e-12)
        assert reference.association_p(X, Y, A, B, rng) == pytest.approx(np.mean(deals))


def test_sampled_deals_come_near_to_all_deals_and_p_is_never_zero():
    noise = np.random.default_rng(3).normal(size=(4, 6, D))
    X, Y, A, B = noise
    exact = reference.association_p(X, Y, A, B, np.random.default_rng(0))
    sampled = reference.association_p(X, Y, A, B, np.random.default_rng(0), samples=900)
    assert abs(sampled - exact) < 5 * np.sqrt(exact * (1 - exact) / 900)
    strong = np.tile(np.eye(D)[0], (12, 1)) + 0.01 * np.random.default_rng(1).normal(size=(12, D))
    p = reference.association_p(strong, -strong, strong[:3], -strong[:3], np.random.default_rng(0), samples=99)
    assert p == pytest.approx(1 / 100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reference.bias_direction(np.eye(3), [(0, 0)]), "pairs have no direction"),
        (lambda: reference.bias_direction(np.eye(3), np.zeros((0, 2), int)), "pairs have no direction"),
        (lambda: reference.bias_direction(np.eye(3), [(0, 3)]), "pairs holds ids from 0 to 3"),
        (
            lambda: reference.bias_direction(np.eye(3), [(0, 1)], "svd"),
            "method is 'svd'; it must be 'pca' or 'difference'",
        ),
        (lambda: reference.neutralize(np.ones(3), np.zeros(3)), "direction is 0; it points nowhere"),
        (lambda: reference.neutralize(np.ones(3), np.ones(2)), r"v has shape \(3,\); it must have shape \(2,\)"),
        (lambda: reference.equalize(np.ones(2), np.ones(2), np.ones(2)), "u and v lie equally far along the direction"),
        (lambda: reference.direct_bias(np.zeros((0, 2)), np.ones(2)), "vectors has 0 rows and c is 1.0"),
        (lambda: reference.direct_bias(np.ones((1, 2)), np.ones(2), c=-1), "vectors has 1 rows and c is -1"),
        (lambda: reference.association(*[np.ones((2, 3))] * 3, np.ones((0, 3))), "B holds no vector"),
        (lambda: reference.association(*[np.ones((2, 3))] * 4), "all words of X and Y are associated alike"),
        (lambda: reference.association_p(*[np.eye(2)] * 4, np.random.default_rng(0), 0), "samples is 0"),
    ],
)
def test_what_cannot_be_done_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
