"""What each number of the corpus stands for, what defends against it, and which cases show that it does.

python -m tests.grading.hostile.catalogue        writes the table of README.md anew
"""

import functools
import tempfile
from pathlib import Path

from tests.grading.hostile.classes import ARCHIVES, make_class
from tests.grading.hostile.corpus import CASES

README = Path(__file__).with_name("README.md")
BY_VALUE = "values leave the kernel as typed data; they are compared elsewhere"
NO_VERDICT = "no verdict is reached in the kernel: what was not emitted earns nothing"
NOT_THERE = "neither expected values nor hidden checks are where the code can look"
NAMESPACE = "a process namespace of its own, killed as a whole"
TIME = "a deadline for a cell and for the notebook, then a kill from outside"
NETWORK = "a network namespace of its own, with nothing in it"
LIMITS = "limits of the sandbox: processes, memory, file size, small file systems in memory"
SHOWN = "cleaned when recorded, escaped when shown; pages allow no script"
MASKED = "closed modules are replaced by mounts, for every process of the sandbox"
CATALOGUE = {
    1: ("an object that equals everything", BY_VALUE),
    2: ("a number or an array that equals everything", BY_VALUE),
    3: ("a value that lies about its text", BY_VALUE),
    4: ("a float where an int is due", BY_VALUE),
    5: ("syntax trees rewritten before they run", NO_VERDICT),
    6: ("source rewritten before it runs", NO_VERDICT),
    7: ("exceptions swallowed", NO_VERDICT),
    8: ("tracebacks switched off", NO_VERDICT),
    9: ("the shell made to run nothing", NO_VERDICT),
    10: ("helpers that compare, patched", "the comparison runs in another process"),
    11: ("expected values read from the folder", NOT_THERE),
    12: ("the caller's frame searched", NOT_THERE),
    13: ("the check's source searched", NOT_THERE),
    14: ("values emitted by somebody else", "one value for each that is due; more of them fail"),
    15: ("forged messages on the output channel", "a forger does not know what to forge: each has inputs of its own"),
    16: ("hidden inputs kept and printed later", "hidden checks run last, and nothing printed then is kept"),
    17: ("hidden inputs coded in errors, time or score", "errors of hidden checks are told by a built-in's name alone"),
    18: ("public answers learnt by heart", "hidden inputs are drawn anew for each submission"),
    19: ("the reference looked for", NOT_THERE),
    20: ("the process ended", "noticed at once; the other answers run again without this one"),
    21: ("exit and quit", "only what passed earns"),
    22: ("sleep and endless loops", TIME),
    23: ("a loop that ignores interrupts", TIME),
    24: ("a process that stops itself", TIME),
    25: ("the parent killed", NAMESPACE),
    26: ("every process killed", NAMESPACE),
    27: ("a daemon that goes on writing", NAMESPACE),
    28: ("a fork bomb", LIMITS),
    29: ("a thread bomb", LIMITS),
    30: ("a memory bomb, in one process, in many, in none", LIMITS + "; the whole sandbox's memory is watched"),
    31: ("memory that leaks slowly, or meanwhile", LIMITS + "; the whole sandbox's memory is watched"),
    32: ("the disk filled", LIMITS),
    33: ("a great many files", LIMITS),
    34: ("endless output", "a cap in the kernel, and one in the grader for a kernel without it"),
    35: ("one enormous output", "messages above a size are dropped unread"),
    36: ("right, with twenty thousand lines of output", "a cap in the kernel, so that the answer's value still comes"),
    37: ("right, with a thread that prints all the time", "values have a channel of their own"),
    38: ("a connection to the network or to the grader's machine", NETWORK),
    39: ("datagrams, names, raw and abstract sockets", NETWORK),
    40: ("libraries and the grader overwritten", "everything but home and /tmp is read-only"),
    41: ("modules planted in the folder", "home is made anew in memory; nothing there is imported by the grader"),
    42: ("startup files planted at home", "home is made anew in memory, and nobody else's"),
    43: ("the kernel's sockets closed or replaced", "sockets are handed in as open descriptors: no path, no folder"),
    44: ("a second client that knows the connection's key", "the key opens nothing that is worth knowing"),
    45: ("a value that runs a command when unpickled", "nothing is ever unpickled"),
    46: ("reports and records overwritten", "they are written elsewhere, after the sandbox is gone"),
    47: ("magics and comments that speak to nbval", "cells of the canonical notebook alone are nbval's"),
    48: ("namespaces, mounts, tracing", "no capability, no user namespaces within the sandbox"),
    49: ("output changed after the cell", "the verdict is taken when the cell ends"),
    50: ("an unterminated string, no newline at the end", "cells are run one by one, never joined"),
    51: ("not a notebook, or one in another encoding", "one parser with limits; damage is told in a sentence"),
    52: ("nested without end, numbers without end", "limits on depth and digits"),
    53: ("other versions of the format", "only cells and sources are read, of any version"),
    54: ("far too large: outputs, cells, the file", "limits on bytes and cells; outputs are never read"),
    55: ("links to other files", "links are told, never followed"),
    56: ("pipes and sockets in the place of files", "only plain files are opened"),
    57: ("null characters, half letters, sources of other types", "mended where that is safe, and a person is told"),
    58: ("letters that run backwards or only look right", "shown by their numbers; a name is what its letters are"),
    59: ("the same cell or key twice", "one is chosen by a fixed rule, and a person is told"),
    60: ("cells deleted, moved, retyped, copied", "answers are found by id, mark or what they define"),
    61: ("points, roles, tags and kernel edited", "nothing but the answers is taken from the notebook"),
    62: ("archives: bombs, ways out, links, devices", "read entry by entry within limits, never unpacked to the disk"),
    63: ("HTML and terminal codes in output", SHOWN),
    64: ("names that a spreadsheet would run", "a leading apostrophe; one line a student, whatever the name"),
    65: ("names with line breaks, options, 255 bytes, twins", "names are data: no shell, and files named by a hash"),
    66: ("NaN, infinities, -0.0, objects, a million dimensions", "a decoder with limits on kinds, shapes and sizes"),
    67: ("the grader killed at a random instant", "each record is written at once and for good; the rest is run again"),
    68: ("the same submission a hundred times side by side", "a record depends on bytes, assignment and grader alone"),
    69: ("a closed module by every way to import", MASKED),
    70: ("a closed module already in memory", "a kernel starts without it"),
    71: ("a closed module from its compiled form", MASKED),
    72: ("a closed module in another Python", MASKED),
    73: ("the masks taken off", "mounts of a namespace in which the code has no rights; other copies are hidden too"),
    74: ("a closed module by pickle and inspect", MASKED),
    75: ("a closed module handed on by an open answer", "answers of another book run in another kernel"),
    76: ("every open descriptor read and written", "none leads further than to the one who grades this submission"),
    77: ("the work of others looked for", "one submission a sandbox; no other is mounted or in memory"),
    78: ("traps laid for the next student", "every kernel starts from the same clean state"),
}
ELSEWHERE = {  # what takes a machine: number -> tests of test_hostile_class.py
    62: ("test_an_archive_costs_nobody_else_anything_and_unpacks_nothing",),
    67: ("test_killed_at_random_instants_the_class_comes_out_the_same",),
    68: ("test_the_same_submission_a_hundred_times_side_by_side_gives_one_record",),
}


