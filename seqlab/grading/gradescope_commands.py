"""`seqlab gradescope`: an autograder for Gradescope."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.commands import BUNDLES, Bundles, bundle_of, terminal


def gradescope(
    name: Annotated[str, typer.Argument(help="The assignment, such as 01_recurrent_step_by_step.")],
    to: Annotated[Path, typer.Option(help="The zip file to write.")],
    hidden: Annotated[
        str, typer.Option(help="When students see hidden checks: visible, after_due_date, after_published, hidden.")
    ] = "after_due_date",
    grace: Annotated[float, typer.Option(help="Minutes after Gradescope's due date that cost nothing.")] = 0.0,
    per_day: Annotated[float, typer.Option(help="Percent taken for each day begun after it.")] = 0.0,
    most: Annotated[float, typer.Option(help="Percent that lateness never exceeds.")] = 100.0,
    refuse_after: Annotated[float | None, typer.Option(help="Days after which nothing counts.")] = None,
    personal: Annotated[str, typer.Option(help="What personal variants were released for: email or name.")] = "email",
    bundles: Bundles = BUNDLES,
):
    """Write an autograder to upload to Gradescope; its image sandboxes and judges as `seqlab grade` does.

    Example: seqlab gradescope 04_gated_units --to 04.zip --per-day 10 --most 50
    """
    import json

    from seqlab.grading.build import load_bundle
    from seqlab.grading.gradescope import Settings, write_zip

    bundle = bundle_of(name, bundles)
    if to.suffix != ".zip" or to.is_dir():
        raise ValueError(f"{to} is no name of a zip file: give one such as {bundle.resolve().name}.zip.")
    settings = Settings(hidden, grace, per_day, most, refuse_after, personal)
    size, assignment, console = write_zip(bundle, to, settings), load_bundle(bundle), terminal()
    gates = json.loads((bundle / "instructor" / "gates.json").read_text(encoding="utf-8"))
    if gates["mutants"] is None:
        console.print("[yellow]This assignment was built with --quick: some gates were left out.[/]", soft_wrap=True)
    console.print(f"{to} is ready ({size / 1e6:.1f} MB). On Gradescope:", soft_wrap=True)
    told = [
        f"make a Programming Assignment with {assignment.points:g} autograder points",
        "upload the file under Configure Autograder, on an image of Ubuntu with at least "
        f"{max(2, round(assignment.memory_mb / 1024) + 1)} GB of memory; the image grades the solution as it is built",
        f"set the time limit to {max(10, -(-int(2 * assignment.total_seconds + 120) // 60))} minutes or more",
    ]
    if written := sum(one.points for one in assignment.manuals):
        told.append(f"allow manual grading: {written:g} points are for written answers")
    for number, line in enumerate(told, start=1):
        console.print(f"  {number}. {line}", soft_wrap=True, markup=False)
