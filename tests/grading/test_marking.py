"""Written answers are found, read without names and marked by their rubric; a mark is for the text that was read."""

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlab.grading import feedback, intake, marking, student
from seqlab.grading.ledger import Ledger, LedgerError, face, total
from seqlab.grading.model import Assignment, Outcome, State
from seqlab.grading.releasing import canonical_notebook, filled, reduced, release_notebook
from seqlab.grading.run import WRITTEN, _Grading
from seqlab.grading.source import SourceError
from tests.grading import course, written

P, F = State.PASSED, State.FAILED
TEXTS = {"ada": "Order does not matter: 2(1+2) = 2+4.", "bob": "Because.", "cem": "", "dan": None, "<eve>": "=1+2 <b>x"}


@pytest.fixture
def assignment(tmp_path):
    return written.assignment(tmp_path)


@pytest.fixture
def book(tmp_path):
    with Ledger(tmp_path / "grades.sqlite", by="Grace") as book:
        written.fill(book, tmp_path, TEXTS)
        yield book


def standing(book, student="ada"):
    return next(one for one in book.standings(course.NAME) if one.student == student)


def give(book, student="ada", items=None, comment=""):
    return book.mark(course.NAME, [(student, "why", {"idea": 3, "example": 1} if items is None else items, comment)])


# ------------------------------------------------------------------------------------------ in the notebook


def test_a_written_question_is_read_with_its_rubric(assignment):
    (manual,) = assignment.manuals
    assert (manual.id, manual.title, manual.points) == ("why", "Why it commutes", 4)
    assert [(item.id, item.points) for item in manual.rubric] == [("idea", 3), ("example", 1)]
    assert assignment.points == 7, "what checks give is told apart from what a person gives"
    assert total(face(assignment)) == 11
    assert Assignment.loads(assignment.dumps()) == assignment


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"points": 5}, "gives 5 points and its rubric 4; make them the same"),
        ({"points": 0}, "has points = 0; give it a number above 0"),
        ({"title": None}, "has title = ''; give it a text"),
        ({"id": "Why?"}, "has the id 'Why\\?'; give it lower-case words"),
        ({"id": "double"}, "has the id 'double', which cell 'double' has already"),
        ({"rubric": []}, "has rubric = \\[\\]; give a list"),
        ({"rubric": "good"}, "has rubric = 'good'; give a list"),
        ({"rubric": [{"id": "idea", "text": "x", "points": 4}] * 2}, "item 2 of its rubric, has the id 'idea'"),
        ({"rubric": [{"id": "idea", "text": " ", "points": 4}]}, "item 1 of its rubric, has text = ' '"),
        ({"rubric": [{"id": "idea", "text": "x", "points": -4}]}, "item 1 of its rubric, has points = -4"),
        ({"rubric": [{"id": "a", "text": "x", "points": 4, "weight": 1}]}, "has the unknown entry 'weight'"),
        ({"rubric_hidden": "yes"}, "has rubric_hidden = 'yes'; write true or false"),
        ({"answer": "double"}, "has the unknown entry 'answer'; manual cells take"),
    ],
)
def test_a_mistaken_written_question_is_refused(tmp_path, changes, said):
    with pytest.raises(SourceError, match=said):
        written.assignment(tmp_path, **changes)


def test_a_written_question_is_no_code(tmp_path):
    cell = course.code("why", "1", **written.META)
    with pytest.raises(SourceError, match="is code with the role 'manual'; make it a markdown cell"):
        written.read_source(course.folder(tmp_path, [*course.CELLS, cell]))


