"""A bundle holds what it should and nothing hidden; each gate closes on the mistake that it is there for."""

import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from seqlab.grading import build as builds
from seqlab.grading import source
from seqlab.grading.model import Assignment
from seqlab.grading.trial import Worker, attempt, attempts
from seqlab.grading.values import decode
from seqlab.notebooks import text_of
from tests.grading import course

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return course.folder(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def bundle(home, tmp_path_factory):
    return builds.build(home, tmp_path_factory.mktemp("out"), with_engine=False)


@pytest.fixture
def no_kernel(monkeypatch):
    """Leave out the run in a kernel, where a test is not about the canonical notebook."""
    monkeypatch.setattr(builds, "execute", lambda notebook, folder: notebook)


def failures(tmp_path, cells=None, variants=course.VARIANTS, **settings):
    """What the gates say of this source."""
    home = course.folder(tmp_path, cells, variants, **settings)
    with pytest.raises(builds.GateError) as caught:
        builds.build(home, tmp_path / "out", with_engine=False)
    assert not list((tmp_path / "out").glob("*")), "a bundle that failed its gates must leave nothing behind"
    return str(caught.value)


def released(bundle):
    return json.loads((bundle / "release" / f"{course.NAME}.ipynb").read_text())


# ------------------------------------------------------------------------------------------------- bundle


def test_the_bundle_has_the_files_of_the_contract(bundle):
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    assert files == {
        f"release/{course.NAME}.ipynb", "release/expected.json", "release/release.json",
        "release/mistakes.json", "instructor/assignment.json", "instructor/canonical.ipynb", "instructor/gates.json",
        "instructor/mutants.json", "instructor/mutants.html",
    }  # fmt: skip


def test_the_release_has_stubs_markers_points_and_notes(bundle):
    cells = {cell["id"]: text_of(cell) for cell in released(bundle)["cells"]}
    assert cells["double"].startswith("# answer: double\n# closed book: html.parser\n")
    assert "NotImplementedError" in cells["double"]
    assert "may not use `html.parser`" in cells["double-closed-book"]
    assert cells["double-values"].startswith("# check: double-values\n# values of double (2 points)\n")
    assert "the grader checks more than this" in cells["running-values"]
    assert cells["double-hidden"].startswith("**Hidden check.** double keeps its input (3 points)")


def test_a_hidden_check_is_no_code_in_the_release(bundle):
    hidden = next(cell for cell in released(bundle)["cells"] if cell["id"] == "double-hidden")
    assert hidden["cell_type"] == "markdown"


def test_nothing_hidden_is_in_any_released_file(bundle):
    everything = "".join(path.read_text() for path in (bundle / "release").iterdir())
    for secret in ("twice_of_x", "sums_so_far", "given_to_double", "BEGIN SOLUTION", "size=0"):
        assert secret not in everything


def test_the_expected_values_are_those_of_the_visible_checks_at_the_public_seed(bundle):
    expected = json.loads((bundle / "release" / "expected.json").read_text())
    assert list(expected) == ["double-values"]
    os.environ.pop("SEQLAB_SEED", None)
    from seqlab.grading.emit import inputs

    assert np.array_equal(decode(expected["double-values"][0]), 2 * inputs("double-values").normal(size=3))


def test_the_students_assignment_has_no_solutions_and_no_hidden_sources(bundle):
    reduced = Assignment.load(bundle / "release" / "release.json")
    assert all(answer.solution == "" for answer in reduced.answers)
    assert [check.source == "" for check in reduced.checks] == [False, True, True]
    assert reduced.points == 7


def test_the_instructors_assignment_is_the_whole_one(bundle, home):
    whole = Assignment.load(bundle / "instructor")
    assert [mistake.name for mistake in whole.mistakes] == ["adds two", "forgets to add"]
    assert replace(whole, mistakes=()) == source.read_source(home)
    assert builds.load_bundle(bundle) == whole


def test_the_canonical_notebook_has_outputs_and_counts(bundle):
    notebook = json.loads((bundle / "instructor" / "canonical.ipynb").read_text())
    checks = [cell for cell in notebook["cells"] if cell["metadata"].get("seqlab", {}).get("role") == "check"]
    assert len(checks) == 3
    assert all(cell["execution_count"] and cell["outputs"] for cell in checks)
    assert not any(output["output_type"] == "error" for cell in checks for output in cell["outputs"])


def test_the_report_names_every_gate(bundle):
    report = json.loads((bundle / "instructor" / "gates.json").read_text())
    assert all(gate["ok"] for gate in report["gates"])
    assert len(report["gates"]) == 8


def test_building_twice_gives_the_same_bytes(bundle, home, tmp_path):
    again = builds.build(home, tmp_path, with_engine=False)
    for path in sorted(p for p in bundle.rglob("*") if p.is_file()):
        assert (again / path.relative_to(bundle)).read_bytes() == path.read_bytes(), path


def test_data_beside_the_notebook_is_released_and_special_files_are_not(tmp_path, no_kernel):
    home = course.folder(tmp_path)
    (home / "words.txt").write_text("a b c")
    (home / "more").mkdir()
    (home / "more" / "x.csv").write_text("1,2")
    (home / ".secret").write_text("no")
    bundle = builds.build(home, tmp_path / "out", with_engine=False, with_mutants=False)
    assert (bundle / "release" / "words.txt").read_text() == "a b c"
    assert (bundle / "release" / "more" / "x.csv").exists()
    assert not (bundle / "release" / ".secret").exists()
    assert not (bundle / "release" / "variants.toml").exists()


def test_a_filled_release_carries_the_answers(bundle):
    notebook = json.loads(builds.filled(released(bundle), {"double": "def double(x):\n    return 0"}))
    assert {c["id"]: text_of(c) for c in notebook["cells"]}["double"].endswith("return 0")


# -------------------------------------------------------------------------------------------------- gates


def test_a_solution_that_raises_is_named(tmp_path):
    cells = course.cells(double={"source": course.DOUBLE.replace("x * 2", "x * undefined_factor")})
    assert "the solution does not pass the check 'double-values': NameError" in failures(tmp_path, cells)


def test_a_check_that_emits_nothing_is_named(tmp_path):
    cells = course.cells(double_values={"source": 'rng = inputs("double-values")\ndouble(rng.normal(size=3))'})
    assert "the check 'double-values' emits nothing" in failures(tmp_path, cells)


def test_a_check_with_chance_of_its_own_is_named(tmp_path):
    cells = course.cells(double_values={"source": "import os\nemit(double(len(os.urandom(4)) + os.getpid()))"})
    assert "the check 'double-values' emits other values when run again" in failures(tmp_path, cells)


def test_a_check_that_ignores_its_inputs_is_named(tmp_path):
    cells = course.cells(double_values={"source": 'inputs("double-values")\nemit(double(3.0))'})
    assert "the check 'double-values' emits the same values for another seed" in failures(tmp_path, cells)


def test_a_check_without_inputs_may_emit_the_same_values(tmp_path, no_kernel):
    cells = course.cells(double_values={"source": "emit(double(3.0))"})
    assert builds.build(course.folder(tmp_path, cells), tmp_path / "out", with_engine=False, with_mutants=False)


def test_a_check_that_passes_untouched_is_named(tmp_path):
    cells = course.cells(double_values={"source": "emit(1)"})
    assert "the check 'double-values' passes on the untouched release" in failures(tmp_path, cells)


def test_a_wrong_answer_that_earns_what_it_should_not_is_named(tmp_path):
    variants = course.VARIANTS.replace("return x + 2", "return x + x")
    told = failures(tmp_path, variants=variants)
    assert "the wrong answer 'adds two' earns 2 of the declared 0 for the check 'double-values'" in told


def test_a_wrong_answer_that_loses_another_answers_points_is_named(tmp_path):
    variants = course.VARIANTS.replace("    return x + 2", "    return x + 2\nnp = None")
    assert "earns 0 of the declared 2 for the check 'running-values'" in failures(tmp_path, variants=variants)


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        ("def double(x):\n    sums = 1\n    return x", ["double"]),
        ("def double(x):\n    return x\n\nnp = None", ["double", "running"]),
        ("def double(x):\n    global np\n    np = None", ["double", "running"]),
        ("np.array = list", ["double", "running"]),
        ("for np in range(3): pass", ["double", "running"]),
        ("import os as inputs", ["double", "running"]),
    ],
)
def test_an_answer_reaches_the_checks_that_use_its_names(home, source, reached):
    checks = builds.touched(builds.sources.read_source(home), "double", source)
    assert sorted({check.answer for check in checks}) == reached


