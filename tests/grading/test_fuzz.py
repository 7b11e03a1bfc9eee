"""Notebooks bent in every way that a machine can think of: intake finds what the student wrote, or says what it lost.

Every change is made by a function of (notebook, rng), so that hypothesis can look for the smallest one that breaks a
law and the real engine can be given the same ones. Three kinds: what changes nothing, what may lose an answer and must
then be told, and bytes of any kind.
"""

import contextlib
import copy
import json
import math
import os
import random
import resource
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.grading.intake import MARKER, NotANotebook, blank, extract
from seqlab.grading.model import Outcome, State
from seqlab.grading.run import grade_many
from tests.grading.tiny import SOLUTIONS, make_assignment, marked, notebook, submission

TINY = make_assignment()
WHOLE = {name: marked(name, source) for name, source in SOLUTIONS.items()}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
JUNK = (
    None, True, False, 0, -1, 10**40, 1.5, math.inf, math.nan, "", "x", "\0", "\ud800", "\u202e", "한", [], {}, [[]],
    [None], [1, "x"], ["x = 1\n"], {"x": {}}, {"id": "other", "source": "x = 1"}, {"source": 7}, {"cells": []},
    {"metadata": {"seqlab": []}}, {"id": ["double"], "source": "y"},
)  # fmt: skip


def taken(content):
    """(answers, problems); a refusal counts as one problem."""
    try:
        return extract(content, TINY)
    except NotANotebook as wrong:
        return {}, [str(wrong)]


def answers_of(made):
    """The cells of the three answers."""
    return [cell for cell in made["cells"] if isinstance(cell, dict) and cell.get("id") in list(SOLUTIONS)]


# --------------------------------------------------------------------------------------- what changes nothing


def shuffled(made, rng):
    rng.shuffle(made["cells"])


def cells_added(made, rng):
    for number in range(rng.randint(1, 4)):
        kind = rng.choice(["code", "markdown", "raw"])
        cell = {"cell_type": kind, "id": f"new-{number}", "metadata": {}, "source": rng.choice(["", "x = 1", "# note"])}
        made["cells"].insert(rng.randint(0, len(made["cells"])), cell)


def outputs_changed(made, rng):
    for cell in answers_of(made):
        cell["outputs"] = rng.choice(
            [[], [{"output_type": "stream", "name": "stdout", "text": "\x1b[31m" * 9}], 5, None]
        )
        cell["execution_count"] = rng.choice([None, 1, -1, 10**30, "7"])


def metadata_lies(made, rng):
    made["metadata"] = rng.choice([{}, None, 7, {"kernelspec": {"name": "../bash"}}, {"language_info": {"name": "R"}}])
    for cell in answers_of(made):
        points = {"points": 1e9, "role": "answer", "id": cell["id"], "closed": []}
        cell["metadata"] = rng.choice([{}, None, [], {"tags": ["raises-exception"]}, {"seqlab": points}, {"seqlab": 3}])


def cells_retyped(made, rng):
    for cell in made["cells"]:
        cell["cell_type"] = rng.choice(["code", "markdown", "raw", "", None, 4])


def versions_changed(made, rng):
    made["nbformat"], made["nbformat_minor"] = rng.choice([(3, 0), (4, 0), (4, 99), (5, 5), ("4", None), (None, [])])


def as_version_3(made, rng):
    cells = [{"input" if key == "source" else key: value for key, value in cell.items()} for cell in made.pop("cells")]
    cut = rng.randint(0, len(cells))
    made["worksheets"] = [{"cells": cells[:cut]}, {"cells": cells[cut:]}]
    made["nbformat"] = 3


def ids_dropped(made, rng):
    for cell in answers_of(made):
        rng.choice([lambda cell: cell.pop("id"), lambda cell: cell.update(id="q7"), lambda cell: cell.update(id=7)])(
            cell
        )


def sources_split(made, rng):
    for cell in answers_of(made):
        cuts = sorted(rng.randint(0, len(cell["source"])) for _ in range(rng.randint(0, 5)))
        cell["source"] = [cell["source"][a:b] for a, b in pairwise([0, *cuts, len(cell["source"])])]


def line_ends_changed(made, rng):
    for cell in answers_of(made):
        cell["source"] = cell["source"].replace("\n", rng.choice(["\r\n", "\r", "\n"]))


def copies_added(made, rng):
    for cell in answers_of(made):
        copied = rng.choice([cell, cell | {"id": "copy"}, cell | {"source": TINY.answers[0].stub, "id": "double"}])
        if copied["source"] == cell["source"] or cell["id"] == "double":
            made["cells"].insert(rng.randint(0, len(made["cells"])), dict(copied))


