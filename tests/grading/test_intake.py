"""Whatever is handed in, intake finds the answers in it or says in a sentence what is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.grading import intake
from seqlab.grading.intake import NotANotebook, blank, extract
from tests.grading.tiny import SOLUTIONS, make_assignment, marked, notebook, submission

TINY = make_assignment()
WHOLE = {name: marked(name, source) for name, source in SOLUTIONS.items()}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["double", "# answer: total", "code"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "source", "id", "metadata", "seqlab", "worksheets", "input", "cell_type"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def found(made):
    """Intake of a notebook given as a dict."""
    return extract(json.dumps(made).encode(), TINY)


def test_a_whole_notebook_gives_every_answer_and_no_problem():
    assert extract(submission(), TINY) == (WHOLE, [])


@given(JSON)
def test_any_json_gives_answers_or_one_sentence(made):
    try:
        answers, problems = found(made)
    except NotANotebook as wrong:
        answers, problems = dict.fromkeys(SOLUTIONS, ""), str(wrong).splitlines()
        assert len(problems) == 1
    assert set(answers) <= set(SOLUTIONS)
    assert all(isinstance(source, str) for source in answers.values())
    assert set(answers) == set(SOLUTIONS) or problems


@given(st.binary(max_size=200))
def test_any_bytes_give_answers_or_one_sentence(content):
    with pytest.raises(NotANotebook):
        extract(content, TINY)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b" \n\0", "the file is empty"),
        (b"# my notebook", "its text is not JSON (line 1)"),
        (submission()[:-40], "its text is not JSON"),
        (b"[]", "JSON but no notebook"),
        (b"null", "JSON but no notebook"),
        (b"{}", "has no cells"),
        (b'{"cells": 5}', "has no cells"),
        (b'{"cells": [' + b"0," * 100_001 + b"0]}", "has 100,002 cells"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b'{"cells": ' + b"1" * 5000 + b"}", "a number of 5,000 digits"),
        (b"x" * (intake.MAX_BYTES + 1), "at most 20,000,000 are taken"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_sentence(content, told):
    with pytest.raises(NotANotebook) as refused:
        extract(content, TINY)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_that_an_editor_saves_is_read(encoding):
    made = notebook({"double": SOLUTIONS["double"] + "# 한국어 日本語\n"})
    answers, problems = extract(json.dumps(made, ensure_ascii=False).encode(encoding), TINY)
    assert answers["double"].endswith("# 한국어 日本語\n")
    assert not problems


@pytest.mark.parametrize("version", [3, 4, 5, 99, "4", None])
def test_the_version_that_a_file_claims_does_not_matter(version):
    assert found(notebook({}, nbformat=version)) == (WHOLE, [])


def test_a_source_in_lines_is_joined_and_line_ends_are_made_alike():
    made = notebook({})
    made["cells"][1]["source"] = ["# answer: double\r\n", "def double(x):\r", "    return 2 * x"]
    assert found(made)[0]["double"] == "# answer: double\ndef double(x):\n    return 2 * x"


def test_an_answer_is_known_by_its_id_then_its_metadata_then_its_mark():
    made = notebook({})
    made["cells"][1] |= {"source": "def double(x): pass"}
    made["cells"][2] |= {
        "id": "q",
        "source": "def total(x): pass",
        "metadata": {"seqlab": {"role": "answer", "id": "total"}},
    }
    made["cells"][3] |= {"id": "r"}
    answers, problems = found(made)
    assert answers == {"double": "def double(x): pass", "total": "def total(x): pass", "softmax": WHOLE["softmax"]}
    assert not problems


def test_a_cell_without_any_mark_is_known_by_what_it_defines_and_a_person_is_told():
    assignment = make_assignment()
    stub = "# answer: total\ndef total(x):\n    raise NotImplementedError\n"
    object.__setattr__(assignment.answers[1], "stub", stub)
    made = notebook({})
    made["cells"][2] |= {"id": "q", "source": SOLUTIONS["total"]}
    answers, problems = extract(json.dumps(made).encode(), assignment)
    assert answers["total"] == SOLUTIONS["total"]
    assert len(problems) == 1
    assert "known only by what it defines" in problems[0]


def test_copies_that_agree_are_one_answer_and_an_untouched_copy_does_not_count():
    made = notebook({})
    made["cells"].append(dict(made["cells"][1], id="copy"))
    made["cells"].append(dict(made["cells"][1], id="old", source=TINY.answers[0].stub))
    assert found(made) == (WHOLE, [])


def test_copies_that_differ_need_a_person_and_the_first_is_taken():
    made = notebook({})
    made["cells"].insert(0, dict(made["cells"][1], id="copy", source=marked("double", "x = 1\n")))
    answers, problems = found(made)
    assert answers["double"] == WHOLE["double"]  # found by its id, which is surer than a mark
    assert problems == ["the answer 'double' stands in 2 different cells; the first was graded, a person should look"]


def test_a_cell_that_claims_to_be_two_answers_needs_a_person():
    made = notebook({})
    made["cells"][1]["source"] = marked("total", SOLUTIONS["double"])
    _, problems = found(made)
    assert problems[0] == "one cell claims to be the answers 'double' and 'total'; a person should look which it is"


def test_a_deleted_answer_is_a_problem_never_silence():
    answers, problems = extract(submission({"total": None}), TINY)
    assert "total" not in answers
    assert problems == ["the answer 'total' is not in the notebook: its cell was deleted or lost its mark"]


def test_damaged_cells_are_counted_and_the_others_are_kept():
    made = notebook({})
    made["cells"] += [5, None, {"source": 7}, {"source": ["a", ["b"]]}, []]
    answers, problems = found(made)
    assert answers == WHOLE
    assert problems == ["5 of the notebook's 9 cells are damaged and were left out; a person should look"]


def test_characters_that_are_no_text_are_left_out_and_told():
    answers, problems = extract(submission({"total": "x = '\0\ud800'\n"}), TINY)
    assert answers["total"] == marked("total", "x = ''\n")
    assert len(problems) == 1


def test_a_field_named_twice_is_told():
    text = submission().decode().replace('"id": "double"', '"id": "other", "id": "double"')
    answers, problems = extract(text.encode(), TINY)
    assert answers == WHOLE
    assert len(problems) == 1


def test_an_answer_without_end_is_not_taken():
    answers, problems = extract(submission({"total": "x = 1\n" * 50_000}), TINY)
    assert "total" not in answers
    assert "more than the 200,000 that are taken" in problems[0]


def test_an_answer_is_blank_when_only_spaces_and_comments_differ_from_the_release():
    stub = TINY.answers[0].stub
    assert blank("", stub)
    assert blank("\n\n# I do not know\n", stub)
    assert blank(stub.replace("\n", "  \n\n") + "# why?\n", stub)
    assert not blank("x = 1", stub)
