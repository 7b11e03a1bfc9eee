"""`seqlab train`: what a chapter's minute is too short for. The rooms add their commands."""

import contextlib

import typer

app = typer.Typer(no_args_is_help=True, help="Train what a chapter's minute is too short for, and write the result.")


@contextlib.contextmanager
def running():
    """A console, and a progress bar for `train`; what stands in the way is told in one sentence."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    aside = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with Progress(*columns, console=aside, transient=True, disable=not aside.is_terminal) as bar:
            task = bar.add_task("getting ready", total=None)

            def progress(done, windows, text):
                bar.update(task, completed=done, total=windows, description=text)

            yield Console(highlight=False, soft_wrap=True), progress
    except FileNotFoundError as wrong:
        raise ValueError(str(wrong)) from wrong  # the sentence of seqlab.data says where to put the file
    except KeyboardInterrupt as stop:
        if str(stop):
            aside.print(str(stop), markup=False)
        raise
