"""The demo's class is thirty strong, its scores are what was declared, and a grader that errs is found out."""

import json

import pytest

from seqlab.grading import build as builds
from seqlab.grading import demo
from seqlab.grading.ledger import Standing
from seqlab.grading.model import Outcome, State
from seqlab.grading.source import Variant, Variants, read_source, read_variants
from seqlab.grading.trial import Worker, attempt
from tests.grading import course


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return course.folder(tmp_path_factory.mktemp("source") / "assignments")


@pytest.fixture(scope="module")
def assignment(home):
    return read_source(home)


@pytest.fixture(scope="module")
def made(home, assignment):
    return demo.make_class(assignment, read_variants(home, assignment), builds.release_notebook(assignment))


def test_the_names_are_thirty_and_different_as_file_names():
    assert len(set(demo.NAMES)) == len(demo.NAMES) == demo.CLASS_SIZE
    assert not [name for name in demo.NAMES if "/" in name or name.startswith(".")]


def test_a_class_is_thirty_when_the_author_declares_enough(assignment):
    wrong = [
        Variant(f"wrong {n}", answer.id, f"x = {n}", {c.id: 0 for c in assignment.checks if c.answer == answer.id})
        for answer in assignment.answers
        for n in range(5)
    ]
    made = demo.make_class(assignment, Variants(tuple(wrong)), builds.release_notebook(assignment))
    assert len(made) == 30
    assert len({case.content for case in made}) == 30
    assert len({case.student for case in made}) == 30


def test_the_class_has_every_kind_of_submission(made):
    kinds = " | ".join(case.what for case in made)
    honest = ("the solution", "untouched", "adds two", "adds itself", " and ", "only the first")
    damaged = ("not a notebook", "cut off", "deleted", "moved", "copied", "edited", "retyped")
    for kind in (*honest, *damaged, *demo.ATTACKS):
        assert kind in kinds, kind


def test_without_the_sandbox_nothing_hostile_is_made(home, assignment):
    variants = read_variants(home, assignment)
    made = demo.make_class(assignment, variants, builds.release_notebook(assignment), hostile=False)
    assert not [case for case in made if any(attack in case.what for attack in demo.ATTACKS)]


def test_the_declared_scores_of_honest_notebooks_are_those_of_a_plain_run(made, assignment):
    """An independent count: run the answers without the engine."""
    counted = 0
    with Worker() as worker:
        expected = attempt(worker, assignment, {}, assignment.checks, 3).values
        for case in made:
            if case.outcome is Outcome.REFUSED or "last answer" in case.what or "retyped" in case.what:
                continue
            cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(case.content)["cells"]}
            answers = {answer.id: cells.get(answer.id, answer.stub) for answer in assignment.answers}
            good, _ = builds.passed(assignment, expected, attempt(worker, assignment, answers, assignment.checks, 3))
            assert sum(check.points for check in assignment.checks if check.id in good) == case.score, case.what
            counted += 1
    assert counted >= 9


@pytest.mark.slow
def test_attacks_hit_when_nothing_stands_in_their_way(assignment, tmp_path):
    """The attack on the disk earns its points where the solutions can be read: the demo would show it."""
    last = assignment.answers[-1]
    body = demo.ATTACKS["takes the solution from the disk"].replace("os.getcwd()", repr(str(tmp_path)))
    (tmp_path / "assignment.json").write_text(assignment.dumps())
    with Worker() as worker:
        expected = attempt(worker, assignment, {}, assignment.checks, 3).values
        trial = attempt(worker, assignment, {last.id: demo.attack(last, body)}, assignment.checks, 3)
        assert trial.values == expected
        for what in ("ends the process", "equals everything"):
            trial = attempt(worker, assignment, {last.id: demo.attack(last, demo.ATTACKS[what])}, assignment.checks, 3)
            assert trial.values.get("running-values") != expected["running-values"], what


@pytest.mark.parametrize(
    ("states", "outcome", "agrees"),
    [
        ([State.PASSED] * 3, Outcome.GRADED, True),
        ([State.PASSED, State.PASSED, State.FAILED], Outcome.GRADED, False),
        ([State.PASSED] * 3, Outcome.NEEDS_ATTENTION, False),
    ],
)
def test_a_score_or_an_outcome_that_differs_is_seen(states, outcome, agrees):
    case = demo.Case("ada", "the solution", b"", 7.0)
    line = demo.Line(case, Standing("ada", course.record("s", states, outcome), ()))
    assert line.agrees is agrees


def test_the_command_fails_when_a_score_differs(capsys, monkeypatch, tmp_path):
    from seqlab import cli

    case = demo.Case("ada", "the solution", b"", 7.0)
    lost = Standing("ada", course.record("s", [State.PASSED, State.PASSED, State.FAILED]), ())
    monkeypatch.setattr(demo, "run", lambda *args, **options: ({course.NAME: [demo.Line(case, lost)]}, []))
    assert cli.main(["demo", "--trusted", "--to", str(tmp_path)]) == 1
    assert "0 of 1 scores as declared" in capsys.readouterr().out
    won = Standing("ada", course.record("s", [State.PASSED] * 3), ())
    monkeypatch.setattr(demo, "run", lambda *args, **options: ({course.NAME: [demo.Line(case, won)]}, []))
    assert cli.main(["demo", "--trusted", "--to", str(tmp_path)]) == 0


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_demo_grades_its_class_as_declared_and_writes_reports(home, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "CELL_SECONDS", 3.0)
    results, written = demo.run(tmp_path / "demo", home.parent, tmp_path / "bundles")
    assert [line.case.what + ": " + line.why for line in results[course.NAME] if not line.agrees] == []
    assert len(results[course.NAME]) >= 20
    assert [path.name for path in written] == ["report.html"]
    assert len(list((tmp_path / "demo" / "reports").rglob("feedback/*.html"))) == len(results[course.NAME])
