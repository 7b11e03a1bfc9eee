"""Each student's own variant: the same for ever, as likely as any other, built, released and graded like any other."""

import json
import unicodedata

import pytest
from scipy import stats

from seqlab import cli
from seqlab.grading import build, personal
from seqlab.grading import source as sources
from seqlab.grading.intake import extract
from seqlab.grading.model import Assignment, Outcome, State
from seqlab.grading.releasing import filled, release_notebook
from tests.grading import course

SETTINGS = {"personal": {"times": [2, 3, 5], "word": ["twice", "often"]}}
DOUBLE = course.DOUBLE.replace("x * 2", "x * {{times}}").replace("Twice", "{{ times }} times")
VARIANTS = course.VARIANTS.replace("x + 2", "x + {{times}}").replace("x + x", "{{times}} * x")


def own_folder(place, settings=SETTINGS, variants=VARIANTS, **changes):
    """The tiny course with values of the student's own: a factor, and a word in a name of a function."""
    cells = course.cells(
        double={"source": DOUBLE} | course.meta("double", title="Doubling, {{word}}"),
        running={"source": course.RUNNING.replace("total", "{{word}}_so_far").replace("sums_so_far", "sums")},
        **changes,
    )
    return course.folder(place, cells, variants, **settings)


@pytest.fixture
def template(tmp_path):
    return sources.read_source(own_folder(tmp_path))


def test_a_bundles_assignment_keeps_the_fields_and_the_lists(template):
    assert template.personal == SETTINGS["personal"]
    assert "x * {{times}}" in template.answers[0].solution
    assert template.answers[0].title == "Doubling, {{word}}"
    assert "seqlab_own" not in template.dumps()
    assert Assignment.loads(template.dumps()) == template


def test_a_students_own_is_an_ordinary_assignment_with_her_values_everywhere(template):
    own = personal.personalise(template, "ada")
    values = personal.chosen(template, "ada")
    assert f"x * {values['times']}" in own.answers[0].solution
    assert f'"""{values["times"]} times x."""' in own.answers[0].stub
    assert f"{values['word']}_so_far" in own.answers[1].solution
    assert "{{" not in own.dumps()
    assert own.personal == values
    assert personal.personalise(own, "bob") == own, "what is personal already stays"


def test_text_stands_as_it_is_and_other_values_as_python_writes_them():
    assert personal.fill("{{a}} {{ b }} {{c}} {{d}} {{other}} \\frac{{x}}", dict(a="up", b=3, c=0.5, d=True)) == (
        "up 3 0.5 True {{other}} \\frac{{x}}"
    )


def test_the_choice_depends_on_three_names_alone(template):
    assert personal.chosen(template, "ada") == {"times": 3, "word": "often"}, "the same this year and the next"
    composed, decomposed = (unicodedata.normalize(form, "Éloïse") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert personal.chosen(template, composed) == personal.chosen(template, decomposed)
    names = [f"student {n}" for n in range(100)]
    forward = {name: personal.chosen(template, name) for name in names}
    assert forward == {name: personal.chosen(template, name) for name in reversed(names)}


def test_every_value_is_as_likely_as_every_other_and_parameters_are_independent(template):
    pairs = [tuple(personal.chosen(template, f"{n:05}").values()) for n in range(10_000)]
    table = [[pairs.count((times, word)) for word in ("twice", "often")] for times in (2, 3, 5)]
    assert sum(map(sum, table)) == 10_000
    assert stats.chisquare([count for row in table for count in row]).pvalue > 0.001
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_where_nothing_is_personal_nothing_changes(tmp_path):
    plain = sources.read_source(course.folder(tmp_path))
    assert plain.personal == {}
    assert personal.personalise(plain, "ada", b"anything") is plain
    assert personal.cycle(plain) == [{}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["times"], 'write {"name": [value, value, ...]}'),
        ({"times": [2]}, "at least two values, each of them once"),
        ({"times": [2, 2]}, "at least two values, each of them once"),
        ({"times": 2}, "give it a list of numbers, texts or true and false"),
        ({"times": [2, None]}, "give it a list of numbers, texts or true and false"),
        ({"for": [2, 3]}, "the personal parameter 'for'"),
        ({"2x": [2, 3]}, "the personal parameter '2x'"),
        ({"times": [2, 3], "never": [1, 2]}, "'never' stands in no cell"),
        ({"timez": [2, 3]}, "{{times}}, which is no personal parameter; is it {{timez}}?"),
    ],
)
def test_an_authors_mistake_is_told_in_a_sentence(tmp_path, given, said):
    home = course.folder(tmp_path, course.cells(double={"source": DOUBLE}), personal=given)
    with pytest.raises(sources.SourceError) as wrong:
        sources.read_source(home)
    assert said in str(wrong.value)


