"""A tiny assignment, made in memory: three answers, public and hidden checks, one answer with closed modules."""

import json

from seqlab.grading.model import Answer, Assignment, Cell, Check

SOLUTIONS = {
    "double": "def double(x):\n    return 2 * x\n",
    "total": "def total(x):\n    return float(x.sum())\n",
    "softmax": "def softmax(z):\n    e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
    "    return e / e.sum(axis=-1, keepdims=True)\n",
}
CLOSED = {"softmax": ("torch", "scipy.special")}
HEAD = "from seqlab.grading.emit import emit, inputs\n\n"
CHECKS = {
    "double-values": (
        "double",
        True,
        2.0,
        "rng = inputs('double-values')\nx = rng.normal(size=(2, 3))\nemit(double(x.copy()))\n",
    ),
    "double-hidden": (
        "double",
        False,
        1.0,
        "rng = inputs('double-hidden')\nemit(double(rng.normal(size=4)))\nemit(double(3))\n",
    ),
    "total-values": ("total", True, 2.0, "rng = inputs('total-values')\nemit(total(rng.normal(size=5)))\n"),
    "total-hidden": ("total", False, 2.0, "rng = inputs('total-hidden')\nemit(total(rng.normal(size=(3, 2))))\n"),
    "softmax-values": (
        "softmax",
        True,
        2.0,
        "rng = inputs('softmax-values')\nemit(softmax(rng.normal(size=(2, 4))))\n",
    ),
    "softmax-large": (
        "softmax",
        False,
        3.0,
        "rng = inputs('softmax-large')\nemit(softmax(rng.normal(size=(2, 4)) + 1e4))\n",
    ),
}


def marked(name, source):
    """An answer cell as the release has it: with its mark at the top."""
    return f"# answer: {name}\n{source}"


def make_assignment(cell_seconds=3.0, total_seconds=30.0, memory_mb=1024):
    """The assignment; its limits are short, because its tests run into them."""
    cells = [Cell("title", "text", "# Tiny"), Cell("imports", "provided", "import numpy as np\n")]
    answers, checks = [], []
    for name, solution in SOLUTIONS.items():
        stub = marked(name, f'raise NotImplementedError("{name}: write your answer here")\n')
        answers.append(Answer(name, name.title(), marked(name, solution), stub, CLOSED.get(name, ())))
        cells.append(Cell(name, "answer", marked(name, solution)))
        for check, (answer, visible, points, source) in CHECKS.items():
            if answer == name:
                title = check.replace("-", " ")
                hint = f"look at {name} again"
                checks.append(Check(check, name, title, points, visible, HEAD + source, "", hint=hint))
                cells.append(Cell(check, "check", HEAD + source))
    return Assignment(
        "00_tiny", "Tiny", tuple(cells), tuple(answers), tuple(checks), cell_seconds, total_seconds, memory_mb
    )


def notebook(answers, **changes):
    """A notebook of format 4 whose answer cells hold these sources, as a dict."""
    cells = [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Tiny"}]
    for name, solution in SOLUTIONS.items():
        source = answers.get(name, solution)
        if source is not None:
            cells.append(
                {
                    "cell_type": "code", "id": name, "metadata": {}, "source": marked(name, source),
                    "outputs": [], "execution_count": None,
                }
            )  # fmt: skip
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | changes


def submission(answers=None, **changes):
    """The bytes of such a notebook."""
    return json.dumps(notebook(answers or {}, **changes)).encode()
