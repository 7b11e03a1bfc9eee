"""Feedback is readable by everybody, tells what helps, and lets nothing through that a student's file holds."""

import html.parser
import re
import unicodedata

import pytest

from seqlab import cli
from seqlab.grading import class_report, feedback
from seqlab.grading.ledger import Adjustment, Key, Ledger, Standing, face
from seqlab.grading.model import Outcome, State
from seqlab.grading.source import read_source
from tests.browser import axe, chromium, overflow, serve, visit
from tests.grading import course

P, F = State.PASSED, State.FAILED
NASTY = '</pre><script>alert(1)</script><img src="https://example.org/x.png" onerror="alert(2)">'


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return face(read_source(course.folder(tmp_path_factory.mktemp("source"))))


def standing(student="ada", states=(P, F, P), adjustments=(), outcome=Outcome.GRADED, **more):
    return Standing(student, course.record("s", states, outcome, **more), tuple(adjustments))


class Page(html.parser.HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.text += " "
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.text += data


def words(text):
    return " ".join(Page(text).text.split())


def test_each_question_has_its_points_and_each_check_its_state_in_words(shown):
    text = words(feedback.student_page(shown, standing(states=(P, F, State.TIMEOUT))))
    assert "2 of 7 points" in text
    assert "Doubling 2 / 5" in text
    assert "A running sum 0 / 2" in text
    assert "values of double: passed 2 / 2" in text
    assert "double keeps its input: its values differ from the right ones 0 / 3" in text
    assert "sums, also of nothing: your code was still running at the time limit 0 / 2" in text


@pytest.mark.parametrize("state", State)
def test_every_state_has_words_and_a_sign(shown, state):
    text = words(feedback.student_page(shown, standing(states=(state, state, state))))
    assert text.count(feedback.STATUS[state]) == 3
    assert text.count(feedback.SIGN[state]) >= 3


def test_a_hint_is_shown_once_and_only_where_something_is_lost(shown):
    record = course.record("s", (F, P, P))
    record.checks[0].message = "2 of 3 elements are off. twice means times two"
    text = words(feedback.student_page(shown, Standing("ada", record, ())))
    assert "2 of 3 elements are off. Hint: twice means times two" in text
    assert "Hint" not in words(feedback.student_page(shown, standing(states=(P, P, P))))


def test_the_students_own_output_is_folded(shown):
    page = feedback.student_page(shown, standing(shown={"double": "spam\nNameError: x"}))
    assert re.search(r"<details><summary>What your code printed or raised</summary><pre[^>]*>spam\nNameError: x", page)


def test_what_was_given_by_hand_is_told_with_its_reason(shown):
    entries = [
        Adjustment("manual", "double-hidden", 1.5, "nearly"),
        Adjustment("override", "", 6, "oral"),
        Adjustment("late", "", 50, "a day"),
    ]
    text = words(feedback.student_page(shown, standing(adjustments=entries)))
    assert "3 of 7 points" in text
    assert "+1.5 by hand: nearly" in text
    assert "Set to 6 points by hand: oral" in text
    assert "Late: 50 % taken from the whole. a day" in text


def test_a_refused_submission_says_that_a_person_will_look(shown):
    page = feedback.student_page(shown, standing(outcome=Outcome.REFUSED, problems=["the file is empty"]))
    assert "could not be read as a notebook; a person will look at it" in words(page)
    assert "the file is empty" in words(page)
    assert "handed in, not graded yet" in words(feedback.student_page(shown, Standing("eve", None, ())))


def test_code_in_a_hint_is_set_as_code_and_stays_text():
    assert feedback.prose("is `x < 1` true?") == "is <code>x &lt; 1</code> true?"
    assert feedback.prose("`<b>`") == "<code>&lt;b&gt;</code>"


@pytest.mark.parametrize("where", ["name", "output", "problem", "message", "reason"])
def test_nothing_of_a_strangers_text_becomes_markup(shown, where):
    one = standing(
        student=NASTY if where == "name" else "ada",
        states=(F, F, F),
        adjustments=[Adjustment("manual", "", 1, NASTY if where == "reason" else "neat")],
        problems=[NASTY] if where == "problem" else [],
        shown={"double": NASTY} if where == "output" else {},
        outcome=Outcome.NEEDS_ATTENTION,
    )
    if where == "message":
        one.record.checks[0].message = NASTY
    for text in (feedback.student_page(shown, one), feedback.class_page(shown, [one])):
        page = Page(text)
        assert not {"script", "img", "iframe", "object", "base", "form"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert not [value for name, value in page.attributes if name in ("href", "src") and "example.org" in value]
    assert "<script>alert(1)" in words(feedback.student_page(shown, one)), "the text itself is to be read"


def test_terminal_codes_are_taken_out_and_turning_letters_made_visible():
    assert feedback.shown("\x1b[31mred\x1b[0m \x1b]0;title\x07") == "red "
    assert feedback.shown("a\u202eb\u2066c\x00\x07\ud800") == "a\\u202eb\\u2066c\\u0000\\u0007\\ud800"
    assert feedback.shown("tab\tline\r\nπ 김") == "tab\tline\nπ 김"


def test_a_page_asks_for_nothing_and_forbids_scripts(shown):
    for text in (feedback.student_page(shown, standing()), feedback.class_page(shown, [standing()])):
        assert "default-src 'none'" in text
        links = [value for name, value in Page(text).attributes if name in ("href", "src")]
        assert all(value == "data:," or value.startswith(("feedback/", "#")) for value in links)


def test_the_report_counts_names_and_lists_who_needs_a_person(shown):
    people = [
        standing(),
        standing("bob", (P, P, P)),
        standing("cem", outcome=Outcome.NEEDS_ATTENTION, problems=["two cells"]),
        Standing("eve", None, ()),
    ]
    text = words(feedback.class_page(shown, people))
    assert "4 submissions: 2 graded, 1 needs attention, 1 not graded" in text
    assert "Needs attention 2 cem: two cells eve: not graded yet" in text
    assert "values of double Doubling 2 100 % – · · · · ·" in text
    assert text.count("bob 7 5 2 graded") == 2, "by name and by score"


def test_the_report_draws_how_many_earned_what(shown):
    page = feedback.class_page(shown, [standing(), standing("bob", (P, P, P)), standing("cem", (F, F, F))])
    label = "Doubling: 1 earned 0, 1 earned 2, 1 earned 5"
    assert [value for name, value in Page(page).attributes if name == "aria-label"].count(label) == 1


def test_many_different_scores_are_drawn_in_ten_bars_over_their_quartiles(shown):
    people = [standing(str(n), adjustments=[Adjustment("override", "", n / 10, "x")]) for n in range(71)]
    page = feedback.class_page(shown, people)
    whole = next(value for name, value in Page(page).attributes if name == "aria-label" and "Scores:" in value)
    assert list(map(int, re.findall(r"(\d+) with", whole))) == [7] * 9 + [8]
    assert "First quartile 1.75, median 3.5, third quartile 5.25." in whole
    assert "3.5 of 7 points is the median" in words(page)
    assert "the middle half of the class, 1.75 to 5.25 points" in words(page)


@pytest.mark.parametrize(
    ("scores", "told"), [([], [0, 0, 0]), ([3], [3, 3, 3]), ([1, 2], [1.25, 1.5, 1.75]), ([0, 0, 4], [0, 0, 2])]
)
def test_quartiles_of_the_smallest_classes(scores, told):
    assert class_report.quartiles(scores) == told


def test_the_hardest_come_first_and_tell_who_is_able(shown):
    states = [(P, P, P), (P, F, P), (P, F, F), (P, F, F)]
    questions, checks = class_report.parts_of(shown, [course.record(str(n), s) for n, s in enumerate(states)])
    assert [part.id for part in checks] == ["double-hidden", "running-values", "double-values"]
    assert [part.earned for part in checks] == [0.25, 0.5, 1.0]
    # double-hidden: who passes it earned 4 of the other 4 points; the others 4, 2 and 2: a mean of 8/12
    assert checks[0].apart == pytest.approx(1 - 8 / 12)
    assert checks[2].apart is None, "all passed it: it tells nobody apart"
    assert [part.id for part in questions] == ["running", "double"]
    # running: who has it all earned 5 and 2 of the other 5 points, the others 2 and 2
    assert questions[0].apart == pytest.approx(0.7 - 0.4)


def test_who_handed_in_no_notebook_does_not_make_a_check_hard(shown):
    people = [standing("ada", (P, P, P)), standing("bob", (State.NOT_RUN,) * 3, outcome=Outcome.REFUSED)]
    assert [part.earned for part in class_report.parts_of(shown, class_report.counted(people))[1]] == [1, 1, 1]


def mistaken(name, *checks, hint=""):
    record = course.record(name, (F, F, F))
    for result in record.checks:
        if result.id in checks:
            result.mistake = "adds two"
            result.message = "2 of 3 elements differ; this looks like: adds two" + (f". {hint}" if hint else "")
    return record


def test_recognised_mistakes_are_counted_by_student_with_their_hint(shown):
    records = [
        mistaken("a", "double-values", "double-hidden", hint="`x * 2`."),
        mistaken("b", "double-values"),
        mistaken("c"),
    ]
    (found,) = class_report.recognised(shown, records)
    assert (found.name, found.question, found.students, found.hint) == ("adds two", "Doubling", 2, "`x * 2`.")
    assert found.checks == ("values of double", "double keeps its input")
    page = feedback.class_page(shown, [Standing(record.submission, record, ()) for record in records])
    assert "Of 3 students with a wrong value 2 gave the values of a mistake" in words(page)
    assert "adds two Doubling 2 values of double; double keeps its input x * 2." in words(page)


def test_a_student_is_told_what_her_answer_looks_like_and_how_it_was_called(shown):
    record = mistaken("a", "double-values", hint="twice means times two")
    record.checks[0].called = "double(x: float64 array (3,))"
    text = words(feedback.student_page(shown, Standing("ada", record, ())))
    assert (
        "2 of 3 elements differ. It was called so: double(x: float64 array (3,)) "
        "This looks like: adds two. Hint: twice means times two" in text
    )


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("your code raised IndexError: index 7 is out of bounds (line 3 of the answer 'x')", "IndexError"),
        ("your code raised IndexError", "IndexError"),
        ("your code raised Odd.Error: so", "Odd.Error"),
        ("your code raised an exception", "an exception of its own"),
        (
            "the answer's own cell stopped before its end: ModuleNotFoundError: No module named 'q'",
            "ModuleNotFoundError",
        ),
    ],
)
def test_exceptions_are_counted_by_kind(message, name):
    records = [course.record(str(n), (State.ERROR, State.ERROR, P)) for n in range(3)]
    for record in records[:2]:
        record.checks[0].message = record.checks[1].message = message
    assert class_report.raised(records) == {name: (2, 4)}


