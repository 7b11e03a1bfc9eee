"""The detector's loss against torch and differences; decisions, their counts, the curve and its area."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, precision_recall_curve

from seqlab.audio import reference as audio


@pytest.mark.parametrize("weight", [1.0, 3.5])
def test_the_loss_and_its_gradient_are_torchs(weight):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(3, 17)) * 5, rng.integers(2, size=(3, 17)).astype(float)
    logits = torch.tensor(z, requires_grad=True)
    want = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor(y), pos_weight=torch.tensor(weight)
    )
    want.backward()
    loss, dz = audio.trigger_loss(z, y, weight)
    assert np.isclose(loss, want.item(), rtol=1e-12)
    assert np.allclose(dz, logits.grad, atol=1e-14)


def test_the_gradient_is_that_of_differences():
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(2, 5)), rng.integers(2, size=(2, 5)).astype(float)
    _, dz = audio.trigger_loss(z, y, 2.0)
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = 1e-6
        up, down = audio.trigger_loss(z + step, y, 2.0)[0], audio.trigger_loss(z - step, y, 2.0)[0]
        assert np.isclose((up - down) / 2e-6, dz[place], atol=1e-9)


def test_a_loss_of_large_logits_is_finite():
    z, y = np.array([[1e4, -1e4]]), np.array([[0.0, 1.0]])
    loss, dz = audio.trigger_loss(z, y)
    assert loss == 1e4
    assert dz.tolist() == [[0.5, -0.5]]


def test_a_curve_that_stays_high_is_one_detection():
    p = np.array([0.1, 0.6, 0.9, 0.9, 0.9, 0.2, 0.5, 0.1])
    assert audio.detect(p, 0.5, quiet=0) == [1, 6]
    assert audio.detect(p, 0.5, quiet=4) == [1, 6]
    assert audio.detect(p, 0.5, quiet=5) == [1]
    assert audio.detect(p, 0.55, quiet=0) == [1]
    assert audio.detect(p, 0.95, quiet=0) == []


def test_a_curve_that_begins_high_is_detected_at_once():
    assert audio.detect(np.array([0.9, 0.9, 0.1]), 0.9, quiet=3) == [0]
    assert audio.detect(np.zeros(0), 0.5, quiet=3) == []


def test_each_word_takes_one_detection():
    found = audio.match([10, 12, 40], [9, 38, 60], tolerance=5)
    assert found == ([(9, 10), (38, 40)], [60], [12])
    assert audio.match([14, 15], [9], tolerance=5) == ([(9, 14)], [], [15])
    assert audio.match([8], [9], tolerance=5) == ([], [9], [8])
    assert audio.match([8], [9], tolerance=5, early=1) == ([(9, 8)], [], [])
    assert audio.match([], [], tolerance=0) == ([], [], [])


def test_two_words_close_together_need_two_detections():
    assert audio.match([12, 13], [10, 11], tolerance=5).hits == [(10, 12), (11, 13)]
    assert audio.match([12], [10, 11], tolerance=5).misses == [11]


def test_the_curve_counts_over_all_recordings():
    curves = [np.array([0, 0.9, 0, 0, 0.4, 0]), np.array([0, 0, 0.6, 0, 0, 0])]
    precision, recall = audio.precision_recall(curves, [[0], [4]], [0.3, 0.5, 0.8, 0.95], quiet=0, tolerance=1)
    assert np.allclose(precision, [1 / 3, 1 / 2, 1, 1])
    assert np.allclose(recall, [1 / 2, 1 / 2, 1 / 2, 0])


def test_with_one_step_a_recording_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=60)
    scores = np.clip(labels * 0.3 + rng.uniform(0.05, 0.7, size=60), 0, 1)
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    curves, truths = [np.array([score]) for score in scores], [[0] if label else [] for label in labels]
    p, r = audio.precision_recall(curves, truths, thresholds, quiet=0, tolerance=0)
    assert np.allclose(p, precision[:-1])
    assert np.allclose(r, recall[:-1])
    assert audio.average_precision(p, r) >= average_precision_score(labels, scores)  # it takes the best on the right


def test_the_area_is_that_of_the_best_precision_at_each_recall():
    rng = np.random.default_rng(0)
    precision, recall = rng.uniform(size=20), rng.uniform(size=20)
    at = (np.arange(200_000) + 0.5) / 200_000
    best = np.zeros_like(at)
    for p, r in zip(precision, recall, strict=True):
        best[at <= r] = np.maximum(best[at <= r], p)
    assert np.isclose(audio.average_precision(precision, recall), best.mean(), atol=1e-4)
    assert audio.average_precision([1, 1], [0, 1]) == 1
    assert audio.average_precision([1, 0.5], [0.5, 1]) == 0.75


def test_where_precision_falls_with_recall_the_area_is_that_of_scikit_learn():
    labels = np.array([1, 1, 0, 1, 0, 0])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    precision, recall, _ = precision_recall_curve(labels, scores)
    assert np.isclose(audio.average_precision(precision, recall), average_precision_score(labels, scores))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: audio.trigger_loss(np.zeros((2, 3)), np.zeros((2, 4))), r"y has shape \(2, 4\)"),
        (lambda: audio.trigger_loss(np.zeros((2, 3)), np.full((2, 3), 0.5)), "y must hold nothing but 0 and 1"),
        (lambda: audio.trigger_loss(np.zeros((2, 3)), np.zeros((2, 3)), 0), "positive_weight is 0"),
        (lambda: audio.detect(np.zeros(3), 0, 1), "threshold is 0"),
        (lambda: audio.detect(np.zeros(3), 1.5, 1), "threshold is 1.5"),
        (lambda: audio.detect(np.zeros(3), 0.5, -1), "quiet is -1"),
        (lambda: audio.detect(np.zeros((3, 2)), 0.5, 1), "probabilities has shape"),
        (lambda: audio.match([], [], -1), "tolerance is -1"),
        (lambda: audio.match([], [], 1, early=-2), "early is -2"),
        (
            lambda: audio.precision_recall([np.zeros(3)], [], [0.5], quiet=1, tolerance=1),
            "1 recordings and truths of 0",
        ),
        (lambda: audio.precision_recall([np.zeros(3)], [[]], [0.5], quiet=1, tolerance=1), "hold no word at all"),
        (lambda: audio.average_precision([1, 1], [1]), "recall has shape"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
