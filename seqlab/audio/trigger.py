"""The trigger word "activate": examples made of synthesised speech, training, what is measured, and a listener."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab.audio import functional, reference
from seqlab.audio.modules import TriggerWordDetector
from seqlab.audio.synthesis import BACKGROUNDS, LEXICON, TRIGGER, Voice, background, say
from seqlab.files import checkpoint_beside
from seqlab.learning import learn
from seqlab.machine import described
from seqlab.shapes import check_whole
from seqlab.weights import check_result, checked_out, load_weights, save_weights

FILE = Path(__file__).with_name("trigger.npz")
RATE, SIZE, HOP, BANDS = 8000, 200, 80, 40  # samples a second, in a frame, between frames; mel bands
STRIDE = 4  # frames for each output step
STEP = STRIDE * HOP  # samples for each output step: 40 ms
SECONDS = 5.0  # of an example
WIDTH = 10  # output steps with label 1 after a word: 0.4 s
QUIET, TOLERANCE, EARLY = 12, 15, 3  # output steps; see `seqlab.audio.reference.detect` and `match`
SPLITS = ("train", "valid", "test")
CONFUSABLE = ("active", "activity", "captivate", "motivate", "animate", "late", "wait")
CLIP_DECIBELS, BACKGROUND_DECIBELS = (-10.0, 4.0), (-26.0, -4.0)
THRESHOLDS = tuple(round(0.02 * k, 2) for k in range(1, 50))
BATCH_SIZE = 32
VALID, TEST, LOOK = 300, 600, 60  # examples: to choose the threshold, at the end, at each look during the run
STREAMS = 60  # minutes of words without a trigger word


class TriggerExample(NamedTuple):
    """A recording: samples (N,), labels (Ty,) of its output steps, and the list of `Event` that were laid over it."""

    samples: np.ndarray
    labels: np.ndarray
    events: list

    @property
    def ends(self):
        """The output steps in which a trigger word ends."""
        return [event.end // STEP for event in self.events if event.positive]


class Sounds(NamedTuple):
    """What examples are made of; `trigger_sounds` makes it: clips of the trigger word, of other words, backgrounds."""

    positives: list
    negatives: list
    backgrounds: list


class TriggerBatch(NamedTuple):
    """mel (B, T, M) and labels (B, Ty)."""

    mel: torch.Tensor
    labels: torch.Tensor


def trigger_sounds(voices, split="train", seed=0, backgrounds=8):
    """Let people speak: each says the trigger word twice, four words that sound like it, others, and two phrases.

    Parameters
    ----------
    voices : how many people.
    split : "train", "valid" or "test". Nobody speaks in two of them, and no background is in two of them.
    seed : of all that is drawn.
    backgrounds : how many of each kind, ten seconds each.

    Returns
    -------
    sounds : `Sounds`.

    Raises
    ------
    ValueError
        when a number is below 1, or the split is unknown.
    """
    for name, number in {"voices": voices, "backgrounds": backgrounds}.items():
        check_whole(name, number)
    rng = _generator(split, seed, 0)
    others = [word for word in LEXICON if word not in (TRIGGER, *CONFUSABLE)]
    positives, negatives = [], []
    for _ in range(voices):
        voice = Voice.random(rng)
        positives += [say(TRIGGER, voice, RATE, rng) for _ in range(2)]
        words = [*rng.choice(CONFUSABLE, 4, replace=False), *rng.choice(others, 2, replace=False)]
        negatives += [say(text, voice, RATE, rng) for text in (*words, _phrase(rng), _phrase(rng))]
    behind = [background(kind, 10.0, RATE, rng) for kind in BACKGROUNDS for _ in range(backgrounds)]
    return Sounds(positives, negatives, behind)


def trigger_example(sounds, rng, seconds=SECONDS):
    """Make one example by overlay, :eq:`overlay`. Its last 0.4 s hold no word: there is time to report every one.

    Parameters
    ----------
    sounds : `Sounds`.
    rng : NumPy generator.
    seconds : how long, from 2 to 10. Phrases that are longer are left out.

    Returns
    -------
    example : `TriggerExample`. Its loudness, that of each clip and that of the background are drawn, too.

    Raises
    ------
    ValueError
        when seconds is out of range.
    """
    if not 2 <= seconds <= 10:
        raise ValueError(f"seconds is {seconds}; an example must take from 2 to 10")
    N, tail = round(seconds * RATE), WIDTH * STEP
    whole = sounds.backgrounds[rng.integers(len(sounds.backgrounds))]
    first = rng.integers(len(whole) - N + 1)
    behind = reference.gain(whole[first : first + N], rng.uniform(*BACKGROUND_DECIBELS))
    how = {"Ty": (N - tail) // STEP, "width": WIDTH, "most": (2, 3), "decibels": CLIP_DECIBELS}
    others = [clip for clip in sounds.negatives if len(clip) <= N - tail]
    x, _, events = reference.training_example(behind[:-tail], sounds.positives, others, rng, **how)
    x = reference.gain(np.concatenate([x, behind[-tail:]]), rng.uniform(-8, 4)).clip(-1, 1)
    ends = [event.end // STEP for event in events if event.positive]
    return TriggerExample(x, reference.labels_after(N // STEP, ends, WIDTH), events)


def trigger_examples(n, split="test", seed=0, *, voices=40, seconds=SECONDS):
    """Examples with voices and backgrounds of their own.

    Parameters
    ----------
    n : how many.
    split, seed : as in `trigger_sounds`.
    voices : how many people speak in them.
    seconds : as in `trigger_example`.

    Returns
    -------
    examples : list of `TriggerExample`.
    """
    sounds, rng = trigger_sounds(voices, split, seed), _generator(split, seed, 1)
    return [trigger_example(sounds, rng, seconds) for _ in range(n)]


def word_streams(n, split="test", seed=0, seconds=60.0):
    """People who talk without a pause, and nobody says the trigger word: whatever is detected is a false alarm.

    Parameters
    ----------
    n : how many streams.
    split, seed : as in `trigger_sounds`.
    seconds : how long each is.

    Returns
    -------
    streams : list of (N,) samples.
    """
    rng, streams, N = _generator(split, seed, 2), [], round(seconds * RATE)
    for i in range(n):
        x = reference.gain(background(BACKGROUNDS[i % 4], seconds, RATE, rng), rng.uniform(*BACKGROUND_DECIBELS))
        at = 0
        while True:
            clip = say(_phrase(rng), Voice.random(rng), RATE, rng)
            if at + len(clip) > N:
                break
            x = reference.overlay(x, clip, at, 10 ** (rng.uniform(*CLIP_DECIBELS) / 20))
            at += len(clip) + int(rng.uniform(0.05, 0.6) * RATE)
        streams.append(x.clip(-1, 1))
    return streams


def trigger_features(samples):
    """What the detector hears: 40 mel bands every 10 ms, :eq:`mel-filters`.

    Parameters
    ----------
    samples : (B, N) tensor, 8000 a second.

    Returns
    -------
    mel : (B, T, M).
    """
    return functional.mel(samples, RATE, size=SIZE, hop=HOP, bands=BANDS)


def trigger_batches(sounds, batch_size=BATCH_SIZE, seconds=SECONDS):
    """Make the function that `seqlab.learning.learn` asks for its batches: new examples each time, some parts masked.

    Parameters
    ----------
    sounds : `Sounds`.
    batch_size : B.
    seconds : as in `trigger_example`.

    Returns
    -------
    draw : function `draw(step, rng) -> TriggerBatch`.
    """

    def draw(step, rng):
        some = [trigger_example(sounds, rng, seconds) for _ in range(batch_size)]
        heard = trigger_features(torch.from_numpy(np.stack([one.samples for one in some]).astype(np.float32)))
        masked = np.stack([reference.mask(one, rng, steps=12, bands=4) for one in heard.numpy()])
        labels = np.stack([one.labels for one in some]).astype(np.float32)
        return TriggerBatch(torch.from_numpy(masked), torch.from_numpy(labels[:, : heard.shape[1] // STRIDE]))

    return draw


def trigger_batch_loss(model, batch):
    """Binary cross-entropy of every output step, :eq:`trigger-loss`.

    Parameters
    ----------
    model : `TriggerWordDetector`.
    batch : `TriggerBatch`.

    Returns
    -------
    loss : number in nats a step.
    """
    return F.binary_cross_entropy_with_logits(model(batch.mel), batch.labels)


class TriggerListener:
    """A trained detector with its threshold: samples in, detections out, whole recordings or a stream.

    Parameters
    ----------
    model : `TriggerWordDetector`, trained on `trigger_features`.
    threshold, quiet : as in `seqlab.audio.reference.detect`.
    log : dict of how it was made and what it reaches, or None.
    """

    def __init__(self, model, threshold=0.5, quiet=QUIET, log=None):
        self.model, self.threshold, self.quiet, self.log = model.eval(), threshold, quiet, log

    @property
    def device(self):
        """Where the detector's weights are."""
        return next(self.model.parameters()).device

    def probabilities(self, samples):
        """The probability, after each step of 40 ms, that the trigger word has just been said.

        Parameters
        ----------
        samples : (N,) or (B, N), 8000 a second.

        Returns
        -------
        p : (Ty,) or (B, Ty) array.
        """
        x = torch.from_numpy(np.asarray(samples, dtype=np.float32))
        with torch.no_grad():
            p = self.model(trigger_features(torch.atleast_2d(x).to(self.device))).sigmoid().cpu().numpy()
        return p if x.ndim == 2 else p[0]

    def detect(self, samples, threshold=None):
        """The steps at which the trigger word is reported, :eq:`trigger-detection`.

        Parameters
        ----------
        samples : (N,), 8000 a second.
        threshold : None for the listener's own.

        Returns
        -------
        detections : list of output steps.
        """
        threshold = self.threshold if threshold is None else threshold
        return reference.detect(self.probabilities(samples), threshold, self.quiet)

    def stream(self):
        """A new stream: `TriggerStream`."""
        return TriggerStream(self)