def cell_of(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def test_the_release_asks_shows_the_rubric_and_has_a_cell_to_write_in(assignment):
    release = release_notebook(assignment)
    asked, cell = cell_of(release, "why-question"), cell_of(release, "why")
    assert (asked["cell_type"], cell["cell_type"]) == ("markdown", "markdown")
    for words in (written.QUESTION, "**A person reads this** (4 points)", "- gives an example (1 point)"):
        assert words in asked["source"]
    assert cell["source"] == intake.written_stub("why")
    assert cell["metadata"]["seqlab"] == {"role": "manual", "id": "why"}
    assert cell_of(canonical_notebook(assignment), "why")["cell_type"] == "markdown"


def test_a_hidden_rubric_leaves_the_house_nowhere(tmp_path):
    assignment = written.assignment(tmp_path, rubric_hidden=True)
    text = json.dumps(release_notebook(assignment)) + reduced(assignment).dumps()
    assert "gives an example" not in text
    assert "4 points" in text


# --------------------------------------------------------------------------------------------- is found


def found(assignment, *cells):
    return intake.written(written.notebook(list(cells)), assignment)


def markdown(source, name=None, **seqlab):
    cell = {"cell_type": "markdown", "metadata": {"seqlab": seqlab} if seqlab else {}, "source": source}
    return cell | ({"id": name} if name else {})


STUB = intake.written_stub("why")


@pytest.mark.parametrize(
    "cell",
    [
        markdown("My words.", "why"),
        markdown("My words.", "x1", role="manual", id="why"),
        markdown("<!-- answer: why -->\nMy words."),
        markdown(STUB.replace(intake.PLACEHOLDER, "My words."), "why"),
        markdown(f"{STUB}\n\nMy words.", "why", role="manual", id="why"),
        markdown(["<!-- Answer:why -->\r\n", "My words.\r\n"]),
    ],
)
def test_the_text_is_found_by_id_metadata_or_marker(assignment, cell):
    assert found(assignment, cell) == ({"why": "My words."}, [])


def test_an_untouched_cell_is_an_empty_text_and_no_problem(assignment):
    assert found(assignment, markdown(STUB, "why")) == ({"why": ""}, [])


def test_a_deleted_cell_is_told(assignment):
    texts, problems = found(assignment, markdown("My words.", "other"))
    assert texts == {}
    assert problems == ["the written answer 'why' is not in the notebook: its cell was deleted"]


def test_two_texts_are_told_and_copies_and_untouched_cells_are_not(assignment):
    mine = markdown("My words.", "why")
    assert found(assignment, mine, markdown("<!-- answer: why -->My words."), markdown(STUB))[1] == []
    texts, problems = found(assignment, markdown("<!-- answer: why -->Others."), mine)
    assert texts == {"why": "My words."}
    assert problems == [
        "the written answer 'why' stands in 2 different cells; the first was taken, a person should look"
    ]


def test_an_assignment_without_written_questions_has_no_texts(tmp_path):
    plain = written.read_source(course.folder(tmp_path))
    assert intake.written(b"no notebook at all", plain) == ({}, [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)
CELL = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["why", "double", ""]) | JSON,
        "cell_type": st.sampled_from(["markdown", "code"]) | JSON,
        "metadata": st.just({"seqlab": {"role": "manual", "id": "why"}}) | JSON,
        "source": st.text() | st.sampled_from([STUB, "<!-- answer: why -->x"]) | st.lists(st.text()) | JSON,
    },
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELL | JSON, max_size=6))
def test_whatever_the_cells_hold_the_text_is_a_text_or_a_problem_is_told(assignment, cells):
    texts, problems = intake.written(written.notebook(cells), assignment)
    assert all(isinstance(text, str) and text == text.strip() for text in texts.values())
    assert texts or problems == ["the written answer 'why' is not in the notebook: its cell was deleted"]


def taken(assignment, submission):
    grading = _Grading(submission, assignment, trusted=True, only_visible=False, expected=None)
    grading.take()
    grading.settle_all(State.NOT_RUN, "")
    return grading.record()


def test_the_text_reaches_the_record_cleaned_and_capped(assignment):
    release = release_notebook(assignment)
    record = taken(assignment, filled(release, {"why": "\x1b[31mred\u202e " + "x" * WRITTEN}))
    assert record.written["why"].startswith("red\\u202e xxx")
    assert record.written["why"].endswith("(cut)")
    assert len(record.written["why"]) < WRITTEN + 20
    assert record.problems == ["the written answer 'why' is longer than 20,000 characters and was cut"]
    assert record.outcome is Outcome.NEEDS_ATTENTION
    assert taken(assignment, filled(release, {})).written == {"why": ""}
    assert taken(assignment, b"no notebook").written == {}


# ------------------------------------------------------------------------------------------------ marks


def test_a_text_waits_until_every_item_has_marks(book):
    assert standing(book).pending == ("why",)
    assert (standing(book).score, standing(book).points) == (4, 11)
    give(book, items={"idea": 2.5})
    assert standing(book).pending == ("why",)
    assert standing(book).score == 4, "half a mark counts nothing yet"
    give(book, items={"example": 1}, comment="well put")
    mark = standing(book).mark("why")
    assert (mark.amount, mark.items, mark.reason, mark.by) == (
        3.5,
        (("example", 1.0), ("idea", 2.5)),
        "well put",
        "Grace",
    )
    assert (standing(book).pending, standing(book).score) == ((), 7.5)


