"""The author's notebook is read right, and every mistake in it is told in a sentence that names the cell."""

import pytest

from seqlab.grading import source
from seqlab.grading.source import SourceError, read_source, read_variants
from tests.grading import course


def mistakes(tmp_path, cells=None, **settings):
    with pytest.raises(SourceError) as caught:
        read_source(course.folder(tmp_path, cells, **settings))
    return caught.value.mistakes


def test_answers_checks_and_cells_are_read(tmp_path):
    assignment = read_source(course.folder(tmp_path, needs_torch=True, cell_seconds=5))
    assert [answer.id for answer in assignment.answers] == ["double", "running"]
    assert [check.id for check in assignment.checks] == ["double-values", "double-hidden", "running-values"]
    assert [check.visible for check in assignment.checks] == [True, False, False]
    assert [cell.role for cell in assignment.cells[:4]] == ["text", "provided", "text", "answer"]
    assert (assignment.points, assignment.needs_torch, assignment.cell_seconds) == (7, True, 5)


def test_the_stub_holds_the_marker_what_is_closed_and_a_raise_instead_of_the_solution(tmp_path):
    answer = read_source(course.folder(tmp_path)).answers[0]
    assert answer.stub.splitlines() == [
        "# answer: double",
        "# closed book: html.parser",
        "def double(x):",
        '    """Twice x."""',
        '    raise NotImplementedError("double: write your answer here")',
    ]


def test_the_solution_has_no_markers_and_runs(tmp_path):
    answer = read_source(course.folder(tmp_path)).answers[0]
    assert "###" not in answer.solution
    space = {}
    exec(answer.solution, space)
    assert space["double"](4) == 8
    assert source.solution_lines(answer) == [3, 4]


def test_a_hidden_region_leaves_the_released_form_but_not_the_check(tmp_path):
    checks = {check.id: check for check in read_source(course.folder(tmp_path)).checks}
    assert checks["double-hidden"].released == ""
    assert "size=0" in checks["running-values"].source
    assert "size=0" not in checks["running-values"].released
    assert "size=4" in checks["running-values"].released
    assert checks["double-values"].released == checks["double-values"].source


USING = course.code("use-double", "def twice_twice(x):\n    return double(double(x))\n", role="provided")
SHOWING = course.code("show", "print(twice_twice(1), running([1, 2]))", role="provided")


def test_a_cell_that_only_shows_what_answers_do_is_a_demo(tmp_path):
    assignment = read_source(course.folder(tmp_path, [*course.CELLS, USING, SHOWING]))
    assert {cell.id: cell.role for cell in assignment.cells}["tools"] == "provided"
    assert [cell.id for cell in assignment.cells if cell.role == "demo"] == ["use-double", "show"]


def test_a_cell_that_a_check_depends_on_is_no_demo(tmp_path):
    more = course.check("double-twice", "double", "twice", 1, "emit(twice_twice(inputs('double-twice').normal()))")
    assignment = read_source(course.folder(tmp_path, [*course.CELLS, USING, SHOWING, more]))
    assert [cell.id for cell in assignment.cells if cell.role == "demo"] == ["show"]


def test_an_install_cell_needs_no_role(tmp_path):
    assignment = read_source(course.folder(tmp_path, [course.code("install", "import sys"), *course.CELLS]))
    assert assignment.cells[0].role == "provided"


def test_assignment_goes_to_text_and_back(tmp_path):
    assignment = read_source(course.folder(tmp_path))
    assert type(assignment).loads(assignment.dumps()) == assignment


