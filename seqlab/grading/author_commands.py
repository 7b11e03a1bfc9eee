"""`seqlab build` and `seqlab mutants`: what authors of assignments run."""

from pathlib import Path
from typing import Annotated

import typer

from seqlab.grading.commands import ASSIGNMENTS, BUNDLES, Bundles, Workers, bar, bundle_of, terminal, write

STAGES = {
    "solution": "solution and stubs",
    "variants": "declared answers",
    "unusual": "unusual right answers",
    "mutants": "mutants",
    "engine": "the real engine",
    "canonical": "canonical notebook",
}


def build(
    folder: Annotated[Path, typer.Argument(help="The assignments' folder, or one assignment's.")] = ASSIGNMENTS,
    only: Annotated[list[str] | None, typer.Option(help="Build this one alone; may be given again.")] = None,
    out: Annotated[Path, typer.Option(help="Where the bundles go.")] = BUNDLES,
    workers: Workers = 2,
    quick: Annotated[bool, typer.Option(help="Leave out mutants and the real engine, while writing.")] = False,
    again: Annotated[bool, typer.Option(help="Build also what is built already.")] = False,
):
    """Build assignments from their sources, and pass every gate. What is built already is left alone."""
    from rich.markup import escape

    from seqlab.grading.build import GateError, is_current
    from seqlab.grading.build import build as make
    from seqlab.grading.source import NOTEBOOK, SourceError

    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one that holds the assignments.")
    found = [folder] if (folder / NOTEBOOK).is_file() else sorted(path.parent for path in folder.glob(f"*/{NOTEBOOK}"))
    if not found:
        raise ValueError(f"{folder} holds no assignment: each is a folder with {NOTEBOOK} in it.")
    names = {path.resolve().name: path for path in found}
    for name in only or []:
        if name not in names:
            raise ValueError(
                f"There is no assignment {name!r} in {folder} (there: {', '.join(names)}): check the name."
            )
    console, failed = terminal(), []
    for name in only or names:
        if not again and is_current(names[name], out / name):
            console.print(f"[bold green]✓ {name}[/]: built already in {out / name}", soft_wrap=True)
            continue
        try:
            with bar(console, {stage: f"{name}: {text}" for stage, text in STAGES.items()}) as progress:
                bundle = make(
                    names[name], out, workers=workers, with_mutants=not quick, with_engine=not quick, progress=progress
                )
        except (SourceError, GateError) as wrong:
            failed.append(name)
            console.print(f"[bold red]✗ {name}[/]: not built; an earlier bundle stays as it is")
            _show_gates(console, getattr(wrong, "gates", ()))
            for line in [] if isinstance(wrong, GateError) else str(wrong).splitlines():
                console.print(f"  {escape(line)}", soft_wrap=True)
            _show_mutants(console, getattr(wrong, "alive", ()))
            continue
        _show_built(console, name, bundle)
    if failed:
        console.print(f"Not built: {', '.join(failed)}. Correct what is named above and build again.")
    return 2 if failed else 0


def _show_gates(console, gates):
    from rich.markup import escape

    for gate in gates:
        console.print(
            f"  {'[green]✓[/]' if gate.ok else '[red]✗[/]'} {gate.name}" + (f": {gate.detail}" if gate.detail else ""),
            soft_wrap=True,
        )
        for failure in gate.failures:
            console.print(f"      {escape(failure)}", soft_wrap=True)


def _show_mutants(console, alive):
    from rich.syntax import Syntax

    for mutant in alive:
        console.print(f"  [yellow]nobody noticed[/] {mutant.id}")
        console.print(Syntax(mutant.diff, "diff", background_color="default"))


def _show_built(console, name, bundle):
    import json

    from seqlab.grading.build import Gate

    report = json.loads((bundle / "instructor" / "gates.json").read_text(encoding="utf-8"))
    console.print(f"[bold green]✓ {name}[/]: built in {bundle}", soft_wrap=True)
    _show_gates(console, [Gate(gate["name"], gate["detail"]) for gate in report["gates"]])
    if report["mutants"] is None:
        console.print("  [yellow]built with --quick: some gates were left out[/]")
        return
    console.print(f"  what each check is worth: {bundle / 'instructor' / 'mutants.html'}", soft_wrap=True)


def mutants(
    names: Annotated[list[str] | None, typer.Argument(help="Assignments; all that are built when left out.")] = None,
    to: Annotated[Path | None, typer.Option(help="Write the table here as well: a .md or .html file.")] = None,
    bundles: Bundles = BUNDLES,
):
    """Show how many mutants of the solutions the checks notice, as the last builds found it."""
    from rich.table import Table

    from seqlab.grading import mutation

    if to is not None and to.suffix not in (".md", ".html"):
        raise ValueError(f"{to} must end in .md or .html: give the page such a name.")
    found = names or sorted(path.parent.parent.name for path in bundles.glob(f"*/instructor/{mutation.DATA}"))
    if not found:
        raise ValueError(f"No assignment in {bundles} has a report on its mutants: run `seqlab build`.")
    every = [mutation.load(bundle_of(name, bundles)) for name in found]
    console, table = terminal(), Table(box=None)
    for number, title in enumerate(mutation.COLUMNS):
        table.add_column(title, justify="right" if number else "left")
    for one in every:
        table.add_row(*mutation.line(one))
    if len(every) > 1:
        table.add_row(*mutation.total(every), style="bold")
    console.print(table)
    for one in every if names else ():
        _show_survivors(console, one)
    if to is not None:
        write(to, mutation.markdown(every) if to.suffix == ".md" else mutation.summary(every))
        console.print(f"Written to {to}.")
    return 0


def _show_survivors(console, found):
    from rich.markup import escape
    from rich.syntax import Syntax

    for one in found["mutants"]:
        if one["state"] == "survivor":
            console.print(f"[yellow]lives[/] {one['id']}: {escape(one['why'])}", soft_wrap=True)
            console.print(Syntax(one["diff"], "diff", background_color="default"))
