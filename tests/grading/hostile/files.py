"""Files that are no notebook, or an odd one, and what each must earn."""

import json

from seqlab.grading.model import Outcome, State
from tests.grading.hostile.case import FULL, case
from tests.grading.tiny import SOLUTIONS, marked, notebook, submission

# ------------------------------------------------------------------------------- broken or odd files


def refused(number):
    """Register bytes that hold no notebook."""
    return case(number, score=0.0, outcome=Outcome.REFUSED)


@refused(51)
def an_empty_file():
    return b""


@refused(51)
def a_picture():
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


@refused(51)
def a_list():
    return b"[1, 2, 3]"


@refused(51)
def nothing_but_null():
    return b"null"


@refused(51)
def spaces_and_zeros():
    return b" \n\0\0\t" * 100


@refused(51)
def half_a_notebook():
    return submission()[:-200]


@refused(52)
def brackets_without_end():
    return b"[" * 200_000


@refused(52)
def a_notebook_with_deep_metadata():
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    return submission().replace(b'"metadata": {}', b'"metadata": ' + deep, 1)


@refused(52)
def a_number_of_fifty_thousand_digits():
    return b'{"cells": [], "nbformat": ' + b"9" * 50_000 + b"}"


@refused(54)
def more_than_the_size_that_is_taken():
    return submission() + b" " * 21_000_000


@case(51, score=FULL)
def a_byte_order_mark():
    return b"\xef\xbb\xbf" + submission()


@case(51, score=FULL)
def utf_16():
    return submission().decode().encode("utf-16")


@case(53, score=FULL)
def another_version_number():
    return submission(nbformat="4", nbformat_minor=None)


@case(53, score=FULL)
def version_5():
    return submission(nbformat=5, nbformat_minor=0)


@case(53, score=FULL)
def version_99():
    return submission(nbformat=99, nbformat_minor=-1)


@case(53, score=FULL)
def version_3():
    made = notebook({})
    cells = [{"cell_type": "code", "input": cell["source"], "language": "python"} for cell in made["cells"]]
    return json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3, "nbformat_minor": 0, "metadata": {}}).encode()


@case(54, score=FULL)
def ninety_thousand_cells():
    made = notebook({})
    made["cells"] += [{"cell_type": "code", "source": "", "metadata": {}}] * 90_000
    return json.dumps(made).encode()


@refused(54)
def more_cells_than_are_taken():
    made = notebook({})
    made["cells"] += [{"cell_type": "code", "source": ""}] * 100_000
    return json.dumps(made).encode()


@case(54, score=FULL)
def large_outputs():
    made = notebook({})
    made["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 19_000_000}]
    return json.dumps(made).encode()


@case(57, score=8.0, outcome=Outcome.NEEDS_ATTENTION)
def a_source_that_is_a_number():
    made = notebook({})
    made["cells"][2]["source"] = 5
    return json.dumps(made).encode()


@case(57, score=8.0, outcome=Outcome.NEEDS_ATTENTION)
def a_source_within_a_source():
    made = notebook({})
    made["cells"][2]["source"] = [[[made["cells"][2]["source"]]]]
    return json.dumps(made).encode()


@case(59, score=8.0, outcome=Outcome.NEEDS_ATTENTION, total_values=State.FAILED)
def the_same_key_twice_in_the_file():
    right = json.dumps(marked("total", SOLUTIONS["total"]))
    wrong = json.dumps(marked("total", "def total(x):\n    return 0.0\n"))
    return submission().replace(f'"source": {right}'.encode(), f'"source": {right}, "source": {wrong}'.encode())


@case(59, score=8.0, outcome=Outcome.NEEDS_ATTENTION, total_values=State.FAILED)
def the_same_cell_twice_with_other_contents():
    made = notebook({"total": "def total(x):\n    return 0.0\n"})
    made["cells"].append(dict(made["cells"][2], source=marked("total", SOLUTIONS["total"])))
    return json.dumps(made).encode()


@case(60, score=8.0, outcome=Outcome.NEEDS_ATTENTION, total_values=State.NOT_RUN)
def a_deleted_cell():
    return submission({"total": None})


@case(60, score=FULL)
def moved_retyped_and_copied_cells():
    made = notebook({})
    made["cells"] = [dict(cell, cell_type="raw", id=f"x{i}") for i, cell in enumerate(reversed(made["cells"] * 2))]
    return json.dumps(made).encode()


@case(61)
def points_and_tags_edited():
    made = notebook({"total": "def total(x):\n    return 0.0\n"})
    for cell in made["cells"]:
        cell["metadata"] = {"seqlab": {"role": "answer", "points": 1e9}, "tags": ["raises-exception", "nbval-skip"]}
    made["metadata"] = {"kernelspec": {"name": "evil", "display_name": "x"}, "seqlab": {"assignment": "other"}}
    return json.dumps(made).encode()


@case(0, score=FULL)
def an_honest_neighbour():
    return submission()


@case(0, score=0.0)
def an_untouched_release():
    return submission({name: f'raise NotImplementedError("{name}: write your answer here")\n' for name in SOLUTIONS})