class TriggerStream:
    """A listener to sound that comes bit by bit, for ever: what it keeps does not grow.

    Its numbers are those of the listener on the whole recording. Use `TriggerListener.stream` to make one.
    """

    def __init__(self, listener):
        self.listener = listener
        self.steps = 0  # output steps so far
        self._rest, self._state = np.zeros(0, dtype=np.float32), None
        self._before, self._last = 0.0, None

    def hear(self, samples):
        """Hear the next samples.

        Parameters
        ----------
        samples : (n,), 8000 a second, any number of them.

        Returns
        -------
        p : (steps,) probabilities of the output steps that are now complete.
        detections : list of output steps, counted from the start of the stream, at which the word is reported.
        """
        x = np.concatenate([self._rest, np.asarray(samples, dtype=np.float32)])
        frames = (len(x) - SIZE) // HOP + 1
        if frames < 1:
            self._rest = x
            return np.zeros(0, dtype=np.float32), []
        self._rest = x[frames * HOP :]
        with torch.no_grad():
            whole = torch.from_numpy(x[: (frames - 1) * HOP + SIZE])[None].to(self.listener.device)
            logits, self._state = self.listener.model.step(trigger_features(whole), self._state)
        p = logits[0].sigmoid().cpu().numpy()
        return p, [step for step in map(self._decide, p) if step is not None]

    def _decide(self, p):
        """The step, where the word is reported at it: `seqlab.audio.reference.detect`, one probability at a time."""
        step, rises = self.steps, self._before < self.listener.threshold <= p
        self.steps, self._before = step + 1, p
        if rises and (self._last is None or step - self._last > self.listener.quiet):
            self._last = step
            return step
        return None