def test_who_is_missing_and_who_is_on_no_list_is_told(shown):
    composed, decomposed = (unicodedata.normalize(form, "Éloïse") for form in ("NFC", "NFD"))
    people = [standing("ada"), standing(decomposed), standing("guest")]
    page = feedback.class_page(shown, people, roster=["ada", composed, "<b>", "bob"])
    text = words(page)
    assert "2 of 4 of the class list" in text
    assert "Not handed in 2 <b> bob" in text
    assert "Not on the class list 1" in text
    assert "Not handed in" not in words(feedback.class_page(shown, people))


ESSAY = {
    "id": "essay", "title": "Why twice?", "points": 4.0, "rubric_hidden": False,
    "rubric": [
        {"id": "idea", "text": "Says the idea", "points": 3.0}, {"id": "word", "text": "In words", "points": 1.0},
    ],
}  # fmt: skip


def with_essay(shown, text="Because.", marks=(), **changes):
    record = course.record("s", (P, P, P), written={"essay": text})
    essay = ESSAY | changes
    return shown | {"manuals": [essay]}, Standing("ada", record, (), tuple(marks), (essay,))


def test_a_written_answer_waits_then_shows_its_marks_item_by_item(shown):
    text = words(feedback.student_page(*with_essay(shown)))
    assert "7 of 11 points" in text
    assert "One written answer waits for a person: the score may still rise." in text
    assert "Says the idea – / 3" in text
    mark = Adjustment("rubric", "essay", 1.0, "Say more <i>.", items=(("idea", 0.0), ("word", 1.0)))
    text = words(feedback.student_page(*with_essay(shown, marks=[mark])))
    assert "8 of 11 points" in text
    assert "Says the idea 0 / 3 ✓ In words 1 / 1 Say more <i>. What you wrote Because." in text
    assert "waits" not in text


