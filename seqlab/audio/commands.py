"""`seqlab train spoken`: the network that writes down spoken digits."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running


class Source(enum.StrEnum):
    """Who speaks."""

    synthetic = "synthetic"
    recorded = "recorded"


@app.command(
    epilog="Stop it with Ctrl-C and run the same line again to go on. Load the file with "
    "seqlab.audio.load_spoken(path=...). The recordings are looked for in the folder that SEQLAB_DATA names."
)
def spoken(
    out: Annotated[Path, typer.Option(help="The .npz file to write, tenth by tenth; a checkpoint stands beside it.")],
    source: Annotated[Source, typer.Option(help="Voices made here, or recordings of people.")] = Source.synthetic,
    steps: Annotated[int, typer.Option(min=1, help="Batches of 32 strings.")] = 1500,
    strings: Annotated[int, typer.Option(min=32, help="How many strings of digits to make and learn from.")] = 6000,
    hidden: Annotated[int, typer.Option(min=1, help="Units of each layer and direction.")] = 80,
    layers: Annotated[int, typer.Option(min=1, help="Recurrent layers.")] = 2,
    subsample: Annotated[int, typer.Option(min=1, help="Frames of 10 ms that the network takes in one step.")] = 3,
    dropout: Annotated[float, typer.Option(min=0, max=0.95, help="Between the layers and before the scores.")] = 0.2,
    lr: Annotated[float, typer.Option(min=0, help="The highest learning rate; it falls to 0 in a line.")] = 4e-3,
    seed: Annotated[int, typer.Option(min=0, help="Of the strings, the first weights and the drawing.")] = 0,
    report: Annotated[Path | None, typer.Option(help="A .json file for the results, besides the log in --out.")] = None,
):
    """Train a small network with CTC to write down strings of spoken digits."""
    from seqlab.audio.spoken_training import train_spoken

    sizes = {"steps": steps, "strings": strings, "hidden": hidden, "layers": layers, "subsample": subsample}
    sizes |= {"dropout": dropout, "lr": lr, "seed": seed}
    with running() as (console, progress):
        log = train_spoken(out, source.value, **sizes, report=report, progress=progress)
    for row in log["errors"]:
        noise = "no noise" if row["snr"] is None else f"{row['snr']:.0f} dB"
        told = f"{row['letters']:.1%} of the letters and {row['words']:.1%} of the words wrong"
        console.print(f"{row['kind']}, {noise}, {row['reader']}: {told}", highlight=False)
    console.print(f"{steps} steps in {log['seconds'] / 60:.1f} minutes; written to {out}")