def decided(step):
    """When an output step is decided, in seconds from the start: when the last sample that it needs has come.

    Parameters
    ----------
    step : number or array.
    """
    return (step * STEP + (STRIDE - 1) * HOP + SIZE) / RATE


def trigger_curve(listener, examples, thresholds=THRESHOLDS):
    """Precision and recall for each threshold, and the area under the curve, :eq:`precision-recall`.

    Parameters
    ----------
    listener : `TriggerListener`.
    examples : list of `TriggerExample` of the same length.
    thresholds : (K,).

    Returns
    -------
    curve : dict of lists "threshold", "precision" and "recall", and the number "average_precision".
    """
    curves = listener.probabilities(np.stack([one.samples for one in examples]))
    truths = [one.ends for one in examples]
    how = {"quiet": listener.quiet, "tolerance": TOLERANCE, "early": EARLY}
    precision, recall = reference.precision_recall(curves, truths, thresholds, **how)
    area = reference.average_precision(precision, recall)
    return {
        "threshold": list(thresholds),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "average_precision": area,
    }


def best_threshold(curve):
    """The threshold with the largest F1, 2 P R / (P + R); the middle one where several are as good.

    Parameters
    ----------
    curve : dict of `trigger_curve`.
    """
    P, R = np.array(curve["precision"]), np.array(curve["recall"])
    f1 = 2 * P * R / np.maximum(P + R, 1e-12)
    best = np.flatnonzero(f1 > f1.max() - 1e-9)
    return curve["threshold"][best[len(best) // 2]]


def trigger_scores(listener, examples):
    """Count hits, misses and false alarms at the listener's threshold, and how late the hits are.

    Parameters
    ----------
    listener : `TriggerListener`.
    examples : list of `TriggerExample` of the same length.

    Returns
    -------
    scores : dict of numbers "words", "hits", "misses", "false_alarms", and "delays", a list with the seconds from the
        end of each word that was hit to the moment at which it was reported.
    """
    curves = listener.probabilities(np.stack([one.samples for one in examples]))
    scores = {"words": 0, "hits": 0, "misses": 0, "false_alarms": 0, "delays": []}
    for p, one in zip(curves, examples, strict=True):
        detections = reference.detect(p, listener.threshold, listener.quiet)
        found = reference.match(detections, one.ends, TOLERANCE, EARLY)
        last = {event.end // STEP: event.end for event in one.events if event.positive}
        scores["words"] += len(one.ends)
        for name in ("hits", "misses", "false_alarms"):
            scores[name] += len(getattr(found, name))
        scores["delays"] += [float(decided(d) - (last[end] + 1) / RATE) for end, d in found.hits]
    return scores


def false_alarms(listener, streams, thresholds=THRESHOLDS):
    """False alarms an hour on streams without the trigger word, for each threshold.

    Parameters
    ----------
    listener : `TriggerListener`.
    streams : list of (N,) samples of the same length.
    thresholds : (K,).

    Returns
    -------
    an_hour : (K,) array.
    """
    hours = sum(map(len, streams)) / RATE / 3600
    curves = [listener.probabilities(x) for x in streams]
    counts = [sum(len(reference.detect(p, k, listener.quiet)) for p in curves) for k in thresholds]
    return np.array(counts) / hours


def compute_ratio(listener, blocks=250):
    """How long the detector computes for each second of sound, when it hears blocks of 40 ms, one by one.

    Parameters
    ----------
    listener : `TriggerListener`, on the CPU.
    blocks : how many are heard; the middle time counts.

    Returns
    -------
    ratio : seconds of computing over seconds of sound; below 1 it keeps up.
    """
    stream, x = listener.stream(), np.random.default_rng(0).normal(0, 0.05, size=(blocks, STEP))
    seconds = []
    for block in x:
        begun = time.perf_counter()
        stream.hear(block)
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds)) / (STEP / RATE)


def train_trigger(
    out,
    *,
    steps=1500,
    voices=300,
    channels=64,
    hidden=64,
    layers=2,
    kernel=15,
    dropout=0.1,
    lr=3e-3,
    seed=0,
    progress=True,
):
    """Train a detector of the trigger word and write it with its log.

    Adam with a rate that falls from `lr` to 0 in a straight line, 32 examples of 5 seconds at a time, each made anew,
    gradients clipped at a norm of 5. The threshold is the one with the best F1 on examples of the "valid" split.

    Parameters
    ----------
    out : the .npz file to write, after every tenth of the run. A checkpoint stands beside it, from which a stopped run
        goes on.
    steps : batches.
    voices : people to learn from.
    channels, hidden, layers, kernel, dropout : as in `TriggerWordDetector`.
    lr : the first learning rate.
    seed : of the sounds, the first weights and the drawing.
    progress : as in `seqlab.learning.learn`.

    Returns
    -------
    log : dict, which is also inside the file: settings, history, "threshold", "curve" (as `trigger_curve`, of held-out
        examples, and "false_alarms_an_hour"), "scores" (as `trigger_scores`, with the median and the 95th percentile
        in place of the delays), "compute" (as `compute_ratio`), and the command that makes the same again.

    Raises
    ------
    ValueError
        when an argument is out of range, the folder of `out` is missing, or the checkpoint is of another run.
    """
    out = checked_out(out)
    for name, number in {"steps": steps, "voices": voices}.items():
        check_whole(name, number)
    sizes = {"channels": channels, "hidden": hidden, "layers": layers, "kernel": kernel, "dropout": dropout}
    options = {"steps": steps, "voices": voices, **sizes, "lr": lr, "seed": seed}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = _model({"bands": BANDS, "stride": STRIDE, **sizes}, seed).to(device)
    log = {
        "task": "trigger",
        "model": model.settings,
        "training": {**options, "batch_size": BATCH_SIZE, "seconds": SECONDS, "width": WIDTH},
        "threshold": 0.5,
        "command": _command(options, out),
        **described(device),
    }
    draw, trials = trigger_batches(trigger_sounds(voices, "train", seed)), trigger_examples(LOOK, "valid", seed)
    history = learn(
        model,
        trigger_batch_loss,
        lambda step, rng: TriggerBatch(*(part.to(device) for part in draw(step, rng))),
        steps=steps,
        lr=lr,
        schedule=lambda done: 1 - done,
        evaluate=lambda model: {"average_precision": _area(model, trials)},
        every=max(1, steps // 10),
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
        after=lambda model, history: save_weights(out, model, log | {"history": history}),
    )
    check_result(out)
    log |= {"history": history, "minutes": history["seconds"][-1] / 60}
    log |= measured(load_trigger(out), seed)  # what is measured is what was rounded to 16 bits
    save_weights(out, load_trigger(out).model, log)
    return log


def measured(listener, seed=0):
    """What a trained detector reaches on voices and backgrounds that it has not heard.

    Parameters
    ----------
    listener : `TriggerListener`; its threshold is set to the one that is best on the "valid" split.
    seed : of the examples.

    Returns
    -------
    found : dict with "threshold", "curve", "scores" and "compute", as `train_trigger` says.
    """
    listener.threshold = best_threshold(trigger_curve(listener, trigger_examples(VALID, "valid", seed)))
    examples = trigger_examples(TEST, "test", seed)
    curve, scores = trigger_curve(listener, examples), trigger_scores(listener, examples)
    delays = scores.pop("delays")
    late = np.percentile(delays, [50, 95]).tolist() if delays else [None, None]
    alarms = false_alarms(listener, word_streams(STREAMS, "test", seed))
    return {
        "threshold": listener.threshold,
        "curve": curve | {"false_alarms_an_hour": alarms.tolist()},
        "scores": scores | {"examples": len(examples), "delay_median": late[0], "delay_95": late[1]},
        "stream": {"minutes": STREAMS, "false_alarms_an_hour": float(alarms[THRESHOLDS.index(listener.threshold)])},
        "compute": compute_ratio(listener),
    }


def load_trigger(path=None):
    """Read a detector of the trigger word "activate".

    Parameters
    ----------
    path : a file that `seqlab train trigger` wrote; None for the one that comes with the package.

    Returns
    -------
    listener : `TriggerListener`; its `log` says how it was made and what it reaches.

    Raises
    ------
    ValueError
        when the file is something else.
    """

    def build(log):
        if log["task"] != "trigger":
            raise ValueError(log["task"])
        return TriggerWordDetector(**log["model"])

    model, log = load_weights(FILE if path is None else path, build, "seqlab train trigger --out FILE.npz")
    return TriggerListener(model, log["threshold"], QUIET, log)


def _area(model, examples):
    return trigger_curve(TriggerListener(model), examples)["average_precision"]


def _phrase(rng):
    """One to four words, none of them the trigger word, every third one like it."""
    words = [word for word in LEXICON if word not in (TRIGGER, *CONFUSABLE)]
    some = [rng.choice(CONFUSABLE if rng.uniform() < 1 / 3 else words) for _ in range(rng.integers(1, 5))]
    return " ".join(some)


def _generator(split, seed, what):
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be 'train', 'valid' or 'test'")
    return np.random.default_rng([seed, SPLITS.index(split), what])


def _model(settings, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TriggerWordDetector(**settings)


def _command(options, out):
    """The line that makes the same file again."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return " ".join(["seqlab", "train", "trigger", *words, "--out", out.name])