def test_nothing_written_waits_for_nobody_and_earns_nothing(book):
    for name in ("cem", "dan"):
        assert (standing(book, name).pending, standing(book, name).score) == ((), 4)


def test_the_last_marks_count_and_the_same_again_adds_no_entry(book):
    assert give(book) == 1
    assert give(book) == 0
    assert give(book, items={"idea": 0}) == 1
    assert standing(book).score == 5
    assert [one.amount for one in book.entries(course.NAME)["ada"]] == [4, 1]
    book.withdraw(course.NAME, "ada", 2, "misread")
    assert standing(book).score == 8


def test_marks_are_for_the_text_that_was_read(book):
    give(book)
    book.note_submissions(course.NAME, [("ada", "9" * 64)])
    record = course.record("9" * 64, [P, P, P], written={"why": "Another text."})
    book.add(record, written.KEY)
    assert (standing(book).pending, standing(book).score) == (("why",), 7)
    book.add(replace(record, written={"why": TEXTS["ada"]}), replace(written.KEY, grader="newer"))
    assert (standing(book).pending, standing(book).score) == ((), 11)


def test_points_by_hand_and_lateness_come_after_the_marks(book):
    give(book)
    book.adjust(course.NAME, "ada", "manual", -1, "too long", "why")
    book.adjust(course.NAME, "ada", "late", 50, "a day")
    assert standing(book).score == (4 + 4 - 1) / 2
    book.adjust(course.NAME, "bob", "override", 2, "told me", "why")
    assert (standing(book, "bob").pending, standing(book, "bob").score) == ((), 6)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (("ada", "why", {"idea": 4}, ""), "'ada' gets 4 for 'idea'; that item gives 0 to 3 points"),
        (("ada", "why", {"idea": -1}, ""), "gets -1 for 'idea'"),
        (("ada", "why", {"idea": float("nan")}, ""), "gets nan for 'idea'"),
        (("ada", "why", {"style": 1}, ""), r"'style' is no item of the rubric of 'why' \(there: idea, example\)"),
        (("ada", "what", {}, "x"), r"'what' is no written question of 00_tiny_source \(there: why\)"),
        (("fay", "why", {"idea": 1}, ""), "'fay' has handed in nothing"),
        (("dan", "why", {"idea": 1}, ""), "the submission of 'dan' holds no text for 'why'"),
    ],
)
def test_mistaken_marks_are_one_sentence_and_none_is_taken(book, mark, said):
    with pytest.raises(LedgerError, match=said):
        book.mark(course.NAME, [("bob", "why", {"idea": 1}, ""), mark])
    assert book.entries(course.NAME) == {}


# --------------------------------------------------------------------------------------- page and table


@pytest.fixture
def question(book):
    return book.face(course.NAME)["manuals"][0]


def texts(book):
    return marking.texts(book.standings(course.NAME), "why", book.marks_so_far(course.NAME, "why"))


def rows(text):
    return list(csv.reader(io.StringIO(text.removeprefix(marking.MARK), newline="")))


def test_page_and_table_hold_every_text_and_no_name(book, question):
    page = marking.page(book.face(course.NAME), question, written.QUESTION, texts(book))
    table = marking.to_csv(question, texts(book))
    for name in ("ada", "bob", "cem", "dan", "eve"):
        assert name not in page.replace("shadow", "")
        assert name not in table
    assert "&lt;b&gt;x" in page
    assert "<script" not in page
    assert page.count("<h2") == 3
    head, *lines = rows(table)
    assert head == ["code", "idea", "example", "comment", "text", "entry"]
    assert {line[-2] for line in lines} == {TEXTS["ada"], "Because.", "'=1+2 <b>x"}
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    assert all(line[0].isalpha() and line[0].isascii() for line in lines), "no spreadsheet takes a code for a number"


def write_table(path, question, found, marks, cut=","):
    """A table as a marker fills it in: student -> the cells of the items and the comment."""
    out = io.StringIO()
    table = csv.writer(out, delimiter=cut)
    head, *lines = rows(marking.to_csv(question, found))
    table.writerow(head)
    codes = {one.code: one.student for one in found}
    for line in lines:
        table.writerow([line[0], *marks.get(codes[line[0]], line[1:4]), *line[4:]])
    path.write_text(out.getvalue(), encoding="utf-8-sig")


@pytest.mark.parametrize("cut", [",", ";"])
def test_a_table_that_was_filled_in_is_taken(book, question, tmp_path, cut):
    path = tmp_path / "why.csv"
    write_table(path, question, texts(book), {"ada": ("2,5", "1", "good"), "bob": ("", "", "")}, cut)
    lines = marking.read_csv(path, question)
    assert marking.taken(lines, texts(book), path) == ([("ada", {"idea": 2.5, "example": 1}, "good")], [])


