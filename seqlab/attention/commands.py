"""`seqlab train turing`: the copy task, learned by a Neural Turing machine or by an LSTM."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running


class Kind(enum.StrEnum):
    """Who learns to copy."""

    turing = "turing"
    lstm = "lstm"


class Controller(enum.StrEnum):
    """What moves the heads."""

    feedforward = "feedforward"
    lstm = "lstm"


@app.command(
    epilog="Stop it with Ctrl-C and run the same line again to go on. Load the file with seqlab.attention.load_turing."
)
def turing(
    out: Annotated[Path, typer.Option(help="The .npz file to write; a checkpoint stands beside it.")],
    kind: Annotated[Kind, typer.Option(help="A Turing machine, or an LSTM to compare it with.")] = Kind.turing,
    steps: Annotated[int, typer.Option(min=1, help="Batches of 16 sequences.")] = 4000,
    longest: Annotated[int, typer.Option(min=2, help="Vectors in the longest sequence of the training.")] = 20,
    rows: Annotated[int | None, typer.Option(min=3, help="Rows of the memory.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Numbers in a row.")] = None,
    controller: Annotated[Controller | None, typer.Option(help="What moves the heads.")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, help="Units of the controller, or of the LSTM.")] = None,
    seed: Annotated[int, typer.Option(help="Of the first weights and the sequences.")] = 0,
):
    """Learn to repeat sequences of random bits, and measure it on sequences longer than those of the training."""
    memory = {"rows": rows, "width": width, "controller": controller and controller.value}
    sizes = {name: value for name, value in (memory | {"hidden": hidden}).items() if value is not None}
    if kind is Kind.lstm and set(sizes) & set(memory):
        given = next(name for name in memory if name in sizes)
        raise ValueError(f"--{given} is of the Turing machine's memory: an LSTM has --hidden alone")
    from seqlab.attention.copying import train_turing

    with running() as (console, progress):
        log = train_turing(out, kind=kind.value, steps=steps, longest=longest, seed=seed, progress=progress, **sizes)
    for copies in log["copies"]:
        told = zip(log["lengths"], copies["wrong"], strict=True)
        where = "" if copies["rows"] is None else f" with {copies['rows']} rows"
        console.print(f"bits wrong a sequence{where}: " + ", ".join(f"{n} long {wrong:.1f}" for n, wrong in told))
    console.print(f"written to {out} after {log['seconds']:.0f} s of training")