BAD = {
    "a missing END marker": (
        course.cells(double={"source": course.DOUBLE.replace("    ### END SOLUTION", "")}),
        r"cell 'double': `### BEGIN SOLUTION` at line 3 has no `### END SOLUTION`; add that line",
    ),
    "an END without a BEGIN": (
        course.cells(double={"source": course.DOUBLE.replace("    ### BEGIN SOLUTION\n", "")}),
        "cell 'double': line 5 says `### END SOLUTION` without a `### BEGIN SOLUTION` before it",
    ),
    "an answer without a region": (
        course.cells(double={"source": "def double(x):\n    return 2 * x"}),
        "cell 'double' has no `### BEGIN SOLUTION`",
    ),
    "an empty region": (
        course.cells(double={"source": "### BEGIN SOLUTION\n\n### END SOLUTION"}),
        "cell 'double': the region that opens at line 1 is empty",
    ),
    "a check for an unknown answer": (
        course.cells(double_values=course.meta("double-values", answer="dubble")),
        "cell 'double-values' checks the answer 'dubble', which no cell above has (there: double)",
    ),
    "an id used twice": (
        course.cells(running_values=course.meta("running-values", id="double-values")),
        "cell 'running-values' has the id 'double-values', which cell 'double-values' has already",
    ),
    "an id that is no id": (
        course.cells(double=course.meta("double", id="Double It")),
        "cell 'double' has the id 'Double It'; give it lower-case words joined by hyphens",
    ),
    "no points": (
        course.cells(double_values=course.meta("double-values", points=0)),
        "cell 'double-values' has points = 0; give it a number above 0",
    ),
    "points that are true": (
        course.cells(double_values=course.meta("double-values", points=True)),
        "cell 'double-values' has points = True; give it a number above 0",
    ),
    "a negative tolerance": (
        course.cells(double_values=course.meta("double-values", rtol=-1)),
        "cell 'double-values' has rtol = -1; give it a number of at least 0",
    ),
    "an answer without a check": (
        [cell for cell in course.CELLS if cell["id"] != "running-values"],
        "answer 'running' has no check; add a check cell with answer = 'running'",
    ),
    "hidden text outside a check": (
        course.cells(tools={"source": "### BEGIN HIDDEN TESTS\nsecret = 1\n### END HIDDEN TESTS"}),
        "cell 'tools' holds `### BEGIN HIDDEN TESTS`, which belongs in a check",
    ),
    "a solution in a text": (
        course.cells(double_text={"source": "### BEGIN SOLUTION"}),
        "cell 'double-text' holds `### BEGIN SOLUTION`, which belongs in an answer",
    ),
    "a closed module that does not exist": (
        course.cells(double=course.meta("double", closed=["torhc.nn"])),
        "cell 'double' closes the module 'torhc.nn', which does not exist; correct its name",
    ),
    "a role that does not exist": (
        course.cells(tools={"metadata": {"seqlab": {"role": "helper"}}}),
        "cell 'tools' is code with the role 'helper'; give it one of provided, answer, check",
    ),
    "an entry that does not exist": (
        course.cells(double_values=course.meta("double-values", tolerance=1)),
        "cell 'double-values' has the unknown entry 'tolerance'",
    ),
    "a title that is missing": (
        course.cells(double=course.meta("double", title=None)),
        "cell 'double' has title = ''; give it a text",
    ),
    "a magic": (
        course.cells(tools={"source": "%matplotlib inline"}),
        "cell 'tools' is not plain Python (line 1: invalid syntax)",
    ),
    "an assert in a check": (
        course.cells(double_values={"source": "assert double(1) == 2"}),
        "cell 'double-values' asserts at line 1; emit the value instead",
    ),
    "a text with a role": (
        course.cells(double_text={"metadata": {"seqlab": {"role": "answer"}}}),
        "cell 'double-text' is markdown with the role 'answer'; make it a code cell",
    ),
    "a text named like an answer": (
        [
            course.text("running-values-text", "x"),
            *course.cells(double_text={"id": "running"}, running={"id": "sum-up"}),
        ],
        "cell 'running' has the id of an answer or a check; rename one of the two",
    ),
    "two cells with one id": (
        [*course.CELLS, course.text("title", "again")],
        "cell 'title' has the id of an earlier cell; ids must differ",
    ),
}


@pytest.mark.parametrize("mistake", BAD)
def test_an_authoring_mistake_is_one_sentence_that_names_the_cell(tmp_path, mistake):
    cells, sentence = BAD[mistake]
    found = mistakes(tmp_path, cells)
    assert any(line.startswith(sentence) for line in found), found
    assert all("\n" not in line for line in found)


def test_all_mistakes_are_told_at_once(tmp_path):
    cells = course.cells(
        double_values=course.meta("double-values", points=-1), running=course.meta("running", closed=["no_such_module"])
    )
    assert len(mistakes(tmp_path, cells)) == 2


def test_a_notebook_in_the_wrong_folder_is_told(tmp_path):
    assert "has assignment = 'other' in a folder named '00_tiny_source'" in mistakes(tmp_path, assignment="other")[0]


