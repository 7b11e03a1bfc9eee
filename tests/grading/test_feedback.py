"""Feedback is readable by everybody, tells what helps, and lets nothing through that a student's file holds."""

import html.parser
import re

import pytest

from seqlab.grading import feedback
from seqlab.grading.ledger import Adjustment, Standing, face
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
    assert "values of double 2 3 · · · · ·" in text
    assert "bob 7 5 2 graded" in text


def test_the_report_draws_how_many_earned_what(shown):
    page = feedback.class_page(shown, [standing(), standing("bob", (P, P, P)), standing("cem", (F, F, F))])
    label = "Doubling: 1 earned 0, 1 earned 2, 1 earned 5"
    assert [value for name, value in Page(page).attributes if name == "aria-label"].count(label) == 1


def test_many_different_scores_are_drawn_in_five_bars(shown):
    people = [standing(str(n), adjustments=[Adjustment("override", "", n / 10, "x")]) for n in range(71)]
    page = feedback.class_page(shown, people)
    whole = next(value for name, value in Page(page).attributes if name == "aria-label" and "whole" in value)
    assert len(re.findall("earned", whole)) == 5
    assert sum(map(int, re.findall(r"(\d+) earned", whole))) == 71


def test_an_empty_class_has_a_report(shown):
    assert "0 submissions: none" in words(feedback.class_page(shown, []))


@pytest.fixture(scope="module")
def site(shown, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    long_line = "x" * 400
    student = standing(
        "김하늘 " + "long-name" * 12, (P, F, State.ERROR), [Adjustment("late", "", 10, "a day")],
        Outcome.NEEDS_ATTENTION, problems=[long_line], shown={"double": long_line, "running": "ok"},
    )  # fmt: skip
    (folder / "student.html").write_text(feedback.student_page(shown, student), encoding="utf-8")
    people = [student, standing("bob", (P, P, P)), Standing("eve", None, ())]
    (folder / "report.html").write_text(feedback.class_page(shown, people), encoding="utf-8")
    with serve(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.mark.site
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("page", ["student", "report"])
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
