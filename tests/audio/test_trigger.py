"""The detector: a stream gives the numbers of the whole, nothing leaks; examples, counts, the shipped one."""

import json
import shlex

import numpy as np
import pytest
import torch

from seqlab import cli
from seqlab.audio import TriggerWordDetector, load_trigger, reference, trigger
from seqlab.audio.trigger import STEP, TriggerExample, TriggerListener

SMALL = {"channels": 6, "hidden": 5, "layers": 2}


def detector(bands=7, **settings):
    """A small one with random weights, in evaluation mode; its bands have means and variances of their own."""
    torch.manual_seed(0)
    model = TriggerWordDetector(bands, **SMALL | settings).double().eval()
    model.norm.running_mean.uniform_(-3, 3)
    model.norm.running_var.uniform_(0.5, 2)
    return model


class Played:
    """A listener that knows the answer: sample n of a recording is the probability of step n // STEP."""

    threshold, quiet = 0.5, 3

    @staticmethod
    def probabilities(samples):
        x = np.asarray(samples)
        return x[..., : x.shape[-1] // STEP * STEP : STEP]


def played(p, ends):
    """A recording for `Played`: probabilities (Ty,), and trigger words that end in those steps."""
    events = [reference.Event(0, end * STEP + 99, True) for end in ends]
    return TriggerExample(np.repeat(np.array(p, float), STEP), np.zeros(len(p)), events)


@pytest.mark.parametrize(("stride", "kernel"), [(4, 15), (1, 1), (3, 3), (2, 5)])
def test_a_stream_gives_the_numbers_of_the_whole(stride, kernel):
    model, mel = detector(stride=stride, kernel=kernel), torch.randn(3, 61, 7, dtype=torch.float64)
    whole, rng = model(mel), np.random.default_rng(0)
    assert whole.shape == (3, 61 // stride)
    for most in (1, 3, 20):
        state, heard, at = None, [], 0
        while at < 61:
            t = int(rng.integers(1, most + 1))
            logits, state = model.step(mel[:, at : at + t], state)
            heard.append(logits)
            at += t
            assert state.frames.shape[2] < kernel  # what is kept does not grow
        assert torch.allclose(torch.cat(heard, 1), whole, atol=1e-12)


def test_the_future_does_not_leak_and_the_last_frame_of_a_step_is_heard():
    model, mel = detector(), torch.randn(1, 40, 7, dtype=torch.float64)
    whole = model(mel)[0]
    for frame in (3, 4, 17, 23):
        other = mel.clone()
        other[:, frame:] += 1
        changed = model(other)[0] != whole
        assert not changed[: frame // 4].any()
        assert changed[frame // 4 :].all()


def test_a_two_way_detector_hears_the_future():
    model, mel = detector(bidirectional=True), torch.randn(1, 40, 7, dtype=torch.float64)
    other = mel.clone()
    other[:, 36:] += 1
    assert (model(other) != model(mel)).all()
    with pytest.raises(ValueError, match="also reads from the end"):
        model.step(mel)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: detector()(torch.zeros(1, 9, 6)), r"mel has shape \(1, 9, 6\)"),
        (lambda: detector()(torch.zeros(1, 3, 7)), "mel has 3 frames; one output step needs 4"),
        (lambda: detector().step(torch.zeros(9, 7)), "frames has shape"),
        (lambda: detector().train().step(torch.zeros(1, 9, 7)), "call .eval()"),
        (lambda: TriggerWordDetector(0), "bands is 0"),
        (lambda: TriggerWordDetector(7, kernel=3), "kernel is 3"),
        (lambda: TriggerWordDetector(7, dropout=1), "dropout is 1"),
        (lambda: trigger.trigger_example(None, None, seconds=11), "seconds is 11"),
        (lambda: TriggerListener(detector(trigger.BANDS).float()).detect(np.zeros(8000), 0), "threshold is 0"),
        (lambda: trigger.trigger_sounds(0), "voices is 0"),
        (lambda: trigger.trigger_sounds(1, "exam"), "split is 'exam'"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.fixture(scope="module")
def sounds():
    return trigger.trigger_sounds(2, "valid", seed=3, backgrounds=1)


def test_the_loss_of_a_batch_is_that_of_the_reference(sounds):
    batch = trigger.trigger_batches(sounds, batch_size=3)(0, np.random.default_rng(0))
    model = detector(trigger.BANDS).float()
    with torch.no_grad():
        want, _ = reference.trigger_loss(model(batch.mel).double().numpy(), batch.labels.double().numpy())
        assert np.isclose(trigger.trigger_batch_loss(model, batch).item(), want, rtol=1e-5)


def test_examples_are_the_same_for_a_seed_and_labelled_after_the_word(sounds):
    rngs = [np.random.default_rng(5) for _ in range(2)]
    one, again = (trigger.trigger_example(sounds, rng) for rng in rngs)
    assert np.array_equal(one.samples, again.samples)
    for _ in range(6):
        example = trigger.trigger_example(sounds, rngs[0])
        assert np.array_equal(example.labels, reference.labels_after(125, example.ends, trigger.WIDTH))
        assert np.abs(example.samples).max() <= 1
        for event, end in zip([e for e in example.events if e.positive], example.ends, strict=True):
            assert end * STEP <= event.end < (end + 1) * STEP


def test_nobody_speaks_in_two_splits(sounds):
    other = trigger.trigger_sounds(2, "test", seed=3, backgrounds=1)
    for one, two in zip(sounds, other, strict=True):
        assert len(one) == len(two)
        assert not any(np.array_equal(a, b) for a in one for b in two)


def test_the_same_seed_gives_the_same_people(sounds):
    again = trigger.trigger_sounds(1, "valid", seed=3, backgrounds=1)
    assert all(np.array_equal(a, b) for a, b in zip(again.positives, sounds.positives, strict=False))
    assert all(np.array_equal(a, b) for a, b in zip(again.negatives, sounds.negatives, strict=False))


def test_streams_are_full_of_other_words():
    x, y = trigger.word_streams(2, "valid", seed=1, seconds=4.0)
    assert x.shape == y.shape == (32_000,)
    assert not np.array_equal(x, y)


def test_a_listener_to_a_stream_decides_as_one_to_the_whole(sounds):
    listener = TriggerListener(detector(trigger.BANDS).float(), threshold=0.5, quiet=2)
    rng = np.random.default_rng(0)
    x = trigger.trigger_example(sounds, rng).samples
    whole = listener.probabilities(x)
    listener.threshold = float(np.median(whole))  # random weights hover around it: many crossings
    stream, heard, found, at = listener.stream(), [], [], 0
    while at < len(x):
        n = int(rng.integers(1, 2000))
        p, detections = stream.hear(x[at : at + n])
        heard, found, at = [*heard, p], found + detections, at + n
    assert np.allclose(np.concatenate(heard), whole, atol=1e-6)
    assert stream.steps == len(whole)
    assert found == reference.detect(np.concatenate(heard), listener.threshold, 2)
    assert len(found) >= 2


def test_a_step_is_decided_when_its_last_sample_has_come(sounds):
    listener = TriggerListener(detector(trigger.BANDS).float())
    x = trigger.trigger_example(sounds, np.random.default_rng(1)).samples
    for step in (0, 7):
        n = round(trigger.decided(step) * trigger.RATE)
        assert len(listener.probabilities(x[:n])) == step + 1
        assert len(listener.probabilities(x[: max(n - 1, 440)])) == step + (step == 0)


def test_hits_misses_false_alarms_and_delays_are_counted():
    p = np.zeros((2, 60))
    p[0, [12, 40]] = 0.9  # the first belongs to the word that ends in step 10, the second to none
    p[1, 33] = 0.8
    examples = [played(p[0], [10]), played(p[1], [30, 50])]
    scores = trigger.trigger_scores(Played, examples)
    delays = scores.pop("delays")
    assert scores == {"words": 3, "hits": 2, "misses": 1, "false_alarms": 1}
    assert np.allclose(delays, [trigger.decided(12) - (10 * STEP + 100) / 8000, trigger.decided(33) - 9700 / 8000])
    curve = trigger.trigger_curve(Played, examples, [0.5, 0.85])
    assert np.allclose(curve["precision"], [2 / 3, 1 / 2])
    assert np.allclose(curve["recall"], [2 / 3, 1 / 3])


def test_the_best_threshold_is_the_middle_of_the_best_ones():
    curve = {"threshold": [0.1, 0.2, 0.3, 0.4, 0.5], "precision": [0.5, 1, 1, 1, 1], "recall": [1, 0.8, 0.8, 0.8, 0]}
    assert trigger.best_threshold(curve) == 0.3


def test_false_alarms_are_counted_by_the_hour():
    streams = [played(np.r_[0, 0.6, 0, 0, 0, 0.9, 0, 0, 0], []).samples] * 2
    hours = 2 * 9 * STEP / trigger.RATE / 3600
    assert np.allclose(trigger.false_alarms(Played, streams, [0.5, 0.8, 0.95]) * hours, [4, 2, 0])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A fresh current folder, and little to measure on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for name, number in {"VALID": 2, "TEST": 3, "LOOK": 2, "STREAMS": 1}.items():
        monkeypatch.setattr(trigger, name, number)
    few = trigger.trigger_sounds
    monkeypatch.setattr(trigger, "trigger_sounds", lambda voices, split, seed: few(1, split, seed, backgrounds=1))
    return tmp_path


@pytest.mark.slow
def test_the_command_writes_a_detector_and_its_logged_line_makes_the_same_again(here, capsys):
    line = "trigger --steps 2 --voices 1 --channels 4 --hidden 4 --layers 1 --kernel 7 --dropout 0 --out m.npz"
    assert cli.main(["train", *line.split()]) == 0
    said = capsys.readouterr()
    assert "average precision" in said.out
    listener = load_trigger(here / "m.npz")
    log = listener.log
    assert listener.threshold == log["threshold"]
    assert not listener.model.training
    assert listener.model.settings["channels"] == 4
    assert set(log["curve"]) == {"threshold", "precision", "recall", "average_precision", "false_alarms_an_hour"}
    assert log["scores"]["hits"] + log["scores"]["misses"] == log["scores"]["words"]
    assert log["compute"] > 0
    assert str(here) not in json.dumps(log)
    again = shlex.split(log["command"].replace("m.npz", "n.npz"))
    assert cli.main(again[1:]) == 0
    for name, weight in load_trigger(here / "n.npz").model.state_dict().items():
        assert torch.equal(weight, listener.model.state_dict()[name]), name


def test_a_wrong_file_is_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="seqlab train trigger"):
        load_trigger(tmp_path / "x.npz")
    assert cli.main(["train", "trigger", "--out", str(tmp_path / "x.txt")]) == 2


def test_the_shipped_detector_hears_new_voices():
    listener = load_trigger()
    assert trigger.FILE.stat().st_size < 600_000
    assert listener.log["curve"]["average_precision"] > 0.9
    heard, rng = trigger.trigger_sounds(6, "test", seed=77, backgrounds=1), np.random.default_rng(0)
    examples = [trigger.trigger_example(heard, rng) for _ in range(24)]
    scores = trigger.trigger_scores(listener, examples)
    assert scores["words"] >= 15
    assert scores["hits"] >= 0.8 * scores["words"]
    assert scores["false_alarms"] <= 0.25 * scores["words"]
    assert np.median(scores["delays"]) < 0.4


@pytest.mark.slow
def test_what_the_log_says_is_what_is_measured():
    listener = load_trigger()
    examples = trigger.trigger_examples(trigger.TEST, "test", listener.log["training"]["seed"])
    curve = trigger.trigger_curve(listener, examples)
    assert np.isclose(curve["average_precision"], listener.log["curve"]["average_precision"], atol=0.01)
    scores = trigger.trigger_scores(listener, examples)
    assert abs(scores["hits"] - listener.log["scores"]["hits"]) <= 0.01 * scores["words"]