def test_values_are_cycled_together_until_each_was_there(template):
    assert personal.cycle(template) == [
        {"times": 2, "word": "twice"},
        {"times": 3, "word": "often"},
        {"times": 5, "word": "twice"},
    ]


# ---------------------------------------------------------------------------------------- whose notebook it is


def released_to(template, student):
    return personal.replace(personal.personalise(template, student), made_for=personal.mark(template, student))


def handed_in(template, student):
    own = released_to(template, student)
    return filled(release_notebook(own), {answer.id: answer.solution for answer in own.answers})


def test_her_own_notebook_is_graded_as_everybodys_with_these_values(template):
    own = personal.personalise(template, "ada", handed_in(template, "ada"))
    assert own == personal.personalise(template, "ada")
    assert own.made_for == ""
    assert extract(handed_in(template, "ada"), own)[1] == []


def test_another_students_notebook_is_told_and_is_another_assignment(template):
    content = handed_in(template, "ada")
    bobs = personal.personalise(template, "bob", content)
    assert bobs.personal == personal.chosen(template, "bob")
    answers, problems = extract(content, bobs)
    assert set(answers) == {"double", "running"}
    assert [problem for problem in problems if "made for another student" in problem]
    assert "ada" not in " ".join(problems)
    assert bobs.dumps() != personal.personalise(template, "bob").dumps(), "so that its record stands beside ada's"


@pytest.mark.parametrize(
    "content",
    [b"", b"no notebook", b"[]", b'{"metadata": 3, "cells": []}', b'{"metadata": {"seqlab": {"made_for": 3}}}'],
)
def test_a_notebook_without_a_mark_is_nobody_elses(template, content):
    assert personal.personalise(template, "ada", content) == personal.personalise(template, "ada")


def test_the_same_bytes_are_kept_for_each_student_apart(template, tmp_path):
    content = handed_in(template, "ada")
    assert personal.own_copy(content, template, "ada") == content
    bobs, cems = (personal.own_copy(content, template, name) for name in ("bob", "cem"))
    assert len({content, bobs, cems}) == 3
    assert json.loads(bobs) == json.loads(cems) == json.loads(content)
    assert personal.own_copy(bobs, template, "bob") == bobs, "graded again, it is the same submission"
    bare = json.dumps(json.loads(content) | {"metadata": {}}).encode()
    assert personal.own_copy(bare, template, "ada") != personal.own_copy(bare, template, "bob")
    plain = sources.read_source(course.folder(tmp_path / "plain"))
    assert personal.own_copy(content, plain, "bob") == content
    assert personal.own_copy(b"\xff\xfe{\x00", template, "bob") == b"\xff\xfe{\x00"


# --------------------------------------------------------------------------------------------------- class lists


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("student\nada\nbob\n", ["ada", "bob"]),
        ("id,Name\n1,ada\n2,\n3,bob\n", ["ada", "bob"]),
        ("\ufeffada\n\nbob \n", ["ada", "bob"]),
        ('student\n"Lovelace, Ada"\n', ["Lovelace, Ada"]),
    ],
)
def test_a_class_list_is_a_column_or_a_line_each(tmp_path, text, names):
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding="utf-8")
    assert personal.read_roster(path) == names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no class list"),
        (b"a,b\n1,2\n", "has no column `student` (there: a, b)"),
        (b"student\n", "holds no names"),
        (b"", "holds no names"),
        (b"ada\nada\n", "names 'ada' twice"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
    ],
)
def test_a_class_list_that_cannot_be_read_is_told(tmp_path, content, said):
    path = tmp_path / "roster.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="roster") as wrong:
        personal.read_roster(path)
    assert said in str(wrong.value)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "x\ny", "y" * 300])
