"""The language models of Zaremba, Sutskever and Vinyals (2014) on the Penn Treebank, with their settings.

"Recurrent Neural Network Regularization", arXiv:1409.2329. The authors' code adds up the loss over the steps of a
window and takes its mean over the batch; their rate of 1 and their clipping go with that. The last state of a window
is the first of the next one, and an epoch begins with zeros. The test text is read as a whole, in one piece.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import seqlab.kernels  # noqa: F401  chooses Triton's mode before torch.optim imports it
from seqlab import data
from seqlab.files import checkpoint_beside, written_aside
from seqlab.lm.modules import LanguageModel
from seqlab.lm.reference import perplexity
from seqlab.lm.training import evaluate, train
from seqlab.machine import described
from seqlab.text import Vocabulary

SMOKE_TRAIN, SMOKE_TEST = 30_000, 5_000  # words


@dataclass(frozen=True)
class Settings:
    """One column of the paper.

    Attributes
    ----------
    hidden, layers : H of both the embedding and the LSTM layers, and how many of these.
    k, batch_size : steps of a window, pieces read side by side.
    init : every weight is drawn from U(-init, init).
    dropout : probability of dropping a number, on non-recurrent connections only.
    lr, flat, decay : the rate of the first `flat` epochs, divided by `decay` in each one after them.
    clip : largest norm of a gradient.
    epochs : how often the text is read.
    valid, test : the perplexities that the paper reports for one model.
    """

    hidden: int
    layers: int
    k: int
    batch_size: int
    init: float
    dropout: float
    lr: float
    flat: int
    decay: float
    clip: float
    epochs: int
    valid: float
    test: float

    def factor(self, done):
        """What lr is multiplied by when so many epochs are done."""
        return self.decay ** -max(int(done) + 1 - self.flat, 0)


SIZES = {
    "small": Settings(200, 2, 20, 20, 0.1, 0.0, 1.0, 4, 2.0, 5.0, 13, 120.7, 114.5),
    "medium": Settings(650, 2, 35, 20, 0.05, 0.5, 1.0, 6, 1.2, 5.0, 39, 86.2, 82.7),
    "large": Settings(1500, 2, 35, 20, 0.04, 0.65, 1.0, 14, 1.15, 10.0, 55, 82.2, 78.4),
}


def reproduce(size, out, *, epochs=None, smoke=False, seed=0, progress=True, download=True):
    """Train one of the paper's models, measure it and write what came out.

    Parameters
    ----------
    size : "small", "medium" or "large".
    out : the JSON file to write. A checkpoint stands beside it, from which a stopped run goes on.
    epochs : None for the paper's; fewer make a shorter run, which the file says.
    smoke : one epoch over the first 30,000 words, tested on 5,000: it shows that all parts work, no more.
    seed : of the first weights and the dropout.
    progress : as in `train`.
    download : False leaves the network alone.

    Returns
    -------
    record : dict, as written.

    Raises
    ------
    FileNotFoundError
        when the Penn Treebank is not there; the sentence says where to put it.
    ValueError
        when the size is unknown, the folder of `out` is missing, or the checkpoint beside it is of another run.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; it must be {', '.join(map(repr, SIZES))}")
    out, settings = Path(out), SIZES[size]
    if not out.resolve().parent.is_dir():
        raise ValueError(f"out names {out}, but the folder {out.resolve().parent} does not exist: make it first")
    epochs = 1 if smoke else epochs or settings.epochs
    words, texts = treebank(smoke, download)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = network(settings, len(words), seed).to(device)
    history = train(
        model,
        texts["train"],
        epochs=epochs,
        batch_size=settings.batch_size,
        k=settings.k,
        lr=settings.lr,
        optimizer=torch.optim.SGD,
        schedule=settings.factor,
        clip=settings.clip,
        over_steps="sum",
        valid=texts["valid"],
        checkpoint=checkpoint_beside(out),
        seed=seed,
        progress=progress,
    )
    nll, tokens = evaluate(model, texts["test"], batch_size=1, k=200)
    record = {
        "paper": "Zaremba, Sutskever and Vinyals (2014), Recurrent Neural Network Regularization, arXiv:1409.2329",
        "size": size,
        "settings": asdict(settings),
        "seed": seed,
        "epochs": epochs,
        "whole": not smoke and epochs == settings.epochs,
        "corpus": {"name": "Penn Treebank", "vocabulary": len(words)} | {name: len(ids) for name, ids in texts.items()},
        "parameters": sum(p.numel() for p in model.parameters()),
        "history": history,
        "test_perplexity": perplexity(nll, tokens),
        "published": {"valid": settings.valid, "test": settings.test},
        "seconds": history["seconds"][-1],
        **described(device),
    }
    with written_aside(out) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())
    return record


def treebank(smoke=False, download=True):
    """The vocabulary of the training text, and {"train", "valid", "test": ids}."""
    texts = {split: data.ptb(split, download) for split in ("train", "valid", "test")}
    words = Vocabulary(texts["train"], specials=())
    if smoke:
        texts = {"train": texts["train"][:SMOKE_TRAIN]} | {name: texts[name][:SMOKE_TEST] for name in ("valid", "test")}
    return words, {split: words.encode(text) for split, text in texts.items()}


def network(settings, size, seed):
    """The paper's model with its first weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LanguageModel(size, settings.hidden, settings.hidden, settings.layers, "lstm", settings.dropout)
        for weight in model.parameters():
            torch.nn.init.uniform_(weight, -settings.init, settings.init)
    return model