def test_marks_come_back_from_the_table_as_they_were(book, question, tmp_path):
    give(book, comment="=good, really")
    give(book, "bob", {"idea": 1})
    path = tmp_path / "why.csv"
    path.write_text(marking.to_csv(question, texts(book)), encoding="utf-8")
    marks, _ = marking.taken(marking.read_csv(path, question), texts(book), path)
    assert book.mark(course.NAME, [(student, "why", items, said) for student, items, said in marks]) == 0


def test_a_copy_of_the_table_never_overwrites_what_it_did_not_show(book, question, tmp_path):
    give(book, "ada", {"idea": 1, "example": 1})
    give(book, "bob", {"idea": 1, "example": 1})
    path = tmp_path / "why.csv"
    write_table(path, question, texts(book), {"bob": ("2", "1", ""), "<eve>": ("0", "0", "")})
    book.by = "Alan"
    for name in ("ada", "bob", "<eve>"):
        give(book, name, {"idea": 3, "example": 0}, "read again")
    entries = [one for made in book.entries(course.NAME).values() for one in made]
    marks, crossed = marking.taken(marking.read_csv(path, question), texts(book), path, entries)
    assert marks == []
    codes = {one.student: one.code for one in texts(book)}
    told = "Alan marked it since: example 0, idea 3"
    assert sorted(crossed) == sorted([(codes["bob"], told), (codes["<eve>"], told)]), "ada's line is as it was written"


def test_marks_for_a_text_that_was_replaced_since_are_refused(book, question, tmp_path):
    path = tmp_path / "why.csv"
    write_table(path, question, texts(book), {"ada": ("3", "1", "")})
    book.note_submissions(course.NAME, [("ada", "9" * 64)])
    book.add(course.record("9" * 64, [P, P, P], written={"why": "Another text."}), written.KEY)
    with pytest.raises(ValueError, match="stands for no text handed in last: nothing was taken"):
        marking.taken(marking.read_csv(path, question), texts(book), path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code,idea,comment\n", "has no column 'example': write the table again"),
        ("", "has no column 'code', 'idea', 'example', 'comment'"),
        ("code,idea,example,comment\nabc,4,1,\n", "why.csv line 2 has '4' for 'idea': give 0 to 3 points"),
        ("code,idea,example,comment\nabc,good,1,\n", "has 'good' for 'idea'"),
        ("code,idea,example,comment\nabc,1,1,\nabc,1,1,\n", "line 3 has the code 'abc' again"),
    ],
)
def test_a_mistaken_table_names_the_line(question, tmp_path, text, said):
    path = tmp_path / "why.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        marking.read_csv(path, question)


def test_a_table_in_another_encoding_is_told(question, tmp_path):
    path = tmp_path / "why.csv"
    path.write_bytes("code,idea,example,comment\nabc,1,1,größer\n".encode("latin-1"))
    with pytest.raises(ValueError, match="no text in UTF-8: save it as `CSV UTF-8`"):
        marking.read_csv(path, question)


# ------------------------------------------------------------------------------------------- the student


def test_the_students_check_says_that_a_person_reads_it(assignment):
    said = [
        student.Report(assignment, course.record("s", [P] * 3, written=texts))
        for texts in ({}, {"why": ""}, {"why": "Order does not matter."})
    ]
    head = "Why it commutes: a person reads this (4 points)"
    assert [one.written for one in said] == [
        [f"{head}."], [f"{head}; nothing is written yet."], [f"{head}; you wrote 4 words."],
    ]  # fmt: skip
    assert f"  – {head}." in repr(said[0])
    assert f"{head}; you wrote 4 words." in said[2]._repr_html_()
    assert student.only(assignment, "double").manuals == ()


def test_the_students_page_shows_text_rubric_marks_and_comment(book):
    give(book, "<eve>", {"idea": 2.5, "example": 0}, "<i>nearly</i>")
    page = feedback.student_page(book.face(course.NAME), standing(book, "<eve>"))
    for words in ("Why it commutes", "2.5 / 3", "0 / 1", "gives an example", "&lt;i&gt;nearly", "&lt;b&gt;x"):
        assert words in page, words
    waiting = feedback.student_page(book.face(course.NAME), standing(book, "bob"))
    assert "One written answer waits for a person" in waiting
    assert "nearly" not in waiting