def test_a_hidden_rubric_is_shown_after_marking_alone(shown):
    assert "Says the idea" not in words(feedback.student_page(*with_essay(shown, rubric_hidden=True)))
    mark = Adjustment("rubric", "essay", 4.0, "", items=(("idea", 3.0), ("word", 1.0)))
    assert "Says the idea" in words(feedback.student_page(*with_essay(shown, marks=[mark], rubric_hidden=True)))


def test_the_report_says_what_waits_for_marks(shown):
    face, one = with_essay(shown)
    text = words(feedback.class_page(face, [one]))
    assert "Waits for marks 1" in text
    assert "Why twice?: 1" in text
    assert "ada 7 5 2 0 graded, 1 to be marked" in text


def test_an_empty_class_has_a_report(shown):
    assert "0 submissions: none" in words(feedback.class_page(shown, []))


def test_the_command_takes_a_class_list(tmp_path, capsys):
    assignment = read_source(course.folder(tmp_path))
    with Ledger(tmp_path / "g.sqlite") as book:
        record = course.record("one", (P, P, P))
        book.add(record, Key(book.note_assignment(assignment), "grader", "environment"))
        book.note_submissions(course.NAME, [("ada", "one")])
    (tmp_path / "class.csv").write_text("student,group\nada,1\nbob,2\n", encoding="utf-8")
    command = ["report", "--ledger", str(tmp_path / "g.sqlite"), "--to", str(tmp_path / "out"), "--roster"]
    assert cli.main([*command, str(tmp_path / "class.csv")]) == 0
    assert "Not handed in 1 bob" in words((tmp_path / "out" / course.NAME / "report.html").read_text())
    assert cli.main([*command, str(tmp_path / "none.csv")]) == 2
    assert "There is no class list" in capsys.readouterr().err