def fields_added(made, rng):
    for thing in (made, *made["cells"]):
        thing[rng.choice(["extra", "attachments", "signature", ""])] = rng.choice(JUNK)


HARMLESS = (  # in the order in which they can be made: the last two hide whose a cell is and what it says
    shuffled, cells_added, outputs_changed, metadata_lies, cells_retyped, versions_changed, line_ends_changed,
    copies_added, fields_added, sources_split, ids_dropped,
)  # fmt: skip


@given(st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_what_jupyter_or_a_student_may_do_changes_no_answer(changes, rng):
    made = notebook({})
    for change in sorted(changes, key=HARMLESS.index):
        change(made, rng)
    assert extract(json.dumps(made).encode(), TINY) == (WHOLE, [])


@given(st.randoms(use_true_random=False))
def test_a_notebook_of_version_3_gives_the_same(rng):
    made = notebook({})
    as_version_3(made, rng)
    assert extract(json.dumps(made).encode(), TINY) == (WHOLE, [])


@given(
    st.dictionaries(st.sampled_from(sorted(SOLUTIONS)), st.text(st.characters(exclude_categories=["Cs"]), max_size=60)),
    st.sampled_from(ENCODINGS),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
)
def test_every_encoding_and_layout_of_the_file_gives_the_same(sources, encoding, escaped, indent):
    made = notebook(sources)
    plain = extract(json.dumps(made).encode(), TINY)
    assert extract(json.dumps(made, ensure_ascii=escaped, indent=indent).encode(encoding), TINY) == plain


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=80))
def test_what_was_written_comes_out_letter_by_letter(text):
    answers, problems = extract(submission({"double": text}), TINY)
    assert answers["double"] == marked("double", text)
    assert problems == [] or "claims to be" in problems[0]
    assert extract(json.dumps(notebook({}) | {"cells": rebuilt(answers)}).encode(), TINY)[0] == answers


def rebuilt(answers):
    """Cells that hold these answers and nothing else."""
    return [{"cell_type": "code", "id": name, "metadata": {}, "source": source} for name, source in answers.items()]


# -------------------------------------------------------------------------------- what may lose an answer


def field_dropped(made, rng):
    cell = rng.choice(answers_of(made))
    cell.pop(rng.choice(sorted(cell)))


def field_replaced(made, rng):
    cell = rng.choice(answers_of(made))
    name = rng.choice(sorted(cell))
    cell[name] = rng.choice([one for one in JUNK if name != "source" or not is_source(one)])


