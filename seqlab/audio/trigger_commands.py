"""`seqlab train trigger`: the detector of a trigger word."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running


@app.command(
    epilog="Stop it with Ctrl-C and run the same line again to go on. Load the file with "
    "seqlab.audio.load_trigger(path)."
)
def trigger(
    out: Annotated[Path, typer.Option(help="The .npz file to write, tenth by tenth; a checkpoint stands beside it.")],
    steps: Annotated[int, typer.Option(min=1, help="How many batches of 32 examples of 5 seconds.")] = 1500,
    voices: Annotated[int, typer.Option(min=1, help="How many people to learn from.")] = 300,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the convolution.")] = 64,
    hidden: Annotated[int, typer.Option(min=1, help="Units of each layer of the GRU.")] = 64,
    layers: Annotated[int, typer.Option(min=1, help="Layers of the GRU.")] = 2,
    kernel: Annotated[int, typer.Option(min=4, help="Frames that the convolution sees.")] = 15,
    dropout: Annotated[float, typer.Option(min=0, max=0.99, help="Between the layers, in training.")] = 0.1,
    lr: Annotated[float, typer.Option(min=0, help="The first learning rate; it falls to 0 in a straight line.")] = 3e-3,
    seed: Annotated[int, typer.Option(min=0, help="Of the sounds, the first weights and the drawing.")] = 0,
):
    """Train a detector of the word "activate", on synthesised speech over background noise."""
    from seqlab.audio.trigger import train_trigger

    sizes = {"channels": channels, "hidden": hidden, "layers": layers, "kernel": kernel, "dropout": dropout}
    with running() as (console, progress):
        log = train_trigger(out, steps=steps, voices=voices, **sizes, lr=lr, seed=seed, progress=progress)
    scores, stream = log["scores"], log["stream"]
    console.print(f"average precision {log['curve']['average_precision']:.3f} on {scores['examples']} new recordings")
    counts = f"{scores['hits']} hits, {scores['misses']} misses, {scores['false_alarms']} false alarms"
    console.print(f"at threshold {log['threshold']}: {counts}")
    console.print(f"{stream['false_alarms_an_hour']:.1f} false alarms in an hour of other words")
    if scores["hits"]:
        late = f"{1000 * scores['delay_median']:.0f} ms after the end of the word"
        console.print(f"reported {late} (median; 95 %: {1000 * scores['delay_95']:.0f} ms)")
    console.print(f"{steps} steps in {log['minutes']:.1f} minutes; written to {out}")
