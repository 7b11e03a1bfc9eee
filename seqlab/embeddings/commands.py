"""`seqlab train words`: word vectors that a chapter's minute is too short for."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.train_commands import app, running

SHOWN = ("king", "brother", "sword", "night")  # words whose neighbours are shown, where the text has them


@app.command(
    epilog="Stop it with Ctrl-C and run the same line again to go on. Load the file with seqlab.embeddings.load_words."
)
def words(
    out: Annotated[Path, typer.Option(help="The .npz file to write; a checkpoint stands beside it.")],
    corpus: Annotated[str, typer.Option(help="shakespeare, book, or a file of UTF-8 text.")] = "shakespeare",
    dim: Annotated[int, typer.Option(min=1, help="Length of a vector.")] = 100,
    window: Annotated[int, typer.Option(min=1, help="The furthest word that is still near.")] = 5,
    negative: Annotated[int, typer.Option(min=1, help="Words of noise for each pair.")] = 5,
    subsample: Annotated[
        float, typer.Option(min=0, help="Share of the text above which words are thinned out.")
    ] = 1e-4,
    min_count: Annotated[int, typer.Option(min=1, help="Rarer words are left out.")] = 8,
    epochs: Annotated[int, typer.Option(min=1, help="How often to read the text.")] = 40,
    lr: Annotated[float, typer.Option(help="Learning rate; it falls to 0 in a straight line.")] = 0.025,
    seed: Annotated[int, typer.Option(min=0, help="Of the first vectors and all that is drawn.")] = 0,
    download: Annotated[bool, typer.Option(help="Fetch the corpus when it is not there.")] = True,
):
    """Train skip-gram word vectors and keep them, with a log of how they were made, in one file."""
    from seqlab.embeddings.words import load_words, train_words

    with running() as (console, progress):
        log = train_words(
            corpus,
            out,
            dim=dim,
            window=window,
            negative=negative,
            subsample=subsample,
            min_count=min_count,
            epochs=epochs,
            lr=lr,
            seed=seed,
            progress=progress,
            download=download,
        )
    vectors = load_words(out)
    for word in [word for word in SHOWN if word in vectors] or vectors.words[:4]:
        near = ", ".join(other for other, _ in vectors.nearest(word, min(6, len(vectors) - 1)))
        console.print(f"{word}: {near}", markup=False, style="dim")
    console.print(
        f"{len(vectors):,} words, loss {log['history']['loss'][-1]:.3f} a pair after {epochs} "
        f"epoch{'' if epochs == 1 else 's'}; written to {out}"
    )