def is_source(value):
    """Whether a student may have written this into a cell."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def cell_dropped(made, rng):
    made["cells"].remove(rng.choice(answers_of(made)))


def cell_replaced(made, rng):
    made["cells"][made["cells"].index(rng.choice(answers_of(made)))] = rng.choice(JUNK)


def cells_replaced(made, rng):
    made["cells"] = rng.choice(JUNK)


def cells_nested(made, rng):
    made["cells"] = rng.choice(
        [[made["cells"]], {"0": made["cells"]}, made["cells"][0], [*made["cells"][:2], made["cells"]]]
    )


def second_attempt(made, rng):
    cell = rng.choice(answers_of(made))
    made["cells"].insert(rng.randint(0, len(made["cells"])), cell | {"source": "x = 1"})


def ids_swapped(made, rng):
    one, two = rng.sample(answers_of(made), 2)
    one["id"], two["id"] = two["id"], one["id"]


def id_taken(made, rng):
    one, two = rng.sample(answers_of(made), 2)
    one["id"] = two["id"]


def metadata_claims_another(made, rng):
    one, two = rng.sample(answers_of(made), 2)
    one["metadata"] = {"seqlab": {"role": "answer", "id": two["id"]}}


def mark_of_another(made, rng):
    one, two = rng.sample(answers_of(made), 2)
    one["source"] = f"# answer: {two['id']}\n" + one["source"]


def no_text_inside(made, rng):
    cell = rng.choice(answers_of(made))
    place = rng.randint(0, len(cell["source"]))
    cell["source"] = cell["source"][:place] + rng.choice(["\0", "\ud800", "\udfff\udc00"]) + cell["source"][place:]


def without_end(made, rng):
    cell = rng.choice(answers_of(made))
    cell["source"] += "#" * 200_001


HARMFUL = (
    field_dropped, field_replaced, cell_dropped, cell_replaced, cells_replaced, cells_nested, second_attempt,
    ids_swapped, id_taken, metadata_claims_another, mark_of_another, no_text_inside,
)  # fmt: skip


def unmarked(source):
    """A source without the comments that say whose it is."""
    return MARKER.sub("", source).strip()


def always_orderly(content):
    """The law of any file: answers of known names as text, sentences of one line; give both."""
    answers, problems = taken(content)
    assert set(answers) <= set(SOLUTIONS)
    for source in answers.values():
        assert isinstance(source, str)
        source.encode("utf-8")
        assert "\0" not in source
    assert all(problem and len(problem.splitlines()) == 1 for problem in problems)
    return answers, problems


def never_silent(content):
    """The law of a damaged notebook: an answer comes out as it was written, or there is a sentence."""
    answers, problems = always_orderly(content)
    stubs = {answer.id: answer.stub for answer in TINY.answers}
    changed = {name for name in WHOLE if name not in answers or unmarked(answers[name]) != unmarked(WHOLE[name])}
    # where nothing but the release's own empty cell is left, the record says so: "the answer is still empty"
    assert all(name in answers and blank(answers[name], stubs[name]) for name in changed) or problems


@given(
    st.lists(st.sampled_from(HARMLESS), max_size=2, unique=True),
    st.lists(st.sampled_from(HARMFUL), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_an_answer_that_is_lost_or_damaged_is_told(before, changes, rng):
    made = notebook({})
    for change in sorted(before, key=HARMLESS.index):
        change(made, rng)
    for change in changes:
        if not isinstance(made["cells"], list) or len(answers_of(made)) < 2:
            break
        if all(isinstance(cell.get("source"), str) for cell in answers_of(made)):
            change(made, rng)
    # after several changes a notebook may hold, in good order, another answer than before: one that is then hers
    law = never_silent if len(changes) == 1 else always_orderly
    law(json.dumps(made).encode())


def paths(thing, here=()):
    """Every place in a JSON value."""
    yield here
    if isinstance(thing, dict | list):
        for key in thing if isinstance(thing, dict) else range(len(thing)):
            yield from paths(thing[key], (*here, key))


@given(st.data())
def test_whatever_is_replaced_or_removed_in_the_tree_is_told_where_it_matters(data):
    made = notebook({})
    path = data.draw(st.sampled_from([path for path in paths(made) if path]))
    parent = made
    for key in path[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[path[-1]] = data.draw(
            st.sampled_from([one for one in JUNK if path[-1] != "source" or not is_source(one)])
        )
    else:
        del parent[path[-1]]
    never_silent(json.dumps(made).encode())


@pytest.mark.parametrize("key", ["source", "id", "cell_type", "metadata", "cells", "input", "seqlab"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("value", ['"x = 1"', '["x"]', "{}", "[]", "null", '"double"', "7"])
def test_a_key_that_stands_twice_is_told_where_it_matters(key, first, value):
    made = notebook({})
    made["cells"][1]["metadata"] = {"seqlab": {"role": "answer", "id": "double"}}
    text = json.dumps(made)
    place = text.find(f'"{key}": ', text.find('"code"') - 20 if key != "cells" else 0)
    if place < 0:
        assert key == "input"
        return
    whole = json.dumps({key: made["cells"] if key == "cells" else made["cells"][1].get(key)})[1:-1]
    if key == "seqlab":
        whole = json.dumps(made["cells"][1]["metadata"])[1:-1]
    end = place + len(whole)
    twice = f'"{key}": {value}'
    text = text[:place] + (f"{twice}, {whole}" if first else f"{whole}, {twice}") + text[end:]
    answers, problems = taken(text.encode())
    assert answers == {} or any("names the same field twice" in problem for problem in problems)
    assert answers == WHOLE or not first
    never_silent(text.encode())


# ------------------------------------------------------------------------------------------------ bytes


@given(st.data())
def test_no_damage_to_the_bytes_does_more_than_refuse(data):
    content = bytearray(json.dumps(notebook({}), indent=data.draw(st.sampled_from([None, 1]))).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        what = data.draw(st.sampled_from(["set", "cut", "insert", "double"]))
        if what == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif what == "insert":
            content[place:place] = data.draw(st.binary(min_size=1, max_size=8))
        elif what == "cut":
            del content[place : place + data.draw(st.integers(1, 50))]
        else:
            content[place:place] = content[: data.draw(st.integers(0, 80))]
        content = content or bytearray(b"{")
    answers, problems = taken(bytes(content))
    assert all(len(problem.splitlines()) == 1 for problem in problems)
    assert set(answers) <= set(SOLUTIONS)
    for source in answers.values():
        source.encode("utf-8")


@given(st.sampled_from(ENCODINGS), st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused_in_one_sentence(encoding, content):
    for whole in (content, "{".encode(encoding) + content, content.decode("latin-1").encode(encoding)):
        with pytest.raises(NotANotebook) as refused:
            extract(whole, TINY)
        assert len(str(refused.value).splitlines()) == 1


M = 19_900_000  # bytes: just below what is taken
CELL = '{"id": "double", "source": %s}'
HEAVY = {
    "empty lists": lambda: b'{"cells": [' + b"[]," * (M // 3 - 10) + b"0]}",
    "empty dicts": lambda: b'{"cells": [' + b"{}," * (M // 3 - 10) + b"0]}",
    "keys": lambda: b"{" + b",".join(b'"%07d":0' % n for n in range(M // 12)) + b"}",
    "deep lists": lambda: b"[" * M,
    "deep dicts": lambda: b'{"a":' * (M // 5),
    "digits": lambda: b'{"cells": ' + b"7" * (M - 100) + b"}",
    "digits with a point": lambda: b'{"cells": ' + b"7" * (M // 2) + b"." + b"7" * (M // 2 - 100) + b"}",
    "an exponent": lambda: b'{"cells": 1e' + b"9" * (M - 100) + b"}",
    "escapes": lambda: ('{"cells": [' + CELL % ('"' + "\\u0000" * (M // 6 - 30) + '"') + "]}").encode(),
    "number signs": lambda: ('{"cells": [' + CELL % ('"' + "#" * (M - 100) + '"') + "]}").encode(),
    "line ends": lambda: ('{"cells": [' + CELL % ('"' + "\\r" * (M // 2 - 50) + '"') + "]}").encode(),
    "spaces and signs": lambda: ('{"cells": [' + CELL % ('"' + (" " * 2400 + "#") * (M // 2500) + '"') + "]}").encode(),
    "definitions": lambda: ('{"cells": [' + '{"source": "%s"}' % ("def f():\\n" * (M // 10 - 10)) + "]}").encode(),
    "lines": lambda: ('{"cells": [' + CELL % ("[" + '"",' * (M // 3 - 30) + '""]') + "]}").encode(),
    "cells": lambda: ('{"cells": [' + ",".join(['{"source": "# answer: double"}'] * 99_000) + "]}").encode(),
    "spaces": lambda: b" " * M,
    "nulls": lambda: b"\0" * M,
    "utf-32": lambda: (" " * (M // 4 - 2)).encode("utf-32"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of POSIX systems")
@pytest.mark.parametrize("kind", HEAVY)
def test_what_is_heavy_takes_bounded_time_and_memory(kind):
    content = HEAVY[kind]()
    assert len(content) <= 20_000_000
    began, pid = time.process_time(), os.fork()
    if pid == 0:
        code = 1
        try:
            held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_DATA, (held + (1 << 30), held + (1 << 30)))
            resource.setrlimit(resource.RLIMIT_CPU, (25, 25))
            with contextlib.suppress(NotANotebook):
                extract(content, TINY)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0, f"{kind}: more than 1 GB or 25 s ({time.process_time() - began:.0f} s)"


# ---------------------------------------------------------------------------------------------- engine


def bent(number):
    """A submission made of a right notebook by one harmful change and a harmless one; the same for each number."""
    rng = random.Random(number)
    made = notebook(
        {"total": rng.choice([SOLUTIONS["total"], 'def total(x):\n    return "\u2028\x0b\x85"[3:] or x.sum()\n'])}
    )
    rng.choice([one for one in HARMLESS if one not in (ids_dropped, sources_split)])(made, rng)
    changed = copy.deepcopy(made)
    harm = (*HARMFUL, without_end)
    harm[number % len(harm)](changed, rng)
    return json.dumps(changed).encode(rng.choice(ENCODINGS))


@pytest.fixture(scope="module")
def records():
    """Three dozen of them graded as one class, each followed by a whole notebook that is another's own."""
    items = []
    for number in range(39):
        items += [(f"bent-{number}", bent(number))]
        if number % 3 == 0:
            items += [(f"whole-{number}", submission(metadata={"number": number}))]
    return grade_many(items, TINY, workers=2)


@pytest.mark.slow
@pytest.mark.sandbox
def test_each_bent_notebook_gives_a_record_that_keeps_the_law(records):
    assert len(records) == 39 + 13
    for number in range(39):
        record = records[f"bent-{number}"]
        assert [one.id for one in record.checks] == [check.id for check in TINY.checks]
        assert (record.outcome is Outcome.GRADED) == (not record.problems)
        if record.outcome is Outcome.GRADED:
            assert record.score == TINY.points, (number, record)
        lost = {one.answer for one in record.checks if one.state is State.NOT_RUN}
        assert not lost or record.problems


@pytest.mark.slow
@pytest.mark.sandbox
def test_their_neighbours_have_every_point(records):
    for name, record in records.items():
        if name.startswith("whole"):
            assert (record.score, record.outcome, record.problems) == (TINY.points, Outcome.GRADED, []), name


def test_a_file_is_read_alike_twice():
    for number in range(len(HARMFUL)):
        content = bent(number)
        assert taken(content) == taken(content)