@functools.cache
def cases():
    """What shows each number: {number: [(name, score, outcome), ...]}."""
    found = {number: [] for number in CATALOGUE}
    for case in CASES:
        found.setdefault(case.number, []).append((case.name.replace("_", " "), f"{case.score:g}", case.outcome))
    with tempfile.TemporaryDirectory() as place:
        made = make_class(Path(place, "class"))
    known = {case.student for case in CASES}
    for student, expected in made.expected.items():
        if student not in known and expected.number:
            found.setdefault(expected.number, []).append((expected.what, f"{expected.score:g}", expected.outcome))
    found[62] += [(name.replace("_", " "), "", "told") for name in ARCHIVES]
    for number, tests in ELSEWHERE.items():
        found[number] += [(f"`{test}`", "", "") for test in tests]
    return found


def _cell(text):
    """A text in a table's cell: no sign of it is Markdown's."""
    kept = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    return "".join(f"\\{letter}" if letter in "|*_<>[]$\\" else letter for letter in kept)


def readme():
    """The text of README.md."""
    lines = [
        "# The hostile corpus",
        "",
        "Submissions that cheat, break things or are broken, and what each must earn. `seqlab grade` grades them all",
        "at once with honest neighbours between; `tests/grading/test_hostile.py` asks what came of it. The tiny",
        "assignment has 12 points: what a case does not touch keeps its points. `python -m",
        "tests.grading.hostile.catalogue` writes this table; a test compares.",
        "",
        "| # | what | defence | cases: points, outcome |",
        "|---|---|---|---|",
    ]
    for number, found in sorted(cases().items()):
        if number == 0:
            continue
        what, defence = CATALOGUE[number]
        shown = []
        for name, score, outcome in found:
            told = ", ".join(part for part in (score, "" if outcome == "graded" else str(outcome)) if part)
            name = name if name.startswith("`") else _cell(name)
            shown.append(f"{name}: {told}" if told else name)
        lines.append(f"| {number} | {what} | {defence} | {'; '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    README.write_text(readme())