def test_an_answer_reaches_the_checks_of_answers_that_call_it(tmp_path):
    calling = course.RUNNING.replace("total += x", "total += double(x) / 2")
    assignment = builds.sources.read_source(course.folder(tmp_path, course.cells(running={"source": calling})))
    assert builds.touched(assignment, "double", "def double(x):\n    return x") == list(assignment.checks)


def test_a_right_answer_that_loses_points_is_named(tmp_path):
    variants = course.VARIANTS.replace("return x + x", "return x + x + 1e-3")
    told = failures(tmp_path, variants=variants)
    assert "the right answer 'adds itself' earns 0 of the declared 2 for the check 'double-values' at seed 1 (" in told


@pytest.mark.parametrize("cell", ["double_text", "tools"])
def test_a_solution_that_is_shown_elsewhere_is_named(tmp_path, cell):
    shown = {"double_text": "Try twice_of_x  =  x * 2.", "tools": course.CELLS[1]["source"] + "\n# twice_of_x = x * 2"}
    cells = course.cells(**{cell: {"source": shown[cell]}})
    told = failures(tmp_path, cells)
    assert f"{course.NAME}.ipynb shows `twice_of_x = x * 2`, which is the solution of 'double', line 3" in told


def test_a_hidden_line_that_is_shown_in_a_text_is_named(tmp_path):
    cells = course.cells(double_text={"source": "We call emit(double(given_to_double.copy())) on you."})
    assert "which is the hidden part of 'double-hidden'" in failures(tmp_path, cells)


