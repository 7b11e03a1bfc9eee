"""Train a network to write down spoken digits, and measure it with and without a language model."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab.audio.spoken import (
    ALPHABET,
    BANDS,
    SOURCES,
    each_string,
    encode,
    letter_model,
    load_spoken,
    read_log_probs,
    spoken_features,
    spoken_strings,
    spoken_texts,
)
from seqlab.audio.synthesis import RATE
from seqlab.ctc.functional import ctc_loss
from seqlab.ctc.modules import CTCNetwork
from seqlab.ctc.reference import label_error_rate
from seqlab.files import checkpoint_beside, written_aside
from seqlab.learning import bar, learn, load_checkpoint
from seqlab.machine import described
from seqlab.text import pad
from seqlab.weights import check_result, checked_out, save_weights

BATCH_SIZE = 32
TRAIN_SNR = (-5.0, 30.0)  # of the strings that are learnt from, in dB
TEST_SNR = (None, 10.0, 5.0, 0.0)  # None is silence behind the speech
HELD_OUT, LOOK = 100, 64  # strings of each kind and noise at the end of a run, and at each look during it
WARM_UP = 100  # steps in which the rate rises from 0
TEXTS = 10_000  # that a language model is fitted on
SPELLING, DATES = 7, 16  # letters that the two language models see, the one they predict among them
BEAM_WIDTH, LM_WEIGHT, BONUS = 16, 1.0, 0.5
READERS = ("greedy", "beam", "beam and spelling", "beam and dates")


class SpokenBatch(NamedTuple):
    """Strings of similar length: features (B, T, M), lengths (B,), targets (B, L) ids, target_lengths (B,)."""

    features: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor


def spoken_batch(examples):
    """Make a batch of pairs (features (T, M), labels)."""
    lengths = torch.tensor([len(x) for x, _ in examples])
    features = torch.nn.utils.rnn.pad_sequence([x for x, _ in examples], batch_first=True)
    targets, target_lengths = pad([labels for _, labels in examples])
    return SpokenBatch(features, lengths, torch.from_numpy(targets), torch.from_numpy(target_lengths))


def spoken_batches(strings, batch_size=BATCH_SIZE):
    """Make the function that `seqlab.learning.learn` asks for its batches: neighbours in length, so little is padded.

    Parameters
    ----------
    strings : pairs (samples, text), as `seqlab.audio.spoken_strings` makes them; read once, their features are kept.
    batch_size : B.

    Returns
    -------
    draw : function `draw(step, rng) -> SpokenBatch`.

    Raises
    ------
    ValueError
        when there are fewer strings than a batch holds.
    """
    examples = [(spoken_features(samples), encode(text)) for samples, text in strings]
    if len(examples) < batch_size:
        raise ValueError(f"there are {len(examples)} strings; a batch holds {batch_size}")
    examples.sort(key=lambda example: len(example[0]))

    def draw(step, rng):
        # the place of a batch's middle is drawn evenly, and those at the ends come as often as the others
        start = int(np.clip(rng.integers(len(examples)) - batch_size // 2, 0, len(examples) - batch_size))
        return spoken_batch(examples[start : start + batch_size])

    return draw


def spoken_loss(network, batch):
    """Mean loss of the texts given the sounds, each divided by its letters, :eq:`ctc-loss`; in nats a letter."""
    log_probs, lengths = network(batch.features, batch.lengths)
    return ctc_loss(log_probs, batch.targets, lengths, batch.target_lengths, zero_infinity=True)


def error_rates(hypotheses, references):
    """Letter and word error rate of texts, :eq:`label-error-rate`.

    Returns
    -------
    rates : dict with "letters" and "words", each from 0 up.
    """
    words = ([text.split() for text in texts] for texts in (hypotheses, references))
    return {"letters": label_error_rate(hypotheses, references), "words": label_error_rate(*words)}


def measured(reader, source, n, seed=0, progress=False):
    """How often a reader errs on held-out strings: two kinds, four levels of noise, four ways to read.

    The beam is tried without a language model, with one that has read random digits and so knows how the words are
    spelled and no more, and with one that has read dates. The texts of both are those of the training.

    Parameters
    ----------
    reader : `SpokenReader`.
    source : "synthetic" or "recorded".
    n : strings of each kind and level.
    seed : of the strings.
    progress : as in `seqlab.learning.learn`.

    Returns
    -------
    rows : list of dicts: "kind" (of `spoken_strings`), "snr" in dB or None, "reader" (one of `READERS`), "letters" and
        "words", the two error rates.
    """
    models = language_models(TEXTS)
    rows = []
    with bar(progress, 0, " sets") as report:
        sets = [(kind, snr) for kind in ("dates", "digits") for snr in TEST_SNR]
        for done, (kind, snr) in enumerate(sets):
            report(done, len(sets), f"measuring {kind}")
            strings = spoken_strings(n, seed, rate=reader.rate, source=source, split="test", kind=kind, snr=snr)
            heard = [reader.log_probs(samples) for samples, _ in strings]
            for name in READERS:
                width = 1 if name == "greedy" else BEAM_WIDTH
                lm = models.get(name)
                how = {"lm": lm, "lm_weight": LM_WEIGHT, "bonus": BONUS} if lm else {}
                read = read_log_probs(heard, width, **how)
                rows.append({"kind": kind, "snr": snr, "reader": name, **error_rates(read, [t for _, t in strings])})
    return rows


def language_models(texts, seed=0):
    """The two language models of `measured`, by the names of the readers that use them.

    Seven letters hold the longest name of a digit and a space, and no second digit.
    """
    return {
        "beam and spelling": letter_model(spoken_texts(texts, seed, kind="digits"), SPELLING),
        "beam and dates": letter_model(spoken_texts(texts, seed, kind="dates"), DATES),
    }


def train_spoken(
    out,
    source="synthetic",
    *,
    steps=1500,
    strings=6000,
    hidden=80,
    layers=2,
    subsample=3,
    dropout=0.2,
    lr=4e-3,
    seed=0,
    report=None,
    progress=True,
):
    """Train a network on strings of digits in no order and write it with its log.

    The strings have no structure, so the network learns how digits sound and not which ones follow which: that is left
    to the language model. Adam with a rate that rises for 100 steps and falls to 0 in a straight line, 32 strings of
    similar length at a time, gradients clipped at a norm of 5, noise from -5 to 30 dB below the speech.

    Parameters
    ----------
    out : the .npz file to write, after every tenth of the run. A checkpoint stands beside it, from which a stopped run
        goes on.
    source : as in `seqlab.audio.spoken_strings`.
    steps : batches.
    strings : how many to make and learn from.
    hidden, layers, subsample, dropout : as in `seqlab.ctc.CTCNetwork`.
    lr : the highest learning rate.
    seed : of the strings, the first weights and the drawing.
    report : None, or a .json file to write the log to as well, whole or not at all.
    progress : as in `seqlab.learning.learn`.

    Returns
    -------
    log : dict, which is also inside the file: settings, history, the command that makes the same again, and "errors",
        the rows of `measured`. Where the source is "recorded", "unheard" holds the same rows for the network that
        comes with the package and has heard synthetic voices alone.

    Raises
    ------
    ValueError
        when an argument is out of range, a folder is missing, or the checkpoint is of another run.
    FileNotFoundError
        when the recordings are not there.
    """
    out = checked_out(out)
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; it must be 'synthetic' or 'recorded'")
    report = None if report is None else Path(report)
    if report is not None and not report.resolve().parent.is_dir():
        raise ValueError(f"report names {report}, but the folder {report.resolve().parent} does not exist")
    sizes = {"hidden": hidden, "layers": layers, "subsample": subsample, "dropout": dropout}
    options = {"source": source, "steps": steps, "strings": strings, **sizes, "lr": lr, "seed": seed}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CTCNetwork(BANDS, len(ALPHABET), **sizes)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    log = {
        "task": "spoken",
        "model": network.settings,
        "rate": RATE,
        "alphabet": ALPHABET,
        "training": options | {"batch_size": BATCH_SIZE, "snr": TRAIN_SNR, "kind": "digits"},
        "decoding": {
            "beam_width": BEAM_WIDTH,
            "lm_weight": LM_WEIGHT,
            "bonus": BONUS,
            "texts": TEXTS,
            "spelling": SPELLING,
            "dates": DATES,
        },
        "held_out": HELD_OUT,
        "command": " ".join(["seqlab train spoken", *(f"--{k} {v}" for k, v in options.items()), "--out", out.name]),
        **described(device),
    }
    draw = None
    if not _trained(out, steps):  # else it is only measured again
        with bar(progress, 0, " strings") as say:
            say(0, None, f"making {strings} strings")
            draw = spoken_batches(each_string(strings, seed, RATE, source, "train", "digits", TRAIN_SNR))
    trial = spoken_strings(LOOK, seed + 1, source=source, kind="digits", snr=10.0)  # of the training's voices
    texts = [text for _, text in trial]
    trial = spoken_batch([(spoken_features(samples), encode(text)) for samples, text in trial])

    def look(network):
        log_probs, lengths = network(trial.features.to(device), trial.lengths.to(device))
        read = read_log_probs([log_probs[:n, i].cpu() for i, n in enumerate(lengths.tolist())])
        return error_rates(read, texts)

    history = learn(
        network,
        spoken_loss,
        lambda step, rng: SpokenBatch(*(part.to(device) for part in draw(step, rng))),
        steps=steps,
        lr=lr,
        schedule=lambda done: min(1.0, (done * steps + 1) / WARM_UP) * (1 - done),
        evaluate=look,
        every=max(1, steps // 10),
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
        after=lambda network, history: save_weights(out, network, log | {"history": history}),
    )
    check_result(out)
    reader = load_spoken(out)  # what is measured is what was rounded to 16 bits
    log |= {"history": history, "seconds": history["seconds"][-1]}
    log["errors"] = measured(reader, source, HELD_OUT, seed, progress=progress)
    if source == "recorded":
        log["unheard"] = measured(load_spoken(), source, HELD_OUT, seed, progress=progress)
    save_weights(out, reader.network, log)
    if report is not None:
        with written_aside(report) as file:
            file.write((json.dumps(log, indent=1) + "\n").encode())
    return log


def _trained(out, steps):
    """Whether the checkpoint beside the file is of a run that came to its end."""
    beside = checkpoint_beside(out)
    return beside.exists() and load_checkpoint(beside)["place"]["step"] == steps
