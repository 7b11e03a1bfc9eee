"""Says in plain words what Python's and NumPy's messages mean, for a student who meets them for the first time."""

import difflib
import re

from seqlab.grading.intake import DEFINED

ARRAY = r"an? [\w ]+ of shape \(([\d, ]*)\) and dtype (\w+)"
SHAPES = re.compile(f"it should be {ARRAY}, it is {ARRAY}")
RULES = (
    (r"it is None\b", "Your function gives nothing back: is there a `return`?"),
    (r"'NoneType' object", "Something here is None: is there a `return` in each function?"),
    (r"^it ended the process", "Something in your code ends Python itself, such as exit() or os._exit()."),
    (
        r"array split does not result in an equal division",
        "np.split cuts along axis 0 unless you give another, and the size there must be a multiple of the parts.",
    ),
    (r"it was still running after", "Is there a loop that never ends?"),
    (r"raised NotImplementedError", "The line `raise NotImplementedError` is still there: put your code in its place."),
    (
        r"matmul: .*\(size (\d+) is different from (\d+)\)",
        "In A @ B the last axis of A must be as long as the last axis but one of B; here they are \\2 and \\1.",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)",
        "In a product A @ B the columns of A must be as many as the rows of B; here they are \\2 and \\3.",
    ),
    (
        r"could not be broadcast together|must match the size of tensor",
        "These arrays do not fit: compare their shapes from the right. Each pair of sizes must be equal, or one is 1.",
    ),
    (
        r"shapes .* not aligned",
        "In this product the last axis of the first array must be as long as the last but one of the second.",
    ),
    (r"cannot unpack non-iterable|not enough values to unpack|too many values to unpack",
     "A different number of values came back than was expected: look at what the function must return."),
    (r"positional arguments? but|missing \d+ required|unexpected keyword argument",
     "The function was called with other arguments than it takes: keep them as they came with the assignment."),
    (r"(IndentationError|TabError)", "The lines of one block must begin in the same column, all with spaces."),
    (r"SyntaxError", "Python cannot read this line or the one before: look for a missing bracket, quote or colon."),
    (r"index (-?\d+) is out of bounds for (?:axis|dimension) (\d+) with size (\d+)",
     "Axis \\2 has the places 0 to \\3 - 1, and place \\1 was asked for."),
    (r"only (?:integer|length-1|0-dimensional)", "One number is needed here, and an array was given."),
    (r"assignment destination is read-only", "This array must not be changed: make a copy first."),
)  # fmt: skip


def plainly(told, stub="", source=""):
    """One sentence that says a message in plain words; "" where it is plain already.

    Parameters
    ----------
    told : what the grader says of a check.
    stub, source : the answer's cell as it came, and as the student wrote it.
    """
    shapes = SHAPES.search(told)
    if shapes:
        return _of_shapes(*shapes.groups())
    missing = re.search(r"NameError: name '(\w+)' is not defined", told)
    if missing:
        return _of_name(missing[1], stub, source)
    attribute = re.search(r"module 'numpy' has no attribute '(\w+)'", told)
    if attribute:
        import numpy as np

        near = difflib.get_close_matches(attribute[1], dir(np), 1)
        return f"Check the spelling: did you mean np.{near[0]}?" if near else "Check the spelling."
    for pattern, words in RULES:
        found = re.search(pattern, told)
        if found:
            return found.expand(words)
    return ""


def _of_shapes(want, want_type, have, have_type):
    wanted, had = ([int(n) for n in text.split(",") if n.strip()] for text in (want, have))
    if wanted == had:
        return f"The shape is right; the numbers should be of type {want_type}, not {have_type}."
    if sorted(wanted) == sorted(had):
        return "The sizes are right, and their order is not: are two axes exchanged?"
    if len(wanted) != len(had):
        more = "too many" if len(had) > len(wanted) else "too few"
        return f"The result has {more} axes: {len(had)} in place of {len(wanted)}."
    wrong = [axis for axis, sizes in enumerate(zip(wanted, had, strict=True)) if sizes[0] != sizes[1]]
    return f"Axis {wrong[0]} has the size {had[wrong[0]]} in place of {wanted[wrong[0]]}."


def _of_name(name, stub, source):
    asked, own = set(DEFINED.findall(stub)), set(DEFINED.findall(source))
    if name in asked and name not in own:
        near = difflib.get_close_matches(name, own, 1)
        told = f" (it defines {near[0]!r})" if near else ""
        return f"The check calls {name!r}, and your cell does not define it{told}: keep the function's name."
    near = difflib.get_close_matches(name, re.findall(r"[A-Za-z_]\w+", source.replace(name, "", 1)), 1, 0.8)
    near = [one for one in near if one != name]
    return f"Check the spelling: did you mean {near[0]!r}?" if near else ""
