"""`seqlab train zaremba` and `seqlab train letters`: language models that a chapter's minute is too short for."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running


class Size(enum.StrEnum):
    """The models of the paper."""

    small = "small"
    medium = "medium"
    large = "large"


class Cell(enum.StrEnum):
    """What a recurrent layer is made of."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"


@app.command(
    epilog="Compares the test perplexity with the published 114.5 (small), 82.7 (medium) or 78.4 (large). Meant for a "
    "GPU; on a CPU, try --smoke. Stop it with Ctrl-C and run the same line again to go on. The corpus is looked for in "
    "the folder that SEQLAB_DATA names."
)
def zaremba(
    out: Annotated[Path, typer.Option(help="The JSON file to write; a checkpoint stands beside it.")],
    size: Annotated[Size, typer.Option(help="200, 650 or 1500 units in each of two layers.")] = Size.small,
    epochs: Annotated[int | None, typer.Option(min=1, help="Fewer epochs than the paper's 13, 39 or 55.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="One epoch over a small part: do all parts work?")] = False,
    seed: Annotated[int, typer.Option(help="Of the first weights and the dropout.")] = 0,
    download: Annotated[bool, typer.Option(help="Fetch the corpus when it is not there.")] = True,
):
    """Train the LSTM of Zaremba et al. (2014) on the Penn Treebank, with the settings of the paper."""
    if smoke and epochs is not None:
        raise ValueError("--smoke is one epoch over a small part: leave out --epochs")
    from seqlab.files import checkpoint_beside
    from seqlab.lm.zaremba import reproduce

    with running() as (console, progress):
        record = reproduce(size.value, out, epochs=epochs, smoke=smoke, seed=seed, progress=progress, download=download)
    console.print(
        f"test perplexity {record['test_perplexity']:.1f} after {_epochs(record['epochs'])}"
        f"{' over a small part of the text' if smoke else ''}; published {record['published']['test']}"
        f"{'' if record['whole'] else ' for a whole run'}"
    )
    console.print(f"written to {out}; the weights are in {checkpoint_beside(out)}")


@app.command(
    epilog="Stop it with Ctrl-C and run the same line again to go on. Load the file with seqlab.lm.load_letters."
)
def letters(
    out: Annotated[Path, typer.Option(help="The .npz file to write; a checkpoint stands beside it.")],
    corpus: Annotated[str, typer.Option(help="book, shakespeare, or a file of UTF-8 text.")] = "book",
    hidden: Annotated[int, typer.Option(min=1, help="Units of the recurrent layer.")] = 128,
    embedding: Annotated[int, typer.Option(min=1, help="Length of a letter's vector.")] = 32,
    cell: Annotated[Cell, typer.Option(help="What the layer is made of.")] = Cell.lstm,
    dropout: Annotated[float, typer.Option(min=0, max=0.95, help="Before and after the layer.")] = 0.0,
    minutes: Annotated[float | None, typer.Option(help="About how long to train.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often to read the text, instead of --minutes.")] = None,
    seed: Annotated[int, typer.Option(help="Of the first weights and the dropout.")] = 0,
    download: Annotated[bool, typer.Option(help="Fetch the corpus when it is not there.")] = True,
):
    """Train a small character model and keep its best weights, with a log of how they were made, in one file."""
    from seqlab.lm import sample
    from seqlab.lm.letters import load_letters, train_letters

    with running() as (console, progress):
        log = train_letters(
            corpus,
            out,
            hidden=hidden,
            embedding=embedding,
            cell=cell.value,
            dropout=dropout,
            minutes=minutes,
            epochs=epochs,
            seed=seed,
            progress=progress,
            download=download,
        )
    model, vocabulary, _ = load_letters(out)
    drawn = sample(model, vocabulary.encode(log["first"]), rng=0, temperature=0.7, limit=300)
    console.print(log["first"] + "".join(vocabulary.decode(drawn)), markup=False, style="dim")
    console.print(
        f"perplexity {log['valid_perplexity']:.2f} a letter on the held-out end, best after "
        f"{log['best_epoch']} of {_epochs(log['training']['epochs'])}; written to {out}"
    )


def _epochs(number):
    return f"{number} epoch{'' if number == 1 else 's'}"