def test_data_that_holds_the_solution_is_named(tmp_path):
    home = course.folder(tmp_path)
    (home / "notes.txt").write_text("    twice_of_x = x * 2\n")
    with pytest.raises(builds.GateError, match=r"notes\.txt shows `twice_of_x"):
        builds.build(home, tmp_path / "out", with_engine=False, with_mutants=False)


def test_a_line_may_be_shown_when_the_author_says_so(tmp_path, no_kernel):
    cells = course.cells(double_text={"source": "Try twice_of_x = x * 2."})
    home = course.folder(tmp_path, cells, may_show=["twice_of_x = x * 2"])
    assert builds.build(home, tmp_path / "out", with_engine=False, with_mutants=False)


def test_checks_that_are_too_weak_are_named_with_the_mutants_that_live(tmp_path):
    weak = 'rng = inputs("running-values")\nemit(len(running(rng.normal(size=4))))\nemit(rng.normal())'
    home = course.folder(tmp_path, course.cells(running_values={"source": weak}), variants=None)
    with pytest.raises(builds.GateError, match="the checks notice only") as caught:
        builds.build(home, tmp_path / "out", with_engine=False)
    assert "running:3:change-number" in [mutant.id for mutant in caught.value.alive]
    assert all("\n" in mutant.diff or mutant.diff.startswith("-") for mutant in caught.value.alive)


def equivalent(mutant):
    return f'[[equivalent]]\nanswer = "double"\nmutant = "{mutant}"\nreason = "to see"\n'


def test_an_equivalent_that_is_no_mutant_is_named(tmp_path):
    told = failures(tmp_path, variants=equivalent("double:99:nothing"))
    assert "[[equivalent]] 'double:99:nothing' is no mutant of the solution; remove it" in told


def test_an_equivalent_whose_line_has_moved_is_found_again(tmp_path):
    told = failures(tmp_path, variants=equivalent("double:7:mul-to-div"))
    assert "correct its name (is it 'double:3:mul-to-div' now?) or remove it" in told


def test_an_equivalent_that_is_noticed_is_named(tmp_path):
    told = failures(tmp_path, variants=equivalent("double:3:mul-to-div"))
    assert "[[equivalent]] 'double:3:mul-to-div' is declared to change nothing, but 'double-" in told


@pytest.mark.slow
def test_a_check_that_hangs_for_a_wrong_answer_does_not_hang_the_build(tmp_path, no_kernel):
    endless = 'name = "endless"\nanswer = "running"\nsource = "def running(xs):\\n    while True: pass"\n'
    variants = f"[[wrong]]\n{endless}earns = {{running-values = 0}}\n"
    assert builds.build(
        course.folder(tmp_path, variants=variants), tmp_path / "out", with_engine=False, with_mutants=False
    )


# --------------------------------------------------------------------------------------------- atomicity


