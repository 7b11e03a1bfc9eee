"""Assignment 11's solutions against the package and torch; its demonstration shows what the text says."""

import numpy as np
import pytest
import torch

from seqlab.audio import reference
from tests.assignments.test_sources import solved

ELEVENTH = "11_trigger_words"
GIVEN = ("loss-arrays", "stream-arrays")


@pytest.fixture(scope="module")
def space():
    """The names that the solutions and the provided functions define."""
    return solved(ELEVENTH, *GIVEN)


@pytest.mark.parametrize(("size", "hop"), [(200, 80), (25, 25), (7, 3)])
def test_the_spectrogram_is_the_packages(space, size, hop):
    x = np.random.default_rng(0).normal(size=1000)
    mine = space["spectrogram"](space["frames"](x, size, hop), space["hann"](size))
    np.testing.assert_allclose(mine, reference.spectrogram(x, size, hop), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("M", "size", "rate"), [(40, 512, 16000), (10, 200, 8000), (4, 33, 8000)])
def test_the_mel_filters_are_the_packages(space, M, size, rate):
    np.testing.assert_allclose(space["mel_filters"](M, size, rate), reference.mel_filters(M, size, rate), atol=1e-12)


def test_room_is_where_the_package_says(space):
    rng = np.random.default_rng(1)
    for _ in range(200):
        (a, b, c), (x, y, z) = rng.integers(0, 20, size=3).tolist(), rng.integers(0, 6, size=3).tolist()
        placed = [(b, b + y), (c, c + z)]
        assert space["overlaps"]((a, a + x), placed) == reference.overlaps((a, a + x), placed)


def test_a_clip_is_laid_over_as_in_the_package(space):
    rng = np.random.default_rng(2)
    background, clip = rng.normal(size=30), rng.normal(size=8)
    np.testing.assert_allclose(
        space["overlay"](background, clip, 12, 0.3), reference.overlay(background, clip, 12, 0.3), rtol=1e-12
    )
    louder = space["gain_for"](background, clip, 7.0) * clip
    assert 10 * np.log10(np.mean(louder**2) / np.mean(background**2)) == pytest.approx(7.0)


def test_the_labels_are_the_packages(space):
    for ends in ([], [3, 12], [19], [0, 1]):
        np.testing.assert_array_equal(space["labels_after"](20, ends, 5), reference.labels_after(20, ends, 5))


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_the_loss_and_its_gradient_are_torchs(space, weight):
    z, y = space["random_steps"](np.random.default_rng(3), 4, 9, 5.0)
    theirs = torch.tensor(z, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        theirs, torch.tensor(y), pos_weight=torch.tensor(weight, dtype=torch.float64)
    )
    loss.backward()
    mine, dz = space["trigger_loss"](z, y, weight)
    assert mine == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(dz, theirs.grad.numpy(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("K", [1, 4])
def test_the_layer_is_torchs_and_its_steps_give_the_whole(space, K):
    rng = np.random.default_rng(4)
    x, (W, b) = rng.normal(size=(9, 3)), space["random_layer"](rng, 3, K, 5)
    whole = space["causal_conv"](x, W, b)
    padded = torch.tensor(np.concatenate([np.zeros((K - 1, 3)), x]).T[None])
    theirs = torch.nn.functional.conv1d(padded, torch.tensor(W[:, ::-1].copy()).transpose(1, 2), torch.tensor(b))
    np.testing.assert_allclose(whole, theirs[0].T.numpy(), rtol=1e-10, atol=1e-12)
    memory = np.zeros((K - 1, 3))
    for t, frame in enumerate(x):
        y, memory = space["conv_step"](frame, memory, W, b)
        np.testing.assert_allclose(y, whole[t], rtol=1e-10, atol=1e-12)


def test_reports_and_counts_are_the_packages(space):
    rng = np.random.default_rng(5)
    for quiet in (0, 1, 4):
        probabilities, words = rng.uniform(size=200), rng.choice(200, size=20, replace=False).tolist()
        found = reference.detect(probabilities, 0.6, quiet)
        assert space["detect"](probabilities, 0.6, quiet) == found
        theirs = reference.match(found, words, 3)
        assert space["match"](found, words, 3) == tuple(map(len, theirs))
        precision, recall = reference.precision_recall([probabilities], [words], [0.6], quiet=quiet, tolerance=3)
        mine = space["precision_recall"]([space["match"](found, words, 3)])
        np.testing.assert_allclose(mine, (precision[0], recall[0]), rtol=1e-12)


def test_the_demonstrations_show_what_the_text_says(capsys):
    solved(ELEVENTH, "example-demo", "spectrogram-demo", "listen-demo")
    said = capsys.readouterr().out.splitlines()
    last, labels = int(said[0].split()[5]), said[1]
    assert labels == "0" * (last + 1) + "1" * 12 + "0" * (75 - 13 - last)
    assert "(298, 101)" in said[2]
    assert "(298, 40)" in said[2]
    reports = [line for line in said if line.startswith("the words end at [")]
    assert len(reports) == 6
    assert any(line != "the words end at [] - reported at []" for line in reports)
    precision, recall = (float(word.strip(",")) for word in said[-1].split()[1::2])
    assert precision >= 0.5
    assert recall >= 0.6
