"""Three small translators that are kept beside the book: sums, dates and a phrase book, each trained by a command."""

from pathlib import Path

import numpy as np
import torch

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab import data
from seqlab.files import checkpoint_beside
from seqlab.learning import learn
from seqlab.machine import described
from seqlab.seq2seq.modules import EncoderDecoder
from seqlab.seq2seq.training import by_length, exact_match, pairs_batches, sequence_loss, validation_loss
from seqlab.seq2seq.translator import Translator, vocabularies
from seqlab.shapes import check_whole
from seqlab.text import Vocabulary
from seqlab.weights import check_result, checked_out, load_weights, save_weights

FOLDER = Path(__file__).parent
BATCH_SIZE = 128
LOOK = 1000  # held-out pairs that are tried after each epoch; all of them at the end
KINDS = {"plain": {}, "reversed": {"reverse": True}, "peeking": {"reverse": True, "peek": True}}
HELD_OUT = {"addition": 5000, "dates": 5000, "phrasebook": 1000}
EDGES = {"addition": range(3, 12), "dates": range(5, 100, 5)}  # of the table by length of the source


def addition_pairs(pairs=45_000, digits=3, seed=0):
    """Sums to learn from and sums to be asked.

    Parameters
    ----------
    pairs : how many to learn from.
    digits : as in `seqlab.data.addition`.
    seed : of the drawing.

    Returns
    -------
    learnt, held_out : lists of pairs (question, answer). A ninth as many are held out as are learnt from, at most
        5,000, and none of them, nor its mirror, is learnt.
    """
    return _split(data.addition, pairs, min(HELD_OUT["addition"], pairs // 9 + 1), seed=seed, digits=digits)


def dates_pairs(pairs=200_000, seed=0):
    """Dates to learn from and dates to be asked, in all languages and calendars.

    Parameters
    ----------
    pairs : how many to learn from.
    seed : of the drawing.

    Returns
    -------
    learnt, held_out : lists of pairs (text, iso); a ninth as many are held out, at most 5,000, and none of their texts
        is learnt.
    """
    return _split(data.dates, pairs, min(HELD_OUT["dates"], pairs // 9 + 1), seed=seed)


def phrasebook_pairs(pairs=60_000, seed=0):
    """Pairs of the phrase book to learn from, and pairs whose French sentence is never learnt.

    Parameters
    ----------
    pairs : how many to draw; those whose sentence is held out are then left out.
    seed : of the drawing.

    Returns
    -------
    learnt, held_out : lists of pairs (French words, English words). The held-out ones are 1,000 different sentences,
        each with a translation as probable as the grammar has it; they do not depend on `pairs` or `seed`.
    """
    sources = data.phrasebook_sources()
    every = len(sources) // HELD_OUT["phrasebook"]
    kept = sources[every // 2 :: every][: HELD_OUT["phrasebook"]]
    aside = {tuple(words) for words in kept}
    learnt = [pair for pair in data.phrasebook(pairs, seed) if tuple(pair[0]) not in aside]
    rng = np.random.default_rng(0)
    found = [data.phrasebook_references(words) for words in kept]
    drawn = [rng.choice(len(answers), p=[share for _, share in answers]) for answers in found]
    return learnt, [(words, answers[i][0]) for words, answers, i in zip(kept, found, drawn, strict=True)]


def train_addition(
    out, kind="peeking", *, epochs=4, pairs=45_000, digits=3, embedding=16, hidden=128, lr=0.01, seed=0, progress=True
):
    """Train a model that adds, one of three kinds, and write it with its log.

    Adam with a rate that falls from `lr` to 0 in a straight line, 128 sums at a time, gradients clipped at a norm of
    5. (The notes train longer, 25 epochs at a constant rate of 0.001.)

    Parameters
    ----------
    out : the .npz file to write, after every epoch. A checkpoint stands beside it, from which a stopped run goes on.
    kind : "plain", "reversed" (reads the question from its end) or "peeking" (reversed, and the decoder sees the
        question's vector at every step).
    epochs : how often to read the sums.
    pairs, digits : as in `addition_pairs`.
    embedding, hidden : as in `EncoderDecoder`.
    lr : the first learning rate.
    seed : of the sums, the first weights and the shuffling.
    progress : as in `seqlab.learning.learn`.

    Returns
    -------
    log : dict, which is also inside the file: settings, history, "exact" (the share of held-out sums whose answer is
        right in every digit), "by_length", and the command that makes the same again.

    Raises
    ------
    ValueError
        when an argument is out of range, the folder of `out` is missing, or the checkpoint is of another run.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be 'plain', 'reversed' or 'peeking'")
    out = checked_out(out)
    learnt, held_out = addition_pairs(check_whole("pairs", pairs), check_whole("digits", digits), seed)
    settings = {"embedding": embedding, "hidden": hidden, **KINDS[kind]}
    options = {"kind": kind, "epochs": epochs, "pairs": pairs, "digits": digits}
    options |= {"embedding": embedding, "hidden": hidden, "lr": lr, "seed": seed}
    return _train("addition", out, learnt, held_out, settings, options, "characters", lr=lr, progress=progress)


def train_dates(
    out, attention=True, *, epochs=2, pairs=200_000, embedding=16, hidden=128, lr=4e-3, seed=0, progress=True
):
    """Train a model that reads dates in many languages and calendars, and write it with its log.

    A bidirectional encoder; additive attention, whose own layer has a quarter of `hidden`, or none. Adam with a rate
    that falls from `lr` to 0 in a straight line, 128 dates of similar length at a time, gradients clipped at a norm of
    5. A character seen fewer than 20 times is read as <unk>.

    Parameters
    ----------
    out, epochs, embedding, hidden, lr, seed, progress : as in `train_addition`.
    attention : True or False.
    pairs : as in `dates_pairs`.

    Returns
    -------
    log : dict as that of `train_addition`.

    Raises
    ------
    ValueError
        as `train_addition` does.
    """
    out = checked_out(out)
    learnt, held_out = dates_pairs(check_whole("pairs", pairs), seed)
    settings = {"embedding": embedding, "hidden": hidden, "bidirectional": True}
    if attention:
        settings |= {"attention": "additive", "attention_size": hidden // 4}
    options = {"attention": bool(attention), "epochs": epochs, "pairs": pairs, "embedding": embedding}
    options |= {"hidden": hidden, "lr": lr, "seed": seed}
    how = {"lr": lr, "sort": 16, "min_freq": 20}
    return _train("dates", out, learnt, held_out, settings, options, "characters", progress=progress, **how)


def train_phrasebook(out, *, epochs=5, pairs=60_000, embedding=32, hidden=96, lr=4e-3, seed=0, progress=True):
    """Train a model that translates the phrase book's French into English, word by word, and write it with its log.

    A bidirectional encoder and additive attention; Adam with a rate that falls from `lr` to 0 in a straight line, 128
    sentences of similar length at a time, gradients clipped at a norm of 5.

    Parameters
    ----------
    out, epochs, embedding, hidden, lr, seed, progress : as in `train_addition`.
    pairs : as in `phrasebook_pairs`.
    lr : the first learning rate.

    Returns
    -------
    log : dict as that of `train_addition`, but "right" in place of "exact": the share of held-out sentences for which
        the model writes any right translation. "valid_loss" in its history is to be compared with "floor", what the
        grammar itself would lose on the same pairs, in nats a word: nobody can know which translation was drawn.

    Raises
    ------
    ValueError
        as `train_addition` does.
    """
    out = checked_out(out)
    learnt, held_out = phrasebook_pairs(check_whole("pairs", pairs), seed)
    settings = {"embedding": embedding, "hidden": hidden, "bidirectional": True, "attention": "additive"}
    options = {"epochs": epochs, "pairs": pairs, "embedding": embedding, "hidden": hidden, "lr": lr, "seed": seed}
    how = {"lr": lr, "sort": 16}
    return _train("phrasebook", out, learnt, held_out, settings, options, "words", progress=progress, **how)


def load_addition(kind="plain", path=None):
    """Read a model that adds.

    Parameters
    ----------
    kind : "plain", "reversed" or "peeking": which of the three that come with the package.
    path : a file that `seqlab train addition` wrote, instead of those.

    Returns
    -------
    translator : `Translator`; its `log` says how it was made and how often it is right.

    Raises
    ------
    ValueError
        when the kind is unknown or the file is something else.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be 'plain', 'reversed' or 'peeking'")
    return _load("addition", FOLDER / f"addition_{kind}.npz" if path is None else path)


def load_dates(attention=True, path=None):
    """Read a model that reads dates.

    Parameters
    ----------
    attention : which of the two that come with the package, the one with attention or the one without.
    path : a file that `seqlab train dates` wrote, instead of those.

    Returns
    -------
    translator : `Translator`; its `log` says how it was made and how often it is right.

    Raises
    ------
    ValueError
        when the file is something else.
    """
    shipped = FOLDER / f"dates_{'attention' if attention else 'plain'}.npz"
    return _load("dates", shipped if path is None else path)


def load_phrasebook(path=None):
    """Read a model that translates the phrase book, French to English, with attention.

    Parameters
    ----------
    path : a file that `seqlab train phrasebook` wrote; None for the one that comes with the package.

    Returns
    -------
    translator : `Translator`; its `log` says how it was made and how often it is right.

    Raises
    ------
    ValueError
        when the file is something else.
    """
    return _load("phrasebook", FOLDER / "phrasebook.npz" if path is None else path)


def _load(task, path):
    def build(log):
        if log["task"] != task:
            raise ValueError(log["task"])
        return EncoderDecoder(**log["model"])

    model, log = load_weights(path, build, f"seqlab train {task} --out FILE.npz")
    vocabularies = (Vocabulary("", specials=log[side]) for side in ("source", "target"))
    return Translator(model, *vocabularies, log["split"], log)


def _train(task, out, learnt, held_out, settings, options, split, *, lr, sort=1, min_freq=1, progress):
    """What the three have in common: a model, its batches, a look after each epoch, the log."""
    epochs, seed = check_whole("epochs", options["epochs"]), options["seed"]
    both = vocabularies(learnt, split, min_freq)
    model = _model({"source_size": len(both[0]), "target_size": len(both[1]), **settings}, seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    translator = Translator(model.to(device), *both, split)
    draw = pairs_batches(learnt, translator, BATCH_SIZE, sort=sort, seed=seed)
    log = {
        "task": task,
        "model": model.settings,
        "split": split,
        "source": both[0].tokens,
        "target": both[1].tokens,
        "training": {**options, "batch_size": BATCH_SIZE, "lr": lr, "learnt": len(learnt), "held_out": len(held_out)},
        "command": _command(task, options, out),
        **described(device),
    }

    measure = {"right": right_share} if task == "phrasebook" else {"exact": exact_match}

    _same_run(out, log)

    def look(model):
        some = held_out[:LOOK]
        measured = {name: share(translator, some) for name, share in measure.items()}
        return {"valid_loss": validation_loss(model, some, translator), **measured}

    history = learn(
        model,
        sequence_loss,
        lambda step, rng: draw(step, rng).to(device),
        steps=epochs * draw.epoch,
        lr=lr,
        schedule=lambda done: 1 - done,
        evaluate=look,
        every=draw.epoch,
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
        after=lambda model, history: save_weights(out, model, log | {"history": history}),
    )
    check_result(out)
    kept = _load(task, out)  # what is measured is what was rounded to 16 bits
    log |= {"history": history, "seconds": history["seconds"][-1]}
    log |= {name: share(kept, held_out) for name, share in measure.items()}
    if task == "phrasebook":
        log["floor"] = grammar_loss(held_out)
    else:
        log["by_length"] = by_length(kept, held_out, EDGES[task])
    save_weights(out, model, log)
    return log


def right_share(translator, pairs):
    """The share of French sentences that are translated into any of their right translations.

    Parameters
    ----------
    translator : `Translator` of words.
    pairs : list of pairs (French words, English words) of the phrase book; the English is not looked at.

    Returns
    -------
    share : number from 0 to 1.
    """
    answers = translator.answers([source for source, _ in pairs])
    right = [
        answer.split() in [words for words, _ in data.phrasebook_references(source)]
        for (source, _), answer in zip(pairs, answers, strict=True)
    ]
    return sum(right) / len(right)


def grammar_loss(pairs):
    """What who knows the phrase book's grammar loses on pairs, in nats a word, the end of each sentence counted.

    Parameters
    ----------
    pairs : list of pairs (French words, English words) of the phrase book.

    Returns
    -------
    loss : number to which no model's loss on many such pairs can come down.
    """
    known = [{tuple(words): share for words, share in data.phrasebook_references(source)} for source, _ in pairs]
    nll = -sum(np.log(shares[tuple(english)]) for shares, (_, english) in zip(known, pairs, strict=True))
    return float(nll / sum(len(english) + 1 for _, english in pairs))


def _same_run(out, log):
    """Refuse to go on with a run whose settings were others: not all of them show in a checkpoint."""
    if not (out.exists() and checkpoint_beside(out).exists()):
        return
    _, was = load_weights(out, lambda log: EncoderDecoder(**log["model"]), "seqlab train ... --out FILE.npz")
    before, now = ({"task": one["task"], **one["training"]} for one in (was, log))
    for name in [name for name in now if now[name] != before.get(name)][:1]:
        changed = f"{name} {before.get(name)}, not {now[name]}"
        raise ValueError(f"{out} was made with another {changed}: go on as before, or name another file")


def _split(make, pairs, held_out, **how):
    drawn = make(pairs + held_out, **how)
    return drawn[:pairs], drawn[pairs:]


def _model(settings, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return EncoderDecoder(**settings)


def _command(task, options, out):
    """The line that makes the same file again."""
    words = ["seqlab", "train", task]
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{name}")
        else:
            words += [f"--{name}", str(value)]
    return " ".join([*words, "--out", out.name])
