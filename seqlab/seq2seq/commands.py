"""`seqlab train addition`, `seqlab train dates`, `seqlab train phrasebook`: the translators kept beside the book."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running

GO_ON = "Stop it with Ctrl-C and run the same line again to go on. Load the file with seqlab.seq2seq"
Out = Annotated[Path, typer.Option(help="The .npz file to write, after every epoch; a checkpoint stands beside it.")]
Epochs = Annotated[int, typer.Option(min=1, help="How often to read the pairs.")]
Pairs = Annotated[int, typer.Option(min=1, help="How many pairs to draw and learn from.")]
Embedding = Annotated[int, typer.Option(min=1, help="Length of a symbol's vector.")]
Hidden = Annotated[int, typer.Option(min=1, help="Units of the encoder and of the decoder.")]
EvenHidden = Annotated[int, typer.Option(min=2, help="Units of encoder and decoder; even, for two directions.")]
Rate = Annotated[float, typer.Option(min=0, help="The first learning rate; it falls to 0 in a straight line.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the pairs, the first weights and the shuffling.")]


class Kind(enum.StrEnum):
    """The three models of the addition task."""

    plain = "plain"
    reversed = "reversed"
    peeking = "peeking"


@app.command(epilog=f"{GO_ON}.load_addition(path=...).")
def addition(
    out: Out,
    kind: Annotated[Kind, typer.Option(help="peeking also reads the question reversed.")] = Kind.peeking,
    epochs: Epochs = 4,
    pairs: Pairs = 45_000,
    digits: Annotated[int, typer.Option(min=1, max=9, help="The most digits of a number.")] = 3,
    embedding: Embedding = 16,
    hidden: Hidden = 128,
    lr: Rate = 0.01,
    seed: Seed = 0,
):
    """Train a small encoder-decoder on sums written as text, "16+75" to "91"."""
    from seqlab.seq2seq.shipped import load_addition, train_addition

    sizes = {"epochs": epochs, "pairs": pairs, "digits": digits, "embedding": embedding, "hidden": hidden, "lr": lr}
    with running() as (console, progress):
        log = train_addition(out, kind.value, **sizes, seed=seed, progress=progress)
    _show(console, load_addition(path=out), ["16+75", "7+8", "9" * digits + "+1"])
    _tell(console, f"{log['exact']:.1%} of {log['training']['held_out']} held-out sums right", log, out)


@app.command(epilog=f"{GO_ON}.load_dates(path=...).")
def dates(
    out: Out,
    attention: Annotated[bool, typer.Option(help="Additive attention, or one fixed vector.")] = True,
    epochs: Epochs = 2,
    pairs: Pairs = 200_000,
    embedding: Embedding = 16,
    hidden: EvenHidden = 128,
    lr: Rate = 4e-3,
    seed: Seed = 0,
):
    """Train a small encoder-decoder on dates in 28 languages, "September 27, 1994" to "1994-09-27"."""
    from seqlab.seq2seq.shipped import load_dates, train_dates

    sizes = {"epochs": epochs, "pairs": pairs, "embedding": embedding, "hidden": hidden, "lr": lr}
    with running() as (console, progress):
        log = train_dates(out, attention, **sizes, seed=seed, progress=progress)
    _show(console, load_dates(path=out), ["September 27, 1994", "1994년 9월 27일 화요일", "平成6年9月27日"])
    _tell(console, f"{log['exact']:.1%} of {log['training']['held_out']} held-out dates right", log, out)


@app.command(epilog=f"{GO_ON}.load_phrasebook(path=...).")
def phrasebook(
    out: Out,
    epochs: Epochs = 5,
    pairs: Pairs = 60_000,
    embedding: Embedding = 32,
    hidden: EvenHidden = 96,
    lr: Rate = 4e-3,
    seed: Seed = 0,
):
    """Train a small encoder-decoder with attention on the phrase book, French to English, word by word."""
    from seqlab.seq2seq.shipped import load_phrasebook, train_phrasebook

    sizes = {"epochs": epochs, "pairs": pairs, "embedding": embedding, "hidden": hidden, "lr": lr}
    with running() as (console, progress):
        log = train_phrasebook(out, **sizes, seed=seed, progress=progress)
    _show(console, load_phrasebook(out), ["jane visite l' afrique en septembre"])
    loss = f"loss {log['history']['valid_loss'][-1]:.3f} nats a word where the grammar itself has {log['floor']:.3f}"
    _tell(console, f"{log['right']:.1%} of {log['training']['held_out']} held-out sentences right, {loss}", log, out)


def _show(console, translator, texts):
    for text, answer in zip(texts, translator.answers(texts), strict=True):
        console.print(f"{text} -> {answer}", markup=False, style="dim")


def _tell(console, result, log, out):
    epochs = log["training"]["epochs"]
    console.print(f"{result} after {epochs} epoch{'' if epochs == 1 else 's'}; written to {out}", markup=False)
