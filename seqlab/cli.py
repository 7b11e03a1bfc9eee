"""The command line: `seqlab --help` lists its commands, for students, instructors, authors and this machine.

Whatever goes wrong is told in one sentence and ends with status 2. `SEQLAB_TRACEBACK=1` shows where it came from.
"""

import errno
import os
import sys

import typer

from seqlab import train_commands
from seqlab.attention import commands as _attention  # noqa: F401  adds its commands to `seqlab train`
from seqlab.audio import commands as _audio  # noqa: F401  adds its commands to `seqlab train`
from seqlab.audio import trigger_commands as _trigger  # noqa: F401  adds its commands to `seqlab train`
from seqlab.embeddings import commands as _embeddings  # noqa: F401  adds its commands to `seqlab train`
from seqlab.grading import (
    author_commands,
    class_commands,
    gradescope_commands,
    instructor_commands,
    ledger_commands,
    student_commands,
)
from seqlab.grading import commands as grading
from seqlab.lm import commands as _lm  # noqa: F401  adds its commands to `seqlab train`
from seqlab.seq2seq import caption_commands as _captions  # noqa: F401  adds its commands to `seqlab train`
from seqlab.seq2seq import commands as _seq2seq  # noqa: F401  adds its commands to `seqlab train`

STOPPED = 130
STUDENT, INSTRUCTOR, AUTHOR, MACHINE = "For students", "For instructors", "For authors", "For this machine"

app = typer.Typer(
    help="Sequence models four times over. Take an assignment, check it, grade a class, measure the kernels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, panel in (
    (student_commands.release, STUDENT),
    (student_commands.check, STUDENT),
    (instructor_commands.grade, INSTRUCTOR),
    (instructor_commands.report, INSTRUCTOR),
    (ledger_commands.mark, INSTRUCTOR),
    (ledger_commands.deadline, INSTRUCTOR),
    (ledger_commands.adjust, INSTRUCTOR),
    (ledger_commands.history, INSTRUCTOR),
    (ledger_commands.regrade, INSTRUCTOR),
    (ledger_commands.export, INSTRUCTOR),
    (gradescope_commands.gradescope, INSTRUCTOR),
    (class_commands.similar, INSTRUCTOR),
    (instructor_commands.demo, INSTRUCTOR),
    (author_commands.build, AUTHOR),
    (author_commands.mutants, AUTHOR),
):
    app.command(rich_help_panel=panel)(command)


@app.command(
    rich_help_panel=MACHINE,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context):
    """Measure the kernels against their peers and floors."""
    from seqlab.bench.commands import bench as measure

    inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    inner.command()(measure)
    return inner(args=context.args, prog_name="seqlab bench", standalone_mode=False)


app.command(rich_help_panel=MACHINE)(grading.doctor)
app.add_typer(train_commands.app, name="train", rich_help_panel=MACHINE)


def sentence(wrong):
    """An error as one sentence: what was wrong, where, what to do."""
    if not isinstance(wrong, OSError):
        return str(wrong) or type(wrong).__name__
    where = f" ({wrong.filename})" if wrong.filename else ""
    if wrong.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}: free some space and run the command again; what was there before is kept."
    if isinstance(wrong, PermissionError):
        return f"Permission is denied{where}: change the permissions or choose another place."
    if wrong.errno == errno.EROFS:
        return f"This disk can only be read{where}: choose another place."
    if isinstance(wrong, FileNotFoundError):
        return f"There is no such file or folder{where}: check the name."
    return f"{wrong.strerror or wrong}{where}: check the name or choose another place."


def main(arguments=None):
    """Run the command line; give the exit status."""
    try:
        status = app(args=arguments, prog_name="seqlab", standalone_mode=False)
    except typer.Exit as done:
        status = done.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # `seqlab ... | head`: nobody reads on
        return 0
    except Exception as wrong:
        usage = hasattr(wrong, "format_message")  # typer's own errors, whichever click it stands on
        ours = isinstance(wrong, RuntimeError) and type(wrong).__module__.startswith("seqlab.")
        if os.environ.get("SEQLAB_TRACEBACK") or not (usage or ours or isinstance(wrong, (ValueError, OSError))):
            raise
        context = getattr(wrong, "ctx", None)
        text = wrong.format_message() if usage else sentence(wrong)
        more = f" (`{context.command_path} --help` tells more)" if context is not None else ""
        if text:  # none where a bare `seqlab` has just shown its help
            print(f"{text}{more}", file=sys.stderr)
        return 2
    if status == STOPPED:  # typer turns Ctrl-C into this status
        print("Stopped; what was finished is kept.", file=sys.stderr)
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