@pytest.fixture(scope="module")
def site(shown, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    long_line = "x" * 400
    student = standing(
        "김하늘 " + "long-name" * 12, (P, F, State.ERROR), [Adjustment("late", "", 10, "a day")],
        Outcome.NEEDS_ATTENTION, problems=[long_line], shown={"double": long_line, "running": "ok"},
    )  # fmt: skip
    (folder / "student.html").write_text(feedback.student_page(shown, student), encoding="utf-8")
    face, ada = with_essay(shown, "a" * 300)
    (folder / "written.html").write_text(feedback.student_page(face, ada), encoding="utf-8")
    people = [student, standing("bob", (P, P, P)), Standing("eve", None, ()), ada]
    people += [Standing(f"student {n}", mistaken(str(n), "double-values", hint="times two"), ()) for n in range(9)]
    people[1].record.checks[0].message = "your code raised ValueError"
    text = feedback.class_page(face, people, roster=["bob", "long-name" * 30])
    (folder / "report.html").write_text(text, encoding="utf-8")
    with serve(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.mark.site
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("page", ["student", "written", "report"])
def test_pages_are_accessible_and_fit_in_light_and_dark_on_phone_and_desk(site, browser, page, width, dark):
    with visit(browser, f"{site}/{page}.html", width=width, dark=dark) as opened:
        for box in opened.query_selector_all("summary"):
            box.press("Enter")
        assert axe(opened) == []
        assert opened.problems == []
        assert overflow(opened) == 0


@pytest.mark.site
def test_output_opens_by_keyboard(site, browser):
    with visit(browser, f"{site}/student.html", width=360) as opened:
        assert not opened.locator("pre").first.is_visible()
        opened.locator("summary").first.press("Enter")
        assert opened.locator("pre").first.is_visible()
