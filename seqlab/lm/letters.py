"""A character model that is small enough to keep beside the book: trained by a command, kept as float16."""

import hashlib
from pathlib import Path

import torch

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab import data
from seqlab.files import checkpoint_beside
from seqlab.learning import load_checkpoint
from seqlab.lm.modules import LanguageModel
from seqlab.lm.reference import perplexity
from seqlab.lm.training import evaluate, train
from seqlab.machine import described
from seqlab.text import Vocabulary
from seqlab.weights import check_result, checked_out, load_weights, save_weights

BATCH_SIZE, K, LR = 32, 64, 3e-3
HELD_OUT = 0.05  # of the text, at its end
SHIPPED = Path(__file__).with_name("letters_shakespeare.npz")
TRIAL_WINDOWS = 20  # to see how many epochs fit into the minutes


def train_letters(
    corpus,
    out,
    *,
    hidden=128,
    embedding=32,
    cell="lstm",
    dropout=0.0,
    minutes=None,
    epochs=None,
    seed=0,
    progress=True,
    download=True,
):
    """Train a one-layer character model and keep the weights that guess the end of the text best.

    Adam, 32 pieces of the text side by side, windows of 64 letters, a rate that falls from 0.003 to 0 in a straight
    line. The last 5% of the text are held out.

    Parameters
    ----------
    corpus : "book", "shakespeare", or a file of UTF-8 text.
    out : the .npz file to write, after every epoch that was the best so far. A checkpoint stands beside it, from
        which a stopped run goes on.
    hidden, embedding, cell, dropout : as in `LanguageModel`.
    minutes : about how long to train. The speed is tried first; the log says how many epochs that made.
    epochs : how often to read the text instead: the same number gives the same weights on the same machine.
    seed : of the first weights and the dropout.
    progress : as in `train`.
    download : False leaves the network alone.

    Returns
    -------
    log : dict, which is also inside the file: settings, the perplexities of all epochs, the corpus's sha256.

    Raises
    ------
    FileNotFoundError
        when the corpus is not there; the sentence says where to put it.
    ValueError
        when not exactly one of minutes and epochs is given, a number is out of range, the text is too short, the
        folder of `out` is missing, or the checkpoint beside it is of another run.
    """
    out = _checked(out, minutes, epochs)
    text = data.corpus_text(corpus, download)
    if not text:
        raise ValueError(f"{corpus} is empty; a model needs letters to learn from")
    letters = Vocabulary(text, specials=())
    ids = torch.tensor(letters.encode(text))
    learnt = round(len(ids) * (1 - HELD_OUT))
    settings = {"size": len(letters), "embedding": embedding, "hidden": hidden, "cell": cell, "dropout": dropout}
    if epochs is None:
        epochs = _planned(out) or _epochs_in(minutes, settings, ids[:learnt])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    log = {
        "model": settings,
        "vocabulary": letters.tokens,
        "first": text[0],
        "corpus": {
            "name": Path(corpus).name,
            "letters": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        },
        "training": {"batch_size": BATCH_SIZE, "k": K, "lr": LR, "epochs": epochs, "held_out": HELD_OUT, "seed": seed},
        "command": f"seqlab train letters --corpus {Path(corpus).name} --cell {cell} --embedding {embedding} "
        f"--hidden {hidden} --dropout {dropout} --epochs {epochs} --seed {seed} --out {out.name}",
        **described(device),
    }

    def keep_the_best(model, history):
        if history["valid_perplexity"][-1] == min(history["valid_perplexity"]):
            save_weights(out, model, log | {"best_epoch": len(history["lr"]), "history": history})

    history = train(
        _model(settings, seed).to(device),
        ids[:learnt],
        epochs=epochs,
        batch_size=BATCH_SIZE,
        k=K,
        lr=LR,
        schedule=lambda done: 1 - done / epochs,
        valid=ids[learnt:],
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
        after_epoch=keep_the_best,
    )
    check_result(out)
    model, _, kept = load_letters(out)
    measured = perplexity(*evaluate(model, ids[learnt:], batch_size=1))
    log = kept | {"history": history, "valid_perplexity": measured, "seconds": history["seconds"][-1]}
    save_weights(out, model, log)
    return log


def load_letters(path=None):
    """Read a character model that `seqlab train letters` wrote.

    Parameters
    ----------
    path : the .npz file; None for the one that comes with the package. It has read Shakespeare, and `log["command"]`
        says how it was made.

    Returns
    -------
    model : `LanguageModel` on the CPU, in evaluation mode, its weights in float32.
    vocabulary : `Vocabulary` of its letters.
    log : dict of how it was made: "model", "training", "corpus", "history", "best_epoch", and the perplexity of the
        kept weights on the held-out end of the text, "valid_perplexity".

    Raises
    ------
    ValueError
        when the file is none of `seqlab train letters`.
    """
    model, log = load_weights(
        SHIPPED if path is None else path,
        lambda log: LanguageModel(**log["model"]),
        "seqlab train letters --out FILE.npz",
    )
    return model, Vocabulary("", specials=log["vocabulary"]), log


def _model(settings, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LanguageModel(**settings)


def _checked(out, minutes, epochs):
    out = checked_out(out)
    if (minutes is None) == (epochs is None):
        raise ValueError("say how long to train: either minutes or epochs")
    if minutes is not None and not minutes > 0:
        raise ValueError(f"minutes is {minutes}; it must be above 0")
    return out


def _planned(out):
    """The epochs that an earlier, stopped run had settled on, or None."""
    beside = checkpoint_beside(out)
    return load_checkpoint(beside)["epochs"] if beside.exists() else None


def _epochs_in(minutes, settings, ids):
    """How many epochs fit into the minutes: train on the beginning of the text for a moment and see."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    piece = ids[: BATCH_SIZE * (TRIAL_WINDOWS * K + 1)]
    how = {"epochs": 1, "batch_size": BATCH_SIZE, "k": K, "lr": LR, "progress": False}
    for _ in range(2):  # the first time, what is needed is still being loaded
        seconds = train(_model(settings, 0).to(device), piece, **how)["seconds"][0]
    return max(1, round(60 * minutes / seconds * len(piece) / len(ids)))