def test_a_name_that_can_be_no_folder_is_told(name):
    with pytest.raises(ValueError, match="folder"):
        personal.folder_for(name)


# ---------------------------------------------------------------------------------------- built, released, graded


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The tiny course, built at each of its values."""
    place = tmp_path_factory.mktemp("personal")
    build.build(own_folder(place), place / "bundles", with_mutants=False, with_engine=False)
    return place / "bundles"


@pytest.mark.slow
def test_the_gates_are_passed_at_every_value(tmp_path):
    wrong_at_five = VARIANTS.replace("{{times}} * x", "x + x if {{times}} == 2 else x * 3")
    with pytest.raises(build.GateError) as wrong:
        build.build(own_folder(tmp_path, variants=wrong_at_five), tmp_path, with_mutants=False, with_engine=False)
    assert "(times = 5, word = 'twice'): the right answer 'adds itself' earns 0" in str(wrong.value)
    assert "times = 3" not in str(wrong.value)


@pytest.mark.slow
def test_a_release_is_the_students_own(bundles, tmp_path, capsys):
    command = ["release", course.NAME, "--bundles", str(bundles), "--to"]
    assert cli.main([*command, str(tmp_path / "nobody")]) == 2
    assert "differs from student to student" in capsys.readouterr().err
    assert cli.main([*command, str(tmp_path / "ada"), "--student", "ada"]) == 0
    own = Assignment.load(tmp_path / "ada" / "release.json")
    template = build.load_bundle(bundles / course.NAME)
    assert own.personal == personal.chosen(template, "ada")
    assert own.made_for == personal.mark(template, "ada")
    text = (tmp_path / "ada" / f"{course.NAME}.ipynb").read_text()
    assert json.loads(text)["metadata"]["seqlab"]["made_for"] == own.made_for
    assert "{{" not in text
    (tmp_path / "roster.csv").write_text("student\nada\nbob\ncem\n")
    assert cli.main([*command, str(tmp_path / "all"), "--roster", str(tmp_path / "roster.csv")]) == 0
    for name in (f"{course.NAME}.ipynb", "release.json", "expected.json"):
        assert (tmp_path / "all" / "ada" / name).read_bytes() == (tmp_path / "ada" / name).read_bytes()
    chosen = {name: personal.chosen(template, name)["times"] for name in ("ada", "bob", "cem")}
    values = {name: (tmp_path / "all" / name / "expected.json").read_text() for name in chosen}
    assert len(set(chosen.values())) > 1
    assert all((values[a] == values[b]) == (chosen[a] == chosen[b]) for a in chosen for b in chosen)


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_class_is_graded_each_by_her_own_values(bundles, tmp_path, capsys):
    from seqlab.grading.ledger import Ledger

    template = build.load_bundle(bundles / course.NAME)
    people = ("ada", "bob", "cem")
    folder = tmp_path / "class"
    folder.mkdir()
    for name in people:
        (folder / f"{name}.ipynb").write_bytes(handed_in(template, name))
    other = next(
        n for n in people if personal.chosen(template, n)["times"] != personal.chosen(template, "ada")["times"]
    )
    (folder / f"{other}.ipynb").write_bytes((folder / "ada.ipynb").read_bytes())
    ledger = ["--ledger", str(tmp_path / "g.sqlite")]
    assert cli.main(["grade", str(folder), "--assignment", course.NAME, "--bundles", str(bundles), *ledger]) == 0
    with Ledger(tmp_path / "g.sqlite") as book:
        standings = {one.student: one for one in book.standings(course.NAME)}
    assert {name: one.score for name, one in standings.items() if name != other} == dict.fromkeys(
        set(people) - {other}, template.points
    )
    assert standings[other].record.outcome is Outcome.NEEDS_ATTENTION
    assert "made for another student" in " ".join(standings[other].record.problems)
    states = {one.id: one.state for one in standings[other].record.checks}
    assert states["double-values"] is State.FAILED, "her own variant multiplies by another number"
    assert not standings["ada"].record.problems, "and nothing changes for the one whose notebook it was"
    capsys.readouterr()
    assert cli.main(["regrade", "--assignment", course.NAME, "--bundles", str(bundles), *ledger]) == 0
    assert "Nothing to do: 3 records" in capsys.readouterr().out, "each is found again by her name"
