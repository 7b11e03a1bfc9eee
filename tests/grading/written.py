"""The tiny assignment with a written question, and a ledger of a class that answered it."""

import json

from seqlab.grading.ledger import Key
from seqlab.grading.model import State
from seqlab.grading.source import read_source
from tests.grading import course

P, F = State.PASSED, State.FAILED
KEY = Key("assignment", "grader", "environment")
RUBRIC = [
    {"id": "idea", "text": "says that order does not matter", "points": 3},
    {"id": "example", "text": "gives an example", "points": 1},
]
META = {"role": "manual", "id": "why", "title": "Why it commutes", "points": 4, "rubric": RUBRIC}
QUESTION = "Why may you double before or after adding?"


def cell(**changes):
    """The written question as the author's notebook has it; None removes an entry."""
    meta = {key: value for key, value in (META | changes).items() if value is not None}
    return {"id": "why", "cell_type": "markdown", "metadata": {"seqlab": meta}, "source": QUESTION}


def assignment(place, **changes):
    """The tiny assignment with that question, read."""
    return read_source(course.folder(place, [*course.CELLS, cell(**changes)]))


def notebook(cells):
    """The bytes of a notebook with these cells."""
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def fill(book, place, texts):
    """Put a class into a ledger: student -> what she wrote; everybody has 4 of 7 points by the checks."""
    made = assignment(place)
    book.note_assignment(made)
    hashes = {student: f"{number:064x}" for number, student in enumerate(texts)}
    book.note_submissions(course.NAME, list(hashes.items()))
    for student, text in texts.items():
        written = {} if text is None else {"why": text}
        book.add(course.record(hashes[student], [P, F, P], written=written), KEY)
    return made