def test_a_failed_build_leaves_the_earlier_bundle_as_it_was(home, tmp_path, no_kernel):
    out = tmp_path / "out"
    builds.build(home, out, with_engine=False, with_mutants=False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    broken = course.folder(tmp_path / "broken", course.cells(double_values={"source": "emit(1)"}))
    with pytest.raises(builds.GateError):
        builds.build(broken, out, with_engine=False)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_full_disk_leaves_the_earlier_bundle_as_it_was(home, tmp_path, monkeypatch, no_kernel):
    out = tmp_path / "out"
    builds.build(home, out, with_engine=False, with_mutants=False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    real = os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(builds.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        builds.build(home, out, with_engine=False, with_mutants=False)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_build_that_was_killed_between_two_renames_is_mended(home, tmp_path, no_kernel):
    out = tmp_path / "out"
    bundle = builds.build(home, out, with_engine=False, with_mutants=False)
    bundle.rename(out / f".{course.NAME}.old")
    (out / f".{course.NAME}.new").mkdir()
    broken = course.folder(tmp_path / "broken", course.cells(double_values={"source": "emit(1)"}))
    with pytest.raises(builds.GateError):
        builds.build(broken, out, with_engine=False)
    assert [path.name for path in out.iterdir()] == [course.NAME]


def test_a_quick_bundle_is_not_current_and_a_changed_source_is_not_either(bundle, home, tmp_path):
    assert not builds.is_current(home, bundle)
    assert not builds.is_current(home, tmp_path)


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_real_engine_agrees_and_the_bundle_is_then_current(home, tmp_path):
    bundle = builds.build(home, tmp_path, with_mutants=True)
    report = json.loads((bundle / "instructor" / "gates.json").read_text())
    assert report["gates"][-1]["name"] == "the real engine agrees"
    assert "in the sandbox" in report["gates"][-1]["detail"]
    assert builds.is_current(home, bundle)
    changed = course.folder(tmp_path / "changed", course.cells(title={"source": "# Another title"}))
    assert not builds.is_current(changed, bundle)


@pytest.mark.slow
@pytest.mark.sandbox
def test_an_engine_that_disagrees_closes_the_gate(home, tmp_path, monkeypatch):
    from seqlab.grading import run

    real = run.grade

    def unjust(*args, **options):
        record = real(*args, **options)
        record.checks[0].earned = 0.0
        return record

    monkeypatch.setattr(run, "grade", unjust)
    with pytest.raises(builds.GateError, match="the engine gives the solution 0 of the declared 2 for the check"):
        builds.build(home, tmp_path, with_mutants=False)


# ------------------------------------------------------------------------------------------------- trials


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


def tried(worker, home, answers, seconds=20.0):
    assignment = source.read_source(home)
    return attempt(worker, assignment, answers, assignment.checks, 1, seconds)


def test_an_endless_answer_is_killed_and_told(worker, home):
    trial = tried(worker, home, {"running": "def running(xs):\n    while True: pass"}, seconds=1.0)
    assert trial.states["running-values"] == "timeout"
    assert set(trial.values) == {"double-values", "double-hidden"}


def test_an_answer_that_ends_the_process_is_told(worker, home):
    trial = tried(worker, home, {"running": "import os\ndef running(xs):\n    os._exit(0)"})
    assert trial.states["running-values"] == "died"


def test_an_answer_that_leaves_is_an_error_of_its_checks_alone(worker, home):
    trial = tried(worker, home, {"running": "def running(xs):\n    raise SystemExit"})
    assert trial.states == {"running-values": "error"}


def test_a_closed_module_cannot_be_imported_where_it_is_closed(worker, home):
    peeking = "def double(x):\n    import html.parser\n    return 2 * x"
    trial = tried(worker, home, {"double": peeking})
    assert trial.states["double-values"] == "error"
    assert "html.parser is closed for this answer" in trial.messages["double-values"]
    assert "running-values" in trial.values


def test_trials_do_not_disturb_each_other(worker, home):
    spoiling = "import numpy\ndef double(x):\n    numpy.ndarray_was_here = True\n    return 2 * x"
    tried(worker, home, {"double": spoiling})
    looking = "def double(x):\n    return 2 * x if not hasattr(np, 'ndarray_was_here') else None"
    after = tried(worker, home, {"double": looking})
    assert after.values == tried(worker, home, {}).values


def test_what_an_answer_prints_is_kept_up_to_a_limit(worker, home):
    trial = tried(worker, home, {"double": "print('word ' * 10_000)\ndef double(x):\n    return 2 * x"})
    assert 3_000 < len(trial.shown["double"]) <= 4_000


def test_many_answers_are_tried_from_one_beginning(worker, home):
    assignment = source.read_source(home)
    expected = tried(worker, home, {}).values
    own = [check for check in assignment.checks if check.answer == "double"]
    lines = ["return 2 * x", "return x + 2", "while True: pass", "import os; os._exit(0)", "raise OSError"]
    right, *others = (f"def double(x):\n    {line}" for line in lines)
    tries = [(one, own) for one in (right, *others, right)]
    found = attempts(worker, assignment, "double", tries, 1, expected, seconds=60, processor=0.5)
    assert [trial.verdicts for trial in (found[0], found[5])] == [{"double-values": "", "double-hidden": ""}] * 2
    assert all(found[1].verdicts[check.id] for check in own)
    assert [found[number].states["double-values"] for number in (2, 3, 4)] == ["timeout", "died", "error"]


def test_an_answer_is_put_to_no_more_checks_than_have_to_notice_it(worker, home):
    assignment = source.read_source(home)
    expected = tried(worker, home, {}).values
    own = [check for check in assignment.checks if check.answer == "double"]
    wrong = "def double(x):\n    return x + 2"
    (first,) = attempts(worker, assignment, "double", [(wrong, own)], 1, expected, stop=1)
    (both,) = attempts(worker, assignment, "double", [(wrong, own)], 1, expected, stop=2)
    assert (list(first.verdicts), list(both.verdicts)) == (["double-values"], ["double-values", "double-hidden"])


def test_an_earlier_check_is_passed_whatever_a_later_answer_does(worker, home):
    assignment = source.read_source(home)
    expected = tried(worker, home, {}).values
    failing = "def running(xs):\n    raise OSError"
    (trial,) = attempts(worker, assignment, "running", [(failing, assignment.checks)], 1, expected)
    assert trial.verdicts == {"double-values": "", "double-hidden": ""}
    assert trial.states == {"running-values": "error"}


# ------------------------------------------------------------------------------- mutants and unusual answers


def test_a_mutant_that_lives_needs_a_reason(tmp_path):
    weak = 'rng = inputs("running-values")\nemit(len(running(rng.normal(size=4))))\nemit(rng.normal())'
    told = failures(tmp_path, course.cells(running_values={"source": weak}), variants=None)
    assert "the mutant 'running:3:change-number' lives, and nothing says why; check more, or declare it in" in told
    assert "else [[survivor]] with mutant = 'running:3:change-number' and why" in told


def test_a_survivor_that_is_noticed_or_is_no_mutant_is_named(tmp_path):
    declared = (f'[[survivor]]\nmutant = "double:{one}"\nwhy = "to see"\n' for one in ("3:mul-to-div", "99:nothing"))
    told = failures(tmp_path, variants="".join(declared))
    assert "[[survivor]] 'double:3:mul-to-div' is declared to live, but 'double-values', " in told
    assert "[[survivor]] 'double:99:nothing' is no mutant of the solution; remove it" in told


def test_the_report_on_mutants_counts_what_each_check_is_worth(bundle):
    found = json.loads((bundle / "instructor" / "mutants.json").read_text())
    assert found["noticed"] == found["counted"] == len(found["mutants"]) > 8
    assert {one["state"] for one in found["mutants"]} == {"noticed"}
    checks = {one["id"]: one for one in found["checks"]}
    of = {name: [one for one in found["mutants"] if one["answer"] == name] for name in ("double", "running")}
    assert checks["double-values"]["noticed"] == len(of["double"])
    assert checks["running-values"]["alone"] == len(of["running"])  # that answer has no other check
    page = (bundle / "instructor" / "mutants.html").read_text()
    assert f"{found['noticed']} of {found['counted']} noticed" in page
    assert "an arithmetic operator became another one" in page


@pytest.mark.slow
def test_a_check_that_minds_float32_is_named_unless_its_question_rules_it_out(tmp_path, no_kernel):
    dtype = 'rng = inputs("double-values")\nfound = double(rng.normal(size=3))\nemit([str(found.dtype), found])'
    cells = course.cells(double_values={"source": dtype})
    told = failures(tmp_path / "a", cells)
    assert "the solution of 'double' in float32 does not pass the check 'double-values'" in told
    ruled = '\n[[unusual]]\nanswer = "double"\nkind = "float32"\nchecks = ["double-values"]\nwhy = "its dtype"\n'
    home = course.folder(tmp_path / "b", cells, course.VARIANTS + ruled)
    assert builds.build(home, tmp_path / "out", with_engine=False, with_mutants=False)
    told = failures(tmp_path / "c", variants=course.VARIANTS + ruled)
    assert "[[unusual]] 'double' 'float32' is declared, but it passes double-values; remove that" in told


def test_a_wrong_answer_that_hides_behind_float32_is_named(tmp_path):
    slight = course.VARIANTS.replace("return x + 2", "return x * (2 + 1e-5)")
    told = failures(tmp_path, variants=slight)
    assert "the wrong answer 'adds two' loses nothing at seed 1 when it is computed in float32" in told
