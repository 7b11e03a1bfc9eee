"""`python -m seqlab.bench.experiments [--out FILE]`: measure every experiment again."""

import json
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from seqlab.bench.experiments import EXPERIMENTS, run
from seqlab.files import written_aside


def main(out: Annotated[Path | None, typer.Option(help="Write the outcomes to this JSON file.")] = None):
    """Measure every experiment again, and show what was predicted beside what came out."""
    if out is not None and not out.resolve().parent.is_dir():
        typer.echo(f"--out names {out}, but its folder does not exist; make it first", err=True)
        raise typer.Exit(2)
    with tqdm(total=len(EXPERIMENTS), unit="experiment") as bar:
        report = run(on_step=lambda name: bar.update())
    for experiment in EXPERIMENTS:
        outcome = report["outcomes"][experiment.name]["outcome"]
        verdict = "right" if experiment.right(outcome) else "wrong"
        typer.echo(f"{verdict}  predicted {experiment.predicted:g}, found {outcome:.3g}: {experiment.title}")
    if out is not None:
        with written_aside(out) as file:
            file.write((json.dumps(report, indent=1) + "\n").encode())


if __name__ == "__main__":
    typer.run(main)