def test_an_unknown_setting_is_told(tmp_path):
    assert "has the unknown entry 'seconds'" in mistakes(tmp_path, seconds=3)[0]


@pytest.mark.parametrize("content", ["", "not json", "[1, 2]", '{"nbformat": 3}', '{"nbformat": 4}', "[" * 100_000])
def test_a_file_that_is_no_notebook_gets_one_sentence(tmp_path, content):
    home = course.folder(tmp_path)
    (home / "assignment.ipynb").write_text(content)
    with pytest.raises(ValueError, match=r"assignment\.ipynb is not a notebook"):
        read_source(home)


def test_a_folder_without_a_notebook_gets_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="is not there; an assignment's folder holds"):
        read_source(tmp_path)


# ------------------------------------------------------------------------------------------------ variants


def test_variants_are_read(tmp_path):
    home = course.folder(tmp_path)
    variants = read_variants(home, read_source(home))
    assert [one.name for one in variants.wrong] == ["adds two", "forgets to add"]
    assert variants.wrong[0].earns == {"double-values": 0, "double-hidden": 0}
    assert [(one.name, one.earns) for one in variants.right] == [("adds itself", None)]


def test_no_file_means_no_variants(tmp_path):
    home = course.folder(tmp_path, variants=None)
    assert read_variants(home, read_source(home)) == source.Variants()


WRONG = 'name = "w"\nanswer = "running"\nsource = "x = 1"\n'
BAD_VARIANTS = {
    "not TOML": ("[[wrong", "this is not TOML text"),
    "an unknown table": ("[[wrogn]]\na = 1", "it has the unknown entry 'wrogn'"),
    "no earns": (f"[[wrong]]\n{WRONG}", "[[wrong]] 'w' has no 'earns'; add it"),
    "an unknown answer": (
        f"[[wrong]]\n{WRONG}".replace("running", "jumping") + "earns = {}",
        "[[wrong]] 'w' names the answer 'jumping', which the notebook does not have (double, running)",
    ),
    "a check that is left out": (
        f"[[wrong]]\n{WRONG}earns = {{}}",
        "[[wrong]] 'w' does not say what the check 'running-values' earns",
    ),
    "an unknown check": (
        f"[[wrong]]\n{WRONG}earns = {{running-values = 0, other = 0}}",
        "[[wrong]] 'w' names the check 'other'",
    ),
    "half of a check": (
        f"[[wrong]]\n{WRONG}earns = {{running-values = 1}}",
        "[[wrong]] 'w' earns 1 for the check 'running-values'; a check earns 0 or all its 2",
    ),
    "a wrong answer that loses nothing": (
        f"[[wrong]]\n{WRONG}earns = {{running-values = 2}}",
        "[[wrong]] 'w' earns every point of its answer",
    ),
    "source that is not Python": (
        f"[[right]]\n{WRONG}".replace("x = 1", "x ="),
        "[[right]] 'w' is not Python (line 1",
    ),
    "an equivalent without a reason": (
        '[[equivalent]]\nanswer = "double"\nmutant = "double:1:x"',
        "[[equivalent]] 'double:1:x' has no 'reason'",
    ),
    "a name used twice": (f"[[right]]\n{WRONG}[[right]]\n{WRONG}", "[[right]] 'w' has the name of another variant"),
}


@pytest.mark.parametrize("mistake", BAD_VARIANTS)
def test_a_mistake_in_the_variants_is_one_sentence(tmp_path, mistake):
    content, sentence = BAD_VARIANTS[mistake]
    home = course.folder(tmp_path, variants=content)
    with pytest.raises(SourceError) as caught:
        read_variants(home, read_source(home))
    assert any(line.startswith(sentence) for line in caught.value.mistakes), caught.value.mistakes


def test_a_wrong_answer_may_carry_a_hint_for_the_student_and_a_right_one_may_not(tmp_path):
    home = course.folder(
        tmp_path, variants=course.VARIANTS.replace('"adds two"', '"adds two"\nhint = "twice, not two more"')
    )
    variants = read_variants(home, read_source(home))
    assert [one.hint for one in variants.wrong] == ["twice, not two more", ""]
    course.folder(tmp_path, variants=course.VARIANTS.replace('"adds itself"', '"adds itself"\nhint = "x"'))
    with pytest.raises(SourceError, match="has the unknown entry 'hint'"):
        read_variants(home, read_source(home))
