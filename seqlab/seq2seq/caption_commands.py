"""`seqlab train captions`: the two models that describe pictures of shapes."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running


@app.command(
    epilog="Stop it with Ctrl-C and run the same line again to go on. Load the file with "
    "seqlab.seq2seq.load_captions(path=...)."
)
def captions(
    out: Annotated[Path, typer.Option(help="The .npz file to write, tenth by tenth; a checkpoint stands beside it.")],
    attention: Annotated[bool, typer.Option(help="Look at each word, or hear one vector of the picture.")] = True,
    steps: Annotated[int, typer.Option(min=1, help="How many batches of 64 pictures.")] = 5000,
    pictures: Annotated[int, typer.Option(min=1, help="How many pictures to draw and learn from.")] = 20_000,
    embedding: Annotated[int, typer.Option(min=1, help="Length of a word's vector.")] = 32,
    hidden: Annotated[int, typer.Option(min=1, help="Units of the decoder.")] = 128,
    lr: Annotated[float, typer.Option(min=0, help="The first learning rate; it falls to 0 in a straight line.")] = 2e-3,
    seed: Annotated[int, typer.Option(min=0, help="Of the pictures, the first weights and the drawing.")] = 0,
):
    """Train a small network to describe pictures of coloured shapes, with or without attention."""
    from seqlab import data
    from seqlab.seq2seq.caption_training import held_out, train_captions
    from seqlab.seq2seq.captions import load_captions

    sizes = {"steps": steps, "pictures": pictures, "embedding": embedding, "hidden": hidden, "lr": lr, "seed": seed}
    with running() as (console, progress):
        log = train_captions(out, attention, **sizes, progress=progress)
    some = data.shapes_images(held_out(3, seed)["seen"])
    for words in load_captions(path=out).write(some):
        console.print(" ".join(words), markup=False, style="dim")
    for pairs, what in (("seen", "new pictures"), ("unseen", "pictures with a pair of colour and kind never learnt")):
        console.print(f"{what}: {log[pairs]['right']:.1%} right, BLEU {100 * log[pairs]['bleu']:.1f}")
    console.print(f"{steps} steps in {log['seconds'] / 60:.1f} minutes; written to {out}")
